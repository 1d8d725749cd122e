/** An executor that is interrupted at one of its writes or remote calls: it dies there, or the call fails. */
import type { Store } from '../../functions/domain/store.ts'
import type { ScriptedPlane } from './scripted-plane.ts'

export const INTERRUPTIONS = ['dies before', 'dies after', 'fails before', 'fails after'] as const

export type Kind = (typeof INTERRUPTIONS)[number]

/** Interrupts the `at`-th of the counted calls. */
class Interruption {
  private calls = 0
  isDead = false
  hasCome = false
  private readonly at: number
  private readonly how: Kind

  constructor(at: number, how: Kind) {
    this.at = at
    this.how = how
  }

  async call(isCounted: boolean, act: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) throw new Error('dead')
    if (!isCounted) return act()
    this.calls += 1
    if (this.calls !== this.at) return act()
    this.hasCome = true
    this.isDead = this.how.startsWith('dies')
    if (this.how.endsWith('after')) await act()
    throw new Error(this.isDead ? 'dead' : 'the service does not answer')
  }

  /** `part` with every call going through here; those named count. */
  wrap<T extends object>(part: T, counted: readonly string[]): T {
    return new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          this.call(counted.includes(String(name)), async () => value.apply(target, args))
      },
    })
  }
}

/** An executor that is interrupted at its `at`-th write or remote call. */
export function interrupted(all: ScriptedPlane, at: number, how: Kind) {
  const interruption = new Interruption(at, how)
  const engine = all.newEngine('interrupted', {
    store: interruption.wrap<Store>(all.store, ['commit']),
    runCommand: interruption.wrap(all.fleet.runCommand, ['send', 'find', 'results', 'online']),
    loadBalancer: interruption.wrap(all.balancer, ['members', 'register', 'deregister']),
    secrets: interruption.wrap(all.fleet.secrets, ['generatePassword', 'generateToken', 'remove']),
  })
  return { engine, interruption }
}
