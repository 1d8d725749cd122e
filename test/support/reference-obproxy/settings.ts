/**
 * The parameters of a running proxy: what is configured, what it runs with, and values below the
 * global level (proxy-admin.md §3.1, §3.3, §3.5). A change is checked, applied, stored, and taken back
 * when it cannot be stored.
 */
import { accepted, booleanOf, numberOf, PARAMETERS, type Parameter } from './parameter.ts'
import { HASHED, hashed } from './passwords.ts'
import { Refusal } from './refusal.ts'
import type { LevelRow, Store } from './store.ts'

const GLOBAL = { vid: -1, vip: '', vport: 0, tenant_name: '', cluster_name: '' } as const
const MAX_OLD_PROXY_ID = 255
const MAX_IDC_CHARS = 128

export type Assignment = readonly [name: string, value: string]

export class Settings {
  private readonly store: Store
  private readonly configured = new Map<string, string>()
  private readonly started = new Map<string, string>()
  private levels: LevelRow[] = []
  private readonly watchers: ((name: string) => void)[] = []

  constructor(store: Store) {
    this.store = store
    for (const { name, defaultValue } of PARAMETERS.values())
      this.configured.set(name, defaultValue)
  }

  /** What the process works with; a parameter that needs a restart keeps the value of the start. */
  get(name: string): string {
    return this.started.get(name) ?? this.configured.get(name) ?? ''
  }

  is(name: string): boolean {
    return booleanOf(this.get(name)) === true
  }

  /** Integers, bytes, or microseconds. */
  number(name: string): number {
    const type = PARAMETERS.get(name)?.type
    const isNumeric = type === 'int' || type === 'time' || type === 'size'
    return isNumeric ? (numberOf(type, this.get(name)) ?? 0) : 0
  }

  milliseconds(name: string): number {
    return this.number(name) / 1000
  }

  /** As SHOW PROXYCONFIG shows it. */
  shown(name: string): string {
    return this.configured.get(name) ?? ''
  }

  all(): ReadonlyMap<string, string> {
    return this.configured
  }

  below(): readonly LevelRow[] {
    return this.levels
  }

  /** The value for a cluster and tenant: tenant before cluster before global. */
  at(name: string, place: { readonly cluster: string; readonly tenant: string }): string {
    const of = (level: string, tenant: string) =>
      this.levels.find(
        row =>
          row.config_level === level &&
          row.name === name &&
          row.cluster_name === place.cluster &&
          row.tenant_name === tenant,
      )?.value
    return of('LEVEL_TENANT', place.tenant) ?? of('LEVEL_CLUSTER', '') ?? this.get(name)
  }

  changed(watcher: (name: string) => void): void {
    this.watchers.push(watcher)
  }

  /** What was stored; what is not known any more, or not valid, is the default again. */
  load(): void {
    for (const row of this.store.rows()) {
      const parameter = PARAMETERS.get(row.name)
      if (parameter === undefined || parameter.visibleLevel === 'MEMORY') continue
      if (row.config_level !== 'LEVEL_GLOBAL') this.levels.push(row)
      else this.configured.set(row.name, accepted(parameter, row.value) ?? parameter.defaultValue)
    }
  }

  /** The command line's, as given. Names that are not known come back. @throws Refusal */
  start(assignments: readonly Assignment[]): string[] {
    const unknown: string[] = []
    const before = this.configured.get('app_name')
    for (const [name, value] of assignments) {
      const parameter = PARAMETERS.get(name)
      if (parameter === undefined) unknown.push(name)
      else this.configured.set(name, checkedValue(parameter, value))
    }
    if (this.configured.get('app_name') !== before)
      this.configured.set('current_local_config_version', '0')
    this.requireConsistent()
    for (const { name, needsRestart } of PARAMETERS.values())
      if (needsRestart) this.started.set(name, this.shown(name))
    return unknown
  }

  storeAll(): void {
    const rows = [...PARAMETERS.values()]
      .filter(({ visibleLevel }) => visibleLevel !== 'MEMORY')
      .map(({ name }) => globalRow(name, this.shown(name)))
    this.store.put(rows)
    this.store.dump(this.configured)
  }

  /** ALTER PROXYCONFIG SET. @throws Refusal; then everything is as it was */
  alter(name: string, text: string): void {
    const parameter = PARAMETERS.get(name)
    if (parameter === undefined) throw new Refusal('unknown-parameter')
    if (name === 'app_name') throw new Refusal('not-supported')
    const value = checkedValue(parameter, isHashed(name) && text !== '' ? hashed(text) : text)
    const before = this.shown(name)
    this.configured.set(name, value)
    try {
      this.requireSmallId(name)
      this.requireConsistent()
      if (parameter.visibleLevel !== 'MEMORY') this.store.put([globalRow(name, value)])
    } catch (error) {
      this.configured.set(name, before)
      throw error
    }
    this.tell(name)
  }

  /** A parameter that acts once goes back to rest; nothing is stored. */
  reset(name: string): void {
    this.configured.set(name, PARAMETERS.get(name)?.defaultValue ?? '')
  }

  /** REPLACE INTO proxy_config: all rows or none. Passwords are given in clear text. @throws Refusal */
  replace(rows: readonly LevelRow[]): void {
    const checked = rows.map(row => ({ ...row, value: valueOfRow(row) }))
    this.store.put(checked)
    for (const row of checked) {
      if (row.config_level === 'LEVEL_GLOBAL') this.configured.set(row.name, row.value)
      else this.levels = [...this.levels.filter(other => !isSameKey(other, row)), row]
      this.tell(row.name)
    }
  }

  /** DELETE FROM proxy_config, whose condition is SQL. @throws Refusal, Error of the store */
  deleteRows(text: string): number {
    const before = this.store.rows().filter(isGlobal).length
    this.store.run('BEGIN')
    try {
      const count = this.store.run(text)
      if (this.store.rows().filter(isGlobal).length < before) throw new Refusal('not-supported')
      this.store.run('COMMIT')
      this.levels = this.store.rows().filter(row => !isGlobal(row))
      return count
    } catch (error) {
      this.store.run('ROLLBACK')
      throw error
    }
  }

  private tell(name: string): void {
    for (const watcher of this.watchers) watcher(name)
  }

  private requireSmallId(name: string): void {
    if (name !== 'proxy_id' && name !== 'client_session_id_version') return
    const isOld = this.shown('client_session_id_version') === '1'
    if (isOld && Number(this.shown('proxy_id')) > MAX_OLD_PROXY_ID) throw new Refusal('proxy-id')
  }

  private requireConsistent(): void {
    if (CHECKS.some(isFine => !isFine(name => this.shown(name))))
      throw new Refusal('invalid-config')
  }
}

type Shown = (name: string) => string

const CHECKS: readonly ((shown: Shown) => boolean)[] = [
  shown => ['client', 'server'].includes(shown('proxy_service_mode')),
  shown => shown('proxy_service_mode') !== 'server' || Number(shown('proxy_id')) > 0,
  shown => ['oceanbase', 'random', 'mock', 'mysql'].includes(shown('server_routing_mode')),
  shown => shown('app_name') !== '',
  shown => /^(?:[^;\s]+:\d{1,5}(?:;|$))*$/.test(shown('rootservice_list')),
  shown =>
    shown('username_separator')
      .split(';')
      .every(one => one.length === 1),
  shown => shown('proxy_idc_name').length <= MAX_IDC_CHARS,
  shown => /^[\d.]+$/.test(shown('mysql_version')),
]

function checkedValue(parameter: Parameter, text: string): string {
  const value = accepted(parameter, text)
  if (value === undefined) throw new Refusal('invalid-config')
  return value
}

function valueOfRow(row: LevelRow): string {
  const parameter = PARAMETERS.get(row.name)
  if (parameter === undefined) throw new Refusal('unknown-parameter')
  if (!hasKeyOfLevel(row)) throw new Refusal('invalid-argument')
  if (!isGlobal(row) && !parameter.isMultiLevel) throw new Refusal('not-supported')
  const text = isHashed(row.name) && row.value !== '' ? hashed(row.value) : row.value
  return checkedValue(parameter, text)
}

function hasKeyOfLevel(row: LevelRow): boolean {
  const hasCluster = row.cluster_name !== ''
  const hasTenant = row.tenant_name !== ''
  const hasAddress = row.vip !== ''
  switch (row.config_level) {
    case 'LEVEL_GLOBAL':
      return !hasCluster && !hasTenant && !hasAddress
    case 'LEVEL_CLUSTER':
      return hasCluster && !hasTenant && !hasAddress
    case 'LEVEL_TENANT':
      return hasCluster && hasTenant && !hasAddress
    case 'LEVEL_VIP':
      return hasAddress && row.vid >= 0 && row.vport > 0
    default:
      return false
  }
}

function isGlobal(row: LevelRow): boolean {
  return row.config_level === 'LEVEL_GLOBAL'
}

function isSameKey(one: LevelRow, other: LevelRow): boolean {
  return KEY.every(column => one[column] === other[column])
}

const KEY = ['vid', 'vip', 'vport', 'tenant_name', 'cluster_name', 'name'] as const

function isHashed(name: string): boolean {
  return HASHED.some(known => known === name)
}

function globalRow(name: string, value: string): LevelRow {
  return { ...GLOBAL, name, value, config_level: 'LEVEL_GLOBAL' }
}
