/**
 * Which partitions of one level a box reaches. Source: proxy-routing.md §6.4–6.7; the rule for tuples of
 * bounds is that of proxy-routing-tried.md "Ranges", which agreed with the kernel everywhere.
 */

import type { ColumnType } from './column-type.ts'
import type { Comparison } from './compare.ts'
import type { Key, KeyHash } from './hash.ts'
import { type Box, type Interval, integersWithin, pointOf } from './intervals.ts'
import type { Bound, Level, Siblings } from './table-partitions.ts'

export class LevelReach {
  private readonly hash: KeyHash
  private readonly comparison: Comparison

  constructor(hash: KeyHash, comparison: Comparison) {
    this.hash = hash
    this.comparison = comparison
  }

  /** Marks the partitions that the box can reach. */
  mark(level: Level, siblings: Siblings, box: Box, marks: Uint8Array): void {
    switch (level.method) {
      case 'hash':
      case 'key':
        this.markHashed(level, siblings.count, box, marks)
        return
      case 'range':
        this.markRange(level, siblings, box, marks)
        return
      case 'list':
        this.markList(level, siblings, box, marks)
        return
    }
  }

  private markHashed(level: Level, count: number, box: Box, marks: Uint8Array): void {
    const keys: Key[] = []
    for (const slot of level.slots) {
      const key = pointOf(box[slot])
      if (key === undefined) {
        this.markIntegers(level, count, box, marks)
        return
      }
      keys.push(key)
    }
    const index = this.indexOf(level, count, keys)
    if (index < 0) marks.fill(1)
    else marks[index] = 1
  }

  /** Some integers of a single key. */
  private markIntegers(level: Level, count: number, box: Box, marks: Uint8Array): void {
    const [slot = -1, ...others] = level.slots
    const [type] = level.types
    const range = type === undefined ? undefined : integersWithin(type, box[slot])
    if (range === undefined || others.length > 0) {
      marks.fill(1)
      return
    }
    for (let value = range.from; value <= range.to; value++) {
      const index = this.indexOf(level, count, [value])
      if (index >= 0) marks[index] = 1
    }
  }

  /** The partition of a key row under HASH or KEY; -1 when it cannot be computed. */
  indexOf(level: Level, count: number, keys: readonly Key[]): number {
    if (level.method === 'hash') return hashIndex(keys[0] ?? null, count)
    this.hash.murmur.reset()
    for (const [at, type] of level.types.entries())
      if (!this.hash.add(type, keys[at] ?? null, level.textHash)) return -1
    return this.hash.murmur.index(count)
  }

  // --- RANGE

  private markRange(level: Level, siblings: Siblings, box: Box, marks: Uint8Array): void {
    const intervals = level.slots.map(slot => box[slot])
    const start = startOf(intervals)
    const end = endOf(intervals)
    const { bounds, count } = siblings
    let first = 0
    while (first < count && !(this.relate(level.types, bounds[first], start) > 0)) first += 1
    let last = first
    while (last < count && this.relate(level.types, bounds[last], end) < 0) last += 1
    const isAtBound = last < count && this.relate(level.types, bounds[last], end) === 0
    if (isAtBound && end.isWhole) last += 1
    for (let at = first; at <= Math.min(last, count - 1); at++) marks[at] = 1
  }

  /** A bound against a tuple of which columns may be below or above all. */
  private relate(types: readonly ColumnType[], bound: Bound | undefined, tuple: Tuple): number {
    for (const [at, type] of types.entries()) {
      const [edge, key] = [bound?.[at], tuple.keys[at]]
      if (key === undefined) {
        if (!tuple.isAbove) return 1
        if (edge === undefined) continue
        return -1
      }
      if (edge === undefined) return 1
      const difference = this.comparison.keys(type, edge, key)
      if (difference !== 0) return difference
    }
    return 0
  }

  // --- LIST

  private markList(level: Level, siblings: Siblings, box: Box, marks: Uint8Array): void {
    const intervals = level.slots.map(slot => box[slot])
    const isPoint = intervals.every(interval => pointOf(interval) !== undefined)
    let found = 0n
    for (const [at, rows] of siblings.rows.entries())
      for (const row of rows) {
        if (!this.isIn(level, row, intervals)) continue
        marks[at] = 1
        found += 1n
      }
    const isAll = isPoint ? found > 0n : found === integersIn(level, intervals)
    if (!isAll && siblings.defaultAt >= 0) marks[siblings.defaultAt] = 1
  }

  private isIn(
    level: Level,
    row: readonly Key[],
    intervals: readonly (Interval | undefined)[],
  ): boolean {
    for (const [at, type] of level.types.entries()) {
      const interval = intervals[at]
      const key = row[at]
      if (interval === undefined || key === undefined) continue
      if (!this.isWithin(type, key, interval)) return false
    }
    return true
  }

  private isWithin(type: ColumnType, key: Key, interval: Interval): boolean {
    const { low, high } = interval
    if (low !== undefined) {
      const difference = this.comparison.keys(type, key, low)
      if (difference < 0 || (difference === 0 && interval.isLowOpen)) return false
    }
    // Without a lower end it is a comparison, which is never true for NULL.
    else if (high !== undefined && key === null) return false
    if (high === undefined) return true
    const difference = this.comparison.keys(type, key, high)
    return difference < 0 || (difference === 0 && !interval.isHighOpen)
  }
}

/** How many integers there are in the interval of the only column; -1 when they are not counted. */
function integersIn({ types }: Level, intervals: readonly (Interval | undefined)[]): bigint {
  const [type, ...others] = types
  const range =
    type === undefined || others.length > 0 ? undefined : integersWithin(type, intervals[0])
  return range === undefined || range.to < range.from ? -1n : range.to - range.from + 1n
}

/** |v| mod n of the value as a signed 64-bit integer; NULL is 0. */
export function hashIndex(key: Key, count: number): number {
  if (key === null) return 0
  if (typeof key !== 'bigint') return -1
  const signed = BigInt.asIntN(64, key)
  const least = -(2n ** 63n)
  let magnitude = signed < 0n ? -signed : signed
  if (signed === least) magnitude = 2n ** 63n - 1n
  return Number(magnitude % BigInt(count))
}

type Tuple = {
  /** Values as far as there are any. */
  readonly keys: readonly Key[]
  /** The columns behind them are above all values, else below. */
  readonly isAbove: boolean
  /** All columns have values, the last one included. */
  readonly isWhole: boolean
}

/** Start values column by column, up to one without, or an exclusive one. */
function startOf(intervals: readonly (Interval | undefined)[]): Tuple {
  const keys: Key[] = []
  for (const interval of intervals) {
    if (interval?.low === undefined) return { keys, isAbove: false, isWhole: false }
    keys.push(interval.low)
    if (interval.isLowOpen) return { keys, isAbove: true, isWhole: false }
  }
  return { keys, isAbove: false, isWhole: true }
}

function endOf(intervals: readonly (Interval | undefined)[]): Tuple {
  const keys: Key[] = []
  for (const [at, interval] of intervals.entries()) {
    if (interval?.high === undefined) return { keys, isAbove: true, isWhole: false }
    keys.push(interval.high)
    if (interval.isHighOpen) return { keys, isAbove: false, isWhole: false }
    if (at === intervals.length - 1) return { keys, isAbove: false, isWhole: true }
  }
  return { keys, isAbove: true, isWhole: false }
}
