import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildRequestExtra, type RequestExtra } from '../../../../proxy-node/wire/extra-info.ts'
import {
  FRAME_FLAG,
  FrameScratch,
  Ob20Reader,
  Ob20Writer,
  type RequestMark,
} from '../../../../proxy-node/wire/ob20.ts'
import {
  extraEntry,
  type FrameFields,
  frameBytes,
  type RequestFrame,
  RequestFrames,
  responseFrames,
  responseState,
  withExtra,
} from '../../../support/ob20-server.ts'

const CONNECTION = 0x8234_5678
const MEGABYTE = 1024 * 1024

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const query = Buffer.from('\x09\x00\x00\x00\x03SELECT 1', 'latin1')

/** The request's frames as a server reads them. */
function request(
  writer: Ob20Writer,
  pieces: readonly Uint8Array[],
  { extra, flags }: { extra?: RequestExtra | undefined; flags?: number } = {},
): RequestFrame[] {
  writer.begin(extra, flags)
  const server = new RequestFrames(CONNECTION)
  return pieces.flatMap((piece, at) =>
    // A socket takes the bytes before the next are made.
    server.push(Buffer.from(writer.frames(piece, at === pieces.length - 1))),
  )
}

const joined = (frames: readonly RequestFrame[]) => Buffer.concat(frames.map(({ mysql }) => mysql))

describe('a request', () => {
  test('is the frame of the specification', () => {
    const writer = new Ob20Writer(0x1234_5678, new FrameScratch())
    writer.begin()

    expect(Buffer.from(writer.frames(query, true))).toEqual(
      hex(`29 00 00 00 00 00 00 AB 20 14 00 78 56 34 12 01 00 00 00 0D 00 00 00 02 00 00 00
           00 00 D7 89 09 00 00 00 03 53 45 4C 45 43 54 20 31 0F 43 0A 36`),
    )
  })

  test('that is whole is one frame, the last', () => {
    const frames = request(new Ob20Writer(CONNECTION, new FrameScratch()), [query])

    expect(frames).toHaveLength(1)
    expect(frames[0]).toMatchObject({ requestId: 1, sequence: 0, flags: FRAME_FLAG.last })
    expect(joined(frames)).toEqual(query)
  })

  test('that streams in is a frame a piece, whatever the pieces', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    for (let cut = 1; cut < query.length; cut++) {
      const frames = request(writer, [query.subarray(0, cut), query.subarray(cut)])

      expect(joined(frames)).toEqual(query)
      expect(frames.map(({ isLast }) => isLast)).toEqual([false, true])
      expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1])
      expect(new Set(frames.map(({ requestId }) => requestId))).toEqual(new Set([cut]))
    }
  })

  test('in thirteen frames of one byte numbers them through', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const frames = request(
      writer,
      [...query].map(byte => Uint8Array.of(byte)),
    )

    expect(frames.map(({ sequence }) => sequence)).toEqual([...Array(13).keys()])
    expect(frames.map(({ outerSequence }) => outerSequence)).toEqual([...Array(13).keys()])
    expect(joined(frames)).toEqual(query)
    expect(writer.nextSequence).toBe(13)
  })

  test('of more than 256 frames begins to number them anew', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const pieces = Array.from({ length: 300 }, (_, at) => Uint8Array.of(at & 0xff))
    const frames = request(writer, pieces)

    expect(frames.map(({ sequence }) => sequence)).toEqual(pieces.map((_, at) => at & 0xff))
    expect(writer.nextSequence).toBe(44)
  })

  test('is numbered within 24 bits', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    writer.requestId = 0xff_fffe

    const ids = [query, query, query].map(one => request(writer, [one])[0]?.requestId)

    expect(ids).toEqual([0xff_ffff, 0, 1])
  })

  test('above 8 MB is split, and one buffer all the same', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const bytes = Buffer.alloc(17 * MEGABYTE, 'abc')
    writer.begin(buildRequestExtra({ clientAddress: '10.0.0.1' }))

    const out = Buffer.from(writer.frames(bytes, true))

    const sizes: number[] = []
    for (let at = 0; at < out.length; at += out.readUIntLE(at, 3) + 7)
      sizes.push(out.readUInt32LE(at + 19))
    expect(sizes).toEqual([8 * MEGABYTE + 28, 8 * MEGABYTE, MEGABYTE])
    const flagsAt = (at: number) => out.readUInt32LE(at + 23)
    expect(flagsAt(0)).toBe(FRAME_FLAG.extraInfo | FRAME_FLAG.newExtraInfo)
    expect(flagsAt(8 * MEGABYTE + 28 + 35)).toBe(0)
    expect(flagsAt(out.length - MEGABYTE - 35)).toBe(FRAME_FLAG.last)
    expect(out.subarray(59, 59 + 100)).toEqual(bytes.subarray(0, 100))
  })

  test('of exactly 8 MB is one frame', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    writer.begin()

    const out = writer.frames(new Uint8Array(8 * MEGABYTE), true)

    expect(out).toHaveLength(8 * MEGABYTE + 35)
    expect(writer.nextSequence).toBe(1)
  })

  test('carries extra info in its first frame only', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const extra = buildRequestExtra({ sessionState: [[4, Uint8Array.of(7)]] })
    const [first, second, third] = request(
      writer,
      [query.subarray(0, 3), query.subarray(3, 5), query.subarray(5)],
      { extra },
    )

    expect(first?.extra).toEqual(extraEntry(2002, extraEntry(4, Buffer.from([7]))))
    expect([second?.extra, third?.extra]).toEqual([undefined, undefined])
    expect(first?.flags).toBe(FRAME_FLAG.extraInfo | FRAME_FLAG.newExtraInfo)
    expect(request(writer, [query])[0]?.extra).toBeUndefined()
  })

  test('says with every frame what its caller wants said', () => {
    const flags = FRAME_FLAG.reroute | FRAME_FLAG.weakRead
    const frames = request(
      new Ob20Writer(CONNECTION, new FrameScratch()),
      [query.subarray(0, 5), query.subarray(5)],
      { flags },
    )

    expect(frames.map(frame => frame.flags)).toEqual([flags, flags | FRAME_FLAG.last])
  })

  test('sends no frame for no bytes: a server takes an empty one for the next command', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    writer.begin()
    writer.frames(query, false)

    expect(writer.frames(new Uint8Array(0), true)).toHaveLength(0)
    expect(writer.nextSequence).toBe(1)
  })

  test('cannot be given what hangs a server, nor flags of the codec, nor go on behind its end', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const smuggled = extraEntry(1001, 'x') as Uint8Array as RequestExtra

    expect(() => writer.begin(smuggled)).toThrow(/hangs a server/)
    expect(() => writer.begin(undefined, FRAME_FLAG.last)).toThrow(/flags/)
    expect(() => writer.frames(query, true)).toThrow(/outside a request/)
    writer.begin()
    writer.frames(query, true)
    expect(() => writer.frames(query, true)).toThrow(/outside a request/)
  })

  test('is what any other side reads, whatever its bytes, pieces and extra info', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const blob = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 30 }))
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 8 }),
        fc.array(blob, { maxLength: 4 }),
        (pieces, sessionState) => {
          const extra = buildRequestExtra({ sessionState })

          const frames = request(writer, pieces, { extra })

          expect(joined(frames)).toEqual(Buffer.concat(pieces))
          expect(frames[0]?.extra ?? Buffer.alloc(0)).toEqual(Buffer.from(extra ?? []))
        },
      ),
    )
  })

  test('shares one buffer with those of other writers, unless it is large', () => {
    const scratch = new FrameScratch()
    const writers = [new Ob20Writer(1, scratch), new Ob20Writer(2, scratch)]
    for (const writer of writers) writer.begin()
    const buffers = writers.map(writer => writer.frames(query, false).buffer)
    const large = writers.map(writer => writer.frames(new Uint8Array(MEGABYTE), true).buffer)

    expect(buffers[0]).toBe(buffers[1])
    expect(large[0]).not.toBe(large[1])
  })
})

type Seen = {
  mysql: Buffer
  readonly extra: [number, string][]
  readonly ends: boolean[]
  readonly flags: number[]
  views: number
}

/** Feeds copies, as a socket does that uses the buffer of a chunk again. */
function feed(reader: Ob20Reader, chunks: readonly Uint8Array[]): Seen {
  const seen: Seen = { mysql: Buffer.alloc(0), extra: [], ends: [], flags: [], views: 0 }
  for (const chunk of chunks) {
    const reused = Uint8Array.from(chunk)
    reader.feed(reused, {
      mysql: (bytes, from, to) => {
        seen.mysql = Buffer.concat([seen.mysql, bytes.subarray(from, to)])
        seen.views += 1
      },
      extra: (type, bytes) => seen.extra.push([type, Buffer.from(bytes).toString('hex')]),
      frameEnded: (isLast, flags) => {
        seen.ends.push(isLast)
        seen.flags.push(flags)
      },
    })
    reused.fill(0xee)
  }
  return seen
}

const MARK: RequestMark = { requestId: 7, nextSequence: 1 }

function readerOf(mark: RequestMark = MARK): Ob20Reader {
  const reader = new Ob20Reader(CONNECTION, mark)
  reader.begin()
  return reader
}

const stateOf = ({ requestId, nextSequence }: RequestMark = MARK, inner = 3) =>
  responseState(CONNECTION, { requestId, sequence: nextSequence - 1 }, inner)

const one = (fields: Partial<FrameFields> = {}) =>
  frameBytes({
    connectionId: CONNECTION,
    requestId: 7,
    sequence: 1,
    flags: FRAME_FLAG.last,
    payload: Buffer.from('abcdef'),
    ...fields,
  })

describe('a response', () => {
  const mysql = Buffer.from('the MySQL bytes of a response, of no meaning here')
  const extra = [
    Buffer.concat([extraEntry(2002, 'first'), extraEntry(60_000, '')]),
    extraEntry(2002, 'second'),
    extraEntry(1001, extraEntry(0, '1')),
  ]
  const wanted: [number, string][] = [
    [2002, Buffer.from('first').toString('hex')],
    [60_000, ''],
    [2002, Buffer.from('second').toString('hex')],
    [1001, extraEntry(0, '1').toString('hex')],
  ]

  test('comes out whole wherever its bytes are cut', () => {
    const bytes = Buffer.concat(responseFrames(stateOf(), mysql, { sliceBytes: 20, extra }))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const seen = feed(readerOf(), [bytes.subarray(0, cut), bytes.subarray(cut)])

      expect(seen.mysql).toEqual(mysql)
      expect(seen.extra).toEqual(wanted)
      expect(seen.ends).toEqual([false, false, true])
    }
  })

  test('comes out whole byte by byte', () => {
    const bytes = Buffer.concat(responseFrames(stateOf(), mysql, { sliceBytes: 20, extra }))

    const seen = feed(
      readerOf(),
      [...bytes].map(byte => Uint8Array.of(byte)),
    )

    expect(seen.mysql).toEqual(mysql)
    expect(seen.extra).toEqual(wanted)
    expect(seen.ends).toEqual([false, false, true])
  })

  test('of many frames in a chunk is handed on in one view', () => {
    const bytes = Buffer.concat(responseFrames(stateOf(), mysql, { sliceBytes: 5 }))

    const seen = feed(readerOf(), [bytes])

    expect(seen.mysql).toEqual(mysql)
    expect(seen.ends).toHaveLength(10)
    expect(seen.views).toBe(1)
  })

  test('is passed on before a frame of it is whole', () => {
    const big = Buffer.alloc(100_000, 'r')
    const [bytes = Buffer.alloc(0)] = responseFrames(stateOf(), big, { sliceBytes: big.length })

    const seen = feed(readerOf(), [bytes.subarray(0, 50_031)])

    expect(seen.mysql).toHaveLength(50_000)
    expect(seen.ends).toEqual([])
  })

  test('may hold nothing but extra info, or nothing at all', () => {
    const frames = responseFrames(stateOf(), Buffer.alloc(0), { extra: [extraEntry(2002, 'x')] })
    const empty = responseFrames(stateOf(), Buffer.alloc(0))

    expect(feed(readerOf(), frames)).toMatchObject({ extra: [[2002, '78']], ends: [true] })
    expect(feed(readerOf(), empty)).toMatchObject({ views: 0, ends: [true] })
  })

  test('may have extra info of no entries', () => {
    const payload = withExtra(Buffer.alloc(0), Buffer.from('abc'))

    const seen = feed(readerOf(), [one({ payload, flags: 0x0b })])

    expect(seen).toMatchObject({ extra: [], mysql: Buffer.from('abc') })
  })

  test('tells its flags', () => {
    expect(feed(readerOf(), [one({ flags: 0x22 })]).flags).toEqual([0x22])
  })

  test('need not have checksums', () => {
    const zero = responseFrames(stateOf(), mysql, { sliceBytes: 9, zeroChecksums: true })
    const corrupt = one({ payloadChecksum: 0, headChecksum: 0, payload: Buffer.from('xxxxxx') })

    expect(feed(readerOf(), zero).mysql).toEqual(mysql)
    expect(feed(readerOf(), [corrupt]).mysql).toEqual(Buffer.from('xxxxxx'))
  })

  test.each([
    ['an ordinary one', 3, 1, 1],
    ['the answer to a request of 13 frames', 0, 13, 1],
    ['the answer to frame 255', 0, 256, 0],
  ])('begins where its request ended: %s', (_name, inner, next, first) => {
    const mark = { requestId: 7, nextSequence: next & 0xff }
    const state = responseState(CONNECTION, { requestId: 7, sequence: next - 1 }, inner)
    const frames = responseFrames(state, mysql, { sliceBytes: 1 })

    const seen = feed(readerOf(mark), frames)

    expect(frames[0]?.readUInt8(18)).toBe(next === 13 ? 13 : first)
    expect(frames[0]?.readUInt8(3)).toBe(inner + 1)
    expect(seen.mysql).toEqual(mysql)
  })

  test('of more frames than a byte counts goes on', () => {
    const long = Buffer.alloc(938, 'z')

    const seen = feed(readerOf(), responseFrames(stateOf(), long, { sliceBytes: 1 }))

    expect(seen.mysql).toEqual(long)
    expect(seen.ends).toHaveLength(938)
  })

  test('may be followed by the next request while its last checksum is still to come', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const reader = new Ob20Reader(CONNECTION, writer)
    const ask = () => {
      writer.begin()
      reader.begin()
      writer.frames(query, true)
    }
    ask()
    const [answer = Buffer.alloc(0)] = responseFrames(
      stateOf({ requestId: 1, nextSequence: 1 }),
      mysql,
    )
    const [second = Buffer.alloc(0)] = responseFrames(
      stateOf({ requestId: 2, nextSequence: 1 }),
      mysql,
    )

    const before = feed(reader, [answer.subarray(0, -2)])
    ask()
    const after = feed(reader, [answer.subarray(-2), second])

    expect(before).toMatchObject({ mysql, ends: [] })
    expect(after).toMatchObject({ mysql, ends: [true, true] })
  })

  test('is to the last of requests of which some are not answered', () => {
    const writer = new Ob20Writer(CONNECTION, new FrameScratch())
    const reader = new Ob20Reader(CONNECTION, writer)
    for (let asked = 0; asked < 3; asked++) {
      writer.begin()
      reader.begin()
      writer.frames(query, true)
    }

    const seen = feed(reader, responseFrames(stateOf({ requestId: 3, nextSequence: 1 }), mysql))

    expect(seen.mysql).toEqual(mysql)
  })
})

describe('bytes that are no response', () => {
  test.each<[string, Partial<FrameFields>]>([
    ['header', { headChecksum: 0x1234 }],
    ['payload', { payloadChecksum: 0x1234_5678 }],
    ['magic', { magic: 0x20ac }],
    ['version', { version: 21 }],
    ['connection id', { connectionId: CONNECTION + 1 }],
    ['request id', { requestId: 8 }],
    ['packet sequence', { sequence: 2 }],
    ['packet sequence', { sequence: 0 }],
    ['length', { outerLength: 6 + 27 }],
    ['length', { payloadLength: 7 }],
    ['compressed', { uncompressed: 1 }],
    ['old layout', { flags: 0x03 }],
    ['extra info', { flags: 0x0b, payload: Buffer.from('abc') }],
    ['length of extra info', { flags: 0x0b, payload: hex('03000000 0102') }],
    ['extra info cut short', { flags: 0x0b, payload: hex('03000000 010203 ff') }],
    ['extra info cut short', { flags: 0x0b, payload: hex('07000000 d207 02000000 61 ff') }],
  ])('are refused for their %s, wherever they are cut', (what, fields) => {
    const bytes = one(fields)
    expect(() => feed(readerOf(), [bytes])).toThrow(new RegExp(what))
    for (let cut = 1; cut < bytes.length; cut++)
      expect(() => feed(readerOf(), [bytes.subarray(0, cut), bytes.subarray(cut)])).toThrow(
        new RegExp(what),
      )
  })

  test('are refused when extra info claims more than 1 MB, before it has come', () => {
    const payload = withExtra(Buffer.alloc(MEGABYTE + 1), Buffer.alloc(0))
    const bytes = one({ flags: 0x0b, payload })

    expect(() => feed(readerOf(), [bytes.subarray(0, 35)])).toThrow(/length of extra info/)
  })

  test('are refused for a second frame that is not the next', () => {
    const first = one({ flags: 0 })
    for (const sequence of [0, 1, 3])
      expect(() => feed(readerOf(), [first, one({ sequence })])).toThrow(/packet sequence/)
    expect(() => feed(readerOf(), [first, one({ sequence: 2, requestId: 8 })])).toThrow(
      /request id/,
    )
    expect(feed(readerOf(), [first, one({ sequence: 2 })]).ends).toEqual([false, true])
  })

  test('are refused when nobody asked, before the first request and behind a response', () => {
    expect(() => feed(new Ob20Reader(CONNECTION, MARK), [one()])).toThrow(/no request asked/)
    expect(() => feed(readerOf(), [one(), one({ sequence: 2 })])).toThrow(/no request asked/)
  })

  test('are not handed on when the frame that is wrong has come whole', () => {
    const reader = readerOf()
    let handed = 0
    const sink = {
      mysql: () => {
        handed += 1
      },
      extra: () => {
        handed += 1
      },
      frameEnded: () => {},
    }
    const payload = withExtra(extraEntry(2002, 'x'), Buffer.from('abc'))

    expect(() => reader.feed(one({ flags: 0x0b, payload, payloadChecksum: 1 }), sink)).toThrow(
      /payload/,
    )
    expect(handed).toBe(0)
  })

  test('are refused or waited for, whatever they are', () => {
    const bytes = Buffer.concat(
      responseFrames(stateOf(), Buffer.alloc(40, 'm'), {
        sliceBytes: 15,
        extra: [extraEntry(2002, 'blob')],
      }),
    )
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const mutated = Buffer.from(bytes)
        mutated[at] = mutated.readUInt8(at) ^ change
        let seen: Seen | undefined
        try {
          seen = feed(readerOf(), [mutated])
        } catch (error) {
          expect((error as Error).message).toMatch(/Malformed/)
        }
        // Only a checksum that became 0 goes unseen; a length cannot, its checksum is behind it.
        if (seen !== undefined) expect(seen.mysql).toEqual(Buffer.alloc(40, 'm'))
      }),
      { numRuns: 500 },
    )
  })
})

test('any response comes out as it was, whatever its frames and chunks', () => {
  const shape = fc.record({
    mysql: fc.uint8Array({ maxLength: 400 }),
    sliceBytes: fc.integer({ min: 1, max: 150 }),
    blobs: fc.array(fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }), {
      maxLength: 4,
    }),
    chunkBytes: fc.integer({ min: 1, max: 200 }),
    nextSequence: fc.nat(255),
    zeroChecksums: fc.boolean(),
  })
  fc.assert(
    fc.property(shape, ({ mysql, sliceBytes, blobs, chunkBytes, nextSequence, zeroChecksums }) => {
      const mark = { requestId: 9, nextSequence }
      const extra = blobs.map(blob =>
        blob === undefined ? undefined : extraEntry(2002, Buffer.from(blob)),
      )
      const state = { ...stateOf(mark), sequence: nextSequence }
      const bytes = Buffer.concat(
        responseFrames(state, Buffer.from(mysql), { sliceBytes, extra, zeroChecksums }),
      )
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; at += chunkBytes)
        chunks.push(bytes.subarray(at, at + chunkBytes))

      const seen = feed(readerOf(mark), chunks)

      expect(seen.mysql).toEqual(Buffer.from(mysql))
      expect(seen.extra.map(([, content]) => content)).toEqual(
        blobs.filter(blob => blob !== undefined).map(blob => Buffer.from(blob).toString('hex')),
      )
      expect(seen.ends.at(-1)).toBe(true)
    }),
  )
})
