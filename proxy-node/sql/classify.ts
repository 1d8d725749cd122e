/**
 * Just enough SQL to route one statement: its verb, its first table, and what ties it to a server
 * session. Unknown is a legal answer and never an error: the statement then stays where the session
 * is. Source: proxy-routing.md §5.1, §5.2, §5.5; proxy-protocol.md §5.2, §5.3.
 * Hot path: see the rules. A statement costs five objects, and strings for its table's name only.
 */
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { LockingClause, QueryLevels } from './query-shape.ts'
import { Ties } from './ties.ts'
import {
  DML,
  FILLERS,
  FLAG,
  type Head,
  MANY_TARGETS,
  mayCommit,
  TABLE_SHOWS,
  VERBS,
  type Verb,
} from './words.ts'

export type Statement = {
  readonly kind: 'read' | 'write' | 'other'
  readonly verb: Verb
  /** Lower-cased, bare or quoted; undefined when there is none to route by. */
  readonly database: string | undefined
  readonly table: string | undefined
  /** Bits of FLAG. */
  readonly flags: number
  /** What its hint `query_timeout` says, microseconds; 0 without one. */
  readonly queryTimeoutUs: number
  /** Where the reference to that table begins, quote included; 0 without one. */
  readonly tableAt: number
  /** How many `?` stand before it. */
  readonly parameters: number
  /** How many parentheses around tables alone are open there: `FROM ((t JOIN u) JOIN v)` has two. */
  readonly openJoins: number
}

const FROM = keyword('from')
const IN = keyword('in')
const INTO = keyword('into')
const TABLE = keyword('table')
const DUAL = keyword('dual')
const SELECT = keyword('select')
const WORK = keyword('work')
const TO = keyword('to')
const TRANSACTION = keyword('transaction')
const START = keyword('start')
const BEGIN = keyword('begin')
const PREPARE = keyword('prepare')
const CREATE = keyword('create')
const FULL = keyword('full')
const EXTENDED = keyword('extended')
const SAVEPOINT = keyword('savepoint')
const WITH = keyword('with')
const CONSISTENT = keyword('consistent')
const SNAPSHOT = keyword('snapshot')
const READ = keyword('read')
const ONLY = keyword('only')
const WRITE = keyword('write')

/** Kinds of options of START TRANSACTION. */
const OPTION = { access: 1, snapshot: 2 } as const

/** How many words may stand between EXPLAIN and what it explains: `format = json`, `extended_noaddr`. */
const EXPLAIN_WORDS = 3

const QUERY_TIMEOUT = /\bquery_timeout\s*\(\s*(\d{1,16})\s*\)/i

/** Judges the statement in `bytes` between `from` and `to`, which may be only its beginning. */
export function classify(
  bytes: Uint8Array,
  from: number,
  to: number,
  mode: number = LEXER_MODE.plain,
): Statement {
  return new Scan(new Lexer(bytes, from, to, mode)).statement()
}

class Scan {
  private readonly lexer: Lexer
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
  /** A statement has ended, none has begun since. */
  private isBetween = false
  /** The first FROM has not been met and is wanted. */
  private wantsFrom = false

  constructor(lexer: Lexer) {
    this.lexer = lexer
  }

  statement(): Statement {
    const { lexer } = this
    lexer.next()
    while (lexer.type === TOKEN.sign && lexer.sign === SIGN.open) {
      this.levels.opened()
      lexer.next()
    }
    this.dispatch()
    const { verb } = this
    return {
      kind: kindOf(verb),
      verb,
      database: this.database,
      table: this.table,
      flags: this.allFlags(),
      queryTimeoutUs: lexer.hintAt === 0 ? 0 : hintedTimeoutUs(lexer),
      tableAt: this.table === undefined ? 0 : this.tableAt,
      parameters: this.parameters,
      openJoins: this.openJoins,
    }
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
    if (lexer.type === TOKEN.word) lexer.next()
    if (verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'merge')
      this.target()
    else if (verb === 'load') this.loaded()
    else if (verb === 'show') this.shown()
    this.rest()
  }

  /** EXPLAIN of a statement keeps that statement's verb; EXPLAIN of a table is a kind of SHOW. */
  private explained(): void {
    const { lexer } = this
    this.verb = 'show'
    lexer.next()
    if (DML.lookup(lexer) === undefined) this.tableName()
    for (let skipped = 0; skipped <= EXPLAIN_WORDS && !this.isEnd(); skipped++) {
      const verb = DML.lookup(lexer)
      if (verb !== undefined) {
        this.unname()
        this.verbed(verb)
        return
      }
      lexer.next()
    }
    if (!this.isEnd()) this.unname()
    this.rest()
  }

  /** START TRANSACTION with its options; with anything else it is the server's to judge. */
  private started(): void {
    const { lexer } = this
    lexer.next()
    let isBegin = lexer.is(TRANSACTION)
    if (isBegin) lexer.next()
    for (let seen = 0; isBegin && !this.isEnd(); ) {
      const option = this.startOption()
      isBegin = option !== 0 && (seen & option) === 0
      seen |= option
      if (!this.isSign(SIGN.comma)) break
      lexer.next()
      isBegin &&= !this.isEnd()
    }
    this.verb = isBegin && this.isEnd() ? 'begin' : 'other'
    this.rest()
  }

  /** Reads READ ONLY, READ WRITE or WITH CONSISTENT SNAPSHOT; each kind may stand once. */
  private startOption(): number {
    const { lexer } = this
    if (lexer.is(READ)) {
      lexer.next()
      return this.has(ONLY) || this.has(WRITE) ? OPTION.access : 0
    }
    if (!this.has(WITH) || !this.has(CONSISTENT) || !this.has(SNAPSHOT)) return 0
    this.flags |= FLAG.snapshot
    return OPTION.snapshot
  }

  /** Steps over `word` if it is the current token. */
  private has(word: Uint8Array): boolean {
    const found = this.lexer.is(word)
    if (found) this.lexer.next()
    return found
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
    if (word === 'begin' && !this.isEnd()) this.verb = 'other'
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
    while (FILLERS.lookup(lexer) === true || this.isSign(SIGN.open)) lexer.next()
    if (MANY_TARGETS.lookup(lexer) === true || lexer.is(SELECT)) return
    this.tableHere()
  }

  /** LOAD DATA … INTO TABLE t. */
  private loaded(): void {
    const { lexer } = this
    for (; !this.isEnd(); lexer.next()) {
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
    this.database = isName(lexer.type) ? lexer.name() : undefined
    if (isName(lexer.type)) lexer.next()
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
    if (this.isSign(SIGN.semicolon)) return undefined
    this.flags |= FLAG.multiple
    if (this.isSign(SIGN.open)) return undefined
    this.isBetween = false
    return VERBS.lookup(this.lexer) ?? 'other'
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
    while (this.isSign(SIGN.open)) {
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
    this.tableName()
    if (isName(this.lexer.type)) this.lexer.next()
  }

  /** Takes the name at the current token, `[db.]table`; nothing when it is a function or no name. */
  private tableName(): void {
    const { lexer } = this
    this.unname()
    if (!isName(lexer.type)) return
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
    if (!isName(lexer.type)) return
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

  /** At the end of the text or of its first statement. */
  private isEnd(): boolean {
    return this.lexer.type === TOKEN.end || this.isSign(SIGN.semicolon)
  }

  private isSign(sign: number): boolean {
    return this.lexer.type === TOKEN.sign && this.lexer.sign === sign
  }
}

/** Of the first hint, which alone servers read for this. */
function hintedTimeoutUs({ bytes, hintAt, to }: Lexer): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + hintAt, to - hintAt).toString('latin1')
  const [hint = ''] = text.split('*/', 1)
  return Number(QUERY_TIMEOUT.exec(hint)?.[1] ?? 0)
}

function isName(type: number): boolean {
  return type === TOKEN.word || type === TOKEN.name || type === TOKEN.text
}

function kindOf(verb: Verb): Statement['kind'] {
  if (verb === 'select') return 'read'
  const writes =
    verb === 'insert' ||
    verb === 'update' ||
    verb === 'delete' ||
    verb === 'replace' ||
    verb === 'merge' ||
    verb === 'load'
  return writes ? 'write' : 'other'
}
