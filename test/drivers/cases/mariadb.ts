/** The mariadb package: pipelining, long data of large buffers and streams, batches, pools, resets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Connection, type ConnectionConfig, createConnection, createPool } from 'mariadb'
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

function options(at: Address, more: ConnectionConfig = {}): ConnectionConfig {
  const { host, port, user, password, database } = at
  return { host, port, user, password, database, timezone: 'Z', connectTimeout: 30_000, ...more }
}

async function within<T>(
  at: Address,
  act: (sql: Connection) => Promise<T>,
  more: ConnectionConfig = {},
): Promise<T> {
  const sql = await createConnection(options(at, more))
  sql.on('error', () => {})
  try {
    return await act(sql)
  } finally {
    sql.destroy()
  }
}

/** Arrays of rows carry the columns as a member; rows alone are compared. */
const rowsOf = async (sql: Connection, text: string, values?: unknown[]): Promise<Rows> => [
  ...((await sql.query(text, values)) as Rows),
]
const executed = async (sql: Connection, text: string, values: unknown[]): Promise<Rows> => [
  ...((await sql.execute(text, values)) as Rows),
]

const login = (at: Address, more: ConnectionConfig) =>
  within(at, sql => rowsOf(sql, 'SELECT CURRENT_USER() who, DATABASE() db'), more)

async function logins(at: Address): Promise<unknown> {
  return {
    native: await login(at, {}),
    second: await login(at, at.second),
    wrongPassword: await codeOf(login(at, { password: 'wrong' })),
    noPassword: await codeOf(login(at, { password: '' })),
    unknownUser: await codeOf(login(at, { user: at.user.replace('demo', 'ghost') })),
    unknownDatabase: await codeOf(login(at, { database: 'nowhere' })),
  }
}

const GIVEN: unknown[] = [
  -9223372036854775808n,
  18446744073709551615n,
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

async function values(at: Address, isPrepared: boolean): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS kinds')
    await sql.query(KINDS)
    const run = (text: string, given: unknown[]) =>
      isPrepared ? sql.execute(text, given) : sql.query(text, given)
    const inserted: unknown = await run(INSERT, GIVEN)
    const nulls = GIVEN.map(() => null)
    await run(INSERT, nulls)
    await sql.query("INSERT INTO kinds (y,bits,en,se) VALUES (2026, b'101000000001', 'b', 'x,y')")
    const rows = [...((await run('SELECT * FROM kinds WHERE id < ? ORDER BY id', [99])) as Rows)]
    return { inserted, rows }
  })
}

async function longData(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS long_data')
    await sql.query(
      'CREATE TABLE long_data (id INT PRIMARY KEY, body LONGBLOB, word VARCHAR(20), tail LONGBLOB)',
    )
    const insert = await sql.prepare('INSERT INTO long_data VALUES (?, ?, ?, ?)')
    const large = Buffer.alloc(200_000, 'long')
    const stream = () => Readable.from([Buffer.alloc(300_000, 'a'), Buffer.from('end')])
    await insert.execute([1, large, 'two', Buffer.alloc(20_000, 'tail')])
    await insert.execute([2, stream(), null, stream()])
    await insert.execute([3, null, 'none', Buffer.alloc(2_000_000, 'z')])
    await insert.execute([4, Buffer.from('short'), 'four', null])
    insert.close()
    return await rowsOf(sql, 'SELECT * FROM long_data ORDER BY id')
  })
}

async function batches(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS batched')
    await sql.query('CREATE TABLE batched (id INT PRIMARY KEY, word VARCHAR(20))')
    const given = Array.from({ length: 300 }, (_, n) => [n, n % 3 === 0 ? null : `word ${n}`])
    const done: unknown = await sql.batch('INSERT INTO batched VALUES (?, ?)', given)
    return [done, await rowsOf(sql, 'SELECT COUNT(*) n, COUNT(word) w, SUM(id) s FROM batched')]
  })
}

async function manyStatements(at: Address): Promise<unknown> {
  return await within(
    at,
    async sql => {
      const seen: unknown[] = []
      for (const round of [1, 2])
        for (let number = 0; number < 25; number++)
          seen.push(await executed(sql, `SELECT ${number} a, ? + ${round} b`, [number]))
      seen.push(await failure(sql.execute('SELECT * FROM nosuch WHERE id = ?', [1])))
      seen.push(await failure(sql.execute('SELEKT ?', [1])))
      seen.push(await rowsOf(sql, 'SELECT 1 still'))
      return seen
    },
    { prepareCacheLength: 10 },
  )
}

async function bigStatements(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const seen: unknown[] = []
    for (const bytes of [1 << 20, (1 << 24) - 1, 1 << 24]) {
      seen.push(await rowsOf(sql, statementOf(bytes)))
      seen.push(await rowsOf(sql, 'SELECT 1 still'))
    }
    seen.push(await codeOf(rowsOf(sql, statementOf(17 << 20))))
    return seen
  })
}

async function largeResult(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS digits')
    await sql.query('CREATE TABLE digits (d INT PRIMARY KEY)')
    await sql.query('INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)')
    await sql.query('SET ob_query_timeout = 100000000')
    const text =
      "SELECT a.d + 10 * b.d + 100 * c.d AS n, REPEAT('z', 65536) z FROM digits a, digits b, digits c ORDER BY n"
    let [rows, bytes, isOrdered] = [0, 0, true]
    for await (const row of sql.queryStream(text)) {
      const { n, z } = row as { n: bigint; z: string }
      isOrdered = isOrdered && Number(n) === rows
      rows += 1
      bytes += z.length
    }
    return { rows, bytes, isOrdered, after: await rowsOf(sql, 'SELECT 1 still') }
  })
}

async function errors(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS once')
    await sql.query('CREATE TABLE once (id INT PRIMARY KEY, n INT NOT NULL)')
    await sql.query('INSERT INTO once VALUES (1, 1)')
    const seen: Record<string, unknown> = {}
    for (const text of ERRORS) seen[text] = await failure(sql.query(text))
    return seen
  })
}

async function several(at: Address): Promise<unknown> {
  const texts =
    "SELECT 1 a; SELECT 2 b, 'x' c; DO 1; SELECT 3 d FROM dual WHERE 1 = 0; SET @v = 9; SELECT @v v"
  return await within(
    at,
    async sql => [
      ((await sql.query(texts)) as unknown[]).map(each =>
        Array.isArray(each) ? [...(each as unknown[])] : each,
      ),
      await codeOf(sql.query('SELECT 1; SELECT * FROM nosuch; SELECT 3')),
      await rowsOf(sql, 'SELECT @v v'),
    ],
    { multipleStatements: true },
  )
}

async function procedures(at: Address): Promise<unknown> {
  const sets = (answer: unknown) =>
    (answer as unknown[]).map(each => (Array.isArray(each) ? [...(each as unknown[])] : each))
  return await within(at, async sql => {
    await sql.query('DROP PROCEDURE IF EXISTS twice')
    await sql.query(TWICE)
    return [
      sets(await sql.query('CALL twice(?)', [7])),
      sets(await sql.execute('CALL twice(?)', [8])),
      await rowsOf(sql, 'SELECT 1 still'),
    ]
  })
}

async function files(at: Address): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-files-'))
  const path = join(folder, 'file')
  const load = `LOAD DATA LOCAL INFILE '${path}' INTO TABLE loaded FIELDS TERMINATED BY ','`
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `${from + n},name of ${from + n}\n`).join('')
  try {
    return await within(
      at,
      async sql => {
        await sql.query('DROP TABLE IF EXISTS loaded')
        await sql.query('CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(20))')
        const seen: unknown[] = []
        for (const content of [lines(1, 4), '', lines(1000, 4000)]) {
          writeFileSync(path, content)
          seen.push(await sql.query(load))
        }
        rmSync(path)
        seen.push((await codeOf(sql.query(load))) !== undefined)
        seen.push(await rowsOf(sql, 'SELECT COUNT(*) n, MIN(name) m FROM loaded'))
        seen.push(await codeOf(within(at, other => other.query(load))))
        return seen
      },
      { permitLocalInfile: true, pipelining: false },
    )
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
      const first = codeOf(sql.query(`SELECT SLEEP(20) ${marker}`))
      const seen: unknown[] = [await holdsInTime(isRunning)]
      await other.query(`KILL QUERY ${sql.threadId}`)
      seen.push(await first, await rowsOf(sql, 'SELECT 1 still'))
      const second = codeOf(sql.query(`SELECT SLEEP(20) ${marker}`))
      seen.push(await holdsInTime(isRunning))
      await other.query(`KILL ${sql.threadId}`)
      seen.push((await second) !== undefined, (await codeOf(sql.query('SELECT 1'))) !== undefined)
      seen.push(await holdsInTime(async () => !(await isRunning())))
      return seen
    }),
  )
}

/** The package sends COM_CHANGE_USER to servers that call themselves MariaDB only. */
async function changesUser(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    for (const text of SPOIL) await sql.query(text)
    await executed(sql, 'SELECT ? a', [1])
    await sql.beginTransaction()
    await sql.query('DO 1')
    const { threadId } = sql
    const refused = await codeOf(sql.changeUser({ ...at.second, database: at.database }))
    return [refused, await rowsOf(sql, STATE), sql.threadId === threadId]
  })
}

async function resets(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    await sql.query('DROP TABLE IF EXISTS undone')
    await sql.query('CREATE TABLE undone (id INT PRIMARY KEY)')
    for (const text of SPOIL) await sql.query(text)
    await sql.query('USE oceanbase')
    await sql.query(`INSERT INTO ${at.database}.undone VALUES (1)`)
    const refused = await codeOf(sql.reset())
    const seen: unknown[] = [refused, await rowsOf(sql, STATE)]
    seen.push(await rowsOf(sql, `SELECT COUNT(*) n FROM ${at.database}.undone`))
    seen.push(await executed(sql, 'SELECT ? + 2 a', [1]))
    return seen
  })
}

async function pools(at: Address): Promise<unknown> {
  const pool = createPool({ ...options(at), connectionLimit: 1, resetAfterUse: true })
  try {
    const first = await pool.getConnection()
    for (const text of SPOIL) await first.query(text)
    await first.release()
    const again = await pool.getConnection()
    const seen: unknown[] = [await rowsOf(again, STATE)]
    await again.release()
    const asked = Array.from({ length: 20 }, (_, n) => pool.query('SELECT ? n', [n]))
    seen.push((await Promise.all(asked)).map(rows => [...(rows as Rows)]))
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
        [1, () => sql.rollback()],
        [2, () => sql.commit()],
      ] as const) {
        await sql.beginTransaction()
        await sql.execute('INSERT INTO booked VALUES (?)', [id])
        seen.push(await count(sql), await count(other))
        await end()
        seen.push(await count(other))
      }
      // Its commit is sent only when the status of the last answer says that a transaction is open.
      await sql.query('SET autocommit = 0')
      await sql.query('INSERT INTO booked VALUES (5)')
      seen.push(await count(other))
      await sql.commit()
      seen.push(await count(other))
      return seen
    }),
  )
}

async function identity(at: Address): Promise<unknown> {
  return await within(at, async sql => {
    const [row] = await rowsOf(sql, 'SELECT CONNECTION_ID() id')
    const listed = (await rowsOf(sql, 'SHOW PROCESSLIST')).find(
      ({ Id }) => Number(Id) === sql.threadId,
    )
    const { User, db, Command } = listed ?? {}
    await sql.ping()
    return { isSame: Number(row?.['id']) === sql.threadId, User, db, Command }
  })
}

async function characterSets(at: Address): Promise<unknown> {
  const seen: unknown[] = []
  const ask = 'SELECT ? t, HEX(?) h, @@character_set_client c, @@collation_connection r'
  for (const [collation, text] of [
    ['UTF8MB4_BIN', "é中😀'\\"],
    ['LATIN1_SWEDISH_CI', "é'ü"],
    ['GBK_CHINESE_CI', "中文'"],
  ] as const)
    seen.push(
      await within(
        at,
        async sql => [await rowsOf(sql, ask, [text, text]), await executed(sql, ask, [text, text])],
        { collation },
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
      n % 2 === 0 ? rowsOf(sql, `SELECT ${n} n, @v v`) : sql.query(`SET @v = ${n}`),
    )
    return (await Promise.all(asked)) as unknown[]
  })
}

const STILL = [{ still: 'bigint 1' }]

/** Over TLS, the certificate verified: a login that the server did not secure would be refused by the package. */
export async function mariadbOverTls(at: Address, ca: string): Promise<unknown> {
  const read = (sql: Connection) => executed(sql, "SELECT ? a, REPEAT('b', 100000) b", [1])
  return await within(at, read, { ssl: { ca } })
}

export const MARIADB_CASES: readonly Case[] = [
  {
    name: 'logins that succeed and fail',
    act: logins,
    sees: { native: [{ who: 'demo@%' }], wrongPassword: [1045, '42000'] },
  },
  {
    name: 'values as text',
    act: at => values(at, false),
    sees: { inserted: { affectedRows: 1 }, rows: [{ s: GIVEN[6] }, { s: null }, { en: 'b' }] },
  },
  {
    name: 'values as parameters of prepared statements',
    act: at => values(at, true),
    sees: { inserted: { affectedRows: 1 }, rows: [{ s: GIVEN[6] }, { s: null }, { en: 'b' }] },
  },
  { name: 'long data of buffers and streams', act: longData, sees: [{ id: 1, word: 'two' }] },
  { name: 'batches', act: batches, sees: [[{ affectedRows: 1 }], [{ n: 'bigint 300' }]] },
  {
    name: 'more prepared statements than are kept',
    act: manyStatements,
    sees: [[{ b: 'bigint 1' }]],
  },
  {
    name: 'statements of 1, 16 and 17 MB',
    act: bigStatements,
    isHeavy: true,
    sees: [[{ n: 'bigint 1048553' }], STILL],
  },
  {
    name: 'a result of 64 MB row by row',
    act: largeResult,
    isHeavy: true,
    sees: { rows: 1000, bytes: 65_536_000, isOrdered: true, after: STILL },
  },
  { name: 'errors', act: errors, sees: {} },
  {
    name: 'several statements in one',
    act: several,
    sees: [[[{ a: 'bigint 1' }], [{ b: 'bigint 2', c: 'x' }]]],
  },
  { name: 'procedures', act: procedures, sees: [[[{ first: 7 }], [{ second: 'bigint 8' }]]] },
  { name: 'local files', act: files, sees: [{ affectedRows: 3 }, { affectedRows: 0 }] },
  {
    name: 'kills of a statement and of a session',
    act: cancels,
    sees: [true, [1317, '70100'], STILL, true, true, true, true],
  },
  {
    name: 'change of user',
    act: changesUser,
    sees: [[45_003, '0A000'], [{ who: 'demo@%' }], true],
  },
  {
    name: 'reset of a connection',
    act: resets,
    sees: [null, [{ mine: null }], [{ n: 'bigint 0' }]],
  },
  { name: 'a pool that resets what it is given back', act: pools, sees: [[{ who: 'demo@%' }]] },
  {
    name: 'transactions',
    act: transactions,
    sees: ['bigint 1', 'bigint 0', 'bigint 0', 'bigint 1'],
  },
  { name: 'connection id and process list', act: identity, sees: { isSame: true, User: 'demo' } },
  { name: 'character sets', act: characterSets, sees: [[[{ t: "é中😀'\\" }]]] },
  { name: 'compression that is asked for', act: compression, sees: [{ n: 'bigint 100000' }] },
  { name: 'commands that are sent ahead', act: pipelines, sees: [[{ n: 'bigint 0', v: null }]] },
]
