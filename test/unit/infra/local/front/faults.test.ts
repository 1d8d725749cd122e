/** Errors by order and changes of the picture, as they come over the control channel. */
import { describe, expect, test } from 'vitest'
import { Faults, parseFault } from '../../../../../infra/local/front/faults.ts'
import { parseChange } from '../../../../../infra/local/front/picture-changes.ts'

describe('faults', () => {
  test('the first that fits is met, as often as it was ordered', () => {
    const faults = new Faults()
    faults.add({ errno: 8001, times: 1, tenant: 'app', pattern: 'FROM t1' })
    faults.add({ errno: 8002 })
    const meet = (tenant: string, sql: string) => faults.meet('statement', tenant, sql)?.errno

    expect(meet('other', 'select * from t1')).toBe(8002)
    expect(meet('app', 'select * from t1')).toBe(8001)
    expect(meet('app', 'select * from t1')).toBe(8002)
    expect(faults.meet('login', 'app', 'user')).toBeUndefined()
    faults.clear()
    expect(meet('app', 'select 1')).toBeUndefined()
  })

  test('are bounded', () => {
    const faults = new Faults()
    for (let at = 0; at < 100; at++) faults.add({ errno: 1 })

    expect(() => faults.add({ errno: 1 })).toThrow(RangeError)
  })
})

test.each([
  [{ errno: 5727, times: 3, reroute: '127.0.0.1:2881', at: 'statement' }, true],
  [{ errno: 4666, at: 'login', tenant: 'app', status: 35, message: 'x', pattern: 'y' }, true],
  [{}, false],
  [{ errno: 0 }, false],
  [{ errno: 70_000 }, false],
  [{ errno: 1, times: 0 }, false],
  [{ errno: 1, at: 'lunch' }, false],
  [{ errno: 1, reroute: 'localhost' }, false],
  [{ errno: 1, more: 1 }, false],
  ['fault', false],
])('the fault %j is one: %s', (value, isOne) => {
  expect(typeof parseFault(value) === 'object').toBe(isOne)
})

test.each([
  [{ kind: 'server', server: '127.0.0.1:2881', status: 'DELETING', isListed: false }, true],
  [{ kind: 'zone', zone: 'z1', type: 'ReadOnly', isMerging: true }, true],
  [{ kind: 'tenant', tenant: 'app', primaryZone: 'z1;z2', servers: ['127.0.0.1:2881'] }, true],
  [{ kind: 'leader', database: 'd', table: 't', partition: 3, server: 's' }, true],
  [{ kind: 'retire', server: 's' }, true],
  [{ kind: 'server', status: 'ACTIVE' }, false],
  [{ kind: 'server', server: 's', status: 'ASLEEP' }, false],
  [{ kind: 'leader', database: 'd', table: 't', partition: true, server: 's' }, false],
  [{ kind: 'recall', server: 's', more: 1 }, false],
  [null, false],
])('the change %j is one: %s', (value, isOne) => {
  expect(typeof parseChange(value) === 'object').toBe(isOne)
})
