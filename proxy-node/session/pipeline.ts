/**
 * The commands of one client, one at a time: read → understand → decide → relay → settle. Nothing of
 * a result is buffered; whoever is slow pauses the other side. Hot path: see the rules.
 */
import { Fault } from '#contract/fault'
import { BYTES, OUTCOME } from '#contract/names'
import type { ServerSession } from '../backend/server-session.ts'
import type { Address, Connection } from '../net/transport.ts'
import { classify, type Statement } from '../sql/classify.ts'
import { FLAG } from '../sql/words.ts'
import { buildError, buildOk, errorOfFault, rebuildOk } from '../wire/ok.ts'
import { COMMAND, DEFAULT_STATUS, HEADER_BYTES } from '../wire/protocol.ts'
import { packet } from '../wire/writer.ts'
import { isAnsweredByServers, isRelayed } from './commands.ts'
import type { SessionMemory } from './memory.ts'
import type { Directory, SessionDeps } from './ports.ts'
import { Requests, ROUTE_PREFIX_BYTES } from './requests.ts'
import { isSameAddress, type Servers } from './servers.ts'
import { Stall } from './stall.ts'
import { OTHERS, statementType } from './statement-type.ts'
import type { SessionEvent, SessionState } from './states.ts'
import type { TenantTraffic } from './traffic.ts'

/** ER_BAD_DB_ERROR. */
const UNKNOWN_DATABASE = 1049

/** What a pipeline may do to the session it belongs to. */
export type PipelineHost = {
  readonly state: SessionState
  readonly tenant: string
  readonly move: (event: SessionEvent) => void
  readonly quit: () => void
  /** Answers the fault as the last thing this client gets. */
  readonly giveUp: (fault: Fault) => void
}

export class Pipeline {
  private readonly host: PipelineHost
  private readonly deps: SessionDeps
  private readonly memory: SessionMemory
  private readonly servers: Servers
  private readonly client: Connection
  private readonly traffic: TenantTraffic
  private readonly requests = new Requests()
  private readonly stall = new Stall()
  private command = 0
  /** Set while a command that no server gets is read to its end: what it is answered. */
  private ownAnswer: Uint8Array | undefined
  /** The server whose answer to the command under way is not complete. */
  private answering: ServerSession | undefined
  /** The beginning of a command that waits for a server. */
  private waitingHead: Uint8Array | undefined
  private routedDatabase = ''
  /** Empty: the command under way was not routed by a table. */
  private routedTable = ''
  /** The client does not take its answers: no command is begun until it does. */
  private clientBlocked = false
  private serverBlocked = false
  private isPaused = false
  /** State of the session was lost with its server: the next command is told so. */
  private isBroken = false
  statements = 0
  /** Of the command under way: how it is counted, and when it was begun and sent. */
  private type = OTHERS
  private isLarge = false
  private begunMs = 0
  private sentMs = 0

  constructor(
    host: PipelineHost,
    parts: {
      readonly deps: SessionDeps
      readonly memory: SessionMemory
      readonly servers: Servers
      readonly client: Connection
      readonly traffic: TenantTraffic
    },
  ) {
    this.host = host
    this.deps = parts.deps
    this.memory = parts.memory
    this.servers = parts.servers
    this.client = parts.client
    this.traffic = parts.traffic
  }

  // --- from the client

  /** @throws protocol.malformed */
  received(bytes: Uint8Array): void {
    this.stall.moved()
    this.traffic.moved(BYTES.clientRequest, bytes.length)
    this.requests.push(bytes)
    if (this.host.state === 'working' && this.requests.isIncomplete) this.passBody()
    if (this.host.state === 'idle') this.work()
    this.requests.retain()
    this.steer()
  }

  /** The client has taken everything. @throws protocol.malformed */
  clientDrained(): void {
    this.clientBlocked = false
    this.servers.current?.resume()
    this.goOn()
  }

  serverDrained(): void {
    this.serverBlocked = false
    this.steer()
  }

  /**
   * Sequence number for a packet of the proxy's own, now: undefined inside another packet, where
   * nothing can be said any more.
   */
  ownSequence(): number | undefined {
    const first = this.requests.replySequence
    const relay = this.answering?.relay
    if (relay === undefined) return first
    if (relay.isInsidePacket) return undefined
    // Nothing of the answer has been shown: the command may have been several packets.
    return relay.nextSequence === 1 ? first : relay.nextSequence
  }

  /** The session that executes a statement of this client at this moment. */
  runningOn(): ServerSession | undefined {
    return this.answering
  }

  /** Called once a second: what the client has left undone for too long, if anything. */
  overdue(): 'reading' | 'writing' | undefined {
    if (this.clientBlocked) return this.stall.writing(this.client.pendingBytes())
    const isHalfRead =
      !this.serverBlocked &&
      (this.host.state === 'working'
        ? this.requests.isIncomplete
        : this.host.state === 'idle' && this.requests.waitingBytes > 0)
    return this.stall.reading(isHalfRead)
  }

  /** Takes up commands until one has to wait for its answer, or the client for its answers. */
  private work(): void {
    while (this.host.state === 'idle' && !this.clientBlocked) {
      const head = this.requests.head()
      if (head === undefined) return
      this.host.move('commandRead')
      this.understand(head)
    }
  }

  private goOn(): void {
    this.work()
    this.steer()
  }

  /** Reads from the client exactly while there is something to do with what comes. */
  private steer(): void {
    const wanted = this.wantsBytes()
    if (wanted !== this.isPaused) return
    this.isPaused = !wanted
    if (wanted) this.client.resume()
    else this.client.pause()
  }

  private wantsBytes(): boolean {
    const { state } = this.host
    if (state === 'closing') return true
    if (this.serverBlocked) return false
    // One chunk ahead, no further; while nothing waits the end of the client is noticed.
    if (this.requests.waitingBytes === 0) return true
    if (state === 'idle') return !this.clientBlocked
    return state === 'working' && this.requests.isIncomplete
  }

  private understand(head: Uint8Array): void {
    this.command = head[HEADER_BYTES] as number
    this.statements += 1
    this.routedTable = ''
    const { command } = this
    this.begunMs = performance.now()
    this.isLarge = this.requests.isIncomplete || head.length > ROUTE_PREFIX_BYTES
    this.type = command === COMMAND.query ? statementType(head, HEADER_BYTES + 1) : OTHERS
    if (command === COMMAND.quit) this.host.quit()
    else if (this.isBroken) this.host.giveUp(new Fault('server.lost-reading'))
    else if (command === COMMAND.ping) this.answer(buildOk(this.memory.status || DEFAULT_STATUS))
    else if (!isRelayed(command, this.deps.mode.kind))
      this.answer(errorOfFault(new Fault('protocol.unsupported-command')))
    else if (this.deps.mode.kind === 'mysql') this.sendToOnly(head)
    else this.decide(head, this.deps.mode.directory)
  }

  // --- where to

  private sendToOnly(head: Uint8Array): void {
    const server = this.servers.current
    if (server === undefined) this.host.giveUp(new Fault('server.lost-reading'))
    else this.send(server, head)
  }

  private decide(head: Uint8Array, directory: Directory): void {
    const server = this.servers.current
    const { memory } = this
    if (memory.pinned !== '' && server !== undefined) this.send(server, head)
    else if (this.command === COMMAND.query) this.decideQuery(head, directory)
    else if (server !== undefined) this.send(server, head)
    else this.goAnywhere(head, directory)
  }

  private decideQuery(head: Uint8Array, directory: Directory): void {
    const { memory } = this
    const server = this.servers.current
    const statement = classify(head, HEADER_BYTES + 1, head.length)
    const isBound = !memory.mayMove || isDependent(statement)
    if (leavesState(statement)) memory.pin('statement')
    if (server !== undefined && isBound) {
      this.send(server, head)
      return
    }
    const database = statement.database ?? memory.schema
    if (database !== undefined && statement.table !== undefined && !isBound)
      this.goByTable(head, directory, { database, table: statement.table })
    else if (server !== undefined) this.send(server, head)
    else this.goAnywhere(head, directory)
  }

  private goByTable(
    head: Uint8Array,
    directory: Directory,
    by: { readonly database: string; readonly table: string },
  ): void {
    this.routedDatabase = by.database
    this.routedTable = by.table
    const leader = directory.leaderOf(this.host.tenant, by.database, by.table)
    if (leader instanceof Promise) {
      this.waitingHead = head.slice()
      leader.then(
        found => this.located(directory, found),
        () => this.located(directory, undefined),
      )
      return
    }
    this.traffic.located(true, leader !== undefined)
    const server = this.servers.current
    if (server !== undefined && (leader === undefined || isSameAddress(leader, server.address)))
      this.send(server, head)
    else this.goTo(head.slice(), directory, leader)
  }

  private located(directory: Directory, leader: Address | undefined): void {
    const head = this.waitingHead
    if (this.host.state !== 'routing' || head === undefined) return
    this.traffic.located(false, leader !== undefined)
    const server = this.servers.current
    if (server !== undefined && (leader === undefined || isSameAddress(leader, server.address)))
      this.reached(server)
    else this.goTo(head, directory, leader)
  }

  private goAnywhere(head: Uint8Array, directory: Directory): void {
    this.goTo(head.slice(), directory, undefined)
  }

  private goTo(head: Uint8Array, directory: Directory, leader: Address | undefined): void {
    this.waitingHead = head
    const servers = directory.tenantServers(this.host.tenant)
    if (servers instanceof Promise)
      servers.then(
        found => this.tryServers(leader, found),
        () => this.tryServers(leader, []),
      )
    else this.tryServers(leader, servers)
  }

  private tryServers(leader: Address | undefined, servers: readonly Address[]): void {
    if (this.host.state !== 'routing') return
    if (leader === undefined) this.servers.goTo(servers)
    else this.servers.goTo([leader, ...servers.filter(server => !isSameAddress(leader, server))])
  }

  /** A session is ready for the waiting command. */
  reached(server: ServerSession): void {
    const head = this.waitingHead
    if (head === undefined) return
    this.waitingHead = undefined
    this.send(server, head)
    this.goOn()
  }

  /** No session could be had; the command has gone nowhere. */
  unreachable(databaseError: number): void {
    this.waitingHead = undefined
    this.count(OUTCOME.failed, performance.now())
    const { schema } = this.memory
    const fault = new Fault('route.no-server', { tenant: this.host.tenant })
    this.answer(
      databaseError === UNKNOWN_DATABASE && schema !== undefined
        ? buildError(databaseError, '42000', `Unknown database '${schema}'`)
        : errorOfFault(fault),
    )
    this.goOn()
  }

  // --- to the server

  private send(server: ServerSession, head: Uint8Array): void {
    const { command } = this
    this.host.move('commandSent')
    if (command === COMMAND.stmtPrepare) this.memory.pin('prepared statement')
    else if (command === COMMAND.setOption) this.memory.pin('option')
    if (isAnsweredByServers(command)) {
      this.answering = server
      server.begin(command)
    }
    this.sentMs = performance.now()
    this.traffic.moved(BYTES.serverRequest, head.length)
    if (!server.write(head)) this.serverBlocked = true
    this.passBody()
  }

  /** Answers without a server, once the whole command has come. */
  private answer(payload: Uint8Array): void {
    this.host.move('commandSent')
    this.ownAnswer = payload
    this.passBody()
  }

  /** Passes on, or drops, what has come of the command's body. */
  private passBody(): void {
    const server = this.ownAnswer === undefined ? this.servers.current : undefined
    while (this.requests.isIncomplete) {
      const part = this.requests.body()
      if (part === undefined) return
      if (server !== undefined) this.traffic.moved(BYTES.serverRequest, part.length)
      if (server?.write(part) === false) this.serverBlocked = true
    }
    if (this.answering !== undefined) return
    const answer = this.ownAnswer
    this.ownAnswer = undefined
    if (answer !== undefined) this.reply(packet(this.requests.replySequence, answer))
    this.host.move('resultEnded')
  }

  // --- to the client

  forward(server: ServerSession, bytes: Uint8Array): void {
    this.traffic.moved(BYTES.serverResponse, bytes.length)
    this.traffic.moved(BYTES.clientResponse, bytes.length)
    if (this.client.write(bytes)) return
    this.clientBlocked = true
    server.pause()
  }

  finished(
    server: ServerSession,
    ok: Uint8Array | undefined,
    sequence: number,
    swallowed: boolean,
  ): void {
    const { memory } = this
    this.answering = undefined
    if (ok === undefined) {
      // A server of the other kind tells its status in each answer, this kind in the OK that is missing.
      if (!server.tracker.extraOk) memory.status = server.tracker.status
    } else {
      const learned = memory.learn(ok, server.tracker.errorCode !== 0)
      server.schema = memory.schema
      if (!swallowed) this.reply(packet(sequence, learned === undefined ? ok : rebuildOk(learned)))
      if (this.routedTable !== '') this.giveFeedback(server)
    }
    this.settle(server)
    // The rest of a command that was answered early still belongs to the server.
    if (this.requests.isIncomplete) return
    this.host.move('resultEnded')
    this.goOn()
  }

  private settle(server: ServerSession): void {
    const hasFailed = server.tracker.errorCode !== 0 ? OUTCOME.failed : 0
    const hasMissed = this.routedTable !== '' && this.memory.missed ? OUTCOME.missed : 0
    this.count(hasFailed | hasMissed, this.sentMs)
    if (!this.memory.inTransaction) this.traffic.transacted()
  }

  private count(outcome: number, sentMs: number): void {
    const all = this.isLarge ? outcome | OUTCOME.large : outcome
    this.traffic.answered(this.type, all, this.begunMs, sentMs)
  }

  private reply(framed: Uint8Array): void {
    this.traffic.moved(BYTES.clientResponse, framed.length)
    if (this.client.write(framed)) return
    this.clientBlocked = true
    this.servers.current?.pause()
  }

  private giveFeedback(server: ServerSession): void {
    const { mode } = this.deps
    if (mode.kind !== 'oceanbase') return
    // 4038: not the leader.
    if (this.memory.missed || server.tracker.errorCode === 4038)
      mode.directory.missed(this.host.tenant, this.routedDatabase, this.routedTable)
  }

  // --- losses

  /** The server in use is gone. */
  lost(server: ServerSession): void {
    this.serverBlocked = false
    const isClean = this.deps.mode.kind === 'oceanbase' && this.memory.mayMove
    this.isBroken = !isClean
    if (this.answering === undefined) this.steer()
    else if (!server.relay.serverEnded()) {
      this.count(OUTCOME.failed, this.sentMs)
      this.host.giveUp(new Fault('server.lost-reading'))
    }
  }
}

const BINDS = FLAG.leans | FLAG.locks | FLAG.variables | FLAG.insertId | FLAG.multiple
const LEAVES = FLAG.locks | FLAG.temporary | FLAG.untracked

function isDependent(statement: Statement): boolean {
  return statement.table === undefined || (statement.flags & BINDS) !== 0
}

function leavesState(statement: Statement): boolean {
  return statement.verb === 'prepare' || (statement.flags & LEAVES) !== 0
}
