/**
 * The collations that partitions can be computed for: in which character set a column's bytes are and
 * by which rule they are compared and hashed. Others make a table unprunable.
 * Source: proxy-routing.md §6.5, Appendix D; proxy-routing-tried.md "Bytes to hash".
 */
import { BINARY_COLLATION } from './column-type.ts'
import type { WeightTable } from './implied-weights.ts'

export type Charset = 'utf8mb4' | 'utf16' | 'latin1' | 'ascii' | 'gbk' | 'gb18030' | 'binary'

export type CollationRule =
  /** All bytes. */
  | 'binary'
  /** Bytes without spaces at the end. */
  | 'bin'
  /** A weight a character, two bytes each. */
  | 'general'
  /** A weight a byte. */
  | 'byte-table'
  /** Unicode collation algorithm 4.0.0 and 5.2.0. */
  | 'uca'
  /** The same, 9.0.0. */
  | 'uca-900'

export type Collation = {
  readonly id: number
  readonly name: string
  readonly charset: Charset
  readonly rule: CollationRule
  readonly weights: WeightTable | undefined
  /** Weights of bytes, of the rule `byte-table`. */
  readonly bytes: Uint8Array | undefined
  /** A text is compared as if spaces followed it. */
  readonly padsSpaces: boolean
  /** Less and greater are known too, not only equal. */
  readonly isOrdered: boolean
}

const UPPER = upperCase(0x60, 0x7b)

/** latin1_swedish_ci. */
const LATIN1 = withPairs(upperCase(0x60, 0x7b), {
  41: 'c0 c1 c2 c3 e0 e1 e2 e3',
  43: 'c7 e7',
  44: 'd0 f0',
  45: 'c8 c9 ca cb e8 e9 ea eb',
  49: 'cc cd ce cf ec ed ee ef',
  '4e': 'd1 f1',
  '4f': 'd2 d3 d4 d5 f2 f3 f4 f5',
  55: 'd9 da db f9 fa fb',
  59: 'dc dd fc fd',
  '5b': 'c5 e5',
  '5c': 'c4 c6 e4 e6',
  '5d': 'd6 f6',
  d8: 'f8',
  de: 'fe',
})

/** gbk_chinese_ci's table of single bytes, which its hash takes for trail bytes too. */
const GBK = withPairs(upperCase(0x60, 0x7b), { '5c': '5b', '5d': '5c', '5b': '5d', 59: '7e' })

const COLLATIONS: readonly Collation[] = [
  collation(BINARY_COLLATION, 'binary', 'binary', { rule: 'binary', padsSpaces: false }),
  collation(46, 'utf8mb4_bin', 'utf8mb4', { rule: 'bin' }),
  collation(47, 'latin1_bin', 'latin1', { rule: 'bin' }),
  collation(55, 'utf16_bin', 'utf16', { rule: 'bin' }),
  collation(65, 'ascii_bin', 'ascii', { rule: 'bin' }),
  collation(87, 'gbk_bin', 'gbk', { rule: 'bin' }),
  collation(249, 'gb18030_bin', 'gb18030', { rule: 'bin' }),
  // Spaces at the end count in comparisons, but not in the hash.
  collation(309, 'utf8mb4_0900_bin', 'utf8mb4', { rule: 'bin', padsSpaces: false }),
  collation(45, 'utf8mb4_general_ci', 'utf8mb4', { rule: 'general', weights: 'general' }),
  collation(54, 'utf16_general_ci', 'utf16', { rule: 'general', weights: 'general' }),
  collation(8, 'latin1_swedish_ci', 'latin1', { rule: 'byte-table', bytes: LATIN1 }),
  collation(11, 'ascii_general_ci', 'ascii', { rule: 'byte-table', bytes: UPPER }),
  collation(28, 'gbk_chinese_ci', 'gbk', { rule: 'byte-table', bytes: GBK, isOrdered: false }),
  collation(101, 'utf16_unicode_ci', 'utf16', { rule: 'uca', weights: 'unicode' }),
  collation(123, 'utf16_unicode_520_ci', 'utf16', { rule: 'uca', weights: 'unicode520' }),
  collation(224, 'utf8mb4_unicode_ci', 'utf8mb4', { rule: 'uca', weights: 'unicode' }),
  collation(246, 'utf8mb4_unicode_520_ci', 'utf8mb4', { rule: 'uca', weights: 'unicode520' }),
  collation(255, 'utf8mb4_0900_ai_ci', 'utf8mb4', {
    rule: 'uca-900',
    weights: 'uca900',
    padsSpaces: false,
  }),
]

const BY_ID = new Map(COLLATIONS.map(one => [one.id, one]))

export function collationOf(id: number): Collation | undefined {
  return BY_ID.get(id)
}

type Rest = {
  readonly rule: CollationRule
  readonly weights?: WeightTable
  readonly bytes?: Uint8Array
  readonly padsSpaces?: boolean
  readonly isOrdered?: boolean
}

function collation(id: number, name: string, charset: Charset, rest: Rest): Collation {
  return {
    id,
    name,
    charset,
    rule: rest.rule,
    weights: rest.weights,
    bytes: rest.bytes,
    padsSpaces: rest.padsSpaces ?? true,
    isOrdered: rest.isOrdered ?? true,
  }
}

/** Each byte itself, but for letters between `after` and `before`, which are their capitals. */
function upperCase(after: number, before: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    byte > after && byte < before ? byte - 0x20 : byte,
  )
}

/** `pairs`: weight → the bytes that have it, all in hexadecimal. */
function withPairs(table: Uint8Array, pairs: Readonly<Record<string, string>>): Uint8Array {
  for (const [weight, bytes] of Object.entries(pairs))
    for (const byte of bytes.split(' '))
      table[Number.parseInt(byte, 16)] = Number.parseInt(weight, 16)
  return table
}
