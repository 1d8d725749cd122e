import { beforeEach, describe, expect, test } from 'vitest'
import { type Answer, Cluster, parseRootservices } from '../../../../proxy-node/topology/cluster.ts'
import type { ServerAddress } from '../../../../proxy-node/topology/locations.ts'
import { HandClock } from '../../../support/hand-clock.ts'

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

  test('asks one question for five hundred logins of a tenant, and none for one that is not there', async () => {
    const cluster = await started()
    asked = []

    const all = await Promise.all(
      Array.from({ length: 500 }, (_none, index) =>
        cluster.tenantServers(index < 250 ? 'app' : 'nobody'),
      ),
    )
    await cluster.tenantServers('nobody')

    expect(all.map(servers => servers.length)).toEqual([
      ...Array(250).fill(3),
      ...Array(250).fill(0),
    ])
    expect(asked).toHaveLength(2)
  })

  test('gives a question up when nobody waits for its answer any more', async () => {
    const cluster = new Cluster(
      settings,
      async to => {
        asked.push(to.host)
        clock.time += 10_000
        throw new Error('timed out')
      },
      clock,
    )

    await expect(cluster.tenantServers('app')).rejects.toThrow('no server of cluster c answered')
    expect(asked).toHaveLength(1)
  })

  test('refreshes as often as its parameter says now', async () => {
    let refreshIntervalMs = 20_000
    const live = { ...settings, refreshIntervalMs: () => refreshIntervalMs }
    const cluster = new Cluster(live, query, clock)
    await cluster.start()
    refreshIntervalMs = 1_000
    await clock.pass(20_000)
    asked = []

    await clock.pass(1_000)

    expect(asked).toHaveLength(1)
    cluster.stop()
  })

  test('that is stopped while it is being refreshed asks nothing more', async () => {
    let finish: (rows: Answer) => void = () => {}
    let questions = 0
    const cluster = new Cluster(
      settings,
      () => {
        questions += 1
        return new Promise(resolve => {
          finish = resolve
        })
      },
      clock,
    )
    const starting = cluster.start()

    cluster.stop()
    finish(servers)
    await starting
    await clock.pass(3_600_000)

    expect(questions).toBe(1)
    expect(clock.pending).toBe(0)
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
