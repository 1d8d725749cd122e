/** Operations whose executor is interrupted at one place, on memory or on a table, and how they must end. */
import { expect } from 'vitest'
import {
  HICCUPS,
  type Hiccup,
  INTERRUPTIONS,
  interrupted,
  isHiccup,
  type Point,
} from './interruption.ts'
import { Asking, expectEnded, STORIES } from './operation-stories.ts'
import { ScriptedPlane, type Table } from './scripted-plane.ts'
import type { Story } from './stories/story.ts'

const MAX_TURNS = 200

/** A table that a plane has for itself. */
export type OwnTable = Table & {
  /** What becomes of its next write. */
  readonly hiccup: (how: Hiccup) => void
  remove(): Promise<void>
}

export type Ground = () => Promise<OwnTable>

export type Matrix = {
  /** How many places there are where an executor can be interrupted, in all ways, by story. */
  readonly totals: ReadonlyMap<string, number>
  /** Those that were chosen, by story. */
  readonly chosen: ReadonlyMap<string, readonly Point[]>
}

/**
 * The places of all stories. Chosen are every `stride`-th of them, and of each kind of call its first, in one
 * of the ways by turns.
 */
export async function matrixOf(stride: number): Promise<Matrix> {
  const kinds = new Set<string>()
  const chosen = new Map<string, readonly Point[]>()
  const totals = new Map<string, number>()
  let total = 0
  for (const [name, story] of Object.entries(STORIES)) {
    const points: Point[] = []
    const before = total
    for (const [index, words] of (await callsOf(story)).entries()) {
      const ways = waysOf(words)
      const turn = kinds.has(words) ? null : ways[kinds.size % ways.length]
      kinds.add(words)
      for (const how of ways) {
        if (how === turn || total % stride === 0) points.push({ at: index + 1, how })
        total += 1
      }
    }
    chosen.set(name, points)
    totals.set(name, total - before)
  }
  return { totals, chosen }
}

function waysOf(words: string): readonly Point['how'][] {
  return words.startsWith('commit') ? [...INTERRUPTIONS, ...HICCUPS] : INTERRUPTIONS
}

/** The story without an interruption: its writes and remote calls in order. */
export async function callsOf(story: Story, ground?: Ground): Promise<readonly string[]> {
  return (await play(story, { at: 0, how: 'fails before' }, ground)).calls
}

/**
 * Plays the story with its executor interrupted at `point`; the sweeper alone must bring it to the end
 * that it would have had. False when the story is over before.
 */
export async function isEndedThoughInterrupted(
  story: Story,
  point: Point,
  ground?: Ground,
): Promise<boolean> {
  return (await play(story, point, ground)).hasCome
}

/** What comes before the point is played on memory: both stores make the same calls, and one is fast. */
async function play(story: Story, point: Point, ground?: Ground) {
  const { begin, tickSec = 1 } = story
  const all = new ScriptedPlane(3)
  const id = await begin(all)
  all.fleet.ran.length = 0
  const asking = new Asking(all, story)
  const table = await ground?.()
  const move = async () => table && all.moveTo(table)
  try {
    if (point.at === 0) await move()
    const { engine, interruption } = interrupted(all, point, async how => {
      await move()
      if (isHiccup(how)) table?.hiccup(how)
    })
    for (let turn = 0; turn < MAX_TURNS && !interruption.isDead; turn++) {
      if (!(await all.passUntilDue(id, tickSec * 1_000))) break
      await engine.sweep(10)
      await asking.look(id)
    }
    const place = `${point.how} call ${point.at}, ${interruption.calls[point.at - 1]}`
    if (interruption.hasCome || point.at === 0) await expectEnded(all, story, { id, asking, place })
    if (interruption.hasCome && isHiccup(point.how))
      expect(interruption.calls, place).toEqual(await callsOf(story))
    return interruption
  } finally {
    await table?.remove()
  }
}
