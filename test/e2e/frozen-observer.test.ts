/**
 * The built proxy over six servers of which one is a process of its own: stopped, it neither answers nor
 * closes anything, as a server that hangs. By detect_server_timeout = 1s, and otherwise by the defaults.
 */
import type { ChildProcess } from 'node:child_process'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { type Node, startNode } from '../support/executable.ts'
import { moveOut } from '../support/one-observer.ts'
import { type RoutingCluster, startRoutingCluster } from '../support/routing-cluster.ts'

const HOST = '127.16.10.1'
const VICTIM = 2
const PARTS = 12
const TABLE = `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`
/** Told when a statement is lost with its server. */
const LOST = 10014

let cluster: RoutingCluster
let observer: ChildProcess
let node: Node
const clients: Connection[] = []

async function connect(host = HOST, port = 2883, suffix = '#obcluster'): Promise<Connection> {
  const { user, password, database } = cluster.accounts
  const client = await createConnection({
    host,
    port,
    user: `${user}@app${suffix}`,
    password,
    database,
  })
  client.on('error', () => {})
  clients.push(client)
  return client
}

beforeAll(async () => {
  cluster = await startRoutingCluster({ subnet: '127.16.11' })
  const inside = cluster.front(1).server
  await (await connect(inside.host, inside.port, '')).query(TABLE)
  observer = await moveOut(cluster, VICTIM)
  const outside = cluster.front(VICTIM).server
  await (await connect(outside.host, outside.port, '')).query(TABLE)
  const secret = Buffer.from(stage1Of(cluster.accounts.proxyro)).toString('hex')
  node = await startNode(
    HOST,
    `rootservice_list=${cluster.rootservices},rootservice_cluster_name=obcluster,work_thread_num=2,` +
      `observer_sys_password=${secret},detect_server_timeout=1s`,
  )
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  observer?.kill('SIGKILL')
  await node?.stop()
  await cluster?.stop()
})

/** A value whose partition the stopped server leads. */
async function ownId(): Promise<number> {
  for (let id = 0; id < PARTS; id++)
    if ((await cluster.leader('hashed', id)) === cluster.key(VICTIM)) return id
  throw new Error('it leads nothing')
}

type Told = { readonly errno: number; readonly afterMs: number }

async function told(client: Connection, sql: string): Promise<Told> {
  const from = Date.now()
  const errno = await client.query(sql).then(
    () => 0,
    (error: { errno: number }) => error.errno,
  )
  return { errno, afterMs: Date.now() - from }
}

test('what waits for a server that hangs is told within 5 s, others go on, and it is back within 3 s', async () => {
  const sql = `DELETE FROM hashed WHERE id = ${await ownId()}`
  const [inside, other] = [await connect(), await connect()]
  expect((await told(inside, sql)).errno).toBe(0)

  observer.kill('SIGSTOP')
  const stuck = await told(inside, sql)
  const marks = cluster.marks()
  const moved = await told(other, sql)
  const elsewhere = cluster.entries(marks).filter(({ text }) => text === sql).length
  observer.kill('SIGCONT')
  const thawedAt = Date.now()
  let isBack = false
  while (!isBack && Date.now() - thawedAt < 10_000) {
    const before = cluster.marks()
    expect((await told(other, sql)).errno).toBe(0)
    isBack = cluster.entries(before).every(({ text }) => text !== sql)
    if (!isBack) await new Promise(resolve => setTimeout(resolve, 50))
  }

  expect(stuck.errno).toBe(LOST)
  expect(stuck.afterMs).toBeLessThan(5_000)
  // It is avoided: nobody waits for it any more.
  expect(moved.errno).toBe(0)
  expect(moved.afterMs).toBeLessThan(1_000)
  expect(elsewhere).toBe(1)
  expect(isBack).toBe(true)
  expect(Date.now() - thawedAt).toBeLessThan(3_000)
})

test('killed, it costs no statement but the one under way, and nobody waits', async () => {
  const sql = `DELETE FROM hashed WHERE id = ${await ownId()}`
  const clientsInside = [await connect(), await connect(), await connect()]
  for (const client of clientsInside) expect((await told(client, sql)).errno).toBe(0)

  observer.kill('SIGKILL')
  await new Promise(resolve => observer.once('exit', resolve))
  const first = await Promise.all(clientsInside.map(client => told(client, sql)))
  const second = await Promise.all(clientsInside.map(client => told(client, sql)))

  for (const { errno } of first) expect([0, LOST]).toContain(errno)
  for (const { errno, afterMs } of second) {
    expect(errno).toBe(0)
    expect(afterMs).toBeLessThan(1_000)
  }
})
