/** Clusters with their computed phase, and how a reference is resolved. */
import { isId } from '../domain/ids.ts'
import type { Cluster, Node, Principal } from '../domain/model.ts'
import { configUrlOf } from '../domain/names.ts'
import { Problem } from '../domain/problem.ts'
import type { NodeRecord, ReportRecord } from '../domain/record.ts'
import { clusterPhase, isBehind, nodeStatus, nodeView } from '../domain/status.ts'
import type { ClusterPicture, Store } from '../domain/store.ts'
import type { PlaneDeps } from './context.ts'

/** A cluster by id or name, as callers see it. */
export function viewOf(deps: PlaneDeps): (ref: string) => Promise<Cluster> {
  return async ref => clusterView(await pictureOf(deps.store, ref), deps)
}

export function clusterView(
  { cluster, nodes, reports }: ClusterPicture,
  { clock, configServiceUrl }: Pick<PlaneDeps, 'clock' | 'configServiceUrl'>,
): Cluster {
  const now = clock.now()
  const {
    hold,
    version: _version,
    nodeSequence: _sequence,
    isSysPasswordOurs: _ours,
    keptSysSecrets: _kept,
    configToken,
    ...rest
  } = cluster
  const statuses = nodes.map(node => nodeStatus(node, reports.get(node.id) ?? null, now))
  return {
    ...rest,
    config:
      configToken === undefined || configServiceUrl === null
        ? null
        : {
            url: configUrlOf(configServiceUrl, cluster.name),
            tokenSecret: configToken.secret,
          },
    heldBy: hold,
    phase: clusterPhase(cluster, statuses),
    nodesToRefresh: nodes.filter(
      ({ id }, at) => statuses[at] === 'RUNNING' && isBehind(cluster, reports.get(id) ?? null),
    ).length,
    pendingRestart: pendingIn([...reports.values()]),
    nodes: nodes.map(({ hostId: host, idc, desiredState }) => ({ host, idc, desiredState })),
  }
}

function pendingIn(reports: readonly ReportRecord[]): readonly string[] {
  return [...new Set(reports.flatMap(({ report }) => report.pendingRestart ?? []))].sort()
}

export function nodesOf({ cluster, nodes, reports }: ClusterPicture, now: number): readonly Node[] {
  return nodes.map(node => nodeView(node, reports.get(node.id) ?? null, cluster, now))
}

/** Null when there is none of that id or name. */
export async function pictureIn(store: Store, ref: string): Promise<ClusterPicture | null> {
  const id = isId('cluster', ref) ? ref : (await store.get('clusterName', { name: ref }))?.id
  return id === undefined ? null : store.cluster(id)
}

/** @throws Problem not-found */
export async function pictureOf(store: Store, ref: string): Promise<ClusterPicture> {
  const picture = await pictureIn(store, ref)
  if (picture === null) throw new Problem('not-found', `there is no cluster ${ref}`)
  return picture
}

/** The node that an instance speaks for: its own, and no other. @throws Problem forbidden, not-found */
export async function nodeOfInstance(
  store: Store,
  principal: Principal,
  nodeId: string,
  said: { readonly nodeId: string; readonly instanceId: string },
): Promise<NodeRecord> {
  if (principal.kind !== 'instance' || principal.instanceId !== said.instanceId)
    throw new Problem('forbidden', 'a node reports for itself only')
  const place = await store.get('place', { nodeId })
  const node =
    place === null ? null : await store.get('node', { clusterId: place.clusterId, id: nodeId })
  if (node === null || said.nodeId !== nodeId)
    throw new Problem('not-found', `there is no node ${nodeId}`)
  if (node.hostId !== principal.instanceId)
    throw new Problem('forbidden', `${nodeId} is not on ${principal.instanceId}`)
  return node
}

/** A node by id, or by its name `<cluster>-<n>`. @throws Problem not-found */
export async function nodeIn(
  store: Store,
  ref: string,
): Promise<{ readonly picture: ClusterPicture; readonly nodeId: string }> {
  const missing = () => new Problem('not-found', `there is no node ${ref}`)
  if (isId('node', ref)) {
    const place = await store.get('place', { nodeId: ref })
    const picture = place === null ? null : await store.cluster(place.clusterId)
    if (picture === null || !picture.nodes.some(({ id }) => id === ref)) throw missing()
    return { picture, nodeId: ref }
  }
  const name = await store.get('clusterName', { name: ref.slice(0, ref.lastIndexOf('-')) })
  const picture = name === null ? null : await store.cluster(name.id)
  const node = picture?.nodes.find(each => each.name === ref)
  if (picture === null || node === undefined) throw missing()
  return { picture, nodeId: node.id }
}
