/**
 * Whether a statement ends with a locking clause, told by its tokens. Hot path: see the rules.
 * Source: proxy-routing.md §5.5.
 */
import { keyword, type Lexer, SIGN, TOKEN, WordTable } from './lexer.ts'

const FOR = keyword('for')
const UPDATE = keyword('update')
const OF = keyword('of')
const TRAILERS = new WordTable<true>({ nowait: true, wait: true, skip: true, locked: true })

const STATE = { none: 0, for: 1, locked: 2, tables: 3, ended: 4 } as const

/** FOR UPDATE at the end of the first statement, with nothing behind it but NOWAIT and the like. */
export class LockingClause {
  private state: number = STATE.none

  get isLast(): boolean {
    return this.state >= STATE.locked
  }

  sign(sign: number): void {
    if (sign === SIGN.semicolon) this.state = this.isLast ? STATE.ended : STATE.none
    else if (this.state === STATE.tables && (sign === SIGN.comma || sign === SIGN.dot)) return
    else if (this.state !== STATE.ended) this.state = STATE.none
  }

  word(lexer: Lexer): void {
    if (this.state === STATE.ended) return
    if (lexer.is(FOR)) this.state = STATE.for
    else if (this.state === STATE.for) this.state = lexer.is(UPDATE) ? STATE.locked : STATE.none
    else if (this.state === STATE.locked) this.state = afterUpdate(lexer)
    else if (this.state !== STATE.tables) this.state = STATE.none
  }
}

function afterUpdate(lexer: Lexer): number {
  if (lexer.is(OF)) return STATE.tables
  const isNumber = lexer.type === TOKEN.word && ((lexer.bytes[lexer.start] as number) | 0) <= 0x39
  return isNumber || TRAILERS.lookup(lexer) === true ? STATE.locked : STATE.none
}
