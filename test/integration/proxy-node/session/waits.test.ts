/**
 * What a session waits for, and what it may do without: servers that say nothing in the middle of a
 * restore, statements with time-outs of their own, answers that only one server could give.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { type DataPlane, startDataPlane } from '../../../support/data-plane.ts'
import {
  changed,
  type FakeConnection,
  type FakeScript,
  type FakeServer,
  loginOk,
  okWithState,
  startFakeServer,
} from '../../../support/fake-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'
import { statementScript } from '../../../support/statement-server.ts'

const LONG_TYPE = [0xfd, 0x00]
const IN_TRANSACTION = 0x0023
const QUERY = 0x03
const PREPARE = 0x16
const EXECUTE = 0x17

type Hook = NonNullable<FakeScript['onCommand']>

let first: FakeServer
let second: FakeServer
let plane: DataPlane
let client: RawClient
/** Sees each command before the script does; true when it is dealt with. */
let hook: Hook = () => false
/** Servers refuse every login with it, 0: none. */
let refusal = 0

const textOf = (command: Buffer) => command.subarray(1).toString()

const script = statementScript((connection, command) => {
  const sql = textOf(command)
  if (command[0] !== QUERY) return false
  if (sql.startsWith('UPDATE')) connection.ok(IN_TRANSACTION)
  else if (sql.startsWith('DELETE')) connection.ok()
  else if (sql.startsWith('SET x'))
    connection.send(okWithState(0x4022, changed('sql_select_limit', '7')))
  else if (sql.startsWith('SET ob'))
    connection.send(okWithState(0x4022, changed('ob_query_timeout', '2000000')))
  else return false
  return true
})

/** `demo.t1` is led by the first server, `demo.t2` by the second. */
async function start(): Promise<void> {
  const onCommand: Hook = (connection, command, server) =>
    hook(connection, command, server) || script.onCommand?.(connection, command, server) === true
  const onLogin = (connection: FakeConnection) =>
    refusal === 0
      ? connection.send(loginOk(connection, script))
      : connection.error(refusal, 'Client Session need be killed')
  first = await startFakeServer({ ...script, onCommand, onLogin })
  second = await startFakeServer({ ...script, onCommand, onLogin })
  const [one, two] = [first, second].map(({ host, port }) => ({ host, port }))
  if (one === undefined || two === undefined) throw new Error('two servers')
  plane = await startDataPlane('node:net', {
    servers: [one, two],
    leaders: { 'demo.t1': one, 'demo.t2': two },
    settings: { queryTimeoutDeltaMs: 1_000 },
  })
  client = await loggedIn()
}

async function loggedIn(): Promise<RawClient> {
  const one = new RawClient(plane.port)
  await one.logIn('u@app#c1', 'demo')
  return one
}

afterEach(async () => {
  hook = () => false
  refusal = 0
  client.socket.destroy()
  await plane.stop()
  await Promise.all([first.stop(), second.stop()])
})

async function prepare(sql: string): Promise<number> {
  client.command(PREPARE, sql)
  const answer = await client.next()
  const parameters = answer.payload.readUInt16LE(7)
  for (let left = parameters === 0 ? 0 : parameters + 1; left > 0; left--) await client.next()
  return answer.payload.readUInt32LE(1)
}

function execute(id: number): void {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(id)
  head.writeUInt32LE(1, 5)
  client.command(
    EXECUTE,
    Buffer.concat([head, Buffer.from([0, 1, ...LONG_TYPE]), Buffer.from('x')]),
  )
}

const query = (sql: string) => client.query(sql)
const errnoOf = async () => errorOf(await client.next()).errno
/** Until a server has been sent what `is` says. */
const sent = (server: FakeServer, is: (command: Buffer) => boolean) =>
  expect
    .poll(() => server.connections.some(({ commands }) => commands.some(is)), { timeout: 5_000 })
    .toBe(true)

describe('a server that stops answering in the middle of a restore', () => {
  test('is given up like one that does not answer the command: another one executes it', async () => {
    await start()
    const id = await prepare('SELECT ? FROM t1')
    await query('SELECT 1 FROM t2')
    hook = (_connection, command, server) => server === first && command[0] === QUERY
    await query('SET x = 1')
    execute(id)
    await sent(first, command => textOf(command).includes('sql_select_limit'))

    await plane.beat(12)
    const answer = await client.answer()

    expect(answer[0]?.payload[0]).not.toBe(0xff)
    expect(second.connections[0]?.commands.at(-1)?.[0]).toBe(EXECUTE)
  })

  test('ends the transaction that is there: 40001, and the session goes on', async () => {
    await start()
    const id = await prepare('SELECT ? FROM t2')
    await query('UPDATE t1 SET a = 1')
    hook = (_connection, command) => command[0] === PREPARE
    execute(id)
    await sent(first, command => command[0] === PREPARE)

    await plane.beat(12)

    expect(await errnoOf()).toBe(1213)
    hook = () => false
    expect((await query('SELECT 1 FROM t2'))[0]?.payload[0]).toBe(1)
  })

  test('is not waited for longer than its statement may take', async () => {
    await start()
    await query('SET ob_query_timeout = 2000000')
    const id = await prepare('SELECT ? FROM t1')
    await query('SELECT 1 FROM t2')
    hook = (_connection, command) => command[0] === PREPARE
    execute(id)
    await plane.beat(2)
    expect(client.packets).toEqual([])
  })
})

describe('the time-out of a statement', () => {
  const freeze: Hook = (_connection, command) =>
    command[0] === EXECUTE || textOf(command).includes('/*+')

  test.each<[string, () => Promise<void>]>([
    ['outside a transaction', async () => {}],
    [
      'inside one',
      async () => {
        await query('UPDATE t1 SET a = 1')
      },
    ],
  ])('%s is what its hint says', async (_name, before) => {
    await start()
    await query('SET ob_query_timeout = 2000000')
    await before()
    hook = freeze
    client.command(QUERY, 'SELECT /*+ parallel(2) query_timeout(9000000) */ 1 FROM t1')
    await sent(first, command => textOf(command).includes('/*+'))

    await plane.beat(10)
    expect(client.packets).toEqual([])
    await plane.beat(1)
    expect([1213, 10015]).toContain(await errnoOf())
  })

  test('that is prepared is what its hint says', async () => {
    await start()
    await query('SET ob_query_timeout = 2000000')
    const id = await prepare('SELECT /*+ query_timeout(9000000) */ ? FROM t1')
    hook = freeze
    execute(id)
    await sent(first, command => command[0] === EXECUTE)

    await plane.beat(10)
    expect(client.packets).toEqual([])
    await plane.beat(1)
    expect(await errnoOf()).toBe(10015)
  })

  test('is not what a text or a comment of it says', async () => {
    await start()
    await query('SET ob_query_timeout = 2000000')
    hook = (_connection, command) => textOf(command).startsWith("SELECT '/*+")
    client.command(QUERY, "SELECT '/*+ query_timeout(9000000) */' FROM t1 /* query_timeout(8) */")
    await sent(first, command => textOf(command).startsWith("SELECT '/*+"))

    await plane.beat(4)
    expect(await errnoOf()).toBe(10015)
  })

  test('begins anew with each part of an answer', async () => {
    await start()
    await query('SET ob_query_timeout = 2000000')
    hook = (connection, command) => {
      if (!textOf(command).startsWith('SELECT slow')) return false
      connection.sendPart(Buffer.from([1]))
      return true
    }
    client.command(QUERY, 'SELECT slow FROM t1')
    await client.next()
    for (let part = 0; part < 5; part++) {
      await plane.beat(3)
      first.connections[0]?.sendPart(Buffer.from(`\x03def${part}`))
      await client.next()
    }
    await plane.beat(4)

    await client.closed()
  })
})

describe('what only one server could answer', () => {
  test('FOUND_ROWS() is told to be lost, not answered by another one', async () => {
    await start()
    await query('SELECT SQL_CALC_FOUND_ROWS 1 FROM t2 LIMIT 1')
    await query('DELETE FROM t1')
    await query('SET x = 1')
    hook = (connection, _command, server) => {
      if (server === second) connection.socket.destroy()
      return server === second
    }

    const [answer] = await query('SELECT FOUND_ROWS()')

    expect(errorOf(answer)).toMatchObject({
      errno: 10014,
      text: expect.stringContaining('found rows'),
    })
    expect(first.statements).not.toContain('SELECT FOUND_ROWS()')
  })

  test('long data: it is told to be lost', async () => {
    await start()
    const id = await prepare('SELECT ? FROM t2')
    const head = Buffer.alloc(6)
    head.writeUInt32LE(id)
    client.command(0x18, Buffer.concat([head, Buffer.from('precious')]))
    await sent(second, command => command[0] === 0x18)
    await query('SELECT 1 FROM t1')
    await query('SET x = 1')
    hook = (connection, _command, server) => {
      if (server === second) connection.socket.destroy()
      return server === second
    }
    execute(id)

    expect(errorOf(await client.next())).toMatchObject({
      errno: 10014,
      text: expect.stringContaining('long data'),
    })
  })
})

describe('other clients and what comes behind', () => {
  test('see what runs inside a transaction', async () => {
    await start()
    await query('UPDATE t1 SET a = 1')
    hook = (_connection, command) => textOf(command).startsWith('SELECT slow')
    client.command(QUERY, 'SELECT slow FROM t1')
    await sent(first, command => textOf(command).startsWith('SELECT slow'))
    const other = await loggedIn()

    const rows = (await other.query('SHOW FULL PROCESSLIST')).map(({ payload }) =>
      payload.toString('latin1'),
    )
    other.socket.destroy()

    expect(rows.some(row => row.includes('SELECT slow FROM t1'))).toBe(true)
  })

  test('what is no command behind SHOW PROCESSLIST ends the session with an error', async () => {
    await start()
    const text = Buffer.from('\x03SHOW PROCESSLIST')
    const header = Buffer.from([text.length, 0, 0, 0])
    client.socket.write(Buffer.concat([header, text, Buffer.from([1, 0, 0, 7, 3])]))
    await client.answer()

    expect(await errnoOf()).toBe(1835)
    await client.closed()
  })

  test('a client that was killed by another proxy, whose logins servers refuse, is closed', async () => {
    await start()
    refusal = 4401
    for (const { connections } of [first, second])
      for (const { socket } of connections) socket.destroy()
    // A statement may still meet the end of its server.
    await expect.poll(async () => errorOf((await query('SELECT 1 FROM t1'))[0]).errno).toBe(1317)

    await client.closed()
  })

  test('LOCK TABLES that failed holds nobody', async () => {
    await start()
    hook = (connection, command) => {
      if (!textOf(command).startsWith('LOCK')) return false
      connection.error(1064, 'syntax')
      return true
    }
    await query('LOCK TABLES nonsense')
    await query('SELECT 1 FROM t2')
    await query('SELECT 1 FROM t1')

    expect(second.statements).toContain('SELECT 1 FROM t2')
    expect(first.statements).toContain('SELECT 1 FROM t1')
  })
})
