import { beforeEach, expect, test } from 'vitest'
import { INQUIRY_MS, inquire } from '../../../../proxy-node/topology/inquiry.ts'
import type { Answer } from '../../../../proxy-node/topology/table-entry.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const servers = [1, 2, 3, 4, 5, 6].map(index => ({ host: `s${index}`, port: 1 }))
const ANSWER: Answer = [{ a: '1' }]

let clock: HandClock
let asked: string[]
let does: (host: string) => Promise<Answer>
beforeEach(() => {
  clock = new HandClock()
  asked = []
})

function ask(list = servers): Promise<Answer> {
  return inquire(
    {
      clock,
      query: ({ host }) => {
        asked.push(host)
        return does(host)
      },
    },
    list,
    'SELECT 1',
  )
}

const silent = () => new Promise<Answer>(() => {})

test('the first that answers is enough, and nothing is left of the question', async () => {
  does = () => Promise.resolve(ANSWER)

  expect(await ask()).toBe(ANSWER)
  expect(asked).toEqual(['s1'])
  expect(clock.pending).toBe(0)
})

test('those that refuse are passed at once', async () => {
  does = host => (host === 's4' ? Promise.resolve(ANSWER) : Promise.reject(new Error('refused')))

  expect(await ask()).toBe(ANSWER)
  expect(asked).toEqual(['s1', 's2', 's3', 's4'])
})

test('a server named twice is asked once', async () => {
  does = () => Promise.reject(new Error('refused'))

  await expect(ask([...servers, ...servers])).rejects.toThrow('refused')
  expect(asked).toHaveLength(6)
})

test('beside a silent one the next is asked, and whoever answers first has answered', async () => {
  let answerLate: (answer: Answer) => void = () => {}
  does = host =>
    host === 's1'
      ? new Promise(resolve => {
          answerLate = resolve
        })
      : silent()
  const answer = ask()

  await clock.pass(1_999)
  expect(asked).toEqual(['s1'])
  await clock.pass(1)
  expect(asked).toEqual(['s1', 's2'])
  answerLate(ANSWER)

  expect(await answer).toBe(ANSWER)
  await clock.pass(INQUIRY_MS)
  expect(asked).toHaveLength(2)
})

test('all silent: it ends in time, with a bounded number of servers asked', async () => {
  does = silent
  const answer = ask()
  const ended = expect(answer).rejects.toThrow('no answer in time')

  for (let second = 0; second < INQUIRY_MS / 1000; second++) await clock.pass(1_000)

  await ended
  expect(asked).toHaveLength(4)
  expect(clock.pending).toBe(0)
})

test('when the time is over no other is asked', async () => {
  does = () => {
    clock.time += INQUIRY_MS
    return Promise.reject(new Error('timed out'))
  }

  await expect(ask()).rejects.toThrow('timed out')
  expect(asked).toHaveLength(1)
})

test('nobody to ask is an error', async () => {
  await expect(ask([])).rejects.toThrow('no server to ask')
  expect(clock.pending).toBe(0)
})
