/**
 * Whether a statement decides how its session or transaction reads: SET of the two variables, or
 * READ WRITE of SET TRANSACTION and START TRANSACTION. Source: proxy-protocol.md §4.6.
 */
import { keyword, Lexer, SIGN, TOKEN } from './lexer.ts'

/** Bits of what a statement sets. */
export const SETS = { readOnly: 1, consistency: 2 } as const

const SET = keyword('set')
const START = keyword('start')
const READ = keyword('read')
const WRITE = keyword('write')
const EQUALS = 0x3d
const COLON = 0x3a

const VARIABLES: Readonly<Record<string, number>> = {
  tx_read_only: SETS.readOnly,
  transaction_read_only: SETS.readOnly,
  ob_read_consistency: SETS.consistency,
}

/** Bits of `SETS`, of all statements in the text. */
export function setsReading(bytes: Uint8Array, from: number, to: number, mode: number): number {
  const lexer = new Lexer(bytes, from, to, mode)
  let sets = 0
  let isFirst = true
  let mayDecide = false
  /** What the token before would set if it were assigned. */
  let named = 0
  while (lexer.next() !== TOKEN.end) {
    if (isFirst) mayDecide = lexer.is(SET) || lexer.is(START)
    isFirst = isSign(lexer, SIGN.semicolon)
    if (!mayDecide) continue
    if (isSign(lexer, EQUALS) || isSign(lexer, COLON) || lexer.is(WRITE)) sets |= named
    named = namedBy(lexer)
  }
  return sets
}

function isSign(lexer: Lexer, sign: number): boolean {
  return lexer.type === TOKEN.sign && lexer.sign === sign
}

/** READ counts only before WRITE, and no variable is called so. */
function namedBy(lexer: Lexer): number {
  if (lexer.is(READ)) return SETS.readOnly
  const mayName = lexer.type === TOKEN.word || lexer.type === TOKEN.name
  return mayName ? (VARIABLES[lexer.text().toLowerCase()] ?? 0) : 0
}
