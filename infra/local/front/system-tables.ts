/**
 * The system tables of a cluster as its servers show them to a proxy, made from the picture: zones,
 * servers, tenants, log streams, compactions, parameters. Source: proxy-routing.md §3.4, §9.2.
 */
import type { Cell, Table } from './codec.ts'
import { type Flavour, type Picture, type Server, SYS_TENANT_ID, type Tenant } from './picture.ts'

/** Between a server's port for SQL and the one for other servers. */
const RPC_OFFSET = 1
const STARTED_AT = '2026-01-02 03:04:05.000000'
const STOPPED_AT = '2026-01-03 03:04:05.000000'
const STARTED_US = 1_767_323_045_000_000
const FIRST_LOG_STREAM = 1001
const CLUSTER_ID = 1

type Made = (picture: Picture) => Table

/** By small name. */
const V4: Readonly<Record<string, Made>> = {
  dba_ob_zones: ({ zones }) =>
    table(
      ['zone', 'create_time', 'modify_time', 'status', 'idc', 'region', 'type'],
      [...zones.values()].map(({ name, status, idc, region, type }) => [
        name,
        STARTED_AT,
        STARTED_AT,
        status,
        idc,
        region,
        type,
      ]),
    ),
  dba_ob_servers: picture =>
    table(
      [
        'svr_ip',
        'svr_port',
        'id',
        'zone',
        'sql_port',
        'with_rootserver',
        'status',
        'start_service_time',
        'stop_time',
        'block_migrate_in_time',
        'build_version',
      ],
      listed(picture).map((server, at) => [
        server.host,
        server.port + RPC_OFFSET,
        at + 1,
        server.zone,
        server.port,
        at === 0 ? 'YES' : 'NO',
        server.status,
        server.isStarted ? STARTED_AT : null,
        server.isStopped ? STOPPED_AT : null,
        null,
        picture.version,
      ]),
    ),
  dba_ob_tenants: ({ tenants }) =>
    table(
      [
        'tenant_id',
        'tenant_name',
        'tenant_type',
        'primary_zone',
        'locality',
        'previous_locality',
        'compatibility_mode',
        'status',
        'in_recyclebin',
        'locked',
        'tenant_role',
      ],
      [...tenants.values()].map(tenant => [
        tenant.id,
        tenant.name,
        tenant.id === SYS_TENANT_ID ? 'SYS' : 'USER',
        tenant.primaryZone,
        tenant.locality,
        tenant.previousLocality ?? null,
        'MYSQL',
        tenant.status,
        'NO',
        'NO',
        'PRIMARY',
      ]),
    ),
  cdb_ob_ls_locations: picture =>
    table(
      ['tenant_id', 'ls_id', 'svr_ip', 'svr_port', 'sql_port', 'zone', 'role', 'replica_type'],
      [...picture.tenants.values()].flatMap(tenant => logStreams(picture, tenant)),
    ),
  cdb_ob_zone_major_compaction: ({ zones, tenants }) =>
    table(
      ['tenant_id', 'zone', 'broadcast_scn', 'last_scn', 'status'],
      [...tenants.values()].flatMap(({ id }) =>
        [...zones.values()].map(({ name, isMerging }) => [
          id,
          name,
          2,
          isMerging ? 1 : 2,
          isMerging ? 'COMPACTING' : 'IDLE',
        ]),
      ),
    ),
  v$ob_parameters: parameters,
  gv$ob_parameters: parameters,
}

const V3: Readonly<Record<string, Made>> = {
  __all_virtual_zone_stat: ({ zones, cluster }) =>
    table(
      [
        'zone',
        'is_merging',
        'status',
        'server_count',
        'resource_pool_count',
        'unit_count',
        'cluster',
        'region',
        'spare1',
        'spare2',
        'spare3',
        'spare4',
        'spare5',
        'spare6',
      ],
      [...zones.values()].map(({ name, isMerging, status, region, idc, type }) => [
        name,
        isMerging ? 1 : 0,
        status,
        1,
        1,
        1,
        cluster,
        region,
        0,
        0,
        0,
        idc,
        type,
        '',
      ]),
    ),
  __all_virtual_proxy_server_stat: picture =>
    table(
      [
        'svr_ip',
        'svr_port',
        'zone',
        'status',
        'start_service_time',
        'stop_time',
        'with_rootserver',
      ],
      listed(picture).map(({ host, port, zone, status, isStarted, isStopped }, at) => [
        host,
        port,
        zone,
        status.toLowerCase(),
        isStarted ? STARTED_US : 0,
        isStopped ? STARTED_US : 0,
        at === 0 ? 1 : 0,
      ]),
    ),
  __all_virtual_server_stat: picture =>
    table(
      ['svr_ip', 'svr_port', 'inner_port', 'zone', 'with_rootserver'],
      listed(picture).map(({ host, port, zone }, at) => [
        host,
        port + RPC_OFFSET,
        port,
        zone,
        at === 0 ? 1 : 0,
      ]),
    ),
  __all_tenant: ({ tenants }) =>
    table(
      ['tenant_id', 'tenant_name', 'locality', 'previous_locality', 'primary_zone', 'info'],
      [...tenants.values()].map(({ id, name, locality, previousLocality, primaryZone }) => [
        id,
        name,
        locality,
        previousLocality ?? '',
        primaryZone,
        '',
      ]),
    ),
  __all_resource_pool: picture =>
    table(
      ['resource_pool_id', 'name', 'tenant_id', 'unit_count', 'zone_list'],
      [...picture.tenants.values()].map(({ id, name }) => {
        const units = picture.units(name)
        const zones = units.map(({ zone }) => zone).join(';')
        return [id, `pool_${name}`, id, units[0]?.servers.length ?? 0, zones]
      }),
    ),
  __all_unit: picture =>
    table(
      ['unit_id', 'resource_pool_id', 'zone', 'svr_ip', 'svr_port', 'status'],
      [...picture.tenants.values()].flatMap(({ id, name }) =>
        serversOf(picture, name).map(({ zone, host, port }, at) => [
          1000 * id + at,
          id,
          zone,
          host,
          port + RPC_OFFSET,
          'ACTIVE',
        ]),
      ),
    ),
  v$ob_cluster: ({ cluster }) =>
    table(
      ['cluster_id', 'cluster_name', 'cluster_role', 'cluster_status', 'version'],
      [[CLUSTER_ID, cluster, 'PRIMARY', 'VALID', 1]],
    ),
  __all_virtual_sys_parameter_stat: parameters,
}

/** A system table of the cluster by its name, undefined for others and for those of other versions. */
export function systemTable(picture: Picture, name: string): Table | undefined {
  return SYSTEM_TABLES[picture.flavour][name.toLowerCase()]?.(picture)
}

const SYSTEM_TABLES: Readonly<Record<Flavour, Readonly<Record<string, Made>>>> = { v3: V3, v4: V4 }

export function isSystemTable(flavour: Flavour, name: string): boolean {
  return SYSTEM_TABLES[flavour][name.toLowerCase()] !== undefined
}

/** Servers with units of a tenant, group by group: one of each zone, then the next of each zone. */
export function serversOf(picture: Picture, tenant: string): readonly Server[] {
  return unitGroups(picture, tenant).flat()
}

/** One server of each zone a group, as a server deals them for the tenant's dummy entry (§4.2). */
export function unitGroups(picture: Picture, tenant: string): readonly (readonly Server[])[] {
  const units = picture.units(tenant)
  const groups = Math.max(0, ...units.map(({ servers }) => servers.length))
  return Array.from({ length: groups }, (_group, at) =>
    units.flatMap(({ servers }) => {
      const key = servers[at]
      return key === undefined ? [] : [picture.server(key)]
    }),
  )
}

/** The tenant's own log stream 1, and one for each of its servers that may lead. */
function logStreams(picture: Picture, { id, name, primaryZone }: Tenant): readonly Cell[][] {
  const units = picture.units(name)
  const best = Math.min(...units.map(({ priority }) => priority))
  const leading = units.filter(({ priority, type }) => priority === best && type !== 'ReadOnly')
  const leaders = leading.flatMap(({ servers }) => servers)
  const row = (stream: number, key: string, isLeader: boolean): Cell[] => {
    const { host, port, zone } = picture.server(key)
    const role = isLeader ? 'LEADER' : 'FOLLOWER'
    return [id, stream, host, port + RPC_OFFSET, port, zone, role, 'FULL']
  }
  const streams = [...leaders.slice(0, 1), ...leaders].map((leader, at) => ({
    stream: at === 0 ? 1 : FIRST_LOG_STREAM + at - 1,
    leader,
  }))
  const isSingle = primaryZone.toUpperCase() !== 'RANDOM' && leaders.length === 1
  return streams.flatMap(({ stream, leader }) => [
    row(stream, leader, true),
    ...(isSingle ? [] : followersOf(picture, name, leader).map(key => row(stream, key, false))),
  ])
}

function followersOf(picture: Picture, tenant: string, leader: string): readonly string[] {
  const group = unitGroups(picture, tenant).find(each => each.some(({ key }) => key === leader))
  return (group ?? []).map(({ key }) => key).filter(key => key !== leader)
}

function parameters(picture: Picture): Table {
  const [first] = listed(picture)
  const of = (name: string, value: string): Cell[] => [
    first?.host ?? '',
    (first?.port ?? 0) + RPC_OFFSET,
    first?.zone ?? '',
    'CLUSTER',
    name,
    value,
  ]
  return table(
    ['svr_ip', 'svr_port', 'zone', 'scope', 'name', 'value'],
    [of('cluster', picture.cluster), of('cluster_id', String(CLUSTER_ID))],
  )
}

function listed({ servers }: Picture): readonly Server[] {
  return servers.filter(({ isListed }) => isListed)
}

function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): Table {
  return { columns, rows }
}
