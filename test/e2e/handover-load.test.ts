/** A few hot restarts under clients that come and go and clients that stay; test/long has a hundred. */
import { expect, test } from 'vitest'
import { judged } from '../support/handover-load.ts'

test('5 hot restarts under 48 reconnecting and 200 pooled clients', async () => {
  const { load, pids, cutEarly } = await judged('127.16.5.1', 5)

  expect(pids.size).toBe(6)
  expect(load.failedConnects).toEqual([])
  expect(load.strange).toEqual([])
  expect(cutEarly).toEqual([])
  expect(load.connects).toBeGreaterThan(1000)
  expect(load.transactions).toBeGreaterThan(500)
  // Each restart has each of the pool connect anew.
  expect(load.closedBetween + load.cutAt.length).toBeGreaterThanOrEqual(200 * 4)
})
