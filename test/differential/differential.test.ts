/**
 * Nobody can tell the proxy from the kernel: generated sequences of statements and commands, each
 * once directly on the real kernel and once through a proxy that takes another server at random for
 * every command that may have one. Packets are compared byte by byte; what may differ is listed in
 * `excused.ts`. Sequences that once showed a difference run first (`corpus.json`).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, startStack } from '../support/stack.ts'
import { campaign, reported } from './campaign.ts'
import { generated } from './generate.ts'
import type { Sequence } from './steps.ts'

/** Of all suites of CI this one gets about three minutes on two cores. */
const BUDGET_MS = 150_000
const SEQUENCES = 1300
const LANES = 8
const FEWEST_SEQUENCES = 300

let stack: Stack

beforeAll(async () => {
  stack = await startStack('127.44.2')
})

afterAll(() => stack?.stop())

const corpus = JSON.parse(
  readFileSync(join(import.meta.dirname, 'corpus.json'), 'utf8'),
) as readonly Sequence[]

/** Another day's sequences: `DIFFERENTIAL_SEED=7 npx vitest run --project differential`. */
const firstSeed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1)

test('sequences that once were answered otherwise are answered alike', async () => {
  const untilMs = performance.now() + BUDGET_MS

  const tally = await campaign(stack, corpus.values(), {
    lanes: LANES,
    untilMs,
    mostDifferences: 3,
  })

  expect(reported(tally)).toEqual([])
  expect(tally.sequences).toBe(corpus.length)
})

test('generated sequences are answered alike', async () => {
  const untilMs = performance.now() + BUDGET_MS
  const sequences = generated(firstSeed, SEQUENCES)

  const tally = await campaign(stack, sequences, { lanes: LANES, untilMs, mostDifferences: 3 })

  console.log(
    `${tally.sequences} sequences, ${tally.steps} steps, ${tally.moves} moves between servers`,
  )
  expect(reported(tally)).toEqual([])
  expect(tally.sequences).toBeGreaterThan(FEWEST_SEQUENCES)
  expect(tally.moves).toBeGreaterThan(tally.sequences)
})
