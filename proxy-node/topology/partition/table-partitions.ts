/**
 * How one table is partitioned, decoded from the kernel's metadata once and never changed: key columns,
 * levels, bounds, and the leaf partitions with the ids that locations are asked for.
 * Source: proxy-routing.md §4.3, §6; proxy-routing-tried.md "Metadata".
 */
import type { Expressions } from '../../sql/expressions.ts'
import type { KeyColumns } from '../../sql/key-columns.ts'
import type { Cell } from './cells.ts'
import type { ColumnType } from './column-type.ts'
import type { Key, TextHash } from './hash.ts'

/** An expression over other slots, in an arena of its own. */
export type Derived = {
  readonly expressions: Expressions
  readonly node: number
  /** The slots of its columns. */
  readonly sources: readonly number[]
  readonly text: string
}

/** Something that conditions can restrict: a column, or the expression that a level is partitioned by. */
export type Slot = {
  /** In lower case; the text of an expression. */
  readonly name: string
  /** Undefined for a column that is only a source of a generated one: the metadata does not tell. */
  readonly type: ColumnType | undefined
  readonly derived: Derived | undefined
  /** What INSERT stores where it names no value; undefined for NULL. */
  readonly defaultCell: Cell | undefined
}

export type Method = 'hash' | 'key' | 'range' | 'list'

export type Level = {
  readonly method: Method
  /** As the DDL has it; empty for KEY(). */
  readonly text: string
  readonly slots: readonly number[]
  readonly types: readonly ColumnType[]
  readonly textHash: TextHash
}

/** Undefined: MAXVALUE. */
export type Bound = readonly (Key | undefined)[]

/** The partitions of one level that stand side by side, in the order that indexes them. */
export type Siblings = {
  readonly names: readonly string[]
  readonly count: number
  /** RANGE: exclusive upper bounds. */
  readonly bounds: readonly Bound[]
  /** LIST: the rows of each. */
  readonly rows: readonly (readonly (readonly Key[])[])[]
  /** LIST: the partition of all other rows; -1 for none. */
  readonly defaultAt: number
  /** Bounds of a single integer column as numbers; undefined where they are not exact. */
  readonly numbers: Float64Array | undefined
  /** LIST of a single integer column: the partition of each number; NULL is NaN. */
  readonly byNumber: ReadonlyMap<number, number> | undefined
}

export type Leaf = {
  readonly name: string
  /** What a location is asked for: the tablet id, of 3.x the partition id. Decimal digits. */
  readonly id: string
  readonly partId: string
  readonly subPartId: string
}

export type Scheme = {
  readonly levels: readonly Level[]
  readonly first: Siblings
  /** By the index of the first level; empty for one level. */
  readonly seconds: readonly Siblings[]
}

export class TablePartitions {
  /** Columns first, in the order of `columns`; then expressions. */
  readonly slots: readonly Slot[]
  readonly columns: KeyColumns
  readonly scheme: Scheme | undefined
  /** Why no partition can be computed; undefined when one can. */
  readonly reason: string | undefined
  readonly leaves: readonly Leaf[]
  /** Where the leaves of each first-level partition begin, and the end. */
  readonly leafStarts: Int32Array
  private readonly byName: ReadonlyMap<string, number>

  constructor(parts: {
    readonly slots: readonly Slot[]
    readonly columns: KeyColumns
    readonly scheme: Scheme | undefined
    readonly reason: string | undefined
    readonly leaves: readonly Leaf[]
    readonly leafStarts: Int32Array
    readonly firstNames: readonly string[]
  }) {
    this.slots = parts.slots
    this.columns = parts.columns
    this.scheme = parts.scheme
    this.reason = parts.reason
    this.leaves = parts.leaves
    this.leafStarts = parts.leafStarts
    this.byName = new Map([
      ...parts.firstNames.map((name, at): [string, number] => [
        name.toLowerCase(),
        parts.leafStarts[at] as number,
      ]),
      ...parts.leaves.map(({ name }, at): [string, number] => [name.toLowerCase(), at]),
    ])
  }

  /** The leaf of an explicit name, in any case; the first one of a first-level name. -1 for none. */
  leafNamed(name: string): number {
    return this.byName.get(name.toLowerCase()) ?? -1
  }

  /** The leaf with this id; -1 for none. */
  leafOf(id: string): number {
    return this.leaves.findIndex(leaf => leaf.id === id)
  }
}
