import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Collected,
  PacketCollector,
  ResponseRelay,
} from '../../../../proxy-node/wire/framing.ts'
import { COMMAND } from '../../../../proxy-node/wire/protocol.ts'
import { ResponseTracker } from '../../../../proxy-node/wire/response.ts'
import { buildEof } from '../../../../proxy-node/wire/resultset.ts'
import { concat, packet } from '../../../../proxy-node/wire/writer.ts'

function collect(collector: PacketCollector, chunks: readonly Uint8Array[]): Collected[] {
  const seen: Collected[] = []
  for (const chunk of chunks) {
    // As a socket does: the buffer of a chunk is used again.
    const reused = chunk.slice()
    collector.push(reused)
    for (let got = collector.next(); got !== undefined; got = collector.next()) seen.push(got)
    reused.fill(0xee)
  }
  return seen
}

describe('packet collector', () => {
  test('joins payloads over every cut, and hands out what stays', () => {
    const payload = fc.uint8Array({ maxLength: 60 })
    fc.assert(
      fc.property(payload, payload, (first, second) => {
        const bytes = concat([packet(0, first), packet(5, second)])
        for (let cut = 0; cut <= bytes.length; cut++) {
          const seen = collect(new PacketCollector(1000), [
            bytes.subarray(0, cut),
            bytes.subarray(cut),
          ])

          expect(seen.map(got => [...got.payload])).toEqual([[...first], [...second]])
          expect(seen.map(got => got.sequence)).toEqual([0, 5])
        }
      }),
      { numRuns: 30 },
    )
  })

  test('joins payloads that come byte by byte', () => {
    const payloads = [new Uint8Array(300).fill(1), new Uint8Array(0), new Uint8Array(5).fill(2)]
    const bytes = concat(payloads.map(payload => packet(1, payload)))

    const seen = collect(
      new PacketCollector(1000),
      Array.from(bytes, byte => Uint8Array.of(byte)),
    )

    expect(seen.map(got => got.payload)).toEqual(payloads)
  })

  test.each([0xff_fffe, 0xff_ffff, 0x100_0000])(
    'joins the packets of a payload of %i bytes',
    length => {
      const payload = new Uint8Array(length).fill(7)
      const bytes = packet(0, payload)
      const collector = new PacketCollector(0x200_0000)

      const seen = collect(collector, [bytes.subarray(0, 100_000), bytes.subarray(100_000)])

      expect(seen).toHaveLength(1)
      expect(Buffer.from(seen[0]?.payload ?? []).equals(payload)).toBe(true)
      expect(seen[0]?.sequence).toBe(length < 0xff_ffff ? 0 : 1)
      expect(collector.waitingBytes).toBe(0)
    },
  )

  test('refuses a packet above its cap before it has come', () => {
    const collector = new PacketCollector(100)
    collector.push(Uint8Array.of(101, 0, 0, 0))

    expect(() => collector.next()).toThrow(/more than 100 bytes/)
  })

  test('refuses continuation packets that together are above its cap', () => {
    const collector = new PacketCollector(0x100_0000)
    collector.push(packet(0, new Uint8Array(0xff_ffff)).subarray(0, 0xff_ffff + 4))
    expect(collector.next()).toBeUndefined()

    collector.push(Uint8Array.of(2, 0, 0, 1))
    expect(() => collector.next()).toThrow(/more than/)
  })

  test('takes time that grows with the bytes, not with the pieces', () => {
    const collector = new PacketCollector(1 << 20)
    const bytes = packet(0, new Uint8Array(1 << 18))
    const started = performance.now()
    for (let at = 0; at < bytes.length - 1; at++) {
      collector.push(bytes.subarray(at, at + 1))
      collector.next()
    }
    const tookMs = performance.now() - started

    collector.push(bytes.subarray(-1))
    expect(collector.next()?.payload).toHaveLength(1 << 18)
    // Joining each piece with all before it would copy 32 GB here.
    expect(tookMs).toBeLessThan(2_000)
  })
})

describe('the relay of a result', () => {
  const PACKETS = 40_000
  const row = packet(4, Uint8Array.of(3, 65, 66, 67, 3, 68, 69, 70))
  const rows = concat(Array.from({ length: PACKETS }, () => row))
  const head = concat([
    packet(1, Uint8Array.of(2)),
    packet(2, new Uint8Array(30).fill(3)),
    packet(3, buildEof()),
  ])

  function relayRows(extraOk: boolean, chunkBytes: number) {
    let forwarded = 0
    let calls = 0
    const relay = new ResponseRelay(new ResponseTracker(extraOk), {
      forward: (_bytes, from, to) => {
        forwarded += to - from
        calls += 1
      },
      finished: () => {},
      infile: () => {},
      discards: () => false,
    })
    relay.begin(COMMAND.query)
    relay.feed(head)
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < rows.length; at += chunkBytes)
      relay.feed(rows.subarray(at, at + chunkBytes))
    const heapBytes = process.memoryUsage().heapUsed - before
    return { forwarded: forwarded - head.length, calls: calls - 1, heapBytes }
  }

  test.each([true, false])('hands on at most once a chunk (extra OK: %s)', extraOk => {
    const chunkBytes = 1000
    const { forwarded, calls } = relayRows(extraOk, chunkBytes)

    expect(calls).toBeLessThanOrEqual(Math.ceil(rows.length / chunkBytes))
    expect(rows.length - forwarded).toBeLessThan(row.length)
  })

  test('allocates nothing a packet', () => {
    setFlagsFromString('--expose_gc')
    const collectGarbage = runInNewContext('gc') as () => void
    let leastBytes = Number.POSITIVE_INFINITY
    // The least of many: whatever else runs in the process only adds.
    for (let run = 0; run < 20; run++) {
      collectGarbage()
      leastBytes = Math.min(leastBytes, relayRows(true, 64 * 1024).heapBytes)
    }

    // The smallest object has 12 bytes: one a packet would be 480 KB.
    expect(leastBytes).toBeLessThan(PACKETS * 4)
  })
})
