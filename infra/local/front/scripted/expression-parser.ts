/** Expressions by precedence: or, and, not, comparisons, sums, products, sign, operand. */
import type { Expression } from './statement.ts'
import type { TokensReader } from './tokens-reader.ts'

const COMPARISONS = ['=', '<=>', '<>', '!=', '<=', '>=', '<', '>']
/** Deeper nesting than this is refused instead of exhausting the stack. */
const MAX_DEPTH = 100

export function readExpression(reader: TokensReader, depth = 0): Expression {
  if (depth > MAX_DEPTH) throw reader.fail()
  let left = readAnd(reader, depth)
  while (reader.takeWords('or') || reader.takeSign('||'))
    left = binary('or', left, readAnd(reader, depth))
  return left
}

function binary(operator: string, left: Expression, right: Expression): Expression {
  return { kind: 'binary', operator, left, right }
}

function readAnd(reader: TokensReader, depth: number): Expression {
  let left = readNot(reader, depth)
  while (reader.takeWords('and') || reader.takeSign('&&'))
    left = binary('and', left, readNot(reader, depth))
  return left
}

function readNot(reader: TokensReader, depth: number): Expression {
  if (depth > MAX_DEPTH) throw reader.fail()
  return reader.takeWords('not') || reader.takeSign('!')
    ? not(readNot(reader, depth + 1))
    : readComparison(reader, depth)
}

function not(operand: Expression): Expression {
  return { kind: 'unary', operator: 'not', operand }
}

function readComparison(reader: TokensReader, depth: number): Expression {
  const left = readSum(reader, depth)
  if (reader.takeWords('is')) {
    const isNegated = reader.takeWords('not')
    reader.needWords('null')
    const test: Expression = { kind: 'is-null', operand: left }
    return isNegated ? not(test) : test
  }
  const isNegated = reader.takeWords('not')
  const range = readRange(reader, left, depth)
  if (range !== undefined) return isNegated ? not(range) : range
  if (isNegated) throw reader.fail()
  const sign = COMPARISONS.find(comparison => reader.takeSign(comparison))
  if (sign === undefined) return left
  return binary(sign === '!=' ? '<>' : sign, left, readSum(reader, depth))
}

function readRange(reader: TokensReader, left: Expression, depth: number): Expression | undefined {
  if (reader.takeWords('in')) {
    reader.needSign('(')
    const list = reader.list(() => readExpression(reader, depth + 1))
    reader.needSign(')')
    return { kind: 'in', operand: left, list }
  }
  if (reader.takeWords('like')) return binary('like', left, readSum(reader, depth))
  if (!reader.takeWords('between')) return undefined
  const least = readSum(reader, depth)
  reader.needWords('and')
  return binary('and', binary('>=', left, least), binary('<=', left, readSum(reader, depth)))
}

function readSum(reader: TokensReader, depth: number): Expression {
  let left = readProduct(reader, depth)
  for (;;) {
    if (reader.takeSign('+')) left = binary('+', left, readProduct(reader, depth))
    else if (reader.takeSign('-')) left = binary('-', left, readProduct(reader, depth))
    else return left
  }
}

function readProduct(reader: TokensReader, depth: number): Expression {
  let left = readSigned(reader, depth)
  for (;;) {
    const sign = ['*', '/', '%'].find(candidate => reader.takeSign(candidate))
    if (sign === undefined) return left
    left = binary(sign, left, readSigned(reader, depth))
  }
}

function readSigned(reader: TokensReader, depth: number): Expression {
  if (depth > MAX_DEPTH) throw reader.fail()
  if (reader.takeSign('+')) return readSigned(reader, depth + 1)
  if (!reader.takeSign('-')) return readOperand(reader, depth)
  const operand = readSigned(reader, depth + 1)
  return operand.kind === 'value' && typeof operand.value === 'number'
    ? { kind: 'value', value: -operand.value }
    : { kind: 'unary', operator: '-', operand }
}

function readOperand(reader: TokensReader, depth: number): Expression {
  if (reader.takeSign('(')) {
    const inside = readExpression(reader, depth + 1)
    reader.needSign(')')
    return inside
  }
  if (reader.takeSign('?')) {
    reader.parameters += 1
    return { kind: 'parameter', index: reader.parameters - 1 }
  }
  const { next } = reader
  if (next.kind === 'number') return readNumber(reader)
  if (next.kind === 'string') return { kind: 'value', value: reader.take().text }
  if (next.kind === 'variable')
    return { kind: 'variable', name: reader.take().text.replace(/^\w+\./, '') }
  if (next.kind === 'user-variable') return readUserVariable(reader, depth)
  return readNamed(reader, depth)
}

function readUserVariable(reader: TokensReader, depth: number): Expression {
  const name = reader.take().text
  if (!reader.takeSign(':=')) return { kind: 'user-variable', name }
  return { kind: 'assign', name, value: readExpression(reader, depth + 1) }
}

/** Numbers that a double cannot hold exactly are refused: wrong digits would be worse. */
function readNumber(reader: TokensReader): Expression {
  const value = Number(reader.next.text)
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    throw reader.fail()
  reader.take()
  return { kind: 'value', value }
}

const CONSTANTS: Readonly<Record<string, null | number>> = { null: null, true: 1, false: 0 }

function readNamed(reader: TokensReader, depth: number): Expression {
  const isWord = reader.next.kind === 'word'
  const name = reader.needName()
  const lower = name.toLowerCase()
  const constant = isWord ? CONSTANTS[lower] : undefined
  if (constant !== undefined) return { kind: 'value', value: constant }
  if (isWord && reader.takeSign('(')) return readCall(reader, lower, depth)
  if (lower === 'current_user') return { kind: 'call', name: lower, args: [] }
  // `t.c`, `d.t.c`: statements of tables have one at most, its name is not looked at again there.
  let column = name
  let of: string | undefined
  while (reader.takeSign('.')) {
    of = column
    column = reader.needName()
  }
  return of === undefined ? { kind: 'column', name: column } : { kind: 'column', name: column, of }
}

function readCall(reader: TokensReader, name: string, depth: number): Expression {
  if (reader.takeSign(')')) return { kind: 'call', name, args: [] }
  if (name === 'count' && reader.takeSign('*')) {
    reader.needSign(')')
    return { kind: 'call', name, args: [] }
  }
  const args = reader.list(() => readExpression(reader, depth + 1))
  reader.needSign(')')
  return { kind: 'call', name, args }
}
