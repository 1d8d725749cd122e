import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ipText } from '../../../../proxy-node/base/address.ts'
import { Fault } from '../../../../proxy-node/contract/fault.ts'
import {
  buildProxyHeader,
  MAX_PROXY_HEADER_BYTES,
  readProxyHeader,
} from '../../../../proxy-node/wire/proxy-protocol.ts'

const TCP4 = 0x11
const TCP6 = 0x21
/** 192.0.2.10:50000 to 10.0.0.1:2883. */
const ADDRESSES_4 = Buffer.from('c000020a0a000001c3500b43', 'hex')
const ADDRESSES_6 = Buffer.from(
  '20010db8000000000000000000000001fd0000000000000000000000000000020050ffff',
  'hex',
)
const tlv = (type: number, value: Uint8Array) =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value])
const built = (family: number, ...parts: Uint8Array[]) =>
  Buffer.from(buildProxyHeader('proxy', family, Buffer.concat(parts)))

const IPV4 = built(TCP4, ADDRESSES_4)
const IPV6 = built(
  TCP6,
  ADDRESSES_6,
  tlv(0x04, Buffer.alloc(7)),
  tlv(0xea, Buffer.from('\x01vpce-1')),
)

describe('a PROXY header', () => {
  test('is byte for byte what the specification says', () => {
    expect(IPV4.toString('hex')).toBe('0d0a0d0a000d0a515549540a2111000cc000020a0a000001c3500b43')
  })

  test.each([
    [
      'IPv4',
      IPV4,
      {
        kind: 'proxied',
        source: { address: '192.0.2.10', port: 50000 },
        destination: { address: '10.0.0.1', port: 2883 },
        endpointId: '',
      },
    ],
    [
      'IPv6 with TLVs',
      IPV6,
      {
        kind: 'proxied',
        source: { address: '2001:db8::1', port: 80 },
        destination: { address: 'fd00::2', port: 65535 },
        endpointId: 'vpce-1',
      },
    ],
    ['LOCAL', Buffer.from(buildProxyHeader('local', 0, new Uint8Array(0))), { kind: 'local' }],
    [
      'LOCAL with addresses, which mean nothing',
      Buffer.from(buildProxyHeader('local', TCP4, ADDRESSES_4)),
      { kind: 'local' },
    ],
    ['no family', built(0x00), { kind: 'other' }],
    ['UDP', built(0x12, ADDRESSES_4), { kind: 'other' }],
    ['a Unix socket', built(0x31, Buffer.alloc(216)), { kind: 'other' }],
  ])('of %s is read at the last byte and not before', (_name, header, expected) => {
    const followed = Buffer.concat([header, Buffer.from('behind it')])

    for (let at = 0; at < header.length; at++)
      expect(readProxyHeader(followed.subarray(0, at))).toBe('more')
    for (let at = header.length; at <= followed.length; at++)
      expect(readProxyHeader(followed.subarray(0, at))).toEqual({
        lengthBytes: header.length,
        ...expected,
      })
  })

  test('is not taken for one when any byte of the signature differs', () => {
    for (let at = 0; at < 12; at++) {
      const other = Buffer.from(IPV4)
      other.writeUInt8(other.readUInt8(at) ^ 1, at)
      expect(readProxyHeader(other)).toBe('none')
      expect(readProxyHeader(other.subarray(0, at + 1))).toBe('none')
    }
    expect(readProxyHeader(Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'))).toBe('none')
  })

  test.each([
    ['another version', withByte(IPV4, 12, 0x11)],
    ['an unknown command', withByte(IPV4, 12, 0x22)],
    ['addresses cut short', built(TCP4, ADDRESSES_4.subarray(0, 11))],
    ['IPv6 in the room of IPv4', built(TCP6, ADDRESSES_4)],
    ['half the head of a TLV', built(TCP4, ADDRESSES_4, Buffer.from([4, 0]))],
    ['a TLV longer than the header', built(TCP4, ADDRESSES_4, Buffer.from([4, 0, 9, 1]))],
    ['a length above the bound', built(TCP4, Buffer.alloc(MAX_PROXY_HEADER_BYTES))],
  ])('with %s is malformed', (_name, header) => {
    expect(() => readProxyHeader(header)).toThrow(Fault)
    expect(() => readProxyHeader(header)).toThrow(/PROXY header/)
  })

  test('that is too long is refused before it has come', () => {
    const head = built(TCP4, Buffer.alloc(MAX_PROXY_HEADER_BYTES)).subarray(0, 16)

    expect(() => readProxyHeader(head)).toThrow(/length above/)
  })

  test('with an empty 0xEA has no endpoint', () => {
    const header = built(TCP4, ADDRESSES_4, tlv(0xea, new Uint8Array(0)))

    expect(readProxyHeader(header)).toMatchObject({ endpointId: '' })
  })

  test('says what was built into it', () => {
    const block = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
    const tlvs = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 0xe9 }), fc.uint8Array({ maxLength: 300 })),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(fc.constantFrom(4, 16), block(36), tlvs, (size, bytes, extra) => {
        const addresses = bytes.subarray(0, size * 2 + 4)
        const header = built(
          size === 4 ? TCP4 : TCP6,
          addresses,
          ...extra.map(([type, value]) => tlv(type, value)),
        )
        expect(readProxyHeader(header)).toEqual({
          kind: 'proxied',
          lengthBytes: header.length,
          source: {
            address: ipText(addresses.subarray(0, size)),
            port: Buffer.from(addresses).readUInt16BE(size * 2),
          },
          destination: {
            address: ipText(addresses.subarray(size, size * 2)),
            port: Buffer.from(addresses).readUInt16BE(size * 2 + 2),
          },
          endpointId: '',
        })
      }),
    )
  })

  test('that is garbage ends in one of four ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isSigned) => {
        const given = isSigned ? Buffer.concat([IPV4.subarray(0, 12), bytes]) : bytes
        try {
          const read = readProxyHeader(given)
          if (typeof read === 'object') expect(read.lengthBytes).toBeLessThanOrEqual(given.length)
        } catch (error) {
          expect((error as Fault).code).toBe('protocol.malformed')
        }
      }),
      { numRuns: 5_000 },
    )
  })
})

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt8(value, at)
  return changed
}
