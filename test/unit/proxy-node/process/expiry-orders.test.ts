import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { takeExpiryOrders } from '../../../../proxy-node/process/expiry-orders.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const NAME = 'partition_location_expire_relative_time'

let folder = ''
let clock: HandClock
let expired: number[]

const start = (overrides: ReadonlyMap<string, string> = new Map()) => {
  const config = ConfigStore.open(folder, overrides)
  takeExpiryOrders({ config, clock, clusters: { expire: ms => expired.push(ms) } })
  return config
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-expiry-'))
  clock = new HandClock()
  expired = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.each(['1', '-60000', '36000000'])('%s ms are carried out once and are 0 again', async text => {
  const config = start()

  config.alter([[NAME, text]])
  await clock.pass(0)
  await clock.pass(60_000)

  expect(expired).toEqual([Number(text)])
  expect(config.number(NAME)).toBe(0)
})

test('0 is no order, and what came with the start is none', async () => {
  const config = start(new Map([[NAME, '5']]))
  expect(config.number(NAME)).toBe(0)
  config.alter([[NAME, '0']])
  await clock.pass(0)

  expect(expired).toEqual([])
})

test('a second order before the first is carried out is the one that counts', async () => {
  const config = start()
  config.alter([[NAME, '5']])
  config.alter([[NAME, '7']])
  await clock.pass(0)

  expect(expired).toEqual([7])
})

test('tables are asked for anew when partitions are to be computed from now on, or no more', () => {
  const config = start()
  config.alter([['enable_partition_table_route', 'false']])
  config.alter([['enable_partition_table_route', 'true']])

  expect(expired).toEqual([0, 0])
})
