/** Errors that nobody expected: each told once a minute at most, none lost count of. */
import { beforeEach, expect, test } from 'vitest'
import { UnexpectedErrors } from '../../../../proxy-node/observe/unexpected.ts'
import { HandClock } from '../../../support/hand-clock.ts'

let clock: HandClock
let told: [what: string, times: number][]
let errors: UnexpectedErrors

beforeEach(() => {
  clock = new HandClock()
  told = []
  errors = new UnexpectedErrors(clock, (what, times) => told.push([what, times]))
})

test('one is told at once, with what it came by and why', () => {
  errors.note(new Error('outside', { cause: new TypeError('inside') }))

  expect(told).toEqual([
    [expect.stringMatching(/Error: outside(.|\n)*unexpected(.|\n)*by TypeError: inside/), 1],
  ])
})

test('the same again is told when a minute is over, with how often it was; later it is new', async () => {
  const error = new Error('again')
  for (let turn = 0; turn < 6; turn++) errors.note(error)
  await clock.pass(59_999)
  expect(told.map(([, times]) => times)).toEqual([1])

  await clock.pass(1)
  expect(told.map(([, times]) => times)).toEqual([1, 5])
  await clock.pass(60_000)
  expect(clock.pending).toBe(0)
  errors.note(error)

  expect(told.map(([, times]) => times)).toEqual([1, 5, 1])
})

test('of very many kinds most are told as one', async () => {
  for (let kind = 0; kind < 1_000; kind++) errors.note(`kind ${kind}`)

  expect(told).toHaveLength(65)
  await clock.pass(60_000)
  expect(told.at(-1)).toEqual(['errors of many other kinds', 1_000 - 65])
})
