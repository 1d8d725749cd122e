import { describe, expect, test } from 'vitest'
import { forcedRule, parseTargets } from '../../../../proxy-node/routing/forced.ts'
import { tenant, type ViewParts, viewOf } from '../../../support/routing-view.ts'

const A1 = { host: 'a1', port: 2881 }
const SINGLE = tenant({ singleLeader: { server: A1, key: 'a1:2881' } })

type Case = readonly [name: string, row: number, parts: ViewParts]

describe('forced addresses (§7.2)', () => {
  test.each<Case>([
    ['@obproxy_route_addr', 2, { session: { boundTo: A1 }, targets: [[A1]] }],
    ['COM_STMT_FETCH', 3, { statement: { command: 'fetch' }, targets: [[A1]] }],
    ['a piece of long data', 4, { session: { heldBy: A1 }, targets: [[A1]] }],
    ['target_db_server', 5, { targets: [[A1]], settings: { mode: 'mock' } }],
    ['mock mode', 6, { settings: { mode: 'mock' } }],
    [
      'mock mode, but an internal session',
      0,
      { settings: { mode: 'mock' }, session: { isInternal: true } },
    ],
    ['mysql mode', 6, { settings: { mode: 'mysql' }, tenant: SINGLE }],
    ['a single leader', 7, { tenant: SINGLE }],
    ['a single leader, but a login', 0, { tenant: SINGLE, statement: { command: 'login' } }],
    [
      'a single leader, but zones are named',
      0,
      { tenant: SINGLE, settings: { proxyPrimaryZones: [['z1']] } },
    ],
    [
      'a single leader, but enable_single_leader_node_routing is off',
      0,
      { tenant: SINGLE, settings: { enableSingleLeaderNodeRouting: false } },
    ],
    ['a single leader, but random mode', 0, { tenant: SINGLE, settings: { mode: 'random' } }],
    ['a tenant with several leaders', 0, { tenant: tenant() }],
    ['nothing', 0, {}],
  ])('%s: row %s', (_name, row, parts) => {
    expect(forcedRule(viewOf(parts), 'strong')?.row ?? 0).toBe(row)
  })

  test('a single leader is nothing special to a weak read', () => {
    expect(forcedRule(viewOf({ tenant: SINGLE }), 'weak')).toBeUndefined()
  })
})

describe('target_db_server as text', () => {
  test.each([
    ['10.0.0.1:2881', [[{ host: '10.0.0.1', port: 2881 }]]],
    [
      '10.0.0.1:2881,10.0.0.2:2881;10.0.0.3:2883',
      [
        [
          { host: '10.0.0.1', port: 2881 },
          { host: '10.0.0.2', port: 2881 },
        ],
        [{ host: '10.0.0.3', port: 2883 }],
      ],
    ],
    [' [::1]:2881 ; ', [[{ host: '::1', port: 2881 }]]],
    ['', []],
    ['10.0.0.1', undefined],
    ['10.0.0.1:0', undefined],
    ['10.0.0.1:65536', undefined],
    ['10.0.0.1:2881;x', undefined],
    [Array.from({ length: 65 }, (_none, at) => `10.0.0.${at}:1`).join(','), undefined],
  ])('%j', (text, groups) => {
    expect(parseTargets(text)).toEqual(groups)
  })
})
