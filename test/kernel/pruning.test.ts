/**
 * Partitions that are computed from the kernel's own metadata are those where it keeps the rows, and
 * those that its EXPLAIN names: generated tables, values and conditions of every kind.
 * Another day's: `DIFFERENTIAL_SEED=7 npx vitest run --project kernel test/kernel/pruning.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LEXER_MODE } from '../../proxy-node/sql/lexer.ts'
import {
  campaign,
  type PruningGround,
  shapesTable,
  startGround,
  summary,
} from './pruning/campaign.ts'
import { EXCUSED_OTHER, EXCUSED_OTHER_DDL, EXCUSED_SHAPES } from './pruning/excused.ts'
import { type Connections, Judge, newTally, partitionsOf } from './pruning/judge.ts'

const PAIRS = 26_000
const BUDGET_MS = 120_000
const SHOWN = 10

/** Tables that nothing is computed for: everything else has to be known. */
const EXCUSED: readonly (readonly [what: string, ddl: string, reason: RegExp])[] = [
  [
    'a collation with rules of a language',
    'a varchar(20) collate utf8mb4_czech_ci) partition by key(a) partitions 3',
    /collation 234/,
  ],
  [
    'three levels of weights',
    'a varchar(20) collate utf8mb4_0900_as_cs) partition by key(a) partitions 3',
    /collation 278/,
  ],
  [
    'pinyin order',
    "a varchar(20) character set gbk) partition by range columns(a) (partition p0 values less than ('m'))",
    /order of collation 28/,
  ],
  [
    'gb18030 without its table of capitals',
    'a varchar(20) character set gb18030) partition by key(a) partitions 3',
    /collation 248/,
  ],
  [
    'the names of an enumeration, which are not in the metadata',
    "a enum('x', 'y')) partition by key(a) partitions 3",
    /key of type 32/,
  ],
]

const EXCUSED_LINES = EXCUSED_SHAPES.map(
  ({ shape, reason }) => `  excused: ${shape}: ${reason}`,
).join('\n')

let ground: PruningGround
let connections: Connections

beforeAll(async () => {
  ground = await startGround()
  connections = await ground.connect()
  await connections.user.query(EXCUSED_OTHER_DDL)
})

afterAll(() => ground?.stop())

const firstSeed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1) * 1_000

describe('a computed partition', () => {
  test('is the one where the kernel keeps the row and which its EXPLAIN names', async () => {
    const begunMs = performance.now()

    const tally = await campaign(ground, { firstSeed, pairs: PAIRS, budgetMs: BUDGET_MS })

    console.log(
      `${summary(tally, performance.now() - begunMs)}\n${shapesTable(tally)}\n${EXCUSED_LINES}`,
    )
    expect(tally.disagreements.slice(0, SHOWN)).toEqual([])
    expect(tally.unknown.slice(0, SHOWN)).toEqual([])
    expect(tally.rows + tally.predicates).toBeGreaterThanOrEqual(20_000)
    expect(tally.prunable).toBeGreaterThan(tally.predicates / 2)
    // Rows that a partition was computed for and that the kernel keeps nowhere.
    expect(tally.refused).toBeLessThan(tally.rows / 200)
  })

  test.each(EXCUSED)('is not known for %s', async (what, ddl, reason) => {
    const name = `excused_${EXCUSED.findIndex(([one]) => one === what)}`
    await connections.user.query(`create table ${name} (${ddl}`)

    const partitions = await partitionsOf(connections, name)

    expect(partitions.reason).toMatch(reason)
    expect(partitions.leaves.length).toBeGreaterThan(0)
    expect(partitions.leafNamed('P0')).toBe(0)
  })

  test.each(EXCUSED_SHAPES)('is not known for $shape: $reason', async ({ shape, ddl, sql }) => {
    const table = `excused_shape_${EXCUSED_SHAPES.findIndex(one => one.ddl === ddl)}`
    await connections.user.query(`create table if not exists ${table} ${ddl}`)
    const statement = sql.replace('T', table).replace('OTHER', EXCUSED_OTHER)
    const tally = newTally()

    await new Judge(connections, tally).judgeStatement(
      ddl,
      await partitionsOf(connections, table),
      { sql: statement, shape },
      LEXER_MODE.plain,
    )

    // The kernel does prune it: a shape that it does not prune needs no excuse.
    expect(tally.prunable).toBe(1)
    expect(tally.disagreements).toEqual([])
    expect(tally.unknown).toHaveLength(1)
  })
})
