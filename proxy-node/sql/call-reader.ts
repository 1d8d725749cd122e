/**
 * Arguments of functions, in MySQL's special forms too. Hot path: see the rules.
 * Source: MySQL manual, "Functions and Operators"; proxy-routing.md §5.9.
 */
import { ARGUMENTS, SPECIAL_CALLS, TRIM_SIDES } from './expression-words.ts'
import { CALL_FORM, type Expressions, NO_NODE, NODE } from './expressions.ts'
import { keyword, type Lexer, SIGN, TOKEN } from './lexer.ts'
import { skipOut, stepOver, stepOverSign } from './token-steps.ts'

const SELECT = keyword('select')
const WITH = keyword('with')
const FROM = keyword('from')
const FOR = keyword('for')
const AS = keyword('as')
const USING = keyword('using')
const INTEGER = keyword('integer')
const INT = keyword('int')

/** What reads one expression from the lexer's current token on: a value. */
export type ValueReader = { value(level?: number): number }

export class CallReader {
  private readonly lexer: Lexer
  private readonly values: ValueReader
  private readonly expressions: Expressions

  constructor(lexer: Lexer, values: ValueReader, expressions: Expressions) {
    this.lexer = lexer
    this.values = values
    this.expressions = expressions
  }

  /** The call of the name between `from` and `to`; its parenthesis is the current token. */
  read(from: number, to: number): number {
    const { lexer } = this
    const form = SPECIAL_CALLS.find(lexer.bytes, from, to)
    const call = this.expressions.add(NODE.call, from, to)
    lexer.next()
    if (form === ARGUMENTS.extract) this.extract(call)
    else if (form === ARGUMENTS.cast) this.cast(call)
    else if (form === ARGUMENTS.trim) this.trim(call)
    else if (form === ARGUMENTS.substring) this.substring(call)
    else this.list(call, form === ARGUMENTS.unitFirst)
    return this.close(call)
  }

  /** Behind the parenthesis that closes `node`, or the unknown that it is if more stands before that. */
  close(node: number): number {
    const { lexer } = this
    if (stepOverSign(lexer, SIGN.close)) return node
    const { start } = lexer
    skipOut(lexer)
    return this.expressions.add(NODE.unknown, start, start)
  }

  /** Whether a query begins here. */
  isQuery(): boolean {
    return this.lexer.is(SELECT) || this.lexer.is(WITH)
  }

  private list(call: number, unitFirst: boolean): void {
    if (this.lexer.isSign(SIGN.close)) return
    if (unitFirst) this.word(call)
    else this.argument(call)
    while (stepOverSign(this.lexer, SIGN.comma)) this.argument(call)
  }

  /** A query as an argument is left for `close` to step over. */
  private argument(call: number): number {
    if (this.isQuery()) return NO_NODE
    const value = this.values.value()
    this.expressions.append(call, value)
    return value
  }

  /** A bare word as an argument: nothing when there is none. */
  private word(call: number): void {
    const { lexer, expressions } = this
    if (lexer.type !== TOKEN.word) return
    expressions.append(call, expressions.add(NODE.word, lexer.start, lexer.end))
    lexer.next()
  }

  private extract(call: number): void {
    this.word(call)
    if (stepOver(this.lexer, FROM)) this.argument(call)
  }

  private cast(call: number): void {
    const { lexer, expressions } = this
    this.argument(call)
    if (stepOver(lexer, USING)) {
      expressions.mark(call, CALL_FORM.using)
      this.word(call)
    } else if (stepOver(lexer, AS) || stepOverSign(lexer, SIGN.comma)) this.type(call)
  }

  /** `decimal(10, 2)`, `signed [integer]`. */
  private type(call: number): void {
    const { lexer } = this
    this.word(call)
    if (lexer.is(INTEGER) || lexer.is(INT)) lexer.next()
    if (!stepOverSign(lexer, SIGN.open)) return
    do this.argument(call)
    while (stepOverSign(lexer, SIGN.comma))
    if (lexer.isSign(SIGN.close)) lexer.next()
  }

  private trim(call: number): void {
    const { lexer, expressions } = this
    const side = TRIM_SIDES.lookup(lexer)
    if (side !== undefined) {
      expressions.mark(call, side)
      lexer.next()
      if (stepOver(lexer, FROM)) {
        this.argument(call)
        return
      }
    }
    const taken = this.values.value()
    if (stepOver(lexer, FROM)) {
      if (side === undefined) expressions.mark(call, CALL_FORM.both)
      this.argument(call)
    }
    expressions.append(call, taken)
  }

  /** (s, a[, b]) and (s FROM a [FOR b]). */
  private substring(call: number): void {
    const { lexer } = this
    this.argument(call)
    while (lexer.isSign(SIGN.comma) || lexer.is(FROM) || lexer.is(FOR)) {
      lexer.next()
      this.argument(call)
    }
  }
}
