/** Logins to an OB cluster that no server of can be reached: refused, with a reason, and in time. */
import { type AddressInfo, createServer } from 'node:net'
import { createConnection as open } from 'mysql2'
import { createConnection } from 'mysql2/promise'
import { afterEach, expect, test } from 'vitest'
import type { Answer } from '../../../../proxy-node/topology/table-entry.ts'
import { MetadataCluster } from '../../../support/metadata-cluster.ts'
import { type ClustersUnderTest, startClusters } from '../../../support/node-clusters.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from '../../../support/stack.ts'

/** Nothing listens there. */
const ROOTSERVICES = [
  { host: '127.0.0.1', port: 1 },
  { host: '127.0.0.1', port: 2 },
]

let clusters: ClustersUnderTest | undefined
let proxy: ProxyUnderTest | undefined

afterEach(() => {
  proxy?.stop()
  clusters?.stop()
})

async function start(query: () => Promise<Answer>): Promise<void> {
  const starting = startClusters({ name: 'dark', rootservices: ROOTSERVICES, query })
  clusters = await starting
  proxy = await startProxy(directoryOf(clusters))
}

function login(tenant: string): Promise<unknown> {
  const { port } = proxy ?? { port: 0 }
  return createConnection({
    host: '127.0.0.1',
    port,
    user: `u@${tenant}#dark`,
    password: 'p',
  }).then(connection => connection.end())
}

const NO_SERVER = { errno: 10013, sqlState: 'HY000' }

test.each(['app', 'sys'])('tenant %s: servers that refuse', async tenant => {
  await start(() => Promise.reject(new Error('refused')))

  await expect(login(tenant)).rejects.toMatchObject(NO_SERVER)
})

test('a server that a client gives up waiting for has failed', async () => {
  const silent = createServer(socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const servers = new MetadataCluster('dark', ['127.0.0.1'])
  servers.port = port
  servers.tenants = { app: { id: '1002', locality: '' } }
  clusters = await startClusters({ name: 'dark', rootservices: ROOTSERVICES, query: servers.query })
  proxy = await startProxy(directoryOf(clusters), { settings: { minConnectingMs: 1 } })
  const reached = new Promise<void>(resolve => silent.once('connection', () => resolve()))

  const client = open({ host: '127.0.0.1', port: proxy.port, user: 'u@app#dark', password: 'p' })
  client.on('error', () => {})
  await reached
  client.destroy()

  const [cluster] = clusters.node.all()
  await expect
    .poll(() => cluster?.blacklist.standingOf(`127.0.0.1:${port}`, Date.now())?.failures)
    .toBe(1)
  silent.close()
})

test('servers that keep silent: the reason comes before the login has taken too long', async () => {
  await start(() => new Promise(() => {}))

  await expect(login('app')).rejects.toMatchObject(NO_SERVER)
})
