/**
 * Steps of a cluster's move out that are its own: what it was is written down before the first node is
 * let go of, and with the cluster's end a record takes its place that the config service answers from:
 * found by its token, so that the name is free, with the links and a copy of what its OB clusters said.
 * RootService goes on registering, or proxies would follow a leader that is none any more. Why no cluster
 * that stays, marked as gone: it would be in every list, and in the way of its name. Source: management.md §3.13.
 */
import { exportedNode } from '../domain/moved-out.ts'
import type { ExportedNode } from '../domain/moved-out-record.ts'
import type { ObClusterSnapshot } from '../domain/ob-cluster-record.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { put, type Store } from '../domain/store.ts'
import { childrenOf } from './children.ts'
import { obClustersOf } from './sources.ts'

/** An item has 400 KB at most; what does not fit is answered for as long as its OB cluster is managed here. */
const MAX_SNAPSHOT_CHARS = 250_000

/** Can run twice: a later round has what is left, and of the rounds before what was let go of. */
export async function exportCluster(store: Store, operation: OperationRecord): Promise<void> {
  const picture = await store.cluster(operation.clusterId)
  if (picture === null) return
  const { cluster, nodes } = picture
  const earlier = await store.get('clusterExport', { operationId: operation.id })
  const skipped = new Set(
    operation.tasks.filter(task => task.skipHostWork).map(({ nodeId }) => nodeId),
  )
  const { name, tags, spec } = cluster
  const left = nodes.map(node => exportedNode(node, cluster, skipped.has(node.id)))
  await store.commit([
    put('clusterExport', {
      operationId: operation.id,
      cluster: { name, tags, spec },
      nodes: [...(await letGo(store, operation, earlier?.nodes ?? [])), ...left].sort(byName),
      version: earlier?.version ?? 0,
    }),
  ])
}

async function letGo(
  store: Store,
  operation: OperationRecord,
  known: readonly ExportedNode[],
): Promise<readonly ExportedNode[]> {
  if (known.length === 0) return []
  const children = await childrenOf(store, operation)
  const done = new Set(
    children.filter(({ phase }) => phase === 'SUCCEEDED').map(({ target }) => target.id),
  )
  return known.filter(({ id }) => done.has(id))
}

/** `orders-2` before `orders-10`. */
function byName({ name: left }: ExportedNode, { name: right }: ExportedNode): number {
  return left.length - right.length || (left < right ? -1 : 1)
}

/** What stays of it, from the very moment in which it is no cluster any more; no answer where it is deleted. */
export async function movedOutChange(
  store: Store,
  { id: operationId, movedOut }: OperationRecord,
  cluster: ClusterRecord,
  now: number,
) {
  const { id, name, spec, configToken } = cluster
  const isDeleted = movedOut === undefined
  const isAsked = configToken !== undefined && !isDeleted
  return put('movedOut', {
    id,
    name,
    operationId,
    movedOutAt: now,
    answersUntil: isAsked ? now + (movedOut?.graceMs ?? 0) : now,
    sysPasswordSecret: spec.sysPasswordSecret,
    obClusters: isAsked ? await snapshotsOf(store, cluster) : [],
    ...(isAsked ? { configToken } : {}),
    ...(isDeleted ? { isDeleted } : {}),
    version: 0,
  })
}

/** Its OB clusters may be moved out next, and are gone then. */
async function snapshotsOf(
  store: Store,
  cluster: ClusterRecord,
): Promise<readonly ObClusterSnapshot[]> {
  let left = MAX_SNAPSHOT_CHARS
  const kept: ObClusterSnapshot[] = []
  for (const record of await obClustersOf(store, cluster)) {
    const { name, rootservice, updatedAt, obClusterId, idcRegions } = record
    const snapshot: ObClusterSnapshot = {
      record: {
        name,
        rootservice,
        updatedAt,
        ...(obClusterId === undefined ? {} : { obClusterId }),
        ...(idcRegions === undefined ? {} : { idcRegions }),
      },
      registered: await store.rootServices(name),
    }
    left -= JSON.stringify(snapshot).length
    kept.push(left < 0 ? { ...snapshot, registered: [] } : snapshot)
  }
  return kept
}
