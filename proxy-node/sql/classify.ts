/**
 * Just enough SQL to route one statement: its kind and its first table, by a scan over the bytes.
 * Unknown is a legal answer and never an error: the statement then stays where the session is.
 * Source: proxy-routing.md §5.1, §5.2. Hot path: strings are made for the table's name only.
 */

export type Statement = {
  readonly kind: 'read' | 'write' | 'other'
  /** Lower-cased as written between back-ticks or bare; undefined when there is none to route by. */
  readonly database: string | undefined
  readonly table: string | undefined
  /** Its result depends on the statement before it, on the session or on another statement. */
  readonly dependent: boolean
}

const OTHER: Statement = { kind: 'other', database: undefined, table: undefined, dependent: true }

/** Functions whose answer belongs to the server session that ran the last statement (§5.3 of the protocol page). */
const DEPENDENT_WORDS = new Set([
  'found_rows',
  'row_count',
  'last_insert_id',
  'connection_id',
  'get_lock',
  'release_lock',
  'release_all_locks',
  'is_free_lock',
  'is_used_lock',
])

/** Words between the verb and the table of INSERT, REPLACE, UPDATE and DELETE. */
const FILLERS = new Set([
  'low_priority',
  'delayed',
  'high_priority',
  'quick',
  'ignore',
  'into',
  'from',
])

type Token = { readonly text: string; readonly quoted: boolean; readonly kind: 'word' | 'sign' }

/** Judges the first `limit` bytes of a statement. */
export function classify(bytes: Uint8Array, from: number, to: number): Statement {
  const tokens = new Tokens(bytes, from, to)
  const verb = tokens.next()?.text
  if (verb === 'select') return afterFrom(tokens)
  if (verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'delete')
    return afterFillers(tokens)
  return OTHER
}

function afterFrom(tokens: Tokens): Statement {
  let table: { database: string | undefined; table: string } | undefined
  let dependent = false
  for (let token = tokens.next(); token !== undefined; token = tokens.next()) {
    if (isDependent(token)) dependent = true
    if (table === undefined && token.text === 'from' && !token.quoted) table = tableName(tokens)
  }
  return {
    kind: 'read',
    database: table?.database,
    table: table?.table,
    dependent: dependent || table === undefined,
  }
}

function afterFillers(tokens: Tokens): Statement {
  const table = tableName(tokens)
  let dependent = table === undefined
  for (let token = tokens.next(); token !== undefined; token = tokens.next())
    if (isDependent(token)) dependent = true
  return { kind: 'write', database: table?.database, table: table?.table, dependent }
}

function isDependent(token: Token): boolean {
  if (token.kind === 'sign') return token.text === ';' || token.text === '@'
  return !token.quoted && DEPENDENT_WORDS.has(token.text)
}

function tableName(tokens: Tokens) {
  let first = tokens.next()
  while (first !== undefined && !first.quoted && FILLERS.has(first.text)) first = tokens.next()
  if (first === undefined || first.kind !== 'word') return undefined
  if (!tokens.accept('.')) return { database: undefined, table: first.text }
  const second = tokens.next()
  return second?.kind === 'word' ? { database: first.text, table: second.text } : undefined
}

/** Words, quoted names and signs; comments, strings and white space are passed over. */
class Tokens {
  private readonly bytes: Uint8Array
  private readonly to: number
  private at: number

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.bytes = bytes
    this.at = from
    this.to = to
  }

  next(): Token | undefined {
    while (this.at < this.to) {
      const byte = this.bytes[this.at] as number
      if (this.skip(byte)) continue
      if (byte === 0x60) return { text: this.quotedName(), quoted: true, kind: 'word' }
      if (isWordByte(byte)) return { text: this.word(), quoted: false, kind: 'word' }
      this.at += 1
      return { text: String.fromCharCode(byte), quoted: false, kind: 'sign' }
    }
    return undefined
  }

  /** Steps over white space, a comment or a string. */
  private skip(byte: number): boolean {
    if (byte <= 0x20) this.at += 1
    else if (byte === 0x27 || byte === 0x22) this.skipString(byte)
    else return this.skipComment(byte)
    return true
  }

  /** Steps over `sign` if it is the next byte but white space. */
  accept(sign: string): boolean {
    let ahead = this.at
    while (ahead < this.to && (this.bytes[ahead] as number) <= 0x20) ahead += 1
    if (ahead >= this.to || this.bytes[ahead] !== sign.charCodeAt(0)) return false
    this.at = ahead + 1
    return true
  }

  private word(): string {
    const start = this.at
    while (this.at < this.to && isWordByte(this.bytes[this.at] as number)) this.at += 1
    return this.textOf(start, this.at).toLowerCase()
  }

  private quotedName(): string {
    const start = this.at + 1
    const end = this.bytes.indexOf(0x60, start)
    this.at = end < 0 || end >= this.to ? this.to : end + 1
    return this.textOf(start, this.at - 1).toLowerCase()
  }

  private skipString(quote: number): void {
    this.at += 1
    while (this.at < this.to) {
      const byte = this.bytes[this.at] as number
      this.at += byte === 0x5c ? 2 : 1
      if (byte === quote) return
    }
  }

  private skipComment(byte: number): boolean {
    const second = this.at + 1 < this.to ? (this.bytes[this.at + 1] as number) : 0
    if (byte === 0x2f && second === 0x2a) {
      this.at += 2
      while (this.at < this.to && !this.atPair(0x2a, 0x2f)) this.at += 1
      this.at += 2
      return true
    }
    if (byte === 0x23 || (byte === 0x2d && second === 0x2d)) {
      while (this.at < this.to && this.bytes[this.at] !== 0x0a) this.at += 1
      return true
    }
    return false
  }

  private atPair(first: number, second: number): boolean {
    return this.bytes[this.at] === first && this.bytes[this.at + 1] === second
  }

  private textOf(start: number, end: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start).toString()
  }
}

function isWordByte(byte: number): boolean {
  if (byte >= 0x80) return true
  if (byte >= 0x30 && byte <= 0x39) return true
  if (byte >= 0x41 && byte <= 0x5a) return true
  return (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte === 0x24
}
