/** Steps of a reader over tokens that it does not understand; each is bounded by the text's end. */
import { keyword, type Lexer, SIGN, TOKEN } from './lexer.ts'

const CASE = keyword('case')
const END = keyword('end')

/** At the end of the text or of its first statement. */
export function isAtEnd(lexer: Lexer): boolean {
  return lexer.type === TOKEN.end || lexer.isSign(SIGN.semicolon)
}

/** Steps over `word` if it is the current token. */
export function stepOver(lexer: Lexer, word: Uint8Array): boolean {
  const found = lexer.is(word)
  if (found) lexer.next()
  return found
}

/** Steps over `sign` if it is the current token. */
export function stepOverSign(lexer: Lexer, sign: number): boolean {
  const found = lexer.isSign(sign)
  if (found) lexer.next()
  return found
}

/** Behind the parenthesis that closes the `depth`-th one around the current token. */
export function skipOut(lexer: Lexer, depth = 1): void {
  let open = depth
  while (open > 0 && !isAtEnd(lexer)) {
    if (lexer.isSign(SIGN.open)) open += 1
    else if (lexer.isSign(SIGN.close)) open -= 1
    lexer.next()
  }
}

/** Over the current token; over all of it when it opens parentheses. */
export function skipOne(lexer: Lexer): void {
  const opens = lexer.isSign(SIGN.open)
  lexer.next()
  if (opens) skipOut(lexer)
}

/** From behind CASE to behind its END. */
export function skipCase(lexer: Lexer): void {
  for (let open = 1; open > 0 && !isAtEnd(lexer) && !lexer.isSign(SIGN.close); ) {
    if (lexer.is(CASE)) open += 1
    else if (lexer.is(END)) open -= 1
    skipOne(lexer)
  }
}

/** Whether the token can be the name of a table: texts can. */
export function isName({ type }: Lexer): boolean {
  return type === TOKEN.word || type === TOKEN.name || type === TOKEN.text
}
