/**
 * Drivers in MySQL mode (N10): the same client against MariaDB directly and through the built
 * executable; whatever it sees must be the same.
 */
import { type Connection, createConnection, type QueryError } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Node, startNode } from '../support/executable.ts'
import { hasMariaDb, type MariaDb, startMariaDb } from '../support/mariadb.ts'
import { installPythonDrivers, runScript } from '../support/python-drivers.ts'
import { until } from '../support/until.ts'

const SERVER = '127.17.3.1'
const PROXY = '127.17.3.2'
const ACCOUNT = { user: 'suite', password: "pass'word", database: 'suite' }
const MEGABYTES = 20

let mariadb: MariaDb
let node: Node
let python: string

const sqlLiteral = ACCOUNT.password.replace("'", "''")

beforeAll(async () => {
  if (!hasMariaDb()) return
  mariadb = await startMariaDb(SERVER, { ...ACCOUNT, password: sqlLiteral })
  python = await installPythonDrivers()
  node = await startNode(
    PROXY,
    `server_routing_mode=mysql,test_server_addr=${SERVER}:3306,work_thread_num=2`,
  )
}, 180_000)

afterAll(async () => {
  await node?.stop()
  await mariadb?.stop()
})

const through = (host: string, more: object = {}) =>
  createConnection({
    host,
    port: host === PROXY ? 2883 : 3306,
    ...ACCOUNT,
    multipleStatements: true,
    maxPreparedStatements: 50,
    ...more,
  })

/** Runs `act` on both paths; the outcomes must be equal. What was seen. */
async function onBoth<T>(act: (host: string) => Promise<T>): Promise<T> {
  const direct = await act(SERVER)
  expect(await act(PROXY)).toEqual(direct)
  return direct
}

async function within<T>(host: string, act: (sql: Connection) => Promise<T>): Promise<T> {
  const sql = await through(host)
  try {
    return await act(sql)
  } finally {
    sql.destroy()
  }
}

const errorOf = (asked: Promise<unknown>) =>
  asked.then(
    () => undefined,
    ({ errno, sqlState, code }: QueryError & { errno: number; sqlState: string }) => ({
      errno,
      sqlState,
      code,
    }),
  )

describe.skipIf(!hasMariaDb())('mysql2 through MySQL mode as directly', () => {
  test('rows of every kind, as text and prepared', async () => {
    const sql =
      "SELECT 1 a, -9223372036854775808 b, 18446744073709551615 c, 1.50 d, NULL e, '' f, 'é✓' g, x'00ff' h, CAST('2026-01-02 03:04:05.678901' AS DATETIME(6)) i, 1e300 j"
    const text = await onBoth(host => within(host, async it => (await it.query(sql))[0]))
    expect(text).toHaveLength(1)
    const prepared = await onBoth(host =>
      within(host, async it => (await it.execute(`${sql}, ? k, ? l`, [7, 'x']))[0]),
    )
    expect(prepared).toMatchObject([{ a: 1, k: 7, l: 'x' }])
  })

  test('changes: affected rows, insert ids, transactions, several statements', async () => {
    const seen = await onBoth(host =>
      within(host, async it => {
        await it.query(
          'DROP TABLE IF EXISTS t; CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)',
        )
        const [inserted] = await it.query('INSERT INTO t (v) VALUES (1), (2), (3)')
        await it.beginTransaction()
        const [updated] = await it.query('UPDATE t SET v = v + 1 WHERE v > 1')
        await it.rollback()
        const [several] = await it.query('SELECT SUM(v) s FROM t; SELECT COUNT(*) n FROM t; DO 1')
        const facts = (each: unknown) => {
          const { affectedRows, insertId, warningStatus } = each as Record<string, number>
          return { affectedRows, insertId, warningStatus }
        }
        const [sums, counts] = several as unknown[]
        return [facts(inserted), facts(updated), sums, counts]
      }),
    )
    expect(seen).toMatchObject([
      { affectedRows: 3, insertId: 1 },
      { affectedRows: 2 },
      [{ s: '6' }],
      [{ n: 3 }],
    ])
  })

  test('errors are the server’s own', async () => {
    const seen = await onBoth(host =>
      within(host, async it => [
        await errorOf(it.query('SELECT * FROM nosuch')),
        await errorOf(it.query('SELEC')),
        await errorOf(it.execute('SELECT ? + nosuch', [1])),
        await errorOf(it.query('USE nowhere')),
        (await it.query('SELECT 1 AS still'))[0],
      ]),
    )
    expect(seen).toMatchObject([
      { errno: 1146 },
      { errno: 1064 },
      { errno: 1054 },
      { errno: 1049 },
      [{ still: 1 }],
    ])
  })

  test('logins that fail', async () => {
    const seen = await onBoth(async host => [
      await errorOf(through(host, { password: 'wrong' })),
      await errorOf(through(host, { password: '' })),
      await errorOf(through(host, { user: 'nobody' })),
      await errorOf(through(host, { database: 'nowhere' })),
    ])
    expect(seen.map(each => each?.errno)).toEqual([1045, 1045, 1045, 1049])
  })

  test('change of database, ping', async () => {
    const seen = await onBoth(host =>
      within(host, async it => {
        await it.query('CREATE DATABASE IF NOT EXISTS other')
        await it.query('USE other')
        await it.ping()
        const [[row]] = (await it.query('SELECT DATABASE() d')) as unknown as [[object]]
        await it.query('USE suite')
        const [[after]] = (await it.query('SELECT DATABASE() d')) as unknown as [[object]]
        return [row, after]
      }),
    )
    expect(seen).toEqual([{ d: 'other' }, { d: 'suite' }])
  })

  test('a change of user is refused with a code, and the session goes on', async () => {
    const seen = await within(PROXY, async it => [
      await errorOf(it.changeUser({ ...ACCOUNT, database: 'suite' })),
      (await it.query('SELECT 1 AS still'))[0],
    ])
    expect(seen).toMatchObject([{ errno: 1235 }, [{ still: 1 }]])
  })

  test(`a value of ${MEGABYTES} MB goes up and comes back`, async () => {
    const lengths = await onBoth(host =>
      within(host, async it => {
        const value = 'm'.repeat(MEGABYTES << 20)
        const [[text]] = (await it.query('SELECT LENGTH(?) n, ? v', [value, value])) as unknown as [
          [{ n: number; v: string }],
        ]
        const [[binary]] = (await it.execute('SELECT LENGTH(?) n, ? v', [
          value,
          value,
        ])) as unknown as [[{ n: number; v: string }]]
        return [text.n, text.v === value, binary.n, binary.v === value]
      }),
    )
    expect(lengths).toEqual([MEGABYTES << 20, true, MEGABYTES << 20, true])
  })

  test('a result that is streamed to a slow reader comes whole and in order', async () => {
    const sum = await onBoth(host =>
      within(host, async it => {
        let [rows, total] = [0, 0]
        const stream = (
          it as unknown as {
            connection: { query(sql: string): { stream(): AsyncIterable<{ seq: number }> } }
          }
        ).connection
          .query("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000")
          .stream()
        for await (const { seq } of stream) {
          rows += 1
          total += seq
          if (rows % 5000 === 0) await new Promise(done => setTimeout(done, 50))
        }
        return [rows, total]
      }),
    )
    expect(sum).toEqual([20_000, 200_010_000])
  })

  test('a client that goes away frees its server session', async () => {
    const sql = await through(PROXY)
    await sql.query('SET @mine = 1')
    void sql.query('SELECT SLEEP(30) /* left */').catch(() => {})
    const sees = () =>
      within(SERVER, async it => {
        const [rows] = await it.query(
          "SELECT id FROM information_schema.processlist WHERE info LIKE '%left *%' AND info NOT LIKE '%processlist%'",
        )
        return (rows as unknown[]).length
      })
    await until('the statement runs', async () => (await sees()) === 1)
    sql.destroy()
    await until('the statement is killed', async () => (await sees()) === 0)
  })
})

describe.skipIf(!hasMariaDb())(
  'the MySQL 8.4 client library through MySQL mode as directly',
  () => {
    test('sees the same', async () => {
      const { user, password, database } = ACCOUNT
      const seen = await onBoth(async host => {
        const port = host === PROXY ? '2883' : '3306'
        const args = [host, port, user, password, database]
        return (await runScript(python, 'connector.py', args, 60_000))[0]
      })
      expect(seen).toMatchObject({ prepared: [['two']], big: 5_000_000, error: [1146, '42S02'] })
    })
  },
)
