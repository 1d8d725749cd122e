import { describe, expect, test } from 'vitest'
import {
  addressOf,
  Locations,
  locationOf,
  replicasOf,
  rootServersOf,
  routineEntryOf,
  tableEntryOf,
  tenantServersOf,
} from '../../../../proxy-node/topology/table-entry.ts'

const row = (host: string, more: Record<string, string | null> = {}) => ({
  table_id: '500001',
  svr_ip: host,
  sql_port: '2881',
  role: '2',
  part_num: '1',
  schema_version: '1669000000000000',
  table_type: '3',
  replica_type: '0',
  dup_replica_type: '0',
  tablet_id: '0',
  ...more,
})

describe('a table', () => {
  test('has its ids as texts, its replicas and their roles', () => {
    const entry = tableEntryOf(
      [row('a', { role: '1', table_id: '1152921504606847009' }), row('b')],
      new Locations(),
    )

    expect(entry).toMatchObject({
      tableId: '1152921504606847009',
      tableType: 3,
      partNum: 1,
      schemaVersion: '1669000000000000',
      description: undefined,
    })
    expect(entry?.replicas.map(({ key, isLeader }) => [key, isLeader])).toEqual([
      ['a:2881', true],
      ['b:2881', false],
    ])
  })

  test('without a row is none; with a placeholder only it is there and nowhere', () => {
    expect(tableEntryOf([], new Locations())).toBeUndefined()
    const entry = tableEntryOf([row('0.0.0.0', { sql_port: '0' })], new Locations())
    expect(entry?.replicas).toEqual([])
  })

  test('of an old server lacks what is optional', () => {
    const entry = tableEntryOf([{ svr_ip: 'a', sql_port: '1' }], new Locations())
    expect(entry).toMatchObject({ tableId: '0', tableType: 0, partNum: 1, schemaVersion: '0' })
  })
})

describe('replicas', () => {
  test.each([
    ['0', 'FULL'],
    ['5', 'LOGONLY'],
    ['16', 'READONLY'],
    ['261', 'LOGONLY'],
    ['1', 'OTHER'],
    ['20', 'OTHER'],
    ['99', 'OTHER'],
    [null, 'FULL'],
  ])('of type %j are %s', (code, type) => {
    expect(replicasOf([row('a', { replica_type: code })])[0]?.type).toBe(type)
  })

  test.each([
    ['0', false],
    [null, false],
    ['1', true],
  ])('of duplicate type %j are duplicates: %s', (code, isDuplicate) => {
    const [replica] = replicasOf([row('a', { dup_replica_type: code })])
    expect(replica?.isDuplicate).toBe(isDuplicate)
    expect(locationOf(replica === undefined ? [] : [replica]).hasDuplicates).toBe(isDuplicate)
  })

  test('that are equal are one list, up to a bound', () => {
    const lists = new Locations(2)
    const first = lists.of(replicasOf([row('a'), row('b')]))

    expect(lists.of(replicasOf([row('a'), row('b')]))).toBe(first)
    expect(lists.of(replicasOf([row('b'), row('a')]))).not.toBe(first)
    expect(lists.of(replicasOf([row('a', { role: '1' }), row('b')]))).not.toBe(first)
    expect(lists.of(replicasOf([row('a'), row('b')]))).not.toBe(first)
  })

  test('have a leader, or none', () => {
    expect(locationOf(replicasOf([row('a'), row('b', { role: '1' })])).leader?.key).toBe('b:2881')
    expect(locationOf(replicasOf([row('a')])).leader).toBeUndefined()
    expect(locationOf([]).leader).toBeUndefined()
  })
})

describe('servers of a tenant', () => {
  test('are named once, lead nothing, and come in groups', () => {
    const servers = tenantServersOf([
      row('a', { role: '1', tablet_id: '0' }),
      row('b', { tablet_id: '0' }),
      row('c', { role: '1', tablet_id: '1' }),
      row('a', { tablet_id: '1' }),
    ])

    expect(servers.replicas.map(({ key, isLeader }) => [key, isLeader])).toEqual([
      ['a:2881', false],
      ['b:2881', false],
      ['c:2881', false],
    ])
    expect(servers.groupSize).toBe(2)
  })

  test('of an unknown tenant are none', () => {
    expect(tenantServersOf([])).toEqual({ replicas: [], groupSize: 1 })
  })
})

test('root services are full replicas that lead nothing', () => {
  expect(rootServersOf([{ host: 'a', port: 1 }])).toEqual({
    replicas: [
      {
        server: { host: 'a', port: 1 },
        key: 'a:1',
        isLeader: false,
        type: 'FULL',
        isDuplicate: false,
      },
    ],
    groupSize: 1,
  })
  expect(rootServersOf([]).groupSize).toBe(1)
})

test('a routine has its text, or none that says where it belongs', () => {
  expect(routineEntryOf([])).toBeUndefined()
  expect(routineEntryOf([{ routine_id: '9', routine_type: '1', routine_sql: 'SELECT 1' }])).toEqual(
    {
      routineId: '9',
      routineType: 1,
      schemaVersion: '0',
      sql: 'SELECT 1',
    },
  )
  expect(routineEntryOf([{ routine_sql: null }])?.sql).toBe('')
})

test.each([
  ['10.0.0.1', '2881', true],
  ['::1', '1', true],
  ['0.0.0.0', '2881', false],
  ['10.0.0.1', '0', false],
  ['10.0.0.1', '65536', false],
  ['10.0.0.1', null, false],
  [null, '1', false],
  ['', '1', false],
])('%j and %j are an address: %s', (host, port, isOne) => {
  expect(addressOf(host, port) !== undefined).toBe(isOne)
})
