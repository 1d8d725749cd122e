/**
 * A cluster of two nodes leaves our management under its clients, over HTTP, the DynamoDB API and Run
 * Command, and is made and taken over again by the document that it left.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askInit } from '../../infra/local/instance/init-client.ts'
import { instanceRoot } from '../../infra/local/stack/stack.ts'
import { DevStack, type OperationJson, refused } from '../support/dev-stack.ts'

const HOSTS = ['i-00000000000000004', 'i-00000000000000005']

const stack = new DevStack(72)

type Document = {
  readonly create: object
  readonly takeOver: readonly object[]
  readonly configAnswersUntil: string
}

type ClusterJson = {
  readonly spec: { readonly nodes: readonly object[] }
  readonly status: { readonly config: { readonly url: string; readonly tokenSecret: string } }
}

let document: Document
let before: ClusterJson

beforeAll(async () => {
  await stack.start()
  const spec = {
    workMode: 'CONFIG_URL',
    version: '4.3.2.0-1',
    nodes: HOSTS.map(host => ({ host })),
    links: [{ obCluster: 'obcluster' }],
    parameters: { slow_query_time_threshold: '777ms' },
  }
  const made = await stack.ended(await stack.accepted('/clusters', { name: 'leaving', spec }))
  expect(made.phase, JSON.stringify(made.error)).toBe('SUCCEEDED')
}, 400_000)

afterAll(() => stack.remove())

const cluster = async () => (await stack.api.get('/clusters/leaving')).body as ClusterJson

async function secretOf(Name: string): Promise<string> {
  const { url: endpoint, region, accessKeyId, secretAccessKey } = stack.dev.ssm
  const client = new SSMClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  })
  const get = new GetParameterCommand({ Name, WithDecryption: true })
  return (await client.send(get)).Parameter?.Value ?? ''
}

async function one(client: Connection): Promise<unknown> {
  const [rows] = await client.query<RowDataPacket[]>('select 1 as one')
  return rows[0]?.['one']
}

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

test('a cluster is moved out: clients inside transactions go on, and nothing of ours is left there', async () => {
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

test('the document makes the cluster again, and takes both proxies over', async () => {
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
