/**
 * How a client becomes a user of its session: the login, and COM_CHANGE_USER with the token that it
 * is asked for once more. Source: proxy-protocol.md §2.4, proxy-protocol-tried.md A12.
 */
import { errorPacket, minimalOk, okPacket, schemaChange } from '../codec.ts'
import { authSwitchPacket, parseChangeUser, parseClientLogin } from '../login-codec.ts'
import { FEATURE } from '../login-watch.ts'
import { changed, claim, type Entry, prove } from './login.ts'
import type { Reply } from './replies.ts'
import type { Session } from './session.ts'
import { SqlError } from './sql-error.ts'
import type { World } from './world.ts'

type Asking = {
  readonly entry: Entry
  readonly database: string | undefined
  readonly isChange: boolean
}

/** What came of it: let in, asked for a token, or refused and over. */
export type Outcome = 'entered' | 'asked' | 'refused'

export class Admittance {
  private readonly world: World
  private readonly session: Session
  private asking: Asking | undefined
  /** Of the user that is in; undefined before the login. */
  entry: Entry | undefined
  isProxy = false

  constructor(world: World, session: Session) {
    this.world = world
    this.session = session
  }

  /** @throws MalformedPacket */
  login(payload: Buffer, scramble: Buffer, reply: Reply): Outcome {
    const login = parseClientLogin(payload)
    this.isProxy = login.attributes.get('__mysql_client_type')?.toString() === '__ob_proxy'
    return this.attempt(reply, () => {
      const entry = claim(login, scramble, this.world)
      const asking = { entry, database: login.database, isChange: false }
      if (entry.mustSwitch) return this.ask(asking, reply)
      return this.enter(asking, login.authResponse, reply)
    })
  }

  /** The session is rolled back and emptied by it, whatever comes of it. @throws MalformedPacket */
  changeUser(command: Buffer, before: Entry, reply: Reply): Outcome {
    const { user, authResponse, database } = parseChangeUser(command)
    return this.attempt(reply, () => {
      const asking = { entry: changed(before, user), database, isChange: true }
      return before.hasSwitch ? this.ask(asking, reply) : this.enter(asking, authResponse, reply)
    })
  }

  /** The token that was asked for. */
  token(payload: Buffer, reply: Reply): Outcome {
    const { asking } = this
    return this.attempt(reply, () => {
      if (asking === undefined) throw new SqlError(1210, 'HY000', 'nothing was asked for')
      return this.enter(asking, payload, reply)
    })
  }

  private attempt(reply: Reply, what: () => Outcome): Outcome {
    try {
      return what()
    } catch (error) {
      if (!(error instanceof SqlError)) throw error
      return this.refuse(error, reply)
    }
  }

  /** ERR, the proxy's OK, end. */
  refuse(error: SqlError, reply: Reply): Outcome {
    reply.add(errorPacket(error.errno, error.state, error.message))
    if (this.isProxy) reply.add(minimalOk())
    return 'refused'
  }

  private ask(asking: Asking, reply: Reply): Outcome {
    this.asking = asking
    reply.add(authSwitchPacket(asking.entry.scramble))
    return 'asked'
  }

  private enter({ entry, database, isChange }: Asking, token: Buffer, reply: Reply): Outcome {
    const { session } = this
    this.asking = undefined
    prove(entry, token, this.world)
    if (isChange) {
      session.reset()
      session.database = undefined
    }
    if (database !== undefined && database !== '') session.use(database)
    session.user = entry.user
    session.id = entry.clientSessionId ?? session.id
    session.mayLock = entry.mayLock
    session.maySendFiles = entry.maySendFiles
    session.hearsWeakFeedback = (entry.capabilities & FEATURE.staleFeedback) !== 0
    session.variables.agree(entry.capabilities)
    session.isDatabaseChanged = false
    this.entry = entry
    const changes = [session.variables.all(isChange), schemaChange(session.database ?? '')]
    reply.add(
      okPacket({
        affectedRows: 0,
        lastInsertId: 0,
        status: session.status,
        changes: entry.isProxy ? changes : [],
      }),
    )
    return 'entered'
  }
}
