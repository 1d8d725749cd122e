/** Clients that misbehave, and clients that only want much: bounded memory, nobody else disturbed. */
import { afterEach, describe, expect, test } from 'vitest'
import { frame } from '../../../../infra/local/front/codec.ts'
import {
  type DataPlane,
  type Flavour,
  type Plan,
  startDataPlane,
} from '../../../support/data-plane.ts'
import { type FakeScript, type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import { errorOf, loginPayload, RawClient } from '../../../support/raw-client.ts'

const MEGABYTE = 1024 * 1024
const USER = 'u@app#c1'

let closers: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

async function fake(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer(script)
  closers.push(server.stop)
  return server
}

function connectTo(plane: DataPlane): RawClient {
  const client = new RawClient(plane.port)
  closers.push(() => client.socket.destroy())
  return client
}

async function loggedIn(plane: DataPlane): Promise<RawClient> {
  const client = connectTo(plane)
  expect((await client.logIn(USER)).payload[0]).toBe(0)
  return client
}

/** The row that the fake server answers by default. */
async function works(plane: DataPlane): Promise<void> {
  const client = await loggedIn(plane)
  expect(await client.query('SELECT 1')).toHaveLength(5)
  client.socket.destroy()
}

describe.each<Flavour>(['node:net', 'Bun'])('over %s', flavour => {
  async function planeOver(server: FakeServer, plan: Plan = {}): Promise<DataPlane> {
    const plane = await startDataPlane(flavour, { servers: [server], ...plan })
    closers.push(plane.stop)
    return plane
  }

  describe('bad first packets', () => {
    test.each([
      ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['an oversized login', Buffer.from([0xff, 0xff, 0x0f, 1, 0, 0])],
      ['a login cut short', frame(1, Buffer.from([1, 2, 3]))],
      [
        'a login with a command behind it',
        Buffer.concat([frame(1, loginPayload(USER)), frame(0, Buffer.from('\x03x'))]),
      ],
      ['an answer of a strange length', frame(1, strangeAnswer())],
    ])('%s is told so and closed', async (_name, bytes) => {
      const plane = await planeOver(await fake())
      const client = connectTo(plane)
      await client.next()
      client.socket.write(bytes)

      const { errno, text } = errorOf(await client.next())
      expect({ errno, text }).toEqual({ errno: 1835, text: expect.stringMatching(/Malformed/) })
      await client.closed()
      await expect.poll(plane.size).toBe(0)
      await works(plane)
    })

    test('a client that never logs in is told so in time', async () => {
      const plane = await planeOver(await fake(), { loginTimeoutMs: 100 })
      const client = connectTo(plane)
      await client.next()

      const packet = await client.next()
      expect(errorOf(packet).errno).toBe(1159)
      expect(packet.sequence).toBe(1)
      await client.closed()
      await expect.poll(plane.size).toBe(0)
    })

    test('a client beyond the limit is told so instead of being greeted', async () => {
      const plane = await planeOver(await fake(), { maxSessions: 1 })
      const first = await loggedIn(plane)
      const second = connectTo(plane)

      const packet = await second.next()
      expect({ sequence: packet.sequence, errno: errorOf(packet).errno }).toEqual({
        sequence: 0,
        errno: 1203,
      })
      await second.closed()
      expect(await first.query('SELECT 1')).toHaveLength(5)
    })

    test('wrong names get their codes with the next sequence number', async () => {
      const plane = await planeOver(await fake())
      const answers = []
      for (const user of ['u@app#other', 'u@nobody#c1', '@app#c1', 'proxyro@sys#c1'])
        answers.push(await connectTo(plane).logIn(user))

      expect(answers.map(answer => errorOf(answer).errno)).toEqual([4669, 1045, 1045, 1045])
      expect(answers.map(answer => answer.sequence)).toEqual([2, 2, 2, 2])
    })
  })

  describe('bad commands', () => {
    test.each([
      ['a sequence number that is not 0', frame(7, Buffer.from('\x03SELECT 1'))],
      ['a command without a command byte', Buffer.from([0, 0, 0, 0])],
    ])('%s ends the session with 1835', async (_name, bytes) => {
      const plane = await planeOver(await fake())
      const client = await loggedIn(plane)
      client.socket.write(bytes)

      expect(errorOf(await client.next()).errno).toBe(1835)
      await client.closed()
      await expect.poll(plane.size).toBe(0)
    })

    test('unsupported commands get 1235 and the session goes on', async () => {
      const server = await fake()
      const client = await loggedIn(await planeOver(server))
      for (const code of [0x12, 0x13, 0x14, 0x15, 0x1e, 0x20, 0x50, 0xff]) {
        client.command(code, 'x')
        const packet = await client.next()
        expect({ sequence: packet.sequence, errno: errorOf(packet).errno }).toEqual({
          sequence: 1,
          errno: 1235,
        })
      }

      expect(await client.query('SELECT 1')).toHaveLength(5)
      expect(server.connections[0]?.commands).toHaveLength(1)
    })

    test('a refused command above 16 MiB is read to its end and answered behind it', async () => {
      const client = await loggedIn(await planeOver(await fake()))
      client.socket.write(frame(0, Buffer.alloc(17 * MEGABYTE, 0x50)))

      expect((await client.next()).sequence).toBe(2)
      expect(await client.query('SELECT 1')).toHaveLength(5)
    })

    test('half a command and then nothing: 1159 after 30 seconds', async () => {
      const plane = await planeOver(await fake())
      const client = await loggedIn(plane)
      client.socket.write(frame(0, Buffer.from('\x03SELECT 1')).subarray(0, 8))
      client.socket.write(Buffer.alloc(0))
      await works(plane)
      await plane.beat(31)

      expect(errorOf(await client.next()).errno).toBe(1159)
      await client.closed()
    })

    test('an idle client is left alone', async () => {
      const plane = await planeOver(await fake())
      const client = await loggedIn(plane)
      await plane.beat(1000)

      expect(await client.query('SELECT 1')).toHaveLength(5)
    })
  })

  describe('several commands at once', () => {
    test('are answered in order, however they are cut', async () => {
      const server = await fake({
        onCommand: (connection, command) => {
          if (command[0] !== 0x03) return false
          connection.rows({ columns: ['q'], rows: [[command.subarray(1).toString()]] })
          return true
        },
      })
      const client = await loggedIn(await planeOver(server))
      const one = Buffer.concat([
        frame(0, Buffer.from('\x03a')),
        frame(0, Buffer.from('\x0e')),
        frame(0, Buffer.from('\x19\x01\x00\x00\x00')),
        frame(0, Buffer.from('\x03b')),
      ])
      for (let at = 1; at < one.length; at++) {
        client.socket.write(one.subarray(0, at))
        await new Promise(resolve => setImmediate(resolve))
        client.socket.write(one.subarray(at))
        const a = await client.answer()
        const ping = await client.answer()
        const b = await client.answer()
        expect([a[3], b[3]].map(row => row?.payload.subarray(1).toString())).toEqual(['a', 'b'])
        expect(ping).toHaveLength(1)
      }
    })

    test('a long one behind a short one is read to its end', async () => {
      const server = await fake()
      const client = await loggedIn(await planeOver(server))
      const long = Buffer.concat([Buffer.from('\x03SELECT '), Buffer.alloc(5 * MEGABYTE, 0x20)])
      client.socket.write(Buffer.concat([frame(0, Buffer.from('\x03SELECT 1')), frame(0, long)]))

      expect(await client.answer()).toHaveLength(5)
      expect(await client.answer()).toHaveLength(5)
      expect(server.connections[0]?.commands.map(({ length }) => length)).toEqual([9, long.length])
    })

    test('a client that asks without end and reads nothing is stopped, and later gets all answers', async () => {
      const client = await loggedIn(await planeOver(await fake()))
      client.socket.pause()
      const pings = Buffer.concat(
        Array.from({ length: 20_000 }, () => frame(0, Buffer.from('\x0e'))),
      )
      let sent = 0
      while (sent < 200 && client.socket.writableLength < 4 * MEGABYTE) {
        client.socket.write(pings)
        sent += 1
        await new Promise(resolve => setImmediate(resolve))
      }
      // What the proxy does not read stays here: it has stopped.
      expect(client.socket.writableLength).toBeGreaterThan(MEGABYTE)
      client.socket.resume()

      let answers = 0
      client.socket.removeAllListeners('data')
      client.socket.on('data', bytes => {
        answers += bytes.length
      })
      await expect.poll(() => answers, { timeout: 50_000 }).toBe(sent * 20_000 * 11)
    })
  })

  describe('long statements and large results', () => {
    test('20 MB up, 20 MB down, byte for byte', async () => {
      const big = Buffer.alloc(20 * MEGABYTE, 'abcdefghij')
      const server = await fake({
        onCommand: (connection, command) => {
          if (command[0] !== 0x03) return false
          connection.rows({ columns: ['t'], rows: [[command.subarray(1).toString('latin1')]] })
          return true
        },
      })
      const client = await loggedIn(await planeOver(server))
      client.socket.write(frame(0, Buffer.concat([Buffer.from([0x03]), big])))

      const packets = await client.answer()
      expect(
        Buffer.compare(server.connections[0]?.commands[0]?.subarray(1) ?? Buffer.alloc(0), big),
      ).toBe(0)
      const rows = Buffer.concat(packets.slice(3, -1).map(({ payload }) => payload))
      expect(rows.length).toBeGreaterThan(big.length)
      expect(Buffer.compare(rows.subarray(rows.length - big.length), big)).toBe(0)
      expect(await client.query('SELECT 1')).toHaveLength(5)
    })

    test('an answer before the end of the statement: the rest still goes to the server', async () => {
      let passed = 0
      const server = await fake({
        onBytes: (connection, bytes) => {
          if (passed === 0) connection.error(1153, 'too big')
          passed += bytes.length
          return passed <= 6 * MEGABYTE
        },
      })
      const client = await loggedIn(await planeOver(server))
      const long = frame(0, Buffer.alloc(6 * MEGABYTE - 4, 0x03))
      for (let at = 0; at < long.length; at += MEGABYTE) {
        client.socket.write(long.subarray(at, at + MEGABYTE))
        if (at === 0) expect(errorOf(await client.next()).errno).toBe(1153)
      }

      await expect.poll(() => passed).toBe(6 * MEGABYTE)
      expect(await client.query('SELECT 1')).toHaveLength(5)
    })

    test('a client that stops reading stops its server, nobody else, and is cut off after 60 seconds', async () => {
      let written = 0
      const server = await fake({
        onCommand: (connection, command) => {
          if (!command.subarray(1).toString().startsWith('BIG')) return false
          const chunk = Buffer.concat(
            Array.from({ length: 16 }, () => frame(1, Buffer.alloc(60_000, 1))),
          )
          const go = () => {
            while (written < 256 * MEGABYTE) {
              written += chunk.length
              if (!connection.socket.write(chunk)) return
            }
          }
          connection.socket.on('drain', go)
          connection.socket.write(
            Buffer.concat([
              frame(1, Buffer.from([1])),
              frame(2, Buffer.from('c')),
              frame(3, Buffer.from([0xfe, 0, 0, 2, 0])),
            ]),
          )
          go()
          return true
        },
      })
      const plane = await planeOver(server)
      const client = await loggedIn(plane)
      const before = await plane.residentBytes()
      client.socket.pause()
      client.command(0x03, 'BIG')
      let last = -1
      await expect
        .poll(
          () => {
            const isStill = last === written
            last = written
            return isStill && written > 0
          },
          { interval: 300, timeout: 15_000 },
        )
        .toBe(true)

      expect(written).toBeLessThan(64 * MEGABYTE)
      if (flavour === 'Bun')
        expect((await plane.residentBytes()) - before).toBeLessThan(32 * MEGABYTE)
      await works(plane)
      expect(await plane.size()).toBeGreaterThanOrEqual(1)
      await plane.beat(62)
      await expect.poll(plane.size).toBe(0)
      await expect.poll(() => server.connections[0]?.socket.destroyed).toBe(true)
    })
  })

  test('tenant proxysys: many statements at once are answered in order', async () => {
    const plane = await planeOver(await fake())
    const client = connectTo(plane)
    await client.logIn('root@proxysys')
    const statements = Array.from({ length: 3000 }, (_unused, index) => `s${index}`)
    client.socket.write(Buffer.concat(statements.map(sql => frame(0, Buffer.from(`\x03${sql}`)))))

    for (const sql of statements) {
      const packets = await client.answer()
      expect(packets[3]?.payload.subarray(1).toString()).toBe(sql)
    }
  })

  test('draining ends idle clients with 1053 at once, busy ones when forced', async () => {
    const plane = await planeOver(
      await fake({ onCommand: (_connection, command) => command.toString().includes('HANG') }),
    )
    const idle = await loggedIn(plane)
    const busy = await loggedIn(plane)
    busy.command(0x03, 'HANG')
    await works(plane)
    await plane.drain(false)

    expect(errorOf(await idle.next()).errno).toBe(1053)
    await idle.closed()
    expect(busy.isClosed).toBe(false)
    await plane.drain(true)
    expect(errorOf(await busy.next()).errno).toBe(1053)
    await busy.closed()
    await expect.poll(plane.size).toBe(0)
  })
})

function strangeAnswer(): Buffer {
  const payload = loginPayload(USER)
  const at = payload.indexOf(Buffer.from(`${USER}\0`)) + USER.length + 1
  return Buffer.concat([
    payload.subarray(0, at),
    Buffer.from([7, 1, 2, 3, 4, 5, 6, 7]),
    payload.subarray(at + 1),
  ])
}
