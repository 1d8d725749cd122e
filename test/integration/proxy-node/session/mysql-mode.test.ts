/** `server_routing_mode=mysql`: the login relayed byte for byte, the same relay behind it. */
import { afterEach, describe, expect, test } from 'vitest'
import { errorPacket, frame, minimalOk } from '../../../../infra/local/front/codec.ts'
import { type DataPlane, type Flavour, startDataPlane } from '../../../support/data-plane.ts'
import { type FakeScript, type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import { errorOf, loginPayload, RawClient } from '../../../support/raw-client.ts'

const MASKED = 0x20 | 0x800 | 0x100_0000

let closers: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

describe.each<Flavour>(['node:net', 'Bun'])('over %s', flavour => {
  async function over(script: FakeScript = {}): Promise<{ server: FakeServer; plane: DataPlane }> {
    const server = await startFakeServer({ extraOk: false, ...script })
    const { host, port } = server
    const plane = await startDataPlane(flavour, { mysql: { host, port }, connectTimeoutMs: 300 })
    closers.push(server.stop, plane.stop)
    return { server, plane }
  }

  function connectTo(plane: DataPlane): RawClient {
    const client = new RawClient(plane.port)
    closers.push(() => client.socket.destroy())
    return client
  }

  test('the greeting keeps scramble and version and loses what the proxy cannot do', async () => {
    const { plane } = await over()
    const { payload } = await connectTo(plane).next()
    const versionEnd = payload.indexOf(0, 1)
    const lower = payload.readUInt16LE(versionEnd + 14)
    const upper = payload.readUInt16LE(versionEnd + 19)

    expect(payload.subarray(1, versionEnd).toString()).toBe('5.7.25-fake')
    expect(payload.subarray(versionEnd + 5, versionEnd + 13).toString()).toBe('abcdefgh')
    expect((lower | (upper << 16)) & MASKED).toBe(0)
  })

  test('the login arrives byte for byte', async () => {
    const { server, plane } = await over()
    const client = connectTo(plane)
    await client.next()
    client.socket.write(frame(1, loginPayload('u', 'demo')))

    expect((await client.next()).payload).toEqual(minimalOk(0x0002))
    expect(server.connections[0]?.login).toEqual(loginPayload('u', 'demo'))
    expect(await client.query('SELECT 1')).toHaveLength(5)
  })

  test('a switch of the authentication method is relayed with its numbers', async () => {
    const answers: string[] = []
    const { plane } = await over({
      onLogin: connection => connection.send(Buffer.from('\xfeother_method\0scramble', 'latin1')),
      onLoginMore: (connection, packet) => {
        answers.push(packet.payload.toString())
        connection.send(minimalOk(0x0002))
      },
    })
    const client = connectTo(plane)
    const asked = await client.logIn('u')
    expect({ first: asked.payload[0], sequence: asked.sequence }).toEqual({
      first: 0xfe,
      sequence: 2,
    })
    client.socket.write(frame(3, Buffer.from('answer')))

    const ok = await client.next()
    expect({ first: ok.payload[0], sequence: ok.sequence }).toEqual({ first: 0, sequence: 4 })
    expect(answers).toEqual(['answer'])
    expect(await client.query('SELECT 1')).toHaveLength(5)
  })

  test("a server's refusal keeps its number, at the login and instead of a greeting", async () => {
    const { plane } = await over({ onLogin: connection => connection.error(1045, 'no') })
    const refused = await connectTo(plane).logIn('u')
    const { plane: full } = await over({
      onConnect: socket => {
        socket.end(frame(0, errorPacket(1040, '08004', 'Too many connections')))
        return true
      },
    })
    const turnedAway = await connectTo(full).logIn('u')

    expect([errorOf(refused).errno, refused.sequence]).toEqual([1045, 2])
    expect([errorOf(turnedAway).errno, turnedAway.sequence]).toEqual([1040, 2])
  })

  test.each<[string, FakeScript]>([
    ['says nothing', { onConnect: () => true }],
    [
      'is gone',
      {
        onConnect: socket => {
          socket.destroy()
          return true
        },
      },
    ],
  ])('a server that %s: 10013', async (_name, script) => {
    const { plane } = await over(script)
    const client = connectTo(plane)
    const packet = await client.logIn('u')

    expect([errorOf(packet).errno, packet.sequence]).toEqual([10013, 2])
    await client.closed()
    await expect.poll(plane.size).toBe(0)
  })

  test('the node itself can be logged into when its server is gone', async () => {
    const { server, plane } = await over()
    await server.stop()
    const client = connectTo(plane)

    expect((await client.logIn('root@proxysys')).payload[0]).toBe(0)
    expect(await client.query('SHOW PROXYCONFIG')).toHaveLength(5)
  })

  test('answers that only look like ends, prepared statements, and ping are relayed', async () => {
    const { server, plane } = await over()
    const client = connectTo(plane)
    await client.logIn('u')
    client.command(0x1f)
    expect((await client.next()).payload[0]).toBe(0)
    client.command(0x0e)
    expect((await client.next()).payload[0]).toBe(0)
    client.command(0x19, Buffer.alloc(4))
    expect(await client.query('SELECT 1')).toHaveLength(5)

    expect(server.connections[0]?.commands.map(command => command[0])).toEqual([0x1f, 0x19, 0x03])
  })

  test('a lost server ends the session with 10014', async () => {
    const { server, plane } = await over()
    const client = connectTo(plane)
    await client.logIn('u')
    await server.stop()
    closers = closers.slice(1)

    expect(errorOf((await client.query('SELECT 1'))[0]).errno).toBe(10014)
    await client.closed()
  })

  test('the node itself can still be asked', async () => {
    const { server, plane } = await over()
    const client = connectTo(plane)
    expect((await client.logIn('root@proxysys')).payload[0]).toBe(0)

    expect(await client.query('SHOW PROXYCONFIG')).toHaveLength(5)
    await expect.poll(() => server.connections[0]?.socket.destroyed).toBe(true)
  })
})
