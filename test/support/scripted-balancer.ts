/** Target groups as a script: they keep the rules of the real ones, fail as told, on a clock moved by hand. */
import type {
  BalancerMember,
  LoadBalancer,
  MemberState,
  Target,
  TargetGroup,
} from '../../functions/domain/load-balancer.ts'
import { Problem } from '../../functions/domain/problem.ts'

type Scripted = Target & {
  /** When it was found healthy, or will be. */
  readonly healthyAt: number
  readonly drainsUntil: number | null
}

export const GROUP_ARN =
  'arn:aws:elasticloadbalancing:local:000000000000:targetgroup/orders/0123456789abcdef'

export class ScriptedBalancer implements LoadBalancer {
  /** Groups that exist. */
  readonly arns = new Set([GROUP_ARN])
  /** `register ID`, `deregister ID`, in the order they came. */
  readonly calls: string[] = []
  /** Targets that no health check finds. */
  readonly sick = new Set<string>()
  isAway = false
  healthyAfterMs = 3_000
  drainMs = 20_000
  private readonly now: () => number
  private readonly targets = new Map<string, Scripted>()

  constructor(now: () => number) {
    this.now = now
  }

  async members(group: TargetGroup): Promise<readonly BalancerMember[]> {
    this.require(group)
    return this.all().map(each => {
      const state = this.stateOf(each)
      return {
        id: each.id,
        port: each.port,
        state,
        reason: state === 'healthy' ? null : 'Scripted',
      }
    })
  }

  async register(group: TargetGroup, target: Target): Promise<void> {
    this.require(group)
    this.calls.push(`register ${target.id}`)
    const known = this.all().find(({ id, port }) => id === target.id && port === target.port)
    if (known?.drainsUntil === null) return
    const healthyAt = this.now() + this.healthyAfterMs
    this.targets.set(keyOf(target), { ...target, healthyAt, drainsUntil: null })
  }

  async deregister(group: TargetGroup, target: Target): Promise<void> {
    this.require(group)
    this.calls.push(`deregister ${target.id}`)
    const known = this.all().find(({ id, port }) => id === target.id && port === target.port)
    if (known === undefined || known.drainsUntil !== null) return
    this.targets.set(keyOf(target), { ...known, drainsUntil: this.now() + this.drainMs })
  }

  /** `ID state` of each member, by id. */
  states(): readonly string[] {
    return this.all()
      .map(each => `${each.id} ${this.stateOf(each)}`)
      .sort()
  }

  private all(): readonly Scripted[] {
    const now = this.now()
    return [...this.targets.values()].filter(
      ({ drainsUntil }) => drainsUntil === null || drainsUntil > now,
    )
  }

  private stateOf({ id, healthyAt, drainsUntil }: Scripted): MemberState {
    if (drainsUntil !== null) return 'draining'
    if (this.now() < healthyAt) return 'initial'
    return this.sick.has(id) ? 'unhealthy' : 'healthy'
  }

  private require({ targetGroupArn }: TargetGroup): void {
    if (this.isAway) throw new Problem('remote-unavailable', 'the balancer does not answer')
    if (!this.arns.has(targetGroupArn))
      throw new Problem('operation-not-allowed', `there is no target group ${targetGroupArn}`)
  }
}

function keyOf({ id, port }: Target): string {
  return `${id}:${port}`
}
