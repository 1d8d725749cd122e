/** Runs the transport contract on Bun and prints one JSON line a case. */
import { bunTransport } from '../../proxy-node/net/bun.ts'
import { TLS_CASES } from './tls-contract.ts'
import { TRANSPORT_CASES } from './transport-contract.ts'

for (const { name, run } of [...TRANSPORT_CASES, ...TLS_CASES]) {
  const error = await run(bunTransport).then(
    () => null,
    (failure: Error) => failure.stack ?? failure.message,
  )
  process.stdout.write(`${JSON.stringify({ name, error })}\n`)
}
process.exit(0)
