/**
 * One client, one walk a command: read → understand → decide → relay → settle. Nothing of a result
 * is buffered; whoever is slow pauses the other side. Hot path: see the rules.
 */
import { Fault, type FaultCode } from '#contract/fault'
import { refusalOf } from '../auth/identity.ts'
import { randomScramble } from '../auth/scramble.ts'
import { ServerSession, type ServerSessionOwner } from '../backend/server-session.ts'
import type { TimerHandle } from '../base/clock.ts'
import type { Address, Connection, ConnectionEvents } from '../net/transport.ts'
import { classify } from '../sql/classify.ts'
import { PacketCollector } from '../wire/framing.ts'
import { buildGreeting, maskGreeting, proxyGreeting } from '../wire/handshake.ts'
import { buildOk, errorOfFault, rebuildOk } from '../wire/ok.ts'
import { COMMAND, DEFAULT_STATUS, HEADER_BYTES } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import { AdminConversation } from './admin-conversation.ts'
import { cancelStatement } from './cancel.ts'
import { type Credentials, isAdminLogin, readLogin } from './login.ts'
import { SessionMemory } from './memory.ts'
import type { SessionDeps } from './ports.ts'
import { Requests } from './requests.ts'
import { nextSessionState, type SessionEvent, type SessionState } from './states.ts'

const LOGIN_LIMIT_BYTES = 64 * 1024
const EMPTY_SCRAMBLE = new Uint8Array(20)
const IDENTITY_RULES = { isFullNameRequired: false, isMetadataUserAllowed: false }

/** Commands relayed to a server and back; every other one is refused with 1235. */
const RELAYED: ReadonlySet<number> = new Set([
  COMMAND.initDb,
  COMMAND.query,
  COMMAND.fieldList,
  COMMAND.statistics,
  COMMAND.debug,
  COMMAND.stmtPrepare,
  COMMAND.stmtExecute,
  COMMAND.stmtSendLongData,
  COMMAND.stmtClose,
  COMMAND.stmtReset,
  COMMAND.stmtFetch,
  COMMAND.setOption,
])

/** Commands that no server answers. */
const UNANSWERED: ReadonlySet<number> = new Set([COMMAND.stmtSendLongData, COMMAND.stmtClose])

export class ClientSession {
  readonly id: number
  readonly startedAt: number
  readonly events: ConnectionEvents
  readonly memory = new SessionMemory()
  statements = 0
  credentials: Credentials | undefined
  private readonly deps: SessionDeps
  private readonly onClosed: (session: ClientSession) => void
  private readonly collector = new PacketCollector(LOGIN_LIMIT_BYTES)
  private readonly requests = new Requests()
  /** What the client answers: our own, in MySQL mode the server's. */
  private scramble: Uint8Array
  private client: Connection | undefined
  private current: SessionState = 'greeting'
  private server: ServerSession | undefined
  private readonly spare = new Map<string, ServerSession>()
  private loginTimer: TimerHandle | undefined
  private adminTalk: AdminConversation | undefined
  private sequence = 0
  private command = 0
  /** The rest of the command's body is dropped: it was refused, or its answer has already come. */
  private discarding = false
  private refusal: Uint8Array | undefined
  private candidates: readonly Address[] = []
  /** The command waiting for a server, its bytes kept. */
  private waitingHead: Uint8Array | undefined
  private restoring = false
  private routedBy: { readonly database: string; readonly table: string } | undefined
  private brokenState = false

  constructor(deps: SessionDeps, onClosed: (session: ClientSession) => void) {
    this.deps = deps
    this.onClosed = onClosed
    this.id = deps.nextConnectionId()
    this.startedAt = deps.clock.now()
    this.scramble = deps.mode.kind === 'mysql' ? EMPTY_SCRAMBLE : randomScramble()
    this.events = {
      opened: connection => this.opened(connection),
      received: (_connection, bytes) => this.received(bytes),
      drained: () => this.server?.resume(),
      ended: connection => connection.end(),
      closed: () => this.peerLost(),
    }
  }

  get state(): SessionState {
    return this.current
  }

  get clientAddress(): string {
    return `${this.client?.remoteAddress ?? ''}:${this.client?.remotePort ?? 0}`
  }

  get serverSessionCount(): number {
    return this.spare.size + (this.server === undefined ? 0 : 1)
  }

  get isIdle(): boolean {
    return this.current === 'idle' && !this.memory.inTransaction
  }

  /** Answers `code` if a packet may still be sent, then closes. */
  giveUp(code: FaultCode, facts: Record<string, string | number> = {}): void {
    this.abandon(errorOfFault(new Fault(code, facts)))
  }

  private move(event: SessionEvent): void {
    this.current = nextSessionState(this.current, event)
  }

  private opened(connection: Connection): void {
    this.client = connection
    this.loginTimer = this.deps.clock.after(this.deps.loginTimeoutMs, () =>
      this.giveUp('login.timeout', { seconds: this.deps.loginTimeoutMs / 1000 }),
    )
    if (this.deps.mode.kind === 'mysql') {
      this.server = new ServerSession(this.deps.mode.server, this.owner, undefined)
      this.server.start(this.deps.transport, this.deps.connectTimeoutMs)
      return
    }
    const greeting = proxyGreeting(this.deps.serverVersion(), this.id, this.scramble)
    this.greet(buildGreeting(greeting))
  }

  private greet(payload: Uint8Array): void {
    this.move('greeted')
    this.client?.write(packet(0, payload))
  }

  private received(bytes: Uint8Array): void {
    try {
      if (this.current === 'closing' || this.current === 'closed') return
      if (this.adminTalk !== undefined) this.adminTalk.received(bytes)
      else if (this.current === 'idle' || this.current === 'routing' || this.current === 'working')
        this.receivedRequest(bytes)
      else this.receivedLogin(bytes)
    } catch (error) {
      this.abandon(errorOfFault(error instanceof Fault ? error : new Fault('proxy.internal')))
    }
  }

  // --- login

  private receivedLogin(bytes: Uint8Array): void {
    if (this.deps.mode.kind === 'mysql' && this.current === 'authenticating') {
      this.server?.write(bytes)
      return
    }
    this.collector.push(bytes.slice())
    for (let next = this.collector.next(); next !== undefined; next = this.collector.next()) {
      if (this.current !== 'login')
        throw new Fault('protocol.malformed', { detail: 'bytes during login' })
      this.sequence = (next.sequence + 1) & 0xff
      this.loginPacket(next.payload)
    }
  }

  private loginPacket(payload: Uint8Array): void {
    if (this.deps.mode.kind === 'mysql' && !isAdminLogin(payload)) {
      this.move('credentialsRead')
      this.server?.write(packet((this.sequence + 255) & 0xff, payload))
      return
    }
    const step = readLogin(payload, this.credentials, this.scramble)
    this.credentials = step.credentials
    if (step.kind === 'switch') {
      this.client?.write(packet(this.sequence, step.request))
      return
    }
    this.move('credentialsRead')
    this.authenticate(step.credentials)
  }

  private authenticate(credentials: Credentials): void {
    const { admin, mode } = this.deps
    const { identity, login } = credentials
    if (identity.tenant === 'proxysys') {
      const from = this.client?.remoteAddress ?? ''
      if (!admin.accepts(identity.user, login.authResponse, this.scramble, from))
        this.deny(credentials)
      else this.acceptAdmin(identity.user)
      return
    }
    if (mode.kind !== 'oceanbase' || refusalOf(identity, IDENTITY_RULES) !== undefined) {
      this.deny(credentials)
      return
    }
    const cluster = mode.directory.resolveCluster(identity.cluster)
    if (cluster === undefined)
      this.giveUp('login.unknown-cluster', { cluster: identity.cluster ?? '' })
    else void this.logInSomewhere({ ...credentials, cluster }, mode.directory)
  }

  private async logInSomewhere(
    credentials: Credentials,
    directory: {
      readonly tenantServers: (tenant: string) => readonly Address[] | Promise<readonly Address[]>
    },
  ): Promise<void> {
    this.credentials = credentials
    const servers = await Promise.resolve(directory.tenantServers(credentials.tenant)).catch(
      () => undefined,
    )
    if (this.current !== 'authenticating') return
    if (servers === undefined) this.giveUp('route.no-server', { tenant: credentials.tenant })
    else if (servers.length === 0) this.deny(credentials)
    else {
      this.candidates = servers
      this.connectNext()
    }
  }

  private deny(credentials: Credentials): void {
    this.giveUp('login.access-denied', {
      user: credentials.login.user,
      host: this.client?.remoteAddress ?? '',
      using: credentials.login.authResponse.length > 0 ? 'YES' : 'NO',
    })
  }

  private acceptAdmin(user: string): void {
    const client = this.client
    if (client === undefined) return
    this.accepted(buildOk(DEFAULT_STATUS))
    const server = this.server
    this.server = undefined
    server?.close()
    this.adminTalk = new AdminConversation(client, sql => this.deps.admin.run(user, sql, this.id))
  }

  private accepted(ok: Uint8Array): void {
    this.loginTimer?.cancel()
    this.move('accepted')
    this.client?.write(packet(this.sequence, ok))
  }

  // --- servers

  private readonly owner: ServerSessionOwner = {
    greeted: (_server, greeting) => {
      if (this.current !== 'greeting') return
      this.scramble = greeting.scramble
      this.greet(buildGreeting(maskGreeting(greeting)))
    },
    asked: (_server, framed) => this.client?.write(framed),
    ready: (server, ok) => this.serverReady(server, ok),
    refused: (server, error) => this.serverRefused(server, error),
    forward: (server, bytes) => this.forward(server, bytes),
    finished: (ok, sequence, swallowed) => this.finished(ok, sequence, swallowed),
    drained: () => this.client?.resume(),
    lost: (server, connected) => this.serverLost(server, connected),
  }

  private connectNext(): void {
    const [address, ...rest] = this.candidates
    this.candidates = rest
    const credentials = this.credentials
    if (address === undefined || credentials === undefined) {
      this.noServer()
      return
    }
    const first = this.current === 'authenticating'
    const login = credentials.proxyLogin({
      address: this.client?.remoteAddress ?? '',
      port: this.client?.remotePort ?? 0,
      connectionId: this.id,
      proxyVersion: this.deps.proxyVersion,
      scramble: this.scramble,
    })
    const database = first ? credentials.login.database : undefined
    this.server = new ServerSession(
      address,
      this.owner,
      login,
      database === '' ? undefined : database,
    )
    this.server.start(this.deps.transport, this.deps.connectTimeoutMs)
  }

  private noServer(): void {
    this.server = undefined
    const fault = new Fault('route.no-server', { tenant: this.credentials?.tenant ?? '' })
    if (this.current !== 'routing') {
      this.abandon(errorOfFault(fault))
      return
    }
    this.waitingHead = undefined
    this.refuse(errorOfFault(fault))
    this.work()
  }

  private serverReady(server: ServerSession, ok: Uint8Array): void {
    if (this.current === 'authenticating') {
      const learned = this.memory.learnLogin(ok)
      server.schema = this.memory.schema
      if (this.deps.mode.kind === 'mysql') this.sequence = 2
      this.accepted(this.deps.mode.kind === 'mysql' ? ok : rebuildOk(learned))
      this.work()
    } else if (this.current === 'routing') {
      this.sendWaiting(server)
    }
  }

  private serverRefused(server: ServerSession, error: Uint8Array): void {
    if (this.current !== 'authenticating' && this.current !== 'greeting') {
      this.serverLost(server, true)
      return
    }
    const errno = (error[1] ?? 0) | ((error[2] ?? 0) << 8)
    const elsewhere = errno === 8001 || errno === 8002 || errno === 5150 || errno === 4124
    if (elsewhere && this.candidates.length > 0) this.connectNext()
    else this.abandon(error)
  }

  private serverLost(server: ServerSession, connected: boolean): void {
    this.spare.delete(keyOf(server.address))
    if (server !== this.server) return
    this.server = undefined
    if (this.deps.mode.kind === 'oceanbase' && !connected)
      this.deps.mode.directory.connectFailed(server.address)
    if (this.current === 'closing' || this.current === 'closed') return
    if (this.current === 'working') this.lostWhileWorking(server)
    else if (this.current === 'idle') this.lostWhileIdle()
    else if (this.deps.mode.kind === 'mysql' || this.restoring)
      this.giveUp('route.no-server', { tenant: this.credentials?.tenant ?? '' })
    else this.connectNext()
  }

  private lostWhileWorking(server: ServerSession): void {
    if (server.relay.isInsidePacket) {
      this.client?.destroy()
      return
    }
    this.sequence = server.relay.nextSequence
    this.giveUp('server.lost-reading')
  }

  private lostWhileIdle(): void {
    const stateless = this.deps.mode.kind === 'oceanbase' && this.memory.pinned === ''
    if (!stateless || this.memory.inTransaction) this.brokenState = true
  }

  // --- commands

  private receivedRequest(bytes: Uint8Array): void {
    this.requests.push(bytes)
    if (this.current === 'working' && this.requests.isIncomplete) this.streamBody()
    if (this.current === 'idle') this.work()
    this.requests.retain()
    // While a command is under way the client may run one chunk ahead, no further.
    if (this.current !== 'idle' && this.requests.waitingBytes > 0) this.client?.pause()
  }

  /** Takes up commands until one has to wait for its answer. */
  private work(): void {
    while (this.current === 'idle') {
      const head = this.requests.head()
      if (head === undefined) break
      this.move('commandRead')
      this.understand(head)
    }
    if (this.current === 'idle') this.client?.resume()
  }

  private understand(head: Uint8Array): void {
    this.command = head[HEADER_BYTES] as number
    this.sequence = 1
    this.statements += 1
    if (this.command === COMMAND.quit) {
      this.server?.write(head)
      this.client?.end()
    } else if (this.brokenState) {
      this.giveUp('server.lost-reading')
    } else if (this.command === COMMAND.ping) {
      this.refuse(buildOk(this.memory.status === 0 ? DEFAULT_STATUS : this.memory.status))
    } else if (!this.isRelayed()) {
      this.refuse(errorOfFault(new Fault('protocol.unsupported-command')))
    } else {
      this.decide(head)
    }
  }

  private isRelayed(): boolean {
    const plain = this.deps.mode.kind === 'mysql' && this.command === COMMAND.resetConnection
    return plain || RELAYED.has(this.command)
  }

  /** Answers without a server, once the whole command has come. */
  private refuse(answer: Uint8Array): void {
    this.refusal = answer
    this.discarding = true
    if (this.current === 'routing') this.move('commandSent')
    this.streamBody()
  }

  private decide(head: Uint8Array): void {
    const { mode } = this.deps
    const server = this.server
    if (mode.kind === 'mysql') {
      if (server === undefined) this.giveUp('server.lost-reading')
      else this.send(server, head)
      return
    }
    this.routedBy = undefined
    const stays = this.memory.inTransaction || this.memory.pinned !== ''
    if (server !== undefined && (stays || this.command !== COMMAND.query)) {
      this.send(server, head)
      return
    }
    const statement = classify(head, HEADER_BYTES + 1, head.length)
    if (statement.pins) this.memory.pinned = 'statement with state of its own'
    const database = statement.database ?? this.memory.schema
    if (server !== undefined && (statement.dependent || database === undefined)) {
      this.send(server, head)
      return
    }
    this.decideByTable(head, database, statement.dependent ? undefined : statement.table)
  }

  private decideByTable(
    head: Uint8Array,
    database: string | undefined,
    table: string | undefined,
  ): void {
    const { mode } = this.deps
    if (mode.kind !== 'oceanbase') return
    const tenant = this.credentials?.tenant ?? ''
    if (database === undefined || table === undefined) {
      void this.moveTo(head.slice(), undefined)
      return
    }
    this.routedBy = { database, table }
    const leader = mode.directory.leaderOf(tenant, database, table)
    const server = this.server
    const known = leader === undefined || !(leader instanceof Promise)
    if (
      known &&
      server !== undefined &&
      (leader === undefined || isSame(leader as Address, server.address))
    )
      this.send(server, head)
    else void this.moveTo(head.slice(), Promise.resolve(leader))
  }

  /** Finds a session on the wanted server, or on any server of the tenant. */
  private async moveTo(
    head: Uint8Array,
    wanted: Promise<Address | undefined> | undefined,
  ): Promise<void> {
    const { mode } = this.deps
    if (mode.kind !== 'oceanbase') return
    this.waitingHead = head
    this.client?.pause()
    const leader = await wanted?.catch(() => undefined)
    if (this.current !== 'routing') return
    const server = this.server
    if (server !== undefined && (leader === undefined || isSame(leader, server.address))) {
      this.sendWaiting(server)
      return
    }
    const tenant = this.credentials?.tenant ?? ''
    const servers = await Promise.resolve(mode.directory.tenantServers(tenant)).catch(() => [])
    if (this.current !== 'routing') return
    this.leaveServer()
    const others = servers.filter(other => leader === undefined || !isSame(leader, other))
    this.candidates = leader === undefined ? others : [leader, ...others]
    const spare = leader === undefined ? undefined : this.spare.get(keyOf(leader))
    if (spare === undefined) this.connectNext()
    else {
      this.spare.delete(keyOf(spare.address))
      this.server = spare
      this.sendWaiting(spare)
    }
  }

  private leaveServer(): void {
    if (this.server !== undefined) this.spare.set(keyOf(this.server.address), this.server)
    this.server = undefined
  }

  /** Sends the waiting command, after the current database where the server has another one. */
  private sendWaiting(server: ServerSession): void {
    const head = this.waitingHead
    if (head === undefined) return
    if (
      this.memory.schema !== undefined &&
      server.schema !== this.memory.schema &&
      !this.restoring
    ) {
      this.restoring = true
      server.schema = this.memory.schema
      server.begin(COMMAND.initDb)
      const name = new TextEncoder().encode(this.memory.schema)
      server.write(packet(0, Uint8Array.of(COMMAND.initDb, ...name)))
      return
    }
    this.waitingHead = undefined
    this.restoring = false
    this.send(server, head)
    this.work()
  }

  private send(server: ServerSession, head: Uint8Array): void {
    this.move('commandSent')
    this.discarding = false
    if (this.command === COMMAND.stmtPrepare) this.memory.pinned = 'prepared statement'
    if (!UNANSWERED.has(this.command)) server.begin(this.command)
    // The client was paused while a server was looked for; the rest of a long command is still with it.
    if (!server.write(head)) this.client?.pause()
    else if (this.requests.isIncomplete) this.client?.resume()
    if (this.requests.isIncomplete) this.streamBody()
    else if (UNANSWERED.has(this.command)) this.move('resultEnded')
  }

  /** Passes on, or drops, what has come of the command's body. */
  private streamBody(): void {
    for (let part = this.requests.body(); part !== undefined; part = this.requests.body()) {
      if (this.discarding) continue
      if (this.server?.write(part) === false) this.client?.pause()
    }
    if (this.requests.isIncomplete) {
      if (this.discarding) this.client?.resume()
      return
    }
    const answer = this.refusal
    if (answer !== undefined) {
      this.refusal = undefined
      this.client?.write(packet(this.sequence, answer))
      this.settle()
    } else if (UNANSWERED.has(this.command) || this.discarding) {
      this.settle()
    }
  }

  // --- answers

  private forward(server: ServerSession, bytes: Uint8Array): void {
    if (this.restoring) return
    if (this.client?.write(bytes) === false) server.pause()
  }

  private finished(ok: Uint8Array | undefined, sequence: number, swallowed: boolean): void {
    const server = this.server
    if (server === undefined) return
    if (ok === undefined) this.memory.status = server.tracker.status
    const learned =
      ok === undefined ? undefined : this.memory.learn(ok, server.tracker.errorCode !== 0)
    server.schema = this.memory.schema
    if (this.restoring) {
      this.restored(server)
      return
    }
    if (ok !== undefined && !swallowed)
      this.client?.write(packet(sequence, learned === undefined ? ok : rebuildOk(learned)))
    this.giveFeedback(server)
    if (this.requests.isIncomplete) {
      this.discarding = true
      this.client?.resume()
      return
    }
    this.settle()
    this.work()
  }

  private restored(server: ServerSession): void {
    const head = this.waitingHead
    if (server.tracker.errorCode !== 0 || head === undefined) {
      this.restoring = false
      this.waitingHead = undefined
      this.refuse(
        errorOfFault(new Fault('route.no-server', { tenant: this.credentials?.tenant ?? '' })),
      )
      this.work()
      return
    }
    this.sendWaiting(server)
  }

  private giveFeedback(server: ServerSession): void {
    const { mode } = this.deps
    const by = this.routedBy
    if (mode.kind !== 'oceanbase' || by === undefined) return
    if (this.memory.missed || server.tracker.errorCode === 4038)
      mode.directory.missed(this.credentials?.tenant ?? '', by.database, by.table)
  }

  private settle(): void {
    this.discarding = false
    if (this.current === 'working') this.move('resultEnded')
  }

  // --- the end

  private abandon(payload: Uint8Array): void {
    if (this.current === 'closing' || this.current === 'closed') return
    this.move('gaveUp')
    this.client?.write(packet(this.sequence, payload))
    this.client?.end()
    this.release()
  }

  private peerLost(): void {
    if (this.current === 'closed') return
    const server = this.server
    const login = server === undefined || this.current !== 'working' ? undefined : server.login
    if (login !== undefined && server !== undefined)
      cancelStatement(this.deps, { address: server.address, login, threadId: server.threadId })
    this.move('peerLost')
    this.release()
    this.onClosed(this)
  }

  private release(): void {
    this.loginTimer?.cancel()
    this.server?.close()
    for (const server of this.spare.values()) server.close()
    this.spare.clear()
  }
}

function keyOf(address: Address): string {
  return `${address.host}:${address.port}`
}

function isSame(left: Address, right: Address): boolean {
  return left.port === right.port && left.host === right.host
}
