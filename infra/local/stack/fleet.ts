/**
 * The fleet as the API shows it, whoever made it: proxy clusters, nodes with their states, hosts. A
 * fleet may be empty, and a node may be down; neither keeps a stack from being ready.
 */
import { z } from 'zod'
import type { ApiClient } from './api-client.ts'
import { seenWithin } from './until.ts'

const HELD_DEADLINE_MS = 120_000
const NODES_DEADLINE_MS = 45_000
const MAX_PAGES = 1_000

const clusterSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  spec: z.looseObject({ sysPasswordSecret: z.string() }),
  status: z.looseObject({ phase: z.string() }),
})

const nodeSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  cluster: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    host: z.string(),
    sqlPort: z.number(),
    exporterPort: z.number(),
    desiredState: z.string(),
  }),
  status: z.looseObject({
    status: z.string(),
    address: z.string(),
    heldBy: z.unknown(),
    report: z.looseObject({ bootId: z.string(), reason: z.string().nullable() }).nullable(),
  }),
})

const hostSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  address: z.string(),
  pingStatus: z.string(),
  nodeId: z.string().nullable(),
})

export type FleetCluster = {
  readonly id: string
  readonly name: string
  readonly phase: string
  /** Parameter Store name of root@proxysys' password. */
  readonly sysPasswordSecret: string
}

export type FleetNode = {
  readonly id: string
  readonly name: string
  readonly cluster: string
  readonly instanceId: string
  readonly host: string
  readonly sqlPort: number
  readonly exporterPort: number
  readonly desiredState: string
  readonly status: string
  /** What its newest report says of why it is so. */
  readonly reason: string | null
  /** Boot of the instance that the newest report is of; null before the first. */
  readonly bootId: string | null
  readonly isHeld: boolean
}

export type FleetHost = {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly isOnline: boolean
  /** Node on it, null when it is free. */
  readonly nodeId: string | null
}

export type Fleet = {
  readonly clusters: readonly FleetCluster[]
  /** By cluster, then by address. */
  readonly nodes: readonly FleetNode[]
  readonly hosts: readonly FleetHost[]
}

export async function fleetOf(api: ApiClient): Promise<Fleet> {
  const [clusters, nodes, hosts] = await Promise.all([clustersOf(api), nodesOf(api), hostsOf(api)])
  return { clusters, nodes, hosts }
}

export async function clustersOf(api: ApiClient): Promise<readonly FleetCluster[]> {
  return (await allOf(api, '/clusters', clusterSchema)).map(({ id, name, spec, status }) => ({
    id,
    name,
    phase: status.phase,
    sysPasswordSecret: spec.sysPasswordSecret,
  }))
}

async function nodesOf(api: ApiClient): Promise<readonly FleetNode[]> {
  const nodes = await allOf(api, '/nodes', nodeSchema)
  const order = ({ cluster, host }: FleetNode) =>
    `${cluster} ${host.replace(/\d+/g, digits => digits.padStart(3, '0'))}`
  return nodes
    .map(({ id, name, cluster, spec, status }) => ({
      id,
      name,
      cluster: cluster.name,
      instanceId: spec.host,
      host: status.address,
      sqlPort: spec.sqlPort,
      exporterPort: spec.exporterPort,
      desiredState: spec.desiredState,
      status: status.status,
      reason: status.report?.reason ?? null,
      bootId: status.report?.bootId ?? null,
      isHeld: (status.heldBy ?? null) !== null,
    }))
    .sort((left, right) => (order(left) < order(right) ? -1 : 1))
}

export async function hostsOf(api: ApiClient): Promise<readonly FleetHost[]> {
  const hosts = await allOf(api, '/hosts', hostSchema)
  return hosts
    .map(({ id, name, address, pingStatus, nodeId }) => ({
      id,
      name,
      address,
      isOnline: pingStatus === 'Online',
      nodeId,
    }))
    .sort((left, right) => (left.id < right.id ? -1 : 1))
}

/**
 * The fleet when no operation of before is under way any more and every node is as it should be since
 * its instance booted; a node that does not come back in time is shown as it is.
 * @param boots instance id → its boot of now.
 */
export async function settledFleet(
  api: ApiClient,
  boots: ReadonlyMap<string, string>,
  note: (line: string) => void,
): Promise<Fleet> {
  const isFree = ({ isHeld }: FleetNode) => !isHeld
  const isWell = ({ bootId, instanceId, status, desiredState }: FleetNode) =>
    bootId === null || (bootId === boots.get(instanceId) && status === desiredState)
  const said = new Set<string>()
  for (const [deadlineMs, holds] of [
    [HELD_DEADLINE_MS, isFree],
    [NODES_DEADLINE_MS, isWell],
  ] as const)
    await seenWithin(deadlineMs, async () => {
      const waited = (await nodesOf(api)).filter(node => !holds(node))
      for (const { name, reason, bootId, instanceId } of waited) {
        const line = `waiting for ${name}: ${reason}`
        if (reason === null || bootId !== boots.get(instanceId) || said.has(line)) continue
        said.add(line)
        note(line)
      }
      return waited.length === 0 || undefined
    })
  return fleetOf(api)
}

async function allOf<T extends z.ZodType>(
  api: ApiClient,
  path: string,
  schema: T,
): Promise<readonly z.infer<T>[]> {
  const pageSchema = z.looseObject({
    items: z.array(schema),
    nextCursor: z.string().nullable(),
  })
  const items: z.infer<T>[] = []
  let cursor = ''
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await api.get(`${path}?limit=50${cursor}`)
    const { items: some, nextCursor } = pageSchema.parse(answer.body)
    items.push(...some)
    if (nextCursor === null) return items
    cursor = `&cursor=${encodeURIComponent(nextCursor)}`
  }
  throw new Error(`${path} does not end`)
}
