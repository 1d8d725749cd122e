/** Full-link trace ids: asked for where the configuration says so, carried from one server to the next. */
import { afterEach, expect, test } from 'vitest'
import { type DataPlane, startDataPlane } from '../../../support/data-plane.ts'
import { type FakeServer, startFakeServer } from '../../../support/fake-server.ts'
import { extraEntry } from '../../../support/ob20-server.ts'
import { RawClient } from '../../../support/raw-client.ts'

const FULL_TRACE = 2003
const TRACE_BITS = 0x4000 | 0x4_0000
const TRACE = Buffer.from('trace-of-the-first-server')

let servers: FakeServer[] = []
let plane: DataPlane | undefined
let client: RawClient | undefined

async function start(tracesFullLink: boolean): Promise<RawClient> {
  const script = {
    protocol: 'ob20' as const,
    extraOf: (_connection: unknown, command: Buffer) =>
      command.includes('FROM t1') ? [extraEntry(FULL_TRACE, TRACE)] : [],
  }
  servers = [await startFakeServer(script), await startFakeServer(script)]
  const [one, two] = servers.map(({ host, port }) => ({ host, port }))
  if (one === undefined || two === undefined) throw new Error('two servers')
  plane = await startDataPlane('node:net', {
    servers: [one, two],
    leaders: { 'demo.t1': one, 'demo.t2': two },
    settings: { tracesFullLink },
  })
  client = new RawClient(plane.port)
  await client.logIn('u@app#c1', 'demo')
  return client
}

afterEach(async () => {
  client?.socket.destroy()
  await plane?.stop()
  await Promise.all(servers.map(server => server.stop()))
})

const askedOf = (server: FakeServer | undefined) =>
  Number(server?.connections[0]?.attributes.get('__proxy_capability_flag')?.toString())

test('a trace follows the session to the next server, and is not told to the one that made it', async () => {
  const one = await start(true)
  await one.query('SELECT 1 FROM t1')
  await one.query('SELECT 2 FROM t1')
  await one.query('SELECT 1 FROM t2')
  const [first, second] = servers

  expect(askedOf(first) & TRACE_BITS).toBe(TRACE_BITS)
  expect(first?.connections[0]?.requestExtra.includes(TRACE)).toBe(false)
  const seen = Buffer.concat(
    second?.connections[0]?.frames.map(({ extra }) => extra ?? Buffer.alloc(0)) ?? [],
  )
  expect(seen.includes(TRACE)).toBe(true)
})

test('without the parameter no trace is asked for', async () => {
  await (await start(false)).query('SELECT 1 FROM t1')

  expect(askedOf(servers[0]) & TRACE_BITS).toBe(0)
})
