/** How long clients are waited for and how many may come: §9 of proxy-protocol.md, each limit a parameter. */
import { afterEach, describe, expect, test } from 'vitest'
import { frame, lenencText } from '../../../../infra/local/front/codec.ts'
import type { SessionSettings } from '../../../../proxy-node/session/ports.ts'
import { buildProxyHeader } from '../../../../proxy-node/wire/proxy-protocol.ts'
import {
  type DataPlane,
  type Flavour,
  type Plan,
  startDataPlane,
} from '../../../support/data-plane.ts'
import {
  changed,
  type FakeConnection,
  type FakeScript,
  type FakeServer,
  okWithState,
  schemaState,
  startFakeServer,
  variableState,
} from '../../../support/fake-server.ts'
import { errorOf, loginPayload, loginWith, RawClient } from '../../../support/raw-client.ts'

const USER = 'u@app#c1'
const INTERACTIVE = 0x400

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function fake(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer(script)
  closers.push(server.stop)
  return server
}

async function planeOver(
  servers: readonly FakeServer[],
  plan: Plan = {},
  flavour: Flavour = 'node:net',
): Promise<DataPlane> {
  const addresses = servers.map(({ host, port }) => ({ host, port }))
  const plane = await startDataPlane(flavour, { servers: addresses, ...plan })
  closers.push(plane.stop)
  return plane
}

function connectTo(plane: DataPlane): RawClient {
  const client = new RawClient(plane.port)
  closers.push(() => client.socket.destroy())
  return client
}

async function loggedIn(plane: DataPlane, user = USER): Promise<RawClient> {
  const client = connectTo(plane)
  expect((await client.logIn(user)).payload[0]).toBe(0)
  return client
}

async function works(client: RawClient, sql = 'SELECT 1'): Promise<void> {
  expect(await client.query(sql)).toHaveLength(5)
}

/** The first packet of a client that is not let in, or the last of one that is not kept. */
async function told(client: RawClient) {
  const packet = await client.next()
  const { errno, text } = errorOf(packet)
  return { sequence: packet.sequence, errno, text }
}

const textOf = (command: Buffer) => command.subarray(1).toString()

/** A server whose sessions begin with these variables; SET of one says so; BEGIN and UPDATE open a transaction. */
function begins(variables: Readonly<Record<string, string>>): FakeScript {
  const listed = Object.entries(variables).flatMap(pair => pair.map(lenencText))
  return {
    onLogin: connection =>
      connection.send(okWithState(0x4022, Buffer.concat([schemaState(''), variableState(listed)]))),
    onCommand: answers,
  }
}

function answers(connection: FakeConnection, command: Buffer): boolean {
  if (command[0] !== 0x03) return false
  const set = /^SET (\w+)=(\S+)/.exec(textOf(command))
  if (set !== null) connection.ok(0x4022, changed(set[1] ?? '', set[2] ?? ''))
  else if (/^(BEGIN|UPDATE)/.test(textOf(command))) connection.ok(0x0023)
  else return false
  return true
}

describe('a client that says nothing between commands', () => {
  test('is told 10022 as the answer to its next command, and closed, when wait_timeout has passed', async () => {
    const plane = await planeOver([await fake(begins({ wait_timeout: '20' }))])
    const client = await loggedIn(plane)
    await plane.beat(19)
    await works(client)
    await plane.beat(20)

    expect(await told(client)).toEqual({
      sequence: 1,
      errno: 10022,
      text: expect.stringMatching(/no command within 20 s/),
    })
    await client.closed()
    await expect.poll(plane.size).toBe(0)
    expect(await plane.limited('idle')).toBe(1)
  })

  test('is closed by the wait_timeout it has set itself', async () => {
    const plane = await planeOver([await fake(begins({ wait_timeout: '20' }))])
    const [client, other] = [await loggedIn(plane), await loggedIn(plane)]
    await client.query('SET wait_timeout=5')
    await plane.beat(5)

    expect((await told(client)).text).toMatch(/within 5 s/)
    await works(other)
  })

  test('and is interactive goes by wait_timeout too, as servers do', async () => {
    const plane = await planeOver([
      await fake(begins({ wait_timeout: '20', interactive_timeout: '5' })),
    ])
    const client = connectTo(plane)
    await client.next()
    const login = loginPayload(USER)
    login.writeUInt32LE(login.readUInt32LE(0) | INTERACTIVE, 0)
    client.send(1, login)
    expect((await client.next()).payload[0]).toBe(0)
    await plane.beat(19)
    await works(client)
    await plane.beat(20)

    expect((await told(client)).errno).toBe(10022)
  })

  test('and has sent BEGIN alone is outside a transaction: no server knows of it', async () => {
    const plane = await planeOver([await fake(begins({ wait_timeout: '20' }))])
    const client = await loggedIn(plane)
    await client.query('BEGIN')
    await plane.beat(20)

    expect((await told(client)).errno).toBe(10022)
  })

  test('waits for a slow server for as long as it takes, and is idle from the answer on', async () => {
    let finish = () => {}
    const server = await fake({
      ...begins({ wait_timeout: '20' }),
      onCommand: connection => {
        finish = () => connection.ok()
        return true
      },
    })
    const plane = await planeOver([server], { settings: { queryTimeoutDeltaMs: 3_600_000 } })
    const client = await loggedIn(plane)
    client.command(0x03, 'SELECT SLEEP(100)')
    await expect.poll(() => server.statements).toHaveLength(1)
    await plane.beat(100)
    finish()
    expect((await client.next()).payload[0]).toBe(0)
    await plane.beat(19)

    expect(await plane.size()).toBe(1)
    await plane.beat(1)
    expect((await told(client)).errno).toBe(10022)
  })
})

describe('a server that owes an answer', () => {
  const settings = { queryTimeoutDeltaMs: 0 }
  const limits = { ob_query_timeout: '200000' }
  const eof = Buffer.from([0xfe, 0, 0, 2, 0])

  test('and is silent for ob_query_timeout and its grace is given up: 10015, the session goes on', async () => {
    const server = await fake({
      ...begins(limits),
      onCommand: (_connection, command) => textOf(command) === 'SELECT SLEEP(100)',
    })
    const plane = await planeOver([server], { settings })
    const client = await loggedIn(plane)
    client.command(0x03, 'SELECT SLEEP(100)')
    await expect.poll(() => server.statements).toHaveLength(1)
    await plane.beat(1)
    expect(client.packets).toEqual([])
    await plane.beat(1)

    expect(await told(client)).toMatchObject({ errno: 10015, sequence: 1 })
    await works(client)
  })

  test('has the time for all of a result, if some of it comes', async () => {
    let asked: FakeConnection | undefined
    const server = await fake({
      ...begins(limits),
      onCommand: connection => {
        asked = connection
        connection.sendPart(Buffer.from([1]), Buffer.from('column'), eof)
        return true
      },
    })
    const plane = await planeOver([server], { settings })
    const client = await loggedIn(plane)
    client.command(0x03, 'SELECT much')
    await expect.poll(() => client.packets).toHaveLength(3)
    for (let row = 1; row <= 4; row++) {
      asked?.sendPart(lenencText('row'))
      await expect.poll(() => client.packets).toHaveLength(3 + row)
      await plane.beat(1)
    }
    asked?.send(eof, Buffer.from([0, 0, 0, 2, 0, 0, 0]))

    expect(await client.answer()).toHaveLength(8)
  })
})

describe('a client that says nothing inside a transaction', () => {
  test('is not ended before its server is gone, then with a packet', async () => {
    const server = await fake(begins({ wait_timeout: '20' }))
    const plane = await planeOver([server])
    const client = await loggedIn(plane)
    await client.query('UPDATE t')
    await plane.beat(300)
    expect(await plane.size()).toBe(1)
    await server.stop()
    await expect
      .poll(async () => {
        await plane.beat(1)
        return client.packets.length
      })
      .toBe(1)

    expect((await told(client)).errno).toBe(10022)
    await client.closed()
  })

  test('hears of its lost transaction if it speaks before that', async () => {
    const server = await fake(begins({ wait_timeout: '20' }))
    const plane = await planeOver([server])
    const client = await loggedIn(plane)
    await client.query('UPDATE t')
    for (const { socket } of server.connections) socket.destroy()
    const [packet] = await client.query('SELECT 1')

    expect(errorOf(packet).errno).toBe(1213)
    await works(client)
  })

  test('is ended by default_inactivity_timeout, which may change at any time', async () => {
    const settings = { inactivitySeconds: 1000 }
    const plane = await planeOver([await fake(begins({ wait_timeout: '20' }))], { settings })
    const client = await loggedIn(plane)
    await client.query('UPDATE t')
    await plane.beat(999)
    expect(await plane.size()).toBe(1)
    settings.inactivitySeconds = 1100
    await plane.beat(100)
    expect(await plane.size()).toBe(1)
    await plane.beat(1)

    expect((await told(client)).text).toMatch(/within 1100 s/)
  })
})

describe('where no server tells a wait_timeout', () => {
  test.each<[string, Plan, string]>([
    ['in MySQL mode', {}, 'u'],
    ['administrators of the node', {}, 'root@proxysys'],
    ['a server without the variable', {}, USER],
  ])('default_inactivity_timeout is the bound: %s', async (name, _plan, user) => {
    const isMysql = name === 'in MySQL mode'
    const server = await fake({ extraOk: !isMysql })
    const { host, port } = server
    const settings = { inactivitySeconds: 50 }
    const plane = await planeOver(
      [server],
      isMysql ? { mysql: { host, port }, settings } : { settings },
    )
    const client = await loggedIn(plane, user)
    await plane.beat(49)
    expect(await plane.size()).toBe(1)
    await plane.beat(1)

    expect(await told(client)).toMatchObject({ sequence: 1, errno: 10022 })
    await client.closed()
  })
})

test('a spare server session that its server has closed is replaced, with what the session is made of', async () => {
  const [a, b] = [await fake({ onCommand: answers }), await fake({ onCommand: answers })]
  const plane = await planeOver([a, b], { leaders: { 'd.t': { host: b.host, port: b.port } } })
  const client = await loggedIn(plane)
  const portOf = async (sql: string) =>
    Number((await client.query(sql))[3]?.payload.subarray(1).toString())
  await client.query('SET wait_timeout=77')
  expect(await portOf('SELECT * FROM d.t')).toBe(b.port)
  await client.query('SET wait_timeout=78')
  // The one in use is b's now; a's is the spare.
  for (const { socket } of a.connections) socket.destroy()
  await expect.poll(() => a.connections.every(({ socket }) => socket.destroyed)).toBe(true)
  for (const { socket } of b.connections) socket.destroy()
  await expect.poll(async () => portOf('SELECT 1')).toBe(a.port)

  expect(a.connections.at(-1)?.commands.map(textOf)[0]).toMatch(/^SET .*wait_timeout.*78/)
  expect(await portOf('SELECT * FROM d.t')).toBe(b.port)
})

describe('a client that stops in the middle', () => {
  test('of a command has net_read_timeout for the rest, and is told how long', async () => {
    const plane = await planeOver([await fake(begins({ net_read_timeout: '40' }))])
    const client = await loggedIn(plane)
    await client.query('SET net_read_timeout=7')
    const other = await loggedIn(plane)
    for (const one of [client, other])
      one.socket.write(frame(0, Buffer.from('\x03SELECT 1')).subarray(0, 8))
    // A round trip behind the half commands: they have come.
    await works(await loggedIn(plane))
    await plane.beat(8)

    expect(await told(client)).toMatchObject({ errno: 1159, text: expect.stringMatching(/ 7 s/) })
    expect(await plane.size()).toBeGreaterThan(1)
    await plane.beat(33)
    expect(await told(other)).toMatchObject({ errno: 1159, text: expect.stringMatching(/ 40 s/) })
  })

  test('of an answer has net_write_timeout to take it', async () => {
    const chunk = Buffer.concat(Array.from({ length: 16 }, () => frame(1, Buffer.alloc(60_000, 1))))
    let written = 0
    const server = await fake({
      ...begins({ net_write_timeout: '9' }),
      onCommand: (connection, command) => {
        if (textOf(command) !== 'BIG') return false
        const column = Buffer.from([1, 0, 0, 1, 1, 1, 0, 0, 2, 99, 5, 0, 0, 3, 0xfe, 0, 0, 2, 0])
        const go = () => {
          while (connection.socket.write(chunk)) written += chunk.length
        }
        connection.socket.write(column)
        connection.socket.on('drain', go)
        go()
        return true
      },
    })
    const plane = await planeOver([server])
    const client = await loggedIn(plane)
    client.socket.pause()
    client.command(0x03, 'BIG')
    let last = -1
    const isStill = () => {
      const is = last === written
      last = written
      return is && written > 0
    }
    await expect.poll(isStill, { interval: 300, timeout: 15_000 }).toBe(true)
    // The first beat sees how much is pending.
    await plane.beat(9)
    expect(await plane.size()).toBe(1)
    await plane.beat(1)

    await expect.poll(plane.size).toBe(0)
  })
})

describe.each<Flavour>(['node:net', 'Bun'])('clients that log in, over %s', flavour => {
  const planeWith = async (plan: Plan) => planeOver([await fake()], plan, flavour)

  test('are refused with 1040 as the first packet beyond the limit, until one is logged in or gone', async () => {
    const plane = await planeWith({ settings: { maxLogins: 2 } })
    const [first, second] = [connectTo(plane), connectTo(plane)]
    await first.next()
    await second.next()
    const third = connectTo(plane)
    expect(await told(third)).toMatchObject({ sequence: 0, errno: 1040 })
    await third.closed()
    first.socket.write(frame(1, loginPayload(USER)))
    expect((await first.next()).payload[0]).toBe(0)
    const fourth = connectTo(plane)
    expect((await fourth.next()).payload[0]).toBe(10)
    second.socket.destroy()

    await expect
      .poll(async () => {
        const next = connectTo(plane)
        const packet = await next.next()
        next.socket.destroy()
        return packet.payload[0]
      })
      .toBe(10)
    await works(first)
    expect(await plane.limited('logins')).toBeGreaterThanOrEqual(1)
  })

  test('are refused by address, so that another address still gets in', async () => {
    const plane = await planeWith({
      settings: { maxLoginsPerAddress: 1 },
      proxyHeaders: '127.0.0.1',
    })
    const from = async (last: number) => {
      const client = connectTo(plane)
      await client.next()
      const block = Uint8Array.of(10, 0, 0, last, 127, 0, 0, 1, 0x12, 0x34, 0x0c, 0xea)
      client.socket.write(Buffer.from(buildProxyHeader('proxy', 0x11, block)))
      return client
    }
    const one = await from(1)
    // Its header has come when the login behind it is answered.
    one.socket.write(frame(1, loginPayload(USER)).subarray(0, 20))
    const again = await from(1)
    const refused = await told(again)
    const other = await from(2)
    other.socket.write(frame(1, loginPayload(USER)))

    expect(refused).toEqual({
      sequence: 1,
      errno: 1040,
      text: expect.stringMatching(/1 clients of 10\.0\.0\.1 /),
    })
    expect((await other.next()).payload[0]).toBe(0)
    expect(await plane.limited('logins_of_address')).toBe(1)
    one.socket.write(frame(1, loginPayload(USER)).subarray(20))
    expect((await one.next()).payload[0]).toBe(0)
    const later = await from(1)
    later.socket.write(frame(1, loginPayload(USER)))
    expect((await later.next()).payload[0]).toBe(0)
  })

  test('without a header count by their own address', async () => {
    const plane = await planeWith({ settings: { maxLoginsPerAddress: 1 } })
    await connectTo(plane).next()

    expect(await told(connectTo(plane))).toMatchObject({ sequence: 0, errno: 1040 })
  })

  test('are told in time, in the seconds that are in force', async () => {
    const plane = await planeWith({ loginTimeoutMs: 200 })
    const client = connectTo(plane)
    await client.next()

    expect(await told(client)).toMatchObject({ errno: 1159, text: expect.stringMatching(/0\.2 s/) })
    expect(await plane.limited('login_time')).toBe(1)
  })

  test('with more bytes than a login may have are told so, wherever it is cut', async () => {
    const plane = await planeWith({ settings: { maxLoginBytes: 4096 } })
    const long = frame(1, loginWith(USER, { a: 'x'.repeat(4200) }))
    // Behind its header nothing of the login is looked at.
    for (let at = 1; at <= 60; at++) {
      const client = connectTo(plane)
      await client.next()
      client.socket.write(long.subarray(0, at))
      await new Promise(resolve => setImmediate(resolve))
      client.socket.write(long.subarray(at))

      expect(await told(client), `cut at ${at}`).toMatchObject({
        errno: 1835,
        text: expect.stringMatching(/login of more than 4096 bytes/),
      })
    }
    const fits = loginWith(USER, { a: 'x'.repeat(4000) })
    expect(fits.length).toBeLessThan(4096)
    const client = connectTo(plane)
    await client.next()
    client.socket.write(frame(1, fits))
    expect((await client.next()).payload[0]).toBe(0)
  })
})

describe('at client_max_connections', () => {
  const full = (settings: Partial<SessionSettings> = {}) => ({ maxSessions: 2, settings })

  test('a new client is refused, and counted', async () => {
    const plane = await planeOver([await fake()], full())
    await loggedIn(plane)
    await loggedIn(plane)

    expect(await told(connectTo(plane))).toMatchObject({ sequence: 0, errno: 1203 })
    expect(await plane.limited('connections')).toBe(1)
  })

  test('the client that is idle for longest goes instead, where that is wanted, with a packet', async () => {
    const plane = await planeOver([await fake()], full({ evictsIdle: true }))
    const [first, second] = [await loggedIn(plane), await loggedIn(plane)]
    await works(first)
    const third = await loggedIn(plane)

    expect(await told(second)).toMatchObject({ sequence: 1, errno: 1152 })
    await second.closed()
    await works(first)
    await works(third)
    expect(await plane.limited('evicted')).toBe(1)
  })

  test('one in a transaction or in a statement stays, and the new one is refused', async () => {
    const server = await fake({
      onCommand: (connection, command) =>
        textOf(command) === 'WAIT' || answers(connection, command),
    })
    const plane = await planeOver([server], full({ evictsIdle: true }))
    const [inTransaction, busy] = [await loggedIn(plane), await loggedIn(plane)]
    await inTransaction.query('UPDATE t')
    busy.command(0x03, 'WAIT')
    await expect.poll(() => server.statements).toContain('WAIT')

    expect(await told(connectTo(plane))).toMatchObject({ sequence: 0, errno: 1203 })
    await works(inTransaction)
  })

  test('room is made by whoever leaves or was refused', async () => {
    const plane = await planeOver([await fake()], full())
    await loggedIn(plane)
    const second = await loggedIn(plane)
    for (let refused = 0; refused < 3; refused++)
      expect(await told(connectTo(plane))).toMatchObject({ errno: 1203 })
    second.socket.destroy()
    await expect.poll(plane.size).toBe(1)

    await works(await loggedIn(plane))
  })
})
