import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc16, crc32c } from '../../../../proxy-node/wire/checksum.ts'
import { remainder } from '../../../support/ob20-server.ts'

const ascii = Buffer.from('123456789')

describe('the checksums', () => {
  test('give the check values of the specification', () => {
    expect(crc16(ascii, 0, 9)).toBe(0xbb3d)
    expect(crc32c(ascii, 0, 9)).toBe(0x58e3fa20)
    expect(crc32c(Uint8Array.of(1), 0, 1)).toBe(0xf26b8303)
    expect(crc32c(ascii, 3, 3)).toBe(0)
  })

  test('are the remainders of their polynomials, from anywhere to anywhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), fc.nat(80), (bytes, a, b) => {
        const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)]
        const part = Buffer.from(bytes.subarray(from, to))

        expect(crc32c(bytes, from, to)).toBe(remainder(part, 0x82f63b78))
        expect(crc16(bytes, from, to)).toBe(remainder(part, 0xa001))
      }),
    )
  })

  test('go on from what the bytes before gave, wherever these end', () => {
    const bytes = Uint8Array.from({ length: 70 }, (_, at) => (at * 37 + 255) & 0xff)
    const whole = crc32c(bytes, 0, bytes.length)

    for (let cut = 0; cut <= bytes.length; cut++)
      expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(whole)
  })
})
