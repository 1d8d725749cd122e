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
  maskGreeting,
  maskLogin,
  proxyGreeting,
} from '../wire/handshake.ts'
import { buildOk, errorOfFault, rebuildOk } from '../wire/ok.ts'
import { DEFAULT_STATUS } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import { AdminConversation } from './admin-conversation.ts'
import { ClientEntry } from './client-entry.ts'
import { type Credentials, isAdminLogin, readLogin } from './login.ts'
import { SessionMemory } from './memory.ts'
import { Pipeline, type PipelineHost } from './pipeline.ts'
import type { Directory, SessionDeps } from './ports.ts'
import { Servers, type ServersOwner } from './servers.ts'
import { READ_STALL_SECONDS } from './stall.ts'
import { nextSessionState, type SessionEvent, type SessionState } from './states.ts'
import type { TenantTraffic } from './traffic.ts'

const LOGIN_LIMIT_BYTES = 64 * 1024
const EMPTY_SCRAMBLE = new Uint8Array(20)
const IDENTITY_RULES = { isFullNameRequired: false, isMetadataUserAllowed: false }
/** How long a client that was told the end may take to read it and close. */
const LINGER_MS = 10_000

export class ClientSession implements PipelineHost {
  readonly id: number
  readonly startedAt: number
  readonly events: ConnectionEvents
  readonly memory = new SessionMemory()
  credentials: Credentials | undefined
  private readonly deps: SessionDeps
  private readonly onClosed: (session: ClientSession) => void
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
  /** Where it counts: under no name until it is logged in. */
  traffic: TenantTraffic

  constructor(deps: SessionDeps, onClosed: (session: ClientSession) => void) {
    this.deps = deps
    this.onClosed = onClosed
    this.id = deps.nextConnectionId()
    this.startedAt = deps.clock.now()
    this.traffic = deps.traffic.of('', '')
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

  move(event: SessionEvent): void {
    this.current = nextSessionState(this.current, event)
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
    const overdue = this.pipeline?.overdue()
    if (overdue === 'writing') this.client?.destroy()
    else if (overdue === 'reading')
      this.giveUp(new Fault('request.timeout', { seconds: READ_STALL_SECONDS }))
  }

  // --- the client's connection

  private opened(connection: Connection): void {
    this.client = connection
    this.entry.opened(connection)
    this.deadline = this.deps.clock.after(this.deps.loginTimeoutMs, () =>
      this.giveUp(new Fault('login.timeout', { seconds: this.deps.loginTimeoutMs / 1000 })),
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
    try {
      this.adminTalk?.drained()
      this.pipeline?.clientDrained()
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
      .then(servers => this.logInOn(servers, credentials))
      .catch(noServer)
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
    const { client, deps, memory, servers } = this
    if (client === undefined || this.current !== 'authenticating') return
    const learned = memory.learnLogin(ok)
    const isRelayed = deps.mode.kind === 'mysql'
    if (isRelayed) this.sequence = (sequence + this.shift) & 0xff
    this.accepted(isRelayed ? ok : rebuildOk(learned))
    this.traffic = deps.traffic.of(this.credentials?.cluster ?? '', this.tenant)
    this.traffic.loggedIn(true)
    this.pipeline = new Pipeline(this, { deps, memory, servers, client, traffic: this.traffic })
  }

  // --- servers

  private serversOwner(): ServersOwner {
    return {
      greeted: greeting => {
        if (this.current !== 'greeting') return
        this.scramble = greeting.scramble
        this.greet(maskGreeting(greeting))
      },
      asked: (sequence, payload) =>
        this.client?.write(packet((sequence + this.shift) & 0xff, payload)),
      loggedIn: (ok, sequence) => this.loggedIn(ok, sequence),
      refused: (error, sequence) => {
        if (this.deps.mode.kind === 'mysql' && sequence > 0)
          this.sequence = (sequence + this.shift) & 0xff
        this.abandon(error)
      },
      reached: server => this.pipeline?.reached(server),
      unreachable: databaseError => {
        if (this.pipeline === undefined)
          this.giveUp(new Fault('route.no-server', { tenant: this.tenant }))
        else this.pipeline.unreachable(databaseError)
      },
      forward: (server, bytes) => this.pipeline?.forward(server, bytes),
      finished: (server, ok, sequence, swallowed) => {
        try {
          this.pipeline?.finished(server, ok, sequence, swallowed)
        } catch (error) {
          // The client's next command was wrong, not this server's answer.
          this.failed(error)
        }
      },
      drained: () => this.pipeline?.serverDrained(),
      lost: server => this.pipeline?.lost(server),
    }
  }

  // --- the end

  private abandon(payload: Uint8Array): void {
    if (this.current === 'closing' || this.current === 'closed') return
    if (this.isLoggingIn) this.traffic.loggedIn(false)
    const sequence = this.pipeline === undefined ? this.sequence : this.pipeline.ownSequence()
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
    this.onClosed(this)
  }

  private stopStatement(): void {
    const running = this.pipeline?.runningOn()
    if (running === undefined || running.isClosed || running.login === undefined) return
    this.deps.cancel(running.login, running)
  }
}
