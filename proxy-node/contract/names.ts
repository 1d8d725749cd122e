/**
 * Names of what is counted, each once: metric families, and the closed sets of values that their
 * labels have. Names and values that dashboards query are OBProxy's. Source: proxy-admin.md §5.2.
 */

/** Statement types by which requests are counted; a position in this list is a counter's index. */
export const SQL_TYPES = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'REPLACE',
  'MERGE',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SET',
  'SHOW',
  'CALL',
  'TEXT_PS_PREPARE',
  'TEXT_PS_EXECUTE',
  'OTHERS',
] as const

export type SqlType = (typeof SQL_TYPES)[number]

/** What was special about an answered request, as bits; 0 is small, fast, successful, well routed. */
export const OUTCOME = { slow: 1, failed: 2, missed: 4, large: 8 } as const

/**
 * How statements came to their server; a position in this list is a counter's index. `bound`: where a
 * transaction, or something else that only that server has, keeps the session. `forced`: to servers
 * that are named, by a client or an operator. `cached`: nothing to go by, the server in use would do.
 */
export const ROUTES = [
  'leader',
  'replica',
  'blind',
  'primary_zone',
  'cached',
  'bound',
  'forced',
  'single_leader',
] as const

export type RouteName = (typeof ROUTES)[number]

/** Whose bytes: requests and responses, between client and proxy, between proxy and server. */
export const BYTES = {
  clientRequest: 0,
  clientResponse: 1,
  serverRequest: 2,
  serverResponse: 3,
} as const

/** Limits that refuse or end a client; a position in this list is a counter's index. */
export const LIMITS = [
  'connections',
  'logins',
  'logins_of_address',
  'login_size',
  'login_time',
  'evicted',
  'idle',
] as const

export type Limit = (typeof LIMITS)[number]

export const METRIC = {
  transactions: 'odp_transaction_total',
  requests: 'odp_sql_request_total',
  cost: 'odp_sql_cost_total',
  sessions: 'odp_current_session',
  connections: 'odp_new_client_connections',
  limited: 'odp_limited_client_connections',
  bytes: 'odp_request_byte',
  entries: 'odp_entry_total',
  routed: 'odp_routed_total',
  guesses: 'odp_partition_guess_total',
  logLines: 'odp_elogs_total',
  locationEntries: 'odp_location_entries',
  workers: 'odp_workers',
  configVersion: 'odp_config_version',
  draining: 'odp_draining',
  certificateExpiry: 'odp_certificate_expiry_timestamp_seconds',
  certificateBroken: 'odp_certificate_broken',
  handshakes: 'odp_tls_handshake_total',
  build: 'odp_build_info',
} as const
