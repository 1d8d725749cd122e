/**
 * Weights of code points by collation, unpacked when the first table with that collation is met: about
 * 1 MB each. The packed tables are made by test/support/collation-weights.mjs.
 */
import { inflateRawSync } from 'node:zlib'
import { collationRanges, impliedWeights, type WeightTable } from './implied-weights.ts'
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

/** All weights of one collation. Hot path: see the rules. */
export class Weights {
  private readonly name: WeightTable
  /** Where the weights of a place begin; one more than there are places. */
  private readonly starts: Int32Array
  private readonly values: Uint16Array

  constructor(name: WeightTable) {
    this.name = name
    const packed = inflateRawSync(Buffer.from(PACKED[name], 'base64'))
    const places = collationRanges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
    const lengths = packed.subarray(0, places)
    const steps = packed.subarray(places)
    this.starts = new Int32Array(places + 1)
    const values = new Uint16Array(places * 2 + steps.length)
    const count = this.unpack(lengths, steps, values)
    this.values = values.slice(0, count)
  }

  private unpack(lengths: Uint8Array, steps: Uint8Array, values: Uint16Array): number {
    const half = steps.length / 2
    let filled = 0
    let step = 0
    let weight = 0
    let place = 0
    for (const [from, to] of collationRanges)
      for (let point = from; point <= to; point++, place++) {
        const length = lengths[place] as number
        if (length === IMPLIED)
          for (const implied of impliedWeights(this.name, point)) values[filled++] = implied
        else
          for (let index = 0; index < length; index++, step++) {
            const difference = ((steps[step] as number) << 8) | (steps[half + step] as number)
            weight = (weight + difference) & 0xffff
            values[filled++] = weight
          }
        this.starts[place + 1] = filled
      }
    return filled
  }

  /** Writes the weights of `point` behind `at` and answers where they end: at most eight. */
  write(point: number, into: Int32Array, at: number): number {
    const place = placeOf(point)
    if (place < 0) return this.writeImplied(point, into, at)
    const end = this.starts[place + 1] as number
    let filled = at
    for (let index = this.starts[place] as number; index < end; index++)
      into[filled++] = this.values[index] as number
    return filled
  }

  private writeImplied(point: number, into: Int32Array, at: number): number {
    let filled = at
    for (const weight of impliedWeights(this.name, point)) into[filled++] = weight
    return filled
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
