/**
 * A SET that gives plain literals to user variables: what an OK says of their values is then all there
 * is to know. Unknown is a legal answer. Source: proxy-protocol.md §4.5.
 */
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'

const SET = keyword('set')
const PLAIN_WORDS: readonly Uint8Array[] = ['null', 'true', 'false'].map(keyword)
const EQUAL = 0x3d
const COLON = 0x3a
const MINUS = 0x2d
const FIRST_DIGIT = 0x30
const LAST_DIGIT = 0x39

/** `from` is where the statement begins in `bytes`. */
export function setsPlainValues(
  bytes: Uint8Array,
  from: number,
  mode: number = LEXER_MODE.plain,
): boolean {
  const lexer = new Lexer(bytes, from, bytes.length, mode)
  lexer.next()
  if (!lexer.is(SET)) return false
  do {
    lexer.next()
    if (!isTarget(lexer) || !isLiteral(lexer)) return false
  } while (isSign(lexer, SIGN.comma))
  return lexer.type === TOKEN.end
}

/** Steps over `@name =` or `@name :=`. */
function isTarget(lexer: Lexer): boolean {
  if (!isSign(lexer, SIGN.at)) return false
  do {
    lexer.next()
    if (lexer.type === TOKEN.sign || lexer.type === TOKEN.end) return false
    lexer.next()
  } while (isSign(lexer, SIGN.dot))
  if (isSign(lexer, COLON)) lexer.next()
  if (!isSign(lexer, EQUAL)) return false
  lexer.next()
  return true
}

/** Steps over one text, an exact number, NULL, TRUE or FALSE. */
function isLiteral(lexer: Lexer): boolean {
  if (lexer.type === TOKEN.text) {
    lexer.next()
    return true
  }
  if (lexer.type === TOKEN.word && PLAIN_WORDS.some(word => lexer.is(word))) {
    lexer.next()
    return true
  }
  if (isSign(lexer, MINUS)) lexer.next()
  if (!isDigits(lexer)) return false
  lexer.next()
  if (!isSign(lexer, SIGN.dot)) return true
  lexer.next()
  const isFraction = isDigits(lexer)
  lexer.next()
  return isFraction
}

function isDigits({ type, bytes, start, end }: Lexer): boolean {
  if (type !== TOKEN.word) return false
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte < FIRST_DIGIT || byte > LAST_DIGIT) return false
  }
  return true
}

function isSign(lexer: Lexer, sign: number): boolean {
  return lexer.type === TOKEN.sign && lexer.sign === sign
}
