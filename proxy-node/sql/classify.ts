/**
 * Just enough SQL to route one statement: its verb, its first table, and whether it leans on the
 * session that ran the one before. Unknown is a legal answer and never an error: the statement then
 * stays where the session is. Source: proxy-routing.md §5.1, §5.2, §5.5.
 * Hot path: see the rules. A statement costs three objects, and strings for its table's name only.
 */
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { LockingClause, QueryLevels } from './query-shape.ts'
import {
  DML,
  FILLERS,
  MANY_TARGETS,
  MARK,
  MARKS,
  PINNING_WORDS,
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
  /** Its result depends on the statement before it, on the session or on another statement. */
  readonly dependent: boolean
  /** It can leave state on its server that no OK tells of: text PREPARE, temporary tables, locks. */
  readonly pins: boolean
  /** SELECT … FOR UPDATE. */
  readonly locking: boolean
  /** More than one statement. */
  readonly multiple: boolean
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
const TEMPORARY = keyword('temporary')
const START = keyword('start')
const BEGIN = keyword('begin')
const PREPARE = keyword('prepare')
const CREATE = keyword('create')
const FULL = keyword('full')
const EXTENDED = keyword('extended')

/** How many words may stand between EXPLAIN and what it explains: `format = json`, `extended_noaddr`. */
const EXPLAIN_WORDS = 3

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
  private dependent = false
  private pins = false
  private multiple = false
  private ended = false
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
    const kind = kindOf(this.verb)
    return {
      kind,
      verb: this.verb,
      database: this.database,
      table: this.table,
      dependent: this.dependent || this.table === undefined,
      pins: this.pins,
      locking: this.verb === 'select' && this.locking.isLast,
      multiple: this.multiple,
    }
  }

  private dispatch(): void {
    const word = VERBS.lookup(this.lexer) ?? 'other'
    if (word === 'explain') this.explained()
    else if (word === 'start' || word === 'xa') this.transactionStart(word)
    else if (word === 'begin' || word === 'rollback') this.transactionWord(word)
    else if (word === 'drop') this.dropped()
    else this.verbed(word)
  }

  private verbed(verb: Verb): void {
    this.verb = verb
    const { lexer } = this
    if (verb === 'select') this.levels.query()
    if (verb === 'select' || verb === 'delete') this.wantsFrom = true
    else if (verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'merge')
      this.target()
    else if (verb === 'load') this.loaded()
    else if (verb === 'show') this.shown()
    else if (verb === 'prepare' || verb === 'lock') this.pins = true
    lexer.next()
    this.rest()
  }

  /** EXPLAIN of a statement keeps that statement's verb; EXPLAIN of a table is a kind of SHOW. */
  private explained(): void {
    const { lexer } = this
    this.verb = 'show'
    lexer.next()
    const described = DML.lookup(lexer) === undefined ? this.tableName() : undefined
    for (let skipped = 0; skipped <= EXPLAIN_WORDS && lexer.type !== TOKEN.end; skipped++) {
      const verb = DML.lookup(lexer)
      if (verb !== undefined) {
        this.verbed(verb)
        return
      }
      lexer.next()
    }
    if (lexer.type === TOKEN.end) this.nameTable(described)
    this.rest()
  }

  private transactionStart(word: 'start' | 'xa'): void {
    const { lexer } = this
    lexer.next()
    if (word === 'xa') this.verb = lexer.is(START) || lexer.is(BEGIN) ? 'xaStart' : 'other'
    else this.verb = lexer.is(TRANSACTION) ? 'begin' : 'other'
    lexer.next()
    this.rest()
  }

  /** BEGIN must stand alone, ROLLBACK TO SAVEPOINT ends nothing. */
  private transactionWord(word: 'begin' | 'rollback'): void {
    const { lexer } = this
    this.verb = word
    lexer.next()
    if (lexer.is(WORK)) lexer.next()
    const alone = lexer.type === TOKEN.end || this.isSign(SIGN.semicolon)
    if (word === 'begin' && !alone) this.verb = 'other'
    if (word === 'rollback' && lexer.is(TO)) this.verb = 'other'
    this.rest()
  }

  private dropped(): void {
    const { lexer } = this
    lexer.next()
    this.verb = lexer.is(PREPARE) ? 'deallocate' : 'ddl'
    lexer.next()
    this.rest()
  }

  /** The table behind the verb of INSERT, REPLACE, UPDATE and MERGE. */
  private target(): void {
    const { lexer } = this
    lexer.next()
    while (FILLERS.lookup(lexer) === true || this.isSign(SIGN.open)) lexer.next()
    if (MANY_TARGETS.lookup(lexer) !== true && !lexer.is(SELECT)) this.nameTable(this.tableName())
  }

  /** LOAD DATA … INTO TABLE t. */
  private loaded(): void {
    const { lexer } = this
    while (lexer.next() !== TOKEN.end) {
      if (!lexer.is(INTO)) continue
      lexer.next()
      if (!lexer.is(TABLE)) continue
      lexer.next()
      this.nameTable(this.tableName())
      return
    }
  }

  /** SHOW CREATE TABLE t; SHOW [FULL] COLUMNS FROM t [FROM d]. */
  private shown(): void {
    const { lexer } = this
    lexer.next()
    while (lexer.is(FULL) || lexer.is(EXTENDED)) lexer.next()
    const creates = lexer.is(CREATE)
    if (!creates && TABLE_SHOWS.lookup(lexer) === undefined) return
    lexer.next()
    if (!(creates ? lexer.is(TABLE) : lexer.is(FROM) || lexer.is(IN))) return
    lexer.next()
    this.nameTable(this.tableName())
    if (creates || this.database !== undefined) return
    lexer.next()
    if (!lexer.is(FROM) && !lexer.is(IN)) return
    lexer.next()
    this.database = isName(lexer.type) ? lexer.text().toLowerCase() : undefined
  }

  /** Reads to the end of the text from the current token on. */
  private rest(): void {
    const { lexer } = this
    for (; lexer.type !== TOKEN.end; lexer.next()) {
      if (this.ended && !this.isSign(SIGN.semicolon)) this.multiple = true
      if (lexer.type === TOKEN.sign) this.signed(lexer.sign)
      else this.worded()
    }
    if (this.multiple) this.dependent = true
  }

  private signed(sign: number): void {
    if (sign === SIGN.open) this.levels.opened()
    else if (sign === SIGN.close) this.levels.closed()
    else if (sign === SIGN.at) this.dependent = true
    else if (sign === SIGN.semicolon) this.ended = true
    if (!this.multiple) this.locking.sign(sign)
  }

  private worded(): void {
    const { lexer } = this
    if (!this.multiple) this.locking.word(lexer)
    if (lexer.type !== TOKEN.word) return
    if (lexer.is(SELECT)) this.levels.query()
    else if (this.wantsFrom && lexer.is(FROM) && this.levels.isQuery) this.fromClause()
    else this.mark()
  }

  private mark(): void {
    const mark = MARKS.lookup(this.lexer)
    if (mark !== undefined) {
      this.dependent = true
      if ((mark & MARK.pins) !== 0) this.pins = true
    }
    if (this.verb === 'ddl' && this.lexer.is(TEMPORARY)) this.pins = true
    if (this.multiple && PINNING_WORDS.lookup(this.lexer) === true) this.pins = true
  }

  /** The table of the first FROM in text order; a derived table's own FROM is the first. */
  private fromClause(): void {
    const { lexer } = this
    lexer.next()
    while (this.isSign(SIGN.open)) {
      this.levels.opened()
      lexer.next()
    }
    if (lexer.is(SELECT)) {
      this.levels.query()
      return
    }
    this.wantsFrom = false
    if (!lexer.is(DUAL)) this.nameTable(this.tableName())
  }

  /** The name at the current token, `[db.]table`; undefined when it is a function or no name. */
  private tableName(): readonly [string | undefined, string] | undefined {
    const { lexer } = this
    if (!isName(lexer.type)) return undefined
    const first = lexer.text().toLowerCase()
    if (!lexer.accept(SIGN.dot)) {
      const isFunction =
        lexer.type === TOKEN.word && lexer.isBefore(SIGN.open) && this.wantsNoList()
      return isFunction ? undefined : [undefined, first]
    }
    lexer.next()
    return isName(lexer.type) ? [first, lexer.text().toLowerCase()] : undefined
  }

  /** INSERT and REPLACE name columns in parentheses behind the table, a query does not. */
  private wantsNoList(): boolean {
    return this.verb === 'select' || this.verb === 'delete' || this.verb === 'update'
  }

  private nameTable(name: readonly [string | undefined, string] | undefined): void {
    this.database = name?.[0]
    this.table = name?.[1]
  }

  private isSign(sign: number): boolean {
    return this.lexer.type === TOKEN.sign && this.lexer.sign === sign
  }
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
