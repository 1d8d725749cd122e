/** Whether two expressions, each in its own arena, are written alike but for case and blanks. */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'

export type Written = { readonly expressions: Expressions; readonly node: number }

const MAX_DEPTH = 32

/** Columns are the same by their place in the list that both were read with. */
export function sameExpression(one: Written, other: Written, depth = 0): boolean {
  const kind = one.expressions.kind(one.node)
  if (depth > MAX_DEPTH || kind !== other.expressions.kind(other.node)) return false
  if (kind === NODE.unknown || kind === NODE.otherColumn) return false
  if (kind === NODE.column)
    return one.expressions.extra(one.node) === other.expressions.extra(other.node)
  const hasChildren = one.expressions.first(one.node) !== NO_NODE
  const isNamed = kind === NODE.call || kind === NODE.word || !hasChildren
  if (isNamed && textOf(one) !== textOf(other)) return false
  return sameChildren(one, other, depth)
}

function sameChildren(one: Written, other: Written, depth: number): boolean {
  let left = one.expressions.first(one.node)
  let right = other.expressions.first(other.node)
  while (left !== NO_NODE && right !== NO_NODE) {
    const [first, second] = [
      { ...one, node: left },
      { ...other, node: right },
    ]
    if (!sameExpression(first, second, depth + 1)) return false
    left = one.expressions.next(left)
    right = other.expressions.next(right)
  }
  return left === right
}

function textOf({ expressions, node }: Written): string {
  return expressions.text(node).toLowerCase()
}
