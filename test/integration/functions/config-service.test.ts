/**
 * The config service as a process over a real DynamoDB API, asked by the node's own client over HTTP.
 * What is proven: both sides understand each other, a table that is gone is survived by the service,
 * a service that is gone by the node.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { put } from '../../../functions/domain/store.ts'
import { DynamoStore } from '../../../functions/store/dynamodb.ts'
import { ensureTable } from '../../../functions/store/table.ts'
import { systemClock } from '../../../proxy-node/base/clock.ts'
import { httpGetter } from '../../../proxy-node/net/http-get.ts'
import { copyFiles } from '../../../proxy-node/process/copy-files.ts'
import { ConfigServerDirectory } from '../../../proxy-node/topology/config-server.ts'
import {
  keepProxyCluster,
  obCluster,
  proxyCluster,
  registration,
  tokenOf,
} from '../../support/config-service.ts'
import { until } from '../../support/until.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const BINARY = join(ROOT, `node_modules/@dynoxide/linux-${process.arch}/dynoxide`)
const TABLE = { host: '127.15.9.1', port: 8000 }
const SERVICE = { host: '127.15.9.2', port: 8789 }
const TABLE_URL = `http://${TABLE.host}:${TABLE.port}`
const SERVICE_URL = `http://${SERVICE.host}:${SERVICE.port}`
const KEYS = { accessKeyId: 'a', secretAccessKey: 'b' }

let folder = ''
let table: ChildProcess
let service: ChildProcess
let client: DynamoDBClient
let store: DynamoStore
let directories: ConfigServerDirectory[] = []
let names = 0

/** Who does not answer yet is asked again. */
const comes = (what: string, look: () => Promise<boolean>) =>
  until(what, () => look().catch(() => false))
const end = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise(done => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}
const startTable = async () => {
  const path = join(folder, 'db')
  const at = ['--host', TABLE.host, '--port', String(TABLE.port), '--db-path', path]
  table = spawn(BINARY, ['serve', ...at], { stdio: 'ignore' })
  await comes('the table answers', async () => (await fetch(TABLE_URL)).status > 0)
}
const startService = async () => {
  const file = join(folder, 'settings.json')
  const settings = {
    service: SERVICE,
    region: 'local',
    table: 'fleet',
    dynamodb: TABLE_URL,
    plane: KEYS,
  }
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  service = spawn(
    process.execPath,
    ['--import', 'tsx', join(ROOT, 'infra/local/config-service.ts'), file],
    { stdio: ['pipe', 'pipe', 'inherit'], cwd: ROOT },
  )
  const lines = createInterface({ input: service.stdout as NonNullable<ChildProcess['stdout']> })
  await new Promise(ready => lines.once('line', ready))
}
/** A node's directory, with an `etc` of its own unless one is given. */
const node = (name: string, token = 'token-1', workdir = mkdtempSync(join(folder, 'node-'))) => {
  const said: string[] = []
  const directory = new ConfigServerDirectory({
    url: `${SERVICE_URL}/services?Action=GetObProxyConfig&ObproxyClusterName=${name}&Token=${token}`,
    get: httpGetter(1024 * 1024, systemClock),
    copies: copyFiles(workdir),
    clock: systemClock,
    random: () => 0.5,
    prefersCopies: false,
    intervals: () => ({ configMs: 3_600_000, idcMs: 3_600_000 }),
    say: line => said.push(line),
  })
  directories.push(directory)
  return { directory, said, workdir }
}
const namesOf = (directory: ConfigServerDirectory) => directory.clusters().map(each => each.name)
const hostsOf = async (directory: ConfigServerDirectory, name: string) => {
  const found = await directory.resolve(name)
  if (found.kind !== 'found') return found.kind
  return found.choices.flatMap(each => each.servers.map(({ address }) => address.host))
}
const relink = async (name: string, links: readonly string[]) => {
  const owner = await store.get('clusterName', { name })
  const before = await store.get('cluster', { id: owner?.id ?? '' })
  if (before === null) throw new Error('no cluster')
  await store.commit([put('cluster', { ...before, spec: proxyCluster(name, links).spec })])
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'obfleet-config-service-'))
  await startTable()
  client = new DynamoDBClient({ region: 'local', endpoint: TABLE_URL, credentials: KEYS })
  await ensureTable(client, 'fleet')
  const documents = DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
  })
  store = new DynamoStore(documents, 'fleet', async ms => {
    await systemClock.sleep(ms)
  })
  await startService()
})

let pc = ''
let east = ''
let west = ''

beforeEach(async () => {
  names += 1
  for (const directory of directories) directory.stop()
  directories = []
  ;[pc, east, west] = [`pc${names}`, `east${names}`, `west${names}`]
  await store.commit([
    put('obCluster', obCluster(east, { registrar: tokenOf('rs-1') })),
    put('obCluster', obCluster(west, { rootservice: ['10.1.0.1:2883'] })),
  ])
  await keepProxyCluster(store, proxyCluster(pc, [east], { configToken: tokenOf('token-1') }))
})

afterAll(async () => {
  for (const directory of directories) directory.stop()
  client.destroy()
  await Promise.all([end(table), end(service)])
  rmSync(folder, { recursive: true, force: true })
})

test('a node learns its clusters, and a link that is added or deleted when it is told to look', async () => {
  const { directory } = node(pc)
  await directory.start()
  expect(await hostsOf(directory, east)).toEqual(['10.0.0.1', '10.0.0.2'])

  await relink(pc, [east, west])
  await comes('the link is there', async () => {
    await directory.refresh('cluster-list')
    return namesOf(directory).length === 2
  })
  expect(await hostsOf(directory, west)).toEqual(['10.1.0.1'])

  await relink(pc, [west])
  await comes('the link is gone', async () => {
    await directory.refresh('cluster-list')
    return namesOf(directory).length === 1
  })
  expect(await hostsOf(directory, east)).toBe('unknown')
  expect(directory.defaultCluster()).toBe(west)
})

test('tokens are replaced one after the other without a node being shut out', async () => {
  const first = node(pc)
  await first.directory.start()
  const owner = await store.get('clusterName', { name: pc })
  const rotate = async (...live: readonly string[]) => {
    const before = await store.get('cluster', { id: owner?.id ?? '' })
    if (before === null) throw new Error('no cluster')
    await store.commit([put('cluster', { ...before, configToken: tokenOf(...live) })])
  }

  await rotate('token-2', 'token-1')
  const second = node(pc, 'token-2')
  await comes('the new token opens', async () => {
    await second.directory.refresh('cluster-list')
    return namesOf(second.directory).length === 1
  })
  await first.directory.refresh('cluster-list')
  expect(await hostsOf(first.directory, east)).toEqual(['10.0.0.1', '10.0.0.2'])

  await rotate('token-3', 'token-2')
  await comes('the first token opens no more', async () => {
    await first.directory.refresh('cluster-list')
    return first.said.some(line => line.includes('it answered 401'))
  })
  // Who is shut out serves on from what it knows.
  expect(await hostsOf(first.directory, east)).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(first.said.join()).not.toContain('token-1')
})

test('RootService registers its list: nodes follow it, an older one is refused', async () => {
  const { directory } = node(pc)
  await directory.start()
  await directory.resolve(east)
  const post = async (timestamp: number, ip: string) => {
    const url = `${SERVICE_URL}/services?Action=ObRootServiceInfo&ObRegion=${east}&Token=rs-1&version=2`
    const init = registration(timestamp, ip, { ObCluster: east })
    return (await fetch(url, init)).status
  }

  expect([await post(200, '10.0.0.7'), await post(100, '10.0.0.8')]).toEqual([200, 409])
  await comes('the registered list is there', async () => {
    await directory.refresh('root-services')
    return JSON.stringify(await hostsOf(directory, east)) === '["10.0.0.7"]'
  })

  const stamps = Array.from({ length: 12 }, (_none, at) => 300 + ((at * 5) % 12))
  await Promise.all(stamps.map(stamp => post(stamp, `10.0.1.${stamp - 300}`)))
  const kept = await store.get('rootServices', { obCluster: east, obClusterId: 1 })
  expect(kept).toMatchObject({ timestamp: 311, servers: [{ address: '10.0.1.11:2882' }] })
})

test('the service outlives the table, the node outlives the service', async () => {
  const { directory, workdir } = node(pc)
  await directory.start()
  await directory.resolve(east)
  await end(table)

  const second = node(pc)
  await second.directory.start()
  expect(await hostsOf(second.directory, east)).toEqual(['10.0.0.1', '10.0.0.2'])

  await end(service)
  const restarted = node(pc, 'token-1', workdir)
  await restarted.directory.start()
  expect(await hostsOf(restarted.directory, east)).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(await restarted.directory.resolve(east)).toMatchObject({ isCopy: true })
  expect(restarted.said.join()).toContain('ECONNREFUSED')

  await Promise.all([startTable(), startService()])
  await relink(pc, [west, east])
  await comes('the other default is there', async () => {
    await restarted.directory.refresh('cluster-list')
    return restarted.directory.defaultCluster() === west
  })
  expect(await hostsOf(restarted.directory, west)).toEqual(['10.1.0.1'])
})
