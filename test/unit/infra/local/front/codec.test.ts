/** The fronts' own codec, pinned by the vectors of the protocol's specification, not by proxy-node. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  errorPacket,
  frame,
  framePackets,
  lenenc,
  minimalOk,
  okPacket,
  PacketStream,
  packetsOf,
  resultPayloads,
  schemaChange,
  variableChanges,
} from '../../../../../infra/local/front/codec.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('packets', () => {
  test('a query is framed as in the frame vector of the protocol', () => {
    expect(frame(0, Buffer.from('\x03SELECT 1'))).toEqual(
      hex('09 00 00 00 03 53 45 4C 45 43 54 20 31'),
    )
  })

  test('the OK behind an answer is the one that an OBServer sends', () => {
    expect(minimalOk()).toEqual(hex('00 00 00 22 00 00 00 00'))
    expect(okPacket({ affectedRows: 0, lastInsertId: 0, status: 0x22, changes: [] })).toEqual(
      minimalOk(),
    )
  })

  test('an error carries number, state and text', () => {
    expect(errorPacket(1045, '42000', 'no')).toEqual(
      Buffer.concat([hex('ff 15 04'), Buffer.from('#42000no')]),
    )
  })

  test('a payload of 16 MiB - 1 is followed by an empty packet', () => {
    const framed = frame(3, Buffer.alloc(0xffffff, 7))

    expect(framed.length).toBe(0xffffff + 8)
    expect(framed.subarray(0, 4)).toEqual(hex('ff ff ff 03'))
    expect(framed.subarray(-4)).toEqual(hex('00 00 00 04'))
    expect([0xfffffe, 0xffffff, 0x1000000].map(packetsOf)).toEqual([1, 2, 2])
  })

  test('come out whole wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.nat(50), (payloads, size) => {
        const bytes = Buffer.concat(payloads.map((payload, at) => frame(at, Buffer.from(payload))))
        const stream = new PacketStream()
        const seen: Buffer[] = []
        for (let at = 0; at < bytes.length; at += size + 1)
          for (const { payload } of stream.push(bytes.subarray(at, at + size + 1)))
            seen.push(Buffer.from(payload))

        expect(seen).toEqual(payloads.map(payload => Buffer.from(payload)))
      }),
    )
  })
})

test.each([
  [250, 'fa'],
  [251, 'fc fb 00'],
  [65_535, 'fc ff ff'],
  [65_536, 'fd 00 00 01'],
  [16_777_215, 'fd ff ff ff'],
  [16_777_216, 'fe 00 00 00 01 00 00 00 00'],
])('the length %i is %s', (value, bytes) => {
  expect(lenenc(value)).toEqual(hex(bytes))
})

describe('session state', () => {
  test('a change of the database is entry 1', () => {
    expect(schemaChange('d1')).toEqual(hex('01 03 02 64 31'))
  })

  test('all variables are one entry, user variables behind a separator', () => {
    const entry = variableChanges([['a', 'ON']], [['b', "'x'"]])

    expect(entry.subarray(0, 2)).toEqual(Buffer.from([0, entry.length - 2]))
    expect(entry.subarray(2).toString('latin1')).toBe("\x01a\x02ON\x06__NULL\x06__NULL\x01b\x03'x'")
  })
})

test('a result set is numbered through and ends with the OK for a proxy', () => {
  const stream = new PacketStream()
  const table = { columns: ['a'], rows: [['x'], [null]] }

  const packets = stream.push(framePackets(resultPayloads(table, true), 1))

  expect(packets.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(packets.at(-1)?.payload).toEqual(minimalOk())
})
