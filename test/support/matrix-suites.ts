/** Crash matrix and fault matrix, on memory and on the local DynamoDB API, for suites that take parts of them and all of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callsOf, type Ground, isEndedThoughInterrupted, matrixOf } from './crash-matrix.ts'
import { LocalDynamo } from './dynamodb.ts'
import { faultsSurvived } from './fault-matrix.ts'
import { INTERRUPTIONS } from './interruption.ts'
import { STORIES } from './operation-stories.ts'

/** Attempts of the client at one request, as the plane's own. */
const ATTEMPTS = 3
const DEADLINE_MS = 3_600_000
/** Until a story has had a fault. */
const MOST_SEEDS = 20

/** @param told at the end: what was done, in one line. */
function onTables(host: string, told: () => string): Ground {
  const dynamo = new LocalDynamo(host, 8000, ATTEMPTS)

  beforeAll(() => dynamo.ready())

  afterAll(() => {
    dynamo.stop()
    console.log(told())
  })

  return () => dynamo.ownTable()
}

/** Every point of interruption of every second operation, on memory. */
export function crashSuiteOnMemory(half: 0 | 1): void {
  const stories = Object.entries(STORIES).filter((_story, at) => at % 2 === half)
  const began = performance.now()
  let total = 0

  describe('an operation that is interrupted', () => {
    afterAll(() => {
      const seconds = Math.round((performance.now() - began) / 1_000)
      console.log(`${total} points of interruption of ${stories.length} operations in ${seconds} s`)
    })

    test.each(stories)(
      'at every write and call comes to its end, nothing done twice: %s',
      async (name, story) => {
        let points = 0
        for (const how of INTERRUPTIONS)
          for (let at = 1; await isEndedThoughInterrupted(story, { at, how }); at++) points += 1
        // One write is the least that an operation makes, and the end of it another.
        expect(points).toBeGreaterThan(INTERRUPTIONS.length)
        total += points
        console.log(`${name}: ${points} points of interruption`)
      },
      120_000,
    )
  })
}

/**
 * @param stride every how many places are taken, besides the first of each kind of call
 * @param every of how many operations one is taken
 * @param first of the operations that is taken, from 0
 */
export async function crashSuite(
  host: string,
  stride: number,
  every: number,
  first = 0,
): Promise<void> {
  const { totals, chosen } = await matrixOf(stride)
  const stories = Object.entries(STORIES).filter((_story, at) => at % every === first)
  const total = stories.reduce((sum, [name]) => sum + (totals.get(name) ?? 0), 0)
  let done = 0
  const ground = onTables(host, () => {
    const rule = stride === 1 ? 'all' : `every ${stride}th, and each kind of call once`
    return `${done} of ${total} points of interruption on the table: ${rule} of ${stories.length} operations`
  })

  describe('on the table', () => {
    test.concurrent.each(stories)(
      'an operation makes the calls that it makes on memory, and ends wherever it is interrupted: %s',
      async (name, story) => {
        expect(await callsOf(story, ground)).toEqual(await callsOf(story))
        const points = chosen.get(name) ?? []
        for (const point of points)
          expect(await isEndedThoughInterrupted(story, point, ground)).toBe(true)
        done += points.length
        console.log(`${name}: ${points.length} points of interruption on the table`)
      },
      DEADLINE_MS,
    )
  })
}

export function faultSuite(host: string, seeds: number): void {
  let faults = 0
  const runs = Object.keys(STORIES).length * seeds
  const ground = onTables(host, () => `${faults} faults on the table in ${runs} runs`)

  describe('on the table', () => {
    test.concurrent.each(Object.entries(STORIES))(
      'an operation among faults comes to its end, nothing done twice, nothing held: %s',
      async (_name, story) => {
        // Stories run side by side: each has faults of its own, and the short ones not with every seed.
        let own = 0
        for (let seed = 1; seed <= seeds || (own === 0 && seed <= MOST_SEEDS); seed++)
          own += await faultsSurvived(story, seed, ground)
        expect(own).toBeGreaterThan(0)
        faults += own
      },
      DEADLINE_MS,
    )
  })
}
