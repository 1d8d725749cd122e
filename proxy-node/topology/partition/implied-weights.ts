/**
 * Weights that follow from the code point, so that they need no table: of what a collation leaves to a
 * rule. Source: UTS #10, "Implicit Weights", 4.0.0 to 9.0.0; proxy-routing-tried.md "Bytes to hash".
 */
export type WeightTable = 'general' | 'unicode' | 'unicode520' | 'uca900'

/** Where weights are that no rule gives. */
export const collationRanges: readonly (readonly [from: number, to: number])[] = [
  [0, 0x1ffff],
  [0x2f800, 0x2fa1f],
  [0xe0000, 0xe01ff],
]

const BEYOND_BMP = 0xfffd

const BASE = { unified: 0xfb40, extension: 0xfb80, other: 0xfbc0 } as const

type Range = readonly [from: number, to: number]

const UNIFIED: Readonly<Record<WeightTable, readonly Range[]>> = {
  general: [],
  unicode: [[0x4e00, 0x9fa5]],
  unicode520: [[0x4e00, 0x9fa5]],
  uca900: [[0x4e00, 0x9fd5]],
}

const EXTENSIONS: Readonly<Record<WeightTable, readonly Range[]>> = {
  general: [],
  unicode: [[0x3400, 0x4db5]],
  unicode520: [[0x3400, 0x4db5]],
  uca900: [
    [0x3400, 0x4db5],
    [0x20000, 0x2a6d6],
    [0x2a700, 0x2b734],
    [0x2b740, 0x2b81d],
    [0x2b820, 0x2cea1],
  ],
}

/** Writes the weights of a code point that the table leaves to the rule behind `at`; where they end. */
export function writeImplied(
  table: WeightTable,
  point: number,
  into: Int32Array,
  at: number,
): number {
  const isAlone = table === 'general' || (table === 'unicode' && point > 0xffff)
  if (isAlone) {
    into[at] = point > 0xffff ? BEYOND_BMP : point
    return at + 1
  }
  into[at] = baseOf(table, point) + (point >> 15)
  into[at + 1] = (point & 0x7fff) | 0x8000
  return at + 2
}

function baseOf(table: WeightTable, point: number): number {
  if (isIn(UNIFIED[table], point)) return BASE.unified
  return isIn(EXTENSIONS[table], point) ? BASE.extension : BASE.other
}

function isIn(ranges: readonly Range[], point: number): boolean {
  for (let at = 0; at < ranges.length; at++) {
    const range = ranges[at] as Range
    if (point >= range[0] && point <= range[1]) return true
  }
  return false
}
