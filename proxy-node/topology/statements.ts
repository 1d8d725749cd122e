/**
 * The proxy's own questions to an OB cluster, in the shapes of OceanBase 4.x and 3.x. Predicates on
 * names and ids are constants joined by AND: servers read them as index keys.
 * Source: proxy-routing.md §3.4, §4.2, §4.4, §4.5, §13; style.md's `discovery`.
 */

/** What has a shape of its own in each. */
export type Shape = 'v3' | 'v4'

const WEAK = '/*+ READ_CONSISTENCY(WEAK) */'

export const VERSION_STATEMENT = `SELECT ${WEAK} ob_version() AS cluster_version`
/** seekdb says so here; its type codes are others (proxy-routing-tried.md, "Type codes"). */
export const COMMENT_STATEMENT = `SELECT ${WEAK} @@version_comment AS version_comment`

export const CLUSTER_NAME_STATEMENT: Readonly<Record<Shape, string>> = {
  v3: `SELECT ${WEAK} value FROM oceanbase.__all_virtual_sys_parameter_stat WHERE name = 'cluster' LIMIT 1`,
  v4: `SELECT ${WEAK} value FROM oceanbase.V$OB_PARAMETERS WHERE name = 'cluster' LIMIT 1`,
}

export const ZONES_STATEMENT: Readonly<Record<Shape, string>> = {
  v3: `SELECT ${WEAK} zone, status, is_merging, region, spare4, spare5 FROM oceanbase.__all_virtual_zone_stat`,
  v4:
    `SELECT ${WEAK} zone, status, 0 AS is_merging, region, idc AS spare4, type AS spare5 ` +
    'FROM oceanbase.DBA_OB_ZONES',
}

/** Zones with a major compaction under way; 4.x only, where `is_merging` is always 0. */
export const COMPACTION_STATEMENT =
  `SELECT ${WEAK} zone, status FROM oceanbase.CDB_OB_ZONE_MAJOR_COMPACTION ` +
  "WHERE status != 'IDLE'"

export const SERVERS_STATEMENT: Readonly<Record<Shape, string>> = {
  v3:
    `SELECT ${WEAK} svr_ip, svr_port, zone, status, start_service_time > 0 AS started, ` +
    'stop_time > 0 AS stopped FROM oceanbase.__all_virtual_proxy_server_stat ' +
    'WHERE svr_port > 0 ORDER BY zone',
  v4:
    `SELECT ${WEAK} svr_ip, sql_port AS svr_port, zone, status, ` +
    'start_service_time IS NOT NULL AS started, stop_time IS NOT NULL AS stopped ' +
    'FROM oceanbase.DBA_OB_SERVERS WHERE svr_port > 0 ORDER BY zone',
}

/** Tenants whose locality is not being changed. */
export const TENANTS_STATEMENT: Readonly<Record<Shape, string>> = {
  v3:
    `SELECT ${WEAK} tenant_name, tenant_id, locality, previous_locality, primary_zone ` +
    "FROM oceanbase.__all_tenant WHERE previous_locality = '' AND tenant_id != 1",
  v4:
    `SELECT ${WEAK} tenant_name, tenant_id, locality, previous_locality, primary_zone, status ` +
    'FROM oceanbase.DBA_OB_TENANTS WHERE previous_locality IS NULL AND tenant_id != 1',
}

/** Whether the servers are of a primary; 3.x only, where a cluster has standbys as a whole (§3.3). */
export const ROLE_STATEMENT = `SELECT ${WEAK} cluster_role FROM oceanbase.v$ob_cluster`

/**
 * Where the units of tenants are, 3.x: of a tenant with one pool of one unit a zone, all leaders are in the
 * unit of its primary zone (§3.4).
 */
export const UNITS_STATEMENT =
  `SELECT ${WEAK} p.tenant_id, p.resource_pool_id, p.unit_count, u.zone, u.svr_ip, ` +
  's.inner_port AS sql_port FROM oceanbase.__all_resource_pool p ' +
  'JOIN oceanbase.__all_unit u ON u.resource_pool_id = p.resource_pool_id ' +
  'JOIN oceanbase.__all_virtual_server_stat s ON s.svr_ip = u.svr_ip AND s.svr_port = u.svr_port ' +
  'WHERE p.tenant_id > 1'

/** Tenants asked about in one statement: a longer list is cut into several. */
const MAX_IDS = 200

/**
 * Leaders of all log streams of these tenants, 4.x. Ids are named because an unrestricted join may
 * hang on a tenant that is not well (§3.4).
 */
export function leaderStatements(tenantIds: readonly string[]): readonly string[] {
  const statements: string[] = []
  for (let from = 0; from < tenantIds.length; from += MAX_IDS) {
    const ids = tenantIds.slice(from, from + MAX_IDS).map(numeric)
    statements.push(
      `SELECT ${WEAK} DISTINCT tenant_id, svr_ip, sql_port FROM oceanbase.CDB_OB_LS_LOCATIONS ` +
        `WHERE ls_id != 1 AND role = 'LEADER' AND tenant_id IN (${ids.join(', ')})`,
    )
  }
  return statements
}

const SCHEMA_COLUMNS: Readonly<Record<Shape, string>> = {
  v3:
    'table_id, svr_ip, sql_port, role, part_num, replica_num, schema_version, table_type, ' +
    'spare1 AS replica_type, spare2 AS dup_replica_type, partition_id AS tablet_id',
  v4:
    'table_id, svr_ip, sql_port, role, part_num, replica_num, schema_version, table_type, ' +
    'replica_type, dup_replica_type, tablet_id',
}
const ID_COLUMN: Readonly<Record<Shape, string>> = { v3: 'partition_id', v4: 'tablet_id' }

export type TableNames = {
  readonly tenant: string
  readonly database: string
  readonly table: string
}

/** Where a table is, and whether it is partitioned (§4.2). `isFlushed`: the server is to ask again itself. */
export function tableStatement(shape: Shape, names: TableNames, isFlushed = false): string {
  const hint = isFlushed ? '/*+ READ_CONSISTENCY(WEAK) FORCE_REFRESH_LOCATION_CACHE */' : WEAK
  return schemaStatement(shape, names, hint, ` AND ${ID_COLUMN[shape]} = 0 ORDER BY role`)
}

/** Servers of a tenant, in groups by their pseudo ids (§4.2). */
export function tenantStatement(shape: Shape, tenant: string): string {
  return schemaStatement(
    shape,
    { tenant, database: 'oceanbase', table: '__all_dummy' },
    WEAK,
    ` AND sql_port > 0 ORDER BY ${ID_COLUMN[shape]}, role`,
  )
}

/** Where partitions of one table are (§4.4); ids of one tenant. */
export function partitionsStatement(
  shape: Shape,
  names: TableNames,
  ids: readonly string[],
  isFlushed = false,
): string {
  const hint = isFlushed ? '/*+ READ_CONSISTENCY(WEAK) FORCE_REFRESH_LOCATION_CACHE */' : WEAK
  const id = ID_COLUMN[shape]
  const [first = '0'] = ids
  const predicate =
    ids.length === 1 ? `${id} = ${numeric(first)}` : `${id} IN (${ids.map(numeric).join(', ')})`
  return schemaStatement(shape, names, hint, ` AND ${predicate} ORDER BY ${id}, role`)
}

function schemaStatement(shape: Shape, names: TableNames, hint: string, rest: string): string {
  return (
    `SELECT ${hint} ${SCHEMA_COLUMNS[shape]} FROM oceanbase.__all_virtual_proxy_schema ` +
    `WHERE tenant_name = '${quoted(names.tenant)}' AND database_name = '${quoted(names.database)}' ` +
    `AND table_name = '${quoted(names.table)}'${rest}`
  )
}

/** What a routine runs (§4.5); `packageName` is empty outside packages. */
export function routineStatement(shape: Shape, names: TableNames, packageName: string): string {
  const { tenant, database, table: routine } = names
  const where = `WHERE tenant_name = '${quoted(tenant)}' AND database_name = '${quoted(database)}' `
  if (shape === 'v4')
    return (
      `SELECT ${WEAK} routine_id, routine_type, schema_version, routine_sql ` +
      `FROM oceanbase.__all_virtual_proxy_routine ${where}` +
      `AND package_name = '${quoted(packageName)}' AND routine_name = '${quoted(routine)}'`
    )
  const name = packageName === '' ? routine : `${packageName}.${routine}`
  return (
    `SELECT ${WEAK} table_id AS routine_id, table_type AS routine_type, schema_version, ` +
    `spare4 AS routine_sql FROM oceanbase.__all_virtual_proxy_schema ${where}` +
    `AND table_name = '${quoted(name)}' AND partition_id = 0 AND svr_ip = '' AND sql_port = 0`
  )
}

/** A text between single quotes. */
export function quoted(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll("'", "''")
}

/** An id as it stands in a statement; anything that is none becomes 0, which no table has. */
export function numeric(id: string): string {
  return /^\d{1,20}$/.test(id) ? id : '0'
}
