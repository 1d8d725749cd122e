/** The order of a column's values, NULL first. Source: proxy-routing.md §6.6. */

import { type Collation, collationOf } from './collations.ts'
import type { ColumnType } from './column-type.ts'
import { compareDecimals } from './decimals.ts'
import type { Key } from './hash.ts'
import { padOf, TextWeights } from './text-weights.ts'
import type { Work } from './work.ts'

/** Below 0, 0, above 0; NaN when they cannot be compared. */
export class Comparison {
  private readonly left = new TextWeights()
  private readonly right = new TextWeights()
  private readonly work: Work | undefined

  /** `work`: what comparing texts counts for. */
  constructor(work?: Work) {
    this.work = work
  }

  keys(type: ColumnType, one: Key, other: Key): number {
    if (one === null || other === null) return Number(one !== null) - Number(other !== null)
    if (one instanceof Uint8Array)
      return other instanceof Uint8Array ? this.texts(type, one, other) : Number.NaN
    if (other instanceof Uint8Array) return Number.NaN
    if (typeof one === 'number' || typeof other === 'number') {
      const difference = realOf(one) - realOf(other)
      return difference
    }
    if (typeof one === 'bigint' && typeof other === 'bigint') {
      if (one === other) return 0
      return one < other ? -1 : 1
    }
    return compareDecimals(decimalOf(one), decimalOf(other))
  }

  private texts(type: ColumnType, one: Uint8Array, other: Uint8Array): number {
    const collation = collationOf(type.collation)
    if (collation === undefined) return Number.NaN
    this.work?.spend(2 + ((one.length + other.length) >> 2))
    const isRead =
      this.left.fill(collation, one, 0, one.length) &&
      this.right.fill(collation, other, 0, other.length)
    return isRead ? this.weights(collation) : Number.NaN
  }

  /** The shorter text goes on with spaces, where the collation says so. */
  private weights(collation: Collation): number {
    const { left, right } = this
    const pad = padOf(collation)
    const length = Math.max(left.length, right.length)
    for (let index = 0; index < length; index++) {
      const one = index < left.length ? (left.weights[index] as number) : pad
      const other = index < right.length ? (right.weights[index] as number) : pad
      if (one !== other) return one - other
    }
    return 0
  }
}

function realOf(key: Exclude<Key, null | Uint8Array>): number {
  if (typeof key === 'object') return Number(key.units) / 10 ** key.scale
  return Number(key)
}

function decimalOf(key: Exclude<Key, null | Uint8Array | number>) {
  return typeof key === 'bigint' ? { units: key, scale: 0 } : key
}
