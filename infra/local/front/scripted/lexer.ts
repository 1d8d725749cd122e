/** Words, names, numbers, strings and signs of a statement; comments are dropped. */
import { unknownSql } from './sql-error.ts'

export type Token = {
  readonly kind:
    | 'word'
    | 'name'
    | 'number'
    | 'string'
    | 'variable'
    | 'user-variable'
    | 'sign'
    | 'end'
  /** Unquoted; words as they were written. */
  readonly text: string
  /** Where it begins in the statement. */
  readonly at: number
}

const SPACE = /(?:\s+|--\s[^\n]*\n?|#[^\n]*\n?|\/\*[\s\S]*?\*\/)+/y
const NUMBER = /\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+/iy
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y
const VARIABLE = /@@((?:(?:session|global|local)\s*\.\s*)?`?[\w]+`?)/iy
const USER_VARIABLE = /@(?:`((?:[^`]|``)*)`|([\w.$]+))/y
const STRING = /'((?:[^'\\]|''|\\[\s\S])*)'|"((?:[^"\\]|""|\\[\s\S])*)"/y
const NAME = /`((?:[^`]|``)*)`/y
const SIGN = /<=>|<=|>=|<>|!=|:=|&&|\|\||[-+*/%(),.;=<>?!]/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0', Z: '\x1a' }

/** @throws SqlError 1064 at a character that begins nothing. */
export function tokens(sql: string): readonly Token[] {
  const found: Token[] = []
  let at = 0
  for (;;) {
    at = spaceEnd(sql, at)
    if (at >= sql.length) break
    const token = tokenAt(sql, at)
    found.push(token.token)
    at = token.end
  }
  found.push({ kind: 'end', text: '', at: sql.length })
  return found
}

function spaceEnd(sql: string, at: number): number {
  return at + (matchAt(SPACE, sql, at)?.[0].length ?? 0)
}

function matchAt(shape: RegExp, sql: string, at: number): RegExpExecArray | null {
  shape.lastIndex = at
  return shape.exec(sql)
}

type Found = { readonly token: Token; readonly end: number }

const SHAPES: readonly (readonly [Token['kind'], RegExp, (found: RegExpExecArray) => string])[] = [
  ['number', NUMBER, found => found[0]],
  ['word', WORD, found => found[0]],
  ['string', STRING, found => unquoted(found)],
  ['name', NAME, found => (found[1] ?? '').replaceAll('``', '`')],
  ['variable', VARIABLE, found => (found[1] ?? '').replace(/[\s`]/g, '').toLowerCase()],
  [
    'user-variable',
    USER_VARIABLE,
    found => (found[1]?.replaceAll('``', '`') ?? found[2] ?? '').toLowerCase(),
  ],
  ['sign', SIGN, found => found[0]],
]

function tokenAt(sql: string, at: number): Found {
  for (const [kind, shape, read] of SHAPES) {
    const found = matchAt(shape, sql, at)
    if (found !== null) return { token: { kind, text: read(found), at }, end: shape.lastIndex }
  }
  throw unknownSql(sql.slice(at))
}

function unquoted(found: RegExpExecArray): string {
  const single = found[1]
  const text = single ?? found[2] ?? ''
  const doubled = single === undefined ? text.replaceAll('""', '"') : text.replaceAll("''", "'")
  return doubled.replace(/\\([\s\S])/g, (_all, escaped: string) => ESCAPES[escaped] ?? escaped)
}
