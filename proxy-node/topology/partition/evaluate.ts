/**
 * Values of expressions: literals, columns whose value is known, arithmetic, and functions. What is not
 * known has no value (undefined), which is not NULL.
 * Source: proxy-routing.md §5.9; proxy-routing-tried.md "Expressions, casts".
 */
import { type Expressions, NODE } from '../../sql/expressions.ts'
import type { Decimal } from './cells.ts'
import { toScale } from './decimals.ts'
import { FUNCTIONS } from './functions.ts'
import { literalValue, NULL_VALUE, type PruneSession, type Value } from './values.ts'

export type Environment = {
  readonly session: PruneSession
  /** The value of a column by its place in the list; undefined when it is not known. */
  readonly column: (place: number) => Value | undefined
}

const LEAST_INT = -(2n ** 63n)
const MOST_INT = 2n ** 64n - 1n
/** Digits that a division adds behind the point (div_precision_increment). */
const DIVISION_DIGITS = 4
const MOST_SCALE = 30
const MAX_DEPTH = 200

/** The value of `node`; undefined when it cannot be known. */
export function evaluate(
  expressions: Expressions,
  node: number,
  environment: Environment,
  depth = 0,
): Value | undefined {
  if (depth > MAX_DEPTH) return undefined
  const kind = expressions.kind(node)
  if (kind === NODE.column) return environment.column(expressions.extra(node))
  if (kind === NODE.call) return called(expressions, node, environment, depth)
  if (kind >= NODE.negate && kind <= NODE.bitNot)
    return computed(expressions, node, environment, depth)
  return literalValue(expressions, node, environment.session)
}

function called(
  expressions: Expressions,
  node: number,
  environment: Environment,
  depth: number,
): Value | undefined {
  const name = expressions.text(node).toLowerCase()
  const apply = FUNCTIONS.get(name)
  if (apply === undefined) return undefined
  const values: Value[] = []
  let word = ''
  for (let child = expressions.first(node); child !== 0; child = expressions.next(child)) {
    if (expressions.kind(child) === NODE.word) {
      word = expressions.text(child).toLowerCase()
      continue
    }
    const value = evaluate(expressions, child, environment, depth + 1)
    if (value === undefined) return undefined
    values.push(value)
  }
  const { session } = environment
  return apply(values, { session, word, form: expressions.extra(node) })
}

function computed(
  expressions: Expressions,
  node: number,
  environment: Environment,
  depth: number,
): Value | undefined {
  const first = expressions.first(node)
  const left = evaluate(expressions, first, environment, depth + 1)
  if (left === undefined) return undefined
  const kind = expressions.kind(node)
  if (kind === NODE.negate) return negated(left)
  if (kind === NODE.bitNot) return undefined
  const right = evaluate(expressions, expressions.next(first), environment, depth + 1)
  if (right === undefined) return undefined
  if (left.kind === 'null' || right.kind === 'null') return NULL_VALUE
  if (left.kind === 'double' || right.kind === 'double') return realComputed(kind, left, right)
  const [one, other] = [exact(left), exact(right)]
  return one === undefined || other === undefined ? undefined : exactComputed(kind, one, other)
}

function negated(value: Value): Value | undefined {
  switch (value.kind) {
    case 'null':
      return value
    case 'integer':
      return bounded(-value.value) ?? { kind: 'decimal', value: { units: -value.value, scale: 0 } }
    case 'double':
      return { kind: 'double', value: -value.value }
    case 'decimal':
      return { kind: 'decimal', value: { ...value.value, units: -value.value.units } }
    default:
      return undefined
  }
}

function exact(value: Value): Decimal | undefined {
  if (value.kind === 'integer') return { units: value.value, scale: 0 }
  return value.kind === 'decimal' ? value.value : undefined
}

function exactComputed(kind: number, left: Decimal, right: Decimal): Value | undefined {
  const scale = Math.max(left.scale, right.scale)
  const one = toScale(left, scale).units
  const other = toScale(right, scale).units
  switch (kind) {
    case NODE.add:
      return exactValue(one + other, scale)
    case NODE.subtract:
      return exactValue(one - other, scale)
    case NODE.multiply:
      return exactValue(left.units * right.units, left.scale + right.scale)
    case NODE.divide:
      return divided(left, right)
    case NODE.quotient:
      return other === 0n ? NULL_VALUE : exactValue(one / other, 0)
    case NODE.modulo:
      return other === 0n ? NULL_VALUE : exactValue(one % other, scale)
    default:
      return scale === 0 ? bitsComputed(kind, one, other) : undefined
  }
}

function divided(left: Decimal, right: Decimal): Value | undefined {
  if (right.units === 0n) return NULL_VALUE
  const scale = Math.min(MOST_SCALE, left.scale + DIVISION_DIGITS)
  // One digit more than is kept, which is then rounded.
  const shift = scale + 1 - left.scale + right.scale
  const numerator = left.units * 10n ** BigInt(Math.max(0, shift))
  const value = toScale({ units: numerator / right.units, scale: scale + 1 }, scale)
  return { kind: 'decimal', value }
}

function bitsComputed(kind: number, one: bigint, other: bigint): Value | undefined {
  const [left, right] = [BigInt.asUintN(64, one), BigInt.asUintN(64, other)]
  switch (kind) {
    case NODE.bitAnd:
      return { kind: 'integer', value: left & right }
    case NODE.bitOr:
      return { kind: 'integer', value: left | right }
    case NODE.bitXor:
      return { kind: 'integer', value: left ^ right }
    case NODE.shiftLeft:
      return { kind: 'integer', value: right > 63n ? 0n : BigInt.asUintN(64, left << right) }
    case NODE.shiftRight:
      return { kind: 'integer', value: right > 63n ? 0n : left >> right }
    default:
      return undefined
  }
}

function realComputed(kind: number, left: Value, right: Value): Value | undefined {
  const [one, other] = [real(left), real(right)]
  if (one === undefined || other === undefined) return undefined
  switch (kind) {
    case NODE.add:
      return { kind: 'double', value: one + other }
    case NODE.subtract:
      return { kind: 'double', value: one - other }
    case NODE.multiply:
      return { kind: 'double', value: one * other }
    case NODE.divide:
      return other === 0 ? NULL_VALUE : { kind: 'double', value: one / other }
    default:
      return undefined
  }
}

function real(value: Value): number | undefined {
  if (value.kind === 'double') return value.value
  if (value.kind === 'integer') return Number(value.value)
  if (value.kind !== 'decimal') return undefined
  return Number(value.value.units) / 10 ** value.value.scale
}

function exactValue(units: bigint, scale: number): Value | undefined {
  return scale === 0 ? bounded(units) : { kind: 'decimal', value: { units, scale } }
}

/** Beyond 64 bits is an error, or a rule of its own. */
function bounded(value: bigint): Value | undefined {
  return value < LEAST_INT || value > MOST_INT ? undefined : { kind: 'integer', value }
}
