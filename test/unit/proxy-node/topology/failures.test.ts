import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  FAILURES,
  FailureHistory,
  type FailureKind,
  speaksAgainst,
} from '../../../../proxy-node/topology/failures.ts'

const WINDOW_MS = 120_000
/** (120 + 17) / 17 seconds, whole ones. */
const BIN_MS = 8_000

describe('history of failures (§9.4)', () => {
  test('counts those in the window', () => {
    const history = new FailureHistory()
    for (const at of [0, 1_000, 60_000]) history.count(at, WINDOW_MS)

    expect(history.within(60_000, WINDOW_MS)).toBe(3)
  })

  test('forgets those that 17 bins have passed', () => {
    const history = new FailureHistory()
    history.count(0, WINDOW_MS)
    history.count(BIN_MS, WINDOW_MS)

    expect(history.within(17 * BIN_MS - 1, WINDOW_MS)).toBe(2)
    expect(history.within(17 * BIN_MS, WINDOW_MS)).toBe(1)
    expect(history.within(18 * BIN_MS, WINDOW_MS)).toBe(0)
  })

  test('another window forgets what was', () => {
    const history = new FailureHistory()
    history.count(0, WINDOW_MS)

    expect(history.within(0, 60_000)).toBe(0)
  })

  test('a clock that goes back loses nothing', () => {
    const history = new FailureHistory()
    history.count(100_000, WINDOW_MS)
    history.count(50_000, WINDOW_MS)

    expect(history.within(100_000, WINDOW_MS)).toBe(2)
  })

  test('never misses a failure of the window, never counts one that is older than window and a bin', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 300 }),
        (gaps, windowSec) => {
          const windowMs = windowSec * 1_000
          const binMs = Math.floor((windowSec + 17) / 17) * 1_000
          const history = new FailureHistory()
          const times: number[] = []
          let nowMs = 1_000_000
          for (const gap of gaps) {
            nowMs += gap
            times.push(nowMs)
            history.count(nowMs, windowMs)
          }
          const counted = history.within(nowMs, windowMs)
          const sure = times.filter(at => nowMs - at <= 16 * binMs)
          const possible = times.filter(at => nowMs - at <= 17 * binMs)

          expect(counted).toBeGreaterThanOrEqual(sure.length)
          expect(counted).toBeLessThanOrEqual(possible.length)
        },
      ),
    )
  })
})

const PLAIN = { isQuitting: false, connectingMs: 0, minConnectingMs: 100 }

describe('what speaks against a server (§9.4)', () => {
  const always = (Object.keys(FAILURES) as FailureKind[]).filter(kind => kind !== 'client-gave-up')

  test.each(always)('%s', kind => {
    expect(speaksAgainst(kind, PLAIN)).toBe(true)
  })

  test('a time-out of COM_QUIT does not', () => {
    expect(speaksAgainst('timeout', { ...PLAIN, isQuitting: true })).toBe(false)
  })

  test.each([
    [99, false],
    [100, true],
  ])('a client that gives up after %i ms of connecting: %s', (connectingMs, expected) => {
    expect(speaksAgainst('client-gave-up', { ...PLAIN, connectingMs })).toBe(expected)
  })

  test('the kinds are those of the table', () => {
    expect(Object.keys(FAILURES)).toEqual([
      'connect-failed',
      'connection-lost',
      'timeout',
      'unparsable-response',
      'undefined-state',
      'server-initialising',
      'server-stopping',
      'checksum',
      'no-memory',
      'client-gave-up',
    ])
  })
})
