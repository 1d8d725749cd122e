/** Run by `npm run test:long`: what a hot restart must never do, a hundred times. */
import { expect, test } from 'vitest'
import { judged } from '../support/handover-load.ts'

test('100 hot restarts under 48 reconnecting and 200 pooled clients', async () => {
  const { load, cutEarly, longestMs } = await judged('127.16.5.2', 100)
  console.log(
    `100 restarts: ${load.connects} connects, ${load.failedConnects.length} refused or reset, ` +
      `${load.statements} statements, ${load.transactions} transactions, ` +
      `${load.cutAt.length} and ${load.cutLoginAt.length} logins cut at a deadline, ` +
      `${cutEarly.length} before; clients were held up ${load.longestStallMs} ms at most; ` +
      `${load.closedBetween} closed between transactions, ${load.lostBeforeQuery} before a first query; ` +
      `the longest restart took ${longestMs} ms`,
  )

  expect(load.failedConnects).toEqual([])
  expect(load.strange).toEqual([])
  expect(cutEarly).toEqual([])
})
