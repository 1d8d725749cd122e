/** Servers that refuse, vanish, answer nonsense; where statements go, and when a session stays. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { errorPacket, frame, lenencText, minimalOk } from '../../../../infra/local/front/codec.ts'
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
  startFakeServer,
  variableState,
} from '../../../support/fake-server.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'

const USER = 'u@app#c1'
const SHARED_IDS = 0x20_0000

let closers: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

/** What the servers of the running test speak behind their login OK. */
type Spoken = 'plain' | 'ob20'
let protocol: Spoken = 'plain'

async function fake(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer(protocol === 'ob20' ? { protocol, ...script } : script)
  closers.push(server.stop)
  return server
}

async function gone(): Promise<FakeServer> {
  const server = await startFakeServer()
  await server.stop()
  return server
}

async function loggedIn(plane: DataPlane, database = ''): Promise<RawClient> {
  const client = new RawClient(plane.port)
  closers.push(() => client.socket.destroy())
  const answer = await client.logIn(USER, database)
  expect(answer.payload[0], answer.payload.toString()).toBe(0)
  return client
}

/** The port of the server that answered: the fakes' default answer to a query. */
async function portOf(client: RawClient, sql = 'SELECT 1'): Promise<number> {
  const packets = await client.query(sql)
  return Number(packets[3]?.payload.subarray(1).toString())
}

/** Ends a server; returns when the proxy has seen it. */
async function lose(server: FakeServer, client: RawClient): Promise<void> {
  await server.stop()
  client.command(0x0e)
  await client.next()
}

/** Answers statements that begin with a word; everything else as usual. */
function when(word: string, act: (connection: FakeConnection) => void): FakeScript {
  return {
    onCommand: (connection, command) => {
      if (!command.subarray(1).toString().startsWith(word)) return false
      act(connection)
      return true
    },
  }
}

/** BEGIN and UPDATE leave a transaction open. */
const opens: FakeScript = {
  onCommand: (connection, command) => {
    if (!/^(BEGIN|UPDATE)/.test(command.subarray(1).toString())) return false
    connection.ok(0x0023)
    return true
  },
}

describe.each<[Flavour, Spoken]>([
  ['node:net', 'plain'],
  ['Bun', 'plain'],
  ['node:net', 'ob20'],
])('over %s, servers speak %s', (flavour, spoken) => {
  beforeEach(() => {
    protocol = spoken
  })

  async function planeOver(servers: readonly FakeServer[], plan: Plan = {}): Promise<DataPlane> {
    const addresses = servers.map(({ host, port }) => ({ host, port }))
    const plane = await startDataPlane(flavour, { servers: addresses, ...plan })
    closers.push(plane.stop)
    return plane
  }

  describe('a login goes on to the next server', () => {
    test.each<[string, () => Promise<FakeServer>]>([
      ['that refuses connections', gone],
      [
        'that closes before it greets',
        () =>
          fake({
            onConnect: socket => {
              socket.destroy()
              return true
            },
          }),
      ],
      ['that accepts and says nothing', () => fake({ onConnect: () => true })],
      ['that takes the login and says nothing', () => fake({ onLogin: () => {} })],
      ['that closes on the login', () => fake({ onLogin: ({ socket }) => socket.destroy() })],
      [
        'that is starting',
        () => fake({ onLogin: connection => connection.error(8001, 'starting') }),
      ],
      [
        'that greets with nonsense',
        () =>
          fake({
            onConnect: socket => {
              socket.write('SSH-2.0-OpenSSH_9.6\r\n')
              return true
            },
          }),
      ],
    ])('past one %s', async (_name, first) => {
      const [bad, good] = [await first(), await fake()]
      const plane = await planeOver([bad, good], { connectTimeoutMs: 200 })

      expect(await portOf(await loggedIn(plane))).toBe(good.port)
    })
  })

  test('no server at all: 10013, in its place', async () => {
    const plane = await planeOver([await gone(), await gone()])
    const answer = await new RawClient(plane.port).logIn(USER)

    expect({ errno: errorOf(answer).errno, sequence: answer.sequence }).toEqual({
      errno: 10013,
      sequence: 2,
    })
    await expect.poll(plane.size).toBe(0)
  })

  test("a server's refusal reaches the client as it is", async () => {
    const first = await fake({ onLogin: connection => connection.error(1045, 'go away') })
    const second = await fake()
    const answer = await new RawClient((await planeOver([first, second])).port).logIn(USER)

    expect(errorOf(answer)).toEqual({ errno: 1045, text: 'go away' })
    expect(second.connections).toHaveLength(0)
  })

  describe('a server lost in the middle of a statement', () => {
    const rowsBegin = Buffer.concat([
      frame(1, Buffer.from([1])),
      frame(2, Buffer.from('c')),
      frame(3, Buffer.from([0xfe, 0, 0, 2, 0])),
      frame(4, lenencText('r'.repeat(100))),
    ])

    test('before its answer: 10014, and the session goes on elsewhere', async () => {
      const plane = await planeOver([await fake(when('LOSE', ({ socket }) => socket.destroy()))])
      const client = await loggedIn(plane)
      const [answer] = await client.query('LOSE')

      expect({ errno: errorOf(answer).errno, sequence: answer?.sequence }).toEqual({
        errno: 10014,
        sequence: 1,
      })
      expect(await portOf(client)).toBeGreaterThan(0)
    })

    test('after a statement of two packets: the number follows them', async () => {
      const plane = await planeOver([await fake(when('LOSE', ({ socket }) => socket.destroy()))])
      const client = await loggedIn(plane)
      const [answer] = await client.query(`LOSE${' '.repeat(17 * 1024 * 1024)}`)

      expect({ errno: errorOf(answer).errno, sequence: answer?.sequence }).toEqual({
        errno: 10014,
        sequence: 2,
      })
    })

    test('between two rows: 10014 with the next number, and the session goes on', async () => {
      const script = when('LOSE', connection => {
        connection.write(rowsBegin, false)
        connection.socket.end()
      })
      const client = await loggedIn(await planeOver([await fake(script)]))
      client.command(0x03, 'LOSE')
      for (let packet = 1; packet <= 4; packet++) await client.next()
      const last = await client.next()

      expect({ errno: errorOf(last).errno, sequence: last?.sequence }).toEqual({
        errno: 10014,
        sequence: 5,
      })
      expect(await portOf(client)).toBeGreaterThan(0)
    })

    test('inside a row: nothing can be said, the connection ends', async () => {
      const script = when('LOSE', connection => {
        connection.write(rowsBegin.subarray(0, rowsBegin.length - 1), false)
        connection.socket.end()
      })
      const plane = await planeOver([await fake(script)])
      const client = await loggedIn(plane)
      client.command(0x03, 'LOSE')
      await client.closed()

      expect(client.packets.filter(({ payload }) => payload[0] === 0xff)).toEqual([])
      await expect.poll(plane.size).toBe(0)
    })

    test('after an ERR without its OK: the ERR is handed on', async () => {
      const script = when('LOSE', connection => {
        connection.write(frame(1, errorPacket(4012, 'HY000', 'late')), false)
        connection.socket.end()
      })
      const client = await loggedIn(await planeOver([await fake(script)]))
      const [answer] = await client.query('LOSE')

      expect(errorOf(answer)).toEqual({ errno: 4012, text: 'late' })
      expect(await portOf(client)).toBeGreaterThan(0)
    })

    test('by nonsense: 10014, and another client goes on', async () => {
      const script = when('LOSE', connection =>
        connection.write(Buffer.concat([frame(1, minimalOk()), frame(9, minimalOk())]), true),
      )
      const plane = await planeOver([await fake(script)])
      const [one, other] = [await loggedIn(plane), await loggedIn(plane)]
      const [answer] = await one.query('LOSE')
      // In a frame the nonsense is seen before anything of it is believed.
      expect(answer?.payload[0]).toBe(spoken === 'ob20' ? 0xff : 0)

      expect(await portOf(other)).toBeGreaterThan(0)
      expect(await portOf(one)).toBeGreaterThan(0)
    })
  })

  describe('a server lost between statements', () => {
    test('is replaced, the current database restored', async () => {
      const [first, second] = [await fake(), await fake()]
      const plane = await planeOver([first, second])
      const client = await loggedIn(plane, 'demo')
      expect(await portOf(client)).toBe(first.port)
      await lose(first, client)

      expect(await portOf(client)).toBe(second.port)
      expect(second.connections[0]?.schema).toBe('demo')
    })

    test('with a transaction open: the next statement gets 40001, the session goes on outside it', async () => {
      const [first, second] = [await fake(opens), await fake(opens)]
      const client = await loggedIn(await planeOver([first, second]))
      await client.query('BEGIN')
      await client.query('UPDATE t SET a = 1')
      await lose(first, client)
      const [answer] = await client.query('COMMIT')

      expect(errorOf(answer).errno).toBe(1213)
      expect(answer?.payload.subarray(3, 9).toString()).toBe('#40001')
      expect(await portOf(client)).toBe(second.port)
      expect(second.statements).toEqual(['SELECT 1'])
    })

    test('with a BEGIN that no server has seen: nothing is lost', async () => {
      const [first, second] = [await fake(opens), await fake(opens)]
      const client = await loggedIn(await planeOver([first, second]))
      await client.query('BEGIN')
      await lose(first, client)
      await client.query('UPDATE t SET a = 1')

      expect(first.statements).toEqual([])
      expect(second.statements).toEqual(['BEGIN', 'UPDATE t SET a = 1'])
    })

    test.each([
      ['COMMIT', '#08007'],
      ['CREATE TABLE x (a INT)', '#08007'],
      ['INSERT INTO t VALUES (2)', '#40001'],
      ['ROLLBACK', '#40001'],
    ])('while %s of a transaction is in flight: %s', async (sql, state) => {
      const script: FakeScript = {
        onCommand: (connection, command) => {
          const text = command.subarray(1).toString()
          if (text === sql) connection.socket.destroy()
          else if (/^(BEGIN|UPDATE)/.test(text)) connection.ok(0x0023)
          else return false
          return true
        },
      }
      const [first, second] = [await fake(script), await fake(script)]
      const client = await loggedIn(await planeOver([first, second]))
      await client.query('BEGIN')
      await client.query('UPDATE t SET a = 1')
      const [answer] = await client.query(sql)

      expect(answer?.payload.subarray(3, 9).toString()).toBe(state)
      if (state === '#08007') await client.closed()
      else expect(await portOf(client)).toBeGreaterThan(0)
      expect([...first.statements, ...second.statements].filter(text => text === sql)).toEqual([
        sql,
      ])
    })

    test('with the current database gone meanwhile: 1049, the session stays', async () => {
      const refusal: FakeScript = {
        onCommand: (connection, command) => {
          if (command[0] !== 0x02) return false
          connection.error(1049, 'no such database')
          return true
        },
      }
      const [first, second] = [await fake(), await fake(refusal)]
      const client = await loggedIn(await planeOver([first, second]), 'demo')
      await lose(first, client)

      expect(errorOf((await client.query('SELECT 1'))[0])).toEqual({
        errno: 1049,
        text: 'no such database',
      })
      client.command(0x0e)
      expect((await client.next()).payload[0]).toBe(0)
    })
  })

  describe('where a statement goes', () => {
    async function two(script: FakeScript = {}) {
      const [a, b] = [await fake(script), await fake(script)]
      const leaders = { 'demo.t1': address(a), 'demo.t2': address(b) }
      const plane = await planeOver([a, b], { leaders })
      return { a, b, client: await loggedIn(plane, 'demo') }
    }

    const address = ({ host, port }: FakeServer) => ({ host, port })

    test("to its table's leader, there and back on the same two connections", async () => {
      const { a, b, client } = await two()
      const ports = []
      for (const table of ['t1', 't2', 't1', 't2', 't2'])
        ports.push(await portOf(client, `SELECT * FROM ${table}`))

      expect(ports).toEqual([a, b, a, b, b].map(({ port }) => port))
      expect([a.connections.length, b.connections.length]).toEqual([1, 1])
      expect(b.connections[0]?.schema).toBe('demo')
    })

    test('with the database of the moment, restored where it has changed', async () => {
      const { a, b, client } = await two()
      await portOf(client, 'SELECT * FROM t2')
      client.command(0x02, 'other')
      await client.next()
      await portOf(client, 'SELECT * FROM demo.t1')

      expect(a.connections[0]?.schema).toBe('other')
      expect(b.connections[0]?.schema).toBe('other')
    })

    test('when its leader cannot be reached, to another server of the tenant', async () => {
      const { a, b, client } = await two()
      await b.stop()

      expect(await portOf(client, 'SELECT * FROM t2')).toBe(a.port)
      expect(a.connections).toHaveLength(1)
    })

    test('a statement that leans on the one before stays', async () => {
      const { b, client } = await two()
      await portOf(client, 'SELECT * FROM t2')

      expect(await portOf(client, 'SELECT FOUND_ROWS() FROM t1')).toBe(b.port)
      expect(await portOf(client, 'SHOW WARNINGS')).toBe(b.port)
    })

    test.each<[string, string, (connection: FakeConnection) => void]>([
      ['an open transaction', 'UPDATE', connection => connection.ok(0x0023)],
      [
        'SET TRANSACTION',
        'SET TRANSACTION',
        connection => connection.ok(0x4022, changed('ob_proxy_set_trx_executed', 'ON')),
      ],
      [
        'a temporary table that the server tells of',
        'CALL',
        connection =>
          connection.ok(0x4022, changed('_ob_proxy_session_temporary_table_used', 'ON')),
      ],
      ['a temporary table', 'CREATE TEMPORARY TABLE x (a INT)', connection => connection.ok()],
      [
        'an insert id that the next INSERT uses up',
        'SET insert_id',
        connection => connection.ok(0x4022, changed('insert_id', '500')),
      ],
      [
        'a seed of RAND()',
        'SET rand_seed1',
        connection => connection.ok(0x4022, changed('rand_seed1', '10')),
      ],
      ['a table lock', 'LOCK TABLES t1 READ', connection => connection.ok()],
      ['what several statements leave', 'SELECT 1; USE x', connection => connection.ok()],
    ])('%s keeps the session where it is', async (_name, sql, act) => {
      const { a, client } = await two(when(sql, act))
      await portOf(client, 'SELECT * FROM t1')
      await client.query(`${sql} `)

      expect(await portOf(client, 'SELECT * FROM t2')).toBe(a.port)
    })

    test('the character set of new tables is set behind the database that would change it', async () => {
      const { b, client } = await two(
        when('SET', connection =>
          connection.ok(0x4022, changed('character_set_database', 'latin1')),
        ),
      )
      await portOf(client, 'SELECT * FROM t2')
      await portOf(client, 'SELECT * FROM t1')
      client.command(0x02, 'other')
      await client.next()
      await client.query('SET character_set_database = latin1')
      await portOf(client, 'SELECT * FROM demo.t2')

      const texts = b.connections[0]?.commands.map(command => command.toString('latin1'))
      expect(texts?.slice(-3)).toEqual([
        '\x02other',
        "\x03SET @@character_set_database = 'latin1'",
        '\x03SELECT * FROM demo.t2',
      ])
    })

    test('what SET_OPTION set follows to a server that had everything before', async () => {
      const { b, client } = await two()
      await portOf(client, 'SELECT * FROM t2')
      await portOf(client, 'SELECT * FROM t1')
      client.command(0x1b, Buffer.from([1, 0]))
      await client.next()
      await portOf(client, 'SELECT * FROM t2')

      const codes = b.connections[0]?.commands.map(command => command[0])
      expect(codes?.slice(-3)).toEqual([0x03, 0x1b, 0x03])
    })

    test('a transaction that has ended lets it go again', async () => {
      const script: FakeScript = {
        onCommand: (connection, command) => {
          const sql = command.subarray(1).toString()
          if (sql === 'BEGIN') connection.ok(0x0023)
          else if (sql === 'COMMIT') connection.ok(0x0022)
          else return false
          return true
        },
      }
      const { b, client } = await two(script)
      await client.query('BEGIN')
      await client.query('COMMIT')

      expect(await portOf(client, 'SELECT * FROM t2')).toBe(b.port)
    })

    test('SET TRANSACTION that was used lets it go again', async () => {
      const script: FakeScript = {
        onCommand: (connection, command) => {
          const sql = command.subarray(1).toString()
          if (sql.startsWith('SET'))
            connection.ok(0x4022, changed('ob_proxy_set_trx_executed', 'ON'))
          else if (sql === 'COMMIT')
            connection.ok(0x4022, changed('ob_proxy_set_trx_executed', 'OFF'))
          else return false
          return true
        },
      }
      const { b, client } = await two(script)
      await client.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')
      await client.query('COMMIT')

      expect(await portOf(client, 'SELECT * FROM t2')).toBe(b.port)
    })

    test.each<[string, string, Buffer, string]>([
      ['a variable', 'SET sql_mode', changed('sql_mode', 'ANSI'), "SET @@sql_mode = 'ANSI'"],
      [
        'the character set of new tables',
        'SET character_set_database',
        changed('character_set_database', 'latin1'),
        "SET @@character_set_database = 'latin1'",
      ],
      ['an insert id', 'INSERT', changed('last_insert_id', '7'), 'SET @@last_insert_id = 7'],
      [
        'a user variable',
        'SET @a = 1',
        variableState([], [lenencText('a'), lenencText('1')]),
        'SET @`a` = 1',
      ],
    ])('%s follows the session to another server', async (_name, sql, state, replayed) => {
      const { b, client } = await two(when(sql, connection => connection.ok(0x4022, state)))
      await portOf(client, 'SELECT * FROM t1')
      await client.query(`${sql} `)

      expect(await portOf(client, 'SELECT * FROM t2')).toBe(b.port)
      expect(b.statements).toEqual([replayed, 'SELECT * FROM t2'])
      await portOf(client, 'SELECT * FROM t2')
      expect(b.statements).toHaveLength(3)
    })
  })

  describe('a user variable of which an OK tells too little', () => {
    const QUESTION = 'SET @__obfleet_shapes'
    const own = (name: string, literal: string) =>
      variableState([], [lenencText(name), lenencText(literal)])

    /** `t1` is led by a, where @a gets 1.5, a double; `asked` is how the question is answered. */
    async function knows(asked: (connection: FakeConnection) => void) {
      const [a, b] = await Promise.all(
        [1, 2].map(() =>
          fake({
            onCommand: (connection, command) => {
              const sql = command.subarray(1).toString()
              if (sql.startsWith(QUESTION)) asked(connection)
              else if (sql.includes('INTO @a')) connection.ok(0x4022, own('a', '1.5'))
              else return false
              return true
            },
          }),
        ),
      )
      if (a === undefined || b === undefined) throw new Error('two servers')
      const address = ({ host, port }: FakeServer) => ({ host, port })
      const leaders = { 'demo.t1': address(a), 'demo.t2': address(b) }
      const client = await loggedIn(await planeOver([a, b], { leaders }), 'demo')
      await client.query('SELECT 1.5e0 FROM t1 INTO @a')
      return { a, b, client }
    }

    test('is asked about before the session is used elsewhere, once', async () => {
      const { a, b, client } = await knows(connection =>
        connection.ok(0x4022, own('__obfleet_shapes', "'1.5'")),
      )
      await portOf(client, 'SELECT @a FROM t1')
      expect(a.statements.filter(sql => sql.startsWith(QUESTION))).toEqual([])

      expect(await portOf(client, 'SELECT @a FROM t2')).toBe(b.port)
      expect(b.statements).toEqual(['SET @`a` = 1.5e0', 'SELECT @a FROM t2'])
      await portOf(client, 'SELECT @a FROM t1')
      await portOf(client, 'SELECT @a FROM t2')
      expect(a.statements.filter(sql => sql.startsWith(QUESTION))).toHaveLength(1)
    })

    test.each<[string, (connection: FakeConnection) => void]>([
      ['refuses to tell', connection => connection.error(1064, 'what?')],
      ['tells nothing', connection => connection.ok()],
      ['is lost over the question', connection => connection.socket.destroy()],
    ])('whose server %s is told as lost, once', async (_name, asked) => {
      const { b, client } = await knows(asked)

      expect(errorOf((await client.query('SELECT @a FROM t2'))[0])).toMatchObject({ errno: 10014 })
      expect(await portOf(client, 'SELECT @a FROM t2')).toBe(b.port)
      expect(b.statements.at(-2)).toBe('SET @`a` = 1.5')
    })

    test('whose server is lost before it could be asked is told as lost, once', async () => {
      const { a, b, client } = await knows(() => {})
      await a.stop()
      client.command(0x0e)
      await client.next()

      expect(errorOf((await client.query('SELECT @a FROM t2'))[0])).toMatchObject({ errno: 10014 })
      expect(await portOf(client, 'SELECT @a FROM t2')).toBe(b.port)
    })
  })

  describe('the OK of a server', () => {
    test("loses the proxy's session state on its way to the client", async () => {
      const script = when('UPDATE', connection =>
        connection.send(
          Buffer.concat([
            Buffer.from([0, 3, 0, 0x22, 0x40, 1, 0]),
            okWithState(0x4022, changed('ob_proxy_partition_hit', 'ON')).subarray(7),
          ]),
        ),
      )
      const client = await loggedIn(await planeOver([await fake(script)]))
      const [ok] = await client.query('UPDATE t SET a = 1')

      expect([...(ok?.payload ?? [])]).toEqual([0, 3, 0, 0x22, 0, 1, 0])
      expect(ok?.sequence).toBe(1)
    })
  })

  describe('a client that goes away', () => {
    test.each([
      ['shares its ids with the servers', SHARED_IDS],
      ['does not', 0],
    ])("has its statement killed by the server's id where it %s", async (_name, capabilities) => {
      const server = await fake({
        capabilities,
        onCommand: (_connection, command) => command.subarray(1).toString() === 'SLEEP',
      })
      const plane = await planeOver([server])
      const client = await loggedIn(plane)
      client.command(0x03, 'SLEEP')
      await expect.poll(() => server.statements).toEqual(['SLEEP'])
      client.socket.destroy()

      const victim = server.connections[0] as FakeConnection
      await expect.poll(() => server.statements[1]).toBe(`KILL QUERY ${victim.threadId}`)
      const killer = server.connections[1] as FakeConnection
      expect(killer.user).toBe(victim.user)
      expect(idOf(killer)).not.toBe(idOf(victim))
      await expect.poll(() => server.connections.every(({ socket }) => socket.destroyed)).toBe(true)
      await expect.poll(plane.size).toBe(0)
    })

    test('between statements leaves politely', async () => {
      const server = await fake()
      const plane = await planeOver([server])
      const client = await loggedIn(plane)
      await portOf(client)
      client.socket.destroy()

      await expect.poll(() => server.connections[0]?.commands.at(-1)?.[0]).toBe(0x01)
      await expect.poll(plane.size).toBe(0)
      expect(server.connections).toHaveLength(1)
    })

    test('while a server is being looked for leaves nothing behind', async () => {
      const server = await fake({ onLogin: () => {} })
      const plane = await planeOver([server])
      const client = new RawClient(plane.port)
      void client.logIn(USER).catch(() => {})
      await expect.poll(() => server.connections.length).toBe(1)
      client.socket.destroy()

      await expect.poll(() => server.connections[0]?.socket.destroyed).toBe(true)
      await expect.poll(plane.size).toBe(0)
    })
  })
})

function idOf(connection: FakeConnection): number {
  return Number(connection.attributes.get('__client_session_id')?.toString())
}
