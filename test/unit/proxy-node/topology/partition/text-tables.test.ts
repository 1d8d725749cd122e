/** Tables that texts are converted and compared by: what is in them, and that no statement waits for them. */
import { inflateRawSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { bytesOfText } from '../../../../../proxy-node/topology/partition/charsets.ts'
import { collationOf } from '../../../../../proxy-node/topology/partition/collations.ts'
import { makeTextTables } from '../../../../../proxy-node/topology/partition/text-tables.ts'
import { TextWeights } from '../../../../../proxy-node/topology/partition/text-weights.ts'

vi.mock('node:zlib', async original => {
  const zlib = await original<typeof import('node:zlib')>()
  return { ...zlib, inflateRawSync: vi.fn(zlib.inflateRawSync) }
})

afterEach(() => vi.unstubAllGlobals())

/** One of each table. */
const COLLATIONS = [45, 224, 246, 255]

describe('the tables', () => {
  test('are made once, before the first text', () => {
    makeTextTables()
    const unpacked = vi.mocked(inflateRawSync).mock.calls.length
    vi.stubGlobal('TextDecoder', undefined)
    const weights = new TextWeights()

    makeTextTables()
    for (const id of COLLATIONS) {
      const collation = collationOf(id)
      if (collation === undefined) throw new Error(`no collation ${id}`)
      expect(weights.fill(collation, Buffer.from('a\u4e2d'), 0, 4)).toBe(true)
    }
    expect(bytesOfText('a\u4e2d', 'gbk')).toEqual(Uint8Array.of(0x61, 0xd6, 0xd0))

    expect([unpacked, vi.mocked(inflateRawSync).mock.calls.length]).toEqual([4, 4])
  })

  test('have each character of gbk, by the first two bytes that mean it, and no other', () => {
    const decoder = new TextDecoder('gbk', { fatal: true, ignoreBOM: true })
    const known = new Map<string, string>()
    for (let lead = 0x81; lead < 0xff; lead++)
      for (let trail = 0x40; trail < 0xff; trail++) {
        const text = decoded(decoder, Uint8Array.of(lead, trail))
        if (text !== undefined && !known.has(text)) known.set(text, `${lead},${trail}`)
      }

    const wrong: string[] = []
    for (let point = 0x80; point < 0x1_1000; point++) {
      const text = String.fromCodePoint(point)
      if (bytesOfText(text, 'gbk')?.join() !== known.get(text)) wrong.push(text)
    }
    expect(known.size).toBeGreaterThan(20_000)
    expect(wrong).toEqual([])
  })
})

function decoded(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    // No character of the character set.
    return undefined
  }
}
