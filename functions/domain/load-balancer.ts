/**
 * The balancer in front of a proxy cluster: its specification, and the port to its members. A node is a
 * member by its instance or by its address, always with its SQL port. Source: management.md §1.10, §3.9, §3.18.
 */

/** `external`: somebody else's, nothing of it is ours to change. */
export type BalancerSpec =
  | {
      readonly kind: 'target-group'
      readonly targetGroupArn: string
      /** What a target is named by; a property of the group. */
      readonly targetBy: 'instance' | 'ip'
    }
  | { readonly kind: 'external' }

/** What nobody but who manages an external balancer can do. */
export const OPERATOR_STEPS = {
  out: 'before a stop, a deletion, or a forced restart or upgrade: take the node out of the balancer and wait until it has no client',
  in: 'after a start, and once a new node runs: take it in',
} as const

/** In every partition of AWS. */
export const TARGET_GROUP_FORM =
  /^arn:aws[a-z-]{0,20}:elasticloadbalancing:[a-z0-9-]{1,30}:\d{12}:targetgroup\/[A-Za-z0-9-]{1,32}\/[0-9a-f]{16}$/

export type TargetGroup = Extract<BalancerSpec, { readonly kind: 'target-group' }>

export type Target = {
  /** Instance id or address. */
  readonly id: string
  readonly port: number
}

/** As Elastic Load Balancing names them. `unused`: a member that no balancer asks for now. */
export const MEMBER_STATES = ['initial', 'healthy', 'unhealthy', 'draining', 'unused'] as const

export type MemberState = (typeof MEMBER_STATES)[number]

export type BalancerMember = Target & {
  readonly state: MemberState
  /** Its code, `Target.FailedHealthChecks`; null for a healthy one. */
  readonly reason: string | null
}

/**
 * Every method may throw `Problem`: `remote-unavailable` for what may pass by itself, `quota-exceeded` for a
 * bound of the service, `operation-not-allowed` for what never will.
 */
export type LoadBalancer = {
  /** All members, those on their way out too; who has left for good is not there any more. */
  members(group: TargetGroup): Promise<readonly BalancerMember[]>
  /** One that is a member stays one; one that is draining comes back. */
  register(group: TargetGroup, target: Target): Promise<void>
  /** Gets no new connections; one that is none is fine. How long it drains is the group's. */
  deregister(group: TargetGroup, target: Target): Promise<void>
}

export function targetOf(
  { targetBy }: TargetGroup,
  node: { readonly hostId: string; readonly host: string; readonly sqlPort: number },
): Target {
  return { id: targetBy === 'instance' ? node.hostId : node.host, port: node.sqlPort }
}

export function memberAt(
  members: readonly BalancerMember[],
  { id, port }: Target,
): BalancerMember | null {
  return members.find(each => each.id === id && each.port === port) ?? null
}

/** It is given new connections, or will be. */
export function isIn(member: BalancerMember | null): member is BalancerMember {
  return member !== null && member.state !== 'draining'
}

/** New connections reach it, as far as the balancer is concerned: nobody may be asking for any. */
export function isInService(member: BalancerMember | null): boolean {
  return member?.state === 'healthy' || member?.state === 'unused'
}
