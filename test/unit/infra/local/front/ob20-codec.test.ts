/** Frames of OB 2.0 as the fronts read and write them, pinned by the specification's vectors. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedPacket } from '../../../../../infra/local/front/codec.ts'
import {
  answerFrames,
  BODY_BYTES,
  buildFrame,
  crc16,
  crc32c,
  FLAG,
  FrameStream,
  type Ob20Fields,
  readTlvs,
  requestExtra,
  writeTlvs,
} from '../../../../../infra/local/front/ob20-codec.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const VECTOR = hex(`
  29 00 00 00 00 00 00 AB 20 14 00 78 56 34 12 01 00 00 00 0D 00 00 00 02 00 00 00 00 00 D7 89
  09 00 00 00 03 53 45 4C 45 43 54 20 31 0F 43 0A 36`)
const QUERY: Ob20Fields = {
  outerSequence: 0,
  connectionId: 0x12345678,
  requestId: 1,
  packetSequence: 0,
  flags: FLAG.last,
  extra: undefined,
  body: hex('09 00 00 00 03 53 45 4C 45 43 54 20 31'),
}

describe('checksums', () => {
  test('have the values of the vectors', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0xbb3d)
    expect(crc32c(Buffer.from('123456789'))).toBe(0x58e3fa20)
    expect(crc32c(Buffer.from([1]))).toBe(0xf26b8303)
  })
})

describe('a frame', () => {
  test('is the frame vector, written and read', () => {
    expect(buildFrame(QUERY)).toEqual(VECTOR)
    expect(new FrameStream().push(VECTOR)).toEqual([{ ...QUERY, bytes: VECTOR }])
  })

  test('comes out whole wherever the stream is cut', () => {
    const extra = writeTlvs([{ type: 2003, value: Buffer.from('trace') }])
    const second = buildFrame({ ...QUERY, flags: FLAG.last | FLAG.newExtra, extra, requestId: 2 })
    const bytes = Buffer.concat([VECTOR, second, VECTOR])
    const whole = new FrameStream().push(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const stream = new FrameStream()
      const frames = [...stream.push(bytes.subarray(0, cut)), ...stream.push(bytes.subarray(cut))]

      expect(frames).toEqual(whole)
    }
    const stream = new FrameStream()
    expect([...bytes].flatMap(byte => stream.push(Buffer.from([byte])))).toEqual(whole)
  })

  test('is read as it was written, whatever it carries', () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(all => Buffer.from(all))
    const fields = fc.record({
      outerSequence: fc.nat(255),
      connectionId: fc.nat(0xffff_ffff),
      requestId: fc.nat(0xff_ffff),
      packetSequence: fc.nat(255),
      flags: fc.constantFrom(0, FLAG.last, FLAG.newExtra, FLAG.last | FLAG.newExtra),
      extra: fc.option(
        bytes(40).filter(all => all.length > 0),
        { nil: undefined },
      ),
      body: bytes(200),
    })
    fc.assert(
      fc.property(fields, written => {
        const [read] = new FrameStream().push(buildFrame(written))

        const flags = written.flags | (written.extra === undefined ? 0 : FLAG.extra)
        expect(read).toMatchObject({ ...written, flags })
      }),
    )
  })

  const changed = (at: number, value: number, checked: boolean) => {
    const bytes = Buffer.from(VECTOR)
    bytes.writeUInt8(value, at)
    if (checked) bytes.writeUInt16LE(crc16(bytes.subarray(0, 29)), 29)
    return bytes
  }

  test.each([
    ['a wrong header checksum', changed(29, 0xd6, false)],
    ['a wrong payload checksum', changed(44, 0x10, false)],
    ['another magic', changed(7, 0xac, true)],
    ['another version', changed(9, 21, true)],
    ['an outer length that differs', changed(0, 0x2a, true)],
    ['an uncompressed length', changed(4, 1, true)],
    ['extra info without a length', buildFrame({ ...QUERY, flags: 3, body: Buffer.alloc(0) })],
    ['extra info of no bytes', buildFrame({ ...QUERY, extra: Buffer.alloc(0) })],
    ['extra info that leads beyond', buildFrame({ ...QUERY, flags: 3, body: hex('ff 00 00 00') })],
  ])('with %s is refused, wherever it is cut', (_name, bytes) => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const stream = new FrameStream()
      const feed = () => {
        stream.push(bytes.subarray(0, cut))
        stream.push(bytes.subarray(cut))
      }

      expect(feed).toThrow(MalformedPacket)
    }
  })

  test('whose checksums are zero is not checked', () => {
    const bytes = Buffer.from(VECTOR)
    bytes.writeUInt16LE(0, 29)
    bytes.writeUInt32LE(0, 44)

    expect(new FrameStream().push(bytes)).toHaveLength(1)
  })

  test('of nonsense is refused or waited for, never something else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        try {
          new FrameStream().push(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedPacket)
        }
      }),
    )
  })
})

describe('extra info', () => {
  const tlv = (type: number, value = '') => ({ type, value: Buffer.from(value) })

  test('is read as it was written; cut short it is refused', () => {
    const items = [tlv(2001, 'client_ip=127.0.0.1'), tlv(2003), tlv(65_535, 'x')]
    const bytes = writeTlvs(items)

    expect(readTlvs(bytes)).toEqual(items)
    const ends = [25, 31, bytes.length]
    for (let end = 1; end < bytes.length; end++)
      if (!ends.includes(end)) expect(() => readTlvs(bytes.subarray(0, end))).toThrow()
  })

  const request = (items: readonly ReturnType<typeof tlv>[], flags: number = FLAG.newExtra) =>
    requestExtra({ ...QUERY, flags: flags | FLAG.extra, extra: writeTlvs(items) })

  test('of a request is what a server survives', () => {
    const items = [tlv(2001), tlv(2002), tlv(2003), tlv(2004)]

    expect(request(items)).toEqual(items)
    expect(requestExtra(QUERY)).toEqual([])
  })

  test.each([900, 1001, 1500, 2000, 2005, 65_535])('of type %i is refused', type => {
    expect(() => request([tlv(2001), tlv(type)])).toThrow(`extra info of type ${type}`)
  })

  test('of the old layout, or with a session blob cut short, is refused', () => {
    expect(() => request([tlv(2001)], 0)).toThrow(/old layout/)
    expect(() => request([tlv(2002, 'abc')])).toThrow(/cut short/)
  })
})

describe('an answer of a front', () => {
  const to = { connectionId: 7, requestId: 9, lastSequence: 3, lastPacketSequence: 255 }

  test('goes on with the numbers of the request and ends with its last frame', () => {
    const stream = Buffer.alloc(2 * BODY_BYTES + 1, 5)

    const frames = new FrameStream().push(answerFrames(stream, to))

    expect(frames.map(({ outerSequence }) => outerSequence)).toEqual([4, 5, 6])
    expect(frames.map(({ packetSequence }) => packetSequence)).toEqual([0, 1, 2])
    expect(frames.map(({ flags }) => flags)).toEqual([0, 0, FLAG.last])
    expect(new Set(frames.map(({ requestId }) => requestId))).toEqual(new Set([9]))
    expect(new Set(frames.map(({ connectionId }) => connectionId))).toEqual(new Set([7]))
    expect(Buffer.concat(frames.map(({ body }) => body))).toEqual(stream)
  })
})
