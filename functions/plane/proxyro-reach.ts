/** What a change of proxyro's password reaches, as it is stored now, and whether it may be changed at all. */
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import { Problem } from '../domain/problem.ts'
import { type Linked, reachOf } from '../domain/proxyro-graph.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { type ClusterPicture, Conflict, type Store } from '../domain/store.ts'
import { familyOf, takesProxyro } from '../domain/version.ts'

/**
 * Proxy clusters and OB clusters of one change. All locks are one transaction of at most a hundred writes.
 * Why not take them in several: a change that waits half locked for another one blocks clusters that
 * nothing is done to, and two of them block each other.
 */
export const MAX_REACH = 90
/** Clusters that are read at a time. */
const AT_ONCE = 100

export type Reached = {
  readonly obClusters: readonly ObClusterRecord[]
  readonly pictures: readonly ClusterPicture[]
}

/** @throws Problem not-found, quota-exceeded, cluster-state-conflict, version-too-low, proxyro-mismatch */
export async function reachedFrom(store: Store, start: string): Promise<Reached> {
  if ((await store.get('obCluster', { name: start })) === null)
    throw new Problem('not-found', `there is no OB cluster ${start}`)
  const all = await everyCluster(store)
  const { obClusters: names, clusters } = reachOf(start, all.map(linkedOf))
  if (names.length + clusters.length > MAX_REACH)
    throw new Problem(
      'quota-exceeded',
      `it reaches ${names.length} OB clusters and ${clusters.length} proxy clusters, ${MAX_REACH} at most`,
      { remedy: 'upgrade proxies to 4.0.0: they keep a password for each OB cluster' },
    )
  const [obClusters, pictures] = await Promise.all([
    store.getMany(
      'obCluster',
      names.map(name => ({ name })),
    ),
    Promise.all(clusters.map(({ id }) => store.cluster(id))),
  ])
  const found = pictures.filter(each => each !== null)
  requireAsSeen(found, all)
  for (const record of obClusters) requireAllLinks(record, found)
  for (const picture of found) requireAble(picture, obClusters)
  const first = ({ name }: ObClusterRecord) => names.indexOf(name)
  return { obClusters: [...obClusters].sort((a, b) => first(a) - first(b)), pictures: found }
}

/** @throws Problem password-change-in-progress naming the operation */
export function requireUnchanging({ name, hold, proxyroChange }: ObClusterRecord): void {
  const operationId = hold?.operationId ?? proxyroChange?.operationId
  if (operationId === undefined) return
  const isOpen = hold !== null && hold !== undefined
  throw new Problem(
    'password-change-in-progress',
    `the password of proxyro of ${name} ${isOpen ? 'is being changed' : 'was left half changed'}`,
    {
      conflict: { operationId, holder: hold?.type ?? 'rotate-proxyro-password' },
      remedy: isOpen ? `wait for ${operationId}` : `retry ${operationId}, or roll it back`,
      ...(isOpen ? { retryAfterSec: 5 } : {}),
    },
  )
}

async function everyCluster(store: Store): Promise<readonly ClusterRecord[]> {
  const all: ClusterRecord[] = []
  let after: string | undefined
  do {
    const page = await store.clusterNames({
      limit: AT_ONCE,
      ...(after === undefined ? {} : { after }),
    })
    all.push(
      ...(await store.getMany(
        'cluster',
        page.items.map(({ id }) => ({ id })),
      )),
    )
    after = page.next ?? undefined
  } while (after !== undefined)
  return all
}

function linkedOf({ id, spec }: ClusterRecord): Linked {
  return {
    id,
    family: familyOf(spec.version),
    obClusters: spec.links.map(({ obCluster }) => obCluster),
  }
}

/** What the reach was computed from is what is held. @throws Conflict */
function requireAsSeen(pictures: readonly ClusterPicture[], all: readonly ClusterRecord[]): void {
  const seen = new Map(all.map(({ id, version }) => [id, version]))
  if (pictures.some(({ cluster: { id, version } }) => seen.get(id) !== version))
    throw new Conflict(['cluster'])
}

/** A cluster that is being made or forgotten counts at the OB cluster and may not be listed yet. @throws Problem */
function requireAllLinks(
  { name, linkCount }: ObClusterRecord,
  pictures: readonly ClusterPicture[],
): void {
  const count = pictures.filter(({ cluster }) =>
    cluster.spec.links.some(({ obCluster }) => obCluster === name),
  ).length
  if (count === linkCount) return
  throw new Problem('cluster-state-conflict', `links to ${name} are being changed`, {
    retryAfterSec: 1,
  })
}

/** @throws Problem version-too-low, proxyro-mismatch */
function requireAble(
  { cluster: { name, spec }, nodes }: ClusterPicture,
  obClusters: readonly ObClusterRecord[],
): void {
  const old = nodes.find(({ desiredVersion }) => !takesProxyro(desiredVersion ?? spec.version))
  if (old !== undefined)
    throw new Problem('version-too-low', `${old.name} is older than 3.2.0`, {
      remedy: `upgrade ${name} first`,
    })
  if (familyOf(spec.version) === 4) return
  const linked = obClusters.filter(record =>
    spec.links.some(({ obCluster }) => obCluster === record.name),
  )
  if (new Set(linked.map(({ proxyroSecret }) => proxyroSecret)).size > 1)
    throw new Problem('proxyro-mismatch', `OB clusters of ${name} have different passwords`, {
      remedy: 'proxies below 4.0.0 have one for all: give them one proxyroSecret',
    })
}
