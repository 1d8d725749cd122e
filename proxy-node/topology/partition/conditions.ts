/**
 * Conditions over values that are known: 1, 0 or NULL, as MySQL's three-valued logic has it; undefined
 * when it depends on what is not known. Source: MySQL manual, "Comparison Functions and Operators".
 */
import { type Expressions, NO_NODE, NODE, type NodeKind } from '../../sql/expressions.ts'
import { compareDecimals, prefixOf, textOf } from './decimals.ts'
import { NULL_VALUE, stringOf, type Value } from './values.ts'

/** The value of a node; undefined when it is not known. */
export type Valued = (node: number) => Value | undefined

const TRUE: Value = { kind: 'integer', value: 1n }
const FALSE: Value = { kind: 'integer', value: 0n }

/** Unequal but for case: they are so in every collation. */
const LETTERS = /^[0-9A-Za-z]*$/

const COMPARISONS: Readonly<Partial<Record<number, (difference: number) => boolean>>> = {
  [NODE.equal]: difference => difference === 0,
  [NODE.notEqual]: difference => difference !== 0,
  [NODE.less]: difference => difference < 0,
  [NODE.lessOrEqual]: difference => difference <= 0,
  [NODE.greater]: difference => difference > 0,
  [NODE.greaterOrEqual]: difference => difference >= 0,
}

/** What the condition `node` is. */
export function judged(expressions: Expressions, node: number, value: Valued): Value | undefined {
  const kind = expressions.kind(node)
  const first = expressions.first(node)
  switch (kind) {
    case NODE.and:
      return joined(expressions, node, value, FALSE)
    case NODE.or:
      return joined(expressions, node, value, TRUE)
    case NODE.not:
      return denied(truthOf(value(first)))
    case NODE.truth:
      return truthOf(value(first))
    case NODE.isNull:
    case NODE.isNotNull:
      return nullity(value(first), kind === NODE.isNull)
    case NODE.in:
      return listed(expressions, node, value)
    case NODE.between:
      return between(expressions, node, value)
    default:
      return pair(kind, value(first), () => value(expressions.next(first)))
  }
}

/** Whether a value is true; NULL for NULL. */
export function truthOf(value: Value | undefined): Value | undefined {
  switch (value?.kind) {
    case 'null':
      return NULL_VALUE
    case 'integer':
      return of(value.value !== 0n)
    case 'double':
      return of(value.value !== 0)
    case 'decimal':
      return of(value.value.units !== 0n)
    case 'text': {
      const number = numberOf(value)
      return number === undefined ? undefined : of(number !== 0)
    }
    default:
      return undefined
  }
}

/** Below 0, 0, above 0; undefined when it is not known, NaN for texts of which only that they differ is. */
export function compared(one: Value, other: Value): number | undefined {
  if (one.kind === 'text' && other.kind === 'text') return comparedTexts(one, other)
  const [left, right] = [exactOf(one), exactOf(other)]
  if (left !== undefined && right !== undefined) return compareDecimals(left, right)
  const [first, second] = [numberOf(one), numberOf(other)]
  return first === undefined || second === undefined ? undefined : first - second
}

function comparedTexts(one: Value, other: Value): number | undefined {
  const [left, right] = [stringOf(one), stringOf(other)]
  if (left === undefined || right === undefined) return undefined
  if (left === right) return 0
  const isPlain = LETTERS.test(left) && LETTERS.test(right)
  return isPlain && left.toLowerCase() !== right.toLowerCase() ? Number.NaN : undefined
}

function of(holds: boolean): Value {
  return holds ? TRUE : FALSE
}

function denied(value: Value | undefined): Value | undefined {
  return value?.kind === 'integer' ? of(value.value === 0n) : value
}

/** AND, which one false decides, and OR, which one true does. */
function joined(
  expressions: Expressions,
  node: number,
  value: Valued,
  decides: Value,
): Value | undefined {
  let isKnown = true
  let hasNull = false
  for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
    const truth = truthOf(value(child))
    if (truth === decides) return decides
    if (truth === undefined) isKnown = false
    if (truth?.kind === 'null') hasNull = true
  }
  if (!isKnown) return undefined
  return hasNull ? NULL_VALUE : denied(decides)
}

function nullity(value: Value | undefined, isNull: boolean): Value | undefined {
  return value === undefined ? undefined : of((value.kind === 'null') === isNull)
}

function pair(
  kind: NodeKind,
  left: Value | undefined,
  rightOf: () => Value | undefined,
): Value | undefined {
  if (left === undefined) return undefined
  const right = rightOf()
  if (right === undefined) return undefined
  const hasNull = left.kind === 'null' || right.kind === 'null'
  if (kind === NODE.nullSafeEqual)
    return hasNull ? of(left.kind === right.kind) : ofValues(NODE.equal, left, right)
  const isKnown = COMPARISONS[kind] !== undefined
  if (!isKnown) return undefined
  return hasNull ? NULL_VALUE : ofValues(kind, left, right)
}

function ofValues(kind: NodeKind, left: Value, right: Value): Value | undefined {
  const difference = compared(left, right)
  if (difference === undefined) return undefined
  const isOrder = kind !== NODE.equal && kind !== NODE.notEqual
  if (Number.isNaN(difference) && isOrder) return undefined
  const holds = COMPARISONS[kind]?.(difference)
  return holds === undefined ? undefined : of(holds)
}

function listed(expressions: Expressions, node: number, value: Valued): Value | undefined {
  const first = expressions.first(node)
  const sought = value(first)
  if (sought === undefined) return undefined
  let answer: Value | undefined = FALSE
  for (let one = expressions.next(first); one !== NO_NODE; one = expressions.next(one)) {
    const found = pair(NODE.equal, sought, () => value(one))
    if (found === TRUE) return TRUE
    if (found === undefined) return undefined
    if (found.kind === 'null') answer = NULL_VALUE
  }
  return answer
}

function between(expressions: Expressions, node: number, value: Valued): Value | undefined {
  const first = expressions.first(node)
  const low = expressions.next(first)
  const sought = value(first)
  const above = pair(NODE.greaterOrEqual, sought, () => value(low))
  const below = pair(NODE.lessOrEqual, sought, () => value(expressions.next(low)))
  if (above === FALSE || below === FALSE) return FALSE
  if (above === undefined || below === undefined) return undefined
  return above === TRUE ? below : above
}

function exactOf(value: Value) {
  if (value.kind === 'integer') return { units: value.value, scale: 0 }
  return value.kind === 'decimal' ? value.value : undefined
}

/** As it is compared with a number: a text is the number that it begins with. */
export function numberOf(value: Value): number | undefined {
  if (value.kind === 'double') return value.value
  const text = stringOf(value)
  const decimal = text === undefined ? exactOf(value) : prefixOf(text)
  return decimal === undefined ? undefined : Number(textOf(decimal))
}
