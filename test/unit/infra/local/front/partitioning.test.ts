/** Partitions of the scripted engine: which value is where, and which parts a statement needs. */
import { describe, expect, test } from 'vitest'
import {
  type Level,
  leafNames,
  leavesFor,
  leavesOf,
  partOf,
} from '../../../../../infra/local/front/partitioning.ts'

const hash = (column: string, count: number, prefix = 'p'): Level => ({
  kind: 'hash',
  column,
  parts: Array.from({ length: count }, (_part, at) => ({
    name: `${prefix}${at}`,
    below: undefined,
  })),
})
const range = (...bounds: (number | 'MAXVALUE')[]): Level => ({
  kind: 'range',
  column: 'id',
  parts: bounds.map((below, at) => ({ name: `p${at}`, below })),
})

test.each([
  [0, 0],
  [15, 3],
  [-5, 1],
  [null, 0],
  ['7', 3],
])('HASH of %j into four is part %i', (value, part) => {
  expect(partOf(hash('id', 4), value)).toBe(part)
})

test.each([
  [9, 0],
  [10, 1],
  [-1, 0],
  [null, 0],
  [20, undefined],
])('RANGE below 10 and 20 of %j is part %j', (value, part) => {
  expect(partOf(range(10, 20), value)).toBe(part)
  expect(partOf(range(10, 20, 'MAXVALUE'), value)).toBe(part ?? 2)
})

describe('two levels', () => {
  const levels = [hash('id', 2), hash('k', 3, 'sp')]

  test('have a leaf for each pair, in the order of both', () => {
    expect(leavesOf(levels)).toBe(6)
    expect(leafNames(levels)).toEqual(['p0sp0', 'p0sp1', 'p0sp2', 'p1sp0', 'p1sp1', 'p1sp2'])
    expect(leafNames([])).toEqual([''])
  })

  test.each([
    [[[1], [2]], [5]],
    [
      [[1], undefined],
      [3, 4, 5],
    ],
    [
      [undefined, [2]],
      [2, 5],
    ],
    [
      [
        [0, 1],
        [0, 3],
      ],
      [0, 3],
    ],
    [[[], [1]], []],
  ])('values %j need leaves %j', (values, leaves) => {
    expect(leavesFor(levels, values)).toEqual(leaves)
  })
})
