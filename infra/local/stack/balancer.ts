/** The load balancer of a stack: one target group, and the address that its members are reached under. */
import { join } from 'node:path'
import type { KeyPair } from './keys.ts'
import type { StackSettings } from './settings.ts'

const TARGET_GROUP =
  'arn:aws:elasticloadbalancing:local:000000000000:targetgroup/obfleet/0123456789abcdef'
const TARGET_BY = 'instance' as const
/** 300 s in the cloud, unless somebody sets another; here a user sits and waits. */
const DEREGISTRATION_DELAY_MS = 30_000

export type BalancerAccess = {
  /** `host:port` for clients of the proxy cluster behind it. */
  readonly address: string
  readonly targetGroupArn: string
  readonly targetBy: 'instance' | 'ip'
}

export function balancerAccess({ balancer }: StackSettings): BalancerAccess {
  return {
    address: `${balancer.host}:${balancer.port}`,
    targetGroupArn: TARGET_GROUP,
    targetBy: TARGET_BY,
  }
}

/** Settings of its process. */
export function balancerSettings(
  { balancer, elb, home, nodeNetwork }: StackSettings,
  { accessKeyId, secretAccessKey }: KeyPair,
  instanceIds: readonly string[],
) {
  return {
    service: balancer,
    api: elb,
    folder: join(home, 'balancer'),
    plane: { accessKeyId, secretAccessKey },
    group: {
      arn: TARGET_GROUP,
      targetBy: TARGET_BY,
      port: balancer.port,
      deregistrationDelayMs: DEREGISTRATION_DELAY_MS,
    },
    instances: instanceIds.map((id, index) => ({ id, address: `${nodeNetwork}.${index + 1}` })),
  }
}
