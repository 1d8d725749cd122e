/** An executor that is interrupted at one of its writes or remote calls: it dies there, or the call fails. */
import { decodeOrder } from '#contract/command'
import type { Change, Records, Store } from '../../functions/domain/store.ts'
import type { ScriptedPlane } from './scripted-plane.ts'

export const INTERRUPTIONS = ['dies before', 'dies after', 'fails before', 'fails after'] as const
/** Of the table's answer to one write; the client repeats it by itself, and nobody notices. */
export const HICCUPS = ['is throttled', 'is answered twice'] as const

export type Kind = (typeof INTERRUPTIONS)[number]
export type Hiccup = (typeof HICCUPS)[number]

export type Point = {
  /** Of the counted calls, from 1; 0: none, it is only listened to. */
  readonly at: number
  readonly how: Kind | Hiccup
}

/** Interrupts the `at`-th of the counted calls. */
class Interruption {
  /** The counted calls so far, in words that tell kinds of them apart. */
  readonly calls: string[] = []
  isDead = false
  hasCome = false
  private readonly point: Point
  private readonly comes: (how: Kind | Hiccup) => Promise<void>

  constructor(point: Point, comes: (how: Kind | Hiccup) => Promise<void>) {
    this.point = point
    this.comes = comes
  }

  private async call(words: string | null, act: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) throw new Error('dead')
    if (words === null) return act()
    this.calls.push(words)
    if (this.calls.length !== this.point.at) return act()
    this.hasCome = true
    const { how } = this.point
    await this.comes(how)
    if (isHiccup(how)) return act()
    this.isDead = how.startsWith('dies')
    if (how.endsWith('after')) await act()
    throw new Error(this.isDead ? 'dead' : 'the service does not answer')
  }

  /** The part that there is at the time of a call, every call going through here; those named count. */
  wrap<T extends object>(current: () => T, counted: readonly string[]): T {
    return new Proxy(current(), {
      get: (_first, name) => {
        const isCounted = counted.includes(String(name))
        return (...args: unknown[]) =>
          this.call(isCounted ? wordsOf(String(name), args[0]) : null, async () => {
            const part = current()
            const method: unknown = Reflect.get(part, name)
            if (typeof method !== 'function') throw new TypeError(`${String(name)} is no method`)
            return method.apply(part, args)
          })
      },
    })
  }
}

export function isHiccup(how: Kind | Hiccup): how is Hiccup {
  return HICCUPS.some(each => each === how)
}

function wordsOf(name: string, input: unknown): string {
  if (name === 'commit') return `commit ${changesIn(input as readonly Change[])}`
  if (name !== 'send') return name
  return `send ${decodeOrder((input as { order: string }).order).verb}`
}

/** Each kind of change once: how many nodes are in it makes no other write of it. */
function changesIn(changes: readonly Change[]): string {
  const words = changes.map(({ act, kind, record }) => `${act} ${kind}${stateOf(kind, record)}`)
  return [...new Set(words)].sort().join(', ')
}

function stateOf(kind: Change['kind'], record: Change['record']): string {
  if (kind === 'operation') return ` ${(record as Records['operation']).phase}`
  if (kind !== 'step') return ''
  const { name, phase } = record as Records['step']
  return ` ${name} ${phase}`
}

/**
 * An executor that is interrupted at one of its writes or remote calls.
 * @param comes is called when the point is reached, before anything is done there.
 */
export function interrupted(
  all: ScriptedPlane,
  point: Point,
  comes: (how: Kind | Hiccup) => Promise<void> = async () => {},
) {
  const interruption = new Interruption(point, comes)
  const { fleet, balancer } = all
  const engine = all.newEngine('interrupted', {
    store: interruption.wrap<Store>(() => all.used, ['commit']),
    runCommand: interruption.wrap(
      () => fleet.runCommand,
      ['send', 'find', 'results', 'online', 'cancel'],
    ),
    loadBalancer: interruption.wrap(() => balancer, ['members', 'register', 'deregister']),
    secrets: interruption.wrap(
      () => fleet.secrets,
      ['generatePassword', 'generateToken', 'remove'],
    ),
  })
  return { engine, interruption }
}
