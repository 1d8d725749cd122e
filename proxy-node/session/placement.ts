/**
 * Which partition of its table a statement is about. One a worker: what reads and computes is used
 * again for each statement. Unknown is a legal answer: the statement then goes by its tenant.
 * Source: proxy-routing.md §5.8–5.10, §6. Hot path: see the rules.
 */
import type { Statement } from '../sql/classify.ts'
import { type Expressions, NO_NODE } from '../sql/expressions.ts'
import { KnownPredicates } from '../sql/known-predicates.ts'
import type { KnownText, KnownTexts } from '../sql/known-texts.ts'
import { Predicates, type StatementText } from '../sql/predicates.ts'
import type { KnownTable } from '../topology/location-view.ts'
import { type PruneAccount, pruneAccount } from '../topology/partition/account.ts'
import { charsetNamed } from '../topology/partition/charsets.ts'
import type { Charset } from '../topology/partition/collations.ts'
import type { Box } from '../topology/partition/intervals.ts'
import { ExecuteParameters } from '../topology/partition/parameters.ts'
import { PRUNED, type Pruned, Pruner } from '../topology/partition/pruner.ts'
import type { TablePartitions } from '../topology/partition/table-partitions.ts'
import { TimeZone } from '../topology/partition/time-zones.ts'
import type { PruneSession, VariableValue } from '../topology/partition/values.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { SessionMemory } from './memory.ts'
import type { Prepared } from './statements.ts'

/** Where the text of a statement is, and the values of its parameters. */
export type Written = {
  /** That `classify` read. */
  readonly bytes: Uint8Array
  readonly to: number
  /** There is more of it than these bytes. */
  readonly isCut: boolean
  /** What is known of the text, if it is the one that was looked for last. */
  readonly known: KnownText<TextUse> | undefined
  /** Of a COM_STMT_EXECUTE: its packet, and what it executes. */
  readonly packet: Uint8Array | undefined
  readonly prepared: Prepared | undefined
  /** Hears how the partition was computed; for EXPLAIN ROUTE, otherwise there is none. */
  readonly hears: ((account: PruneAccount) => void) | undefined
}

/** What is found out about a text that comes again with other values. */
export type TextUse = {
  /** Of its digest, once that is known. */
  digest: { readonly high: number; readonly low: number } | undefined
  /** By the columns of its table. */
  predicates: KnownPredicates | undefined
  /** How often that was made: a text that means tables with different columns by turns is read each time. */
  readings: number
}

/** As explanations name what pruning has found. */
const OUTCOMES: Readonly<Record<Pruned, PruneAccount['outcome']>> = {
  [PRUNED.one]: 'one',
  [PRUNED.none]: 'none',
  [PRUNED.several]: 'several',
  [PRUNED.unknown]: 'unknown',
}

/** Of one text, to be kept. */
const MOST_READINGS = 8
/** Time zones that sessions use at the same time. */
const MAX_ZONES = 256
/** What a server that does not say is in. */
const UTC = '+00:00'

/** What a client's session makes of literals; looked up when something depends on it. */
class LiteralSession implements PruneSession {
  private readonly zones = new Map<string, TimeZone>()
  private readonly clock: () => number
  private memory: SessionMemory | undefined
  private zoneInUse: TimeZone | undefined
  parameters: ExecuteParameters | undefined

  constructor(clock: () => number) {
    this.clock = clock
  }

  begin(memory: SessionMemory): void {
    this.memory = memory
    this.zoneInUse = undefined
    this.parameters = undefined
  }

  end(): void {
    this.memory = undefined
  }

  get charset(): Charset | undefined {
    return charsetNamed(this.memory?.variable('character_set_client') ?? 'utf8mb4')
  }

  get timeZone(): TimeZone {
    this.zoneInUse ??= this.zone(this.zoneName)
    return this.zoneInUse
  }

  private get zoneName(): string {
    const zone = this.memory?.variable('time_zone') ?? UTC
    return zone === 'SYSTEM' ? (this.memory?.variable('system_time_zone') ?? zone) : zone
  }

  /** One that is not known makes nothing of times that depend on it. */
  private zone(name: string): TimeZone {
    const known = this.zones.get(name)
    if (known !== undefined) return known
    if (this.zones.size >= MAX_ZONES) this.zones.clear()
    const made = new TimeZone(name)
    this.zones.set(name, made)
    return made
  }

  readonly now = (): number => this.clock() * 1000

  readonly userVariable = (name: string): VariableValue | undefined => {
    const value = this.memory?.user?.value(name.toLowerCase())
    if (value === undefined) return undefined
    if (value.bytes !== undefined)
      return { kind: 'text', bytes: value.bytes, charset: value.charset }
    const text = Buffer.from(value.given).toString('latin1')
    return /^null$/i.test(text) ? { kind: 'null' } : { kind: 'number', text }
  }
}

/** What was read of a statement's predicates, now or when its text was new. */
type Read = {
  readonly expressions: Expressions
  readonly condition: number
  readonly hasValues: boolean
}

export class Placement {
  private readonly predicates = new Predicates()
  private readonly pruner = new Pruner()
  private readonly parameters = new ExecuteParameters()
  private readonly session: LiteralSession
  private readonly texts: KnownTexts<TextUse>
  /** Reading one statement needs one of these. */
  private readonly text: { -readonly [K in keyof StatementText]: StatementText[K] } = {
    bytes: new Uint8Array(0),
    to: 0,
    mode: 0,
    isCut: false,
  }
  private readonly values: number[] = []
  /** Of the last answer: the leaf, -1 when nothing is known; and what that says. */
  leaf = -1
  outcome: Pruned = PRUNED.unknown

  /** `now` in milliseconds since the epoch. */
  constructor(now: () => number, texts: KnownTexts<TextUse>) {
    this.session = new LiteralSession(now)
    this.texts = texts
  }

  /** Sets `leaf` and `outcome`. */
  place(known: KnownTable, statement: Statement, written: Written, memory: SessionMemory): void {
    const { partitions } = known
    this.leaf = -1
    this.outcome = PRUNED.unknown
    if (partitions === undefined) return
    this.take(written, memory)
    this.placeRead(partitions, statement, written)
    written.hears?.(this.account(partitions))
    this.parameters.close()
    this.session.end()
  }

  /**
   * The same for the text that was looked for last, by what was read when it came before; `head` has it
   * now: the bytes that it came in are gone when its table had to be waited for. False, with nothing set:
   * that was not for the columns of this table.
   */
  placeKnown(
    { partitions }: KnownTable,
    { use }: KnownText<TextUse>,
    head: Uint8Array,
    memory: SessionMemory,
  ): boolean {
    const { predicates } = use
    if (predicates === undefined || partitions === undefined) return false
    if (!predicates.columns.isSame(partitions.columns)) return false
    this.session.begin(memory)
    predicates.moveTo(this.texts.values, head)
    this.prune(partitions, predicates, predicates.values)
    predicates.letGo()
    this.session.end()
    return true
  }

  private placeRead(partitions: TablePartitions, statement: Statement, { known }: Written): void {
    const { predicates } = this
    predicates.read(this.text, statement, partitions.columns)
    if (known !== undefined && !this.text.isCut) this.keep(known.use, partitions)
    if (predicates.partitionNames > 0) this.takeNamed(partitions)
    else
      this.prune(
        partitions,
        predicates,
        predicates.hasValues ? this.rowOf(partitions) : this.values,
      )
  }

  private keep(use: TextUse, { columns }: TablePartitions): void {
    if (use.readings >= MOST_READINGS) return
    use.readings += 1
    use.predicates = KnownPredicates.of(this.predicates, this.texts.values, columns)
  }

  private prune(
    partitions: TablePartitions,
    { expressions, condition, hasValues }: Read,
    row: readonly number[],
  ): void {
    const { pruner, session } = this
    this.outcome = hasValues
      ? pruner.pruneRow(partitions, expressions, row, session)
      : pruner.prune(partitions, expressions, condition, session)
    this.leaf = this.outcome === PRUNED.unknown ? -1 : pruner.leaf
  }

  private account(partitions: TablePartitions): PruneAccount {
    const { pruner, predicates, leaf } = this
    const isNamed = predicates.partitionNames > 0
    const boxes = isNamed ? [] : this.boxesOf(partitions)
    const marks = isNamed
      ? Uint8Array.from(partitions.leaves, (_leaf, at) => (at === leaf ? 1 : 0))
      : pruner.marksOf(partitions, boxes)
    return pruneAccount(partitions, { outcome: OUTCOMES[this.outcome], isNamed, boxes, marks })
  }

  private boxesOf(partitions: TablePartitions): readonly Box[] {
    const { pruner, predicates, session } = this
    const { expressions, condition, hasValues } = predicates
    if (!hasValues) return pruner.boxesOf(partitions, expressions, condition, session)
    const box = pruner.rowBox(partitions, expressions, this.rowOf(partitions), session)
    return box === undefined ? [] : [box]
  }

  private take({ bytes, to, isCut, packet, prepared }: Written, memory: SessionMemory): void {
    const { text, session, parameters } = this
    session.begin(memory)
    text.bytes = bytes
    text.to = to
    text.isCut = isCut
    text.mode = memory.lexerMode
    if (packet === undefined || prepared === undefined) return
    const payload = { at: HEADER_BYTES, end: packet.length }
    if (parameters.open(packet, payload, prepared.parameterCount, prepared.types))
      session.parameters = parameters
  }

  private takeNamed(partitions: TablePartitions): void {
    const { predicates } = this
    this.leaf = partitions.leafNamed(predicates.partitionName(0))
    if (this.leaf < 0) return
    this.outcome = predicates.partitionNames === 1 ? PRUNED.one : PRUNED.several
  }

  private rowOf({ columns }: TablePartitions): readonly number[] {
    const { values, predicates } = this
    values.length = columns.size
    for (let column = 0; column < columns.size; column++)
      values[column] = predicates.value(column) ?? NO_NODE
    return values
  }
}
