/**
 * Weights of code points by collation, unpacked once a process: all together less than 1 MB, as most
 * follow from a rule. The packed tables are made by test/support/collation-weights.mjs.
 */
import { inflateRawSync } from 'node:zlib'
import { collationRanges, type WeightTable, writeImplied } from './implied-weights.ts'
import { GENERAL } from './weights/general.ts'
import { UCA900 } from './weights/uca900.ts'
import { UNICODE } from './weights/unicode.ts'
import { UNICODE520 } from './weights/unicode520.ts'

const PACKED: Readonly<Record<WeightTable, string>> = {
  general: GENERAL,
  unicode: UNICODE,
  unicode520: UNICODE520,
  uca900: UCA900,
}

/** A length of this says that the rule gives the weights. */
const IMPLIED = 255
const MOST_WEIGHTS = 8
/** Places of a page, and of the bits that tell one in it. */
const PAGE = 256
const PAGE_BITS = 8
const LENGTH_BITS = 4
const LENGTH_MASK = 0xf
const BY_RULE = -1

/** All weights of one collation. Hot path: see the rules. */
export class Weights {
  private readonly name: WeightTable
  /** Where a page's entries begin; BY_RULE when the rule gives all its weights. */
  private readonly pages: Int32Array
  /** Where the weights of a place begin, and how many there are; or BY_RULE. */
  private readonly entries: Int32Array
  private readonly values: Uint16Array

  constructor(name: WeightTable) {
    this.name = name
    const packed = inflateRawSync(Buffer.from(PACKED[name], 'base64'))
    const places = collationRanges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
    const lengths = packed.subarray(0, places)
    const steps = packed.subarray(places)
    this.pages = new Int32Array(Math.ceil(places / PAGE)).fill(BY_RULE)
    this.entries = new Int32Array(this.arrange(lengths)).fill(BY_RULE)
    this.values = new Uint16Array(steps.length / 2)
    this.unpack(lengths, steps)
  }

  /** Gives each page that needs them its entries; how many all need. */
  private arrange(lengths: Uint8Array): number {
    let room = 0
    for (let place = 0; place < lengths.length; place++) {
      if (lengths[place] === IMPLIED || this.pages[place >> PAGE_BITS] !== BY_RULE) continue
      this.pages[place >> PAGE_BITS] = room
      room += PAGE
    }
    return room
  }

  private unpack(lengths: Uint8Array, steps: Uint8Array): void {
    const { pages, entries, values } = this
    let filled = 0
    let weight = 0
    for (let place = 0; place < lengths.length; place++) {
      const length = lengths[place] as number
      if (length === IMPLIED) continue
      const entry = (pages[place >> PAGE_BITS] as number) + (place & (PAGE - 1))
      entries[entry] = (filled << LENGTH_BITS) | length
      for (let index = 0; index < length; index++, filled++) {
        const high = steps[filled] as number
        const low = steps[values.length + filled] as number
        weight = (weight + ((high << 8) | low)) & 0xffff
        values[filled] = weight
      }
    }
  }

  /** Writes the weights of `point` behind `at` and answers where they end: at most eight. */
  write(point: number, into: Int32Array, at: number): number {
    const entry = this.entryOf(placeOf(point))
    if (entry < 0) return writeImplied(this.name, point, into, at)
    let filled = at
    const start = entry >> LENGTH_BITS
    const end = start + (entry & LENGTH_MASK)
    for (let index = start; index < end; index++) into[filled++] = this.values[index] as number
    return filled
  }

  private entryOf(place: number): number {
    const page = place < 0 ? BY_RULE : (this.pages[place >> PAGE_BITS] as number)
    return page < 0 ? BY_RULE : (this.entries[page + (place & (PAGE - 1))] as number)
  }
}

/** Room that `write` needs at most. */
export const WEIGHTS_A_CHARACTER = MOST_WEIGHTS

const SECOND = collationRanges[1] ?? [0, 0]
const THIRD = collationRanges[2] ?? [0, 0]
const FIRST_PLACES = (collationRanges[0]?.[1] ?? 0) + 1
const SECOND_PLACES = SECOND[1] - SECOND[0] + 1

function placeOf(point: number): number {
  if (point < FIRST_PLACES) return point
  if (point >= SECOND[0] && point <= SECOND[1]) return FIRST_PLACES + point - SECOND[0]
  if (point >= THIRD[0] && point <= THIRD[1]) return FIRST_PLACES + SECOND_PLACES + point - THIRD[0]
  return -1
}

const UNPACKED = new Map<WeightTable, Weights>()

/** The table, unpacked once a process. */
export function weightsOf(name: WeightTable): Weights {
  const known = UNPACKED.get(name)
  if (known !== undefined) return known
  const weights = new Weights(name)
  UNPACKED.set(name, weights)
  return weights
}
