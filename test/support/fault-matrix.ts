/**
 * Operations under a table, a Run Command and nodes that misbehave at random (PL8), on memory or on a table:
 * writes that fail before or after they were done, conflicts, a table that does not answer, indexes that lag,
 * sends that are throttled or whose answer is lost, reads that fail; nodes that die in the middle of a
 * command and come back, run it twice at once, or run one at their next boot that was cancelled; two executors
 * that race, records that outlive their time, and events that are lost, late by minutes, doubled and of others.
 * Seeded: a failure names the seed that repeats it, on a table as far as its answers come in the same order.
 */
import { expect } from 'vitest'
import { Problem } from '../../functions/domain/problem.ts'
import { Conflict } from '../../functions/domain/store.ts'
import type { Log } from '../../functions/operations/ports.ts'
import type { Ground } from './crash-matrix.ts'
import { type Dice, dice, FaultyCalls, pick } from './faulty-calls.ts'
import { FaultyNodes } from './faulty-nodes.ts'
import { LateEvents } from './late-events.ts'
import { Asking, expectEnded } from './operation-stories.ts'
import { ScriptedPlane } from './scripted-plane.ts'
import type { Story } from './stories/story.ts'

const MAX_TICKS = 2_000

/** Sends are refused, their answers lost, or they never arrive. */
function disturbSends({ fleet }: ScriptedPlane, roll: Dice, faults: FaultyCalls): void {
  if (fleet.sendFaults.length > 0 || roll() >= 0.2) return
  const kinds = ['refuse', 'lose-answer', 'never-arrives'] as const
  fleet.sendFaults.push(pick(roll, kinds) ?? 'refuse')
  faults.count += 1
}

/** Names of what faults that are made here may come to; anything else is a mistake of the engine. */
const EXPECTED = ['Problem', 'Conflict']

function unexpected(outcome: PromiseSettledResult<unknown>): readonly string[] {
  if (outcome.status === 'fulfilled') return []
  const { reason } = outcome
  return reason instanceof Problem || reason instanceof Conflict ? [] : [String(reason)]
}

/** What is not well with an engine, in words; empty as long as all is. */
function complaints(): { readonly broken: string[]; readonly log: Log } {
  const broken: string[] = []
  const log: Log = line => {
    if (line['event'] === 'sweep-failed' && !EXPECTED.includes(String(line['error'])))
      broken.push(`${String(line['error'])}: ${String(line['reason'])}`)
  }
  return { broken, log }
}

/**
 * Plays the story among the faults of `seed`; it must come to its end, nothing done twice, nothing held, and
 * stay there whatever arrives later. How many faults there were.
 */
export async function faultsSurvived(story: Story, seed: number, ground?: Ground): Promise<number> {
  const all = new ScriptedPlane(3)
  const id = await story.begin(all)
  all.fleet.ran.length = 0
  const asking = new Asking(all, story)
  const table = await ground?.()
  try {
    if (table !== undefined) await all.moveTo(table)
    return await played(all, story, { id, asking, seed })
  } finally {
    await table?.remove()
  }
}

type Played = { readonly id: string; readonly asking: Asking; readonly seed: number }

async function played(
  all: ScriptedPlane,
  story: Story,
  { id, asking, seed }: Played,
): Promise<number> {
  const roll = dice(seed)
  const faults = new FaultyCalls(roll)
  const nodes = new FaultyNodes(all, roll)
  const events = new LateEvents(all, roll)
  const { broken, log } = complaints()
  const store = faults.store(all.used)
  const runCommand = faults.runCommand(all.fleet.runCommand)
  const engines = ['left', 'right'].map(owner => all.newEngine(owner, { store, runCommand, log }))
  const place = `seed ${seed}`
  for (let tick = 0; tick < MAX_TICKS; tick++) {
    if (!(await all.passUntilDue(id, (story.tickSec ?? 1) * 1_000))) break
    disturbSends(all, roll, faults)
    nodes.disturb()
    const swept = await Promise.allSettled(engines.map(engine => engine.sweep(10)))
    const told = await events.arrive(engines)
    broken.push(...[...swept, ...told].flatMap(unexpected))
    await asking.look(id)
    expect(broken, place).toEqual([])
  }
  faults.isOn = false
  all.fleet.sendFaults.length = 0
  // A node that has a cancelled command queued boots at once, or when that has expired.
  if (roll() < 0.5) await nodes.boot()
  await expectEnded(all, story, { id, asking, place })
  const afterwards = await events.arriveAfterwards(engines)
  await nodes.boot()
  expect([...broken, ...afterwards.flatMap(unexpected)], place).toEqual([])
  await expectEnded(all, story, { id, asking, place: `${place}, afterwards` })
  return faults.count + nodes.count
}
