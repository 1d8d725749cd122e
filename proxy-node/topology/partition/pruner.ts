/**
 * Which leaf partitions a statement's condition, or the values it inserts, can reach. One a worker: its
 * room is used again, and equalities of integers and texts are found without allocation.
 * Source: proxy-routing.md §6; proxy-routing-tried.md, which wins. Hot path: see the rules.
 */
import { type Expressions, NO_NODE, NODE } from '../../sql/expressions.ts'
import { Boxes } from './boxes.ts'
import type { Cell } from './cells.ts'
import { BINARY_COLLATION } from './column-type.ts'
import { Comparison } from './compare.ts'
import { filled, storedKey, valueOfKey } from './convert.ts'
import { derivedKey, sourceValue, withDerived } from './derive.ts'
import { evaluate } from './evaluate.ts'
import { type Key, KeyHash } from './hash.ts'
import { type Box, point } from './intervals.ts'
import { LevelReach } from './levels.ts'
import { momentOfMicros } from './moments.ts'
import { PointReader } from './point-reader.ts'
import type { Slot, TablePartitions } from './table-partitions.ts'
import type { PruneSession, Value } from './values.ts'
import { Work } from './work.ts'

export const PRUNED = {
  /** Exactly one partition: `leaf`. */
  one: 0,
  /** No partition has such a row: `leaf` is the first of all, which the kernel takes then. */
  none: 1,
  /** Several partitions: `leaf` is the first of them. */
  several: 2,
  /** Nothing is known: `leaf` is -1. */
  unknown: 3,
} as const

export type Pruned = (typeof PRUNED)[keyof typeof PRUNED]

const ANYTHING: readonly Box[] = [[]]

export class Pruner {
  private readonly hash = new KeyHash()
  private readonly work = new Work()
  private readonly comparison = new Comparison(this.work)
  private readonly reach = new LevelReach(this.hash, this.comparison, this.work)
  private readonly points = new PointReader(this.hash)
  /** The leaf of the last answer. */
  leaf = -1
  /** How many leaves the last answer was about. */
  leaves = 0

  /** What the condition at `root` leaves; NO_NODE is no condition. */
  prune(
    table: TablePartitions,
    expressions: Expressions,
    root: number,
    session: PruneSession,
  ): Pruned {
    this.leaf = -1
    this.leaves = 0
    if (table.scheme === undefined || root === NO_NODE) return PRUNED.unknown
    const leaf = this.points.leafOf(table, expressions, root, session)
    if (leaf >= 0) {
      this.leaf = leaf
      this.leaves = 1
      return PRUNED.one
    }
    return this.pruneBoxes(table, this.boxesOf(table, expressions, root, session))
  }

  /**
   * The boxes of a condition, with what follows from them; for explanations too. One that restricts
   * nothing when that takes too long.
   */
  boxesOf(
    table: TablePartitions,
    expressions: Expressions,
    root: number,
    session: PruneSession,
  ): readonly Box[] {
    const { comparison, work } = this
    work.begin()
    const boxes = new Boxes(expressions, session, { table, comparison, work }).of(root)
    const given = { table, session, work }
    const all = work.isSpent ? ANYTHING : boxes.flatMap(box => withDerived(given, box))
    return work.isSpent ? ANYTHING : all
  }

  /**
   * Where a row goes: `nodes` are its values by place in `table.columns`, NO_NODE or DEFAULT for one
   * that the statement leaves out.
   */
  pruneRow(
    table: TablePartitions,
    expressions: Expressions,
    nodes: ArrayLike<number>,
    session: PruneSession,
  ): Pruned {
    this.leaf = -1
    this.leaves = 0
    if (table.scheme === undefined) return PRUNED.unknown
    this.work.begin()
    return this.pruneBoxes(table, [this.rowBox(table, expressions, nodes, session)])
  }

  private pruneBoxes(table: TablePartitions, boxes: readonly Box[]): Pruned {
    const marks = this.marksOf(table, boxes)
    let count = 0
    for (let at = marks.length - 1; at >= 0; at--)
      if (marks[at] === 1) {
        count += 1
        this.leaf = at
      }
    this.leaves = count
    if (count === marks.length && count > 1) {
      this.leaf = -1
      return PRUNED.unknown
    }
    if (count > 0) return count === 1 ? PRUNED.one : PRUNED.several
    this.leaf = 0
    return PRUNED.none
  }

  private markLeaves(table: TablePartitions, box: Box, marks: Uint8Array): void {
    const { scheme, leafStarts } = table
    const [first, second] = scheme?.levels ?? []
    if (scheme === undefined || first === undefined) return
    if (second === undefined) {
      this.reach.mark(first, scheme.first, box, marks)
      return
    }
    const firsts = new Uint8Array(scheme.first.count)
    this.work.spend(scheme.first.count >> 3)
    this.reach.mark(first, scheme.first, box, firsts)
    for (const [at, siblings] of scheme.seconds.entries())
      if (firsts[at] === 1) {
        const from = leafStarts[at] as number
        this.reach.mark(second, siblings, box, marks.subarray(from, from + siblings.count))
      }
  }

  /** Which partitions the boxes reach, for explanations too; all when that takes too long. */
  marksOf(table: TablePartitions, boxes: readonly Box[]): Uint8Array {
    const { work } = this
    const marks = new Uint8Array(table.leaves.length)
    for (const box of boxes) {
      if (work.isSpent) break
      this.markLeaves(table, box, marks)
    }
    return work.isSpent ? marks.fill(1) : marks
  }

  // --- rows

  /** What the row has in each slot; nothing where it is not known. */
  rowBox(
    table: TablePartitions,
    expressions: Expressions,
    nodes: ArrayLike<number>,
    session: PruneSession,
  ): Box {
    const values: (Value | undefined)[] = []
    const keys: (Key | undefined)[] = []
    for (const [at, slot] of table.slots.entries()) {
      if (slot.derived !== undefined) continue
      const node = nodes[at] ?? NO_NODE
      const key = this.given(slot, expressions, node, session)
      keys[at] = key
      if (slot.type === undefined) values[at] = this.valueOf(expressions, node, session)
      else if (key !== undefined) values[at] = valueOfKey(slot.type, key, session.timeZone)
    }
    for (const [at, slot] of table.slots.entries()) {
      if (slot.derived === undefined) continue
      keys[at] = derivedKey(slot, session, place => values[place])
      const key = keys[at]
      if (slot.type !== undefined && key !== undefined)
        values[at] = valueOfKey(slot.type, key, session.timeZone)
    }
    return keys.map(key => (key === undefined ? undefined : point(key)))
  }

  private valueOf(
    expressions: Expressions,
    node: number,
    session: PruneSession,
  ): Value | undefined {
    if (node === NO_NODE || expressions.kind(node) === NODE.defaultValue) return { kind: 'null' }
    return sourceValue(evaluate(expressions, node, { session, column: () => undefined }))
  }

  /** What is stored in a column that is given at `node`. */
  private given(
    slot: Slot,
    expressions: Expressions,
    node: number,
    session: PruneSession,
  ): Key | undefined {
    if (slot.type === undefined) return undefined
    if (node === NO_NODE || expressions.kind(node) === NODE.defaultValue)
      return defaultKey(slot, session)
    const value = evaluate(expressions, node, { session, column: () => undefined })
    return value === undefined ? undefined : storedKey(slot.type, value, session.timeZone)
  }
}

function defaultKey({ type, defaultCell }: Slot, session: PruneSession): Key | undefined {
  if (type === undefined) return undefined
  if (defaultCell === undefined) return null
  if (defaultCell.kind === 'current-timestamp') {
    const local = session.timeZone.toLocal(BigInt(Math.floor(session.now())))
    if (local === undefined) return undefined
    return storedKey(type, { kind: 'datetime', moment: momentOfMicros(local) }, session.timeZone)
  }
  const key = keyOf(defaultCell)
  const isFilled = type.kind === 'char' && type.collation === BINARY_COLLATION
  return isFilled && key instanceof Uint8Array ? filled(key, type.length) : key
}

function keyOf(cell: Cell): Key | undefined {
  switch (cell.kind) {
    case 'integer':
    case 'real':
    case 'decimal':
      return cell.value
    case 'text':
      return cell.bytes
    default:
      return undefined
  }
}
