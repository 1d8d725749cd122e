/**
 * Values of the metadata's binary columns: bounds of partitions and defaults of columns.
 * Source: proxy-routing.md Appendix A; proxy-routing-tried.md "Cells".
 */
import { type ColumnKind, type KernelFlavour, kindOf } from './column-type.ts'

/** A decimal: `units` · 10^-`scale`. */
export type Decimal = { readonly units: bigint; readonly scale: number }

export type Cell =
  | { readonly kind: 'null' | 'max' | 'min' | 'current-timestamp' }
  /** Integers, and times as the column of that kind stores them. */
  | { readonly kind: 'integer'; readonly type: ColumnKind; readonly value: bigint }
  | { readonly kind: 'real'; readonly value: number }
  | { readonly kind: 'decimal'; readonly value: Decimal }
  | { readonly kind: 'text'; readonly bytes: Uint8Array }

/** Rows of one LIST partition, cells of one row, bytes of one integer: more is no metadata. */
const MOST_ROWS = 65_536
const MOST_CELLS = 64
const LONGEST_INTEGER = 10
const NUMBER_WORD = 1_000_000_000n

const TYPE = { nothing: 0, hex: 24, extend: 25, bit: 31, enumeration: 32, set: 33 } as const
const EXTEND: Readonly<Record<string, 'max' | 'min' | 'current-timestamp'>> = {
  '-2': 'max',
  '-3': 'min',
  '20': 'current-timestamp',
}

/** Thrown inside this file only: the bytes are no cell that is understood. */
class NotUnderstood extends Error {}

/** The cells of a RANGE partition's upper bound; undefined when they are not understood. */
export function rangeBound(bytes: Uint8Array, flavour: KernelFlavour): readonly Cell[] | undefined {
  return understood(() => new CellReader(bytes, flavour).row())
}

/** The rows of a LIST partition. */
export function listRows(
  bytes: Uint8Array,
  flavour: KernelFlavour,
): readonly (readonly Cell[])[] | undefined {
  return understood(() => {
    const reader = new CellReader(bytes, flavour)
    const rows: (readonly Cell[])[] = []
    while (!reader.isAtEnd) {
      if (rows.length >= MOST_ROWS) throw new NotUnderstood()
      rows.push(reader.row())
      reader.skipProjector()
    }
    return rows
  })
}

/** One cell, as the default of a column is. */
export function singleCell(bytes: Uint8Array, flavour: KernelFlavour): Cell | undefined {
  return understood(() => new CellReader(bytes, flavour).cell())
}

function understood<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined
    throw error
  }
}

class CellReader {
  private readonly bytes: Uint8Array
  private readonly flavour: KernelFlavour
  private at = 0

  constructor(bytes: Uint8Array, flavour: KernelFlavour) {
    this.bytes = bytes
    this.flavour = flavour
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length
  }

  row(): readonly Cell[] {
    const count = this.count(MOST_CELLS)
    return Array.from({ length: count }, () => this.cell())
  }

  skipProjector(): void {
    const count = this.count(MOST_CELLS)
    for (let skipped = 0; skipped < count; skipped++) this.variable()
  }

  cell(): Cell {
    const type = this.byte()
    this.at += 2
    const scale = this.byte()
    if (type === TYPE.nothing) return { kind: 'null' }
    if (type === TYPE.extend) return this.extend()
    if (type === TYPE.hex) return this.text()
    if (type === TYPE.bit || type === TYPE.enumeration || type === TYPE.set)
      return { kind: 'integer', type: 'bit', value: this.variable() }
    const known = kindOf(type, this.flavour)
    if (known === undefined) throw new NotUnderstood()
    return this.value(known.kind, known.bits ?? 0, scale)
  }

  private value(kind: ColumnKind, bits: number, scale: number): Cell {
    switch (kind) {
      case 'int':
      case 'unsigned':
        return { kind: 'integer', type: kind, value: this.integer(kind === 'int', bits) }
      case 'year':
        return { kind: 'integer', type: kind, value: BigInt(this.byte()) }
      case 'date':
      case 'packed-date':
        return { kind: 'integer', type: kind, value: BigInt.asIntN(32, this.variable()) }
      case 'datetime':
      case 'timestamp':
      case 'time':
      case 'packed-datetime':
      case 'bit':
        return { kind: 'integer', type: kind, value: BigInt.asIntN(64, this.variable()) }
      case 'float':
      case 'double':
        return { kind: 'real', value: this.real(kind) }
      case 'number':
        return { kind: 'decimal', value: this.number() }
      case 'decimal-int':
        return { kind: 'decimal', value: this.decimalInt(scale) }
      case 'varchar':
      case 'char':
        return this.text()
    }
  }

  private integer(isSigned: boolean, bits: number): bigint {
    if (bits === 8) {
      const byte = BigInt(this.byte())
      return isSigned ? BigInt.asIntN(8, byte) : byte
    }
    const width = bits === 64 ? 64 : 32
    const value = this.variable()
    return isSigned ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value)
  }

  private extend(): Cell {
    const kind = EXTEND[String(BigInt.asIntN(64, this.variable()))]
    if (kind === undefined) throw new NotUnderstood()
    return { kind }
  }

  private real(kind: 'float' | 'double'): number {
    const bits = Buffer.alloc(8)
    bits.writeBigUInt64LE(BigInt.asUintN(64, this.variable()))
    return kind === 'float' ? bits.readFloatLE(0) : bits.readDoubleLE(0)
  }

  private number(): Decimal {
    const sign = this.byte()
    this.at += 2
    const length = this.byte()
    let units = 0n
    for (let word = 0; word < length; word++) {
      const bytes = this.take(4)
      units = units * NUMBER_WORD + BigInt(Buffer.from(bytes).readUInt32LE(0))
    }
    const isNegative = sign < 0x80
    const exponent = isNegative ? 0x40 - (sign & 0x7f) : (sign & 0x7f) - 0x40
    const wordsBehind = length - 1 - exponent
    if (length === 0) return { units: 0n, scale: 0 }
    if (isNegative) units = -units
    return wordsBehind > 0
      ? { units, scale: wordsBehind * 9 }
      : { units: units * NUMBER_WORD ** BigInt(-wordsBehind), scale: 0 }
  }

  /** The scale is in the meta bytes and once more behind the length. */
  private decimalInt(metaScale: number): Decimal {
    const length = this.count(64)
    const scale = Number(this.variable())
    if (scale !== metaScale) throw new NotUnderstood()
    const bytes = this.take(length)
    let units = 0n
    for (let at = length - 1; at >= 0; at--) units = (units << 8n) | BigInt(bytes[at] ?? 0)
    return { units: BigInt.asIntN(length * 8, units), scale }
  }

  private text(): Cell {
    const length = this.count(this.bytes.length)
    const bytes = this.take(length)
    this.take(1)
    return { kind: 'text', bytes: Uint8Array.from(bytes) }
  }

  private count(most: number): number {
    const value = this.variable()
    if (value > BigInt(most)) throw new NotUnderstood()
    return Number(value)
  }

  /** Little-endian base 128. */
  private variable(): bigint {
    let value = 0n
    for (let place = 0; place < LONGEST_INTEGER; place++) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << BigInt(7 * place)
      if (byte < 0x80) return value
    }
    throw new NotUnderstood()
  }

  private byte(): number {
    const byte = this.bytes[this.at]
    if (byte === undefined) throw new NotUnderstood()
    this.at += 1
    return byte
  }

  private take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new NotUnderstood()
    const view = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return view
  }
}
