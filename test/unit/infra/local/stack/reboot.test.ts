import { describe, expect, test } from 'vitest'
import type { FleetNode } from '../../../../../infra/local/stack/fleet.ts'
import { instanceOf } from '../../../../../infra/local/stack/reboot.ts'

const fleet = {
  nodes: [{ id: 'nod_1', name: 'second-1', instanceId: 'i-1' } as FleetNode],
  hosts: [
    { id: 'i-1', name: 'host1', address: '127.0.0.1', isOnline: true, nodeId: 'nod_1' },
    { id: 'i-2', name: 'host2', address: '127.0.0.2', isOnline: true, nodeId: null },
  ],
}

describe('which instance is rebooted', () => {
  test.each([
    ['second-1', 'i-1'],
    ['nod_1', 'i-1'],
    ['127.0.0.1', 'i-1'],
    ['i-2', 'i-2'],
    ['host2', 'i-2'],
  ])('%s is %s', (wanted, id) => {
    expect(instanceOf(fleet, wanted)).toBe(id)
  })

  test('an unknown one: those that there are are named', () => {
    expect(() => instanceOf(fleet, 'demo-1')).toThrow(/"demo-1"; nodes are second-1; .*i-1, i-2/)
    expect(() => instanceOf({ nodes: [], hosts: [] }, 'x')).toThrow('nodes are none')
  })
})
