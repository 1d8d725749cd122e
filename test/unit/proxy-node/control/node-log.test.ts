import { expect, test } from 'vitest'
import { firstLines } from '../../../../proxy-node/control/node-log.ts'

function passedOf(most: number, lines: readonly string[]): readonly string[] {
  const passed: string[] = []
  const echo = firstLines(most, line => passed.push(line))
  for (const line of lines) echo(line)
  return passed
}

test('a line that fits exactly is passed on', () => {
  expect(passedOf(6, ['ab\n', 'cd\n'])).toEqual(['ab\n', 'cd\n'])
  expect(passedOf(3, ['ab\n'])).toEqual(['ab\n'])
})

test('from the first that does not fit on none is, counted in bytes', () => {
  expect(passedOf(5, ['ab\n', 'cd\n', 'e'])).toEqual(['ab\n'])
  expect(passedOf(2, ['éa'])).toEqual([])
})
