/**
 * Ids that clients see: bit 31 zero, 13 bits proxy id, one bit that changes with each start, 17 bits
 * shared by the workers. Unique over nodes, restarts and workers (N4). Source: proxy-protocol.md §2.7.
 */
import type { IdRange } from './channel.ts'

const SEQUENCE_BITS = 17
const SEQUENCES = 1 << SEQUENCE_BITS

/** Ids of one worker, in turn; after 131,072 divided by the workers they come again. */
export function connectionIds(range: IdRange): () => number {
  const base = range.proxyId * SEQUENCES * 2 + range.parity * SEQUENCES
  const own = Math.floor(SEQUENCES / range.workers)
  let turn = range.start % own
  return () => {
    turn = (turn + 1) % own
    return base + turn * range.workers + range.worker
  }
}
