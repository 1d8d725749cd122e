/**
 * What boxes say of generated columns and of the expressions that levels are partitioned by: computed
 * from their columns where each has one value, or two ends and a function that keeps their order.
 * Source: proxy-routing.md §6.4, §6.9.
 */
import { NODE } from '../../sql/expressions.ts'
import { MOST_BOXES } from './box-sets.ts'
import { storedKey, valueOfKey } from './convert.ts'
import { evaluate } from './evaluate.ts'
import type { Key } from './hash.ts'
import { type Box, type Interval, integersWithin, point, pointOf } from './intervals.ts'
import type { Derived, Slot, TablePartitions } from './table-partitions.ts'
import type { PruneSession, Value } from './values.ts'
import type { Work } from './work.ts'

/** Never smaller for a later moment. */
const MONOTONE: ReadonlySet<string> = new Set(['year', 'to_days', 'to_seconds', 'unix_timestamp'])

/** What boxes are of. When `work` runs out, what is derived is to be thrown away. */
export type Given = {
  readonly table: TablePartitions
  readonly session: PruneSession
  readonly work: Work
}

/** Of `Work`: for one value and for each node of the expression that it is computed by. */
const VALUE_STEPS = 8
const NODE_STEPS = 3

/**
 * The box with every derived slot that follows from the others; one that is given directly wins. A few
 * integers between two ends are taken one by one, which makes several boxes.
 */
export function withDerived(given: Given, box: Box): readonly Box[] {
  const { table, work } = given
  let boxes: readonly Box[] = [box]
  for (const [at, slot] of table.slots.entries()) {
    if (slot.derived === undefined || box[at] !== undefined) continue
    boxes = boxes.flatMap(one => {
      const intervals = derivedIntervals(given, slot, one)
      return intervals.length === 0
        ? [one]
        : intervals.map(interval => restricted(one, at, interval))
    })
    if (boxes.length > MOST_BOXES || work.isSpent) return [box]
  }
  return boxes
}

function restricted(box: Box, slot: number, interval: Interval): Box {
  const next = [...box]
  next[slot] = interval
  return next
}

/** None when nothing follows. */
function derivedIntervals(given: Given, slot: Slot, box: Box): readonly Interval[] {
  const interval = derivedInterval(given, slot, box)
  return interval === undefined ? oneByOne(given, slot, box) : [interval]
}

function oneByOne(given: Given, slot: Slot, box: Box): readonly Interval[] {
  const { table, session, work } = given
  const [source = -1, ...others] = slot.derived?.sources ?? []
  const type = table.slots[source]?.type
  const range = type === undefined ? undefined : integersWithin(type, box[source])
  if (others.length > 0 || range === undefined) return []
  const intervals: Interval[] = []
  for (let value = range.from; value <= range.to; value++) {
    charge(work, slot)
    if (work.isSpent) return []
    const key = derivedKey(slot, session, () => ({ kind: 'integer', value }))
    if (key === undefined) return []
    intervals.push(point(key))
  }
  return intervals
}

function derivedInterval(given: Given, slot: Slot, box: Box): Interval | undefined {
  const { derived, type } = slot
  if (derived === undefined || type === undefined) return undefined
  const { table, session } = given
  charge(given.work, slot)
  const key = derivedKey(slot, session, place => valueAt(table, place, box, session))
  if (key !== undefined) return point(key)
  return monotone(given, slot, box)
}

function charge(work: Work, { derived }: Slot): void {
  work.spend(VALUE_STEPS + NODE_STEPS * (derived?.expressions.size ?? 0))
}

/** The key of a derived slot from the values of its columns; undefined when one is not known. */
export function derivedKey(
  { derived, type }: Slot,
  session: PruneSession,
  column: (place: number) => Value | undefined,
): Key | undefined {
  if (derived === undefined || type === undefined) return undefined
  const value = evaluate(derived.expressions, derived.node, { session, column })
  return value === undefined ? undefined : storedKey(type, value, session.timeZone)
}

function valueAt(
  table: TablePartitions,
  place: number,
  box: Box,
  session: PruneSession,
): Value | undefined {
  const interval = box[place]
  const type = table.slots[place]?.type
  if (type === undefined) return sourceValue(interval?.value)
  const key = pointOf(interval)
  return key === undefined ? undefined : valueOfKey(type, key, session.timeZone)
}

/** The column would round a fraction, if it is one of integers, which nothing tells. */
export function sourceValue(value: Value | undefined): Value | undefined {
  return value?.kind === 'decimal' || value?.kind === 'double' ? undefined : value
}

function monotone(given: Given, slot: Slot, box: Box): Interval | undefined {
  const { derived } = slot
  const { table, session } = given
  const [source = -1] = derived?.sources ?? []
  const interval = box[source]
  const type = table.slots[source]?.type
  if (derived === undefined || interval === undefined || type === undefined) return undefined
  if (!isMonotone(derived)) return undefined
  const ofKey = (key: Key | undefined) =>
    key === undefined
      ? undefined
      : derivedKey(slot, session, () => valueOfKey(type, key, session.timeZone))
  const [low, high] = [ofKey(interval.low), ofKey(interval.high)]
  if (low === undefined && high === undefined) return undefined
  return {
    low,
    isLowOpen: low === undefined,
    high,
    isHighOpen: high === undefined,
    value: undefined,
  }
}

function isMonotone({ expressions, node }: Derived): boolean {
  if (expressions.kind(node) !== NODE.call || expressions.children(node) !== 1) return false
  const isOfColumn = expressions.kind(expressions.first(node)) === NODE.column
  return isOfColumn && MONOTONE.has(expressions.text(node).toLowerCase())
}
