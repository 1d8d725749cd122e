/**
 * Values of user variables, and the SET statements that make them anew. An OK tells a value's bytes in
 * the character set of the connection and nothing of its type, its collation, or how strongly that
 * binds in a comparison; a value that is not known to be a plain literal is asked about, on the server
 * that has it, before the session is first used on another (`questionOf`).
 * Source: proxy-protocol.md §4.5; proxy-protocol-tried.md A9; the forms were tried on a running server.
 */
import { isUtf8 } from 'node:buffer'
import { quotedText, SIMPLE_TEXT, unescaped } from '../sql/texts.ts'
import { SetTexts } from './set-texts.ts'

const QUOTE = 0x27
const HEX = 0x58
const FIRST_BEYOND_ASCII = 0x80

/** Character sets and collation of a connection, and how its statements are read (LEXER_MODE). */
export type Connection = {
  readonly client: string
  readonly charset: string
  readonly collation: string
  readonly mode: number
}

/** How strongly a text's collation binds, as COERCIBILITY() tells; others are numbers' and NULL's. */
const LEVEL = { explicit: 0, implicit: 2, system: 3, literal: 4 } as const

/** What a value is besides its bytes. */
type Shape =
  /** A number or NULL that its literal says exactly. */
  | { readonly kind: 'exact' | 'double' }
  /** X'…', which is a number where one is expected, and other bytes, which are not. */
  | { readonly kind: 'number-bytes' | 'geometry' }
  | { readonly kind: 'bytes'; readonly level: number }
  | { readonly kind: 'text'; readonly collation: string; readonly level: number }
  | { readonly kind: 'json' }

export type UserValue = {
  /** As the OK wrote it. */
  readonly given: Uint8Array
  /** Bytes of a text or of X'…'; undefined for numbers and NULL. */
  readonly bytes: Uint8Array | undefined
  /** In which a text's bytes are. */
  readonly charset: string
  readonly shape: Shape
  /** The shape is a guess. */
  readonly isGuess: boolean
}

/**
 * The value in an OK; `connection` is what was in force when the OK came, `isPlain` that the statement
 * gave literals to its variables, as a client writes texts and exact numbers, and nothing else.
 */
export function userValue(given: Uint8Array, connection: Connection, isPlain: boolean): UserValue {
  const { charset, collation } = connection
  const copy = Uint8Array.from(given)
  if (given[0] === HEX) {
    const hex = Buffer.from(given).toString('latin1').slice(2, -1)
    const bytes = Buffer.from(hex, 'hex')
    // Under SET NAMES binary a plain text is bytes, too.
    const shape = { kind: 'bytes', level: LEVEL.literal } as const
    return { given: copy, bytes, charset: 'binary', shape, isGuess: !isPlain }
  }
  if (given.length >= 2 && given[0] === QUOTE) {
    // Escaped byte by byte, with backslashes whatever the sql_mode is (A9).
    const bytes = unescaped(copy, { start: 1, end: copy.length - 1, quote: QUOTE })
    const shape = { kind: 'text', collation, level: LEVEL.literal } as const
    return { given: copy, bytes, charset, shape, isGuess: !isPlain }
  }
  const isNull = /^NULL$/i.test(Buffer.from(given).toString('latin1'))
  const isGuess = !isPlain && !isNull
  return { given: copy, bytes: undefined, charset, shape: { kind: 'exact' }, isGuess }
}

// --- asking

/** The answer to a question comes as the value of this variable. */
export const ANSWER_VARIABLE = '__obfleet_shapes'
const ADDED = '0.000000000000000000000000000000'
/** Digits that an exact number has behind its point when `ADDED` is added to it. */
const EXACT = /\.\d{30}$/
/** Of a text in another character set than the connection's its own bytes are asked for, up to a size. */
const OWN_BYTES = 256 * 1024
/** More bytes than a number takes are no number. */
const NUMBER_BYTES = 8
const JSON_BEGINS = /^[[{"\dtfn-]/

/** COM_QUERY text that asks about values on the server that has them; a SET, for FOUND_ROWS() is to stay. */
export function questionOf(values: readonly (readonly [string, UserValue])[]): Uint8Array {
  const parts = values.map(
    ([name, value]) => `CONCAT_WS(',', ${fieldsOf(quotedName(name), value)})`,
  )
  return Buffer.from(`SET @${ANSWER_VARIABLE} = CONCAT_WS('|', ${parts.join(', ')})`)
}

function fieldsOf(name: string, { bytes, shape }: UserValue): string {
  const variable = `@${name}`
  if (bytes === undefined) return `CONCAT(${variable} + ${ADDED})`
  if (shape.kind === 'text') {
    const mayBeJson = JSON_BEGINS.test(Buffer.from(bytes.subarray(0, 1)).toString('latin1'))
    const json = mayBeJson ? `LENGTH(JSON_ARRAY(${variable})) - LENGTH(${variable})` : '0'
    const own = isAscii(bytes) || bytes.length > OWN_BYTES ? '' : `, HEX(${variable})`
    return `COLLATION(${variable}), COERCIBILITY(${variable}), ${json}${own}`
  }
  const number = bytes.length <= NUMBER_BYTES ? `, CONCAT(${variable} + 0)` : ''
  return `COERCIBILITY(${variable}), LENGTH(${variable})${number}`
}

/** The values with what the answer, an OK's value of `ANSWER_VARIABLE`, tells; undefined when it does not fit. */
export function answeredValues(
  values: readonly (readonly [string, UserValue])[],
  answer: Uint8Array | undefined,
): readonly (readonly [string, UserValue])[] | undefined {
  if (answer === undefined) return undefined
  const parts = saidIn(answer).split('|')
  if (parts.length !== values.length) return undefined
  return values.map(([name, value], index) => {
    const fields = (parts[index] ?? '').split(',')
    const known = { ...value, shape: shapeOf(value, fields), isGuess: false }
    const [, , , own] = fields
    if (own === undefined || known.shape.kind !== 'text') return [name, known]
    const charset = charsetOf(known.shape.collation)
    return [name, { ...known, bytes: Buffer.from(own, 'hex'), charset }]
  })
}

/** The text between the quotes: bytes on a connection in binary, with zeros before letters in utf16. */
function saidIn(answer: Uint8Array): string {
  const literal = Buffer.from(answer).toString('latin1')
  if (answer[0] === HEX) return Buffer.from(literal.slice(2, -1), 'hex').toString('latin1')
  return literal.slice(1, -1).replaceAll('\\0', '').replaceAll('\0', '')
}

function shapeOf({ bytes, shape }: UserValue, fields: readonly string[]): Shape {
  const [first = '', second = '', third = ''] = fields
  if (bytes === undefined) return { kind: EXACT.test(first) ? 'exact' : 'double' }
  if (shape.kind === 'text')
    return third === '2'
      ? { kind: 'json' }
      : { kind: 'text', collation: first, level: Number(second) }
  if (Number(second) !== bytes.length) return { kind: 'geometry' }
  return isNumberLiteral(bytes, third)
    ? { kind: 'number-bytes' }
    : { kind: 'bytes', level: Number(first) }
}

/** X'41' is 65 where a number is expected; the bytes of a text are what number the text says. */
function isNumberLiteral(bytes: Uint8Array, number: string): boolean {
  if (bytes.length === 0 || bytes.length > NUMBER_BYTES) return false
  const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  return (
    value !== 0n && number === String(value) && number !== Buffer.from(bytes).toString('latin1')
  )
}

// --- making anew

/**
 * COM_QUERY texts that set user variables in a session whose connection is `target`, which is as it was
 * when all have been executed. Names are written as OKs give them.
 */
export function setUserStatements(
  values: Iterable<readonly [string, UserValue]>,
  target: Connection,
): readonly Uint8Array[] {
  const byCollation = new Map<string, SetTexts>()
  for (const [name, value] of values) {
    const collation = collationFor(value.shape) ?? target.collation
    const texts = byCollation.get(collation) ?? new SetTexts()
    byCollation.set(collation, texts)
    texts.add(`@${quotedName(name)}`, literalOf(value, target))
  }
  const statements = byCollation.get(target.collation)?.all().slice() ?? []
  byCollation.delete(target.collation)
  if (byCollation.size === 0) return statements
  for (const [collation, texts] of byCollation)
    statements.push(Buffer.from(`SET @@collation_connection = ${collation}`), ...texts.all())
  // The character set brings a collation of its own, so the collation comes last.
  const restored = `@@character_set_connection = ${target.charset}, @@collation_connection = ${target.collation}`
  statements.push(Buffer.from(`SET ${restored}`))
  return statements
}

/** A literal's collation is that of the connection it is written on. */
function collationFor(shape: Shape): string | undefined {
  if (shape.kind === 'text') return shape.collation
  return shape.kind === 'json' ? 'utf8mb4_bin' : undefined
}

function literalOf(value: UserValue, target: Connection): Uint8Array {
  const { given, bytes, shape } = value
  if (bytes === undefined) {
    const isBareDouble =
      shape.kind === 'double' && !/e/i.test(Buffer.from(given).toString('latin1'))
    return isBareDouble ? Buffer.concat([given, Buffer.from('e0')]) : given
  }
  const hex = Buffer.from(bytes).toString('hex')
  switch (shape.kind) {
    case 'number-bytes':
      return Buffer.from(`X'${hex}'`)
    case 'geometry':
      return geometryOf(hex)
    case 'json':
      return wrapped('CAST(', quoted(value, target), ' AS JSON)')
    case 'text':
      return textOf(quoted(value, target), shape)
    default: {
      const isLiteral = shape.kind === 'bytes' && shape.level === LEVEL.literal
      return Buffer.from(isLiteral ? `UNHEX('${hex}')` : `CAST(X'${hex}' AS BINARY)`)
    }
  }
}

function textOf(
  written: Uint8Array,
  { collation, level }: { readonly collation: string; readonly level: number },
): Uint8Array {
  if (level === LEVEL.explicit) return wrapped('', written, ` COLLATE ${collation}`)
  if (level === LEVEL.implicit) return wrapped('CAST(', written, ' AS CHAR)')
  return level === LEVEL.system ? wrapped('IF(0, @@sql_mode, ', written, ')') : written
}

/**
 * As the client would write it, where its connection has the character set of the value; else with an
 * introducer, which refuses what is no text and has one collation, or by a cast, which takes anything.
 */
function quoted(value: UserValue, target: Connection): Uint8Array {
  const { bytes = new Uint8Array(0), charset, shape } = value
  const text = Buffer.from(bytes)
  const simple = text.toString('latin1')
  if (SIMPLE_TEXT.test(simple)) return Buffer.from(`'${simple}'`)
  const own = charsetOf(collationFor(shape) ?? target.collation)
  const isReadAlike = (charset === own || isAscii(bytes)) && charset === target.client
  if (isReadAlike && !text.includes(0)) return quotedText(text, target.mode)
  const isIntroduced =
    shape.kind === 'text' && DEFAULTS[charset] === shape.collation && isTextOf(charset, text)
  if (isIntroduced) return Buffer.from(`_${charset} X'${text.toString('hex')}'`)
  return Buffer.from(
    `CAST(CAST(X'${text.toString('hex')}' AS CHAR CHARACTER SET ${charset}) AS CHAR)`,
  )
}

/** Servers write a geometry as its reference system, a version, and its well-known binary. */
function geometryOf(hex: string): Uint8Array {
  const system = Buffer.from(hex.slice(0, 8), 'hex')
  const id = system.length === 4 ? system.readUInt32LE(0) : 0
  return Buffer.from(`ST_GeomFromWKB(X'${hex.slice(10)}', ${id})`)
}

function wrapped(before: string, written: Uint8Array, behind: string): Uint8Array {
  return Buffer.concat([Buffer.from(before), written, Buffer.from(behind)])
}

/**
 * OKs give a name as it stood between its quotes, a doubled one doubled: it must go between quotes of
 * a kind that does not end inside it.
 */
function quotedName(name: string): string {
  if (/^(?:[^`]|``)*$/.test(name)) return `\`${name}\``
  return /^(?:[^']|'')*$/.test(name) ? `'${name}'` : `"${name}"`
}

/** Collations that an introducer gives. */
const DEFAULTS: Readonly<Partial<Record<string, string>>> = {
  utf8mb4: 'utf8mb4_general_ci',
  latin1: 'latin1_swedish_ci',
  gbk: 'gbk_chinese_ci',
}

function isTextOf(charset: string, bytes: Buffer): boolean {
  if (charset === 'utf8mb4') return isUtf8(bytes)
  return charset === 'gbk' ? isGbk(bytes) : charset === 'latin1'
}

/** ASCII, and pairs of a lead byte from 0x81 and a trail byte from 0x40, without 0x7f and 0xff. */
function isGbk(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const lead = bytes[at] as number
    if (lead < FIRST_BEYOND_ASCII) continue
    const trail = bytes[++at] ?? 0
    if (lead === 0x80 || lead === 0xff || trail < 0x40 || trail === 0x7f || trail === 0xff)
      return false
  }
  return true
}

function charsetOf(collation: string): string {
  return collation.split('_', 1)[0] ?? collation
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte < FIRST_BEYOND_ASCII)
}
