/**
 * An OB cluster as far as the proxy's own questions go, in one object: answers the statements of
 * `topology/statements.ts` from fields that a test changes, and keeps what was asked. Servers may refuse or
 * keep silent, statements may fail.
 */
import type { ServerAddress } from '../../proxy-node/topology/model.ts'
import type { Answer, Row } from '../../proxy-node/topology/table-entry.ts'

export const PORT = 2881

export type MetadataTable = {
  readonly id: string
  readonly parts: number
  readonly version: string
  /** Host of the leader first; by id of the partition, '0' for the table itself. */
  readonly replicas: Readonly<Record<string, readonly string[]>>
}

export type MetadataServer = {
  readonly zone: string
  readonly status?: string
  readonly started?: boolean
  readonly stopped?: boolean
}

export class MetadataCluster {
  readonly name: string
  readonly isOld: boolean
  port = PORT
  comment = 'OceanBase'
  /** Of 3.x. */
  role = 'PRIMARY'
  servers: Record<string, MetadataServer> = {}
  /** Zone → region and idc. */
  zones: Record<string, { region: string; idc: string; type?: string; merging?: boolean }> = {}
  tenants: Record<string, { id: string; locality: string; primaryZone?: string }> = {}
  /** Tenant id → hosts with leaders. */
  leaders: Record<string, readonly string[]> = {}
  /** `tenant.database.table`. */
  tables: Record<string, MetadataTable> = {}
  routines: Record<string, string> = {}
  /** Hosts that refuse, and those that never answer. */
  readonly down = new Set<string>()
  readonly silent = new Set<string>()
  /** Statements with one of these in them fail. */
  readonly failing = new Set<string>()
  asked: { readonly host: string; readonly sql: string }[] = []

  /** `hosts` become servers of zones of their own. */
  constructor(name: string, hosts: readonly string[], isOld = false) {
    this.name = name
    this.isOld = isOld
    for (const [at, host] of hosts.entries()) {
      this.servers[host] = { zone: `z${at + 1}` }
      this.zones[`z${at + 1}`] = { region: 'r', idc: `i${at + 1}` }
    }
  }

  readonly query = async (server: ServerAddress, sql: string): Promise<Answer> => {
    this.asked.push({ host: server.host, sql })
    if (this.down.has(server.host)) throw new Error(`${server.host} refused`)
    if (this.silent.has(server.host)) return new Promise(() => {})
    for (const text of this.failing) if (sql.includes(text)) throw new Error(`${text} failed`)
    return this.answer(sql)
  }

  /** How many statements with `text` in them were asked. */
  count(text: string): number {
    return this.asked.filter(({ sql }) => sql.includes(text)).length
  }

  private answer(sql: string): Answer {
    const [, table = ''] = /FROM oceanbase\.(\S+)/.exec(sql) ?? []
    if (sql.includes('ob_version()'))
      return [{ cluster_version: this.isOld ? '3.2.4.1' : '4.2.1.8' }]
    if (sql.includes('@@version_comment')) return [{ version_comment: this.comment }]
    const answers: Readonly<Record<string, () => Answer>> = this.isOld
      ? {
          __all_virtual_sys_parameter_stat: () => [{ value: this.name }],
          __all_virtual_zone_stat: () => this.zoneRows(),
          __all_virtual_proxy_server_stat: () => this.serverRows(),
          __all_tenant: () => this.tenantRows(),
          __all_virtual_proxy_schema: () => this.schemaRows(sql),
          __all_resource_pool: () => this.unitRows(),
          v$ob_cluster: () => [{ cluster_role: this.role }],
        }
      : {
          V$OB_PARAMETERS: () => [{ value: this.name }],
          DBA_OB_ZONES: () => this.zoneRows(),
          CDB_OB_ZONE_MAJOR_COMPACTION: () => this.mergingRows(),
          DBA_OB_SERVERS: () => this.serverRows(),
          DBA_OB_TENANTS: () => this.tenantRows(),
          CDB_OB_LS_LOCATIONS: () => this.leaderRows(),
          __all_virtual_proxy_schema: () => this.schemaRows(sql),
          __all_virtual_proxy_routine: () => this.routineRows(sql),
          __all_virtual_proxy_partition_info: () => KEY_ROWS,
          __all_virtual_proxy_partition: () => this.partitionRows(sql),
        }
    const found = answers[table]
    if (found === undefined) throw new Error(`no such table: ${table}`)
    return found()
  }

  private zoneRows(): Answer {
    return Object.entries(this.zones).map(
      ([zone, { region, idc, type = 'ReadWrite', merging }]) => ({
        zone,
        status: 'ACTIVE',
        is_merging: this.isOld && merging === true ? '1' : '0',
        region,
        spare4: idc,
        spare5: type,
      }),
    )
  }

  private mergingRows(): Answer {
    const merging = Object.entries(this.zones).filter(([, zone]) => zone.merging === true)
    return merging.map(([zone]) => ({ zone, status: 'COMPACTING' }))
  }

  private serverRows(): Answer {
    return Object.entries(this.servers).map(([host, server]) => ({
      svr_ip: host,
      svr_port: String(this.port),
      zone: server.zone,
      status: server.status ?? 'ACTIVE',
      started: server.started === false ? '0' : '1',
      stopped: server.stopped === true ? '1' : '0',
    }))
  }

  private tenantRows(): Answer {
    return Object.entries(this.tenants).map(([name, { id, locality, primaryZone = 'RANDOM' }]) => ({
      tenant_name: name,
      tenant_id: id,
      locality,
      primary_zone: primaryZone,
      ...(this.isOld ? {} : { status: 'NORMAL' }),
    }))
  }

  /** One unit of each tenant on each server. */
  private unitRows(): Answer {
    return Object.values(this.tenants).flatMap(({ id }) =>
      Object.entries(this.servers).map(([host, { zone }]) => ({
        tenant_id: id,
        resource_pool_id: id,
        unit_count: '1',
        zone,
        svr_ip: host,
        sql_port: String(this.port),
      })),
    )
  }

  private leaderRows(): Answer {
    return Object.entries(this.leaders).flatMap(([id, hosts]) =>
      hosts.map(host => ({ tenant_id: id, svr_ip: host, sql_port: String(this.port) })),
    )
  }

  private schemaRows(sql: string): Answer {
    const tenant = textOf(sql, 'tenant_name')
    const table = textOf(sql, 'table_name')
    if (table === '__all_dummy') {
      const isThere = tenant in this.tenants || tenant === 'sys'
      return isThere ? Object.keys(this.servers).map(host => this.place(host, '2')) : []
    }
    const known = this.tables[`${tenant}.${textOf(sql, 'database_name')}.${table}`]
    if (known === undefined) return []
    const [, id = '0'] = /(?:tablet_id|partition_id) = (\d+)/.exec(sql) ?? []
    const hosts = known.replicas[id] ?? ['0.0.0.0']
    return hosts.map((host, at) => ({
      ...this.place(host, at === 0 ? '1' : '2'),
      table_id: known.id,
      part_num: String(known.parts),
      schema_version: known.version,
      table_type: '3',
      tablet_id: id,
    }))
  }

  private place(host: string, role: string): Row {
    return {
      table_id: '1',
      svr_ip: host,
      sql_port: host === '0.0.0.0' ? '0' : String(this.port),
      role,
      part_num: '1',
      replica_num: '3',
      schema_version: '1',
      table_type: '3',
      replica_type: '0',
      dup_replica_type: '0',
      tablet_id: '0',
    }
  }

  private partitionRows(sql: string): Answer {
    const [, tableId] = /table_id = (\d+)/.exec(sql) ?? []
    const table = Object.values(this.tables).find(({ id }) => id === tableId)
    const ids = Object.keys(table?.replicas ?? {}).filter(id => id !== '0')
    return ids.map((id, at) => ({
      part_id: String(at),
      part_name: `p${at}`,
      part_position: String(at + 1),
      sub_part_num: '0',
      tablet_id: id,
      high_bound_val_bin: null,
    }))
  }

  private routineRows(sql: string): Answer {
    const text = this.routines[textOf(sql, 'routine_name')]
    if (text === undefined) return []
    return [{ routine_id: '7', routine_type: '1', schema_version: '1', routine_sql: text }]
  }
}

/** HASH by an integer column `id`. */
const KEY_ROWS: Answer = [
  {
    part_level: '1',
    part_key_num: '1',
    part_num: '2',
    part_type: '0',
    sub_part_type: '0',
    part_expr: 'id',
    sub_part_expr: '',
    part_key_level: '1',
    part_key_idx: '0',
    part_key_name: 'id',
    part_key_type: '5',
    part_key_collation_type: '63',
    part_key_extra: '',
    part_key_expr: '',
    part_key_length: '-1',
    part_key_precision: '20',
    part_key_scale: '0',
    part_key_default_value: null,
  },
]

function textOf(sql: string, column: string): string {
  return new RegExp(`${column} = '([^']*)'`).exec(sql)?.[1] ?? ''
}
