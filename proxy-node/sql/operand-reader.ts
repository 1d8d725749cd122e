/**
 * Operands of expressions: literals, parameters, columns, calls, and what stands in parentheses.
 * Hot path: see the rules. Source: proxy-routing.md §5.8.
 */
import { CallReader, type ValueReader } from './call-reader.ts'
import { LEVEL, OPERAND, OPERAND_WORDS, type OperandWord } from './expression-words.ts'
import { type Expressions, NO_NODE, NODE, type NodeKind, TEXT_FORM } from './expressions.ts'
import { isSameSpan, isSameText, type KeyColumns, NO_COLUMNS } from './key-columns.ts'
import { keyword, LEXER_MODE, type Lexer, SIGN, TOKEN } from './lexer.ts'
import { LiteralReader } from './literal-reader.ts'
import { skipCase, skipOut, stepOver, stepOverSign } from './token-steps.ts'

const UNDERSCORE = 0x5f
const ZERO = 0x30
const NINE = 0x39
const SINGLE_QUOTE = 0x27
const EXCLAMATION = 0x21
const MINUS = 0x2d
const PLUS = 0x2b
const TILDE = 0x7e
const COLON = 0x3a
const SELECT = keyword('select')
const FROM = keyword('from')
const DUAL = keyword('dual')
/** Of a parameter of a routine. */
const MAX_PLACE = 100_000

/** What reads expressions from the lexer's current token on, of operators that bind at least as `level`. */
export type Reader = ValueReader & {
  expression(): number
  condition(level?: number): number
}

/** Where a name stands in the statement, without its quotes; empty when it does not. */
export type Span = { from: number; to: number }

export class OperandReader {
  private readonly lexer: Lexer
  private readonly reader: Reader
  private readonly expressions: Expressions
  private readonly literals: LiteralReader
  private readonly calls: CallReader
  columns: KeyColumns = NO_COLUMNS
  /** What a column's qualifier has to be, in any case unless that matters; when empty, all are good. */
  table: Span = { from: 0, to: 0 }
  database: Span = { from: 0, to: 0 }
  /** The last part of the qualified name that is being read. */
  private readonly part: Span = { from: 0, to: 0 }

  constructor(lexer: Lexer, reader: Reader, expressions: Expressions) {
    this.lexer = lexer
    this.reader = reader
    this.expressions = expressions
    this.literals = new LiteralReader(lexer, expressions)
    this.calls = new CallReader(lexer, reader, expressions)
  }

  /** The statement goes on behind the bytes that are known: its last literal may be longer. */
  set isCut(isCut: boolean) {
    this.literals.isCut = isCut
  }

  /** Nothing is left here of a statement that goes on: what stands before may be part of something larger. */
  get isTorn(): boolean {
    return this.literals.isCut && this.lexer.type === TOKEN.end
  }

  /** Whether a query begins here. */
  isQuery(): boolean {
    return this.calls.isQuery()
  }

  /** Behind the parenthesis that closes `node`, or the unknown that it is if more stands before that. */
  close(node: number): number {
    return this.calls.close(node)
  }

  /** The operand at the current token; `unknown`, with nothing stepped over, when none begins here. */
  read(): number {
    const { lexer } = this
    switch (lexer.type) {
      case TOKEN.word:
        return this.word()
      case TOKEN.name:
        return this.quotedName()
      case TOKEN.text:
        return this.literals.text(0)
      case TOKEN.sign:
        return this.signed()
      default:
        return this.unknown()
    }
  }

  private unknown(): number {
    const { start } = this.lexer
    return this.expressions.add(NODE.unknown, start, start)
  }

  private signed(): number {
    const { lexer, reader } = this
    switch (lexer.sign) {
      case SIGN.open:
        return this.group(false)
      case SIGN.at:
        return this.literals.variable()
      case SIGN.question:
        return this.parameter()
      case SIGN.dot:
        return this.isDigit(lexer.end) ? this.literals.number() : this.unknown()
      case COLON:
        return this.numbered()
      case MINUS:
        return this.prefixed(NODE.negate)
      case TILDE:
        return this.prefixed(NODE.bitNot)
      case PLUS:
        lexer.next()
        return reader.value(LEVEL.unary)
      case EXCLAMATION:
        lexer.next()
        return this.denied(LEVEL.unary)
      default:
        return this.unknown()
    }
  }

  private parameter(): number {
    const { lexer } = this
    const { start, end, parameters } = lexer
    lexer.next()
    return this.expressions.add(NODE.parameter, start, end, parameters - 1)
  }

  /** `:n`, as the text of a routine calls the routine's own parameters, from 0. */
  private numbered(): number {
    const { lexer } = this
    const { start, end, bytes } = lexer
    let to = end
    let place = 0
    for (; this.isDigit(to) && place < MAX_PLACE; to++)
      place = place * 10 + (bytes[to] as number) - ZERO
    if (to === end || this.isDigit(to)) return this.unknown()
    lexer.resume(to)
    lexer.next()
    return this.expressions.add(NODE.parameter, start, to, place)
  }

  private prefixed(kind: NodeKind): number {
    const { lexer, expressions } = this
    const { start } = lexer
    lexer.next()
    const child = this.reader.value(LEVEL.unary)
    const node = expressions.add(kind, start, lexer.start)
    expressions.append(node, child)
    return node
  }

  /** Behind NOT or `!`. */
  private denied(level: number): number {
    const { lexer, expressions } = this
    const { start } = lexer
    const child = this.reader.condition(level)
    const node = expressions.add(NODE.not, start, lexer.start)
    expressions.append(node, child)
    return node
  }

  /** `(…)`: an expression, a row, or a query, which has no known value. */
  private group(isRow: boolean): number {
    const { lexer, reader, expressions } = this
    const { start } = lexer
    lexer.next()
    if (this.isQuery()) return this.query()
    if (lexer.isSign(SIGN.close)) {
      skipOut(lexer)
      return expressions.add(NODE.unknown, start, lexer.start)
    }
    const first = reader.expression()
    if (!isRow && !lexer.isSign(SIGN.comma)) return this.close(first)
    const row = expressions.add(NODE.row, start, lexer.end)
    expressions.append(row, first)
    while (stepOverSign(lexer, SIGN.comma)) expressions.append(row, reader.value())
    return this.close(row)
  }

  /**
   * The query at the current token, to behind its parenthesis: `SELECT value [FROM DUAL]` is its value,
   * any other one has no known value.
   */
  query(): number {
    const { lexer, expressions } = this
    const { start } = lexer
    if (stepOver(lexer, SELECT)) {
      const value = this.reader.value()
      const isOfTable = stepOver(lexer, FROM) && !stepOver(lexer, DUAL)
      if (!isOfTable && stepOverSign(lexer, SIGN.close)) return value
    }
    skipOut(lexer)
    return expressions.add(NODE.unknown, start, start)
  }

  private word(): number {
    const { lexer } = this
    const { start, end } = lexer
    if (this.isDigit(start)) {
      const number = this.literals.number()
      if (number !== NO_NODE) return number
    }
    const word = OPERAND_WORDS.lookup(lexer)
    lexer.next()
    if (word !== undefined) {
      const node = this.special(word, start, end)
      if (node !== NO_NODE) return node
    }
    return this.named(start, end)
  }

  /** NO_NODE, with nothing stepped over, when what follows the word does not fit its meaning. */
  private special(word: OperandWord, from: number, to: number): number {
    const { lexer, expressions } = this
    const isCall = lexer.isSign(SIGN.open)
    const isText = lexer.type === TOKEN.text
    switch (word.meaning) {
      case OPERAND.not:
        return this.denied(LEVEL.not)
      case OPERAND.literal:
      case OPERAND.bareCall:
        return isCall || lexer.isSign(SIGN.dot) ? NO_NODE : expressions.add(word.kind, from, to)
      case OPERAND.temporal:
        return isText ? this.temporal(word.kind, from) : NO_NODE
      case OPERAND.prefix:
        return isText && lexer.start === to + 1 ? this.prefixedText(word.kind) : NO_NODE
      case OPERAND.interval:
        return isCall ? NO_NODE : this.interval(from)
      case OPERAND.case:
        skipCase(lexer)
        return expressions.add(NODE.unknown, from, to)
      case OPERAND.binary:
        return this.binary(from, to)
      case OPERAND.row:
        return isCall ? this.group(true) : NO_NODE
    }
  }

  /** `BINARY x` as a call of BINARY. */
  private binary(from: number, to: number): number {
    const { expressions, reader } = this
    const call = expressions.add(NODE.call, from, to)
    expressions.append(call, reader.value(LEVEL.unary))
    return call
  }

  private temporal(kind: NodeKind, from: number): number {
    const { lexer, expressions } = this
    const text = this.literals.text(0)
    const node = expressions.add(kind, from, lexer.start)
    expressions.append(node, text)
    return node
  }

  /** N takes single quotes only, as x and b do. */
  private prefixedText(kind: NodeKind): number {
    const { lexer, literals } = this
    if (lexer.bytes[lexer.start - 1] !== SINGLE_QUOTE) return NO_NODE
    return kind === NODE.text ? literals.text(TEXT_FORM.national) : literals.digitsInQuotes(kind)
  }

  /** INTERVAL amount unit */
  private interval(from: number): number {
    const { lexer, expressions } = this
    const amount = this.reader.value(LEVEL.comparison)
    if (lexer.type !== TOKEN.word) return this.unknown()
    const unit = expressions.add(NODE.word, lexer.start, lexer.end)
    const node = expressions.add(NODE.interval, from, lexer.end)
    expressions.append(node, amount)
    expressions.append(node, unit)
    lexer.next()
    return node
  }

  private quotedName(): number {
    const { lexer } = this
    const { start, end, hasEscapes } = lexer
    lexer.next()
    return this.named(start, hasEscapes ? start : end)
  }

  /** Behind a name: it calls a function, qualifies another name, names a character set or a column. */
  private named(from: number, to: number): number {
    const { lexer } = this
    if (lexer.isSign(SIGN.open)) return this.called(from, to)
    if (lexer.isSign(SIGN.dot)) return this.qualified(from, to)
    if (lexer.bytes[from] === UNDERSCORE && this.isIntroduced()) return this.introduced(from, to)
    return this.column(from, to)
  }

  /** A call, or INTERVAL with its amount in parentheses. */
  private called(from: number, to: number): number {
    const { lexer, expressions } = this
    const call = this.calls.read(from, to)
    const isInterval = OPERAND_WORDS.find(lexer.bytes, from, to)?.meaning === OPERAND.interval
    if (!isInterval || lexer.type !== TOKEN.word || expressions.children(call) !== 1) return call
    const node = expressions.add(NODE.interval, from, lexer.end)
    const unit = expressions.add(NODE.word, lexer.start, lexer.end)
    expressions.append(node, expressions.first(call))
    expressions.append(node, unit)
    lexer.next()
    return node
  }

  /** `t.c`, `db.t.c`; what else has a point in it is unknown. */
  private qualified(from: number, to: number): number {
    const { lexer, part } = this
    let isOurs = this.isSpan(this.table, from, to)
    this.readPart()
    if (lexer.isSign(SIGN.dot)) {
      isOurs = this.isSpan(this.database, from, to) && this.isSpan(this.table, part.from, part.to)
      this.readPart()
    }
    const isCall = stepOverSign(lexer, SIGN.open)
    if (isCall) skipOut(lexer)
    if (isCall) isOurs = false
    if (isOurs) return this.column(part.from, part.to)
    const isName = part.to > part.from && !isCall
    return this.expressions.add(isName ? NODE.otherColumn : NODE.unknown, from, part.to)
  }

  /** The name behind the point that is the current token; empty when there is none. */
  private readPart(): void {
    const { lexer, part } = this
    lexer.next()
    const isName = lexer.type === TOKEN.word || lexer.type === TOKEN.name
    part.from = lexer.start
    part.to = isName && !(lexer.type === TOKEN.name && lexer.hasEscapes) ? lexer.end : lexer.start
    if (isName) lexer.next()
  }

  private column(from: number, to: number): number {
    const column = this.columns.find(this.lexer.bytes, from, to)
    return column < 0
      ? this.expressions.add(to > from ? NODE.otherColumn : NODE.unknown, from, to)
      : this.expressions.add(NODE.column, from, to, column)
  }

  private isSpan(span: Span, from: number, to: number): boolean {
    const { lexer } = this
    if (span.to === span.from) return true
    if (!lexer.has(LEXER_MODE.casedNames)) return isSameSpan(lexer.bytes, span, from, to)
    return isSameText(lexer.bytes, span, from, to)
  }

  /** Behind a word with an underscore first: whether a literal follows that it can be the character set of. */
  private isIntroduced(): boolean {
    const { lexer } = this
    if (lexer.type === TOKEN.text) return true
    if (lexer.type !== TOKEN.word) return false
    const meaning = OPERAND_WORDS.lookup(lexer)?.meaning
    const isQuoted = meaning === OPERAND.prefix && lexer.bytes[lexer.end] === SINGLE_QUOTE
    return isQuoted || this.isDigit(lexer.start)
  }

  private introduced(from: number, to: number): number {
    const { expressions } = this
    const node = expressions.add(NODE.introduced, from, to)
    expressions.append(node, this.read())
    return node
  }

  private isDigit(at: number): boolean {
    const { bytes, to } = this.lexer
    const byte = at < to ? (bytes[at] as number) : 0
    return byte >= ZERO && byte <= NINE
  }
}
