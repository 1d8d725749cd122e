/**
 * Counters of SHOW PROXYSTAT (proxy-admin.md §5.1). Those of connections and requests are counted; the
 * others are there by name and stay 0.
 */

const GROUPS: readonly string[] = [
  'total_transaction_count total_user_transaction_count total_query_count',
  'current_client_transactions current_server_transactions',
  'current_client_connections current_active_client_connections total_client_connections',
  'total_internal_client_connections client_connection_abort_count',
  'current_server_connections total_server_connections server_connect_count',
  'server_connect_retries broken_server_connections',
  'client_requests client_completed_requests client_large_requests client_internal_requests',
  'local_session_state_requests client_missing_pk_requests client_select_requests',
  'client_insert_requests client_update_requests client_delete_requests client_other_requests',
  'server_requests server_responses server_error_responses server_resultset_responses',
  'server_ok_responses server_other_responses',
  'client_request_total_size client_response_total_size server_request_total_size',
  'server_response_total_size total_transactions_time total_user_transactions_time',
  'client_connections_currently_open global_client_connections_currently_open',
  'global_connections_currently_open global_accepts_currently_open',
  'get_pl_total get_congestion_total dead_congested alive_congested',
  'create_cluster_resource_count create_cluster_resource_succ_count',
  'get_cluster_resource_fail_count current_cluster_resource_count delete_cluster_resource_count',
  'free_cluster_resource_count current_core_count total_warn_log_count total_error_log_count',
]

export const STATISTICS: readonly string[] = GROUPS.flatMap(group => group.split(' '))

export function isGauge(name: string): boolean {
  return name.startsWith('current') || name.endsWith('currently_open')
}
