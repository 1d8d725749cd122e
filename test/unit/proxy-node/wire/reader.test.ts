import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import { Reader } from '../../../../proxy-node/wire/reader.ts'
import { packet, Writer } from '../../../../proxy-node/wire/writer.ts'

const EDGES = [0, 1, 0xfa, 0xfb, 0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000]
const count = fc.oneof(fc.constantFrom(...EDGES), fc.nat(), fc.maxSafeNat())

describe('reader and writer', () => {
  test('agree on every length-encoded integer', () => {
    fc.assert(
      fc.property(count, value => {
        const bytes = new Writer(1).lenenc(value).payload()

        expect(new Reader(bytes).lenenc()).toBe(value)
        expect(new Reader(bytes).lenencWide()).toBe(value)
      }),
    )
  })

  test('agree on counts of 64 bits, exact numbers staying numbers', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), value => {
        const read = new Reader(new Writer(1).lenenc(value).payload()).lenencWide()

        expect(BigInt(read)).toBe(value)
        expect(typeof read).toBe(value <= Number.MAX_SAFE_INTEGER ? 'number' : 'bigint')
      }),
    )
  })

  test('agree on every kind of value in a row', () => {
    const text = fc.string({ unit: 'binary' }).filter(value => !value.includes('\0'))
    fc.assert(
      fc.property(fc.nat(0xff), fc.nat(0xffff), fc.nat(0xff_ffff), text, (a, b, c, d) => {
        const bytes = new Writer(1)
          .u8(a)
          .u16(b)
          .u24(c)
          .u32(b * 0x1_0000 + b)
          .u64(b * 0x1_0000_0000 + c)
          .nul(d)
          .lenencText(d)
          .zeros(3)
          .payload()
        const reader = new Reader(bytes)

        expect(reader.u8()).toBe(a)
        expect(reader.u16()).toBe(b)
        expect(reader.u24()).toBe(c)
        expect(reader.u32()).toBe(b * 0x1_0000 + b)
        expect(reader.u64()).toBe(b * 0x1_0000_0000 + c)
        expect(reader.nulString()).toBe(d)
        expect(reader.lenencString()).toBe(d)
        expect([...reader.rest()]).toEqual([0, 0, 0])
      }),
    )
  })

  test.each([
    ['u8', [], (reader: Reader) => reader.u8()],
    ['u16', [1], (reader: Reader) => reader.u16()],
    ['u24', [1, 2], (reader: Reader) => reader.u24()],
    ['u32', [1, 2, 3], (reader: Reader) => reader.u32()],
    ['u64 above 2^53', Array(8).fill(255), (reader: Reader) => reader.u64()],
    ['lenenc cut short', [0xfd, 1, 2], (reader: Reader) => reader.lenenc()],
    ['lenenc NULL', [0xfb], (reader: Reader) => reader.lenenc()],
    ['lenenc 0xFF', [0xff], (reader: Reader) => reader.lenenc()],
    ['a wide lenenc cut short', [0xfe, 1, 2], (reader: Reader) => reader.lenencWide()],
    ['a text longer than the rest', [5, 65], (reader: Reader) => reader.lenencString()],
    [
      'a length of 2^53',
      [0xfe, 0, 0, 0, 0, 0, 0, 0x1f, 0],
      (reader: Reader) => reader.lenencView(),
    ],
    ['no terminator', [65, 66], (reader: Reader) => reader.nulString()],
    ['a negative skip', [1, 2], (reader: Reader) => reader.skip(-1)],
  ])('%s is a fault', (_name, bytes, read) => {
    const reader = new Reader(Uint8Array.from(bytes))

    expect(() => read(reader)).toThrow(Fault)
    expect(() => read(new Reader(Uint8Array.from(bytes)))).toThrow(/Malformed/)
  })

  test('a reader of a part does not see a terminator behind it', () => {
    expect(() => new Reader(Uint8Array.of(65, 66, 0), 0, 2).nulString()).toThrow(Fault)
  })
})

describe('packets', () => {
  test.each([
    [0, [0]],
    [1, [1]],
    [0xff_fffe, [0xff_fffe]],
    [0xff_ffff, [0xff_ffff, 0]],
    [0x100_0000, [0xff_ffff, 1]],
  ])('of %i bytes are split into %j', (length, lengths) => {
    const framed = packet(255, new Uint8Array(length))
    const seen: number[][] = []
    for (let at = 0; at < framed.length; ) {
      const reader = new Reader(framed, at)
      const part = reader.u24()
      seen.push([part, reader.u8()])
      at += 4 + part
    }

    expect(seen).toEqual(lengths.map((part, index) => [part, (255 + index) & 0xff]))
  })
})
