/** Children of a cluster's operation: made, or opened again, each with its locks in one transaction. */
import { derivedId } from '../domain/ids.ts'
import type { NodeStatus } from '../domain/model.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import { CHILD_TYPES, type ClusterOperationType, isLook, planOf } from '../domain/plan.ts'
import type { HostRecord, NodeRecord } from '../domain/record.ts'
import { type Change, decide, put, type Store } from '../domain/store.ts'

export function childId(parent: OperationRecord, index: number): string {
  return derivedId('operation', parent.id, index)
}

/** Of the operation that puts a task's node back; each round has its own. */
export function undoId(parent: OperationRecord, task: number): string {
  return childId(parent, parent.tasks.length * parent.round + task)
}

/** In the order of the tasks, which tells whose is whose. */
export function childrenOf(
  store: Store,
  parent: OperationRecord,
): Promise<readonly OperationRecord[]> {
  return operationsOf(
    store,
    parent.tasks.map((_task, index) => childId(parent, index)),
  )
}

/** In the order of `ids`; what is not there is left out. */
export async function operationsOf(
  store: Store,
  ids: readonly string[],
): Promise<readonly OperationRecord[]> {
  const found = await store.getMany(
    'operation',
    ids.map(id => ({ id })),
  )
  const byId = new Map(found.map(operation => [operation.id, operation]))
  return ids.flatMap(id => byId.get(id) ?? [])
}

/** Makes what is missing and opens what an earlier round left undone. Can run twice. */
export async function openChildren(
  store: Store,
  parent: OperationRecord,
  clusterName: string,
  now: number,
): Promise<void> {
  for (const [index, task] of parent.tasks.entries())
    await decide(() => openChild(store, { parent, index, task, clusterName, now }))
}

/** The child as it begins, or goes on; null: an earlier round has done it, or this one has opened it. */
export function childToOpen(
  existing: OperationRecord | null,
  opening: Opening,
): OperationRecord | null {
  const { round } = opening.parent
  if (existing === null) return newChild(opening)
  if (existing.round >= round || isDone(existing)) return null
  return { ...reopened(existing, round), isSelfDriven: false }
}

type Opening = {
  readonly parent: OperationRecord
  readonly index: number
  readonly task: NodeTask
  readonly clusterName: string
  readonly now: number
}

async function openChild(store: Store, opening: Opening): Promise<void> {
  const { parent, index, task } = opening
  const existing = await store.get('operation', { id: childId(parent, index) })
  const child = childToOpen(existing, opening)
  if (child === null) return
  const clusterId = task.clusterId ?? parent.clusterId
  const node = await store.get('node', { clusterId, id: task.nodeId })
  if (node === null && isNothingLeft(child))
    return store.commit([put('operation', gone(child, opening.now))])
  // A node that is still to be made is locked by the step that makes it.
  if (node === null || isLook(child.type)) return store.commit([put('operation', child)])
  const host = await store.get('host', { id: node.hostId })
  const holder = node.hold?.operationId
  if (holder !== undefined && holder !== child.id)
    return store.commit([
      put('operation', {
        ...child,
        phase: 'FAILED',
        endedAt: opening.now,
        error: { code: 'node-state-conflict', detail: `${node.name} is held by ${holder}` },
      }),
    ])
  await store.commit(lockNode(child, node, host))
}

/** The operation takes the node; its fence is higher than any before (PL1). */
export function lockNode(
  operation: OperationRecord,
  node: NodeRecord,
  host: HostRecord | null,
): readonly Change[] {
  const fence = (host?.fence ?? 0) + 1
  return [
    put('operation', { ...operation, fence, desiredBefore: node.desiredState }),
    put('node', {
      ...node,
      hold: { operationId: operation.id, type: operation.type },
      desiredState: desiredAfter(operation, node.desiredState),
      revision: node.revision + 1,
    }),
    put('host', {
      id: node.hostId,
      nodeId: host?.nodeId ?? node.id,
      fence,
      version: host?.version ?? 0,
    }),
  ]
}

/** What the node should be from the moment on that the operation holds it. */
export function desiredAfter(
  { type }: OperationRecord,
  before: NodeRecord['desiredState'],
): Extract<NodeStatus, 'RUNNING' | 'STOPPED'> {
  if (type === 'start-node' || type === 'restart-node') return 'RUNNING'
  return type === 'stop-node' ? 'STOPPED' : before
}

/** One that is left out is never taken up again. */
function isDone({ phase, isUndone }: OperationRecord): boolean {
  return phase === 'SKIPPED' || (phase === 'SUCCEEDED' && isUndone !== true)
}

/** As it was when it failed, to go on from there; from the beginning if it was put back. */
export function reopened(operation: OperationRecord, round: number): OperationRecord {
  const { rollout } = operation
  const again = {
    ...operation,
    stepsDone: resumedAt(operation),
    phase: 'PENDING' as const,
    round,
    error: null,
    endedAt: null,
    ...(rollout === undefined ? {} : { rollout: { ...rollout, undo: null } }),
  }
  return operation.isUndone === true ? { ...again, stepsDone: 0, isUndone: false } : again
}

/** Who was to be out of its balancer is taken out again: somebody may have taken it in meanwhile. */
function resumedAt({ plan, stepsDone }: OperationRecord): number {
  // A login that was possible may be so no more.
  if (plan.includes('try')) return 0
  // What was in the way may be gone: it is looked for anew.
  const isJudged = plan.includes('judge') && stepsDone <= plan.indexOf('judge') + 1
  if (isJudged) return plan.indexOf('probe')
  const isOut = plan[stepsDone - 1] === 'drain-balancer' || plan[stepsDone] === 'drain-balancer'
  return isOut ? plan.indexOf('deregister') : stepsDone
}

function newChild({ parent, index, task, clusterName, now }: Opening): OperationRecord {
  const type = CHILD_TYPES[parent.type as ClusterOperationType]
  const name = task.name ?? `${clusterName}-${task.number}`
  const isNode = type !== 'probe-host'
  return {
    id: childId(parent, index),
    type,
    target: isNode
      ? { kind: 'node', id: task.nodeId, name }
      : { kind: 'host', id: task.hostId, name },
    clusterId: task.clusterId ?? parent.clusterId,
    parentId: parent.id,
    isSelfDriven: false,
    actor: parent.actor,
    requestId: parent.requestId,
    phase: 'PENDING',
    createdAt: now,
    startedAt: null,
    endedAt: null,
    error: null,
    plan: planOf(type, task),
    tasks: [task],
    package: task.package ?? parent.package,
    round: parent.round,
    fence: null,
    stepsDone: 0,
    nodesDone: 0,
    version: 0,
    ...(parent.proxyro === undefined ? {} : { proxyro: parent.proxyro }),
  }
}

/** A node that is gone has nothing to be told, unless a password is changed, or a link tried, from there. */
export function isNothingLeft({ type, plan, proxyro, tasks: [task] }: OperationRecord): boolean {
  if (proxyro !== undefined) return task?.alters === undefined
  return type === 'refresh-node' && !plan.includes('try')
}

function gone(operation: OperationRecord, now: number): OperationRecord {
  const { plan } = operation
  return { ...operation, phase: 'SUCCEEDED', stepsDone: plan.length, endedAt: now }
}
