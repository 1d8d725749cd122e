/**
 * The first table of a statement, and what its predicates are read from, gathered token by token. Names
 * that WITH gives to queries are no tables; then the first one is sought in those queries, too.
 * Hot path: see the rules. Source: proxy-routing.md §5.2.
 */
import { keyword, type Lexer, SIGN, TOKEN } from './lexer.ts'
import { isName, stepOver, stepOverSign } from './token-steps.ts'
import { WithNames } from './with-names.ts'
import type { Verb } from './words.ts'

const FROM = keyword('from')
const DUAL = keyword('dual')
const SELECT = keyword('select')
const WITH = keyword('with')
const JOIN = keyword('join')
const AS = keyword('as')

/** Deeper levels of parentheses count as those of functions. */
const MAX_DEPTH = 31

/** Of the statement that is being scanned: one at a time, so that none is made for each. */
const NAMES = new WithNames()

export class FirstTable {
  private readonly lexer: Lexer
  database: string | undefined
  table: string | undefined
  /** It is behind a link to another database. */
  isLinked = false
  /** Where the reference to it begins, quote included; 0 when the main query does not read it itself. */
  at = 0
  /** How many `?` stand before it. */
  parameters = 0
  /** How many parentheses around tables alone are open there. */
  openJoins = 0
  /** The queries of the statement's own WITH are being read. */
  isListing = false
  private hasWith = false
  /** The tables that were met last follow FROM, not JOIN. */
  private isFrom = false
  /** The first FROM has not been met and is wanted. */
  private wantsFrom = false
  /** A name with parentheses behind it is a function's: behind INSERT and REPLACE columns are listed there. */
  private mayBeFunction = false
  /** Parentheses that are open. */
  private depth = 0
  /** Bit n: level n of parentheses holds a query, whose FROM is no function's, as in `extract(year from born)`. */
  private queries = 1
  /** Of the statement's main query. */
  private mainDepth = 0

  constructor(lexer: Lexer) {
    this.lexer = lexer
  }

  /** Steps into the parentheses that stand around what the statement does. */
  enter(): void {
    while (stepOverSign(this.lexer, SIGN.open)) this.opened()
    this.mainDepth = this.depth
  }

  /** At the statement's verb. */
  begin(verb: Verb): void {
    const isRead = verb === 'select' || verb === 'delete'
    if (verb === 'select') this.query()
    if (isRead) this.wantsFrom = true
    this.mayBeFunction = isRead || verb === 'update'
  }

  /** From WITH, with which the statement begins. */
  list(): void {
    this.wantsFrom = true
    this.isListing = true
    this.mayBeFunction = true
    this.define()
  }

  /** What the list of WITH was for follows. */
  listed(): void {
    this.isListing = false
    this.openJoins = 0
    this.enter()
  }

  opened(): void {
    this.depth += 1
    if (this.depth < MAX_DEPTH) this.queries &= ~(1 << this.depth)
  }

  closed(): void {
    if (this.depth > 0) this.depth -= 1
  }

  /** Behind an opening parenthesis. */
  behindOpen(): void {
    if (this.lexer.is(WITH)) this.define()
  }

  /** Behind a closing one: one that ends a query with a name, another may follow, or what the list was for. */
  behindClose(): void {
    if (!this.hasWith || !NAMES.closed(this.depth)) return
    if (this.lexer.isSign(SIGN.comma)) this.define()
    else if (this.depth === this.mainDepth) this.isListing = false
  }

  /** SELECT was met at the current level. */
  query(): void {
    if (this.depth < MAX_DEPTH) this.queries |= 1 << this.depth
  }

  /** Whether tables follow the word here, of which the first is wanted. */
  get isSource(): boolean {
    const { lexer } = this
    if (!this.wantsFrom || !this.isQuery) return false
    this.isFrom = lexer.is(FROM)
    return this.isFrom || (this.hasWith && lexer.is(JOIN))
  }

  /** Behind the verb of INSERT, REPLACE, UPDATE and MERGE. */
  target(): void {
    this.here()
    if (this.table !== undefined) this.wantsFrom = false
  }

  /** Names the table at the current token and steps behind it. */
  here(): void {
    const { lexer } = this
    this.name()
    if (!isName(lexer)) return
    if (lexer.isBefore(SIGN.at)) this.isLinked = true
    lexer.next()
  }

  /** Takes the name at the current token, `[db.]table`; nothing when it is a function or no name. */
  name(): void {
    const { lexer } = this
    if (this.isQueryName()) return
    this.forget()
    if (!isName(lexer)) return
    const start = lexer.type === TOKEN.word ? lexer.start : lexer.start - 1
    this.at = this.isDirect ? start : 0
    this.parameters = lexer.parameters
    const first = lexer.name()
    if (!lexer.accept(SIGN.dot)) {
      const isFunction =
        lexer.type === TOKEN.word && lexer.isBefore(SIGN.open) && this.mayBeFunction
      if (!isFunction) this.table = first
      return
    }
    lexer.next()
    if (!isName(lexer)) return
    this.database = first
    this.table = lexer.name()
  }

  forget(): void {
    this.database = undefined
    this.table = undefined
  }

  private get isQuery(): boolean {
    return this.depth < MAX_DEPTH && (this.queries & (1 << this.depth)) !== 0
  }

  // --- FROM

  /** The table of the first FROM in text order; a derived table's own FROM is the first. */
  from(): void {
    const { lexer } = this
    this.openJoins = 0
    while (lexer.isSign(SIGN.open)) {
      this.opened()
      this.openJoins += 1
      lexer.next()
    }
    if (lexer.is(SELECT)) return
    if (lexer.is(WITH)) {
      this.define()
      return
    }
    this.wantsFrom = false
    if (!lexer.is(DUAL)) this.first()
  }

  private first(): void {
    const { lexer } = this
    // Words before a JOIN say how its rows are joined to those of a query without a table.
    let isAlone = this.isFrom
    while (this.isQueryName()) {
      isAlone = false
      this.wantsFrom = this.table === undefined
      lexer.next()
      if (!this.wantsFrom || !this.isFollowed()) return
    }
    this.wantsFrom = false
    this.here()
    if (!isAlone) this.at = 0
  }

  /** Over `[AS] alias,` when another table follows. */
  private isFollowed(): boolean {
    const { lexer } = this
    stepOver(lexer, AS)
    if (isName(lexer) && lexer.isBefore(SIGN.comma)) lexer.next()
    return stepOverSign(lexer, SIGN.comma)
  }

  // --- WITH

  /** The name of a common table expression; from WITH, or from the comma behind the one before. */
  private define(): void {
    if (!this.hasWith) NAMES.clear()
    this.hasWith = true
    if (!NAMES.define(this.lexer, this.depth)) this.isListing = false
  }

  /** Whether the name here is one that WITH gave to a query. */
  private isQueryName(): boolean {
    const { lexer } = this
    return this.hasWith && isName(lexer) && !lexer.isBefore(SIGN.dot) && NAMES.has(lexer)
  }

  /** What is named here is read by the main query, whose conditions are about its rows. */
  private get isDirect(): boolean {
    const isMain = this.depth - this.openJoins === this.mainDepth
    return !this.hasWith || (isMain && !this.isListing)
  }
}
