/** What the proxy tells of its routing, read by a client of tenant proxysys and from the log. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { AdminPorts } from '../../../../proxy-node/admin/answer.ts'
import { runAdmin } from '../../../../proxy-node/admin/dispatch.ts'
import { ConfigStore } from '../../../../proxy-node/config/store.ts'
import { NodeTraffic } from '../../../../proxy-node/observe/metrics.ts'
import {
  clusterViews,
  nodeCounters,
  staleReplicas,
} from '../../../../proxy-node/process/admin-views.ts'
import type { Sessions } from '../../../../proxy-node/session/sessions.ts'
import type { ClustersUnderTest } from '../../../support/node-clusters.ts'
import { type Routed, rowsOf, startRouted } from '../../../support/routed.ts'

const folder = mkdtempSync(join(tmpdir(), 'obfleet-answers-'))
const lines: string[] = []
let under: Routed
let client: Connection
let admin: Connection

function portsOf(clusters: ClustersUnderTest, sessions: () => Sessions): AdminPorts {
  const traffic = new NodeTraffic()
  return {
    ...clusterViews(clusters.node),
    config: ConfigStore.open(folder, new Map()),
    sessions: async () => [],
    kill: async () => false,
    availability: async () => 'ACTIVE',
    upgrade: async () => [],
    certificates: {
      current: { cert: '', key: '', ca: '', facts: [] },
      since: 0,
      failure: undefined,
    },
    counters: async () => {
      traffic.take(0, sessions().traffic.snapshot(sessions().list()))
      return nodeCounters(traffic, clusters.node, { error: 0, warn: 0, unexpected: 0 })
    },
    digests: async () => sessions().digests.snapshot(),
    stale: async () => staleReplicas(clusters.directory.staleReplicas(), clusters.node),
    failed: error => {
      throw error
    },
  }
}

beforeAll(async () => {
  under = await startRouted({
    subnet: '127.31.10',
    misrouted: line => lines.push(line),
    admin: ({ clusters, sessions }) => {
      const ports = portsOf(clusters, sessions)
      return {
        accepts: () => true,
        run: (user, sql, connectionId) => runAdmin(sql, { user, connectionId }, ports),
      }
    },
  })
  const setup = await under.connect()
  for (const sql of [
    'CREATE TABLE whole (id INT PRIMARY KEY, name VARCHAR(50))',
    'CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS 12',
    "INSERT INTO whole VALUES (1, 'one')",
    "INSERT INTO hashed VALUES (1, 'one'), (2, 'two'), (15, 'fifteen')",
  ])
    await setup.query(sql)
  admin = await createConnection({
    host: '127.0.0.1',
    port: under.proxy.port,
    user: 'root@proxysys',
    password: 'any',
  })
})

beforeEach(async () => {
  client = await under.connect()
  lines.length = 0
})

afterAll(async () => {
  admin.destroy()
  await under.stop()
  rmSync(folder, { recursive: true, force: true })
})

const column = async (sql: string, at: number) => (await rowsOf(admin, sql)).map(row => row[at])

describe('SHOW PROXYROUTE', () => {
  test('tables that statements have asked for, with their replicas', async () => {
    await client.query('SELECT * FROM hashed WHERE id = 1')
    await client.query('SELECT * FROM whole')
    const leader = await under.cluster.leader('whole')

    const rows = await rowsOf(admin, "SHOW PROXYROUTE LIKE 'obcluster app demo whole'")

    expect(rows).toHaveLength(1)
    expect(rows[0]?.slice(0, 7)).toEqual(['obcluster', 'app', 'demo', 'whole', 'AVAIL', 1, 3])
    expect(rows[0]?.at(-1)).toContain(`${leader},LEADER,FULL;`)
    expect(await column("SHOW PROXYROUTE LIKE '% app % h%'", 3)).toEqual(['hashed'])
    expect(await column("SHOW PROXYROUTE LIKE 'west'", 3)).toEqual([])
  })

  test('partitions by their tablet', async () => {
    await client.query('SELECT * FROM hashed WHERE id = 15')
    const { tabletId } = await under.cluster.tablet('hashed', 3)

    const rows = await rowsOf(
      admin,
      `SHOW PROXYROUTE PARTITION LIKE 'obcluster app demo hashed ${tabletId}'`,
    )

    expect(rows.map(([, tablet, state]) => [String(tablet), state])).toEqual([
      [String(tabletId), 'AVAIL'],
    ])
    expect(rows[0]?.at(-1)).toContain(`${await under.cluster.leader('hashed', 3)},LEADER`)
  })

  test('no routines and no global indexes before any was asked for', async () => {
    expect(await rowsOf(admin, 'SHOW PROXYROUTE ROUTINE')).toEqual([])
    expect(await rowsOf(admin, 'SHOW PROXYROUTE GLOBALINDEX')).toEqual([])
  })
})

describe('SHOW PROXYCONGESTION', () => {
  test('nobody when all are well; all of them with ALL', async () => {
    expect(await rowsOf(admin, 'SHOW PROXYCONGESTION')).toEqual([])
    expect((await column('SHOW PROXYCONGESTION ALL', 4)).toSorted()).toEqual(
      [...under.cluster.addresses].toSorted(),
    )
    expect(await column("SHOW PROXYCONGESTION ALL 'obcluster'", 6)).toEqual(
      Array.from({ length: 6 }, () => 'ACTIVE'),
    )
  })

  test('a server that fails, and since when', async () => {
    const key = under.cluster.key(5)
    const [host = '', port] = key.split(':')
    for (let count = 0; count < 5; count++)
      under.known.failed({ host, port: Number(port) }, 'connect-failed')

    const rows = await rowsOf(admin, 'SHOW PROXYCONGESTION obcluster')

    expect(rows.map(row => [row[4], row[6], row[7], row[11], row[12]])).toEqual([
      [key, 'ACTIVE_CONGESTED', 1, 5, 5],
    ])
    expect(rows[0]?.[8]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
    expect(await column("SHOW PROXYSTAT LIKE 'alive_congested'", 1)).toEqual([1])
    const later = Date.now() + 60_000
    under.known.blacklist.probed(key, true, later, later)
  })

  test('4018 for a cluster that is not there', async () => {
    await expect(admin.query("SHOW PROXYCONGESTION 'west'")).rejects.toMatchObject({ errno: 4018 })
    await expect(admin.query("ALTER PROXYRESOURCE DELETE 'west'")).rejects.toMatchObject({
      errno: 4018,
    })
  })
})

describe('counters', () => {
  const counters = async () =>
    new Map((await rowsOf(admin, 'SHOW PROXYSTAT REFRESH')).map(([name, value]) => [name, value]))
  const grown = async (act: () => Promise<unknown>, name: string) => {
    const before = Number((await counters()).get(name))
    await act()
    return Number((await counters()).get(name)) - before
  }
  const ask = (sql: string) => () => client.query(sql)
  const weak = 'SELECT /*+ READ_CONSISTENCY(WEAK) */ * FROM hashed WHERE id = 15'

  test.each([
    ['leader', 'SELECT * FROM hashed WHERE id = 15'],
    ['cached', 'SELECT 1'],
  ])('one more went to %s', async (route, sql) => {
    await client.query('SELECT 2')

    expect(await grown(ask(sql), `routed_to_${route}`)).toBe(1)
  })

  test('weak reads by policy, statements of a transaction as bound', async () => {
    under.set({ proxyRoutePolicy: 'FOLLOWER_ONLY' })
    expect(await grown(ask(weak), 'routed_to_replica')).toBe(1)
    under.set({ proxyRoutePolicy: undefined })

    await client.query('BEGIN')
    await client.query("UPDATE hashed SET name = 'x' WHERE id = 15")
    expect(await grown(ask('SELECT * FROM whole'), 'routed_to_bound')).toBe(1)
    await client.query('ROLLBACK')
  })

  describe('of a long statement', () => {
    const pad = 'x'.repeat(5_000)
    const behind = `SELECT * FROM hashed WHERE name = '${pad}' AND id = 15`
    const before = `SELECT * FROM hashed WHERE id = 15 AND name = '${pad}'`

    afterEach(() => {
      under.settings.analysedBytes = 4_096
    })

    test.each([
      ['leader', 'key in the bytes that are analysed', before, 4_096],
      ['cached', 'key behind them', behind, 4_096],
      ['leader', 'key in more bytes that are analysed', behind, 16_384],
    ])('went to %s: the %s', async (route, _where, sql, analysedBytes) => {
      await client.query('SELECT 2')
      under.settings.analysedBytes = analysedBytes

      expect(await grown(ask(sql), `routed_to_${route}`)).toBe(1)
    })

    test.each([
      ['leader', 'before', 'id = ? AND name = ?', [15, 'x'.repeat(1_000_000)]],
      ['cached', 'behind', 'name = ? AND id = ?', ['x'.repeat(1_000_000), 15]],
    ])(
      'went to %s: executed with the key %s a long value',
      async (route, _where, where, values) => {
        const sql = `SELECT * FROM hashed WHERE ${where}`
        await client.execute(sql, [1, 1])
        await client.query('SELECT 2')

        expect(await grown(() => client.execute(sql, values), `routed_to_${route}`)).toBe(1)
      },
    )
  })

  test('a moved leader is a miss, told in the log without a literal', async () => {
    const sql = "SELECT name FROM hashed WHERE id = 9 AND name = 'secret-value'"
    await client.query(sql)
    const leader = await under.cluster.leader('hashed', 9)
    const other = under.cluster.addresses.find(address => address !== leader) ?? ''
    const { tabletId } = await under.cluster.tablet('hashed', 9)
    const follower = under.cluster.picture
      .replicas('app', tabletId)
      .find(({ isLeader }) => !isLeader)?.server
    await under.cluster.moveLeader('hashed', 9, follower ?? other)

    expect(await grown(ask(sql), 'routed_to_leader_missed')).toBe(1)

    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(`server=${leader}`)
    expect(lines[0]).toContain('statement=select name from hashed where id = ? and name = ?')
    expect(lines.join()).not.toContain('secret-value')
  })

  test('a guess of several partitions is confirmed or corrected by the server', async () => {
    const sql = 'SELECT * FROM hashed WHERE id IN (4, 5)'
    const before = await counters()

    await client.query(sql)

    const after = await counters()
    const of = (name: string) => Number(after.get(name)) - Number(before.get(name))
    expect(of('partition_guess_confirmed') + of('partition_guess_corrected')).toBe(1)
  })

  test('by digest, whatever the values are', async () => {
    for (const id of [1, 2, 15]) await client.query(`SELECT id FROM hashed WHERE id = ${id}`)
    await client.execute('SELECT id FROM hashed WHERE id = ?', [2])

    const rows = await rowsOf(admin, "SHOW PROXYSTAT DIGEST LIKE 'select id from hashed%'")

    expect(rows.map(row => [row[1], row[3], row[6], row[8], row.at(-1)])).toEqual([
      ['app', 4, 0, 4, 'select id from hashed where id = ?'],
    ])
  })

  test('no digests when they are off', async () => {
    under.settings.digests = 0
    await client.query('SELECT 4711 FROM whole')
    under.settings.digests = 1000

    expect(await rowsOf(admin, "SHOW PROXYSTAT DIGEST LIKE 'select ? from whole'")).toEqual([])
  })
})

describe('OB clusters in use', () => {
  test('SHOW PROXYRESOURCE, SHOW PROXYCLUSTER, SHOW PROXYINFO IDC', async () => {
    const [resource] = await rowsOf(admin, 'SHOW PROXYRESOURCE')
    const [idc] = await rowsOf(admin, 'SHOW PROXYINFO IDC')

    expect(resource?.slice(0, 3)).toEqual(['obcluster', 0, 'CR_AVAIL'])
    expect(await column('SHOW PROXYCLUSTER', 0)).toEqual(
      Array.from({ length: 6 }, () => 'obcluster'),
    )
    expect(idc?.slice(0, 3)).toEqual(['', 'obcluster', 'MATCHED_BY_NONE'])
  })

  test('SHOW PROXYSESSION READ_STALE tells of replicas that were too old', async () => {
    await client.query('SELECT * FROM hashed WHERE id = 3')
    const { tabletId } = await under.cluster.tablet('hashed', 3)
    const view = await under.clusters.directory.cluster('obcluster')
    view?.stale.told(`app\0demo\0hashed\0${tabletId}`, under.cluster.key(2), Date.now())

    const rows = await rowsOf(admin, 'SHOW PROXYSESSION READ_STALE')

    expect(rows.map(([server, , tablet]) => [server, String(tablet)])).toEqual([
      [under.cluster.key(2), String(tabletId)],
    ])
  })

  test('ALTER PROXYRESOURCE DELETE forgets a cluster; the next login makes it anew', async () => {
    await admin.query("ALTER PROXYRESOURCE DELETE 'obcluster'")
    expect(await rowsOf(admin, 'SHOW PROXYRESOURCE')).toEqual([])

    const by = await under.connect()
    await by.query('SELECT * FROM whole')

    expect(await column('SHOW PROXYRESOURCE', 2)).toEqual(['CR_AVAIL'])
  })
})
