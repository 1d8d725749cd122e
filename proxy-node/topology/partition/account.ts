/**
 * How the partition of a statement was computed, in words: for EXPLAIN ROUTE, never on the way of a
 * statement. Bounded in ranges, partitions and bytes of each value. Source: proxy-routing.md §12.1.
 */

import type { ColumnType } from './column-type.ts'
import { textOf } from './decimals.ts'
import type { Key } from './hash.ts'
import type { Box, Interval } from './intervals.ts'
import { pointOf } from './intervals.ts'
import type { Method, Slot, TablePartitions } from './table-partitions.ts'

export type LevelAccount = {
  readonly method: Method
  /** As the DDL has it; columns for one that names none. */
  readonly expression: string
  /** Partitions of the level, of the first partition in question. */
  readonly count: number
  /** What the statement leaves of the level's columns, one a box. */
  readonly ranges: readonly string[]
}

export type PruneAccount = {
  readonly outcome: 'one' | 'none' | 'several' | 'unknown'
  /** Empty: no partition of this table can be computed, `reason` says why. */
  readonly levels: readonly LevelAccount[]
  readonly reason: string | undefined
  /** By name; at most so many as are shown. */
  readonly partitions: readonly string[]
  /** All that the statement can reach. */
  readonly reached: number
  readonly leaves: number
  /** The statement names its partition. */
  readonly isNamed: boolean
}

/** What pruning found, as marks of the leaves. */
export type PruneFinding = Pick<PruneAccount, 'outcome' | 'isNamed'> & {
  readonly boxes: readonly Box[]
  readonly marks: Uint8Array
}

const MOST_RANGES = 8
const MOST_PARTITIONS = 16
const MOST_CHARACTERS = 64
const DAY_MS = 86_400_000
/** Days and milliseconds of the calendar that JavaScript has. */
const MOST_MS = 8.64e15

export function pruneAccount(table: TablePartitions, finding: PruneFinding): PruneAccount {
  const { boxes, marks, outcome, isNamed } = finding
  const names: string[] = []
  let reached = 0
  for (let at = 0; at < marks.length; at++) {
    if (marks[at] !== 1) continue
    reached += 1
    if (names.length < MOST_PARTITIONS) names.push(table.leaves[at]?.name ?? '')
  }
  return {
    outcome,
    isNamed,
    levels: levelsOf(table, boxes, marks.indexOf(1)),
    reason: table.reason,
    partitions: names,
    reached,
    leaves: table.leaves.length,
  }
}

function levelsOf(
  { scheme, slots, leafStarts }: TablePartitions,
  boxes: readonly Box[],
  leaf: number,
): readonly LevelAccount[] {
  if (scheme === undefined) return []
  const first = Math.max(
    0,
    leafStarts.findLastIndex(start => start <= leaf),
  )
  return scheme.levels.map(({ method, text, slots: used }, at) => ({
    method,
    expression: text === '' ? used.map(slot => slots[slot]?.name ?? '').join(',') : text,
    count: at === 0 ? scheme.first.count : (scheme.seconds[first]?.count ?? 0),
    ranges: rangesOf(boxes, used, slots),
  }))
}

/** Each once, in the order of the boxes. */
function rangesOf(
  boxes: readonly Box[],
  used: readonly number[],
  slots: readonly Slot[],
): readonly string[] {
  const ranges = new Set<string>()
  for (const box of boxes) {
    if (ranges.size >= MOST_RANGES) {
      ranges.add('…')
      break
    }
    ranges.add(used.map(slot => rangeText(slots[slot], box[slot])).join(' and '))
  }
  return [...ranges]
}

function rangeText(slot: Slot | undefined, interval: Interval | undefined): string {
  const name = slot?.name ?? ''
  if (interval === undefined) return `${name} anything`
  const key = pointOf(interval)
  if (key !== undefined) return `${name} = ${keyText(key, slot?.type)}`
  const { low, high, isLowOpen, isHighOpen } = interval
  const from = low === undefined ? '(MIN' : `${isLowOpen ? '(' : '['}${keyText(low, slot?.type)}`
  const to = high === undefined ? 'MAX)' : `${keyText(high, slot?.type)}${isHighOpen ? ')' : ']'}`
  return `${name} in ${from}, ${to}`
}

/** A value as a column of the type has it; times as dates. */
export function keyText(key: Key, type: ColumnType | undefined): string {
  if (key === null) return 'NULL'
  if (typeof key === 'bigint') return integerText(key, type)
  if (typeof key === 'number') return String(key)
  if (key instanceof Uint8Array) return quoted(key)
  return textOf(key)
}

function integerText(key: bigint, type: ColumnType | undefined): string {
  if (type?.kind === 'date') return dateText(Number(key) * DAY_MS, 10) ?? String(key)
  if (type?.kind === 'datetime') return dateText(Number(key / 1000n), 23) ?? String(key)
  if (type?.kind === 'timestamp') {
    const text = dateText(Number(key / 1000n), 23)
    return text === undefined ? String(key) : `${text} UTC`
  }
  return String(key)
}

function dateText(ms: number, characters: number): string | undefined {
  if (!Number.isFinite(ms) || Math.abs(ms) > MOST_MS) return undefined
  return `'${new Date(ms).toISOString().replace('T', ' ').slice(0, characters)}'`
}

function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, MOST_CHARACTERS)).toString()
  const shown = text.replaceAll(/[\p{Cc}']/gu, '?')
  return bytes.length > MOST_CHARACTERS ? `'${shown}…'` : `'${shown}'`
}
