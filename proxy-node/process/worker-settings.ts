/** The parameters of the node as one value for its workers, who read no configuration of their own. */
import { loginRulesOf } from '../auth/identity.ts'
import type { ParameterReader } from '../config/reader.ts'
import type { ConfigStore } from '../config/store.ts'
import { parseRootservices } from '../topology/cluster.ts'
import type { WorkerSettings } from './channel.ts'
import { workerClusterSettings } from './cluster-settings.ts'
import { levelNews } from './level-settings.ts'
import { sessionSettings, socketTuning } from './session-settings.ts'

/** One server for all clients: no OB cluster is looked for. */
export function isMysqlMode(config: Pick<ParameterReader, 'get'>): boolean {
  return config.get('server_routing_mode') === 'mysql'
}

/** Limits are per node (N2): the kernel spreads connections, so each of `workers` takes its share. */
export function workerSettings(
  config: ConfigStore,
  workers: number,
  ssl: WorkerSettings['ssl'],
): WorkerSettings {
  return {
    mode: modeOf(config),
    serverVersion: config.get('mysql_version'),
    maxSessions:
      Math.ceil(config.number('client_max_connections') / workers) || Number.MAX_SAFE_INTEGER,
    sessions: sessionSettings(config, workers),
    levels: levelNews(config),
    clusters: workerClusterSettings(config, workers),
    sockets: socketTuning(config),
    login: loginRulesOf(name => config.get(name)),
    drainMs: config.timeMs('hot_upgrade_exit_timeout'),
    slowQueryMs: config.timeMs('slow_query_time_threshold'),
    accounts: {
      root: config.get('obproxy_sys_password'),
      inspector: config.get('inspector_password'),
      allowsPublicAddresses: config.isOn('skip_proxy_sys_private_check'),
    },
    ssl,
    trust: {
      proxyHeaders: config.get('proxy_protocol_sources'),
      clientIps: config.get('client_ip_sources'),
    },
  }
}

function modeOf(config: ConfigStore): WorkerSettings['mode'] {
  const [server] = isMysqlMode(config) ? parseRootservices(config.get('test_server_addr')) : []
  return server === undefined ? { kind: 'oceanbase' } : { kind: 'mysql', server }
}
