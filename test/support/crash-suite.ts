/** The crash matrix on the local DynamoDB API, for a suite that takes a part of it and one that takes all. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callsOf, isEndedThoughInterrupted, matrixOf } from './crash-matrix.ts'
import { LocalDynamo } from './dynamodb.ts'
import { STORIES } from './operation-stories.ts'

/** Attempts of the client at one request, as the plane's own. */
const ATTEMPTS = 3

/** @param stride every how many places are taken, besides the first of each kind of call. */
export async function crashSuite(host: string, stride: number): Promise<void> {
  const { total, chosen } = await matrixOf(stride)
  const dynamo = new LocalDynamo(host, 8000, ATTEMPTS)
  const ground = () => dynamo.ownTable()
  let done = 0

  beforeAll(() => dynamo.ready())

  afterAll(() => {
    dynamo.stop()
    console.log(
      `${done} of ${total} points of interruption on the table: every ${stride}th, and each kind of call once`,
    )
  })

  describe('on the table', () => {
    test.concurrent.each(Object.entries(STORIES))(
      'an operation makes the calls that it makes on memory, and ends wherever it is interrupted: %s',
      async (name, story) => {
        expect(await callsOf(story, ground)).toEqual(await callsOf(story))
        for (const point of chosen.get(name) ?? []) {
          expect(await isEndedThoughInterrupted(story, point, ground)).toBe(true)
          done += 1
        }
      },
      3_600_000,
    )
  })
}
