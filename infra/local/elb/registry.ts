/**
 * Members of the one target group of the stack: who is in it, who is on the way out and until when. Kept
 * in a file, written before a call is answered. Health is what the balancer finds, and is not kept.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writePrivately } from '../files.ts'
import { ElbError, type GivenTarget } from './query.ts'

export type Health = 'initial' | 'healthy' | 'unhealthy'

export type Member = {
  /** As it was registered: instance id or address. */
  readonly id: string
  readonly port: number
  /** Where it is. */
  readonly host: string
  /** Epoch ms: until then it drains; null: it is in. */
  readonly drainsUntil: number | null
  readonly health: Health
}

export type Group = {
  readonly arn: string
  readonly targetBy: 'instance' | 'ip'
  /** Of a target that was registered without one. */
  readonly port: number
  readonly deregistrationDelayMs: number
}

const storedSchema = z.array(
  z.object({ id: z.string(), port: z.int(), drainsUntil: z.number().nullable() }),
)

const ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/

export class Registry {
  readonly group: Group
  private readonly file: string
  private readonly instances: ReadonlyMap<string, string>
  private readonly now: () => number
  private readonly known = new Map<string, Member>()

  /** @param instances addresses by instance id. */
  constructor(
    folder: string,
    group: Group,
    instances: ReadonlyMap<string, string>,
    now: () => number,
  ) {
    this.group = group
    this.file = join(folder, 'members.json')
    this.instances = instances
    this.now = now
    for (const { id, port, drainsUntil } of storedSchema.parse(readJson(this.file) ?? [])) {
      const host = this.hostOf(id)
      if (host !== undefined)
        this.known.set(keyOf(id, port), { id, port, host, drainsUntil, health: 'initial' })
    }
  }

  /** Those that are in, and those that still drain. */
  members(): readonly Member[] {
    const now = this.now()
    return [...this.known.values()].filter(
      ({ drainsUntil }) => drainsUntil === null || drainsUntil > now,
    )
  }

  memberAt(id: string, port = this.group.port): Member | undefined {
    return this.members().find(each => each.id === id && each.port === port)
  }

  /** One that drains comes back; one that is in stays as it is. @throws ElbError InvalidTarget */
  register(targets: readonly GivenTarget[]): void {
    const found = targets.map(({ id, port = this.group.port }) => {
      const host = this.hostOf(id)
      if (host === undefined)
        throw new ElbError('InvalidTarget', `The target '${id}' is not known here`)
      return { id, port, host }
    })
    for (const each of found)
      if (this.memberAt(each.id, each.port)?.drainsUntil !== null)
        this.known.set(keyOf(each.id, each.port), {
          ...each,
          drainsUntil: null,
          health: 'initial',
        })
    this.save()
  }

  /** One that is none is fine; one that drains goes on draining. */
  deregister(targets: readonly GivenTarget[]): void {
    for (const { id, port = this.group.port } of targets) {
      const member = this.memberAt(id, port)
      if (member === undefined || member.drainsUntil !== null) continue
      const drainsUntil = this.now() + this.group.deregistrationDelayMs
      this.known.set(keyOf(id, port), { ...member, drainsUntil })
    }
    this.save()
  }

  /** What the balancer found of one that is in. */
  note({ id, port }: Pick<Member, 'id' | 'port'>, health: Health): void {
    const member = this.memberAt(id, port)
    if (member !== undefined) this.known.set(keyOf(id, port), { ...member, health })
  }

  private hostOf(id: string): string | undefined {
    if (this.group.targetBy === 'instance') return this.instances.get(id)
    return ADDRESS.test(id) ? id : undefined
  }

  private save(): void {
    const left = new Set(this.members())
    for (const [key, member] of this.known) if (!left.has(member)) this.known.delete(key)
    writePrivately(
      this.file,
      [...left].map(({ id, port, drainsUntil }) => ({ id, port, drainsUntil })),
    )
  }
}

function keyOf(id: string, port: number): string {
  return `${id}:${port}`
}
