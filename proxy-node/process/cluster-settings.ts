/** The parameters of routing (proxy-routing.md §11) as values for clusters, workers and sessions. */
import type { ParameterReader } from '../config/reader.ts'
import { parseTargets } from '../routing/forced.ts'
import { followerPolicy } from '../routing/orders.ts'
import { parsePrimaryZone } from '../routing/primary-zone.ts'
import type { RoutingSettings, ServerGroups } from '../routing/view.ts'
import { parseRootservices } from '../topology/cluster.ts'
import type { NodeClustersSettings } from './node-clusters.ts'
import type { WorkerClusterSettings } from './worker-clusters.ts'

/** Of `routing_cache_mem_limited`, what the supervisor's picture may take; workers share the rest. */
const SUPERVISOR_SHARE = 0.75
/** What an entry takes in a worker, more or less. */
const WORKER_ENTRY_BYTES = 1024
const LEAST_ENTRIES = 16

export function clusterSettings(config: ParameterReader): NodeClustersSettings {
  return {
    locations: {
      refreshGapMs: config.timeMs('delay_update_entry_interval'),
      isAsync: config.isOn('enable_async_pull_location_cache'),
      normal: config.number('normal_pl_update_threshold'),
      slow: config.number('limited_pl_update_threshold'),
      prunes: config.isOn('enable_partition_table_route'),
      expiryMs: locationExpiryMs(config),
      tenantAgeMs: config.timeMs('tenant_location_valid_time'),
    },
    blacklist: {
      failureThreshold: config.number('congestion_failure_threshold'),
      failWindowMs: config.timeMs('congestion_fail_window'),
      retryIntervalMs: config.timeMs('congestion_retry_interval'),
      minKeepMs: config.timeMs('min_keep_congestion_interval'),
      detectMode: config.number('server_detect_mode'),
      detectFailThreshold: config.number('server_detect_fail_threshold'),
    },
    detection: {
      detectMode: config.number('server_detect_mode'),
      intervalMs: config.timeMs('server_detect_refresh_interval'),
      timeoutMs: config.timeMs('detect_server_timeout'),
    },
    refreshIntervalMs: config.timeMs('server_state_refresh_interval'),
    checksLocality: config.isOn('check_tenant_locality_change'),
    cleanIntervalMs: config.timeMs('cache_cleaner_clean_interval'),
    checksRole: config.isOn('enable_standby'),
    maxClusters: config.number('cluster_count_high_water_mark'),
    expiryMs: config.timeMs('cluster_expire_time'),
    maxBytes: config.number('routing_cache_mem_limited') * SUPERVISOR_SHARE,
  }
}

/** 0: never. In test operation `location_expire_period`, which is in milliseconds. */
function locationExpiryMs(config: ParameterReader): number {
  const tested = config.isOn('enable_qa_mode') ? config.number('location_expire_period') : 0
  return tested > 0 ? tested : config.timeMs('location_expire_period_time')
}

/** Of each of so many workers. */
export function workerClusterSettings(
  config: ParameterReader,
  workers: number,
): WorkerClusterSettings {
  const bytes = (config.number('routing_cache_mem_limited') * (1 - SUPERVISOR_SHARE)) / workers
  return {
    maxEntries: Math.max(LEAST_ENTRIES, Math.floor(bytes / WORKER_ENTRY_BYTES)),
    detectMode: config.number('server_detect_mode'),
    retryIntervalMs: config.timeMs('congestion_retry_interval'),
    tenantAgeMs: config.timeMs('tenant_location_valid_time'),
    staleAgeMs: config.timeMs('read_stale_remove_interval'),
    cleanIntervalMs: config.timeMs('cache_cleaner_clean_interval'),
  }
}

export function routingSettings(config: ParameterReader): RoutingSettings {
  return {
    mode: modeOf(config.get('server_routing_mode')),
    testServers: parseRootservices(config.get('test_server_addr')),
    enableCongestion: config.isOn('enable_congestion'),
    enablePrimaryZone: config.isOn('enable_primary_zone'),
    enableCachedServer: config.isOn('enable_cached_server'),
    enableSingleLeaderNodeRouting: config.isOn('enable_single_leader_node_routing'),
    enableReadWriteSplit: config.isOn('enable_read_write_split'),
    enableTransactionSplit: config.isOn('enable_transaction_split'),
    proxyPrimaryZones: parsePrimaryZone(config.get('proxy_primary_zone_name')),
    proxyRoutePolicy: followerPolicy(config.get('proxy_route_policy')),
    maxRetries: config.number('connect_observer_max_retries'),
    avoidsStaleReplicas:
      config.number('ob_max_read_stale_time') >= 0 && config.isOn('enable_weak_reroute'),
    staleRetryMs: config.timeMs('read_stale_retry_interval'),
    staleRemoveMs: config.timeMs('read_stale_remove_interval'),
    enableReroute: config.isOn('enable_reroute'),
    enableWeakReroute: config.isOn('enable_weak_reroute'),
  }
}

export function targetServers(config: ParameterReader): ServerGroups {
  return parseTargets(config.get('target_db_server')) ?? []
}

function modeOf(text: string): RoutingSettings['mode'] {
  return text === 'random' || text === 'mock' || text === 'mysql' ? text : 'oceanbase'
}
