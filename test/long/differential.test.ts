/** The differential suite at length: an hour's worth of sequences that CI does not see. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { campaign, reported } from '../differential/campaign.ts'
import { generated } from '../differential/generate.ts'
import { type Stack, startStack } from '../support/stack.ts'

const BUDGET_MS = 50 * 60_000
/** Beyond those of CI. */
const FIRST_SEED = 100_000
const SEQUENCES = 30_000
const LANES = 8

let stack: Stack

beforeAll(async () => {
  stack = await startStack('127.45.2')
})

afterAll(() => stack?.stop())

test('sequences of an hour are answered alike', async () => {
  const untilMs = performance.now() + BUDGET_MS
  const sequences = generated(FIRST_SEED, SEQUENCES)

  const tally = await campaign(stack, sequences, { lanes: LANES, untilMs, mostDifferences: 5 })

  console.log(
    `${tally.sequences} sequences, ${tally.steps} steps, ${tally.moves} moves between servers`,
  )
  expect(reported(tally)).toEqual([])
})
