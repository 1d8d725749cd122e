/**
 * What comments before the first word of a statement tell the proxy. Read only when the lexer met one,
 * since it makes strings. Source: proxy-routing.md §5.4.
 */
import { LEXER_MODE, nameCase } from './lexer.ts'
import { casedName } from './names.ts'

export type Directives = {
  /** `target_db_server`: groups of `ip:port`, the first group first, as they are written. */
  readonly targetServers: readonly (readonly string[])[]
  /** Empty without one. */
  readonly traceId: string
  readonly rpcId: string
  readonly tracesLog: boolean
  readonly simpleRoute: SimpleRoute | undefined
}

/** `table <name> part_key <value>`: the value of the one key column of a table with one level of partitions. */
export type SimpleRoute = {
  /** `[db.]table`, as the tenant means bare names. */
  readonly table: string
  /** Without its quotes; escapes are still in it. */
  readonly key: string
  /** Where both stand; they are overwritten with `*` before a server sees them. */
  readonly tableFrom: number
  readonly tableTo: number
  readonly keyFrom: number
  readonly keyTo: number
}

export const NO_DIRECTIVES: Directives = {
  targetServers: [],
  traceId: '',
  rpcId: '',
  tracesLog: false,
  simpleRoute: undefined,
}

/** Comments that are looked at, and bytes of one; what is beyond tells nothing. */
const MAX_COMMENTS = 8
const MAX_BYTES = 4096
const MAX_SERVERS = 64

const VALUE = String.raw`\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s,'"]+))`
const TRACE_ID = new RegExp(String.raw`(?<![\w$])trace_id${VALUE}`, 'i')
const RPC_ID = new RegExp(String.raw`(?<![\w$])rpc_id${VALUE}`, 'i')
/** Without quotes it goes on to the next blank, for commas belong to it. */
const TARGET = /(?<![\w$])target_db_server\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s'"]+))/i
const ODP = /^\s*odp\s*:/i
const TRACE_LOG = /(?<![\w$])trace_log(?![\w$])/i
const DBP_TRACE = /^\+\s*dbp\s*:.*\$sys\s*=\s*\{\s*trace\s*\(\s*([^#)\s]*)(?:#([^)\s]*))?\s*\)/i
const SIMPLE = /^(\s*table\s+)(\S{1,256})(\s+part_key\s+)('[^']*'|"[^"]*"|\S+)\s*$/i

const LINE_END = /[\r\n]/g

type Comment = { readonly text: string; readonly at: number }

/** Of the statement that begins at `from`; of each directive, the first one counts. */
export function readDirectives(
  bytes: Uint8Array,
  from: number,
  to: number,
  mode: number = LEXER_MODE.plain,
): Directives {
  let targetServers: readonly (readonly string[])[] = []
  let traceId = ''
  let rpcId = ''
  let tracesLog = false
  let simpleRoute: SimpleRoute | undefined
  for (const { text, at } of leadingComments(bytes, from, to)) {
    const [, dbpTrace, dbpRpc] = DBP_TRACE.exec(text) ?? []
    const isOwn = !text.startsWith('+')
    traceId ||= dbpTrace ?? (isOwn ? valueIn(TRACE_ID, text) : '')
    rpcId ||= dbpRpc ?? (isOwn ? valueIn(RPC_ID, text) : '')
    tracesLog ||= ODP.test(text) && TRACE_LOG.test(text)
    if (isOwn && targetServers.length === 0) targetServers = serversOf(valueIn(TARGET, text))
    simpleRoute ??= simpleRouteOf(text, at, mode)
  }
  return { targetServers, traceId, rpcId, tracesLog, simpleRoute }
}

function valueIn(pattern: RegExp, text: string): string {
  const [, single, double, bare] = pattern.exec(text) ?? []
  return single ?? double ?? bare ?? ''
}

function serversOf(text: string): readonly (readonly string[])[] {
  return text
    .split(';', MAX_SERVERS)
    .map(group =>
      group
        .split(',', MAX_SERVERS)
        .map(server => server.trim())
        .filter(Boolean),
    )
    .filter(group => group.length > 0)
}

function simpleRouteOf(text: string, at: number, mode: number): SimpleRoute | undefined {
  const [whole, before = '', table = '', between = '', key = ''] = SIMPLE.exec(text) ?? []
  if (whole === undefined) return undefined
  const tableFrom = at + before.length
  const tableTo = tableFrom + table.length
  const keyFrom = tableTo + between.length
  const keyTo = keyFrom + key.length
  const isQuoted = key.startsWith("'") || key.startsWith('"')
  const bytes = Buffer.from(isQuoted ? key.slice(1, -1) : key, 'latin1')
  const name = casedName(Buffer.from(table, 'latin1').toString(), nameCase(mode, true))
  return { table: name, key: bytes.toString(), tableFrom, tableTo, keyFrom, keyTo }
}

/** Texts of the block comments before the first word, one character a byte. */
function leadingComments(bytes: Uint8Array, from: number, to: number): Comment[] {
  const comments: Comment[] = []
  const { buffer, byteOffset } = bytes
  const length = Math.min(to - from, MAX_COMMENTS * MAX_BYTES)
  const text = Buffer.from(buffer, byteOffset + from, length).toString('latin1')
  for (let at = 0; comments.length < MAX_COMMENTS; ) {
    at = behindBlanks(text, at)
    if (!text.startsWith('/*', at) || text[at + 2] === '!') break
    const begin = at + 2
    const end = text.indexOf('*/', begin)
    if (end < 0) break
    comments.push({ text: text.slice(begin, Math.min(end, begin + MAX_BYTES)), at: from + begin })
    at = end + 2
  }
  return comments
}

/** Over white space and comments to the end of a line. */
function behindBlanks(text: string, from: number): number {
  for (let at = from; at < text.length; ) {
    const isLine = text[at] === '#' || (text.startsWith('--', at) && (text[at + 2] ?? ' ') <= ' ')
    if (isLine) {
      LINE_END.lastIndex = at
      at = LINE_END.exec(text)?.index ?? text.length
    } else if ((text[at] ?? '') <= ' ') at += 1
    else return at
  }
  return text.length
}
