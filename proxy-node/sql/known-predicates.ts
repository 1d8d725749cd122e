/**
 * What was read of a statement's predicates, kept for the texts that differ from it in values only: the
 * same tree, whose spans are moved to where the values of the statement at hand are. Used by one statement
 * at a time. Hot path: see the rules.
 */
import { type Expressions, NO_NODE } from './expressions.ts'
import type { KeyColumns } from './key-columns.ts'
import type { Predicates } from './predicates.ts'
import type { TextValues } from './text-values.ts'

/** Statements with more nodes are read each time. */
const MOST_NODES = 128

const NOTHING = new Uint8Array(0)

export class KnownPredicates {
  /** That were asked for. */
  readonly columns: KeyColumns
  readonly expressions: Expressions
  readonly condition: number
  readonly hasValues: boolean
  /** By column, when `hasValues`. */
  readonly values: readonly number[]
  /** Where the text that was read began and its values ended. */
  private readonly from: number
  private readonly ends: Int32Array
  /** By node: where its span begins and ends in that text, and behind how many values. */
  private readonly froms: Int32Array
  private readonly tos: Int32Array
  private readonly valuesBeforeFrom: Uint8Array
  private readonly valuesBeforeTo: Uint8Array
  /** By how many values stand before: how far a position has moved. */
  private readonly shifts: Int32Array

  private constructor(predicates: Predicates, values: TextValues, columns: KeyColumns) {
    const { expressions } = predicates
    const starts = values.starts.slice(0, values.count)
    this.columns = columns
    this.from = values.from
    this.ends = values.ends.slice(0, values.count)
    this.expressions = expressions.copy()
    this.condition = predicates.condition
    this.hasValues = predicates.hasValues
    this.values = Array.from({ length: columns.size }, (_value, column) =>
      predicates.hasValues ? (predicates.value(column) ?? NO_NODE) : NO_NODE,
    )
    const nodes = Array.from({ length: expressions.size + 1 }, (_node, at) => at)
    this.froms = Int32Array.from(nodes, node => expressions.from(node))
    this.tos = Int32Array.from(nodes, node => expressions.to(node))
    this.valuesBeforeFrom = Uint8Array.from(this.froms, at => countBelow(starts, at))
    this.valuesBeforeTo = Uint8Array.from(this.tos, at => countBelow(this.ends, at + 1))
    this.shifts = new Int32Array(values.count + 1)
  }

  /** Undefined: what was read is not kept. `values` are those of the text that `predicates` read. */
  static of(
    predicates: Predicates,
    values: TextValues,
    columns: KeyColumns,
  ): KnownPredicates | undefined {
    const isKept = predicates.partitionNames === 0 && predicates.expressions.size <= MOST_NODES
    return isKept ? new KnownPredicates(predicates, values, columns) : undefined
  }

  /**
   * Makes it say what a text with these values says, which differs from the one that was read in values only.
   * `bytes`: where that text is by now, as far from the beginning as when its values were found.
   */
  moveTo(values: TextValues, bytes: Uint8Array = values.bytes): void {
    const { from, ends, count } = values
    const { shifts, expressions, froms, tos } = this
    shifts[0] = from - this.from
    for (let at = 0; at < count; at++)
      shifts[at + 1] = (ends[at] as number) - (this.ends[at] as number)
    expressions.bytes = bytes
    for (let node = 1; node < froms.length; node++)
      expressions.move(
        node,
        (froms[node] as number) + (shifts[this.valuesBeforeFrom[node] as number] as number),
        (tos[node] as number) + (shifts[this.valuesBeforeTo[node] as number] as number),
      )
  }

  /** Lets go of the text: what is kept for long must not keep the chunk that a command came in. */
  letGo(): void {
    this.expressions.bytes = NOTHING
  }
}

function countBelow(sorted: Int32Array, limit: number): number {
  let count = 0
  while (count < sorted.length && (sorted[count] as number) < limit) count += 1
  return count
}
