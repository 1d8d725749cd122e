/**
 * A proxy that somebody else has installed becomes a node of the running cluster, over HTTP, the
 * DynamoDB API and Run Command: looked at, taken over under its clients, managed like any other,
 * released while one of them stays, and taken over again. The proxy is the stand-in for OceanBase's.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { instanceRoot } from '../../infra/local/stack/stack.ts'
import { DevStack, type OperationJson, until } from '../support/dev-stack.ts'
import { type AsFound, FoundProxy, OLD_PASSWORD, OLD_SECRET } from '../support/found-proxy.ts'

const FREE = 'i-00000000000000004'
/** Of ours alone: the other proxy does not know it. */
const OURS_ALONE = 'statement_digests'

const stack = new DevStack(35)
let proxy: FoundProxy
let asFound: AsFound

type ResultJson = OperationJson & {
  readonly notices?: readonly string[]
  readonly result: {
    readonly mayTakeOver: boolean
    readonly hosts: readonly {
      readonly findings: readonly { readonly id: string; readonly ok: boolean }[]
      readonly notices: readonly string[]
    }[]
  } | null
}

beforeAll(async () => {
  await stack.start()
  const { hosts, obClusters } = stack.dev
  const address = hosts.find(({ id }) => id === FREE)?.address ?? ''
  const root = instanceRoot(stack.home, FREE)
  proxy = new FoundProxy({ root, address, file: path => join(root, path) })
  await secret(OLD_SECRET, OLD_PASSWORD)
  const [ob] = obClusters
  const proxyro = await secretOf(`/obfleet/ob-clusters/${ob?.name}/proxyro`)
  const stored = createHash('sha1').update(proxyro).digest('hex')
  const options = `observer_sys_password=${stored},proxy_hot_upgrade_check_interval=1s`
  await proxy.start(ob?.name ?? '', ob?.rootservice ?? '', options)
  asFound = await proxy.look()
}, 300_000)

afterAll(async () => {
  await proxy?.installation.stop()
  await stack.remove()
})

function parameterStore(): SSMClient {
  const { url: endpoint, region, accessKeyId, secretAccessKey } = stack.dev.ssm
  return new SSMClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })
}

async function secret(Name: string, Value: string): Promise<void> {
  await parameterStore().send(
    new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite: true }),
  )
}

async function secretOf(Name: string): Promise<string> {
  const get = new GetParameterCommand({ Name, WithDecryption: true })
  return (await parameterStore().send(get)).Parameter?.Value ?? ''
}

async function sysSecret(): Promise<string> {
  const { body } = await stack.api.get('/clusters/demo')
  return (body as { spec: { sysPasswordSecret: string } }).spec.sysPasswordSecret
}

const sysPassword = async () => secretOf(await sysSecret())

async function takenOver(more: object = {}): Promise<ResultJson> {
  const hosts = [{ host: FREE, sysPasswordSecret: OLD_SECRET }]
  const body = { hosts, confirm: 'demo', acceptParameterChanges: true, ...more }
  const { id } = await stack.ended(await stack.accepted('/clusters/demo/take-over', body))
  return (await stack.api.get(`/operations/${id}`)).body as ResultJson
}

async function change(body: object): Promise<OperationJson> {
  const { etag } = await stack.api.get('/clusters/demo')
  const answer = await stack.api.patch('/clusters/demo/parameters', body, {
    'if-match': etag ?? '',
  })
  return stack.ended((answer.body as OperationJson).id)
}

async function ours(): Promise<Awaited<ReturnType<DevStack['node']>> | undefined> {
  const all = await stack.nodes()
  return all.find(({ spec }) => spec.host === FREE)
}

const guests: Connection[] = []

async function guest(): Promise<Connection> {
  const client = await stack.login(proxy.host.address)
  client.on('error', () => {})
  guests.push(client)
  return client
}

async function one(client: Connection): Promise<unknown> {
  const [rows] = await client.query<RowDataPacket[]>('select 1 as one')
  return rows[0]?.['one']
}

afterEach(() => {
  for (const each of guests.splice(0)) each.destroy()
})

describe('a dry run', () => {
  test('finds a proxy that can be taken over, and says what that would do', async () => {
    const hosts = [{ host: FREE, sysPasswordSecret: OLD_SECRET }]
    const body = { hosts, acceptParameterChanges: true }
    const id = await stack.accepted('/clusters/demo/take-over?dryRun=true', body)
    await stack.ended(id)
    const { result } = (await stack.api.get(`/operations/${id}`)).body as ResultJson
    const [host] = result?.hosts ?? []
    expect(host?.findings.filter(({ ok }) => !ok)).toEqual([])
    expect(result?.mayTakeOver).toBe(true)
    expect(host?.notices.join()).toMatch(/restarted once.*shop becomes demo.*rc\.local/)
    expect(await proxy.look()).toEqual(asFound)
  })
})

describe('a take-over', () => {
  test('that fails leaves everything as it was found', async () => {
    expect(await change({ set: { [OURS_ALONE]: '100' } })).toMatchObject({ phase: 'SUCCEEDED' })

    const operation = await takenOver()

    expect(operation).toMatchObject({
      phase: 'ROLLED_BACK',
      error: { code: 'node-command-failed' },
    })
    expect(operation.error?.detail).toContain('node.take-over-undone')
    expect(await proxy.look()).toEqual(asFound)
    expect(await ours()).toBeUndefined()
    expect(await one(await guest())).toBe(1)
    expect(await change({ unset: [OURS_ALONE] })).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('cuts its clients once, and makes it a node of the cluster', async () => {
    const before = await guest()
    await before.query('begin')

    const operation = await takenOver()

    expect(operation, operation.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    expect(operation.notices?.[0]).toContain('restarted once')
    await expect(before.query('select 1')).rejects.toThrow()
    expect(await one(await guest())).toBe(1)
    const node = await ours()
    expect(node).toMatchObject({
      spec: { origin: 'TAKEN_OVER', home: proxy.home, desiredState: 'RUNNING' },
      status: { status: 'RUNNING', report: { version: '4.3.1.0-4' } },
    })
    const now = await proxy.look(await sysPassword())
    expect(now.parameters).toMatchObject({ app_name: 'demo', enable_qos: 'False' })
    expect(now.watchdogs).toEqual([])
  })

  test('of a host that is a node already does nothing', async () => {
    const body = { hosts: [{ host: FREE }], confirm: 'demo' }
    expect((await stack.api.post('/clusters/demo/take-over', body)).status).toBe(200)
  })
})

describe('a node that was taken over', () => {
  test('gets parameters and passwords like any other', async () => {
    const set = { slow_query_time_threshold: '777ms' }
    expect(await change({ set })).toMatchObject({ phase: 'SUCCEEDED' })
    const rotated = await stack.accepted('/clusters/demo/rotate-sys-password', {})
    expect(await stack.ended(rotated)).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await proxy.look(await sysPassword())).parameters).toMatchObject(set)
  })

  test('is restarted hot, and its clients stay', async () => {
    const client = await guest()
    await client.query('begin')
    const { name = '' } = (await ours()) ?? {}
    const body = { mode: 'hot', rollout: { drain: '60s' } }
    const operation = await stack.ended(await stack.accepted(`/nodes/${name}/restart`, body))
    expect(operation, operation.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    await client.query('commit')
    client.destroy()
    await vi.waitFor(() => expect(proxy.installation.proxies()).toHaveLength(1), {
      timeout: 60_000,
      interval: 50,
    })
  })

  test('comes back after a reboot', async () => {
    const before = await ours()
    const { code } = await stack.command('reboot', before?.name ?? '')
    expect(code).toBe(0)
    await until('it is back', async () => {
      const now = await ours()
      const isOther = now?.status.report?.bootId !== before?.status.report?.bootId
      return isOther && now?.status.status === 'RUNNING'
    })
    expect(await one(await guest())).toBe(1)
  })

  test('is released while a client stays: the same process serves on, under its own watchdog', async () => {
    const client = await guest()
    await client.query('begin')
    const [pid] = proxy.installation.proxies()
    const { name = '' } = (await ours()) ?? {}
    const { etag } = await stack.api.get(`/nodes/${name}`)

    const answer = await stack.api.delete(`/nodes/${name}`, { 'if-match': etag ?? '' })
    const operation = await stack.ended((answer.body as OperationJson).id)

    expect(operation, operation.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await one(client)).toBe(1)
    await client.query('commit')
    expect(proxy.installation.proxies()).toEqual([pid])
    const now = await proxy.look(await sysPassword())
    expect(now.watchdogs).toEqual(asFound.watchdogs)
    expect([now.rcLocal, now.hasLink, now.units]).toEqual([asFound.rcLocal, true, []])
    expect(await ours()).toBeUndefined()
    expect(await one(await guest())).toBe(1)
  })

  test('is taken over again', async () => {
    const hosts = [{ host: FREE, sysPasswordSecret: await sysSecret() }]
    const operation = await takenOver({ hosts, acceptParameterChanges: false })
    expect(operation, operation.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await ours())?.status.status).toBe('RUNNING')
  })
})
