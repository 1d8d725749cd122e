import { describe, expect, test } from 'vitest'
import {
  STATE_ROWS,
  serverState,
  zoneState,
} from '../../../../proxy-node/topology/server-states.ts'

describe('server states (§9.2)', () => {
  test.each([
    ['ACTIVE', true, true, 'UPGRADE'],
    ['ACTIVE', false, true, 'UPGRADE'],
    ['INACTIVE', false, true, 'UPGRADE'],
    ['DELETING', true, true, 'UPGRADE'],
    ['ACTIVE', false, false, 'REPLAY'],
    ['INACTIVE', false, false, 'INACTIVE'],
    ['DELETING', false, false, 'INACTIVE'],
    ['INACTIVE', true, false, 'INACTIVE'],
    ['ACTIVE', true, false, 'ACTIVE'],
    ['active', true, false, 'ACTIVE'],
    ['DELETING', true, false, 'DELETING'],
    ['TAKENOVER_BY_RS', true, false, 'INACTIVE'],
  ] as const)('%s, started %s, stopped %s is %s', (status, isStarted, isStopped, state) => {
    expect(serverState(status, isStarted, isStopped)).toBe(state)
  })

  test('each row is met by some server', () => {
    const met = new Set<string>()
    for (const status of ['ACTIVE', 'INACTIVE', 'DELETING', 'odd'])
      for (const isStarted of [true, false])
        for (const isStopped of [true, false]) met.add(serverState(status, isStarted, isStopped))

    expect([...met].sort()).toEqual([...new Set(STATE_ROWS.map(({ state }) => state))].sort())
  })

  test.each([
    ['INACTIVE', false, 'UPGRADE'],
    ['INACTIVE', true, 'UPGRADE'],
    ['ACTIVE', true, 'MERGE'],
    ['ACTIVE', false, 'ACTIVE'],
    ['active', false, 'ACTIVE'],
  ] as const)('a zone that is %s, merging %s, is %s', (status, isMerging, state) => {
    expect(zoneState(status, isMerging)).toBe(state)
  })
})
