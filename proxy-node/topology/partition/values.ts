/**
 * Values as a statement has them: by kind, before any column makes something of them.
 * Source: proxy-routing.md §5.10.
 */
import { type Expressions, NO_NODE, NODE, TEXT_FORM } from '../../sql/expressions.ts'
import { LEXER_MODE } from '../../sql/lexer.ts'
import { unescaped } from '../../sql/texts.ts'
import type { Decimal } from './cells.ts'
import { charsetNamed, textOfBytes } from './charsets.ts'
import type { Charset } from './collations.ts'
import { decimalOf } from './decimals.ts'
import { type Moment, momentOfText, timeOfText } from './moments.ts'
import type { ExecuteParameters } from './parameters.ts'
import type { TimeZone } from './time-zones.ts'

export type Value =
  | { readonly kind: 'null' }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'decimal'; readonly value: Decimal }
  | { readonly kind: 'double'; readonly value: number }
  | {
      readonly kind: 'text'
      readonly bytes: Uint8Array
      readonly charset: Charset
      /** Of an explicit COLLATE, in lower case. */
      readonly collation: string | undefined
    }
  /** x'..' and b'..': bytes, or a number where one is expected. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'date' | 'datetime'; readonly moment: Moment }
  | { readonly kind: 'time'; readonly micros: bigint }

export const NULL_VALUE: Value = { kind: 'null' }

/** A user variable as its session has it. */
export type VariableValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'text'; readonly bytes: Uint8Array; readonly charset: string }

/** What values depend on besides the statement. */
export type PruneSession = {
  /** Of the client: in which literals are written; undefined for one that is not known here. */
  readonly charset: Charset | undefined
  readonly timeZone: TimeZone
  /** Of an EXECUTE; undefined when there are none. */
  readonly parameters: ExecuteParameters | undefined
  readonly userVariable: (name: string) => VariableValue | undefined
  /** µs since the epoch, UTC, for NOW() and its like. */
  readonly now: () => number
}

const MOST_INTEGER = 2n ** 64n - 1n
/** Digits: reading more takes time in proportion to their square. */
const LONGEST_NUMBER = 400
const QUOTE = { single: 0x27, double: 0x22 } as const
/** Digits of hexadecimal and binary literals. */
const LONGEST_DIGITS = 131_072

/** The value of a literal, parameter or user variable; undefined when it is not known. */
export function literalValue(
  expressions: Expressions,
  node: number,
  session: PruneSession,
): Value | undefined {
  switch (expressions.kind(node)) {
    case NODE.nullValue:
      return NULL_VALUE
    case NODE.integer:
      return integerValue(expressions.text(node))
    case NODE.decimal:
      return decimalValue(expressions.text(node))
    case NODE.double:
      return { kind: 'double', value: Number(expressions.text(node)) }
    case NODE.text:
      return textValue(expressions, node, session)
    case NODE.hex:
      return hexValue(expressions.text(node))
    case NODE.bits:
      return bitsValue(expressions.text(node))
    case NODE.trueValue:
      return { kind: 'integer', value: 1n }
    case NODE.falseValue:
      return { kind: 'integer', value: 0n }
    case NODE.dateText:
    case NODE.timeText:
    case NODE.timestampText:
      return temporalLiteral(expressions, node, session)
    case NODE.parameter:
      return session.parameters?.value(expressions.extra(node), session.charset)
    case NODE.userVariable:
      return variableValue(session.userVariable(variableName(expressions.text(node))))
    case NODE.introduced:
      return introducedValue(expressions, node, session)
    case NODE.collate:
      return collatedValue(expressions, node, session)
    case NODE.joinedText:
      return joinedValue(expressions, node, session)
    default:
      return undefined
  }
}

/** Beyond 64 bits it is a decimal. */
function integerValue(digits: string): Value | undefined {
  if (digits.length > LONGEST_NUMBER) return undefined
  const value = BigInt(digits)
  return value > MOST_INTEGER
    ? { kind: 'decimal', value: { units: value, scale: 0 } }
    : { kind: 'integer', value }
}

function decimalValue(text: string): Value | undefined {
  const value = decimalOf(text)
  return value === undefined ? undefined : { kind: 'decimal', value }
}

function textValue(
  expressions: Expressions,
  node: number,
  { charset }: PruneSession,
): Value | undefined {
  if (charset === undefined) return undefined
  const bytes = textBytes(expressions, node, charset)
  const isNational = (expressions.extra(node) & TEXT_FORM.national) !== 0
  return isNational && charset !== 'utf8mb4'
    ? undefined
    : { kind: 'text', bytes, charset, collation: undefined }
}

/** What a text between quotes stands for. */
export function textBytes(expressions: Expressions, node: number, charset: Charset): Uint8Array {
  const [start, end, form] = [expressions.from(node), expressions.to(node), expressions.extra(node)]
  if ((form & TEXT_FORM.hasEscapes) === 0) return expressions.bytes.subarray(start, end)
  const quote = (form & TEXT_FORM.doubleQuoted) !== 0 ? QUOTE.double : QUOTE.single
  let mode: number = LEXER_MODE.plain
  if ((form & TEXT_FORM.plainBackslash) !== 0) mode |= LEXER_MODE.noBackslashEscapes
  if (charset === 'gbk' || charset === 'gb18030') mode |= LEXER_MODE.doubleByte
  return unescaped(expressions.bytes, { start, end, quote }, mode)
}

/** In the character set of the first. */
function joinedValue(
  expressions: Expressions,
  node: number,
  session: PruneSession,
): Value | undefined {
  const parts: Uint8Array[] = []
  for (let child = expressions.first(node); child !== NO_NODE; child = expressions.next(child)) {
    const text = literalValue(expressions, child, session)
    if (text?.kind !== 'text') return undefined
    parts.push(text.bytes)
  }
  const first = literalValue(expressions, expressions.first(node), session)
  return first?.kind === 'text' ? { ...first, bytes: Buffer.concat(parts) } : undefined
}

function hexValue(digits: string): Value | undefined {
  if (digits.length > LONGEST_DIGITS) return undefined
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  return { kind: 'bytes', bytes: Buffer.from(even, 'hex') }
}

function bitsValue(digits: string): Value | undefined {
  if (digits.length === 0) return { kind: 'bytes', bytes: new Uint8Array(0) }
  if (digits.length > LONGEST_DIGITS) return undefined
  const width = Math.ceil(digits.length / 8) * 2
  return hexValue(BigInt(`0b${digits}`).toString(16).padStart(width, '0'))
}

function temporalLiteral(
  expressions: Expressions,
  node: number,
  session: PruneSession,
): Value | undefined {
  const value = literalValue(expressions, expressions.first(node), session)
  const text = value === undefined ? undefined : stringOf(value)
  if (text === undefined) return undefined
  if (expressions.kind(node) === NODE.timeText) {
    const micros = timeOfText(text)
    return micros === undefined ? undefined : { kind: 'time', micros }
  }
  const moment = momentOfText(text)
  if (moment === undefined) return undefined
  const isDate = expressions.kind(node) === NODE.dateText
  return { kind: isDate ? 'date' : 'datetime', moment }
}

function introducedValue(
  expressions: Expressions,
  node: number,
  session: PruneSession,
): Value | undefined {
  const charset = charsetNamed(expressions.text(node).slice(1))
  const value = literalValue(expressions, expressions.first(node), session)
  if (charset === undefined || value === undefined) return undefined
  if (value.kind !== 'text' && value.kind !== 'bytes') return undefined
  if (charset === 'binary') return { kind: 'bytes', bytes: value.bytes }
  return { kind: 'text', bytes: value.bytes, charset, collation: undefined }
}

function collatedValue(
  expressions: Expressions,
  node: number,
  session: PruneSession,
): Value | undefined {
  const value = literalValue(expressions, expressions.first(node), session)
  if (value?.kind !== 'text') return undefined
  return { ...value, collation: expressions.text(node).toLowerCase().replaceAll('`', '') }
}

/** Between quotes of any kind, or none. */
function variableName(written: string): string {
  const quote = written[0]
  if (quote !== '`' && quote !== "'" && quote !== '"') return written.toLowerCase()
  return written
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .toLowerCase()
}

function variableValue(value: VariableValue | undefined): Value | undefined {
  if (value === undefined) return undefined
  if (value.kind === 'null') return NULL_VALUE
  if (value.kind === 'text') {
    const charset = charsetNamed(value.charset)
    if (charset === undefined) return undefined
    return { kind: 'text', bytes: value.bytes, charset, collation: undefined }
  }
  if (value.text.length > LONGEST_NUMBER) return undefined
  if (/^-?\d+$/.test(value.text)) return { kind: 'integer', value: BigInt(value.text) }
  return /e/i.test(value.text)
    ? { kind: 'double', value: Number(value.text) }
    : decimalValue(value.text)
}

/** A text as a string. */
export function stringOf(value: Value): string | undefined {
  return value.kind === 'text' ? textOfBytes(value.bytes, value.charset) : undefined
}
