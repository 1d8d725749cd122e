/**
 * Every operation, interrupted at every write and every remote call in turn: the executor dies there, or
 * the call fails and it lives on; before the effect, or after it. The sweeper alone must bring the
 * operation to the end that it would have had, with no lock left and nothing done twice.
 */
import { describe, expect, test } from 'vitest'
import { isEndedThoughInterrupted } from '../../support/crash-matrix.ts'
import { INTERRUPTIONS } from '../../support/interruption.ts'
import { STORIES } from '../../support/operation-stories.ts'

describe('an operation that is interrupted', () => {
  test.each(Object.entries(STORIES))(
    'at every write and call comes to its end, nothing done twice: %s',
    async (name, story) => {
      let points = 0
      for (const how of INTERRUPTIONS)
        for (let at = 1; await isEndedThoughInterrupted(story, { at, how }); at++) points += 1
      expect(points).toBeGreaterThan(20)
      console.log(`${name}: ${points} points of interruption`)
    },
    120_000,
  )
})
