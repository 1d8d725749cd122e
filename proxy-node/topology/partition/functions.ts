/**
 * The functions that partition expressions and predicates are computed with, by name in lower case.
 * Source: proxy-routing.md §5.9; MySQL manual, "Partitioning Limitations Relating to Functions".
 */
import { CALL_FORM } from '../../sql/expressions.ts'
import { binary, cast } from './casts.ts'
import { bytesOfText } from './charsets.ts'
import type { Charset } from './collations.ts'
import { compared, truthOf } from './conditions.ts'
import { momentOfValue } from './convert.ts'
import { DATE_FUNCTIONS } from './date-functions.ts'
import { textOf as textOfDecimal, toScale } from './decimals.ts'
import {
  clockOf,
  DAY_MICROS,
  daysOf,
  EPOCH_DAYS,
  isZero,
  type Moment,
  microsSinceEpoch,
  momentOfMicros,
  SECOND_MICROS,
} from './moments.ts'
import { LONGEST_TEXT } from './text-weights.ts'
import { NULL_VALUE, type PruneSession, stringOf, type Value } from './values.ts'

export type Call = {
  readonly session: PruneSession
  /** The bare word among the arguments: the unit of EXTRACT, the type of CAST. */
  readonly word: string
  /** CALL_FORM. */
  readonly form: number
}

type Apply = (values: readonly Value[], call: Call) => Value | undefined

const integer = (value: number | bigint): Value => ({ kind: 'integer', value: BigInt(value) })

/** Of one date; NULL for NULL. */
function ofMoment(compute: (moment: Moment, call: Call) => Value | undefined): Apply {
  return ([value], call) => {
    if (value === undefined || value.kind === 'null') return value
    const moment = momentOfValue(value)
    return moment === undefined ? undefined : compute(moment, call)
  }
}

/** The same, NULL for the zero date, which is no day. */
function ofDay(compute: (moment: Moment) => number): Apply {
  return ofMoment(moment => (isZero(moment) ? NULL_VALUE : integer(compute(moment))))
}

function ofClock(compute: (micros: number) => number): Apply {
  return ([value]) => {
    if (value === undefined || value.kind === 'null') return value
    const micros = value.kind === 'time' ? Number(value.micros) : momentOfValue(value)?.micros
    return micros === undefined || micros < 0 ? undefined : integer(compute(micros))
  }
}

/** All arguments, none of them NULL. */
function strict(apply: Apply): Apply {
  return (values, call) => {
    const isNull = values.some(({ kind }) => kind === 'null')
    return isNull ? NULL_VALUE : apply(values, call)
  }
}

const toDays = (moment: Moment) => daysOf(moment) + EPOCH_DAYS
const secondsOf = (micros: number) => Math.floor(micros / SECOND_MICROS)
const dayOfYear = (moment: Moment) => daysOf(moment) - daysOf({ ...moment, month: 1, day: 1 }) + 1
/** Monday is 0. */
const weekday = (moment: Moment) => (((daysOf(moment) + 3) % 7) + 7) % 7
const quarter = ({ month }: Moment) => Math.floor((month + 2) / 3)

/** Mode 0: weeks begin on Sundays, week 1 with the first one of the year. */
function week(moment: Moment): number {
  const sundayBased = (weekday({ ...moment, month: 1, day: 1 }) + 1) % 7
  const firstSunday = sundayBased === 0 ? 1 : 8 - sundayBased
  const day = dayOfYear(moment)
  return day < firstSunday ? 0 : Math.floor((day - firstSunday) / 7) + 1
}

const UNITS: Readonly<Record<string, Apply>> = {
  year: ofMoment(({ year }) => integer(year)),
  quarter: ofMoment(moment => integer(quarter(moment))),
  month: ofMoment(({ month }) => integer(month)),
  day: ofMoment(({ day }) => integer(day)),
  hour: ofClock(micros => clockOf(micros).hour),
  minute: ofClock(micros => clockOf(micros).minute),
  second: ofClock(micros => clockOf(micros).second),
  microsecond: ofClock(micros => clockOf(micros).micro),
  year_month: ofMoment(({ year, month }) => integer(year * 100 + month)),
}

/** Before the epoch, and of the zero date, it is 0. */
function unixTimestamp(moment: Moment, { session }: Call): Value | undefined {
  if (isZero(moment)) return integer(0)
  const utc = session.timeZone.toUtc(microsSinceEpoch(moment))
  if (utc === undefined) return undefined
  if (utc < 0n) return integer(0)
  const fraction = utc % BigInt(SECOND_MICROS)
  return fraction === 0n
    ? integer(utc / BigInt(SECOND_MICROS))
    : { kind: 'decimal', value: { units: utc, scale: 6 } }
}

// --- numbers

const absolute = strict(([value]) => {
  if (value?.kind === 'integer') return integer(value.value < 0n ? -value.value : value.value)
  if (value?.kind === 'double') return { kind: 'double', value: Math.abs(value.value) }
  if (value?.kind !== 'decimal') return undefined
  const { units, scale } = value.value
  return { kind: 'decimal', value: { units: units < 0n ? -units : units, scale } }
})

function roundedTo(direction: 'up' | 'down'): Apply {
  return strict(([value]) => {
    if (value?.kind === 'integer') return value
    if (value?.kind === 'double') {
      const whole = direction === 'up' ? Math.ceil(value.value) : Math.floor(value.value)
      return { kind: 'double', value: whole }
    }
    if (value?.kind !== 'decimal') return undefined
    const { units, scale } = value.value
    const unit = 10n ** BigInt(scale)
    const floor = units >= 0n || units % unit === 0n ? units / unit : units / unit - 1n
    return integer(direction === 'up' && floor * unit !== units ? floor + 1n : floor)
  })
}

const modulo = strict(([left, right]) => {
  if (left?.kind !== 'integer' || right?.kind !== 'integer') return undefined
  return right.value === 0n ? NULL_VALUE : integer(left.value % right.value)
})

const round = strict(([value, digits]) => {
  if (digits !== undefined && digits.kind !== 'integer') return undefined
  const scale = digits === undefined ? 0 : Number(digits.value)
  if (value?.kind === 'integer' && scale >= 0) return value
  if (value?.kind !== 'decimal' || scale < 0) return undefined
  return { kind: 'decimal', value: toScale(value.value, Math.min(scale, value.value.scale)) }
})

// --- texts

/** Characters that REPLACE may write. */
const MOST_REPLACED = 1_000_000

type Text = { readonly text: string; readonly charset: Charset }

function textOf(value: Value | undefined): Text | undefined {
  if (value?.kind === 'integer') return { text: String(value.value), charset: 'utf8mb4' }
  if (value?.kind === 'decimal') return { text: textOfDecimal(value.value), charset: 'utf8mb4' }
  if (value?.kind !== 'text' || value.bytes.length > LONGEST_TEXT) return undefined
  const text = stringOf(value)
  return text === undefined ? undefined : { text, charset: value.charset }
}

function textValue({ text, charset }: Text): Value | undefined {
  const bytes = bytesOfText(text, charset)
  return bytes === undefined ? undefined : { kind: 'text', bytes, charset, collation: undefined }
}

function ofText(compute: (text: string) => string): Apply {
  return strict(([value]) => {
    const text = textOf(value)
    return text === undefined ? undefined : textValue({ ...text, text: compute(text.text) })
  })
}

/** From 1; from the end when negative; nothing beyond it. */
const substring = strict(([value, start, length]) => {
  const text = textOf(value)
  if (text === undefined || start?.kind !== 'integer') return undefined
  if (length !== undefined && length.kind !== 'integer') return undefined
  const characters = [...text.text]
  const at = Number(start.value)
  const from = at < 0 ? characters.length + at : at - 1
  if (at === 0 || from < 0) return textValue({ ...text, text: '' })
  const count = length === undefined ? characters.length : Math.max(0, Number(length.value))
  return textValue({ ...text, text: characters.slice(from, from + count).join('') })
})

function side(which: 'left' | 'right'): Apply {
  return strict(([value, length]) => {
    const text = textOf(value)
    if (text === undefined || length?.kind !== 'integer') return undefined
    const count = Math.max(0, Number(length.value))
    const characters = [...text.text]
    const kept =
      which === 'left'
        ? characters.slice(0, count)
        : characters.slice(Math.max(0, characters.length - count))
    return textValue({ ...text, text: kept.join('') })
  })
}

/** CONCAT, and `||` of texts. */
export function concat(values: readonly Value[]): Value | undefined {
  let bytes: Uint8Array = new Uint8Array(0)
  for (const value of values) if (value.kind === 'null') return NULL_VALUE
  for (const value of values) {
    const text = textOf(value)
    const next = text === undefined ? undefined : bytesOfText(text.text, 'utf8mb4')
    if (next === undefined) return undefined
    bytes = Buffer.concat([bytes, next])
    if (bytes.length > LONGEST_TEXT) return undefined
  }
  return { kind: 'text', bytes, charset: 'utf8mb4', collation: undefined }
}

const trim: Apply = strict(([value, taken], { form }) => {
  const text = textOf(value)
  const what = taken === undefined ? ' ' : textOf(taken)?.text
  if (text === undefined || what === undefined || what === '') return undefined
  let rest = text.text
  while (form !== CALL_FORM.trailing && rest.startsWith(what)) rest = rest.slice(what.length)
  while (form !== CALL_FORM.leading && rest.endsWith(what)) rest = rest.slice(0, -what.length)
  return textValue({ ...text, text: rest })
})

const replace = strict(([value, from, to]) => {
  const [text, what, instead] = [textOf(value), textOf(from), textOf(to)]
  if (text === undefined || what === undefined || instead === undefined) return undefined
  if (what.text === '') return textValue(text)
  if (text.text.length * instead.text.length > MOST_REPLACED) return undefined
  return textValue({ ...text, text: text.text.replaceAll(what.text, instead.text) })
})

const length = strict(([value]) => {
  if (value?.kind === 'bytes' || value?.kind === 'text') return integer(value.bytes.length)
  const text = textOf(value)
  return text === undefined ? undefined : integer(text.text.length)
})

// --- others

const firstKnown: Apply = values =>
  ofAll(values, values.find(({ kind }) => kind !== 'null') ?? NULL_VALUE)

function now(part: 'date' | 'datetime'): Apply {
  return (values, { session }) => {
    if (values.length > 0) return undefined
    const local = session.timeZone.toLocal(BigInt(Math.floor(session.now())))
    if (local === undefined) return undefined
    const moment = momentOfMicros(local)
    const micros = part === 'date' ? 0 : secondsOf(moment.micros) * SECOND_MICROS
    return { kind: part, moment: { ...moment, micros } }
  }
}

const toDate = ofMoment(moment => ({ kind: 'date', moment: { ...moment, micros: 0 } }))

/**
 * One of several values, which all have its type then: undefined where a type of them all would make
 * something else of it.
 */
function ofAll(values: readonly Value[], chosen: Value | undefined): Value | undefined {
  if (chosen === undefined || chosen.kind === 'null') return chosen
  const isAlike = values.every(value => value.kind === 'null' || isSameType(value, chosen))
  return isAlike && chosen.kind !== 'bytes' ? chosen : undefined
}

function isSameType(one: Value, other: Value): boolean {
  if (one.kind === 'decimal' && other.kind === 'decimal')
    return one.value.scale === other.value.scale
  if (one.kind === 'text' && other.kind === 'text')
    return one.charset === other.charset && one.collation === other.collation
  return one.kind === other.kind
}

const chosen: Apply = ([condition, then, otherwise]) => {
  const truth = truthOf(condition)
  if (truth === undefined || then === undefined || otherwise === undefined) return undefined
  const holds = truth.kind === 'integer' && truth.value !== 0n
  return ofAll([then, otherwise], holds ? then : otherwise)
}

const unlessEqual: Apply = ([value, other]) => {
  if (value === undefined || other === undefined) return undefined
  if (value.kind === 'null' || other.kind === 'null') return value
  const difference = compared(value, other)
  if (difference === undefined) return undefined
  return difference === 0 ? NULL_VALUE : value
}

const nullable: Apply = ([value]) =>
  value === undefined ? undefined : integer(value.kind === 'null' ? 1 : 0)

export const FUNCTIONS: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['year', ofMoment(({ year }) => integer(year))],
  ['month', ofMoment(({ month }) => integer(month))],
  ['day', ofMoment(({ day }) => integer(day))],
  ['dayofmonth', ofMoment(({ day }) => integer(day))],
  ['quarter', ofMoment(moment => integer(quarter(moment)))],
  ['dayofyear', ofDay(dayOfYear)],
  ['weekday', ofDay(weekday)],
  ['dayofweek', ofDay(moment => ((weekday(moment) + 1) % 7) + 1)],
  ['week', (values, call) => (values.length === 1 ? ofDay(week)(values, call) : undefined)],
  ['to_days', ofDay(toDays)],
  [
    'to_seconds',
    ofDay(moment => toDays(moment) * (DAY_MICROS / SECOND_MICROS) + secondsOf(moment.micros)),
  ],
  [
    'unix_timestamp',
    (values, call) => (values.length === 1 ? ofMoment(unixTimestamp)(values, call) : undefined),
  ],
  ['extract', (values, call) => UNITS[call.word]?.(values, call)],
  ['hour', ofClock(micros => clockOf(micros).hour)],
  ['minute', ofClock(micros => clockOf(micros).minute)],
  ['second', ofClock(micros => clockOf(micros).second)],
  ['microsecond', ofClock(micros => clockOf(micros).micro)],
  ['time_to_sec', ofClock(secondsOf)],
  [
    'datediff',
    strict(values => {
      const [one, other] = values.map(momentOfValue)
      return one === undefined || other === undefined
        ? undefined
        : integer(daysOf(one) - daysOf(other))
    }),
  ],
  ['date', toDate],
  ['abs', absolute],
  ['ceiling', roundedTo('up')],
  ['ceil', roundedTo('up')],
  ['floor', roundedTo('down')],
  ['mod', modulo],
  ['round', round],
  ['substr', substring],
  ['substring', substring],
  ['mid', substring],
  ['left', side('left')],
  ['right', side('right')],
  ['concat', concat],
  ['trim', trim],
  ['ltrim', ofText(text => text.replace(/^ +/, ''))],
  ['rtrim', ofText(text => text.replace(/ +$/, ''))],
  ['replace', replace],
  ['length', length],
  ['lower', ofText(text => text.toLowerCase())],
  ['lcase', ofText(text => text.toLowerCase())],
  ['upper', ofText(text => text.toUpperCase())],
  ['ucase', ofText(text => text.toUpperCase())],
  ['nvl', firstKnown],
  ['ifnull', firstKnown],
  ['coalesce', firstKnown],
  ['isnull', nullable],
  ['now', now('datetime')],
  ['current_timestamp', now('datetime')],
  ['localtime', now('datetime')],
  ['localtimestamp', now('datetime')],
  ['sysdate', now('datetime')],
  ['curdate', now('date')],
  ['current_date', now('date')],
  ['cast', cast],
  ['convert', cast],
  ['binary', binary],
  ['if', chosen],
  ['nullif', unlessEqual],
  ...DATE_FUNCTIONS,
])
