/** Whether the addresses of a stack can be had, asked before anything is started. */
import { createServer } from 'node:net'
import type { Address, StackSettings } from './settings.ts'

/** @throws Error in one line that names the address and the way out. */
export async function requireFreePorts(settings: StackSettings): Promise<void> {
  const wanted = [
    ['the API', settings.api],
    ['events', settings.events],
    ['the DynamoDB API', settings.dynamodb],
    ['Systems Manager', settings.runCommand],
    ['the config service', settings.configService],
    ['Elastic Load Balancing', settings.elb],
    ['object storage', settings.objects],
    ['the balancer', settings.balancer],
  ] as const
  for (const [part, address] of wanted) {
    const code = await failureAt(address)
    if (code === undefined) continue
    const way = code === 'EADDRINUSE' ? 'is in use' : `cannot be had (${code})`
    throw new Error(
      `${address.host}:${address.port}, for ${part}, ${way}; free it, or start another stack with OBFLEET_STACK=1 (to 100) and an OBFLEET_HOME of its own`,
    )
  }
}

function failureAt({ host, port }: Address): Promise<string | undefined> {
  return new Promise(done => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => done(undefined)))
  })
}
