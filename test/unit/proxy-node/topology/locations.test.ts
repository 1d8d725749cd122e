import { beforeEach, describe, expect, test } from 'vitest'
import {
  ENTRY_TABLE,
  type EntryEvent,
  type EntryState,
  type Location,
  Locations,
  nextEntryState,
  type ServerAddress,
} from '../../../../proxy-node/topology/locations.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const server = (index: number): ServerAddress => ({ host: `10.0.0.${index}`, port: 2881 })
const TIGHT = { maxEntries: 3, refreshGapMs: 1, maxAgeMs: 1, missingAgeMs: 1 }

let clock: HandClock
beforeEach(() => {
  clock = new HandClock()
})

/** Locations whose questions are answered by hand, in the order they were asked. */
function asking() {
  const questions: { resolve: (location: Location) => void; reject: () => void }[] = []
  const locations = new Locations(
    () =>
      new Promise((resolve, reject) => {
        questions.push({ resolve, reject: () => reject(new Error('down')) })
      }),
    clock,
    TIGHT,
  )
  return { locations, questions }
}

describe('the location cache', () => {
  test('moves along its table: every state reachable, deleted is the end', () => {
    const seen = new Set<string>(['building'])
    for (const state of seen)
      for (const next of Object.values(ENTRY_TABLE[state as keyof typeof ENTRY_TABLE]))
        seen.add(next)

    expect([...seen].sort()).toEqual(Object.keys(ENTRY_TABLE).sort())
    expect(ENTRY_TABLE.deleted).toEqual({})
  })

  test('fetches once for all who ask, then answers at once', async () => {
    let fetches = 0
    const locations = new Locations(() => Promise.resolve({ leader: server(++fetches) }), clock)

    const both = await Promise.all([locations.find('t', 'd', 'x'), locations.find('t', 'd', 'x')])

    expect(both).toEqual([{ leader: server(1) }, { leader: server(1) }])
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(1)
  })

  test('serves a dirty entry on while it is refreshed, not more often than every 5 s', async () => {
    let fetches = 0
    const locations = new Locations(() => Promise.resolve({ leader: server(++fetches) }), clock)
    await locations.find('t', 'd', 'x')

    locations.missed('t', 'd', 'x')
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(1)

    await clock.pass(5_000)
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    await clock.pass(0)
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(2) })
    expect(fetches).toBe(2)
  })

  test('keeps the old answer when a refresh fails', async () => {
    let fetches = 0
    const locations = new Locations(
      () =>
        ++fetches === 1
          ? Promise.resolve({ leader: server(1) })
          : Promise.reject(new Error('down')),
      clock,
    )
    await locations.find('t', 'd', 'x')
    locations.missed('t', 'd', 'x')
    await clock.pass(5_000)

    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    await clock.pass(0)

    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(2)
  })

  test('stays within its bound', async () => {
    const locations = new Locations(() => Promise.resolve({ leader: server(1) }), clock, {
      maxEntries: 3,
      refreshGapMs: 1,
      maxAgeMs: 1,
      missingAgeMs: 1,
    })

    for (let index = 0; index < 50; index++) await locations.find('t', 'd', `x${index}`)

    expect(locations.size).toBe(3)
  })

  test('refuses an event that its table does not have', () => {
    const events = new Set(Object.values(ENTRY_TABLE).flatMap(row => Object.keys(row)))
    for (const [state, row] of Object.entries(ENTRY_TABLE))
      for (const event of events) {
        const next = (row as Record<string, string>)[event]
        const move = () => nextEntryState(state as EntryState, event as EntryEvent)
        if (next === undefined) expect(move, `${event} while ${state}`).toThrow('invariant broken')
        else expect(move()).toBe(next)
      }
  })

  test('puts nothing back that was evicted while it was refreshed, answered or not', async () => {
    const { locations, questions } = asking()
    for (const table of ['x', 'y']) {
      const found = locations.find('t', 'd', table)
      questions.at(-1)?.resolve({ leader: server(1) })
      await found
      locations.missed('t', 'd', table)
    }
    await clock.pass(1)
    void locations.find('t', 'd', 'x')
    void locations.find('t', 'd', 'y')
    const [, , refreshOfX, refreshOfY] = questions
    for (const table of ['a', 'b', 'c']) {
      const found = locations.find('t', 'd', table)
      questions.at(-1)?.resolve({ leader: server(2) })
      await found
    }

    refreshOfX?.reject()
    refreshOfY?.resolve({ leader: server(3) })
    await clock.pass(0)

    expect(locations.size).toBe(3)
    expect(locations.find('t', 'd', 'x')).toBeInstanceOf(Promise)
  })

  test('an answer that fails late takes nothing from the entry that has its key now', async () => {
    const { locations, questions } = asking()
    const first = locations.find('t', 'd', 'x')
    for (const table of ['a', 'b', 'c']) void locations.find('t', 'd', table)
    const second = locations.find('t', 'd', 'x')
    questions[4]?.resolve({ leader: server(2) })
    await second

    questions[0]?.reject()

    expect(await first).toEqual({ leader: undefined })
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(2) })
  })

  test('a miss of a table that is asked for already changes nothing', async () => {
    const { locations, questions } = asking()
    const found = locations.find('t', 'd', 'x')
    locations.missed('t', 'd', 'x')
    questions[0]?.resolve({ leader: server(1) })

    expect(await found).toEqual({ leader: server(1) })
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(questions).toHaveLength(1)
  })
})
