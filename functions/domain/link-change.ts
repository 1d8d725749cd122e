/**
 * What a change of links makes of a proxy cluster, on its way and back. A new link is tried by a node before
 * the config service answers with it. Pure. Source: management.md §3.12, §3.22.
 */
import type { ProxyroOrder } from '#contract/command'
import { isLinkedIn, type Link, type LinkChange } from './link.ts'
import type { ObClusterRecord } from './ob-cluster-record.ts'
import type { OperationRecord } from './operation-record.ts'
import type { OrderSource } from './order.ts'
import type { StepName } from './plan.ts'
import type { ClusterRecord } from './record.ts'

const TRYING: readonly StepName[] = ['try', 'start']
/** Any of its servers will do: so many are tried of one OB cluster. */
const MOST_ASKED = 3

export function isAddition({ obCluster, before, after }: LinkChange): boolean {
  return isLinkedIn(after, obCluster) && !isLinkedIn(before, obCluster)
}

/** Whether links are as on that side; accounts of gates are no matter of it. */
export function areLinksAt(
  links: readonly Link[],
  change: LinkChange,
  side: 'before' | 'after',
): boolean {
  const shape = (some: readonly Link[]) =>
    JSON.stringify(some.map(({ obCluster, default: isDefault }) => [obCluster, isDefault]))
  return shape(links) === shape(change[side])
}

/** The cluster with the links of one side, each with the account that it has by now. */
export function withLinks(
  cluster: ClusterRecord,
  change: LinkChange,
  side: 'before' | 'after',
): ClusterRecord {
  const { linksServed: _over, ...rest } = cluster
  const links = change[side].map(link => {
    const known = cluster.spec.links.find(({ obCluster }) => obCluster === link.obCluster)
    return { ...(known ?? link), default: link.default }
  })
  return { ...rest, spec: { ...cluster.spec, links }, generation: cluster.generation + 1 }
}

/** Until a node has logged in by what is new the service answers as before. */
export function untried(cluster: ClusterRecord, change: LinkChange): ClusterRecord {
  return isAddition(change) ? { ...cluster, linksServed: change.before } : cluster
}

/** What a node tries in this step, before it does anything else. */
export function triedLogins(
  { obClusters }: OrderSource,
  { plan, stepsDone, tasks: [task] }: OperationRecord,
): readonly ProxyroOrder[] {
  if (!TRYING.includes(plan[stepsDone] ?? 'finish')) return []
  return obClusters
    .filter(({ name }) => task?.tries?.includes(name))
    .map(({ name, rootservice, proxyroSecret }) => ({
      obCluster: name,
      rootservice: rootservice.slice(0, MOST_ASKED),
      to: proxyroSecret,
    }))
}

export function counted(record: ObClusterRecord, by: 1 | -1): ObClusterRecord {
  return { ...record, linkCount: Math.max(0, record.linkCount + by) }
}
