/**
 * Why a statement goes to its partition, for people: what is known of each key, and what every level
 * makes of it. Not for the hot path. Source: proxy-routing.md §12.1.
 */
import type { Expressions } from '../../sql/expressions.ts'
import { type Box, type Interval, pointOf } from './boxes.ts'
import { textOfBytes } from './charsets.ts'
import { collationOf } from './collations.ts'
import type { ColumnType } from './column-type.ts'
import { valueOfKey } from './convert.ts'
import { textOf } from './decimals.ts'
import type { Key } from './hash.ts'
import { clockOf, type Moment } from './moments.ts'
import type { Pruner } from './pruner.ts'
import type { Level, TablePartitions } from './table-partitions.ts'
import type { PruneSession, Value } from './values.ts'

export type KeyExplanation = {
  readonly name: string
  /** Its values and ranges; `all` where the statement says nothing of it. */
  readonly ranges: readonly string[]
}

export type LevelExplanation = {
  readonly method: string
  /** As the table was declared; empty for KEY(). */
  readonly expression: string
  readonly keys: readonly KeyExplanation[]
}

export type PruneExplanation = {
  /** Why nothing could be computed; undefined when something was. */
  readonly reason: string | undefined
  readonly levels: readonly LevelExplanation[]
  /** Names of the leaf partitions, the first ones of many. */
  readonly partitions: readonly string[]
  /** How many they are, of how many. */
  readonly reached: number
  readonly total: number
}

/** Ranges and names that are listed. */
const MOST_LISTED = 16

/** Of a condition. */
export function explainCondition(
  pruner: Pruner,
  table: TablePartitions,
  { expressions, root }: { readonly expressions: Expressions; readonly root: number },
  session: PruneSession,
): PruneExplanation {
  if (table.scheme === undefined) return unexplained(table)
  return explained(pruner, table, pruner.boxesOf(table, expressions, root, session), session)
}

/** Of a row that is inserted. */
export function explainRow(
  pruner: Pruner,
  table: TablePartitions,
  { expressions, nodes }: { readonly expressions: Expressions; readonly nodes: ArrayLike<number> },
  session: PruneSession,
): PruneExplanation {
  if (table.scheme === undefined) return unexplained(table)
  return explained(pruner, table, [pruner.rowBox(table, expressions, nodes, session)], session)
}

function unexplained({ reason, leaves }: TablePartitions): PruneExplanation {
  return { reason, levels: [], partitions: [], reached: leaves.length, total: leaves.length }
}

function explained(
  pruner: Pruner,
  table: TablePartitions,
  boxes: readonly Box[],
  session: PruneSession,
): PruneExplanation {
  const marks = pruner.marksOf(table, boxes)
  const reached = table.leaves.filter((_, at) => marks[at] === 1)
  const levels = table.scheme?.levels ?? []
  return {
    reason: reached.length === table.leaves.length ? 'no value of a key is known' : undefined,
    levels: levels.map(level => explainedLevel(table, level, boxes, session)),
    partitions: reached.slice(0, MOST_LISTED).map(({ name }) => name),
    reached: reached.length,
    total: table.leaves.length,
  }
}

function explainedLevel(
  table: TablePartitions,
  level: Level,
  boxes: readonly Box[],
  session: PruneSession,
): LevelExplanation {
  const keys = level.slots.map((slot, at) => {
    const type = level.types[at]
    const ranges = boxes.map(box => rangeText(type, box[slot], session))
    return {
      name: table.slots[slot]?.name ?? '',
      ranges: [...new Set(ranges)].slice(0, MOST_LISTED),
    }
  })
  return { method: level.method, expression: level.text, keys }
}

function rangeText(
  type: ColumnType | undefined,
  interval: Interval | undefined,
  session: PruneSession,
): string {
  if (interval === undefined || type === undefined) return 'all'
  const key = pointOf(interval)
  if (key !== undefined) return keyText(type, key, session)
  const { low, high } = interval
  const from =
    low === undefined ? '(MIN' : `${interval.isLowOpen ? '(' : '['}${keyText(type, low, session)}`
  const to =
    high === undefined
      ? 'MAX)'
      : `${keyText(type, high, session)}${interval.isHighOpen ? ')' : ']'}`
  return `${from}; ${to}`
}

function keyText(type: ColumnType, key: Key, session: PruneSession): string {
  const value = valueOfKey(type, key, session.timeZone)
  return value === undefined ? '?' : valueText(type, value)
}

function valueText(type: ColumnType, value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'NULL'
    case 'integer':
    case 'double':
      return String(value.value)
    case 'decimal':
      return textOf(value.value)
    case 'text': {
      const charset = collationOf(type.collation)?.charset ?? 'utf8mb4'
      return `'${textOfBytes(value.bytes, charset) ?? '?'}'`
    }
    case 'bytes':
      return `x'${Buffer.from(value.bytes).toString('hex')}'`
    case 'date':
      return dayText(value.moment)
    case 'datetime':
      return `${dayText(value.moment)} ${clockText(value.moment.micros)}`
    case 'time':
      return `${value.micros < 0n ? '-' : ''}${clockText(Math.abs(Number(value.micros)))}`
  }
}

function dayText({ year, month, day }: Moment): string {
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

function clockText(micros: number): string {
  const { hour, minute, second, micro } = clockOf(micros)
  const fraction = micro === 0 ? '' : `.${String(micro).padStart(6, '0')}`
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
