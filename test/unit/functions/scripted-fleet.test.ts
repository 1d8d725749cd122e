import { describe } from 'vitest'
import { verbResultSchema } from '#contract/command'
import { nodeRulesContract } from '../../support/node-rules-contract.ts'
import { runCommandContract } from '../../support/run-command-contract.ts'
import { HandClock, hostId, ScriptedFleet } from '../../support/scripted-fleet.ts'

describe('the scripted Run Command', () =>
  runCommandContract(async () => {
    const clock = new HandClock()
    const fleet = new ScriptedFleet(clock, 2)
    fleet.host(2).isOnline = false
    const { runCommand } = fleet
    return { runCommand, online: hostId(1), offline: hostId(2), now: clock.now }
  }))

describe.each(['works', 'fails'] as const)('a scripted node that %s', behaviour =>
  nodeRulesContract(() => {
    const clock = new HandClock()
    const fleet = new ScriptedFleet(clock, 1)
    fleet.host(1).behaviour = behaviour
    const run = async (order: string) =>
      verbResultSchema.parse(JSON.parse(await fleet.carryOut(hostId(1), order)))
    return { run, id: hostId(1), now: clock.now }
  }),
)
