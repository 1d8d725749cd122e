/** What the configuration demands of sessions, and what binds one to a server by hand: §4.5 step 7, §4.6. */
import { afterEach, describe, expect, test } from 'vitest'
import { lenencText } from '../../../../infra/local/front/codec.ts'
import type { SessionSettings } from '../../../../proxy-node/session/ports.ts'
import { type DataPlane, type Plan, startDataPlane } from '../../../support/data-plane.ts'
import {
  changed,
  type FakeConnection,
  type FakeServer,
  startFakeServer,
  variableState,
} from '../../../support/fake-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'

const closers: (() => unknown)[] = []
let protocol: 'ob20' | undefined

afterEach(async () => {
  protocol = undefined
  for (const close of closers.splice(0).reverse()) await close()
})

const textOf = (command: Buffer) => command.subarray(1).toString()

/** SET of variables says so, as servers do; a name `bad` is unknown; BEGIN and UPDATE open a transaction. */
function answers(connection: FakeConnection, command: Buffer): boolean {
  const text = textOf(command)
  if (command[0] !== 0x03) return false
  if (/\bbad\b/.test(text)) connection.error(1193, 'Unknown system variable')
  else if (/^(BEGIN|START|UPDATE)/.test(text)) connection.ok(0x0023)
  else if (text === 'CALL p()') connection.ok(0x4022, changed('tx_read_only', 'OFF'))
  else if (/^SET\b/.test(text)) connection.ok(0x4022, changesOf(text))
  else return false
  return true
}

function changesOf(text: string): Buffer {
  const pairs = [...text.matchAll(/(@{0,2})`?(\w+)`? = ([^,]+)/g)]
  const isUser = (sign: string | undefined) => sign === '@'
  const listed = (user: boolean) =>
    pairs
      .filter(([, sign]) => isUser(sign) === user)
      .flatMap(([, , name, value]) =>
        [name ?? '', user ? (value ?? '') : (value ?? '').replaceAll("'", '')].map(lenencText),
      )
  return variableState(listed(false), listed(true))
}

async function fake(): Promise<FakeServer> {
  const server = await startFakeServer({
    onCommand: answers,
    ...(protocol === undefined ? {} : { protocol }),
  })
  closers.push(server.stop)
  return server
}

const addressOf = ({ host, port }: FakeServer) => ({ host, port })

async function planeOver(
  servers: readonly FakeServer[],
  settings: Partial<SessionSettings>,
  plan: Plan = {},
): Promise<DataPlane> {
  const plane = await startDataPlane('node:net', {
    servers: servers.map(addressOf),
    ...plan,
    settings,
  })
  closers.push(plane.stop)
  return plane
}

async function loggedIn(plane: DataPlane, user = 'u@app#c1'): Promise<RawClient> {
  const client = new RawClient(plane.port)
  closers.push(() => client.socket.destroy())
  expect((await client.logIn(user)).payload[0]).toBe(0)
  return client
}

async function portOf(client: RawClient, sql = 'SELECT 1'): Promise<number> {
  return Number((await client.query(sql))[3]?.payload.subarray(1).toString())
}

async function cell(client: RawClient, sql: string): Promise<string | undefined> {
  return (await client.query(sql))[3]?.payload.subarray(1).toString()
}

const statementsOn = (server: FakeServer) =>
  server.connections.flatMap(({ commands }) =>
    commands.filter(([code]) => code === 3).map(command => textOf(Buffer.from(command))),
  )

describe.each([undefined, 'ob20' as const])('init_sql, servers speak %s', spoken => {
  const settings = { initSql: ['SET a = 1', 'SET @x = 2'] }
  const leaders = (server: FakeServer): Plan => ({ leaders: { 'd.t': addressOf(server) } })

  test('runs once, before the first statement, and follows the session as what it has made', async () => {
    protocol = spoken
    const [a, b] = [await fake(), await fake()]
    const plane = await planeOver([a, b], settings, leaders(b))
    const client = await loggedIn(plane)
    expect(statementsOn(a)).toEqual([])
    expect(await portOf(client)).toBe(a.port)
    expect(await portOf(client)).toBe(a.port)
    expect(statementsOn(a)).toEqual(['SET a = 1', 'SET @x = 2', 'SELECT 1', 'SELECT 1'])

    expect(await portOf(client, 'SELECT * FROM d.t')).toBe(b.port)
    const there = statementsOn(b)
    expect(there.filter(sql => settings.initSql.includes(sql))).toEqual([])
    expect(there.join()).toMatch(/a`? = '?1.*@`x` = 2.*d\.t/)
  })

  test('runs on the server that the first statement goes to, before a held BEGIN', async () => {
    protocol = spoken
    const [a, b] = [await fake(), await fake()]
    const plane = await planeOver([a, b], settings, leaders(b))
    const client = await loggedIn(plane)
    await client.query('BEGIN')
    await portOf(client, 'SELECT * FROM d.t')

    expect(statementsOn(b).slice(0, 3)).toEqual(['SET a = 1', 'SET @x = 2', 'BEGIN'])
  })

  test('runs again behind COM_RESET_CONNECTION, which takes away what it made', async () => {
    protocol = spoken
    const a = await fake()
    const client = await loggedIn(await planeOver([a], settings))
    await portOf(client)
    client.command(0x1f)
    expect((await client.next()).payload[0]).toBe(0)
    await portOf(client)

    expect(statementsOn(a).filter(sql => sql === 'SET a = 1')).toHaveLength(2)
  })

  test('that a server refuses: 8006, and the end', async () => {
    protocol = spoken
    const a = await fake()
    const client = await loggedIn(await planeOver([a], { initSql: ['SET a = 1', 'SET bad = 2'] }))
    client.command(0x03, 'SELECT 1')
    const { errno, text } = errorOf(await client.next())

    expect({ errno, text }).toEqual({ errno: 8006, text: expect.stringMatching(/error 1193/) })
    await client.closed()
    expect(statementsOn(a)).not.toContain('SELECT 1')
  })

  test('is the one of the moment of the login', async () => {
    protocol = spoken
    const a = await fake()
    const live = { initSql: ['SET a = 1'] }
    const plane = await planeOver([a], live)
    const [before, after] = [await loggedIn(plane), { initSql: ['SET b = 2'] }]
    Object.assign(live, after)
    await portOf(before)
    await portOf(await loggedIn(plane))

    expect(statementsOn(a).filter(sql => sql.startsWith('SET'))).toEqual(['SET a = 1', 'SET b = 2'])
  })
})

describe('a read-only service', () => {
  const settings = { isReadOnly: true }

  test('tells each server before the first statement there', async () => {
    const [a, b] = [await fake(), await fake()]
    const plane = await planeOver([a, b], settings, { leaders: { 'd.t': addressOf(b) } })
    const client = await loggedIn(plane)
    await portOf(client)
    await portOf(client, 'SELECT * FROM d.t')

    for (const server of [a, b])
      expect(statementsOn(server)[0]).toMatch(/^SET .*tx_read_only`? = ON/)
  })

  test.each([
    'SET tx_read_only = 0',
    'set @@session.transaction_read_only := off',
    'SET a = 1, `tx_read_only` = 0',
    'SELECT 1; SET tx_read_only=0',
    'SET SESSION TRANSACTION READ WRITE',
    'SET tx_read_only/* */ /*c*/= 0',
    'START TRANSACTION READ WRITE',
  ])('refuses %s with 4179 and goes on', async sql => {
    const a = await fake()
    const client = await loggedIn(await planeOver([a], settings))
    const [packet] = await client.query(sql)
    client.command(0x16, sql)
    const prepared = await client.next()

    expect([packet, prepared].map(one => errorOf(one).errno)).toEqual([4179, 4179])
    expect(await portOf(client)).toBe(a.port)
    expect(a.statements).not.toContain(sql)
  })

  test.each([
    'SET ob_read_consistency = 2',
    "SET @a = 'tx_read_only=0'",
    'START TRANSACTION READ ONLY',
  ])('lets %s pass', async sql => {
    const a = await fake()
    const client = await loggedIn(await planeOver([a], settings))
    await client.query(sql)
    await client.query('SELECT 1')

    expect(a.statements).toContain(sql)
  })

  test('takes back what was set past its eyes before the next statement, on every server', async () => {
    const [a, b] = [await fake(), await fake()]
    const plane = await planeOver([a, b], settings, { leaders: { 'd.t': addressOf(b) } })
    const client = await loggedIn(plane)
    await portOf(client)
    await portOf(client, 'SELECT * FROM d.t')
    const before = [a, b].map(({ statements }) => statements.length)
    // A routine: the text does not say it, the OK does.
    await client.query('CALL p()')
    await portOf(client, 'SELECT 1')
    await portOf(client, 'SELECT * FROM d.t')
    await portOf(client, 'SELECT 2')

    const [, there] = [a, b].map(({ statements }, index) => statements.slice(before[index]))
    expect(there?.[0]).toBe('CALL p()')
    expect(there?.[1]).toMatch(/^SET .*tx_read_only`? = ON/)
    expect(there?.slice(2)).toEqual(['SELECT 1', 'SELECT * FROM d.t', 'SELECT 2'])
  })

  test('is one for those who change the user, too', async () => {
    const a = await fake()
    const live = { isReadOnly: false }
    const client = await loggedIn(await planeOver([a], live))
    live.isReadOnly = true
    client.command(0x11, Buffer.from('u@app#c1\0\0\0\x2d\0', 'latin1'))
    expect((await client.next()).payload[0]).toBe(0)
    const [packet] = await client.query('SET tx_read_only = 0')

    expect(errorOf(packet).errno).toBe(4179)
    await portOf(client)
    expect(statementsOn(a)[0]).toMatch(/tx_read_only`? = ON/)
  })
})

test('a weak-reading service sets ob_read_consistency and refuses SET of it', async () => {
  const a = await fake()
  const client = await loggedIn(await planeOver([a], { readsWeakly: true }))
  await portOf(client)
  const [refused] = await client.query('SET ob_read_consistency = 3')
  const [taken] = await client.query('SET tx_read_only = 1')

  expect(errorOf(refused).errno).toBe(4179)
  expect(taken?.payload[0]).toBe(0)
  expect(statementsOn(a)[0]).toMatch(/ob_read_consistency`? = 'WEAK'/)
})

describe('SET @obproxy_route_addr', () => {
  const numberOf = ({ host, port }: FakeServer) =>
    host.split('.').reduce((all, part) => all * 256 + Number(part), 0) * 65_536 + port

  test('binds the session to one server of its tenant, until it is 0 or NULL', async () => {
    const [a, b] = [await fake(), await fake()]
    const plane = await planeOver([a, b], {}, { leaders: { 'd.t': addressOf(a) } })
    const client = await loggedIn(plane)
    for (const none of ['0', 'NULL']) {
      expect(await portOf(client, 'SELECT * FROM d.t')).toBe(a.port)
      const [ok] = await client.query(`SET @obproxy_route_addr = ${numberOf(b)}`)
      expect(ok?.payload[0]).toBe(0)
      expect(await portOf(client)).toBe(b.port)
      expect(await portOf(client, 'SELECT * FROM d.t')).toBe(b.port)
      expect(await cell(client, 'SELECT @obproxy_route_addr')).toBe(String(numberOf(b)))
      await client.query(`SET @obproxy_route_addr = ${none}`)
    }

    expect(await portOf(client, 'SELECT * FROM d.t')).toBe(a.port)
  })

  test('lets a transaction end where it is', async () => {
    const [a, b] = [await fake(), await fake()]
    const client = await loggedIn(await planeOver([a, b], {}))
    await client.query('UPDATE t SET x = 1')
    await client.query(`SET @obproxy_route_addr = ${numberOf(b)}`)
    a.statements.splice(0)
    // The server ends the transaction with this answer.
    expect(await portOf(client)).toBe(a.port)

    expect(await portOf(client)).toBe(b.port)
  })

  test.each(['139848283851851', "'x'", '-5', '1, @a = 2'])(
    'of %s, which is no server of the tenant, is refused, and changes nothing',
    async value => {
      const a = await fake()
      const client = await loggedIn(await planeOver([a], {}))
      const [packet] = await client.query(`SET @obproxy_route_addr = ${value}`)
      const { errno, text } = errorOf(packet)

      expect({ errno, text }).toEqual({ errno: 4179, text: expect.stringMatching(/tenant app/) })
      expect(await portOf(client)).toBe(a.port)
    },
  )

  test('takes no second try: an error of the server is the client’s, a server that is gone is told', async () => {
    const [a, b] = [await fake(), await fake()]
    const client = await loggedIn(await planeOver([a, b], {}))
    await client.query(`SET @obproxy_route_addr = ${numberOf(b)}`)
    expect(await portOf(client)).toBe(b.port)
    await b.stop()
    // A round trip behind the end: it has been noticed.
    client.command(0x0e)
    await client.next()
    const [packet] = await client.query('SELECT 1')
    expect(errorOf(packet).errno).toBe(10013)
    await client.query('SET @obproxy_route_addr = 0')

    expect(await portOf(client)).toBe(a.port)
  })

  test('ends with the session that set it', async () => {
    const [a, b] = [await fake(), await fake()]
    const client = await loggedIn(await planeOver([a, b], {}))
    await client.query(`SET @obproxy_route_addr = ${numberOf(b)}`)
    client.command(0x11, Buffer.from('u@app#c1\0\0\0\x2d\0', 'latin1'))
    expect((await client.next()).payload[0]).toBe(0)

    expect(await portOf(client)).toBe(a.port)
  })
})
