/**
 * Values of expressions: literals, columns whose value is known, arithmetic, and functions. What is not
 * known has no value (undefined), which is not NULL.
 * Source: proxy-routing.md §5.9; proxy-routing-tried.md "Expressions, casts".
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import type { Decimal } from './cells.ts'
import { judged, numberOf } from './conditions.ts'
import { halfEven } from './convert.ts'
import { shifted } from './date-functions.ts'
import { toScale } from './decimals.ts'
import { concat, FUNCTIONS } from './functions.ts'
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
  if (kind >= NODE.and)
    return judged(expressions, node, child => evaluate(expressions, child, environment, depth + 1))
  if (kind === NODE.concat) return concatenated(expressions, node, environment, depth)
  return literalValue(expressions, node, environment.session)
}

function concatenated(
  expressions: Expressions,
  node: number,
  environment: Environment,
  depth: number,
): Value | undefined {
  const first = expressions.first(node)
  const left = evaluate(expressions, first, environment, depth + 1)
  const right = evaluate(expressions, expressions.next(first), environment, depth + 1)
  if (left === undefined || right === undefined) return undefined
  return concat([left, right])
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
  for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
    const kind = expressions.kind(child)
    if (kind === NODE.word) {
      word = expressions.text(child).toLowerCase()
      continue
    }
    if (kind === NODE.interval) word = unitOf(expressions, child)
    const given = kind === NODE.interval ? expressions.first(child) : child
    const value = evaluate(expressions, given, environment, depth + 1)
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
  const second = expressions.next(first)
  if (expressions.kind(second) === NODE.interval)
    return withInterval(expressions, node, environment, depth)
  const left = evaluate(expressions, first, environment, depth + 1)
  if (left === undefined) return undefined
  const kind = expressions.kind(node)
  if (kind === NODE.negate) return negated(left)
  if (kind === NODE.bitNot) return inverted(left)
  const right = evaluate(expressions, second, environment, depth + 1)
  if (right === undefined) return undefined
  if (left.kind === 'null' || right.kind === 'null') return NULL_VALUE
  if (kind >= NODE.bitAnd) return bitsComputed(kind, bitsOf(left), bitsOf(right))
  if (isReal(left) || isReal(right)) return realComputed(kind, left, right)
  const [one, other] = [exact(left), exact(right)]
  return one === undefined || other === undefined ? undefined : exactComputed(kind, one, other)
}

/** `x ± INTERVAL n unit` */
function withInterval(
  expressions: Expressions,
  node: number,
  environment: Environment,
  depth: number,
): Value | undefined {
  const kind = expressions.kind(node)
  if (kind !== NODE.add && kind !== NODE.subtract) return undefined
  const first = expressions.first(node)
  const interval = expressions.next(first)
  const value = evaluate(expressions, first, environment, depth + 1)
  const amount = evaluate(expressions, expressions.first(interval), environment, depth + 1)
  const unit = unitOf(expressions, interval)
  return shifted(value, amount, { unit, sign: kind === NODE.add ? 1 : -1 })
}

function unitOf(expressions: Expressions, interval: number): string {
  return expressions.text(expressions.child(interval, 1)).toLowerCase()
}

/** A text is computed with as the real number that it begins with. */
function isReal({ kind }: Value): boolean {
  return kind === 'double' || kind === 'text'
}

function negated(value: Value): Value | undefined {
  switch (value.kind) {
    case 'null':
      return value
    case 'integer':
      return bounded(-value.value) ?? { kind: 'decimal', value: { units: -value.value, scale: 0 } }
    case 'double':
      return { kind: 'double', value: -value.value }
    case 'text': {
      const number = numberOf(value)
      return number === undefined ? undefined : { kind: 'double', value: -number }
    }
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
      return undefined
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

/** 64 bits of a number, rounded when it is none of integers. */
function bitsOf(value: Value): bigint | undefined {
  if (value.kind === 'double')
    return Number.isSafeInteger(Math.trunc(value.value)) ? bits(halfEven(value.value)) : undefined
  const decimal = exact(value)
  return decimal === undefined ? undefined : bits(toScale(decimal, 0).units)
}

function bits(value: bigint): bigint | undefined {
  return value < LEAST_INT || value > MOST_INT ? undefined : BigInt.asUintN(64, value)
}

function inverted(value: Value): Value | undefined {
  if (value.kind === 'null') return value
  const all = bitsOf(value)
  return all === undefined ? undefined : { kind: 'integer', value: BigInt.asUintN(64, ~all) }
}

function bitsComputed(
  kind: number,
  left: bigint | undefined,
  right: bigint | undefined,
): Value | undefined {
  if (left === undefined || right === undefined) return undefined
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
  const [one, other] = [numberOf(left), numberOf(right)]
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

function exactValue(units: bigint, scale: number): Value | undefined {
  return scale === 0 ? bounded(units) : { kind: 'decimal', value: { units, scale } }
}

/** Beyond 64 bits is an error, or a rule of its own. */
function bounded(value: bigint): Value | undefined {
  return value < LEAST_INT || value > MOST_INT ? undefined : { kind: 'integer', value }
}
