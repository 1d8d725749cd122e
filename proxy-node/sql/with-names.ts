/**
 * Names that WITH gives to queries, while a statement is scanned: such a name is no table, as far as it
 * reaches. It reaches the queries behind its own in the list and the query behind the list; with
 * RECURSIVE its own as well. Hot path: see the rules. Source: MySQL manual, "WITH (Common Table
 * Expressions)"; the kernel's resolver, tried.
 */
import { isSameSpan } from './key-columns.ts'
import { keyword, type Lexer, SIGN } from './lexer.ts'
import { isAtEnd, isName, stepOver } from './token-steps.ts'

/** In reach at the same time; a statement that has more names no table. */
const MAX_NAMES = 64

const RECURSIVE = keyword('recursive')
const AS = keyword('as')

/** Bits of what is known of a name. */
const STATE = {
  /** The query that it stands for has begun, and has not ended. */
  begun: 0,
  ended: 1,
  /** Its list is RECURSIVE. */
  recursive: 2,
} as const

export class WithNames {
  private readonly spans = Array.from({ length: MAX_NAMES }, () => ({ from: 0, to: 0 }))
  /** Parentheses around the list that a name is in. */
  private readonly depths = new Int32Array(MAX_NAMES)
  private readonly states = new Uint8Array(MAX_NAMES)
  private count = 0
  /** There are more than can be kept. */
  private isFull = false

  /** Another statement begins. */
  clear(): void {
    this.count = 0
    this.isFull = false
  }

  /**
   * From WITH, or from the comma behind a query of its list, to the parenthesis of the next query:
   * `x [(column, …)] AS`. Whether there is a name; what else is odd is for the server to say.
   */
  define(lexer: Lexer, depth: number): boolean {
    const isNext = lexer.isSign(SIGN.comma)
    lexer.next()
    const isRecursive = isNext ? this.isLastRecursive() : stepOver(lexer, RECURSIVE)
    if (!isName(lexer)) return false
    this.add(lexer, depth, isRecursive)
    lexer.next()
    if (lexer.isSign(SIGN.open)) {
      while (!isAtEnd(lexer) && !lexer.isSign(SIGN.close)) lexer.next()
      lexer.next()
    }
    stepOver(lexer, AS)
    return true
  }

  /** A parenthesis was closed, `depth` are open still: whether it closed a query of a list. */
  closed(depth: number): boolean {
    while (this.count > 0 && (this.depths[this.count - 1] as number) > depth) this.count -= 1
    const last = this.count - 1
    if (last < 0 || this.depths[last] !== depth) return false
    const state = this.states[last] as number
    if ((state & STATE.ended) !== 0) return false
    this.states[last] = state | STATE.ended
    return true
  }

  /** Whether the name at the lexer's token, which nothing qualifies, stands for a query. */
  has({ bytes, start, end }: Lexer): boolean {
    if (this.isFull) return true
    for (let at = this.count - 1; at >= 0; at--)
      if (
        this.states[at] !== STATE.begun &&
        isSameSpan(bytes, this.spans[at] ?? NOWHERE, start, end)
      )
        return true
    return false
  }

  private add({ start, end }: Lexer, depth: number, isRecursive: boolean): void {
    const span = this.spans[this.count]
    if (span === undefined) {
      this.isFull = true
      return
    }
    span.from = start
    span.to = end
    this.depths[this.count] = depth
    this.states[this.count] = isRecursive ? STATE.recursive : STATE.begun
    this.count += 1
  }

  /** Of the list that goes on. */
  private isLastRecursive(): boolean {
    return this.count > 0 && ((this.states[this.count - 1] as number) & STATE.recursive) !== 0
  }
}

const NOWHERE = { from: 0, to: 0 }
