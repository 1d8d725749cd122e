/**
 * What a parameter is and which texts it takes: types, units and ranges as proxy-admin.md §3.1 has
 * them. Pure; who keeps the values is `settings.ts`.
 */
import { isIP } from 'node:net'
import { CATALOGUE } from './catalogue.ts'

const TYPES = ['bool', 'int', 'time', 'size', 'text', 'list', 'level', 'address'] as const
const VISIBLE_LEVELS = ['USER', 'SYS', 'MEMORY'] as const
const MAX_TEXT_BYTES = 4096

export type ParameterType = (typeof TYPES)[number]

export type Parameter = {
  readonly name: string
  readonly type: ParameterType
  readonly defaultValue: string
  readonly needsRestart: boolean
  /** MEMORY is never stored. */
  readonly visibleLevel: (typeof VISIBLE_LEVELS)[number]
  /** Whether clusters, tenants and addresses may have a value of their own. */
  readonly isMultiLevel: boolean
  /** As it is shown, for example `[1s,1h]`, `[0,)`. */
  readonly range: string
  readonly meaning: string
}

export const PARAMETERS: ReadonlyMap<string, Parameter> = new Map(
  CATALOGUE.trim()
    .split('\n')
    .map(line => parsed(line))
    .map(parameter => [parameter.name, parameter]),
)

function parsed(line: string): Parameter {
  const [
    name = '',
    type = '',
    defaultValue = '',
    reboot,
    visible,
    level,
    range = '',
    meaning = '',
  ] = line.split('|')
  return {
    name,
    type: TYPES.find(known => known === type) ?? 'text',
    defaultValue,
    needsRestart: reboot === 'reboot',
    visibleLevel: VISIBLE_LEVELS.find(known => known === visible) ?? 'USER',
    isMultiLevel: level === 'vip',
    range,
    meaning,
  }
}

/** The text that is kept and shown for `text`; undefined when the parameter does not take it. */
export function accepted(parameter: Parameter, text: string): string | undefined {
  const trimmed = text.trim()
  switch (parameter.type) {
    case 'bool': {
      const value = booleanOf(trimmed)
      if (value === undefined) return undefined
      return value ? 'True' : 'False'
    }
    case 'int':
    case 'time':
    case 'size': {
      const value = numberOf(parameter.type, trimmed)
      return value !== undefined && isWithin(parameter, value) ? trimmed : undefined
    }
    case 'level':
      return isLogLevel(trimmed) ? trimmed : undefined
    case 'address':
      return isIP(trimmed) === 0 ? undefined : trimmed
    case 'text':
    case 'list':
      return Buffer.byteLength(text) < MAX_TEXT_BYTES ? text : undefined
  }
}

export function booleanOf(text: string): boolean | undefined {
  const lower = text.toLowerCase()
  if (['true', 'on', 'yes', 't', '1'].includes(lower)) return true
  return ['false', 'off', 'no', 'f', '0'].includes(lower) ? false : undefined
}

/** Integers as they are, times in microseconds, sizes in bytes; undefined for what is none. */
export function numberOf(type: 'int' | 'time' | 'size', text: string): number | undefined {
  if (type === 'int') return integerOf(text)
  const [, sign, digits, unit = ''] = /^(-?)(\d+)\s*([a-z]*)$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  const factor = (type === 'time' ? TIME_UNITS : SIZE_UNITS)[unit.toLowerCase()]
  if (factor === undefined) return undefined
  return sign === '-' ? 0 : Number(digits) * factor
}

const SECOND = 1_000_000

const TIME_UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  '': SECOND,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: 24 * 3600 * SECOND,
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  '': 2 ** 20,
  m: 2 ** 20,
  mb: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
}

/** By the rules of C: decimal, `0x` and leading `0`. */
function integerOf(text: string): number | undefined {
  const [, sign, digits] = /^([+-]?)(0x[\da-f]+|\d+)$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  if (/^0[0-7]*[89]/.test(digits)) return undefined
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  return sign === '-' ? -value : value
}

function isWithin({ type, range }: Parameter, value: number): boolean {
  const [, open, low = '', high = '', close] = /^([[(])([^,]*),([^,]*)([\])])$/.exec(range) ?? []
  if (open === undefined || (type !== 'int' && type !== 'time' && type !== 'size')) return true
  const bound = (text: string) => (text.trim() === '' ? undefined : numberOf(type, text.trim()))
  const least = bound(low)
  const most = bound(high)
  return (
    (least === undefined || (open === '[' ? value >= least : value > least)) &&
    (most === undefined || (close === ']' ? value <= most : value < most))
  )
}

const LOG_LEVELS = ['DEBUG', 'TRACE', 'INFO', 'WDIAG', 'EDIAG', 'WARN', 'USER_ERR', 'ERROR']

/** A level, or `module:level` and so on behind commas. */
function isLogLevel(text: string): boolean {
  return text
    .split(',')
    .every(part => LOG_LEVELS.includes((/^(?:[\w.]+:)?(\w+)$/.exec(part)?.[1] ?? '').toUpperCase()))
}
