/**
 * How far a change of proxyro's password reaches. A proxy of family 3 has one password for all its OB
 * clusters, so that a change of one of them is a change of all, and goes on from there over every other
 * proxy cluster that is linked to one; family 4 keeps them apart and ends the way. Pure.
 * Source: management.md §1.1, §3.17.
 */

/** A proxy cluster with the OB clusters that it is linked to. */
export type Linked = {
  readonly id: string
  readonly family: 3 | 4
  readonly obClusters: readonly string[]
}

export type Reach = {
  /** OB clusters whose proxyro gets the new password, that which was asked for first. */
  readonly obClusters: readonly string[]
  /** Proxy clusters that are told, and of which OB clusters. */
  readonly clusters: readonly { readonly id: string; readonly obClusters: readonly string[] }[]
}

export function reachOf(start: string, clusters: readonly Linked[]): Reach {
  const linkedTo = byObCluster(clusters)
  const changed = new Set([start])
  // A set that grows while it is walked is walked to its end.
  for (const obCluster of changed)
    for (const { family, obClusters } of linkedTo.get(obCluster) ?? [])
      if (family === 3) for (const each of obClusters) changed.add(each)
  return {
    obClusters: [...changed],
    clusters: clusters.flatMap(({ id, obClusters }) => {
      const told = obClusters.filter(each => changed.has(each))
      return told.length === 0 ? [] : [{ id, obClusters: told }]
    }),
  }
}

function byObCluster(clusters: readonly Linked[]): ReadonlyMap<string, readonly Linked[]> {
  const found = new Map<string, Linked[]>()
  for (const cluster of clusters)
    for (const obCluster of cluster.obClusters) {
      const there = found.get(obCluster)
      if (there === undefined) found.set(obCluster, [cluster])
      else there.push(cluster)
    }
  return found
}
