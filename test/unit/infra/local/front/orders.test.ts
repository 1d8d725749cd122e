/** Orders as they come over the control channel. */
import { expect, test } from 'vitest'
import { parseOrder } from '../../../../../infra/local/front/orders.ts'

test.each([
  [{ kind: 'stop' }],
  [{ kind: 'not-master' }],
  [{ kind: 'lose-commit-before' }],
  [{ kind: 'lose-commit-after' }],
  [{ kind: 'fail-next', errno: 5001 }],
  [{ kind: 'fail-next', errno: 5001, status: 0x23 }],
  [{ kind: 'delay', delayMs: 20 }],
  [{ kind: 'refuse' }],
  [{ kind: 'half-open' }],
  [{ kind: 'flap', downMs: 10, upMs: 20 }],
])('%j is an order', value => {
  expect(parseOrder({ ...value, more: 1 })).toEqual(value)
})

test.each([
  [undefined, /kind must be one of normal, stop/],
  [null, /kind must/],
  ['stop', /kind must/],
  [{ kind: 'explode' }, /kind must/],
  [{ kind: 'fail-next' }, /errno, 1 to 65535/],
  [{ kind: 'fail-next', errno: 70_000 }, /errno/],
  [{ kind: 'fail-next', errno: 1, status: -1 }, /status of fail-next/],
  [{ kind: 'delay', delayMs: -1 }, /delayMs/],
  [{ kind: 'delay', delayMs: '5' }, /delayMs/],
  [{ kind: 'flap', downMs: 10 }, /downMs and upMs/],
  [{ kind: 'flap', downMs: 0, upMs: 1 }, /downMs and upMs/],
])('%j is none, and the answer says why', (value, reason) => {
  expect(parseOrder(value)).toMatch(reason)
})
