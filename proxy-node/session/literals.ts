/**
 * How a session's values are written in the SET statements that bring them to another server.
 * System variables come as display text, user variables as literals of the session that set them;
 * both are rewritten so that they mean the same under any character set and sql_mode of the reader.
 * Source: proxy-protocol.md §4.5; proxy-protocol-tried.md A7, A9, C9.
 */
import { LEXER_MODE } from '../sql/lexer.ts'
import { unescaped } from '../sql/texts.ts'

/** A SET above this size is split; a single value is never. */
export const MAX_SET_BYTES = 1 << 20

const NUMBER = /^-?\d+(\.\d+)?$/
const QUOTE = 0x27
const COMMA_BYTES = 2

export type Assignment = { readonly name: string; readonly literal: Uint8Array }

/** How the server session that gave a literal reads texts. */
export type LiteralContext = {
  /** Its character_set_connection when the literal came. */
  readonly charset: string
  readonly noBackslashEscapes: boolean
}

/** The value of a system variable, for a server session with or without NO_BACKSLASH_ESCAPES. */
export function systemLiteral(
  name: string,
  value: string,
  noBackslashEscapes: boolean,
): Uint8Array {
  if (name === 'character_set_results' && value === '') return Buffer.from('NULL')
  if (NUMBER.test(value) || value === 'ON' || value === 'OFF') return Buffer.from(value)
  const escaped = noBackslashEscapes ? value : value.replaceAll('\\', '\\\\')
  return Buffer.from(`'${escaped.replaceAll("'", "''")}'`)
}

/** A literal from an OK in a form that any server session reads alike; itself when it is one. */
export function userLiteral(literal: Uint8Array, context: LiteralContext): Uint8Array {
  if (literal.length < 2 || literal[0] !== QUOTE) return literal
  if (!context.noBackslashEscapes && isAscii(literal)) return literal
  // The literal has backslashes whatever the sql_mode is (A9).
  const plain = unescaped(
    literal,
    { start: 1, end: literal.length - 1, quote: QUOTE },
    LEXER_MODE.plain,
  )
  return Buffer.from(`_${context.charset} X'${Buffer.from(plain).toString('hex')}'`)
}

/** COM_QUERY texts that set the system variables, in order. */
export function setStatements(assignments: Iterable<Assignment>): readonly Uint8Array[] {
  return statements(assignments, name => `@@${name}`)
}

/** COM_QUERY texts that set the user variables; names are written as OKs give them. */
export function setUserStatements(assignments: Iterable<Assignment>): readonly Uint8Array[] {
  return statements(assignments, name => `@\`${name}\``)
}

function statements(
  assignments: Iterable<Assignment>,
  target: (name: string) => string,
): readonly Uint8Array[] {
  const texts: Uint8Array[] = []
  let parts: Uint8Array[] = []
  let sizeBytes = 0
  for (const { name, literal } of assignments) {
    const head = Buffer.from(`${target(name)} = `)
    const more = head.length + literal.length + COMMA_BYTES
    if (parts.length > 0 && sizeBytes + more > MAX_SET_BYTES) {
      texts.push(Buffer.concat(parts))
      parts = []
      sizeBytes = 0
    }
    parts.push(Buffer.from(parts.length === 0 ? 'SET ' : ', '), head, literal)
    sizeBytes += more
  }
  if (parts.length > 0) texts.push(Buffer.concat(parts))
  return texts
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false
  return true
}
