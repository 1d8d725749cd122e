/**
 * The statements that the proxy knows itself (proxy-admin.md §2.2 to §2.6), as a table of forms. A text
 * that fits none is no statement of its own: root@proxysys gets an error, everybody else's goes on to
 * a server. Pure.
 */

export type KillTarget = {
  readonly id: number
  readonly what: 'connection' | 'query' | 'server-session'
}

export type TableName = 'proxy_config' | 'white_list' | 'resource_unit' | 'ssl_config'

export type Showing =
  | { readonly kind: 'show-config'; readonly of: 'all' | 'diff' | 'diff-user'; like: string }
  | { readonly kind: 'show-config-levels'; readonly like: string }
  | { readonly kind: 'show-info'; readonly of: 'binary' | 'upgrade' | 'idc' }
  | { readonly kind: 'show-clusters'; readonly of: 'servers' | 'idcs'; readonly like: string }
  | { readonly kind: 'show-resources'; readonly like: string }
  | { readonly kind: 'show-sessions' }
  | { readonly kind: 'show-attributes'; readonly id: number | undefined; readonly like: string }
  | { readonly kind: 'show-processes' }
  | { readonly kind: 'show-statistics'; readonly like: string }
  | { readonly kind: 'show-empty'; readonly view: string }

export type Statement =
  | Showing
  | { readonly kind: 'alter-config'; readonly name: string; readonly value: string }
  | { readonly kind: 'delete-resource'; readonly cluster: string }
  | { readonly kind: 'kill'; readonly target: KillTarget }
  | { readonly kind: 'ping' }
  | { readonly kind: 'select-version' }
  | { readonly kind: 'select-status' }
  | { readonly kind: 'replace'; readonly table: TableName; readonly text: string }
  | { readonly kind: 'delete-rows'; readonly table: TableName; readonly text: string }
  | { readonly kind: 'select-rows'; readonly table: TableName; readonly text: string }

/** What drivers say when they connect; answered for root@proxysys only. */
export type Preamble =
  | { readonly kind: 'fine' }
  | { readonly kind: 'variables' }
  | { readonly kind: 'value'; readonly column: string; readonly value: string }

type Form<T> = readonly [pattern: RegExp, build: (groups: Groups) => T]
type Groups = Readonly<Record<string, string | undefined>>

/** `like` is empty where there is none: an empty pattern matches everything. */
const LIKE = String.raw`(?:\s+like\s+(?<like>'[^']*'|"[^"]*"))?`
const QUOTED = String.raw`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`
const ID = String.raw`(?:\s+(?<id>\d+))?`
const CLUSTER = String.raw`(?<name>'[^']*'|"[^"]*"|[\w.-]+)`
const TABLE = '(?<table>proxy_config|white_list|resource_unit|ssl_config)'

const FORMS: readonly Form<Statement>[] = [
  form(`show proxyconfig${LIKE}`, ({ like }) => ({
    kind: 'show-config',
    of: 'all',
    like: unquoted(like),
  })),
  form(`show proxyconfig diff${LIKE}`, ({ like }) => ({
    kind: 'show-config',
    of: 'diff',
    like: unquoted(like),
  })),
  form(`show proxyconfig diff user${LIKE}`, ({ like }) => ({
    kind: 'show-config',
    of: 'diff-user',
    like: unquoted(like),
  })),
  form(`show proxyconfig all${LIKE}`, ({ like }) => ({
    kind: 'show-config-levels',
    like: unquoted(like),
  })),
  form(
    String.raw`alter proxyconfig set (?<name>\w+)\s*=\s*(?<value>${QUOTED}|[^\s'",;]*)`,
    ({ name = '', value }) => ({ kind: 'alter-config', name, value: lexed(value) }),
  ),
  form('show proxyinfo (?<of>binary|upgrade|idc)', ({ of }) => ({
    kind: 'show-info',
    of: oneOf(['binary', 'upgrade', 'idc'] as const, of),
  })),
  form(`show proxycluster(?<idc> idc)?${LIKE}`, ({ idc, like }) => ({
    kind: 'show-clusters',
    of: idc === undefined ? 'servers' : 'idcs',
    like: unquoted(like),
  })),
  form(`show proxyresource${LIKE}`, ({ like }) => ({
    kind: 'show-resources',
    like: unquoted(like),
  })),
  form(`alter proxyresource delete ${CLUSTER}`, ({ name }) => ({
    kind: 'delete-resource',
    cluster: unquoted(name),
  })),
  form(`show proxysession${LIKE}`, () => ({ kind: 'show-sessions' })),
  form(`show proxysession attribute${ID}${LIKE}`, ({ id, like }) => ({
    kind: 'show-attributes',
    id: id === undefined ? undefined : Number(id),
    like: unquoted(like),
  })),
  form('show processlist', () => ({ kind: 'show-processes' })),
  form(`show proxystat(?: refresh)?${LIKE}`, ({ like }) => ({
    kind: 'show-statistics',
    like: unquoted(like),
  })),
  form(
    `show (?<view>proxysession variables|proxysession stat|proxysession read_stale|proxysm|proxynet thread|proxynet connection|proxycongestion|proxyroute partition|proxyroute|proxymemory objpool|proxymemory|proxyvip|globalsession|sqlaudit|warnlog|proxytrace)(?: .*)?`,
    ({ view = '' }) => ({ kind: 'show-empty', view: view.toLowerCase().replace(/\s+/g, ' ') }),
  ),
  form(String.raw`kill(?: (?<what>connection|query))? (?<id>\d+)`, ({ what, id }) => ({
    kind: 'kill',
    target: {
      id: Number(id),
      what: what?.toLowerCase() === 'query' ? 'query' : 'connection',
    },
  })),
  form(String.raw`kill proxysession (?<id>\d+)(?<server> \d+)?`, ({ id, server }) => ({
    kind: 'kill',
    target: { id: Number(id), what: server === undefined ? 'connection' : 'server-session' },
  })),
  form('ping proxy', () => ({ kind: 'ping' })),
  form(String.raw`select proxy_version\s*\(\s*\)`, () => ({ kind: 'select-version' })),
  form(String.raw`select proxy_status\s*\(\s*\)`, () => ({ kind: 'select-status' })),
  form(String.raw`(?<text>replace into ${TABLE}\b.*)`, ({ text = '', table }) => ({
    kind: 'replace',
    table: tableOf(table),
    text,
  })),
  form(String.raw`(?<text>delete from ${TABLE}\b.*)`, ({ text = '', table }) => ({
    kind: 'delete-rows',
    table: tableOf(table),
    text,
  })),
  form(String.raw`(?<text>select .+ from ${TABLE}\b.*)`, ({ text = '', table }) => ({
    kind: 'select-rows',
    table: tableOf(table),
    text,
  })),
]

const PREAMBLE: readonly Form<Preamble>[] = [
  form('(?:set|begin|start transaction|commit|rollback)(?: .*)?', () => ({ kind: 'fine' })),
  form('show .*', () => ({ kind: 'variables' })),
  form(
    String.raw`select @@(?:session\.)?(?<name>auto_increment_increment|tx_read_only|tx_isolation)`,
    ({ name = '' }) => ({
      kind: 'value',
      column: `@@session.${name.toLowerCase()}`,
      value: SESSION_VALUES[name.toLowerCase()] ?? '',
    }),
  ),
]

const SESSION_VALUES: Readonly<Record<string, string>> = {
  auto_increment_increment: '1',
  tx_read_only: '0',
  tx_isolation: 'READ-COMMITTED',
}

export function statementOf(text: string): Statement | undefined {
  return firstOf(FORMS, text)
}

export function preambleOf(text: string): Preamble | undefined {
  return firstOf(PREAMBLE, text)
}

/** `%` and `_` of LIKE; case counts, nothing escapes. */
export function isLike(text: string, pattern: string): boolean {
  if (pattern === '') return true
  const form = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('%', '.*')
    .replaceAll('_', '.')
  return new RegExp(`^${form}$`, 's').test(text)
}

export function unquoted(text: string | undefined): string {
  if (text === undefined) return ''
  return /^(['"]).*\1$/s.test(text) ? text.slice(1, -1) : text
}

/**
 * A quoted value as the original's lexer takes it: escapes are passed over but not counted, so that a
 * value with a backslash is cut by as many characters; a doubled quote is no value at all.
 */
function lexed(text: string | undefined): string {
  const inner = unquoted(text)
  if (inner === text) return inner
  const uncounted = inner.match(/\\./gs)?.length ?? 0
  return inner.slice(0, inner.length - 2 * uncounted)
}

/** Blanks of the pattern stand for any white space. */
function form<T>(pattern: string, build: (groups: Groups) => T): Form<T> {
  return [new RegExp(`^${pattern.replaceAll(' ', String.raw`\s+`)}$`, 'is'), build]
}

function firstOf<T>(forms: readonly Form<T>[], text: string): T | undefined {
  const plain = text.replace(/[\s;]+$/, '').trimStart()
  for (const [pattern, build] of forms) {
    const found = pattern.exec(plain)
    if (found !== null) return build(found.groups ?? {})
  }
  return undefined
}

function oneOf<const T extends string>(names: readonly T[], text: string | undefined): T {
  const found = names.find(name => name === text?.toLowerCase())
  if (found === undefined) throw new RangeError('the form has let through another word')
  return found
}

function tableOf(text: string | undefined): TableName {
  return oneOf(['proxy_config', 'white_list', 'resource_unit', 'ssl_config'] as const, text)
}
