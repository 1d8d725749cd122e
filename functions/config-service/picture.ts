/** What the service knows of a proxy cluster or an OB cluster: read from the table as a whole, and cached. */
import type { ClusterRecord, ObClusterRecord, RootServicesRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'

export type ObPicture = {
  readonly record: ObClusterRecord
  /** What RootService says, of each id. */
  readonly registered: readonly RootServicesRecord[]
}

export type ProxyPicture = {
  readonly cluster: ClusterRecord
  /** Linked, the default first. */
  readonly obClusters: readonly ObPicture[]
}

export type Readable = Pick<Store, 'get' | 'getMany' | 'rootServices'>

export async function proxyPicture(store: Readable, name: string): Promise<ProxyPicture | null> {
  const owner = await store.get('clusterName', { name })
  const cluster = owner === null ? null : await store.get('cluster', { id: owner.id })
  if (cluster === null) return null
  const links = cluster.linksServed ?? cluster.spec.links
  const names = [...links]
    .sort((left, right) => Number(right.default) - Number(left.default))
    .map(({ obCluster }) => obCluster)
  const found = await Promise.all(names.map(each => obPicture(store, each)))
  return { cluster, obClusters: found.filter(picture => picture !== null) }
}

export async function obPicture(store: Readable, name: string): Promise<ObPicture | null> {
  const [record, registered] = await Promise.all([
    store.get('obCluster', { name }),
    store.rootServices(name),
  ])
  return record === null ? null : { record, registered }
}
