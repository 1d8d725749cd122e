/**
 * The cluster that the fronts pretend to be: servers, zones, tenants and locations are invented by
 * stable rules, table ids are the kernel's (kernel.md §4, L4).
 */
import type { Table } from './codec.ts'

export type FrontServer = { readonly host: string; readonly port: number; readonly zone: string }

export type Picture = {
  readonly cluster: string
  readonly version: string
  readonly tenants: readonly string[]
  readonly servers: readonly FrontServer[]
}

/** One row of the kernel's own table entry. */
export type TableEntry = {
  readonly tableId: number
  readonly tableType: number
  readonly partNum: number
  readonly schemaVersion: number
}

export type MetadataQuestion =
  | { readonly kind: 'version' }
  | { readonly kind: 'servers' }
  | { readonly kind: 'tenants' }
  | { readonly kind: 'dummy'; readonly tenant: string }
  | {
      readonly kind: 'table'
      readonly tenant: string
      readonly database: string
      readonly table: string
    }

/** What a statement asks of the pretended cluster; undefined for everything that is the kernel's. */
export function metadataQuestion(sql: string): MetadataQuestion | undefined {
  if (/\bob_version\(\)/i.test(sql)) return { kind: 'version' }
  if (/\bfrom\s+(oceanbase\.)?DBA_OB_SERVERS\b/i.test(sql)) return { kind: 'servers' }
  if (/\bfrom\s+(oceanbase\.)?DBA_OB_TENANTS\b/i.test(sql)) return { kind: 'tenants' }
  if (!/\bfrom\s+(oceanbase\.)?__all_virtual_proxy_schema\b/i.test(sql)) return undefined
  const tenant = equalTo(sql, 'tenant_name')
  const database = equalTo(sql, 'database_name')
  const table = equalTo(sql, 'table_name')
  if (tenant === undefined || database === undefined || table === undefined) return undefined
  return table === '__all_dummy'
    ? { kind: 'dummy', tenant }
    : { kind: 'table', tenant, database, table }
}

function equalTo(sql: string, column: string): string | undefined {
  const found = new RegExp(`\\b${column}\\s*=\\s*'((?:[^'\\\\]|''|\\\\.)*)'`, 'i').exec(sql)
  return found?.[1]?.replaceAll("''", "'").replace(/\\(.)/g, '$1')
}

export function versionTable(picture: Picture): Table {
  return { columns: ['cluster_version'], rows: [[picture.version]] }
}

export function serversTable(picture: Picture): Table {
  return {
    columns: ['svr_ip', 'svr_port', 'zone', 'status', 'started', 'stopped'],
    rows: picture.servers.map(({ host, port, zone }) => [host, port, zone, 'ACTIVE', 1, 0]),
  }
}

export function tenantsTable(picture: Picture): Table {
  return {
    columns: ['tenant_name', 'tenant_id', 'locality', 'primary_zone', 'status'],
    rows: picture.tenants.map((tenant, index) => [
      tenant,
      tenant === 'sys' ? 1 : 1000 + index,
      picture.servers.map(({ zone }) => `FULL{1}@${zone}`).join(', '),
      'RANDOM',
      'NORMAL',
    ]),
  }
}

const LOCATION_COLUMNS = [
  'table_id',
  'svr_ip',
  'sql_port',
  'role',
  'part_num',
  'replica_num',
  'schema_version',
  'table_type',
]

export function dummyTable(picture: Picture, tenant: string): Table {
  if (!picture.tenants.includes(tenant)) return { columns: LOCATION_COLUMNS, rows: [] }
  return {
    columns: LOCATION_COLUMNS,
    rows: picture.servers.map(({ host, port }, index) => [
      0,
      host,
      port,
      index === 0 ? 1 : 2,
      1,
      picture.servers.length,
      0,
      2,
    ]),
  }
}

/** Leaders by table id: the same table has the same leader as long as the servers are the same. */
export function leaderIndex(picture: Picture, tableId: number): number {
  return tableId % picture.servers.length
}

export function locationTable(picture: Picture, entry: TableEntry | undefined): Table {
  if (entry === undefined) return { columns: LOCATION_COLUMNS, rows: [] }
  const leader = leaderIndex(picture, entry.tableId)
  return {
    columns: LOCATION_COLUMNS,
    rows: picture.servers.map(({ host, port }, index) => [
      entry.tableId,
      host,
      port,
      index === leader ? 1 : 2,
      entry.partNum,
      picture.servers.length,
      entry.schemaVersion,
      entry.tableType,
    ]),
  }
}
