/**
 * What statements have in common that differ in values only: one text with `?` for literals, lists and
 * rows folded, white space and comments gone, words in lower case, and a hash of that text. The text is
 * written as bytes into one buffer that is used again; a string is made only when it is asked for.
 * Hot path: see the rules. Source: proxy-routing.md §12.
 */
import { Lexer, SIGN, TOKEN, WordTable } from './lexer.ts'
import { numberEnd } from './literal-reader.ts'

/** Bytes of a digest; statements that are the same so far are the same. */
export const MAX_DIGEST_BYTES = 1024

const NOTHING = new Uint8Array(0)
const VALUE = Buffer.from('?')
const VALUES = Buffer.from('...')
const COMMA = Buffer.from(', ')

const BLANK = 0x20
const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
const PLUS = 0x2b
const BACK_TICK = 0x60

const FIRST_SEED = 0x811c9dc5 | 0
const FIRST_PRIME = 0x01000193
const SECOND_SEED = 0x9747b28c | 0
const SECOND_PRIME = 0x9e3779b1 | 0

/** What the token before was, for blanks and for what a sign means. */
const AFTER = {
  nothing: 0,
  word: 1,
  value: 2,
  name: 3,
  open: 4,
  close: 5,
  comma: 6,
  glue: 7,
  operator: 8,
} as const

const MEANING = { literal: 1, is: 2, not: 3, in: 4, values: 5, prefix: 6 } as const

const WORDS = new WordTable<number>({
  null: MEANING.literal,
  true: MEANING.literal,
  false: MEANING.literal,
  is: MEANING.is,
  not: MEANING.not,
  in: MEANING.in,
  values: MEANING.values,
  value: MEANING.values,
  x: MEANING.prefix,
  b: MEANING.prefix,
  n: MEANING.prefix,
})

const NOWHERE = -1

export class Digest {
  private readonly lexer = new Lexer(NOTHING, 0, 0)
  private readonly buffer = new Uint8Array(MAX_DIGEST_BYTES)
  private length = 0
  private isFull = false
  /** The two halves of the hash, as signed numbers of 32 bits. */
  high = 0
  low = 0
  private after: number = AFTER.nothing
  /** Of the word before, a meaning or 0. */
  private meaning = 0
  /** Where the token before ended in the statement, and began in the buffer. */
  private endBefore = 0
  private placeBefore = 0
  /** Literals of the parenthesis that has held nothing else so far; NOWHERE outside of one. */
  private listed = NOWHERE
  private isListValue = false
  private isRow = false
  private isInList = false
  /** Where in the buffer the last row of literals ended, if nothing but a comma came behind it. */
  private rowEnd = NOWHERE

  /** Reads the statement between `from` and `to`; `high`, `low` and `text` tell of it until the next. */
  read(bytes: Uint8Array, from: number, to: number, mode: number): void {
    const { lexer } = this
    lexer.reset(bytes, from, to, mode)
    this.length = 0
    this.isFull = false
    this.after = AFTER.nothing
    this.meaning = 0
    this.endBefore = from
    this.placeBefore = 0
    this.listed = NOWHERE
    this.rowEnd = NOWHERE
    while (lexer.next() !== TOKEN.end && !this.isFull) this.token()
    this.endList()
    this.hash()
  }

  text(): string {
    return Buffer.from(this.buffer.buffer, 0, this.length).toString()
  }

  private token(): void {
    const { lexer } = this
    const { type } = lexer
    if (type === TOKEN.sign) this.signed(lexer.sign)
    else if (type === TOKEN.text) this.literalText()
    else if (type === TOKEN.name) this.name()
    else this.word()
    this.endBefore = lexer.end
  }

  // --- literals

  private literalText(): void {
    const { lexer } = this
    if (this.meaning === MEANING.prefix && lexer.start === this.endBefore + 1) {
      // x'..' is one literal: its letter is taken back.
      this.length = this.placeBefore
      this.after = this.length === 0 ? AFTER.nothing : AFTER.operator
    }
    this.literal()
  }

  private literal(): void {
    this.meaning = 0
    if (this.listed !== NOWHERE && !this.isListValue) {
      this.listed += 1
      this.isListValue = true
      return
    }
    this.endList()
    this.write(VALUE, 0, VALUE.length, AFTER.value)
  }

  private word(): void {
    const { lexer } = this
    const { bytes, start, to } = lexer
    const first = bytes[start] as number
    const end = first >= ZERO && first <= NINE ? numberEnd(bytes, start, to) : start
    if (end > start) {
      lexer.resume(end)
      this.literal()
      return
    }
    const before = this.meaning
    const meaning = WORDS.lookup(lexer) ?? 0
    const isTested = before === MEANING.is || before === MEANING.not
    if (meaning === MEANING.literal && !isTested) {
      this.literal()
      return
    }
    this.endList()
    this.write(bytes, start, lexer.end, AFTER.word)
    this.meaning = meaning
  }

  private name(): void {
    const { bytes, start, end } = this.lexer
    this.endList()
    this.meaning = 0
    const isTicked = bytes[start - 1] === BACK_TICK
    this.write(bytes, isTicked ? start - 1 : start, end, AFTER.name)
    if (isTicked) this.put(BACK_TICK)
  }

  // --- signs

  private signed(sign: number): void {
    if (sign === SIGN.question) this.literal()
    else if (sign === SIGN.dot && this.isFraction()) this.literal()
    else if (sign === SIGN.open) this.opened()
    else if (sign === SIGN.close) this.closed()
    else if (sign === SIGN.comma) this.comma()
    else if ((sign === MINUS || sign === PLUS) && this.isSignOfNumber()) return
    else this.operator(sign)
  }

  /** Whether the point begins a number, which is stepped over then. */
  private isFraction(): boolean {
    const { lexer, after } = this
    const { bytes, start, to } = lexer
    const end = numberEnd(bytes, start, to)
    if (after === AFTER.name || after === AFTER.close || end <= start + 1) return false
    if (after === AFTER.word && start === this.endBefore) return false
    lexer.resume(end)
    return true
  }

  /** A sign that cannot join two operands belongs to the number behind it. */
  private isSignOfNumber(): boolean {
    if (this.listed !== NOWHERE) return !this.isListValue
    const { after } = this
    return after === AFTER.open || after === AFTER.comma || after === AFTER.operator
  }

  private opened(): void {
    const { after, meaning } = this
    this.endList()
    const isRow = meaning === MEANING.values || after === AFTER.open || this.rowEnd !== NOWHERE
    this.write(this.lexer.bytes, this.lexer.start, this.lexer.end, AFTER.open)
    this.isInList = meaning === MEANING.in
    this.isRow = isRow
    this.listed = 0
    this.isListValue = false
    this.meaning = 0
  }

  private closed(): void {
    const { listed, isListValue, isRow, rowEnd } = this
    const isPlain = listed > 0 && isListValue
    this.endList()
    this.write(this.lexer.bytes, this.lexer.start, this.lexer.end, AFTER.close)
    this.meaning = 0
    if (!isPlain || !isRow) {
      this.rowEnd = NOWHERE
      return
    }
    if (rowEnd !== NOWHERE && !this.isFull) this.length = rowEnd
    this.rowEnd = this.length
  }

  private comma(): void {
    if (this.listed !== NOWHERE && this.isListValue) {
      this.isListValue = false
      return
    }
    const { rowEnd, length } = this
    this.endList()
    this.meaning = 0
    this.write(this.lexer.bytes, this.lexer.start, this.lexer.end, AFTER.comma)
    this.rowEnd = rowEnd === length ? rowEnd : NOWHERE
  }

  private operator(sign: number): void {
    const { lexer } = this
    this.endList()
    this.meaning = 0
    const isGlue = sign === SIGN.dot || sign === SIGN.at
    const isLonger = this.after === AFTER.operator && lexer.start === this.endBefore
    if (isLonger || sign === SIGN.dot || sign === SIGN.semicolon) this.after = AFTER.glue
    this.write(lexer.bytes, lexer.start, lexer.end, isGlue ? AFTER.glue : AFTER.operator)
  }

  /** Writes the literals that a parenthesis began with, folded. */
  private endList(): void {
    const { listed } = this
    this.listed = NOWHERE
    if (listed <= 0) return
    const text = listed > 1 || this.isInList ? VALUES : VALUE
    this.write(text, 0, text.length, AFTER.value)
    if (this.isListValue) return
    this.write(COMMA, 0, 1, AFTER.comma)
  }

  // --- the buffer

  /** Adds bytes in lower case, with a blank before them where one belongs. */
  private write(bytes: Uint8Array, from: number, to: number, after: number): void {
    const isBare = after === AFTER.close || after === AFTER.comma || this.after === AFTER.open
    const isJoined = this.after === AFTER.nothing || this.after === AFTER.glue
    this.placeBefore = this.length
    if (!isBare && !isJoined) this.put(BLANK)
    for (let at = from; at < to && !this.isFull; at++) this.put(lower(bytes[at] as number))
    this.after = after
  }

  private put(byte: number): void {
    if (this.length < MAX_DIGEST_BYTES) this.buffer[this.length++] = byte
    else this.isFull = true
  }

  private hash(): void {
    const { buffer, length } = this
    let first = FIRST_SEED
    let second = SECOND_SEED
    for (let at = 0; at < length; at++) {
      const byte = buffer[at] as number
      first = Math.imul(first ^ byte, FIRST_PRIME)
      second = Math.imul(((second << 5) | (second >>> 27)) ^ byte, SECOND_PRIME)
    }
    this.high = mixed(first ^ length)
    this.low = mixed(second ^ first)
  }
}

/** Each bit of the result depends on all of `hash`. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x85ebca6b)
  bits ^= bits >>> 13
  bits = Math.imul(bits, 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
