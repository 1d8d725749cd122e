/**
 * What ties a text to the server session that executes it, gathered from its tokens: functions and
 * variables that tell of the statement before, locks, temporary tables, and state that several
 * statements in one text leave unseen. Hot path: see the rules. Source: proxy-protocol.md §5.3.
 */
import { keyword, type Lexer, SIGN, TOKEN } from './lexer.ts'
import {
  FLAG,
  FUNCTIONS,
  HEAD_FILLERS,
  type Head,
  LEANING_SHOWS,
  SEQUENCES,
  VARIABLES,
} from './words.ts'

const TEMPORARY = keyword('temporary')
const PREPARE = keyword('prepare')
const DIAGNOSTICS = keyword('diagnostics')
const COUNT = keyword('count')

/** What the words behind a statement's first are looked at for. */
const EXPECTS = { nothing: 0, show: 1, change: 2, get: 3 } as const

export class Ties {
  private flags = 0
  private leavesState = false
  private expects: number = EXPECTS.nothing
  /** What stands before the current token, if it can be a function's name. */
  private nameStart = 0
  private nameEnd = 0
  private isBehindDot = false

  /** Bits of FLAG that the text has. */
  of(multiple: boolean): number {
    return multiple && this.leavesState ? this.flags | FLAG.untracked : this.flags
  }

  /** The first word of a statement. */
  head(word: Head): void {
    this.expects = EXPECTS.nothing
    if (word === 'show') this.expects = EXPECTS.show
    else if (word === 'ddl' || word === 'drop') this.expects = EXPECTS.change
    else if (word === 'get') this.expects = EXPECTS.get
    else if (word === 'lock' || word === 'unlock') this.flags |= FLAG.locks
    else if (word === 'execute') this.flags |= FLAG.executes
    else if (word === 'call') this.flags |= FLAG.calls
    if (word === 'lock' || word === 'use' || word === 'prepare' || word === 'deallocate')
      this.leavesState = true
  }

  sign(sign: number, lexer: Lexer): void {
    this.isBehindDot = sign === SIGN.dot
    if (sign === SIGN.at) this.flags |= FLAG.variables
    else if (sign === SIGN.open && this.nameEnd !== 0)
      this.flags |= FUNCTIONS.find(lexer.bytes, this.nameStart, this.nameEnd) ?? 0
    this.nameEnd = 0
  }

  /** Anything but a sign: a quoted name calls a function as a bare word does. */
  word(lexer: Lexer): void {
    const { type, start, end } = lexer
    this.nameStart = start
    this.nameEnd = type === TOKEN.text ? 0 : end
    if (this.isBehindDot) this.flags |= SEQUENCES.lookup(lexer) ?? 0
    this.isBehindDot = false
    if ((this.flags & FLAG.variables) !== 0 && type !== TOKEN.text)
      this.flags |= VARIABLES.find(lexer.bytes, start, end) ?? 0
    if (this.expects !== EXPECTS.nothing && type === TOKEN.word) this.behindHead(lexer)
  }

  private behindHead(lexer: Lexer): void {
    const { expects } = this
    if (expects === EXPECTS.show && lexer.is(COUNT)) return
    if (expects !== EXPECTS.show && HEAD_FILLERS.lookup(lexer) === true) return
    this.expects = EXPECTS.nothing
    if (expects === EXPECTS.show && LEANING_SHOWS.lookup(lexer) === true) this.flags |= FLAG.leans
    else if (expects === EXPECTS.get && lexer.is(DIAGNOSTICS)) this.flags |= FLAG.leans
    else if (expects === EXPECTS.change) this.changed(lexer)
  }

  private changed(lexer: Lexer): void {
    if (lexer.is(TEMPORARY)) this.flags |= FLAG.temporary
    if (lexer.is(TEMPORARY) || lexer.is(PREPARE)) this.leavesState = true
  }
}
