/**
 * Words, names, texts and signs of a statement, read straight from its bytes: one object a statement,
 * nothing a token. Comments, hints and white space are passed over; odd input ends a token early and
 * is never an error. Hot path: see the rules. Source: proxy-routing.md §5.
 */
import { invariant } from '../base/invariant.ts'
import { casedName, NAME_CASE, type Names, namesByCase } from './names.ts'

export const TOKEN = {
  end: 0,
  /** Bare word or number. */
  word: 1,
  /** In back-ticks, or in double quotes under ANSI_QUOTES. */
  name: 2,
  /** In quotes that make a text. */
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
  /** Double quotes hold a name (sql_mode ANSI_QUOTES). */
  ansiQuotes: 4,
  /** `||` joins texts (sql_mode PIPES_AS_CONCAT). */
  pipesAsConcat: 8,
  /** Names that differ in case are those of different tables (lower_case_table_names = 0). */
  casedNames: 16,
  /** A bare name stands for its capitals, a quoted one for itself (Oracle mode). */
  capitalNames: 32,
} as const

export const SIGN = {
  open: 0x28,
  close: 0x29,
  comma: 0x2c,
  dot: 0x2e,
  semicolon: 0x3b,
  at: 0x40,
  question: 0x3f,
} as const

const QUOTE = { single: 0x27, double: 0x22, back: 0x60 } as const
const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const RETURN = 0x0d
const SLASH = 0x2f
const STAR = 0x2a
const HASH_SIGN = 0x23
const DASH = 0x2d
const EXCLAMATION = 0x21
const PLUS = 0x2b
const FIRST_DOUBLE_BYTE = 0x81
/** A byte below it is never the second of a character: no quote is. */
const FIRST_TRAIL_BYTE = 0x40

const PLAIN_NAMES = namesByCase()
const TICKED_NAMES = namesByCase()
const QUOTED_NAMES = namesByCase()

const HASH_SEED = 0x811c9dc5
const HASH_PRIME = 0x01000193
/** Small enough to be no heap number in any engine. */
const HASH_MASK = 0x3fff_ffff

export class Lexer {
  bytes: Uint8Array
  to: number
  private mode: number
  private at: number
  /** Inside an executable comment, whose end is not part of the statement. */
  private isExecutable = false
  /** Of the token read last; quotes are not part of it. */
  type: number = TOKEN.end
  start = 0
  end = 0
  /** Of a word: equal for words that differ in case only. */
  hash = 0
  /** Of a sign: its byte. */
  sign = 0
  /** An executable comment was met. */
  hasExecutable = false
  /** Where the text of the first hint begins; 0 when there is none so far. */
  hintAt = 0
  /** A comment in `/*` that is not executable was met. */
  hasBlock = false
  /** How many `?` were read. */
  parameters = 0
  /** Of a name or text: a backslash or a doubled quote is in it. */
  hasEscapes = false

  constructor(bytes: Uint8Array, from: number, to: number, mode: number = LEXER_MODE.plain) {
    this.bytes = bytes
    this.at = from
    this.to = Math.min(to, bytes.length)
    this.mode = mode
  }

  /** Begins with another text, as a new lexer would. */
  reset(bytes: Uint8Array, from: number, to: number, mode: number): void {
    this.bytes = bytes
    this.at = from
    this.to = Math.min(to, bytes.length)
    this.mode = mode
    this.isExecutable = false
    this.hasExecutable = false
    this.hintAt = 0
    this.hasBlock = false
    this.parameters = 0
    this.type = TOKEN.end
  }

  /** The next token begins at `at` or behind it; no byte is read twice by that but ones of this token. */
  resume(at: number): void {
    this.at = Math.min(at, this.to)
  }

  /** Whether the token is this sign. */
  isSign(sign: number): boolean {
    return this.type === TOKEN.sign && this.sign === sign
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

  /** The token as a string; a doubled quote of a name is one. */
  text(): string {
    const text = this.raw()
    if (this.type !== TOKEN.name) return text
    return this.bytes[this.start - 1] === QUOTE.back
      ? text.replaceAll('``', '`')
      : text.replaceAll('""', '"')
  }

  /** The token as a name of a database or table: equal for names of the same thing. */
  name(): string {
    const { bytes, start, end } = this
    const as = nameCase(this.mode, this.type === TOKEN.word)
    const names = this.namesOfQuote()[as] as Names
    const known = names.find(bytes, start, end)
    if (known !== undefined) return known
    const name = casedName(this.text(), as)
    names.keep(bytes, start, end, name)
    return name
  }

  /** The same bytes in other quotes are another name: a doubled quote stands for one. */
  private namesOfQuote(): readonly Names[] {
    if (this.type !== TOKEN.name) return PLAIN_NAMES
    return this.bytes[this.start - 1] === QUOTE.back ? TICKED_NAMES : QUOTED_NAMES
  }

  /** The token as a string, as it is written between its quotes. */
  raw(): string {
    const { buffer, byteOffset } = this.bytes
    return Buffer.from(buffer, byteOffset + this.start, this.end - this.start).toString()
  }

  private token(byte: number): number {
    if (byte === QUOTE.back) this.type = this.quoted(byte, TOKEN.name)
    else if (byte === QUOTE.single) this.type = this.quoted(byte, TOKEN.text)
    else if (byte === QUOTE.double)
      this.type = this.quoted(byte, this.has(LEXER_MODE.ansiQuotes) ? TOKEN.name : TOKEN.text)
    else if (IS_WORD[byte] === 1) this.type = this.word()
    else this.type = this.single(byte)
    return this.type
  }

  private single(byte: number): number {
    this.start = this.at
    this.at += 1
    this.end = this.at
    this.sign = byte
    if (byte === SIGN.question) this.parameters += 1
    return TOKEN.sign
  }

  private word(): number {
    const { bytes, to } = this
    let at = this.at
    let hash = HASH_SEED
    this.start = at
    while (at < to) {
      const byte = bytes[at] as number
      if (IS_WORD[byte] !== 1) break
      hash = Math.imul(hash ^ lower(byte), HASH_PRIME)
      at += byte >= FIRST_DOUBLE_BYTE && this.isDoubleByte(at) ? 2 : 1
    }
    this.hash = hash & HASH_MASK
    this.at = at
    this.end = at
    return TOKEN.word
  }

  /** Up to the closing quote; a doubled one belongs to the token. */
  private quoted(quote: number, type: number): number {
    const escapes = type === TOKEN.text && !this.has(LEXER_MODE.noBackslashEscapes)
    this.start = this.at + 1
    this.hasEscapes = false
    let at = this.start
    while (at < this.to) {
      const byte = this.bytes[at] as number
      if (byte === quote && this.byteAt(at + 1) !== quote) break
      const isPair = byte === quote || (escapes && byte === BACKSLASH)
      if (isPair) this.hasEscapes = true
      at += isPair || (byte >= FIRST_DOUBLE_BYTE && this.isDoubleByte(at)) ? 2 : 1
    }
    this.end = Math.min(at, this.to)
    this.at = Math.min(at + 1, this.to)
    return type
  }

  private isDoubleByte(at: number): boolean {
    return isDoubleByteAt(this.bytes, at, this.to, this.mode)
  }

  /** Whether the text is read in `mode`, one bit of LEXER_MODE. */
  has(mode: number): boolean {
    return (this.mode & mode) !== 0
  }

  private skipComment(byte: number): boolean {
    const second = this.byteAt(this.at + 1)
    if (byte === SLASH && second === STAR) return this.skipBlock()
    if (byte === STAR && second === SLASH && this.isExecutable) return this.endExecutable()
    if (byte === HASH_SIGN) return this.skipLine()
    return byte === DASH && second === DASH && this.isDashComment() ? this.skipLine() : false
  }

  /** MySQL: two dashes begin a comment only before white space; `1--1` is a sum. */
  private isDashComment(): boolean {
    return this.byteAt(this.at + 2) <= 0x20
  }

  /** OceanBase ends such a comment at a carriage return too. */
  private skipLine(): boolean {
    let at = this.at
    while (at < this.to && this.bytes[at] !== NEWLINE && this.bytes[at] !== RETURN) at += 1
    return this.skipTo(at)
  }

  private skipBlock(): boolean {
    let at = this.at + 2
    if (this.byteAt(at) === EXCLAMATION) return this.skipExecutableMark(at + 1)
    this.hasBlock = true
    if (this.hintAt === 0 && this.byteAt(at) === PLUS) this.hintAt = at + 1
    while (at < this.to && !(this.bytes[at] === STAR && this.byteAt(at + 1) === SLASH)) at += 1
    return this.skipTo(at + 2)
  }

  private endExecutable(): boolean {
    this.isExecutable = false
    return this.skipTo(this.at + 2)
  }

  /** Servers execute what is in `/*!50000 … ` comments, so it is read like the rest. */
  private skipExecutableMark(from: number): boolean {
    this.isExecutable = true
    this.hasExecutable = true
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

  /** The meaning of the bytes between `start` and `end`, whatever quotes are around them. */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    let hash = HASH_SEED
    for (let at = start; at < end; at++)
      hash = Math.imul(hash ^ lower(bytes[at] as number), HASH_PRIME)
    const entry = this.entries.get(hash & HASH_MASK)
    if (entry === undefined || entry.word.length !== end - start) return undefined
    for (let at = start; at < end; at++)
      if (lower(bytes[at] as number) !== entry.word[at - start]) return undefined
    return entry.value
  }
}

/** A word to compare tokens with; `text` is in lower case. */
export function keyword(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Whether a character of two bytes begins at `at`, before `to`. */
export function isDoubleByteAt(bytes: Uint8Array, at: number, to: number, mode: number): boolean {
  if ((mode & LEXER_MODE.doubleByte) === 0 || at + 1 >= to) return false
  return (bytes[at] as number) >= FIRST_DOUBLE_BYTE && (bytes[at + 1] as number) >= FIRST_TRAIL_BYTE
}

/** How a name is meant in `mode`: one of NAME_CASE. */
export function nameCase(mode: number, isBare: boolean): number {
  if ((mode & (LEXER_MODE.casedNames | LEXER_MODE.capitalNames)) === 0) return NAME_CASE.lower
  return isBare && (mode & LEXER_MODE.capitalNames) !== 0 ? NAME_CASE.capital : NAME_CASE.written
}

/** Letters, digits, `_`, `$` and every byte of a character beyond ASCII. */
const IS_WORD = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 || /[0-9A-Za-z_$]/.test(String.fromCharCode(byte)) ? 1 : 0,
)

/** Whether a bare word can go on with `byte`. */
export function isWordByte(byte: number): boolean {
  return IS_WORD[byte] === 1
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
