/**
 * Where a statement's table, or its partition, is: by its own text, by a comment that names table and key,
 * or by the first statement of the routine that it calls. What is not known is asked for, and the
 * statement goes on then, if it still waits. Source: proxy-routing.md §4–§6. Hot path: see the rules.
 */
import { NO_STATEMENT, type Statement } from '../sql/classify.ts'
import type { SimpleRoute } from '../sql/directives.ts'
import type { KnownText } from '../sql/known-texts.ts'
import { LEXER_MODE } from '../sql/lexer.ts'
import type { KnownTable, Place } from '../topology/location-view.ts'
import { PRUNED } from '../topology/partition/pruner.ts'
import { COMMAND, HEADER_BYTES } from '../wire/protocol.ts'
import { type CallText, hideComment, ofComment } from './detours.ts'
import type { TextUse, Written } from './placement.ts'
import type { ClusterView } from './ports.ts'
import type { Prepared } from './statements.ts'
import type { Source, WayHost, WayOwner, WayParts } from './way-ports.ts'

/** What becomes of a statement, and of the wait for what has to be asked for. */
export type TableWayEnd = {
  readonly outlook: ClusterView
  /** Nothing says where it belongs. */
  readonly stay: (head: Uint8Array, meaning: Statement) => void
  readonly decide: (head: Uint8Array, meaning: Statement, place: Place | undefined) => void
  readonly later: <T>(
    answer: Promise<T | undefined>,
    head: Uint8Array,
    act: (value: T | undefined, request: Uint8Array) => void,
  ) => void
}

export class TableWay {
  private readonly host: WayHost
  private readonly parts: WayParts
  private readonly owner: WayOwner
  private readonly end: TableWayEnd
  source: Source
  /** Chance, or the first of several, picked the partition. */
  isGuess = false
  /** What says where the statement belongs: itself, or what it is routed by instead, which then has bytes of its own. */
  private guide: Statement = NO_STATEMENT
  private detour: Uint8Array | undefined
  /** Of the statement; undefined when it has none that is known. */
  table: KnownTable | undefined
  /** Nothing had to be asked for. */
  private isCached = true

  constructor(host: WayHost, parts: WayParts, owner: WayOwner, end: TableWayEnd) {
    this.host = host
    this.parts = parts
    this.owner = owner
    this.end = end
  }

  begin(): void {
    this.source = undefined
    this.isGuess = false
    this.table = undefined
    this.guide = NO_STATEMENT
    this.detour = undefined
    this.isCached = true
  }

  private get outlook(): ClusterView {
    return this.end.outlook
  }

  /** By the table that the statement itself names. */
  byTable(head: Uint8Array, meaning: Statement, database: string): void {
    this.guideBy(meaning, undefined)
    this.lookUp(head, meaning, database)
  }

  /** By the table and key that a comment names (§5.4). */
  byComment(head: Uint8Array, meaning: Statement, simple: SimpleRoute, schema: string): void {
    // What is only explained reaches no server, and is a part of the text that the places are of.
    if (this.source === 'head' && this.owner.trace === undefined) hideComment(simple, head)
    const [table = '', database = schema] = simple.table.split('.').reverse()
    const { tenant } = this.parts.identity
    this.found(this.outlook.locations.table(tenant, database, table), head, (known, request) => {
      const detour =
        known?.partitions === undefined ? undefined : ofComment(simple, known.partitions)
      this.guideBy(detour?.meaning ?? meaning, detour?.bytes)
      this.onTable(known, request, meaning)
    })
  }

  /** By the first statement of the routine that is called (§4.5). */
  byRoutine(head: Uint8Array, meaning: Statement): void {
    const { parts, outlook } = this
    const text = this.callText(head)
    const routine = text === undefined ? undefined : parts.deps.detours.routine(text)
    const database = routine?.database ?? this.parts.memory.schema
    if (routine === undefined || database === undefined) {
      this.end.stay(head, meaning)
      return
    }
    const { tenant } = parts.identity
    this.found(
      outlook.locations.routine(tenant, database, '', routine.name),
      head,
      (entry, request) => {
        const again = this.callText(request)
        const detour = again && parts.deps.detours.ofCall(again, entry?.sql ?? '')
        if (detour?.meaning.table === undefined) this.end.stay(request, meaning)
        else {
          this.guideBy(detour.meaning, detour.bytes)
          this.lookUp(request, meaning, detour.meaning.database ?? database)
        }
      },
    )
  }

  /** Undefined: it is out of reach. */
  private callText(head: Uint8Array): CallText | undefined {
    const { source } = this
    const { memory } = this.parts
    if (source === undefined) return undefined
    const isHead = source === 'head'
    const bytes = isHead ? head : source.payload
    return { bytes, from: isHead ? HEADER_BYTES + 1 : 1, mode: memory.lexerMode }
  }

  /** At once when it is known, later when it has to be asked for. */
  private found<T>(
    answer: T | undefined | Promise<T | undefined>,
    head: Uint8Array,
    act: (value: T | undefined, request: Uint8Array) => void,
  ): void {
    if (answer instanceof Promise) this.end.later(answer, head, act)
    else act(answer, head)
  }

  private guideBy(guide: Statement, detour: Uint8Array | undefined): void {
    this.guide = guide
    this.detour = detour
  }

  /** By the table that the guide names; `meaning` is of the statement itself. */
  private lookUp(head: Uint8Array, meaning: Statement, database: string): void {
    const { tenant } = this.parts.identity
    const known = this.outlook.locations.table(tenant, database, this.guide.table ?? '')
    if (known instanceof Promise) this.onTableLater(known, head, meaning)
    else this.onTable(known, head, meaning)
  }

  /** Apart: a function with closures in it makes room for what they hold each time it is called. */
  private onTableLater(
    answer: Promise<KnownTable | undefined>,
    head: Uint8Array,
    meaning: Statement,
  ): void {
    this.isCached = false
    this.end.later(answer, head, (found, request) => this.onTable(found, request, meaning))
  }

  private onTable(known: KnownTable | undefined, head: Uint8Array, meaning: Statement): void {
    this.table = known
    this.owner.trace?.lookedUp(this.guide, known, this.isCached)
    const place = known === undefined ? undefined : this.placeOf(known, head)
    if (place instanceof Promise) this.placedLater(place, head, meaning)
    else this.placed(head, meaning, place)
  }

  private placedLater(
    answer: Promise<Place | undefined>,
    head: Uint8Array,
    meaning: Statement,
  ): void {
    this.isCached = false
    this.end.later(answer, head, (found, request) => this.placed(request, meaning, found))
  }

  /** Where in the table the statement belongs. */
  private placeOf(
    known: KnownTable,
    head: Uint8Array,
  ): Place | undefined | Promise<Place | undefined> {
    if (known.entry.partNum <= 1) return known.place
    const { deps } = this.parts
    // Oracle mode has rules of its own for partitions, which nothing here follows.
    const isOracle = (this.parts.memory.lexerMode & LEXER_MODE.capitalNames) !== 0
    if (!deps.settings().prunes || this.source === undefined || isOracle) return undefined
    const { placement } = deps
    this.prune(known, head)
    if (placement.leaf < 0) return undefined
    this.isGuess = placement.outcome !== PRUNED.one
    // Partitions may have been added since the table was described.
    if (placement.outcome === PRUNED.none) this.outlook.locations.missed(known.place, false)
    return this.outlook.locations.leaf(known, placement.leaf)
  }

  /** What `placement` says next is of this statement. */
  private prune(known: KnownTable, head: Uint8Array): void {
    const { owner, source, parts, detour } = this
    const { memory } = parts
    const { placement } = parts.deps
    const text = source === 'head' && detour === undefined ? owner.known : undefined
    if (text !== undefined && placement.placeKnown(known, text, head, memory)) return
    const hears = owner.trace?.pruned
    const written =
      detour === undefined
        ? this.written(head, source ?? 'head', text)
        : { ...wholly(detour), hears }
    placement.place(known, this.guide, written, memory)
  }

  private written(
    head: Uint8Array,
    source: 'head' | Prepared,
    known: KnownText<TextUse> | undefined,
  ): Written {
    const most = HEADER_BYTES + 1 + this.parts.deps.settings().analysedBytes
    const prepared = source === 'head' ? undefined : source
    const bytes = prepared?.payload ?? head
    const isExecute = this.host.command === COMMAND.stmtExecute
    return {
      bytes,
      to: Math.min(bytes.length, most),
      isCut: bytes.length > most || (prepared === undefined && this.host.isIncomplete),
      known,
      packet: isExecute ? head : undefined,
      prepared,
      hears: this.owner.trace?.pruned,
    }
  }

  private placed(head: Uint8Array, meaning: Statement, place: Place | undefined): void {
    const { trace } = this.owner
    if (trace === undefined)
      this.parts.identity.traffic.located(this.isCached, place?.location.leader !== undefined)
    else trace.placed(place, this.isGuess)
    this.end.decide(head, meaning, place)
  }
}

function wholly(bytes: Uint8Array): Written {
  return {
    bytes,
    to: bytes.length,
    isCut: false,
    known: undefined,
    packet: undefined,
    prepared: undefined,
    hears: undefined,
  }
}
