/**
 * Statements that a proxy answers itself whatever session they come from; the admin statements are
 * only recognised here, their grammar is the admin layer's. Source: proxy-protocol.md §6.2, §6.6.
 */
import { keyword, Lexer, SIGN, TOKEN } from './lexer.ts'

export type OwnStatement =
  | { readonly kind: 'ping' }
  | { readonly kind: 'version' }
  | { readonly kind: 'status' }
  | { readonly kind: 'processlist'; readonly full: boolean }
  /** `id` as the client wrote it, in the proxy's ids; `query` for KILL QUERY. */
  | { readonly kind: 'kill'; readonly id: number; readonly query: boolean }
  /** SET @obproxy_route_addr: an address as the number that OBProxy makes of it, 0 or NULL to end it, -1 for what is no address. */
  | { readonly kind: 'setRouteAddress'; readonly address: number }
  /** SELECT @obproxy_route_addr: the server session that was used last. */
  | { readonly kind: 'routeAddress' }
  /** SHOW PROXY…, ALTER PROXY…, KILL PROXYSESSION …: for the admin layer, by its text. */
  | { readonly kind: 'admin' }

const WORD = {
  ping: keyword('ping'),
  proxy: keyword('proxy'),
  select: keyword('select'),
  version: keyword('proxy_version'),
  status: keyword('proxy_status'),
  show: keyword('show'),
  full: keyword('full'),
  processlist: keyword('processlist'),
  alter: keyword('alter'),
  kill: keyword('kill'),
  connection: keyword('connection'),
  query: keyword('query'),
  set: keyword('set'),
  explain: keyword('explain'),
  route: keyword('route'),
  routeAddress: keyword('obproxy_route_addr'),
  null: keyword('null'),
} as const

const MAX_ID = 0xffff_ffff
const NO_ADDRESS = -1
const EQUALS = 0x3d
const COLON = 0x3a

/** The statement's meaning if the proxy answers it; undefined for everything a server answers. */
export function ownStatement(
  bytes: Uint8Array,
  from: number,
  to: number,
): OwnStatement | undefined {
  const lexer = new Lexer(bytes, from, to)
  lexer.next()
  if (lexer.is(WORD.select)) return selected(lexer)
  if (lexer.is(WORD.show)) return shown(lexer)
  if (lexer.is(WORD.set)) return set(lexer)
  if (lexer.is(WORD.kill)) return killed(lexer)
  if (lexer.is(WORD.alter)) return nextWord(lexer, WORD.proxy, true) ? { kind: 'admin' } : undefined
  if (!lexer.is(WORD.ping) || !nextWord(lexer, WORD.proxy)) return undefined
  return isEnd(lexer) ? { kind: 'ping' } : undefined
}

/** Where the statement behind EXPLAIN ROUTE begins; -1 when this is no EXPLAIN ROUTE of another one. */
export function explainedRouteAt(bytes: Uint8Array, from: number, to: number): number {
  const lexer = new Lexer(bytes, from, to)
  lexer.next()
  if (!lexer.is(WORD.explain) || !nextWord(lexer, WORD.route)) return -1
  const { end } = lexer
  // EXPLAIN route.t is about a table of a database that has this name.
  return lexer.isBefore(SIGN.dot) || isEnd(lexer) ? -1 : end
}

function selected(lexer: Lexer): OwnStatement | undefined {
  lexer.next()
  if (isRouteAddress(lexer)) return isEnd(lexer) ? { kind: 'routeAddress' } : undefined
  const kind = lexer.is(WORD.version) ? 'version' : 'status'
  if (kind === 'status' && !lexer.is(WORD.status)) return undefined
  const called = lexer.accept(SIGN.open)
  if (called && !lexer.accept(SIGN.close)) return undefined
  if (kind === 'version' && !called) return undefined
  return isEnd(lexer) ? { kind } : undefined
}

function set(lexer: Lexer): OwnStatement | undefined {
  lexer.next()
  if (!isRouteAddress(lexer)) return undefined
  lexer.accept(COLON)
  if (!lexer.accept(EQUALS)) return undefined
  lexer.next()
  const address = lexer.is(WORD.null) ? 0 : addressAt(lexer)
  // A server would take anything for a user variable of no meaning.
  return { kind: 'setRouteAddress', address: isEnd(lexer) ? address : NO_ADDRESS }
}

function addressAt(lexer: Lexer): number {
  const text = lexer.type === TOKEN.word ? lexer.text() : ''
  const address = /^\d{1,16}$/.test(text) ? Number(text) : NO_ADDRESS
  return Number.isSafeInteger(address) ? address : NO_ADDRESS
}

/** At `@obproxy_route_addr`, whose name becomes the current token. */
function isRouteAddress(lexer: Lexer): boolean {
  if (lexer.type !== TOKEN.sign || lexer.sign !== SIGN.at) return false
  lexer.next()
  return lexer.is(WORD.routeAddress)
}

function shown(lexer: Lexer): OwnStatement | undefined {
  lexer.next()
  if (lexer.beginsWith(WORD.proxy)) return { kind: 'admin' }
  const full = lexer.is(WORD.full)
  if (full) lexer.next()
  if (!lexer.is(WORD.processlist)) return undefined
  return isEnd(lexer) ? { kind: 'processlist', full } : undefined
}

function killed(lexer: Lexer): OwnStatement | undefined {
  lexer.next()
  if (lexer.beginsWith(WORD.proxy)) return { kind: 'admin' }
  const query = lexer.is(WORD.query)
  if (query || lexer.is(WORD.connection)) lexer.next()
  if (lexer.type !== TOKEN.word) return undefined
  const text = lexer.text()
  const id = /^\d{1,10}$/.test(text) ? Number(text) : MAX_ID + 1
  return id <= MAX_ID && isEnd(lexer) ? { kind: 'kill', id, query } : undefined
}

function nextWord(lexer: Lexer, word: Uint8Array, asPrefix = false): boolean {
  lexer.next()
  return asPrefix ? lexer.beginsWith(word) : lexer.is(word)
}

/** Nothing follows but semicolons. */
function isEnd(lexer: Lexer): boolean {
  while (lexer.next() === TOKEN.sign && lexer.sign === SIGN.semicolon) {
    // A client's delimiter.
  }
  return lexer.type === TOKEN.end
}
