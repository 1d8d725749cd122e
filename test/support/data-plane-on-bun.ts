/** A data plane on Bun's sockets, told what to do by lines on standard input. */
import { bunTransport } from '../../proxy-node/net/bun.ts'
import { type Plan, serveLines } from './data-plane.ts'

await serveLines(bunTransport, JSON.parse(process.argv[2] ?? '{}') as Plan)
process.exit(0)
