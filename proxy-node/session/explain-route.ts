/**
 * EXPLAIN ROUTE of one statement: the same way as a statement's, walked with a trace and without an
 * errand. Nothing is sent, held, bound, counted or told; locations that are not known are asked for.
 * Source: proxy-routing.md §12.1.
 */
import type { ServerSession } from '../backend/server-session.ts'
import type { Address } from '../net/transport.ts'
import { renderPlan } from '../routing/explain.ts'
import { chosenIdc } from '../routing/ldc.ts'
import type {
  Considered,
  DecisionAccount,
  Outcome,
  PlaceAccount,
  RouteAccount,
  TableAccount,
} from '../routing/route-account.ts'
import { classify, type Statement } from '../sql/classify.ts'
import { NO_DIRECTIVES } from '../sql/directives.ts'
import { ownStatement } from '../sql/own-statements.ts'
import { FLAG } from '../sql/words.ts'
import { namesOf } from '../topology/cluster-locations.ts'
import type { KnownTable, Place } from '../topology/location-view.ts'
import { serverKey } from '../topology/model.ts'
import type { PruneAccount } from '../topology/partition/account.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import { varchar } from '../wire/resultset.ts'
import type { CourseHost } from './course.ts'
import type { SessionMemory } from './memory.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { lostWith, PINS } from './pins.ts'
import { isSameAddress, type Walk } from './servers.ts'
import { Way } from './way.ts'
import type { WayHost, WayOwner, WayParts, WayTrace } from './way-ports.ts'

const COLUMNS = [varchar('Route Plan')]
const IS_OFF = 'Route diagnosis is off: set route_diagnosis_level to 1 or more.'
const NOT_EXPLAINED =
  'Not explained: PREPARE, EXECUTE and DEALLOCATE go by what they name. Explain that statement instead.'
/** Of a statement that is shown. */
const SHOWN_BYTES = 1024
/** Where the text of a command begins. */
const TEXT_AT = HEADER_BYTES + 1
const MOST_FALLBACKS = 16
const MOST_CONSIDERED = 64

const TEXT_VERBS: ReadonlySet<string> = new Set(['prepare', 'execute', 'deallocate'])

/** What the course knows of the statement, and a way does not. */
export type ExplainedCourse = {
  readonly way: Way
  /** It would be kept here until the next one says where the transaction belongs. */
  readonly mayHold: (meaning: Statement) => boolean
  /** Where routines ran that it depends on. */
  readonly homeOf: (meaning: Statement) => ServerSession | undefined
}

/** One statement's; made for it. */
export class RouteExplanation implements WayOwner {
  private readonly host: CourseHost
  private readonly parts: CourseParts
  private readonly course: ExplainedCourse
  private readonly memory: SessionMemory
  private readonly way: Way
  private readonly considered = new Map<string, Considered>()
  private meaning: Statement | undefined
  private text = ''
  private lookedUp: TableAccount | undefined
  private pruning: PruneAccount | undefined
  private place: PlaceAccount | undefined
  request: Uint8Array | undefined
  /** An explanation reads the statement itself. */
  readonly known = undefined
  readonly trace: WayTrace = {
    chose: () => {},
    considered: (server, letters, against) => this.consider(server, letters, against),
    lookedUp: (routedBy, known, isCached) => this.lookUp(routedBy, known, isCached),
    pruned: account => {
      this.pruning = account
    },
    placed: (place, isGuess) => {
      this.place = place === undefined ? undefined : placeAccount(place, isGuess)
    },
  }

  constructor(host: CourseHost, parts: CourseParts, course: ExplainedCourse) {
    this.host = host
    this.parts = parts
    this.course = course
    this.memory = parts.memory
    this.way = new Way(this.wayHost(), this.wayParts(), this)
    this.way.resemble(course.way)
  }

  /** Answers with the plan of what begins at `from` in `head`; `outer` is the EXPLAIN ROUTE of it. */
  explain(head: Uint8Array, from: number, outer: Statement): void {
    const command = Buffer.concat([head.subarray(0, TEXT_AT), head.subarray(from)])
    const inner = classify(command, TEXT_AT, command.length, this.memory.lexerMode)
    const meaning =
      inner.directives === NO_DIRECTIVES ? { ...inner, directives: outer.directives } : inner
    this.meaning = meaning
    this.text = shownText(command, TEXT_AT, this.host.isIncomplete)
    if (this.parts.identity.settings.diagnosisLevel === 0) this.say(IS_OFF)
    else if (TEXT_VERBS.has(meaning.verb)) this.say(NOT_EXPLAINED)
    else this.walk(command, meaning)
  }

  /** `command` as it would come, without EXPLAIN ROUTE. */
  private walk(command: Uint8Array, meaning: Statement): void {
    const own =
      meaning.table === undefined ? ownStatement(command, TEXT_AT, command.length) : undefined
    const home = (meaning.flags & FLAG.calls) === 0 ? undefined : this.course.homeOf(meaning)
    if ((meaning.flags & FLAG.explainsRoute) !== 0)
      this.end({ kind: 'own', because: 'EXPLAIN ROUTE goes to no server' })
    else if (own !== undefined && own.kind !== 'admin')
      this.end({ kind: 'own', because: 'it is about this node and its clients' })
    else if (this.course.mayHold(meaning))
      this.end({
        kind: 'own',
        because: 'it waits for the statement behind it, which says where the transaction belongs',
      })
    else if (home !== undefined) this.way.goOnlyTo(home, command, PINS.routineTexts.lost)
    else this.way.route(command, meaning, 'head')
  }

  // --- what the way finds

  private lookUp(routedBy: Statement, known: KnownTable | undefined, isCached: boolean): void {
    const entry = known?.entry
    this.lookedUp = {
      name: known === undefined ? this.nameOf(routedBy) : nameOfKey(known.key),
      known:
        entry === undefined
          ? undefined
          : { id: entry.tableId, type: entry.tableType, partitions: entry.partNum },
      isCached,
    }
  }

  private consider(server: string, letters: string, against: string): void {
    if (this.considered.has(server) || this.considered.size >= MOST_CONSIDERED) return
    const listed = this.parts.identity.outlook?.picture.servers.get(server)
    const { name = '', idc = '', region = '' } = listed?.zone ?? {}
    const state = listed?.state ?? ''
    this.considered.set(server, { server, letters, against, zone: name, idc, region, state })
  }

  // --- where it ends

  keep(head: Uint8Array): void {
    this.request ??= head.slice()
  }

  /** To the session in use, or to the one that has what the statement needs. */
  deliver(server: ServerSession, _head: Uint8Array): void {
    if (this.way.isDecided) this.decided()
    else this.bound(server.address)
  }

  private goTo(walk: Walk): void {
    if (walk === this.way.walk) {
      this.decided()
      return
    }
    const address = walk.next()
    if (address !== undefined) this.bound(address)
  }

  private bound(server: Address): void {
    this.end({ kind: 'bound', server: serverKey(server), because: this.whyBound() })
  }

  /** In the order that the way looks at them. */
  private whyBound(): string {
    const { memory, way } = this
    if (way.tie !== '') return `it needs ${way.tie}, and nobody else has that`
    if (memory.inTransaction && memory.heldBegin === undefined) return 'a transaction is open there'
    if (memory.pins !== 0) return `it has ${lostWith(memory.pins)}`
    if (((this.meaning?.flags ?? 0) & FLAG.locks) !== 0) return 'user locks are taken there'
    return way.boundTo === undefined ? 'it is in use' : 'the user variable obproxy_route_addr'
  }

  private decided(): void {
    const { walk } = this.way
    const { kind, because, refusal, state, consistency, consistencyBecause } = walk.decision
    const { policy, policyBecause, maxTries, server } = walk.decision
    const decision: DecisionAccount['decision'] = {
      ...{ kind, because, refusal, state, consistency, consistencyBecause },
      ...{ policy, policyBecause, maxTries },
    }
    const fallbacks = server === undefined ? [] : this.fallbacks(server)
    this.end({
      kind: 'decided',
      decision,
      server: server === undefined ? undefined : serverKey(server),
      fallbacks,
      considered: [...this.considered.values()],
    })
  }

  /** Who would be tried behind the first one. */
  private fallbacks(first: Address): readonly string[] {
    const { walk } = this.way
    const found: string[] = []
    walk.arrived()
    while (found.length < MOST_FALLBACKS) {
      const next = walk.next()
      if (next === undefined) break
      if (!isSameAddress(next, first)) found.push(serverKey(next))
    }
    return [...new Set(found)]
  }

  private end(outcome: Outcome): void {
    const { memory, parts, meaning } = this
    const { routing, idcName, prunes, setBelow } = parts.identity.settings
    const account: RouteAccount = {
      held: memory.heldBegin === undefined ? undefined : shownText(memory.heldBegin, 1, false),
      statement: this.text,
      command: 'COM_QUERY',
      verb: meaning?.verb ?? 'other',
      table: this.lookedUp?.name ?? (meaning === undefined ? '' : this.nameOf(meaning)),
      mode: routing.mode,
      idc: chosenIdc(memory, idcName),
      isCut: this.host.isIncomplete,
      prunes,
      setBelow,
      lookedUp: this.lookedUp,
      pruning: this.pruning,
      place: this.place,
      outcome,
    }
    this.way.begin()
    this.say(renderPlan(account))
  }

  private say(text: string): void {
    this.host.answerRows(COLUMNS, [[text]])
  }

  private nameOf({ table, database = this.memory.schema }: Statement): string {
    if (table === undefined) return ''
    return database === undefined ? table : `${database}.${table}`
  }

  // --- what its way works with

  private wayHost(): WayHost {
    const { host } = this
    return {
      get state() {
        return host.state
      },
      get command() {
        return host.command
      },
      get isIncomplete() {
        return host.isIncomplete
      },
      answerFault: fault => this.end({ kind: 'refused', because: fault.message }),
      goOn: () => host.goOn(),
      giveUp: fault => host.answerFault(fault),
    }
  }

  private wayParts(): WayParts {
    const { deps, memory, servers, identity } = this.parts
    return {
      deps,
      memory,
      identity,
      servers: {
        get current() {
          return servers.current
        },
        goTo: walk => this.goTo(walk),
        use: () => {},
      },
    }
  }
}

function nameOfKey(key: string): string {
  const { database, table } = namesOf(key)
  return `${database}.${table}`
}

/** The text from `from` on, as far as it is shown. */
function shownText(bytes: Uint8Array, from: number, goesOn: boolean): string {
  const to = Math.min(bytes.length, from + SHOWN_BYTES)
  const text = Buffer.from(bytes.subarray(from, to)).toString().trim()
  return goesOn || to < bytes.length ? `${text}…` : text
}

function placeAccount({ location, key, kind }: Place, isGuess: boolean): PlaceAccount {
  const { leader, replicas } = location
  return {
    leader: leader?.key,
    replicas: replicas.map(one => `${one.key} ${one.isLeader ? 'LEADER' : 'FOLLOWER'} ${one.type}`),
    id: kind === 'partition' ? key.slice(key.lastIndexOf('\0') + 1) : '',
    isGuess,
  }
}
