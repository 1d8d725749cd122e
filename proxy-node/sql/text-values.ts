/**
 * Where a statement's text has values, found without reading what it says: numbers, and texts in quotes.
 * What is between them, byte by byte, is what statements have in common that an application sends again
 * and again. A text with anything that this pass is not sure of is not fit for it, which costs time and
 * nothing else. Hot path: see the rules. Source: MySQL manual, "Literal Values"; OceanBase's fast parser has the same idea.
 */
import { isWordByte, LEXER_MODE, WordTable } from './lexer.ts'

/** Texts with more of them are not fit. */
export const MOST_VALUES = 64

/** What a value is, as far as reading depends on it. */
export const VALUE = { integer: 1, decimal: 2, text: 3, oddText: 4, doubleQuoted: 5 } as const

const QUOTE = { single: 0x27, double: 0x22, back: 0x60 } as const
const BACKSLASH = 0x5c
const SLASH = 0x2f
const STAR = 0x2a
const DASH = 0x2d
const DOT = 0x2e
const EXCLAMATION = 0x21
const BLANK = 0x20

const HASH_SEED = 0x811c9dc5 | 0
const HASH_PRIME = 0x01000193

/** What a byte begins. */
const BEGINS = {
  sign: 0,
  word: 1,
  number: 2,
  text: 3,
  doubleQuoted: 4,
  name: 5,
  comment: 6,
  dash: 7,
  point: 8,
  unfit: 9,
} as const

/** Signs that this pass leaves to the whole reading: `#` begins a comment, `@` and `:` a variable's name or number. */
const UNFIT = '#@:'

const FIRST_OF = Uint8Array.from({ length: 256 }, (_, byte) => {
  const sign = String.fromCharCode(byte)
  if (sign >= '0' && sign <= '9') return BEGINS.number
  if (isWordByte(byte)) return BEGINS.word
  if (UNFIT.includes(sign)) return BEGINS.unfit
  if (byte === QUOTE.single) return BEGINS.text
  if (byte === QUOTE.double) return BEGINS.doubleQuoted
  if (byte === QUOTE.back) return BEGINS.name
  if (byte === SLASH) return BEGINS.comment
  if (byte === DASH) return BEGINS.dash
  return byte === DOT ? BEGINS.point : BEGINS.sign
})

const IS_DIGIT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x30 && byte <= 0x39 ? 1 : 0,
)

/** Words behind which a text is a value. Behind any other, and behind an operand, it may be a name: `FROM t AS 'x'`. */
const BEFORE_VALUE = new WordTable<true>(
  Object.fromEntries(
    'and between case else like not or regexp rlike then when where'
      .split(' ')
      .map(word => [word, true]),
  ),
)

const CLOSE = 0x29

/** Modes in which bytes mean something else than this pass takes them for. */
const UNFIT_MODES = LEXER_MODE.doubleByte | LEXER_MODE.ansiQuotes | LEXER_MODE.capitalNames

export class TextValues {
  bytes: Uint8Array = new Uint8Array(0)
  from = 0
  to = 0
  mode = 0
  /** Values found. */
  count = 0
  /** Of each value: where its digits, or the bytes between its quotes, begin and end; and one of VALUE. */
  readonly starts = new Int32Array(MOST_VALUES)
  readonly ends = new Int32Array(MOST_VALUES)
  readonly kinds = new Uint8Array(MOST_VALUES)
  /** Of what is not a value, and of what kind the values are. */
  hash = 0
  private at = 0
  /** Of the token before: it can end an operand; and where it is, when it is a word. */
  private isBehindOperand = false
  private isBehindPoint = false
  private wordAt = 0
  private wordEnd = 0

  /** False: the text is not fit. */
  read(bytes: Uint8Array, from: number, to: number, mode: number): boolean {
    this.bytes = bytes
    this.from = from
    this.to = to
    this.mode = mode
    this.count = 0
    this.hash = HASH_SEED ^ mode
    this.at = from
    this.isBehindOperand = false
    this.isBehindPoint = false
    if ((mode & UNFIT_MODES) !== 0) return false
    while (this.at < to) if (!this.step()) return false
    return true
  }

  private step(): boolean {
    switch (FIRST_OF[this.bytes[this.at] as number]) {
      case BEGINS.word:
        return this.word()
      case BEGINS.number:
        return this.number()
      case BEGINS.text:
        return this.text(QUOTE.single)
      case BEGINS.doubleQuoted:
        return this.text(QUOTE.double)
      case BEGINS.name:
        return this.through(this.bytes.indexOf(QUOTE.back, this.at + 1) + 1)
      case BEGINS.comment:
        return this.comment()
      case BEGINS.dash:
        return this.sign(this.byteAt(this.at + 1) !== DASH)
      case BEGINS.point:
        return this.sign(IS_DIGIT[this.byteAt(this.at + 1)] === 0)
      case BEGINS.sign:
        return this.sign(true)
      default:
        return false
    }
  }

  private sign(isFit: boolean): boolean {
    const byte = this.bytes[this.at] as number
    this.hash = Math.imul(this.hash ^ byte, HASH_PRIME)
    this.at += 1
    if (byte <= BLANK) return isFit
    this.isBehindOperand = byte === CLOSE
    this.isBehindPoint = byte === DOT
    this.wordEnd = 0
    return isFit
  }

  /** A quote right behind a word makes it a part of the literal: `x'0f'`, `_utf8'a'`. */
  private word(): boolean {
    const { bytes, to } = this
    let { at, hash } = this
    this.wordAt = at
    do {
      hash = Math.imul(hash ^ (bytes[at] as number), HASH_PRIME)
      at += 1
    } while (at < to && isWordByte(bytes[at] as number))
    this.at = at
    this.hash = hash
    this.wordEnd = at
    this.isBehindOperand = true
    this.isBehindPoint = false
    const next = this.byteAt(at)
    return next !== QUOTE.single && next !== QUOTE.double
  }

  private number(): boolean {
    const { bytes, to, at } = this
    let end = at
    while (end < to && IS_DIGIT[bytes[end] as number] === 1) end += 1
    let kind: number = VALUE.integer
    if (this.byteAt(end) === DOT) {
      kind = VALUE.decimal
      end += 1
      if (IS_DIGIT[this.byteAt(end)] === 0) return false
      while (end < to && IS_DIGIT[bytes[end] as number] === 1) end += 1
    }
    const next = this.byteAt(end)
    if (next === DOT || isWordByte(next)) return false
    this.at = end
    return this.value(at, end, kind)
  }

  private text(quote: number): boolean {
    if (!this.mayBeValue()) return false
    const { bytes, to } = this
    const hasEscapes = (this.mode & LEXER_MODE.noBackslashEscapes) === 0
    const start = this.at + 1
    let end = start
    let isOdd = false
    for (; end < to; end++) {
      const byte = bytes[end] as number
      if (byte === quote) {
        if (this.byteAt(end + 1) !== quote) break
        isOdd = true
        end += 1
      } else if (hasEscapes && byte === BACKSLASH) {
        isOdd = true
        end += 1
      }
    }
    if (end >= to) return false
    this.at = end + 1
    const plain = quote === QUOTE.single ? VALUE.text : VALUE.doubleQuoted
    // Both kinds of quotes at once, and escapes: rare enough.
    if (isOdd && quote === QUOTE.double) return false
    return this.value(start, end, isOdd ? VALUE.oddText : plain)
  }

  private mayBeValue(): boolean {
    if (!this.isBehindOperand) return true
    const { bytes, wordAt, wordEnd } = this
    return wordEnd > 0 && BEFORE_VALUE.find(bytes, wordAt, wordEnd) === true
  }

  private value(start: number, end: number, kind: number): boolean {
    const { count } = this
    // `t . 5`: a name.
    if (count === MOST_VALUES || this.isBehindPoint) return false
    this.starts[count] = start
    this.ends[count] = end
    this.kinds[count] = kind
    this.count = count + 1
    this.isBehindOperand = true
    this.wordEnd = 0
    this.hash = Math.imul(this.hash ^ kind, HASH_PRIME)
    return true
  }

  /** Comments count as they are written; behind a value they are left to the whole reading, as what servers execute is. */
  private comment(): boolean {
    if (this.byteAt(this.at + 1) !== STAR) return this.sign(true)
    if (this.count > 0 || this.byteAt(this.at + 2) === EXCLAMATION) return false
    const { bytes, to } = this
    for (let end = this.at + 2; end + 1 < to; end++)
      if (bytes[end] === STAR && bytes[end + 1] === SLASH) return this.through(end + 2)
    return false
  }

  /** Up to `end`, which is 0 or behind the text when there is no end. */
  private through(end: number): boolean {
    if (end <= this.at || end > this.to) return false
    const { bytes } = this
    let { at, hash } = this
    this.isBehindOperand = true
    this.isBehindPoint = false
    this.wordEnd = 0
    for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), HASH_PRIME)
    this.at = at
    this.hash = hash
    return true
  }

  private byteAt(at: number): number {
    return at < this.to ? (this.bytes[at] as number) : 0
  }
}
