/** What admin statements show of the supervisor's OB clusters and of what workers count. */
import type { ClustersView, DirectoryView, StaleReplica } from '../admin/answer.ts'
import { systemClock } from '../base/clock.ts'
import { type Counted, countersOf } from '../observe/counters.ts'
import type { NodeTraffic } from '../observe/metrics.ts'
import { keyOf, namesOf } from '../topology/cluster-locations.ts'
import type { WorkerStale } from './channel.ts'
import type { NodeClusters } from './node-clusters.ts'

type ClusterViews = { readonly directory: DirectoryView; readonly clusters: ClustersView }

export function clusterViews(clusters: NodeClusters): ClusterViews {
  const view: ClustersView = {
    all: () => clusters.all(),
    usedAt: name => clusters.usedAt(name),
    remove: name => clusters.remove(name, 'an administrator says so'),
    now: () => systemClock.now(),
    pause: () => systemClock.sleep(0),
  }
  return { directory: clusters.directory, clusters: view }
}

export function nodeCounters(
  traffic: NodeTraffic,
  clusters: NodeClusters | undefined,
  said: Counted['said'],
) {
  const kept = clusters?.all() ?? []
  return countersOf({
    tenants: traffic.totals(),
    said,
    clusters: kept.length,
    congestions: kept.flatMap(({ blacklist }) =>
      [...blacklist.servers()].map(({ key }) => blacklist.congestionOf(key)),
    ),
  })
}

/** With the ids of their tables, as far as those are known. */
export function staleReplicas(
  told: readonly WorkerStale[],
  clusters: NodeClusters | undefined,
): readonly StaleReplica[] {
  const kept = clusters?.all() ?? []
  return told.flatMap(({ cluster, records }) => {
    const known = kept.find(({ name }) => name === cluster)
    return records.map(record => {
      const { tenant, database, table } = namesOf(record.locationKey)
      const entry = known?.locations.tables.peek(keyOf(tenant, database, table))
      return { ...record, tableId: entry?.tableId ?? '0' }
    })
  })
}
