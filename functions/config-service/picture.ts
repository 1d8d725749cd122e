/** What the service knows of a proxy cluster or an OB cluster: read from the table as a whole, and cached. */
import type { MovedOutRecord } from '../domain/moved-out-record.ts'
import type {
  ObClusterRecord,
  ObClusterSnapshot,
  RootServicesRecord,
} from '../domain/ob-cluster-record.ts'
import type { TokenRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'

export type ObPicture = {
  readonly record: ObClusterRecord
  /** What RootService says, of each id. */
  readonly registered: readonly RootServicesRecord[]
}

export type ProxyPicture = {
  readonly configToken: TokenRecord | undefined
  /** It was moved out, and is answered until then; null: it is managed here. */
  readonly answersUntil: number | null
  /** Linked, the default first. */
  readonly obClusters: readonly ObClusterSnapshot[]
}

export type Readable = Pick<Store, 'get' | 'getMany' | 'rootServices' | 'movedOut'>

/**
 * All that have, or had, the name: it is free again with the move out, and what was moved out asks on by
 * it, with a token of its own. Null when there are none.
 */
export async function proxyPictures(
  store: Readable,
  name: string,
): Promise<readonly ProxyPicture[] | null> {
  const [owner, movedOut] = await Promise.all([
    store.get('clusterName', { name }),
    store.movedOut(name),
  ])
  const live = owner === null ? [] : await ofCluster(store, owner.id)
  const left = movedOut.map(each => ofMovedOut(store, each))
  const all = [...live, ...(await Promise.all(left))]
  return all.length === 0 ? null : all
}

async function ofCluster(store: Readable, id: string): Promise<readonly ProxyPicture[]> {
  const cluster = await store.get('cluster', { id })
  if (cluster === null) return []
  const names = [...(cluster.linksServed ?? cluster.spec.links)]
    .sort((left, right) => Number(right.default) - Number(left.default))
    .map(({ obCluster }) => obCluster)
  const found = await Promise.all(names.map(each => obPicture(store, each)))
  const obClusters = found.filter(picture => picture !== null)
  return [{ configToken: cluster.configToken, answersUntil: null, obClusters }]
}

/** As its links were; what an OB cluster says of itself now, as long as there is anyone to say it. */
async function ofMovedOut(
  store: Readable,
  { configToken, answersUntil, obClusters }: MovedOutRecord,
): Promise<ProxyPicture> {
  const now = obClusters.map(async kept => (await obPicture(store, kept.record.name)) ?? kept)
  return { configToken, answersUntil, obClusters: await Promise.all(now) }
}

export async function obPicture(store: Readable, name: string): Promise<ObPicture | null> {
  const [record, registered] = await Promise.all([
    store.get('obCluster', { name }),
    store.rootServices(name),
  ])
  return record === null ? null : { record, registered }
}
