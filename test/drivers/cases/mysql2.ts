/** mysql2: text and binary protocol, streams, pools, change of user, resets. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type ConnectionOptions, createConnection as createPlain } from 'mysql2'
import { type Connection, createConnection, createPool } from 'mysql2/promise'
import {
  type Address,
  type Case,
  codeOf,
  ERRORS,
  failure,
  holdsInTime,
  KINDS,
  SPOIL,
  STATE,
  statementOf,
  TWICE,
} from './outcome.ts'

type Rows = readonly Record<string, unknown>[]
/** Members that mysql2 has and does not declare. */
type Undeclared = { reset(): Promise<void> }

function options(at: Address, more: ConnectionOptions = {}): ConnectionOptions {
  const { host, port, user, password, database } = at
  return { host, port, user, password, database, charset: 'utf8mb4', ...more }
}

async function within<T>(
  at: Address,
  act: (sql: Connection) => Promise<T>,
  more: ConnectionOptions = {},
): Promise<T> {
  const sql = await createConnection(options(at, more))
  // What ends the connection is told by the statement that waits.
  sql.on('error', () => {})
  try {
    return await act(sql)
  } finally {
    sql.destroy()
  }
}

const rowsOf = async (sql: Connection, text: string, values?: unknown[]): Promise<Rows> =>
  (await sql.query(text, values))[0] as unknown as Rows

const login = (at: Address, more: ConnectionOptions) =>
  within(at, sql => rowsOf(sql, 'SELECT CURRENT_USER() who, DATABASE() db'), more)

async function logins(at: Address): Promise<unknown> {
  return {
    native: await login(at, {}),
    second: await login(at, at.second),
    wrongPassword: await codeOf(login(at, { password: 'wrong' })),
    noPassword: await codeOf(login(at, { password: '' })),
    unknownUser: await codeOf(login(at, { user: at.user.replace('demo', 'ghost') })),
    unknownDatabase: await failure(login(at, { database: 'nowhere' })),
  }
}

type Given = (string | number | boolean | null | Buffer | Date)[]
const GIVEN: Given = [
  '-9223372036854775808',
  '18446744073709551615',
  '12345678901234567890.123456789',
  1.5e300,
  null,
  '',
  'it\'s \\ "quoted" \n é中😀',
  Buffer.from([0, 255, 39, 92]),
  true,
  '2026-02-28',
  new Date('2026-02-28T23:59:58.123Z'),
  '-837:01:00.5',
]
const NAMES = 'i,u,d,f,n,e,s,b,t,day,at,span'
const INSERT = `INSERT INTO kinds (${NAMES}) VALUES (${GIVEN.map(() => '?').join(',')})`

async function values(at: Address, how: 'query' | 'execute'): Promise<unknown> {
  const more = { supportBigNumbers: true, bigNumberStrings: true, timezone: 'Z' }
  return await within(
    at,
    async sql => {
      await sql.query('DROP TABLE IF EXISTS kinds')
      await sql.query(KINDS)
      const run = (text: string, given: Given) =>
        how === 'query' ? sql.query(text, given) : sql.execute(text, given)
      const [inserted] = await run(INSERT, GIVEN)
      const nulls = GIVEN.map(() => null)
      await run(INSERT, nulls)
      await sql.query("INSERT INTO kinds (y,bits,en,se) VALUES (2026, b'101000000001', 'b', 'x,y')")
      const [rows, fields] = await run('SELECT * FROM kinds WHERE id < ? ORDER BY id', [99])
      const described = fields.map(({ name, columnType, flags, columnLength }) => [
        name,
        columnType,
        flags,
        columnLength,
      ])
      return { inserted, rows, described }
    },
    more,
  )
}

async function manyStatements(at: Address): Promise<unknown> {
  return await within(
    at,
    async sql => {
      const seen: unknown[] = []
      for (const round of [1, 2])
        for (let number = 0; number < 25; number++)
          seen.push((await sql.execute(`SELECT ${number} a, ? + ${round} b`, [number]))[0])
      seen.push(await failure(sql.execute('SELECT * FROM nosuch WHERE id = ?', [1])))
      seen.push(await failure(sql.execute('SELEKT ?', [1])))
      const kept = await sql.prepare('SELECT ? x')
      for (const value of [1, 'one', null, 1.5, Buffer.from('b')])
        seen.push((await kept.execute([value]))[0])
      await kept.close()
      seen.push(await rowsOf(sql, 'SELECT 1 still'))
      return seen
    },
    // Fewer than are used, so that statements are closed on the way.
    { maxPreparedStatements: 10 },
  )
}

async function bigStatements(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const seen: unknown[] = []
    for (const bytes of [1 << 20, (1 << 24) - 1, 1 << 24, 17 << 20]) {
      const text = statementOf(bytes)
      seen.push(await rowsOf(sql, text).catch(error => failure(Promise.reject(error))))
      seen.push(await rowsOf(sql, 'SELECT 1 still'))
    }
    const blob = Buffer.alloc(15_000_000, 7)
    seen.push((await sql.execute('SELECT LENGTH(?) n, ? m', [blob, 'm']))[0])
    return seen
  })
}

async function largeResult(at: Address): Promise<unknown> {
  const sql = createPlain(options(at))
  try {
    const ask = (text: string) => sql.promise().query(text)
    await ask('DROP TABLE IF EXISTS digits')
    await ask('CREATE TABLE digits (d INT PRIMARY KEY)')
    await ask('INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)')
    await ask('SET ob_query_timeout = 100000000')
    const text =
      "SELECT a.d + 10 * b.d + 100 * c.d AS n, REPEAT('z', 65536) z FROM digits a, digits b, digits c ORDER BY n"
    let [rows, bytes, isOrdered] = [0, 0, true]
    for await (const row of sql.query(text).stream()) {
      const { n, z } = row as { n: number; z: string }
      isOrdered = isOrdered && Number(n) === rows
      rows += 1
      bytes += z.length
    }
    return { rows, bytes, isOrdered, after: (await ask('SELECT 1 still'))[0] }
  } finally {
    sql.destroy()
  }
}

async function errors(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS once')
    await sql.query('CREATE TABLE once (id INT PRIMARY KEY, n INT NOT NULL)')
    await sql.query('INSERT INTO once VALUES (1, 1)')
    const seen: Record<string, unknown> = {}
    for (const text of ERRORS) seen[text] = await failure(sql.query(text))
    const [warned] = await sql.query("INSERT INTO once SELECT 3, CAST('7' AS SIGNED)")
    return { seen, warned, warnings: await rowsOf(sql, 'SHOW WARNINGS') }
  })
}

async function several(at: Address): Promise<unknown> {
  const texts =
    "SELECT 1 a; SELECT 2 b, 'x' c; DO 1; SELECT 3 d FROM dual WHERE 1 = 0; SET @v = 9; SELECT @v v"
  return await within(
    at,
    async sql => [
      (await sql.query(texts))[0],
      await failure(sql.query('SELECT 1; SELECT * FROM nosuch; SELECT 3')),
      await rowsOf(sql, 'SELECT @v v'),
    ],
    { multipleStatements: true },
  )
}

async function procedures(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP PROCEDURE IF EXISTS twice')
    await sql.query(TWICE)
    return [
      (await sql.query('CALL twice(?)', [7]))[0],
      (await sql.execute('CALL twice(?)', [8]))[0],
      await rowsOf(sql, 'SELECT 1 still'),
    ]
  })
}

async function files(at: Address): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-files-'))
  const load = async (sql: Connection, content: string) => {
    const path = join(folder, 'file')
    writeFileSync(path, content)
    const asked = {
      sql: "LOAD DATA LOCAL INFILE 'file' INTO TABLE loaded FIELDS TERMINATED BY ','",
      infileStreamFactory: () => createReadStream(path),
    }
    return (await sql.query(asked))[0]
  }
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `${from + n},name of ${from + n}\n`).join('')
  try {
    return await within(at, async sql => {
      await sql.query('DROP TABLE IF EXISTS loaded')
      await sql.query('CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(20))')
      const seen: unknown[] = []
      for (const content of [lines(1, 4), '', lines(1000, 4000)])
        seen.push(await load(sql, content))
      seen.push(await rowsOf(sql, 'SELECT COUNT(*) n, MIN(name) m, SUM(id) s FROM loaded'))
      const text = "LOAD DATA LOCAL INFILE 'file' INTO TABLE loaded"
      seen.push(await failure(sql.query(text)))
      const broken = { sql: text, infileStreamFactory: () => Readable.from([]) }
      seen.push((await sql.query(broken))[0])
      const off = { flags: ['-LOCAL_FILES'] }
      seen.push(await codeOf(within(at, other => other.query(text), off)))
      seen.push(await rowsOf(sql, 'SELECT 1 still'))
      return seen
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function cancels(at: Address): Promise<unknown> {
  return await within(at, sql =>
    within(at, async other => {
      const marker = `/* ${at.database} */`
      const isRunning = async () =>
        (await rowsOf(other, 'SHOW FULL PROCESSLIST')).some(
          ({ Info }) => String(Info).includes(marker) && !String(Info).includes('SHOW'),
        )
      const sleep = () => failure(sql.query(`SELECT SLEEP(20) ${marker}`))
      const first = sleep()
      const seen: unknown[] = [await holdsInTime(isRunning)]
      await other.query(`KILL QUERY ${sql.threadId}`)
      seen.push(await first, await rowsOf(sql, 'SELECT 1 still'))
      const second = sleep()
      seen.push(await holdsInTime(isRunning))
      await other.query(`KILL ${sql.threadId}`)
      seen.push((await second) !== undefined)
      seen.push((await failure(sql.query('SELECT 1'))) !== undefined)
      seen.push(await holdsInTime(async () => !(await isRunning())))
      return seen
    }),
  )
}

async function changesUser(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    for (const text of SPOIL) await sql.query(text)
    await sql.execute('SELECT ? a', [1])
    await sql.beginTransaction()
    await sql.query('DO 1')
    const { threadId } = sql
    await sql.changeUser({ ...at.second, database: at.database })
    const seen: unknown[] = [await rowsOf(sql, STATE), sql.threadId === threadId]
    seen.push((await sql.execute('SELECT ? + 1 a', [1]))[0])
    await sql.changeUser({ user: at.user, password: at.password, database: 'oceanbase' })
    seen.push(await rowsOf(sql, STATE))
    seen.push(await codeOf(sql.changeUser({ user: at.user, password: 'wrong' })))
    seen.push((await failure(sql.query('SELECT 1'))) === undefined)
    return seen
  })
}

async function resets(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const own = sql as unknown as Undeclared
    await sql.query('DROP TABLE IF EXISTS undone')
    await sql.query('CREATE TABLE undone (id INT PRIMARY KEY)')
    for (const text of SPOIL) await sql.query(text)
    await sql.query('USE oceanbase')
    await sql.query(`INSERT INTO ${at.database}.undone VALUES (1)`)
    await own.reset()
    const seen: unknown[] = [await rowsOf(sql, STATE)]
    seen.push(await rowsOf(sql, `SELECT COUNT(*) n FROM ${at.database}.undone`))
    await own.reset()
    seen.push((await sql.execute('SELECT ? + 2 a', [1]))[0])
    return seen
  })
}

async function pools(at: Address): Promise<unknown> {
  const pool = createPool({ ...options(at), connectionLimit: 2, resetOnRelease: true } as object)
  try {
    const first = await pool.getConnection()
    for (const text of SPOIL) await first.query(text)
    first.release()
    const again = await pool.getConnection()
    const seen: unknown[] = [await rowsOf(again, STATE)]
    again.release()
    const asked = Array.from({ length: 20 }, (_, n) => pool.query('SELECT ? n', [n]))
    seen.push((await Promise.all(asked)).map(([rows]) => rows))
    return seen
  } finally {
    await pool.end()
  }
}

async function transactions(at: Address): Promise<unknown> {
  return await within(at, sql =>
    within(at, async other => {
      const count = async (who: Connection) =>
        (await rowsOf(who, 'SELECT COUNT(*) n FROM booked'))[0]?.['n']
      await sql.query('DROP TABLE IF EXISTS booked')
      await sql.query('CREATE TABLE booked (id INT PRIMARY KEY)')
      const seen: unknown[] = []
      for (const [id, end] of [
        [1, 'ROLLBACK'],
        [2, 'COMMIT'],
      ] as const) {
        await sql.beginTransaction()
        await sql.execute('INSERT INTO booked VALUES (?)', [id])
        seen.push(await count(sql), await count(other))
        await sql.query(end)
        seen.push(await count(other))
      }
      await sql.beginTransaction()
      await sql.query('INSERT INTO booked VALUES (3)')
      await sql.query('SAVEPOINT s')
      await sql.query('INSERT INTO booked VALUES (4)')
      await sql.query('ROLLBACK TO SAVEPOINT s')
      await sql.commit()
      seen.push(await count(other))
      await sql.query('SET autocommit = 0')
      await sql.query('INSERT INTO booked VALUES (5)')
      seen.push(await count(other))
      await sql.query('SET autocommit = 1')
      seen.push(await count(other))
      return seen
    }),
  )
}

async function identity(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const [row] = await rowsOf(sql, 'SELECT CONNECTION_ID() id')
    const listed = (await rowsOf(sql, 'SHOW PROCESSLIST')).find(({ Id }) => Id === sql.threadId)
    const { User, db, Command } = listed ?? {}
    await sql.ping()
    return { isSame: row?.['id'] === sql.threadId, User, db, Command }
  })
}

async function characterSets(at: Address): Promise<unknown> {
  const seen: unknown[] = []
  const ask = `SELECT ? t, HEX(?) h, @@character_set_client c, @@character_set_results r`
  for (const [charset, text] of [
    ['UTF8MB4_BIN', "é中😀'\\"],
    ['LATIN1_SWEDISH_CI', "é'ü"],
    ['GBK_CHINESE_CI', "中文'"],
  ] as const)
    seen.push(
      await within(
        at,
        async sql => {
          const asText = await rowsOf(sql, ask, [text, text])
          const [prepared] = await sql.execute(ask, [text, text])
          await sql.query('SET @kept = ?', [text])
          return [asText, prepared, await rowsOf(sql, 'SELECT @kept k, HEX(@kept) h')]
        },
        { charset },
      ),
    )
  return seen
}

async function compression(at: Address): Promise<unknown> {
  return await within(at, sql => rowsOf(sql, "SELECT LENGTH(REPEAT('c', 100000)) n"), {
    compress: true,
  })
}

async function pipelines(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const asked = Array.from({ length: 50 }, (_, n) =>
      n % 2 === 0 ? sql.query(`SELECT ${n} n, @v v`) : sql.query(`SET @v = ${n}`),
    )
    return (await Promise.all(asked)).map(([answer]) => answer)
  })
}

const STILL = [{ still: 1 }]

/** Over TLS, the certificate verified: what is read, and that the socket is one of TLS. */
export async function mysql2OverTls(at: Address, ca: string): Promise<unknown> {
  return await within(
    at,
    async sql => {
      const { stream } = (sql as unknown as { connection: { stream: { encrypted?: boolean } } })
        .connection
      const [prepared] = await sql.execute('SELECT ? a, REPEAT(?, 100000) b', [1, 'b'])
      return [stream.encrypted, prepared]
    },
    { ssl: { ca } },
  )
}

export const MYSQL2_CASES: readonly Case[] = [
  {
    name: 'logins that succeed and fail',
    act: logins,
    sees: { native: [{ who: 'demo@%' }], wrongPassword: [1045, '42000'] },
  },
  {
    name: 'values as text',
    act: at => values(at, 'query'),
    sees: { inserted: { affectedRows: 1 }, rows: [{ s: GIVEN[6] }, { s: null }, { en: 'b' }] },
  },
  {
    name: 'values as parameters of prepared statements',
    act: at => values(at, 'execute'),
    sees: { inserted: { affectedRows: 1 }, rows: [{ s: GIVEN[6] }, { s: null }, { en: 'b' }] },
  },
  { name: 'more prepared statements than are kept', act: manyStatements, sees: [[{ a: 0, b: 1 }]] },
  {
    name: 'statements of 1, 16 and 17 MB',
    act: bigStatements,
    isHeavy: true,
    sees: [[{ n: 1_048_553 }], STILL, [{ n: 16_777_192 }], STILL],
  },
  {
    name: 'a result of 64 MB row by row',
    act: largeResult,
    isHeavy: true,
    sees: { rows: 1000, bytes: 65_536_000, isOrdered: true, after: STILL },
  },
  { name: 'errors', act: errors, sees: { warned: { affectedRows: 1 } } },
  { name: 'several statements in one', act: several, sees: [[[{ a: 1 }], [{ b: 2, c: 'x' }]]] },
  { name: 'procedures', act: procedures, sees: [[[{ first: 7 }], [{ second: 8, word: 'x' }]]] },
  { name: 'local files', act: files, sees: [{ affectedRows: 3 }, { affectedRows: 0 }] },
  {
    name: 'kills of a statement and of a session',
    act: cancels,
    sees: [true, { errno: 1317, sqlState: '70100' }, STILL, true, true, true, true],
  },
  { name: 'change of user', act: changesUser, sees: [[{ who: 'second@%', mine: null }], true] },
  { name: 'reset of a connection', act: resets, sees: [[{ mine: null, auto: 1 }], [{ n: 0 }]] },
  { name: 'a pool that resets what it is given back', act: pools, sees: [[{ mine: null }]] },
  { name: 'transactions', act: transactions, sees: [1, 0, 0, 1, 0, 1, 2, 2, 3] },
  { name: 'connection id and process list', act: identity, sees: { isSame: true, User: 'demo' } },
  { name: 'character sets', act: characterSets, sees: [[[{ t: "é中😀'\\" }]]] },
  { name: 'compression that is asked for', act: compression, sees: [{ n: 100_000 }] },
  { name: 'commands that are sent ahead', act: pipelines, sees: [[{ n: 0, v: null }]] },
]
