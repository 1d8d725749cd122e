/** ALTER PROXYCONFIG → what workers are told at once: the limits of §9. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { PARAMETERS } from '#contract/parameters'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { sessionSettings, socketTuning } from '../../../../proxy-node/process/session-settings.ts'
import { DEFAULT_SETTINGS } from '../../../../proxy-node/session/peers.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function config(): ConfigStore {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-settings-'))
  folders.push(folder)
  return ConfigStore.open(folder, new Map())
}

test('the defaults of parameters are those that sessions have without a configuration', () => {
  expect(sessionSettings(config(), 1)).toEqual(DEFAULT_SETTINGS)
})

test.each([
  ['client_login_timeout', '2500ms', { loginTimeoutMs: 2500 }],
  ['client_login_max_size', '8KB', { maxLoginBytes: 8192 }],
  ['client_login_max_connections', '10', { maxLogins: 3 }],
  ['client_login_max_connections_per_ip', '9', { maxLoginsPerAddress: 3 }],
  ['client_login_max_connections', '0', { maxLogins: 0 }],
  ['enable_client_connection_lru_disconnect', 'true', { evictsIdle: true }],
  ['default_inactivity_timeout', '1h', { inactivitySeconds: 3600 }],
  ['min_congested_connect_timeout', '2s', { minConnectingMs: 2_000 }],
  ['enable_cluster_checkout', 'false', { checksCluster: false }],
  ['obproxy_read_only', '0', { isReadOnly: true }],
  ['obproxy_read_consistency', '1', { readsWeakly: true }],
  ['tunnel_request_size_threshold', '1MB', { wholeBytes: 1_048_576 }],
  // What is analysed has come.
  ['tunnel_request_size_threshold', '1KB', { wholeBytes: 4096 }],
  ['request_buffer_length', '16KB', { analysedBytes: 16_384, wholeBytes: 16_384 }],
  ['enable_bad_route_reject', 'true', { rejectsUnroutable: true }],
  ['init_sql', 'SET a = 1; SET b = 2;', { initSql: ['SET a = 1', 'SET b = 2'] }],
])('%s = %s is in force at once, on each of four workers', (name, text, expected) => {
  const store = config()
  store.alter([[name, text]])

  expect(PARAMETERS.get(name)).toMatchObject({ takesEffect: true, needsRestart: false })
  expect(sessionSettings(store, 4)).toMatchObject(expected)
})

test.each([
  [
    'ob_max_read_stale_time',
    '5000000',
    { maxReadStaleUs: 5_000_000, routing: { avoidsStaleReplicas: true } },
  ],
  ['enable_reroute', 'true', { routing: { enableReroute: true } }],
  [
    'enable_weak_reroute',
    'false',
    { routing: { enableWeakReroute: false, avoidsStaleReplicas: false } },
  ],
])('%s = %s says when a server may name a better one', (name, text, expected) => {
  const store = config()
  store.alter([[name, text]])

  expect(sessionSettings(store, 1)).toMatchObject(expected)
})

test('init_sql other than SET is refused with its code, and the old one kept', () => {
  const store = config()
  store.alter([['init_sql', 'SET a = 1']])

  expect(() => store.alter([['init_sql', 'SET a = 1; DELETE FROM t']])).toThrow(
    expect.objectContaining({ code: 'config.invalid-value' }),
  )
  expect(store.get('init_sql')).toBe('SET a = 1')
})

test('what the system does with new connections', () => {
  const store = config()
  store.alter([
    ['client_sock_option_flag_out', '1'],
    ['client_tcp_keepidle', '60'],
    ['client_tcp_keepintvl', '7'],
    ['client_tcp_keepcnt', '3'],
    ['client_tcp_user_timeout', '20'],
    ['sock_option_flag_out', '2'],
    ['server_tcp_keepidle', '0'],
  ])

  expect(socketTuning(store)).toEqual({
    clients: {
      isNoDelay: true,
      isKeptAlive: false,
      idleSeconds: 60,
      intervalSeconds: 7,
      probes: 3,
      userTimeoutSeconds: 20,
    },
    servers: {
      isNoDelay: false,
      isKeptAlive: true,
      idleSeconds: 0,
      intervalSeconds: 5,
      probes: 5,
      userTimeoutSeconds: 0,
    },
  })
})
