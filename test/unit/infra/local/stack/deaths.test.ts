/** When a service of the stack counts as one that dies by itself. */
import { expect, test } from 'vitest'
import { deathsWith } from '../../../../../infra/local/stack/services.ts'

type End = Parameters<typeof deathsWith>[1]['end']

/** Deaths that count after an hour of lives of that length. */
function afterAnHour(
  lifeMs: number,
  { wasReady, end }: { readonly wasReady: boolean; readonly end: End },
): number {
  let deaths: readonly number[] = []
  for (let now = lifeMs; now < 3_600_000; now += lifeMs)
    deaths = deathsWith(deaths, { wasReady, now, end })
  return deaths.length
}

test.each([
  ['fails every six seconds', 6_000, { wasReady: true, end: [1, null] as End }, 10],
  ['crashes every six seconds', 6_000, { wasReady: true, end: [null, 'SIGSEGV'] as End }, 10],
  ['is killed before it is ready', 1_000, { wasReady: false, end: [null, 'SIGKILL'] as End }, 60],
  ['is killed as soon as it is ready', 1_000, { wasReady: true, end: [null, 'SIGKILL'] as End }, 0],
  ['ends when it is asked to', 6_000, { wasReady: true, end: [0, null] as End }, 0],
  ['ends before it is ready', 6_000, { wasReady: false, end: [0, null] as End }, 10],
])('one that %s has its deaths of a minute counted', (_name, lifeMs, death, count) => {
  expect(afterAnHour(lifeMs, death)).toBe(count)
})
