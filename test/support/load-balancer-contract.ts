/** What every load balancer port promises, whatever balances. */
import { expect, test } from 'vitest'
import {
  type LoadBalancer,
  type MemberState,
  memberAt,
  type Target,
  type TargetGroup,
} from '../../functions/domain/load-balancer.ts'

export type BalancerUnderTest = {
  readonly loadBalancer: LoadBalancer
  readonly group: TargetGroup
  /** Two that can be members; the first is found healthy, nothing answers at the second. */
  readonly there: Target
  readonly away: Target
  /** Looks until it holds; lets time pass. @throws Error */
  readonly until: (what: string, holds: () => Promise<boolean>) => Promise<unknown>
}

export function loadBalancerContract(make: () => Promise<BalancerUnderTest>): void {
  const stateOf = async ({ loadBalancer, group }: BalancerUnderTest, target: Target) =>
    memberAt(await loadBalancer.members(group), target)?.state ?? null
  const reaches = (under: BalancerUnderTest, target: Target, wanted: MemberState | null) =>
    under.until(`${target.id} is ${wanted}`, async () => (await stateOf(under, target)) === wanted)

  test('nobody is a member who was not registered; who is, becomes healthy or does not', async () => {
    const under = await make()
    const { loadBalancer, group, there, away } = under
    expect(await loadBalancer.members(group)).toEqual([])
    await loadBalancer.register(group, there)
    await loadBalancer.register(group, away)
    expect(['initial', 'healthy', 'unhealthy']).toContain(await stateOf(under, there))
    await reaches(under, there, 'healthy')
    await reaches(under, away, 'unhealthy')
    const [healthy, sick] = [there, away].map(async target =>
      memberAt(await loadBalancer.members(group), target),
    )
    expect((await healthy)?.reason).toBeNull()
    expect((await sick)?.reason).not.toBeNull()
  })

  test('who is deregistered drains, and is gone when its time is over', async () => {
    const under = await make()
    const { loadBalancer, group, there } = under
    await loadBalancer.register(group, there)
    await reaches(under, there, 'healthy')
    await loadBalancer.deregister(group, there)
    expect(await stateOf(under, there)).toBe('draining')
    await reaches(under, there, null)
  })

  test('who is registered while it drains is a member again', async () => {
    const under = await make()
    const { loadBalancer, group, there } = under
    await loadBalancer.register(group, there)
    await loadBalancer.deregister(group, there)
    await loadBalancer.register(group, there)
    expect(await stateOf(under, there)).not.toBe('draining')
    await reaches(under, there, 'healthy')
  })

  test('every call can come twice, and a stranger can be deregistered', async () => {
    const under = await make()
    const { loadBalancer, group, there, away } = under
    await loadBalancer.deregister(group, away)
    await loadBalancer.register(group, there)
    await reaches(under, there, 'healthy')
    await loadBalancer.register(group, there)
    expect(await stateOf(under, there)).toBe('healthy')
    await loadBalancer.deregister(group, there)
    await loadBalancer.deregister(group, there)
    expect(await stateOf(under, there)).toBe('draining')
    expect(await stateOf(under, away)).toBeNull()
  })

  test('a target is its id and its port', async () => {
    const under = await make()
    const { loadBalancer, group, there } = under
    await loadBalancer.register(group, there)
    await loadBalancer.deregister(group, { ...there, port: there.port + 1 })
    expect(await stateOf(under, { ...there, port: there.port + 1 })).toBeNull()
    expect(await stateOf(under, there)).not.toBe('draining')
  })

  test('a group that is not there is refused for good', async () => {
    const { loadBalancer, group, there } = await make()
    const other = { ...group, targetGroupArn: `${group.targetGroupArn}0` }
    const refused = { code: 'operation-not-allowed' }
    await expect(loadBalancer.members(other)).rejects.toMatchObject(refused)
    await expect(loadBalancer.register(other, there)).rejects.toMatchObject(refused)
    await expect(loadBalancer.deregister(other, there)).rejects.toMatchObject(refused)
  })
}
