/**
 * Ends the statement of a client that went away: a second login of the same user sends KILL QUERY. A
 * server does not notice a closed socket while it executes, tried on the kernel.
 */
import type { ProxyLogin } from '../backend/login.ts'
import { ServerSession } from '../backend/server-session.ts'
import { COMMAND } from '../wire/protocol.ts'
import { packet, Writer } from '../wire/writer.ts'
import type { SessionDeps } from './ports.ts'

/** When many clients vanish at once, statements beyond this end by the server's own time-outs. */
const MAX_AT_ONCE = 64

type Deps = Pick<SessionDeps, 'transport' | 'clock' | 'settings' | 'nextConnectionId'>

export class Canceller {
  private readonly deps: Deps
  private underWay = 0

  constructor(deps: Deps) {
    this.deps = deps
  }

  /**
   * Fire and forget: the connection ends after the answer, at the latest at the deadline. `isWanted` is
   * asked when the KILL is about to be sent: the session may be at another statement by then.
   */
  cancel(login: ProxyLogin, victim: ServerSession, isWanted: () => boolean): void {
    if (this.underWay >= MAX_AT_ONCE) return
    this.underWay += 1
    const { clock, transport } = this.deps
    const { connectTimeoutMs } = this.deps.settings()
    const deadline = clock.after(connectTimeoutMs * 2, () => server.drop())
    const over = () => {
      this.underWay -= 1
      deadline.cancel()
    }
    const server = new ServerSession(
      victim.address,
      {
        greeted: () => {},
        asked: () => {},
        ready: session => {
          if (!isWanted()) {
            session.drop()
            return
          }
          session.begin(COMMAND.query)
          // Never the client's id, though servers take it: another session of this client may have it, too.
          const text = `KILL QUERY ${victim.threadId}`
          session.write(packet(0, new Writer(32).u8(COMMAND.query).text(text).payload()), true)
        },
        refused: over,
        forward: () => {},
        finished: session => session.drop(),
        extra: () => {},
        infile: session => session.drop(),
        discards: () => false,
        drained: () => {},
        broke: () => {},
        lost: over,
      },
      // An id of its own: two sessions of one id are both accepted and KILL would be ambiguous (A15).
      {
        login: { ...login, connectionId: this.deps.nextConnectionId() },
        database: undefined,
        scratch: undefined,
        tracesFullLink: false,
      },
    )
    server.start({ transport, clock, tls: victim.tls }, connectTimeoutMs)
  }
}
