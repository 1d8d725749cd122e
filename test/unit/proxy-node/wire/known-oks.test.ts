import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KnownOks } from '../../../../proxy-node/wire/known-oks.ts'

describe('known OKs', () => {
  test('are what the chunk says, whatever came before and whatever becomes of the chunk', () => {
    const oks = new KnownOks()
    const part = fc.uint8Array({ minLength: 1, maxLength: 70, max: 3 })
    fc.assert(
      fc.property(fc.nat(9), part, (from, payload) => {
        const chunk = new Uint8Array(from + payload.length + 5).fill(0xaa)
        chunk.set(payload, from)
        const ok = oks.of(chunk, from, from + payload.length)
        chunk.fill(0xee)

        expect([...ok]).toEqual([...payload])
      }),
      { numRuns: 2_000 },
    )
  })

  test('are the same object while they say the same, of another length between or not', () => {
    const oks = new KnownOks()
    const chunk = Uint8Array.of(0, 0, 0, 2, 0, 0, 0)
    const first = oks.of(chunk, 0, 7)
    oks.of(chunk, 0, 5)

    expect(oks.of(chunk.slice(), 0, 7)).toBe(first)
    expect(oks.of(Uint8Array.of(0, 1, 0, 2, 0, 0, 0), 0, 7)).not.toBe(first)
  })

  test('that are long are not kept', () => {
    const oks = new KnownOks()
    const chunk = new Uint8Array(64)

    expect(oks.of(chunk, 0, 64)).not.toBe(oks.of(chunk, 0, 64))
  })
})
