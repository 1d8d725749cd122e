/** Rows of proxy_config → what a worker's sessions of a cluster, a tenant, an address are set to. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PARAMETERS } from '#contract/parameters'
import { loginRulesOf } from '../../../../proxy-node/auth/identity.ts'
import { storedPassword } from '../../../../proxy-node/auth/passwords.ts'
import { levelsOf, MAX_LEVEL_ROWS } from '../../../../proxy-node/config/levels.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { LevelSettings, levelNews } from '../../../../proxy-node/process/level-settings.ts'
import { sessionSettings } from '../../../../proxy-node/process/session-settings.ts'

const NO_PLACE = { vid: '-1', cluster: '', tenant: '', vip: '', vport: 0 }
const VIP = { address: '10.0.0.9', port: 2883 }
const PLACES = {
  LEVEL_CLUSTER: { cluster: 'c' },
  LEVEL_TENANT: { cluster: 'c', tenant: 't' },
  LEVEL_VIP: { vip: VIP.address, vport: VIP.port },
} as const
const WHOSE = { cluster: 'c', tenant: 't', vip: VIP }

let folder = ''
let config: ConfigStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-level-settings-'))
  config = ConfigStore.open(folder, new Map())
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

type Level = keyof typeof PLACES

const set = (level: Level, name: string, value: string) =>
  config.replaceRows([{ ...NO_PLACE, ...PLACES[level], level, name, value }])

/** As a worker has it: through a channel that carries JSON. */
function told(workers = 1): LevelSettings {
  const general = {
    sessions: sessionSettings(config, workers),
    login: loginRulesOf(name => config.get(name)),
    slowQueryMs: config.timeMs('slow_query_time_threshold'),
  }
  return new LevelSettings(JSON.parse(JSON.stringify(levelNews(config))), general, workers)
}

/** What a value makes of the settings of a session that has it. */
const OF_SESSIONS: Readonly<Record<string, readonly [value: string, expected: object]>> = {
  enable_read_write_split: ['true', { routing: { enableReadWriteSplit: true } }],
  enable_server_ssl: ['true', { usesServerTls: true }],
  enable_single_leader_node_routing: [
    'false',
    { routing: { enableSingleLeaderNodeRouting: false } },
  ],
  enable_transaction_split: ['true', { routing: { enableTransactionSplit: true } }],
  enable_weak_reroute: ['false', { routing: { enableWeakReroute: false } }],
  init_sql: ['SET a = 1', { initSql: ['SET a = 1'] }],
  ob_max_read_stale_time: ['5', { maxReadStaleUs: 5, routing: { avoidsStaleReplicas: true } }],
  obproxy_read_consistency: ['1', { readsWeakly: true }],
  obproxy_read_only: ['0', { isReadOnly: true }],
  observer_query_timeout_delta: ['3s', { queryTimeoutDeltaMs: 3_000 }],
  proxy_idc_name: ['i1', { idcName: 'i1' }],
  proxy_primary_zone_name: ['z1;z2', { routing: { proxyPrimaryZones: [['z1'], ['z2']] } }],
  proxy_route_policy: ['FOLLOWER_ONLY', { routing: { proxyRoutePolicy: 'FOLLOWER_ONLY' } }],
  read_stale_retry_interval: ['7s', { routing: { staleRetryMs: 7_000 } }],
  route_diagnosis_level: ['0', { diagnosisLevel: 0 }],
  ssl_attributes: ['{"using_ssl":"ENABLE_FORCE"}', { isTlsForced: true }],
  target_db_server: ['10.0.0.1:2881', { targets: [[{ host: '10.0.0.1', port: 2881 }]] }],
}

/** What is looked up elsewhere than in a session. */
const ELSEWHERE = [
  'observer_sys_password',
  'observer_sys_password1',
  'proxy_tenant_name',
  'rootservice_cluster_name',
  'slow_query_time_threshold',
]

test('every parameter that may have rows is looked up somewhere', () => {
  const names = [...PARAMETERS.keys()].filter(name => levelsOf(name).length > 0)
  expect([...Object.keys(OF_SESSIONS), ...ELSEWHERE].sort()).toEqual(names.sort())
})

describe.each(Object.entries(OF_SESSIONS))('%s', (name, [value, expected]) => {
  test.each(Object.keys(PLACES) as Level[])('at %s is that of its sessions alone', level => {
    set(level, name, value)
    const levels = told()

    expect(levels.of(WHOSE)).toMatchObject(expected)
    expect(levels.of(WHOSE).setBelow).toEqual([[name, level]])
    const others = levels.of({ cluster: 'd', tenant: 't', vip: { ...VIP, port: 2884 } })
    expect(others).toEqual(sessionSettings(config, 1))
  })
})

describe('settings of a session', () => {
  test('are the node’s beside what is set for it, and follow both', () => {
    config.alter([
      ['proxy_idc_name', 'everywhere'],
      ['enable_reroute', 'true'],
    ])
    set('LEVEL_TENANT', 'proxy_route_policy', 'FOLLOWER_FIRST')
    const settings = told(4).of(WHOSE)

    expect(settings).toEqual({
      ...sessionSettings(config, 4),
      routing: { ...sessionSettings(config, 4).routing, proxyRoutePolicy: 'FOLLOWER_FIRST' },
      setBelow: [['proxy_route_policy', 'LEVEL_TENANT']],
    })
  })

  test('come from the most specific place that has a row of the name', () => {
    set('LEVEL_CLUSTER', 'proxy_idc_name', 'of-cluster')
    set('LEVEL_CLUSTER', 'route_diagnosis_level', '1')
    set('LEVEL_TENANT', 'proxy_idc_name', 'of-tenant')
    set('LEVEL_VIP', 'proxy_idc_name', 'of-address')
    const levels = told()
    const idcOf = (whose: Partial<typeof WHOSE>) =>
      levels.of({ cluster: 'c', tenant: '', vip: undefined, ...whose }).idcName

    expect(idcOf({})).toBe('of-cluster')
    expect(idcOf({ tenant: 'u' })).toBe('of-cluster')
    expect(idcOf({ tenant: 't' })).toBe('of-tenant')
    expect(idcOf({ tenant: 't', vip: VIP })).toBe('of-address')
    expect(levels.of(WHOSE).setBelow).toEqual([
      ['proxy_idc_name', 'LEVEL_VIP'],
      ['route_diagnosis_level', 'LEVEL_CLUSTER'],
    ])
  })

  test('are one object for all sessions of the same rows, the node’s where there are none', () => {
    for (let at = 0; at < MAX_LEVEL_ROWS; at += 200)
      config.replaceRows(
        Array.from({ length: 200 }, (_row, row) => ({
          ...NO_PLACE,
          cluster: 'c',
          tenant: `t${at + row}`,
          level: 'LEVEL_TENANT',
          name: 'proxy_idc_name',
          value: `i${at + row}`,
        })),
      )
    const levels = told()
    const of = (tenant: string) => levels.of({ cluster: 'c', tenant, vip: undefined })

    expect(of('t9999').idcName).toBe('i9999')
    expect(of('t9999')).toBe(of('t9999'))
    expect(of('none')).toBe(levels.of({ cluster: 'd', tenant: 'none', vip: VIP }))
  })
})

describe('before it is known who logs in', () => {
  test('the address says which cluster and tenant are meant', () => {
    set('LEVEL_VIP', 'proxy_tenant_name', 'app')
    set('LEVEL_VIP', 'rootservice_cluster_name', 'east')
    const levels = told()

    expect(levels.loginRules(VIP)).toMatchObject({ tenantName: 'app', clusterName: 'east' })
    expect(levels.loginRules(undefined)).toEqual(loginRulesOf(name => config.get(name)))
  })
})

test('slow is what takes longer than the tenant allows, else its cluster, else the node', () => {
  config.alter([['slow_query_time_threshold', '1s']])
  set('LEVEL_CLUSTER', 'slow_query_time_threshold', '2s')
  set('LEVEL_TENANT', 'slow_query_time_threshold', '3s')
  const levels = told()

  expect([levels.slowMs('c', 't'), levels.slowMs('c', 'u'), levels.slowMs('d', 't')]).toEqual([
    3_000, 2_000, 1_000,
  ])
})

test('no secret leaves the supervisor', () => {
  config.alter([['obproxy_sys_password', 'secret']])
  set('LEVEL_CLUSTER', 'observer_sys_password', 'secret')
  set('LEVEL_TENANT', 'proxy_idc_name', 'i1')

  expect(JSON.stringify(levelNews(config))).not.toContain(storedPassword('secret'))
  expect(levelNews(config).places).toHaveLength(1)
})
