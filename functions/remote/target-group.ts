/** Members of a target group of Elastic Load Balancing, by instance or by address. */
import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  type ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
  type TargetHealthDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import {
  type BalancerMember,
  type LoadBalancer,
  MEMBER_STATES,
  type Target,
} from '../domain/load-balancer.ts'
import { Problem, type ProblemCode } from '../domain/problem.ts'

/** What asking again does not change, by the name of the error. */
const REFUSALS: Readonly<Record<string, ProblemCode>> = {
  TargetGroupNotFoundException: 'operation-not-allowed',
  InvalidTargetException: 'operation-not-allowed',
  TooManyTargetsException: 'quota-exceeded',
  TooManyRegistrationsForTargetIdException: 'quota-exceeded',
  ValidationError: 'operation-not-allowed',
  AccessDenied: 'operation-not-allowed',
}

/** Left the group for good. */
const GONE = 'Target.NotRegistered'

/** All three calls can be repeated; `client` does so by itself. */
export function targetGroupMembers(client: ElasticLoadBalancingV2Client): LoadBalancer {
  return {
    members: ({ targetGroupArn: TargetGroupArn }) =>
      asking(async () => {
        const answer = await client.send(new DescribeTargetHealthCommand({ TargetGroupArn }))
        return (answer.TargetHealthDescriptions ?? []).flatMap(memberOf)
      }),
    register: ({ targetGroupArn: TargetGroupArn }, target) =>
      asking(async () => {
        await client.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [named(target)] }))
      }),
    deregister: ({ targetGroupArn: TargetGroupArn }, target) =>
      asking(async () => {
        await client.send(
          new DeregisterTargetsCommand({ TargetGroupArn, Targets: [named(target)] }),
        )
      }),
  }
}

function named({ id: Id, port: Port }: Target) {
  return { Id, Port }
}

function memberOf({ Target: target, TargetHealth }: TargetHealthDescription): BalancerMember[] {
  const { State, Reason } = TargetHealth ?? {}
  if (target?.Id === undefined || Reason === GONE) return []
  return [
    {
      id: target.Id,
      port: target.Port ?? 0,
      // States that came later (`unavailable`, `draining` of a zone) promise no traffic.
      state: MEMBER_STATES.find(each => each === State) ?? 'unhealthy',
      reason: Reason ?? (MEMBER_STATES.some(each => each === State) ? null : (State ?? null)),
    },
  ]
}

/** @throws Problem remote-unavailable, operation-not-allowed, quota-exceeded */
async function asking<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error('unknown error')
    const code = Object.hasOwn(REFUSALS, name) ? REFUSALS[name] : undefined
    const problem =
      code === undefined
        ? new Problem('remote-unavailable', `Elastic Load Balancing does not answer: ${name}`)
        : new Problem(code, `Elastic Load Balancing: ${message}`.slice(0, 300))
    throw Object.assign(problem, { cause: error })
  }
}
