/** Questions about the cluster: which statements are some, and how they are evaluated. */
import { describe, expect, test } from 'vitest'
import type { Table } from '../../../../../infra/local/front/codec.ts'
import {
  answerQuery,
  describedTenant,
  metadataQuestion,
} from '../../../../../infra/local/front/metadata.ts'
import { constantsIn, readQuery } from '../../../../../infra/local/front/metadata-parser.ts'
import { SqlError } from '../../../../../infra/local/front/scripted/sql-error.ts'

const TABLES: Readonly<Record<string, Table>> = {
  servers: {
    columns: ['host', 'zone', 'stopped_at', 'bytes_bin'],
    rows: [
      ['b', 'z2', null, '\x01\xff'],
      ['a', 'z1', 'monday', '\x02'],
      ['c', 'z1', null, ''],
      ['d', 'z9', null, null],
    ],
  },
  zones: {
    columns: ['zone', 'idc'],
    rows: [
      ['z1', 'east'],
      ['z2', 'west'],
      ['z3', 'west'],
    ],
  },
}

async function ask(sql: string) {
  const query = readQuery(sql)
  if (query === undefined) throw new Error(`not read: ${sql}`)
  const tables = (name: string) => Promise.resolve(TABLES[name] ?? { columns: [], rows: [] })
  return answerQuery(query, tables, '4.3.5.3')
}

test.each([
  ['SELECT host FROM servers', [['b'], ['a'], ['c'], ['d']]],
  ["SELECT host FROM d.servers WHERE zone = 'z1' AND host > 'a'", [['c']]],
  [
    'SELECT 0 AS n, host AS h FROM servers ORDER BY h DESC LIMIT 2',
    [
      [0, 'd'],
      [0, 'c'],
    ],
  ],
  ['SELECT stopped_at IS NOT NULL AS s FROM servers ORDER BY host', [[1], [0], [0], [0]]],
  ['SELECT HEX(bytes_bin) FROM servers ORDER BY host', [['02'], ['01FF'], [''], [null]]],
  ['SELECT DISTINCT zone FROM servers ORDER BY zone', [['z1'], ['z2'], ['z9']]],
  ['SELECT COUNT(*) FROM servers', [[4]]],
  ['SELECT COUNT(*) FROM servers WHERE host = 0', [[4]]],
  [
    'SELECT zone, COUNT(*) = 1 AS single FROM servers GROUP BY zone',
    [
      ['z2', 1],
      ['z1', 0],
      ['z9', 1],
    ],
  ],
  ["SELECT host FROM servers WHERE zone IN ('z2', 'z9')", [['b'], ['d']]],
  [
    'SELECT s.host, z.idc FROM servers AS s LEFT JOIN zones z ON s.zone = z.zone ORDER BY s.host',
    [
      ['a', 'east'],
      ['b', 'west'],
      ['c', 'east'],
      ['d', null],
    ],
  ],
  [
    'SELECT z.zone, host FROM servers s RIGHT JOIN zones z USING (zone) WHERE host IS NULL',
    [['z3', null]],
  ],
  ['SELECT z.* FROM servers s JOIN zones z ON s.zone = z.zone LIMIT 1', [['z2', 'west']]],
  [
    'SELECT t.idc, COUNT(*) AS n FROM (SELECT DISTINCT idc, s.zone FROM servers s, zones z WHERE s.zone = z.zone) t GROUP BY t.idc',
    [
      ['west', 1],
      ['east', 1],
    ],
  ],
  ['SELECT ob_version() AS v', [['4.3.5.3']]],
])('%s', async (sql, rows) => {
  expect((await ask(sql)).rows).toEqual(rows)
})

test('columns of bytes are known by their names', async () => {
  const { columns, binary } = await ask(
    'SELECT host, high_bound_val_bin AS bound FROM (SELECT host, bytes_bin AS high_bound_val_bin FROM servers) s',
  )

  expect(columns).toEqual(['host', 'bound'])
  expect(binary).toEqual(new Set([1]))
})

test('a column that is not there is an error', async () => {
  await expect(ask('SELECT nope FROM servers')).rejects.toThrow(SqlError)
})

describe('constants of a condition', () => {
  test('are those that it demands of columns', () => {
    const query = readQuery(
      "SELECT * FROM t WHERE A.tenant_name = 'o''x' AND (table_name = 'y\\\\' AND tablet_id IN (3, 4)) AND role > 0",
    )

    expect(constantsIn(query?.where)).toEqual(
      new Map<string, readonly (string | number)[]>([
        ['tenant_name', ["o'x"]],
        ['table_name', ['y\\']],
        ['tablet_id', [3, 4]],
      ]),
    )
  })

  test('of an OR are none', () => {
    expect(constantsIn(readQuery('SELECT * FROM t WHERE a = 1 OR b = 2')?.where)).toEqual(new Map())
  })

  test('keep ids that no number holds', () => {
    const query = readQuery('SELECT * FROM t WHERE partition_id = 1152921504875282433')

    expect(constantsIn(query?.where)).toEqual(new Map([['partition_id', ['1152921504875282433']]]))
  })
})

test.each([
  ['SELECT * FROM oceanbase.DBA_OB_ZONES', 'v4', true],
  ['SELECT * FROM `oceanbase`.`DBA_OB_ZONES`', 'v4', true],
  ['SELECT * FROM oceanbase.DBA_OB_ZONES', 'v3', false],
  ['SELECT * FROM oceanbase.__all_virtual_zone_stat', 'v3', true],
  ['SELECT * FROM oceanbase.__all_virtual_zone_stat', 'v4', false],
  ['SELECT ob_version()', 'v3', true],
  ["SELECT 'x' FROM t WHERE a = ' __all_virtual_proxy_schema'", 'v4', false],
  ['SELECT * FROM oceanbase.DBA_OB_ZONES z JOIN mine m ON z.zone = m.zone', 'v4', false],
  ['UPDATE oceanbase.DBA_OB_ZONES SET zone = 1', 'v4', false],
  ['SELECT 1', 'v4', false],
] as const)('%s is a question of %s: %s', (sql, flavour, isOne) => {
  expect(metadataQuestion(sql, flavour, false) !== undefined).toBe(isOne)
})

test('insides of tables are the engine’s to tell when it can', () => {
  const sql =
    "SELECT * FROM oceanbase.__all_virtual_proxy_partition WHERE table_id = 5 AND tenant_name = 'app'"

  expect(metadataQuestion(sql, 'v4', true)).toBeUndefined()
  expect(metadataQuestion(sql, 'v4', false)).toBeDefined()
  expect(describedTenant(sql)).toEqual({ tenant: 'app', ofSys: sql.replace("'app'", "'sys'") })
  expect(describedTenant('SELECT 1')).toBeUndefined()
})
