import { beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../../../proxy-node/base/clock.ts'
import { type Answer, Cluster, parseRootservices } from '../../../../proxy-node/topology/cluster.ts'
import {
  ENTRY_TABLE,
  Locations,
  type ServerAddress,
} from '../../../../proxy-node/topology/locations.ts'

/** A clock that is moved by hand. */
class HandClock implements Clock {
  time = 1_000_000
  private timers: { at: number; act: () => void }[] = []
  now = () => this.time
  after = (delayMs: number, act: () => void) => {
    const timer = { at: this.time + delayMs, act }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter(other => other !== timer)
      },
    }
  }
  every = () => ({ cancel: () => {} })
  sleep = () => Promise.resolve()
  async pass(ms: number): Promise<void> {
    this.time += ms
    const due = this.timers.filter(({ at }) => at <= this.time)
    this.timers = this.timers.filter(({ at }) => at > this.time)
    for (const { act } of due) act()
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
}

const server = (index: number): ServerAddress => ({ host: `10.0.0.${index}`, port: 2881 })
const placed = (host: string, role: string): Record<string, string> => ({
  svr_ip: host,
  sql_port: '2881',
  role,
  part_num: '1',
})

let clock: HandClock
beforeEach(() => {
  clock = new HandClock()
})

describe('the location cache', () => {
  test('moves along its table: every state reachable, deleted is the end', () => {
    const seen = new Set<string>(['building'])
    for (const state of seen)
      for (const next of Object.values(ENTRY_TABLE[state as keyof typeof ENTRY_TABLE]))
        seen.add(next)

    expect([...seen].sort()).toEqual(Object.keys(ENTRY_TABLE).sort())
    expect(ENTRY_TABLE.deleted).toEqual({})
  })

  test('fetches once for all who ask, then answers at once', async () => {
    let fetches = 0
    const locations = new Locations(() => Promise.resolve({ leader: server(++fetches) }), clock)

    const both = await Promise.all([locations.find('t', 'd', 'x'), locations.find('t', 'd', 'x')])

    expect(both).toEqual([{ leader: server(1) }, { leader: server(1) }])
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(1)
  })

  test('serves a dirty entry on while it is refreshed, not more often than every 5 s', async () => {
    let fetches = 0
    const locations = new Locations(() => Promise.resolve({ leader: server(++fetches) }), clock)
    await locations.find('t', 'd', 'x')

    locations.missed('t', 'd', 'x')
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(1)

    await clock.pass(5_000)
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    await clock.pass(0)
    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(2) })
    expect(fetches).toBe(2)
  })

  test('keeps the old answer when a refresh fails', async () => {
    let fetches = 0
    const locations = new Locations(
      () =>
        ++fetches === 1
          ? Promise.resolve({ leader: server(1) })
          : Promise.reject(new Error('down')),
      clock,
    )
    await locations.find('t', 'd', 'x')
    locations.missed('t', 'd', 'x')
    await clock.pass(5_000)

    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    await clock.pass(0)

    expect(locations.find('t', 'd', 'x')).toEqual({ leader: server(1) })
    expect(fetches).toBe(2)
  })

  test('stays within its bound', async () => {
    const locations = new Locations(() => Promise.resolve({ leader: server(1) }), clock, {
      maxEntries: 3,
      refreshGapMs: 1,
      maxAgeMs: 1,
      missingAgeMs: 1,
    })

    for (let index = 0; index < 50; index++) await locations.find('t', 'd', `x${index}`)

    expect(locations.size).toBe(3)
  })
})

describe('a cluster', () => {
  const settings = { name: 'c', rootservices: [server(1), server(2)], refreshIntervalMs: 20_000 }
  const servers = [1, 2, 3].map(index => ({
    svr_ip: `10.0.0.${index}`,
    svr_port: '2881',
    zone: `z${index}`,
    status: 'ACTIVE',
    started: '1',
    stopped: '0',
  }))
  let asked: string[] = []
  let down = new Set<string>()
  let stopped = ''

  const query = (to: ServerAddress, sql: string): Promise<Answer> => {
    asked.push(to.host)
    if (down.has(to.host)) return Promise.reject(new Error('refused'))
    if (sql.includes('DBA_OB_SERVERS'))
      return Promise.resolve(
        servers.map(row => (row.svr_ip === stopped ? { ...row, stopped: '1' } : row)),
      )
    if (sql.includes("tenant_name = 'nobody'")) return Promise.resolve([])
    if (sql.includes('__all_dummy'))
      return Promise.resolve([1, 2, 3].map(index => placed(`10.0.0.${index}`, '2')))
    if (sql.includes("table_name = 'parted'"))
      return Promise.resolve([{ ...placed('10.0.0.2', '1'), part_num: '4' }])
    return Promise.resolve([placed('10.0.0.3', '1'), placed('10.0.0.1', '2')])
  }

  beforeEach(() => {
    asked = []
    down = new Set()
    stopped = ''
  })

  const started = async () => {
    const cluster = new Cluster(settings, query, clock)
    await cluster.start()
    return cluster
  }

  test('starts from any root service that answers', async () => {
    down.add('10.0.0.1')

    const cluster = await started()

    expect(cluster.isLoaded).toBe(true)
    expect(asked).toContain('10.0.0.2')
  })

  test('tells an unknown tenant from a cluster that cannot be asked', async () => {
    const cluster = await started()

    expect(await cluster.tenantServers('nobody')).toEqual([])
    for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) down.add(host)
    await expect(cluster.tenantServers('new')).rejects.toThrow('no server of cluster c answered')
  })

  test('serves its last picture when every server is gone', async () => {
    const cluster = await started()
    await cluster.tenantServers('app')
    for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) down.add(host)
    await clock.pass(60_000)

    expect(cluster.tenantServers('app')).toHaveLength(3)
  })

  test('knows the leader of a table; a partitioned one has none of its own', async () => {
    const cluster = await started()

    expect(await cluster.leaderOf('app', 'd', 't')).toEqual(server(3))
    expect(await cluster.leaderOf('app', 'd', 'parted')).toBeUndefined()
  })

  test('tries servers last that refuse, and again after 20 s', async () => {
    const cluster = await started()
    await cluster.tenantServers('app')
    for (let failure = 0; failure < 5; failure++) cluster.connectFailed(server(2))

    const orders = [1, 2, 3, 4].map(() => cluster.tenantServers('app') as readonly ServerAddress[])
    expect(orders.map(order => order.at(-1))).toEqual([server(2), server(2), server(2), server(2)])

    clock.time += 20_001
    const later = [1, 2, 3].map(() => (cluster.tenantServers('app') as readonly ServerAddress[])[0])
    expect(later).toContainEqual(server(2))
  })

  test('tries a stopped server last', async () => {
    stopped = '10.0.0.1'

    const cluster = await started()
    const order = await cluster.tenantServers('app')

    expect(order.at(-1)).toEqual(server(1))
  })
})

describe('the root service list', () => {
  test('is read with blanks and a last semicolon', () => {
    expect(parseRootservices(' 10.0.0.1:2881 ; 10.0.0.2:2881;')).toEqual([server(1), server(2)])
  })

  test.each(['nowhere', '10.0.0.1', '10.0.0.1:99999', '10.0.0.1:0'])(
    '%s is refused by name',
    text => {
      expect(() => parseRootservices(text)).toThrow(`'${text}' is no ip:port`)
    },
  )
})
