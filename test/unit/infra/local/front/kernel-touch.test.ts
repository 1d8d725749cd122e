/** What plans of the kernel say of partitions, and what is asked for statements that have no plan. */
import { describe, expect, test, vi } from 'vitest'
import { KernelTouch, tabletsIn } from '../../../../../infra/local/front/kernel-touch.ts'
import type { TableEntry } from '../../../../../infra/local/front/picture.ts'

const entry = (parts: number, subParts: number): TableEntry => ({
  tableId: 500_001,
  tableType: 3,
  schemaVersion: 1,
  tablets: Array.from({ length: parts * subParts }, (_tablet, at) => ({
    tabletId: 200_001 + at,
    partitionId: String(Math.floor(at / subParts)),
    name: `leaf${at}`,
  })),
})
const plan = (partitions: string, table = 't1') =>
  `|0 |TABLE GET|${table}|1 |5 |\n access([t1.a]), partitions(${partitions})`

test.each([
  ['p3', 12, 1, [3]],
  ['p[1-2], p5', 12, 1, [1, 2, 5]],
  ['p[0-11]', 12, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  ['p3sp2', 4, 3, [11]],
  ['p3sp[0-2]', 4, 3, [9, 10, 11]],
  ['p0sp[0-1], p2sp0', 4, 3, [0, 1, 6]],
  ['p99', 12, 1, []],
])('partitions(%s) are leaves', (partitions, parts, subParts, leaves) => {
  const tablets = tabletsIn(plan(partitions), entry(parts, subParts))

  expect(tablets.map(({ name }) => name)).toEqual(leaves.map(leaf => `leaf${leaf}`))
})

test('a plan of several tables says nothing', () => {
  expect(tabletsIn(plan('p1') + plan('p2', 't2'), entry(12, 1))).toEqual([])
})

describe('an INSERT', () => {
  const kernel = (rows: readonly Record<string, unknown>[]) => {
    const ask = vi.fn((_database: string, sql: string) => {
      if (sql.startsWith('SHOW')) return Promise.resolve([{ Field: 'a' }, { Field: 'B' }])
      if (sql.startsWith('EXPLAIN')) return Promise.resolve(rows)
      return Promise.resolve([{ part_key_name: 'b' }])
    })
    return { ask, touch: new KernelTouch({ ask, tableEntry: async () => entry(12, 1) }) }
  }

  test.each([
    ["INSERT INTO t1 VALUES (1, 'x''y')", "(`b` <=> 'x''y')"],
    ['INSERT INTO t1 (b, a) VALUES (-5, 1), (NULL, 2)', '(`b` <=> -5) OR (`b` <=> NULL)'],
  ])('%s is asked about by its values', async (sql, condition) => {
    const { ask, touch } = kernel([{ plan: plan('p4') }])

    const touched = await touch.touched('d', sql, 't1')

    expect(touched?.tablets.map(({ name }) => name)).toEqual(['leaf4'])
    expect(ask).toHaveBeenCalledWith('d', `EXPLAIN SELECT 1 FROM \`d\`.\`t1\` WHERE ${condition}`)
  })

  test.each(['INSERT INTO t1 VALUES (1, NOW())', 'INSERT INTO t1 SELECT * FROM t2'])(
    '%s cannot be told',
    async sql => {
      expect(await kernel([]).touch.touched('d', sql, 't1')).toBeUndefined()
    },
  )

  test('is asked about once, until definitions change', async () => {
    const { ask, touch } = kernel([{ plan: plan('p4') }])
    const sql = 'SELECT * FROM t1 WHERE b = 1'
    for (let turn = 0; turn < 3; turn++) await touch.touched('d', sql, 't1')
    expect(ask).toHaveBeenCalledTimes(1)
    touch.forget()
    await touch.touched('d', sql, 't1')

    expect(ask).toHaveBeenCalledTimes(2)
  })
})
