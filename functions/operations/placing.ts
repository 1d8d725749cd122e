/**
 * Where a new node is, as its step `reserve` writes it down: where its cluster says, or, of a proxy that
 * is taken over, where a look has found it. Source: management.md §3.3, T13.
 */
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { type Change, type ClusterPicture, put, type Store } from '../domain/store.ts'
import { homeIn } from '../domain/take-over.ts'
import { factsOf } from './judging.ts'

type Placed = {
  readonly node: Pick<NodeRecord, 'sqlPort' | 'exporterPort' | 'foundHome' | 'desiredVersion'>
  /** Of the cluster, where the node says how it is. */
  readonly changes: readonly Change[]
}

/** Or why it cannot be there. */
export async function placeOf(
  store: Store,
  operation: OperationRecord,
  { cluster, nodes }: ClusterPicture,
): Promise<Placed | ProblemView> {
  const { ports } = cluster.spec
  if (operation.type !== 'take-over-node')
    return { node: { sqlPort: ports.sql, exporterPort: ports.exporter }, changes: [] }
  const facts = await factsOf(store, operation.id, operation.plan.indexOf('probe'))
  const foundHome = facts === null ? null : homeIn(facts)
  const { sqlPort, exporterPort, version } = facts ?? {}
  if (!foundHome || !sqlPort || !exporterPort || !version)
    return { code: 'node-command-failed', detail: 'the answer of the host cannot be read' }
  const isAlike = ports.sql === sqlPort && ports.exporter === exporterPort
  // Another one of the same operation may have come first.
  if (!isAlike && nodes.length > 0)
    return {
      code: 'ports-differ',
      detail: `it has ${sqlPort} and ${exporterPort}, nodes of ${cluster.name} have ${ports.sql} and ${ports.exporter}`,
    }
  return {
    node: { sqlPort, exporterPort, foundHome, desiredVersion: version },
    // Written as it is otherwise, so that two first ones never both say how.
    changes: nodes.length > 0 ? [] : [put('cluster', withPorts(cluster, sqlPort, exporterPort))],
  }
}

function withPorts(cluster: ClusterRecord, sql: number, exporter: number): ClusterRecord {
  const { ports } = cluster.spec
  if (ports.sql === sql && ports.exporter === exporter) return cluster
  return {
    ...cluster,
    spec: { ...cluster.spec, ports: { sql, exporter } },
    generation: cluster.generation + 1,
  }
}
