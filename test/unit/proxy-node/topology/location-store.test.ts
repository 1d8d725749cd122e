import { beforeEach, describe, expect, test } from 'vitest'
import { FlowControl } from '../../../../proxy-node/topology/flow-control.ts'
import {
  ENTRY_TABLE,
  type EntryEvent,
  type EntryState,
  LocationStore,
  nextEntryState,
  type StoreLimits,
} from '../../../../proxy-node/topology/location-store.ts'
import { SLICE } from '../../../../proxy-node/topology/sweeps.ts'
import { Unanswered } from '../../../../proxy-node/topology/unanswered.ts'
import { HandClock } from '../../../support/hand-clock.ts'

let clock: HandClock
let limits: StoreLimits
let changes: [string, string | undefined][]
let flow: FlowControl
let broken: unknown[]
beforeEach(() => {
  clock = new HandClock()
  limits = { refreshGapMs: 5_000, isAsync: true }
  changes = []
  broken = []
  flow = new FlowControl(
    clock,
    () => ({ normal: 100, slow: 10 }),
    () => 0.5,
  )
})

function storeOf(fetch: (key: string, isFlushed: boolean) => Promise<string | undefined>) {
  return new LocationStore<string>(
    {
      fetch,
      limits: () => limits,
      sizeOf: () => 10,
      isSame: (before, after) => before === after,
      packing: { pack: value => value, unpack: text => text },
      changed: (key, value) => changes.push([key, value]),
      broke: error => broken.push(error),
    },
    clock,
    flow,
  )
}

/** A store whose questions are answered by hand, in the order they were asked. */
function asking() {
  const questions: {
    resolve: (value: string | undefined) => void
    reject: () => void
    isFlushed: boolean
  }[] = []
  const store = storeOf(
    (_key, isFlushed) =>
      new Promise((resolve, reject) => {
        questions.push({ resolve, reject: () => reject(new Unanswered('down')), isFlushed })
      }),
  )
  return { store, questions }
}

/** A store whose every fetch gives the next of these. */
function giving(...values: (string | undefined | Error)[]) {
  let fetches = 0
  const store = storeOf(() => {
    const value = values[Math.min(fetches++, values.length - 1)]
    return value instanceof Error ? Promise.reject(value) : Promise.resolve(value)
  })
  return { store, fetches: () => fetches }
}

describe('the store of locations', () => {
  test('moves along its table: every state reachable, deleted is the end', () => {
    const seen = new Set<string>(['building'])
    for (const state of seen)
      for (const next of Object.values(ENTRY_TABLE[state as keyof typeof ENTRY_TABLE]))
        seen.add(next)

    expect([...seen].sort()).toEqual(Object.keys(ENTRY_TABLE).sort())
    expect(ENTRY_TABLE.deleted).toEqual({})
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

  test('fetches once for all who ask, then answers at once', async () => {
    const { store, fetches } = giving('one', 'two')

    expect(await Promise.all([store.find('x'), store.find('x')])).toEqual(['one', 'one'])
    expect(store.find('x')).toBe('one')
    expect(fetches()).toBe(1)
  })

  test('tells of a fetch that failed by a bug, not of one that nobody answered', async () => {
    const bug = new TypeError('a bug')
    const { store } = giving('one', new Unanswered('down'), bug)
    await store.find('x')
    for (let turn = 0; turn < 2; turn++) {
      await clock.pass(5_000)
      store.missed('x', false)
      await clock.pass(0)
    }

    expect(store.find('x')).toBe('one')
    expect(broken).toEqual([bug])
  })

  test('serves a dirty entry on while one refresh runs, and says what it changed', async () => {
    const { store, questions } = asking()
    const found = store.find('x')
    questions[0]?.resolve('one')
    await found
    await clock.pass(5_000)

    store.missed('x', false)
    store.missed('x', false)

    expect(store.find('x')).toBe('one')
    expect(questions).toHaveLength(2)
    questions[1]?.resolve('two')
    await clock.pass(0)
    expect(store.find('x')).toBe('two')
    expect(changes).toEqual([['x', 'two']])
  })

  test('refreshes an entry not more often than every 5 s, and then at the next miss or use', async () => {
    const { store, fetches } = giving('one', 'two', 'three')
    await store.find('x')

    store.missed('x', false)
    expect(fetches()).toBe(1)
    await clock.pass(4_999)
    store.missed('x', false)
    expect(fetches()).toBe(1)
    await clock.pass(1)
    store.missed('x', false)
    await clock.pass(0)

    expect(store.find('x')).toBe('two')
    expect(fetches()).toBe(2)
  })

  test('puts a refresh off from the moment of a miss that says so', async () => {
    const { store, fetches } = giving('one', 'two')
    await store.find('x')
    await clock.pass(60_000)

    store.missed('x', true)
    await clock.pass(4_999)
    void store.find('x')
    expect(fetches()).toBe(1)
    await clock.pass(1)
    void store.find('x')
    expect(fetches()).toBe(2)
  })

  test('waits for the refresh of a dirty entry when it is not to be asynchronous', async () => {
    limits = { ...limits, isAsync: false }
    const { store } = giving('one', 'two')
    await store.find('x')
    await clock.pass(5_000)
    store.missed('x', false)

    expect(await store.find('x')).toBe('two')
  })

  test('keeps the old answer when a refresh fails, and tries again after the gap', async () => {
    const { store, fetches } = giving('one', new Error('down'), 'two')
    await store.find('x')
    await clock.pass(5_000)
    store.missed('x', false)
    await clock.pass(0)

    expect(store.find('x')).toBe('one')
    expect(fetches()).toBe(2)
    await clock.pass(5_000)
    void store.find('x')
    await clock.pass(0)
    expect(store.find('x')).toBe('two')
  })

  test('a refresh that finds the same changes nothing', async () => {
    const { store } = giving('one')
    await store.find('x')
    await clock.pass(5_000)
    store.missed('x', false)
    await clock.pass(0)

    expect(changes).toEqual([])
  })

  test('renews at once whatever the gap, flushed, and once for all who wait', async () => {
    const { store, questions } = asking()
    const found = store.find('x')
    questions[0]?.resolve('one')
    await found
    await clock.pass(200)

    const both = [store.renewed('x'), store.renewed('x')]
    questions[1]?.resolve('two')

    expect(await Promise.all(both)).toEqual(['two', 'two'])
    expect(questions.map(({ isFlushed }) => isFlushed)).toEqual([false, true])
  })

  test('does not renew again within 200 ms: who asks sooner waits, with all others', async () => {
    const { store, fetches } = giving('one', 'two')
    await store.find('x')

    const both = [store.renewed('x'), store.renewed('x')]
    await clock.pass(199)
    store.missed('x', false)
    expect(fetches()).toBe(1)
    await clock.pass(1)

    expect(await Promise.all(both)).toEqual(['two', 'two'])
    expect(fetches()).toBe(2)
  })

  test('answers what it knows when what it was to renew has gone meanwhile', async () => {
    const { store, fetches } = giving('one', 'two')
    await store.find('x')
    const renewed = store.renewed('x')
    store.forget(() => true)
    await clock.pass(200)

    expect(await renewed).toBe('one')
    expect(fetches()).toBe(1)
  })

  test('does not renew when there are too many refreshes', async () => {
    const { store, fetches } = giving('one', 'two')
    await store.find('x')
    await clock.pass(200)
    for (let count = 0; count < 100; count++) flow.admits()

    expect(store.renewed('x')).toBe('one')
    expect(fetches()).toBe(1)
  })

  test('puts a refresh off once, however often it is missed meanwhile', async () => {
    const { store, fetches } = giving('one', 'two')
    await store.find('x')
    await clock.pass(60_000)

    for (let turn = 0; turn < 5; turn++) {
      store.missed('x', true)
      await clock.pass(1_000)
    }
    expect(fetches()).toBe(1)
    store.missed('x', true)
    expect(fetches()).toBe(2)
  })

  test('believes for a second that there is no such thing', async () => {
    const { store, fetches } = giving(undefined, 'one')

    expect(await store.find('x')).toBeUndefined()
    expect(store.find('x')).toBeUndefined()
    expect(fetches()).toBe(1)
    await clock.pass(1_000)
    expect(await store.find('x')).toBe('one')
    expect(store.count).toBe(1)
  })

  test('deletes what is there no more, and says so', async () => {
    const { store } = giving('one', undefined)
    await store.find('x')
    await clock.pass(5_000)
    store.missed('x', false)
    await clock.pass(0)

    expect(changes).toEqual([['x', undefined]])
    expect([store.count, store.size]).toEqual([0, 0])
  })

  test('a first fetch that fails leaves nothing behind', async () => {
    const { store } = giving(new Error('down'), 'one')

    expect(await store.find('x')).toBeUndefined()
    expect(store.count).toBe(0)
    expect(await store.find('x')).toBe('one')
  })

  test('shrinks to its bound by what was not used for the longest time', async () => {
    const { store } = giving('one')
    for (let index = 0; index < 50; index++) {
      await store.find(`x${index}`)
      await clock.pass(1)
    }
    void store.find('x0')

    store.shrink(100)

    expect([store.count, store.size]).toEqual([10, 100])
    expect(store.peek('x0')).toBe('one')
    expect(store.peek('x1')).toBeUndefined()
  })

  test('puts nothing back that was deleted while it was refreshed, answered or not', async () => {
    const { store, questions } = asking()
    for (const key of ['x', 'y']) {
      const found = store.find(key)
      questions.at(-1)?.resolve('one')
      await found
    }
    await clock.pass(5_000)
    store.missed('x', false)
    store.missed('y', false)
    store.forget(() => true)

    questions[2]?.reject()
    questions[3]?.resolve('two')
    await clock.pass(0)

    expect([store.count, store.size]).toEqual([0, 0])
    expect(changes).toEqual([])
    expect(store.find('x')).toBeInstanceOf(Promise)
  })

  test('an answer that fails late takes nothing from the entry that has its key now', async () => {
    const { store, questions } = asking()
    const first = store.find('x')
    store.forget(() => true)
    const second = store.find('x')
    questions[1]?.resolve('two')
    await second

    questions[0]?.reject()

    expect(await first).toBeUndefined()
    expect(store.find('x')).toBe('two')
  })
})

describe('many entries', () => {
  const COUNT = 20 * SLICE

  async function many() {
    const { store, fetches } = giving('one')
    for (let index = 0; index < COUNT; index++) await store.find(`${index % 2}.x${index}`)
    await clock.pass(1)
    return { store, fetches }
  }

  /** How many went in each turn, until none does any more. */
  async function turnsOf(store: LocationStore<string>, before: number): Promise<number[]> {
    const turns: number[] = []
    for (let count = before; ; count = store.count) {
      if (turns.length > 0) await clock.pass(0)
      if (turns.length > 0 && clock.pending === 0 && store.count === count) return turns
      turns.push(count - store.count)
    }
  }

  test('are forgotten a slice a turn, and at once for who asks', async () => {
    const { store, fetches } = await many()

    store.forget(({ key }) => key.startsWith('0.'))
    const last = `0.x${COUNT - 2}`
    clock.time += 1
    expect(store.has(last)).toBe(false)
    await store.find(last)
    expect(store.find(last)).toBe('one')
    const turns = await turnsOf(store, COUNT)

    expect(fetches()).toBe(COUNT + 1)
    expect(Math.max(...turns)).toBeLessThanOrEqual(SLICE)
    // What has been asked for since is new.
    expect(store.count).toBe(COUNT / 2 + 1)
    expect(store.size).toBe(10 * store.count)
    expect(store.find(last)).toBe('one')
    expect(changes).toEqual([])
  })

  test('are forgotten for several reasons at a time, whatever of them was passed already', async () => {
    const { store } = await many()

    store.forget(({ key }) => key.startsWith('0.'))
    await clock.pass(0)
    store.forget(({ key }) => key.endsWith('1'))
    const turns = await turnsOf(store, store.count)

    expect(Math.max(...turns)).toBeLessThanOrEqual(SLICE)
    const left = [...store.keys()]
    expect(left.filter(key => key.startsWith('0.') || key.endsWith('1'))).toEqual([])
    expect(left.length).toBeGreaterThan(COUNT / 3)
  })

  test('expire a slice a turn, each told once, though it was asked for meanwhile', async () => {
    const { store } = await many()

    for (let again = 0; again < 3; again++) store.expire(() => true)
    clock.time += 1
    const late = `1.x${COUNT - 1}`
    await store.find(late)
    await turnsOf(store, COUNT)

    expect(changes).toHaveLength(COUNT)
    expect(new Set(changes.map(([key]) => key)).size).toBe(COUNT)
    expect([...store.keys()]).toEqual([late])
  })

  test('make room a slice a turn', async () => {
    const { store } = await many()

    store.shrink(1_000)
    const turns = await turnsOf(store, COUNT)

    expect(store.count).toBe(100)
    expect(Math.max(...turns)).toBeLessThanOrEqual(SLICE + 8)
  })

  test('are left alone when the store has been stopped', async () => {
    const { store } = await many()
    store.forget(() => true)
    store.shrink(0)
    store.stop()
    const { count } = store
    await clock.pass(0)

    expect(store.count).toBe(count)
    expect(clock.pending).toBe(0)
  })
})

describe('the control of refreshes', () => {
  const admitted = (count: number) => {
    let yes = 0
    for (let at = 0; at < count; at++) if (flow.admits()) yes += 1
    return yes
  }

  test('lets 100 begin in a second', async () => {
    expect(admitted(100)).toBe(100)
    expect(flow.isSlow).toBe(false)
    await clock.pass(1_000)
    expect(admitted(100)).toBe(100)
  })

  test('a second with more begins a slow time of ten a second, at most 20 s', async () => {
    expect(admitted(150)).toBe(100)
    expect([flow.isSlow, flow.denied]).toEqual([true, 50])
    await clock.pass(1_000)
    expect(admitted(150)).toBe(10)
    await clock.pass(13_999)
    expect(admitted(5)).toBe(5)
    await clock.pass(1)
    expect(flow.isSlow).toBe(false)
  })
})
