/** A table and a Run Command that misbehave at random: seeded, and counted. */
import { Problem } from '../../functions/domain/problem.ts'
import type { RunCommand } from '../../functions/domain/remote.ts'
import { Conflict, type Store } from '../../functions/domain/store.ts'

/** Numbers of [0, 1), the same for the same seed. */
export type Dice = () => number

export function dice(seed: number): Dice {
  let state = seed * 2_654_435_761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) | 0
    state ^= state >>> 12
    return (state >>> 0) / 2 ** 32
  }
}

/** One of them. */
export function pick<T>(roll: Dice, from: readonly T[]): T | undefined {
  return from[Math.floor(roll() * from.length)]
}

/** Counts what it makes go wrong. */
export class FaultyCalls {
  count = 0
  isOn = true
  private readonly roll: Dice

  constructor(roll: Dice) {
    this.roll = roll
  }

  store(store: Store): Store {
    return wrapped(store, (name, act) => {
      if (name === 'due') return this.due(act as () => Promise<readonly string[]>)
      return name === 'commit' ? this.write(act) : this.read(act)
    })
  }

  runCommand(runCommand: RunCommand): RunCommand {
    return wrapped(runCommand, (name, act) => {
      if (name === 'find') return this.find(act)
      return name === 'results' ? this.read(act, 'remote-unavailable') : act()
    })
  }

  /** An index that lags does not show yet what has begun. */
  private async due(read: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const isLate = this.isOn && this.roll() < 0.3
    const ids = await read()
    return isLate ? ids.slice(1) : ids
  }

  /** A list that lags does not show yet what was taken: it is sent again. */
  private async find(read: () => Promise<unknown>): Promise<unknown> {
    if (!this.isOn || this.roll() >= 0.3) return read()
    this.count += 1
    return null
  }

  private async read(
    act: () => Promise<unknown>,
    code: 'store-unavailable' | 'remote-unavailable' = 'store-unavailable',
  ): Promise<unknown> {
    if (this.isOn && this.roll() < 0.01) throw this.unanswered(code)
    return act()
  }

  /** Fails before it was done, in a conflict that is none, or after it was done. */
  private async write(act: () => Promise<unknown>): Promise<void> {
    const at = this.isOn ? this.roll() : 1
    if (at < 0.04) throw this.unanswered()
    if (at < 0.08) {
      this.count += 1
      throw new Conflict([])
    }
    await act()
    if (at < 0.11) throw this.unanswered()
  }

  private unanswered(code: 'store-unavailable' | 'remote-unavailable' = 'store-unavailable') {
    this.count += 1
    return new Problem(code, 'the service does not answer')
  }
}

function wrapped<T extends object>(
  part: T,
  call: (name: string, act: () => Promise<unknown>) => Promise<unknown>,
): T {
  return new Proxy(part, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => call(String(name), async () => value.apply(target, args))
    },
  })
}
