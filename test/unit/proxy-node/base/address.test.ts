import { isIP, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AddressList,
  canonicalIp,
  hostPort,
  ipText,
  parseIp,
} from '../../../../proxy-node/base/address.ts'

describe('an address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203', '10.1.2.3'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
    ['1::', '1::'],
    ['localhost', 'localhost'],
  ])('%s is spelt %s', (given, spelt) => {
    expect(canonicalIp(given)).toBe(spelt)
  })

  test.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', ':', ':::', '1::2::3', '12345::'])(
    '%j is none',
    text => {
      expect(parseIp(text)).toBeUndefined()
    },
  )

  test.each([
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
    '1.2.3.4::',
    'g::',
  ])('%j is none either', text => {
    expect(parseIp(text)).toBeUndefined()
  })

  test('is what the platform takes for one, whatever the text', () => {
    const piece = fc.constantFrom('0', '1', 'ff', 'abcd', '10', '255', ':', '::', '.', '1.2.3.4')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 17 }), pieces => {
        const text = pieces.join('')
        expect(parseIp(text) !== undefined).toBe(isIP(text) !== 0)
      }),
      { numRuns: 20_000 },
    )
  })

  test('comes back from its text, and the text is the shortest', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.nat(0xffff),
        (bytes, zeros) => {
          const sparse = bytes.map((byte, at) => (((zeros >> at) & 1) === 1 ? 0 : byte))
          const text = ipText(sparse)
          expect(isIPv6(text)).toBe(true)
          expect(parseIp(text)).toEqual(sparse)
          expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`)
        },
      ),
    )
  })

  test('stands in brackets before a port when it has colons', () => {
    expect([hostPort('10.0.0.1', 2881), hostPort('::1', 2881)]).toEqual([
      '10.0.0.1:2881',
      '[::1]:2881',
    ])
  })
})

describe('a list of networks', () => {
  const list = AddressList.parse('10.0.0.0/8; 192.168.1.7, fd00::/8;2001:db8::/33;172.16.0.1/32')

  test.each([
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['::ffff:10.9.9.9', true],
    ['192.168.1.7', true],
    ['192.168.1.8', false],
    ['fd12::1', true],
    ['fe00::1', false],
    ['2001:db8:7fff::1', true],
    ['2001:db8:8000::1', false],
    ['172.16.0.1', true],
    ['not an address', false],
    ['', false],
  ])('%s: %s', (address, isIn) => {
    expect(list?.contains(address)).toBe(isIn)
  })

  test('without items holds nobody, with a width of zero everybody of the family', () => {
    expect(AddressList.parse('')?.contains('127.0.0.1')).toBe(false)
    expect(AddressList.parse('0.0.0.0/0')?.contains('8.8.8.8')).toBe(true)
    expect(AddressList.parse('0.0.0.0/0')?.contains('::1')).toBe(false)
    expect(AddressList.parse('::/0')?.contains('::1')).toBe(true)
    expect(AddressList.parse('::ffff:10.0.0.0/104')?.contains('10.1.2.3')).toBe(true)
  })

  test.each(['10.0.0.0/33', '::/129', '10.0.0/8', 'any', '10.0.0.1/', '::ffff:10.0.0.0/8'])(
    '%s is refused',
    text => {
      expect(AddressList.parse(text)).toBeUndefined()
    },
  )
})
