/**
 * What drivers and tools send at connect before they ask anything of an administrator: all of it is
 * answered, so that every MySQL client can log in to tenant proxysys. Source: proxy-admin.md §2.2.
 */
import { Fault } from '#contract/fault'
import { PROXY_VERSION } from '#contract/version'
import { bigint, type Cell, varchar } from '../wire/resultset.ts'
import {
  type AdminResult,
  type AdminSession,
  isLike,
  OK,
  type Rule,
  splitList,
  textRows,
} from './answer.ts'

const FIXED_VARIABLES: Readonly<Record<string, Cell>> = {
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
  net_read_timeout: 60,
  net_write_timeout: 60,
  performance_schema: 0,
  query_cache_size: 1_048_576,
  query_cache_type: 'OFF',
  sql_mode: 'STRICT_ALL_TABLES',
  transaction_isolation: 'READ-COMMITTED',
  transaction_read_only: 0,
  tx_isolation: 'READ-COMMITTED',
  tx_read_only: 0,
  version: PROXY_VERSION,
  version_comment: 'obfleet obproxy',
  wait_timeout: 28_800,
}

export const PREAMBLE: readonly Rule[] = [
  { grammar: /^set\b(?!\s+proxyconfig\b)/is, answer: () => OK },
  { grammar: /^(begin|start\s+transaction|commit|rollback)\b/is, answer: () => OK },
  { grammar: /^show\s+(?:warnings|errors)\b/is, answer: () => textRows(WARNING_COLUMNS, []) },
  {
    grammar: /^show\s+(?:(?:session|global|local)\s+)?variables\b(.*)$/is,
    answer: ([, filter]) => showVariables(filter ?? ''),
  },
  {
    grammar: /^(?:show\s+(?:full\s+)?(?:tables|databases|schemas|columns)\b|use\s)/is,
    answer: () => {
      throw new Fault('admin.no-tables')
    },
  },
  {
    grammar: /^select\s+(.+)$/is,
    answer: ([, list], _ports, session) => selectList(list ?? '', session),
  },
]

/** Connector/J's list has 1,100 characters; a hostile one must not take the patterns' quadratic time. */
const MAX_SELECT_CHARS = 4096

const WARNING_COLUMNS = ['Level', 'Code', 'Message']

function variables(): Readonly<Record<string, Cell>> {
  const zone = hostTimeZone()
  return { ...FIXED_VARIABLES, system_time_zone: zone, time_zone: zone }
}

/** `+08:00`, as MySQL writes an offset. */
function hostTimeZone(): string {
  const minutes = -new Date().getTimezoneOffset()
  const two = (part: number) => String(Math.floor(part)).padStart(2, '0')
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(size / 60)}:${two(size % 60)}`
}

/** LIKE filters; of a WHERE clause the quoted names count, as old drivers list them with OR or IN. */
function showVariables(filter: string): AdminResult {
  const quoted = [...filter.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, one, two]) =>
    (one ?? two ?? '').toLowerCase(),
  )
  const byPattern = /^\s*like\b/i.test(filter)
  const found = Object.entries(variables())
    .filter(([name]) => !byPattern || isLike(quoted[0], name))
    .filter(([name]) => byPattern || quoted.length === 0 || quoted.includes(name))
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return textRows(['Variable_name', 'Value'], found)
}

/** Constants, functions and variables, each perhaps with an alias; anything else is not ours. */
function selectList(list: string, session: AdminSession): AdminResult | undefined {
  if (list.length > MAX_SELECT_CHARS) return undefined
  const names: string[] = []
  const cells: Cell[] = []
  for (const item of splitList(list.replace(/\s+limit\s+\d+$/i, ''))) {
    const [, expression = item, alias] = /^(.+?)\s+(?:as\s+)?([`'"]?\w+[`'"]?)$/is.exec(item) ?? []
    const value = constant(expression.trim(), session)
    if (value === undefined) return undefined
    names.push(alias?.replace(/[`'"]/g, '') ?? item)
    cells.push(value)
  }
  // Drivers compare `SELECT 1` with the number, not with its text.
  const columns = names.map((name, index) =>
    typeof cells[index] === 'number' ? bigint(name) : varchar(name),
  )
  return { kind: 'rows', columns, rows: [cells] }
}

function constant(text: string, { user, connectionId }: AdminSession): Cell | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const quoted = /^'([^'\\]*)'$/.exec(text)?.[1]
  if (quoted !== undefined) return quoted
  const variable = /^@@(?:(?:session|global|local)\.)?(\w+)$/i.exec(text)?.[1]?.toLowerCase()
  if (variable !== undefined) return ownValue(variables(), variable)
  const call = /^(\w+)\s*\(\s*\)$/.exec(text)?.[1]?.toLowerCase() ?? text.toLowerCase()
  return ownValue<Cell>(
    {
      version: PROXY_VERSION,
      connection_id: connectionId,
      user: `${user}@proxysys`,
      current_user: `${user}@proxysys`,
      database: null,
      schema: null,
    },
    call,
  )
}

/** Why not an index alone: `constructor` is no variable. */
function ownValue<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
