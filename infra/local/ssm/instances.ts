/** The registry of managed instances: who is online, who has which tag. */
import { SsmError } from './errors.ts'
import type { ManagedInstance, Target } from './model.ts'

export type InstancePlan = {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly tags: Readonly<Record<string, string>>
}

type Filter = { readonly Key: string; readonly Values: readonly string[] }

export class Instances {
  private readonly byId = new Map<string, ManagedInstance>()
  private readonly pingLostMs: number
  private readonly now: () => number

  /** An instance whose last ping is older than `pingLostMs` is ConnectionLost. */
  constructor(plans: readonly InstancePlan[], pingLostMs: number, now: () => number) {
    this.pingLostMs = pingLostMs
    this.now = now
    for (const plan of plans)
      this.byId.set(plan.id, {
        ...plan,
        lastPingAt: null,
        isInactive: false,
        platformName: 'Linux',
        platformVersion: '',
        agentVersion: '',
      })
  }

  find(id: string): ManagedInstance | undefined {
    return this.byId.get(id)
  }

  all(): readonly ManagedInstance[] {
    return [...this.byId.values()]
  }

  ping(id: string, said: Partial<Pick<ManagedInstance, 'isInactive' | 'agentVersion'>> = {}): void {
    const instance = this.byId.get(id)
    if (instance === undefined) return
    instance.lastPingAt = this.now()
    Object.assign(instance, { isInactive: false, ...said })
  }

  isOnline(instance: ManagedInstance): boolean {
    const { lastPingAt, isInactive } = instance
    return lastPingAt !== null && !isInactive && this.now() - lastPingAt <= this.pingLostMs
  }

  /** Managed nodes that fit all targets: several keys by AND, values of one by OR. @throws SsmError */
  chosenBy(targets: readonly Target[]): readonly string[] {
    return this.all()
      .filter(instance => targets.every(target => fitsTarget(instance, target)))
      .map(instance => instance.id)
  }

  /** As DescribeInstanceInformation filters. @throws SsmError InvalidFilterKey */
  filtered(filters: readonly Filter[]): readonly ManagedInstance[] {
    const byTag = filters.filter(filter => filter.Key.startsWith('tag'))
    if (byTag.length > 0 && byTag.length < filters.length)
      throw new SsmError('InvalidFilterKey', 'tag keys cannot be mixed with others')
    // Never seen: not a managed node yet.
    return this.all()
      .filter(instance => instance.lastPingAt !== null)
      .filter(instance => filters.every(filter => this.fitsFilter(instance, filter)))
  }

  describe(instance: ManagedInstance) {
    return {
      InstanceId: instance.id,
      PingStatus: this.isOnline(instance) ? 'Online' : 'ConnectionLost',
      LastPingDateTime: (instance.lastPingAt ?? 0) / 1000,
      AgentVersion: instance.agentVersion,
      IsLatestVersion: true,
      PlatformType: 'Linux',
      PlatformName: instance.platformName,
      PlatformVersion: instance.platformVersion,
      ResourceType: 'EC2Instance',
      IPAddress: instance.address,
      ComputerName: instance.name,
    }
  }

  private fitsFilter(instance: ManagedInstance, { Key, Values }: Filter): boolean {
    const view = this.describe(instance)
    if (Key.startsWith('tag')) return fitsTarget(instance, { Key, Values })
    if (Key === 'InstanceIds') return Values.includes(instance.id)
    if (Key === 'PingStatus') return Values.includes(view.PingStatus)
    if (Key === 'AgentVersion') return Values.includes(view.AgentVersion)
    if (Key === 'PlatformTypes') return Values.includes(view.PlatformType)
    if (Key === 'ResourceType')
      return Values.includes('ManagedInstance') || Values.includes(view.ResourceType)
    throw new SsmError('InvalidFilterKey', `"${Key}" is no filter key here`)
  }
}

function fitsTarget(instance: ManagedInstance, { Key, Values }: Target): boolean {
  if (Key === 'InstanceIds' || Key === 'instanceids') return Values.includes(instance.id)
  if (Key === 'tag-key') return Values.some(name => instance.tags[name] !== undefined)
  if (Key.startsWith('tag:')) {
    const value = instance.tags[Key.slice(4)]
    return value !== undefined && Values.includes(value)
  }
  throw new SsmError('ValidationException', `"${Key}" is no target key here`)
}
