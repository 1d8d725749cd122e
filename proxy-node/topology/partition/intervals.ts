/**
 * Intervals of a slot's values: what a comparison with one value leaves of them.
 * Source: proxy-routing.md §5.8, §6.2; proxy-routing-tried.md "Ranges".
 */
import type { ColumnType } from './column-type.ts'
import { storedReal } from './convert.ts'
import type { Key } from './hash.ts'
import type { Slot } from './table-partitions.ts'
import type { Value } from './values.ts'

export type Operator = 'equal' | 'less' | 'lessOrEqual' | 'greater' | 'greaterOrEqual'

/** Undefined ends are open to infinity. A point has its key at both ends, closed. */
export type Interval = {
  readonly low: Key | undefined
  readonly isLowOpen: boolean
  readonly high: Key | undefined
  readonly isHighOpen: boolean
  /** Of a column whose type is not known: its only value. */
  readonly value: Value | undefined
}

/** By slot; undefined: not restricted. */
export type Box = readonly (Interval | undefined)[]

export function point(key: Key): Interval {
  return { low: key, isLowOpen: false, high: key, isHighOpen: false, value: undefined }
}

/** The values that a comparison with `key` is true for. */
export function intervalOf(operator: Operator, key: Key): Interval {
  const none = { low: undefined, isLowOpen: true, high: undefined, isHighOpen: true }
  switch (operator) {
    case 'equal':
      return point(key)
    case 'less':
      return { ...none, high: key, value: undefined }
    case 'lessOrEqual':
      return { ...none, high: key, isHighOpen: false, value: undefined }
    case 'greater':
      return { ...none, low: key, value: undefined }
    case 'greaterOrEqual':
      return { ...none, low: key, isLowOpen: false, value: undefined }
  }
}

/** The key of a point; undefined for more or less than one value. */
export function pointOf(interval: Interval | undefined): Key | undefined {
  if (interval === undefined || interval.isLowOpen || interval.isHighOpen) return undefined
  return interval.low === interval.high ? interval.low : undefined
}

/** Integers between two ends that are taken one by one. */
const MOST_INTEGERS = 256n

/** The first and the last integer of an interval; undefined when they are none, or too many. */
export function integersWithin(
  { kind }: ColumnType,
  interval: Interval | undefined,
): { readonly from: bigint; readonly to: bigint } | undefined {
  if (interval === undefined || (kind !== 'int' && kind !== 'unsigned')) return undefined
  const { low, high } = interval
  if (typeof low !== 'bigint' || typeof high !== 'bigint') return undefined
  const from = interval.isLowOpen ? low + 1n : low
  const to = interval.isHighOpen ? high - 1n : high
  return to - from < MOST_INTEGERS ? { from, to } : undefined
}

/** Whether one end is at least as far in as the other, which `compare` puts below it. */
export function isInner(
  one: Key | undefined,
  isOneOpen: boolean,
  other: Key | undefined,
  compare: (left: Key, right: Key) => number,
): boolean {
  if (other === undefined) return true
  if (one === undefined) return false
  const difference = compare(one, other)
  return difference === 0 ? isOneOpen : difference > 0
}

/**
 * A FLOAT column is compared as what it stores, which is no number with more digits, and no integer
 * column has a number beyond its ends.
 */
export function isNever(
  { type }: Slot,
  operator: Operator,
  interval: Interval | undefined,
): boolean {
  if (type === undefined || operator !== 'equal') return false
  const key = pointOf(interval)
  if (type.kind === 'float') return typeof key === 'number' && storedReal(type, key) !== key
  return typeof key === 'bigint' && !isWithin(type, key)
}

/** An integer that the column can have; what is no integer is. */
function isWithin({ kind, bits }: ColumnType, key: bigint): boolean {
  if (kind === 'int') return BigInt.asIntN(bits, key) === key
  return kind !== 'unsigned' || BigInt.asUintN(bits, key) === key
}

/** Between two integers there are numbers that an integer column is above or below, but never equal to. */
export function betweenWhole({ type }: Slot, operator: Operator, value: Value): Key | undefined {
  const isWhole = type?.kind === 'int' || type?.kind === 'unsigned'
  return isWhole && operator !== 'equal' && value.kind === 'decimal' ? value.value : undefined
}

/**
 * Whether BETWEEN compares a column with these values as something else than the column: one of them has
 * another type or collation, which is then that of all three, or it is not known.
 */
export function isComparedOtherwise(
  { kind }: ColumnType,
  values: readonly (Value | undefined)[],
): boolean {
  const others = values.filter(value => value?.kind !== 'null')
  const [first] = others
  if (kind === 'varchar' || kind === 'char')
    return others.some(value => !isText(value) || collationAsked(value) !== collationAsked(first))
  return kind === 'time' && others.some(value => value === undefined || value.kind !== first?.kind)
}

function isText(value: Value | undefined): boolean {
  return value?.kind === 'bytes' || (value?.kind === 'text' && value.charset !== 'binary')
}

function collationAsked(value: Value | undefined): string | undefined {
  return value?.kind === 'text' ? value.collation : undefined
}
