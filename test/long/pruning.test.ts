/** Pruning against the kernel at length: tables and values that CI does not see. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  campaign,
  type PruningGround,
  shapesTable,
  startGround,
  summary,
} from '../kernel/pruning/campaign.ts'

const BUDGET_MS = 30 * 60_000
const PAIRS = 500_000
/** Beyond those of CI. */
const FIRST_SEED = 1_000_000

let ground: PruningGround

beforeAll(async () => {
  ground = await startGround()
})

afterAll(() => ground?.stop())

test('half a million pairs agree with the kernel', async () => {
  const begunMs = performance.now()

  const tally = await campaign(ground, { firstSeed: FIRST_SEED, pairs: PAIRS, budgetMs: BUDGET_MS })

  console.log(`${summary(tally, performance.now() - begunMs)}\n${shapesTable(tally)}`)
  expect(tally.disagreements.slice(0, 20)).toEqual([])
  expect(tally.unknown.slice(0, 20)).toEqual([])
})
