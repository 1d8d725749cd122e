import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { takeRefreshOrders } from '../../../../proxy-node/process/refresh-orders.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const NAMES = ['refresh_json_config', 'refresh_rslist', 'refresh_idc_list']
let folder = ''
let clock: HandClock
let taken: string[] = []

const start = (overrides: ReadonlyMap<string, string> = new Map()) => {
  const config = ConfigStore.open(folder, overrides)
  takeRefreshOrders({
    config,
    clock,
    directory: {
      refresh: what => {
        taken.push(what)
        return Promise.resolve()
      },
    },
  })
  return config
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-refresh-'))
  clock = new HandClock()
  taken = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['refresh_json_config', 'cluster-list'],
  ['refresh_rslist', 'root-services'],
  ['refresh_idc_list', 'idcs'],
])('%s is carried out once and is off again', async (name, what) => {
  const config = start()

  config.alter([[name, 'true']])
  await clock.pass(0)
  await clock.pass(60_000)

  expect(taken).toEqual([what])
  expect(config.isOn(name)).toBe(false)
})

test('all of one statement are carried out', async () => {
  const config = start()

  config.alter(NAMES.map(name => [name, 'true'] as const))
  await clock.pass(0)

  expect(taken).toEqual(['cluster-list', 'root-services', 'idcs'])
})

test('what came with the start is no order', async () => {
  const config = start(new Map([['refresh_rslist', 'True']]))
  await clock.pass(0)

  expect(taken).toEqual([])
  expect(config.isOn('refresh_rslist')).toBe(false)
})

test('turning off is no order', async () => {
  start().alter([['refresh_rslist', 'false']])
  await clock.pass(0)

  expect(taken).toEqual([])
})
