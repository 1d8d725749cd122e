/** The parameters of client sessions as one value for the workers (proxy-protocol.md §9). */

import { parseSslAttributes } from '#contract/ssl-settings'
import type { ParameterReader } from '../config/reader.ts'
import type { SocketTuning, Tuning } from '../net/socket-tuning.ts'
import type { SessionSettings } from '../session/ports.ts'
import { initStatements } from '../sql/init-sql.ts'
import { routingSettings, targetServers } from './cluster-settings.ts'

/** Bits of `client_sock_option_flag_out` and `sock_option_flag_out`. */
const NO_DELAY = 1
const KEEP_ALIVE = 2

/** Limits are per node (N2): the kernel spreads connections, so each of `workers` takes its share. */
export function sessionSettings(config: ParameterReader, workers: number): SessionSettings {
  const share = (name: string) => Math.ceil(config.number(name) / workers)
  return {
    maxAttempts: config.number('connect_observer_max_retries'),
    connectTimeoutMs: config.timeMs('short_async_task_timeout'),
    minConnectingMs: config.timeMs('min_congested_connect_timeout'),
    loginTimeoutMs: config.timeMs('client_login_timeout'),
    maxLoginBytes: config.number('client_login_max_size'),
    maxLogins: share('client_login_max_connections'),
    maxLoginsPerAddress: share('client_login_max_connections_per_ip'),
    evictsIdle: config.isOn('enable_client_connection_lru_disconnect'),
    inactivitySeconds: config.timeMs('default_inactivity_timeout') / 1000,
    queryTimeoutDeltaMs: config.timeMs('observer_query_timeout_delta'),
    maxMemoryBytes: config.number('client_max_memory_size'),
    usesOb20: config.isOn('enable_ob_protocol_v2'),
    checksCluster: config.isOn('enable_cluster_checkout'),
    tracesFullLink: config.isOn('enable_full_link_trace'),
    routing: routingSettings(config),
    targets: targetServers(config),
    idcName: config.get('proxy_idc_name'),
    routesRoutines: config.isOn('enable_pl_route'),
    prunes: config.isOn('enable_partition_table_route'),
    analysedBytes: config.number('request_buffer_length'),
    wholeBytes: Math.max(
      config.number('tunnel_request_size_threshold'),
      config.number('request_buffer_length'),
    ),
    rejectsUnroutable: config.isOn('enable_bad_route_reject'),
    usesServerTls: config.isOn('enable_server_ssl'),
    isTlsForced: parseSslAttributes(config.get('ssl_attributes'))?.isForced ?? false,
    setBelow: [],
    diagnosisLevel: config.number('route_diagnosis_level'),
    digests: share('statement_digests'),
    isReadOnly: config.number('obproxy_read_only') === 0,
    readsWeakly: config.number('obproxy_read_consistency') === 1,
    maxReadStaleUs: config.number('ob_max_read_stale_time'),
    initSql: initStatements(config.get('init_sql')) ?? [],
  }
}

/** What the system does with connections to clients, and to servers. */
export function socketTuning(config: ParameterReader): Tuning {
  return {
    clients: tuningOf(config.number('client_sock_option_flag_out'), {
      idleSeconds: config.number('client_tcp_keepidle'),
      intervalSeconds: config.number('client_tcp_keepintvl'),
      probes: config.number('client_tcp_keepcnt'),
      userTimeoutSeconds: config.number('client_tcp_user_timeout'),
    }),
    servers: tuningOf(config.number('sock_option_flag_out'), {
      idleSeconds: config.number('server_tcp_keepidle'),
      intervalSeconds: config.number('server_tcp_keepintvl'),
      probes: config.number('server_tcp_keepcnt'),
      userTimeoutSeconds: config.number('server_tcp_user_timeout'),
    }),
  }
}

type Times = Omit<SocketTuning, 'isNoDelay' | 'isKeptAlive'>

function tuningOf(flags: number, times: Times): SocketTuning {
  return {
    isNoDelay: (flags & NO_DELAY) !== 0,
    isKeptAlive: (flags & KEEP_ALIVE) !== 0,
    ...times,
  }
}
