/**
 * The columns of one table whose values routing asks for: a name in a statement's bytes becomes a place
 * in this list without making a string. Made once a table. Source: proxy-routing.md §5.8.
 */

const NO_COLUMN = -1

export class KeyColumns {
  private readonly names: readonly Uint8Array[]
  /** Of each: its place among all columns of the table, from 0; -1 when that is not known. */
  private readonly places: readonly number[]

  constructor(names: readonly string[], places: readonly number[] = []) {
    this.names = names.map(name => Uint8Array.from(Buffer.from(name), lower))
    this.places = places
  }

  get size(): number {
    return this.names.length
  }

  /** The place in this list of the column whose name stands between `from` and `to`, in any case; -1 for another. */
  find(bytes: Uint8Array, from: number, to: number): number {
    for (let index = 0; index < this.names.length; index++)
      if (isSameName(bytes, from, to, this.names[index] as Uint8Array)) return index
    return NO_COLUMN
  }

  /** The place of a column of this list among all columns of the table; -1 when it is not known. */
  place(column: number): number {
    return this.places[column] ?? NO_COLUMN
  }

  /** Whether reading for these columns is reading for `other`: the same table of another tenant, or described anew. */
  isSame(other: KeyColumns): boolean {
    if (other === this) return true
    const { names, places } = this
    if (other.names.length !== names.length) return false
    for (let at = 0; at < names.length; at++) {
      const its = other.names[at] as Uint8Array
      if (!isSameName(its, 0, its.length, names[at] as Uint8Array)) return false
      if (other.places[at] !== places[at]) return false
    }
    return true
  }

  /** Whether the place among the table's columns is known of each. */
  get hasPlaces(): boolean {
    for (let index = 0; index < this.names.length; index++) if (this.place(index) < 0) return false
    return true
  }
}

/** No column of a statement is asked for. */
export const NO_COLUMNS = new KeyColumns([])

function isSameName(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false
  for (let index = 0; index < name.length; index++)
    if (lower(bytes[from + index] as number) !== name[index]) return false
  return true
}

/** Whether two names of one statement are the same in any case. */
export function isSameSpan(
  bytes: Uint8Array,
  span: { readonly from: number; readonly to: number },
  from: number,
  to: number,
): boolean {
  if (to - from !== span.to - span.from) return false
  for (let index = 0; index < to - from; index++)
    if (lower(bytes[from + index] as number) !== lower(bytes[span.from + index] as number))
      return false
  return true
}

/** Whether two names of one statement are the same, letter for letter. */
export function isSameText(
  bytes: Uint8Array,
  span: { readonly from: number; readonly to: number },
  from: number,
  to: number,
): boolean {
  if (to - from !== span.to - span.from) return false
  for (let index = 0; index < to - from; index++)
    if (bytes[from + index] !== bytes[span.from + index]) return false
  return true
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
