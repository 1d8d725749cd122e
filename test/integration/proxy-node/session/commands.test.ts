/** What a command does to the session: retries, KILL, other users, resets, files, locks (§4.7, §5, §6, §7.5). */
import { afterEach, describe, expect, test } from 'vitest'
import { lenencText } from '../../../../infra/local/front/codec.ts'
import { DEFAULT_SETTINGS } from '../../../../proxy-node/session/peers.ts'
import { type DataPlane, type Plan, startDataPlane } from '../../../support/data-plane.ts'
import {
  changed,
  type FakeConnection,
  type FakeScript,
  type FakeServer,
  loginOk,
  okWithState,
  startFakeServer,
  variableState,
} from '../../../support/fake-server.ts'
import { extraEntry } from '../../../support/ob20-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function fake(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer(script)
  closers.push(server.stop)
  return server
}

async function planeOver(servers: readonly FakeServer[], plan: Plan = {}): Promise<DataPlane> {
  const addresses = servers.map(({ host, port }) => ({ host, port }))
  const plane = await startDataPlane('node:net', { servers: addresses, ...plan })
  closers.push(plane.stop)
  return plane
}

async function loggedIn(plane: DataPlane, user = 'u@app#c1', database = ''): Promise<RawClient> {
  const client = new RawClient(plane.port)
  closers.push(() => client.socket.destroy())
  const answer = await client.logIn(user, database)
  expect(answer.payload[0], answer.payload.toString()).toBe(0)
  return client
}

async function portOf(client: RawClient, sql = 'SELECT 1'): Promise<number> {
  const packets = await client.query(sql)
  return Number(packets[3]?.payload.subarray(1).toString())
}

const address = ({ host, port }: FakeServer) => ({ host, port })

/** Text of a command, COM_QUERY or other. */
const textOf = (command: Buffer) => command.subarray(1).toString()

function when(
  shape: RegExp,
  act: (connection: FakeConnection, sql: string) => void,
): NonNullable<FakeScript['onCommand']> {
  return (connection, command) => {
    if (command[0] !== 0x03 || !shape.test(textOf(command))) return false
    act(connection, textOf(command))
    return true
  }
}

describe('an error that says "not executed here"', () => {
  const refuses = (errno: number): FakeScript => ({
    onCommand: when(/^(SELECT|INSERT)/, connection => connection.error(errno, 'elsewhere')),
  })

  test.each([8001, 8002, 5150, 4124, 5081])(
    '%i: the next server gets the statement, once',
    async errno => {
      const [bad, good] = [await fake(refuses(errno)), await fake()]
      const client = await loggedIn(await planeOver([bad, good]))

      expect(await portOf(client, 'INSERT INTO t VALUES (1)')).toBe(good.port)
      expect([bad.statements, good.statements]).toEqual([
        ['INSERT INTO t VALUES (1)'],
        ['INSERT INTO t VALUES (1)'],
      ])
    },
  )

  test.each(['CALL p()', 'SELECT 1; CALL p()', 'EXECUTE prepared_by_a_routine'])(
    'of %s may be the error of a statement inside: the client reads it',
    async sql => {
      const script: FakeScript = {
        onCommand: when(/CALL|EXECUTE/, connection => connection.error(5150, 'signalled')),
      }
      const [first, second] = [await fake(script), await fake(script)]
      const client = await loggedIn(await planeOver([first, second]))

      expect(errorOf((await client.query(sql))[0]).errno).toBe(5150)
      expect([...first.statements, ...second.statements]).toEqual([sql])
    },
  )

  test('of every server: the last one is what the client reads', async () => {
    const servers = [
      await fake(refuses(8001)),
      await fake(refuses(8001)),
      await fake(refuses(8001)),
    ]
    const client = await loggedIn(await planeOver(servers))
    const [answer] = await client.query('SELECT 1')

    expect(errorOf(answer)).toEqual({ errno: 8001, text: 'elsewhere' })
    expect(answer?.sequence).toBe(1)
    client.command(0x0e)
    expect((await client.next()).payload[0]).toBe(0)
  })

  test.each([1064, 1213, 4012, 6002, 4038, 1205])(
    '%i says no such thing: the client reads it',
    async errno => {
      const [bad, good] = [await fake(refuses(errno)), await fake()]
      const client = await loggedIn(await planeOver([bad, good]))

      expect(errorOf((await client.query('SELECT 1'))[0]).errno).toBe(errno)
      expect(good.statements).toEqual([])
    },
  )

  test('inside a transaction is the client’s', async () => {
    const script: FakeScript = {
      onCommand: when(/^(BEGIN|UPDATE|INSERT)/, (connection, sql) => {
        if (sql.startsWith('INSERT')) connection.error(5150, 'gone')
        else connection.ok(0x0023)
      }),
    }
    const [first, second] = [await fake(script), await fake(script)]
    const client = await loggedIn(await planeOver([first, second]))
    await client.query('BEGIN')
    await client.query('UPDATE t SET a = 1')

    expect(errorOf((await client.query('INSERT INTO t VALUES (1)'))[0]).errno).toBe(5150)
    expect(second.statements).toEqual([])
  })

  test('at a transaction’s first statement: BEGIN goes along to the next server', async () => {
    const begins = when(/^(BEGIN|UPDATE)/, (connection, sql) => {
      if (sql === 'UPDATE t SET a = 1' && connection.threadId === first.connections[0]?.threadId)
        connection.error(8001, 'starting')
      else connection.ok(0x0023)
    })
    const first = await fake({ onCommand: (...given) => begins(...given) })
    const second = await fake({ onCommand: when(/^/, connection => connection.ok(0x0023)) })
    const client = await loggedIn(await planeOver([first, second]))
    await client.query('BEGIN')
    const [answer] = await client.query('UPDATE t SET a = 1')

    expect(answer?.payload[0]).toBe(0)
    expect(second.statements).toEqual(['BEGIN', 'UPDATE t SET a = 1'])
    await expect.poll(() => first.connections[0]?.socket.destroyed).toBe(true)
  })

  test('of a session that something holds there is the client’s', async () => {
    const [bad, good] = [await fake(refuses(8002)), await fake()]
    const client = await loggedIn(await planeOver([bad, good]))
    await client.query('LOCK TABLES t WRITE')

    expect(errorOf((await client.query('INSERT INTO t VALUES (1)'))[0]).errno).toBe(8002)
    expect(good.statements).toEqual([])
  })

  test('of a statement that was streamed is the client’s', async () => {
    const [bad, good] = [await fake(refuses(8001)), await fake()]
    const client = await loggedIn(await planeOver([bad, good]))
    const [answer] = await client.query(`SELECT '${'x'.repeat(100_000)}'`)

    expect(errorOf(answer).errno).toBe(8001)
    expect(good.statements).toEqual([])
  })

  test.each([
    ['above', { wholeBytes: 2_000 }, 'the client’s'],
    ['up to', { wholeBytes: 200_000 }, 'tried elsewhere'],
  ])('of a statement %s tunnel_request_size_threshold is %s', async (_size, settings, whose) => {
    const [bad, good] = [await fake(refuses(8001)), await fake()]
    const client = await loggedIn(await planeOver([bad, good], { settings }))
    const [answer] = await client.query(`SELECT '${'x'.repeat(3_000)}'`)
    const [second] = await client.query(`SELECT '${'x'.repeat(100_000)}'`)

    const isTriedElsewhere = whose === 'tried elsewhere'
    for (const { payload } of [answer, second].flatMap(one => one ?? []))
      expect(payload[0] !== 0xff).toBe(isTriedElsewhere)
    expect(good.statements).toHaveLength(isTriedElsewhere ? 2 : 0)
  })
})

describe('5727 names a better server', () => {
  const hint = (server: FakeServer) => {
    const number = server.host.split('.').reduce((all, part) => all * 256 + Number(part), 0)
    const lenenc = (value: number) => {
      if (value < 251) return Buffer.from([value])
      const wide = Buffer.alloc(9)
      wide[0] = 0xfe
      wide.writeBigUInt64LE(BigInt(value), 1)
      return wide
    }
    const fields = Buffer.concat([
      lenenc(4),
      lenenc(number),
      lenenc(server.port),
      lenenc(1),
      lenenc(0),
      lenencText('t1'),
      lenenc(1),
    ])
    return Buffer.concat([lenenc(fields.length), fields])
  }

  test('and it gets the statement, once; a second hint is not followed', async () => {
    const better = await fake({ protocol: 'ob20' })
    const reroutes: FakeScript = {
      protocol: 'ob20',
      onCommand: when(/t1/, connection => {
        const state = variableState(
          [],
          [lenencText('ob_client_reroute_info'), withLength(hint(better))],
        )
        connection.send(
          Buffer.concat([Buffer.from([0xff, 0x5f, 0x16]), Buffer.from('#HY000reroute')]),
          okWithState(0x4022, state),
        )
      }),
    }
    const [first, second] = [await fake(reroutes), await fake(reroutes)]
    const plane = await planeOver([first, second], {
      leaders: { 'demo.t1': address(first) },
      settings: { routing: { ...DEFAULT_SETTINGS.routing, enableReroute: true } },
    })
    const client = await loggedIn(plane, 'u@app#c1', 'demo')

    expect(await portOf(client, 'SELECT * FROM t1')).toBe(better.port)
    expect([first.statements, second.statements]).toEqual([['SELECT * FROM t1'], []])
  })

  function withLength(bytes: Buffer): Buffer {
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  }
})

describe('KILL in the ids that clients see', () => {
  const sleeps: FakeScript = { onCommand: when(/^SLEEP$/, () => {}) }
  /** Thread id of the greeting: the id of this client. */
  async function twoClients(user = 'u@app#c1') {
    const server = await fake(sleeps)
    const plane = await planeOver([server])
    const greeted = new RawClient(plane.port)
    closers.push(() => greeted.socket.destroy())
    const greeting = await greeted.next()
    const id = greeting.payload.readUInt32LE(greeting.payload.indexOf(0) + 1)
    greeted.packets.unshift(greeting)
    await greeted.logIn('u@app#c1')
    return { server, victim: greeted, id, other: await loggedIn(plane, user) }
  }

  test('KILL QUERY ends what the other client runs, on its server', async () => {
    const { server, victim, id, other } = await twoClients()
    victim.command(0x03, 'SLEEP')
    await expect.poll(() => server.statements).toContain('SLEEP')

    expect((await other.query(`KILL QUERY ${id}`))[0]?.payload[0]).toBe(0)
    await expect.poll(() => server.statements.some(sql => sql.startsWith('KILL QUERY'))).toBe(true)
    expect(victim.isClosed).toBe(false)
  })

  test('KILL QUERY that comes too late does not end the next statement', async () => {
    const logins: FakeConnection[] = []
    const running: FakeConnection[] = []
    const server = await fake({
      onLogin: connection => {
        if (running.length === 0) connection.send(loginOk(connection))
        else logins.push(connection)
      },
      onCommand: when(/^SLEEP/, connection => running.push(connection)),
    })
    const plane = await planeOver([server])
    const [victim, other] = [await loggedIn(plane), await loggedIn(plane)]
    victim.command(0x03, 'SLEEP 1')
    await expect.poll(() => running).toHaveLength(1)
    await other.query('KILL QUERY 1000')
    await expect.poll(() => logins).toHaveLength(1)
    running[0]?.ok()
    await victim.next()
    victim.command(0x03, 'SLEEP 2')
    await expect.poll(() => running).toHaveLength(2)
    const login = logins[0] as FakeConnection
    const ended = new Promise(resolve => login.socket.once('close', resolve))
    login.send(loginOk(login))

    await ended
    expect(server.statements).toEqual(['SLEEP 1', 'SLEEP 2'])
    running[1]?.ok()
    expect((await victim.next()).payload[0]).toBe(0)
  })

  test('KILL QUERY of a statement that waits for its server keeps it from being sent', async () => {
    const waiting: FakeConnection[] = []
    const server = await fake({
      onCommand: when(/^BEGIN$/, connection => waiting.push(connection)),
    })
    const plane = await planeOver([server])
    const victim = new RawClient(plane.port)
    closers.push(() => victim.socket.destroy())
    const greeting = await victim.next()
    const id = greeting.payload.readUInt32LE(greeting.payload.indexOf(0) + 1)
    victim.packets.unshift(greeting)
    await victim.logIn('u@app#c1')
    const other = await loggedIn(plane)
    await victim.query('BEGIN')
    victim.command(0x03, 'UPDATE t SET a = 1')
    await expect.poll(() => waiting).toHaveLength(1)

    await other.query(`KILL QUERY ${id}`)
    waiting[0]?.ok()

    expect(errorOf(await victim.next()).errno).toBe(1317)
    expect(server.statements).toEqual(['BEGIN'])
    expect(await portOf(victim)).toBe(server.port)
  })

  test.each([
    ['KILL', (id: number) => ({ code: 0x03, body: `KILL ${id}` })],
    ['KILL CONNECTION', (id: number) => ({ code: 0x03, body: `KILL CONNECTION ${id}` })],
    [
      'COM_PROCESS_KILL',
      (id: number) => {
        const body = Buffer.alloc(4)
        body.writeUInt32LE(id)
        return { code: 0x0c, body }
      },
    ],
  ])('%s ends the other client, who is told', async (_name, command) => {
    const { victim, id, other } = await twoClients()
    const { code, body } = command(id)
    other.command(code, body)

    expect((await other.next()).payload[0]).toBe(0)
    expect(errorOf(await victim.next()).errno).toBe(1317)
    await victim.closed()
  })

  test('another user’s client is not mine to end', async () => {
    const { victim, id, other } = await twoClients('somebody@app#c1')

    expect(errorOf((await other.query(`KILL ${id}`))[0]).errno).toBe(1095)
    expect(victim.isClosed).toBe(false)
  })

  test('an id of nobody here is the server’s to judge', async () => {
    const { server, other } = await twoClients()
    await other.query('KILL 424242')

    expect(server.statements).toContain('KILL 424242')
  })

  test('of oneself: 1317, then the end', async () => {
    const { victim, id } = await twoClients()

    expect(errorOf((await victim.query(`KILL ${id}`))[0]).errno).toBe(1317)
    await victim.closed()
  })

  test('SHOW PROCESSLIST and COM_PROCESS_INFO list the clients of the node that one may see', async () => {
    const { victim, id, other, server } = await twoClients()
    victim.command(0x03, 'SLEEP')
    await expect.poll(() => server.statements).toContain('SLEEP')
    const text = (packets: readonly { payload: Buffer }[]) =>
      packets.map(({ payload }) => payload.toString('latin1')).join('\n')

    for (const ask of [() => other.query('SHOW FULL PROCESSLIST'), () => ask10(other)]) {
      const listed = text(await ask())
      expect(listed).toContain(String(id))
      expect(listed).toContain('SLEEP')
    }
  })

  function ask10(client: RawClient) {
    client.command(0x0a)
    return client.answer()
  }
})

describe('COM_CHANGE_USER', () => {
  const body = (user: string, plugin = 'mysql_native_password') =>
    Buffer.concat([
      Buffer.from(`${user}\0`),
      Buffer.from([0]),
      Buffer.from('other\0'),
      Buffer.from([45, 0]),
      Buffer.from(`${plugin}\0`),
    ])

  test('is a login anew: another name, another database, nothing of the old session', async () => {
    const server = await fake({
      onCommand: when(/^SET/, connection => connection.ok(0x4022, changed('sql_mode', 'ANSI'))),
    })
    const client = await loggedIn(await planeOver([server]))
    await client.query("SET sql_mode = 'ANSI'")
    client.command(0x11, body('second@app#c1'))
    const answer = await client.next()
    await client.query('SELECT 1')

    expect([answer.payload[0], answer.sequence]).toEqual([0, 1])
    expect(server.connections.map(({ user }) => user)).toEqual(['u@app', 'second@app'])
    expect(server.connections[1]?.schema).toBe('other')
    expect(server.statements.slice(1)).toEqual(['SELECT 1'])
    await expect.poll(() => server.connections[0]?.socket.destroyed).toBe(true)
  })

  test('with the plugin of MySQL 8 is asked for the token of the native one', async () => {
    const server = await fake()
    const client = await loggedIn(await planeOver([server]))
    client.command(0x11, body('second@app#c1', 'caching_sha2_password'))
    const ask = await client.next()
    client.send(2, Buffer.alloc(20, 7))
    const answer = await client.next()

    expect([ask.payload[0], ask.sequence]).toEqual([0xfe, 1])
    expect([answer.payload[0], answer.sequence]).toEqual([0, 3])
    expect(server.connections[1]?.login.includes(Buffer.alloc(20, 7))).toBe(true)
  })

  test('that is refused is the end, with the server’s words', async () => {
    let logins = 0
    const server = await fake({
      onLogin: connection => {
        logins += 1
        if (logins === 1) connection.ok()
        else connection.error(1045, 'Access denied')
      },
    })
    const client = await loggedIn(await planeOver([server]))
    client.command(0x11, body('second@app#c1'))

    expect(errorOf(await client.next())).toEqual({ errno: 1045, text: 'Access denied' })
    await client.closed()
  })

  test('to an unknown cluster: 4669', async () => {
    const client = await loggedIn(await planeOver([await fake()]))
    client.command(0x11, body('second@app#elsewhere'))

    expect(errorOf(await client.next()).errno).toBe(4669)
  })
})

describe('COM_RESET_CONNECTION', () => {
  test('forgets variables on every server, keeps the database', async () => {
    const script: FakeScript = {
      onCommand: when(/^SET @a/, connection =>
        connection.ok(0x4022, variableState([], [lenencText('a'), lenencText('1')])),
      ),
    }
    const [a, b] = [await fake(script), await fake(script)]
    const leaders = { 'demo.t1': address(a), 'demo.t2': address(b) }
    const client = await loggedIn(await planeOver([a, b], { leaders }), 'u@app#c1', 'demo')
    await client.query('SET @a = 1')
    await client.query('SELECT * FROM t2')
    client.command(0x1f)
    expect((await client.next()).payload[0]).toBe(0)
    await client.query('SELECT * FROM t1')

    expect(b.connections[0]?.commands.at(-1)?.[0]).toBe(0x1f)
    expect(a.connections[0]?.commands.slice(-2).map(([code]) => code)).toEqual([0x1f, 0x03])
    expect(a.statements.at(-1)).toBe('SELECT * FROM t1')
  })

  test('ends what was lost with a server', async () => {
    const script: FakeScript = { onCommand: when(/^UPDATE/, connection => connection.ok(0x0023)) }
    const [first, second] = [await fake(script), await fake(script)]
    const client = await loggedIn(await planeOver([first, second]))
    await client.query('UPDATE t SET a = 1')
    await first.stop()
    client.command(0x0e)
    await client.next()
    client.command(0x1f)

    expect((await client.next()).payload[0]).toBe(0)
    expect(await portOf(client)).toBe(second.port)
  })
})

describe('LOAD DATA LOCAL', () => {
  const asks: FakeScript = {
    onCommand: when(/^LOAD/, connection => connection.send(Buffer.from('\xfbfile.csv', 'latin1'))),
  }

  test.each([
    ['a file', ['one\n', 'two\n']],
    ['an empty file', []],
  ])('%s streams to the server that asked', async (_name, parts) => {
    const received: Buffer[] = []
    const script: FakeScript = {
      ...asks,
      onCommand: (connection, command, server) => {
        if (asks.onCommand?.(connection, command, server) === true) return true
        if (!server.statements.some(sql => sql.startsWith('LOAD'))) return false
        received.push(command)
        if (command.length === 0) connection.ok()
        return true
      },
    }
    const client = await loggedIn(await planeOver([await fake(script)]))
    client.command(0x03, "LOAD DATA LOCAL INFILE 'file.csv' INTO TABLE t")
    const asked = await client.next()
    for (const [index, part] of [...parts, ''].entries()) client.send(2 + index, Buffer.from(part))
    const answer = await client.next()

    expect(asked.payload.toString('latin1')).toBe('\xfbfile.csv')
    expect(Buffer.concat(received).toString()).toBe(parts.join(''))
    expect([answer.payload[0], answer.sequence]).toEqual([0, 3 + parts.length])
  })

  test('whose server is lost: the rest of the file is read, then 10014', async () => {
    const server = await fake({
      onCommand: (connection, command, of) => {
        if (asks.onCommand?.(connection, command, of) === true) return true
        if (of.statements.every(sql => !sql.startsWith('LOAD'))) return false
        connection.socket.destroy()
        return true
      },
    })
    const plane = await planeOver([server, await fake()])
    const client = await loggedIn(plane)
    client.command(0x03, "LOAD DATA LOCAL INFILE 'file.csv' INTO TABLE t")
    await client.next()
    client.send(2, Buffer.from('one\n'))
    await expect.poll(() => server.connections[0]?.socket.destroyed).toBe(true)
    client.send(3, Buffer.from('two\n'))
    client.send(4, Buffer.alloc(0))
    const answer = await client.next()

    expect([errorOf(answer).errno, answer.sequence]).toEqual([10014, 5])
    client.command(0x0e)
    expect((await client.next()).payload[0]).toBe(0)
  })
})

describe('state beside the statements', () => {
  test('a held BEGIN goes to the server of the first statement, right before it', async () => {
    const [a, b] = [await fake(), await fake()]
    const leaders = { 'demo.t2': address(b) }
    const client = await loggedIn(await planeOver([a, b], { leaders }), 'u@app#c1', 'demo')
    const [ok] = await client.query('START TRANSACTION READ ONLY')
    client.command(0x0e)
    const ping = await client.next()
    await client.query('SELECT * FROM t2')

    expect(ok?.payload.readUInt16LE(3)).toBe(0x23)
    expect(ping.payload.readUInt16LE(3)).toBe(0x23)
    expect(a.statements).toEqual([])
    expect(b.statements).toEqual(['START TRANSACTION READ ONLY', 'SELECT * FROM t2'])
  })

  test.each([
    ['twice: the last one counts', ['BEGIN', 'START TRANSACTION'], ['START TRANSACTION', 'COMMIT']],
    ['then COMMIT', ['BEGIN'], ['BEGIN', 'COMMIT']],
    [
      'with a snapshot: taken at once',
      ['START TRANSACTION WITH CONSISTENT SNAPSHOT'],
      ['START TRANSACTION WITH CONSISTENT SNAPSHOT', 'COMMIT'],
    ],
  ])('BEGIN %s', async (_name, begins, sent) => {
    const server = await fake({ onCommand: when(/^/, connection => connection.ok()) })
    const client = await loggedIn(await planeOver([server]))
    for (const sql of [...begins, 'COMMIT']) await client.query(sql)

    expect(server.statements).toEqual(sent)
  })

  test('with enable_bad_route_reject a transaction begins with a table, or with nothing', async () => {
    const server = await fake({ onCommand: when(/^/, connection => connection.ok(0x0023)) })
    const settings = { rejectsUnroutable: true }
    const client = await loggedIn(await planeOver([server], { settings }), 'u@app#c1', 'demo')
    const behindBegin = async (sql: string) => {
      await client.query('BEGIN')
      return (await client.query(sql))[0]
    }
    const bad = await behindBegin('SET @a = 1')
    client.command(0x0e)
    const ping = await client.next()
    client.command(0x16, 'SELECT 1')
    await client.next()
    const begun = [...server.statements]
    await behindBegin('SELECT * FROM t1')
    await client.query('SET @a = 1')

    expect(errorOf(bad)).toMatchObject({
      errno: 1235,
      text: expect.stringMatching(/bad route request/),
    })
    // The BEGIN is thrown away: what follows is outside of a transaction.
    expect(ping.payload.readUInt16LE(3) & 1).toBe(0)
    expect(begun).toEqual([])
    expect(server.statements).toEqual(['BEGIN', 'SELECT * FROM t1', 'SET @a = 1'])
  })

  test.each([
    ['COMMIT', { rejectsUnroutable: true }],
    ['ROLLBACK', { rejectsUnroutable: true }],
    ['SET @a = 1', {}],
  ])('a BEGIN goes along with %s', async (sql, settings) => {
    const server = await fake({ onCommand: when(/^/, connection => connection.ok()) })
    const client = await loggedIn(await planeOver([server], { settings }))
    await client.query('BEGIN')
    await client.query(sql)

    expect(server.statements).toEqual(['BEGIN', sql])
  })

  test('a lock that the server tells of keeps the session, until it says that it is gone', async () => {
    const feedback = (holds: boolean) =>
      extraEntry(
        1001,
        Buffer.concat([Buffer.from([0, 0, 1, 0, 0, 0]), Buffer.from(holds ? '1' : '0')]),
      )
    const script: FakeScript = {
      protocol: 'ob20',
      extraOf: (_connection, command) =>
        /GET_LOCK|RELEASE_LOCK/.test(textOf(command))
          ? [feedback(/GET/.test(textOf(command)))]
          : [],
    }
    const [a, b] = [await fake(script), await fake(script)]
    const leaders = { 'demo.t1': address(a), 'demo.t2': address(b) }
    const client = await loggedIn(await planeOver([a, b], { leaders }), 'u@app#c1', 'demo')
    await client.query("SELECT GET_LOCK('x', 1)")

    expect(await portOf(client, 'SELECT * FROM t2')).toBe(a.port)
    await client.query("SELECT RELEASE_LOCK('x')")
    expect(await portOf(client, 'SELECT * FROM t2')).toBe(b.port)
  })

  test('blobs of one server travel with the next command on another', async () => {
    const blob = extraEntry(2002, extraEntry(0, Buffer.from('module')))
    const script: FakeScript = {
      protocol: 'ob20',
      extraOf: (_connection, command) => (textOf(command) === 'CALL p()' ? [blob] : []),
    }
    const [a, b] = [await fake(script), await fake(script)]
    const leaders = { 'demo.t2': address(b) }
    const client = await loggedIn(await planeOver([a, b], { leaders }), 'u@app#c1', 'demo')
    await client.query('CALL p()')
    await client.query('SELECT * FROM t2')

    // The blob came with the first command there, COM_INIT_DB; the statement itself needs none.
    const seen = b.connections[0]?.frames.map(
      ({ extra }) => extra?.includes(Buffer.from('module')) ?? false,
    )
    expect(seen?.filter(Boolean)).toHaveLength(1)
  })

  test('what a leaning statement leans on is gone with its server: told, not made up', async () => {
    const [first, second] = [await fake(), await fake()]
    const client = await loggedIn(await planeOver([first, second]))
    await client.query('SELECT 1')
    await first.stop()
    client.command(0x0e)
    await client.next()

    expect(errorOf((await client.query('SELECT FOUND_ROWS()'))[0]).errno).toBe(10014)
    expect(await portOf(client)).toBe(second.port)
  })

  test('variables above client_max_memory_size: 4080, and the end', async () => {
    const value = `'${'v'.repeat(200)}'`
    const server = await fake({
      onCommand: when(/^SET/, (connection, sql) =>
        connection.ok(0x4022, variableState([], [lenencText(sql.slice(5)), lenencText(value)])),
      ),
    })
    const client = await loggedIn(await planeOver([server], { settings: { maxMemoryBytes: 1000 } }))
    let last = await client.query('SET @a0')
    for (let index = 1; index < 10 && last[0]?.payload[0] === 0; index++)
      last = await client.query(`SET @a${index}`)

    expect(errorOf(last[0]).errno).toBe(4080)
    await client.closed()
  })

  test.each([0x05, 0x06])(
    '%i of a name that streams is refused: nothing of it reaches a server',
    async code => {
      const server = await fake()
      const client = await loggedIn(await planeOver([server]))
      client.command(code, 'a'.repeat(1_000_000))

      expect(errorOf(await client.next()).errno).toBe(1235)
      await client.query('SELECT 1')
      expect(server.connections[0]?.commands.map(textOf)).toEqual(['SELECT 1'])
    },
  )

  test('thousands of commands in one chunk are answered while no server can be had', async () => {
    const server = await fake()
    const servers = [address(server)]
    const client = await loggedIn(await planeOver([], { servers }))
    servers.pop()
    await server.stop()
    client.command(0x0e)
    await client.next()
    const one = Buffer.concat([Buffer.from([9, 0, 0, 0, 3]), Buffer.from('SELECT 1')])
    client.socket.write(Buffer.concat(Array.from({ length: 4500 }, () => one)))

    for (let answered = 0; answered < 4500; answered++)
      expect(errorOf(await client.next()).errno).toBe(10013)
  })

  test('CREATE_DB and DROP_DB are said in SQL; SET_OPTION follows the session', async () => {
    const [a, b] = [await fake(), await fake()]
    const leaders = { 'demo.t2': address(b) }
    const client = await loggedIn(await planeOver([a, b], { leaders }), 'u@app#c1', 'demo')
    client.command(0x05, 'x`y')
    await client.answer()
    client.command(0x06, 'x`y')
    await client.answer()
    client.command(0x1b, Buffer.from([1, 0]))
    await client.next()
    await client.query('SELECT * FROM t2')

    expect(a.statements).toEqual(['CREATE DATABASE `x``y`', 'DROP DATABASE `x``y`'])
    expect(b.connections[0]?.commands.map(([code]) => code)).toEqual([0x02, 0x1b, 0x03])
  })
})
