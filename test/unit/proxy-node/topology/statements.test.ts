import { describe, expect, test } from 'vitest'
import {
  CLUSTER_NAME_STATEMENT,
  leaderStatements,
  numeric,
  partitionsStatement,
  quoted,
  routineStatement,
  SERVERS_STATEMENT,
  type Shape,
  TENANTS_STATEMENT,
  tableStatement,
  tenantStatement,
  ZONES_STATEMENT,
} from '../../../../proxy-node/topology/statements.ts'

const names = { tenant: 'app', database: 'd', table: 't' }
const SHAPES: readonly Shape[] = ['v3', 'v4']

describe('the shapes of 3.x and 4.x', () => {
  test.each([
    ['the name', CLUSTER_NAME_STATEMENT, '__all_virtual_sys_parameter_stat', 'V$OB_PARAMETERS'],
    ['zones', ZONES_STATEMENT, '__all_virtual_zone_stat', 'DBA_OB_ZONES'],
    ['servers', SERVERS_STATEMENT, '__all_virtual_proxy_server_stat', 'DBA_OB_SERVERS'],
    ['tenants', TENANTS_STATEMENT, '__all_tenant', 'DBA_OB_TENANTS'],
  ])('of %s ask other tables', (_what, statement, old, young) => {
    expect(statement.v3).toContain(`FROM oceanbase.${old} `.trimEnd())
    expect(statement.v4).toContain(`FROM oceanbase.${young} `.trimEnd())
  })

  test('tell tenants whose locality does not change by an empty text, or by none', () => {
    expect(TENANTS_STATEMENT.v3).toContain("previous_locality = ''")
    expect(TENANTS_STATEMENT.v4).toContain('previous_locality IS NULL')
  })

  test('name a table without partitions, and one partition, by their id', () => {
    expect(tableStatement('v3', names)).toContain('AND partition_id = 0 ORDER BY role')
    expect(tableStatement('v4', names)).toContain('AND tablet_id = 0 ORDER BY role')
    expect(partitionsStatement('v3', names, ['7'])).toContain('AND partition_id = 7 ORDER BY')
    expect(partitionsStatement('v4', names, ['7'])).toContain('AND tablet_id = 7 ORDER BY')
    expect(partitionsStatement('v4', names, ['7', '8'])).toContain('AND tablet_id IN (7, 8)')
  })

  test('of a routine: a row of the schema table, or a table of its own', () => {
    const old = routineStatement('v3', names, 'pack')
    const young = routineStatement('v4', names, 'pack')

    expect(old).toContain("table_name = 'pack.t' AND partition_id = 0 AND svr_ip = ''")
    expect(routineStatement('v3', names, '')).toContain("table_name = 't'")
    expect(young).toContain("package_name = 'pack' AND routine_name = 't'")
  })
})

test.each(SHAPES)('names are constants between equal signs, in %s', shape => {
  for (const sql of [tableStatement(shape, names), partitionsStatement(shape, names, ['1'])])
    expect(sql).toContain("WHERE tenant_name = 'app' AND database_name = 'd' AND table_name = 't'")
  expect(tenantStatement(shape, 'app')).toContain(
    "WHERE tenant_name = 'app' AND database_name = 'oceanbase' AND table_name = '__all_dummy'",
  )
})

test.each(SHAPES)('a flush is a hint to the server, in %s', shape => {
  const hint = 'FORCE_REFRESH_LOCATION_CACHE'
  expect(tableStatement(shape, names)).not.toContain(hint)
  expect(tableStatement(shape, names, true)).toContain(hint)
  expect(partitionsStatement(shape, names, ['1'])).not.toContain(hint)
  expect(partitionsStatement(shape, names, ['1'], true)).toContain(hint)
})

test('what a client calls its table ends no text', () => {
  const evil = { tenant: "a' OR '1'='1", database: 'd\\', table: "t'" }
  const sql = tableStatement('v4', evil)

  expect(quoted("it's \\")).toBe("it''s \\\\")
  expect(sql).toContain("tenant_name = 'a'' OR ''1''=''1'")
  expect(sql).toContain("database_name = 'd\\\\' AND table_name = 't'''")
})

test.each([
  ['1152921504606847009', '1152921504606847009'],
  ['18446744073709551615', '18446744073709551615'],
  ['-1', '0'],
  ['1 OR 1=1', '0'],
  ['', '0'],
  ['1'.repeat(21), '0'],
])('id %s goes into a statement as %s', (id, text) => {
  expect(numeric(id)).toBe(text)
})

test('leaders are asked for by the ids of tenants, two hundred at a time', () => {
  const ids = Array.from({ length: 450 }, (_none, at) => String(1_000 + at))

  const statements = leaderStatements(ids)

  expect(statements.map(sql => sql.match(/\d{4}/g)?.length)).toEqual([200, 200, 50])
  expect(statements.join().match(/\d{4}/g)).toEqual(ids)
  expect(leaderStatements([])).toEqual([])
})
