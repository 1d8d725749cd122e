/**
 * Two small trackers over a statement's tokens: which parentheses hold a query, and whether the
 * statement ends with a locking clause. Hot path: see the rules. Source: proxy-routing.md §5.2, §5.5.
 */
import { keyword, type Lexer, SIGN, TOKEN, WordTable } from './lexer.ts'

const MAX_DEPTH = 31

/**
 * A FROM belongs to a query or to a function, as in `extract(year from born)`. One bit a level of
 * parentheses; levels beyond the 31st count as functions.
 */
export class QueryLevels {
  private depth = 0
  /** Bit n: level n holds a query. Level 0 does from the start. */
  private bits = 1

  get isQuery(): boolean {
    return this.depth < MAX_DEPTH && (this.bits & (1 << this.depth)) !== 0
  }

  opened(): void {
    this.depth += 1
    if (this.depth < MAX_DEPTH) this.bits &= ~(1 << this.depth)
  }

  closed(): void {
    if (this.depth > 0) this.depth -= 1
  }

  /** SELECT was met at the current level. */
  query(): void {
    if (this.depth < MAX_DEPTH) this.bits |= 1 << this.depth
  }
}

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
