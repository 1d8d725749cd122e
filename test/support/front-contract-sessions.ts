/**
 * What a server session keeps to itself, over both engines: prepared statements and their cursors,
 * several results, savepoints, what FOUND_ROWS() and its like tell.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Packet } from '../../infra/local/front/codec.ts'
import { okStatus } from './front-answer.ts'
import {
  type FrontClient,
  OB20_FEATURES,
  PROXY_FEATURES,
  rowsOf,
  statusOf,
} from './front-client.ts'
import type { FrontContext } from './front-contract.ts'
import { errorOf } from './raw-client.ts'

const isEof = ({ payload }: Packet) => payload[0] === 0xfe && payload.length < 9
const eofStatus = ({ payload }: Packet) => payload.readUInt16LE(3)

function sessionsContract(context: FrontContext, framing: string, features: number): void {
  const killed = framing === 'plain' ? 781 : 782
  const proxy = () => context.proxy({ features, clientSessionId: 77 })
  const value = async (client: FrontClient, sql: string) => rowsOf(await client.query(sql))
  const number = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value, 0)
    return bytes
  }

  describe(`sessions, ${framing}`, () => {
    beforeAll(async () => {
      const client = await proxy()
      await client.query('CREATE TABLE IF NOT EXISTS c4 (id INT PRIMARY KEY, name VARCHAR(50))')
      await client.query("REPLACE INTO c4 VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')")
      client.raw.socket.destroy()
    })

    test('several statements: several results, state in the last OK alone', async () => {
      const client = await proxy()

      const answer = await client.query('SET @m = 7; SELECT 1; DO 1; SELECT 2')

      const [set] = answer.packets
      expect(okStatus(set?.payload as Buffer) & 0x4008).toBe(0x0008)
      expect(answer.packets.filter(isEof).map(packet => eofStatus(packet) & 0x0008)).toEqual([
        8, 8, 0, 0,
      ])
      expect(answer.last.includes('\x01m')).toBe(true)
      expect(await value(client, 'SELECT @m')).toEqual([['7']])
    })

    test('several statements stop at the first that fails', async () => {
      const client = await proxy()

      const answer = await client.query('SET @s = 1; SELECT * FROM missing; SET @s = 2')

      expect(errorOf(answer.packets[1]).errno).toBe(1146)
      expect(await value(client, 'SELECT @s')).toEqual([['1']])
    })

    test('CALL: its results, each with more to come, then its own OK', async () => {
      const client = await proxy()
      await client.query('DROP PROCEDURE IF EXISTS p4')
      const made = await client.query('CREATE PROCEDURE p4() BEGIN SELECT 1; SELECT 2; END')
      expect(made.first[0]).toBe(0x00)

      const answer = await client.query('CALL p4()')

      expect(answer.packets.filter(isEof).map(packet => eofStatus(packet) & 0x0008)).toEqual([
        8, 8, 8, 8,
      ])
      expect(statusOf(answer.last)).toBe(0x22)
      expect(rowsOf(await client.query('SELECT 3'))).toEqual([['3']])
    })

    test('text PREPARE, EXECUTE with values, DEALLOCATE; unknown names are told', async () => {
      const client = await proxy()
      await client.query("PREPARE s4 FROM 'SELECT name FROM c4 WHERE id = ?'")
      await client.query('SET @i = 2')

      expect(await value(client, 'EXECUTE s4 USING @i')).toEqual([['b']])
      await client.query('DEALLOCATE PREPARE s4')
      const gone = await client.query('EXECUTE s4 USING @i')
      expect(errorOf(gone.packets[0]).errno).toBe(1243)
    })

    test('savepoints: back to one, and not to one that is not there', async () => {
      const client = await proxy()
      await client.query('BEGIN')
      await client.query("UPDATE c4 SET name = 'x' WHERE id = 1")
      await client.query('SAVEPOINT one')
      await client.query("UPDATE c4 SET name = 'y' WHERE id = 1")
      await client.query('ROLLBACK TO SAVEPOINT one')

      expect(await value(client, 'SELECT name FROM c4 WHERE id = 1')).toEqual([['x']])
      const missing = await client.query('ROLLBACK TO SAVEPOINT two')
      expect(errorOf(missing.packets[0]).errno).toBe(1305)
      expect(statusOf(missing.last)).toBe(0x23)
      await client.query('ROLLBACK')
      expect(await value(client, 'SELECT name FROM c4 WHERE id = 1')).toEqual([['a']])
    })

    test('FOUND_ROWS() and ROW_COUNT() tell of the statement before', async () => {
      const client = await proxy()
      await client.query('SELECT SQL_CALC_FOUND_ROWS id FROM c4 ORDER BY id LIMIT 2')
      expect(await value(client, 'SELECT FOUND_ROWS()')).toEqual([['5']])
      await client.query('SELECT id FROM c4 WHERE id <= 3')
      expect(await value(client, 'SELECT FOUND_ROWS()')).toEqual([['3']])
      await client.query("UPDATE c4 SET name = 'z' WHERE id >= 4")
      expect(await value(client, 'SELECT ROW_COUNT()')).toEqual([['2']])
      await client.query("REPLACE INTO c4 VALUES (4, 'd'), (5, 'e')")
    })

    test('a user variable is assigned in a query, and stands in its OK', async () => {
      const client = await proxy()

      const answer = await client.query('SELECT @q := 5')

      expect(rowsOf(answer)).toEqual([['5']])
      expect(answer.last.includes('\x01q')).toBe(true)
    })

    test('a cursor: columns alone, then rows by the fetch, then the end again and again', async () => {
      const client = await proxy()
      const { id } = await client.prepare('SELECT id FROM c4 ORDER BY id')
      const fetch = (rows: number) => {
        client.raw.command(0x1c, Buffer.concat([number(id), number(rows)]))
        return client.answer('fetch')
      }
      client.raw.command(0x17, Buffer.concat([number(id), Buffer.from([1]), number(1)]))

      const opened = await client.answer()
      const some = await fetch(3)
      const rest = await fetch(3)
      const none = await fetch(3)

      expect(opened.packets.filter(isEof).map(eofStatus)).toEqual([0x0042])
      expect(opened.packets).toHaveLength(4)
      expect(some.packets.filter(isEof).map(eofStatus)).toEqual([0x0042])
      expect([some, rest, none].map(({ packets }) => packets.length - 2)).toEqual([3, 2, 0])
      for (const { packets, last } of [rest, none]) {
        expect(packets.filter(isEof).map(eofStatus)).toEqual([0x0082])
        expect(statusOf(last)).toBe(0x00a2)
      }
    })

    test('a fetch without a cursor, a reset of nothing: their codes', async () => {
      const client = await proxy()
      client.raw.command(0x1c, Buffer.concat([number(99), number(1)]))
      const fetched = await client.answer('fetch')
      client.raw.command(0x1a, number(99))
      const reset = await client.answer()

      expect(errorOf(fetched.packets[0]).errno).toBe(5931)
      expect(errorOf(reset.packets[0]).errno).toBe(4201)
    })

    test('long data is the value of its parameter, once; a reset forgets it', async () => {
      const client = await proxy()
      const { id } = await client.prepare('SELECT LENGTH(?)')
      const long = (text: string) =>
        client.raw.command(
          0x18,
          Buffer.concat([number(id), Buffer.from([0, 0]), Buffer.from(text)]),
        )
      const execute = (body: Buffer) => {
        const head = Buffer.concat([number(id), Buffer.from([0]), number(1), Buffer.from([0, 1])])
        client.raw.command(0x17, Buffer.concat([head, Buffer.from([253, 0]), body]))
        return client.answer()
      }
      const first = ({ packets }: Awaited<ReturnType<typeof execute>>) =>
        packets[3]?.payload.subarray(2).toString('hex').slice(0, 4)
      long('x'.repeat(300))
      long('y'.repeat(7))

      expect(first(await execute(Buffer.alloc(0)))).toBe('3301')
      long('zz')
      client.raw.command(0x1a, number(id))
      expect((await client.answer()).first[0]).toBe(0x00)
      expect(first(await execute(Buffer.from('\x03abc')))).toBe('0300')
    })

    test('types of parameters are kept for executions without them', async () => {
      const client = await proxy()
      const { id } = await client.prepare('SELECT name FROM c4 WHERE name = ?')
      const bare = (text: string) => {
        const head = Buffer.concat([number(id), Buffer.from([0]), number(1), Buffer.from([0, 0])])
        client.raw.command(
          0x17,
          Buffer.concat([head, Buffer.from([text.length]), Buffer.from(text)]),
        )
        return client.answer()
      }

      expect(errorOf((await bare('a')).packets[0]).errno).toBe(5023)
      await client.execute(id, ['b'])
      const again = await bare('a')
      expect(again.packets.some(({ payload }) => payload.includes('\x01a'))).toBe(true)
    })

    test('preparing several statements, or nothing, is refused', async () => {
      const client = await proxy()

      expect(errorOf((await client.prepare('SELECT 1; SELECT 2')).packets[0]).errno).toBe(1235)
      expect(errorOf((await client.prepare('')).packets[0]).errno).toBe(1065)
    })

    test('SET TRANSACTION is told in every OK until a transaction has used it', async () => {
      const client = await proxy()
      const told = async (sql: string) => {
        const { last } = await client.query(sql)
        const at = last.indexOf('ob_proxy_set_trx_executed')
        return at < 0 ? '' : last.subarray(at + 26, at + 26 + last.readUInt8(at + 25)).toString()
      }

      expect(await told('SET TRANSACTION READ ONLY')).toBe('ON')
      expect(await told('SELECT 1')).toBe('ON')
      expect(await told('BEGIN')).toBe('ON')
      const written = await client.query("UPDATE c4 SET name = 'x' WHERE id = 1")
      expect(errorOf(written.packets[0]).errno).toBe(1792)
      expect(await told('COMMIT')).toBe('OFF')
      expect(await told('SELECT 1')).toBe('')
    })

    test('STATISTICS, SET_OPTION, FIELD_LIST end as they should', async () => {
      const client = await proxy()
      client.raw.command(0x09)
      const statistics = [await client.raw.next(), await client.raw.next()]
      client.raw.command(0x1b, Buffer.from([1, 0]))
      const option = await client.answer()
      const several = await client.query('SELECT 1; SELECT 2')
      client.raw.command(0x04, 'c4\0')
      const fields = await client.answer('fetch')

      expect(statistics[0]?.payload.toString()).toBe('Active threads not support')
      expect(statistics[1]?.payload[0]).toBe(0x00)
      expect(option.first[0]).toBe(0x00)
      expect(errorOf(several.packets[0]).errno).toBe(1149)
      expect(fields.packets).toHaveLength(4)
      expect(fields.last[0]).toBe(0x00)
    })

    test('SHOW WARNINGS tells of the error before', async () => {
      const client = await proxy()
      await client.query('SELECT * FROM missing')

      const [first] = await value(client, 'SHOW WARNINGS')

      expect(first?.slice(0, 2)).toEqual(['Error', '1146'])
    })

    test('KILL ends a session that sleeps in a statement, by the id of its client', async () => {
      const [victim, killer] = [
        await context.proxy({ features, clientSessionId: killed }),
        await proxy(),
      ]
      victim.raw.command(0x03, 'SELECT SLEEP(31)')
      const running = async () => {
        const shown = await value(killer, 'SHOW FULL PROCESSLIST')
        return shown.some(row => row.some(cell => cell === 'SELECT SLEEP(31)'))
      }
      await expect.poll(running, { timeout: 10_000 }).toBe(true)
      await killer.query(`KILL ${killed}`)

      await victim.raw.closed()

      // The kernel does not always come to say it.
      for (const packet of victim.raw.packets.slice(0, 1)) expect(errorOf(packet).errno).toBe(5066)
    })

    test('KILL of itself: no packet, the end', async () => {
      const client = await context.proxy({ features, clientSessionId: killed + 10 })
      client.raw.command(0x03, `KILL ${killed + 10}`)

      await client.raw.closed()

      expect(client.raw.packets).toEqual([])
    })
  })
}

export function allSessionsContract(context: FrontContext): void {
  sessionsContract(context, 'plain', PROXY_FEATURES)
  sessionsContract(context, 'OB 2.0', OB20_FEATURES)
}
