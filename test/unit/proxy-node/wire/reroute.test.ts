import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lenenc } from '../../../../infra/local/front/codec.ts'
import { parseReroute } from '../../../../proxy-node/wire/reroute.ts'

const wide = (value: bigint) => {
  const bytes = Buffer.alloc(9, 0xfe)
  bytes.writeBigUInt64LE(value, 1)
  return bytes
}

const struct = (...parts: Buffer[]) => {
  const content = Buffer.concat(parts)
  return Buffer.concat([lenenc(content.length), content])
}

const table = (name: string) => [lenenc(Buffer.from(name).length), Buffer.from(name)]

const V4 = [lenenc(4), lenenc(0x7f1d0402)]
const REST = [lenenc(2881), lenenc(1), lenenc(0), ...table('t1'), wide(1_721_000_000_123_456n)]

describe('a reroute hint', () => {
  test('names server, role, table and schema version', () => {
    expect(parseReroute(struct(...V4, ...REST))).toEqual({
      host: '127.29.4.2',
      port: 2881,
      role: 'leader',
      replicaType: 0,
      table: 't1',
      schemaVersion: 1_721_000_000_123_456,
    })
  })

  test('may name a follower by an IPv6 address', () => {
    const bytes = Buffer.from('20010db8000000010203040506070809', 'hex')
    const halves = [wide(bytes.readBigUInt64LE(0)), wide(bytes.readBigUInt64LE(8))]

    const hint = parseReroute(
      struct(lenenc(6), ...halves, lenenc(2881), lenenc(2), lenenc(16), ...table(''), lenenc(0)),
    )

    expect(hint).toMatchObject({
      host: '2001:db8:0:1:203:405:607:809',
      role: 'follower',
      replicaType: 16,
      table: '',
    })
  })

  test('may be longer or older than this', () => {
    const longer = parseReroute(struct(...V4, ...REST, lenenc(9), Buffer.from('more')))
    const older = parseReroute(struct(...V4, ...REST.slice(0, -1)))

    expect(longer.schemaVersion).toBe(1_721_000_000_123_456)
    expect(older.schemaVersion).toBe(0)
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['an address of no version', struct(lenenc(5), lenenc(1), ...REST)],
    ['port 0', struct(...V4, lenenc(0), ...REST.slice(1))],
    ['a port above 65535', struct(...V4, lenenc(70_000), ...REST.slice(1))],
    ['an unknown role', struct(...V4, lenenc(2881), lenenc(3), ...REST.slice(2))],
    ['a name beyond its end', struct(...V4, ...REST.slice(0, 3), lenenc(200))],
    ['a name of 2 KB', struct(...V4, ...REST.slice(0, 3), ...table('n'.repeat(2000)))],
  ])('with %s is malformed', (_name, bytes) => {
    expect(() => parseReroute(bytes)).toThrow(/Malformed/)
  })

  test('is malformed when cut anywhere', () => {
    const bytes = struct(...V4, ...REST)
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => parseReroute(bytes.subarray(0, cut))).toThrow(/Malformed/)
  })

  test('is parsed or malformed, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), content => {
        try {
          parseReroute(struct(Buffer.from(content)))
        } catch (error) {
          expect((error as Error).message).toMatch(/Malformed/)
        }
      }),
    )
  })
})
