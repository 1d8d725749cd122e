/**
 * What a condition leaves of the slots: boxes, each an interval a slot, all of which together hold every
 * row that the condition can be true for. AND intersects, OR unites, what is not understood restricts
 * nothing. Source: proxy-routing.md §5.8, §6.2; proxy-routing-tried.md "Ranges".
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import type { ColumnType } from './column-type.ts'
import type { Comparison } from './compare.ts'
import { comparedKey, storedReal } from './convert.ts'
import { evaluate } from './evaluate.ts'
import type { Key } from './hash.ts'
import { sameExpression } from './same-expression.ts'
import type { Slot, TablePartitions } from './table-partitions.ts'
import { type PruneSession, textBytes, type Value } from './values.ts'

/** Undefined ends are open to infinity. A point has its key at both ends, closed. */
export type Interval = {
  readonly low: Key | undefined
  readonly isLowOpen: boolean
  readonly high: Key | undefined
  readonly isHighOpen: boolean
  /** Of a column whose type is not known: its only value. */
  readonly value: Value | undefined
}

/** By slot; undefined: not restricted. */
export type Box = readonly (Interval | undefined)[]

/** A list of IN has so many values, and no more are intersected. */
const MOST_BOXES = 4096
const MAX_DEPTH = 200

const FREE: Box = []
const ALL: readonly Box[] = [FREE]
const NOTHING: readonly Box[] = []

type Operator = 'equal' | 'less' | 'lessOrEqual' | 'greater' | 'greaterOrEqual'

const OPERATORS: Readonly<Partial<Record<number, Operator>>> = {
  [NODE.equal]: 'equal',
  [NODE.less]: 'less',
  [NODE.lessOrEqual]: 'lessOrEqual',
  [NODE.greater]: 'greater',
  [NODE.greaterOrEqual]: 'greaterOrEqual',
}
const MIRRORED: Readonly<Record<Operator, Operator>> = {
  equal: 'equal',
  less: 'greater',
  lessOrEqual: 'greaterOrEqual',
  greater: 'less',
  greaterOrEqual: 'lessOrEqual',
}
const PERCENT = 0x25
const UNDERSCORE = 0x5f
const BACKSLASH = 0x5c

export function point(key: Key): Interval {
  return { low: key, isLowOpen: false, high: key, isHighOpen: false, value: undefined }
}

/** The key of a point; undefined for more or less than one value. */
export function pointOf(interval: Interval | undefined): Key | undefined {
  if (interval === undefined || interval.isLowOpen || interval.isHighOpen) return undefined
  return interval.low === interval.high ? interval.low : undefined
}

/** Integers between two ends that are taken one by one. */
const MOST_INTEGERS = 256n

/** The first and the last integer of an interval; undefined when they are none, or too many. */
export function integersWithin(
  { kind }: ColumnType,
  interval: Interval | undefined,
): { readonly from: bigint; readonly to: bigint } | undefined {
  if (interval === undefined || (kind !== 'int' && kind !== 'unsigned')) return undefined
  const { low, high } = interval
  if (typeof low !== 'bigint' || typeof high !== 'bigint') return undefined
  const from = interval.isLowOpen ? low + 1n : low
  const to = interval.isHighOpen ? high - 1n : high
  return to - from < MOST_INTEGERS ? { from, to } : undefined
}

export class Boxes {
  private readonly table: TablePartitions
  private readonly expressions: Expressions
  private readonly session: PruneSession
  private readonly comparison: Comparison

  constructor(
    table: TablePartitions,
    expressions: Expressions,
    session: PruneSession,
    comparison: Comparison,
  ) {
    this.table = table
    this.expressions = expressions
    this.session = session
    this.comparison = comparison
  }

  /** The boxes of a condition; none when it cannot be true. */
  of(node: number, depth = 0): readonly Box[] {
    const { expressions } = this
    if (node === NO_NODE || depth > MAX_DEPTH) return ALL
    const kind = expressions.kind(node)
    switch (kind) {
      case NODE.and:
        return this.every(node, depth)
      case NODE.or:
        return this.some(node, depth)
      case NODE.equal:
      case NODE.less:
      case NODE.lessOrEqual:
      case NODE.greater:
      case NODE.greaterOrEqual:
        return this.compared(OPERATORS[kind] ?? 'equal', node)
      case NODE.nullSafeEqual:
        return this.nullSafe(node)
      case NODE.in:
        return this.listed(node)
      case NODE.between:
        return this.between(node)
      case NODE.isNull:
        return this.isNull(node)
      case NODE.like:
        return this.like(node)
      default:
        return ALL
    }
  }

  private every(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    let boxes = ALL
    for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
      const next = this.of(child, depth + 1)
      if (boxes.length * next.length <= MOST_BOXES) boxes = this.intersected(boxes, next)
      else if (next.length < boxes.length) boxes = next
    }
    return boxes
  }

  private some(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    const boxes: Box[] = []
    for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
      boxes.push(...this.of(child, depth + 1))
      if (boxes.length > MOST_BOXES) return ALL
    }
    return boxes.some(box => box.every(interval => interval === undefined)) ? ALL : boxes
  }

  private intersected(one: readonly Box[], other: readonly Box[]): readonly Box[] {
    if (one === ALL) return other
    if (other === ALL) return one
    const boxes: Box[] = []
    for (const left of one)
      for (const right of other) {
        const box = this.both(left, right)
        if (box !== undefined) boxes.push(box)
      }
    return boxes
  }

  /** Undefined when nothing is in both. */
  private both(one: Box, other: Box): Box | undefined {
    const box: (Interval | undefined)[] = []
    for (let slot = 0; slot < this.table.slots.length; slot++) {
      const [left, right] = [one[slot], other[slot]]
      const type = this.table.slots[slot]?.type
      if (left === undefined || right === undefined || type === undefined) {
        box[slot] = left ?? right
        continue
      }
      const inner = this.inner(slot, left, right)
      if (inner === undefined) return undefined
      box[slot] = inner
    }
    return box
  }

  private inner(slot: number, one: Interval, other: Interval): Interval | undefined {
    const type = this.table.slots[slot]?.type
    if (type === undefined) return one
    const compare = (left: Key, right: Key) => this.comparison.keys(type, left, right)
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

  // --- comparisons

  private compared(operator: Operator, node: number): readonly Box[] {
    const left = this.expressions.first(node)
    return this.pair(operator, left, this.expressions.next(left))
  }

  private pair(operator: Operator, left: number, right: number): readonly Box[] {
    const { expressions } = this
    if (expressions.kind(left) === NODE.row && expressions.kind(right) === NODE.row)
      return operator === 'equal' ? this.rows(left, right) : ALL
    const slot = this.slotOf(left)
    if (slot >= 0) return this.restricted(slot, operator, right)
    const mirrored = this.slotOf(right)
    return mirrored >= 0 ? this.restricted(mirrored, MIRRORED[operator], left) : ALL
  }

  private rows(left: number, right: number): readonly Box[] {
    const { expressions } = this
    if (expressions.children(left) !== expressions.children(right)) return ALL
    let boxes = ALL
    let other = expressions.first(right)
    for (let one = expressions.first(left); one !== NO_NODE; one = expressions.next(one)) {
      boxes = this.intersected(boxes, this.pair('equal', one, other))
      other = expressions.next(other)
    }
    return boxes
  }

  /** The slot that a node is; -1 for another thing. */
  private slotOf(node: number): number {
    const { expressions, table } = this
    if (expressions.kind(node) === NODE.column) return expressions.extra(node)
    if (expressions.kind(node) < NODE.call) return -1
    return table.slots.findIndex(
      ({ derived }) =>
        derived !== undefined &&
        sameExpression(
          { expressions, node },
          { expressions: derived.expressions, node: derived.node },
        ),
    )
  }

  private restricted(slot: number, operator: Operator, node: number): readonly Box[] {
    const value = this.known(node)
    if (value === undefined) return ALL
    if (value.kind === 'null') return NOTHING
    const found = this.table.slots[slot]
    if (found === undefined) return ALL
    const interval = this.intervalOf(found, operator, value)
    return isNever(found, operator, interval) ? NOTHING : this.within(slot, interval)
  }

  private known(node: number): Value | undefined {
    return evaluate(this.expressions, node, { session: this.session, column: () => undefined })
  }

  private intervalOf(slot: Slot, operator: Operator, value: Value): Interval | undefined {
    if (slot.type === undefined) return operator === 'equal' ? { ...point(null), value } : undefined
    const key =
      comparedKey(slot.type, value, this.session.timeZone) ?? betweenWhole(slot, operator, value)
    if (key === undefined) return undefined
    const none = { low: undefined, isLowOpen: true, high: undefined, isHighOpen: true }
    switch (operator) {
      case 'equal':
        return point(key)
      case 'less':
        return { ...none, high: key, value: undefined }
      case 'lessOrEqual':
        return { ...none, high: key, isHighOpen: false, value: undefined }
      case 'greater':
        return { ...none, low: key, value: undefined }
      case 'greaterOrEqual':
        return { ...none, low: key, isLowOpen: false, value: undefined }
    }
  }

  private within(slot: number, interval: Interval | undefined): readonly Box[] {
    if (interval === undefined) return ALL
    const box: (Interval | undefined)[] = []
    box[slot] = interval
    return [box]
  }

  private nullSafe(node: number): readonly Box[] {
    const { expressions } = this
    const left = expressions.first(node)
    const right = expressions.next(left)
    const slot = this.slotOf(left) >= 0 ? this.slotOf(left) : this.slotOf(right)
    const value = this.known(this.slotOf(left) >= 0 ? right : left)
    if (slot >= 0 && value?.kind === 'null') return this.nothingIn(slot)
    return this.compared('equal', node)
  }

  private isNull(node: number): readonly Box[] {
    const slot = this.slotOf(this.expressions.first(node))
    return slot < 0 ? ALL : this.nothingIn(slot)
  }

  private nothingIn(slot: number): readonly Box[] {
    const isTyped = this.table.slots[slot]?.type !== undefined
    return this.within(slot, { ...point(null), value: isTyped ? undefined : { kind: 'null' } })
  }

  private listed(node: number): readonly Box[] {
    const { expressions } = this
    const boxes: Box[] = []
    const sought = expressions.first(node)
    for (let one = expressions.next(sought); one !== NO_NODE; one = expressions.next(one)) {
      const found = this.pair('equal', sought, one)
      if (found === ALL || boxes.length > MOST_BOXES) return ALL
      boxes.push(...found)
    }
    return boxes
  }

  private between(node: number): readonly Box[] {
    const { expressions } = this
    const [sought, low, high] = [0, 1, 2].map(at => expressions.child(node, at))
    if (sought === undefined || low === undefined || high === undefined) return ALL
    return this.intersected(
      this.pair('greaterOrEqual', sought, low),
      this.pair('lessOrEqual', sought, high),
    )
  }

  /** Without a wildcard it is an equality. */
  private like(node: number): readonly Box[] {
    const { expressions } = this
    const sought = expressions.first(node)
    const pattern = expressions.next(sought)
    if (expressions.kind(pattern) !== NODE.text || this.session.charset === undefined) return ALL
    const bytes = textBytes(expressions, pattern, this.session.charset)
    const isPlain = !bytes.some(
      byte => byte === PERCENT || byte === UNDERSCORE || byte === BACKSLASH,
    )
    return isPlain && expressions.next(pattern) === NO_NODE
      ? this.pair('equal', sought, pattern)
      : ALL
  }
}

/** Whether one end is at least as far in as the other, which `compare` puts below it. */
function isInner(
  one: Key | undefined,
  isOneOpen: boolean,
  other: Key | undefined,
  compare: (left: Key, right: Key) => number,
): boolean {
  if (other === undefined) return true
  if (one === undefined) return false
  const difference = compare(one, other)
  return difference === 0 ? isOneOpen : difference > 0
}

/** A FLOAT column is compared as what it stores, which is no number with more digits. */
function isNever({ type }: Slot, operator: Operator, interval: Interval | undefined): boolean {
  if (type?.kind !== 'float' || operator !== 'equal') return false
  const key = pointOf(interval)
  return typeof key === 'number' && storedReal(type, key) !== key
}

/** Between two integers there are numbers that an integer column is above or below, but never equal to. */
function betweenWhole({ type }: Slot, operator: Operator, value: Value): Key | undefined {
  const isWhole = type?.kind === 'int' || type?.kind === 'unsigned'
  return isWhole && operator !== 'equal' && value.kind === 'decimal' ? value.value : undefined
}
