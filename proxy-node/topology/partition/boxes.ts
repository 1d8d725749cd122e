/**
 * What a condition leaves of the slots: boxes, each an interval a slot, all of which together hold every
 * row that the condition can be true for. AND intersects, OR unites, NOT turns round what is below it.
 * Source: proxy-routing.md §5.8, §6.2; proxy-routing-tried.md "Ranges".
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import { ALL, intersected, type Measure, MOST_BOXES, NOTHING } from './box-sets.ts'
import type { Box, Operator } from './intervals.ts'
import { Restrictions } from './restrictions.ts'
import type { PruneSession } from './values.ts'

const MAX_DEPTH = 200

/** What NOT makes of a comparison. */
const DENIED: Readonly<Partial<Record<number, Operator>>> = {
  [NODE.notEqual]: 'equal',
  [NODE.less]: 'greaterOrEqual',
  [NODE.lessOrEqual]: 'greater',
  [NODE.greater]: 'lessOrEqual',
  [NODE.greaterOrEqual]: 'less',
}

export class Boxes {
  private readonly expressions: Expressions
  private readonly measure: Measure
  private readonly restrictions: Restrictions

  /** When `work` runs out on the way, the boxes are to be thrown away. */
  constructor(expressions: Expressions, session: PruneSession, measure: Measure) {
    this.expressions = expressions
    this.measure = measure
    this.restrictions = new Restrictions(expressions, session, measure)
  }

  /** The boxes of a statement's condition; none when it cannot be true. */
  of(root: number): readonly Box[] {
    this.restrictions.equate(root)
    return this.at(root, 0)
  }

  private at(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    if (node === NO_NODE || depth > MAX_DEPTH || this.measure.work.isSpent) return ALL
    const kind = expressions.kind(node)
    if (kind === NODE.and) return this.every(node, depth, false)
    if (kind === NODE.or) return this.some(node, depth, false)
    const boxes =
      kind === NODE.not
        ? this.denied(expressions.first(node), depth + 1)
        : this.restrictions.of(node)
    return boxes === ALL ? this.ofConstant(node) : boxes
  }

  /** Of the opposite of a condition. */
  private denied(node: number, depth: number): readonly Box[] {
    const { expressions } = this
    if (depth > MAX_DEPTH) return ALL
    const kind = expressions.kind(node)
    const operator = DENIED[kind]
    if (operator !== undefined) return this.restrictions.compared(operator, node)
    switch (kind) {
      case NODE.not:
        return this.at(expressions.first(node), depth + 1)
      case NODE.and:
        return this.some(node, depth, true)
      case NODE.or:
        return this.every(node, depth, true)
      case NODE.isNotNull:
        return this.restrictions.isNull(node)
      case NODE.between:
        return this.restrictions.outside(node)
      default:
        return ALL
    }
  }

  /** A condition that no column is in holds for all rows or for none. */
  private ofConstant(node: number): readonly Box[] {
    const value = this.restrictions.known(node)
    if (value === undefined) return ALL
    const holds = value.kind === 'integer' && value.value !== 0n
    return holds ? ALL : NOTHING
  }

  private every(node: number, depth: number, isDenied: boolean): readonly Box[] {
    const { expressions } = this
    let boxes = ALL
    for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
      const next = isDenied ? this.opposite(child, depth) : this.at(child, depth + 1)
      if (boxes.length * next.length <= MOST_BOXES) boxes = intersected(boxes, next, this.measure)
      else if (next.length < boxes.length) boxes = next
    }
    return boxes
  }

  private opposite(node: number, depth: number): readonly Box[] {
    const boxes = this.denied(node, depth + 1)
    if (boxes !== ALL) return boxes
    const value = this.restrictions.known(node)
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
}
