import { expect, test } from 'vitest'
import { admit } from '../../../../proxy-node/control/order.ts'

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
