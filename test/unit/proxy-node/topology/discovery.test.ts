import { describe, expect, test } from 'vitest'
import {
  majorVersionOf,
  primaryZonesOf,
  serversOf,
  shapeOf,
  singleLeadersByUnits,
  singleLeadersOf,
  tenantsOf,
  zonesOf,
} from '../../../../proxy-node/topology/discovery.ts'

test.each([
  ['OceanBase 4.2.1.8', 4, 'v4'],
  ['4.3.5.3', 4, 'v4'],
  ['3.2.4.1', 3, 'v3'],
  ['2.2.77', 2, 'v3'],
  ['10.0.0.0', 10, 'v4'],
])('version %s is %i and speaks %s', (version, major, shape) => {
  expect(majorVersionOf([{ cluster_version: version }])).toBe(major)
  expect(shapeOf(major)).toBe(shape)
})

test.each([[[]], [[{ cluster_version: null }]], [[{ cluster_version: 'none' }]]])(
  '%j is no version',
  rows => {
    expect(majorVersionOf(rows)).toBeUndefined()
  },
)

describe('zones', () => {
  const zone = (row: Record<string, string>) =>
    zonesOf([{ zone: 'z1', status: 'ACTIVE', is_merging: '0', ...row }], new Set(['z9'])).get('z1')

  test('have region, idc and type', () => {
    expect(zone({ region: 'sh', spare4: 'sh-1', spare5: 'ReadOnly' })).toEqual({
      name: 'z1',
      region: 'sh',
      idc: 'sh-1',
      type: 'ReadOnly',
      state: 'ACTIVE',
    })
  })

  test.each([
    ['ReadWrite', 'ReadWrite'],
    ['Read Only', 'ReadOnly'],
    ['READONLY', 'ReadOnly'],
    ['Encryption', 'Encryption'],
    ['', 'ReadWrite'],
    ['Whatever', 'ReadWrite'],
  ])('of type %s are %s', (text, type) => {
    expect(zone({ spare5: text })?.type).toBe(type)
  })

  test('merge when 3.x says so, or when 4.x has a compaction there', () => {
    expect(zone({ is_merging: '1' })?.state).toBe('MERGE')
    expect(zonesOf([{ zone: 'z9', status: 'ACTIVE' }], new Set(['z9'])).get('z9')?.state).toBe(
      'MERGE',
    )
  })

  test('that are not ACTIVE are being upgraded; one without a name is none', () => {
    expect(zone({ status: 'INACTIVE' })?.state).toBe('UPGRADE')
    expect(zonesOf([{ zone: '' }, { zone: null }], new Set()).size).toBe(0)
  })
})

describe('servers', () => {
  const listed = (row: Record<string, string | null>) =>
    serversOf([{ svr_ip: '10.0.0.1', svr_port: '2881', zone: 'z1', status: 'active', ...row }])

  test('have an address, and the two times as they are set', () => {
    expect(listed({ started: '1', stopped: '0' })).toEqual([
      {
        address: { host: '10.0.0.1', port: 2881 },
        zone: 'z1',
        status: 'ACTIVE',
        isStarted: true,
        isStopped: false,
      },
    ])
  })

  test.each([
    [null, false],
    ['', false],
    ['0', false],
    ['1', true],
    ['1669000000000000', true],
  ])('a time of %j is set: %s', (cell, isSet) => {
    expect(listed({ started: cell })[0]?.isStarted).toBe(isSet)
    expect(listed({ stopped: cell })[0]?.isStopped).toBe(isSet)
  })

  test.each([
    { svr_port: '0' },
    { svr_ip: '0.0.0.0' },
    { svr_ip: null },
    { svr_port: '70000' },
    { svr_port: 'x' },
  ])('%j is no address and no server', row => {
    expect(listed(row)).toEqual([])
  })
})

describe('tenants', () => {
  const row = { tenant_name: 'app', tenant_id: '1002', locality: 'FULL@z1', primary_zone: 'z1' }

  test('of 3.x have no status, those of 4.x are taken in normal status only', () => {
    expect(tenantsOf([row])).toEqual([
      { name: 'app', id: '1002', locality: 'FULL@z1', primaryZone: 'z1' },
    ])
    expect(tenantsOf([{ ...row, status: 'NORMAL' }])).toHaveLength(1)
    expect(
      tenantsOf([
        { ...row, status: 'CREATING' },
        { ...row, status: 'DROPPING' },
      ]),
    ).toEqual([])
  })
})

describe('single leaders', () => {
  const leader = (tenant_id: string, host: string) => ({
    tenant_id,
    svr_ip: host,
    sql_port: '2881',
  })

  test('are of tenants with leaders on one server, whatever the order of rows', () => {
    const found = singleLeadersOf([
      leader('1002', '10.0.0.1'),
      leader('1004', '10.0.0.1'),
      leader('1002', '10.0.0.2'),
      leader('1006', '10.0.0.3'),
      leader('1002', '10.0.0.3'),
    ])

    expect([...found.keys()]).toEqual(['1004', '1006'])
    expect(found.get('1004')).toEqual({ host: '10.0.0.1', port: 2881 })
  })

  test('a row without an address makes none', () => {
    expect(singleLeadersOf([leader('1002', '0.0.0.0')]).size).toBe(0)
  })
})

describe('single leaders of 3.x', () => {
  const tenant = { name: 'app', id: '1002', locality: '', primaryZone: 'z2;z1' }
  const unit = (zone: string, change: Record<string, string> = {}) => ({
    tenant_id: '1002',
    resource_pool_id: '9',
    unit_count: '1',
    zone,
    svr_ip: `s-${zone}`,
    sql_port: '2881',
    ...change,
  })
  const UNITS = [unit('z1'), unit('z2'), unit('z3'), unit('z2', { tenant_id: '1004' })]

  test('are in the unit of the first zone', () => {
    expect([...singleLeadersByUnits(UNITS, [tenant])]).toEqual([
      ['1002', { host: 's-z2', port: 2881 }],
    ])
  })

  test.each([
    ['no zone comes first', { primaryZone: 'RANDOM' }, UNITS],
    ['two zones come first', { primaryZone: 'z1,z2;z3' }, UNITS],
    ['a zone has two units', {}, UNITS.map(row => ({ ...row, unit_count: '2' }))],
    ['there are two pools', {}, [...UNITS, unit('z4', { resource_pool_id: '10' })]],
    ['the first zone has no unit', { primaryZone: 'z9' }, UNITS],
    ['there are no units', {}, []],
  ])('are none when %s', (_what, change, units) => {
    expect(singleLeadersByUnits(units, [{ ...tenant, ...change }]).size).toBe(0)
  })
})

test.each([
  ['z1,z2;z3', [['z1', 'z2'], ['z3']]],
  [' z1 ; z2 ', [['z1'], ['z2']]],
  ['RANDOM', []],
  ['random', []],
  ['', []],
  [';;', []],
])('primary zone %j is %j', (text, zones) => {
  expect(primaryZonesOf(text)).toEqual(zones)
})
