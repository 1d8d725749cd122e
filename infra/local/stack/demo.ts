/**
 * What the stack makes over its own API, as a user would: OB cluster, package, proxy cluster. The
 * clusters are made at the very first start of a home; afterwards they are the user's, to change and
 * to delete.
 */
import { z } from 'zod'
import { type ApiClient, ApiError } from './api-client.ts'
import { clustersOf, hostsOf } from './fleet.ts'
import { seenWithin } from './until.ts'

export const DEMO_CLUSTER = 'demo'

const OPERATION_DEADLINE_MS = 180_000
const HOSTS_DEADLINE_MS = 90_000
const OPEN_PHASES = ['PENDING', 'RUNNING', 'CANCELLING']

const operationSchema = z.looseObject({
  id: z.string(),
  phase: z.string(),
  revision: z.number(),
  progress: z.looseObject({ nodesDone: z.number(), nodesTotal: z.number() }),
  error: z.looseObject({ detail: z.string() }).nullable(),
})

export type ObClusterPlan = {
  readonly name: string
  readonly rootservice: readonly string[]
  readonly proxyroSecret: string
}

export type DemoPlan = {
  readonly obCluster: string
  /** `4.3.2.0-1` */
  readonly version: string
  readonly hosts: readonly string[]
}

/** Waits for instances. @throws Error naming those that do not come. */
export async function hostsOnline(api: ApiClient, wanted: readonly string[]): Promise<void> {
  let missing = wanted
  const seen = await seenWithin(HOSTS_DEADLINE_MS, async () => {
    const hosts = await hostsOf(api)
    missing = wanted.filter(id => !hosts.some(host => host.id === id && host.isOnline))
    return missing.length === 0 || undefined
  })
  if (seen !== true) throw new Error(`instances are not online: ${missing.join(', ')}`)
}

/** Where the OB cluster is now; one that is not there is made only if `mayCreate`. */
export async function offerObCluster(
  api: ApiClient,
  { name, rootservice, proxyroSecret }: ObClusterPlan,
  mayCreate: boolean,
): Promise<void> {
  const path = `/ob-clusters/${name}`
  const existing = await found(api, path)
  const body = { rootservice, proxyroSecret, tags: {} }
  if (existing === undefined) {
    if (mayCreate) await api.put(path, body, { 'if-none-match': '*' })
    return
  }
  const is = z
    .looseObject({
      rootservice: z.array(z.string()),
      // Another one than at first, where it was replaced.
      proxyroSecret: z.string(),
      tags: z.record(z.string(), z.string()),
    })
    .parse(existing.body)
  if (is.rootservice.join() === rootservice.join() || existing.etag === null) return
  await api.put(
    path,
    { ...body, proxyroSecret: is.proxyroSecret, tags: is.tags },
    { 'if-match': existing.etag },
  )
}

/** Makes the proxy cluster unless there is any. @throws Error when its operation does not succeed. */
export async function makeDemo(
  api: ApiClient,
  { obCluster, version, hosts }: DemoPlan,
  note: (line: string) => void,
): Promise<void> {
  if ((await clustersOf(api)).length > 0) return
  note(`first start: creating proxy cluster ${DEMO_CLUSTER} over the API`)
  const answer = await api.post('/clusters', {
    name: DEMO_CLUSTER,
    tags: { made: 'by npm run dev' },
    spec: {
      workMode: 'RS_LIST',
      version,
      nodes: hosts.map(host => ({ host })),
      links: [{ obCluster, default: true }],
    },
  })
  await followOperation(api, operationSchema.parse(answer.body).id, note)
}

/** Long-polls an operation to its end. @throws Error when it did not succeed. */
async function followOperation(
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

async function found(api: ApiClient, path: string) {
  try {
    return await api.get(path)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
