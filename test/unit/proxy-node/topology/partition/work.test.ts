/** A statement that takes long to be computed is not: it would keep its worker from all others. */
import { describe, expect, test } from 'vitest'
import { Pruner } from '../../../../../proxy-node/topology/partition/pruner.ts'
import { condition, named, pruned, SESSION, sampleTable } from './sample-tables.ts'

const INT = { name: 'k', type: 4 }
const HASH = sampleTable({ type: 0, expr: 'k', keys: [INT], partitions: named('p', 4096) })
const DERIVED = sampleTable({ type: 0, expr: 'k div 3', keys: [INT], partitions: named('p', 4096) })
const TEXT = sampleTable({
  type: 1,
  expr: 'k',
  keys: [{ name: 'k', type: 22, collation: 45, length: 20 }],
  partitions: named('p', 4096),
})
const RANGE = sampleTable({
  type: 3,
  expr: 'k',
  keys: [INT],
  partitions: Array.from({ length: 1000 }, (_, at) => [`p${at}`, integerCell(10 * at)] as const),
})
const LIST = sampleTable({
  type: 5,
  expr: 'k',
  keys: [INT],
  partitions: Array.from({ length: 1000 }, (_, at) => [`p${at}`, `${integerCell(at)}00`] as const),
})

function integerCell(value: number): string {
  const bytes = [value & 0x7f]
  for (let left = value >> 7; left > 0; left >>= 7) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80
    bytes.push(left & 0x7f)
  }
  return `0105053F00${Buffer.from(bytes).toString('hex')}`
}

const many = (count: number, each: (at: number) => string, between: string) =>
  Array.from({ length: count }, (_, at) => each(at)).join(between)
const list = (count: number, each: (at: number) => string = String) =>
  `k in (${many(count, each, ',')})`
const intervals = (count: number) => many(count, at => `k between ${at} and ${at + 250}`, ' or ')

const LISTS = many(14, at => list(64, value => `${value + at}`), ' and ')

describe('what is computed', () => {
  test.each([
    ['a list of a thousand values', HASH, list(1_000), 'several from p0'],
    ['a list of a thousand values in a thousand ranges', RANGE, list(1_000), 'several from p1'],
    ['a list of 900 values in a thousand lists', LIST, list(900), 'several from p0'],
    ['a list of texts', TEXT, list(100, at => `'text ${at}'`), 'several from p'],
    ['some intervals of integers', HASH, intervals(10), 'several from p0'],
    [
      'lists that have a value in common',
      HASH,
      `${list(64)} and ${list(64, at => `${at + 63}`)}`,
      'p63',
    ],
  ])('%s', (_name, table, text, expected) => {
    expect(pruned(table, text)).toMatch(new RegExp(`^${expected}`))
  })
})

describe('what is unknown, because it takes too long', () => {
  test.each([
    ['many intervals of integers', HASH, intervals(160)],
    ['many intervals of integers that something is computed from', DERIVED, intervals(160)],
    ['many lists', HASH, LISTS],
    ['lists of texts', TEXT, many(8, () => list(64, at => `'a text ${at}'`), ' and ')],
    ['intervals in a thousand lists', LIST, intervals(30)],
    [
      'a condition denied again and again',
      HASH,
      `k in (1, 2) and ${'not '.repeat(150)}1 in (${many(900, () => '2', ',')}, v)`,
    ],
  ])('%s', (_name, table, text) => {
    expect(pruned(table, text)).toBe('unknown')
  })

  test('is explained as anything, and the next statement is computed', () => {
    const { expressions, root } = condition(HASH, LISTS)
    const pruner = new Pruner()

    const boxes = pruner.boxesOf(HASH, expressions, root, SESSION)
    expect(boxes).toEqual([[]])
    expect(pruner.marksOf(HASH, boxes).every(mark => mark === 1)).toBe(true)
    const next = condition(HASH, 'k in (7, 7)')
    pruner.prune(HASH, next.expressions, next.root, SESSION)
    expect(pruner.leaf).toBe(7)
  })
})
