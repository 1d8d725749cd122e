/**
 * CAST, CONVERT and BINARY. Undefined: a type or a value that the kernel converts in a way that is not
 * known here. Source: MySQL manual, "Cast Functions and Operators"; tried on the kernel.
 */
import { CALL_FORM } from '../../sql/expressions.ts'
import type { Decimal } from './cells.ts'
import { bytesOfText, charsetNamed, converted, textOfBytes } from './charsets.ts'
import { numberOf } from './conditions.ts'
import { bigEndian, comparedDecimal, halfEven, momentOfValue } from './convert.ts'
import { textOf, toScale } from './decimals.ts'
import { type Moment, packedNumber, rounded, textOfDate } from './moments.ts'
import { NULL_VALUE, stringOf, type Value } from './values.ts'

type Cast = (value: Value, sizes: readonly number[]) => Value | undefined

const MOST_SIGNED = 2n ** 63n - 1n
const LEAST_SIGNED = -(2n ** 63n)
const MOST_UNSIGNED = 2n ** 64n - 1n
const DECIMAL = { precision: 10, mostPrecision: 65, mostScale: 30 } as const
const LONGEST = 65_536
const FRACTION_DIGITS = 6

/** A text is the digits that it begins with; what is too large is the largest. */
const LEADING_DIGITS = /^\s*([+-]?)(\d{0,400})/

/** `word`: the type, or the character set of CONVERT(x USING …). */
export function cast(
  values: readonly Value[],
  { word, form }: { readonly word: string; readonly form: number },
): Value | undefined {
  const [value, ...rest] = values
  if (value === undefined) return undefined
  if (value.kind === 'null') return NULL_VALUE
  if (form === CALL_FORM.using) return inCharset(value, word)
  const sizes: number[] = []
  for (const size of rest) {
    if (size.kind !== 'integer' || size.value < 0n || size.value > BigInt(LONGEST)) return undefined
    sizes.push(Number(size.value))
  }
  return CASTS.get(word)?.(value, sizes)
}

/** BINARY x: the text of x, byte by byte. */
export function binary([value]: readonly Value[]): Value | undefined {
  if (value === undefined || value.kind === 'null') return value
  return bytesText(value, [])
}

const CASTS: ReadonlyMap<string, Cast> = new Map<string, Cast>([
  ['signed', value => integer(wholeOf(value, true), BigInt.asIntN)],
  ['unsigned', value => integer(wholeOf(value, false), BigInt.asUintN)],
  ['decimal', decimal],
  ['double', real],
  ['char', characters],
  ['nchar', characters],
  ['binary', bytesText],
  ['date', value => ofMoment(value, moment => ({ ...moment, micros: 0 }), 'date')],
  ['datetime', datetime],
])

// --- numbers

function integer(
  whole: bigint | undefined,
  wrap: (bits: number, value: bigint) => bigint,
): Value | undefined {
  return whole === undefined ? undefined : { kind: 'integer', value: wrap(64, whole) }
}

function wholeOf(value: Value, isSigned: boolean): bigint | undefined {
  switch (value.kind) {
    case 'integer':
      return value.value
    case 'decimal':
      return within(toScale(value.value, 0).units, isSigned)
    case 'double':
      return Number.isSafeInteger(Math.trunc(value.value))
        ? within(halfEven(value.value), isSigned)
        : undefined
    case 'bytes':
      return value.bytes.length > 8 ? undefined : bigEndian(value.bytes)
    case 'text':
      return leadingWhole(value, isSigned)
    case 'date':
      return packedNumber(value.moment)
    default:
      return undefined
  }
}

/** A number that is no integer: below 0, or too large, it becomes one by rules that are left out here. */
function within(whole: bigint, isSigned: boolean): bigint | undefined {
  const least = isSigned ? LEAST_SIGNED : 0n
  return whole < least || whole > MOST_SIGNED ? undefined : whole
}

function leadingWhole(value: Value, isSigned: boolean): bigint | undefined {
  const [, sign, digits] = LEADING_DIGITS.exec(stringOf(value) ?? '!') ?? []
  if (digits === undefined) return undefined
  const whole = BigInt(`${digits || '0'}`)
  if (sign === '-') return whole > -LEAST_SIGNED ? LEAST_SIGNED : -whole
  const most = isSigned ? MOST_SIGNED : MOST_UNSIGNED
  return whole > most ? most : whole
}

/** Rounded; the nearest one that fits. */
function decimal(value: Value, [precision, scale = 0]: readonly number[]): Value | undefined {
  const digits = precision === undefined || precision === 0 ? DECIMAL.precision : precision
  const number = exactOf(value)
  if (number === undefined || digits > DECIMAL.mostPrecision) return undefined
  if (scale > DECIMAL.mostScale || scale > digits) return undefined
  const most = 10n ** BigInt(digits) - 1n
  const { units } = toScale(number, scale)
  const fits = units > most ? most : units
  return { kind: 'decimal', value: { units: fits < -most ? -most : fits, scale } }
}

/** Bytes are no number here, whatever they are compared with. */
function exactOf(value: Value): Decimal | undefined {
  return value.kind === 'bytes' ? undefined : comparedDecimal(value)
}

function real(value: Value): Value | undefined {
  const number = numberOf(value)
  return number === undefined ? undefined : { kind: 'double', value: number }
}

// --- texts

function characters(value: Value, [length]: readonly number[]): Value | undefined {
  const text = written(value)
  if (text === undefined || length === undefined) return text
  const all = textOfBytes(text.bytes, 'utf8mb4')
  if (all === undefined) return undefined
  return utf8Text(Buffer.from([...all].slice(0, length).join('')))
}

function utf8Text(bytes: Uint8Array): Value & { readonly kind: 'text' } {
  return { kind: 'text', bytes, charset: 'utf8mb4', collation: undefined }
}

/** As the kernel writes it. */
function written(value: Value): (Value & { readonly kind: 'text' }) | undefined {
  switch (value.kind) {
    case 'text': {
      const bytes = converted(value.bytes, value.charset, 'utf8mb4')
      return bytes === undefined ? undefined : utf8Text(bytes)
    }
    case 'integer':
      return utf8Text(Buffer.from(String(value.value)))
    case 'decimal':
      return utf8Text(Buffer.from(textOf(value.value)))
    case 'date':
      return utf8Text(Buffer.from(textOfDate(value.moment)))
    default:
      return undefined
  }
}

/** A text of bytes is one in the character set `binary`. */
function bytesText(value: Value, [length]: readonly number[]): Value | undefined {
  const bytes = value.kind === 'text' ? value.bytes : written(value)?.bytes
  if (bytes === undefined) return undefined
  if (length === undefined) return binaryText(bytes)
  const all = new Uint8Array(length)
  all.set(bytes.subarray(0, length))
  return binaryText(all)
}

function binaryText(bytes: Uint8Array): Value {
  return { kind: 'text', bytes, charset: 'binary', collation: undefined }
}

function inCharset(value: Value, name: string): Value | undefined {
  const charset = charsetNamed(name)
  const text = written(value)
  if (charset === undefined || text === undefined) return undefined
  if (charset === 'binary') return bytesText(value, [])
  const all = textOfBytes(text.bytes, 'utf8mb4')
  const bytes = all === undefined ? undefined : bytesOfText(all, charset)
  return bytes === undefined ? undefined : { kind: 'text', bytes, charset, collation: undefined }
}

// --- dates

function datetime(value: Value, [digits = 0]: readonly number[]): Value | undefined {
  if (digits > FRACTION_DIGITS) return undefined
  return ofMoment(value, moment => rounded(moment, digits), 'datetime')
}

function ofMoment(
  value: Value,
  change: (moment: Moment) => Moment,
  kind: 'date' | 'datetime',
): Value | undefined {
  const moment = momentOfValue(value)
  return moment === undefined ? undefined : { kind, moment: change(moment) }
}
