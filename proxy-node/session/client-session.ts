/**
 * One client from its first packet to its last: greeting, login, then commands (`pipeline.ts`) or the
 * conversation with the node itself. Every wait has a deadline, every end a packet where one can be.
 */
import { Fault, type FaultCode } from '#contract/fault'
import { refusalOf } from '../auth/identity.ts'
import { randomScramble } from '../auth/scramble.ts'
import type { TimerHandle } from '../base/clock.ts'
import type { Address, Connection, ConnectionEvents } from '../net/transport.ts'
import { PacketCollector } from '../wire/framing.ts'
import {
  buildGreeting,
  type Greeting,
  type Login,
  maskGreeting,
  maskLogin,
  proxyGreeting,
} from '../wire/handshake.ts'
import { buildOk, errorOfFault, rebuildOk } from '../wire/ok.ts'
import { DEFAULT_STATUS } from '../wire/protocol.ts'
import { malformed } from '../wire/reader.ts'
import { packet } from '../wire/writer.ts'
import { AdminConversation } from './admin-conversation.ts'
import { ClientEntry } from './client-entry.ts'
import type { CourseHost } from './course.ts'
import type { Guest } from './drain.ts'
import type { IdentityOwner } from './identity-commands.ts'
import { type Credentials, credentialsOf, isAdminLogin, readLogin } from './login.ts'
import { SessionMemory } from './memory.ts'
import { MysqlCourse } from './mysql-course.ts'
import { OceanbaseCourse } from './oceanbase-course.ts'
import { lostWith } from './pins.ts'
import { Pipeline, type PipelineHost } from './pipeline.ts'
import type { Directory, ProcessRow, SessionDeps } from './ports.ts'
import { Servers, type ServersOwner } from './servers.ts'
import { READ_STALL_SECONDS } from './stall.ts'
import { nextSessionState, type SessionEvent, type SessionState } from './states.ts'
import type { TenantTraffic } from './traffic.ts'

const LOGIN_LIMIT_BYTES = 64 * 1024
const EMPTY_SCRAMBLE = new Uint8Array(20)
const IDENTITY_RULES = { isFullNameRequired: false, isMetadataUserAllowed: false }
/** How long a client that was told the end may take to read it and close. */
const LINGER_MS = 10_000

/** Who keeps the sessions. */
export type SessionKeeper = {
  readonly closed: (session: ClientSession) => void
  /** A command has ended outside a transaction. */
  readonly settled: (session: ClientSession) => void
}

export class ClientSession implements PipelineHost, Guest {
  readonly id: number
  readonly startedAt: number
  readonly events: ConnectionEvents
  readonly memory: SessionMemory
  credentials: Credentials | undefined
  private readonly deps: SessionDeps
  private readonly keeper: SessionKeeper
  private readonly collector = new PacketCollector(LOGIN_LIMIT_BYTES)
  private readonly servers: Servers
  private readonly entry: ClientEntry
  /** What the client answers: our own, in MySQL mode the server's. */
  private scramble: Uint8Array
  private client: Connection | undefined
  private current: SessionState = 'greeting'
  private deadline: TimerHandle | undefined
  private pipeline: Pipeline | undefined
  private adminTalk: AdminConversation | undefined
  /** Of the next packet before login; afterwards the pipeline knows. */
  private sequence = 0
  private relayedLoginBytes = 0
  /** Where it counts: under no name until it is logged in. */
  traffic: TenantTraffic
  transactionSince = 0

  constructor(deps: SessionDeps, keeper: SessionKeeper) {
    this.deps = deps
    this.keeper = keeper
    this.id = deps.nextConnectionId()
    this.startedAt = deps.clock.now()
    this.traffic = deps.traffic.of('', '')
    this.memory = new SessionMemory(deps.settings().maxMemoryBytes)
    this.scramble = deps.mode.kind === 'mysql' ? EMPTY_SCRAMBLE : randomScramble()
    this.entry = new ClientEntry(deps.entry)
    this.servers = new Servers(deps, this.memory, this.serversOwner())
    this.events = {
      opened: connection => this.opened(connection),
      received: (_connection, bytes) => this.received(bytes),
      drained: () => this.drained(),
      ended: () => this.leave(),
      closed: () => this.peerLost(),
    }
  }

  get state(): SessionState {
    return this.current
  }

  get tenant(): string {
    return this.credentials?.tenant ?? ''
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
    this.stopStatement()
  }

  processRow(): ProcessRow {
    const { credentials, pipeline, memory } = this
    return {
      id: this.id,
      user: credentials?.identity.user ?? '',
      tenant: this.tenant,
      host: this.clientAddress,
      database: memory.schema ?? null,
      command: pipeline?.runningCommand ?? 'Sleep',
      seconds: Math.floor(pipeline?.secondsInState ?? 0),
      state: pipeline?.runningCommand === undefined ? 'SLEEP' : 'ACTIVE',
      statement: pipeline?.course.statement() ?? null,
      serverPort: this.servers.current?.address.port ?? 0,
    }
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
    if (this.adminTalk !== undefined) return 'administrator'
    if (this.pipeline === undefined) return 'logging in'
    if (this.memory.inTransaction) return 'transaction'
    if (this.current !== 'idle') return 'statement'
    return lostWith(this.memory.pins) || 'waiting for its turn'
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

  /** Refuses a client before it is greeted, as servers do. */
  turnAway(connection: Connection, code: FaultCode): void {
    this.client = connection
    this.entry.opened(connection)
    this.giveUp(new Fault(code))
  }

  giveUp(fault: Fault): void {
    this.abandon(errorOfFault(fault))
  }

  quit(): void {
    this.move('gaveUp')
    this.servers.release()
    this.leave()
  }

  /** One beat a second: ends a client that stopped in the middle of something. */
  beat(): void {
    try {
      const { pipeline } = this
      if (pipeline === undefined) return
      const overdue = pipeline.overdue()
      if (overdue === 'writing') this.client?.destroy()
      else if (overdue === 'reading')
        this.giveUp(new Fault('request.timeout', { seconds: READ_STALL_SECONDS }))
      else if (overdue === 'server') this.giveUp(new Fault('server.lost-reading'))
      else pipeline.beat()
    } catch (error) {
      this.failed(error)
    }
  }

  // --- the client's connection

  private opened(connection: Connection): void {
    this.client = connection
    const { loginTimeoutMs } = this.deps.settings()
    this.entry.opened(connection)
    this.deadline = this.deps.clock.after(loginTimeoutMs, () =>
      this.giveUp(new Fault('login.timeout', { seconds: loginTimeoutMs / 1000 })),
    )
    if (this.deps.mode.kind === 'mysql') {
      this.servers.relayLogin(this.deps.mode.server)
      return
    }
    this.greet(proxyGreeting(this.deps.serverVersion(), this.id, this.scramble))
  }

  private greet(greeting: Greeting): void {
    this.move('greeted')
    this.sequence = 1
    this.client?.write(packet(0, buildGreeting(this.entry.offer(greeting))))
  }

  private received(bytes: Uint8Array): void {
    // Not by `guarded`: a closure a chunk.
    try {
      if (this.current === 'closing' || this.current === 'closed') return
      if (this.pipeline !== undefined) this.pipeline.received(bytes)
      else if (this.adminTalk !== undefined) this.adminTalk.received(bytes)
      else this.receivedLogin(bytes)
    } catch (error) {
      this.failed(error)
    }
  }

  private drained(): void {
    this.guarded(() => {
      this.adminTalk?.drained()
      this.pipeline?.clientDrained()
    })
  }

  /** Whatever goes wrong in here is this client's end and nobody else's. */
  private guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.failed(error)
    }
  }

  private failed(error: unknown): void {
    this.giveUp(error instanceof Fault ? error : new Fault('proxy.internal', {}, { cause: error }))
  }

  // --- login

  private receivedLogin(bytes: Uint8Array): void {
    const entered = this.entry.take(bytes)
    if (entered.kind === 'probe') {
      this.quit()
      return
    }
    if (this.current === 'login' && this.credentials === undefined)
      this.sequence = this.entry.sequence
    this.collector.push(entered.bytes)
    for (let next = this.collector.next(); next !== undefined; next = this.collector.next()) {
      if (this.deps.mode.kind === 'mysql' && this.current === 'authenticating') {
        this.relayedLoginBytes += next.payload.length
        if (this.relayedLoginBytes > LOGIN_LIMIT_BYTES) throw malformed('login above the limit')
        this.servers.current?.relayMore(next.sequence - this.shift, next.payload)
        continue
      }
      if (this.current !== 'login')
        throw new Fault('protocol.malformed', { detail: 'bytes during login' })
      this.sequence = (next.sequence + 1) & 0xff
      this.loginPacket(next.payload)
    }
  }

  private loginPacket(payload: Uint8Array): void {
    if (
      this.deps.mode.kind === 'mysql' &&
      this.credentials === undefined &&
      !isAdminLogin(payload)
    ) {
      this.entry.demandTls()
      this.move('credentialsRead')
      this.servers.current?.relayLogin(maskLogin(payload))
      return
    }
    const step = readLogin(payload, this.credentials, this.scramble)
    this.credentials = step.credentials
    // The node itself stays reachable: its managers come from private addresses without TLS.
    if (step.credentials.identity.tenant !== 'proxysys') this.entry.demandTls()
    this.entry.named(step.credentials.login.attributes)
    if (step.kind === 'switch') {
      this.client?.write(packet(this.sequence, step.request))
      return
    }
    this.move('credentialsRead')
    this.authenticate(step.credentials)
  }

  /** MySQL mode: the client's request for TLS was a packet that the server's side does not count. */
  private get shift(): number {
    return Number(this.entry.isSecure)
  }

  private authenticate(credentials: Credentials): void {
    const { admin, mode } = this.deps
    const { identity, login } = credentials
    if (identity.tenant === 'proxysys') {
      if (admin.accepts(identity.user, login.authResponse, this.scramble, this.entry.address))
        this.acceptAdmin(identity.user)
      else this.deny(credentials)
      return
    }
    if (mode.kind !== 'oceanbase' || refusalOf(identity, IDENTITY_RULES) !== undefined) {
      this.deny(credentials)
      return
    }
    const cluster = mode.directory.resolveCluster(identity.cluster)
    if (cluster === undefined)
      this.giveUp(new Fault('login.unknown-cluster', { cluster: identity.cluster ?? '' }))
    else this.logIn({ ...credentials, cluster }, mode.directory)
  }

  private logIn(credentials: Credentials, directory: Directory): void {
    this.credentials = credentials
    const noServer = () => this.giveUp(new Fault('route.no-server', { tenant: credentials.tenant }))
    Promise.resolve(directory.tenantServers(credentials.tenant))
      .then(servers => this.logInOn(servers, credentials), noServer)
      .catch(error => this.failed(error))
  }

  private logInOn(servers: readonly Address[], credentials: Credentials): void {
    if (this.current !== 'authenticating') return
    if (servers.length === 0) {
      this.deny(credentials)
      return
    }
    const login = credentials.proxyLogin({
      address: this.entry.address,
      port: this.entry.port,
      connectionId: this.id,
      proxyVersion: this.deps.proxyVersion,
      scramble: this.scramble,
    })
    this.servers.logIn(servers, login, credentials.login.database || undefined)
  }

  private deny(credentials: Credentials): void {
    this.giveUp(
      new Fault('login.access-denied', {
        user: credentials.login.user,
        host: this.entry.address,
        using: credentials.login.authResponse.length > 0 ? 'YES' : 'NO',
      }),
    )
  }

  private acceptAdmin(user: string): void {
    const client = this.client
    if (client === undefined) return
    this.accepted(buildOk(DEFAULT_STATUS))
    this.sequence = 1
    this.servers.release()
    this.adminTalk = new AdminConversation(client, sql => this.deps.admin.run(user, sql, this.id))
  }

  private accepted(ok: Uint8Array): void {
    this.deadline?.cancel()
    this.move('accepted')
    this.client?.write(packet(this.sequence, ok))
  }

  private loggedIn(ok: Uint8Array, sequence: number): void {
    const { client, deps, memory } = this
    if (client === undefined || this.current !== 'authenticating') return
    const isRelayed = deps.mode.kind === 'mysql'
    if (isRelayed) this.sequence = (sequence + this.shift) & 0xff
    // After COM_CHANGE_USER nothing of the old session is left.
    if (this.pipeline !== undefined) memory.forget()
    const learned = isRelayed ? memory.learnStatus(ok) : memory.learnLogin(ok, deps.baselines)
    this.accepted(isRelayed ? ok : rebuildOk(learned))
    this.traffic = deps.traffic.of(this.credentials?.cluster ?? '', this.tenant)
    this.traffic.loggedIn(true)
    if (this.pipeline === undefined) this.pipeline = this.newPipeline(client)
    else this.pipeline.userChanged(this.traffic)
  }

  private newPipeline(client: Connection): Pipeline {
    const { deps, memory, servers, traffic } = this
    const { mode } = deps
    const course = (host: CourseHost) =>
      mode.kind === 'mysql'
        ? new MysqlCourse(host, memory, servers)
        : new OceanbaseCourse(host, {
            deps,
            directory: mode.directory,
            memory,
            servers,
            identity: this.identityOwner(),
          })
    return new Pipeline(this, { memory, client, traffic, course })
  }

  private identityOwner(): IdentityOwner {
    const session = this
    return {
      id: this.id,
      get user() {
        return session.credentials?.identity.user ?? ''
      },
      get tenant() {
        return session.tenant
      },
      get cluster() {
        return session.credentials?.cluster ?? ''
      },
      get clientAddress() {
        return session.client?.remoteAddress ?? ''
      },
      get traffic() {
        return session.traffic
      },
      get isDraining() {
        return session.deps.isDraining()
      },
      get clientCapabilities() {
        return session.credentials?.login.capabilities ?? 0
      },
      scramble: this.scramble,
      changeUser: (login, sequence) => this.changeUser(login, sequence),
    }
  }

  private changeUser(login: Login, sequence: number): void {
    this.sequence = sequence
    const maxPacketBytes = this.credentials?.login.maxPacketBytes ?? login.maxPacketBytes
    this.credentials = credentialsOf({ ...login, maxPacketBytes })
    if (this.credentials.identity.tenant === 'proxysys') this.deny(this.credentials)
    else this.authenticate(this.credentials)
  }

  // --- servers

  private serversOwner(): ServersOwner {
    return {
      greeted: greeting =>
        this.guarded(() => {
          if (this.current !== 'greeting') return
          this.scramble = greeting.scramble
          this.greet(maskGreeting(greeting))
        }),
      asked: (sequence, payload) =>
        this.client?.write(packet((sequence + this.shift) & 0xff, payload)),
      loggedIn: (ok, sequence) => this.guarded(() => this.loggedIn(ok, sequence)),
      refused: (error, sequence) => {
        if (this.deps.mode.kind === 'mysql' && sequence > 0)
          this.sequence = (sequence + this.shift) & 0xff
        this.abandon(error)
      },
      reached: server => this.guarded(() => this.pipeline?.course.reached(server)),
      unreachable: error => this.guarded(() => this.unreachable(error)),
      forward: (server, bytes) => this.pipeline?.course.forward(server, bytes),
      finished: (server, ok, sequence, swallowed) => {
        try {
          this.pipeline?.course.finished(server, ok, sequence, swallowed)
        } catch (error) {
          // The client's next command was wrong, not this server's answer.
          this.failed(error)
        }
      },
      extra: (server, type, bytes) => this.pipeline?.course.extra(server, type, bytes),
      infile: server => this.guarded(() => this.pipeline?.course.infile(server)),
      discards: (server, errorCode, held) =>
        this.pipeline?.course.discards(server, errorCode, held) ?? false,
      drained: () => this.guarded(() => this.pipeline?.serverDrained()),
      lost: server => this.guarded(() => this.pipeline?.course.lost(server)),
      spareLost: server => this.guarded(() => this.pipeline?.course.spareLost(server)),
    }
  }

  private unreachable(error: Uint8Array | undefined): void {
    if (this.current === 'authenticating' || this.pipeline === undefined)
      this.giveUp(new Fault('route.no-server', { tenant: this.tenant }))
    else this.pipeline.course.unreachable(error)
  }

  // --- the end

  private abandon(payload: Uint8Array): void {
    if (this.current === 'closing' || this.current === 'closed') return
    if (this.isLoggingIn) this.traffic.loggedIn(false)
    const isInLogin = this.pipeline === undefined || this.current === 'authenticating'
    const sequence = isInLogin ? this.sequence : this.pipeline?.ownSequence()
    this.move('gaveUp')
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

  private get isLoggingIn(): boolean {
    return this.pipeline === undefined && this.adminTalk === undefined
  }

  /** Sends what is pending and closes; a client that does not read it is cut off at the deadline. */
  private leave(): void {
    const { client } = this
    this.deadline?.cancel()
    this.deadline = this.deps.clock.after(LINGER_MS, () => client?.destroy())
    client?.resume()
    client?.end()
  }

  private peerLost(): void {
    if (this.current === 'closed') return
    this.move('peerLost')
    this.deadline?.cancel()
    this.stopStatement()
    this.servers.release()
    this.keeper.closed(this)
  }

  private stopStatement(): void {
    const running = this.pipeline?.course.runningOn()
    if (running === undefined || running.isClosed || running.login === undefined) return
    this.deps.cancel(running.login, running)
  }
}
