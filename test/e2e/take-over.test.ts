/**
 * A proxy that somebody else has installed becomes a node of the running cluster, over HTTP, the
 * DynamoDB API and Run Command: looked at, taken over under its clients, managed like any other,
 * released while one of them stays, and taken over again. The proxy is the stand-in for OceanBase's. A
 * whole cluster of ours leaves in the same way, and comes back by the document that it left.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { askInit } from '../../infra/local/instance/init-client.ts'
import { instanceRoot } from '../../infra/local/stack/stack.ts'
import { DevStack, type OperationJson, refused, STACK_PATIENCE } from '../support/dev-stack.ts'
import { type AsFound, FoundProxy, OLD_PASSWORD, OLD_SECRET } from '../support/found-proxy.ts'
import { until } from '../support/until.ts'

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
    await until(
      'it is back',
      async () => {
        const now = await ours()
        const isOther = now?.status.report?.bootId !== before?.status.report?.bootId
        return isOther && now?.status.status === 'RUNNING'
      },
      STACK_PATIENCE,
    )
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

/** One of the first cluster's, and one that has no node. */
const HOSTS = ['i-00000000000000003', 'i-00000000000000005']

type Document = {
  readonly create: object
  readonly takeOver: readonly object[]
  readonly configAnswersUntil: string
}

type ClusterJson = {
  readonly spec: { readonly nodes: readonly object[] }
  readonly status: { readonly config: { readonly url: string; readonly tokenSecret: string } }
}

const cluster = async () => (await stack.api.get('/clusters/leaving')).body as ClusterJson

async function logsIn(address: string): Promise<boolean> {
  const client = await stack.login(address)
  const isServed = (await one(client)) === 1
  client.destroy()
  return isServed
}

/** Of these units, those that its init still runs. */
async function active(host: string, units: readonly string[]): Promise<readonly string[]> {
  const socket = join(instanceRoot(stack.home, host), 'run/init.sock')
  const said = await Promise.all(
    units.map(unit => askInit(socket, { op: 'status', unit }, 5_000).catch(() => undefined)),
  )
  return units.filter((_unit, at) => said[at]?.active === true)
}

/** Units of ours on a host. */
function unitsOn(host: string): readonly string[] {
  const folder = join(instanceRoot(stack.home, host), 'etc/systemd/system')
  return existsSync(folder) ? readdirSync(folder).filter(name => /obfleet|obproxy/.test(name)) : []
}

const programOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]

describe('a cluster of two nodes', () => {
  let document: Document
  let before: ClusterJson

  beforeAll(async () => {
    const { name = '' } = (await stack.nodes()).find(({ spec }) => spec.host === HOSTS[0]) ?? {}
    const { etag } = await stack.api.get(`/nodes/${name}`)
    const answer = await stack.api.delete(`/nodes/${name}?force=true`, { 'if-match': etag ?? '' })
    const freed = await stack.ended((answer.body as OperationJson).id)
    expect(freed, freed.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
    const spec = {
      workMode: 'CONFIG_URL',
      version: '4.3.2.0-1',
      nodes: HOSTS.map(host => ({ host })),
      links: [{ obCluster: 'obcluster' }],
      parameters: { slow_query_time_threshold: '777ms' },
    }
    const made = await stack.ended(await stack.accepted('/clusters', { name: 'leaving', spec }))
    expect(made, made.error?.detail).toMatchObject({ phase: 'SUCCEEDED' })
  }, 200_000)

  test('is moved out: clients inside transactions go on, and nothing of ours is left there', async () => {
    before = await cluster()
    const nodes = await stack.nodes('leaving')
    const addresses = nodes.map(({ status }) => status.address)
    const pids = nodes.map(({ status }) => status.report?.pid ?? 0)
    const { url, tokenSecret } = before.status.config
    const asked = `${url}&Token=${await secretOf(tokenSecret)}`
    const said = async () => {
      const { Code, Data } = (await (await fetch(asked)).json()) as { Code: number; Data: object }
      return { Code, Data }
    }
    const answer = await said()
    const clients = await Promise.all(addresses.map(address => stack.login(address)))
    for (const client of clients) await client.query('begin')
    for (const client of clients) await one(client)
    const [host = ''] = HOSTS
    const units = unitsOn(host)
    expect(await active(host, units)).toEqual(expect.arrayContaining(['obfleet-report.timer']))

    const id = await stack.accepted('/clusters/leaving/move-out', { confirm: 'leaving' })
    const ended = await stack.ended(id)

    expect(ended.phase, JSON.stringify(ended.error)).toBe('SUCCEEDED')
    for (const client of clients) {
      expect(await one(client)).toBe(1)
      await client.query('commit')
      client.destroy()
    }
    for (const address of addresses) expect(await logsIn(address)).toBe(true)
    for (const pid of pids) expect(programOf(pid)).toContain('obproxy')
    expect(answer).toMatchObject({ Code: 200 })
    expect(await said()).toEqual(answer)
    expect(HOSTS.flatMap(unitsOn)).toEqual([])
    for (const each of HOSTS) expect(await active(each, units)).toEqual([])
    expect(await refused(stack.api.get('/clusters/leaving'))).toMatchObject({ status: 404 })
    expect(await refused(stack.api.get('/nodes/leaving-1'))).toMatchObject({ status: 404 })
    const { result } = (await stack.api.get(`/operations/${id}`)).body as OperationJson & {
      result: Document
    }
    document = result
    expect(Date.parse(result.configAnswersUntil) - Date.parse(ended.endedAt ?? '')).toBe(
      7 * 24 * 3_600_000,
    )
  }, 200_000)

  test('is made again by the document that it left, which takes both proxies over', async () => {
    const made = await stack.ended(await stack.accepted('/clusters', document.create))
    expect(made.phase, JSON.stringify(made.error)).toBe('SUCCEEDED')
    for (const each of document.takeOver) {
      const body = { ...each, confirm: 'leaving' }
      const ended = await stack.ended(await stack.accepted('/clusters/leaving/take-over', body))
      expect(ended.phase, JSON.stringify(ended.error)).toBe('SUCCEEDED')
    }
    const nodes = await stack.nodes('leaving')
    expect(nodes.map(({ spec }) => spec.host).sort()).toEqual(HOSTS)
    for (const { status } of nodes) {
      expect(status.status).toBe('RUNNING')
      expect(await logsIn(status.address)).toBe(true)
    }
    const { nodes: _now, ...spec } = (await cluster()).spec
    const { nodes: _before, ...wanted } = before.spec
    expect(spec).toEqual(wanted)
  }, 200_000)
})
