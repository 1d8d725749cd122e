/**
 * Just enough SQL to route one statement: its verb, its first table, and what ties it to a server
 * session. Unknown is a legal answer and never an error: the statement then stays where the session
 * is. Source: proxy-routing.md §5.1, §5.2, §5.5; proxy-protocol.md §5.2, §5.3.
 * Hot path: see the rules. A statement costs five objects, and strings for its table's name only.
 */
import { BINLOG_TOPICS, isBinlogTopic } from './binlog.ts'
import { type Directives, NO_DIRECTIVES, readDirectives } from './directives.ts'
import { FirstTable } from './first-table.ts'
import {
  SHOWN,
  toLoadedTable,
  toShownDatabase,
  toShownTable,
  transactionVerb,
  twoWordedVerb,
  xaVerb,
} from './heads.ts'
import { type Hints, NO_HINTS, readHints } from './hints.ts'
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { LockingClause } from './locking-clause.ts'
import { Ties } from './ties.ts'
import { isAtEnd, isName } from './token-steps.ts'
import { STARTED, transactionStart } from './transaction-start.ts'
import {
  DML,
  FILLERS,
  FLAG,
  type Head,
  kindOf,
  MANY_TARGETS,
  mayCommit,
  type StatementKind,
  VERBS,
  type Verb,
} from './words.ts'

export type Statement = {
  readonly kind: StatementKind
  readonly verb: Verb
  /** As the tenant means it (`Lexer.name`); undefined when there is none to route by. */
  readonly database: string | undefined
  readonly table: string | undefined
  /** Bits of FLAG. */
  readonly flags: number
  /** What its hint `query_timeout` says, microseconds; 0 without one. */
  readonly queryTimeoutUs: number
  /** Of the hint directly behind the verb. */
  readonly hints: Hints
  readonly directives: Directives
  /**
   * Where the reference to that table begins, quote included; 0 without one, and of a statement with
   * common table expressions when its main query does not read the table itself.
   */
  readonly tableAt: number
  /** How many `?` stand before it. */
  readonly parameters: number
  /** How many parentheses around tables alone are open there: `FROM ((t JOIN u) JOIN v)` has two. */
  readonly openJoins: number
}

/** Of a text that is not understood, or of none. */
export const NO_STATEMENT: Statement = {
  kind: 'other',
  verb: 'other',
  database: undefined,
  table: undefined,
  flags: 0,
  queryTimeoutUs: 0,
  hints: NO_HINTS,
  directives: NO_DIRECTIVES,
  tableAt: 0,
  parameters: 0,
  openJoins: 0,
}

const SELECT = keyword('select')
const WITH = keyword('with')
const EXPLAIN = keyword('explain')
const ROUTE = keyword('route')

/** How many words may stand between EXPLAIN and what it explains: `format = json`, `extended_noaddr`. */
const EXPLAIN_WORDS = 3

/** Judges the statement in `bytes` between `from` and `to`, which may be only its beginning. */
export function classify(
  bytes: Uint8Array,
  from: number,
  to: number,
  mode: number = LEXER_MODE.plain,
): Statement {
  return new Scan(new Lexer(bytes, from, to, mode), from, mode).statement()
}

class Scan {
  private readonly lexer: Lexer
  private readonly from: number
  private readonly mode: number
  private readonly tables: FirstTable
  private readonly locking = new LockingClause()
  private readonly ties = new Ties()
  private verb: Verb = 'other'
  private flags = 0
  private directives = NO_DIRECTIVES
  /** Where the text of the hint behind the verb begins; 0 when there is none. */
  private hintAt = 0
  /** A statement has ended, none has begun since. */
  private isBetween = false

  constructor(lexer: Lexer, from: number, mode: number) {
    this.lexer = lexer
    this.tables = new FirstTable(lexer)
    this.from = from
    this.mode = mode
  }

  statement(): Statement {
    const { lexer, tables } = this
    lexer.next()
    if (lexer.hasBlock)
      this.directives = readDirectives(lexer.bytes, this.from, lexer.to, this.mode)
    tables.enter()
    this.dispatch()
    const { verb } = this
    const hints = this.hintsAt(this.hintAt)
    return {
      kind: kindOf(verb),
      verb,
      database: tables.database,
      table: tables.table,
      flags: this.allFlags(),
      queryTimeoutUs: hints.queryTimeoutUs || this.firstTimeoutUs(),
      hints,
      directives: this.directives,
      tableAt: tables.table === undefined ? 0 : tables.at,
      parameters: tables.parameters,
      openJoins: tables.openJoins,
    }
  }

  private hintsAt(at: number): Hints {
    const { bytes, to } = this.lexer
    return at === 0 ? NO_HINTS : readHints(bytes, at, to, this.mode)
  }

  /** Of a hint that is not the verb's: some servers' versions read one elsewhere too. */
  private firstTimeoutUs(): number {
    const { hintAt } = this.lexer
    return hintAt === this.hintAt ? 0 : this.hintsAt(hintAt).queryTimeoutUs
  }

  private allFlags(): number {
    const { verb, isMultiple } = this
    let flags = this.flags | this.ties.of(isMultiple)
    if (this.tables.isLinked) flags |= FLAG.link
    if (isMultiple || mayCommit(verb)) flags |= FLAG.mayCommit
    if (verb === 'select' && this.locking.isLast) flags |= FLAG.locking
    return verb === 'begin' ? flags : flags & ~FLAG.snapshot
  }

  private get mayLock(): boolean {
    return (this.verb === 'select' || this.tables.isListing) && !this.isMultiple
  }

  private get isMultiple(): boolean {
    return (this.flags & FLAG.multiple) !== 0
  }

  private dispatch(): void {
    const word = VERBS.lookup(this.lexer) ?? 'other'
    this.ties.head(word)
    if (word === 'explain') this.explained()
    else if (word === 'start') this.started()
    else if (word === 'xa') this.ruled(xaVerb(this.lexer))
    else if (word === 'begin' || word === 'rollback') this.ruled(transactionVerb(this.lexer, word))
    else if (word === 'drop' || word === 'release') this.ruled(twoWordedVerb(this.lexer, word))
    else if (word === 'query' && this.lexer.is(WITH)) this.listed()
    else this.verbed(word === 'get' ? 'other' : word)
  }

  private verbed(verb: Verb): void {
    this.verb = verb
    const { lexer } = this
    this.tables.begin(verb)
    const mayBeBinlog = verb === 'show' || verb === 'other'
    const topics = mayBeBinlog ? BINLOG_TOPICS.lookup(lexer) : undefined
    if (lexer.type === TOKEN.word) this.overVerb()
    if (verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'merge')
      this.target()
    else if (verb === 'load') {
      if (toLoadedTable(lexer)) this.tables.here()
    } else if (verb === 'show') this.shown()
    if (topics !== undefined && isBinlogTopic(lexer, topics)) this.flags |= FLAG.binlog
    this.rest()
  }

  private overVerb(): void {
    const { lexer } = this
    const first = lexer.hintAt
    lexer.hintAt = 0
    lexer.next()
    this.hintAt = lexer.hintAt
    if (first !== 0) lexer.hintAt = first
  }

  /** EXPLAIN of a statement keeps that statement's verb; EXPLAIN of a table is a kind of SHOW. */
  private explained(): void {
    const { lexer, tables } = this
    const mayRoute = lexer.is(EXPLAIN)
    this.verb = 'show'
    lexer.next()
    const isRoute = mayRoute && lexer.is(ROUTE)
    if (DML.lookup(lexer) === undefined && !lexer.is(WITH)) tables.name()
    for (let skipped = 0; skipped <= EXPLAIN_WORDS && !isAtEnd(lexer); skipped++) {
      const verb = DML.lookup(lexer)
      if (verb !== undefined || lexer.is(WITH)) {
        tables.forget()
        if (verb === undefined) this.listed()
        else this.verbed(verb)
        return
      }
      lexer.next()
      if (isRoute && !isAtEnd(lexer)) this.flags |= FLAG.explainsRoute
    }
    if (!isAtEnd(lexer)) tables.forget()
    this.rest()
  }

  private started(): void {
    const found = transactionStart(this.lexer)
    if ((found & STARTED.snapshot) !== 0) this.flags |= FLAG.snapshot
    this.verb = (found & STARTED.begins) !== 0 ? 'begin' : 'other'
    this.rest()
  }

  /** What the statement is was said by its first words. */
  private ruled(verb: Verb): void {
    this.verb = verb
    this.rest()
  }

  /** WITH x AS (query), …: what is behind the list says what the statement does (MySQL manual, "WITH"). */
  private listed(): void {
    const { lexer, tables } = this
    this.verb = 'query'
    tables.list()
    this.rest(true)
    tables.listed()
    const verb = DML.lookup(lexer)
    if (verb === undefined) this.rest()
    else this.verbed(verb)
  }

  /** The table behind the verb of INSERT, REPLACE, UPDATE and MERGE. */
  private target(): void {
    const { lexer } = this
    while (FILLERS.lookup(lexer) === true || lexer.isSign(SIGN.open)) lexer.next()
    if (MANY_TARGETS.lookup(lexer) === true || lexer.is(SELECT)) return
    this.tables.target()
  }

  /** SHOW CREATE TABLE t; SHOW [FULL] COLUMNS FROM t [FROM d]. */
  private shown(): void {
    const { lexer, tables } = this
    const shown = toShownTable(lexer)
    if (shown === SHOWN.nothing) return
    tables.here()
    if (shown !== SHOWN.columns || tables.database !== undefined || !toShownDatabase(lexer)) return
    tables.database = isName(lexer) ? lexer.name() : undefined
    if (isName(lexer)) lexer.next()
  }

  /** Reads to the end of the text from the current token on; `isList`: to the end of the list of WITH. */
  private rest(isList = false): void {
    const { lexer, tables } = this
    while (lexer.type !== TOKEN.end) {
      if (isList && (!tables.isListing || lexer.isSign(SIGN.semicolon))) return
      const head = this.isBetween ? this.begun() : undefined
      if (lexer.type === TOKEN.sign) this.signed(lexer.sign)
      else this.worded()
      if (head !== undefined) this.ties.head(head)
    }
  }

  /** The head of another statement, if it begins here; parentheses may stand before it. */
  private begun(): Head | undefined {
    const { lexer } = this
    if (lexer.isSign(SIGN.semicolon)) return undefined
    this.flags |= FLAG.multiple
    if (lexer.isSign(SIGN.open)) return undefined
    this.isBetween = false
    return VERBS.lookup(lexer) ?? 'other'
  }

  private signed(sign: number): void {
    const { lexer, tables } = this
    if (sign === SIGN.open) tables.opened()
    else if (sign === SIGN.close) tables.closed()
    else if (sign === SIGN.semicolon) this.isBetween = true
    this.ties.sign(sign, lexer)
    if (this.mayLock) this.lockedBy(sign)
    lexer.next()
    if (sign === SIGN.open) tables.behindOpen()
    else if (sign === SIGN.close) tables.behindClose()
  }

  /** What a query in a list locks is locked, however the main query reads. */
  private lockedBy(sign: number): void {
    const { locking } = this
    if (this.tables.isListing && locking.isLast) this.flags |= FLAG.locking
    locking.sign(sign)
  }

  private worded(): void {
    const { lexer, tables } = this
    if (this.mayLock) this.locking.word(lexer)
    const isSource = tables.isSource
    if (lexer.is(SELECT)) tables.query()
    else this.ties.word(lexer)
    lexer.next()
    if (isSource) tables.from()
  }
}
