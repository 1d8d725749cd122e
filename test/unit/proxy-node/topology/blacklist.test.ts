import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Blacklist,
  type BlacklistChange,
  type BlacklistSettings,
  nextStanding,
  STANDING_TABLE,
  type StandingEvent,
} from '../../../../proxy-node/topology/blacklist.ts'
import { BlacklistMirror } from '../../../../proxy-node/topology/blacklist-mirror.ts'
import { CONGESTED, type Server, type ServerState } from '../../../../proxy-node/topology/model.ts'
import { server, ZONES } from '../../../support/routing-view.ts'

const A = 'a:2881'
const { dead, alive, detected } = CONGESTED

class Bench {
  settings: BlacklistSettings = {
    failureThreshold: 5,
    failWindowMs: 120_000,
    retryIntervalMs: 20_000,
    minKeepMs: 20_000,
    detectMode: 1,
    detectFailThreshold: 3,
  }
  readonly changes: BlacklistChange[] = []
  readonly blacklist = new Blacklist(
    () => this.settings,
    change => this.changes.push(change),
  )
  now = 1_000_000

  constructor(settings: Partial<BlacklistSettings> = {}) {
    this.settings = { ...this.settings, ...settings }
    this.reports('ACTIVE')
  }

  reports(state: ServerState): void {
    this.lists([server('a', ZONES.z1, state)])
  }

  lists(servers: readonly Server[]): void {
    this.blacklist.reported(servers, this.now)
  }

  fails(times: number): void {
    for (let time = 0; time < times; time++) this.blacklist.failed(A, 'connect-failed', this.now)
  }

  probes(wasAnswered: boolean, times = 1): boolean {
    let hasDied = false
    for (let time = 0; time < times; time++)
      hasDied = this.blacklist.probed(A, wasAnswered, this.now, this.now)
    return hasDied
  }

  after(ms: number): this {
    this.now += ms
    return this
  }

  get flags(): number {
    return this.blacklist.congestionOf(A)
  }

  get standing() {
    return this.blacklist.standingOf(A, this.now)
  }
}

describe('the flags of a server as a table', () => {
  const events = Object.keys(STANDING_TABLE) as StandingEvent[]
  const reached = new Set([0])
  for (let more = true; more; ) {
    const before = reached.size
    for (const flags of [...reached])
      for (const event of events) reached.add(nextStanding(flags, event))
    more = reached.size > before
  }

  test('all eight combinations can be reached', () => {
    expect([...reached].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test.each([...reached])('there is a way back from %i', flags => {
    expect(nextStanding(flags, 'returnedLate')).toBe(0)
  })

  test.each(events)('%s is the same twice', event => {
    for (const flags of reached) {
      const once = nextStanding(flags, event)
      expect(nextStanding(once, event)).toBe(once)
    }
  })
})

describe('state as reported (§9.3)', () => {
  test.each(['INACTIVE', 'REPLAY'] as const)('%s makes a server dead', state => {
    const bench = new Bench()
    bench.reports(state)

    expect(bench.flags).toBe(dead)
    expect(bench.standing?.testimonies).toEqual([
      {
        witness: 'reported',
        because: `it is ${state}`,
        sinceMs: bench.now,
        untilMs: undefined,
        until: 'until it is reported ACTIVE',
      },
    ])
  })

  test('ACTIVE again after 20 s clears everything', () => {
    const bench = new Bench()
    bench.fails(5)
    bench.probes(false, 3)
    bench.reports('INACTIVE')
    bench.after(20_000).reports('ACTIVE')

    expect(bench.flags).toBe(0)
  })

  test('ACTIVE again before that is a soft start: it has to prove itself, and a failure is counted', () => {
    const bench = new Bench()
    bench.reports('INACTIVE')
    bench.after(19_999).reports('ACTIVE')

    expect(bench.flags).toBe(alive)
    expect(bench.standing).toMatchObject({ failures: 1, failureEvents: 1 })
    expect(bench.standing?.testimonies[0]?.because).toBe('it was not ACTIVE a moment ago')
  })

  test.each([
    [19_999, alive],
    [20_000, 0],
  ])('one that only traffic speaks against, reported ACTIVE after %i ms: %i', (ms, flags) => {
    const bench = new Bench()
    bench.fails(5)
    bench.after(ms).reports('ACTIVE')

    expect(bench.flags).toBe(flags)
  })

  test('one that probes speak against is not cleared by ACTIVE alone', () => {
    const bench = new Bench()
    bench.probes(false, 3)
    bench.after(60_000).reports('ACTIVE')

    expect(bench.flags).toBe(detected)
  })

  test('a server that left the list is forgotten', () => {
    const bench = new Bench()
    bench.fails(5)
    bench.lists([])

    expect(bench.flags).toBe(0)
    expect(bench.blacklist.size).toBe(0)
    expect(bench.changes.at(-1)).toEqual({ key: A, flags: 0, atMs: bench.now })
  })

  test.each(['DELETING', 'UPGRADE'] as const)('%s sets no flag', state => {
    const bench = new Bench()
    bench.reports(state)

    expect(bench.flags).toBe(0)
    expect(bench.standing).toMatchObject({ state, stateSinceMs: bench.now })
  })

  test.each(['DELETING', 'UPGRADE'] as const)('%s clears none', state => {
    const bench = new Bench()
    bench.fails(5)
    bench.after(60_000).reports(state)

    expect(bench.flags).toBe(alive)
  })

  test('probes set and clear what is detected, and clear what traffic said', () => {
    const bench = new Bench()
    bench.fails(5)
    bench.probes(false, 3)
    expect(bench.flags).toBe(alive | detected)

    bench.after(1).probes(true)
    expect(bench.flags).toBe(0)
  })

  test('is never told twice', () => {
    const bench = new Bench()
    bench.reports('INACTIVE')
    bench.after(1_000).reports('INACTIVE')

    expect(bench.changes).toHaveLength(1)
    expect(bench.standing?.dead).toEqual({ isSet: true, changedAtMs: bench.now - 1_000 })
  })
})

describe('traffic (§9.4)', () => {
  test('five failures in the window put a server on the list, four do not', () => {
    const bench = new Bench()
    bench.fails(4)
    expect(bench.flags).toBe(0)

    bench.fails(1)
    expect(bench.flags).toBe(alive)
  })

  test('failures that are spread beyond the window do not', () => {
    const bench = new Bench()
    for (let time = 0; time < 12; time++) bench.after(40_000).fails(1)

    expect(bench.flags).toBe(0)
  })

  test('a threshold of 0 switches it off', () => {
    const bench = new Bench({ failureThreshold: 0 })
    bench.fails(100)

    expect(bench.flags).toBe(0)
  })

  test('a changed threshold or window begins to count anew', () => {
    const bench = new Bench()
    bench.fails(4)
    bench.settings = { ...bench.settings, failureThreshold: 3 }
    bench.fails(2)
    expect(bench.flags).toBe(0)

    bench.fails(1)
    expect(bench.flags).toBe(alive)
  })

  test('without detection one statement is let through 20 s after the last failure, and then waits again', () => {
    const bench = new Bench({ detectMode: 0 })
    bench.fails(4)
    bench.after(1_000).fails(1)
    const tries = [19_999, 1, 0, 19_999, 1].map(ms =>
      bench.blacklist.letsOneThrough(A, bench.after(ms).now),
    )

    expect(tries).toEqual([false, true, false, false, true])
    expect(bench.flags).toBe(alive)
  })

  test('without detection the verdict says when one is let through', () => {
    const bench = new Bench({ detectMode: 0 })
    bench.fails(5)

    expect(bench.standing?.testimonies).toEqual([
      {
        witness: 'traffic',
        because: 'too many failures, the last one: connecting failed',
        sinceMs: bench.now,
        untilMs: bench.now + 20_000,
        until: 'until a statement is let through',
      },
    ])
  })

  test.each([1, 2])('with detection (mode %i) it stays blocked until a probe is answered', mode => {
    const bench = new Bench({ detectMode: mode })
    bench.fails(5)

    expect(bench.blacklist.letsOneThrough(A, bench.after(3_600_000).now)).toBe(false)
    expect(bench.blacklist.wantsProbe(A)).toBe(true)
    bench.probes(true)
    expect(bench.flags).toBe(0)
  })

  test('nothing is let through to a server that another witness speaks against', () => {
    const bench = new Bench({ detectMode: 0 })
    bench.fails(5)
    bench.reports('INACTIVE')

    expect(bench.blacklist.letsOneThrough(A, bench.after(60_000).now)).toBe(false)
  })

  test('one that was released has five failures more', () => {
    const bench = new Bench()
    bench.fails(5)
    bench.probes(true)
    bench.fails(4)

    expect(bench.flags).toBe(0)
  })

  test('failures to connect are counted apart as well', () => {
    const bench = new Bench()
    bench.fails(2)
    bench.blacklist.failed(A, 'timeout', bench.after(5).now)

    expect(bench.standing).toMatchObject({
      failures: 3,
      connectFailures: 2,
      failureEvents: 3,
      connectFailureEvents: 2,
      lastFailureAtMs: bench.now,
      lastConnectFailureAtMs: bench.now - 5,
    })
  })

  test('nothing is kept of servers that no list names', () => {
    const bench = new Bench()
    bench.blacklist.failed('stranger:1', 'timeout', bench.now)

    expect(bench.blacklist.size).toBe(1)
    expect(bench.blacklist.standingOf('stranger:1', bench.now)).toBeUndefined()
    expect(bench.blacklist.congestionOf('stranger:1')).toBe(0)
  })
})

describe('detection (§9.5)', () => {
  test('three failures in a row, and it is dead just now', () => {
    const bench = new Bench()

    expect([1, 2, 3, 4].map(() => bench.probes(false))).toEqual([false, false, true, false])
    expect(bench.flags).toBe(detected)
    expect(bench.standing?.testimonies[0]).toMatchObject({
      witness: 'detection',
      because: '4 probes in a row have failed',
    })
  })

  test('an answer in between begins the count anew', () => {
    const bench = new Bench()
    bench.probes(false, 2)
    bench.probes(true)
    bench.probes(false, 2)

    expect(bench.flags).toBe(0)
  })

  test('an answer to a probe from before it died is ignored', () => {
    const bench = new Bench()
    const before = bench.now
    bench.after(1_000).probes(false, 3)

    bench.blacklist.probed(A, true, before, bench.after(1).now)

    expect(bench.flags).toBe(detected)
  })

  test('an answer to a probe from before traffic spoke is ignored, a failed one counts', () => {
    const bench = new Bench()
    const before = bench.now
    bench.after(1_000).fails(5)

    bench.blacklist.probed(A, true, before, bench.now)
    bench.blacklist.probed(A, false, before, bench.now)

    expect(bench.standing).toMatchObject({ probeFailures: 1, alive: { isSet: true } })
  })

  test('detection that is switched off speaks no more', () => {
    const bench = new Bench()
    bench.probes(false, 3)
    bench.blacklist.detectionIsOff(bench.now)

    expect(bench.flags).toBe(0)
    expect(bench.blacklist.wantsProbe(A)).toBe(false)
  })
})

const anyStep = fc.record({
  ms: fc.integer({ min: 0, max: 30_000 }),
  act: fc.constantFrom(
    (bench: Bench) => bench.fails(1),
    (bench: Bench) => bench.probes(true),
    (bench: Bench) => bench.probes(false),
    (bench: Bench) => bench.lists([]),
    (bench: Bench) => bench.reports('ACTIVE'),
    (bench: Bench) => bench.reports('INACTIVE'),
    (bench: Bench) => bench.reports('REPLAY'),
    (bench: Bench) => bench.reports('UPGRADE'),
  ),
})

describe('whatever happens', () => {
  test('flags are what was told, and a verdict has a reason for each', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), steps => {
        const bench = new Bench()
        for (const { ms, act } of steps) {
          act(bench.after(ms))
          const set = [dead, alive, detected].filter(bit => (bench.flags & bit) !== 0)
          expect(bench.standing?.testimonies ?? []).toHaveLength(set.length)
          expect(bench.changes.at(-1)?.flags ?? 0).toBe(bench.flags)
        }
      }),
    )
  })

  test.each([0, 1, 2])('a server that is well again comes back (mode %i)', detectMode => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), steps => {
        const bench = new Bench({ detectMode })
        for (const { ms, act } of steps) act(bench.after(ms))
        bench.reports('ACTIVE')
        bench.after(20_000).reports('ACTIVE')
        if (detectMode === 0) bench.blacklist.detectionIsOff(bench.now)
        else bench.probes(true)

        expect(bench.flags).toBe(0)
      }),
    )
  })
})

describe("a worker's copy", () => {
  test('says what it was told, and forgets what is well again', () => {
    const mirror = new BlacklistMirror(() => ({ detectMode: 1, retryIntervalMs: 20_000 }))
    mirror.apply({ key: A, flags: alive | detected, atMs: 0 })
    expect(mirror.congestionOf(A)).toBe(alive | detected)

    mirror.apply({ key: A, flags: 0, atMs: 1 })
    expect(mirror.congestionOf(A)).toBe(0)
    expect(mirror.size).toBe(0)
  })

  test('lets one through an interval where there is no detection', () => {
    const mirror = new BlacklistMirror(() => ({ detectMode: 0, retryIntervalMs: 20_000 }))
    mirror.apply({ key: A, flags: alive, atMs: 0 })

    expect([19_999, 20_000, 20_001, 40_000].map(at => mirror.letsOneThrough(A, at))).toEqual([
      false,
      true,
      false,
      true,
    ])
  })

  test.each([
    [1, alive],
    [0, alive | dead],
  ])('lets none through in mode %i with flags %i', (detectMode, flags) => {
    const mirror = new BlacklistMirror(() => ({ detectMode, retryIntervalMs: 20_000 }))
    mirror.apply({ key: A, flags, atMs: 0 })

    expect(mirror.letsOneThrough(A, 1_000_000)).toBe(false)
  })

  test('is told of the last failure, however late it is told', () => {
    const bench = new Bench({ detectMode: 0 })
    bench.fails(5)
    bench.after(3_000).fails(1)
    const failedAt = bench.now
    bench.after(10_000).reports('ACTIVE')

    expect(bench.blacklist.avoided()).toEqual([{ key: A, flags: alive, atMs: failedAt }])
    bench.after(60_000).reports('ACTIVE')
    expect(bench.blacklist.avoided()).toEqual([])
  })

  test('knows what is told anew and nothing else', () => {
    const mirror = new BlacklistMirror(() => ({ detectMode: 1, retryIntervalMs: 20_000 }))
    mirror.apply({ key: A, flags: alive, atMs: 0 })

    mirror.replace([{ key: 'b:2881', flags: dead, atMs: 0 }])

    expect([A, 'b:2881'].map(key => mirror.congestionOf(key))).toEqual([0, dead])
  })

  test('waits no longer for what is told anew: a refresh is not a failure', () => {
    const settings = { detectMode: 0, retryIntervalMs: 20_000 }
    const mirror = new BlacklistMirror(() => settings)
    const again = (atMs: number, flags: number = alive) => mirror.replace([{ key: A, flags, atMs }])
    again(0)
    for (let refresh = 0; refresh < 10; refresh++) again(0)
    expect(mirror.letsOneThrough(A, 20_000)).toBe(true)

    // Who was let through here is not known where it is told.
    again(0)
    expect(mirror.letsOneThrough(A, 39_999)).toBe(false)
    expect(mirror.letsOneThrough(A, 40_000)).toBe(true)

    // A failure since then.
    again(55_000)
    expect(mirror.letsOneThrough(A, 74_999)).toBe(false)
    again(75_000, dead)
    again(76_000)
    expect(mirror.letsOneThrough(A, 95_999)).toBe(false)
    expect(mirror.letsOneThrough(A, 96_000)).toBe(true)
  })
})
