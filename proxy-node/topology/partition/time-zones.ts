/**
 * Local time and UTC by offset or by name. Without a clock: Intl knows the rules of named zones.
 * Source: MySQL manual, "MySQL Server Time Zone Support".
 */
import { SECOND_MICROS } from './moments.ts'

const OFFSET = /^([+-])(\d{1,2}):(\d\d)$/
const MICROS = BigInt(SECOND_MICROS)
const MINUTE_SECONDS = 60

/** What a session's `time_zone` says; made once for each value of it. */
export class TimeZone {
  private readonly fixedSeconds: number | undefined
  private readonly format: Intl.DateTimeFormat | undefined

  constructor(name: string) {
    const [, sign, hours, minutes] = OFFSET.exec(name.trim()) ?? []
    const seconds = (Number(hours) * 60 + Number(minutes)) * MINUTE_SECONDS
    this.fixedSeconds = hours === undefined ? undefined : (sign === '-' ? -1 : 1) * seconds
    this.format = this.fixedSeconds === undefined ? formatOf(name) : undefined
  }

  /** Its rules are known: `SYSTEM` is none that a proxy knows. */
  get isKnown(): boolean {
    return this.fixedSeconds !== undefined || this.format !== undefined
  }

  /** UTC of a local time, in µs since the epoch; undefined for a zone that is not known. */
  toUtc(local: bigint): bigint | undefined {
    const first = this.offsetAt(local)
    if (first === undefined) return undefined
    const second = this.offsetAt(local - BigInt(first) * MICROS) ?? first
    const third = this.offsetAt(local - BigInt(second) * MICROS) ?? second
    return local - BigInt(third === second ? second : first) * MICROS
  }

  toLocal(utc: bigint): bigint | undefined {
    const offset = this.offsetAt(utc)
    return offset === undefined ? undefined : utc + BigInt(offset) * MICROS
  }

  /** Seconds to be added to UTC at a moment of UTC. */
  private offsetAt(utc: bigint): number | undefined {
    if (this.fixedSeconds !== undefined) return this.fixedSeconds
    if (this.format === undefined) return undefined
    const seconds = Number(utc / MICROS)
    const date = new Date(seconds * 1000)
    if (Number.isNaN(date.getTime())) return undefined
    return Math.round(localMillis(this.format, date) / 1000) - seconds
  }
}

function formatOf(name: string): Intl.DateTimeFormat | undefined {
  if (!name.includes('/') && name.toUpperCase() !== 'UTC') return undefined
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    // Intl's way of saying that it knows no such zone.
    return undefined
  }
}

function localMillis(format: Intl.DateTimeFormat, date: Date): number {
  const parts = new Map(format.formatToParts(date).map(({ type, value }) => [type, Number(value)]))
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
  return Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
}
