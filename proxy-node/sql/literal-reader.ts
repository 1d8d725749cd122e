/**
 * Literals as nodes: numbers, texts, hexadecimal and binary ones, user variables. A literal that may go
 * on behind the bytes that are known is `unknown`. Hot path: see the rules.
 * Source: MySQL manual, "Literal Values"; proxy-routing.md §5.8.
 */
import { type Expressions, NO_NODE, NODE, type NodeKind, TEXT_FORM } from './expressions.ts'
import { isWordByte, LEXER_MODE, type Lexer, SIGN, TOKEN } from './lexer.ts'

const DOUBLE_QUOTE = 0x22
const ZERO = 0x30
const ONE = 0x31
const NINE = 0x39
const LOWER_A = 0x61
const LOWER_F = 0x66
const LOWER_X = 0x78
const LOWER_B = 0x62
const LOWER_E = 0x65
const PLUS = 0x2b
const MINUS = 0x2d
const LOWER_CASE = 0x20

export class LiteralReader {
  private readonly lexer: Lexer
  private readonly expressions: Expressions
  /** The statement goes on behind the bytes that are known. */
  isCut = false

  constructor(lexer: Lexer, expressions: Expressions) {
    this.lexer = lexer
    this.expressions = expressions
  }

  /**
   * The number at the current token, which begins with a digit, or with a point before one; NO_NODE, with
   * nothing stepped over, when the token is a name that begins with digits.
   */
  number(): number {
    const { lexer } = this
    const { start } = lexer
    if (this.isPrefixed(LOWER_X) && lexer.end > start + 2 && this.isHex(start + 2, lexer.end))
      return this.leaf(NODE.hex, start + 2, lexer.end)
    if (this.isPrefixed(LOWER_B) && lexer.end > start + 2 && this.isBits(start + 2, lexer.end))
      return this.leaf(NODE.bits, start + 2, lexer.end)
    const { bytes, to } = lexer
    const whole = digitsEnd(bytes, start, to)
    const point = fractionEnd(bytes, whole, to)
    const end = exponentEnd(bytes, point, to)
    if (isWordByte(this.byteAt(end))) return NO_NODE
    let kind: NodeKind = NODE.integer
    if (end > point) kind = NODE.double
    else if (point > whole) kind = NODE.decimal
    return this.leaf(kind, start, end)
  }

  /** The text at the current token and those side by side with it; `form` is what is known of it already. */
  text(form: number): number {
    const text = this.oneText(form)
    return this.lexer.type === TOKEN.text ? this.joined(text) : text
  }

  private oneText(form: number): number {
    const { lexer } = this
    const { start, end } = lexer
    const isClosed = end < lexer.to
    let extra = form
    if (lexer.hasEscapes) extra |= TEXT_FORM.hasEscapes
    if (lexer.has(LEXER_MODE.noBackslashEscapes)) extra |= TEXT_FORM.plainBackslash
    if (lexer.bytes[start - 1] === DOUBLE_QUOTE) extra |= TEXT_FORM.doubleQuoted
    lexer.next()
    const isWhole = isClosed && !(this.isCut && lexer.type === TOKEN.end)
    return isWhole
      ? this.expressions.add(NODE.text, start, end, extra)
      : this.expressions.add(NODE.unknown, start, end)
  }

  /** `text` with those behind it. */
  private joined(text: number): number {
    const { lexer, expressions } = this
    const node = expressions.add(NODE.joinedText, expressions.from(text), lexer.end)
    expressions.append(node, text)
    while (lexer.type === TOKEN.text) expressions.append(node, this.oneText(0))
    return node
  }

  /** x'..' or b'..': the text at the current token, as `kind`. */
  digitsInQuotes(kind: NodeKind): number {
    const { lexer } = this
    const { start, end } = lexer
    const isValid = kind === NODE.hex ? this.isHex(start, end) : this.isBits(start, end)
    const isWhole = end < lexer.to
    lexer.next()
    return this.expressions.add(isValid && isWhole ? kind : NODE.unknown, start, end, 1)
  }

  /** From the `@` at the current token on: `@name`; `@@name` has no known value. */
  variable(): number {
    const { lexer } = this
    const at = lexer.start
    lexer.next()
    if (lexer.type === TOKEN.sign || lexer.type === TOKEN.end) return this.systemVariable(at)
    const quotes = lexer.type === TOKEN.word ? 0 : 1
    const from = lexer.start - quotes
    let to = lexer.end + quotes
    if (from !== at + 1 || to > lexer.to) return this.expressions.add(NODE.unknown, at, at + 1)
    lexer.next()
    while (quotes === 0 && lexer.start === to && this.isNamePart()) {
      to = lexer.end
      lexer.next()
    }
    const isKnown = !this.isCut || to < lexer.to
    return this.expressions.add(isKnown ? NODE.userVariable : NODE.unknown, from, to)
  }

  /** `@@[scope.]name` */
  private systemVariable(at: number): number {
    const { lexer } = this
    if (lexer.isSign(SIGN.at)) {
      lexer.next()
      while (lexer.type === TOKEN.word || lexer.type === TOKEN.name || lexer.isSign(SIGN.dot)) {
        const isLast = !lexer.isSign(SIGN.dot) && !lexer.isBefore(SIGN.dot)
        lexer.next()
        if (isLast) break
      }
    }
    return this.expressions.add(NODE.unknown, at, at + 1)
  }

  private isNamePart(): boolean {
    return this.lexer.type === TOKEN.word || this.lexer.isSign(SIGN.dot)
  }

  /** Adds the node and goes on behind it. */
  private leaf(kind: NodeKind, from: number, to: number): number {
    const { lexer } = this
    lexer.resume(to)
    lexer.next()
    const isKnown = !this.isCut || to < lexer.to
    return this.expressions.add(isKnown ? kind : NODE.unknown, from, to)
  }

  /** `0x` or `0b`; in capitals they begin a name. */
  private isPrefixed(letter: number): boolean {
    const { bytes, start } = this.lexer
    return bytes[start] === ZERO && this.byteAt(start + 1) === letter
  }

  private isHex(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (!isHexDigit(this.byteAt(at))) return false
    return true
  }

  private isBits(from: number, to: number): boolean {
    for (let at = from; at < to; at++)
      if (this.byteAt(at) !== ZERO && this.byteAt(at) !== ONE) return false
    return true
  }

  private byteAt(at: number): number {
    const { lexer } = this
    return at < lexer.to ? (lexer.bytes[at] as number) : 0
  }
}

/**
 * Behind the number that begins at `from`, with a digit or a point; `from` when a name begins there.
 * Hexadecimal and binary ones are numbers too.
 */
export function numberEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = exponentEnd(bytes, fractionEnd(bytes, digitsEnd(bytes, from, to), to), to)
  const letter = from + 1 < to ? (bytes[from + 1] as number) : 0
  if (bytes[from] === ZERO && (letter === LOWER_X || letter === LOWER_B))
    while (end < to && isWordByte(bytes[end] as number)) end += 1
  return end < to && isWordByte(bytes[end] as number) ? from : end
}

function digitsEnd(bytes: Uint8Array, at: number, to: number): number {
  let end = at
  while (end < to && isDigit(bytes[end] as number)) end += 1
  return end
}

function fractionEnd(bytes: Uint8Array, at: number, to: number): number {
  return at < to && bytes[at] === SIGN.dot ? digitsEnd(bytes, at + 1, to) : at
}

/** Behind the exponent at `at`; `at` when there is none. */
function exponentEnd(bytes: Uint8Array, at: number, to: number): number {
  if (at >= to || ((bytes[at] as number) | LOWER_CASE) !== LOWER_E) return at
  const sign = at + 1 < to ? (bytes[at + 1] as number) : 0
  const from = sign === PLUS || sign === MINUS ? at + 2 : at + 1
  const end = digitsEnd(bytes, from, to)
  return end > from ? end : at
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

function isHexDigit(byte: number): boolean {
  const letter = byte | LOWER_CASE
  return isDigit(byte) || (letter >= LOWER_A && letter <= LOWER_F)
}
