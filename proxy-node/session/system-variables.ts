/**
 * Which system variables a server session is told of, and which it knows or gives by itself. A name
 * that is read-only fails in a SET with the assignments before it kept, so it is left out first.
 * Source: proxy-protocol.md §4.3; proxy-protocol-tried.md A7, A8, A20, C9; both lists were compared
 * with the catalogue of a running server.
 */

const NEVER: ReadonlySet<string> = new Set([
  // About one server, one connection or one statement.
  'ob_capability_flag',
  'ob_statement_trace_id',
  '_current_default_catalog',
  '__ob_client_capability_flag',
  // Refused, whatever the value (A7).
  'max_allowed_packet',
  'max_user_connections',
  'net_buffer_length',
  'debug_sync',
  'ob_global_debug_sync',
  'ncharacter_set_connection',
  'max_insert_delayed_threads',
  'table_definition_cache',
])

/** What they are set to is used up by later statements of the same server session. */
const USED_UP: ReadonlySet<string> = new Set(['insert_id', 'rand_seed1', 'rand_seed2'])

/** Variables by which servers tell the proxy something; `passing` is about servers, not about this session. */
export const NEWS: ReadonlyMap<
  string,
  'transactionSet' | 'temporaryUsed' | 'partitionHit' | 'passing'
> = new Map([
  ['ob_proxy_set_trx_executed', 'transactionSet'],
  ['_ob_proxy_session_temporary_table_used', 'temporaryUsed'],
  ['ob_proxy_partition_hit', 'partitionHit'],
  ['ob_last_schema_version', 'passing'],
  ['ob_enable_transmission_checksum', 'passing'],
  ['_nlj_batching_enabled', 'passing'],
])

/** The value in an OK of a thing that is on or off (A7). */
export function isOn(value: string): boolean {
  return value === 'ON' || value === '1'
}

/** Read-only feedback for proxies (§4.3). */
const SERVICE = /^_?ob_proxy_/

const OF_SCHEMA: ReadonlySet<string> = new Set(['character_set_database', 'collation_database'])

/** Whether a changed system variable is carried to other servers by SET. */
export function isReplayable(name: string): boolean {
  return !NEVER.has(name) && !SERVICE.test(name) && !USED_UP.has(name)
}

/** It is spent by statements that no OK tells of: never replayed, the session stays where it was set. */
export function isUsedUp(name: string): boolean {
  return USED_UP.has(name)
}

/** It follows the current database unless it was set: INIT_DB changes it, so it is set behind it. */
export function followsSchema(name: string): boolean {
  return OF_SCHEMA.has(name)
}

/** Texts among the variables of a session: a number is no value for them, not even one of digits. */
export function isText(name: string): boolean {
  return TEXTS.has(name)
}

const TEXTS: ReadonlySet<string> = new Set(
  `_ob_enable_role_ids _ob_ols_policy_session_labels _set_reverse_dblink_infos concurrent_insert debug
  default_authentication_plugin default_storage_engine disabled_storage_engines
  group_replication_force_members group_replication_group_name group_replication_group_seeds
  group_replication_gtid_assignment_block_size group_replication_ip_whitelist
  group_replication_local_address group_replication_recovery_ssl_ca
  group_replication_recovery_ssl_capath group_replication_recovery_ssl_cert
  group_replication_recovery_ssl_cipher group_replication_recovery_ssl_crl
  group_replication_recovery_ssl_crlpath group_replication_recovery_ssl_key have_openssl
  have_profiling have_ssl hostname innodb_tmpdir lc_messages lc_time_names log_row_value_options
  master_info_repository ndb_index_stat_option nls_calendar nls_comp nls_currency nls_date_format
  nls_date_language nls_dual_currency nls_iso_currency nls_language nls_length_semantics
  nls_nchar_conv_excp nls_numeric_characters nls_sort nls_territory nls_timestamp_format
  nls_timestamp_tz_format ob_log_level ob_trace_info optimizer_features_enable optimizer_switch
  optimizer_trace optimizer_trace_features plsql_ccflags plsql_warnings runtime_filter_type
  session_track_system_variables ssl_ca ssl_capath ssl_cert ssl_cipher ssl_crl ssl_crlpath ssl_key
  time_format time_zone tls_version tmpdir tracefile_identifier transaction_isolation tx_isolation
  version_compile_machine version_compile_os version_tokens_session`.split(/\s+/),
)
