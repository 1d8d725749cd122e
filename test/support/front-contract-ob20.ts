/**
 * OB 2.0 connections of a front: frames, session state in extra info, content and switches. What
 * only one of the engines has is not here.
 */
import { describe, expect, test } from 'vitest'
import { nativeToken } from '../../infra/local/front/login-codec.ts'
import { EXTRA, FLAG } from '../../infra/local/front/ob20-codec.ts'
import {
  type FrontClient,
  OB20_FEATURES,
  PROXY_FEATURES,
  rowsOf,
  statusOf,
} from './front-client.ts'
import type { FrontContext } from './front-contract.ts'
import { type Ob20Wire, sessionInfo } from './front-ob20-wire.ts'
import { errorOf } from './raw-client.ts'

const LOCAL_FILES = 0x80
const FILE_ALLOWED = PROXY_FEATURES | 0x10_0000

export function ob20Contract(context: FrontContext): void {
  const ob20 = async (features = OB20_FEATURES) => {
    const client = await context.proxy({ features, clientFlags: LOCAL_FILES, clientSessionId: 91 })
    return { client, wire: client.ob20 as Ob20Wire }
  }

  describe('OB 2.0', () => {
    test('is agreed to when a proxy asks for it: frames numbered on, the last one marked', async () => {
      const { client, wire } = await ob20()
      await client.query('SELECT 1')
      wire.forget()

      const answer = await client.query('SELECT id, name FROM c1 WHERE id <= 3 ORDER BY id')

      expect(rowsOf(answer)).toHaveLength(3)
      expect(answer.packets.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
      const numbers = wire.frames.map((_frame, at) => at + 1)
      expect(wire.frames.map(({ outerSequence }) => outerSequence)).toEqual(numbers)
      expect(wire.frames.map(({ packetSequence }) => packetSequence)).toEqual(numbers)
      expect(wire.frames.every(({ connectionId }) => connectionId === client.threadId)).toBe(true)
      expect(wire.frames.every(({ requestId }) => requestId === 2)).toBe(true)
      expect(wire.frames.map(({ flags }) => (flags & FLAG.last) !== 0).indexOf(true)).toBe(
        wire.frames.length - 1,
      )
    })

    test.each([1, 3, 5, 7])('a request in frames of %i bytes', async sliceBytes => {
      const { client, wire } = await ob20()
      await client.query('SELECT 1')
      wire.forget()
      wire.sliceBytes = sliceBytes

      const answer = await client.query('SELECT 41 + 1')

      expect(rowsOf(answer)).toEqual([['42']])
      const frames = Math.ceil((4 + 1 + 'SELECT 41 + 1'.length) / sliceBytes)
      expect(wire.frames[0]).toMatchObject({ outerSequence: 1, packetSequence: frames })
    })

    test('bytes that come one by one', async () => {
      const { client, wire } = await ob20()
      const bytes = wire.encode(Buffer.from('\x09\0\0\0\x03SELECT 7'))
      for (const byte of bytes) client.raw.socket.write(Buffer.from([byte]))

      expect(rowsOf(await client.answer())).toEqual([['7']])
    })

    test('two commands in one segment are answered in turn', async () => {
      const { client, wire } = await ob20()
      const framed = (sql: string) => {
        const head = Buffer.from([sql.length + 1, 0, 0, 0, 3])
        return wire.encode(Buffer.concat([head, Buffer.from(sql)]))
      }
      client.raw.socket.write(Buffer.concat([framed('SELECT 1'), framed('SELECT 2')]))

      expect(rowsOf(await client.answer())).toEqual([['1']])
      expect(rowsOf(await client.answer())).toEqual([['2']])
      expect(wire.ended).toBe(2)
    })

    test('an error and the OK behind it are one response', async () => {
      const { client, wire } = await ob20()
      await client.query('SELECT 1')
      wire.forget()

      const answer = await client.query('SELECT * FROM missing')

      expect(errorOf(answer.packets[0]).errno).toBe(1146)
      expect(answer.packets.map(({ sequence }) => sequence)).toEqual([1, 2])
      expect(wire.frames.filter(({ flags }) => (flags & FLAG.last) !== 0)).toHaveLength(1)
    })

    test('a large result comes whole, and stops while nobody reads', async () => {
      const { client, wire } = await ob20()
      client.raw.socket.pause()
      client.raw.command(0x03, "SELECT REPEAT('y', 12000000)")
      const other = await context.proxy()
      for (let run = 0; run < 10; run++)
        expect(rowsOf(await other.query('SELECT 1'))).toEqual([['1']])
      client.raw.socket.resume()

      const { packets } = await client.answer()

      expect(packets[3]?.payload.length).toBe(12_000_004)
      expect(wire.ended).toBe(1)
    })

    test('a command above 16 MiB is refused behind its end, and the session goes on', async () => {
      const { client } = await ob20()

      const answer = await client.query(`SELECT LENGTH('${'x'.repeat(17_000_000)}')`)

      expect(errorOf(answer.packets[0]).errno).toBe(1153)
      expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
    })

    test('prepared statements work as on plain connections', async () => {
      const { client } = await ob20()
      const prepared = await client.prepare('SELECT id, name FROM c1 WHERE name = ?')

      const answer = await client.execute(prepared.id, ['one'])

      expect(answer.packets.some(({ payload }) => payload.includes('\x03one'))).toBe(true)
    })

    test.each([900, 1001, 1500, 2005])(
      'extra info of type %i, which hangs a server: the connection ends, counted',
      async type => {
        const front = context.front()
        const { client, wire } = await ob20()
        const before = front.counters.violations
        wire.extra = [{ type, value: Buffer.from('x') }]
        client.raw.command(0x03, 'SELECT 1')

        await client.raw.closed()

        expect(front.counters.violations).toBe(before + 1)
        expect(front.counters.lastViolation).toContain(String(type))
        expect(rowsOf(await (await ob20()).client.query('SELECT 1'))).toEqual([['1']])
      },
    )

    test('a plain command on it: no answer; a whole header of it ends the connection', async () => {
      const { client } = await ob20()
      client.raw.wire = undefined
      client.raw.command(0x03, "SELECT 'longer than the header of a frame'")

      await client.raw.closed()
    })
  })

  describe('session state in extra info', () => {
    const blobs = async (client: FrontClient, wire: Ob20Wire, statements: readonly string[]) => {
      for (const sql of statements) expect((await client.query(sql)).first[0]).not.toBe(0xff)
      return wire.blobs()
    }
    const value = async (client: FrontClient, sql: string) => rowsOf(await client.query(sql))

    test('system variables travel to another session, user variables do not', async () => {
      const [from, to] = [await ob20(), await ob20()]
      const state = await blobs(from.client, from.wire, [
        "SET time_zone = '+05:00', @u = 'x', sql_mode = 'ANSI_QUOTES'",
      ])
      expect(await value(to.client, 'SELECT @@time_zone')).not.toEqual([['+05:00']])
      to.wire.extra = [sessionInfo(state)]

      expect(await value(to.client, 'SELECT @@time_zone, @u')).toEqual([['+05:00', null]])
      const shown = "SHOW VARIABLES LIKE 'sql_mode'"
      expect(await value(to.client, shown)).toEqual(await value(from.client, shown))
    })

    test('a blob replaces what an earlier one said, back to the default', async () => {
      const [from, to] = [await ob20(), await ob20()]
      const zone = 'SELECT @@time_zone, @@sql_safe_updates'
      const initial = await value(to.client, zone)
      const one = await blobs(from.client, from.wire, ["SET time_zone = '+05:00'"])
      to.wire.extra = [sessionInfo(one)]
      await to.client.query('SELECT 1')
      from.wire.forget()
      const two = await blobs(from.client, from.wire, [`SET time_zone = '${initial[0]?.[0]}'`])
      to.wire.extra = [sessionInfo(two)]

      expect(await value(to.client, zone)).toEqual(initial)
    })

    test('is applied before a statement that is wrong', async () => {
      const [from, to] = [await ob20(), await ob20()]
      const state = await blobs(from.client, from.wire, ["SET time_zone = '+05:00'"])
      to.wire.extra = [sessionInfo(state)]

      expect(errorOf((await to.client.query('SELEKT')).packets[0]).errno).toBe(1064)

      expect(await value(to.client, 'SELECT @@time_zone')).toEqual([['+05:00']])
    })

    test('the last insert id travels', async () => {
      const [from, to] = [await ob20(), await ob20()]
      await from.client.query(
        'CREATE TABLE IF NOT EXISTS c2 (id INT AUTO_INCREMENT PRIMARY KEY, a INT)',
      )
      const state = await blobs(from.client, from.wire, ['INSERT INTO c2 (a) VALUES (1)'])
      const made = await value(from.client, 'SELECT LAST_INSERT_ID()')
      to.wire.extra = [sessionInfo(state)]

      expect(await value(to.client, 'SELECT LAST_INSERT_ID()')).toEqual(made)
      expect(made).not.toEqual([['0']])
    })

    test('a SET that fails half-way: in force, in the OK, and in the blob of the next success', async () => {
      const { client, wire } = await ob20()
      await client.query('SELECT 1')
      wire.forget()

      const answer = await client.query('SET wait_timeout = 444, nosuch = 1')

      expect(errorOf(answer.packets[0]).errno).toBe(1193)
      expect(answer.last.includes('wait_timeout')).toBe(true)
      expect(wire.blobs().has(4)).toBe(false)
      expect(await value(client, 'SELECT @@wait_timeout')).toEqual([['444']])
      expect(wire.blobs().has(4)).toBe(true)
    })

    test('a malformed blob ends the connection', async () => {
      const { client, wire } = await ob20()
      wire.extra = [{ type: EXTRA.session, value: Buffer.from('nonsense') }]
      client.raw.command(0x03, 'SELECT 1')

      await client.raw.closed()
    })

    test('types that nobody knows inside it are harmless', async () => {
      const { client, wire } = await ob20()
      wire.extra = [sessionInfo(new Map([[99, Buffer.from('?')]]))]

      expect(await value(client, 'SELECT 1')).toEqual([['1']])
    })

    test('a lock on a name is fed back to the proxy, once', async () => {
      const { client, wire } = await ob20()
      await client.query('SELECT 1')
      wire.forget()

      expect(await value(client, "SELECT GET_LOCK('contract', 1)")).toEqual([['1']])
      expect(wire.isLockSession()).toBe('1')
      wire.forget()
      expect(await value(client, "SELECT IS_USED_LOCK('contract')")).toEqual([['91']])
      expect(wire.isLockSession()).toBeUndefined()
    })

    test('a lock on a name needs OB 2.0', async () => {
      const client = await context.proxy({ clientSessionId: 92 })

      expect(errorOf((await client.query("SELECT GET_LOCK('c', 1)")).packets[0]).errno).toBe(1235)
    })
  })

  describe.each([
    ['plain', FILE_ALLOWED],
    ['OB 2.0', OB20_FEATURES],
  ])('content and switches, %s', (_name, features) => {
    const load = "LOAD DATA LOCAL INFILE 'a.csv' INTO TABLE c3 FIELDS TERMINATED BY ','"
    const proxy = () => context.proxy({ features, clientFlags: LOCAL_FILES })

    test('a local file is asked for and read, whatever its lines begin with', async () => {
      const client = await proxy()
      await client.query('DROP TABLE IF EXISTS c3')
      await client.query('CREATE TABLE c3 (id INT PRIMARY KEY, name VARCHAR(50))')

      const asked = await client.query(load)
      const { statements } = context.front().counters
      client.raw.send(2, Buffer.from('1,one\n2,'))
      client.raw.send(3, Buffer.from('\x03SELECT 1 FROM c1\n3,three\n'))
      client.raw.send(4, Buffer.alloc(0))
      const done = await client.answer()

      expect(asked.first.toString('latin1')).toBe('\xfba.csv')
      expect(done.packets.map(({ sequence }) => sequence)).toEqual([5])
      expect(done.first.readUInt8(1)).toBe(3)
      expect(context.front().counters.statements).toBe(statements)
      expect(rowsOf(await client.query('SELECT COUNT(*) FROM c3'))).toEqual([['3']])
    })

    test('a local file is refused to clients that do not offer it', async () => {
      const client = await context.proxy({ features })

      expect(errorOf((await client.query(load)).packets[0]).errno).toBe(3948)
    })

    const changeUser = async (client: FrontClient, user: string, password: string) => {
      const { accounts } = context.under()
      client.raw.command(
        0x11,
        Buffer.concat([
          Buffer.from(`${user}\0\0${accounts.database}\0`),
          Buffer.from([45, 0]),
          Buffer.from('mysql_native_password\0'),
        ]),
      )
      const asked = await client.raw.next()
      expect(asked.payload[0]).toBe(0xfe)
      const scramble = asked.payload.subarray(asked.payload.indexOf(0) + 1, -1)
      expect(scramble).toEqual(client.scramble)
      client.raw.send(asked.sequence + 1, nativeToken(password, scramble))
    }

    test('COM_CHANGE_USER switches the authentication, and user variables are gone', async () => {
      const { accounts } = context.under()
      const client = await proxy()
      await client.query("SET @u = 'x', time_zone = '+05:00'")

      await changeUser(client, `${accounts.user}@app`, accounts.password)
      const answer = await client.answer()

      expect(answer.packets.map(({ sequence }) => sequence)).toEqual([3])
      expect(answer.first[0]).toBe(0x00)
      expect(answer.first.includes('wait_timeout')).toBe(true)
      const state = await client.query('SELECT @u, @@time_zone')
      expect(rowsOf(state)).not.toEqual([['x', '+05:00']])
      expect(rowsOf(state)[0]?.[0]).toBe(null)
    })

    test('COM_CHANGE_USER with a wrong password: its error, an OK, the end', async () => {
      const client = await proxy()

      await changeUser(client, `${context.under().accounts.user}@app`, 'wrong')
      const answer = await client.answer()

      expect(errorOf(answer.packets[0]).errno).toBe(1045)
      expect(answer.packets).toHaveLength(2)
      await client.raw.closed()
    })

    test('COM_RESET_CONNECTION: an OK without state, variables and user variables are gone', async () => {
      const client = await proxy()
      const initial = rowsOf(await client.query('SELECT @@time_zone'))
      await client.query("SET @u = 'x', time_zone = '+05:00'")
      client.raw.command(0x1f)

      const answer = await client.answer()

      expect(answer.packets).toHaveLength(1)
      expect(statusOf(answer.first)).toBe(0x22)
      expect(answer.first.length).toBeLessThan(20)
      expect(rowsOf(await client.query('SELECT @u'))).toEqual([[null]])
      expect(rowsOf(await client.query('SELECT @@time_zone'))).toEqual(initial)
    })
  })
}
