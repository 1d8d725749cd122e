/**
 * Conditions of SELECT, DELETE, UPDATE and MERGE on their first table, from behind its name on: WHERE,
 * and ON as far as it restricts the rows of that table. Hot path: see the rules.
 * Source: proxy-routing.md §5.8; MySQL manual, "JOIN Clause".
 */
import type { ExpressionReader } from './expression-reader.ts'
import { type Expressions, NO_NODE, NODE } from './expressions.ts'
import { keyword, type Lexer, SIGN, WordTable } from './lexer.ts'
import { isAtEnd, skipOne, stepOver } from './token-steps.ts'

const JOIN = { none: 0, inner: 1, left: 2, right: 3, full: 4 } as const

const STEP = {
  join: 1,
  left: 2,
  right: 3,
  full: 4,
  on: 5,
  where: 6,
  set: 7,
  end: 8,
  union: 9,
} as const

const WORDS = new WordTable<number>({
  join: STEP.join,
  straight_join: STEP.join,
  left: STEP.left,
  right: STEP.right,
  full: STEP.full,
  on: STEP.on,
  where: STEP.where,
  set: STEP.set,
  union: STEP.union,
  except: STEP.union,
  intersect: STEP.union,
  minus: STEP.union,
  for: STEP.end,
  limit: STEP.end,
  group: STEP.end,
  having: STEP.end,
  order: STEP.end,
  window: STEP.end,
  lock: STEP.end,
  into: STEP.end,
  procedure: STEP.end,
  returning: STEP.end,
  fetch: STEP.end,
  offset: STEP.end,
  when: STEP.end,
})

const JOIN_WORDS = new WordTable<true>({ inner: true, cross: true, natural: true })

const WHERE = keyword('where')
const ON = keyword('on')

export class FromReader {
  private readonly reader: ExpressionReader
  private readonly expressions: Expressions
  private readonly lexer: Lexer
  private condition = NO_NODE
  /** Of the join whose ON is still to come. */
  private join: number = JOIN.none
  /** The table's rows may be missing, all their columns NULL, behind a join of another's rows. */
  private isNullable = false
  /** Something was read that the condition may depend on and that was not understood. */
  private isOdd = false
  /** Parentheses around the table that hold tables alone and are still open. */
  private open = 0

  constructor(reader: ExpressionReader, expressions: Expressions) {
    this.reader = reader
    this.expressions = expressions
    this.lexer = reader.lexer
  }

  /** From behind the table to the end of its query: NO_NODE when nothing is known of the table's rows. */
  read(openJoins: number): number {
    const { lexer } = this
    this.begin()
    this.open = openJoins
    while (!isAtEnd(lexer) && this.from()) {
      // One word or one group after the other.
    }
    this.behind()
    return this.isOdd ? NO_NODE : this.condition
  }

  /** MERGE: what stands between ON and WHEN. */
  merged(): number {
    const { lexer } = this
    this.begin()
    while (!isAtEnd(lexer) && !lexer.is(ON)) skipOne(lexer)
    if (stepOver(lexer, ON)) this.add(this.reader.condition())
    return this.isWhereEnded() ? this.condition : NO_NODE
  }

  private begin(): void {
    this.condition = NO_NODE
    this.join = JOIN.none
    this.isNullable = false
    this.isOdd = false
    this.open = 0
  }

  /** Whether the list of tables goes on behind the current token. */
  private from(): boolean {
    const { lexer } = this
    if (lexer.isSign(SIGN.close)) {
      if (this.open === 0) return false
      this.open -= 1
      lexer.next()
      return true
    }
    const step = WORDS.lookup(lexer) ?? 0
    if (step === STEP.end || step === STEP.union) return false
    if (step === STEP.where) return this.where()
    if (step === STEP.on) this.on()
    else {
      this.joined(step)
      skipOne(lexer)
    }
    if (step === STEP.set) this.toWhere()
    return true
  }

  private joined(step: number): void {
    if (step === STEP.left) this.join = JOIN.left
    else if (step === STEP.right || step === STEP.full) {
      this.join = step === STEP.right ? JOIN.right : JOIN.full
      this.isNullable = true
    } else if (step === STEP.join && this.join === JOIN.none) this.join = JOIN.inner
  }

  /**
   * The ON of a left or full join takes no row of the table away. One that is cut says nothing: an OR may
   * follow, and a WHERE that is about other rows than what has come of it.
   */
  private on(): void {
    const { lexer, join, reader } = this
    lexer.next()
    this.join = JOIN.none
    const condition = reader.condition()
    if (reader.operands.isTorn) return
    if ((join === JOIN.inner || join === JOIN.right) && this.isOnEnded()) this.add(condition)
  }

  /** Behind SET of an UPDATE: the new values do not tell where a row is. */
  private toWhere(): void {
    const { lexer } = this
    while (!isAtEnd(lexer) && !lexer.is(WHERE)) skipOne(lexer)
  }

  private where(): boolean {
    const { lexer, expressions } = this
    lexer.next()
    const before = expressions.size
    const condition = this.reader.condition()
    if (!this.isWhereEnded()) this.isOdd = true
    if (!this.isNullable || this.rejectsNull(before + 1)) this.add(condition)
    return false
  }

  /** Whether what was read since `first` is never true for a row that is missing. */
  private rejectsNull(first: number): boolean {
    const { expressions } = this
    for (let node = first; node <= expressions.size; node++) {
      const kind = expressions.kind(node)
      const mayAccept = kind === NODE.not || kind === NODE.xor || kind === NODE.isNull
      if (mayAccept || kind === NODE.nullSafeEqual || kind === NODE.call) return false
    }
    return true
  }

  /** Whether the condition of ON ends here as one can. */
  private isOnEnded(): boolean {
    const { lexer } = this
    const isWord = WORDS.lookup(lexer) !== undefined || JOIN_WORDS.lookup(lexer) === true
    return isWord || lexer.isSign(SIGN.comma) || this.isQueryEnded()
  }

  /** Whether the condition of WHERE ends here as one can. */
  private isWhereEnded(): boolean {
    const step = WORDS.lookup(this.lexer)
    return step === STEP.end || step === STEP.union || this.isQueryEnded()
  }

  private isQueryEnded(): boolean {
    return isAtEnd(this.lexer) || this.lexer.isSign(SIGN.close)
  }

  private add(condition: number): void {
    const { expressions } = this
    if (this.condition === NO_NODE) this.condition = condition
    else {
      const both = expressions.add(NODE.and, expressions.from(this.condition), this.lexer.start)
      expressions.append(both, this.condition)
      expressions.append(both, condition)
      this.condition = both
    }
  }

  /** To the end of the query: a UNION has rows that no condition of this query is about. */
  private behind(): void {
    const { lexer } = this
    for (; !isAtEnd(lexer) && !lexer.isSign(SIGN.close); skipOne(lexer)) if (this.isUnion()) return
    while (lexer.isSign(SIGN.close)) lexer.next()
    this.isUnion()
  }

  private isUnion(): boolean {
    if (WORDS.lookup(this.lexer) !== STEP.union) return false
    this.isOdd = true
    return true
  }
}
