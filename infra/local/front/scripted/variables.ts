/** System and user variables of one scripted session, and what changed since the last OK. */
import { type Cell, variableChanges } from '../codec.ts'
import type { LowerCaseTableNames } from './database.ts'
import { SqlError } from './sql-error.ts'

export const VERSION = '5.7.25'

/** What drivers, tools and the proxy ask for; texts as an OBServer shows them. */
const DEFAULTS: Readonly<Record<string, string | number>> = {
  _ob_proxy_session_temporary_table_used: 'OFF',
  auto_increment_increment: 1,
  auto_increment_offset: 1,
  autocommit: 1,
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_database: 'utf8mb4',
  character_set_results: 'utf8mb4',
  character_set_server: 'utf8mb4',
  collation_connection: 'utf8mb4_general_ci',
  collation_database: 'utf8mb4_general_ci',
  collation_server: 'utf8mb4_general_ci',
  foreign_key_checks: 1,
  identity: 0,
  init_connect: '',
  interactive_timeout: 28800,
  last_insert_id: 0,
  license: '',
  max_allowed_packet: 16777216,
  net_buffer_length: 16384,
  net_read_timeout: 30,
  net_write_timeout: 60,
  ob_proxy_global_variables_version: 1,
  ob_proxy_set_trx_executed: 'OFF',
  ob_proxy_user_privilege: 0,
  ob_max_read_stale_time: -1,
  ob_read_consistency: 'STRONG',
  ob_route_policy: 1,
  ob_query_timeout: 10000000,
  ob_trx_timeout: 86400000000,
  performance_schema: 0,
  query_cache_size: 0,
  query_cache_type: 'OFF',
  sql_mode: 'STRICT_ALL_TABLES',
  sql_safe_updates: 0,
  sql_select_limit: Number.MAX_SAFE_INTEGER,
  system_time_zone: 'UTC',
  time_zone: '+00:00',
  transaction_isolation: 'READ-COMMITTED',
  tx_isolation: 'READ-COMMITTED',
  transaction_read_only: 0,
  tx_read_only: 0,
  unique_checks: 1,
  version: VERSION,
  version_comment: 'OceanBase 4.3.5.3 (scripted engine of obfleet)',
  wait_timeout: 28800,
}

const READ_ONLY = [
  '_ob_proxy_session_temporary_table_used',
  'init_connect',
  'license',
  'lower_case_table_names',
  'ob_capability_flag',
  'ob_proxy_global_variables_version',
  'ob_proxy_set_trx_executed',
  'ob_proxy_user_privilege',
  'performance_schema',
  'system_time_zone',
  'version',
  'version_comment',
]
/** Shown as words, not numbers. */
const SWITCHES = [
  'autocommit',
  'foreign_key_checks',
  'unique_checks',
  'sql_safe_updates',
  'transaction_read_only',
  'tx_read_only',
]
/** Two names of one variable. */
const TWINS: Readonly<Record<string, string>> = {
  identity: 'last_insert_id',
  last_insert_id: 'identity',
  transaction_isolation: 'tx_isolation',
  tx_isolation: 'transaction_isolation',
  transaction_read_only: 'tx_read_only',
  tx_read_only: 'transaction_read_only',
}
const EXECUTED = 'ob_proxy_set_trx_executed'
const MAX_USER_VARIABLES = 1_000

export class Variables {
  private readonly system = new Map<string, string | number>(Object.entries(DEFAULTS))
  private readonly user = new Map<string, Cell>()
  private readonly changed = new Set<string>()
  private readonly changedUser = new Set<string>()
  /** What the next OK tells of its statement alone. */
  private readonly told = new Map<string, string>()
  /** Grows with every change of a system variable. */
  revision = 0

  constructor(lowerCaseTableNames: LowerCaseTableNames) {
    this.system.set('lower_case_table_names', lowerCaseTableNames)
  }

  /** What the server agreed to with a proxy; only known once it has logged in. */
  agree(capabilities: number): void {
    this.system.set('ob_capability_flag', capabilities)
  }

  get isAutocommit(): boolean {
    return this.system.get('autocommit') === 1
  }

  get names(): readonly string[] {
    return [...this.system.keys()].sort()
  }

  /** @throws SqlError 1193 */
  value(name: string): string | number {
    const value = this.system.get(name)
    if (value === undefined) throw new SqlError(1193, 'HY000', `Unknown system variable '${name}'`)
    return value
  }

  /** As SHOW and a proxy see it: switches are words. */
  shown(name: string): string {
    const value = this.value(name)
    if (!SWITCHES.includes(name)) return String(value)
    return value === 1 ? 'ON' : 'OFF'
  }

  /** @throws SqlError 1193, 1238, 1231 */
  set(name: string, value: Cell): void {
    const before = this.value(name)
    if (READ_ONLY.includes(name))
      throw new SqlError(1238, 'HY000', `Variable '${name}' is a read only variable`)
    const set = SWITCHES.includes(name) ? switchOf(name, value) : like(before, name, value)
    this.revision += 1
    for (const each of [name, TWINS[name] ?? name]) {
      this.system.set(each, set)
      this.changed.add(each)
    }
  }

  /** @throws SqlError 1193, 1238 */
  setDefault(name: string): void {
    this.set(name, DEFAULTS[name] ?? this.value(name))
  }

  /** What a server tells its proxy, in variables that nobody can set. */
  setService(name: string, value: 'ON' | 'OFF'): void {
    if (this.system.get(name) === value) return
    this.system.set(name, value)
    this.changed.add(name)
    this.revision += 1
  }

  /** The next OK for a proxy says this, and no other. */
  tell(name: string, value: string): void {
    this.told.set(name, value)
  }

  /** What differs from the defaults and could be set: all of a session that travels as a blob. */
  delta(): Readonly<Record<string, string | number>> {
    const differing = [...this.system].filter(
      ([name, value]) => !READ_ONLY.includes(name) && DEFAULTS[name] !== value,
    )
    return Object.fromEntries(differing)
  }

  /** Takes another session's delta over: everything else is as by default. Nothing has changed. */
  restore(delta: ReadonlyMap<string, string | number>): void {
    this.revision += 1
    for (const [name, value] of Object.entries(DEFAULTS))
      if (!READ_ONLY.includes(name)) this.system.set(name, delta.get(name) ?? value)
  }

  userValue(name: string): Cell {
    return this.user.get(name) ?? null
  }

  /** @throws SqlError 1210 beyond the bound */
  setUser(name: string, value: Cell): void {
    if (!this.user.has(name) && this.user.size >= MAX_USER_VARIABLES)
      throw new SqlError(1210, 'HY000', `more than ${MAX_USER_VARIABLES} user variables`)
    this.user.set(name, value)
    this.changedUser.add(name)
  }

  /** Everything, for the OK of a proxy's login; a change of user has no user variables (A12). */
  all(isChange: boolean): Buffer {
    this.changed.clear()
    return variableChanges(
      this.names.map(name => [name, this.shown(name)] as const),
      isChange ? [] : [['_min_cluster_version', "'1.3.0.0'"]],
    )
  }

  /** What changed since the last time it was asked, for the OK that a proxy gets. */
  takeChanges(): readonly Buffer[] {
    // It is told in every OK until it has been used (A8).
    if (this.system.get(EXECUTED) === 'ON') this.changed.add(EXECUTED)
    if (this.changed.size === 0 && this.changedUser.size === 0 && this.told.size === 0) return []
    const changes = variableChanges(
      [...[...this.changed].map(name => [name, this.shown(name)] as const), ...this.told],
      [...this.changedUser].map(name => [name, literal(this.userValue(name))] as const),
    )
    this.changed.clear()
    this.changedUser.clear()
    this.told.clear()
    return [changes]
  }
}

function switchOf(name: string, value: Cell): number {
  const word = String(value).toLowerCase()
  if (['1', 'on', 'true'].includes(word)) return 1
  if (['0', 'off', 'false'].includes(word)) return 0
  throw wrongValue(name, value)
}

function like(before: string | number, name: string, value: Cell): string | number {
  if (typeof before === 'string') return value === null ? '' : String(value)
  const number = Number(value ?? Number.NaN)
  if (!Number.isFinite(number)) throw wrongValue(name, value)
  return number
}

function wrongValue(name: string, value: Cell): SqlError {
  return new SqlError(1231, '42000', `Variable '${name}' can't be set to the value of '${value}'`)
}

function literal(value: Cell): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
