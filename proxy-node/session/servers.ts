/**
 * The server sessions of one client: the one in use, others kept for statements that go elsewhere,
 * and the walk over servers until one can be used: connected, logged in, current database restored.
 * Nothing of a command is sent before that, so any failure on the way may try the next server.
 */
import type { ProxyLogin } from '../backend/login.ts'
import { ServerSession, type ServerSessionOwner } from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import type { Greeting } from '../wire/handshake.ts'
import { COMMAND } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import type { SessionMemory } from './memory.ts'
import type { SessionDeps } from './ports.ts'
import { nextServersState, type ServersEvent, type ServersState } from './states.ts'

/** Servers tried for one statement (`connect_observer_max_retries`, at its maximum). */
const MAX_ATTEMPTS = 5
/** Server sessions one client keeps besides the one in use. */
const MAX_SPARE = 16

/** A server that cannot serve this tenant now although its login is right: try another (§7.5). */
const ELSEWHERE: ReadonlySet<number> = new Set([4124, 5150, 8001, 8002])

export type ServersOwner = {
  /** MySQL mode: the server's greeting, and login packets that are neither OK nor ERR. */
  readonly greeted: (greeting: Greeting) => void
  readonly asked: (sequence: number, payload: Uint8Array) => void
  /** The client's own login succeeded or was refused. */
  readonly loggedIn: (ok: Uint8Array, sequence: number) => void
  readonly refused: (error: Uint8Array, sequence: number) => void
  /** A session is ready for the command that waits. */
  readonly reached: (server: ServerSession) => void
  /** No server could be used. `databaseError` when one could but for the current database. */
  readonly unreachable: (databaseError: number) => void
  readonly forward: (server: ServerSession, bytes: Uint8Array) => void
  readonly finished: (
    server: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ) => void
  readonly drained: () => void
  /** The session in use is gone. */
  readonly lost: (server: ServerSession) => void
}

export class Servers {
  private readonly deps: SessionDeps
  private readonly memory: SessionMemory
  private readonly owner: ServersOwner
  private readonly spare = new Map<string, ServerSession>()
  private state: ServersState = 'none'
  private candidates: readonly Address[] = []
  private login: ProxyLogin | undefined
  private database: string | undefined
  /** The session in use; undefined before login and after it was lost. */
  current: ServerSession | undefined

  constructor(deps: SessionDeps, memory: SessionMemory, owner: ServersOwner) {
    this.deps = deps
    this.memory = memory
    this.owner = owner
  }

  get count(): number {
    return this.spare.size + (this.current === undefined ? 0 : 1)
  }

  /** MySQL mode: connects; the login is the client's own, passed on by `current.write`. */
  relayLogin(address: Address): void {
    this.move('login')
    this.open(address)
  }

  /** The client's first login, on the first of `candidates` that can take it. */
  logIn(candidates: readonly Address[], login: ProxyLogin, database: string | undefined): void {
    this.login = login
    this.database = database
    this.candidates = candidates.slice(0, MAX_ATTEMPTS)
    this.move('login')
    this.tryNext()
  }

  /** Finds a session on the first of `candidates` that can be used; the outcome is `reached` or `unreachable`. */
  goTo(candidates: readonly Address[]): void {
    this.database = undefined
    this.candidates = candidates.slice(0, MAX_ATTEMPTS)
    this.keep()
    this.move('go')
    this.tryNext()
  }

  /** Closes all of them; nothing is told any more. */
  release(): void {
    if (this.state === 'closed') return
    this.move('released')
    this.current?.leave()
    for (const server of this.spare.values()) server.leave()
    this.spare.clear()
  }

  private move(event: ServersEvent): void {
    this.state = nextServersState(this.state, event)
  }

  private readonly sessionOwner: ServerSessionOwner = {
    greeted: (_server, greeting) => this.owner.greeted(greeting),
    asked: (_server, sequence, payload) => this.owner.asked(sequence, payload),
    ready: (server, ok, sequence) => this.ready(server, ok, sequence),
    refused: (server, error, sequence) => this.refused(server, error, sequence),
    forward: (server, bytes) => {
      if (this.state !== 'restoring') this.owner.forward(server, bytes)
    },
    finished: (server, ok, sequence, swallowed) => {
      if (this.state === 'restoring') this.restored(server)
      else this.owner.finished(server, ok, sequence, swallowed)
    },
    drained: server => {
      if (server === this.current) this.owner.drained()
    },
    lost: (server, wasReady) => this.lost(server, wasReady),
  }

  private tryNext(): void {
    const [address, ...rest] = this.candidates
    this.candidates = rest
    if (address === undefined) {
      this.giveUp(0)
      return
    }
    const kept = this.takeSpare(keyOf(address))
    if (kept === undefined) this.open(address)
    else {
      this.current = kept
      this.restore(kept)
    }
  }

  private giveUp(databaseError: number): void {
    this.current = undefined
    this.move('unreachable')
    this.owner.unreachable(databaseError)
  }

  private open(address: Address): void {
    const server = new ServerSession(address, this.sessionOwner, this.login, this.database)
    this.current = server
    const { transport, clock, connectTimeoutMs, serverTls } = this.deps
    server.start(transport, clock, connectTimeoutMs, serverTls)
  }

  private ready(server: ServerSession, ok: Uint8Array, sequence: number): void {
    if (this.state === 'entering') {
      this.move('usable')
      this.owner.loggedIn(ok, sequence)
      server.schema = this.memory.schema
    } else {
      this.restore(server)
    }
  }

  private refused(server: ServerSession, error: Uint8Array, sequence: number): void {
    if (server !== this.current) return
    const errno = (error[1] ?? 0) | ((error[2] ?? 0) << 8)
    const isFinal = this.state === 'entering' && !ELSEWHERE.has(errno)
    if (!isFinal && this.candidates.length > 0) {
      this.tryNext()
      return
    }
    if (this.state !== 'entering') {
      this.giveUp(0)
      return
    }
    this.current = undefined
    this.move('unreachable')
    this.owner.refused(error, sequence)
  }

  private restore(server: ServerSession): void {
    const { schema } = this.memory
    if (schema === undefined || server.schema === schema) {
      this.move('usable')
      this.owner.reached(server)
      return
    }
    this.move('restore')
    server.schema = schema
    server.begin(COMMAND.initDb)
    server.write(packet(0, Uint8Array.of(COMMAND.initDb, ...new TextEncoder().encode(schema))))
  }

  private restored(server: ServerSession): void {
    const { errorCode } = server.tracker
    if (errorCode === 0) {
      this.move('usable')
      this.owner.reached(server)
      return
    }
    server.schema = undefined
    this.current = undefined
    server.close()
    this.giveUp(errorCode)
  }

  private lost(server: ServerSession, wasReady: boolean): void {
    const key = keyOf(server.address)
    if (this.spare.get(key) === server) this.spare.delete(key)
    if (this.state === 'closed' || server !== this.current) return
    this.current = undefined
    const { mode } = this.deps
    if (!wasReady && mode.kind === 'oceanbase') mode.directory.connectFailed(server.address)
    if (this.state === 'using') {
      this.move('lost')
      this.owner.lost(server)
      return
    }
    if (this.state === 'restoring') this.move('retry')
    this.tryNext()
  }

  /** Puts the session in use aside. */
  private keep(): void {
    const server = this.current
    this.current = undefined
    if (server === undefined) return
    if (this.spare.size < MAX_SPARE) this.spare.set(keyOf(server.address), server)
    else server.close()
  }

  private takeSpare(key: string): ServerSession | undefined {
    const kept = this.spare.get(key)
    this.spare.delete(key)
    // "No database" cannot be restored on a session that has one.
    const isUsable = this.memory.schema !== undefined || kept?.schema === undefined
    if (kept === undefined || isUsable) return kept
    kept.close()
    return undefined
  }
}

function keyOf(address: Address): string {
  return `${address.host}:${address.port}`
}

export function isSameAddress(left: Address, right: Address): boolean {
  return left.port === right.port && left.host === right.host
}
