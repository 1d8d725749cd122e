/** What the stack creates over its own API, as a user would: OB cluster, package, proxy cluster. */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { z } from 'zod'
import { type ApiClient, ApiError } from './api-client.ts'

export const DEMO_CLUSTER = 'demo'

const OPERATION_DEADLINE_MS = 180_000
const NODES_DEADLINE_MS = 90_000
const OPEN_PHASES = ['PENDING', 'RUNNING', 'CANCELLING']

const operationSchema = z.looseObject({
  id: z.string(),
  phase: z.string(),
  revision: z.number(),
  progress: z.looseObject({ nodesDone: z.number(), nodesTotal: z.number() }),
  error: z.looseObject({ detail: z.string() }).nullable(),
})

const nodeSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  spec: z.looseObject({
    host: z.string(),
    sqlPort: z.number(),
    exporterPort: z.number(),
    desiredState: z.string(),
  }),
  status: z.looseObject({ status: z.string(), address: z.string() }),
})

export type DemoNode = {
  readonly id: string
  readonly name: string
  readonly instanceId: string
  readonly host: string
  readonly sqlPort: number
  readonly exporterPort: number
  readonly desiredState: string
  readonly status: string
}

export type DemoPlan = {
  readonly obCluster: string
  readonly rootservice: readonly string[]
  readonly proxyroSecret: string
  readonly packageFile: string
  /** `4.3.2.0-1` */
  readonly version: string
  readonly hosts: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
}

export type Demo = {
  readonly cluster: { readonly id: string; readonly name: string }
  readonly nodes: readonly DemoNode[]
}

/** Creates what is missing, waits until every node is as it should be. @throws Error in one line. */
export async function bringUpDemo(
  api: ApiClient,
  plan: DemoPlan,
  note: (line: string) => void,
): Promise<Demo> {
  await hostsOnline(api, plan.hosts)
  await registerObCluster(api, plan)
  await registerPackage(api, plan.packageFile)
  const existing = await found(api, `/clusters/${DEMO_CLUSTER}`)
  if (existing === undefined) await createCluster(api, plan, note)
  else note('proxy cluster is there; waiting for its nodes')
  return await settled(api)
}

async function hostsOnline(api: ApiClient, hosts: readonly string[]): Promise<void> {
  const listSchema = z.looseObject({
    items: z.array(z.looseObject({ id: z.string(), pingStatus: z.string() })),
  })
  await until('the instances are not online', NODES_DEADLINE_MS, async () => {
    const { items } = listSchema.parse((await api.get('/hosts')).body)
    const online = items.filter(host => host.pingStatus === 'Online').map(host => host.id)
    return hosts.every(id => online.includes(id)) ? true : undefined
  })
}

async function registerObCluster(api: ApiClient, plan: DemoPlan): Promise<void> {
  const path = `/ob-clusters/${plan.obCluster}`
  const body = { rootservice: plan.rootservice, proxyroSecret: plan.proxyroSecret, tags: {} }
  const existing = await found(api, path)
  if (existing === undefined) await api.put(path, body, { 'if-none-match': '*' })
  else if (existing.etag !== null) await api.put(path, body, { 'if-match': existing.etag })
}

/** A package of the same name with other bytes is a rebuilt one: it takes the place of the old. */
async function registerPackage(api: ApiClient, file: string): Promise<void> {
  const fileName = basename(file)
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  const listSchema = z.looseObject({
    items: z.array(z.looseObject({ id: z.string(), fileName: z.string(), sha256: z.string() })),
  })
  const { items } = listSchema.parse((await api.get('/packages')).body)
  const same = items.filter(each => each.fileName === fileName)
  if (same.some(each => each.sha256 === sha256)) return
  for (const { id } of same) await api.delete(`/packages/${id}`)
  const { size } = statSync(file)
  await api.post('/packages', { fileName, sha256, sizeBytes: size, url: `spool:${fileName}` })
}

async function createCluster(
  api: ApiClient,
  plan: DemoPlan,
  note: (line: string) => void,
): Promise<void> {
  const answer = await api.post('/clusters', {
    name: DEMO_CLUSTER,
    tags: { made: 'by npm run dev' },
    spec: {
      workMode: 'RS_LIST',
      version: plan.version,
      nodes: plan.hosts.map(host => ({ host })),
      links: [{ obCluster: plan.obCluster, default: true }],
      parameters: plan.parameters,
    },
  })
  await followOperation(api, operationSchema.parse(answer.body).id, note)
}

/** Long-polls an operation to its end. @throws Error when it did not succeed. */
export async function followOperation(
  api: ApiClient,
  id: string,
  note: (line: string) => void,
): Promise<void> {
  const deadline = Date.now() + OPERATION_DEADLINE_MS
  let said = -1
  for (;;) {
    const answer = await api.get(`/operations/${id}?wait=5s`)
    const { phase, progress, error } = operationSchema.parse(answer.body)
    if (progress.nodesDone !== said && progress.nodesTotal > 0)
      note(`operation ${id}: ${progress.nodesDone} of ${progress.nodesTotal} nodes done`)
    said = progress.nodesDone
    if (phase === 'SUCCEEDED') return
    if (!OPEN_PHASES.includes(phase))
      throw new Error(`operation ${id} is ${phase}: ${error?.detail ?? 'no reason given'}`)
    if (Date.now() > deadline) throw new Error(`operation ${id} does not end`)
  }
}

async function settled(api: ApiClient): Promise<Demo> {
  const cluster = z
    .looseObject({ id: z.string(), name: z.string() })
    .parse((await api.get(`/clusters/${DEMO_CLUSTER}`)).body)
  const nodes = await until('the nodes do not come back', NODES_DEADLINE_MS, async () => {
    const now = await nodesOf(api)
    return now.every(node => node.status === node.desiredState) ? now : undefined
  })
  return { cluster: { id: cluster.id, name: cluster.name }, nodes }
}

/** Nodes of the demo cluster, by name. */
export async function nodesOf(api: ApiClient): Promise<readonly DemoNode[]> {
  const { items } = z
    .looseObject({ items: z.array(nodeSchema) })
    .parse((await api.get(`/clusters/${DEMO_CLUSTER}/nodes`)).body)
  return items
    .map(({ id, name, spec, status }) => ({
      id,
      name,
      instanceId: spec.host,
      host: status.address,
      sqlPort: spec.sqlPort,
      exporterPort: spec.exporterPort,
      desiredState: spec.desiredState,
      status: status.status,
    }))
    .sort((left, right) => (left.host < right.host ? -1 : 1))
}

async function found(api: ApiClient, path: string) {
  try {
    return await api.get(path)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

async function until<T>(
  otherwise: string,
  deadlineMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (Date.now() > deadline) throw new Error(otherwise)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
