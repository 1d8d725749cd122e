/** The proxy's own questions to an OB cluster, OceanBase 4.x shapes. Source: proxy-routing.md §3.4, §4.2. */

export const SERVERS_STATEMENT =
  'SELECT /*+ READ_CONSISTENCY(WEAK) */ svr_ip, sql_port AS svr_port, zone, status, ' +
  'start_service_time IS NOT NULL AS started, stop_time IS NOT NULL AS stopped ' +
  'FROM oceanbase.DBA_OB_SERVERS WHERE svr_port > 0 ORDER BY zone'

/** Placement of one table; of the tenant itself when the table is `oceanbase.__all_dummy`. */
export function locationStatement(tenant: string, database: string, table: string): string {
  return (
    'SELECT /*+ READ_CONSISTENCY(WEAK) */ table_id, svr_ip, sql_port, role, part_num, replica_num, ' +
    'schema_version, table_type FROM oceanbase.__all_virtual_proxy_schema ' +
    `WHERE tenant_name = '${quoted(tenant)}' AND database_name = '${quoted(database)}' ` +
    `AND table_name = '${quoted(table)}' AND sql_port > 0 ORDER BY tablet_id, role`
  )
}

/** Names are constants in the statement: the server reads them as index keys. */
function quoted(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll("'", "''")
}
