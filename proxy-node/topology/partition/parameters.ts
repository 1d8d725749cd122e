/**
 * Parameters of COM_STMT_EXECUTE: found one after another, read one by one when they are asked for.
 * Source: MySQL internals manual, "COM_STMT_EXECUTE"; proxy-routing.md §5.10. Hot path: see the rules.
 */
import type { Charset } from './collations.ts'
import { decimalOf } from './decimals.ts'
import { DAY_MICROS, type Moment, SECOND_MICROS, ZERO_MOMENT } from './moments.ts'
import type { Value } from './values.ts'

/** Statements with more parameters are not understood. */
export const MOST_PARAMETERS = 65_535

const HEAD_BYTES = 10
const UNSIGNED = 0x80
export const PARAMETER_TYPE = {
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  null: 6,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
  bit: 16,
  newDecimal: 246,
  decimal: 0,
} as const

/** Bytes of a parameter by its type; 0: the length is in front, as a byte; -1: length-encoded. */
const SIZES = new Map<number, number>([
  [PARAMETER_TYPE.tiny, 1],
  [PARAMETER_TYPE.short, 2],
  [PARAMETER_TYPE.year, 2],
  [PARAMETER_TYPE.long, 4],
  [PARAMETER_TYPE.int24, 4],
  [PARAMETER_TYPE.float, 4],
  [PARAMETER_TYPE.double, 8],
  [PARAMETER_TYPE.longlong, 8],
  [PARAMETER_TYPE.timestamp, 0],
  [PARAMETER_TYPE.date, 0],
  [PARAMETER_TYPE.datetime, 0],
  [PARAMETER_TYPE.time, 0],
])

export class ExecuteParameters {
  private bytes: Uint8Array = new Uint8Array(0)
  private count = 0
  private nullsAt = 0
  private types: Uint8Array = new Uint8Array(0)
  /** Where the types of the packet are; 0 when it has none, and `types` are those of an earlier one. */
  private typesAt = 0
  private valuesAt = 0
  private end = 0
  /** Of the parameter that was found last. */
  private from = 0
  private to = 0

  /**
   * Takes the payload from `at` (its command byte) to `end`. `known` are the types that an earlier
   * EXECUTE of the statement brought, two bytes each. False when the payload does not fit.
   */
  open(
    bytes: Uint8Array,
    { at, end }: { readonly at: number; readonly end: number },
    count: number,
    known: Uint8Array | undefined,
  ): boolean {
    this.count = 0
    if (count > MOST_PARAMETERS) return false
    this.bytes = bytes
    this.end = end
    this.nullsAt = at + HEAD_BYTES
    const flagAt = this.nullsAt + ((count + 7) >> 3)
    if (count === 0 || flagAt >= end) return count === 0
    const isBound = bytes[flagAt] === 1
    this.typesAt = isBound ? flagAt + 1 : 0
    this.types = isBound ? bytes : (known ?? this.types)
    if (!isBound && (known === undefined || known.length < count * 2)) return false
    this.valuesAt = isBound ? flagAt + 1 + count * 2 : flagAt + 1
    if (this.valuesAt > end) return false
    this.count = count
    return true
  }

  /** Forgets the packet. */
  close(): void {
    this.count = 0
  }

  type(index: number): number {
    return this.types[this.typesAt + index * 2] as number
  }

  isUnsigned(index: number): boolean {
    return ((this.types[this.typesAt + index * 2 + 1] as number) & UNSIGNED) !== 0
  }

  isNull(index: number): boolean {
    const bits = this.bytes[this.nullsAt + (index >> 3)] as number
    return ((bits >> (index & 7)) & 1) === 1
  }

  /** The value; undefined when there is none, or it is of a type that is not understood. */
  value(index: number, charset: Charset | undefined): Value | undefined {
    if (index < 0 || index >= this.count) return undefined
    if (this.isNull(index) || this.type(index) === PARAMETER_TYPE.null) return { kind: 'null' }
    if (!this.find(index)) return undefined
    const { bytes, from, to } = this
    const view = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from)
    switch (this.type(index)) {
      case PARAMETER_TYPE.float:
        return { kind: 'double', value: view.readFloatLE(0) }
      case PARAMETER_TYPE.double:
        return { kind: 'double', value: view.readDoubleLE(0) }
      case PARAMETER_TYPE.date:
        return { kind: 'date', moment: momentOf(view) }
      case PARAMETER_TYPE.datetime:
      case PARAMETER_TYPE.timestamp:
        return { kind: 'datetime', moment: momentOf(view) }
      case PARAMETER_TYPE.time:
        return { kind: 'time', micros: timeOf(view) }
      case PARAMETER_TYPE.decimal:
      case PARAMETER_TYPE.newDecimal:
        return decimalValue(view)
      case PARAMETER_TYPE.tiny:
      case PARAMETER_TYPE.short:
      case PARAMETER_TYPE.year:
      case PARAMETER_TYPE.long:
      case PARAMETER_TYPE.int24:
      case PARAMETER_TYPE.longlong:
        return { kind: 'integer', value: integerOf(view, this.isUnsigned(index)) }
      default:
        if (charset === undefined) return undefined
        return { kind: 'text', bytes: view, charset, collation: undefined }
    }
  }

  /** Whether the parameter is a signed or small integer that `number` can read. */
  isInteger(index: number): boolean {
    if (index < 0 || index >= this.count || this.isNull(index)) return false
    const size = SIZES.get(this.type(index)) ?? 0
    const type = this.type(index)
    return size > 0 && type !== PARAMETER_TYPE.float && type !== PARAMETER_TYPE.double
  }

  /** An integer as a number; NaN when a double does not hold it exactly. */
  number(index: number): number {
    if (!this.find(index)) return Number.NaN
    const { bytes, from } = this
    const size = this.to - from
    let low = 0
    for (let at = Math.min(size, 4) - 1; at >= 0; at--)
      low = low * 256 + (bytes[from + at] as number)
    let high = 0
    for (let at = size - 1; at >= 4; at--) high = high * 256 + (bytes[from + at] as number)
    const isNegative = !this.isUnsigned(index) && (bytes[from + size - 1] as number) >= 0x80
    const value = high * 0x1_0000_0000 + low
    const signed = isNegative && size < 8 ? value - 256 ** size : value
    if (!isNegative || size < 8) return Number.isSafeInteger(signed) ? signed : Number.NaN
    // By halves: the sum of a large unsigned one would not be exact.
    const negative = (high - 0x1_0000_0000) * 0x1_0000_0000 + low
    return Number.isSafeInteger(negative) ? negative : Number.NaN
  }

  /** Walks to the parameter: `from` and `to` are its bytes. */
  private find(index: number): boolean {
    let at = this.valuesAt
    for (let place = 0; place <= index; place++) {
      if (this.isNull(place) || this.type(place) === PARAMETER_TYPE.null) continue
      if (!this.measure(at, this.type(place))) return false
      at = this.to
    }
    return true
  }

  private measure(at: number, type: number): boolean {
    const size = SIZES.get(type) ?? -1
    const { bytes, end } = this
    if (size > 0) {
      this.from = at
      this.to = at + size
    } else if (size === 0) {
      this.from = at + 1
      this.to = at + 1 + (at < end ? (bytes[at] as number) : 0)
    } else this.measureEncoded(at)
    return this.to <= end
  }

  /** A length-encoded value. */
  private measureEncoded(at: number): void {
    const { bytes } = this
    const first = at < this.end ? (bytes[at] as number) : 0xff
    let width = 0
    if (first === 0xfc) width = 2
    else if (first === 0xfd) width = 3
    else if (first === 0xfe) width = 8
    let length = first < 0xfb ? first : 0
    for (let place = width; place > 0; place--)
      length = length * 256 + (at + place < this.end ? (bytes[at + place] as number) : 0)
    this.from = at + 1 + width
    this.to = first === 0xff ? Number.POSITIVE_INFINITY : this.from + length
  }

  /** The bytes of a text: between `textFrom` and `textTo` of `source`. False for another kind. */
  findText(index: number): boolean {
    if (index < 0 || index >= this.count || this.isNull(index)) return false
    const type = this.type(index)
    const isText = !SIZES.has(type) && type !== PARAMETER_TYPE.null
    const isDecimal = type === PARAMETER_TYPE.decimal || type === PARAMETER_TYPE.newDecimal
    return isText && !isDecimal && type !== PARAMETER_TYPE.bit && this.find(index)
  }

  get source(): Uint8Array {
    return this.bytes
  }

  get textFrom(): number {
    return this.from
  }

  get textTo(): number {
    return this.to
  }
}

function integerOf(view: Buffer, isUnsigned: boolean): bigint {
  let value = 0n
  for (let at = view.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(view[at] ?? 0)
  return isUnsigned ? value : BigInt.asIntN(view.length * 8, value)
}

function decimalValue(view: Buffer): Value | undefined {
  const value = decimalOf(view.toString('latin1'))
  return value === undefined ? undefined : { kind: 'decimal', value }
}

function momentOf(view: Buffer): Moment {
  if (view.length < 4) return ZERO_MOMENT
  const seconds =
    view.length >= 7 ? view.readUInt8(4) * 3600 + view.readUInt8(5) * 60 + view.readUInt8(6) : 0
  const micros = view.length >= 11 ? view.readUInt32LE(7) : 0
  return {
    year: view.readUInt16LE(0),
    month: view.readUInt8(2),
    day: view.readUInt8(3),
    micros: seconds * SECOND_MICROS + micros,
  }
}

function timeOf(view: Buffer): bigint {
  if (view.length < 8) return 0n
  const seconds = view.readUInt8(5) * 3600 + view.readUInt8(6) * 60 + view.readUInt8(7)
  const micros = view.length >= 12 ? view.readUInt32LE(8) : 0
  const total =
    BigInt(view.readUInt32LE(1)) * BigInt(DAY_MICROS) + BigInt(seconds * SECOND_MICROS + micros)
  return view.readUInt8(0) === 1 ? -total : total
}
