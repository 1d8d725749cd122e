import { beforeEach, describe, expect, test } from 'vitest'
import type { TenantServers } from '../../../../proxy-node/topology/model.ts'
import { rootServersOf } from '../../../../proxy-node/topology/table-entry.ts'
import { NO_SERVERS, TENANT_LIMITS, Tenants } from '../../../../proxy-node/topology/tenants.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const SERVERS = rootServersOf([{ host: '10.0.0.1', port: 2881 }])
const MOVED = rootServersOf([{ host: '10.0.0.2', port: 2881 }])

let clock: HandClock
let asked: string[]
let answer: (tenant: string) => Promise<TenantServers>
let tenants: Tenants

beforeEach(() => {
  clock = new HandClock()
  asked = []
  answer = tenant => Promise.resolve(tenant.startsWith('no') ? NO_SERVERS : SERVERS)
  tenants = make()
})

function make(limits = TENANT_LIMITS): Tenants {
  return new Tenants(
    tenant => {
      asked.push(tenant)
      return answer(tenant)
    },
    clock,
    () => limits,
  )
}

describe('servers of tenants', () => {
  test('are asked for once for all who ask meanwhile, then known', async () => {
    const all = await Promise.all(Array.from({ length: 500 }, () => tenants.find('app')))

    expect(all).toEqual(Array(500).fill(SERVERS))
    expect(tenants.find('app')).toBe(SERVERS)
    expect(asked).toEqual(['app'])
  })

  test('of one that does not exist are not asked for again within a second', async () => {
    expect(await tenants.find('nobody')).toBe(NO_SERVERS)
    await clock.pass(999)
    expect(tenants.find('nobody')).toBe(NO_SERVERS)
    expect(asked).toHaveLength(1)

    await clock.pass(1)
    answer = () => Promise.resolve(SERVERS)

    expect(await tenants.find('nobody')).toBe(SERVERS)
    expect(asked).toHaveLength(2)
  })

  test('that are old serve on while one question is under way', async () => {
    await tenants.find('app')
    await clock.pass(20_001)
    answer = () => Promise.resolve(MOVED)

    expect(tenants.find('app')).toBe(SERVERS)
    expect(tenants.find('app')).toBe(SERVERS)
    await clock.pass(0)

    expect(tenants.find('app')).toBe(MOVED)
    expect(asked).toHaveLength(2)
  })

  test('that nobody can tell are asked for again; known ones serve on', async () => {
    await tenants.find('app')
    answer = () => Promise.reject(new Error('down'))

    await expect(tenants.find('new')).rejects.toThrow('down')
    await expect(tenants.find('new')).rejects.toThrow('down')
    await clock.pass(20_001)
    expect(tenants.find('app')).toBe(SERVERS)
    await clock.pass(0)
    expect(tenants.find('app')).toBe(SERVERS)

    expect(asked).toEqual(['app', 'new', 'new', 'app'])
  })

  test('of a tenant that was dropped are forgotten with the next refresh', async () => {
    await tenants.find('app')
    await clock.pass(20_001)
    answer = () => Promise.resolve(NO_SERVERS)
    void tenants.find('app')
    await clock.pass(0)

    expect(tenants.find('app')).toBe(NO_SERVERS)
    expect(tenants.size).toBe(0)
  })

  test('stay within their bound, and made-up names push none out', async () => {
    tenants = make({ ...TENANT_LIMITS, maxTenants: 2, maxMissing: 2 })
    for (const tenant of ['a', 'b', 'c', 'no1', 'no2', 'no3']) await tenants.find(tenant)
    asked = []

    for (const tenant of ['b', 'c', 'no2', 'no3']) await tenants.find(tenant)
    expect(asked).toEqual([])
    for (const tenant of ['a', 'no1']) await tenants.find(tenant)
    expect(asked).toEqual(['a', 'no1'])
  })

  test('are asked for anew after everything was forgotten', async () => {
    await tenants.find('app')
    await tenants.find('nobody')
    tenants.clear()

    await tenants.find('app')
    await tenants.find('nobody')

    expect(asked).toEqual(['app', 'nobody', 'app', 'nobody'])
  })
})
