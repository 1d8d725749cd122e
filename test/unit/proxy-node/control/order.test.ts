import { expect, test } from 'vitest'
import { EXECUTION_TIMEOUT_SEC } from '../../../../infra/documents.ts'
import { admit, LOCK_WAIT_MS, VERB_MS } from '../../../../proxy-node/control/order.ts'

const ENTRY = { operationId: 'op_x', step: 'start', attempt: 1, fence: 3 }
const NOW = 1_800_000_000_000

test.each([
  [{ expiresAt: NOW }, ENTRY, 3],
  [{ expiresAt: NOW + 9 }, { ...ENTRY, expiresAt: NOW }, 2],
])('an order is let in until it expires: %j', (order, entry, seen) => {
  expect(() => admit(order, entry, seen, NOW)).not.toThrow()
})

test.each([
  ['order.expired', { expiresAt: NOW - 1 }, ENTRY, 3],
  ['order.expired', { expiresAt: NOW + 9 }, { ...ENTRY, expiresAt: NOW - 1 }, 3],
  ['order.expired', { expiresAt: NOW - 1 }, { ...ENTRY, expiresAt: NOW + 9 }, 3],
  ['order.fenced', { expiresAt: NOW }, ENTRY, 4],
])('%s: %j', (code, order, entry, seen) => {
  expect(() => admit(order, entry, seen, NOW)).toThrow(expect.objectContaining({ code }))
})

test('a verb, and one that waits for it, end with an answer before the document kills them', () => {
  const toAnswerAndReportMs = 30_000

  expect(VERB_MS + toAnswerAndReportMs).toBeLessThanOrEqual(EXECUTION_TIMEOUT_SEC * 1000)
  expect(LOCK_WAIT_MS).toBeLessThan(VERB_MS)
})
