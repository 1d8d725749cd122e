/** The shape of admin answers and the small grammar pieces that every family of statements shares. */
import type { Fault } from '#contract/fault'
import type { DigestSnapshot } from '#contract/telemetry'
import type { Certificates } from '../config/certificates.ts'
import type { ConfigStore } from '../config/store.ts'
import type { StaleRecord } from '../routing/stale-replicas.ts'
import type { Cluster } from '../topology/cluster.ts'
import type { ClusterDirectory } from '../topology/cluster-directory.ts'
import { type Cell, type Column, varchar } from '../wire/resultset.ts'

export type SessionRow = {
  readonly id: number
  readonly tenant: string
  readonly user: string
  readonly host: string
  readonly database: string
  readonly statements: number
  readonly serverSessions: number
  readonly state: string
  readonly worker: number
  readonly pid: number
  readonly usesSsl: boolean
}

/** Who asks: an account of tenant proxysys, and the connection it asks on. */
export type AdminSession = { readonly user: string; readonly connectionId: number }

/** What load balancers are told: BE_INACTIVE sends new connections elsewhere, INACTIVE is left by all. */
export type Availability = 'ACTIVE' | 'BE_INACTIVE' | 'INACTIVE'

export type AdminPorts = {
  readonly config: ConfigStore
  /** Client sessions of all workers. */
  readonly sessions: () => Promise<readonly SessionRow[]>
  /** Ends a client's session, or what runs for it; false when no client has the id. */
  readonly kill: (connectionId: number, onlyQuery: boolean) => Promise<boolean>
  readonly availability: () => Promise<Availability>
  /** What SHOW PROXYINFO UPGRADE tells, line by line. */
  readonly upgrade: () => Promise<readonly string[]>
  readonly certificates: CertificateView
  /** Of OB clusters; absent in mysql mode. */
  readonly directory?: DirectoryView
  /** OB clusters in use; absent in mysql mode. */
  readonly clusters?: ClustersView
  /** By name; `isFresh`: workers are asked now. */
  readonly counters: (isFresh: boolean) => Promise<readonly Counter[]>
  /** Of all workers, each of its own. */
  readonly digests: () => Promise<readonly DigestSnapshot[]>
  /** Replicas that were too old for weak reads, of all workers. */
  readonly stale: () => Promise<readonly StaleReplica[]>
  /** Of an error that is no fault of the catalogue; never called with statement text. */
  readonly failed: (error: unknown) => void
}

export type Counter = readonly [name: string, value: number]

export type StaleReplica = StaleRecord & { readonly tableId: string }

/** The OB clusters that the supervisor keeps. */
export type ClustersView = {
  readonly all: () => readonly Cluster[]
  /** Epoch milliseconds. */
  readonly usedAt: (name: string) => number
  /** False when it is not there. */
  readonly remove: (name: string) => boolean
  readonly now: () => number
  /** Lets others go on in the middle of a long answer. */
  readonly pause: () => Promise<void>
}

/** What is shown of a directory; tokens are masked in it already. */
export type DirectoryView = Pick<ClusterDirectory, 'rootServerRows' | 'idcRows' | 'facts'>

/** Certificates as the node uses them. */
export type CertificateView = {
  readonly current: Certificates
  /** When they were taken, milliseconds since the epoch; 0: never. */
  readonly since: number
  /** Why the files as they are cannot be used. */
  readonly failure: Fault | undefined
}

export type AdminRows = {
  readonly kind: 'rows'
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
}

export type AdminResult =
  | { readonly kind: 'ok' }
  /** No answer: the connection is closed. */
  | { readonly kind: 'close' }
  | AdminRows
  | {
      readonly kind: 'error'
      readonly errno: number
      readonly state: string
      readonly message: string
    }

/** One statement: its grammar, and the answer to what the grammar's groups found. */
export type Rule = {
  readonly grammar: RegExp
  /** @throws Fault of the catalogue; undefined when the statement is not one after all. */
  readonly answer: (
    found: readonly (string | undefined)[],
    ports: AdminPorts,
    session: AdminSession,
  ) => AdminResult | undefined | Promise<AdminResult | undefined>
}

export const OK: AdminResult = { kind: 'ok' }
export const CLOSE: AdminResult = { kind: 'close' }

/** Quoted text in either quote, as a group of two: the quote and what is inside. */
export const QUOTED = `(['"])(.*?)`

/** The end of a SHOW that may have a pattern: two groups more, of which the second is the pattern. */
export const LIKE = `(?:\\s+like\\s*${QUOTED}\\1)?$`

/** All columns text. */
export function textRows(names: readonly string[], rows: readonly (readonly Cell[])[]): AdminRows {
  return { kind: 'rows', columns: names.map(varchar), rows }
}

/** The text of a literal: quotes taken off, escapes of MySQL resolved; a bare word is itself. */
export function literalText(text: string): string {
  const quote = text[0]
  if ((quote !== "'" && quote !== '"') || text.length < 2 || !text.endsWith(quote)) return text
  const inside = text.slice(1, -1).replaceAll(quote + quote, quote)
  return inside.replace(/\\(.)/gs, (_whole, sign: string) => ESCAPES[sign] ?? sign)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', 0: '\0' }

/**
 * OBProxy's LIKE: `%` any, `_` one character, case-sensitive, no escape character; nothing or the
 * empty pattern matches everything.
 */
export function isLike(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined || pattern === '') return true
  // Why not a regular expression: `%%%%…` from a client would make it take for ever.
  let [at, star, retry] = [0, -1, 0]
  for (let index = 0; index < text.length; ) {
    if (pattern[at] === '%') {
      star = at++
      retry = index
    } else if (pattern[at] === '_' || (at < pattern.length && pattern[at] === text[index])) {
      at += 1
      index += 1
    } else if (star >= 0) {
      at = star + 1
      index = ++retry
    } else return false
  }
  while (pattern[at] === '%') at += 1
  return at === pattern.length
}

/** Splits at commas that are in no quotes; pieces are trimmed. */
export function splitList(text: string): string[] {
  const found: string[] = []
  let from = 0
  for (let at = 0; at < text.length; ) {
    if (text[at] === ',') {
      found.push(text.slice(from, at).trim())
      from = at + 1
    }
    at = endOfPiece(text, at).end
  }
  return [...found, text.slice(from).trim()]
}

/** The statement without comments, closing semicolons and blanks; quoted text is left alone. */
export function bareStatement(sql: string): string {
  let bare = ''
  let from = 0
  for (let at = 0; at < sql.length; ) {
    const { isComment, end } = endOfPiece(sql, at)
    if (isComment) {
      bare += `${sql.slice(from, at)} `
      from = end
    }
    at = end
  }
  bare += sql.slice(from)
  let end = bare.length
  while (end > 0 && /[;\s]/.test(bare[end - 1] ?? '')) end -= 1
  return bare.slice(0, end).trimStart()
}

/**
 * Where the quoted text, the comment or the single character at `at` ends; what is not closed goes
 * to the end. Why not a regular expression: many unclosed openings would take quadratic time.
 */
export function endOfPiece(sql: string, at: number): { isComment: boolean; end: number } {
  const sign = sql[at]
  if (sign === "'" || sign === '"' || sign === '`')
    return { isComment: false, end: endOfQuoted(sql, at, sign) }
  const closing =
    sign === '#' || (sign === '-' && /^--\s/.test(sql.slice(at, at + 3))) ? '\n' : '*/'
  if (closing === '*/' && !sql.startsWith('/*', at)) return { isComment: false, end: at + 1 }
  const close = sql.indexOf(closing, at + (closing === '\n' ? 1 : 2))
  return { isComment: true, end: close < 0 ? sql.length : close + closing.length }
}

function endOfQuoted(sql: string, from: number, quote: string): number {
  for (let at = from + 1; at < sql.length; at++) {
    if (sql[at] === '\\' && quote !== '`') at += 1
    else if (sql[at] === quote) return at + 1
  }
  return sql.length
}
