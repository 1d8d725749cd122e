/** What orders are made from, of each proxy cluster that an operation has nodes of. */
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { OrderSource } from '../domain/order.ts'
import type { ClusterRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'
import type { EngineDeps } from './ports.ts'

/** By the cluster's id; those that are gone, or have nowhere to go yet, are left out. */
export type Sources = ReadonlyMap<string, OrderSource>

export async function sourcesOf(
  { store, configServiceUrl }: Pick<EngineDeps, 'store' | 'configServiceUrl'>,
  { clusterId, proxyro }: OperationRecord,
): Promise<Sources> {
  const ids = proxyro?.clusterIds ?? [clusterId]
  const clusters = await store.getMany(
    'cluster',
    ids.map(id => ({ id })),
  )
  const found = new Map<string, OrderSource>()
  for (const cluster of clusters) {
    const obClusters = await obClustersOf(store, cluster)
    const isComplete = cluster.configToken !== undefined || obClusters.length > 0
    if (isComplete) found.set(cluster.id, { cluster, obClusters, configServiceUrl })
  }
  return found
}

/** The default first. */
export async function obClustersOf(
  store: Store,
  { spec }: ClusterRecord,
): Promise<readonly ObClusterRecord[]> {
  const found = await store.getMany(
    'obCluster',
    spec.links.map(({ obCluster: name }) => ({ name })),
  )
  const isDefault = ({ name }: ObClusterRecord) =>
    spec.links.some(link => link.default && link.obCluster === name)
  return [...found].sort((left, right) => Number(isDefault(right)) - Number(isDefault(left)))
}
