import { expect, test } from 'vitest'
import { Turns } from '../../../../proxy-node/base/turns.ts'

const scripted = () => {
  const ends: ((result: number) => void)[] = []
  const turns = new Turns(() => new Promise<number>(resolve => ends.push(resolve)))
  return { turns, ends }
}

test('who joins shares the turn that runs', async () => {
  const { turns, ends } = scripted()
  const both = [turns.join(), turns.join()]

  ends[0]?.(7)

  expect(await Promise.all(both)).toEqual([7, 7])
  expect(ends).toHaveLength(1)
})

test('who asks gets a turn that begins afterwards, and shares it with others who ask', async () => {
  const { turns, ends } = scripted()
  const first = turns.ask()
  const later = [turns.ask(), turns.ask()]
  expect(ends).toHaveLength(1)

  ends[0]?.(1)
  expect(await first).toBe(1)
  await Promise.resolve()
  ends[1]?.(2)

  expect(await Promise.all(later)).toEqual([2, 2])
  expect(ends).toHaveLength(2)
})

test('a turn that fails keeps nobody from the next', async () => {
  let tries = 0
  const turns = new Turns(() =>
    ++tries === 1 ? Promise.reject(new Error('no')) : Promise.resolve(2),
  )
  const first = turns.ask()
  const second = turns.ask()

  await expect(first).rejects.toThrow('no')
  expect(await second).toBe(2)
  expect(turns.isRunning).toBe(false)
})
