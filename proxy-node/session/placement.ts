/**
 * Which partition of its table a statement is about. One a worker: what reads and computes is used
 * again for each statement. Unknown is a legal answer: the statement then goes by its tenant.
 * Source: proxy-routing.md §5.8–5.10, §6. Hot path: see the rules.
 */
import type { Statement } from '../sql/classify.ts'
import { NO_NODE } from '../sql/expressions.ts'
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
import type { VariableValue } from '../topology/partition/values.ts'
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
  /** Of a COM_STMT_EXECUTE: its packet, and what it executes. */
  readonly packet: Uint8Array | undefined
  readonly prepared: Prepared | undefined
  /** Hears how the partition was computed; for EXPLAIN ROUTE, otherwise there is none. */
  readonly hears: ((account: PruneAccount) => void) | undefined
}

/** As explanations name what pruning has found. */
const OUTCOMES: Readonly<Record<Pruned, PruneAccount['outcome']>> = {
  [PRUNED.one]: 'one',
  [PRUNED.none]: 'none',
  [PRUNED.several]: 'several',
  [PRUNED.unknown]: 'unknown',
}

/** Time zones that sessions use at the same time. */
const MAX_ZONES = 256
/** What a server that does not say is in. */
const UTC = '+00:00'

export class Placement {
  private readonly predicates = new Predicates()
  private readonly pruner = new Pruner()
  private readonly parameters = new ExecuteParameters()
  private readonly zones = new Map<string, TimeZone>()
  private readonly now: () => number
  private memory: SessionMemory | undefined
  private readonly session: {
    charset: Charset | undefined
    timeZone: TimeZone
    parameters: ExecuteParameters | undefined
    readonly userVariable: (name: string) => VariableValue | undefined
    readonly now: () => number
  }
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
  constructor(now: () => number) {
    this.now = now
    this.session = {
      charset: 'utf8mb4',
      timeZone: this.zone(UTC),
      parameters: undefined,
      userVariable: name => this.userVariable(name),
      now: () => this.now() * 1000,
    }
  }

  /** Sets `leaf` and `outcome`. */
  place(known: KnownTable, statement: Statement, written: Written, memory: SessionMemory): void {
    const { partitions } = known
    this.leaf = -1
    this.outcome = PRUNED.unknown
    if (partitions === undefined) return
    this.take(written, memory)
    const { predicates, pruner } = this
    predicates.read(this.text, statement, partitions.columns)
    if (predicates.partitionNames > 0) this.takeNamed(partitions)
    else {
      this.outcome = predicates.hasValues
        ? pruner.pruneRow(partitions, predicates.expressions, this.rowOf(partitions), this.session)
        : pruner.prune(partitions, predicates.expressions, predicates.condition, this.session)
      this.leaf = this.outcome === PRUNED.unknown ? -1 : pruner.leaf
    }
    written.hears?.(this.account(partitions))
    this.parameters.close()
    this.memory = undefined
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
    this.memory = memory
    text.bytes = bytes
    text.to = to
    text.isCut = isCut
    text.mode = memory.lexerMode
    session.charset = charsetNamed(memory.variable('character_set_client') ?? 'utf8mb4')
    const zone = memory.variable('time_zone') ?? UTC
    session.timeZone = this.zone(
      zone === 'SYSTEM' ? (memory.variable('system_time_zone') ?? zone) : zone,
    )
    session.parameters = undefined
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

  private userVariable(name: string): VariableValue | undefined {
    const value = this.memory?.userValue(name.toLowerCase())
    if (value === undefined) return undefined
    if (value.bytes !== undefined)
      return { kind: 'text', bytes: value.bytes, charset: value.charset }
    const text = Buffer.from(value.given).toString('latin1')
    return /^null$/i.test(text) ? { kind: 'null' } : { kind: 'number', text }
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
}
