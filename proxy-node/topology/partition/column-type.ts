/**
 * What a partition key column is, from the codes of the metadata. From 36 on a code means another type
 * in another kernel. Source: proxy-routing-tried.md "Type codes"; proxy-routing.md Appendix C.
 */

/** Which kernel wrote the metadata: seekdb is known by `seekdb` in `@@version_comment`. */
export type KernelFlavour = 'main-line' | 'seekdb' | 'v3'

export type ColumnKind =
  | 'int'
  | 'unsigned'
  | 'float'
  | 'double'
  | 'number'
  | 'decimal-int'
  /** µs since the epoch. */
  | 'datetime'
  /** µs since the epoch in UTC. */
  | 'timestamp'
  /** Days since the epoch. */
  | 'date'
  /** MySQL's packed forms. */
  | 'packed-date'
  | 'packed-datetime'
  | 'time'
  | 'year'
  | 'varchar'
  | 'char'
  | 'bit'

export type ColumnType = {
  readonly kind: ColumnKind
  /** Of integers. */
  readonly bits: number
  /** Collation id of texts; 63 for all others. */
  readonly collation: number
  /** Characters (bytes for binary) of texts; -1 for others. */
  readonly length: number
  readonly precision: number
  /** Digits behind the point, of decimals, times and DOUBLE(m,d); -1 for none. */
  readonly scale: number
}

/** The collation of bytes, which is also that of every column that is no text. */
export const BINARY_COLLATION = 63

type Known = { readonly kind: ColumnKind; readonly bits?: number }

/** Codes that mean the same everywhere. */
const COMMON: Readonly<Record<number, Known>> = {
  1: { kind: 'int', bits: 8 },
  2: { kind: 'int', bits: 16 },
  3: { kind: 'int', bits: 24 },
  4: { kind: 'int', bits: 32 },
  5: { kind: 'int', bits: 64 },
  6: { kind: 'unsigned', bits: 8 },
  7: { kind: 'unsigned', bits: 16 },
  8: { kind: 'unsigned', bits: 24 },
  9: { kind: 'unsigned', bits: 32 },
  10: { kind: 'unsigned', bits: 64 },
  11: { kind: 'float' },
  12: { kind: 'double' },
  13: { kind: 'float' },
  14: { kind: 'double' },
  15: { kind: 'number' },
  16: { kind: 'number' },
  17: { kind: 'datetime' },
  18: { kind: 'timestamp' },
  19: { kind: 'date' },
  20: { kind: 'time' },
  21: { kind: 'year' },
  22: { kind: 'varchar' },
  23: { kind: 'char' },
  31: { kind: 'bit' },
}

const OWN: Readonly<Record<KernelFlavour, Readonly<Record<number, Known>>>> = {
  'main-line': {
    50: { kind: 'decimal-int' },
    52: { kind: 'packed-date' },
    53: { kind: 'packed-datetime' },
  },
  seekdb: {
    39: { kind: 'decimal-int' },
    41: { kind: 'packed-date' },
    42: { kind: 'packed-datetime' },
  },
  v3: {},
}

/** The kind of a type code; undefined for one that no partition can be computed for. */
export function kindOf(code: number, flavour: KernelFlavour): Known | undefined {
  return COMMON[code] ?? OWN[flavour][code]
}

export function isText({ kind }: ColumnType): boolean {
  return kind === 'varchar' || kind === 'char'
}
