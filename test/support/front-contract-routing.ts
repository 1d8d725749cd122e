/**
 * What a cluster of fronts promises to a proxy that routes: it tells where partitions are, says when
 * a statement came to the wrong server, and changes by order. The same over both engines.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Flavour } from '../../infra/local/front/picture.ts'
import { FrontClient, OB20_FEATURES, PROXY_FEATURES, rowsOf, statusOf } from './front-client.ts'
import { errorOf } from './raw-client.ts'
import type { RoutingCluster, Which } from './routing-cluster.ts'

const ID = { v3: 'partition_id', v4: 'tablet_id' } as const

const QUESTIONS = {
  v3: {
    version: '3.2.4.1',
    parameter: '__all_virtual_sys_parameter_stat',
    zones:
      'SELECT zone, status, is_merging, region, spare4, spare5 FROM oceanbase.__all_virtual_zone_stat',
    tenants:
      "SELECT tenant_name, primary_zone FROM oceanbase.__all_tenant WHERE previous_locality = '' AND tenant_id != 1",
  },
  v4: {
    version: '4.3.5.3',
    parameter: 'V$OB_PARAMETERS',
    zones:
      'SELECT zone, status, 0 AS is_merging, region, idc AS spare4, type AS spare5 FROM oceanbase.DBA_OB_ZONES',
    tenants:
      'SELECT tenant_name, primary_zone FROM oceanbase.DBA_OB_TENANTS WHERE previous_locality IS NULL AND tenant_id != 1',
  },
} as const

export function routingContract(
  name: string,
  start: () => Promise<RoutingCluster>,
  flavour: Flavour,
): void {
  describe(name, () => {
    let cluster: RoutingCluster
    const clients: FrontClient[] = []

    const open = (which: Which) => {
      const client = new FrontClient(cluster.front(which).server, true)
      clients.push(client)
      return client
    }
    const at = async (which: Which, features = PROXY_FEATURES) => {
      const client = open(which)
      const { user, password, database } = cluster.accounts
      const login = { user: `${user}@app`, password, database, features }
      const [answer] = await client.logIn(login)
      expect(answer?.payload[0]).toBe(0x00)
      return client
    }
    const proxyro = async (which: Which = 1) => {
      const client = open(which)
      const [answer] = await client.logIn({
        user: 'proxyro@sys',
        password: cluster.accounts.proxyro,
      })
      expect(answer?.payload[0]).toBe(0x00)
      return client
    }
    const ask = async (sql: string, which: Which = 1) =>
      rowsOf(await (await proxyro(which)).query(sql))
    const schema = (columns: string, table: string, rest: string, tenant = 'app') =>
      ask(
        `SELECT /*+ READ_CONSISTENCY(WEAK) */ ${columns} FROM oceanbase.__all_virtual_proxy_schema ` +
          `WHERE tenant_name = '${tenant}' AND database_name = '${databaseOf(table)}' ` +
          `AND table_name = '${table}'${rest}`,
      )
    const databaseOf = (table: string) =>
      table === '__all_dummy' ? 'oceanbase' : cluster.accounts.database
    /** The number of a server that does not lead the partition. */
    const another = async (table: string, partition: number) => {
      const leader = await cluster.leader(table, partition)
      return cluster.addresses.findIndex(address => address !== leader) + 1
    }
    const told = (ok: Buffer, variable: string) => {
      const from = ok.indexOf(variable)
      if (from < 0) return undefined
      const value = from + variable.length
      return ok.subarray(value + 1, value + 1 + ok.readUInt8(value)).toString()
    }
    const hit = (ok: Buffer) => told(ok, 'ob_proxy_partition_hit') !== 'OFF'

    beforeAll(async () => {
      cluster = await start()
      const client = await at(1)
      for (const sql of [
        'CREATE TABLE whole (id INT PRIMARY KEY, name VARCHAR(50))',
        'CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS 12',
        'CREATE TABLE ranged (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY RANGE(id) ' +
          '(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), ' +
          'PARTITION p2 VALUES LESS THAN MAXVALUE)',
      ]) {
        const { packets } = await client.query(sql)
        expect([sql, packets[0]?.payload[0]]).toEqual([sql, 0x00])
      }
      await client.query("INSERT INTO whole VALUES (1, 'one')")
      await client.query("INSERT INTO hashed VALUES (1, 'one'), (2, 'two'), (15, 'fifteen')")
      await client.query("INSERT INTO ranged VALUES (1, 'one'), (15, 'fifteen'), (99, 'more')")
    })

    beforeEach(async () => {
      await cluster.order('all', { kind: 'normal' })
      for (const front of cluster.fronts) front.faults.clear()
    })

    afterEach(() => {
      for (const client of clients.splice(0)) client.raw.socket.destroy()
    })

    afterAll(() => cluster?.stop())

    describe('tells of the cluster', () => {
      test('its version, its name, zones, servers and tenants', async () => {
        const { parameter, zones, tenants, version } = QUESTIONS[flavour]

        expect(await ask('SELECT ob_version() AS cluster_version')).toEqual([[version]])
        expect(
          await ask(`SELECT value FROM oceanbase.${parameter} WHERE name = 'cluster' LIMIT 1`),
        ).toEqual([['obcluster']])
        expect(await ask(zones)).toEqual(
          ['z1', 'z2', 'z3'].map(zone => [zone, 'ACTIVE', '0', 'region1', zone, 'ReadWrite']),
        )
        expect(await ask(tenants)).toEqual([['app', 'RANDOM']])
      })

      const servers = () =>
        ask(
          flavour === 'v4'
            ? 'SELECT svr_ip, sql_port AS svr_port, zone, status, start_service_time IS NOT NULL AS started, ' +
                'stop_time IS NOT NULL AS stopped FROM oceanbase.DBA_OB_SERVERS WHERE svr_port > 0 ORDER BY zone'
            : 'SELECT svr_ip, svr_port, zone, status, start_service_time > 0 AS started, ' +
                'stop_time > 0 AS stopped FROM oceanbase.__all_virtual_proxy_server_stat WHERE svr_port > 0 ORDER BY zone',
        )

      test('servers by zone, and each state that a proxy knows', async () => {
        const found = await servers()

        expect(found.map(([host, , zone]) => `${zone} ${host?.split('.').at(-1)}`)).toEqual([
          'z1 1',
          'z1 4',
          'z2 2',
          'z2 5',
          'z3 3',
          'z3 6',
        ])
        expect(new Set(found.map(row => row.slice(3).join(' ').toUpperCase()))).toEqual(
          new Set(['ACTIVE 1 0']),
        )
        cluster.picture.setServer(cluster.key(2), { isStopped: true })
        cluster.picture.setServer(cluster.key(3), { isStarted: false })
        cluster.picture.setServer(cluster.key(4), { status: 'INACTIVE' })
        cluster.picture.setServer(cluster.key(5), { status: 'DELETING' })
        cluster.picture.setServer(cluster.key(6), { isListed: false })

        const changed = await servers()

        expect(changed.map(row => row.slice(3).join(' ').toUpperCase())).toEqual([
          'ACTIVE 1 0',
          'INACTIVE 1 0',
          'ACTIVE 1 1',
          'DELETING 1 0',
          'ACTIVE 0 0',
        ])
        for (const { key } of cluster.picture.servers)
          cluster.picture.setServer(key, {
            status: 'ACTIVE',
            isStarted: true,
            isStopped: false,
            isListed: true,
          })
      })

      test('a compaction by zone, where that version tells of it', async () => {
        const merging = () =>
          ask(
            flavour === 'v4'
              ? "SELECT DISTINCT zone FROM oceanbase.CDB_OB_ZONE_MAJOR_COMPACTION WHERE status != 'IDLE'"
              : 'SELECT zone FROM oceanbase.__all_virtual_zone_stat WHERE is_merging > 0',
          )
        expect(await merging()).toEqual([])
        cluster.picture.setZone('z2', { isMerging: true })

        expect(await merging()).toEqual([['z2']])
        cluster.picture.setZone('z2', { isMerging: false })
      })

      test('joins, groups and unknown columns as a server does', async () => {
        const [one, two] =
          flavour === 'v4'
            ? ['DBA_OB_SERVERS', 'DBA_OB_ZONES']
            : ['__all_virtual_proxy_server_stat', '__all_virtual_zone_stat']

        expect(
          await ask(
            `SELECT z.zone, COUNT(*) AS servers FROM oceanbase.${one} s LEFT JOIN oceanbase.${two} z ` +
              'ON s.zone = z.zone GROUP BY z.zone ORDER BY z.zone DESC',
          ),
        ).toEqual([
          ['z3', '2'],
          ['z2', '2'],
          ['z1', '2'],
        ])
        const { packets } = await (await proxyro()).query(`SELECT nope FROM oceanbase.${two}`)
        expect(errorOf(packets[0]).errno).toBe(1054)
      })

      test.runIf(flavour === 'v4')('the only leader of a tenant', async () => {
        const leaders = () =>
          ask(
            'SELECT DISTINCT tenant_id, svr_ip FROM oceanbase.CDB_OB_LS_LOCATIONS WHERE ls_id != 1 ' +
              `AND role = 'LEADER' AND tenant_id IN (${cluster.picture.tenant('app').id})`,
          )
        expect(await leaders()).toHaveLength(6)
        cluster.picture.setTenant('app', {
          primaryZone: 'z2',
          servers: cluster.addresses.slice(0, 3),
        })

        expect((await leaders()).map(([, host]) => host)).toEqual([cluster.front(2).server.host])
        expect(cluster.picture.leader('app', 200_001)).toBe(cluster.key(2))
        cluster.picture.setTenant('app', { primaryZone: 'RANDOM', servers: undefined })
      })
    })

    describe('tells where tables are', () => {
      test('a whole table: three replicas in three zones, one of them leads', async () => {
        const rows = await schema(
          'svr_ip, sql_port, role, part_num, replica_num, schema_version, table_type',
          'whole',
          ` AND ${ID[flavour]} = 0 ORDER BY role`,
        )

        expect(
          rows.map(([, port, role, parts, replicas]) => [port, role, parts, replicas]),
        ).toEqual([
          ['2881', '1', '1', '3'],
          ['2881', '2', '1', '3'],
          ['2881', '2', '1', '3'],
        ])
        expect(`${rows[0]?.[0]}:2881`).toBe(await cluster.leader('whole'))
        expect(rows[0]?.[6]).toBe('3')
      })

      test('partitions: leaders spread over all servers, one by one or all at once', async () => {
        const tablets = await cluster.tablets('hashed')
        const ids = tablets.map(({ tabletId, partitionId }) =>
          flavour === 'v4' ? String(tabletId) : partitionId,
        )
        const columns = `${ID[flavour]}, svr_ip, role, part_num`
        const all = await schema(
          columns,
          'hashed',
          ` AND ${ID[flavour]} IN (${ids.join(', ')}) ORDER BY ${ID[flavour]}, role`,
        )
        const leading = all.filter(row => row[2] === '1')

        expect(leading.map(([id]) => id)).toEqual(ids)
        expect(new Set(leading.map(([, host]) => host)).size).toBe(6)
        expect(new Set(all.map(row => row[3]))).toEqual(new Set(['12']))
        const one = await schema(columns, 'hashed', ` AND ${ID[flavour]} = ${ids[5]} ORDER BY role`)
        expect(one).toEqual(all.filter(([id]) => id === ids[5]))
      })

      test('an order moves a leader, for every front at once', async () => {
        const before = await cluster.leader('hashed', 3)
        const to = await another('hashed', 3)
        await cluster.moveLeader('hashed', 3, to)
        const { tabletId, partitionId } = await cluster.tablet('hashed', 3)
        const id = flavour === 'v4' ? tabletId : partitionId

        const rows = await schema(
          'svr_ip, role',
          'hashed',
          ` AND ${ID[flavour]} = ${id} AND role = 1`,
        )

        expect(rows).toEqual([[cluster.front(to).server.host, '1']])
        await cluster.moveLeader('hashed', 3, before)
      })

      test('a server that retires leads nothing', async () => {
        cluster.picture.retire(cluster.key(1))
        const tablets = await cluster.tablets('hashed')
        const leaders = tablets.map(({ tabletId }) => cluster.picture.leader('app', tabletId))

        expect(leaders).not.toContain(cluster.key(1))
        expect(leaders).not.toContain(undefined)
        cluster.picture.recall(cluster.key(1))
        expect(tablets.map(({ tabletId }) => cluster.picture.leader('app', tabletId))).toContain(
          cluster.key(1),
        )
      })

      test('read-only zones hold read-only replicas, which never lead', async () => {
        cluster.picture.setZone('z3', { type: 'ReadOnly' })
        const type = flavour === 'v4' ? 'replica_type' : 'spare1'
        const rows = await schema(`svr_ip, role, ${type}`, 'whole', ` AND ${ID[flavour]} = 0`)

        expect(rows.map(row => row[2]).sort()).toEqual(['0', '0', '16'])
        expect(rows.find(row => row[2] === '16')?.[1]).toBe('2')
        cluster.picture.setZone('z3', { type: 'ReadWrite' })
      })

      test('the dummy table: all servers of the tenant in groups of one a zone', async () => {
        const rows = await schema(
          `${ID[flavour]}, svr_ip, role`,
          '__all_dummy',
          ` AND sql_port > 0 ORDER BY ${ID[flavour]}, role`,
        )

        expect(rows.map(([id, host, role]) => `${id} ${host?.split('.').at(-1)} ${role}`)).toEqual([
          '0 1 1',
          '0 2 2',
          '0 3 2',
          '1 4 1',
          '1 5 2',
          '1 6 2',
        ])
        expect(await schema('svr_ip', '__all_dummy', '', 'nobody')).toEqual([])
      })

      test('nothing of what is not there', async () => {
        expect(await schema('svr_ip', 'missing', ` AND ${ID[flavour]} = 0`)).toEqual([])
        expect(await schema('svr_ip', 'whole', ` AND ${ID[flavour]} = 0`, 'nobody')).toEqual([])
      })

      test('how a table is partitioned', async () => {
        const [[id] = []] = await schema(
          'table_id',
          'ranged',
          ` AND ${ID[flavour]} = 0 AND role = 1`,
        )
        const where = `WHERE table_id = ${id}${flavour === 'v4' ? " AND tenant_name = 'app'" : ''}`

        const info = await ask(
          `SELECT part_level, part_num, part_type, part_expr, part_key_name FROM oceanbase.__all_virtual_proxy_partition_info ${where}`,
        )
        const parts = await ask(
          `SELECT part_name, HEX(high_bound_val_bin) AS bound FROM oceanbase.__all_virtual_proxy_partition ${where}`,
        )

        expect(info).toEqual([['1', '3', '3', 'id', 'id']])
        expect(parts).toEqual([
          ['p0', '0105053F000A'],
          ['p1', '0105053F0014'],
          ['p2', '0119070000FEFFFFFFFFFFFFFFFF01'],
        ])
      })
    })

    describe.each([
      ['plain', PROXY_FEATURES],
      ['OB 2.0', OB20_FEATURES],
    ])('says whether a statement came to its server, %s', (_framing, features) => {
      test('the leader is a hit, any other a miss that was executed', async () => {
        const leader = await at(await cluster.leader('hashed', 3), features)
        const other = await at(await another('hashed', 3), features)
        const sql = 'SELECT name FROM hashed WHERE id = 15'

        const [hitting, missing] = [await leader.query(sql), await other.query(sql)]

        expect([rowsOf(hitting), rowsOf(missing)]).toEqual([[['fifteen']], [['fifteen']]])
        expect([hit(hitting.last), hit(missing.last)]).toEqual([true, false])
        // It is said of one statement alone.
        expect(hit((await other.query('SELECT 1')).last)).toBe(true)
      })

      test.each([
        ['INSERT', "INSERT INTO hashed VALUES (27, 'x')"],
        ['UPDATE', "UPDATE hashed SET name = 'y' WHERE id = 27"],
        ['DELETE', 'DELETE FROM hashed WHERE id = 27'],
      ])('%s, too', async (_verb, sql) => {
        const other = await at(await another('hashed', 3), features)

        const { last } = await other.query(sql)

        expect(last[0]).toBe(0x00)
        expect(hit(last)).toBe(false)
      })

      test('a statement of partitions on several servers is a hit everywhere', async () => {
        for (const which of cluster.addresses.keys()) {
          const client = await at(which + 1, features)
          expect(hit((await client.query('SELECT COUNT(*) FROM hashed')).last)).toBe(true)
        }
      })

      test('executions of prepared statements, too', async () => {
        const client = await at(await another('whole', 0), features)
        const { id } = await client.prepare('SELECT name FROM whole WHERE name = ?')

        expect(hit((await client.execute(id, ['one'])).last)).toBe(false)
      })

      test('by order a server that does not lead refuses instead, and nothing is executed', async () => {
        const which = await another('hashed', 3)
        cluster.picture.setServer(cluster.key(which), { refusesRemote: true })
        const client = await at(which, features)
        const marks = cluster.marks()

        const { packets } = await client.query("INSERT INTO hashed VALUES (39, 'x')")

        expect(errorOf(packets[0]).errno).toBe(4038)
        expect(cluster.entries(marks).map(({ fate }) => fate)).toEqual(['refused'])
        cluster.picture.setServer(cluster.key(which), { refusesRemote: false })
        expect(rowsOf(await client.query('SELECT COUNT(*) FROM hashed WHERE id = 39'))).toEqual([
          ['0'],
        ])
      })

      test('a transaction that misses says so in every statement', async () => {
        const client = await at(await another('whole', 0), features)
        await client.query('BEGIN')
        const { last } = await client.query("UPDATE whole SET name = 'x' WHERE id = 1")

        expect([hit(last), statusOf(last)]).toEqual([false, 0x23])
        await client.query('ROLLBACK')
      })
    })

    describe('weak reads', () => {
      const weak = 'SELECT /*+ READ_CONSISTENCY(WEAK) */ name FROM hashed WHERE id = 15'

      test('are hits at every replica, misses elsewhere', async () => {
        const { tabletId } = await cluster.tablet('hashed', 3)
        const replicas = cluster.picture.replicas('app', tabletId).map(({ server }) => server)
        for (const address of cluster.addresses) {
          const client = await at(address)
          expect(hit((await client.query(weak)).last)).toBe(replicas.includes(address))
        }
      })

      test('are told from strong ones by the session, too', async () => {
        const { tabletId } = await cluster.tablet('hashed', 3)
        const follower = cluster.picture
          .replicas('app', tabletId)
          .find(({ isLeader }) => !isLeader)?.server
        const client = await at(follower ?? '')
        const strong = 'SELECT name FROM hashed WHERE id = 15'
        expect(hit((await client.query(strong)).last)).toBe(false)
        await client.query("SET ob_read_consistency = 'WEAK'")

        expect(hit((await client.query(strong)).last)).toBe(true)
      })
    })

    describe('errors by order', () => {
      test('so many times, of one tenant, of statements that fit', async () => {
        const client = await at(1)
        const front = cluster.front(1)
        front.faults.add({ errno: 8001, times: 2, tenant: 'app', pattern: 'from whole' })
        front.faults.add({ errno: 4124, tenant: 'other' })
        const errno = async (sql: string) => {
          const { packets } = await client.query(sql)
          return packets[0]?.payload[0] === 0xff ? errorOf(packets[0]).errno : 0
        }

        expect(await errno('SELECT 1')).toBe(0)
        expect(await errno('SELECT * FROM whole')).toBe(8001)
        expect(await errno('SELECT * FROM whole')).toBe(8001)
        expect(await errno('SELECT * FROM whole')).toBe(0)
      })

      test('until they are cleared, and of logins', async () => {
        const front = cluster.front(2)
        front.faults.add({ errno: 5150, at: 'login', tenant: 'app' })
        const { user, password } = cluster.accounts
        const errnos: number[] = []
        for (let turn = 0; turn < 2; turn++) {
          const client = open(2)
          const answers = await client.logIn({ user: `${user}@app`, password })
          errnos.push(errorOf(answers[0]).errno)
          await client.raw.closed()
        }
        front.faults.clear()

        expect(errnos).toEqual([5150, 5150])
        await at(2)
      })

      test('5727 with the server that leads', async () => {
        const client = await at(1, OB20_FEATURES)
        cluster.front(1).faults.add({ errno: 5727, times: 1, reroute: cluster.key(2) })

        const { packets, last } = await client.query('SELECT * FROM whole')

        expect(errorOf(packets[0]).errno).toBe(5727)
        expect(last.includes('ob_client_reroute_info')).toBe(true)
      })
    })

    describe('servers that cannot be had', () => {
      test('refuse: connections that are open go on, new ones are refused', async () => {
        const inside = await at(4)
        await cluster.order(4, { kind: 'refuse' })
        await open(4).raw.closed()

        expect(rowsOf(await inside.query('SELECT 1'))).toEqual([['1']])
        await cluster.order(4, { kind: 'normal' })
        await at(4)
      })

      test('half-open: accepted without a greeting, until the next order', async () => {
        const inside = await at(4)
        await cluster.order(4, { kind: 'half-open' })
        const late = open(4)
        await new Promise(resolve => late.raw.socket.once('connect', resolve))

        expect(rowsOf(await inside.query('SELECT 1'))).toEqual([['1']])
        expect(late.raw.packets).toEqual([])
        await cluster.order(4, { kind: 'normal' })
        await late.raw.closed()
        await at(4)
      })

      test('flap: down, up, and down again', async () => {
        await cluster.order(4, { kind: 'flap', downMs: 20, upMs: 200 })
        const connects = async () => {
          const client = open(4)
          return Promise.race([
            client.raw.next().then(() => true),
            client.raw.closed().then(() => false),
          ])
        }
        await expect.poll(connects, { interval: 5 }).toBe(true)
        await expect.poll(connects, { interval: 5 }).toBe(false)
        await expect.poll(connects, { interval: 5 }).toBe(true)
        await cluster.order(4, { kind: 'normal' })
      })

      test('a new server is listed, and serves', async () => {
        const zone = 'z1'
        const host = cluster.front(1).server.host.replace(/\d+$/, '7')
        await cluster.addServer({ host, port: 2881, zone })

        expect(rowsOf(await (await at(7)).query('SELECT 1'))).toEqual([['1']])
        expect(await schema('svr_ip', '__all_dummy', '')).toContainEqual([host])
        cluster.picture.setServer(cluster.key(7), { isListed: false })
      })
    })

    describe('the ledger', () => {
      test('tells what was executed where, and whether it belonged there', async () => {
        const right = await at(await cluster.leader('hashed', 3))
        const wrong = await at(await another('hashed', 3))
        const before = cluster.reached('hashed')
        const marks = cluster.marks()
        await right.query('SELECT name FROM hashed WHERE id = 15')
        await wrong.query('SELECT name FROM hashed WHERE id = 15')
        await right.query('SELECT 1')

        const entries = cluster.entries(marks)

        expect(
          entries.map(({ tenant, isHit, touched }) => [
            tenant,
            isHit,
            touched?.tablets.map(({ name: partition }) => partition),
          ]),
        ).toEqual([
          ['app', true, ['p3']],
          ['app', false, ['p3']],
          ['app', undefined, undefined],
        ])
        const after = cluster.reached('hashed')
        expect(after.strongHits - before.strongHits).toBe(1)
        expect(after.strongMisses - before.strongMisses).toBe(1)
      })

      test('finds statements that were executed twice', async () => {
        const watch = cluster.watchTexts()
        const [one, two] = [await at(1), await at(2)]
        for (const client of [one, two]) await client.query("SELECT 'mark 1'")
        await two.query("SELECT 'mark 2'")

        expect(watch.twice(/mark/)).toEqual(["SELECT 'mark 1'"])
        expect(watch.executed(/mark/).size).toBe(2)
      })
    })
  })
}
