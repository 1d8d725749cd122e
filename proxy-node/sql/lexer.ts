/**
 * Words, names, texts and signs of a statement, read straight from its bytes: one object a statement,
 * nothing a token. Comments, hints and white space are passed over; odd input ends a token early and
 * is never an error. Hot path: see the rules. Source: proxy-routing.md §5.
 */
import { invariant } from '../base/invariant.ts'

export const TOKEN = {
  end: 0,
  /** Bare word or number. */
  word: 1,
  /** In back-ticks. */
  name: 2,
  /** In single or double quotes. */
  text: 3,
  /** One byte of anything else. */
  sign: 4,
} as const

/** Bits of what a session's settings change in reading. */
export const LEXER_MODE = {
  plain: 0,
  /** A backslash in a text is itself (sql_mode NO_BACKSLASH_ESCAPES). */
  noBackslashEscapes: 1,
  /** The client speaks gbk or gb18030: the second byte of a character can look like a back-tick or backslash. */
  doubleByte: 2,
} as const

export const SIGN = {
  open: 0x28,
  close: 0x29,
  comma: 0x2c,
  dot: 0x2e,
  semicolon: 0x3b,
  at: 0x40,
} as const

const QUOTE = { single: 0x27, double: 0x22, back: 0x60 } as const
const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const SLASH = 0x2f
const STAR = 0x2a
const HASH_SIGN = 0x23
const DASH = 0x2d
const EXCLAMATION = 0x21
const FIRST_DOUBLE_BYTE = 0x81

const HASH_SEED = 0x811c9dc5
const HASH_PRIME = 0x01000193
/** Small enough to be no heap number in any engine. */
const HASH_MASK = 0x3fff_ffff

export class Lexer {
  readonly bytes: Uint8Array
  readonly to: number
  private readonly mode: number
  private at: number
  /** Of the token read last; quotes are not part of it. */
  type: number = TOKEN.end
  start = 0
  end = 0
  /** Of a word: equal for words that differ in case only. */
  hash = 0
  /** Of a sign: its byte. */
  sign = 0

  constructor(bytes: Uint8Array, from: number, to: number, mode: number = LEXER_MODE.plain) {
    this.bytes = bytes
    this.at = from
    this.to = Math.min(to, bytes.length)
    this.mode = mode
  }

  /** Reads the next token and answers its type. */
  next(): number {
    while (this.at < this.to) {
      const byte = this.bytes[this.at] as number
      if (byte <= 0x20) this.at += 1
      else if (!this.skipComment(byte)) return this.token(byte)
    }
    this.start = this.to
    this.end = this.to
    this.type = TOKEN.end
    return TOKEN.end
  }

  /** Steps over `sign` if nothing but white space is before it. */
  accept(sign: number): boolean {
    if (!this.isBefore(sign)) return false
    this.next()
    return true
  }

  /** Whether `sign` comes next, white space aside. */
  isBefore(sign: number): boolean {
    let ahead = this.at
    while (ahead < this.to && (this.bytes[ahead] as number) <= 0x20) ahead += 1
    return ahead < this.to && this.bytes[ahead] === sign
  }

  /** Whether the token is a bare word; `keyword` is in lower case. */
  is(keyword: Uint8Array): boolean {
    if (this.type !== TOKEN.word || this.end - this.start !== keyword.length) return false
    for (let index = 0; index < keyword.length; index++)
      if (lower(this.bytes[this.start + index] as number) !== keyword[index]) return false
    return true
  }

  /** Whether the token is a bare word that begins so; `prefix` is in lower case. */
  beginsWith(prefix: Uint8Array): boolean {
    if (this.type !== TOKEN.word || this.end - this.start < prefix.length) return false
    for (let index = 0; index < prefix.length; index++)
      if (lower(this.bytes[this.start + index] as number) !== prefix[index]) return false
    return true
  }

  /** The token as a string; a doubled back-tick of a name is one. */
  text(): string {
    const { buffer, byteOffset } = this.bytes
    const text = Buffer.from(buffer, byteOffset + this.start, this.end - this.start).toString()
    return this.type === TOKEN.name ? text.replaceAll('``', '`') : text
  }

  private token(byte: number): number {
    if (byte === QUOTE.back) this.type = this.quoted(byte, TOKEN.name)
    else if (byte === QUOTE.single || byte === QUOTE.double)
      this.type = this.quoted(byte, TOKEN.text)
    else if (IS_WORD[byte] === 1) this.type = this.word()
    else this.type = this.single(byte)
    return this.type
  }

  private single(byte: number): number {
    this.start = this.at
    this.at += 1
    this.end = this.at
    this.sign = byte
    return TOKEN.sign
  }

  private word(): number {
    const { bytes, to } = this
    let at = this.at
    let hash = HASH_SEED
    this.start = at
    while (at < to && IS_WORD[bytes[at] as number] === 1) {
      hash = Math.imul(hash ^ lower(bytes[at] as number), HASH_PRIME)
      at += 1
    }
    this.hash = hash & HASH_MASK
    this.at = at
    this.end = at
    return TOKEN.word
  }

  /** Up to the closing quote; a doubled one belongs to the token. */
  private quoted(quote: number, type: number): number {
    const escapes = type === TOKEN.text && (this.mode & LEXER_MODE.noBackslashEscapes) === 0
    this.start = this.at + 1
    let at = this.start
    while (at < this.to) {
      const byte = this.bytes[at] as number
      if (byte === quote && this.byteAt(at + 1) !== quote) break
      at += this.isPair(byte, quote, escapes) ? 2 : 1
    }
    this.end = Math.min(at, this.to)
    this.at = Math.min(at + 1, this.to)
    return type
  }

  private isPair(byte: number, quote: number, escapes: boolean): boolean {
    if (byte === quote || (escapes && byte === BACKSLASH)) return true
    return byte >= FIRST_DOUBLE_BYTE && (this.mode & LEXER_MODE.doubleByte) !== 0
  }

  private skipComment(byte: number): boolean {
    const second = this.byteAt(this.at + 1)
    if (byte === SLASH && second === STAR) return this.skipBlock()
    // The end of an executable comment whose inside was read.
    if (byte === STAR && second === SLASH) return this.skipTo(this.at + 2)
    if (byte === HASH_SIGN) return this.skipLine()
    return byte === DASH && second === DASH && this.isDashComment() ? this.skipLine() : false
  }

  /** MySQL: two dashes begin a comment only before white space; `1--1` is a sum. */
  private isDashComment(): boolean {
    return this.byteAt(this.at + 2) <= 0x20
  }

  private skipLine(): boolean {
    const end = this.bytes.indexOf(NEWLINE, this.at)
    return this.skipTo(end < 0 ? this.to : end + 1)
  }

  private skipBlock(): boolean {
    let at = this.at + 2
    if (this.byteAt(at) === EXCLAMATION) return this.skipExecutableMark(at + 1)
    while (at < this.to && !(this.bytes[at] === STAR && this.byteAt(at + 1) === SLASH)) at += 1
    return this.skipTo(at + 2)
  }

  /** Servers execute what is in `/*!50000 … ` comments, so it is read like the rest. */
  private skipExecutableMark(from: number): boolean {
    let at = from
    while (at < this.to && (this.bytes[at] as number) >= 0x30 && (this.bytes[at] as number) <= 0x39)
      at += 1
    return this.skipTo(at)
  }

  /** 0 behind the end: what follows there is no part of the statement. */
  private byteAt(index: number): number {
    return index < this.to ? (this.bytes[index] as number) : 0
  }

  private skipTo(at: number): boolean {
    this.at = Math.min(at, this.to)
    return true
  }
}

/** What words mean, found by a word's bytes without making a string. */
export class WordTable<T> {
  private readonly entries = new Map<number, { readonly word: Uint8Array; readonly value: T }>()

  constructor(words: Readonly<Record<string, T>>) {
    for (const [text, value] of Object.entries(words)) {
      const word = keyword(text)
      const lexer = new Lexer(word, 0, word.length)
      lexer.next()
      invariant(!this.entries.has(lexer.hash), `word table: ${text} has the hash of another word`)
      this.entries.set(lexer.hash, { word, value })
    }
  }

  /** The meaning of the lexer's token if it is a bare word of this table. */
  lookup(lexer: Lexer): T | undefined {
    if (lexer.type !== TOKEN.word) return undefined
    const entry = this.entries.get(lexer.hash)
    return entry !== undefined && lexer.is(entry.word) ? entry.value : undefined
  }
}

/** A word to compare tokens with; `text` is in lower case. */
export function keyword(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Letters, digits, `_`, `$` and every byte of a character beyond ASCII. */
const IS_WORD = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 || /[0-9A-Za-z_$]/.test(String.fromCharCode(byte)) ? 1 : 0,
)

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
