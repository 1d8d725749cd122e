/**
 * Steps over the first words of statements whose verb, or whose table, is said by more than one of them.
 * Hot path: see the rules. Source: proxy-routing.md §5.1, §5.2.
 */
import { keyword, type Lexer } from './lexer.ts'
import { isAtEnd, stepOver } from './token-steps.ts'
import { TABLE_SHOWS, type Verb } from './words.ts'

const FROM = keyword('from')
const IN = keyword('in')
const INTO = keyword('into')
const TABLE = keyword('table')
const WORK = keyword('work')
const TO = keyword('to')
const START = keyword('start')
const BEGIN = keyword('begin')
const PREPARE = keyword('prepare')
const CREATE = keyword('create')
const FULL = keyword('full')
const EXTENDED = keyword('extended')
const SAVEPOINT = keyword('savepoint')

/** From XA. */
export function xaVerb(lexer: Lexer): Verb {
  lexer.next()
  return lexer.is(START) || lexer.is(BEGIN) ? 'xaStart' : 'other'
}

/** From BEGIN, which must stand alone, or ROLLBACK: with TO a savepoint it ends nothing. */
export function transactionVerb(lexer: Lexer, word: 'begin' | 'rollback'): Verb {
  lexer.next()
  stepOver(lexer, WORK)
  if (word === 'begin') return isAtEnd(lexer) ? 'begin' : 'other'
  return lexer.is(TO) ? 'savepoint' : 'rollback'
}

/** DROP PREPARE, RELEASE SAVEPOINT. */
export function twoWordedVerb(lexer: Lexer, word: 'drop' | 'release'): Verb {
  lexer.next()
  if (word === 'drop') return lexer.is(PREPARE) ? 'deallocate' : 'ddl'
  return lexer.is(SAVEPOINT) ? 'savepoint' : 'other'
}

/** LOAD DATA … INTO TABLE t: whether there is a t, at which the lexer stands then. */
export function toLoadedTable(lexer: Lexer): boolean {
  for (; !isAtEnd(lexer); lexer.next()) {
    if (!lexer.is(INTO)) continue
    lexer.next()
    if (lexer.is(TABLE)) break
  }
  return stepOver(lexer, TABLE)
}

export const SHOWN = { nothing: 0, statement: 1, columns: 2 } as const

/** SHOW CREATE TABLE t; SHOW [FULL] COLUMNS FROM t: what of t, at which the lexer stands then. */
export function toShownTable(lexer: Lexer): number {
  while (lexer.is(FULL) || lexer.is(EXTENDED)) lexer.next()
  const creates = lexer.is(CREATE)
  if (!creates && TABLE_SHOWS.lookup(lexer) === undefined) return SHOWN.nothing
  lexer.next()
  if (creates) return stepOver(lexer, TABLE) ? SHOWN.statement : SHOWN.nothing
  return stepOver(lexer, FROM) || stepOver(lexer, IN) ? SHOWN.columns : SHOWN.nothing
}

/** SHOW COLUMNS FROM t FROM d: whether there is a d, at which the lexer stands then. */
export function toShownDatabase(lexer: Lexer): boolean {
  return stepOver(lexer, FROM) || stepOver(lexer, IN)
}
