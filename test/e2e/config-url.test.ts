/** A node that learns of its OB clusters from the config service: links, a service that is gone, copies. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configServiceApp } from '../../functions/config-service/app.ts'
import { put } from '../../functions/domain/store.ts'
import { listen } from '../../infra/local/api/server.ts'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { keepProxyCluster, obCluster, proxyCluster } from '../support/config-service.ts'
import { type Node, startNode } from '../support/executable.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { type RoutingCluster, startRoutingCluster } from '../support/routing-cluster.ts'

const SERVICE = { host: '127.39.9.1', port: 8789 }
const HOST = '127.39.9.2'
const TOKEN = 'token-1'
const URL = `http://${SERVICE.host}:${SERVICE.port}/services?Action=GetObProxyConfig&ObproxyClusterName=px&Token=${TOKEN}`
const DEADLINE_MS = 30_000
const POLL_MS = 100

const store = new MemoryStore()
let east: RoutingCluster
let west: RoutingCluster
let service: Server
let node: Node

const openService = () =>
  listen(
    configServiceApp({
      store,
      clock: systemClock,
      baseUrl: `http://${SERVICE.host}:${SERVICE.port}`,
      newTraceId: () => 'trace',
      log: () => {},
    }).fetch,
    SERVICE,
  )
const hash = ({ accounts }: RoutingCluster) =>
  Buffer.from(stage1Of(accounts.proxyro)).toString('hex')
const options = () =>
  [
    `obproxy_config_server_url=${URL}`,
    'config_server_refresh_interval=10s',
    `observer_sys_password=${hash(east)}`,
    `observer_sys_password1=${hash(west)}`,
    'work_thread_num=2',
  ].join(',')

beforeAll(async () => {
  east = await startRoutingCluster({ subnet: '127.39.3', cluster: 'east' })
  west = await startRoutingCluster({ subnet: '127.39.4', cluster: 'west' })
  const rootservice = ({ addresses }: RoutingCluster) => [...addresses]
  await store.commit([
    put('obCluster', obCluster('east', { rootservice: rootservice(east) })),
    put('obCluster', obCluster('west', { rootservice: rootservice(west) })),
  ])
  await keepProxyCluster(store, proxyCluster('px', ['east']))
  service = await openService()
  node = await startNode(HOST, options())
}, 60_000)

afterAll(async () => {
  await node?.stop()
  service?.closeAllConnections()
  service?.close()
  await east?.stop()
  await west?.stop()
})

async function logIn(cluster: RoutingCluster, suffix: string): Promise<Connection> {
  const { user, password, database } = cluster.accounts
  const login = { host: HOST, port: 2883, user: `${user}@app${suffix}`, password, database }
  const made = await createConnection({ ...login, connectTimeout: DEADLINE_MS })
  made.on('error', () => {})
  await made.query('SELECT 1')
  return made
}

async function link(names: readonly string[]): Promise<void> {
  const kept = await store.get('cluster', { id: 'clu_px' })
  await store.commit([
    put('cluster', { ...proxyCluster('px', [...names]), version: kept?.version ?? 0 }),
  ])
}

/** Until it does what it should; what it did last otherwise. */
async function eventually(act: () => Promise<void>): Promise<void> {
  const until = Date.now() + DEADLINE_MS
  for (;;) {
    try {
      await act()
      return
    } catch (error) {
      if (Date.now() > until) throw error
      await new Promise(done => setTimeout(done, POLL_MS))
    }
  }
}

test('the first linked cluster is the one of logins that name none; others are not for this node', async () => {
  for (const suffix of ['', '#east']) (await logIn(east, suffix)).destroy()
  await expect(logIn(west, '#west')).rejects.toMatchObject({ errno: 4669 })
})

test('a new link serves without a restart and without an order; sessions of a deleted one go on', async () => {
  await link(['east', 'west'])
  let session: Connection | undefined
  await eventually(async () => {
    session = await logIn(west, '#west')
  })

  await link(['east'])
  await eventually(async () => {
    await expect(logIn(west, '#west')).rejects.toMatchObject({ errno: 4669 })
  })
  await session?.query('SELECT 1')
  session?.destroy()
}, 70_000)

test('with the service gone a node goes on, and starts from its copies', async () => {
  await new Promise<void>(done => {
    service.close(() => done())
    service.closeAllConnections()
  })
  ;(await logIn(east, '#east')).destroy()
  const { workdir } = node
  node.child.kill('SIGTERM')
  await new Promise(done => node.child.once('exit', done))

  node = await startNode(HOST, options(), workdir)
  for (const suffix of ['', '#east']) (await logIn(east, suffix)).destroy()
}, 60_000)

test('no log has the token of the URL', () => {
  const folder = join(node.workdir, 'log')
  for (const file of readdirSync(folder))
    expect(readFileSync(join(folder, file), 'utf8')).not.toContain(TOKEN)
})
