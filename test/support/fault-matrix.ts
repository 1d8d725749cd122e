/**
 * Operations under a table and a Run Command that misbehave at random (PL8), on memory or on a table: writes that
 * fail before or after they were done, conflicts, a table that does not answer, an index that lags, sends that
 * are throttled or whose answer is lost, reads that fail; two executors that race, and events that are lost, late,
 * doubled and of others. Seeded: a failure names the seed that repeats it, on a table as far as its answers come
 * in the same order.
 */
import { expect } from 'vitest'
import { Problem } from '../../functions/domain/problem.ts'
import { Conflict, type Store } from '../../functions/domain/store.ts'
import type { Log } from '../../functions/operations/ports.ts'
import type { Ground } from './crash-matrix.ts'
import { expectEnded, type Story } from './operation-stories.ts'
import { ScriptedPlane } from './scripted-plane.ts'

const MAX_TICKS = 2_000

/** Numbers of [0, 1), the same for the same seed. */
function dice(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) | 0
    state ^= state >>> 12
    return (state >>> 0) / 2 ** 32
  }
}

/** Counts what it makes go wrong. */
class FaultyCalls {
  count = 0
  isOn = true
  private readonly roll: () => number

  constructor(roll: () => number) {
    this.roll = roll
  }

  /** An index that lags does not show yet what has begun. */
  async due(read: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const isLate = this.isOn && this.roll() < 0.3
    const ids = await read()
    return isLate ? ids.slice(1) : ids
  }

  async read(act: () => Promise<unknown>): Promise<unknown> {
    if (this.isOn && this.roll() < 0.01) throw this.unanswered()
    return act()
  }

  /** Fails before it was done, in a conflict that is none, or after it was done. */
  async write(act: () => Promise<unknown>): Promise<void> {
    const at = this.isOn ? this.roll() : 1
    if (at < 0.04) throw this.unanswered()
    if (at < 0.08) {
      this.count += 1
      throw new Conflict([])
    }
    await act()
    if (at < 0.11) throw this.unanswered()
  }

  private unanswered(): Problem {
    this.count += 1
    return new Problem('store-unavailable', 'the table does not answer')
  }
}

function faultyStore(store: Store, faults: FaultyCalls): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        const act = () => value.apply(target, args)
        if (name === 'due') return faults.due(act)
        return name === 'commit' ? faults.write(act) : faults.read(act)
      }
    },
  })
}

/** Sends are refused, their answers lost, or they never arrive. */
function disturbSends({ fleet }: ScriptedPlane, roll: () => number, faults: FaultyCalls): void {
  if (fleet.sendFaults.length > 0 || roll() >= 0.2) return
  const kinds = ['refuse', 'lose-answer', 'never-arrives'] as const
  fleet.sendFaults.push(kinds[Math.floor(roll() * kinds.length)] ?? 'refuse')
  faults.count += 1
}

/** Names of what faults that are made here may come to; anything else is a mistake of the engine. */
const EXPECTED = ['Problem', 'Conflict']

function unexpected(outcome: PromiseSettledResult<unknown>): readonly string[] {
  if (outcome.status === 'fulfilled') return []
  const { reason } = outcome
  return reason instanceof Problem || reason instanceof Conflict ? [] : [String(reason)]
}

/**
 * Plays the story among the faults of `seed`; it must come to its end, nothing done twice, nothing held.
 * How many faults there were.
 */
export async function faultsSurvived(story: Story, seed: number, ground?: Ground): Promise<number> {
  const { begin, ends = 'SUCCEEDED', tickSec = 1 } = story
  const all = new ScriptedPlane(3)
  const id = await begin(all)
  all.fleet.ran.length = 0
  const known = all.store.all('operation').map(operation => operation.id)
  const table = await ground?.()
  try {
    if (table !== undefined) await all.moveTo(table)
    const roll = dice(seed)
    const faults = new FaultyCalls(roll)
    const store = faultyStore(all.used, faults)
    const broken: string[] = []
    const log: Log = line => {
      if (line['event'] === 'sweep-failed' && !EXPECTED.includes(String(line['error'])))
        broken.push(`${String(line['error'])}: ${String(line['reason'])}`)
    }
    const engines = ['left', 'right'].map(owner => all.newEngine(owner, { store, log }))
    for (let tick = 0; tick < MAX_TICKS; tick++) {
      if (!(await all.passUntilDue(id, tickSec * 1_000))) break
      disturbSends(all, roll, faults)
      const event = known[Math.floor(roll() * known.length)]
      const outcomes = await Promise.allSettled([
        ...engines.map(engine => engine.sweep(10)),
        // A status event: of this operation, of one that has ended long ago, twice.
        ...(event === undefined ? [] : engines.map(engine => engine.advance(event))),
      ])
      broken.push(...outcomes.flatMap(unexpected))
      expect(broken, `seed ${seed}`).toEqual([])
    }
    faults.isOn = false
    all.fleet.sendFaults.length = 0
    await expectEnded(all, { id, tickSec, ends, place: `seed ${seed}` })
    return faults.count
  } finally {
    await table?.remove()
  }
}
