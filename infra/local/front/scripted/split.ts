/** One text as the statements that stand in it, each to be read when its turn comes. */
import { type Token, tokens } from './lexer.ts'

/**
 * Texts between semicolons; those inside a procedure's body do not count. A text without any
 * statement is one empty one. @throws SqlError 1064
 */
export function statementsIn(sql: string): readonly string[] {
  const found: string[] = []
  let words: Token[] = []
  let from = 0
  const all = tokens(sql)
  for (const token of all) {
    const isEnd = token.kind === 'end'
    const isCut = token.kind === 'sign' && token.text === ';' && !isInBody(words)
    if (!isEnd && !isCut) {
      words.push(token)
      continue
    }
    if (words.length > 0) found.push(sql.slice(from, isEnd ? undefined : token.at))
    words = []
    from = token.at + 1
  }
  return found.length === 0 ? [''] : found
}

function isInBody(words: readonly Token[]): boolean {
  const [first, second] = words
  const isProcedure =
    first?.text.toLowerCase() === 'create' && second?.text.toLowerCase() === 'procedure'
  return isProcedure && words.at(-1)?.text.toLowerCase() !== 'end'
}
