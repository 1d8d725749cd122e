import { expect, test } from 'vitest'
import { lookout } from '../../../../proxy-node/control/watch.ts'

/** Looks every 100 ms of `lasting` milliseconds. */
function looks(lasting: number, pidAt: (now: number) => number | undefined) {
  let scans = 0
  let now = 0
  const look = lookout(
    () => {
      scans++
      return pidAt(now)
    },
    pid => pid === pidAt(now) || (pid === 1 && pidAt(now) === 2),
  )
  const seen: (number | undefined)[] = []
  for (now = 0; now < lasting; now += 100) seen.push(look(now))
  return { seen, scans }
}

test('a proxy that runs is looked for once a second, not with each look', () => {
  const { seen, scans } = looks(10_000, () => 1)
  expect(new Set(seen)).toEqual(new Set([1]))
  expect(scans).toBe(10)
})

const PIDS = [1, 1, 1, undefined, undefined, 3, 3, 3, 3, 3]

test('its end is seen at once, and so is the next one', () => {
  const { seen } = looks(1_000, now => PIDS[now / 100])
  expect(seen.slice(2, 6)).toEqual([1, undefined, undefined, 3])
})

test('one that takes over from it while it runs is seen within a second', () => {
  const { seen } = looks(2_500, now => (now < 300 ? 1 : 2))
  expect(seen[9]).toBe(1)
  expect(seen[10]).toBe(2)
})
