/** Walks over the tokens of one statement; everything unexpected is error 1064. */
import { type Token, tokens } from './lexer.ts'
import { type SqlError, unknownSql } from './sql-error.ts'
import type { TableName } from './statement.ts'

const END: Token = { kind: 'end', text: '', at: Number.MAX_SAFE_INTEGER }

export class TokensReader {
  readonly sql: string
  private readonly all: readonly Token[]
  private at = 0
  /** Question marks met so far. */
  parameters = 0

  constructor(sql: string) {
    this.sql = sql
    this.all = tokens(sql)
  }

  get next(): Token {
    return this.all[this.at] ?? END
  }

  take(): Token {
    const token = this.next
    this.at += 1
    return token
  }

  fail(): SqlError {
    return unknownSql(this.sql.slice(this.next.at))
  }

  /** The token that many places behind the next one. */
  behind(places: number): Token {
    return this.all[this.at + places] ?? END
  }

  /** Takes the words when all of them follow. */
  takeWords(...words: readonly string[]): boolean {
    const follow = words.every((word, index) => {
      const token = this.all[this.at + index]
      return token?.kind === 'word' && token.text.toLowerCase() === word
    })
    if (follow) this.at += words.length
    return follow
  }

  takeSign(sign: string): boolean {
    const found = this.next.kind === 'sign' && this.next.text === sign
    if (found) this.at += 1
    return found
  }

  needWords(...words: readonly string[]): void {
    if (!this.takeWords(...words)) throw this.fail()
  }

  needSign(sign: string): void {
    if (!this.takeSign(sign)) throw this.fail()
  }

  needName(): string {
    if (this.next.kind !== 'word' && this.next.kind !== 'name') throw this.fail()
    return this.take().text
  }

  needWhole(): number {
    if (this.next.kind !== 'number' || !/^\d+$/.test(this.next.text)) throw this.fail()
    return Number(this.take().text)
  }

  needTable(): TableName {
    const first = this.needName()
    if (!this.takeSign('.')) return { database: undefined, table: first }
    return { database: first, table: this.needName() }
  }

  /** Items between commas. */
  list<Item>(read: () => Item): Item[] {
    const items = [read()]
    while (this.takeSign(',')) items.push(read())
    return items
  }

  /** The text from a token's place to here, as it was written. */
  textSince(at: number): string {
    return this.sql.slice(at, this.next.kind === 'end' ? undefined : this.next.at).trim()
  }

  /** A text in quotes. */
  needText(): string {
    if (this.next.kind !== 'string') throw this.fail()
    return this.take().text
  }

  /** @throws SqlError when something but a semicolon is left. */
  end(): void {
    this.takeSign(';')
    if (this.next.kind !== 'end') throw this.fail()
  }
}
