/**
 * Every operation, interrupted at every write and every remote call in turn: the executor dies there, or
 * the call fails and it lives on; before the effect, or after it. The sweeper alone must bring the
 * operation to the end that it would have had, with no lock left and nothing done twice.
 */
import { describe, expect, test } from 'vitest'
import { INTERRUPTIONS, interrupted, type Kind } from '../../support/interruption.ts'
import { expectEnded, STORIES, type Story } from '../../support/operation-stories.ts'
import { ScriptedPlane } from '../../support/scripted-plane.ts'

const MAX_TICKS = 200

async function play({ begin, ends = 'SUCCEEDED', tickSec = 1 }: Story, at: number, how: Kind) {
  const all = new ScriptedPlane(3)
  const id = await begin(all)
  all.fleet.ran.length = 0
  const { engine, interruption } = interrupted(all, at, how)
  const isOpen = () => all.store.all('work').length > 0
  for (let tick = 0; tick < MAX_TICKS && !interruption.isDead && isOpen(); tick++) {
    all.clock.pass(tickSec * 1_000)
    await engine.sweep(10)
  }
  if (!interruption.hasCome) return false
  const place = `${how} call ${at}`
  await expectEnded(all, { id, ends, tickSec, place })
  return true
}

describe('an operation that is interrupted', () => {
  test.each(Object.entries(STORIES))(
    'at every write and call comes to its end, nothing done twice: %s',
    async (name, story) => {
      let points = 0
      for (const how of INTERRUPTIONS)
        for (let at = 1; await play(story, at, how); at++) points += 1
      expect(points).toBeGreaterThan(20)
      console.log(`${name}: ${points} points of interruption`)
    },
    120_000,
  )
})
