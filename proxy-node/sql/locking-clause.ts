/**
 * Whether a query locks what it reads, told by its tokens: FOR UPDATE, FOR SHARE or LOCK IN SHARE MODE,
 * at its end or in parentheses, of which its words can be nothing else. Hot path: see the rules.
 * Source: proxy-routing.md §5.5; MySQL manual, "Locking Reads".
 */
import { keyword, type Lexer } from './lexer.ts'

const FOR = keyword('for')
const UPDATE = keyword('update')
const SHARE = keyword('share')
const LOCK = keyword('lock')
const IN = keyword('in')

/** What the word before the current token was. */
const STATE = { none: 0, for: 1, lock: 2, lockIn: 3 } as const

export class LockingClause {
  private state: number = STATE.none
  isFound = false

  sign(): void {
    this.state = STATE.none
  }

  word(lexer: Lexer): void {
    const { state } = this
    if (state !== STATE.none) this.state = this.behind(state, lexer)
    else if (lexer.is(FOR)) this.state = STATE.for
    else if (lexer.is(LOCK)) this.state = STATE.lock
  }

  private behind(state: number, lexer: Lexer): number {
    if (state === STATE.lock) return lexer.is(IN) ? STATE.lockIn : STATE.none
    if (lexer.is(SHARE) || (state === STATE.for && lexer.is(UPDATE))) this.isFound = true
    return STATE.none
  }
}
