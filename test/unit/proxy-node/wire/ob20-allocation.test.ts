/**
 * In a file of its own: what other tests show the engine before decides whether it boxes the numbers of
 * checksums, which says nothing of this code.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Ob20Reader } from '../../../../proxy-node/wire/ob20.ts'
import { responseFrames, responseState } from '../../../support/ob20-server.ts'

const CONNECTION = 0x8234_5678
const FRAMES = 50_000
const FRAME_BYTES = 13
const CHUNK_BYTES = 65_536
const MOST_RUNS = 300

test('a response allocates nothing a frame', () => {
  const mark = { requestId: 1, nextSequence: 1 }
  const state = responseState(CONNECTION, { requestId: 1, sequence: 0 }, 3)
  const mysql = Buffer.alloc(FRAMES * FRAME_BYTES, 'm')
  const frames = responseFrames(state, mysql, { sliceBytes: FRAME_BYTES, isLast: false })
  const bytes = Buffer.concat(frames)
  const sink = { mysql: () => {}, extra: () => {}, frameEnded: () => {} }
  setFlagsFromString('--expose_gc')
  const collectGarbage = runInNewContext('gc') as () => void
  // The smallest object has 12 bytes: one a frame would be 600 KB.
  const limit = FRAMES * 4
  let leastBytes = Number.POSITIVE_INFINITY
  // The least of many: what else runs in the process only adds, and code that is not optimised yet boxes numbers.
  for (let run = 0; run < MOST_RUNS && leastBytes >= limit; run++) {
    const reader = new Ob20Reader(CONNECTION, mark)
    reader.begin()
    const own = Uint8Array.from(bytes)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < own.length; at += CHUNK_BYTES)
      reader.feed(own.subarray(at, at + CHUNK_BYTES), sink)
    leastBytes = Math.min(leastBytes, process.memoryUsage().heapUsed - before)
  }

  expect(leastBytes).toBeLessThan(limit)
})
