/** What the store does while the table is busy, on a clock that is moved by hand. */
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { expect, test } from 'vitest'
import { put } from '../../../functions/domain/store.ts'
import { DynamoStore } from '../../../functions/store/dynamodb.ts'
import { cluster } from '../../support/store-contract.ts'

const CHANGES = [put('cluster', cluster('clu_a'))]

/** A table where another transaction is in flight for the first `times` commits. */
function busy(times: number) {
  let commits = 0
  const waits: number[] = []
  const client = {
    send: async () => {
      commits += 1
      if (commits <= times)
        throw new TransactionCanceledException({
          message: 'busy',
          $metadata: {},
          CancellationReasons: [{ Code: 'TransactionConflict' }],
        })
      return {}
    },
  } as unknown as DynamoDBDocumentClient
  const store = new DynamoStore(client, 'table', async ms => {
    waits.push(ms)
  })
  return { store, waits, commits: () => commits }
}

test('a commit that meets another one waits on the clock it was given, longer each time', async () => {
  const { store, waits } = busy(3)

  await store.commit(CHANGES)

  expect(waits).toHaveLength(3)
  for (const [tried, ms] of waits.entries()) {
    const most = 25 * 2 ** (tried + 1)
    expect(ms).toBeGreaterThanOrEqual(most / 2)
    expect(ms).toBeLessThanOrEqual(most * 1.5)
  }
})

test('a table that stays busy is given up after six tries', async () => {
  const { store, waits, commits } = busy(100)

  await expect(store.commit(CHANGES)).rejects.toMatchObject({ code: 'store-unavailable' })

  expect([commits(), waits.length]).toEqual([6, 5])
})
