import { describe, expect, test } from 'vitest'
import { StaleReplicas } from '../../../../proxy-node/routing/stale-replicas.ts'

const RETRY_MS = 5_000

describe('stale replicas (§7.8)', () => {
  test('a replica is avoided for the retry interval, and no longer', () => {
    const stale = new StaleReplicas()
    stale.told('t/1', 'a', 1_000)

    expect(stale.isStale('t/1', 'a', 5_999, RETRY_MS)).toBe(true)
    expect(stale.isStale('t/1', 'a', 6_000, RETRY_MS)).toBe(false)
  })

  test('another partition on the server, and another server, are not', () => {
    const stale = new StaleReplicas()
    stale.told('t/1', 'a', 1_000)

    expect(stale.isStale('t/2', 'a', 1_001, RETRY_MS)).toBe(false)
    expect(stale.isStale('t/1', 'b', 1_001, RETRY_MS)).toBe(false)
  })

  test('what is told again is avoided from then on', () => {
    const stale = new StaleReplicas()
    stale.told('t/1', 'a', 1_000)
    stale.told('t/1', 'a', 5_000)

    expect(stale.isStale('t/1', 'a', 9_999, RETRY_MS)).toBe(true)
  })

  test('records vanish after their age, oldest first', () => {
    const stale = new StaleReplicas()
    stale.told('t/1', 'a', 1_000)
    stale.told('t/2', 'a', 2_000)
    stale.told('t/1', 'a', 3_000)

    stale.sweep(12_500, 10_000)

    expect([...stale.all()]).toEqual([{ locationKey: 't/1', server: 'a', sinceMs: 3_000 }])
  })

  test('there are never more than ten thousand', () => {
    const stale = new StaleReplicas()

    for (let index = 0; index < 10_001; index++) stale.told(`t/${index}`, 'a', index)

    expect(stale.size).toBe(10_000)
    expect(stale.isStale('t/0', 'a', 1, RETRY_MS)).toBe(false)
    expect(stale.isStale('t/10000', 'a', 10_001, RETRY_MS)).toBe(true)
  })
})
