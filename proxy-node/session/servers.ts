/**
 * The server sessions of one client: the one in use, others kept for statements that go elsewhere,
 * and the walk over servers until one is connected and logged in. Nothing of a command is sent before
 * that, so any failure on the way may try the next server. What a session lacks is not its matter.
 */
import type { Baselines } from '../backend/baseline.ts'
import type { ProxyLogin } from '../backend/login.ts'
import {
  type ServerAnswers,
  ServerSession,
  type ServerSessionOwner,
} from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import { type FailureKind, speaksAgainst } from '../topology/failures.ts'
import type { Greeting } from '../wire/handshake.ts'
import type { SessionMemory } from './memory.ts'
import type { SessionDeps } from './ports.ts'
import { nextServersState, type ServersEvent, type ServersState } from './states.ts'

/** Server sessions one client keeps besides the one in use. */
const MAX_SPARE = 16

/** A server that cannot serve this tenant now although its login is right: try another (§7.5). */
const ELSEWHERE: ReadonlySet<number> = new Set([4124, 5150, 8001, 8002])

/** What the server says of itself with it. */
const UNFIT: ReadonlyMap<number, FailureKind> = new Map([
  [8001, 'server-initialising'],
  [8002, 'server-stopping'],
])

export type ServersOwner = ServerAnswers & {
  /** Servers are asked for TLS. */
  readonly usesTls: boolean
  /** MySQL mode: the server's greeting, and login packets that are neither OK nor ERR. */
  readonly greeted: (greeting: Greeting) => void
  readonly asked: (sequence: number, payload: Uint8Array) => void
  /** The client's own login succeeded or was refused. */
  readonly loggedIn: (ok: Uint8Array, sequence: number) => void
  readonly refused: (error: Uint8Array, sequence: number) => void
  /** A session is logged in for the command that waits. */
  readonly reached: (server: ServerSession) => void
  /** No server could be used; the payload of the last refusal, if any. */
  readonly unreachable: (error: Uint8Array | undefined) => void
  readonly drained: () => void
  /** The session in use is gone. */
  readonly lost: (server: ServerSession) => void
  /** A server was not reached, or cannot let anyone in. */
  readonly failed: (server: ServerSession, kind: FailureKind) => void
  /** One that was kept is gone; a command may have bound itself to it. */
  readonly spareLost: (server: ServerSession) => void
}

/** Servers to try, one after the other; what was tried before has failed. */
export type Walk = { readonly next: () => Address | undefined }

const NO_SPARE: ServerSession[] = []

const NOWHERE: Walk = { next: () => undefined }

export class Servers implements ServerSessionOwner {
  private readonly deps: SessionDeps
  private readonly memory: SessionMemory
  private readonly owner: ServersOwner
  private readonly baselines: Baselines
  /** Made when a second server session is: most clients have one. */
  private spare: ServerSession[] = NO_SPARE
  private state: ServersState = 'none'
  private walk: Walk = NOWHERE
  private login: ProxyLogin | undefined
  private database: string | undefined
  private lastError: Uint8Array | undefined
  /** When the connection of `current` was begun. */
  private openedAt = 0
  /** The session in use; undefined before login and after it was lost. */
  current: ServerSession | undefined

  constructor(deps: SessionDeps, memory: SessionMemory, owner: ServersOwner) {
    this.deps = deps
    this.memory = memory
    this.owner = owner
    this.baselines = deps.baselines
  }

  get count(): number {
    return this.spare.length + (this.current === undefined ? 0 : 1)
  }

  /** All sessions, the one in use first. */
  all(): ServerSession[] {
    const { spare, current } = this
    return current === undefined ? [...spare] : [current, ...spare]
  }

  /** The session in use is the client's own login: it has all that the client's session has. */
  broughtUpToDate(): void {
    const { current, memory } = this
    if (current === undefined) return
    memory.delivered(current.delivered)
    current.delivered.resets = memory.resets
  }

  /** MySQL mode: connects; the login is the client's own, passed on by `current.write`. */
  relayLogin(address: Address): void {
    this.move('login')
    this.open(address)
  }

  /** A login of the client's, on the first server of `walk` that can take it; sessions of an earlier one end. */
  logIn(walk: Walk, login: ProxyLogin, database: string | undefined): void {
    this.closeAll()
    this.login = login
    this.database = database
    this.lastError = undefined
    this.walk = walk
    this.move('login')
    this.tryNext()
  }

  /** Finds a session on the first server of `walk` that can be used; the outcome is `reached` or `unreachable`. */
  goTo(walk: Walk): void {
    this.database = undefined
    this.lastError = undefined
    this.walk = walk
    this.keep()
    this.move('go')
    this.tryNext()
  }

  /** Takes up a session that was kept. */
  use(server: ServerSession): void {
    if (server === this.current) return
    this.keep()
    this.takeSpare(server.address)
    this.current = server
    if (this.state === 'using') return
    this.move('go')
    this.move('usable')
  }

  /** The session in use cannot be: it is closed and the next candidate tried. `error`: what it answered. */
  next(error: Uint8Array | undefined): void {
    this.lastError = error
    this.current?.close()
    this.current = undefined
    this.move('go')
    this.tryNext()
  }

  /** Closes the session in use; nothing is told of it. */
  dropCurrent(): void {
    if (this.current === undefined) return
    this.current.close()
    this.current = undefined
    this.move('lost')
  }

  /** Closes all of them; nothing is told any more. */
  release(): void {
    if (this.state === 'closed') return
    this.tellPatience()
    this.move('released')
    this.closeAll()
  }

  /** Nobody waits any more to be connected: after a while that speaks against the server (§9.4). */
  private tellPatience(): void {
    const { current, state, deps } = this
    if (current === undefined || (state !== 'entering' && state !== 'going')) return
    const connectingMs = deps.clock.now() - this.openedAt
    const { minConnectingMs } = deps.settings()
    const circumstances = { isQuitting: false, connectingMs, minConnectingMs }
    if (speaksAgainst('client-gave-up', circumstances)) this.owner.failed(current, 'client-gave-up')
  }

  /** Closes all that are kept aside: their session state is nobody's any more. */
  closeSpare(): void {
    const { spare } = this
    this.spare = NO_SPARE
    for (const server of spare) server.leave()
  }

  private closeAll(): void {
    this.current?.leave()
    this.current = undefined
    this.closeSpare()
  }

  private move(event: ServersEvent): void {
    this.state = nextServersState(this.state, event)
  }

  // --- ServerSessionOwner

  greeted(_server: ServerSession, greeting: Greeting): void {
    this.owner.greeted(greeting)
  }

  asked(_server: ServerSession, sequence: number, payload: Uint8Array): void {
    this.owner.asked(sequence, payload)
  }

  forward(server: ServerSession, bytes: Uint8Array, from: number, to: number): void {
    this.owner.forward(server, bytes, from, to)
  }

  finished(
    server: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ): void {
    this.owner.finished(server, ok, sequence, swallowed)
  }

  extra(server: ServerSession, type: number, bytes: Uint8Array): void {
    this.owner.extra(server, type, bytes)
  }

  infile(server: ServerSession): void {
    this.owner.infile(server)
  }

  discards(server: ServerSession, errorCode: number, held: Uint8Array): boolean {
    return this.owner.discards(server, errorCode, held)
  }

  broke(error: unknown): void {
    this.deps.broke?.(error)
  }

  drained(server: ServerSession): void {
    if (server === this.current) this.owner.drained()
  }

  private tryNext(): void {
    const address = this.walk.next()
    if (address === undefined) this.giveUp()
    else this.go(address)
  }

  private go(address: Address): void {
    const kept = this.takeUsable(address)
    if (kept === undefined) this.open(address)
    else {
      this.current = kept
      this.move('usable')
      this.owner.reached(kept)
    }
  }

  private giveUp(): void {
    this.current = undefined
    this.move('unreachable')
    this.owner.unreachable(this.lastError)
  }

  private open(address: Address): void {
    const { connectTimeoutMs, usesOb20, tracesFullLink } = this.deps.settings()
    const server = new ServerSession(address, this, {
      login: this.login,
      database: this.database,
      scratch: usesOb20 ? this.deps.scratch : undefined,
      oks: this.deps.oks,
      tracesFullLink,
    })
    this.current = server
    const { transport, clock, serverTls } = this.deps
    const tls = this.owner.usesTls ? serverTls : undefined
    this.openedAt = clock.now()
    server.start({ transport, clock, tls }, connectTimeoutMs)
  }

  ready(server: ServerSession, ok: Uint8Array, sequence: number): void {
    const isFirst = this.state === 'entering'
    if (this.deps.mode.kind === 'oceanbase') server.baseline = this.baselines.of(ok)
    this.move('usable')
    if (isFirst) {
      this.owner.loggedIn(ok, sequence)
      return
    }
    server.delivered.resets = this.memory.resets
    this.owner.reached(server)
  }

  refused(server: ServerSession, error: Uint8Array, sequence: number): void {
    if (server !== this.current) return
    const errno = (error[1] ?? 0) | ((error[2] ?? 0) << 8)
    const unfit = UNFIT.get(errno)
    if (unfit !== undefined) this.owner.failed(server, unfit)
    const isFinal = this.state === 'entering' && !ELSEWHERE.has(errno)
    this.lastError = error
    const next = isFinal ? undefined : this.walk.next()
    if (next !== undefined) {
      this.go(next)
      return
    }
    if (this.state !== 'entering') {
      this.giveUp()
      return
    }
    this.current = undefined
    this.move('unreachable')
    this.owner.refused(error, sequence)
  }

  lost(server: ServerSession, wasReady: boolean): void {
    if (this.spare.includes(server)) {
      this.takeSpare(server.address)
      if (this.state !== 'closed') this.owner.spareLost(server)
    }
    if (this.state === 'closed' || server !== this.current) return
    this.current = undefined
    if (!wasReady) this.owner.failed(server, 'connect-failed')
    if (this.state === 'using') {
      this.move('lost')
      this.owner.lost(server)
      return
    }
    this.tryNext()
  }

  /** Puts the session in use aside. */
  private keep(): void {
    const server = this.current
    this.current = undefined
    if (server === undefined || server.isClosed) return
    if (this.spare.length >= MAX_SPARE) {
      server.leave()
      return
    }
    if (this.spare === NO_SPARE) this.spare = []
    this.spare.push(server)
  }

  private takeUsable(address: Address): ServerSession | undefined {
    const kept = this.takeSpare(address)
    // "No database" cannot be restored on a session that has one.
    const isUsable = this.memory.schema !== undefined || kept?.delivered.schema === undefined
    if (kept === undefined || isUsable) return kept
    kept.leave()
    return undefined
  }

  /** There are few, one a server: looking at each costs less than a key for one. */
  private takeSpare(address: Address): ServerSession | undefined {
    const { spare } = this
    for (let at = 0; at < spare.length; at++) {
      const server = spare[at]
      if (server === undefined || !isSameAddress(server.address, address)) continue
      const last = spare.pop()
      if (last !== undefined && last !== server) spare[at] = last
      return server
    }
    return undefined
  }
}

export function isSameAddress(left: Address, right: Address): boolean {
  return left.port === right.port && left.host === right.host
}
