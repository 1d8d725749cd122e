import { describe } from 'vitest'
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
