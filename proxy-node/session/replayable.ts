/**
 * Which system variables a server session is told of, and which it knows or gives by itself. A name
 * that is read-only fails in a SET with the assignments before it kept, so it is left out first.
 * Source: proxy-protocol.md §4.3; proxy-protocol-tried.md A7, A8, A20, C1, C9.
 */

const NEVER: ReadonlySet<string> = new Set([
  // About one server or one statement.
  'ob_capability_flag',
  'ob_statement_trace_id',
  'ob_last_schema_version',
  'ob_enable_transmission_checksum',
  '_nlj_batching_enabled',
  '_current_default_catalog',
  // Follow the database, which INIT_DB restores.
  'character_set_database',
  'collation_database',
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

const SERVICE = /^_?ob_proxy_/

/** Whether a changed system variable is carried to other servers by SET. */
export function isReplayable(name: string): boolean {
  return !NEVER.has(name) && !SERVICE.test(name)
}
