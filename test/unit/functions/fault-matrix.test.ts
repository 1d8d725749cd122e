/** Every operation among faults at random, on memory. */
import { describe, expect, test } from 'vitest'
import { faultsSurvived } from '../../support/fault-matrix.ts'
import { STORIES } from '../../support/operation-stories.ts'

const SEEDS = Number(process.env['FAULT_SEEDS'] ?? 8)

describe('an operation among faults', () => {
  test.each(Object.entries(STORIES))(
    'comes to its end, nothing done twice, nothing held: %s',
    async (name, story) => {
      let faults = 0
      for (let seed = 1; seed <= SEEDS; seed++) faults += await faultsSurvived(story, seed)
      expect(faults).toBeGreaterThan(0)
      console.log(`${name}: ${faults} faults in ${SEEDS} runs`)
    },
    120_000,
  )
})
