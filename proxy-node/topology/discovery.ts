/**
 * Rows of the system tables → zones, servers and tenants, without judging them.
 * Source: proxy-routing.md §3.4, §9.2.
 */
import type { ServerAddress, Zone, ZoneType } from './model.ts'
import { zoneState } from './server-states.ts'
import type { Shape } from './statements.ts'
import { type Answer, addressOf, type Row } from './table-entry.ts'

/** A row of the server list. */
export type ListedServer = {
  readonly address: ServerAddress
  readonly zone: string
  readonly status: string
  readonly isStarted: boolean
  readonly isStopped: boolean
}

export type ListedTenant = {
  readonly name: string
  readonly id: string
  readonly locality: string
  readonly primaryZone: string
}

/** What the version says of the statements to use: `OceanBase 4.3.5` and `4.3.5.3` are 4. */
export function majorVersionOf(answer: Answer): number | undefined {
  const found = /(\d+)\./.exec(answer[0]?.['cluster_version'] ?? '')
  return found === null ? undefined : Number(found[1])
}

export function shapeOf(majorVersion: number): Shape {
  return majorVersion >= 4 ? 'v4' : 'v3'
}

/** Zones by name; `merging` are those with a compaction under way. */
export function zonesOf(answer: Answer, merging: ReadonlySet<string>): ReadonlyMap<string, Zone> {
  const zones = new Map<string, Zone>()
  for (const row of answer) {
    const name = row['zone'] ?? ''
    if (name === '') continue
    const isMerging = merging.has(name) || Number(row['is_merging'] ?? 0) > 0
    zones.set(name, {
      name,
      region: row['region'] ?? '',
      idc: row['spare4'] ?? '',
      type: zoneTypeOf(row['spare5'] ?? ''),
      state: zoneState(row['status'] ?? '', isMerging),
    })
  }
  return zones
}

function zoneTypeOf(text: string): ZoneType {
  const plain = text.replace(/\s/g, '').toLowerCase()
  if (plain === 'readonly') return 'ReadOnly'
  return plain === 'encryption' ? 'Encryption' : 'ReadWrite'
}

export function serversOf(answer: Answer): readonly ListedServer[] {
  return answer.flatMap(row => {
    const address = addressOf(row['svr_ip'], row['svr_port'])
    if (address === undefined) return []
    return [
      {
        address,
        zone: row['zone'] ?? '',
        status: (row['status'] ?? '').toUpperCase(),
        isStarted: isSet(row['started']),
        isStopped: isSet(row['stopped']),
      },
    ]
  })
}

function isSet(cell: string | null | undefined): boolean {
  return cell !== undefined && cell !== null && cell !== '' && cell !== '0'
}

/** In 4.x only those in normal status. */
export function tenantsOf(answer: Answer): readonly ListedTenant[] {
  return answer.filter(isNormal).flatMap(row => {
    const name = row['tenant_name'] ?? ''
    if (name === '') return []
    return [
      {
        name,
        id: row['tenant_id'] ?? '0',
        locality: row['locality'] ?? '',
        primaryZone: row['primary_zone'] ?? '',
      },
    ]
  })
}

function isNormal(row: Row): boolean {
  const status = row['status']
  return status === undefined || status === null || status.toUpperCase() === 'NORMAL'
}

/** Tenant id → the only server with leaders; those with several are not in it. */
export function singleLeadersOf(answer: Answer): ReadonlyMap<string, ServerAddress> {
  const found = new Map<string, ServerAddress | undefined>()
  for (const row of answer) {
    const id = row['tenant_id'] ?? ''
    const address = addressOf(row['svr_ip'], row['sql_port'])
    found.set(id, found.has(id) ? undefined : address)
  }
  const single = new Map<string, ServerAddress>()
  for (const [id, address] of found) if (address !== undefined) single.set(id, address)
  return single
}

/** The same by units, 3.x: leaders are in the only zone of highest priority, where there is one unit. */
export function singleLeadersByUnits(
  units: Answer,
  tenants: readonly ListedTenant[],
): ReadonlyMap<string, ServerAddress> {
  const single = new Map<string, ServerAddress>()
  for (const { id, primaryZone } of tenants) {
    const own = units.filter(row => row['tenant_id'] === id)
    const [zones = []] = primaryZonesOf(primaryZone)
    const isOnePool = new Set(own.map(row => row['resource_pool_id'])).size === 1
    if (!isOnePool || own[0]?.['unit_count'] !== '1' || zones.length !== 1) continue
    const unit = own.find(row => row['zone'] === zones[0])
    const address = addressOf(unit?.['svr_ip'], unit?.['sql_port'])
    if (address !== undefined) single.set(id, address)
  }
  return single
}

/** `z1,z2;z3`: groups by falling priority; RANDOM and nothing: none. */
export function primaryZonesOf(text: string): readonly (readonly string[])[] {
  if (text.trim().toUpperCase() === 'RANDOM') return []
  return text
    .split(';')
    .map(group =>
      group
        .split(',')
        .map(zone => zone.trim())
        .filter(zone => zone !== ''),
    )
    .filter(group => group.length > 0)
}
