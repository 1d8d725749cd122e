/**
 * What a condition leaves of the slots: boxes, each an interval a slot, all of which together hold every
 * row that the condition can be true for. AND intersects, OR unites, what is not understood restricts
 * nothing. Source: proxy-routing.md §5.8, §6.2; proxy-routing-tried.md "Ranges".
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import type { Comparison } from './compare.ts'
import { comparedKey } from './convert.ts'
import { Equated } from './equated.ts'
import { evaluate } from './evaluate.ts'
import type { Key } from './hash.ts'
import {
  type Box,
  betweenWhole,
  type Interval,
  intervalOf,
  isComparedOtherwise,
  isInner,
  isNever,
  type Operator,
  point,
} from './intervals.ts'
import { sameExpression } from './same-expression.ts'
import type { Slot, TablePartitions } from './table-partitions.ts'
import type { PruneSession, Value } from './values.ts'

/** A list of IN has so many values, and no more are intersected. */
const MOST_BOXES = 4096
const MAX_DEPTH = 200

const FREE: Box = []
const ALL: readonly Box[] = [FREE]
const NOTHING: readonly Box[] = []

const OPERATORS: Readonly<Partial<Record<number, Operator>>> = {
  [NODE.equal]: 'equal',
  [NODE.less]: 'less',
  [NODE.lessOrEqual]: 'lessOrEqual',
  [NODE.greater]: 'greater',
  [NODE.greaterOrEqual]: 'greaterOrEqual',
}
/** What NOT makes of a comparison. */
const DENIED: Readonly<Partial<Record<number, Operator>>> = {
  [NODE.notEqual]: 'equal',
  [NODE.less]: 'greaterOrEqual',
  [NODE.lessOrEqual]: 'greater',
  [NODE.greater]: 'lessOrEqual',
  [NODE.greaterOrEqual]: 'less',
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

export class Boxes {
  private readonly table: TablePartitions
  private readonly expressions: Expressions
  private readonly session: PruneSession
  private readonly comparison: Comparison
  private readonly equated: Equated

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
    this.equated = new Equated(expressions)
  }

  /** The boxes of a statement's condition; none when it cannot be true. */
  of(root: number): readonly Box[] {
    this.equated.collect(root)
    return this.at(root, 0)
  }

  private at(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    if (node === NO_NODE || depth > MAX_DEPTH) return ALL
    const kind = expressions.kind(node)
    if (kind === NODE.and) return this.every(node, depth, false)
    if (kind === NODE.or) return this.some(node, depth, false)
    const boxes =
      kind === NODE.not ? this.denied(expressions.first(node), depth + 1) : this.leaf(node)
    return boxes === ALL ? this.ofConstant(node) : boxes
  }

  /** Of the opposite of a condition. */
  private denied(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    if (depth > MAX_DEPTH) return ALL
    const kind = expressions.kind(node)
    const operator = DENIED[kind]
    if (operator !== undefined) return this.compared(operator, node)
    switch (kind) {
      case NODE.not:
        return this.at(expressions.first(node), depth + 1)
      case NODE.and:
        return this.some(node, depth, true)
      case NODE.or:
        return this.every(node, depth, true)
      case NODE.isNotNull:
        return this.isNull(node)
      case NODE.between:
        return this.outside(node)
      default:
        return ALL
    }
  }

  /** A condition that no column is in holds for all rows or for none. */
  private ofConstant(node: number): readonly Box[] {
    const value = this.known(node)
    if (value === undefined) return ALL
    const holds = value.kind === 'integer' && value.value !== 0n
    return holds ? ALL : NOTHING
  }

  private leaf(node: number): readonly Box[] {
    const kind = this.expressions.kind(node)
    switch (kind) {
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

  private every(node: number, depth: number, isDenied: boolean): readonly Box[] {
    const { expressions } = this
    let boxes = ALL
    for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
      const next = isDenied ? this.opposite(child, depth) : this.at(child, depth + 1)
      if (boxes.length * next.length <= MOST_BOXES) boxes = this.intersected(boxes, next)
      else if (next.length < boxes.length) boxes = next
    }
    return boxes
  }

  private opposite(node: number, depth: number): readonly Box[] {
    const boxes = this.denied(node, depth + 1)
    if (boxes !== ALL) return boxes
    const value = this.known(node)
    return value?.kind === 'null' || (value?.kind === 'integer' && value.value !== 0n)
      ? NOTHING
      : ALL
  }

  private some(node: number, depth: number, isDenied: boolean): readonly Box[] {
    const { expressions } = this
    const boxes: Box[] = []
    for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
      const next = isDenied ? this.opposite(child, depth) : this.at(child, depth + 1)
      if (next === ALL) return ALL
      boxes.push(...next)
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
    if (mirrored >= 0) return this.restricted(mirrored, MIRRORED[operator], left)
    const equal = this.equated.slotOf(left)
    if (equal >= 0) return this.restrictedEqual(equal, operator, right)
    const other = this.equated.slotOf(right)
    return other >= 0 ? this.restrictedEqual(other, MIRRORED[operator], left) : ALL
  }

  /** By a column that is equal to a key. Of its type nothing is known, so that only integers count. */
  private restrictedEqual(slot: number, operator: Operator, node: number): readonly Box[] {
    const kind = this.table.slots[slot]?.type?.kind
    const isWhole = kind === 'int' || kind === 'unsigned'
    return isWhole && this.known(node)?.kind === 'integer'
      ? this.restricted(slot, operator, node)
      : ALL
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
    const { timeZone } = this.session
    const key = comparedKey(slot.type, value, timeZone) ?? betweenWhole(slot, operator, value)
    return key === undefined ? undefined : intervalOf(operator, key)
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
    if (this.isMixed([sought, low, high])) return ALL
    return this.intersected(
      this.pair('greaterOrEqual', sought, low),
      this.pair('lessOrEqual', sought, high),
    )
  }

  private outside(node: number): readonly Box[] {
    const { expressions } = this
    const [sought, low, high] = [0, 1, 2].map(at => expressions.child(node, at))
    if (sought === undefined || low === undefined || high === undefined) return ALL
    if (this.isMixed([sought, low, high])) return ALL
    const [below, above] = [this.pair('less', sought, low), this.pair('greater', sought, high)]
    return below === ALL || above === ALL ? ALL : [...below, ...above]
  }

  /** A text between numbers is compared as a number, a time between moments as a moment. */
  private isMixed(operands: readonly number[]): boolean {
    const slots = operands.map(node => this.slotOf(node))
    const values = operands.filter((_node, at) => slots[at] === -1).map(node => this.known(node))
    return slots.some(slot => {
      const type = this.table.slots[slot]?.type
      return type !== undefined && isComparedOtherwise(type, values)
    })
  }

  /** Without a wildcard it is an equality. */
  private like(node: number): readonly Box[] {
    const { expressions } = this
    const sought = expressions.first(node)
    const pattern = expressions.next(sought)
    const value = this.known(pattern)
    if (value?.kind !== 'text') return ALL
    const isPlain = !value.bytes.some(
      byte => byte === PERCENT || byte === UNDERSCORE || byte === BACKSLASH,
    )
    return isPlain && expressions.next(pattern) === NO_NODE
      ? this.pair('equal', sought, pattern)
      : ALL
  }
}
