/**
 * Statements that begin with WITH: the kernel's EXPLAIN names the table that they are routed by, and, when
 * one partition was computed, that one among those it reads there.
 */
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { classify } from '../../proxy-node/sql/classify.ts'
import { LEXER_MODE } from '../../proxy-node/sql/lexer.ts'
import { Predicates } from '../../proxy-node/sql/predicates.ts'
import { PRUNED, Pruner } from '../../proxy-node/topology/partition/pruner.ts'
import type { TablePartitions } from '../../proxy-node/topology/partition/table-partitions.ts'
import { type PruningGround, startGround } from './pruning/campaign.ts'
import { type Connections, partitionsOf, SESSION } from './pruning/judge.ts'

let ground: PruningGround
let connections: Connections
let partitions: TablePartitions

beforeAll(async () => {
  ground = await startGround()
  connections = await ground.connect()
  const { user } = connections
  await user.query(
    'CREATE TABLE t (k INT PRIMARY KEY, v INT, w INT) PARTITION BY HASH(k) PARTITIONS 8',
  )
  await user.query('CREATE TABLE u (k INT PRIMARY KEY, v INT)')
  partitions = await partitionsOf(connections, 't')
})

afterAll(() => ground?.stop())

/** Tables that a plan reads or writes; common table expressions are none of them, but when they recurse. */
async function planOf(sql: string): Promise<{ tables: string[]; leaves: number[] }> {
  const [rows] = await connections.user.query<RowDataPacket[]>(`EXPLAIN ${sql}`)
  const text = rows.map(row => String(Object.values(row)[0])).join('\n')
  const tables = [...text.matchAll(/TABLE (?:GET|\w+ SCAN) *\|(\w+)/g)].map(([, name = '']) => name)
  const spans = [...text.matchAll(/partitions\(([^)]*)\)/g)].map(([, span = '']) => span)
  return { tables, leaves: spans.flatMap(span => span.split(',').flatMap(leavesOf)) }
}

/** `p3`, `p[0-7]`. */
function leavesOf(text: string): number[] {
  const [, from = '', to = from] = /p\[?(\d+)(?:-(\d+))?/.exec(text) ?? []
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at)
}

const predicates = new Predicates()
const pruner = new Pruner()

/** The table, and its partition if there is one that is sure. */
function computed(sql: string): { table: string | undefined; leaf: number | undefined } {
  const bytes = Buffer.from(sql)
  const statement = classify(bytes, 0, bytes.length)
  const { table } = statement
  if (table !== 't') return { table, leaf: undefined }
  const text = { bytes, to: bytes.length, mode: LEXER_MODE.plain, isCut: false }
  predicates.read(text, statement, partitions.columns)
  const { expressions, condition } = predicates
  const found = pruner.prune(partitions, expressions, condition, SESSION)
  return { table, leaf: found === PRUNED.one ? pruner.leaf : undefined }
}

const CASES: readonly (readonly [string, string | undefined, number?])[] = [
  ['with x as (select 1 as a) select * from t where k = 1', 't', 1],
  ['with x (a, b) as (select 1, 2) select * from t where k = 2 and v in (select a from x)', 't', 2],
  ['with x as (select 1 as a), y as (select a from x) select * from t, y where t.k = 3', 't', 3],
  ['with x as (select 1 as k) (select * from t where k = 4)', 't', 4],
  ['(with x as (select 1 as k) select * from t where k = 4)', 't', 4],
  [
    'with x as (select * from t where k = 2) select t.* from t join x on t.v = x.v where t.k = 5',
    't',
    5,
  ],
  ['with x as (select * from u) select * from t left join x on t.v = x.v where t.k = 6', 't', 6],
  ['with x as (select 1 as k) select * from t where k = 7 for update', 't', 7],
  ['with x as (select 1 as k) update t set v = 1 where k = 4', 't', 4],
  ['with x as (select 1 as k) delete from t where k = 3', 't', 3],
  ['with x as (select 1 as k) select * from t where k in (1, 9)', 't', 1],
  ['with t as (select * from t where k = 3) select * from t where k = 3', 't'],
  ['with x as (select * from t where k = 2) select * from x', 't'],
  ['with x as (select * from t) select * from x where k = 1', 't'],
  ['with x as (select * from t where k = 2 for update) select * from x', 't'],
  ['with a as (with b as (select * from t where k = 2) select * from b) select * from a', 't'],
  ['select * from (with b as (select * from t where k = 2) select * from b) d', 't'],
  ['with x as (select 1 as k) select * from x, t where t.k = 1', 't'],
  ['with x as (select 1 as k) select * from x left join t on t.k = 1 and t.k = x.k', 't'],
  ['with x as (select 1 as k) select k from x where exists (select 1 from t where t.k = x.k)', 't'],
  ['with x as (select 1 as k) select * from t where k = 1 union select * from t where k = 2', 't'],
  [
    'with recursive c as (select 1 as n union all select n + 1 from c where n < 3) select * from c join t on t.k = c.n',
    't',
  ],
  [
    'with recursive c as (select * from t where k = 1 union all select t.* from c join t on t.k = c.v) select * from c',
    't',
  ],
  ['with x as (select * from u) select * from x', 'u'],
  ['with T as (select 1 as k) select * from t where k = 1', undefined],
  ['with a as (select 1 as n), t as (select 2 as k) select * from t where k = 2', undefined],
  [
    'with recursive t as (select 1 as k union all select k + 1 from t where k < 3) select 1 from t',
    undefined,
  ],
]

test.each(CASES.map(([sql, table, leaf]) => ({ sql, table, leaf })))(
  '$sql: table $table, partition $leaf',
  async ({ sql, table, leaf }) => {
    const plan = await planOf(sql)

    expect(computed(sql)).toEqual({ table, leaf })
    if (table !== undefined) expect(plan.tables).toContain(table)
    else expect(plan.leaves).toEqual([])
    if (leaf !== undefined) expect(plan.leaves).toContain(leaf)
  },
)

test.each(['insert into t', 'replace into t'])('the kernel takes no WITH before %s', async head => {
  await expect(planOf(`with x as (select 1 as k) ${head} select k, 1, 1 from x`)).rejects.toThrow(
    /syntax/,
  )
})
