import { describe, expect, test } from 'vitest'
import { EntryShelf } from '../../../../proxy-node/topology/entry-shelf.ts'
import type { Entry } from '../../../../proxy-node/topology/location-store.ts'

const MOST = 16_384

function entryOf(key: string, more: Partial<Entry<string>> = {}): Entry<string> {
  return {
    key,
    state: 'avail',
    value: `value|of ${key}`,
    createdAt: 1.5,
    updatedAt: 2,
    validAt: 3,
    usedAt: 4,
    size: 5,
    waiting: undefined,
    ...more,
  }
}

function filled(count: number, more: Partial<Entry<string>> = {}): EntryShelf<string> {
  const shelf = new EntryShelf<string>({ pack: value => value, unpack: text => text })
  for (let index = 0; index < count; index++) shelf.set(entryOf(`k${index}`, more))
  return shelf
}

describe('a shelf of entries', () => {
  test('gives an entry that was packed back as it was, times in whole milliseconds', () => {
    const shelf = filled(MOST + 1)

    expect(shelf.size).toBe(MOST + 1)
    expect(shelf.get('k0')).toEqual(entryOf('k0', { createdAt: 1 }))
    expect(shelf.peek('k1')).toBe('value|of k1')
    expect(shelf.size).toBe(MOST + 1)
  })

  test('gives one object for one entry as long as it is in use', () => {
    const shelf = filled(MOST + 1)
    const entry = shelf.get('k0')

    expect(shelf.get('k0')).toBe(entry)
  })

  test.each([
    ['dirty', { state: 'dirty' }],
    ['being refreshed', { state: 'updating', waiting: Promise.resolve(undefined) }],
    ['being fetched', { state: 'building', value: undefined }],
  ] as const)('packs none that is %s', (_what, more) => {
    const shelf = filled(0)
    const first = entryOf('k0', more)
    shelf.set(first)
    for (let index = 1; index <= MOST; index++) shelf.set(entryOf(`k${index}`, more))

    expect(shelf.get('k0')).toBe(first)
  })

  test('packs others though those that came first cannot be packed', () => {
    const packed: string[] = []
    const pack = (value: string) => {
      packed.push(value)
      return value
    }
    const shelf = new EntryShelf<string>({ pack, unpack: text => text })
    for (let index = 0; index < MOST / 2; index++)
      shelf.set(entryOf(`dirty${index}`, { state: 'dirty' }))

    for (let index = 0; index < MOST; index++) shelf.set(entryOf(`k${index}`))

    expect(packed.length).toBeGreaterThan(MOST / 4)
  })

  test('tells of all, loose and packed, once each', () => {
    const shelf = filled(2 * MOST)

    expect(new Set([...shelf.values()].map(({ key }) => key)).size).toBe(2 * MOST)
    expect(shelf.has('k3')).toBe(true)
    shelf.delete('k3')
    shelf.delete(`k${2 * MOST - 1}`)
    expect([shelf.has('k3'), shelf.size]).toEqual([false, 2 * MOST - 2])
  })
})
