/** Which lines of a log are taken, in whatever form the proxy writes their time and level. */
import { describe, expect, test } from 'vitest'
import type { LogFilter } from '#contract/log-filter'
import { lineTime } from '../../../../proxy-node/control/log-lines.ts'
import { selectionOf } from '../../../../proxy-node/control/log-selection.ts'

const at = (text: string) => Date.parse(text)
const FILTER: LogFilter = {
  types: ['proxy'],
  from: at('2026-11-24T10:00:00Z'),
  to: at('2026-11-24T11:00:00Z'),
  keywords: [],
  exclude: [],
}

const LINES = [
  '[2026-11-24T09:59:59.000Z] ERROR [PROXY] too early',
  'of the line before',
  '[2026-11-24T10:30:00.000Z] INFO [PROXY] worker 1 starts',
  'of worker 1',
  '[2026-11-24T10:31:00.000Z] WARN [PROXY] server 10.0.0.1 is away',
  "[2026-11-24T10:32:00.000Z] ERROR [PROXY] set password = 'S3cret' failed",
  '[2026-11-24T11:00:01.000Z] ERROR [PROXY] too late',
]

const taken = (more: Partial<LogFilter>) => {
  const selection = selectionOf({ ...FILTER, ...more })
  return LINES.map(line => LINES.indexOf(line)).filter(
    index => selection.take(LINES[index] ?? '') !== undefined,
  )
}

describe('lines', () => {
  test.each<readonly [string, Partial<LogFilter>, readonly number[]]>([
    ['of the period, with those that belong to them', {}, [2, 3, 4, 5]],
    ['of a level, and those without one', { level: 'WARN' }, [3, 4, 5]],
    ['of errors', { level: 'ERROR' }, [3, 5]],
    ['with all words', { keywords: ['worker', '1'] }, [2, 3]],
    ['without a word', { exclude: ['worker'] }, [4, 5]],
    ['that a pattern finds', { pattern: '\\d+\\.0\\.\\d\\.1 is (away|back)$' }, [4]],
  ])('%s are taken', (_name, more, which) => {
    expect(taken(more)).toEqual(which)
  })

  test('are taken without their secrets, and nobody finds out one by looking for it', () => {
    expect(selectionOf(FILTER).take(LINES[5] ?? '')).toContain('set password = *** failed')
    expect(taken({ keywords: ['S3cret'] })).toEqual([])
    expect(taken({ pattern: "= 'S" })).toEqual([])
  })

  test.each([
    ['[2026-11-24T10:00:00.123Z] INFO x', at('2026-11-24T10:00:00.123Z')],
    ['2026-11-24T10:00:00.123Z run[7] x', at('2026-11-24T10:00:00.123Z')],
    ['[2026-11-24 10:00:00.123456] INFO [PROXY] x', at('2026-11-24T10:00:00.123')],
    ['2026-11-24 10:00:00.123456,app,,,,c:t:d', at('2026-11-24T10:00:00.123')],
    ['no time at all', undefined],
    ['[2026-13-44 10:00:00] x', undefined],
  ])('%s are of their time', (line, time) => {
    expect(lineTime(line)).toBe(time)
  })
})
