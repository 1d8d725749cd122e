/** An operation that has ended and is to go on: where, and with which locks. Source: management-beyond.md §4. */
import { areLinksAt, untried, withLinks } from '../domain/link-change.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { historyEntry, isAt, withParameters } from '../domain/parameters.ts'
import { isLook } from '../domain/plan.ts'
import type { Asked } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { type Change, type ClusterPicture, put, type Store } from '../domain/store.ts'
import { childrenOf, lockNode, reopened } from '../operations/children.ts'
import { hasEnded } from '../operations/member.ts'
import { actorOf, type Decision, type PlaneDeps } from './context.ts'
import { linkedAgain } from './links.ts'
import { held, parting, requireFreeCluster, requireFreeNode } from './plans.ts'
import { lockedAgain } from './proxyro.ts'
import { requireUnchanged } from './steering.ts'

/** What went back begins anew. */
const RETRIED: readonly OperationRecord['phase'][] = ['FAILED', 'CANCELLED', 'ROLLED_BACK']

/** Goes on at the failed step, with new locks and a higher fence (PL2). */
export async function decideRetry(
  deps: PlaneDeps,
  asked: Asked,
  record: OperationRecord,
): Promise<Decision> {
  if (!RETRIED.includes(record.phase))
    throw new Problem(
      'operation-state-conflict',
      `${record.id} is ${record.phase}; retry needs FAILED`,
    )
  await requireEndedParent(deps.store, record)
  await requireEndedChildren(deps.store, record)
  const again: OperationRecord = {
    // A child's round is its parent's: were it to grow by itself, the parent's next would pass it over.
    ...reopened(record, record.parentId === null ? record.round + 1 : record.round),
    isSelfDriven: true,
    resumedAt: deps.clock.now(),
    actor: actorOf(asked.principal),
    requestId: asked.requestId,
    stepsDone: Math.min(record.stepsDone, firstStepOf(record)),
  }
  const accept = { kind: 'accept', action: 'retry' } as const
  if (again.target.kind === 'ob-cluster') {
    const { operation, changes } = await lockedAgain(deps, again, false)
    return { ...accept, operation, changes: [put('operation', operation), ...changes] }
  }
  if (isLook(again.type)) return { ...accept, operation: again, changes: [put('operation', again)] }
  return { ...accept, ...(await lockedOnce(deps, again)) }
}

/** Children are opened again by the step that opened them first; a password that was given up is made again, what is moved out is written down again. */
function firstStepOf({ plan, sysSecrets, proxyro, movedOut }: OperationRecord): number {
  if (sysSecrets !== undefined || proxyro !== undefined || movedOut !== undefined) return 0
  const at = plan.indexOf('children')
  return at === -1 ? plan.length : at
}

async function requireEndedParent(store: Store, { parentId }: OperationRecord): Promise<void> {
  if (parentId === null) return
  const parent = await store.get('operation', { id: parentId })
  if (parent !== null && !hasEnded(parent))
    throw new Problem('operation-state-conflict', `${parentId} still runs`, {
      remedy: `wait for ${parentId}`,
    })
}

/** A child that was retried alone has a driver of its own, and no lock where its node is still to be made. */
async function requireEndedChildren(store: Store, record: OperationRecord): Promise<void> {
  if (!['cluster', 'ob-cluster'].includes(record.target.kind)) return
  const open = (await childrenOf(store, record)).find(child => !hasEnded(child))
  if (open !== undefined)
    throw new Problem('operation-state-conflict', `${open.id} still runs`, {
      remedy: `wait for ${open.id}`,
    })
}

/** What was put back before is wanted again, if nobody has set it to something else since. */
function changedAgain(
  cluster: ClusterRecord,
  operation: OperationRecord,
  at: number,
): readonly Change[] {
  const { id: operationId, actor, parameterChanges: changes = [] } = operation
  if (isAt(cluster.spec.parameters, changes, 'after')) return [put('cluster', cluster)]
  requireUnchanged(cluster, operation, 'before')
  const of = { clusterId: cluster.id, actor, operationId, at, isReturn: false }
  return [
    put('cluster', withParameters(cluster, changes, 'after')),
    put('parameterHistory', { ...historyEntry(changes, of), version: 0 }),
  ]
}

async function ofClusterAgain(
  deps: PlaneDeps,
  picture: ClusterPicture,
  again: OperationRecord,
): Promise<readonly Change[]> {
  const { cluster: taken } = picture
  const { parameterChanges, linkChange } = again
  if (parameterChanges !== undefined) return changedAgain(taken, again, deps.clock.now())
  if (linkChange === undefined || areLinksAt(taken.spec.links, linkChange, 'after'))
    return [put('cluster', taken)]
  const counts = await linkedAgain(deps, picture, again, 'after')
  const linked = withLinks(taken, linkChange, 'after')
  return [...counts, put('cluster', untried(linked, linkChange))]
}

/** With the locks of a cluster or a node, and with the password that is to stay by now. */
async function lockedOnce(
  deps: PlaneDeps,
  before: OperationRecord,
): Promise<Pick<Extract<Decision, { kind: 'accept' }>, 'operation' | 'changes'>> {
  const { store, clock } = deps
  const picture = await store.cluster(before.clusterId)
  if (picture === null) throw new Problem('not-found', 'the cluster is gone')
  requireFreeCluster(picture.cluster)
  const { cluster, operation } =
    before.keptSecret === undefined
      ? { cluster: picture.cluster, operation: before }
      : parting(picture.cluster, before)
  const { nodes } = picture
  if (operation.target.kind === 'cluster') {
    for (const node of nodes) requireFreeNode(node)
    const taken = held(cluster, operation, clock.now())
    const ofCluster = await ofClusterAgain(deps, { ...picture, cluster: taken }, operation)
    return { operation, changes: [put('operation', operation), ...ofCluster] }
  }
  const node = nodes.find(({ id }) => id === operation.target.id)
  // A node that was never made is locked when it is.
  if (node === undefined)
    return { operation, changes: [put('operation', operation), put('cluster', cluster)] }
  requireFreeNode(node)
  const host = await store.get('host', { id: node.hostId })
  return { operation, changes: [...lockNode(operation, node, host), put('cluster', cluster)] }
}
