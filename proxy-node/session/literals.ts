/**
 * How a session's values are written in the SET statements that bring them to another server.
 * System variables come as display text in UTF-8, user variables as literals in the character set of
 * their connection; both are written so that any reader takes them alike, whatever its character
 * sets and sql_mode. Source: proxy-protocol.md §4.5; proxy-protocol-tried.md A7, A9, C9.
 */
import { unescaped } from '../sql/texts.ts'
import { isText } from './system-variables.ts'

/** A SET above this size is split; a single value never is. */
export const MAX_SET_BYTES = 1 << 20

const NUMBER = /^-?\d+(\.\d+)?$/
/** Printable and neither a quote nor a backslash: such a text needs no escape in any mode. */
const SIMPLE = /^[ !#-&(-[\]-~]*$/
const QUOTE = 0x27
const HEX = 0x58
const FIRST_BEYOND_ASCII = 0x80
const SEPARATOR_BYTES = 4

/** Character set and collation of a connection: `character_set_connection`, `collation_connection`. */
export type Connection = { readonly charset: string; readonly collation: string }

export type UserValue = {
  /** SQL that means the same to every server session. */
  readonly literal: Uint8Array
  /** Servers report a value in the connection's character set and die of one it cannot hold. */
  readonly charset: string | undefined
}

/** SQL of a system variable's value. */
export function systemLiteral(name: string, value: string): Uint8Array {
  if (name === 'character_set_results' && value === '') return Buffer.from('NULL')
  const isBare = NUMBER.test(value) || value === 'ON' || value === 'OFF'
  if (isBare && !isText(name)) return Buffer.from(value)
  if (SIMPLE.test(value)) return Buffer.from(`'${value}'`)
  return Buffer.from(`_utf8mb4 X'${Buffer.from(value).toString('hex')}'`)
}

/** A user variable's value from an OK; `connection` is what was in force when the OK came. */
export function userValue(literal: Uint8Array, connection: Connection): UserValue {
  // Alone, X'…' would be a number where one is expected; the value is bytes.
  if (literal[0] === HEX) {
    const hex = Buffer.from(literal).toString('latin1').toLowerCase().slice(1)
    return { literal: Buffer.from(`CAST(X${hex} AS BINARY)`), charset: undefined }
  }
  // Numbers and NULL say the same everywhere.
  if (literal.length < 2 || literal[0] !== QUOTE)
    return { literal: Uint8Array.from(literal), charset: undefined }
  // Escaped byte by byte, with backslashes whatever the sql_mode is (A9).
  const plain = unescaped(literal, { start: 1, end: literal.length - 1, quote: QUOTE })
  const { charset, collation } = connection
  return {
    literal: Buffer.from(`${textOf(plain, charset)} COLLATE ${collation}`),
    charset: isAscii(plain) ? undefined : charset,
  }
}

/** The bytes of a value that is a text, in its character set; undefined for other values. */
export function textOfValue({ literal }: UserValue): Uint8Array | undefined {
  const written = Buffer.from(literal).toString('latin1')
  const hex = /^CAST\(X'([0-9a-f]*)'/.exec(written)?.[1]
  if (hex !== undefined) return Buffer.from(hex, 'hex')
  const simple = /^_\w+'([^']*)'/.exec(written)?.[1]
  return simple === undefined ? undefined : Buffer.from(simple, 'latin1')
}

/** COM_QUERY texts that set system variables, in the given order; every name must be replayable. */
export function setStatements(values: Iterable<readonly [string, string]>): readonly Uint8Array[] {
  const texts = new SetTexts()
  for (const [name, value] of values) texts.add(`@@${name}`, systemLiteral(name, value))
  return texts.all()
}

/**
 * COM_QUERY texts that set user variables in a session whose connection is `target`, which is as it
 * was when all have been executed. Names are written as OKs give them.
 */
export function setUserStatements(
  values: Iterable<readonly [string, UserValue]>,
  target: Connection,
): readonly Uint8Array[] {
  const byCharset = new Map<string, SetTexts>()
  for (const [name, { literal, charset = target.charset }] of values) {
    const texts = byCharset.get(charset) ?? new SetTexts()
    byCharset.set(charset, texts)
    texts.add(`@${quotedName(name)}`, literal)
  }
  const statements = byCharset.get(target.charset)?.all().slice() ?? []
  byCharset.delete(target.charset)
  if (byCharset.size === 0) return statements
  for (const [charset, texts] of byCharset)
    statements.push(Buffer.from(`SET @@character_set_connection = ${charset}`), ...texts.all())
  // The character set brings a collation of its own, so the collation comes last.
  const restored = `@@character_set_connection = ${target.charset}, @@collation_connection = ${target.collation}`
  statements.push(Buffer.from(`SET ${restored}`))
  return statements
}

/** Texts SET a = 1, b = 2, each of a bounded size. */
class SetTexts {
  private readonly done: Uint8Array[] = []
  private parts: Uint8Array[] = []
  private sizeBytes = 0

  add(target: string, literal: Uint8Array): void {
    const head = Buffer.from(`${target} = `)
    const more = SEPARATOR_BYTES + head.length + literal.length
    if (this.parts.length > 0 && this.sizeBytes + more > MAX_SET_BYTES) this.end()
    this.parts.push(Buffer.from(this.parts.length === 0 ? 'SET ' : ', '), head, literal)
    this.sizeBytes += more
  }

  all(): readonly Uint8Array[] {
    this.end()
    return this.done
  }

  private end(): void {
    if (this.parts.length === 0) return
    this.done.push(Buffer.concat(this.parts))
    this.parts = []
    this.sizeBytes = 0
  }
}

/**
 * OKs give a name as it stood between its quotes, a doubled one doubled: it must go between quotes of
 * a kind that does not end inside it.
 */
function quotedName(name: string): string {
  if (/^(?:[^`]|``)*$/.test(name)) return `\`${name}\``
  return /^(?:[^']|'')*$/.test(name) ? `'${name}'` : `"${name}"`
}

/** A cast takes bytes that are no text of the character set as servers do; an introducer refuses. */
function textOf(plain: Uint8Array, charset: string): string {
  const text = Buffer.from(plain.buffer, plain.byteOffset, plain.length)
  const simple = text.toString('latin1')
  if (SIMPLE.test(simple)) return `_${charset}'${simple}'`
  return `CAST(X'${text.toString('hex')}' AS CHAR CHARACTER SET ${charset})`
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte < FIRST_BEYOND_ASCII)
}
