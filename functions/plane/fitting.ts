/**
 * Whether what nodes will be told fits an order: measured before anything is accepted, on the orders
 * themselves. Source: PL3, management.md §3.12.
 */
import { ORDER_MAX_CHARS, type OrderEntry, type PackageRef, type Verb } from '#contract/command'
import { newId } from '../domain/ids.ts'
import { probesOf } from '../domain/link.ts'
import { configTokenSecretOf } from '../domain/names.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import {
  desiredNode,
  fitsOneOrder,
  type OrderSource,
  orderEntry,
  type Place,
} from '../domain/order.ts'
import { planOf, STEP_RULES } from '../domain/plan.ts'
import { Problem } from '../domain/problem.ts'
import { changing } from '../domain/proxyro.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { familyOf, fitsObCluster, whyNoFit } from '../domain/version.ts'
import type { Sources } from '../operations/sources.ts'
import type { Reached } from './proxyro-reach.ts'

const MAX_LINKS = 50
type Proxies = { readonly name: string; readonly spec: { readonly version: string } }

const ROTATIONS = ['rotate-proxyro-node', 'restore-proxyro-node'] as const
/** Longer than any that there will be. */
const MOST = { attempt: 99_999, fence: Number.MAX_SAFE_INTEGER, drainSec: 86_400 }

/**
 * By what an upgrade and a check of any node are told, the longest that there is of a cluster that stays
 * as it is. @throws Problem quota-exceeded, proxyro-mismatch
 */
export function requireFitting(
  source: OrderSource,
  places: readonly Place[],
  wanted: PackageRef | null,
): void {
  const { cluster, obClusters } = source
  const { links, version } = cluster.spec
  if (links.length > MAX_LINKS)
    throw new Problem('quota-exceeded', `a proxy cluster has at most ${MAX_LINKS} links`)
  const secrets = new Set(obClusters.map(({ proxyroSecret }) => proxyroSecret))
  if (familyOf(version) === 3 && secrets.size > 1)
    throw new Problem(
      'proxyro-mismatch',
      'proxies below 4.0.0 have one password of proxyro for all their OB clusters',
      { remedy: 'let them share a proxyroSecret' },
    )
  const bare = { operationId: newId('operation', 0), step: 'upgrade', ...MOST }
  const told = withToken(source)
  const fits = places.every(place =>
    fitsOneOrder('upgrade', {
      ...bare,
      desired: desiredNode(told, place),
      ...(wanted === null ? {} : { package: wanted }),
      mode: 'force',
    }),
  )
  if (!fits || !fitsOneOrder('check', { ...bare, probe: probesOf(links) })) throw tooLong(cluster)
}

/** Proxies of the cluster's version reach these OB clusters, as far as theirs are known. @throws Problem version-incompatible */
export function requireReach(cluster: Proxies, obClusters: readonly ObClusterRecord[]): void {
  const { version } = cluster.spec
  const unfit = obClusters.find(
    ({ obVersion }) => obVersion !== undefined && !fitsObCluster(version, obVersion),
  )
  if (unfit === undefined) return
  throw new Problem('version-incompatible', whyNoFit(cluster, unfit), {
    remedy: 'upgrade its proxies to 4.0.0 or later first, or delete the link',
  })
}

/** Where a new cluster's nodes will be, before there are any. */
export function placeIn({ spec }: ClusterRecord): Place {
  const { sql: sqlPort, exporter: exporterPort } = spec.ports
  const id = newId('node', 0)
  return { id, desiredState: 'RUNNING', sqlPort, exporterPort, proxyId: 9_999 }
}

/** What nodes are told at any step of a change of proxyro's password, on its way back too. @throws Problem quota-exceeded */
export function requireRotatable(
  operation: OperationRecord,
  { pictures }: Reached,
  sources: Sources,
): void {
  const nodes = new Map(pictures.flatMap(picture => picture.nodes.map(node => [node.id, node])))
  for (const task of operation.tasks) {
    const given = sources.get(task.clusterId ?? '')
    const node = nodes.get(task.nodeId)
    if (given === undefined || node === undefined) continue
    const source = { ...given, obClusters: given.obClusters.map(asWhileChanging(operation)) }
    for (const { verb, entry } of entriesOf(operation, task, { source, node }))
      if (!fitsOneOrder(verb, { ...entry, attempt: MOST.attempt, fence: MOST.fence }))
        throw tooLong(source.cluster)
  }
}

function asWhileChanging(operation: OperationRecord) {
  const names = operation.proxyro?.obClusters.map(({ name }) => name) ?? []
  return (record: ObClusterRecord) =>
    names.includes(record.name) ? changing(record, operation) : record
}

/** Of all steps on a node, there and back. */
function entriesOf(
  operation: OperationRecord,
  task: NodeTask,
  of: Parameters<typeof orderEntry>[3],
): readonly { readonly verb: Verb; readonly entry: OrderEntry }[] {
  return ROTATIONS.flatMap(type => {
    const tasks = [{ ...task, isAltered: true }]
    const plan = planOf(type, tasks[0])
    return plan.flatMap((step, stepsDone) => {
      const rule = STEP_RULES[step]
      if (rule.kind !== 'remote') return []
      const { verb } = rule
      const child = { ...operation, type, plan, tasks, stepsDone }
      return [{ verb, entry: orderEntry(verb, { step, attempt: 1 }, child, of) }]
    })
  })
}

function withToken(source: OrderSource): OrderSource {
  const { cluster } = source
  if (cluster.spec.workMode !== 'CONFIG_URL' || cluster.configToken !== undefined) return source
  const configToken = { secret: configTokenSecretOf(cluster.name, 1), number: 1, live: [] }
  return { ...source, cluster: { ...cluster, configToken } }
}

function tooLong({ name }: ClusterRecord): Problem {
  return new Problem(
    'quota-exceeded',
    `what a node of ${name} is told exceeds an order of ${ORDER_MAX_CHARS} characters`,
    { remedy: 'fewer links, root services or parameters, or shorter names of secrets' },
  )
}
