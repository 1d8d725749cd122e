import { describe, expect, test } from 'vitest'
import { Blacklist } from '../../../../proxy-node/topology/blacklist.ts'
import { Detection } from '../../../../proxy-node/topology/detection.ts'
import type { ServerState } from '../../../../proxy-node/topology/model.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { server, ZONES } from '../../../support/routing-view.ts'

const A = 'a:2881'
const B = 'b:2881'
const STEP_MS = 100

/** A server that answers, refuses at once, or says nothing until the asker gives up. */
type Mood = 'well' | 'refusing' | 'frozen'

class Bench {
  readonly clock = new HandClock()
  readonly moods = new Map<string, Mood>()
  readonly atWork = new Set<string>()
  readonly died: string[] = []
  readonly asked: string[] = []
  /** Answers that frozen servers owe. */
  private owed: (() => void)[] = []
  settings = {
    failureThreshold: 5,
    failWindowMs: 120_000,
    retryIntervalMs: 20_000,
    minKeepMs: 20_000,
    detectMode: 1,
    detectFailThreshold: 3,
    intervalMs: 1_000,
    timeoutMs: 5_000,
  }
  readonly blacklist = new Blacklist(
    () => this.settings,
    () => {},
  )
  readonly detection = new Detection(
    this.blacklist,
    {
      probe: ({ host, port }) => this.probe(`${host}:${port}`),
      isAtWork: key => this.atWork.has(key),
      died: key => this.died.push(key),
      settings: () => this.settings,
    },
    this.clock,
  )

  constructor(settings: Partial<Bench['settings']> = {}) {
    this.settings = { ...this.settings, ...settings }
    this.reports('ACTIVE')
    this.detection.start()
  }

  reports(state: ServerState): void {
    const servers = [server('a', ZONES.z1, state), server('b', ZONES.z2)]
    this.blacklist.reported(servers, this.clock.now())
  }

  private probe(key: string): Promise<boolean> {
    this.asked.push(key)
    const mood = this.moods.get(key) ?? 'well'
    if (mood !== 'frozen') return Promise.resolve(mood === 'well')
    return new Promise(resolve => this.owed.push(() => resolve(true)))
  }

  /** All that was frozen answers what it was asked. */
  thaw(): void {
    this.moods.clear()
    for (const answer of this.owed) answer()
    this.owed = []
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) await this.clock.pass(STEP_MS)
  }

  /** How long until `isTrue`, at most `mostMs`. */
  async until(isTrue: () => boolean, mostMs: number): Promise<number> {
    let passed = 0
    while (!isTrue() && passed < mostMs) {
      await this.clock.pass(STEP_MS)
      passed += STEP_MS
    }
    return isTrue() ? passed : Number.POSITIVE_INFINITY
  }

  isAvoided = (): boolean => this.blacklist.congestionOf(A) !== 0
}

/** When in a tick the server breaks must not matter. */
const PHASES = [0, 300, 900, 1_000]

describe('which servers are probed (§9.5)', () => {
  test('mode 0: none', async () => {
    const bench = new Bench({ detectMode: 0 })
    bench.atWork.add(A)
    await bench.pass(5_000)

    expect(bench.asked).toEqual([])
  })

  test('mode 1: none without a reason', async () => {
    const bench = new Bench()
    await bench.pass(5_000)

    expect(bench.asked).toEqual([])
  })

  test('mode 1: those with statements under way', async () => {
    const bench = new Bench()
    bench.atWork.add(B)
    await bench.pass(2_000)

    expect(bench.asked).toEqual([B, B])
  })

  test('mode 1: those whose probe has failed, also when nothing runs there any more', async () => {
    const bench = new Bench()
    bench.moods.set(A, 'refusing')
    bench.atWork.add(A)
    await bench.pass(1_000)
    bench.atWork.clear()
    await bench.pass(2_000)

    expect(bench.asked).toEqual([A, A, A])
  })

  test('mode 1: those that traffic speaks against', async () => {
    const bench = new Bench()
    for (let time = 0; time < 5; time++)
      bench.blacklist.failed(A, 'connect-failed', bench.clock.now())
    await bench.pass(1_000)

    expect(bench.asked).toEqual([A])
    expect(bench.isAvoided()).toBe(false)
  })

  test('mode 2: all', async () => {
    const bench = new Bench({ detectMode: 2 })
    await bench.pass(2_000)

    expect(bench.asked).toEqual([A, B, A, B])
  })

  test('at most one probe of a server at a time', async () => {
    const bench = new Bench({ detectMode: 2 })
    bench.moods.set(A, 'frozen')
    await bench.pass(4_000)

    expect(bench.asked.filter(key => key === A)).toHaveLength(1)
    expect(bench.detection.pending).toBe(1)
  })

  test('the mode is read at each tick; switched off, what was detected is forgotten', async () => {
    const bench = new Bench({ detectMode: 2 })
    bench.moods.set(A, 'refusing')
    await bench.pass(3_000)
    expect(bench.isAvoided()).toBe(true)

    bench.settings = { ...bench.settings, detectMode: 0 }
    await bench.pass(1_000)
    expect(bench.isAvoided()).toBe(false)
  })

  test('a probe that throws has failed', async () => {
    const bench = new Bench({ detectMode: 2, detectFailThreshold: 1 })
    const failing = new Detection(
      bench.blacklist,
      {
        probe: () => Promise.reject(new Error('no socket')),
        isAtWork: () => false,
        died: key => bench.died.push(key),
        settings: () => bench.settings,
      },
      bench.clock,
    )
    bench.detection.stop()
    failing.start()
    await bench.pass(1_000)

    expect(bench.died).toEqual([A, B])
  })

  test('stopped, it asks no more and leaves no timer behind', async () => {
    const bench = new Bench({ detectMode: 2 })
    bench.moods.set(A, 'frozen')
    await bench.pass(1_000)
    bench.detection.stop()
    await bench.pass(10_000)

    expect(bench.asked).toEqual([A, B])
    expect(bench.clock.pending).toBe(0)
  })
})

describe('how long it takes', () => {
  test.each(PHASES)(
    'a refusing server is avoided within 4 s (broken %i ms into a tick)',
    async phase => {
      const bench = new Bench()
      bench.atWork.add(A)
      await bench.pass(5_000 + phase)
      bench.moods.set(A, 'refusing')

      expect(await bench.until(bench.isAvoided, 60_000)).toBeLessThanOrEqual(4_000)
      expect(bench.died).toEqual([A])
    },
  )

  test.each(PHASES)(
    'a frozen server is avoided within 17 s (broken %i ms into a tick)',
    async phase => {
      const bench = new Bench()
      bench.atWork.add(A)
      await bench.pass(5_000 + phase)
      bench.moods.set(A, 'frozen')

      expect(await bench.until(bench.isAvoided, 60_000)).toBeLessThanOrEqual(17_000)
      expect(bench.died).toEqual([A])
    },
  )

  test.each(PHASES)('also when timers are late (broken %i ms into a tick)', async phase => {
    const bench = new Bench({ timeoutMs: 5_100 })
    bench.atWork.add(A)
    await bench.pass(5_000 + phase)
    bench.moods.set(A, 'frozen')

    expect(await bench.until(bench.isAvoided, 60_000)).toBeLessThanOrEqual(17_000)
  })

  test.each(PHASES)(
    'a frozen server is avoided within 5 s with detect_server_timeout=1s (%i ms into a tick)',
    async phase => {
      const bench = new Bench({ timeoutMs: 1_000 })
      bench.atWork.add(A)
      await bench.pass(5_000 + phase)
      bench.moods.set(A, 'frozen')

      expect(await bench.until(bench.isAvoided, 60_000)).toBeLessThanOrEqual(5_000)
    },
  )

  test.each([
    ['refusing', 0],
    ['refusing', 700],
    ['frozen', 0],
    ['frozen', 700],
  ] as const)('a %s server is back within 3 s of being well (%i ms later)', async (mood, phase) => {
    const bench = new Bench()
    bench.atWork.add(A)
    bench.moods.set(A, mood)
    await bench.until(bench.isAvoided, 60_000)
    bench.atWork.clear()
    await bench.pass(4_000 + phase)
    bench.thaw()

    const ms = await bench.until(() => !bench.isAvoided(), 60_000)

    expect(ms).toBeLessThanOrEqual(3_000)
  })

  test.each([0, 1, 5_000, 19_900, 20_000, 60_000])(
    'after INACTIVE for %i ms it is back within 41 s, refreshed each 20 s',
    async inactiveMs => {
      const bench = new Bench()
      bench.moods.set(A, 'refusing')
      bench.reports('INACTIVE')
      await bench.pass(inactiveMs)
      bench.moods.clear()
      // The server is ACTIVE from here on; the list is read up to 20 s later, and each 20 s then.
      const since = bench.clock.now()
      let refreshedAt = since
      const isBack = () => {
        if (bench.clock.now() - refreshedAt >= 20_000) {
          bench.reports('ACTIVE')
          refreshedAt = bench.clock.now()
        }
        return !bench.isAvoided()
      }

      expect(await bench.until(isBack, 120_000)).toBeLessThanOrEqual(41_000)
    },
  )

  test('the same without detection', async () => {
    const bench = new Bench({ detectMode: 0 })
    bench.reports('INACTIVE')
    await bench.pass(5_000)
    bench.reports('ACTIVE')
    expect(bench.isAvoided()).toBe(true)

    await bench.pass(20_000)
    bench.reports('ACTIVE')
    expect(bench.isAvoided()).toBe(false)
  })

  test('a flapping server is told dead each time it dies, and only then', async () => {
    const bench = new Bench()
    bench.atWork.add(A)
    for (let time = 0; time < 3; time++) {
      bench.moods.set(A, 'refusing')
      await bench.pass(6_000)
      bench.thaw()
      await bench.pass(3_000)
    }

    expect(bench.died).toEqual([A, A, A])
    expect(bench.isAvoided()).toBe(false)
  })

  test('an answer that comes after its probe was given up changes nothing', async () => {
    const bench = new Bench()
    bench.atWork.add(A)
    bench.moods.set(A, 'frozen')
    await bench.until(bench.isAvoided, 60_000)
    bench.moods.set(A, 'refusing')
    await bench.pass(6_000)
    const moods = new Map(bench.moods)
    bench.thaw()
    for (const [key, mood] of moods) bench.moods.set(key, mood)
    await bench.pass(2_000)

    expect(bench.isAvoided()).toBe(true)
  })
})
