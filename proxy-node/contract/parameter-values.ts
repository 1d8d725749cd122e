/**
 * Text of a parameter ↔ its value, by type and range. The text is kept as typed, because managers
 * compare what SHOW PROXYCONFIG displays with what they set. Source: proxy-admin.md §3.1.
 */
import type { Parameter, ParameterType } from './parameters.ts'

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
const SIZE_POWERS: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 }
const LEVEL = '(DEBUG|TRACE|INFO|WDIAG|EDIAG|WARN|USER_ERR|ERROR)'
const LOG_LEVELS = new RegExp(`^([\\w.]+:)?${LEVEL}(,[\\w.]+:${LEVEL})*$`, 'i')
const IPV4 = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/
const RANGE = /^([[(])\s*([^,]*?)\s*,\s*([^,]*?)\s*([\])])$/
const MAX_TEXT_BYTES = 4096

/**
 * The text as it is stored and shown: booleans as True and False, the rest as typed; undefined when
 * it is not of this type or out of range.
 */
export function normalise(parameter: Parameter, text: string): string | undefined {
  // A line break or NUL has no place in a value and would forge lines of tables and logs.
  if (Buffer.byteLength(text) >= MAX_TEXT_BYTES || hasControl(text)) return undefined
  switch (parameter.type) {
    case 'bool':
      return truth(text.trim())
    case 'log-level':
      return LOG_LEVELS.test(text) ? text : undefined
    case 'address':
      return isIpAddress(text) ? text : undefined
    case 'text':
    case 'list':
      return text
    case 'int':
    case 'time':
    case 'size':
      return isInRange(parameter, text) ? text.trim() : undefined
  }
}

/**
 * Integers as they are, times in microseconds (negative ones 0), sizes in bytes; undefined for other
 * types, bad text and what is not exact in 53 bits.
 */
export function magnitude(type: ParameterType, text: string): number | undefined {
  const value = measured(type, text.trim())
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/** Whether two texts mean the same value: `60s` and `1m`, `true` and `True`. */
export function isSameValue(parameter: Parameter, left: string, right: string): boolean {
  if (left === right) return true
  const amount = magnitude(parameter.type, left)
  if (amount !== undefined) return amount === magnitude(parameter.type, right)
  const text = normalise(parameter, left)
  return text !== undefined && text === normalise(parameter, right)
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x20) return true
  return false
}

function measured(type: ParameterType, text: string): number | undefined {
  if (type === 'int') return integer(text)
  if (type === 'time') {
    const found = /^(-?\d+)\s*(us|ms|s|m|h|d)?$/i.exec(text)
    const unit = TIME_UNITS_US[(found?.[2] ?? 's').toLowerCase()]
    return found === null || unit === undefined ? undefined : Math.max(0, Number(found[1])) * unit
  }
  if (type !== 'size') return undefined
  const found = /^(\d+)\s*(?:(b)|([kmgtp])b?)?$/i.exec(text)
  const power = SIZE_POWERS[(found?.[2] ?? found?.[3] ?? 'm').toLowerCase()]
  return found === null || power === undefined ? undefined : Number(found[1]) * 1024 ** power
}

/** By the rules of C: 0x is hexadecimal, a leading 0 octal. */
function integer(text: string): number | undefined {
  const found = /^([+-]?)(?:0x([0-9a-f]+)|0([0-7]+)|(0|[1-9]\d*))$/i.exec(text)
  if (found === null) return undefined
  const [, sign, hexadecimal, octal, decimal] = found
  let value = Number(decimal)
  if (hexadecimal !== undefined) value = Number.parseInt(hexadecimal, 16)
  else if (octal !== undefined) value = Number.parseInt(octal, 8)
  return sign === '-' && value !== 0 ? -value : value
}

function truth(text: string): 'True' | 'False' | undefined {
  if (TRUE.test(text)) return 'True'
  return FALSE.test(text) ? 'False' : undefined
}

function isIpAddress(text: string): boolean {
  if (IPV4.test(text)) return true
  return /^[0-9a-f:.]{2,45}$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`)
}

function isInRange(parameter: Parameter, text: string): boolean {
  const value = magnitude(parameter.type, text)
  if (value === undefined) return false
  const found = RANGE.exec(parameter.range)
  if (found === null) return true
  const [, opens, low, high, closes] = found
  const least = magnitude(parameter.type, low ?? '')
  const most = magnitude(parameter.type, high ?? '')
  if (least !== undefined && (opens === '(' ? value <= least : value < least)) return false
  return most === undefined || (closes === ')' ? value < most : value <= most)
}
