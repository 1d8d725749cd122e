/**
 * Statements of tenant proxysys, as a table of (grammar, answer). Nothing here reaches a server.
 * Source: proxy-admin.md §2.1–2.4, §2.7; the driver preamble is §2.2.
 */
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import type { ConfigStore } from '../config/store.ts'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'

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
}

export type AdminPorts = {
  readonly config: ConfigStore
  readonly sessions: () => Promise<readonly SessionRow[]>
}

export type AdminResult =
  | { readonly kind: 'ok' }
  | {
      readonly kind: 'rows'
      readonly columns: readonly Column[]
      readonly rows: readonly (readonly Cell[])[]
    }

/** Undefined: not an admin statement, error 5010. */
type Answer = AdminResult | undefined | Promise<AdminResult | undefined>

type Rule = {
  readonly grammar: RegExp
  readonly answer: (found: RegExpExecArray, ports: AdminPorts) => Answer
}

const OK: AdminResult = { kind: 'ok' }

/** What drivers ask at connect, in any mix, and what they are told. */
const VARIABLES: Readonly<Record<string, Cell>> = {
  auto_increment_increment: 1,
  autocommit: 1,
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  character_set_server: 'utf8mb4',
  collation_connection: 'utf8mb4_general_ci',
  collation_server: 'utf8mb4_general_ci',
  init_connect: '',
  interactive_timeout: 28_800,
  license: 'Apache License 2.0',
  lower_case_table_names: 2,
  max_allowed_packet: 4_194_304,
  net_buffer_length: 16_384,
  net_write_timeout: 60,
  performance_schema: 0,
  query_cache_size: 1_048_576,
  query_cache_type: 'OFF',
  sql_mode: 'STRICT_ALL_TABLES',
  system_time_zone: 'UTC',
  time_zone: '+00:00',
  transaction_isolation: 'READ-COMMITTED',
  tx_isolation: 'READ-COMMITTED',
  tx_read_only: 0,
  version: PROXY_VERSION,
  version_comment: 'obfleet obproxy',
  wait_timeout: 28_800,
}

const RULES: readonly Rule[] = [
  {
    grammar:
      /^(set(\s+(?!proxyconfig)[\s\S]*)?|begin|start\s+transaction[\s\S]*|commit|rollback)$/i,
    answer: () => OK,
  },
  { grammar: /^ping\s+proxy$/i, answer: () => OK },
  {
    grammar: /^alter\s+proxyconfig\s+set\s+([a-z_0-9]+)\s*=\s*(.*)$/is,
    answer: ([, name, value], { config }) => {
      config.set((name ?? '').toLowerCase(), literal(value ?? ''))
      return OK
    },
  },
  {
    grammar: /^show\s+proxyconfig(\s+diff(?:\s+user)?)?(?:\s+like\s+(['"])(.*)\2)?$/is,
    answer: ([, diff, , pattern], { config }) => proxyConfig(config, diff, pattern),
  },
  { grammar: /^show\s+proxyinfo\s+binary$/i, answer: () => binaryInfo() },
  {
    grammar: /^show\s+processlist$/i,
    answer: async (_found, { sessions }) => processList(await sessions()),
  },
  { grammar: /^show\s+warnings$/i, answer: () => rows(['Level', 'Code', 'Message'], []) },
  {
    grammar: /^show\s+(?:session\s+|global\s+)?variables[\s\S]*$/i,
    answer: () => rows(['Variable_name', 'Value'], Object.entries(VARIABLES)),
  },
  {
    grammar: /^select\s+proxy_version\(\)$/i,
    answer: () => rows(['proxy_version()'], [[PROXY_VERSION]]),
  },
  { grammar: /^select\s+([\s\S]+)$/i, answer: ([, list]) => selectList(list ?? '') },
]

/** Answers one statement; undefined is "not an admin statement". @throws Fault of the catalogue */
export async function runAdmin(sql: string, ports: AdminPorts): Promise<AdminResult | undefined> {
  const statement = sql
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .trim()
    .replace(/[;\s]+$/, '')
  for (const { grammar, answer } of RULES) {
    const found = grammar.exec(statement)
    if (found !== null) return answer(found, ports)
  }
  return undefined
}

/** What account inspector may do: probes of load balancers. */
export function isProbe(sql: string): boolean {
  return /^\s*ping\s+proxy[\s;]*$/i.test(sql)
}

function rows(names: readonly string[], cells: readonly (readonly Cell[])[]): AdminResult {
  return { kind: 'rows', columns: names.map(varchar), rows: cells }
}

function literal(text: string): string {
  const found = /^(['"])(.*)\1$/s.exec(text.trim())
  return found === null ? text.trim() : (found[2] ?? '')
}

function proxyConfig(
  config: ConfigStore,
  diff: string | undefined,
  pattern: string | undefined,
): AdminResult {
  const matches = pattern === undefined || pattern === '' ? undefined : likePattern(pattern)
  const wanted = config
    .rows()
    .filter(row => matches === undefined || matches.test(row.name))
    .filter(row => diff === undefined || row.shown !== row.default)
    .filter(row => diff === undefined || !/user/i.test(diff) || row.visibility === 'USER')
  return rows(
    ['name', 'value', 'info', 'need_reboot', 'visible_level', 'range', 'config_level'],
    wanted.map(row => [
      row.name,
      row.shown,
      row.meaning,
      String(row.needsRestart),
      row.visibility,
      row.range,
      row.level,
    ]),
  )
}

/** `%` any, `_` one character, case-sensitive, no escape character. */
function likePattern(pattern: string): RegExp {
  const escaped = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('%', '.*').replaceAll('_', '.')}$`, 's')
}

function binaryInfo(): AdminResult {
  const lines = [
    `obproxy-OceanBase ${PROXY_VERSION}-${BUILD_NUMBER}-${process.platform}`,
    `version:${PROXY_VERSION}-${BUILD_NUMBER}`,
    `BUILD_FLAGS:${process.arch}`,
  ]
  return rows(
    ['name', 'info'],
    lines.map(line => ['binary info', line]),
  )
}

function processList(sessions: readonly SessionRow[]): AdminResult {
  const columns = [
    bigint('Id'),
    ...['Tenant', 'User', 'Host', 'db'].map(varchar),
    bigint('trans_count'),
    bigint('svr_session_count'),
    varchar('state'),
    bigint('tid'),
    bigint('pid'),
  ]
  const cells = sessions.map(row => [
    row.id,
    row.tenant,
    row.user,
    row.host,
    row.database === '' ? 'NULL' : row.database,
    row.statements,
    row.serverSessions,
    row.state,
    row.worker,
    row.pid,
  ])
  return { kind: 'rows', columns, rows: cells }
}

/** A list of constants and variables, each perhaps with an alias; anything else is not ours. */
function selectList(list: string): AdminResult | undefined {
  const names: string[] = []
  const cells: Cell[] = []
  for (const item of list.replace(/\s+limit\s+\d+$/i, '').split(',')) {
    const found = /^(.+?)(?:\s+(?:as\s+)?[`'"]?(\w+)[`'"]?)?$/is.exec(item.trim())
    const value = constant(found?.[1] ?? '')
    if (value === undefined) return undefined
    names.push(found?.[2] ?? item.trim())
    cells.push(value)
  }
  const columns = names.map((name, index) =>
    typeof cells[index] === 'number' ? bigint(name) : varchar(name),
  )
  return { kind: 'rows', columns, rows: [cells] }
}

function constant(text: string): Cell | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  if (/^version\(\)$/i.test(text)) return PROXY_VERSION
  const name = /^@@(?:session\.|global\.)?(\w+)$/i.exec(text)?.[1]?.toLowerCase()
  return name === undefined ? undefined : VARIABLES[name]
}
