/**
 * Partitions that stand side by side on one level, in the order by which they are found: by position,
 * by bound, or as they arrived; never by id, which REORGANIZE and TRUNCATE renew.
 * Source: proxy-routing-tried.md "Metadata".
 */
import { type Cell, listRows, rangeBound } from './cells.ts'
import { collationOf } from './collations.ts'
import { type ColumnType, isText, type KernelFlavour } from './column-type.ts'
import { Comparison } from './compare.ts'
import type { Row } from './decode.ts'
import type { Key } from './hash.ts'
import type { Bound, Level, Siblings } from './table-partitions.ts'
import { Unprunable } from './unprunable.ts'

type Ordered = { readonly siblings: Siblings; readonly order: readonly Row[] }

const NONE = { bounds: [], rows: [], defaultAt: -1, numbers: undefined, byNumber: undefined }

export function siblingsOf(
  level: Level,
  rows: readonly Row[],
  flavour: KernelFlavour,
  position: 'part_position' | 'sub_part_position',
): Ordered {
  if (rows.length === 0) throw new Unprunable('no partition is known')
  switch (level.method) {
    case 'hash':
    case 'key':
      return hashed(rows, position)
    case 'range':
      return ranged(level, rows, flavour)
    case 'list':
      return listed(level, rows, flavour)
  }
}

function nameOf(row: Row): string {
  return row['part_name'] ?? ''
}

/** Rows of 3.x have no position: they arrive in order. */
function hashed(rows: readonly Row[], position: string): Ordered {
  const hasPositions = rows.every(row => (row[position] ?? '') !== '')
  const order = hasPositions
    ? rows.toSorted((one, other) => Number(one[position]) - Number(other[position]))
    : rows
  return { order, siblings: { ...NONE, names: order.map(nameOf), count: order.length } }
}

function ranged(level: Level, rows: readonly Row[], flavour: KernelFlavour): Ordered {
  for (const type of level.types)
    if (isText(type) && collationOf(type.collation)?.isOrdered === false)
      throw new Unprunable(`order of collation ${type.collation}`)
  const comparison = new Comparison()
  const bounded = rows.map(row => ({ row, bound: boundOf(level, row, flavour) }))
  const sorted = bounded.toSorted((one, other) =>
    compareBounds(comparison, level.types, one.bound, other.bound),
  )
  const bounds = sorted.map(({ bound }) => bound)
  const order = sorted.map(({ row }) => row)
  return {
    order,
    siblings: {
      ...NONE,
      names: order.map(nameOf),
      count: order.length,
      bounds,
      numbers: numbersOf(bounds),
    },
  }
}

function boundOf({ types }: Level, row: Row, flavour: KernelFlavour): Bound {
  const cells = rangeBound(Buffer.from(row['high_bound_val_bin'] ?? '', 'hex'), flavour)
  if (cells?.length !== types.length) throw new Unprunable(`bound of partition ${nameOf(row)}`)
  return cells.map((cell, at) =>
    cell.kind === 'max' ? undefined : keyOfCell(cell, types[at], nameOf(row)),
  )
}

/** What a cell is as a value of its column. */
function keyOfCell(cell: Cell, type: ColumnType | undefined, partition: string): Key {
  switch (cell.kind) {
    case 'null':
      return null
    case 'integer':
      if (cell.type === 'int' || cell.type === 'unsigned' || cell.type === type?.kind)
        return isDecimal(type) ? { units: cell.value, scale: 0 } : cell.value
      break
    case 'real':
    case 'decimal':
      return cell.value
    case 'text':
      return cell.bytes
    default:
  }
  throw new Unprunable(`bound of partition ${partition}`)
}

function isDecimal(type: ColumnType | undefined): boolean {
  return type?.kind === 'number' || type?.kind === 'decimal-int'
}

/** MAXVALUE, undefined, is above all. */
function compareBounds(
  comparison: Comparison,
  types: readonly ColumnType[],
  one: Bound,
  other: Bound,
): number {
  for (const [at, type] of types.entries()) {
    const [left, right] = [one[at], other[at]]
    if (left === undefined || right === undefined) {
      if (left !== right) return left === undefined ? 1 : -1
      continue
    }
    const difference = comparison.keys(type, left, right)
    if (difference !== 0) return difference
  }
  return 0
}

function numbersOf(bounds: readonly Bound[]): Float64Array | undefined {
  const numbers = new Float64Array(bounds.length)
  for (const [at, [only, ...others]] of bounds.entries()) {
    if (others.length > 0) return undefined
    if (only !== undefined && !isExact(only)) return undefined
    numbers[at] = only === undefined ? Number.POSITIVE_INFINITY : Number(only)
  }
  return numbers
}

function isExact(key: Key): key is bigint {
  return typeof key === 'bigint' && Number.isSafeInteger(Number(key))
}

function listed(level: Level, rows: readonly Row[], flavour: KernelFlavour): Ordered {
  const all = rows.map(row => rowsOf(level, row, flavour))
  const defaultAt = all.indexOf('default')
  const lists = all.map(list => (list === 'default' ? [] : list))
  return {
    order: rows,
    siblings: {
      ...NONE,
      names: rows.map(nameOf),
      count: rows.length,
      rows: lists,
      defaultAt,
      byNumber: byNumberOf(level, lists),
    },
  }
}

/** The row of the default partition has one cell, whatever the number of columns. */
function rowsOf(
  { types }: Level,
  row: Row,
  flavour: KernelFlavour,
): 'default' | readonly (readonly Key[])[] {
  const rows = listRows(Buffer.from(row['high_bound_val_bin'] ?? '', 'hex'), flavour)
  if (rows === undefined) throw new Unprunable(`values of partition ${nameOf(row)}`)
  if (rows.length === 1 && rows[0]?.[0]?.kind === 'max') return 'default'
  return rows.map(cells => {
    if (cells.length !== types.length) throw new Unprunable(`values of partition ${nameOf(row)}`)
    return cells.map((cell, at) => keyOfCell(cell, types[at], nameOf(row)))
  })
}

function byNumberOf(
  { types }: Level,
  lists: readonly (readonly (readonly Key[])[])[],
): ReadonlyMap<number, number> | undefined {
  const kind = types[0]?.kind
  if (types.length !== 1 || (kind !== 'int' && kind !== 'unsigned')) return undefined
  const byNumber = new Map<number, number>()
  for (const [at, rows] of lists.entries())
    for (const [key] of rows) {
      if (key === undefined || (key !== null && !isExact(key))) return undefined
      byNumber.set(key === null ? Number.NaN : Number(key), at)
    }
  return byNumber
}
