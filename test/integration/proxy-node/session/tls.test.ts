/** TLS on both sides of the proxy, and clients that load balancers bring. */
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { errorPacket, frame, minimalOk } from '../../../../infra/local/front/codec.ts'
import { buildProxyHeader } from '../../../../proxy-node/wire/proxy-protocol.ts'
import { startAuthority } from '../../../support/certificates.ts'
import {
  type DataPlane,
  type Flavour,
  type Plan,
  startDataPlane,
} from '../../../support/data-plane.ts'
import { type FakeScript, type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import {
  errorOf,
  loginPayload,
  loginWith,
  RawClient,
  shortSslRequest,
  sslRequest,
} from '../../../support/raw-client.ts'

const MEGABYTE = 1024 * 1024
const USER = 'u@app#c1'
const SSL = 0x800
const LOOPBACK = '127.0.0.0/8;::1'

const authority = startAuthority()
const good = authority.issue('good', ['IP:127.0.0.1', 'IP:::1'])
const elsewhere = authority.issue('elsewhere', ['IP:127.9.9.9'])
const tls = { cert: good.cert, key: good.key }

/** 198.51.100.7:1234 to 10.0.0.1:2883; 2001:db8::7, port 4321. */
const FROM_4 = Buffer.from('c63364070a00000104d20b43', 'hex')
const FROM_6 = Buffer.from(`20010db8${'00'.repeat(11)}07${'00'.repeat(15)}0110e10b43`, 'hex')
const proxied = (block: Uint8Array, family = 0x11) =>
  Buffer.from(buildProxyHeader('proxy', family, block))
const HEADER_4 = proxied(FROM_4)
const HEADER_6 = proxied(FROM_6, 0x21)
const LOCAL = Buffer.from(buildProxyHeader('local', 0, new Uint8Array(0)))

let closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})
afterAll(() => authority.stop())

const turn = () => new Promise<void>(done => setImmediate(done))

async function fake(script: FakeScript = {}): Promise<FakeServer> {
  const server = await startFakeServer(script)
  closers.push(server.stop)
  return server
}

function connectTo(plane: DataPlane, host = '127.0.0.1'): RawClient {
  const client = new RawClient(plane.port, host)
  closers.push(() => client.socket.destroy())
  return client
}

/** Capability bits of a greeting. */
function offered(payload: Buffer): number {
  const versionEnd = payload.indexOf(0, 1)
  return payload.readUInt16LE(versionEnd + 14) | (payload.readUInt16LE(versionEnd + 19) << 16)
}

const attribute = (server: FakeServer, name: string, at = 0) =>
  server.connections[at]?.attributes.get(name)?.toString()

describe.each<Flavour>(['node:net', 'Bun'])('over %s', flavour => {
  async function planeOver(plan: Plan): Promise<DataPlane> {
    const plane = await startDataPlane(flavour, plan)
    closers.push(plane.stop)
    return plane
  }

  async function withTls(plan: Plan = {}, script: FakeScript = {}) {
    const server = await fake(script)
    return { server, plane: await planeOver({ servers: [server], tls, ...plan }) }
  }

  /** Greeted, under TLS, not logged in. */
  async function secured(plane: DataPlane, request = sslRequest()): Promise<RawClient> {
    const client = connectTo(plane)
    await client.next()
    await client.secure(request)
    return client
  }

  describe('a client', () => {
    test('is offered TLS only where there is a certificate', async () => {
      const { plane } = await withTls()
      const plain = await planeOver({ servers: [] })

      expect(offered((await connectTo(plane).next()).payload)).toBe(0x009f_ffdf)
      expect(offered((await connectTo(plain).next()).payload)).toBe(0x009f_f7df)
    })

    test.each([
      ['a whole head', sslRequest()],
      ["flags alone, as JDBC's", shortSslRequest()],
    ])('asks by %s, in one segment with its ClientHello, and works', async (_name, request) => {
      const { plane, server } = await withTls()
      const client = await secured(plane, request)
      client.socket.write(frame(2, loginPayload(USER)))

      const ok = await client.next()
      expect({ first: ok.payload[0], sequence: ok.sequence }).toEqual({ first: 0, sequence: 3 })
      expect(await client.query('SELECT 1')).toHaveLength(5)
      expect(server.connections[0]?.socket.remoteAddress).toBe('127.0.0.1')
    })

    test.each([
      ['head', sslRequest()],
      ['flags', shortSslRequest()],
    ])('may send its request (%s) cut at every byte', async (_name, request) => {
      const { plane } = await withTls()
      for (let at = 1; at <= request.length; at++) {
        const client = connectTo(plane)
        await client.next()
        await client.secure(request, (socket, first) => {
          socket.write(first.subarray(0, at))
          void turn()
            .then(turn)
            .then(() => socket.write(first.subarray(at)))
        })
        client.socket.write(frame(2, loginPayload(USER)))
        expect((await client.next()).payload[0]).toBe(0)
        client.socket.destroy()
      }
    })

    test('that stays plain works too, cut at every byte of its login', async () => {
      const { plane } = await withTls()
      const login = frame(1, loginPayload(USER))
      for (let at = 1; at < login.length; at += 3) {
        const client = connectTo(plane)
        await client.next()
        client.socket.write(login.subarray(0, at))
        await turn()
        client.socket.write(login.subarray(at))
        expect((await client.next()).payload[0]).toBe(0)
        client.socket.destroy()
      }
    })

    test('that asks for TLS which was not offered is told so', async () => {
      const plane = await planeOver({ servers: [await fake()] })
      const client = connectTo(plane)
      await client.next()
      client.socket.write(sslRequest())

      const packet = await client.next()
      expect(errorOf(packet)).toEqual({ errno: 1835, text: expect.stringMatching(/Malformed/) })
      expect(packet.sequence).toBe(2)
      await client.closed()
    })

    test('is refused with a code where TLS is demanded, unless it uses it', async () => {
      const { plane } = await withTls({ isTlsForced: true })
      const refused = await connectTo(plane).logIn(USER)
      const client = await secured(plane)
      client.socket.write(frame(2, loginPayload(USER)))

      expect({ ...errorOf(refused), sequence: refused.sequence }).toEqual({
        errno: 3159,
        text: expect.stringMatching(/insecure transport/),
        sequence: 2,
      })
      expect((await client.next()).payload[0]).toBe(0)
      // The node's own managers come without.
      expect((await connectTo(plane).logIn('root@proxysys')).payload[0]).toBe(0)
    })

    test('gets refusals with the right number inside TLS', async () => {
      const { plane } = await withTls()
      const client = await secured(plane)
      client.socket.write(frame(2, loginPayload('u@nobody#c1')))

      const packet = await client.next()
      expect([errorOf(packet).errno, packet.sequence]).toEqual([1045, 3])
      await client.closed()
      await expect.poll(plane.size).toBe(0)
    })

    test('may talk to the node itself inside TLS', async () => {
      const { plane } = await withTls()
      const client = await secured(plane)
      client.socket.write(frame(2, loginPayload('root@proxysys')))

      expect((await client.next()).payload[0]).toBe(0)
      expect(await client.query('SHOW PROXYCONFIG')).toHaveLength(5)
    })

    test.each([
      ['nothing', sslRequest()],
      ['half a ClientHello', Buffer.concat([sslRequest(), Buffer.from('160301020001', 'hex')])],
      ['garbage', Buffer.concat([sslRequest(), Buffer.alloc(100, 0x41)])],
    ])('that sends %s behind its request is closed in time', async (_name, bytes) => {
      const { plane } = await withTls({ loginTimeoutMs: 200 })
      const client = connectTo(plane)
      await client.next()
      client.socket.write(bytes)

      await client.closed()
      await expect.poll(plane.size).toBe(0)
    })

    test('that does not log in after the handshake is told so inside TLS', async () => {
      const { plane } = await withTls({ loginTimeoutMs: 500 })
      const client = await secured(plane)

      const packet = await client.next()
      expect([errorOf(packet).errno, packet.sequence]).toEqual([1159, 2])
      await client.closed()
    })

    test('gets 20 MB through TLS on both sides, byte for byte', async () => {
      const big = Buffer.alloc(20 * MEGABYTE, 'abcdefghij')
      const { plane, server } = await withTls(
        { serverTls: { isRequired: true, verification: 'identity', ca: authority.cert } },
        {
          tls,
          onCommand: (connection, command) => {
            if (command[0] !== 0x03) return false
            connection.rows({ columns: ['t'], rows: [[command.subarray(1).toString('latin1')]] })
            return true
          },
        },
      )
      const client = await secured(plane)
      client.socket.write(frame(2, loginPayload(USER)))
      await client.next()
      client.socket.write(frame(0, Buffer.concat([Buffer.from([0x03]), big])))

      const packets = await client.answer()
      const row = Buffer.concat(packets.slice(3, -1).map(({ payload }) => payload))
      expect(Buffer.compare(row.subarray(-big.length), big)).toBe(0)
      expect(server.connections[0]?.commands[0]).toHaveLength(big.length + 1)
    })
  })

  describe('a server', () => {
    const logIn = async (plane: DataPlane) => connectTo(plane).logIn(USER)
    const optional = { isRequired: false, verification: 'none' } as const
    const identity = { isRequired: true, verification: 'identity', ca: authority.cert } as const

    test('that offers TLS is asked for it by the head of the login, then logged in to', async () => {
      const server = await fake({ tls })
      const plane = await planeOver({ servers: [server], serverTls: optional })

      expect((await logIn(plane)).payload[0]).toBe(0)

      const [connection] = server.connections
      const request = connection?.sslRequest ?? Buffer.alloc(0)
      expect([request.length, request[3], connection?.loginSequence]).toEqual([36, 1, 2])
      expect(request.subarray(4)).toEqual(connection?.login.subarray(0, 32))
      const wanted = SSL | 0x10_0000 | 0x80_0000
      expect(request.readUInt32LE(4) & wanted).toBe(wanted)
    })

    test('that offers none is used without where TLS is only preferred', async () => {
      const server = await fake()
      const plane = await planeOver({ servers: [server], serverTls: optional })

      expect((await logIn(plane)).payload[0]).toBe(0)
      expect(server.connections[0]?.loginSequence).toBe(1)
      expect((server.connections[0]?.login.readUInt32LE(0) ?? 0) & SSL).toBe(0)
    })

    test('that offers TLS is used without for sessions that TLS is off for', async () => {
      const server = await fake({ tls })
      const settings = { usesServerTls: false }
      const plane = await planeOver({ servers: [server], serverTls: optional, settings })

      expect((await logIn(plane)).payload[0]).toBe(0)
      expect(server.connections[0]?.loginSequence).toBe(1)
    })

    test('that offers TLS is used without where TLS is off', async () => {
      const server = await fake({ tls })
      const answer = await logIn(await planeOver({ servers: [server] }))
      expect(answer.payload[0], answer.payload.toString()).toBe(0)
      expect(server.connections[0]?.sslRequest).toHaveLength(0)
    })

    test.each<[string, FakeScript]>([
      ['offers no TLS', {}],
      ['shows the certificate of another host', { tls: elsewhere }],
      ["shows another authority's certificate", { tls: startedElsewhere() }],
    ])('that %s gets no login, the next one does', async (_name, script) => {
      const bad = await fake(script)
      const fine = await fake({ tls })
      const plane = await planeOver({ servers: [bad, fine], serverTls: identity })

      expect((await logIn(plane)).payload[0]).toBe(0)
      expect([bad.connections[0]?.login.length, fine.connections[0]?.loginSequence]).toEqual([0, 2])
    })

    test('is not found when none of them will do', async () => {
      const plane = await planeOver({ servers: [await fake()], serverTls: identity })
      expect(errorOf(await logIn(plane)).errno).toBe(10013)
    })

    test('that never answers the ClientHello is given up in time', async () => {
      const silent = await fake({
        onConnect: socket => {
          const greeting = frame(0, greetingWithTls())
          socket.write(greeting)
          return true
        },
      })
      const plane = await planeOver({
        servers: [silent],
        serverTls: identity,
        connectTimeoutMs: 300,
      })
      expect(errorOf(await logIn(plane)).errno).toBe(10013)
    })
  })

  describe('MySQL mode', () => {
    async function over(script: FakeScript, plan: Plan = {}) {
      const server = await fake({ extraOk: false, ...script })
      const { host, port } = server
      return { server, plane: await planeOver({ mysql: { host, port }, ...plan }) }
    }
    const ask: FakeScript = {
      onLogin: connection => connection.send(Buffer.from('\xfeother_method\0scramble', 'latin1')),
      onLoginMore: (connection, packet) =>
        connection.send(
          packet.payload.toString() === 'answer' ? minimalOk(2) : errorPacket(1045, '28000', 'no'),
        ),
    }
    const optional = { isRequired: false, verification: 'none' } as const

    describe.each([
      ['plain', {}, {}],
      ['TLS', {}, { tls }],
      ['plain', { tls }, {}],
      ['TLS', { tls }, { tls }],
    ])('with a %s server (client and server: %j)', (_server, clientSide, serverSide) => {
      const isClientTls = 'tls' in clientSide
      const plan: Plan = { ...clientSide, serverTls: optional }
      const first = isClientTls ? 2 : 1
      const entered = async (plane: DataPlane) => {
        const client = connectTo(plane)
        await client.next()
        if (isClientTls) await client.secure()
        return client
      }

      test('logs in, with a switch of the method in between, each side by its own numbers', async () => {
        const { plane, server } = await over({ ...ask, ...serverSide }, plan)
        const client = await entered(plane)
        client.socket.write(frame(first, loginPayload('u')))
        const asked = await client.next()
        client.socket.write(frame(asked.sequence + 1, Buffer.from('answer')))
        const ok = await client.next()

        expect([asked.sequence, ok.payload[0], ok.sequence]).toEqual([first + 1, 0, first + 3])
        expect(server.connections[0]?.loginSequence).toBe('tls' in serverSide ? 2 : 1)
        expect(await client.query('SELECT 1')).toHaveLength(5)
      })

      test('is refused by its own numbers', async () => {
        const { plane } = await over({ ...ask, ...serverSide }, plan)
        const client = await entered(plane)
        client.socket.write(frame(first, loginPayload('u')))
        const asked = await client.next()
        client.socket.write(frame(asked.sequence + 1, Buffer.from('wrong')))
        const refused = await client.next()

        expect([errorOf(refused).errno, refused.sequence]).toEqual([1045, first + 3])
      })
    })

    describe('a method that sends the password as it is inside TLS', () => {
      const FULL = Buffer.from([1, 4])
      const password: FakeScript = {
        onLogin: connection => connection.send(FULL),
        onLoginMore: (connection, packet) =>
          connection.send(
            packet.payload.toString() === 'secret\0'
              ? minimalOk(2)
              : errorPacket(1045, '28000', 'no'),
          ),
      }
      const entered = async (plane: DataPlane, isSecure: boolean) => {
        const client = connectTo(plane)
        await client.next()
        if (isSecure) await client.secure()
        client.socket.write(frame(isSecure ? 2 : 1, loginPayload('u')))
        return { client, asked: await client.next() }
      }

      test('is passed on where both sides are inside TLS', async () => {
        const { plane } = await over({ ...password, tls }, { tls, serverTls: optional })
        const { client, asked } = await entered(plane, true)
        expect([...asked.payload]).toEqual([1, 4])
        client.socket.write(frame(asked.sequence + 1, Buffer.from('secret\0')))

        expect((await client.next()).payload[0]).toBe(0)
        expect(await client.query('SELECT 1')).toHaveLength(5)
      })

      test.each<[string, Buffer]>([
        ['full authentication of caching_sha2_password', FULL],
        ['a switch to sha256_password', Buffer.from('\xfesha256_password\0scramble', 'latin1')],
        ['a switch to mysql_clear_password', Buffer.from('\xfemysql_clear_password\0', 'latin1')],
      ])('%s is refused where the server is not: it never travels in clear', async (_name, ask) => {
        let more = 0
        const { plane } = await over(
          {
            onLogin: connection => connection.send(ask),
            onLoginMore: () => {
              more += 1
            },
          },
          { tls, serverTls: optional },
        )
        const { client, asked } = await entered(plane, true)

        expect([errorOf(asked).errno, asked.sequence]).toEqual([2061, 3])
        await client.closed()
        expect(more).toBe(0)
      })

      test('is the client’s own matter where it has no TLS either', async () => {
        const { plane } = await over(password, { serverTls: optional })
        const { client, asked } = await entered(plane, false)
        expect([...asked.payload]).toEqual([1, 4])
        client.socket.write(frame(asked.sequence + 1, Buffer.from([2])))

        expect(errorOf(await client.next()).errno).toBe(1045)
      })

      test('that is done by hash alone needs no TLS to the server', async () => {
        const { plane } = await over(
          { onLogin: connection => connection.send(Buffer.from([1, 3]), minimalOk(2)) },
          { tls, serverTls: optional },
        )
        const { client, asked } = await entered(plane, true)

        expect([...asked.payload]).toEqual([1, 3])
        expect((await client.next()).payload[0]).toBe(0)
      })
    })

    test('demands TLS where it is demanded', async () => {
      const { plane } = await over({}, { tls, isTlsForced: true })
      expect(errorOf(await connectTo(plane).logIn('u')).errno).toBe(3159)
    })
  })

  describe('a PROXY header', () => {
    async function trusting(plan: Plan = {}) {
      return withTls({ proxyHeaders: LOOPBACK, ...plan })
    }
    const logsIn = async (client: RawClient) => {
      client.socket.write(frame(1, loginPayload(USER)))
      return client.next()
    }

    test.each([
      ['IPv4', HEADER_4, '198.51.100.7', '1234'],
      ['IPv6', HEADER_6, '2001:db8::7', '4321'],
    ])('of %s, cut at every byte, says who the client is', async (_name, header, ip, port) => {
      const { plane, server } = await trusting()
      for (let at = 1; at <= header.length; at++) {
        const client = connectTo(plane)
        if (at % 2 === 0) await client.next()
        client.socket.write(header.subarray(0, at))
        await turn()
        client.socket.write(header.subarray(at))
        if (at % 2 === 1) await client.next()
        expect((await logsIn(client)).payload[0]).toBe(0)
        expect([
          attribute(server, '__client_ip', at - 1),
          attribute(server, '__client_addr_port', at - 1),
        ]).toEqual([ip, port])
        client.socket.destroy()
      }
    })

    test('may stand in one segment with the request for TLS and the ClientHello', async () => {
      const { plane, server } = await trusting()
      const client = await secured(plane, Buffer.concat([HEADER_4, sslRequest()]))
      client.socket.write(frame(2, loginPayload(USER)))

      expect((await client.next()).payload[0]).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('198.51.100.7')
    })

    test('is no header but garbage from a source that is not believed', async () => {
      const { plane } = await withTls({ proxyHeaders: '10.0.0.0/8' })
      const client = connectTo(plane)
      await client.next()
      client.socket.write(HEADER_4)

      expect(errorOf(await client.next()).errno).toBe(1835)
      await client.closed()
    })

    test('need not come from a source that is believed', async () => {
      const { plane, server } = await trusting()
      expect((await connectTo(plane).logIn(USER)).payload[0]).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('127.0.0.1')
    })

    test('decides about the private addresses of tenant proxysys', async () => {
      const { plane } = await trusting()
      const admin = async (header: Buffer) => {
        const client = connectTo(plane)
        client.socket.write(header)
        return client.logIn('root@proxysys')
      }
      const inside = proxied(Buffer.from('0a0000070a00000104d20b43', 'hex'))

      expect(errorOf(await admin(HEADER_4)).errno).toBe(1045)
      expect((await admin(inside)).payload[0]).toBe(0)
      expect((await admin(LOCAL)).payload[0]).toBe(0)
    })

    test('LOCAL is the load balancer itself, which may log in or just leave', async () => {
      const { plane, server } = await trusting()
      const leaving = connectTo(plane)
      leaving.socket.write(LOCAL)
      await leaving.next()
      leaving.socket.end()
      await leaving.closed()
      const staying = connectTo(plane)
      staying.socket.write(LOCAL)

      expect((await staying.logIn(USER)).payload[0]).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('127.0.0.1')
      expect(leaving.packets).toEqual([])
      staying.socket.destroy()
      await expect.poll(plane.size).toBe(0)
    })

    test.each([
      ['no family', proxied(new Uint8Array(0), 0)],
      ['UDP', proxied(FROM_4, 0x12)],
      ['a Unix socket', proxied(new Uint8Array(216), 0x31)],
    ])('of %s is a probe: closed without an error', async (_name, header) => {
      const { plane } = await trusting()
      const client = connectTo(plane)
      await client.next()
      client.socket.write(header)

      await client.closed()
      expect(client.packets).toEqual([])
      await expect.poll(plane.size).toBe(0)
    })

    test.each([
      ['malformed', proxied(FROM_4.subarray(0, 5))],
      ['too long', proxied(new Uint8Array(60_000)).subarray(0, 16)],
      ['twice there', Buffer.concat([HEADER_4, HEADER_4])],
    ])('that is %s gets a code and a close', async (_name, header) => {
      const { plane } = await trusting()
      const client = connectTo(plane)
      await client.next()
      client.socket.write(header)

      expect(errorOf(await client.next()).errno).toBe(1835)
      await client.closed()
    })

    test('may come before the greeting, in MySQL mode', async () => {
      const { host, port } = await fake({ extraOk: false })
      const plane = await planeOver({ mysql: { host, port }, proxyHeaders: LOOPBACK })
      const client = connectTo(plane)
      client.socket.write(HEADER_4)

      expect((await client.logIn('u')).payload[0]).toBe(0)
    })
  })

  describe('attribute __client_ip', () => {
    const named = async (plane: DataPlane, ip: string, header: Buffer = Buffer.alloc(0)) => {
      const client = connectTo(plane)
      client.socket.write(header)
      await client.next()
      const attributes = { __client_ip: ip, __client_addr_port: '777' }
      client.socket.write(frame(1, loginWith(USER, attributes)))
      return (await client.next()).payload[0]
    }

    test('is believed of configured sources', async () => {
      const { plane, server } = await withTls({ clientIps: LOOPBACK })

      expect(await named(plane, '203.0.113.5')).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('203.0.113.5')
      expect(attribute(server, '__client_addr_port')).toBe('777')
    })

    test.each<[string, Plan, string, Buffer]>([
      ['from anybody else', { clientIps: '10.0.0.0/8' }, '203.0.113.5', Buffer.alloc(0)],
      ['when it is no address', { clientIps: LOOPBACK }, "1' or '1", Buffer.alloc(0)],
    ])('is not believed %s', async (_name, plan, ip, header) => {
      const { plane, server } = await withTls(plan)

      expect(await named(plane, ip, header)).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('127.0.0.1')
    })

    test('is judged by the address that the PROXY header gives', async () => {
      const { plane, server } = await withTls({ clientIps: LOOPBACK, proxyHeaders: LOOPBACK })

      expect(await named(plane, '203.0.113.5', HEADER_4)).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('198.51.100.7')
    })

    test('does not open tenant proxysys', async () => {
      const { plane } = await withTls({ clientIps: LOOPBACK })
      const client = connectTo(plane)
      await client.next()
      const claim = { __client_ip: '203.0.113.5' }
      client.socket.write(frame(1, loginWith('root@proxysys', claim)))

      expect(errorOf(await client.next()).errno).toBe(1045)
    })
  })

  describe('IPv6', () => {
    test('clients and servers on ::1, with TLS on both sides', async () => {
      const server = await fake({ host: '::1', tls })
      const plane = await planeOver({
        host: '::1',
        servers: [server],
        tls,
        serverTls: { isRequired: true, verification: 'identity', ca: authority.cert },
      })
      const client = connectTo(plane, '::1')
      await client.next()
      await client.secure()
      client.socket.write(frame(2, loginPayload(USER)))

      expect((await client.next()).payload[0]).toBe(0)
      expect(await client.query('SELECT 1')).toHaveLength(5)
      expect(attribute(server, '__client_ip')).toBe('::1')
    })

    test('IPv4 clients of an IPv6 socket are known by their IPv4 address', async () => {
      const server = await fake()
      const plane = await planeOver({ host: '::ffff:127.0.0.1', servers: [server] })

      expect((await connectTo(plane).logIn(USER)).payload[0]).toBe(0)
      expect(attribute(server, '__client_ip')).toBe('127.0.0.1')
    })
  })
})

function startedElsewhere() {
  const foreign = startAuthority()
  const certificate = foreign.issue('foreign', ['IP:127.0.0.1'])
  foreign.stop()
  return certificate
}

function greetingWithTls(): Buffer {
  return Buffer.concat([
    Buffer.from('\x0a5.7.25-fake\0', 'latin1'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from('abcdefgh\0'),
    Buffer.from([0xdf, 0xff, 45, 2, 0, 0x9f, 0x80, 21]),
    Buffer.alloc(10),
    Buffer.from('ijklmnopqrst\0mysql_native_password\0'),
  ])
}
