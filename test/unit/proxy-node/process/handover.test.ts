import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import {
  HANDOVER_TABLE,
  Handover,
  type HandoverEvent,
  type HandoverState,
  nextHandoverState,
  type SuccessorEnd,
} from '../../../../proxy-node/process/handover.ts'

const STATES = Object.keys(HANDOVER_TABLE) as HandoverState[]
const edges = (state: HandoverState) =>
  Object.entries(HANDOVER_TABLE[state]) as [HandoverEvent, HandoverState][]

function reachable(from: HandoverState): ReadonlySet<HandoverState> {
  const seen = new Set<HandoverState>([from])
  for (const state of seen) for (const [, next] of edges(state)) seen.add(next)
  return seen
}

describe('the table', () => {
  test('every state is reached from the first', () => {
    expect([...reachable('HU_STATE_WAIT_HU_CMD')].sort()).toEqual([...STATES].sort())
  })

  test.each(STATES)('from %s the end is reached', state => {
    expect(reachable(state)).toContain('HU_STATE_EXITED')
  })

  test('nothing leaves the end', () => {
    expect(edges('HU_STATE_EXITED')).toEqual([])
  })

  test.each(STATES.filter(state => !/EXIT/.test(state)))('%s can be told to end', state => {
    expect(nextHandoverState(state, 'leaveAsked')).toBe('HU_STATE_EXITING')
  })

  test('an empty cell is no state', () => {
    expect(nextHandoverState('HU_STATE_EXITED', 'restartAsked')).toBeUndefined()
    expect(nextHandoverState('HU_STATE_WAIT_LOCAL_CR_FINISH', 'restartAsked')).toBeUndefined()
  })
})

/** Time that passes when told to. */
class FakeClock implements Clock {
  private time = 0
  private timers: { at: number; act: () => void }[] = []
  now = () => this.time
  every = () => ({ cancel: () => {} })
  sleep = () => Promise.resolve()
  after = (delayMs: number, act: () => void) => {
    const timer = { at: this.time + delayMs, act }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter(other => other !== timer)
      },
    }
  }
  pass(ms: number): void {
    const until = this.time + ms
    for (;;) {
      const [next] = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.timers = this.timers.filter(other => other !== next)
      this.time = next.at
      next.act()
    }
    this.time = until
  }
}

function machine(options: { attempts?: number; readyMs?: number } = {}) {
  const clock = new FakeClock()
  const happened: string[] = []
  const ends: ((end: SuccessorEnd) => void)[] = []
  const world = { isAlone: true, cannotStart: '' }
  let pid = 100
  const handover = new Handover({
    clock,
    spawn: ended => {
      if (world.cannotStart !== '') throw new Error(world.cannotStart)
      ends.push(ended)
      pid += 1
      const own = pid
      happened.push(`spawned ${own}`)
      return { pid: own, kill: () => happened.push(`killed ${own}`) }
    },
    limits: () => ({
      readyMs: options.readyMs ?? 60_000,
      attempts: options.attempts ?? 3,
      pauseMs: 5_000,
    }),
    isAlone: () => world.isAlone,
    begun: () => happened.push('begun'),
    undone: () => happened.push('undone'),
    committed: successor => happened.push(`committed to ${successor.pid}`),
    resumed: () => happened.push('resumed'),
    say: () => {},
  })
  const end = (index: number, why = 'ended with exit code 1', isWanted = false) =>
    ends[index]?.({ why, isWanted })
  return { clock, happened, world, handover, end }
}

describe('a hand-over', () => {
  test('commits when the successor is ready, and ends behind its clients', () => {
    const { handover, happened } = machine()
    handover.restart()
    expect(handover.state).toBe('HU_STATE_WAIT_LOCAL_CR_FINISH')
    handover.ready()
    expect(handover.state).toBe('HU_STATE_WAIT_CR_FINISH')
    handover.drained()

    expect(happened).toEqual(['begun', 'spawned 101', 'committed to 101'])
    expect(handover.view()).toMatchObject({
      state: 'HU_STATE_EXITED',
      status: 'exited',
      successorPid: 101,
    })
  })

  test('a word of readiness that nobody waits for means nothing', () => {
    const { handover, happened } = machine()
    handover.ready()
    handover.restart()
    handover.ready()
    handover.ready()

    expect(happened).toEqual(['begun', 'spawned 101', 'committed to 101'])
  })

  test('waits until the process before this one is gone', () => {
    const { handover, happened, world, clock } = machine()
    world.isAlone = false
    handover.restart()
    clock.pass(10_000)
    expect([handover.state, happened]).toEqual(['HU_STATE_FORK_NEW_PROXY', []])
    world.isAlone = true
    clock.pass(50)

    expect(happened).toEqual(['begun', 'spawned 101'])
  })

  test('a successor that ends is undone, tried again after a pause, and given up', () => {
    const { handover, happened, clock, end } = machine({ attempts: 2 })
    handover.restart()
    end(0)
    expect(handover.view()).toMatchObject({
      state: 'HU_STATE_FORK_NEW_PROXY',
      status: 'rollback succeed',
      failures: 1,
      lastFailure: 'ended with exit code 1',
    })
    clock.pass(4_999)
    expect(happened).toEqual(['begun', 'spawned 101', 'undone'])
    clock.pass(1)
    end(1)
    clock.pass(60_000)

    expect(happened).toEqual(['begun', 'spawned 101', 'undone', 'begun', 'spawned 102', 'undone'])
    expect(handover.view()).toMatchObject({
      state: 'HU_STATE_WAIT_HU_CMD',
      status: 'failure retries too many',
      failures: 2,
    })
  })

  test('one that hangs is killed at the deadline; its end is then no news', () => {
    const { handover, happened, clock, end } = machine({ attempts: 1, readyMs: 1_000 })
    handover.restart()
    clock.pass(1_000)
    end(0)

    expect(happened).toEqual(['begun', 'spawned 101', 'killed 101', 'undone'])
    expect(handover.view()).toMatchObject({ state: 'HU_STATE_WAIT_HU_CMD', failures: 1 })
  })

  test('a time-out beyond what a timer can wait is not now', () => {
    const { handover, happened, clock } = machine({ readyMs: 30 * 86_400_000 })
    handover.restart()
    clock.pass(86_400_000)

    expect(happened).toEqual(['begun', 'spawned 101'])
  })

  test('one that cannot be started is undone as well, and a new order begins to count anew', () => {
    const { handover, happened, world } = machine({ attempts: 2 })
    world.cannotStart = 'EACCES'
    handover.restart()
    expect(handover.view()).toMatchObject({
      state: 'HU_STATE_FORK_NEW_PROXY',
      failures: 1,
      lastFailure: 'could not be started: EACCES',
    })
    world.cannotStart = ''
    handover.restart()

    expect(handover.view()).toMatchObject({ failures: 0, lastFailure: '' })
    expect(happened).toEqual(['begun', 'undone', 'begun', 'spawned 101'])
  })

  test('a successor lost behind its readiness has this process serve again', () => {
    const { handover, happened, end } = machine()
    handover.restart()
    handover.ready()
    end(0)

    expect(happened.at(-1)).toBe('resumed')
    expect(handover.mayRestart).toBe(true)
  })

  test('one that was told to end does not', () => {
    const { handover, happened, end } = machine()
    handover.restart()
    handover.ready()
    end(0, 'ended with exit code 0', true)

    expect(happened.at(-1)).toBe('committed to 101')
    expect(handover.state).toBe('HU_STATE_WAIT_CR_FINISH')
  })

  test('is refused while one is under way', () => {
    const { handover } = machine()
    handover.restart()

    expect(handover.mayRestart).toBe(false)
    expect(() => handover.restart()).toThrow(/restartAsked while HU_STATE_WAIT_LOCAL_CR_FINISH/)
  })

  test('the end of this process takes a successor with it that does not serve yet', () => {
    const { handover, happened, end } = machine()
    handover.restart()
    handover.leave()
    end(0)
    handover.leave()
    handover.drained()

    expect(happened).toEqual(['begun', 'spawned 101', 'killed 101'])
    expect(handover.state).toBe('HU_STATE_EXITED')
  })

  test('the end of this process leaves a successor alone that serves', () => {
    const { handover, happened, end } = machine()
    handover.restart()
    handover.ready()
    handover.leave()
    end(0)

    expect(happened).toEqual(['begun', 'spawned 101', 'committed to 101'])
    expect(handover.state).toBe('HU_STATE_EXITING')
  })

  test('the end of this process is the end of attempts', () => {
    const { handover, happened, clock, end } = machine()
    handover.restart()
    end(0)
    handover.leave()
    clock.pass(60_000)

    expect(happened).toEqual(['begun', 'spawned 101', 'undone'])
  })
})
