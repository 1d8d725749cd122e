/**
 * What an OBServer front promises, over the kernel and over the scripted engine: a double that
 * passes the same contract as the real thing.
 */
import { createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { frame } from '../../infra/local/front/codec.ts'
import type { Front } from '../../infra/local/front/front.ts'
import { keyOf } from '../../infra/local/front/picture.ts'
import type { KernelAccounts } from '../../infra/local/kernel.ts'
import {
  FrontClient,
  type FrontLogin,
  OB20_FEATURES,
  PROXY_FEATURES,
  rowsOf,
  statusOf,
} from './front-client.ts'
import { ob20Contract } from './front-contract-ob20.ts'
import { ordersContract } from './front-contract-orders.ts'
import { allSessionsContract } from './front-contract-sessions.ts'
import { errorOf, RawClient } from './raw-client.ts'

export type FrontsUnderTest = {
  readonly fronts: readonly Front[]
  readonly accounts: KernelAccounts
  readonly stop: () => Promise<void>
}

/** What the parts of the contract share. */
export type FrontContext = {
  readonly under: () => FrontsUnderTest
  readonly front: () => Front
  readonly account: () => FrontLogin
  /** A client that is not logged in yet; the suite closes it. */
  readonly open: (isProxy: boolean, at?: Front) => FrontClient
  /** A proxy's login at the first front. */
  readonly proxy: (change?: Partial<FrontLogin>) => Promise<FrontClient>
}

const MINIMAL_OK = '0000002200000000'
const LOCATIONS = (tenant: string, database: string, table: string) =>
  `SELECT table_id, svr_ip, sql_port, role FROM oceanbase.__all_virtual_proxy_schema WHERE tenant_name = '${tenant}' AND ` +
  `database_name = '${database}' AND table_name = '${table}'`

export function frontContract(name: string, start: () => Promise<FrontsUnderTest>): void {
  describe(name, () => {
    let under: FrontsUnderTest
    let front: Front
    const clients: FrontClient[] = []

    const account = () => ({
      user: `${under.accounts.user}@app`,
      password: under.accounts.password,
      database: under.accounts.database,
    })

    const open = (isProxy: boolean, at: Front = front) => {
      const client = new FrontClient(at.server, isProxy)
      clients.push(client)
      return client
    }

    const proxy = async (change: Partial<FrontLogin> = {}) => {
      const client = open(true)
      const [answer] = await client.logIn({ ...account(), ...change })
      expect(answer?.payload[0]).toBe(0x00)
      return client
    }

    const context: FrontContext = { under: () => under, front: () => front, account, open, proxy }

    const direct = async () => {
      const client = open(false)
      const [answer] = await client.logIn(account())
      expect(answer?.payload[0]).toBe(0x00)
      return client
    }

    const proxyro = async () => {
      const client = open(true)
      const password = under.accounts.proxyro
      const [answer] = await client.logIn({ user: 'proxyro@sys', password })
      expect(answer?.payload[0]).toBe(0x00)
      return client
    }

    beforeAll(async () => {
      under = await start()
      front = under.fronts[0] as Front
      const client = await direct()
      await client.query('CREATE TABLE IF NOT EXISTS c1 (id INT PRIMARY KEY, name VARCHAR(50))')
      await client.query("REPLACE INTO c1 VALUES (1, 'one'), (2, NULL), (3, '')")
      // Answers of another server would say that they come from there.
      const entry = await front.engine.tableEntry(under.accounts.database, 'c1')
      for (const { tabletId } of entry?.tablets ?? [])
        front.picture.moveLeader(tabletId, keyOf(front.server))
    })

    beforeEach(() => front.take({ kind: 'normal' }))

    afterEach(() => {
      for (const client of clients.splice(0)) client.raw.socket.destroy()
    })

    afterAll(() => under?.stop())

    describe('logins', () => {
      test('greet with a thread id, a scramble and the version of the kernel', async () => {
        const [one, two] = [await direct(), await direct()]

        expect(one.version).toMatch(/^5\.7\.25/)
        expect(one.threadId).not.toBe(two.threadId)
        expect(one.serverScramble).not.toEqual(two.serverScramble)
        expect(one.serverScramble.includes(0)).toBe(false)
      })

      test('of a direct client: an OK without session state', async () => {
        const client = open(false)

        const [answer] = await client.logIn(account())

        expect(answer?.sequence).toBe(2)
        expect(statusOf(answer?.payload as Buffer) & 0x0002).toBe(0x0002)
        expect(answer?.payload.includes('wait_timeout')).toBe(false)
      })

      test('of a proxy: an OK with all variables, what was agreed to, and the database', async () => {
        const client = open(true)

        const [answer] = await client.logIn(account())

        const text = answer?.payload.toString('latin1') ?? ''
        expect(answer?.sequence).toBe(2)
        for (const variable of ['wait_timeout', 'ob_capability_flag', 'autocommit'])
          expect(text).toContain(variable)
        expect(text).toContain(`\x04${under.accounts.database}`)
      })

      test('of a proxy without a scramble of its own: the constant one holds', async () => {
        await proxy({ withoutScramble: true })
      })

      test('of a direct client with another plugin: a switch to the native one', async () => {
        const client = open(false)

        const answers = await client.logIn({ ...account(), plugin: 'caching_sha2_password' })

        expect(answers.map(({ sequence }) => sequence)).toEqual([2, 4])
        expect(answers[0]?.payload.toString('latin1')).toContain('mysql_native_password')
        expect(answers[1]?.payload[0]).toBe(0x00)
      })

      test('of a proxy that names another plugin: its token decides', async () => {
        await proxy({ plugin: 'caching_sha2_password' })
        const answers = await open(true).logIn({
          ...account(),
          plugin: 'caching_sha2_password',
          password: 'wrong',
        })

        expect(errorOf(answers[0]).errno).toBe(1045)
      })

      test.each<[string, Partial<FrontLogin>, number]>([
        ['a wrong password', { password: 'wrong' }, 1045],
        ['no password', { password: '' }, 1045],
        ['an unknown user', { user: 'ghost@app' }, 1045],
        ['an unknown tenant', { user: 'demo@nobody' }, 1045],
        ['a user with its cluster', { user: 'demo@sys#obcluster' }, 1045],
        ['an unknown database', { database: 'nowhere' }, 1049],
        ['another cluster', { cluster: 'elsewhere' }, 4666],
      ])('of a proxy with %s: its error, a minimal OK, the end', async (_name, change, errno) => {
        const client = open(true)

        const answers = await client.logIn({ ...account(), ...change })

        expect(errorOf(answers[0]).errno).toBe(errno)
        expect(answers.map(({ sequence }) => sequence)).toEqual([2, 3])
        expect(answers[1]?.payload[0]).toBe(0x00)
        await client.raw.closed()
      })

      test('of a direct client with a wrong password: 1045 and the end, no OK', async () => {
        const client = open(false)

        const answers = await client.logIn({ ...account(), password: 'wrong' })

        expect(errorOf(answers[0]).errno).toBe(1045)
        await client.raw.closed()
        expect(client.raw.packets).toEqual([])
      })

      test.each([
        ['garbage', frame(1, Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
        ['a login cut short', frame(1, Buffer.alloc(40, 0xff))],
        ['nothing', frame(1, Buffer.alloc(0))],
      ])('%s instead of a login: refused, and the next client is served', async (_name, bytes) => {
        const raw = new RawClient(front.server.port, front.server.host)
        await raw.next()
        raw.socket.write(bytes)

        await raw.closed()

        expect(rowsOf(await (await proxy()).query('SELECT 1'))).toEqual([['1']])
      })
    })

    describe('answers', () => {
      test('a result set, numbered through, with the OK of a proxy behind it', async () => {
        const client = await proxy()
        await client.query('SELECT 1')

        const answer = await client.query('SELECT id, name FROM c1 ORDER BY id')

        expect(rowsOf(answer)).toEqual([
          ['1', 'one'],
          ['2', null],
          ['3', ''],
        ])
        expect(answer.packets.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
        expect(answer.last.toString('hex')).toBe(MINIMAL_OK)
      })

      test('without that OK for a direct client', async () => {
        const client = await direct()

        const answer = await client.query('SELECT id FROM c1 WHERE id = 1')

        expect(rowsOf(answer)).toEqual([['1']])
        expect(answer.last[0]).toBe(0xfe)
      })

      test.each([
        ['SELECT * FROM missing', 1146],
        ['SELEKT', 1064],
        ['SELECT nope FROM c1', 1054],
        ["INSERT INTO c1 VALUES (1, 'again')", 1062],
        ['KILL 4000000', 1094],
        ['SET nosuch = 1', 1193],
        ['USE nowhere', 1049],
        ['', 1065],
      ])('%s: an error, then the OK of a proxy, then the next statement', async (sql, errno) => {
        const client = await proxy()

        const answer = await client.query(sql)

        expect(errorOf(answer.packets[0]).errno).toBe(errno)
        expect(answer.packets.map(({ sequence }) => sequence)).toEqual([1, 2])
        expect(rowsOf(await client.query('SELECT 2'))).toEqual([['2']])
      })

      test('an unknown command: 1235, and the session goes on', async () => {
        const client = await proxy()
        client.raw.command(0x1d, '')

        const answer = await client.answer()

        expect(errorOf(answer.packets[0]).errno).toBe(1235)
        expect(rowsOf(await client.query('SELECT 3'))).toEqual([['3']])
      })

      test('a ping, a reset, a change of database are one OK each', async () => {
        const client = await proxy()
        for (const [code, body] of [
          [0x0e, ''],
          [0x1f, ''],
          [0x02, 'oceanbase'],
        ] as const) {
          client.raw.command(code, body)
          const { packets } = await client.answer()
          expect(packets.map(({ payload }) => payload[0])).toEqual([0x00])
        }

        expect(rowsOf(await client.query('SELECT DATABASE()'))).toEqual([['oceanbase']])
      })

      test('changes of state stand in the OK: variables, user variables, the database', async () => {
        const client = await proxy()

        const set = await client.query("SET @a = 'x', time_zone = '+03:00'")
        const use = await client.query('USE oceanbase')

        expect(set.first.readUInt16LE(3) & 0x4000).toBe(0x4000)
        for (const text of ['time_zone', '+03:00', '__NULL', "'x'"])
          expect(set.first.includes(text)).toBe(true)
        expect(use.first.includes('\x09oceanbase')).toBe(true)
      })

      test('transactions show in the status of the OK', async () => {
        const client = await proxy()
        const status = async (sql: string) => statusOf((await client.query(sql)).last)

        expect(await status('BEGIN')).toBe(0x0023)
        expect(await status("UPDATE c1 SET name = 'x' WHERE id = 1")).toBe(0x0023)
        expect(await status('SELECT * FROM missing')).toBe(0x0023)
        expect(await status('ROLLBACK')).toBe(0x0022)
        expect(await status('SET autocommit = 0')).toBe(0x0020)
        expect(await status("UPDATE c1 SET name = 'x' WHERE id = 1")).toBe(0x0021)
        expect(await status('ROLLBACK')).toBe(0x0020)
        expect(rowsOf(await client.query('SELECT name FROM c1 WHERE id = 1'))).toEqual([['one']])
      })

      test('what a transaction did is seen by others when it commits', async () => {
        const [one, two] = [await proxy(), await proxy()]
        const seen = async (client: FrontClient) =>
          rowsOf(await client.query('SELECT COUNT(*) FROM c1 WHERE id = 9'))
        await one.query('BEGIN')
        await one.query("INSERT INTO c1 VALUES (9, 'nine')")

        expect([await seen(one), await seen(two)]).toEqual([[['1']], [['0']]])
        await one.query('COMMIT')
        expect(await seen(two)).toEqual([['1']])
        await two.query('DELETE FROM c1 WHERE id = 9')
      })

      test('a client that goes away in its transaction leaves nothing of it', async () => {
        const [one, two] = [await proxy(), await proxy()]
        await one.query('BEGIN')
        await one.query("INSERT INTO c1 VALUES (8, 'eight')")
        one.raw.socket.destroy()
        await one.raw.closed()

        const insert = async () =>
          (await two.query("INSERT INTO c1 VALUES (8, 'other')")).first[0] === 0x00
        await expect.poll(insert, { timeout: 10_000 }).toBe(true)
        await two.query('DELETE FROM c1 WHERE id = 8')
      })
    })

    describe('prepared statements', () => {
      test('are prepared, executed twice and closed, each answer with its OK', async () => {
        const client = await proxy()

        const prepared = await client.prepare('SELECT id, name FROM c1 WHERE name = ?')
        const once = await client.execute(prepared.id, ['one'])
        const again = await client.execute(prepared.id, ['none'])

        expect(prepared.parameters).toBe(1)
        expect(prepared.packets.at(-1)?.payload[0]).toBe(0x00)
        expect(once.packets.some(({ payload }) => payload.includes('\x03one'))).toBe(true)
        expect(once.last.readUInt16LE(3) & 0x22).toBe(0x22)
        expect(again.packets.some(({ payload }) => payload.includes('\x03one'))).toBe(false)
        const close = Buffer.alloc(4)
        close.writeUInt32LE(prepared.id, 0)
        client.raw.command(0x19, close)
        expect(errorOf((await client.execute(prepared.id, ['x'])).packets[0]).errno).toBe(1243)
      })

      test('a driver reads typed rows', async () => {
        const { host, port } = front.server
        const client = await createConnection({ host, port, ...account() })

        const [rows] = await client.execute(
          'SELECT id, name FROM c1 WHERE id <= ? ORDER BY id',
          [2],
        )

        expect(rows).toEqual([
          { id: 1, name: 'one' },
          { id: 2, name: null },
        ])
        await client.end()
      })

      test('a wrong statement is refused when it is prepared', async () => {
        const client = await proxy()

        const { packets } = await client.prepare('SELEKT ?')

        expect(errorOf(packets[0]).errno).toBe(1064)
        expect(packets).toHaveLength(2)
      })
    })

    describe('the session id of a client', () => {
      test('is what a proxy gives, when it announces it', async () => {
        const client = await proxy({ clientSessionId: 4711 })
        const other = await proxy({ clientSessionId: 4712, features: 2565 })

        expect(rowsOf(await client.query('SELECT CONNECTION_ID()'))).toEqual([['4711']])
        expect(rowsOf(await other.query('SELECT CONNECTION_ID()'))).not.toEqual([['4712']])
      })

      test('ends its statement by KILL QUERY, and nothing else', async () => {
        const [victim, killer] = [await proxy({ clientSessionId: 4713 }), await proxy()]
        const slept = victim.query('SELECT SLEEP(30)')
        const running = async () => {
          const shown = rowsOf(await killer.query('SHOW FULL PROCESSLIST'))
          return shown.some(row => row.some(cell => cell === 'SELECT SLEEP(30)'))
        }
        await expect.poll(running, { timeout: 10_000 }).toBe(true)

        await killer.query('KILL QUERY 4713')

        expect(errorOf((await slept).packets[0]).errno).toBe(1317)
        expect(rowsOf(await victim.query('SELECT 1'))).toEqual([['1']])
      })
    })

    describe('what the metadata account is told', () => {
      test('three servers in three zones, the tenants, the version', async () => {
        const client = await proxyro()
        const ask = async (sql: string) => rowsOf(await client.query(sql))

        const servers = await ask('SELECT svr_ip, sql_port, zone FROM oceanbase.DBA_OB_SERVERS')
        const tenants = await ask('SELECT tenant_name FROM oceanbase.DBA_OB_TENANTS')

        expect(servers.map(([host]) => host)).toEqual(under.fronts.map(({ server }) => server.host))
        expect(servers.map(row => row[2])).toEqual(['z1', 'z2', 'z3'])
        expect(tenants.map(([tenant]) => tenant)).toEqual(['sys', 'app'])
        expect(await ask('SELECT ob_version() AS cluster_version')).toEqual([['4.3.5.3']])
      })

      test('where a table is: one leader, the same each time and from every front', async () => {
        const leaders: (string | null | undefined)[] = []
        for (const at of under.fronts) {
          const client = new FrontClient(at.server, true)
          clients.push(client)
          await client.logIn({ user: 'proxyro@sys', password: under.accounts.proxyro })
          const answer = await client.query(LOCATIONS('app', under.accounts.database, 'c1'))
          const leading = rowsOf(answer).filter(row => row[3] === '1')
          expect(leading).toHaveLength(1)
          leaders.push(leading[0]?.[1])
        }

        expect(new Set(leaders).size).toBe(1)
      })

      test('nothing of tables and tenants that are not there', async () => {
        const client = await proxyro()

        expect(rowsOf(await client.query(LOCATIONS('app', 'demo', 'missing')))).toEqual([])
        expect(rowsOf(await client.query(LOCATIONS('nobody', 'demo', 'c1')))).toEqual([])
        expect(
          rowsOf(await client.query(LOCATIONS('app', 'oceanbase', '__all_dummy'))),
        ).toHaveLength(3)
      })

      test('it reads nothing of the tenants', async () => {
        const client = await proxyro()

        const answer = await client.query(`SELECT * FROM ${under.accounts.database}.c1`)

        expect(errorOf(answer.packets[0]).errno).toBe(1142)
      })
    })

    describe('large results', () => {
      test('come whole, and stop while nobody reads', async () => {
        const client = await proxy()
        client.raw.socket.pause()
        client.raw.command(0x03, "SELECT REPEAT('y', 12000000)")
        const other = await proxy()
        for (let run = 0; run < 10; run++)
          expect(rowsOf(await other.query('SELECT 1'))).toEqual([['1']])
        client.raw.socket.resume()

        const { packets } = await client.answer()

        expect(packets[3]?.payload.length).toBe(12_000_004)
      })
    })

    ordersContract(context, 'plain', PROXY_FEATURES)
    ordersContract(context, 'OB 2.0', OB20_FEATURES)
    ob20Contract(context)
    allSessionsContract(context)

    test('counters tell what reached the front', async () => {
      const before = { ...front.counters, texts: new Map(front.counters.byText) }
      const client = await proxy()
      await client.query('SELECT * FROM c1')
      await client.query('SELECT 1')
      const prepared = await client.prepare('SELECT id FROM c1 WHERE name = ?')
      await client.execute(prepared.id, ['one'])
      const grown = (key: string) =>
        (front.counters.byText.get(key) ?? 0) - (before.texts.get(key) ?? 0)

      expect(front.counters.logins - before.logins).toBe(1)
      expect(front.counters.statements - before.statements).toBe(3)
      expect([grown('select c1'), grown('select'), grown('execute')]).toEqual([1, 1, 1])
      expect(front.counters.connections).toBeGreaterThan(0)
      client.raw.socket.destroy()
      await expect.poll(() => front.counters.connections).toBe(0)
    })
  })
}
