/**
 * Dates and times as MySQL reads them, without a clock: texts, numbers, day counts, and the forms in
 * which columns store them. Source: MySQL manual, "Date and Time Literals"; proxy-routing-tried.md.
 */

/** A date with a time of day; year, month and day are 0 in the zero date. */
export type Moment = {
  readonly year: number
  readonly month: number
  readonly day: number
  /** Of the day. */
  readonly micros: number
}

export const SECOND_MICROS = 1_000_000
const MINUTE_MICROS = 60 * SECOND_MICROS
const HOUR_MICROS = 3_600_000_000
export const DAY_MICROS = 86_400_000_000
const DAY_MILLIS = 86_400_000
/** Days of TO_DAYS() at 1970-01-01. */
export const EPOCH_DAYS = 719_528
const FRACTION_DIGITS = 6
const DAYS_IN_MONTH = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Two digits below it are of this century. */
const CENTURY_TURN = 70

export const ZERO_MOMENT: Moment = { year: 0, month: 0, day: 0, micros: 0 }

export function isZero({ year, month, day }: Moment): boolean {
  return year === 0 && month === 0 && day === 0
}

/** Whether there is such a day; month and day 0 are none. */
function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1 || year > 9999) return false
  return day <= daysInMonth(year, month)
}

export function daysInMonth(year: number, month: number): number {
  return month === 2 && !isLeap(year) ? 28 : (DAYS_IN_MONTH[month] ?? 0)
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}

/** Any sign parts the fields of a date, and those of a time when all three are there. */
const DELIMITED =
  /^\s*(\d{1,4})[!-/:-@[-`{-~]+(\d{1,2})[!-/:-@[-`{-~]+(\d{1,2})(?:(?:T|\s+)(\d{1,2})(?:[!-/:-@[-`{-~](\d{1,2})[!-/:-@[-`{-~](\d{1,2})|:(\d{1,2}))?(?:\.(\d*))?)?\s*$/
const PACKED = /^\s*(\d{4}|\d{2})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)(?:\.(\d*))?)?\s*$/

/** What MySQL reads in a text; undefined when that is no date, or one that settings decide about. */
export function momentOfText(text: string): Moment | undefined {
  const match = DELIMITED.exec(text)
  if (match === null) return momentOfDigits(text)
  const [, year, month, day, hour, minute, second, minuteAlone, fraction] = match
  return momentOf(
    { year: yearOf(year), month: Number(month), day: Number(day) },
    timeOf(hour, minute ?? minuteAlone, second),
    fraction,
  )
}

function momentOfDigits(text: string): Moment | undefined {
  const match = PACKED.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction] = match
  return momentOf(
    { year: yearOf(year), month: Number(month), day: Number(day) },
    timeOf(hour, minute, second),
    fraction,
  )
}

/** What MySQL reads in a number such as 20240131 or 240131123000. */
export function momentOfNumber(number: bigint, fraction = ''): Moment | undefined {
  if (number === 0n) return ZERO_MOMENT
  if (number < 101n) return undefined
  const digits = String(number)
  const isLong = digits.length > 8
  const padded = digits.padStart(paddedLength(digits.length), '0')
  const match = PACKED.exec(padded)
  if (match === null) return undefined
  const text = isLong && fraction !== '' ? `${padded}.${fraction}` : padded
  return momentOfText(text)
}

function paddedLength(length: number): number {
  if (length <= 6) return 6
  if (length <= 8) return 8
  return length <= 12 ? 12 : 14
}

function timeOf(hour = '0', minute = '0', second = '0'): number | undefined {
  const [hours, minutes, seconds] = [Number(hour), Number(minute), Number(second)]
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined
  return hours * HOUR_MICROS + minutes * MINUTE_MICROS + seconds * SECOND_MICROS
}

function momentOf(
  date: Omit<Moment, 'micros'>,
  time: number | undefined,
  fraction = '',
): Moment | undefined {
  if (time === undefined) return undefined
  const { year, month, day } = date
  const isNothing = year === 0 && month === 0 && day === 0
  if (!isNothing && !isDay(year, month, day)) return undefined
  return withMicros({ ...date, micros: 0 }, time + microsOf(fraction))
}

/** Millionths, rounded at the seventh digit. */
function microsOf(fraction: string): number {
  const digits = fraction.padEnd(FRACTION_DIGITS + 1, '0')
  const micros = Number(digits.slice(0, FRACTION_DIGITS))
  return Number(digits[FRACTION_DIGITS]) >= 5 ? micros + 1 : micros
}

/** The moment so many micros behind the beginning of its day. */
export function withMicros(moment: Moment, micros: number): Moment {
  if (micros >= 0 && micros < DAY_MICROS) return { ...moment, micros }
  const days = Math.floor(micros / DAY_MICROS)
  return { ...momentOfDays(daysOf(moment) + days), micros: micros - days * DAY_MICROS }
}

function yearOf(digits = ''): number {
  const year = Number(digits)
  if (digits.length > 2) return year
  return year + (year < CENTURY_TURN ? 2000 : 1900)
}

/** Days since 1970-01-01, by the calendar that goes on backwards. */
export function daysOf({ year, month, day }: Moment): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getTime() / DAY_MILLIS
}

export function momentOfDays(days: number): Moment {
  const date = new Date(days * DAY_MILLIS)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    micros: 0,
  }
}

/** µs since the epoch as if the moment were UTC. */
export function microsSinceEpoch(moment: Moment): bigint {
  return BigInt(daysOf(moment)) * BigInt(DAY_MICROS) + BigInt(moment.micros)
}

export function momentOfMicros(micros: bigint): Moment {
  const day = BigInt(DAY_MICROS)
  let days = micros / day
  if (days * day > micros) days -= 1n
  return { ...momentOfDays(Number(days)), micros: Number(micros - days * day) }
}

/** 20240131. */
export function packedNumber({ year, month, day }: Moment): bigint {
  return BigInt(year * 10_000 + month * 100 + day)
}

/** 2024-01-31. */
export function textOfDate({ year, month, day }: Moment): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

/** MySQL date as stored: year<<9 | month<<5 | day. */
export function packedDate({ year, month, day }: Moment): bigint {
  return BigInt((year << 9) | (month << 5) | day)
}

export function momentOfPackedDate(packed: bigint): Moment {
  const bits = Number(packed)
  return { year: bits >> 9, month: (bits >> 5) & 15, day: bits & 31, micros: 0 }
}

/** MySQL datetime as stored. */
export function packedDatetime(moment: Moment): bigint {
  const { hour, minute, second, micro } = clockOf(moment.micros)
  const date = ((moment.year * 13 + moment.month) << 5) | moment.day
  const time = (hour << 12) | (minute << 6) | second
  return (((BigInt(date) << 17n) | BigInt(time)) << 24n) | BigInt(micro)
}

export function momentOfPackedDatetime(packed: bigint): Moment {
  const date = Number(packed >> 41n)
  const time = Number((packed >> 24n) & 0x1ffffn)
  const months = date >> 5
  const seconds = (time >> 12) * 3600 + ((time >> 6) & 63) * 60 + (time & 63)
  return {
    year: Math.floor(months / 13),
    month: months % 13,
    day: date & 31,
    micros: seconds * SECOND_MICROS + Number(packed & 0xffffffn),
  }
}

export function clockOf(micros: number): {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly micro: number
} {
  return {
    hour: Math.floor(micros / HOUR_MICROS),
    minute: Math.floor(micros / MINUTE_MICROS) % 60,
    second: Math.floor(micros / SECOND_MICROS) % 60,
    micro: micros % SECOND_MICROS,
  }
}

const TIME_TEXT = /^\s*(-?)(?:(\d+)\s+)?(\d{1,3}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?\s*$/
const TIME_PACKED = /^\s*(-?)(\d{1,7})(?:\.(\d*))?\s*$/
/** 838:59:59. */
const LONGEST_TIME = 3_020_399 * SECOND_MICROS

/** A TIME in µs. */
export function timeOfText(text: string): bigint | undefined {
  const match = TIME_TEXT.exec(text)
  if (match === null) return timeOfDigits(text) ?? timeOfMoment(text)
  const [, sign, days = '0', hours, minutes, seconds = '0', fraction = ''] = match
  if (Number(minutes) > 59 || Number(seconds) > 59) return undefined
  const total =
    (Number(days) * 24 + Number(hours)) * HOUR_MICROS +
    Number(minutes) * MINUTE_MICROS +
    Number(seconds) * SECOND_MICROS
  return signedTime(sign, total + microsOf(fraction))
}

function timeOfDigits(text: string): bigint | undefined {
  const match = TIME_PACKED.exec(text)
  if (match === null) return undefined
  const [, sign, digits, fraction = ''] = match
  const number = Number(digits)
  const [hours, minutes, seconds] = [
    Math.floor(number / 10000),
    Math.floor(number / 100) % 100,
    number % 100,
  ]
  if (minutes > 59 || seconds > 59) return undefined
  const total = hours * HOUR_MICROS + minutes * MINUTE_MICROS + seconds * SECOND_MICROS
  return signedTime(sign, total + microsOf(fraction))
}

/** A day alone, and one that `T` parts from its time, are times by the digits that they begin with. */
const WITH_CLOCK = /\d\s+\d|^\s*\d{12}/

function timeOfMoment(text: string): bigint | undefined {
  const moment = WITH_CLOCK.test(text) ? momentOfText(text) : undefined
  return moment === undefined ? undefined : BigInt(moment.micros)
}

function signedTime(sign: string | undefined, micros: number): bigint | undefined {
  if (micros > LONGEST_TIME) return undefined
  return BigInt(sign === '-' ? -micros : micros)
}

/** Rounded half up to so many digits of a second. */
export function roundedMicros(micros: bigint, digits: number): bigint {
  const unit = 10n ** BigInt(FRACTION_DIGITS - Math.max(0, Math.min(digits, FRACTION_DIGITS)))
  const shifted = micros + unit / 2n
  let whole = shifted / unit
  if (whole * unit > shifted) whole -= 1n
  return whole * unit
}

export function rounded(moment: Moment, digits: number): Moment {
  if (isZero(moment)) return moment
  return withMicros(moment, Number(roundedMicros(BigInt(moment.micros), digits)))
}
