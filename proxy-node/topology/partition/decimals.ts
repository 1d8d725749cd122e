/** Exact decimal numbers: read from texts, rounded, compared. No number here ever is a float. */
import type { Decimal } from './cells.ts'

const NUMBER = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?/
/** Digits of the longest decimal that is computed; an exponent may ask for more. */
const MOST_DIGITS = 400

/** The number a text begins with: 0 when it begins with none; undefined when it is too long. */
export function prefixOf(text: string): Decimal | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? []
  const shift = Number(exponent)
  if (whole.length + fraction.length + Math.abs(shift) > MOST_DIGITS) return undefined
  const digits = BigInt(`${whole}${fraction}` || '0')
  const units = sign === '-' ? -digits : digits
  const scale = fraction.length - shift
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 }
}

/** The number that a text is, all of it. */
export function decimalOf(text: string): Decimal | undefined {
  const match = NUMBER.exec(text)
  const isAll = match !== null && text.slice(match[0].length).trim() === ''
  const hasDigits = match !== null && `${match[2] ?? ''}${match[3] ?? ''}` !== ''
  return isAll && hasDigits ? prefixOf(text) : undefined
}

/** Rounded half away from zero to `scale` digits behind the point. */
export function toScale({ units, scale }: Decimal, wanted: number): Decimal {
  if (wanted >= scale) return { units: units * 10n ** BigInt(wanted - scale), scale: wanted }
  const unit = 10n ** BigInt(scale - wanted)
  const half = unit / 2n
  return { units: (units < 0n ? units - half : units + half) / unit, scale: wanted }
}

/** Without zeros at the end. */
export function stripped({ units, scale }: Decimal): Decimal {
  let rest = units
  let digits = scale
  while (digits > 0 && rest % 10n === 0n) {
    rest /= 10n
    digits -= 1
  }
  return { units: rest, scale: digits }
}

/** The integer a decimal is, if it is one. */
export function wholeOf(decimal: Decimal): bigint | undefined {
  const { units, scale } = stripped(decimal)
  return scale === 0 ? units : undefined
}

export function compareDecimals(one: Decimal, other: Decimal): number {
  const scale = Math.max(one.scale, other.scale)
  const difference = toScale(one, scale).units - toScale(other, scale).units
  if (difference === 0n) return 0
  return difference < 0n ? -1 : 1
}

export function textOf({ units, scale }: Decimal): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0')
  const at = digits.length - scale
  const sign = units < 0n ? '-' : ''
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, at)}.${digits.slice(at)}`
}
