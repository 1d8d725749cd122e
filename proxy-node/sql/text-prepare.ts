/**
 * Prepared statements by text, so that one that is known can be made on another server too. A text
 * that is not one of the three forms from end to end is no business of this file.
 * Source: proxy-protocol.md §6.5.
 */
import { keyword, LEXER_MODE, Lexer, SIGN, TOKEN } from './lexer.ts'
import { quotedText, unescaped } from './texts.ts'

export type TextPrepared =
  /** `name` in lower case, as servers compare it. */
  | { readonly verb: 'prepare'; readonly name: string; readonly source: TextSource }
  | { readonly verb: 'execute'; readonly name: string }
  | { readonly verb: 'deallocate'; readonly name: string }

export type TextSource =
  /** The statement itself, unescaped, in the client's character set. */
  | { readonly kind: 'literal'; readonly bytes: Uint8Array }
  /** In lower case and otherwise as written between quotes, as an OK names it. */
  | { readonly kind: 'variable'; readonly name: string }

const PREPARE = keyword('prepare')
const EXECUTE = keyword('execute')
const DEALLOCATE = keyword('deallocate')
const DROP = keyword('drop')
const FROM = keyword('from')
const USING = keyword('using')

/** What a text PREPARE, EXECUTE, DEALLOCATE PREPARE or DROP PREPARE, alone in its text, says. */
export function textPrepared(
  bytes: Uint8Array,
  from: number,
  to: number,
  mode: number = LEXER_MODE.plain,
): TextPrepared | undefined {
  const lexer = new Lexer(bytes, from, to, mode)
  lexer.next()
  if (lexer.is(PREPARE)) return prepared(lexer, mode)
  if (lexer.is(EXECUTE)) return executed(lexer)
  if (!lexer.is(DEALLOCATE) && !lexer.is(DROP)) return undefined
  lexer.next()
  if (!lexer.is(PREPARE)) return undefined
  const name = nextName(lexer)
  return name !== undefined && isEnd(lexer) ? { verb: 'deallocate', name } : undefined
}

/** COM_QUERY text of PREPARE for a server session that reads in `mode`. */
export function prepareText(name: string, statement: Uint8Array, mode: number): Uint8Array {
  const head = Buffer.from(`PREPARE \`${name.replaceAll('`', '``')}\` FROM `)
  return Buffer.concat([head, quotedText(statement, mode)])
}

function prepared(lexer: Lexer, mode: number): TextPrepared | undefined {
  const name = nextName(lexer)
  lexer.next()
  if (name === undefined || !lexer.is(FROM)) return undefined
  lexer.next()
  const source = lexer.type === TOKEN.text ? literal(lexer, mode) : variable(lexer)
  return source !== undefined && isEndHere(lexer) ? { verb: 'prepare', name, source } : undefined
}

/** Texts side by side are one. */
function literal(lexer: Lexer, mode: number): TextSource {
  const parts: Uint8Array[] = []
  while (lexer.type === TOKEN.text) {
    const { bytes, start, end } = lexer
    parts.push(unescaped(bytes, { start, end, quote: bytes[start - 1] as number }, mode))
    lexer.next()
  }
  return { kind: 'literal', bytes: Buffer.concat(parts) }
}

function variable(lexer: Lexer): TextSource | undefined {
  if (lexer.type !== TOKEN.sign || lexer.sign !== SIGN.at) return undefined
  const name = variableName(lexer)
  return name === '' ? undefined : { kind: 'variable', name: name.toLowerCase() }
}

/** `@a.b` is one name; empty when there is none. The token behind it becomes the current one. */
function variableName(lexer: Lexer): string {
  lexer.next()
  let name = ''
  if (lexer.type === TOKEN.name || lexer.type === TOKEN.text) {
    name = lexer.raw()
    lexer.next()
  }
  while (lexer.type === TOKEN.word || (lexer.type === TOKEN.sign && lexer.sign === SIGN.dot)) {
    name += lexer.raw()
    lexer.next()
  }
  return name
}

function executed(lexer: Lexer): TextPrepared | undefined {
  const name = nextName(lexer)
  if (name === undefined) return undefined
  const { type } = lexer
  lexer.next()
  const isWhole = isEndHere(lexer) || lexer.is(USING)
  return isWhole && type !== TOKEN.end && isSingle(lexer) ? { verb: 'execute', name } : undefined
}

function nextName(lexer: Lexer): string | undefined {
  lexer.next()
  const isName = lexer.type === TOKEN.word || lexer.type === TOKEN.name
  return isName ? lexer.text().toLowerCase() : undefined
}

/** Nothing follows the current token but semicolons. */
function isEnd(lexer: Lexer): boolean {
  lexer.next()
  return isEndHere(lexer)
}

function isEndHere(lexer: Lexer): boolean {
  while (lexer.type === TOKEN.sign && lexer.sign === SIGN.semicolon) lexer.next()
  return lexer.type === TOKEN.end
}

/** No second statement follows. */
function isSingle(lexer: Lexer): boolean {
  while (lexer.type !== TOKEN.end) {
    if (lexer.type === TOKEN.sign && lexer.sign === SIGN.semicolon) return isEndHere(lexer)
    lexer.next()
  }
  return true
}
