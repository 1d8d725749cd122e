/**
 * Where one command after another of a client goes: where the session is bound, to its table's leader,
 * or to any server of the tenant. What it needs there is the errand's matter (`errand.ts`).
 * Source: proxy-protocol.md §5.3, §6.5.
 */
import { Fault } from '#contract/fault'
import type { ServerSession } from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import type { Decision } from '../routing/decision.ts'
import type { Command } from '../routing/view.ts'
import type { Statement } from '../sql/classify.ts'
import { FLAG } from '../sql/words.ts'
import type { KnownTable, Place } from '../topology/location-view.ts'
import type { TenantServers } from '../topology/model.ts'
import { NO_SERVERS } from '../topology/tenants.ts'
import { isUnexpected } from '../topology/unanswered.ts'
import { COMMAND } from '../wire/protocol.ts'
import { BOUND, COUNTED_AS, FORCED } from './counted-as.ts'
import { isOld } from './judgement.ts'
import type { SessionMemory } from './memory.ts'
import { PINS } from './pins.ts'
import type { ClusterView } from './ports.ts'
import { NOT_MASTER } from './retry.ts'
import { only, Route } from './route.ts'
import { isSameAddress } from './servers.ts'
import { TableWay, type TableWayEnd } from './table-way.ts'
import type { Source, WayHost, WayOwner, WayParts } from './way-ports.ts'

/** Commands as decisions name them. */
const COMMANDS: Readonly<Record<number, Command>> = {
  [COMMAND.query]: 'query',
  [COMMAND.stmtPrepare]: 'prepare',
  [COMMAND.stmtExecute]: 'execute',
  [COMMAND.stmtSendLongData]: 'piece',
  [COMMAND.stmtFetch]: 'fetch',
}

const SEQUENCE = FLAG.nextValue | FLAG.currentValue

export class Way implements TableWayEnd {
  private readonly host: WayHost
  private readonly parts: WayParts
  private readonly memory: SessionMemory
  private readonly owner: WayOwner
  /** `SET @obproxy_route_addr`: the only server that gets commands of this session, and no second try. */
  boundTo: Address | undefined
  /** Where the last query ran. */
  private rowsOn: ServerSession | undefined
  /** Where the last value of a sequence was drawn. */
  private valueOn: ServerSession | undefined
  private readonly tables: TableWay
  /** A server said that the command under way belonged elsewhere. */
  hasMissed = false
  /** Made when something is routed. */
  private decided: Route | undefined
  /** The command under way was decided about: nothing bound it. */
  isDecided = false
  /** Counts commands: an answer about an earlier one is of no interest. */
  turn = 0
  /** What the command needs of the server it was sent to and no other has; empty for nothing. */
  tie = ''

  constructor(host: WayHost, parts: WayParts, owner: WayOwner) {
    this.host = host
    this.parts = parts
    this.memory = parts.memory
    this.owner = owner
    this.tables = new TableWay(host, parts, owner, this)
  }

  begin(): void {
    this.turn += 1
    this.tie = ''
    this.tables.begin()
    this.isDecided = false
    this.hasMissed = false
    this.decided?.release()
  }

  /** For an explanation: as the session of `other` is. */
  resemble({ boundTo, rowsOn, valueOn }: Way): void {
    this.boundTo = boundTo
    this.rowsOn = rowsOn
    this.valueOn = valueOn
  }

  /** Of the statement; undefined when it has none that is known. */
  get table(): KnownTable | undefined {
    return this.tables.table
  }

  get decision(): Decision {
    return this.walk.decision
  }

  /** What the command went by. */
  get place(): Place | undefined {
    return this.decided?.place
  }

  /** The command went by where its table is. */
  get isRouted(): boolean {
    return this.decided?.place !== undefined
  }

  /**
   * The server has to be told: it was chosen for a weak read, and the text may not say so. The flag
   * outdoes hints, and is for every SELECT of a text, so texts of several statements go without it, and
   * those of which not all is there: more may follow.
   */
  readsWeakly(judged: Statement | undefined): boolean {
    if (!this.isDecided || this.walk.decision.consistency === 'strong') return false
    if (this.isTextCut) return false
    return ((judged?.flags ?? 0) & FLAG.multiple) === 0
  }

  /** More of the statement's text follows. What an execute brings is no text. */
  private get isTextCut(): boolean {
    return this.host.command === COMMAND.query && this.host.isIncomplete
  }

  /** Why no server could be had for the command. */
  get lack(): Fault {
    if (this.decided?.refusal === 'target-not-allowed') return new Fault('route.targets-lost')
    return new Fault('route.no-server', { tenant: this.parts.identity.tenant })
  }

  get outlook(): ClusterView {
    const { outlook } = this.parts.identity
    if (outlook === undefined) throw new Fault('proxy.internal')
    return outlook
  }

  get walk(): Route {
    const { parts } = this
    this.decided ??= new Route(parts.deps.routeView, {
      memory: parts.memory,
      servers: parts.servers,
      trace: this.owner.trace,
      get tenant() {
        return parts.identity.tenant
      },
      get outlook() {
        return parts.identity.outlook
      },
      get settings() {
        return parts.identity.settings
      },
    })
    return this.decided
  }

  /** By what the statement means: bound, leaning, by its table, or wherever the session is. */
  route(head: Uint8Array, meaning: Statement, source: Source): void {
    const { memory, parts, tables } = this
    tables.source = source
    if (this.refusesToBegin(meaning)) return
    const ties = meaning.flags & (FLAG.leans | FLAG.foundRows)
    if (ties === FLAG.foundRows && memory.mayMove) {
      this.goWhereRowsWere(head)
      return
    }
    if (!memory.mayMove || ties !== 0 || (meaning.flags & FLAG.locks) !== 0) {
      this.remain(head, ties !== 0)
      return
    }
    if ((meaning.flags & SEQUENCE) !== 0 && this.goWhereValueIs(head, meaning.flags)) return
    const database = meaning.database ?? memory.schema
    const { simpleRoute } = meaning.directives
    if (this.boundTo !== undefined || database === undefined) this.stay(head, meaning)
    else if (simpleRoute !== undefined) tables.byComment(head, meaning, simpleRoute, database)
    else if (meaning.verb === 'call' && parts.deps.settings().routesRoutines)
      tables.byRoutine(head, meaning)
    else if (meaning.table === undefined) this.stay(head, meaning)
    else tables.byTable(head, meaning, database)
  }

  private refusesToBegin(meaning: Statement): boolean {
    if (this.memory.heldBegin === undefined || !this.isUnroutable(meaning)) return false
    // An explanation changes nothing.
    if (this.owner.trace === undefined) this.memory.dropBegin()
    this.host.answerFault(new Fault('route.unroutable'))
    return true
  }

  /** With `enable_bad_route_reject`: nothing says where the transaction belongs that begins with it (§5.6). */
  private isUnroutable({ table, verb, directives }: Statement): boolean {
    const { rejectsUnroutable, routesRoutines } = this.parts.deps.settings()
    if (!rejectsUnroutable || table !== undefined || this.boundTo !== undefined) return false
    if (verb === 'commit' || verb === 'rollback') return false
    // It has no answer: what executes the statement says it.
    if (this.host.command === COMMAND.stmtSendLongData) return false
    return directives.simpleRoute === undefined && !(verb === 'call' && routesRoutines)
  }

  /** To the session in use, whatever else would do; what leans on the statement before needs that one. */
  private remain(head: Uint8Array, leans: boolean): void {
    const { current } = this.parts.servers
    if (leans) this.tie = PINS.lastStatement.lost
    if (current !== undefined) this.owner.deliver(current, head)
    else if (leans) this.host.answerFault(new Fault('session.state-lost', { what: this.tie }))
    else this.decide(head, undefined, undefined)
  }

  /** FOUND_ROWS() is known where the last query ran, and nowhere else (A11). */
  private goWhereRowsWere(head: Uint8Array): void {
    const server = this.rowsOn ?? this.parts.servers.current
    if (server === undefined || server.isClosed)
      this.host.answerFault(new Fault('session.state-lost', { what: PINS.lastStatement.lost }))
    else this.goOnlyTo(server, head, PINS.lastStatement.lost)
  }

  /** False: no value was drawn yet, or it is of no interest; any server will do. */
  private goWhereValueIs(head: Uint8Array, flags: number): boolean {
    const { valueOn } = this
    if (valueOn === undefined) return false
    const tie = PINS.sequences.lost
    if (!valueOn.isClosed) this.goOnlyTo(valueOn, head, tie)
    else if ((flags & FLAG.currentValue) === 0) return false
    else this.host.answerFault(new Fault('session.state-lost', { what: tie }))
    return true
  }

  /** To the session in use if that will do, else to any server. */
  stay(head: Uint8Array, meaning?: Statement): void {
    const { current } = this.parts.servers
    const isHeld = current !== undefined && (!this.memory.mayMove || this.isAt(current))
    if (isHeld) this.owner.deliver(current, head)
    else if (this.boundTo === undefined) this.decide(head, meaning, undefined)
    else {
      this.owner.keep(head)
      this.parts.servers.goTo(only(this.boundTo))
    }
  }

  /** The session is bound to that server. */
  private isAt({ address }: ServerSession): boolean {
    return this.boundTo !== undefined && isSameAddress(this.boundTo, address)
  }

  /** To one session and no other, for the sake of `tie`, which is lost with it. */
  goOnlyTo(server: ServerSession, head: Uint8Array, tie: string): void {
    this.tie = tie
    this.parts.servers.use(server)
    this.owner.deliver(server, head)
  }

  /** Goes on with what was asked for, if the command still waits for it. */
  later<T>(
    answer: Promise<T | undefined>,
    head: Uint8Array,
    act: (value: T | undefined, request: Uint8Array) => void,
  ): void {
    const { turn } = this
    this.owner.keep(head)
    const goOn = (value: T | undefined) => {
      const { request } = this.owner
      if (turn !== this.turn || this.host.state !== 'routing' || request === undefined) return
      act(value, request)
      this.host.goOn()
    }
    const without = (error: unknown) => {
      if (isUnexpected(error)) this.parts.deps.broke?.(error)
      goOn(undefined)
    }
    answer.then(goOn, without).catch(error => this.failed(error))
  }

  /** By all that is known: to the server in use, if it is the one. */
  decide(head: Uint8Array, meaning: Statement | undefined, place: Place | undefined): void {
    const servers = this.outlook.tenantServers(this.parts.identity.tenant)
    if (servers instanceof Promise) this.decideLater(servers, head, meaning, place)
    else this.carryOut(head, meaning, place, servers)
  }

  /** Apart: a function with closures in it makes room for what they hold each time it is called. */
  private decideLater(
    answer: Promise<TenantServers>,
    head: Uint8Array,
    meaning: Statement | undefined,
    place: Place | undefined,
  ): void {
    this.later(answer, head, (found, request) =>
      this.carryOut(request, meaning, place, found ?? NO_SERVERS),
    )
  }

  private carryOut(
    head: Uint8Array,
    meaning: Statement | undefined,
    place: Place | undefined,
    servers: TenantServers,
  ): void {
    const { walk, parts } = this
    const command = COMMANDS[this.host.command] ?? 'other'
    walk.about(command, meaning, this.isTextCut)
    const address = walk.decide(servers, place)
    this.isDecided = true
    if (this.owner.trace === undefined) this.heed(walk.decision, meaning)
    const { current } = parts.servers
    if (address !== undefined && current !== undefined && isSameAddress(address, current.address)) {
      walk.arrived()
      this.owner.deliver(current, head)
    } else {
      this.owner.keep(head)
      parts.servers.goTo(walk)
    }
  }

  /** What deciding has shown, of the location and of the session. */
  private heed({ location }: Decision, meaning: Statement | undefined): void {
    const { place } = this.walk
    if (meaning?.table !== undefined && meaning.kind !== 'other') this.memory.hasRunDml = true
    if (location !== 0 && place !== undefined) this.outlook.locations.missed(place, false)
  }

  /** A session is there for the command. */
  arrived(): void {
    this.decided?.arrived()
  }

  /** After a server that has not executed the command: `better` first when it named one. */
  goOn(head: Uint8Array, better?: Address): void {
    const { walk, boundTo } = this
    this.owner.keep(head)
    if (boundTo !== undefined) this.parts.servers.goTo(only(boundTo))
    else {
      if (better !== undefined) walk.prefer(better)
      this.parts.servers.goTo(walk)
    }
  }

  /** After a server that says it is not the one: decides again by a location that is asked for anew. */
  lookAgain(head: Uint8Array, meaning: Statement | undefined): void {
    const { place, decision } = this.walk
    // Else the same server would be decided on again.
    if (decision.kind === 'single-leader') this.outlook.scattered(this.parts.identity.tenant)
    if (place === undefined) this.goOn(head)
    else
      this.later(this.outlook.locations.renewed(place), head, (_nothing, request) =>
        meaning === undefined
          ? this.decide(request, meaning, place)
          : this.route(request, meaning, this.tables.source),
      )
  }

  private failed(error: unknown): void {
    this.host.giveUp(
      error instanceof Fault ? error : new Fault('proxy.internal', {}, { cause: error }),
    )
  }

  /** The answer says whether the command was where it belongs (§4.8). */
  judge(server: ServerSession, isHit: boolean, errno: number): void {
    if (!this.isDecided) return
    const { outlook, walk } = this
    const isLater = errno === NOT_MASTER
    if (walk.decision.kind === 'single-leader' && (!isHit || isLater))
      outlook.scattered(this.parts.identity.tenant)
    const { place } = walk
    if (place === undefined) return
    const isGuess = this.tables.isGuess || errno !== 0
    if (isLater || isOld(walk, server.address, isHit, isGuess))
      outlook.locations.missed(place, isLater)
  }

  /** The answer of a command, `meaning` if it was text, is whole. */
  answeredBy(server: ServerSession, meaning: Statement | undefined): void {
    const { hasRows, errorCode } = server.tracker
    const { traffic } = this.parts.identity
    traffic.routed(this.countedAs, this.hasMissed)
    if (this.tables.isGuess && this.isRouted) traffic.guessed(this.hasMissed)
    if (((meaning?.flags ?? 0) & FLAG.nextValue) !== 0 && errorCode === 0) this.valueOn = server
    // SELECT … INTO counts its rows, too.
    if (!hasRows && (meaning?.verb !== 'select' || errorCode !== 0)) return
    const tellsOfBefore = meaning?.verb === 'show' && (meaning.flags & FLAG.leans) !== 0
    if (!tellsOfBefore) this.rowsOn = server
  }

  /** Position in `ROUTES` of how the command under way came to its server. */
  get countedAs(): number {
    if (this.isDecided) return COUNTED_AS[this.walk.decision.kind]
    return this.boundTo === undefined ? BOUND : FORCED
  }

  /** The session is another, or begins anew. */
  sessionBegins(): void {
    this.rowsOn = undefined
    this.valueOn = undefined
    this.boundTo = undefined
  }
}
