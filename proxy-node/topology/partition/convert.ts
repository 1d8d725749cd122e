/**
 * From values to what a column has: as INSERT stores them, and as WHERE compares them, which rounds
 * nothing. Undefined: an error, or something that the kernel does not compare by partitions either.
 * Source: proxy-routing.md §6.10; proxy-routing-tried.md "Expressions, casts".
 */
import type { Decimal } from './cells.ts'
import { bytesOfText, converted, textOfBytes } from './charsets.ts'
import { type Charset, collationOf } from './collations.ts'
import { BINARY_COLLATION, type ColumnType, isText } from './column-type.ts'
import { decimalOf, prefixOf, stripped, textOf, toScale, wholeOf } from './decimals.ts'
import type { Key } from './hash.ts'
import {
  daysOf,
  isZero,
  type Moment,
  microsSinceEpoch,
  momentOfDays,
  momentOfMicros,
  momentOfNumber,
  momentOfPackedDate,
  momentOfPackedDatetime,
  momentOfText,
  packedDate,
  packedDatetime,
  rounded,
  roundedMicros,
  timeOfText,
  ZERO_MOMENT,
} from './moments.ts'
import type { TimeZone } from './time-zones.ts'
import { NULL_VALUE, stringOf, type Value } from './values.ts'

const ZERO_DAYS = -106_751_991n
const ZERO_MICROS = -9_223_372_022_400_000_000n
const YEAR_BASE = 1900n

type Purpose = 'insert' | 'compare'

/** As INSERT stores it. */
export function storedKey(type: ColumnType, value: Value, zone: TimeZone): Key | undefined {
  return keyOf(type, value, zone, 'insert')
}

/** As WHERE compares it. */
export function comparedKey(type: ColumnType, value: Value, zone: TimeZone): Key | undefined {
  return keyOf(type, value, zone, 'compare')
}

function keyOf(type: ColumnType, value: Value, zone: TimeZone, purpose: Purpose): Key | undefined {
  if (value.kind === 'null') return null
  switch (type.kind) {
    case 'int':
    case 'unsigned':
    case 'bit':
      return integerKey(type, value, purpose)
    case 'float':
    case 'double':
      return realKey(type, value, purpose)
    case 'number':
    case 'decimal-int':
      return decimalKey(type, value, purpose)
    case 'date':
    case 'packed-date':
    case 'datetime':
    case 'packed-datetime':
    case 'timestamp':
      return momentKey(type, value, zone, purpose)
    case 'time':
      return timeKey(type, value, purpose)
    case 'year':
      return yearKey(value, purpose)
    case 'varchar':
    case 'char':
      return textKey(type, value, purpose)
  }
}

// --- numbers

function integerKey(type: ColumnType, value: Value, purpose: Purpose): Key | undefined {
  const whole = purpose === 'insert' ? roundedWhole(value) : exactWhole(value)
  if (whole === undefined || purpose === 'compare') return whole
  const isSigned = type.kind === 'int'
  const fits = isSigned ? BigInt.asIntN(type.bits, whole) : BigInt.asUintN(type.bits || 64, whole)
  return fits === whole ? whole : undefined
}

function roundedWhole(value: Value): bigint | undefined {
  if (value.kind === 'double')
    return Number.isFinite(value.value) ? halfEven(value.value) : undefined
  const decimal = exactDecimal(value)
  return decimal === undefined ? undefined : toScale(decimal, 0).units
}

/** 2.5e0 → 2. */
export function halfEven(value: number): bigint {
  const floor = Math.floor(value)
  const rest = value - floor
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0)
  return BigInt(isUp ? floor + 1 : floor)
}

/** A number that is no integer is compared in another way, for which partitions are not pruned. */
function exactWhole(value: Value): bigint | undefined {
  const decimal = comparedDecimal(value)
  return decimal === undefined ? undefined : wholeOf(decimal)
}

/** All of a text has to be a number. */
function exactDecimal(value: Value): Decimal | undefined {
  if (value.kind === 'text') {
    const text = stringOf(value)
    return text === undefined ? undefined : decimalOf(text)
  }
  return numericDecimal(value)
}

/** '12abc' is 12, 'abc' is 0. */
export function comparedDecimal(value: Value): Decimal | undefined {
  if (value.kind === 'text') {
    const text = stringOf(value)
    return text === undefined ? undefined : prefixOf(text)
  }
  return numericDecimal(value)
}

function numericDecimal(value: Value): Decimal | undefined {
  switch (value.kind) {
    case 'integer':
      return { units: value.value, scale: 0 }
    case 'decimal':
      return value.value
    case 'double':
      return decimalOf(String(value.value))
    case 'bytes':
      return value.bytes.length > 8 ? undefined : { units: bigEndian(value.bytes), scale: 0 }
    default:
      return undefined
  }
}

export function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

function realKey(type: ColumnType, value: Value, purpose: Purpose): Key | undefined {
  const number = realOf(value, purpose)
  if (number === undefined || !Number.isFinite(number)) return undefined
  // FLOAT is compared with all digits, DOUBLE(m,d) by the text that it is hashed as.
  if (purpose === 'compare' && type.kind === 'float') return number
  return storedReal(type, number)
}

/** What FLOAT, DOUBLE and their forms with (m,d) keep of a number. */
export function storedReal({ kind, scale }: ColumnType, number: number): number {
  const fixed = scale >= 0 && scale <= 30 ? fixedReal(number, scale) : number
  return kind === 'float' ? Math.fround(fixed) : fixed
}

/** DOUBLE(m,d): half to even of what the column's power of ten makes of it. */
function fixedReal(value: number, scale: number): number {
  const shifted = value * 10 ** scale
  return Number.isSafeInteger(Math.trunc(shifted)) ? Number(halfEven(shifted)) / 10 ** scale : value
}

function realOf(value: Value, purpose: Purpose): number | undefined {
  if (value.kind === 'double') return value.value
  const decimal = purpose === 'insert' ? exactDecimal(value) : comparedDecimal(value)
  return decimal === undefined ? undefined : Number(textOf(decimal))
}

function decimalKey(type: ColumnType, value: Value, purpose: Purpose): Key | undefined {
  if (purpose === 'compare') return unrounded(comparedDecimal(value), type.scale)
  const decimal = exactDecimal(value)
  if (decimal === undefined) return undefined
  const scaled = toScale(decimal, Math.max(0, type.scale))
  const digits = String(scaled.units < 0n ? -scaled.units : scaled.units).length
  return digits > type.precision && type.precision > 0 ? undefined : scaled
}

/** At the column's scale, where that loses no digit. */
function unrounded(decimal: Decimal | undefined, scale: number): Decimal | undefined {
  if (decimal === undefined || scale < 0) return decimal
  const short = stripped(decimal)
  return short.scale <= scale ? toScale(short, scale) : short
}

function yearKey(value: Value, purpose: Purpose): Key | undefined {
  const decimal = exactDecimal(value)
  if (decimal === undefined) return undefined
  if (purpose === 'compare' && wholeOf(decimal) === undefined) return undefined
  const number = toScale(decimal, 0).units
  if (number === 0n)
    return value.kind === 'text' && (stringOf(value) ?? '').trim().length < 3 ? 100n : 0n
  if (number > 0n && number < 70n) return number + 100n
  if (number >= 70n && number < 100n) return number
  return number > YEAR_BASE && number <= YEAR_BASE + 255n ? number - YEAR_BASE : undefined
}

// --- dates and times

/** The date and time of a value; undefined for none. */
export function momentOfValue(value: Value): Moment | undefined {
  switch (value.kind) {
    case 'date':
    case 'datetime':
      return value.moment
    case 'text': {
      const text = stringOf(value)
      return text === undefined ? undefined : momentOfText(text)
    }
    case 'integer':
      return value.value < 0n ? undefined : momentOfNumber(value.value)
    case 'decimal': {
      const [whole = '', fraction = ''] = textOf(value.value).split('.')
      return value.value.units < 0n ? undefined : momentOfNumber(BigInt(whole), fraction)
    }
    case 'double': {
      const isNumber = Number.isSafeInteger(value.value) && value.value >= 0
      return isNumber ? momentOfNumber(BigInt(value.value)) : undefined
    }
    default:
      return undefined
  }
}

function momentKey(
  type: ColumnType,
  value: Value,
  zone: TimeZone,
  purpose: Purpose,
): Key | undefined {
  const moment = momentOfValue(value)
  if (moment === undefined) return undefined
  const isDate = type.kind === 'date' || type.kind === 'packed-date'
  if (isDate) {
    if (moment.micros !== 0 && purpose === 'compare') return undefined
    return type.kind === 'date' ? daysKey(moment) : packedDate(moment)
  }
  const exact = purpose === 'insert' ? rounded(moment, Math.max(0, type.scale)) : moment
  if (type.kind === 'packed-datetime') return packedDatetime(exact)
  if (isZero(exact)) return ZERO_MICROS
  const local = microsSinceEpoch(exact)
  return type.kind === 'timestamp' ? zone.toUtc(local) : local
}

function daysKey(moment: Moment): bigint {
  return isZero(moment) ? ZERO_DAYS : BigInt(daysOf(moment))
}

function timeKey(type: ColumnType, value: Value, purpose: Purpose): Key | undefined {
  const micros = timeOfValue(value)
  if (micros === undefined || purpose === 'compare') return micros
  return roundedMicros(micros, Math.max(0, type.scale))
}

function timeOfValue(value: Value): bigint | undefined {
  switch (value.kind) {
    case 'time':
      return value.micros
    case 'datetime':
      return BigInt(value.moment.micros)
    case 'text': {
      const text = stringOf(value)
      return text === undefined ? undefined : timeOfText(text)
    }
    case 'integer':
      return timeOfText(String(value.value))
    case 'decimal':
      return timeOfText(textOf(value.value))
    default:
      return undefined
  }
}

// --- texts

function textKey(type: ColumnType, value: Value, purpose: Purpose): Key | undefined {
  const collation = collationOf(type.collation)
  if (collation === undefined) return undefined
  // BINARY x is compared byte by byte, by which the kernel misses rows of LIST and RANGE.
  if (value.kind === 'text' && value.charset === 'binary') return undefined
  if (purpose === 'compare') {
    if (value.kind !== 'text' && value.kind !== 'bytes') return undefined
    const isOther = value.kind === 'text' && value.collation !== undefined
    if (isOther && value.collation !== collation.name) return undefined
  }
  const bytes = bytesIn(collation.charset, value)
  return bytes === undefined || purpose === 'compare' ? bytes : fitted(type, bytes)
}

function bytesIn(charset: Charset, value: Value): Uint8Array | undefined {
  switch (value.kind) {
    case 'text':
      return converted(value.bytes, value.charset, charset)
    case 'bytes':
      return value.bytes
    case 'integer':
      return bytesOfText(String(value.value), charset)
    case 'decimal':
      return bytesOfText(textOf(value.value), charset)
    default:
      return undefined
  }
}

/** Within the column's length: only spaces may be cut off; BINARY(n) is filled up. */
function fitted(type: ColumnType, bytes: Uint8Array): Uint8Array | undefined {
  if (type.collation === BINARY_COLLATION) {
    if (type.length >= 0 && bytes.length > type.length) return undefined
    return type.kind === 'char' ? filled(bytes, type.length) : bytes
  }
  const collation = collationOf(type.collation)
  if (type.length < 0 || collation === undefined || bytes.length <= type.length) return bytes
  const text = textOfBytes(bytes, collation.charset)
  if (text === undefined) return undefined
  const characters = [...text]
  if (characters.length <= type.length) return bytes
  const isBlank = characters.slice(type.length).every(character => character === ' ')
  if (!isBlank) return undefined
  return bytesOfText(characters.slice(0, type.length).join(''), collation.charset)
}

/** Bytes of a BINARY(n) column: zeros at the end. */
export function filled(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes
  const all = new Uint8Array(length)
  all.set(bytes)
  return all
}

// --- back

/** The value that a column has, for expressions over it. */
export function valueOfKey(type: ColumnType, key: Key, zone: TimeZone): Value | undefined {
  if (key === null) return NULL_VALUE
  if (key instanceof Uint8Array) return valueOfText(type, key)
  if (typeof key === 'number') return { kind: 'double', value: key }
  if (typeof key === 'bigint') return valueOfInteger(type, key, zone)
  return { kind: 'decimal', value: key }
}

function valueOfText(type: ColumnType, bytes: Uint8Array): Value | undefined {
  const collation = collationOf(type.collation)
  if (collation === undefined || !isText(type)) return undefined
  if (collation.charset === 'binary') return { kind: 'bytes', bytes }
  return { kind: 'text', bytes, charset: collation.charset, collation: undefined }
}

function valueOfInteger(type: ColumnType, key: bigint, zone: TimeZone): Value | undefined {
  switch (type.kind) {
    case 'date':
      return {
        kind: 'date',
        moment: key === ZERO_DAYS ? ZERO_MOMENT : momentOfDays(Number(key)),
      }
    case 'packed-date':
      return { kind: 'date', moment: momentOfPackedDate(key) }
    case 'packed-datetime':
      return { kind: 'datetime', moment: momentOfPackedDatetime(key) }
    case 'datetime':
    case 'timestamp': {
      if (key === ZERO_MICROS) return { kind: 'datetime', moment: ZERO_MOMENT }
      const local = type.kind === 'timestamp' ? zone.toLocal(key) : key
      return local === undefined ? undefined : { kind: 'datetime', moment: momentOfMicros(local) }
    }
    case 'time':
      return { kind: 'time', micros: key }
    case 'year':
      return { kind: 'integer', value: key === 0n ? 0n : key + YEAR_BASE }
    default:
      return { kind: 'integer', value: key }
  }
}
