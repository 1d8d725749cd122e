/** Status events of commands as EventBridge brings them: lost, doubled, in any order, late by minutes. */
import { onCommandStatus } from '../../functions/jobs/command-status.ts'
import { type Dice, pick } from './faulty-calls.ts'
import type { ScriptedPlane } from './scripted-plane.ts'

/** An event is no later than this. */
const LATEST_MS = 15 * 60_000
/** Longer than any record is kept that has a time. */
const OUTLIVED_MS = 4 * 24 * 3_600_000

type Engines = readonly Parameters<typeof onCommandStatus>[0]['engine'][]

export class LateEvents {
  private readonly all: ScriptedPlane
  private readonly roll: Dice
  private waiting: { readonly commandId: string; readonly at: number }[] = []
  /** Of so many commands there have been events. */
  private told = 0

  constructor(all: ScriptedPlane, roll: Dice) {
    this.all = all
    this.roll = roll
  }

  /** Events whose time has come, each to one of the engines; what it comes to. */
  async arrive(engines: Engines): Promise<readonly PromiseSettledResult<unknown>[]> {
    const { ids } = this.all.fleet.runCommand
    const now = this.all.clock.now()
    for (const commandId of ids.slice(this.told))
      for (let left = Math.floor(this.roll() * 3); left > 0; left--)
        this.waiting.push({ commandId, at: now + this.roll() ** 2 * LATEST_MS })
    this.told = ids.length
    const come = this.waiting.filter(({ at }) => at <= now)
    this.waiting = this.waiting.filter(({ at }) => at > now)
    return this.tell(
      come.map(({ commandId }) => commandId),
      engines,
    )
  }

  /** The rest of them, when all is over; then those of commands that nobody should remember any more. */
  async arriveAfterwards(engines: Engines): Promise<readonly PromiseSettledResult<unknown>[]> {
    const { all } = this
    all.clock.pass(LATEST_MS)
    const rest = await this.arrive(engines)
    all.clock.pass(OUTLIVED_MS)
    const { ids } = all.fleet.runCommand
    // Late: what was to be deleted is still there; then it is not.
    const kept = await this.tell(ids, engines)
    await all.expire()
    return [...rest, ...kept, ...(await this.tell(ids, engines))]
  }

  private tell(ids: readonly string[], engines: Engines) {
    const { used: store } = this.all
    return Promise.allSettled(
      ids.map(async id => {
        const engine = pick(this.roll, engines)
        if (engine !== undefined)
          await onCommandStatus({ store, engine }, { detail: { 'command-id': id } })
      }),
    )
  }
}
