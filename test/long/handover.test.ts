/** Run by `npm run test:long`: what a hot restart must never do, a hundred times. */
import { expect, test } from 'vitest'
import { earlyCuts, restartUnderLoad, startLoad } from '../support/handover-load.ts'
import { startRunningNode } from '../support/running-node.ts'

const RESTARTS = 100
const EXIT_TIMEOUT_MS = 3_000

test('100 hot restarts under 48 reconnecting and 200 pooled clients', async () => {
  const node = await startRunningNode(
    '127.16.5.2',
    `hot_upgrade_exit_timeout=${EXIT_TIMEOUT_MS * 1000}`,
  )
  const { load, stop } = startLoad({ node, reconnecting: 48, pooled: 200, thinkMs: 40 })

  const restarts = await restartUnderLoad(node, RESTARTS)
  await stop()
  await node.stop()
  const cuts = earlyCuts(load, restarts, EXIT_TIMEOUT_MS)
  console.log(
    `${RESTARTS} restarts: ${load.connects} connects, ${load.failedConnects.length} refused or reset, ` +
      `${load.transactions} transactions, ${load.cutAt.length} cut at a deadline, ${cuts.length} before; ` +
      `${load.closedBetween} closed between transactions, ${load.lostBeforeQuery} before a first query; ` +
      `the longest restart took ${restarts.longestMs} ms`,
  )

  expect(new Set(restarts.pids).size).toBeGreaterThan(RESTARTS / 2)
  expect(load.failedConnects).toEqual([])
  expect(load.strange).toEqual([])
  expect(cuts).toEqual([])
})
