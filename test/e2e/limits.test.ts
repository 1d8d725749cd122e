/** Limits of clients on a running node: ALTER PROXYCONFIG is in force for the next client, or the next second. */
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { metrics, type Node, startNode } from '../support/executable.ts'
import { errorOf, RawClient } from '../support/raw-client.ts'

const HOST = '127.16.9.1'
const PORT = 2883
/** Nobody listens there: a client is refused, or ended, before a server is wanted. */
const ALONE =
  'rootservice_list=127.16.9.2:2881,rootservice_cluster_name=obcluster,work_thread_num=1'

let node: Node
const clients: { readonly close: () => void }[] = []

const admin = () => createConnection({ host: HOST, port: PORT, user: 'root@proxysys' })

async function alter(assignments: string): Promise<void> {
  const sql = await admin()
  await sql.query(`ALTER PROXYCONFIG SET ${assignments}`)
  sql.destroy()
}

function raw(): RawClient {
  const client = new RawClient(PORT, HOST)
  clients.push({ close: () => client.socket.destroy() })
  return client
}

beforeAll(async () => {
  node = await startNode(HOST, ALONE)
})

afterAll(async () => {
  for (const { close } of clients) close()
  await node?.stop()
})

test('client_login_timeout', async () => {
  await alter("client_login_timeout = '300ms'")
  const client = raw()
  await client.next()
  const { errno, text } = errorOf(await client.next())
  await alter("client_login_timeout = '10s'")

  expect({ errno, text }).toEqual({ errno: 1159, text: expect.stringMatching(/0\.3 s/) })
})

test('client_login_max_connections_per_ip', async () => {
  await alter('client_login_max_connections_per_ip = 1')
  const waiting = raw()
  expect((await waiting.next()).payload[0]).toBe(10)
  const { errno } = errorOf(await raw().next())
  waiting.socket.destroy()
  await expect
    .poll(async () => {
      const ended = await admin().then(
        (sql: Connection) => sql.destroy(),
        (error: { readonly errno: number }) => error.errno,
      )
      return ended
    })
    .toBeUndefined()
  await alter('client_login_max_connections_per_ip = 1024')

  expect(errno).toBe(1040)
})

test('default_inactivity_timeout', async () => {
  const idle = await admin()
  const ended = new Promise<{ readonly code?: unknown }>(resolve => idle.once('error', resolve))
  await alter("default_inactivity_timeout = '1s'")
  const { code } = await ended
  await alter("default_inactivity_timeout = '180000s'")

  expect(code).toBe(10022)
})

test('init_sql takes SET and refuses everything else', async () => {
  const sql = await admin()
  await sql.query("ALTER PROXYCONFIG SET init_sql = 'SET ob_query_timeout = 20000000'")
  await expect(sql.query("ALTER PROXYCONFIG SET init_sql = 'DROP TABLE t'")).rejects.toMatchObject({
    errno: 4147,
  })
  sql.destroy()
})

test('/metrics counts who met them', async () => {
  const counted = async (limit: string) => {
    const text = await metrics(HOST)
    const found = new RegExp(`^odp_limited_client_connections\\{.*limit="${limit}"\\} (\\d+)`, 'm')
    return Number(found.exec(text)?.[1] ?? 0)
  }

  for (const limit of ['login_time', 'logins_of_address', 'idle'])
    await expect.poll(() => counted(limit), { timeout: 10_000 }).toBeGreaterThanOrEqual(1)
})
