/** Statements that are routed by another text than their own, over six fronts of the kernel. */
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import { type ClustersUnderTest, startClusters } from '../support/node-clusters.ts'
import { type RoutingCluster, startRoutingCluster } from '../support/routing-cluster.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from '../support/stack.ts'

let cluster: RoutingCluster
let metadata: MetadataConnections
let clusters: ClustersUnderTest
let proxy: ProxyUnderTest
let client: Connection
const KEYS = [1, 2, 3, 4, 5, 6, 7, 8]

beforeAll(async () => {
  cluster = await startRoutingCluster({ subnet: '127.47.3', engine: 'kernel' })
  metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(cluster.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  clusters = await startClusters({
    name: 'obcluster',
    rootservices: cluster.picture.servers,
    query: (server, sql) => metadata.query(server, sql, 'c1'),
  })
  proxy = await startProxy(directoryOf(clusters), {})
  client = await connect()
  await client.query(
    'CREATE TABLE spread (id INT PRIMARY KEY, v INT) PARTITION BY HASH(id) PARTITIONS 8',
  )
  for (const key of KEYS) await client.query(`INSERT INTO spread VALUES (${key}, 0)`)
  await client.query(
    'CREATE PROCEDURE raise(a INT) BEGIN UPDATE spread SET v = v + 1 WHERE id = a; END',
  )
})

afterAll(async () => {
  client?.destroy()
  proxy?.stop()
  clusters?.stop()
  metadata?.stop()
  await cluster?.stop()
})

function connect(): Promise<Connection> {
  const { user, password, database } = cluster.accounts
  return createConnection({
    host: '127.0.0.1',
    port: proxy.port,
    user: `${user}@app#obcluster`,
    password,
    database,
  })
}

/** By `host:port`, texts that were passed to the kernel since `marks`. */
function passedTo(word: string, marks: ReadonlyMap<string, number>): readonly string[] {
  return cluster
    .entries(marks)
    .filter(({ text, fate }) => fate === 'passed' && text.includes(word))
    .map(({ front }) => front)
}

let marks: ReadonlyMap<string, number>
beforeEach(() => {
  marks = cluster.marks()
})

test('the first CALL of a session goes to the leader of the partition that its routine writes to', async () => {
  for (const key of KEYS) {
    const before = cluster.marks()
    const caller = await connect()
    await caller.query(`CALL raise(${key})`)
    expect(passedTo('CALL raise', before)).toEqual([await leaderOf(key)])
    // What a routine prepares by text is on that server only: the session's next CALL goes there, too.
    await caller.query(`CALL raise(${key + 1})`)
    expect(passedTo('CALL raise', before)).toEqual(Array(2).fill(await leaderOf(key)))
    caller.destroy()
  }
})

test('CALL of a routine that does not exist is answered by a server', async () => {
  await expect(client.query('CALL nothing(1)')).rejects.toMatchObject({ errno: 1305 })
})

test('a comment says table and key, and servers do not read it', async () => {
  for (const key of KEYS) {
    const before = cluster.marks()
    await client.query(`/* table spread part_key ${key} */ SELECT 1 + 1`)
    expect(passedTo('SELECT 1 + 1', before)).toEqual([await leaderOf(key)])
  }
  const texts = cluster.entries(marks).map(({ text }) => text)
  expect(texts.filter(text => text.includes('SELECT 1 + 1'))).toHaveLength(KEYS.length)
  expect(texts.filter(text => text.includes('part_key 1'))).toEqual([])
})

/** HASH of eight partitions by the whole number itself. */
function leaderOf(key: number): Promise<string> {
  return cluster.leader('spread', key % 8)
}
