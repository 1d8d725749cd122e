/**
 * What the scripted engine has and the kernel has not, through several fronts over one world: what is
 * shared is seen everywhere, what belongs to a session is wrong anywhere else.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  FrontClient,
  type FrontLogin,
  OB20_FEATURES,
  PROXY_FEATURES,
  rowsOf,
  statusOf,
} from '../../support/front-client.ts'
import { type Ob20Wire, sessionInfo } from '../../support/front-ob20-wire.ts'
import { type ScriptedFronts, startScriptedFronts } from '../../support/front-scripted.ts'
import { errorOf } from '../../support/raw-client.ts'

let under: ScriptedFronts
const clients: FrontClient[] = []

beforeAll(async () => {
  under = await startScriptedFronts('127.29.6')
  const client = await at(1)
  await client.query('CREATE TABLE s1 (id INT PRIMARY KEY, name VARCHAR(50))')
  await client.query("INSERT INTO s1 VALUES (1, 'one'), (2, 'two')")
})

afterEach(() => {
  for (const client of clients.splice(0)) client.raw.socket.destroy()
})

afterAll(() => under?.stop())

/** A proxy's session at the front of this number. */
async function at(front: number, change: Partial<FrontLogin> = {}): Promise<FrontClient> {
  const { server } = under.fronts[front - 1] as ScriptedFronts['fronts'][number]
  const client = new FrontClient(server, true)
  clients.push(client)
  const { user, password, database } = under.accounts
  const [answer] = await client.logIn({
    user: `${user}@app`,
    password,
    database,
    features: OB20_FEATURES,
    ...change,
  })
  if (answer?.payload[0] !== 0x00) throw new Error('no login')
  return client
}

const rows = async (client: FrontClient, sql: string) => rowsOf(await client.query(sql))
const errno = async (client: FrontClient, sql: string) =>
  errorOf((await client.query(sql)).packets[0]).errno
const done = async (client: FrontClient, ...statements: readonly string[]) => {
  for (const sql of statements)
    expect([sql, (await client.query(sql)).first[0] === 0xff]).toEqual([sql, false])
}

describe('XA', () => {
  test('a branch is prepared by one session and committed by another, through another front', async () => {
    const [one, two, three] = [await at(1), await at(2), await at(3)]
    await done(one, "XA START 'x1'", "INSERT INTO s1 VALUES (10, 'xa')")
    expect(statusOf((await one.query("XA END 'x1'")).last) & 1).toBe(1)
    expect(statusOf((await one.query("XA PREPARE 'x1'")).last) & 1).toBe(0)

    expect(await rows(two, 'SELECT name FROM s1 WHERE id = 10')).toEqual([])
    expect(await rows(two, 'XA RECOVER')).toEqual([['1', '2', '0', 'x1']])
    await done(two, "XA COMMIT 'x1'")

    expect(await rows(three, 'SELECT name FROM s1 WHERE id = 10')).toEqual([['xa']])
    expect(await errno(three, "XA COMMIT 'x1'")).toBe(1397)
    await done(three, 'DELETE FROM s1 WHERE id = 10')
  })

  test('one phase, rollback, and what its states forbid', async () => {
    const [one, two] = [await at(1), await at(2)]
    await done(one, "XA START 'x2'", "UPDATE s1 SET name = 'x' WHERE id = 1")
    for (const sql of ['COMMIT', 'BEGIN', 'CREATE TABLE s2 (id INT)', "XA PREPARE 'x2'"])
      expect([sql, await errno(one, sql)]).toEqual([sql, 1399])
    await done(one, "XA END 'x2'")
    expect(await errno(one, 'SELECT * FROM s1')).toBe(1399)
    await done(one, "XA ROLLBACK 'x2'")
    expect(await rows(one, 'SELECT name FROM s1 WHERE id = 1')).toEqual([['one']])

    await done(one, "XA START 'x3'", "INSERT INTO s1 VALUES (11, 'p')", "XA END 'x3'")
    // A branch that is not prepared is of its session alone.
    expect(await errno(two, "XA COMMIT 'x3'")).toBe(1397)
    await done(one, "XA COMMIT 'x3' ONE PHASE")
    expect(await rows(two, 'SELECT name FROM s1 WHERE id = 11')).toEqual([['p']])
    await done(two, 'DELETE FROM s1 WHERE id = 11')
  })
})

describe('temporary tables', () => {
  test('belong to their session, hide others, and every OK that changes it says so', async () => {
    const [one, two] = [await at(1), await at(2)]
    const used = async (sql: string) => {
      const { last } = await one.query(sql)
      const name = '_ob_proxy_session_temporary_table_used'
      const from = last.indexOf(name) + name.length
      return from < name.length
        ? ''
        : last.subarray(from + 1, from + 1 + last.readUInt8(from)).toString()
    }

    expect(await used('CREATE TEMPORARY TABLE t1 (id INT PRIMARY KEY)')).toBe('ON')
    await done(one, 'INSERT INTO t1 VALUES (7)', 'CREATE TEMPORARY TABLE s1 (id INT)')

    expect(await rows(one, 'SELECT id FROM t1')).toEqual([['7']])
    expect(await rows(one, 'SELECT * FROM s1')).toEqual([])
    expect(await errno(two, 'SELECT id FROM t1')).toBe(1146)
    expect(await rows(two, 'SELECT COUNT(*) FROM s1')).toEqual([['2']])
    expect(await used('DROP TEMPORARY TABLE t1')).toBe('')
    expect(await used('DROP TABLE s1')).toBe('OFF')
    expect(await rows(one, 'SELECT COUNT(*) FROM s1')).toEqual([['2']])
  })

  test('commit nothing, and are gone after a reset', async () => {
    const [one, two] = [await at(1), await at(2)]
    await done(one, 'BEGIN', "INSERT INTO s1 VALUES (20, 'open')")
    expect(statusOf((await one.query('CREATE TEMPORARY TABLE t2 (id INT)')).last) & 1).toBe(1)
    expect(await rows(two, 'SELECT * FROM s1 WHERE id = 20')).toEqual([])
    one.raw.command(0x1f)
    await one.answer()

    expect(await errno(one, 'SELECT * FROM t2')).toBe(1146)
  })
})

describe('locks on names', () => {
  const lockable = (front: number, id: number) => at(front, { clientSessionId: id })

  test('hold over fronts, are waited for, and both changes are fed back', async () => {
    const [one, two] = [await lockable(1, 31), await lockable(2, 32)]
    const wire = one.ob20 as Ob20Wire
    expect(await rows(one, "SELECT GET_LOCK('a', 0)")).toEqual([['1']])
    expect(wire.isLockSession()).toBe('1')
    expect(await rows(two, "SELECT GET_LOCK('a', 0)")).toEqual([['0']])
    expect(await rows(two, "SELECT IS_FREE_LOCK('a'), IS_USED_LOCK('A')")).toEqual([['0', '31']])
    expect(await rows(two, "SELECT RELEASE_LOCK('a'), RELEASE_LOCK('b')")).toEqual([['0', null]])

    const waiting = rows(two, "SELECT GET_LOCK('a', 30)")
    wire.forget()
    expect(await rows(one, "SELECT RELEASE_LOCK('a')")).toEqual([['1']])

    expect(wire.isLockSession()).toBe('0')
    expect(await waiting).toEqual([['1']])
    expect(await rows(two, 'SELECT RELEASE_ALL_LOCKS()')).toEqual([['1']])
  })

  test('are given back by a session that ends', async () => {
    const [one, two] = [await lockable(1, 33), await lockable(2, 34)]
    await done(one, "SELECT GET_LOCK('b', 0)")
    const waiting = rows(two, "SELECT GET_LOCK('b', 30)")
    one.raw.socket.destroy()

    expect(await waiting).toEqual([['1']])
  })

  test('KILL QUERY by the id of the client ends the wait for one', async () => {
    const [one, two] = [await lockable(1, 35), await lockable(2, 36)]
    await done(one, "SELECT GET_LOCK('c', 0)")
    two.raw.command(0x03, "SELECT GET_LOCK('c', 30)")
    const running = async () => {
      const shown = await rows(one, 'SHOW PROCESSLIST')
      return shown.some(row => row[0] === '36' && row[3] === 'Query')
    }
    await expect.poll(running).toBe(true)
    await done(one, 'KILL QUERY 36')

    expect(errorOf((await two.answer()).packets[0]).errno).toBe(1317)
    expect(await rows(two, 'SELECT 1')).toEqual([['1']])
  })
})

describe('what applications say of themselves', () => {
  test('travels in blobs 0 to 2, and is nowhere else', async () => {
    const [from, to] = [await at(1), await at(2)]
    const asked =
      "SELECT SYS_CONTEXT('userenv', 'module'), SYS_CONTEXT('USERENV', 'CLIENT_IDENTIFIER'), SYS_CONTEXT('shop', 'basket')"
    await done(
      from,
      "CALL dbms_application_info.set_module('m', 'a')",
      "CALL dbms_session.set_identifier('me')",
      "CALL dbms_session.set_context('shop', 'basket', '7')",
    )
    const blobs = (from.ob20 as Ob20Wire).blobs()
    expect([...blobs.keys()].sort()).toEqual([0, 1, 2, 3, 4])
    expect(await rows(to, asked)).toEqual([[null, null, null]])
    ;(to.ob20 as Ob20Wire).extra = [sessionInfo(blobs)]

    expect(await rows(to, asked)).toEqual([['m', 'me', '7']])
  })

  test('ROW_COUNT() is blob 7; opaque types of transactions pass by', async () => {
    const [from, to] = [await at(1), await at(2)]
    await done(from, "UPDATE s1 SET name = 'uno' WHERE id = 1")
    const blobs = new Map((from.ob20 as Ob20Wire).blobs())
    for (const type of [5, 6, 8]) blobs.set(type, Buffer.from([1, 2, 3]))
    ;(to.ob20 as Ob20Wire).extra = [sessionInfo(blobs)]

    expect(await rows(to, 'SELECT ROW_COUNT()')).toEqual([['1']])
    await done(to, "UPDATE s1 SET name = 'one' WHERE id = 1")
  })

  test('nothing travels that was not agreed to', async () => {
    const client = await at(1, { features: PROXY_FEATURES | 0x100 | 0x8000 })
    await done(client, "SET time_zone = '+05:00'", "CALL dbms_session.set_identifier('me')")

    expect((client.ob20 as Ob20Wire).received()).toEqual([])
  })
})

describe('what does not travel', () => {
  test('is another one, or nothing, in every other session of the same client', async () => {
    const [one, two] = [await at(1), await at(2)]
    await done(one, "PREPARE s FROM 'SELECT 1'", "SET @u = 'x'", 'SELECT id FROM s1')
    const { id } = await one.prepare('SELECT id FROM s1 WHERE name = ?')
    await done(one, 'BEGIN', 'SAVEPOINT sp')
    ;(two.ob20 as Ob20Wire).extra = [sessionInfo((one.ob20 as Ob20Wire).blobs())]

    expect(await rows(two, 'SELECT @u, FOUND_ROWS()')).toEqual([[null, '0']])
    expect(await errno(two, 'EXECUTE s')).toBe(1243)
    expect(errorOf((await two.execute(id, ['one'])).packets[0]).errno).toBe(1243)
    expect(await errno(two, 'ROLLBACK TO sp')).toBe(1305)
    expect(statusOf((await two.query('SELECT 1')).last) & 1).toBe(0)
  })
})

describe('procedures', () => {
  test('take values, give several results, and are there through every front', async () => {
    const [one, two] = [await at(1), await at(2)]
    await done(
      one,
      'CREATE PROCEDURE sp1(IN wanted INT, suffix VARCHAR(9)) BEGIN ' +
        "SELECT name FROM s1 WHERE id = wanted; SET @seen = suffix; SELECT CONCAT('x', suffix); END",
    )

    const { packets } = await two.query("CALL sp1(2, 'y')")

    const texts = packets.map(({ payload }) => payload.toString('latin1'))
    expect(texts).toContain('\x03two')
    expect(texts).toContain('\x02xy')
    expect(await rows(two, 'SELECT @seen')).toEqual([['y']])
    expect(await errno(two, 'CALL sp1(2)')).toBe(1318)
    await done(two, 'DROP PROCEDURE sp1')
    expect(await errno(one, "CALL sp1(2, 'y')")).toBe(1305)
  })

  test('an error inside ends the answer behind the results before it', async () => {
    const client = await at(1)
    await done(
      client,
      'CREATE PROCEDURE sp2() BEGIN SELECT 1; SELECT * FROM missing; SELECT 2; END',
    )

    const { packets } = await client.query('CALL sp2()')

    expect(packets).toHaveLength(7)
    expect(errorOf(packets[5]).errno).toBe(1146)
    expect(await rows(client, 'SELECT 3')).toEqual([['3']])
  })
})

test('a client that was killed is refused by every front from then on', async () => {
  const [victim, killer] = [await at(1, { clientSessionId: 41 }), await at(2)]
  await done(killer, 'KILL 41')
  await victim.raw.closed()

  await expect(at(3, { clientSessionId: 41 })).rejects.toThrow('no login')
})

test('READ ONLY transactions write nothing', async () => {
  const client = await at(1)
  await done(client, 'START TRANSACTION READ ONLY')

  expect(await errno(client, "INSERT INTO s1 VALUES (50, 'x')")).toBe(1792)
  await done(client, 'COMMIT', 'SET SESSION TRANSACTION READ ONLY')
  expect(await errno(client, "INSERT INTO s1 VALUES (50, 'x')")).toBe(1792)
  expect(await rows(client, 'SELECT @@tx_read_only, @@transaction_read_only')).toEqual([['1', '1']])
})

test('SET … = DEFAULT, and twins of variables', async () => {
  const client = await at(1)
  const initial = await rows(client, 'SELECT @@time_zone')
  await done(client, "SET time_zone = '+05:00', last_insert_id = 9", 'SET time_zone = DEFAULT')

  expect(await rows(client, 'SELECT @@time_zone')).toEqual(initial)
  expect(await rows(client, 'SELECT LAST_INSERT_ID(), @@identity')).toEqual([['9', '9']])
})
