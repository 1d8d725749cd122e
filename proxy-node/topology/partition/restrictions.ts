/**
 * What a single condition leaves of the slots: a slot is compared with values that are known, by a
 * comparison, IN, BETWEEN, IS NULL or LIKE. What is not understood restricts nothing.
 * Source: proxy-routing.md §5.8, §6.2; proxy-routing-tried.md "Ranges".
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import { ALL, intersected, type Measure, MOST_BOXES, NOTHING } from './box-sets.ts'
import { comparedKey } from './convert.ts'
import { Equated } from './equated.ts'
import { evaluate } from './evaluate.ts'
import {
  type Box,
  betweenWhole,
  type Interval,
  intervalOf,
  isComparedOtherwise,
  isNever,
  type Operator,
  point,
} from './intervals.ts'
import { sameExpression } from './same-expression.ts'
import type { Slot } from './table-partitions.ts'
import type { PruneSession, Value } from './values.ts'

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

/** Of the conditions of one statement. When work runs out on the way, they are to be thrown away. */
export class Restrictions {
  private readonly expressions: Expressions
  private readonly session: PruneSession
  private readonly measure: Measure
  private readonly equated: Equated

  constructor(expressions: Expressions, session: PruneSession, measure: Measure) {
    this.expressions = expressions
    this.session = session
    this.measure = measure
    this.equated = new Equated(expressions)
  }

  /** Columns that `root` says are equal to a slot restrict it from here on. */
  equate(root: number): void {
    this.equated.collect(root)
  }

  /** Of any other condition than AND, OR and NOT. */
  of(node: number): readonly Box[] {
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

  /** Both operands of `node`, compared by `operator`, whatever its own is. */
  compared(operator: Operator, node: number): readonly Box[] {
    const left = this.expressions.first(node)
    return this.pair(operator, left, this.expressions.next(left))
  }

  /** The operand of `node` is a slot that has no value. */
  isNull(node: number): readonly Box[] {
    const slot = this.slotOf(this.expressions.first(node))
    return slot < 0 ? ALL : this.nothingIn(slot)
  }

  /** The opposite of the BETWEEN at `node`. */
  outside(node: number): readonly Box[] {
    const { expressions } = this
    const [sought, low, high] = [0, 1, 2].map(at => expressions.child(node, at))
    if (sought === undefined || low === undefined || high === undefined) return ALL
    if (this.isMixed([sought, low, high])) return ALL
    const [below, above] = [this.pair('less', sought, low), this.pair('greater', sought, high)]
    return below === ALL || above === ALL ? ALL : [...below, ...above]
  }

  /** The value of a node that no column is in; undefined when it is not known. */
  known(node: number): Value | undefined {
    const { expressions, session } = this
    const { work } = this.measure
    return evaluate(expressions, node, { session, column: () => undefined, work })
  }

  // --- comparisons

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
    const kind = this.measure.table.slots[slot]?.type?.kind
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
      boxes = intersected(boxes, this.pair('equal', one, other), this.measure)
      other = expressions.next(other)
    }
    return boxes
  }

  /** The slot that a node is; -1 for another thing. */
  private slotOf(node: number): number {
    const { expressions } = this
    const { table } = this.measure
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
    const found = this.measure.table.slots[slot]
    if (found === undefined) return ALL
    const interval = this.intervalOf(found, operator, value)
    return isNever(found, operator, interval) ? NOTHING : this.within(slot, interval)
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

  private nothingIn(slot: number): readonly Box[] {
    const isTyped = this.measure.table.slots[slot]?.type !== undefined
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
    return intersected(
      this.pair('greaterOrEqual', sought, low),
      this.pair('lessOrEqual', sought, high),
      this.measure,
    )
  }

  /** A text between numbers is compared as a number, a time between moments as a moment. */
  private isMixed(operands: readonly number[]): boolean {
    const slots = operands.map(node => this.slotOf(node))
    const values = operands.filter((_node, at) => slots[at] === -1).map(node => this.known(node))
    return slots.some(slot => {
      const type = this.measure.table.slots[slot]?.type
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
