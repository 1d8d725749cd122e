/** A few hot restarts under clients that come and go and clients that stay; test/long has a hundred. */
import { expect, test } from 'vitest'
import { earlyCuts, restartUnderLoad, startLoad } from '../support/handover-load.ts'
import { startRunningNode } from '../support/running-node.ts'

const RESTARTS = 5
const EXIT_TIMEOUT_MS = 3_000

test('5 hot restarts under 48 reconnecting and 200 pooled clients', async () => {
  const node = await startRunningNode(
    '127.16.5.1',
    `hot_upgrade_exit_timeout=${EXIT_TIMEOUT_MS * 1000}`,
  )
  const { load, stop } = startLoad({ node, reconnecting: 48, pooled: 200, thinkMs: 40 })

  const restarts = await restartUnderLoad(node, RESTARTS)
  await stop()
  await node.stop()

  expect(new Set(restarts.pids).size).toBe(RESTARTS + 1)
  expect(load.failedConnects).toEqual([])
  expect(load.strange).toEqual([])
  expect(earlyCuts(load, restarts, EXIT_TIMEOUT_MS)).toEqual([])
  expect(load.connects).toBeGreaterThan(500)
  expect(load.transactions).toBeGreaterThan(500)
  // Each restart has each of the pool connect anew.
  expect(load.closedBetween + load.cutAt.length).toBeGreaterThanOrEqual(200 * (RESTARTS - 1))
})
