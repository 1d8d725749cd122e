import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { workerSettings } from '../../../../proxy-node/process/worker-settings.ts'

const NO_TLS = { cert: '', key: '', minVersion: 'TLSv1.2', server: null } as const

const folder = mkdtempSync(join(tmpdir(), 'obfleet-worker-settings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Of a node that has not been there before. */
function settings(overrides: Readonly<Record<string, string>>, workers = 1) {
  const config = ConfigStore.open(
    mkdtempSync(join(folder, 'node-')),
    new Map(Object.entries(overrides)),
  )
  return workerSettings(config, workers, NO_TLS)
}

describe('the settings of a worker', () => {
  test.each([
    [10, 1, 10],
    [10, 4, 3],
    [0, 4, Number.MAX_SAFE_INTEGER],
  ])('of %i clients a node each of %i workers takes %i', (most, workers, share) => {
    const { maxSessions } = settings({ client_max_connections: String(most) }, workers)

    expect(maxSessions).toBe(share)
  })

  test('name the server of mysql mode, where there is one', () => {
    const mode = { server_routing_mode: 'mysql' }

    expect(settings({ ...mode, test_server_addr: '10.0.0.1:3306' }).mode).toEqual({
      kind: 'mysql',
      server: { host: '10.0.0.1', port: 3306 },
    })
    expect(settings(mode).mode).toEqual({ kind: 'oceanbase' })
    expect(settings({ test_server_addr: '10.0.0.1:3306' }).mode).toEqual({ kind: 'oceanbase' })
  })

  test('cross a channel that carries JSON', () => {
    const told = settings({})

    expect(JSON.parse(JSON.stringify(told))).toEqual(told)
  })
})
