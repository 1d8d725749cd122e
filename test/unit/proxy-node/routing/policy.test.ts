import { describe, expect, test } from 'vitest'
import type { Consistency } from '../../../../proxy-node/routing/consistency.ts'
import { hasReadOnlyZone, policyRule } from '../../../../proxy-node/routing/policy.ts'
import {
  LOCATION_A1,
  location,
  picture,
  replica,
  SERVERS,
  server,
  UPDATE,
  type ViewParts,
  viewOf,
  ZONES,
  zone,
} from '../../../support/routing-view.ts'

const DUPLICATES = location(replica('a1', { isLeader: true }), replica('b1', { isDuplicate: true }))
const TARGETS = [[{ host: 'a1', port: 2881 }]]
const SET_WEAK = { hasSetReadConsistency: true, readConsistency: 'weak' } as const
const SET_STRONG = { hasSetReadConsistency: true, readConsistency: 'strong' } as const
const SHOW = { isSelect: false, isDml: false, hasTable: false, isSessional: true }
const FIRST = { proxyRoutePolicy: 'FOLLOWER_FIRST' } as const
const ONLY = { proxyRoutePolicy: 'FOLLOWER_ONLY' } as const
const ZONES_NAMED = { proxyPrimaryZones: [['z1']] }

type Case = {
  readonly name: string
  readonly row: number
  readonly policy: string
  readonly zone?: 'ReadOnly' | 'ReadWrite'
  readonly weak?: boolean
  readonly readOnlyZone?: boolean
  readonly parts?: ViewParts
}

const CASES: readonly Case[] = [
  { name: 'target servers', row: 1, policy: 'TARGET_DB_SERVER_ONLY', parts: { targets: TARGETS } },
  {
    name: 'target servers before everything else',
    row: 1,
    policy: 'TARGET_DB_SERVER_ONLY',
    weak: true,
    readOnlyZone: true,
    parts: { targets: TARGETS, location: DUPLICATES },
  },
  { name: 'duplicates', row: 2, policy: 'DUP_REPLICA_FIRST', parts: { location: DUPLICATES } },
  {
    name: 'duplicates, also where there are read-only zones',
    row: 2,
    policy: 'DUP_REPLICA_FIRST',
    readOnlyZone: true,
    parts: { location: DUPLICATES },
  },
  {
    name: 'duplicates, but FOR UPDATE',
    row: 10,
    policy: 'PRIMARY_ZONE_FIRST',
    parts: { location: DUPLICATES, statement: { isForUpdate: true } },
  },
  {
    name: 'duplicates, but the end of the text has not come',
    row: 10,
    policy: 'PRIMARY_ZONE_FIRST',
    parts: { location: DUPLICATES, statement: { isCut: true } },
  },
  {
    name: 'duplicates, but a write',
    row: 10,
    policy: 'PRIMARY_ZONE_FIRST',
    parts: { location: DUPLICATES, statement: UPDATE },
  },
  {
    name: 'duplicates, but a weak read',
    row: 11,
    policy: 'MERGE_IDC_ORDER',
    weak: true,
    parts: { location: DUPLICATES },
  },
  ...['MERGE_IDC_ORDER', 'READONLY_ZONE_FIRST', 'ONLY_READONLY_ZONE', 'UNMERGE_ZONE_FIRST'].map(
    (policy, routePolicy) => ({
      name: `weak where there are read-only zones, ob_route_policy ${routePolicy}`,
      row: 3,
      policy,
      zone: 'ReadOnly' as const,
      weak: true,
      readOnlyZone: true,
      parts: { session: { routePolicy } },
    }),
  ),
  {
    name: 'weak where there are read-only zones: proxy_route_policy says nothing',
    row: 3,
    policy: 'READONLY_ZONE_FIRST',
    zone: 'ReadOnly',
    weak: true,
    readOnlyZone: true,
    parts: { session: FIRST },
  },
  {
    name: 'SHOW in a session that was set to weak',
    row: 4,
    policy: 'ONLY_READONLY_ZONE',
    zone: 'ReadOnly',
    readOnlyZone: true,
    parts: { statement: SHOW, session: { ...SET_WEAK, routePolicy: 2 } },
  },
  {
    name: 'SELECT without a table in a session that was set to weak',
    row: 4,
    policy: 'READONLY_ZONE_FIRST',
    zone: 'ReadOnly',
    readOnlyZone: true,
    parts: { statement: { hasTable: false }, session: SET_WEAK },
  },
  {
    name: 'another command than COM_QUERY in a session that was set to weak',
    row: 4,
    policy: 'READONLY_ZONE_FIRST',
    zone: 'ReadOnly',
    readOnlyZone: true,
    parts: { statement: { ...UPDATE, command: 'prepare' }, session: SET_WEAK },
  },
  {
    name: 'SHOW in a session that was set to strong',
    row: 5,
    policy: 'ONLY_READWRITE_ZONE',
    zone: 'ReadWrite',
    readOnlyZone: true,
    parts: { statement: SHOW, session: SET_STRONG },
  },
  {
    name: 'SHOW in a session that was set to nothing',
    row: 6,
    policy: 'MERGE_IDC_ORDER',
    readOnlyZone: true,
    parts: { statement: SHOW },
  },
  {
    name: 'a write where there are read-only zones',
    row: 7,
    policy: 'ONLY_READWRITE_ZONE',
    zone: 'ReadWrite',
    readOnlyZone: true,
    parts: { statement: UPDATE, session: SET_WEAK },
  },
  {
    name: 'a strong SELECT of a table where there are read-only zones',
    row: 7,
    policy: 'ONLY_READWRITE_ZONE',
    zone: 'ReadWrite',
    readOnlyZone: true,
  },
  {
    name: 'weak, the user variable before the parameter',
    row: 8,
    policy: 'FOLLOWER_ONLY',
    weak: true,
    parts: { session: ONLY, settings: FIRST },
  },
  {
    name: 'weak, the parameter',
    row: 8,
    policy: 'FOLLOWER_FIRST',
    weak: true,
    parts: { settings: FIRST },
  },
  {
    name: 'weak, a policy before the named zones',
    row: 8,
    policy: 'FOLLOWER_FIRST',
    weak: true,
    parts: { settings: { ...FIRST, ...ZONES_NAMED } },
  },
  {
    name: 'strong: proxy_route_policy says nothing',
    row: 10,
    policy: 'PRIMARY_ZONE_FIRST',
    parts: { session: FIRST, settings: ONLY },
  },
  {
    name: 'strong, zones are named',
    row: 9,
    policy: 'PROXY_PRIMARY_ZONE_NAME_ONLY',
    parts: { settings: ZONES_NAMED },
  },
  {
    name: 'weak, zones are named',
    row: 9,
    policy: 'PROXY_PRIMARY_ZONE_NAME_ONLY',
    weak: true,
    parts: { settings: ZONES_NAMED },
  },
  { name: 'strong', row: 10, policy: 'PRIMARY_ZONE_FIRST' },
  {
    name: 'strong, without enable_primary_zone',
    row: 11,
    policy: 'MERGE_IDC_ORDER',
    parts: { settings: { enablePrimaryZone: false } },
  },
  {
    name: 'strong, in random mode',
    row: 11,
    policy: 'MERGE_IDC_ORDER',
    parts: { settings: { mode: 'random' } },
  },
  { name: 'weak', row: 11, policy: 'MERGE_IDC_ORDER', weak: true },
]

describe('policy (§7.4)', () => {
  test.each(CASES)('$name: row $row, $policy', ({ parts, ...expected }) => {
    const view = viewOf(parts)
    const consistency: Consistency = expected.weak === true ? 'weak' : 'strong'
    const rule = policyRule(view, {
      consistency,
      hasReadOnlyZone: expected.readOnlyZone === true,
    })

    expect([rule.row, rule.policy(view), rule.zone]).toEqual([
      expected.row,
      expected.policy,
      expected.zone ?? 'any',
    ])
  })

  test('each row has a case', () => {
    expect([...new Set(CASES.map(({ row }) => row))].sort((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ])
  })
})

describe('whether there is a read-only zone', () => {
  const READ_ONLY = zone('z9', { type: 'ReadOnly' })

  test.each([
    ['no zone is read-only', picture(SERVERS), false],
    [
      'a zone is, but the tenant is not there',
      picture([...SERVERS, server('r', READ_ONLY)]),
      false,
    ],
    [
      'a zone is, and the tenant is there',
      picture([server('a1', READ_ONLY), server('b1', ZONES.z2)]),
      true,
    ],
  ])('%s', (_name, known, expected) => {
    expect(hasReadOnlyZone(viewOf({ picture: known, location: LOCATION_A1 }))).toBe(expected)
  })
})
