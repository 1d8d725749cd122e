/**
 * Just enough SQL to route one statement: its verb, its first table, and what ties it to a server
 * session. Unknown is a legal answer and never an error: the statement then stays where the session
 * is. Source: proxy-routing.md §5.1, §5.2, §5.5; proxy-protocol.md §5.2, §5.3.
 * Hot path: see the rules. A statement costs five objects, and strings for its table's name only.
 */
import { BINLOG_TOPICS, isBinlogTopic } from './binlog.ts'
import { type Directives, NO_DIRECTIVES, readDirectives } from './directives.ts'
import { type Hints, NO_HINTS, readHints } from './hints.ts'
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { LockingClause, QueryLevels } from './query-shape.ts'
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
  TABLE_SHOWS,
  VERBS,
  type Verb,
} from './words.ts'

export type Statement = {
  readonly kind: StatementKind
  readonly verb: Verb
  /** Lower-cased, bare or quoted; undefined when there is none to route by. */
  readonly database: string | undefined
  readonly table: string | undefined
  /** Bits of FLAG. */
  readonly flags: number
  /** What its hint `query_timeout` says, microseconds; 0 without one. */
  readonly queryTimeoutUs: number
  /** Of the hint directly behind the verb. */
  readonly hints: Hints
  readonly directives: Directives
  /** Where the reference to that table begins, quote included; 0 without one. */
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

const FROM = keyword('from')
const IN = keyword('in')
const INTO = keyword('into')
const TABLE = keyword('table')
const DUAL = keyword('dual')
const SELECT = keyword('select')
const WORK = keyword('work')
const TO = keyword('to')
const START = keyword('start')
const BEGIN = keyword('begin')
const PREPARE = keyword('prepare')
const CREATE = keyword('create')
const EXPLAIN = keyword('explain')
const ROUTE = keyword('route')
const FULL = keyword('full')
const EXTENDED = keyword('extended')
const SAVEPOINT = keyword('savepoint')

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
  private readonly levels = new QueryLevels()
  private readonly locking = new LockingClause()
  private verb: Verb = 'other'
  private database: string | undefined
  private table: string | undefined
  private readonly ties = new Ties()
  private flags = 0
  private tableAt = 0
  private parameters = 0
  private openJoins = 0
  private directives = NO_DIRECTIVES
  /** Where the text of the hint behind the verb begins; 0 when there is none. */
  private hintAt = 0
  /** A statement has ended, none has begun since. */
  private isBetween = false
  /** The first FROM has not been met and is wanted. */
  private wantsFrom = false

  constructor(lexer: Lexer, from: number, mode: number) {
    this.lexer = lexer
    this.from = from
    this.mode = mode
  }

  statement(): Statement {
    const { lexer } = this
    lexer.next()
    if (lexer.hasBlock) this.directives = readDirectives(lexer.bytes, this.from, lexer.to)
    while (lexer.type === TOKEN.sign && lexer.sign === SIGN.open) {
      this.levels.opened()
      lexer.next()
    }
    this.dispatch()
    const { verb } = this
    const hints = this.hintsAt(this.hintAt)
    return {
      kind: kindOf(verb),
      verb,
      database: this.database,
      table: this.table,
      flags: this.allFlags(),
      queryTimeoutUs: hints.queryTimeoutUs || this.firstTimeoutUs(),
      hints,
      directives: this.directives,
      tableAt: this.table === undefined ? 0 : this.tableAt,
      parameters: this.parameters,
      openJoins: this.openJoins,
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
    if (isMultiple || mayCommit(verb)) flags |= FLAG.mayCommit
    if (verb === 'select' && this.locking.isLast) flags |= FLAG.locking
    return verb === 'begin' ? flags : flags & ~FLAG.snapshot
  }

  private get mayLock(): boolean {
    return this.verb === 'select' && !this.isMultiple
  }

  private get isMultiple(): boolean {
    return (this.flags & FLAG.multiple) !== 0
  }

  private dispatch(): void {
    const word = VERBS.lookup(this.lexer) ?? 'other'
    this.ties.head(word)
    if (word === 'explain') this.explained()
    else if (word === 'start') this.started()
    else if (word === 'xa') this.xa()
    else if (word === 'begin' || word === 'rollback') this.transactionWord(word)
    else if (word === 'drop' || word === 'release') this.twoWorded(word)
    else this.verbed(word === 'get' ? 'other' : word)
  }

  private verbed(verb: Verb): void {
    this.verb = verb
    const { lexer } = this
    if (verb === 'select') this.levels.query()
    if (verb === 'select' || verb === 'delete') this.wantsFrom = true
    const mayBeBinlog = verb === 'show' || verb === 'other'
    const topics = mayBeBinlog ? BINLOG_TOPICS.lookup(lexer) : undefined
    if (lexer.type === TOKEN.word) this.overVerb()
    if (verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'merge')
      this.target()
    else if (verb === 'load') this.loaded()
    else if (verb === 'show') this.shown()
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
    const { lexer } = this
    const mayRoute = lexer.is(EXPLAIN)
    this.verb = 'show'
    lexer.next()
    const isRoute = mayRoute && lexer.is(ROUTE)
    if (DML.lookup(lexer) === undefined) this.tableName()
    for (let skipped = 0; skipped <= EXPLAIN_WORDS && !isAtEnd(lexer); skipped++) {
      const verb = DML.lookup(lexer)
      if (verb !== undefined) {
        this.unname()
        this.verbed(verb)
        return
      }
      lexer.next()
      if (isRoute && !isAtEnd(lexer)) this.flags |= FLAG.explainsRoute
    }
    if (!isAtEnd(lexer)) this.unname()
    this.rest()
  }

  private started(): void {
    const found = transactionStart(this.lexer)
    if ((found & STARTED.snapshot) !== 0) this.flags |= FLAG.snapshot
    this.verb = (found & STARTED.begins) !== 0 ? 'begin' : 'other'
    this.rest()
  }

  private xa(): void {
    const { lexer } = this
    lexer.next()
    this.verb = lexer.is(START) || lexer.is(BEGIN) ? 'xaStart' : 'other'
    this.rest()
  }

  /** BEGIN must stand alone, ROLLBACK TO SAVEPOINT ends nothing. */
  private transactionWord(word: 'begin' | 'rollback'): void {
    const { lexer } = this
    this.verb = word
    lexer.next()
    if (lexer.is(WORK)) lexer.next()
    if (word === 'begin' && !isAtEnd(lexer)) this.verb = 'other'
    if (word === 'rollback' && lexer.is(TO)) this.verb = 'savepoint'
    this.rest()
  }

  /** DROP PREPARE, RELEASE SAVEPOINT. */
  private twoWorded(word: 'drop' | 'release'): void {
    const { lexer } = this
    lexer.next()
    if (word === 'drop') this.verb = lexer.is(PREPARE) ? 'deallocate' : 'ddl'
    else this.verb = lexer.is(SAVEPOINT) ? 'savepoint' : 'other'
    this.rest()
  }

  /** The table behind the verb of INSERT, REPLACE, UPDATE and MERGE. */
  private target(): void {
    const { lexer } = this
    while (FILLERS.lookup(lexer) === true || lexer.isSign(SIGN.open)) lexer.next()
    if (MANY_TARGETS.lookup(lexer) === true || lexer.is(SELECT)) return
    this.tableHere()
  }

  /** LOAD DATA … INTO TABLE t. */
  private loaded(): void {
    const { lexer } = this
    for (; !isAtEnd(lexer); lexer.next()) {
      if (!lexer.is(INTO)) continue
      lexer.next()
      if (!lexer.is(TABLE)) continue
      lexer.next()
      this.tableHere()
      return
    }
  }

  /** SHOW CREATE TABLE t; SHOW [FULL] COLUMNS FROM t [FROM d]. */
  private shown(): void {
    const { lexer } = this
    while (lexer.is(FULL) || lexer.is(EXTENDED)) lexer.next()
    const creates = lexer.is(CREATE)
    if (!creates && TABLE_SHOWS.lookup(lexer) === undefined) return
    lexer.next()
    if (!(creates ? lexer.is(TABLE) : lexer.is(FROM) || lexer.is(IN))) return
    lexer.next()
    this.tableHere()
    if (creates || this.database !== undefined) return
    if (!lexer.is(FROM) && !lexer.is(IN)) return
    lexer.next()
    this.database = isName(lexer) ? lexer.name() : undefined
    if (isName(lexer)) lexer.next()
  }

  /** Reads to the end of the text from the current token on. */
  private rest(): void {
    const { lexer } = this
    while (lexer.type !== TOKEN.end) {
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
    if (sign === SIGN.open) this.levels.opened()
    else if (sign === SIGN.close) this.levels.closed()
    else if (sign === SIGN.semicolon) this.isBetween = true
    this.ties.sign(sign, this.lexer)
    if (this.mayLock) this.locking.sign(sign)
    this.lexer.next()
  }

  private worded(): void {
    const { lexer } = this
    if (this.mayLock) this.locking.word(lexer)
    const isFrom = this.wantsFrom && lexer.is(FROM) && this.levels.isQuery
    if (lexer.is(SELECT)) this.levels.query()
    else this.ties.word(lexer)
    lexer.next()
    if (isFrom) this.fromClause()
  }

  /** The table of the first FROM in text order; a derived table's own FROM is the first. */
  private fromClause(): void {
    const { lexer } = this
    this.openJoins = 0
    while (lexer.isSign(SIGN.open)) {
      this.levels.opened()
      this.openJoins += 1
      lexer.next()
    }
    if (lexer.is(SELECT)) return
    this.wantsFrom = false
    if (!lexer.is(DUAL)) this.tableHere()
  }

  /** Names the table at the current token and steps behind it. */
  private tableHere(): void {
    const { lexer } = this
    this.tableName()
    if (!isName(lexer)) return
    if (lexer.isBefore(SIGN.at)) this.flags |= FLAG.link
    lexer.next()
  }

  /** Takes the name at the current token, `[db.]table`; nothing when it is a function or no name. */
  private tableName(): void {
    const { lexer } = this
    this.unname()
    if (!isName(lexer)) return
    this.tableAt = lexer.type === TOKEN.word ? lexer.start : lexer.start - 1
    this.parameters = lexer.parameters
    const first = lexer.name()
    if (!lexer.accept(SIGN.dot)) {
      const isFunction =
        lexer.type === TOKEN.word && lexer.isBefore(SIGN.open) && this.wantsNoList()
      if (!isFunction) this.table = first
      return
    }
    lexer.next()
    if (!isName(lexer)) return
    this.database = first
    this.table = lexer.name()
  }

  /** INSERT and REPLACE name columns in parentheses behind the table, a query does not. */
  private wantsNoList(): boolean {
    return this.verb === 'select' || this.verb === 'delete' || this.verb === 'update'
  }

  private unname(): void {
    this.database = undefined
    this.table = undefined
  }
}
