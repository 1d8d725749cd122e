/**
 * Run Command and the agents of scripted hosts: commands are delivered, queued, cancelled and lost as the
 * real ones are (ssm-run-command.md §9), on a clock that is moved by hand.
 */
import { randomUUID } from 'node:crypto'
import { decodeOrder, type Order, type OrderEntry, type Verb } from '#contract/command'
import type { Clock } from '../../functions/domain/clock.ts'
import type { Invocation, RunCommand, SendOutcome } from '../../functions/domain/remote.ts'
import type { Behaviour, ScriptedHost } from './scripted-host.ts'

export type SendFault = 'refuse' | 'refuse-for-good' | 'lose-answer' | 'never-arrives'

/** An order as one host has it. */
export type Handed = { readonly order: Order; readonly entry: OrderEntry }

/** What is at an agent that has not begun it; it does not hear of a cancel. */
export type Queued = Handed & { readonly invocations: Invocations }

type Invocations = Map<string, Invocation & { readonly doneAt: number }>

type Command = {
  readonly id: string
  readonly comment: string
  readonly sentAt: number
  readonly invocations: Invocations
}

/** What happens at a node that was handed an order. */
export type Node = {
  /** One line of JSON. */
  answer(host: ScriptedHost, handed: Handed): Promise<string>
  /** It dies under the order, once with the order's effect and once without. */
  cutOff(host: ScriptedHost, handed: Handed, isDone: boolean): Promise<void>
}

const SLOW_MS = 20_000
/** A host that has died is away so long, and its agent says so long afterwards what it was at. */
const DOWN_MS = 60_000
const NOTICED_MS = 60_000
const DIED = 'document process failed unexpectedly'

export class ScriptedRunCommand implements RunCommand {
  readonly sends: { readonly hosts: number; readonly verb: Verb }[] = []
  readonly sendFaults: SendFault[] = []
  /** Hosts that began what had been cancelled, once each time. */
  readonly ranCancelled: string[] = []
  /** Ids of commands that were taken, in order. */
  readonly ids: string[] = []
  private readonly clock: Clock
  private readonly hosts: ReadonlyMap<string, ScriptedHost>
  private readonly node: Node
  private readonly commands: Command[] = []

  constructor(clock: Clock, hosts: ReadonlyMap<string, ScriptedHost>, node: Node) {
    this.clock = clock
    this.hosts = hosts
    this.node = node
  }

  async online(ids: readonly string[]): Promise<ReadonlySet<string>> {
    await this.wake()
    return new Set(ids.filter(id => this.hosts.get(id)?.isOnline))
  }

  async send({ hostIds, order, comment }: Parameters<RunCommand['send']>[0]): Promise<SendOutcome> {
    const missing = hostIds.find(id => this.hosts.get(id)?.isOnline !== true)
    if (missing !== undefined)
      return { kind: 'refused', isRetryable: true, detail: `InvalidInstanceId: ${missing}` }
    const fault = this.sendFaults.shift()
    if (fault === 'refuse') return { kind: 'refused', isRetryable: true, detail: 'throttled' }
    if (fault === 'refuse-for-good')
      return { kind: 'refused', isRetryable: false, detail: 'no such document' }
    if (fault === 'never-arrives') return { kind: 'unknown', detail: 'timeout' }
    const id = await this.accept(hostIds, decodeOrder(order), comment)
    if (fault === 'lose-answer') return { kind: 'unknown', detail: '503' }
    return { kind: 'sent', commandId: id }
  }

  async find(comment: string, sinceMs: number): Promise<string | null> {
    return (
      this.commands.find(each => each.comment === comment && each.sentAt >= sinceMs)?.id ?? null
    )
  }

  async results(commandId: string): Promise<readonly Invocation[]> {
    await this.wake()
    const command = this.commands.find(({ id }) => id === commandId)
    const now = this.clock.now()
    return [...(command?.invocations.values() ?? [])].map(each =>
      each.doneAt > now && each.details !== 'Pending'
        ? { ...each, state: 'waiting', details: 'InProgress', output: '' }
        : each,
    )
  }

  /** What no agent has begun is cancelled; an agent that has it queued does not hear of it. */
  async cancel(commandId: string, hostIds: readonly string[]): Promise<void> {
    const command = this.commands.find(({ id }) => id === commandId)
    for (const id of hostIds) {
      const invocation = command?.invocations.get(id)
      if (invocation?.details !== 'Pending') continue
      const cancelled = { state: 'cancelled', details: 'Cancelled' } as const
      command?.invocations.set(id, { ...invocation, ...cancelled, doneAt: this.clock.now() })
    }
  }

  /** Who was down is up again, and who was busy begins what it has queued. */
  async wake(): Promise<void> {
    const now = this.clock.now()
    for (const host of this.hosts.values()) {
      if (host.downUntil !== null && host.downUntil <= now) await this.boot(host)
      if (!host.isOnline || host.busyUntil > now || host.queue.length === 0) continue
      const open = host.queue.filter(queued => !isCancelled(queued, host))
      host.queue.splice(0, host.queue.length, ...host.queue.filter(each => !open.includes(each)))
      for (const each of open) await this.carryOut(host, each)
    }
  }

  /** Its agent begins whatever it has queued, also what was cancelled meanwhile. */
  async boot(host: ScriptedHost): Promise<void> {
    host.isOnline = true
    host.downUntil = null
    host.busyUntil = 0
    for (const queued of host.queue.splice(0)) await this.carryOut(host, queued)
  }

  private async accept(hostIds: readonly string[], order: Order, comment: string): Promise<string> {
    const now = this.clock.now()
    const id = randomUUID()
    this.sends.push({ hosts: hostIds.length, verb: order.verb })
    const invocations: Invocations = new Map()
    for (const each of hostIds) {
      const host = this.hosts.get(each)
      const entry = order.nodes[each]
      if (host === undefined || entry === undefined) throw new RangeError(`no entry for ${each}`)
      const queued = { order, entry, invocations }
      const pending = { hostId: each, doneAt: Number.POSITIVE_INFINITY, output: '' }
      invocations.set(each, { ...pending, state: 'waiting', details: 'Pending' })
      if (host.busyUntil > now) host.queue.push(queued)
      else await this.carryOut(host, queued)
    }
    this.ids.push(id)
    this.commands.push({ id, comment, sentAt: now, invocations })
    return id
  }

  /** What has ended in a way stays so, whatever its node says later. */
  private async carryOut(host: ScriptedHost, queued: Queued): Promise<void> {
    if (isCancelled(queued, host)) this.ranCancelled.push(host.facts.id)
    const invocation = await this.deliver(host, queued)
    if (!isCancelled(queued, host)) queued.invocations.set(host.facts.id, invocation)
  }

  private async deliver(host: ScriptedHost, handed: Handed) {
    const behaviour = host.faults.shift() ?? host.behaviour
    const now = this.clock.now()
    const common = { hostId: host.facts.id, doneAt: now, output: '' }
    if (behaviour === 'undelivered')
      return { ...common, state: 'lost' as const, details: 'Undeliverable' }
    const died = { ...common, state: 'failed' as const, details: 'Failed', output: DIED }
    if (behaviour === 'reboots') return died
    if (behaviour === 'dies before' || behaviour === 'dies after') {
      await this.node.cutOff(host, handed, behaviour === 'dies after')
      host.isOnline = false
      host.downUntil = now + DOWN_MS
      return { ...died, doneAt: host.downUntil + NOTICED_MS }
    }
    const output = await this.answerOf(host, handed, behaviour)
    if (behaviour === 'silent')
      return { ...common, doneAt: Number.POSITIVE_INFINITY, state: 'waiting' as const, details: '' }
    const ok = (JSON.parse(output) as { ok: boolean }).ok
    return {
      ...common,
      doneAt: behaviour === 'slow' ? now + SLOW_MS : now,
      state: ok ? ('succeeded' as const) : ('failed' as const),
      details: ok ? 'Success' : 'Failed',
      output,
    }
  }

  /** Of two runs at once the last one is heard. */
  private async answerOf(
    host: ScriptedHost,
    handed: Handed,
    behaviour: Behaviour,
  ): Promise<string> {
    const runs = Array.from({ length: behaviour === 'twice' ? 2 : 1 }, () =>
      this.node.answer(host, handed),
    )
    return (await Promise.all(runs)).at(-1) ?? ''
  }
}

function isCancelled({ invocations }: Queued, { facts: { id } }: ScriptedHost): boolean {
  return invocations.get(id)?.state === 'cancelled'
}
