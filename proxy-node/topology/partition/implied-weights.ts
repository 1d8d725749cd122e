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

/** The weights of a code point that the table leaves to the rule. */
export function impliedWeights(table: WeightTable, point: number): readonly number[] {
  if (table === 'general') return [point > 0xffff ? BEYOND_BMP : point]
  if (table === 'unicode' && point > 0xffff) return [BEYOND_BMP]
  const base = baseOf(table, point)
  return [base + (point >> 15), (point & 0x7fff) | 0x8000]
}

function baseOf(table: WeightTable, point: number): number {
  const isIn = ([from, to]: Range) => point >= from && point <= to
  if (UNIFIED[table].some(isIn)) return BASE.unified
  return EXTENSIONS[table].some(isIn) ? BASE.extension : BASE.other
}
