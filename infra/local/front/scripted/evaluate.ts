/** Values of expressions: numbers, texts without case, NULL that spreads, as MySQL has them. */
import type { Cell } from '../codec.ts'
import { SqlError } from './sql-error.ts'
import type { ColumnType, Expression } from './statement.ts'

/** What an expression may look at. */
export type Scope = {
  /** Value of a column of the row at hand. @throws SqlError 1054 */
  readonly column: (name: string, of?: string) => Cell
  readonly columnType: (name: string) => ColumnType
  /** @throws SqlError 1193 */
  readonly variable: (name: string) => Cell
  readonly userVariable: (name: string) => Cell
  readonly assign: (name: string, value: Cell) => void
  readonly parameters: readonly Cell[]
  /** Functions that tell of the session: `connection_id`, `database`, … */
  readonly session: Readonly<Record<string, (args: readonly Cell[]) => Cell>>
}

/** A value above this is an error instead of memory. */
const MAX_TEXT_BYTES = 64 << 20

export function evaluate(expression: Expression, scope: Scope): Cell {
  switch (expression.kind) {
    case 'value':
      return expression.value
    case 'parameter':
      return scope.parameters[expression.index] ?? null
    case 'column':
      return scope.column(expression.name, expression.of)
    case 'variable':
      return scope.variable(expression.name)
    case 'user-variable':
      return scope.userVariable(expression.name)
    case 'assign':
      return assign(expression.name, evaluate(expression.value, scope), scope)
    case 'call':
      return call(expression.name, expression.args, scope)
    case 'is-null':
      return evaluate(expression.operand, scope) === null ? 1 : 0
    case 'in':
      return isIn(expression.operand, expression.list, scope)
    case 'unary':
      return unary(expression.operator, evaluate(expression.operand, scope))
    case 'binary':
      return binary(expression, scope)
  }
}

function assign(name: string, value: Cell, scope: Scope): Cell {
  scope.assign(name, value)
  return value
}

export function isTrue(value: Cell): boolean {
  return value !== null && numberOf(value) !== 0
}

/** MySQL's number of a text is what it begins with. */
export function numberOf(value: string | number): number {
  if (typeof value === 'number') return value
  return Number(/^\s*[-+]?\d*\.?\d+(?:e[-+]?\d+)?/i.exec(value)?.[0] ?? 0)
}

/** Below, at or above 0; texts compare without case. */
export function compare(left: string | number, right: string | number): number {
  if (typeof left === 'number' || typeof right === 'number') return numberOf(left) - numberOf(right)
  const [a, b] = [left.toLowerCase(), right.toLowerCase()]
  if (a === b) return 0
  return a < b ? -1 : 1
}

function unary(operator: '-' | 'not', value: Cell): Cell {
  if (value === null) return null
  if (operator === '-') return -numberOf(value)
  return isTrue(value) ? 0 : 1
}

function isIn(operand: Expression, list: readonly Expression[], scope: Scope): Cell {
  const value = evaluate(operand, scope)
  if (value === null) return null
  const others = list.map(item => evaluate(item, scope))
  if (others.some(other => other !== null && compare(value, other) === 0)) return 1
  return others.includes(null) ? null : 0
}

type Binary = Extract<Expression, { kind: 'binary' }>

function binary({ operator, left, right }: Binary, scope: Scope): Cell {
  const a = evaluate(left, scope)
  if (operator === 'and' || operator === 'or')
    return operator === 'and' ? and(a, right, scope) : or(a, right, scope)
  const b = evaluate(right, scope)
  if (operator === '<=>') return toBit(a === b || (a !== null && b !== null && compare(a, b) === 0))
  if (a === null || b === null) return null
  return COMPARE[operator]?.(a, b) ?? arithmetic(operator, numberOf(a), numberOf(b))
}

function and(left: Cell, right: Expression, scope: Scope): Cell {
  if (left !== null && !isTrue(left)) return 0
  const value = evaluate(right, scope)
  if (value !== null && !isTrue(value)) return 0
  return left === null || value === null ? null : 1
}

function or(left: Cell, right: Expression, scope: Scope): Cell {
  if (isTrue(left)) return 1
  const value = evaluate(right, scope)
  if (isTrue(value)) return 1
  return left === null || value === null ? null : 0
}

function toBit(holds: boolean): number {
  return holds ? 1 : 0
}

type Compare = (left: string | number, right: string | number) => number

const COMPARE: Readonly<Record<string, Compare>> = {
  '=': (a, b) => toBit(compare(a, b) === 0),
  '<>': (a, b) => toBit(compare(a, b) !== 0),
  '<': (a, b) => toBit(compare(a, b) < 0),
  '>': (a, b) => toBit(compare(a, b) > 0),
  '<=': (a, b) => toBit(compare(a, b) <= 0),
  '>=': (a, b) => toBit(compare(a, b) >= 0),
  like: (text, pattern) => toBit(isLike(String(text), String(pattern))),
}

/** Whether a text fits a pattern of `%` and `_`, without case; linear, so that no pattern hangs it. */
export function isLike(text: string, pattern: string): boolean {
  const [subject, shape] = [text.toLowerCase(), pattern.toLowerCase()]
  let [at, in_, star, mark] = [0, 0, -1, 0]
  while (at < subject.length) {
    if (shape[in_] === '%') {
      star = in_++
      mark = at
    } else if (shape[in_] === '_' || shape[in_] === subject[at]) {
      in_ += 1
      at += 1
    } else if (star >= 0) {
      in_ = star + 1
      at = ++mark
    } else return false
  }
  while (shape[in_] === '%') in_ += 1
  return in_ === shape.length
}

function arithmetic(operator: string, left: number, right: number): Cell {
  if (operator === '+') return left + right
  if (operator === '-') return left - right
  if (operator === '*') return left * right
  if (right === 0) return null
  return operator === '/' ? left / right : left % right
}

type Function = (args: readonly (string | number)[]) => Cell

/** Functions of values; NULL among the arguments makes NULL. */
const FUNCTIONS: Readonly<Record<string, { readonly arity: number; readonly of: Function }>> = {
  repeat: { arity: 2, of: ([text, count]) => repeat(String(text), numberOf(count ?? 0)) },
  length: { arity: 1, of: ([text]) => Buffer.byteLength(String(text)) },
  char_length: { arity: 1, of: ([text]) => [...String(text)].length },
  upper: { arity: 1, of: ([text]) => String(text).toUpperCase() },
  lower: { arity: 1, of: ([text]) => String(text).toLowerCase() },
  concat: { arity: -1, of: args => args.join('') },
  abs: { arity: 1, of: ([value]) => Math.abs(numberOf(value ?? 0)) },
  // The engine itself waits, before it evaluates.
  sleep: { arity: 1, of: () => 0 },
}

function repeat(text: string, count: number): string {
  const times = Math.max(0, Math.trunc(count))
  if (Buffer.byteLength(text) * times > MAX_TEXT_BYTES)
    throw new SqlError(1301, 'HY000', `result of repeat() was larger than ${MAX_TEXT_BYTES} bytes`)
  return text.repeat(times)
}

function call(name: string, args: readonly Expression[], scope: Scope): Cell {
  const ofSession = scope.session[name]
  if (ofSession !== undefined) return ofSession(args.map(arg => evaluate(arg, scope)))
  const known = FUNCTIONS[name]
  if (known === undefined || (known.arity >= 0 && known.arity !== args.length))
    throw new SqlError(1305, '42000', `FUNCTION ${name} does not exist in the scripted engine`)
  const values: (string | number)[] = []
  for (const arg of args) {
    const value = evaluate(arg, scope)
    if (value === null) return null
    values.push(value)
  }
  return known.of(values)
}

const INTEGER_FUNCTIONS = [
  'length',
  'char_length',
  'sleep',
  'connection_id',
  'count',
  'last_insert_id',
  'row_count',
  'found_rows',
  'get_lock',
  'release_lock',
  'release_all_locks',
  'is_free_lock',
  'is_used_lock',
]

/** The type that a result column of this expression announces. */
export function typeOf(expression: Expression, scope: Scope): ColumnType {
  switch (expression.kind) {
    case 'column':
      return scope.columnType(expression.name)
    case 'call':
      return typeOfCall(expression.name, expression.args, scope)
    case 'in':
    case 'is-null':
      return 'integer'
    case 'unary':
      return expression.operator === 'not' ? 'integer' : numericType(expression.operand, scope)
    case 'binary':
      return typeOfBinary(expression, scope)
    case 'assign':
      return typeOf(expression.value, scope)
    default:
      return typeOfValue(evaluate(expression, scope))
  }
}

function typeOfValue(value: Cell): ColumnType {
  if (typeof value !== 'number') return 'text'
  return Number.isInteger(value) ? 'integer' : 'double'
}

function typeOfCall(name: string, args: readonly Expression[], scope: Scope): ColumnType {
  const [first] = args
  if (INTEGER_FUNCTIONS.includes(name)) return 'integer'
  if (['min', 'max'].includes(name) && first !== undefined) return typeOf(first, scope)
  if (['sum', 'abs'].includes(name) && first !== undefined) return numericType(first, scope)
  return 'text'
}

function numericType(operand: Expression, scope: Scope): ColumnType {
  return typeOf(operand, scope) === 'integer' ? 'integer' : 'double'
}

function typeOfBinary({ operator, left, right }: Binary, scope: Scope): ColumnType {
  if (!['+', '-', '*', '/', '%'].includes(operator)) return 'integer'
  if (operator === '/') return 'double'
  const bothWhole = [left, right].every(side => numericType(side, scope) === 'integer')
  return bothWhole ? 'integer' : 'double'
}
