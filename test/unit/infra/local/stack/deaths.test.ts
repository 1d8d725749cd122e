/** When a service of the stack counts as one that dies by itself. */
import { expect, test } from 'vitest'
import { deathsWith } from '../../../../../infra/local/stack/services.ts'

type End = Parameters<typeof deathsWith>[1]['end']

/** Deaths that count after an hour of lives of that length. */
function afterAnHour(lifeMs: number, end: End): number {
  let deaths: readonly number[] = []
  for (let now = lifeMs; now < 3_600_000; now += lifeMs)
    deaths = deathsWith(deaths, { since: now - lifeMs, now, end })
  return deaths.length
}

test.each([
  ['fails every six seconds', 6_000, [1, null] as const, 10],
  ['crashes every six seconds', 6_000, [null, 'SIGSEGV'] as const, 10],
  ['is killed as soon as it lives', 1_000, [null, 'SIGKILL'] as const, 60],
  ['is killed every six seconds', 6_000, [null, 'SIGKILL'] as const, 0],
  ['ends when it is asked to', 6_000, [0, null] as const, 0],
])('one that %s has its deaths of a minute counted', (_name, lifeMs, end, count) => {
  expect(afterAnHour(lifeMs, end)).toBe(count)
})
