/** SQL through the proxy, answered by a real OceanBase kernel behind three fronts. */
import { connect } from 'node:net'
import { createConnection as createStreaming } from 'mysql2'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { directoryOf, leaderOf, type Stack, startProxy, startStack } from '../support/stack.ts'

let stack: Stack
let client: Connection

const login = () => ({
  host: '127.0.0.1',
  port: stack.proxy.port,
  user: `${stack.kernel.accounts.user}@app#obcluster`,
  password: stack.kernel.accounts.password,
  database: stack.kernel.accounts.database,
})

beforeAll(async () => {
  stack = await startStack('127.15.2')
  client = await createConnection(login())
  await client.query('CREATE TABLE IF NOT EXISTS t1 (id INT PRIMARY KEY, name VARCHAR(100))')
  await client.query('CREATE TABLE IF NOT EXISTS t2 (id INT PRIMARY KEY)')
  await client.query("REPLACE INTO t1 VALUES (1, ''), (2, 'two'), (3, NULL)")
  await client.end()
})

afterAll(async () => {
  await stack?.stop()
})

beforeEach(async () => {
  await Promise.all(stack.fronts.map(front => front.take({ kind: 'normal' })))
  client = await createConnection(login())
})

afterEach(() => client.destroy())

const statementsOf = (key: string) => stack.fronts.map(front => front.counters.byText.get(key) ?? 0)

describe('a client of tenant app', () => {
  test('reads what it wrote, empty strings and NULL included', async () => {
    const [rows] = await client.query('SELECT id, name FROM t1 ORDER BY id')

    expect(rows).toEqual([
      { id: 1, name: '' },
      { id: 2, name: 'two' },
      { id: 3, name: null },
    ])
  })

  test('is told the kernel, not the proxy, when it asks for the version', async () => {
    const [rows] = await client.query('SELECT @@version_comment AS c')

    expect((rows as { c: string }[])[0]?.c).toMatch(/^OceanBase 4\.3\.5\.3/)
  })

  test('gets errors of the kernel as they are and goes on', async () => {
    await expect(client.query('SELECT * FROM missing')).rejects.toMatchObject({
      errno: 1146,
      sqlState: '42S02',
    })
    await expect(client.query('SELEKT')).rejects.toMatchObject({ errno: 1064 })

    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('prepares, executes twice and closes', async () => {
    const statement = await client.prepare('SELECT name FROM t1 WHERE id = ?')

    expect((await statement.execute([2]))[0]).toEqual([{ name: 'two' }])
    expect((await statement.execute([1]))[0]).toEqual([{ name: '' }])
    await statement.close()
    await client.ping()
  })

  test('sees its own transaction and nobody else does until it commits', async () => {
    const other = await createConnection(login())
    await client.beginTransaction()
    await client.query('INSERT INTO t2 VALUES (10)')

    expect((await client.query('SELECT COUNT(*) AS n FROM t2'))[0]).toEqual([{ n: 1 }])
    expect((await other.query('SELECT COUNT(*) AS n FROM t2'))[0]).toEqual([{ n: 0 }])

    await client.commit()
    expect((await other.query('SELECT COUNT(*) AS n FROM t2'))[0]).toEqual([{ n: 1 }])
    await other.query('DELETE FROM t2')
    await other.end()
  })

  test('keeps SET, USE and user variables', async () => {
    const own = await createConnection(login())
    await own.query("SET @a = 'x''y', time_zone = '+03:00'")
    await own.query('USE oceanbase')

    expect((await own.query('SELECT @a AS a, @@time_zone AS z, DATABASE() AS d'))[0]).toEqual([
      { a: "x'y", z: '+03:00', d: 'oceanbase' },
    ])
    await own.end()
  })

  test('carries 4 MB up and 12 MB down', async () => {
    const text = 'x'.repeat(4_000_000)

    const [up] = await client.query(`SELECT LENGTH('${text}') AS n`)
    const [down] = await client.query("SELECT REPEAT('y', 12000000) AS t")

    expect(up).toEqual([{ n: 4_000_000 }])
    expect((down as { t: string }[])[0]?.t.length).toBe(12_000_000)
  })

  test('runs several statements sent in one segment', async () => {
    const answers = await Promise.all([1, 2, 3, 4, 5].map(n => client.query(`SELECT ${n} AS n`)))

    expect(answers.map(([rows]) => (rows as { n: number }[])[0]?.n)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('routing', () => {
  test('sends statements of a table to its leader', async () => {
    const own = await createConnection(login())
    const before = statementsOf('select t1')
    for (let run = 0; run < 20; run++) await own.query('SELECT * FROM t1 WHERE id = 2')

    const grown = statementsOf('select t1').map((count, index) => count - (before[index] ?? 0))
    const leader = await leaderOf(stack.clusters, 'app', 'demo', 't1')

    expect(leader).toBeDefined()
    expect(grown[Number(leader?.host.split('.')[3]) - 1]).toBe(20)
    await own.end()
  })

  test('moves a session with a long statement to the leader, over and over', async () => {
    for (let run = 0; run < 9; run++) {
      const own = await createConnection(login())
      const long = 'z'.repeat(300_000)
      const [rows] = await own.query(`SELECT COUNT(*) AS n FROM t1 WHERE name <> '${long}'`)
      expect(rows).toEqual([{ n: 2 }])
      await own.end()
    }
  })

  test('goes to another server when the leader refuses connections', async () => {
    const leader = await leaderOf(stack.clusters, 'app', 'demo', 't1')
    const front = stack.fronts.find(({ server }) => server.host === leader?.host)
    await front?.take({ kind: 'stop' })

    const own = await createConnection(login())
    expect((await own.query('SELECT name FROM t1 WHERE id = 2'))[0]).toEqual([{ name: 'two' }])
    await own.end()
  })

  test('says that no server is there when none is, in an error packet', async () => {
    await Promise.all(stack.fronts.map(front => front.take({ kind: 'stop' })))

    await expect(createConnection(login())).rejects.toMatchObject({ errno: 10013 })
  })

  test('tells a client whose statement was lost, and closes', async () => {
    const own = await createConnection(login())
    await own.query('SELECT 1')
    await Promise.all(stack.fronts.map(front => front.take({ kind: 'lose-next' })))

    await expect(own.query('SELECT 2')).rejects.toMatchObject({ errno: 10014 })
    own.destroy()
  })
})

describe('a client that stops reading', () => {
  test('stops its server only; others go on, and it gets every row when it reads again', async () => {
    const own = createStreaming(login())
    const rows = own
      .query("SELECT REPEAT('r', 100000) AS r FROM t1 a, t1 b, t1 c, t1 d, t1 e")
      .stream({ highWaterMark: 1 })
    await new Promise(resolve => rows.once('readable', resolve))
    own.pause()

    for (let run = 0; run < 20; run++)
      expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])

    own.resume()
    let count = 0
    for await (const row of rows) count += (row as { r: string }).r.length / 100_000
    expect(count).toBe(243)
    own.destroy()
  })
})

describe('limits before login', () => {
  test('a client that never logs in is told so and closed', async () => {
    const strict = await startProxy(directoryOf(stack.clusters), {
      settings: { loginTimeoutMs: 100 },
    })
    const socket = connect(strict.port, '127.0.0.1')
    const received: Buffer[] = []
    socket.on('data', chunk => received.push(chunk as Buffer))

    await new Promise(resolve => socket.once('close', resolve))

    expect(Buffer.concat(received).includes('no complete login within 0.1 s')).toBe(true)
    strict.stop()
  })

  test('a client beyond client_max_connections gets 1203', async () => {
    const small = await startProxy(directoryOf(stack.clusters), { maxSessions: 1 })
    const first = await createConnection({ ...login(), port: small.port })

    await expect(createConnection({ ...login(), port: small.port })).rejects.toMatchObject({
      errno: 1203,
    })

    first.destroy()
    small.stop()
  })
})

describe('logins that must fail', () => {
  test.each([
    ['a wrong password', { password: 'wrong' }, 1045],
    ['no password', { password: '' }, 1045],
    ['an unknown tenant', { user: 'demo@nobody#obcluster' }, 1045],
    ['an unknown cluster', { user: 'demo@app#elsewhere' }, 4669],
    ['an unknown user', { user: 'ghost@app#obcluster' }, 1045],
    ['the metadata account', { user: 'proxyro@sys#obcluster' }, 1045],
    ['the metadata account without its tenant', { user: 'proxyro' }, 1045],
    ['an unknown database', { database: 'nowhere' }, 1049],
  ])('%s', async (_name, change, errno) => {
    await expect(createConnection({ ...login(), ...change })).rejects.toMatchObject({ errno })
  })
})

describe('a text prepared statement', () => {
  test('is found again, whatever tables are used in between', async () => {
    const own = await createConnection(login())
    await own.query("PREPARE p FROM 'SELECT name FROM t1 WHERE id = 2'")
    await own.query('SELECT * FROM t1')
    await own.query('SELECT * FROM t2')

    expect((await own.query('EXECUTE p'))[0]).toEqual([{ name: 'two' }])
    await own.end()
  })
})

describe('a client that goes away', () => {
  test('cancels its running statement', async () => {
    const own = await createConnection(login())
    own.on('error', () => {})
    const marker = `SELECT SLEEP(60) /* ${own.threadId} */`
    own.query(marker).catch(() => {})
    const running = async () => {
      const [rows] = await client.query('SHOW FULL PROCESSLIST')
      return (rows as { Info: string | null }[]).some(row =>
        row.Info?.startsWith('SELECT SLEEP(60)'),
      )
    }
    await expect.poll(running, { timeout: 10_000 }).toBe(true)

    own.destroy()

    await expect.poll(running, { timeout: 10_000 }).toBe(false)
  })

  test('does not keep anything in the proxy', async () => {
    const before = stack.proxy.sessions.size
    const socket = connect(stack.proxy.port, '127.0.0.1')
    await new Promise(resolve => socket.once('data', resolve))
    expect(stack.proxy.sessions.size).toBe(before + 1)

    socket.destroy()

    await expect.poll(() => stack.proxy.sessions.size).toBe(before)
  })
})
