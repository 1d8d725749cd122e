/**
 * The statements of `init_sql`: SET of the session's variables and nothing else, because only those
 * are learned from the server's answer and follow the session to other servers. Source: proxy-protocol.md §4.6.
 */
import { keyword, Lexer, SIGN, TOKEN } from './lexer.ts'

const SET = keyword('set')
/** Other scopes, wherever they stand: `SET GLOBAL x`, `SET @@global.x`, the middle of a list. */
const SCOPES = ['global', 'persist', 'persist_only'].map(word => keyword(word))
/** What may follow SET that is no variable of the session. */
const OTHERS = ['password', 'transaction', 'role', 'default'].map(word => keyword(word))

/** One by one, without semicolons; undefined when one of them is no SET of session variables, or has an executable comment. */
export function initStatements(text: string): readonly string[] | undefined {
  const statements = carved(text)
  // Each goes to a server alone: there it must mean what it meant among the others.
  const areThemselves = statements?.every(one => {
    const alone = carved(one)
    return alone?.length === 1 && alone[0] === one
  })
  return areThemselves === true ? statements : undefined
}

function carved(text: string): readonly string[] | undefined {
  const bytes = new TextEncoder().encode(text)
  const lexer = new Lexer(bytes, 0, bytes.length)
  const decoder = new TextDecoder()
  const statements: string[] = []
  for (;;) {
    const start = firstOf(lexer)
    const isSet = start !== undefined && lexer.is(SET) && restIsOfSession(lexer)
    // What is inside one and what is not would depend on where the text is cut.
    if (lexer.hasExecutable) return undefined
    if (start === undefined) return statements
    if (!isSet) return undefined
    statements.push(decoder.decode(bytes.subarray(start, endOf(bytes, lexer.start))))
  }
}

/** Where the next statement begins, whose first token is current then; undefined when there is none. */
function firstOf(lexer: Lexer): number | undefined {
  do lexer.next()
  while (isSemicolon(lexer))
  return lexer.type === TOKEN.end ? undefined : lexer.start
}

/** Without the white space before it, as the lexer knows it. */
function endOf(bytes: Uint8Array, before: number): number {
  let end = before
  while ((bytes[end - 1] ?? 0x21) <= 0x20) end -= 1
  return end
}

/** Reads to the end of a SET. */
function restIsOfSession(lexer: Lexer): boolean {
  const isAny = (words: readonly Uint8Array[]) => words.some(word => lexer.is(word))
  lexer.next()
  if (isEnd(lexer) || isAny(OTHERS)) return false
  for (; !isEnd(lexer); lexer.next()) if (isAny(SCOPES)) return false
  return true
}

function isEnd(lexer: Lexer): boolean {
  return lexer.type === TOKEN.end || isSemicolon(lexer)
}

function isSemicolon(lexer: Lexer): boolean {
  return lexer.type === TOKEN.sign && lexer.sign === SIGN.semicolon
}
