/** Hosts that do at random what real ones do: they die in the middle of a command, are handed one twice, are busy. */
import { type Dice, pick } from './faulty-calls.ts'
import type { Behaviour, ScriptedHost } from './scripted-host.ts'
import type { ScriptedPlane } from './scripted-plane.ts'

/** They take minutes; a step that has one of them comes to its end in its time, one that has several may not. */
const LONG: readonly (Behaviour | 'busy')[] = [
  'dies before',
  'dies after',
  'reboots',
  'undelivered',
  'slow',
  'busy',
]
const BUSY_MS = 90_000

export class FaultyNodes {
  count = 0
  private readonly all: ScriptedPlane
  private readonly roll: Dice
  private readonly hadLong = new Set<ScriptedHost>()

  constructor(all: ScriptedPlane, roll: Dice) {
    this.all = all
    this.roll = roll
  }

  /** Says what one of them does with its next command, now and then. */
  disturb(): void {
    const host = pick(this.roll, [...this.all.fleet.hosts.values()])
    if (host === undefined || host.faults.length > 0 || this.roll() >= 0.3) return
    this.count += 1
    if (this.hadLong.has(host) || this.roll() < 0.3) {
      host.faults.push('twice')
      return
    }
    this.hadLong.add(host)
    const fault = pick(this.roll, LONG) ?? 'busy'
    if (fault !== 'busy') host.faults.push(fault)
    // One that is busy for ever stays so.
    else host.busyUntil = Math.max(host.busyUntil, this.all.clock.now() + this.roll() * BUSY_MS)
  }

  /** Who is down comes back, and begins whatever its agent has queued, also what was cancelled. */
  async boot(): Promise<void> {
    for (const host of this.all.fleet.hosts.values()) {
      host.faults.length = 0
      if (host.downUntil !== null || host.queue.length > 0)
        await this.all.fleet.runCommand.boot(host)
    }
  }
}
