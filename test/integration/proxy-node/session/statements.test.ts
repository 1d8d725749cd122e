/** Prepared statements, binary and text, of one client over two servers (§6.3–6.5). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DataPlane, startDataPlane } from '../../../support/data-plane.ts'
import {
  changed,
  type FakeConnection,
  type FakeScript,
  type FakeServer,
  startFakeServer,
} from '../../../support/fake-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'
import { executedOf, preparedOn, statementScript } from '../../../support/statement-server.ts'

const LONG = [0xfd, 0x00]

/** UPDATE leaves a transaction open, a BEGIN too; SET changes how statements are read. */
const knowsSome: FakeScript['onCommand'] = (connection, command) => {
  const [word = ''] = command.subarray(1).toString().split(' ')
  if (word === 'UPDATE' || word === 'BEGIN') connection.ok(0x0023)
  else if (word === 'SET') connection.ok(0x4022, changed('sql_mode', 'NO_BACKSLASH_ESCAPES'))
  else return false
  return true
}

let a: FakeServer
let b: FakeServer
let plane: DataPlane
let client: RawClient

/** `t1` is led by a, `t2` by b. */
async function start(protocol?: 'ob20'): Promise<void> {
  const script = {
    ...statementScript(knowsSome),
    ...(protocol === undefined ? {} : { protocol }),
  }
  a = await startFakeServer(script)
  b = await startFakeServer(script)
  const address = ({ host, port }: FakeServer) => ({ host, port })
  plane = await startDataPlane('node:net', {
    servers: [address(a), address(b)],
    leaders: { 'demo.t1': address(a), 'demo.t2': address(b) },
  })
  client = new RawClient(plane.port)
  await client.logIn('u@app#c1', 'demo')
}

afterEach(async () => {
  client.socket.destroy()
  await plane.stop()
  await Promise.all([a.stop(), b.stop()])
})

async function prepare(sql: string): Promise<number> {
  client.command(0x16, sql)
  const answer = await client.next()
  expect(answer.payload[0], answer.payload.toString()).toBe(0)
  const parameters = answer.payload.readUInt16LE(7)
  for (let left = parameters === 0 ? 0 : parameters + 1; left > 0; left--) await client.next()
  return answer.payload.readUInt32LE(1)
}

function executePayload(
  id: number,
  parameters: number,
  types?: readonly number[],
  flags = 0,
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(id)
  head[4] = flags
  head.writeUInt32LE(1, 5)
  if (parameters === 0) return head
  const bound = types === undefined ? Buffer.from([0]) : Buffer.from([1, ...types])
  return Buffer.concat([head, Buffer.alloc((parameters + 7) >> 3), bound, Buffer.from('values')])
}

async function execute(id: number, parameters: number, types?: readonly number[]) {
  client.command(0x17, executePayload(id, parameters, types))
  const packets = await client.answer()
  return packets[0]?.payload[0] === 0xff ? errorOf(packets[0]) : executedOf(packets[3]?.payload)
}

function executedOn({ connections }: FakeServer): number {
  return connections.flatMap(({ commands }) => commands).filter(([code]) => code === 0x17).length
}

function idOf(id: number, more = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(id)
  return Buffer.concat([bytes, more])
}

describe.each<['plain' | 'ob20']>([['plain'], ['ob20']])('servers speak %s', protocol => {
  beforeEach(() => start(protocol === 'ob20' ? 'ob20' : undefined))

  test('ids are the proxy’s: counted from 1, whatever servers give', async () => {
    expect([await prepare('SELECT 1'), await prepare('SELECT ? FROM t2')]).toEqual([1, 2])
  })

  test('a statement runs on its table’s leader, prepared there when it is first needed', async () => {
    const id = await prepare('SELECT ? FROM t2')
    expect(preparedOn(b.connections[0])).toEqual(['SELECT ? FROM t2'])
    client.command(0x03, 'SELECT 1 FROM t1')
    await client.answer()

    expect(await execute(id, 1, LONG)).toMatchObject({ sql: 'SELECT ? FROM t2', types: 'fd00' })
    expect(preparedOn(a.connections[0])).toEqual([])
  })

  test('a statement is read as the session’s sql_mode says', async () => {
    await client.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
    await prepare("SELECT '\\', ? FROM t2")

    expect(preparedOn(b.connections[0])).toEqual(["SELECT '\\', ? FROM t2"])
  })

  describe('whose server is lost while a statement is prepared there', () => {
    /** Whatever reaches it next, the server is gone. */
    function dies(connection: FakeConnection | undefined): void {
      connection?.socket.removeAllListeners('data')
      connection?.socket.once('data', () => connection.socket.destroy())
    }

    test('a transaction is told to be lost, and the statement runs nowhere', async () => {
      const id = await prepare('SELECT ? FROM t2')
      await client.query('UPDATE t1')
      dies(a.connections[0])

      expect(await execute(id, 1, LONG)).toMatchObject({ errno: 1213 })
      expect(executedOn(b)).toBe(0)
      expect(await execute(id, 1, LONG)).toMatchObject({ sql: 'SELECT ? FROM t2' })
    })

    test('a session outside one goes on elsewhere', async () => {
      const id = await prepare('SELECT ? FROM t2')
      await client.query('SELECT 1 FROM t1')
      dies(b.connections[0])
      await client.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")

      expect(await execute(id, 1, LONG)).toMatchObject({ sql: 'SELECT ? FROM t2' })
    })
  })

  test('a PREPARE that reaches no server is not kept', async () => {
    await Promise.all([a.stop(), b.stop()])
    const sql = `SELECT ${'1 + '.repeat(250_000)}1`
    for (let run = 0; run < 10; run++) {
      client.command(0x16, sql)
      expect(errorOf(await client.next()).errno).toBe(10013)
    }
  })

  test('a failed PREPARE takes no id', async () => {
    client.command(0x16, 'SYNTAX')
    expect(errorOf(await client.next()).errno).toBe(1064)

    expect(await prepare('SELECT 1')).toBe(1)
  })

  describe('on a second server', () => {
    /** Prepared and executed on b, which then is lost. */
    async function moved(types: readonly number[] | undefined): Promise<number> {
      const id = await prepare('SELECT ? FROM t2')
      await execute(id, 1, types)
      await b.stop()
      client.command(0x0e)
      await client.next()
      return id
    }

    test('it is prepared again, and the types it was bound with go along', async () => {
      const id = await moved([0x08, 0x00])

      expect(await execute(id, 1)).toMatchObject({ sql: 'SELECT ? FROM t2', types: '0800' })
      expect(await execute(id, 1)).toMatchObject({ sql: 'SELECT ? FROM t2', types: '' })
    })

    test('new types replace those of before', async () => {
      const id = await moved([0x08, 0x00])

      expect(await execute(id, 1, LONG)).toMatchObject({ types: 'fd00' })
    })

    test('types that were never sent are not made up', async () => {
      const id = await moved(undefined)

      expect(await execute(id, 1)).toMatchObject({ errno: 5023 })
    })
  })

  test('parameter types of 2,000 parameters are seen, however the EXECUTE is cut', async () => {
    const sql = `SELECT ${Array.from({ length: 2000 }, () => '?').join(',')} FROM t1`
    const id = await prepare(sql)
    const types = Array.from({ length: 2000 }, () => LONG).flat()
    const payload = Buffer.concat([Buffer.from([0x17]), executePayload(id, 2000, types)])
    const header = Buffer.alloc(4)
    header.writeUIntLE(payload.length, 0, 3)
    const framed = Buffer.concat([header, payload])
    for (let at = 0; at < framed.length; at += 97) client.socket.write(framed.subarray(at, at + 97))
    const packets = await client.answer()

    expect(executedOf(packets[3]?.payload).types).toHaveLength(8000)
  })

  test('long data stays with its statement until it is executed', async () => {
    const id = await prepare('SELECT ? FROM t2')
    client.command(0x18, idOf(id, Buffer.from('\0\0first ')))
    client.command(0x18, idOf(id, Buffer.from('\0\0second')))
    client.command(0x03, 'SELECT 1 FROM t1')
    await client.answer()

    expect(await execute(id, 1, LONG)).toMatchObject({ longData: 'first second' })
    expect(await execute(id, 1, LONG)).toMatchObject({ longData: '' })
  })

  test('long data whose server is lost is told, once, instead of executing without it', async () => {
    const id = await prepare('SELECT ? FROM t2')
    client.command(0x18, idOf(id, Buffer.from('\0\0gone')))
    await expect.poll(() => b.connections[0]?.commands.at(-1)?.[0]).toBe(0x18)
    await b.stop()
    client.command(0x0e)
    await client.next()

    expect(await execute(id, 1, LONG)).toMatchObject({ errno: 10014 })
    expect(await execute(id, 1, LONG)).toMatchObject({ longData: '' })
  })

  test('RESET drops long data; of a statement with none it is answered without a server', async () => {
    const id = await prepare('SELECT ? FROM t2')
    client.command(0x1a, idOf(id))
    expect((await client.next()).payload[0]).toBe(0)
    expect(b.connections[0]?.commands.filter(([code]) => code === 0x1a)).toEqual([])
    client.command(0x18, idOf(id, Buffer.from('\0\0data')))
    client.command(0x1a, idOf(id))

    expect((await client.next()).payload[0]).toBe(0)
    expect(b.connections[0]?.commands.at(-1)?.[0]).toBe(0x1a)
  })

  test('CLOSE reaches every server that has the statement', async () => {
    const id = await prepare('SELECT 1')
    await execute(id, 0)
    client.command(0x03, 'SELECT 1 FROM t2')
    await client.answer()
    await execute(id, 0)
    const connections = [a.connections[0], b.connections[0]]
    client.command(0x19, idOf(id))

    await expect.poll(() => connections.map(preparedOn)).toEqual([[], []])
    expect(await execute(id, 0)).toMatchObject({ errno: 1243 })
  })

  test.each([
    ['EXECUTE', 0x17, executePayload(77, 0), 4201],
    ['RESET', 0x1a, idOf(77), 4201],
    ['FETCH', 0x1c, idOf(77, Buffer.from([1, 0, 0, 0])), 5931],
  ])('%s of an unknown id is refused and the session goes on', async (_name, code, body, errno) => {
    client.command(code, body)
    expect(errorOf(await client.next()).errno).toBe(errno)

    expect(await prepare('SELECT 1')).toBe(1)
  })

  describe('a cursor', () => {
    test('is fetched where it was opened, though other statements go elsewhere', async () => {
      const id = await prepare('SELECT 1 FROM t2')
      client.command(0x17, executePayload(id, 0, undefined, 1))
      for (let packet = 0; packet < 3; packet++) await client.next()
      client.command(0x03, 'SELECT 1 FROM t1')
      await client.answer()
      client.command(0x1c, idOf(id, Buffer.from([5, 0, 0, 0])))

      await expect.poll(() => b.connections[0]?.commands.at(-1)?.[0]).toBe(0x1c)
    })

    test('whose server is lost is told', async () => {
      const id = await prepare('SELECT 1 FROM t2')
      client.command(0x17, executePayload(id, 0, undefined, 1))
      for (let packet = 0; packet < 3; packet++) await client.next()
      await b.stop()
      client.command(0x0e)
      await client.next()
      client.command(0x1c, idOf(id, Buffer.from([5, 0, 0, 0])))

      expect(errorOf(await client.next()).errno).toBe(10014)
    })
  })

  describe('a server lost while a statement is prepared again there', () => {
    /** One that belongs to no table, prepared on b; the session is on a, which dies of the next PREPARE. */
    async function prepared(): Promise<number> {
      await prepare('SELECT 1 FROM t2')
      const id = await prepare('DO 1')
      client.command(0x03, 'SELECT 1 FROM t1')
      await client.answer()
      return id
    }

    /** After some more answers. */
    function losesA(answers = 0): void {
      const connection = a.connections[0] as FakeConnection
      const send = connection.send.bind(connection)
      let left = answers
      connection.send = (...payloads) => {
        left -= 1
        if (left >= 0) send(...payloads)
        else connection.socket.destroy()
      }
    }

    const ranOn = (server: FakeServer) =>
      server.connections.flatMap(({ commands }) =>
        commands.filter(([code]) => code === 0x17 || code === 0x03).map(String),
      )

    test('inside a transaction: 40001, nothing runs outside of it', async () => {
      const id = await prepared()
      expect((await client.query('UPDATE t1 SET n = 1'))[0]?.payload[3]).toBe(0x23)
      losesA()
      const before = ranOn(b)
      client.command(0x17, executePayload(id, 0))

      const answer = await client.next()
      expect(errorOf(answer).errno).toBe(1213)
      expect(answer.payload.subarray(4, 9).toString()).toBe('40001')
      expect(ranOn(b)).toEqual(before)
      expect(await execute(id, 0)).toMatchObject({ sql: 'DO 1' })
    })

    test('for long data inside a transaction: the next command is told 40001', async () => {
      await prepare('SELECT 1 FROM t2')
      const id = await prepare('DO ?')
      client.command(0x03, 'SELECT 1 FROM t1')
      await client.answer()
      await client.query('UPDATE t1 SET n = 1')
      losesA()
      client.command(0x18, idOf(id, Buffer.from('\0\0data')))

      const [answer] = await client.query('COMMIT')
      expect(errorOf(answer).errno).toBe(1213)
      expect(ranOn(b).filter(command => command.includes('67,79,77'))).toEqual([])
    })

    test('behind a BEGIN that came with it: both go to the next server', async () => {
      const id = await prepared()
      await client.query('BEGIN')
      losesA(1)
      client.command(0x17, executePayload(id, 0))
      await client.answer()

      const commands = b.connections[0]?.commands
        .slice(-2)
        .map(command => command.toString('latin1'))
      expect(commands?.[0]).toBe('\u0003BEGIN')
      expect(commands?.[1]?.charCodeAt(0)).toBe(0x17)
    })
  })

  test('a hundred statements over two servers keep their own', async () => {
    const ids: number[] = []
    for (let index = 0; index < 100; index++)
      ids.push(await prepare(`SELECT ${index} FROM t${(index % 2) + 1}`))
    for (const [index, id] of ids.entries())
      expect(await execute(id, 0)).toMatchObject({
        sql: `SELECT ${index} FROM t${(index % 2) + 1}`,
      })

    expect(preparedOn(a.connections[0])).toHaveLength(50)
    expect(preparedOn(b.connections[0])).toHaveLength(50)
  })

  describe('text statements', () => {
    const okTo = (sql: string) => client.query(sql).then(([ok]) => expect(ok?.payload[0]).toBe(1))

    test('are prepared where they are executed', async () => {
      await okTo("PREPARE s FROM 'SELECT 7'")
      await b.stop()
      await a.connections[0]?.socket.destroy()
      client.command(0x0e)
      await client.next()
      await okTo('EXECUTE s')

      expect(a.statements.slice(-2)).toEqual(["PREPARE `s` FROM 'SELECT 7'", 'EXECUTE s'])
    })

    test('that were deallocated are forgotten on every server', async () => {
      await okTo("PREPARE s FROM 'SELECT 7'")
      await okTo('DEALLOCATE PREPARE s')
      await okTo('SELECT 1 FROM t2')
      await okTo('EXECUTE s')

      expect(b.statements).toEqual(['SELECT 1 FROM t2', 'EXECUTE s'])
    })

    describe('of a routine', () => {
      beforeEach(async () => {
        await okTo('SELECT 1 FROM t1')
        await okTo('CALL prepares()')
        await okTo('SELECT 1 FROM t2')
      })

      test.each(['EXECUTE inner1', 'DEALLOCATE PREPARE inner1', "PREPARE inner1 FROM 'SELECT 7'"])(
        '%s goes where the routine ran',
        async sql => {
          await okTo(sql)

          expect(a.statements.at(-1)).toBe(sql)
        },
      )

      test('are there for the next routine, as what the client prepared is', async () => {
        await okTo("PREPARE s FROM 'SELECT 7'")
        await okTo('SELECT 1 FROM t2')
        await okTo('CALL executes()')

        expect(a.statements.slice(-2)).toEqual(["PREPARE s FROM 'SELECT 7'", 'CALL executes()'])
        expect(b.statements.at(-1)).toBe('SELECT 1 FROM t2')
      })

      test('are lost with its server: told once', async () => {
        await a.stop()
        client.command(0x0e)
        await client.next()

        expect(errorOf((await client.query('EXECUTE inner1'))[0]).errno).toBe(10014)
        await okTo('EXECUTE inner1')
        expect(b.statements.at(-1)).toBe('EXECUTE inner1')
      })

      test('are refused while a transaction holds the session elsewhere', async () => {
        await client.query('UPDATE t2')

        expect(errorOf((await client.query('EXECUTE inner1'))[0]).errno).toBe(1235)
        expect(a.statements.at(-1)).toBe('CALL prepares()')
      })

      test('are refused when a routine ran on two servers, for either may have them', async () => {
        await client.query('UPDATE t2')
        await okTo('CALL prepares()')

        expect(errorOf((await client.query('EXECUTE inner1'))[0]).errno).toBe(1235)
      })
    })
  })
})
