/** The scripted balancer keeps the promises of the real one. */
import { describe } from 'vitest'
import { loadBalancerContract } from '../../support/load-balancer-contract.ts'
import { GROUP_ARN, ScriptedBalancer } from '../../support/scripted-balancer.ts'
import { HandClock } from '../../support/scripted-fleet.ts'

describe('the scripted balancer', () => {
  loadBalancerContract(async () => {
    const clock = new HandClock()
    const loadBalancer = new ScriptedBalancer(clock.now)
    const away = { id: 'i-00000000000000002', port: 2883 }
    loadBalancer.sick.add(away.id)
    return {
      loadBalancer,
      group: { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' },
      there: { id: 'i-00000000000000001', port: 2883 },
      away,
      until: async (what, holds) => {
        for (let left = 60; !(await holds()); left--) {
          if (left === 0) throw new Error(`did not come true: ${what}`)
          clock.pass(1_000)
        }
      },
    }
  })
})
