/** The columns of the proxy's views, as proxy-admin.md §2.4 to §2.6 lists them. Pure table. */
import type { Column, ColumnType } from './wire.ts'

const TYPE_OF: Readonly<Record<string, ColumnType>> = {
  V: 'text',
  L: 'bigint',
  I: 'int',
  T: 'tiny',
  TS: 'timestamp',
}

/** `name V, id L`. */
function columns(text: string): readonly Column[] {
  return text.split(',').map(part => {
    const [name = '', type = ''] = part.trim().split(/ (?=\w+$)/)
    return { name, type: TYPE_OF[type] ?? 'text' }
  })
}

const TIMES = 'create_time V, last_valid_time V, last_access_time V, last_update_time V'

export const VIEW = {
  config: columns(
    'name V, value V, info V, need_reboot V, visible_level V, range V, config_level V',
  ),
  'config-levels': columns(
    'vid L, vip V, vport L, tenant_name V, cluster_name V, name V, value V, config_level V',
  ),
  'log-levels': columns('parent_mod V, sub_mod V, level V, usage V'),
  info: columns('name V, info V'),
  'info-idc': columns(
    'global_idc_name V, cluster_name V, match_type V, regions_name V, same_idc V, same_region V, other_region V',
  ),
  clusters: columns('cluster_name V, cluster_id L, rs_url V, root_addr V, role V, replica_type V'),
  'cluster-idcs': columns('cluster_name V, cluster_id L, idc_url V, idc V, region V'),
  resources: columns(
    `cluster_name V, cluster_id L, state V, version L, ref_count L, last_access_time_ns L,
    last_access_time V, deleting_completed_thread_num L, fetch_rs_list_task_count L,
    last_fetch_rs_list_time_ns L, last_fetch_rs_list_time V, fetch_idc_list_task_count L,
    last_fetch_idc_list_time_ns L, last_fetch_idc_list_time V`,
  ),
  sessions: columns(
    `proxy_sessid L, Id L, Cluster V, Tenant V, User V, Host V, db V, trans_count L,
    svr_session_count L, state V, tid L, pid I, using_ssl I`,
  ),
  processes: columns(
    'Id L, Tenant V, User V, Host V, db V, trans_count L, svr_session_count L, state V, tid L, pid I',
  ),
  attributes: columns('attribute_name V, value V, info V'),
  statistics: columns('stat_name V, value L, persist_type V'),
  variables: columns('Variable_name V, Value V'),
  version: columns('proxy_version() V'),
  status: columns('proxy_status() V'),
} as const

/** Views that this proxy has nothing for. */
export const EMPTY_VIEW: Readonly<Record<string, readonly Column[]>> = {
  'proxysession variables': columns(
    'variable_name V, value V, info V, modified_type V, sys_variable_flag V',
  ),
  'proxysession stat': columns('stat_name V, value L'),
  'proxysession read_stale': columns('server_addr V, table_id L, partition_id L, feedback_time V'),
  proxysm: columns(
    `sm_id L, ss_id L, server_sessid L, server_host V, cs_id L, proxy_sessid L, cluster_name V,
    sm_info V`,
  ),
  'proxynet thread': columns(
    `net_thread_id L, current_connection_count L, current_client_connection_count L,
    global_current_client_connection_count L, global_current_connection_count L,
    global_current_do_accept_count L, total_epoll_wait L, last_epoll_size L,
    total_cop_lock_failure L, total_lru_timeout_count L, total_lru_timeout_time-sec L,
    total_set_default_inactive L, total_calls_read_from_net L, total_calls_read L,
    total_calls_read_nodata L, total_read_bytes L, total_calls_write_to_net L, total_calls_write L,
    total_calls_write_nodata L, total_write_bytes L, protected_queue_al_size L,
    protected_queue_local_size L, priority_queue_size L`,
  ),
  'proxynet connection': columns(
    `thread_id L, connect_id L, socket_fd L, type V, src_ip V, src_port L, dst_ip V, dst_port L,
    virtual_ip V, virtual_port L, virtual_vid L, bind_style V, read_enabled T, read_nbytes L,
    read_ndone L, write_enabled T, write_nbyte L, write_ndone L, alive_time(sec) L,
    activity_timeout_in(sec) L, inactivity_timeout_in(sec) L, timeout_close_in(sec) L,
    last_error_no I, shutdown L, comments V`,
  ),
  proxycongestion: columns(
    `cluster_name V, zone_name V, region_name V, zone_state V, server_ip V, cr_version L,
    server_state V, alive_congested L, last_alive_congested V, dead_congested L,
    last_dead_congested V, stat_alive_failures L, stat_conn_failures L, conn_last_fail_time V,
    conn_failure_events L, alive_last_fail_time V, alive_failure_events L, ref_count L,
    detect_congested L, last_detect_congested V`,
  ),
  proxyroute: columns(
    `cluster_name V, tenant_name V, database_name V, table_name V, state V, partition_num L,
    replica_num L, table_id L, cluster_version L, schema_version L, from_rslist V, ${TIMES},
    expire_time V, relative_expire_time V, server addr V`,
  ),
  'proxyroute partition': columns(
    `table_id L, partition_id L, state V, cluster_version L, schema_version L, ${TIMES},
    expire_time V, relative_expire_time V, server addr V`,
  ),
  proxymemory: columns('mod_name V, mod_type V, hold V, used V, count V, avg_used V, backtrace V'),
  'proxymemory objpool': columns(
    `free_list_name V, allocated V, in_use V, count V, type_size V, chunk_count V,
    chunk_byte_size V, backtrace V`,
  ),
  proxyvip: columns('vid L, vip V, vport I, tenant_name V, cluster_name V, info V'),
  globalsession: columns(
    `dbkey_name V, max_client_count L, min_client_count L, live_client_count L, idle_timeout L,
    block_timeout L, need_prefill L`,
  ),
  sqlaudit: columns('audit_id L, sm_id L, gmt_create TS, svr_ip V, sql V, sql_cmd V'),
  warnlog: columns('log_id L, thread_id L, time TS, log V'),
  proxytrace: columns(
    `attempts T, pl_attempts T, ip V, port I, server_state V, send_action V, resp_error V,
    cost_time_us I`,
  ),
}

/** What SHOW VARIABLES answers to root@proxysys, and any other SHOW that is not known. */
export const VARIABLES: readonly (readonly [name: string, value: string])[] = [
  ['interactive_timeout', '28800'],
  ['wait_timeout', '28800'],
  ['net_write_timeout', '60'],
  ['max_allowed_packet', '4194304'],
  ['net_buffer_length', '16384'],
  ['lower_case_table_names', '2'],
  ['query_cache_size', '1048576'],
  ['query_cache_type', 'OFF'],
  ['init_connect', ''],
  ['sql_mode', 'STRICT_ALL_TABLES'],
  ['character_set_client', 'utf8mb4'],
  ['character_set_connection', 'utf8mb4'],
  ['character_set_results', 'utf8mb4'],
  ['character_set_server', 'utf8mb4'],
  ['system_time_zone', '+08:00'],
  ['time_zone', '+08:00'],
  ['transaction_isolation', 'READ'],
  ['tx_isolation', 'READ-COMMITTED'],
]
