/** What a real kernel makes of the time-outs and demands that the proxy works by (§4.6, §9). */
import type { Socket } from 'node:net'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { SessionSettings } from '../../proxy-node/session/ports.ts'
import {
  directoryOf,
  type ProxyUnderTest,
  type Stack,
  startProxy,
  startStack,
} from '../support/stack.ts'

/** Of the kernel's own look at idle sessions, and room for a busy machine. */
const KERNEL_LOOKS_MS = 40_000

let stack: Stack
const closers: (() => unknown)[] = []

beforeAll(async () => {
  stack = await startStack('127.15.9')
  const client = await connectTo(stack.proxy.port)
  await client.query('CREATE TABLE IF NOT EXISTS limited (id INT PRIMARY KEY)')
  client.destroy()
})

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

afterAll(async () => {
  await stack?.stop()
})

async function connectTo(port: number, user?: string, flags: string[] = []): Promise<Connection> {
  const { accounts } = stack.kernel
  const client = await createConnection({
    host: '127.0.0.1',
    port,
    user: user ?? `${accounts.user}@app#obcluster`,
    password: accounts.password,
    database: accounts.database,
    flags,
  })
  client.on('error', () => {})
  closers.push(() => client.destroy())
  return client
}

async function proxyWith(settings: Partial<SessionSettings>): Promise<ProxyUnderTest> {
  const proxy = await startProxy(directoryOf(stack.clusters), { settings })
  closers.push(proxy.stop)
  return proxy
}

const closed = (client: Connection) =>
  new Promise(resolve => {
    const { connection } = client as unknown as { readonly connection: { readonly stream: Socket } }
    connection.stream.once('close', resolve)
  })

const failed = (client: Connection) =>
  new Promise<{ readonly code?: unknown }>(resolve => client.once('error', resolve))

test(
  'the kernel goes by wait_timeout also for interactive clients, and inside transactions',
  async () => {
    const { user } = stack.kernel.accounts
    const interactive = await connectTo(stack.kernel.port, user, ['INTERACTIVE'])
    const inTransaction = await connectTo(stack.kernel.port, user)
    await interactive.query('SET interactive_timeout = 28800, wait_timeout = 1')
    await inTransaction.query('SET wait_timeout = 1')
    await inTransaction.query('BEGIN')
    await inTransaction.query('INSERT INTO limited VALUES (1)')

    await Promise.all([closed(interactive), closed(inTransaction)])
  },
  KERNEL_LOOKS_MS,
)

test(
  'through the proxy a client is told 10022, inside a transaction when the kernel has ended it',
  async () => {
    const [idle, inTransaction] = [
      await connectTo(stack.proxy.port),
      await connectTo(stack.proxy.port),
    ]
    await idle.query('SET wait_timeout = 1')
    await inTransaction.query('SET wait_timeout = 1')
    await inTransaction.query('BEGIN')
    await inTransaction.query('INSERT INTO limited VALUES (2)')

    const ends = await Promise.all([failed(idle), failed(inTransaction)])
    expect(ends.map(({ code }) => code)).toEqual([10022, 10022])
    const [rows] = await (await connectTo(stack.proxy.port)).query('SELECT * FROM limited')
    expect(rows).toEqual([])
  },
  KERNEL_LOOKS_MS,
)

test.each([
  ['ob_trx_timeout', 4012],
  ['ob_trx_idle_timeout', 6002],
])(
  'a transaction behind its %s is told so by the kernel, and the session goes on',
  async (name, errno) => {
    const client = await connectTo(stack.proxy.port)
    await client.query(`SET ${name} = 1000000`)
    await client.query('BEGIN')
    await client.query('INSERT INTO limited VALUES (5)')
    const next = async () =>
      client.query('UPDATE limited SET id = id WHERE id = 0').then(
        () => 0,
        (error: { readonly errno: number }) => error.errno,
      )

    // Longer than the time-out between two looks: each look is a statement, and ends idleness.
    await expect.poll(next, { interval: 3_000, timeout: KERNEL_LOOKS_MS }).toBe(errno)
    await expect(client.query('COMMIT')).rejects.toMatchObject({ errno: 6002 })
    const [rows] = await client.query('SELECT COUNT(*) AS n FROM limited')
    expect(rows).toEqual([{ n: 0 }])
  },
  KERNEL_LOOKS_MS,
)

test('a read-only service: nothing is written, whatever a client tries', async () => {
  const client = await connectTo((await proxyWith({ isReadOnly: true })).port)
  for (const sql of ['SET tx_read_only = 0', 'START TRANSACTION READ WRITE'])
    await expect(client.query(sql)).rejects.toMatchObject({ errno: 4179 })
  for (const sql of ['INSERT INTO limited VALUES (3)', "PREPARE p FROM 'SET tx_read_only = 0'"])
    await expect(client.query(sql)).rejects.toMatchObject({ errno: 1792 })
  const [rows] = await client.query('SELECT @@tx_read_only AS r, COUNT(*) AS n FROM limited')

  expect(rows).toEqual([{ r: 1, n: 0 }])
})

test('weak reads and init_sql are in force before the first statement', async () => {
  const initSql = ["SET @greeting = 'hello'", 'SET ob_query_timeout = 11000000']
  const client = await connectTo((await proxyWith({ readsWeakly: true, initSql })).port)
  const [rows] = await client.query(
    'SELECT @@ob_read_consistency AS c, @greeting AS g, @@ob_query_timeout AS t',
  )

  expect(rows).toEqual([{ c: 'WEAK', g: 'hello', t: 11_000_000 }])
})

test('init_sql that the kernel refuses is 8006 at the first statement', async () => {
  const client = await connectTo((await proxyWith({ initSql: ['SET nosuch = 1'] })).port)

  await expect(client.query('SELECT 1')).rejects.toMatchObject({ errno: 8006 })
})

test('@obproxy_route_addr binds to a front; SELECT tells it', async () => {
  const client = await connectTo(stack.proxy.port)
  const numberOf = ({ host, port }: { readonly host: string; readonly port: number }) =>
    host.split('.').reduce((all, part) => all * 256 + Number(part), 0) * 65_536 + port
  const servers = (await stack.clusters.node.get('obcluster')?.tenantServers('app'))?.replicas ?? []
  for (const { server } of servers) {
    await client.query(`SET @obproxy_route_addr = ${numberOf(server)}`)
    await client.query('SELECT 1')
    const [rows] = await client.query('SELECT @obproxy_route_addr')
    expect(Object.values((rows as Record<string, unknown>[])[0] ?? {})).toEqual([numberOf(server)])
  }

  await expect(client.query('SET @obproxy_route_addr = 1')).rejects.toMatchObject({ errno: 4179 })
})
