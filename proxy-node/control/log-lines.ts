/**
 * Lines of logs, OBProxy's and ours: when they were written, and how important they are. Times without a
 * zone are the host's own. Pure. Source: proxy-admin.md §5.4.
 */

import type { LogLevel } from '#contract/log-filter'

/** OBProxy's finer words, and what they count as. */
const COUNTS_AS: Readonly<Record<string, LogLevel>> = {
  ERROR: 'ERROR',
  USER_ERR: 'ERROR',
  EDIAG: 'ERROR',
  WARN: 'WARN',
  WDIAG: 'WARN',
  INFO: 'INFO',
  TRACE: 'DEBUG',
  DEBUG: 'DEBUG',
}

/** `[2026-11-24 10:00:00.123456]`, `2026-11-24 10:00:00.123456,`, `2026-11-24T10:00:00.123Z`. */
const TIME = /^\[?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z?)/

/** Epoch milliseconds; undefined for a line that does not begin with a time. */
export function lineTime(line: string): number | undefined {
  const [, day, time, fraction = '0', zone = ''] = TIME.exec(line) ?? []
  if (day === undefined || time === undefined) return undefined
  const at = Date.parse(`${day}T${time}${zone}`)
  return Number.isFinite(at) ? at + Math.floor(Number(`0.${fraction}`) * 1000) : undefined
}

/** Undefined for lines that have none, as those of requests. */
export function lineLevel(line: string): LogLevel | undefined {
  const word = /^\[[^\]]{0,40}\] ([A-Z_]{4,8})\b/.exec(line)?.[1]
  return word === undefined ? undefined : COUNTS_AS[word]
}
