/**
 * Ends the statement of a client that went away: a second login of the same user sends KILL QUERY
 * for the server's id of the first. A server does not notice a closed socket while it executes.
 */
import type { ProxyLogin } from '../backend/login.ts'
import { ServerSession } from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import { COMMAND } from '../wire/protocol.ts'
import { packet, Writer } from '../wire/writer.ts'
import type { SessionDeps } from './ports.ts'

type Running = { readonly address: Address; readonly login: ProxyLogin; readonly threadId: number }

/** Fire and forget: the connection closes itself after the answer, at the latest at the deadline. */
export function cancelStatement(deps: SessionDeps, running: Running): void {
  const server = new ServerSession(
    running.address,
    {
      greeted: () => {},
      asked: () => {},
      ready: session => {
        session.begin(COMMAND.query)
        const text = `KILL QUERY ${running.login.connectionId}`
        session.write(packet(0, new Writer(32).u8(COMMAND.query).text(text).payload()))
      },
      refused: () => {},
      forward: () => {},
      finished: () => server.close(),
      drained: () => {},
      lost: () => {},
    },
    // Another client session id: two sessions of one id are both accepted and KILL would be ambiguous.
    { ...running.login, connectionId: deps.nextConnectionId() },
  )
  server.start(deps.transport, deps.connectTimeoutMs)
  deps.clock.after(deps.connectTimeoutMs * 2, () => server.close())
}
