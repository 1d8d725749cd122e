import { describe, expect, test } from 'vitest'
import { connectionIds } from '../../../../proxy-node/process/connection-ids.ts'

const many = (range: Parameters<typeof connectionIds>[0], count: number) => {
  const next = connectionIds(range)
  return Array.from({ length: count }, next)
}

describe('connection ids', () => {
  test('differ over workers, starts and nodes, and keep bit 31 free', () => {
    const seen = new Set<number>()
    let made = 0
    for (const proxyId of [0, 1, 8191])
      for (const parity of [0, 1] as const)
        for (const worker of [0, 1, 2]) {
          const ids = many({ proxyId, parity, worker, workers: 3, start: 7 }, 5_000)
          made += ids.length
          for (const id of ids) seen.add(id)
        }

    expect(seen.size).toBe(made)
    expect(Math.max(...seen)).toBeLessThan(2 ** 31)
  })

  test('come again only after the worker has used all of its own', () => {
    const own = Math.floor(131_072 / 3)

    const ids = many({ proxyId: 1, parity: 0, worker: 2, workers: 3, start: 99 }, own + 1)

    expect(new Set(ids).size).toBe(own)
    expect(ids.at(-1)).toBe(ids[0])
  })
})
