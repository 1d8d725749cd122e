/**
 * CALL: which routine, and what its arguments are, for routing by the routine's first statement.
 * Source: proxy-routing.md §4.5, §5.1.
 */
import { ExpressionReader } from './expression-reader.ts'
import { Expressions, NO_NODE } from './expressions.ts'
import { NO_COLUMNS } from './key-columns.ts'
import { keyword, SIGN, TOKEN } from './lexer.ts'
import type { StatementText } from './predicates.ts'
import { stepOver, stepOverSign } from './token-steps.ts'

const CALL = keyword('call')
/** database.package.routine */
const MOST_NAMES = 3
/** A call with more is not read. */
const MAX_ARGUMENTS = 256

export class RoutineCall {
  readonly expressions = new Expressions()
  private readonly reader = new ExpressionReader(this.expressions)
  private readonly nodes = new Int32Array(MAX_ARGUMENTS)
  /** In lower case: the routine, or what qualifies it before it; the routine's is the last. */
  readonly names: string[] = []
  private count = 0

  /** Whether the text that begins at `from` is a call that is understood; its nodes are good until the next. */
  read({ bytes, to, mode, isCut }: StatementText, from: number): boolean {
    const { lexer, operands } = this.reader
    this.names.length = 0
    this.count = 0
    this.expressions.clear(bytes)
    lexer.reset(bytes, from, to, mode)
    operands.columns = NO_COLUMNS
    operands.isCut = isCut
    lexer.next()
    if (!stepOver(lexer, CALL) || !this.name()) return false
    if (!stepOverSign(lexer, SIGN.open)) return true
    return stepOverSign(lexer, SIGN.close) || this.list()
  }

  get argumentCount(): number {
    return this.count
  }

  /** NO_NODE when there are fewer. */
  argument(index: number): number {
    return index < this.count ? (this.nodes[index] as number) : NO_NODE
  }

  private name(): boolean {
    const { lexer } = this.reader
    do {
      if (lexer.type !== TOKEN.word && lexer.type !== TOKEN.name) return false
      if (this.names.length >= MOST_NAMES) return false
      this.names.push(lexer.name())
      lexer.next()
    } while (stepOverSign(lexer, SIGN.dot))
    return true
  }

  private list(): boolean {
    const { reader } = this
    do {
      if (this.count >= MAX_ARGUMENTS) return false
      this.nodes[this.count] = reader.value()
      this.count += 1
    } while (stepOverSign(reader.lexer, SIGN.comma))
    return reader.lexer.isSign(SIGN.close) && !this.expressions.isFull
  }
}
