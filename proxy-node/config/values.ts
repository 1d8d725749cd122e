/** Text of a parameter ↔ its value, by type and range. Source: proxy-admin.md §3.1. */
import type { Parameter, ParameterType } from '#contract/parameters'

const TRUE = /^(true|on|yes|t|1)$/i
const FALSE = /^(false|off|no|f|0)$/i
const TIME_UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 6e7,
  h: 3.6e9,
  d: 8.64e10,
}
const SIZE_SHIFTS: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 }
const LEVELS = 'DEBUG|TRACE|INFO|WDIAG|EDIAG|WARN|USER_ERR|ERROR'
const MAX_TEXT_BYTES = 4096

/** The text as it is stored and shown: booleans as True and False, the rest as typed. Undefined: not of this type. */
export function normalise(parameter: Parameter, text: string): string | undefined {
  if (Buffer.byteLength(text) >= MAX_TEXT_BYTES) return undefined
  if (parameter.type === 'bool') return TRUE.test(text) ? 'True' : falseText(text)
  if (parameter.type === 'log-level')
    return new RegExp(`^(\\w+:)?(${LEVELS})(,\\w+:(${LEVELS}))*$`, 'i').test(text)
      ? text
      : undefined
  const value = magnitude(parameter.type, text)
  if (value === undefined) return isNumeric(parameter.type) ? undefined : text
  return inRange(parameter, value) ? text : undefined
}

/** Integers as they are, times in microseconds, sizes in bytes; undefined for other types and bad text. */
export function magnitude(type: ParameterType, text: string): number | undefined {
  if (type === 'int') return /^-?(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : undefined
  if (type === 'time')
    return scaled(text, /^(-?\d+)\s*(us|ms|s|m|h|d)?$/i, unit => TIME_UNITS_US[unit ?? 's'])
  if (type === 'size')
    return scaled(
      text,
      /^(\d+)\s*(b|k|m|g|t|p)?b?$/i,
      unit => 1024 ** (SIZE_SHIFTS[unit ?? 'm'] ?? 0),
    )
  return undefined
}

function isNumeric(type: ParameterType): boolean {
  return type === 'int' || type === 'time' || type === 'size'
}

function falseText(text: string): string | undefined {
  return FALSE.test(text) ? 'False' : undefined
}

function scaled(
  text: string,
  shape: RegExp,
  factorOf: (unit: string | undefined) => number | undefined,
): number | undefined {
  const found = shape.exec(text.trim())
  if (found === null) return undefined
  const factor = factorOf(found[2]?.toLowerCase())
  return factor === undefined ? undefined : Math.max(0, Number(found[1])) * factor
}

function inRange(parameter: Parameter, value: number): boolean {
  const found = /^([[(])\s*([^,]*?)\s*,\s*([^,]*?)\s*([\])])$/.exec(parameter.range)
  if (found === null) return true
  const [, open, low, high, close] = found
  const least = magnitude(parameter.type, low ?? '')
  const most = magnitude(parameter.type, high ?? '')
  if (least !== undefined && (open === '(' ? value <= least : value < least)) return false
  return most === undefined || (close === ')' ? value < most : value <= most)
}
