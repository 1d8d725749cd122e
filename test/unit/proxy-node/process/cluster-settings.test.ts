import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PARAMETERS } from '#contract/parameters'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import {
  clusterSettings,
  routingSettings,
  targetServers,
  workerClusterSettings,
} from '../../../../proxy-node/process/cluster-settings.ts'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'

const MB = 1024 * 1024

let folder: string
let config: ConfigStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-clusters-'))
  config = ConfigStore.open(folder, new Map())
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('the defaults of parameters are those that clusters are tested with', () => {
  expect(clusterSettings(config)).toEqual(CLUSTER_DEFAULTS)
})

test.each([
  ['delay_update_entry_interval', '7s', { locations: { refreshGapMs: 7_000 } }],
  ['enable_async_pull_location_cache', 'false', { locations: { isAsync: false } }],
  ['normal_pl_update_threshold', '7', { locations: { normal: 7 } }],
  ['limited_pl_update_threshold', '7', { locations: { slow: 7 } }],
  ['enable_partition_table_route', 'false', { locations: { prunes: false } }],
  ['location_expire_period_time', '7d', { locations: { expiryMs: 604_800_000 } }],
  ['tenant_location_valid_time', '7s', { locations: { tenantAgeMs: 7_000 } }],
  ['congestion_failure_threshold', '7', { blacklist: { failureThreshold: 7 } }],
  ['congestion_fail_window', '7s', { blacklist: { failWindowMs: 7_000 } }],
  ['congestion_retry_interval', '7s', { blacklist: { retryIntervalMs: 7_000 } }],
  ['min_keep_congestion_interval', '7s', { blacklist: { minKeepMs: 7_000 } }],
  ['server_detect_fail_threshold', '7', { blacklist: { detectFailThreshold: 7 } }],
  ['server_detect_mode', '2', { blacklist: { detectMode: 2 }, detection: { detectMode: 2 } }],
  ['server_detect_refresh_interval', '7s', { detection: { intervalMs: 7_000 } }],
  ['detect_server_timeout', '7s', { detection: { timeoutMs: 7_000 } }],
  ['server_state_refresh_interval', '7s', { refreshIntervalMs: 7_000 }],
  ['check_tenant_locality_change', 'false', { checksLocality: false }],
  ['cache_cleaner_clean_interval', '7s', { cleanIntervalMs: 7_000 }],
  ['enable_standby', 'false', { checksRole: false }],
  ['cluster_count_high_water_mark', '7', { maxClusters: 7 }],
  ['cluster_expire_time', '7s', { expiryMs: 7_000 }],
  ['routing_cache_mem_limited', '512MB', { maxBytes: 384 * MB }],
])('%s = %s is in force at once', (name, text, expected) => {
  config.alter([[name, text]])

  expect(PARAMETERS.get(name)).toMatchObject({ takesEffect: true, needsRestart: false })
  expect(clusterSettings(config)).toMatchObject(expected)
})

test('locations expire by milliseconds in test operation only', () => {
  config.alter([
    ['location_expire_period_time', '1h'],
    ['location_expire_period', '1500'],
  ])
  expect(clusterSettings(config).locations.expiryMs).toBe(3_600_000)

  config.alter([['enable_qa_mode', 'true']])
  expect(clusterSettings(config).locations.expiryMs).toBe(1_500)

  config.alter([['location_expire_period', '0']])
  expect(clusterSettings(config).locations.expiryMs).toBe(3_600_000)
})

test.each([
  [1, '128MB', 32_768],
  [4, '128MB', 8_192],
  [4, '1KB', 16],
])('%i workers share a quarter of %s: %i entries each', (workers, limit, entries) => {
  config.alter([['routing_cache_mem_limited', limit]])
  expect(workerClusterSettings(config, workers).maxEntries).toBe(entries)
})

test.each([
  ['server_detect_mode', '0', { detectMode: 0 }],
  ['congestion_retry_interval', '7s', { retryIntervalMs: 7_000 }],
  ['tenant_location_valid_time', '7s', { tenantAgeMs: 7_000 }],
  ['read_stale_remove_interval', '7s', { staleAgeMs: 7_000 }],
  ['cache_cleaner_clean_interval', '7s', { cleanIntervalMs: 7_000 }],
])('%s = %s is in force at once in each worker', (name, text, expected) => {
  config.alter([[name, text]])

  expect(PARAMETERS.get(name)).toMatchObject({ takesEffect: true, needsRestart: false })
  expect(workerClusterSettings(config, 2)).toMatchObject(expected)
})

test.each([
  ['enable_congestion', 'false', { enableCongestion: false }],
  ['enable_primary_zone', 'false', { enablePrimaryZone: false }],
  ['enable_cached_server', 'false', { enableCachedServer: false }],
  ['enable_single_leader_node_routing', 'false', { enableSingleLeaderNodeRouting: false }],
  ['enable_read_write_split', 'true', { enableReadWriteSplit: true }],
  ['enable_transaction_split', 'true', { enableTransactionSplit: true }],
  ['proxy_primary_zone_name', 'z1,z2;z3', { proxyPrimaryZones: [['z1', 'z2'], ['z3']] }],
  ['proxy_route_policy', 'FOLLOWER_ONLY', { proxyRoutePolicy: 'FOLLOWER_ONLY' }],
  ['connect_observer_max_retries', '5', { maxRetries: 5 }],
  ['ob_max_read_stale_time', '5000000', { avoidsStaleReplicas: true }],
  ['read_stale_retry_interval', '7s', { staleRetryMs: 7_000 }],
])('%s = %s is in force at once for statements', (name, text, expected) => {
  config.alter([[name, text]])

  expect(PARAMETERS.get(name)).toMatchObject({ takesEffect: true, needsRestart: false })
  expect(routingSettings(config)).toMatchObject(expected)
})

test('stale replicas are of no matter when weak reads are not to be moved', () => {
  config.alter([
    ['ob_max_read_stale_time', '5000000'],
    ['enable_weak_reroute', 'false'],
  ])
  expect(routingSettings(config).avoidsStaleReplicas).toBe(false)
})

test('forced targets are groups', () => {
  expect(targetServers(config)).toEqual([])
  config.alter([['target_db_server', '10.0.0.1:2881,10.0.0.2:2881;10.0.0.3:2881']])
  expect(targetServers(config).map(({ length }) => length)).toEqual([2, 1])
})
