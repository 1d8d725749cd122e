/** An operation on one node, with its lock. */
import type { NodeTask } from '../domain/operation-record.ts'
import type { NodeOperationType } from '../domain/plan.ts'
import type { Asked } from '../domain/plane.ts'
import type { NodeRecord } from '../domain/record.ts'
import type { NodeRequest } from '../domain/status.ts'
import { type ClusterPicture, put } from '../domain/store.ts'
import { lockNode } from '../operations/children.ts'
import type { Decision, PlaneDeps } from './context.ts'
import { newOperation, parting } from './plans.ts'

/** An upgrade is of a fleet, if only of one. */
const TYPES: Readonly<Record<NodeRequest, NodeOperationType>> = {
  start: 'start-node',
  stop: 'stop-node',
  restart: 'restart-node',
  refresh: 'refresh-node',
  delete: 'delete-node',
  offline: 'offline-node',
  online: 'online-node',
}

export type Found = { readonly picture: ClusterPicture; readonly node: NodeRecord }

export function nothingToDo(node: NodeRecord, action: NodeRequest | 'upgrade'): Decision {
  return { kind: 'done', action, ref: node.id, isCreated: false, changes: [], named: [node] }
}

export async function onNode(
  { store, clock }: PlaneDeps,
  asked: Asked,
  { picture, node }: Found,
  { request, task }: { readonly request: NodeRequest; readonly task: NodeTask },
): Promise<Decision> {
  const begun = newOperation(asked, clock.now(), {
    type: TYPES[request],
    cluster: picture.cluster,
    target: { kind: 'node', id: node.id, name: node.name },
    tasks: [task],
    package: task.package,
  })
  const { cluster, operation } = parting(picture.cluster, begun)
  const host = await store.get('host', { id: node.hostId })
  return {
    kind: 'accept',
    operation,
    // The cluster is written in any case, so that an operation on it and this one never both begin.
    changes: [...lockNode(operation, node, host), put('cluster', cluster)],
  }
}
