/**
 * Sets of boxes: one that holds everything, one that holds nothing, and what two have in common.
 * Source: proxy-routing.md §5.8, §6.2.
 */
import type { Comparison } from './compare.ts'
import type { Key } from './hash.ts'
import { type Box, type Interval, isInner, point } from './intervals.ts'
import type { TablePartitions } from './table-partitions.ts'
import type { Work } from './work.ts'

/** A list of IN has so many values, and no more are intersected. */
export const MOST_BOXES = 4096
/** Of `Work`, for what two boxes have in common in one slot. */
const PAIR_STEPS = 2

const FREE: Box = []
/** Nothing is restricted. It is this one object, by which it is known. */
export const ALL: readonly Box[] = [FREE]
export const NOTHING: readonly Box[] = []

/** What boxes are of, how their ends are compared, and what that may cost. */
export type Measure = {
  readonly table: TablePartitions
  readonly comparison: Comparison
  readonly work: Work
}

/** What is in a box of each set; `ALL` when work runs out, which is to be thrown away. */
export function intersected(
  one: readonly Box[],
  other: readonly Box[],
  measure: Measure,
): readonly Box[] {
  if (one === ALL) return other
  if (other === ALL) return one
  const boxes: Box[] = []
  for (const left of one)
    for (const right of other) {
      if (measure.work.isSpent) return ALL
      const box = both(left, right, measure)
      if (box !== undefined) boxes.push(box)
    }
  return boxes
}

/** Undefined when nothing is in both. */
function both(one: Box, other: Box, measure: Measure): Box | undefined {
  const { slots } = measure.table
  const box: (Interval | undefined)[] = []
  measure.work.spend(PAIR_STEPS * slots.length)
  for (let slot = 0; slot < slots.length; slot++) {
    const [left, right] = [one[slot], other[slot]]
    const type = slots[slot]?.type
    if (left === undefined || right === undefined || type === undefined) {
      box[slot] = left ?? right
      continue
    }
    const inner = innerOf(left, right, (low, high) => measure.comparison.keys(type, low, high))
    if (inner === undefined) return undefined
    box[slot] = inner
  }
  return box
}

/** The inner one of both ends each; undefined when nothing is between them. */
function innerOf(
  one: Interval,
  other: Interval,
  compare: (left: Key, right: Key) => number,
): Interval | undefined {
  const isOnesLow = isInner(one.low, one.isLowOpen, other.low, compare)
  const isOnesHigh = isInner(one.high, one.isHighOpen, other.high, (left, right) =>
    compare(right, left),
  )
  const [lower, upper] = [isOnesLow ? one : other, isOnesHigh ? one : other]
  const interval = {
    low: lower.low,
    isLowOpen: lower.isLowOpen,
    high: upper.high,
    isHighOpen: upper.isHighOpen,
    value: undefined,
  }
  if (interval.low === undefined || interval.high === undefined) return interval
  const difference = compare(interval.low, interval.high)
  if (difference > 0) return undefined
  if (difference !== 0) return interval
  return interval.isLowOpen || interval.isHighOpen ? undefined : point(interval.low)
}
