/** EXPLAIN ROUTE over a scripted cluster: says where a statement would go, and nothing else happens. */
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SLOT } from '../../../../proxy-node/contract/telemetry.ts'
import { type Routed, rowsOf, startRouted } from '../../../support/routed.ts'

let under: Routed
let client: Connection

beforeAll(async () => {
  under = await startRouted({ subnet: '127.31.9' })
  const setup = await under.connect()
  for (const sql of [
    'CREATE TABLE whole (id INT PRIMARY KEY, name VARCHAR(50))',
    'CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS 12',
    'CREATE TABLE ranged (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY RANGE(id) ' +
      '(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), ' +
      'PARTITION p2 VALUES LESS THAN MAXVALUE)',
    "INSERT INTO whole VALUES (1, 'one')",
    "CREATE PROCEDURE touch(IN n INT) BEGIN UPDATE hashed SET name = 'x' WHERE id = n; END",
    "INSERT INTO hashed VALUES (1, 'one'), (2, 'two'), (15, 'fifteen')",
  ])
    await setup.query(sql)
  await setup.end()
})

beforeEach(async () => {
  client = await under.connect()
})

afterAll(() => under.stop())

async function plan(sql: string, by: Connection = client): Promise<string> {
  const [rows, fields] = await by.query<RowDataPacket[]>(`EXPLAIN ROUTE ${sql}`)
  expect([rows.length, fields.map(({ name }) => name)]).toEqual([1, ['Route Plan']])
  return String(rows[0]?.['Route Plan'])
}

const summary = (text: string) => text.split('\n')[0]

/** Statements that were passed to servers for clients of the tenant since. */
function passedSince(marks: ReadonlyMap<string, number>): readonly string[] {
  return under.cluster
    .entries(marks)
    .filter(({ tenant, command }) => tenant === 'app' && command === 'query')
    .map(({ text }) => text)
}

describe('tells where a statement goes', () => {
  test.each([
    ['a SELECT', 'SELECT name FROM hashed WHERE id = 15', 3],
    ['an UPDATE', "UPDATE hashed SET name = 'x' WHERE id = 16", 4],
    ['an INSERT', "INSERT INTO hashed VALUES (29, 'x')", 5],
    ['a DELETE', 'DELETE FROM hashed WHERE id = 2', 2],
    ['a SELECT behind WITH', 'WITH x AS (SELECT 1 AS n) SELECT * FROM hashed, x WHERE id = 15', 3],
    ['an UPDATE behind WITH', "WITH x AS (SELECT 1) UPDATE hashed SET name = 'x' WHERE id = 16", 4],
  ])('%s of one partition: to its leader', async (_what, sql, partition) => {
    const leader = await under.cluster.leader('hashed', partition)

    const text = await plan(sql)

    expect(summary(text)).toBe(
      `Summary: goes to ${leader}, the leader of partition p${partition} of demo.hashed: a strong statement goes to the leader of its partition`,
    )
    expect(text).toContain(`Statement: ${sql}`)
    expect(text).toContain('route_info_type:"leader"')
    expect(text).toContain('part_description:"HASH of 12"')
    expect(text).toContain(`svr_addr:"${leader}", type:"`)
  })

  test('how the partition was computed, by range', async () => {
    const text = await plan('SELECT * FROM ranged WHERE id > 10 AND id < 15')

    expect(text).toContain('part_expr:"id"')
    expect(text).toContain('part_range:["id in (10, 15)"]')
    expect(text).toContain('result:"one"')
    expect(text).toContain('partitions:["p1"]')
  })

  test('a common table expression: by its table, whose partition is not computed', async () => {
    const leader = await under.cluster.leader('whole')
    const whole = await plan('WITH x AS (SELECT * FROM whole) SELECT * FROM x WHERE id = 1')
    const hashed = await plan('WITH x AS (SELECT * FROM hashed WHERE id = 15) SELECT * FROM x')

    expect(summary(whole)).toContain(`goes to ${leader}, the leader of demo.whole`)
    expect(hashed).toContain('sql_cmd:"select", table:"demo.hashed"')
    expect(hashed).toContain('[WARN] it does not say which partition it is about')
  })

  test('a weak read behind WITH: to a replica', async () => {
    const text = await plan(
      'WITH x AS (SELECT * FROM hashed) SELECT /*+ READ_CONSISTENCY(WEAK) */ * FROM x',
    )

    expect(text).toContain('consistency_because:"the hint READ_CONSISTENCY(WEAK)"')
    expect(text).toContain('demo.hashed')
  })

  test('of several partitions, the first', async () => {
    const leader = await under.cluster.leader('ranged', 'p0')

    const text = await plan('SELECT * FROM ranged WHERE id IN (5, 15)')

    expect(text).toContain('part_range:["id = 5", "id = 15"]')
    expect(text).toContain('[INFO] it is about 2 partitions')
    expect(summary(text)).toContain(`goes to ${leader}, the leader of partition p0`)
  })

  test('a table without partitions: to its leader', async () => {
    const leader = await under.cluster.leader('whole')

    expect(summary(await plan('SELECT * FROM demo.whole'))).toBe(
      `Summary: goes to ${leader}, the leader of demo.whole: a strong statement goes to the leader of its partition`,
    )
  })

  test('by a named partition', async () => {
    const leader = await under.cluster.leader('ranged', 'p2')

    const text = await plan('SELECT * FROM ranged PARTITION (p2)')

    expect(summary(text)).toContain(`goes to ${leader}, the leader of partition p2`)
    expect(text).toContain('part_range:["named"]')
  })

  test('a weak read: to a replica, with every server that was looked at', async () => {
    const text = await plan('SELECT /*+ READ_CONSISTENCY(WEAK) */ * FROM hashed WHERE id = 15')

    expect(summary(text)).toMatch(
      /goes to 127\.31\.9\.\d:2881, (a replica|the leader) of partition p3/,
    )
    expect(text).toContain('consistency:"weak"')
    expect(text).toContain('consistency_because:"the hint READ_CONSISTENCY(WEAK)"')
    expect(text.match(/> SERVER:\{/g)?.length).toBeGreaterThan(1)
  })

  test.each([
    ['proxy_idc_name', "' Idc1 '", 'Idc1'],
    ['proxy_session_ldc', "'idc2'", 'idc2'],
  ])('by the data centre that @%s = %s names', async (variable, value, idc) => {
    await client.query(`SET @${variable} = ${value}`)

    const text = await plan('SELECT /*+ READ_CONSISTENCY(WEAK) */ * FROM hashed WHERE id = 15')

    expect(text).toContain(`proxy_idc_name:"${idc}"`)
  })

  test('a statement that does not say which partition: blind, with a warning why', async () => {
    const text = await plan("SELECT * FROM hashed WHERE name = 'x'")

    expect(summary(text)).toContain(
      'by its tenant alone, since it does not say which partition it is about',
    )
    expect(text).toContain('[WARN] it does not say which partition it is about')
  })

  test.each([
    ['a table that is nowhere', 'SELECT * FROM missing', 'no server tells where demo.missing is'],
    ['no table', 'SELECT 1', 'it names no table to route by'],
    ['SET', 'SET @x = 1', 'it names no table to route by'],
    ['DDL', 'CREATE TABLE nothing (id INT)', 'it names no table to route by'],
    ['CALL', 'CALL p(1)', 'it names no table to route by'],
    ['no SQL at all', ')garbage(', 'it names no table to route by'],
  ])('%s: by the tenant', async (_what, sql, why) => {
    expect(summary(await plan(sql))).toContain(`by its tenant alone, since ${why}`)
  })

  test.each([
    ['BEGIN', 'it waits for the statement behind it'],
    ['SHOW PROCESSLIST', 'it is about this node and its clients'],
    ['SET @obproxy_route_addr = 0', 'it is about this node and its clients'],
    ['EXPLAIN ROUTE SELECT 1', 'EXPLAIN ROUTE goes to no server'],
  ])('%s is answered by the proxy', async (sql, why) => {
    expect(summary(await plan(sql))).toContain(`Summary: answered by the proxy: ${why}`)
  })

  test.each(["PREPARE s FROM 'SELECT 1'", 'EXECUTE s', 'DEALLOCATE PREPARE s'])(
    '%s is not explained',
    async sql => {
      expect(await plan(sql)).toMatch(/^Not explained: /)
    },
  )

  test('as a prepared statement it is an error of its own', async () => {
    await expect(client.prepare('EXPLAIN ROUTE SELECT 1')).rejects.toMatchObject({ errno: 1295 })
    await expect(client.prepare('SELECT 1')).resolves.toBeDefined()
  })

  test('what has to be asked for is asked for, and known from then on', async () => {
    await under.relist()
    const sql = 'SELECT * FROM hashed WHERE id = 11'

    const [first, second] = [await plan(sql), await plan(sql)]

    expect(first).toContain('entry_from_remote:true')
    expect(second).toContain('entry_from_remote:false')
    expect(summary(second)).toBe(summary(first))
  })

  test('nothing when route_diagnosis_level is 0', async () => {
    under.settings.diagnosisLevel = 0
    expect(await plan('SELECT 1')).toBe(
      'Route diagnosis is off: set route_diagnosis_level to 1 or more.',
    )
    under.settings.diagnosisLevel = 2
  })

  test('target servers of a comment', async () => {
    const address = under.cluster.key(2)

    const text = await plan(`/* target_db_server=${address} */ SELECT * FROM whole`)

    expect(summary(text)).toContain(`goes to ${address} (target-servers): target_db_server`)
  })

  test('CALL: by the first statement of its routine', async () => {
    const leader = await under.cluster.leader('hashed', 6)

    const text = await plan('CALL touch(6)')

    expect(summary(text)).toContain(`goes to ${leader}, the leader of partition p6 of demo.hashed`)
    expect(text).toContain('Statement: CALL touch(6)')
  })

  test('a comment that names table and key', async () => {
    const leader = await under.cluster.leader('hashed', 8)

    const text = await plan('/* table hashed part_key 8 */ SELECT 1')

    expect(summary(text)).toContain(`goes to ${leader}, the leader of partition p8 of demo.hashed`)
  })

  test('the blacklist: what speaks against a leader, and who is tried instead', async () => {
    const leader = await under.cluster.leader('hashed', 7)
    const [cluster] = under.clusters.node.all()
    const [host = '', port] = leader.split(':')
    for (let count = 0; count < 5; count++)
      cluster?.failed({ host, port: Number(port) }, 'connect-failed')
    const sql = 'SELECT * FROM hashed WHERE id = 7'
    await expect.poll(() => plan(sql)).toContain(`${leader}: too many failures`)

    const text = await plan(sql)

    expect(summary(text)).not.toContain(`goes to ${leader}`)
    expect(text).toContain('against:"too many failures"')
    cluster?.blacklist.probed(leader, true, Date.now() + 60_000, Date.now() + 60_000)
    await expect.poll(() => plan(sql)).not.toContain('too many failures')
  })
})

describe('names the rule that decided', () => {
  const some = 'SELECT * FROM hashed WHERE id = 15'

  afterEach(() => under.reset())

  test('test servers, whatever the statement is about', async () => {
    const [host = '', port] = under.cluster.key(4).split(':')
    under.set({ mode: 'mock', testServers: [{ host, port: Number(port) }] })

    expect(summary(await plan(some))).toBe(
      `Summary: goes to ${host}:${port} (test-servers): server_routing_mode takes test_server_addr`,
    )
  })

  test('the primary zone of the tenant, when no partition is known', async () => {
    under.cluster.picture.setTenant('app', { primaryZone: 'z2;z1' })
    under.set({ enableCachedServer: false })
    await under.relist()

    const text = await plan("SELECT * FROM hashed WHERE name = 'x'")

    expect(text).toContain('route_info_type:"primary-zone"')
    expect(text).toMatch(/svr_addr:"127\.31\.9\.[25]:2881", because:/)
  })

  test('the policy of a weak read, with the class of the server it took', async () => {
    under.set({ proxyRoutePolicy: 'FOLLOWER_ONLY' })
    const leader = await under.cluster.leader('hashed', 3)

    const text = await plan('SELECT /*+ READ_CONSISTENCY(WEAK) */ * FROM hashed WHERE id = 15')

    expect(text).toContain('route_info_type:"replica"')
    expect(text).toContain('route_policy:"FOLLOWER_ONLY"')
    expect(text).toMatch(/chosen_route_type:"\w*P\w*F"/)
    expect(summary(text)).not.toContain(leader)
  })

  test('nothing but the tenant, in random order', async () => {
    under.set({ mode: 'random' })

    expect(await plan('SELECT 1')).toContain('route_info_type:"blind"')
  })

  test('target servers that the configuration does not know are taken at their word', async () => {
    const text = await plan('/* target_db_server=127.31.9.99:2881 */ SELECT 1')

    expect(summary(text)).toBe(
      'Summary: goes to 127.31.9.99:2881 (target-servers): target_db_server',
    )
    expect(text).toContain('route_policy:"TARGET_DB_SERVER_ONLY"')
  })

  test('a server that may be tried again is left to a real statement', async () => {
    const leader = await under.cluster.leader('hashed', 3)
    const [host = '', port] = leader.split(':')
    under.node.blacklist = { ...under.node.blacklist, detectMode: 0, retryIntervalMs: 1_000_000 }
    for (let count = 0; count < 5; count++)
      under.known.failed({ host, port: Number(port) }, 'connect-failed')
    await expect.poll(() => plan(some)).toContain('too many failures')
    under.node.blacklist = { ...under.node.blacklist, retryIntervalMs: 0 }

    const explained = [await plan(some), await plan(some)]
    const marks = under.cluster.marks()
    const by = await under.connect()
    await by.query(some)

    for (const text of explained) expect(summary(text)).not.toContain(`goes to ${leader}`)
    expect(under.cluster.entries(marks).filter(({ text }) => text === some)).toMatchObject([
      { front: leader },
    ])
  })
})

describe('changes nothing', () => {
  test('no statement reaches a server, and the session stays where it is', async () => {
    const by = await under.connect()
    await by.query('SELECT * FROM whole')
    const at = await rowsOf(by, 'SELECT @obproxy_route_addr')
    const marks = under.cluster.marks()

    for (const sql of ['SELECT * FROM hashed WHERE id = 1', 'SELECT 1', 'DELETE FROM hashed'])
      await plan(sql, by)

    expect(passedSince(marks)).toEqual([])
    expect(await rowsOf(by, 'SELECT @obproxy_route_addr')).toEqual(at)
  })

  test('a comment before it that names table and key says where it goes, however long that is', async () => {
    const by = await under.connect()
    const explained = async (comment: string) => {
      const [rows] = await by.query<RowDataPacket[]>(
        `/* ${comment} */ EXPLAIN ROUTE SELECT name FROM hashed`,
      )
      return summary(String(rows[0]?.['Route Plan']))
    }

    expect(await explained('table hashed part_key 3')).toContain(
      await under.cluster.leader('hashed', 3),
    )
    expect(await explained(`table hashed part_key '${'k'.repeat(60)}'`)).toMatch(/^Summary: /)
    expect(await rowsOf(by, 'SELECT name FROM hashed WHERE id = 15')).toEqual([['fifteen']])
  })

  test('a BEGIN that waits for its first statement goes on waiting', async () => {
    const by = await under.connect()
    await by.query('BEGIN')
    const marks = under.cluster.marks()
    const leader = await under.cluster.leader('hashed', 9)

    const text = await plan('SELECT * FROM hashed WHERE id = 9', by)
    const passed = passedSince(marks)
    await by.query("UPDATE hashed SET name = 'y' WHERE id = 9")

    expect(text).toContain('First statement of the transaction: BEGIN')
    expect(summary(text)).toContain(`goes to ${leader}`)
    expect(passed).toEqual([])
    expect(summary(await plan('SELECT * FROM hashed WHERE id = 1', by))).toBe(
      `Summary: stays on ${leader}: a transaction is open there`,
    )
    await by.query('ROLLBACK')
    expect(summary(await plan('SELECT * FROM hashed WHERE id = 9', by))).toContain(
      'a strong statement goes to the leader',
    )
  })

  test('what binds a session is said', async () => {
    const by = await under.connect()
    await by.query('SELECT * FROM whole')
    const [[address] = []] = await rowsOf(by, 'SELECT @obproxy_route_addr')
    await by.query(`SET @obproxy_route_addr = ${address}`)
    const at = await under.cluster.leader('whole')

    expect(summary(await plan('SELECT * FROM hashed WHERE id = 1', by))).toBe(
      `Summary: stays on ${at}: the user variable obproxy_route_addr`,
    )
    expect(summary(await plan('SELECT FOUND_ROWS()', by))).toContain(
      'it needs what the last statement left',
    )
  })

  test('no look-up of it is counted', async () => {
    const by = await under.connect()
    const lookUps = () =>
      [...under.proxy.sessions.traffic.of('obcluster', 'app').slots].slice(
        SLOT.entries,
        SLOT.entries + 4,
      )
    const before = lookUps()

    await plan('SELECT * FROM hashed WHERE id = 4', by)

    expect(lookUps()).toEqual(before)
  })
})
