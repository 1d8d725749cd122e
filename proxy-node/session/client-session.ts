/**
 * One client from its first packet to its last: greeting, login, then commands (`pipeline.ts`) or the
 * conversation with the node itself. Every wait has a deadline, every end a packet where one can be.
 */
import { Fault, type FaultCode } from '#contract/fault'
import { randomScramble } from '../auth/scramble.ts'
import type { TimerHandle } from '../base/clock.ts'
import type { Connection, ConnectionEvents } from '../net/transport.ts'
import type { Login } from '../wire/handshake.ts'
import { buildOk, errorOfFault, type OkPacket, rebuildOk } from '../wire/ok.ts'
import { DEFAULT_STATUS } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import { AdminConversation } from './admin-conversation.ts'
import { ClientEntry } from './client-entry.ts'
import type { Course, CourseHost } from './course.ts'
import { courseFor } from './courses.ts'
import type { Guest } from './drain.ts'
import type { IdentityOwner } from './identity-commands.ts'
import { limitOf } from './limits.ts'
import { Visit } from './lobby.ts'
import type { Credentials } from './login.ts'
import { SessionMemory } from './memory.ts'
import { sequenceFor } from './own-sequence.ts'
import { OwnSettings } from './own-settings.ts'
import { Patience } from './patience.ts'
import { lostWith } from './pins.ts'
import { Pipeline, type PipelineHost } from './pipeline.ts'
import type { ClusterView, ProcessRow, SessionDeps, SessionSettings } from './ports.ts'
import { prescribe } from './prescribed.ts'
import { processRow, standingOf } from './process-row.ts'
import { Servers } from './servers.ts'
import { ClientEvents, type EventTarget, ServerEvents } from './session-events.ts'
import { SignIn, type SignInHost } from './sign-in.ts'
import { nextSessionState, type SessionEvent, type SessionState } from './states.ts'
import type { TenantTraffic } from './traffic.ts'

const EMPTY_SCRAMBLE = new Uint8Array(20)
/** How long a client that was told the end may take to read it and close. */
const LINGER_MS = 10_000

/** Who keeps the sessions. */
export type SessionKeeper = {
  readonly closed: (session: ClientSession) => void
  /** Its client was told the end, or is gone; once. */
  readonly leaving: () => void
  /** A command has ended outside a transaction. */
  readonly settled: (session: ClientSession) => void
}

export class ClientSession implements PipelineHost, Guest, SignInHost, IdentityOwner, EventTarget {
  readonly id: number
  readonly startedAt: number
  readonly events: ConnectionEvents
  readonly memory: SessionMemory
  readonly deps: SessionDeps
  readonly servers: Servers
  readonly entry: ClientEntry
  readonly own: OwnSettings
  credentials: Credentials | undefined
  outlook: ClusterView | undefined
  private readonly keeper: SessionKeeper
  /** What the client answers: our own, in MySQL mode the server's. */
  scramble: Uint8Array
  private client: Connection | undefined
  private current: SessionState = 'greeting'
  private deadline: TimerHandle | undefined
  /** Until the login is accepted, and again while the client changes its user. */
  signIn: SignIn | undefined
  pipeline: Pipeline | undefined
  private adminTalk: AdminConversation | undefined
  /** Where it counts: under no name until it is logged in. */
  traffic: TenantTraffic
  transactionSince = 0
  private readonly patience = new Patience()
  visit: Visit | undefined

  constructor(deps: SessionDeps, keeper: SessionKeeper) {
    this.deps = deps
    this.keeper = keeper
    this.id = deps.nextConnectionId()
    this.startedAt = deps.clock.now()
    this.traffic = deps.traffic.of('', '')
    this.memory = new SessionMemory(deps.settings().maxMemoryBytes)
    this.scramble = deps.mode.kind === 'mysql' ? EMPTY_SCRAMBLE : randomScramble()
    this.entry = new ClientEntry(deps.entry, deps)
    this.own = new OwnSettings(deps)
    this.visit = new Visit(deps.lobby)
    this.servers = new Servers(deps, this.memory, new ServerEvents(this))
    this.events = new ClientEvents(this)
  }

  get state(): SessionState {
    return this.current
  }

  get settings(): SessionSettings {
    return this.own.current
  }

  get tenant(): string {
    return this.credentials?.tenant ?? ''
  }

  get user(): string {
    return this.credentials?.identity.user ?? ''
  }

  get cluster(): string {
    return this.credentials?.cluster ?? ''
  }

  get clientCapabilities(): number {
    return this.credentials?.login.capabilities ?? 0
  }

  get isDraining(): boolean {
    return this.deps.isDraining()
  }

  get course(): Course | undefined {
    return this.pipeline?.course
  }

  get clientIp(): string {
    return this.entry.address
  }

  get statements(): number {
    return this.pipeline?.statements ?? 0
  }

  get clientAddress(): string {
    return this.entry.hostPort
  }

  get isSecure(): boolean {
    return this.entry.isSecure
  }

  get serverSessionCount(): number {
    return this.servers.count
  }

  /** Between commands and outside a transaction: may be ended without loss. */
  get isIdle(): boolean {
    return this.current === 'idle' && !this.memory.inTransaction
  }

  /** KILL QUERY: what runs for this client ends, the session stays. */
  cancelStatement(): void {
    if (this.current === 'routing' || this.current === 'working') this.pipeline?.course.cancelled()
  }

  processRow(): ProcessRow {
    return processRow(this, this.pipeline)
  }

  get isLeaving(): boolean {
    return this.current === 'closing' || this.current === 'closed'
  }

  get isAdmin(): boolean {
    return this.adminTalk !== undefined
  }

  get pinned(): string {
    return lostWith(this.memory.pins)
  }

  get standing(): string {
    return standingOf(this, this.pipeline !== undefined)
  }

  move(event: SessionEvent): void {
    this.current = nextSessionState(this.current, event)
    if (event === 'resultEnded') this.settled()
  }

  private settled(): void {
    if (!this.memory.inTransaction) {
      this.transactionSince = 0
      this.keeper.settled(this)
    } else if (this.transactionSince === 0) this.transactionSince = this.deps.clock.now()
  }

  /** The client is refused as soon as it is there, instead of being greeted. */
  turnAway(code: FaultCode): void {
    this.visit?.refuse(new Fault(code))
  }

  giveUp(fault: Fault): void {
    // A bug: who looks after the node reads what its client is not told.
    if (fault.code === 'proxy.internal') this.deps.broke?.(fault.cause ?? fault)
    const limit = limitOf(fault.code)
    if (limit !== undefined && !this.isLeaving) this.traffic.limited(limit)
    this.refuse(errorOfFault(fault))
  }

  quit(): void {
    this.move('gaveUp')
    this.leaves()
    this.servers.release()
    this.leave()
  }

  /** One beat a second: ends a client that stopped in the middle of something, or says nothing. */
  beat(): void {
    try {
      const end = this.patience.beat(this, this.pipeline, this.deps.settings())
      if (end === 'mute') this.client?.destroy()
      else if (end !== undefined) this.giveUp(end)
    } catch (error) {
      this.failed(error)
    }
  }

  /** Of `performance.now()`; undefined for one that cannot be ended without a loss. */
  get evictableSinceMs(): number | undefined {
    return this.isIdle && this.pinned === '' ? this.pipeline?.begunMs : undefined
  }

  // --- the client's connection

  opened(connection: Connection): void {
    this.client = connection
    const { deps, entry } = this
    const { loginTimeoutMs } = deps.settings()
    entry.opened(connection)
    this.signIn = new SignIn(this, connection)
    const refusal = this.visit?.take(entry)
    if (refusal !== undefined) {
      this.giveUp(refusal)
      return
    }
    this.deadline = deps.clock.after(loginTimeoutMs, () =>
      this.giveUp(new Fault('login.timeout', { seconds: loginTimeoutMs / 1000 })),
    )
    if (deps.mode.kind === 'mysql') this.servers.relayLogin(deps.mode.server)
    else this.signIn.greetAsNode()
  }

  received(bytes: Uint8Array): void {
    if (this.current === 'closing' || this.current === 'closed') return
    this.patience.heard()
    if (this.pipeline !== undefined) this.pipeline.received(bytes)
    else if (this.adminTalk !== undefined) this.adminTalk.received(bytes)
    else this.signIn?.received(bytes)
  }

  drained(): void {
    this.adminTalk?.drained()
    this.pipeline?.clientDrained()
  }

  failed(error: unknown): void {
    this.giveUp(error instanceof Fault ? error : new Fault('proxy.internal', {}, { cause: error }))
  }

  // --- login

  adminAccepted(user: string): void {
    const { client } = this
    if (client === undefined) return
    this.accepted(buildOk(DEFAULT_STATUS))
    this.servers.release()
    const run = (sql: string) => this.deps.admin.run(user, sql, this.id)
    this.adminTalk = new AdminConversation(client, run, () => this.leave())
  }

  loggedIn(ok: Uint8Array, sequence: number): void {
    const { client, deps, memory } = this
    if (client === undefined || this.current !== 'authenticating') return
    const isRelayed = deps.mode.kind === 'mysql'
    if (isRelayed) this.signIn?.follow(sequence)
    // After COM_CHANGE_USER nothing of the old session is left.
    if (this.pipeline !== undefined) memory.forget()
    const learned = isRelayed ? memory.learnStatus(ok) : this.learnLogin(ok)
    this.accepted(isRelayed ? ok : rebuildOk(learned))
    this.traffic = deps.traffic.of(this.cluster, this.tenant)
    this.traffic.loggedIn(true)
    if (this.pipeline === undefined) this.pipeline = this.newPipeline(client)
    else this.pipeline.userChanged(this.traffic)
  }

  private learnLogin(ok: Uint8Array): OkPacket {
    const learned = this.memory.learnLogin(ok, this.deps.baselines)
    this.servers.broughtUpToDate()
    prescribe(this.memory, this.settings)
    return learned
  }

  changeUser(login: Login, sequence: number): void {
    if (this.client === undefined) return
    this.signIn = new SignIn(this, this.client, sequence)
    this.signIn.changeUser(login)
  }

  private accepted(ok: Uint8Array): void {
    this.deadline?.cancel()
    this.deadline = undefined
    this.signIn?.accepted(ok)
    this.signIn = undefined
    this.visit?.leave()
    this.visit = undefined
  }

  private leaves(): void {
    this.visit?.leave()
    this.keeper.leaving()
  }

  private newPipeline(client: Connection): Pipeline {
    const { deps, memory, servers, traffic } = this
    const course = (host: CourseHost) => courseFor(host, { deps, memory, servers, identity: this })
    return new Pipeline(this, { memory, client, traffic, course, settings: this.deps.settings })
  }

  // --- the end

  /** Ends the session with this payload as the last thing its client gets. */
  refuse(payload: Uint8Array): void {
    if (this.current === 'closing' || this.current === 'closed') return
    if (this.pipeline === undefined && !this.isAdmin) this.traffic.loggedIn(false)
    const sequence = sequenceFor(this)
    this.move('gaveUp')
    this.leaves()
    this.stopStatement()
    this.servers.release()
    if (sequence === undefined) {
      // In the middle of a packet nothing can be said.
      this.client?.destroy()
      return
    }
    this.client?.write(packet(sequence, payload))
    this.leave()
  }

  /** Sends what is pending and closes; a client that does not read it is cut off at the deadline. */
  leave(): void {
    const { client } = this
    this.deadline?.cancel()
    this.deadline = this.deps.clock.after(LINGER_MS, () => client?.destroy())
    client?.resume()
    client?.end()
  }

  peerLost(): void {
    this.entry.closed()
    if (this.current === 'closed') return
    if (!this.isLeaving) this.leaves()
    this.move('peerLost')
    this.deadline?.cancel()
    this.stopStatement()
    this.servers.release()
    this.keeper.closed(this)
  }

  private stopStatement(): void {
    const running = this.pipeline?.course.runningOn()
    if (running === undefined || running.isClosed || running.login === undefined) return
    this.deps.cancel(running.login, running, () => true)
  }
}
