/**
 * Functions that make dates: sums with INTERVAL, the last day of a month, days since a beginning.
 * Source: MySQL manual, "Date and Time Functions"; tried on the kernel.
 */
import { momentOfValue } from './convert.ts'
import {
  daysInMonth,
  daysOf,
  EPOCH_DAYS,
  isZero,
  type Moment,
  momentOfDays,
  momentOfMicros,
  SECOND_MICROS,
  withMicros,
} from './moments.ts'
import { NULL_VALUE, type PruneSession, type Value } from './values.ts'

type Call = { readonly session: PruneSession; readonly word: string }

const MONTHS: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 }
const DAYS: Readonly<Record<string, number>> = { day: 1, week: 7 }
const MICROS: Readonly<Record<string, number>> = {
  hour: 3_600 * SECOND_MICROS,
  minute: 60 * SECOND_MICROS,
  second: SECOND_MICROS,
  microsecond: 1,
}
/** Of any unit: farther away nothing is computed. */
const MOST_AMOUNT = 1_000_000_000n
const LAST_YEAR = 9_999
/** Day numbers below it are of no year. */
const FIRST_DAY = 366

/** x ± INTERVAL amount unit; days without a unit. A text is read as a date. */
export function shifted(
  value: Value | undefined,
  amount: Value | undefined,
  { unit, sign }: { readonly unit: string; readonly sign: 1 | -1 },
): Value | undefined {
  if (value === undefined || amount === undefined) return undefined
  if (value.kind === 'null' || amount.kind === 'null') return NULL_VALUE
  const moment = momentOfValue(value)
  const isSmall = amount.kind === 'integer' && amount.value <= MOST_AMOUNT
  if (moment === undefined || isZero(moment) || !isSmall || amount.value < -MOST_AMOUNT)
    return undefined
  const next = moved(moment, unit, sign * Number(amount.value))
  if (next === undefined || next.year < 1 || next.year > LAST_YEAR) return undefined
  const isDate = value.kind !== 'datetime' && moment.micros === 0 && MICROS[unit] === undefined
  return { kind: isDate ? 'date' : 'datetime', moment: next }
}

function moved(moment: Moment, unit: string, amount: number): Moment | undefined {
  const days = DAYS[unit]
  if (days !== undefined)
    return { ...momentOfDays(daysOf(moment) + amount * days), micros: moment.micros }
  const months = MONTHS[unit]
  if (months !== undefined) return byMonths(moment, amount * months)
  const micros = MICROS[unit]
  return micros === undefined ? undefined : withMicros(moment, moment.micros + amount * micros)
}

/** The last day of a month that has not so many. */
function byMonths({ year, month, day, micros }: Moment, amount: number): Moment {
  const months = year * 12 + month - 1 + amount
  const [nextYear, nextMonth] = [Math.floor(months / 12), (((months % 12) + 12) % 12) + 1]
  const last = daysInMonth(nextYear, nextMonth)
  return { year: nextYear, month: nextMonth, day: Math.min(day, last), micros }
}

const added =
  (sign: 1 | -1) =>
  ([value, amount]: readonly Value[], { word }: Call) =>
    shifted(value, amount, { unit: word || 'day', sign })

function lastDay([value]: readonly Value[]): Value | undefined {
  const moment = value === undefined ? undefined : momentOfValue(value)
  if (moment === undefined || isZero(moment)) return undefined
  const day = daysInMonth(moment.year, moment.month)
  return { kind: 'date', moment: { ...moment, day, micros: 0 } }
}

/** The day of a number of days behind the year 0. */
function fromDays([days]: readonly Value[]): Value | undefined {
  if (days?.kind !== 'integer') return undefined
  return dateOf(Number(days.value) - EPOCH_DAYS)
}

function makeDate([year, day]: readonly Value[]): Value | undefined {
  if (year?.kind !== 'integer' || day?.kind !== 'integer' || day.value < 1n) return undefined
  if (year.value < 100n || year.value > BigInt(LAST_YEAR)) return undefined
  const first = { year: Number(year.value), month: 1, day: 1, micros: 0 }
  return dateOf(daysOf(first) + Number(day.value) - 1)
}

function dateOf(days: number): Value | undefined {
  const isDay = days + EPOCH_DAYS >= FIRST_DAY && days < MOST_AMOUNT
  const moment = isDay ? momentOfDays(days) : undefined
  return moment === undefined || moment.year > LAST_YEAR ? undefined : { kind: 'date', moment }
}

function fromUnixTime(values: readonly Value[], { session }: Call): Value | undefined {
  const [seconds] = values
  const isKnown = values.length === 1 && seconds?.kind === 'integer'
  if (!isKnown || seconds.value < 0n || seconds.value > MOST_AMOUNT * 2n) return undefined
  const local = session.timeZone.toLocal(seconds.value * BigInt(SECOND_MICROS))
  return local === undefined ? undefined : { kind: 'datetime', moment: momentOfMicros(local) }
}

function timestamp(values: readonly Value[]): Value | undefined {
  const [value] = values
  const moment = value === undefined || values.length > 1 ? undefined : momentOfValue(value)
  return moment === undefined ? undefined : { kind: 'datetime', moment }
}

export const DATE_FUNCTIONS = [
  ['date_add', added(1)],
  ['adddate', added(1)],
  ['date_sub', added(-1)],
  ['subdate', added(-1)],
  ['last_day', lastDay],
  ['from_days', fromDays],
  ['makedate', makeDate],
  ['from_unixtime', fromUnixTime],
  ['timestamp', timestamp],
] as const
