/** How a session's statements are read, from what its servers say of its variables. */
import { LEXER_MODE } from './lexer.ts'

/** Character sets in which the second byte of a character can be a back-tick or a backslash. */
const DOUBLE_BYTE = /^(gbk|gb18030|big5|sjis|cp932)/i

/** Bits of LEXER_MODE for a session's `sql_mode`, as OKs list it, and its `character_set_client`. */
export function lexerMode(sqlMode: string, clientCharset: string): number {
  const modes = sqlMode.toUpperCase().split(',')
  let mode: number = LEXER_MODE.plain
  if (modes.includes('NO_BACKSLASH_ESCAPES')) mode |= LEXER_MODE.noBackslashEscapes
  const isAnsi = modes.includes('ANSI')
  if (isAnsi || modes.includes('ANSI_QUOTES')) mode |= LEXER_MODE.ansiQuotes
  if (isAnsi || modes.includes('PIPES_AS_CONCAT')) mode |= LEXER_MODE.pipesAsConcat
  return DOUBLE_BYTE.test(clientCharset) ? mode | LEXER_MODE.doubleByte : mode
}

/**
 * Bits of LEXER_MODE for a tenant's `lower_case_table_names` and `ob_compatibility_mode`, which it has had
 * since it was created. Names of 2 are compared as those of 1 are, which is what a server does that does not
 * say. Source: proxy-routing.md §4.1.
 */
export function nameMode(lowerCaseTableNames: string, compatibility: string): number {
  if (/^(oracle|1)$/i.test(compatibility)) return LEXER_MODE.capitalNames
  return lowerCaseTableNames === '0' ? LEXER_MODE.casedNames : LEXER_MODE.plain
}
