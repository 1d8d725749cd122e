/** What a request on nodes comes to: which are to be worked on, and the operation that does it. */

import type { PackageRef } from '#contract/command'
import { newId } from '../domain/ids.ts'
import { keepingSysSecret } from '../domain/kept-secrets.ts'
import type { NodeOrigin, OperationType } from '../domain/model.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import { isLook, planOf } from '../domain/plan.ts'
import type { Asked, DeleteInput } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { type NodeRequest, nodeStatus, originOf, permission } from '../domain/status.ts'
import type { ClusterPicture } from '../domain/store.ts'
import { actorOf } from './context.ts'

/** What becomes of the proxy of a node that is deleted (management.md §3.4). */
const DEFAULT_MODES: Readonly<Record<NodeOrigin, NonNullable<DeleteInput['mode']>>> = {
  CREATED: 'uninstall',
  TAKEN_OVER: 'release',
}

/** @throws Problem cluster-state-conflict, password-change-in-progress, naming the holder. */
export function requireFreeCluster({ name, hold }: ClusterRecord): void {
  if (hold === null) return
  const isPassword = hold.type === 'rotate-proxyro-password'
  const code = isPassword ? 'password-change-in-progress' : 'cluster-state-conflict'
  throw new Problem(code, `${name} is held by a running ${hold.type}`, {
    conflict: { operationId: hold.operationId, holder: hold.type },
    remedy: `wait for ${hold.operationId} or cancel it`,
    retryAfterSec: 5,
  })
}

/** Of a cluster that is to leave the inventory. @throws Problem confirmation-required, deletion-protected */
export function requireLeaving(
  { name, spec }: ClusterRecord,
  { confirm }: Pick<DeleteInput, 'confirm'>,
): void {
  if (confirm !== name)
    throw new Problem('confirmation-required', `repeat the name: confirm=${name}`)
  if (spec.deletionProtection)
    throw new Problem('deletion-protected', `${name} is protected; switch deletionProtection off`)
}

/** @throws Problem node-state-conflict naming the holder. */
export function requireFreeNode({ name, hold }: NodeRecord): void {
  if (hold === null) return
  throw new Problem('node-state-conflict', `${name} is held by a running ${hold.type}`, {
    conflict: { operationId: hold.operationId, holder: hold.type },
    remedy: `wait for ${hold.operationId} or cancel it`,
    retryAfterSec: 5,
  })
}

/** Nodes that the request has to work on; those that are there already are left out. @throws Problem */
export function affected(
  picture: ClusterPicture,
  nodes: readonly NodeRecord[],
  request: NodeRequest,
  now: number,
): readonly NodeRecord[] {
  return nodes.filter(node => {
    requireFreeNode(node)
    const status = nodeStatus(node, picture.reports.get(node.id) ?? null, now)
    const may = permission(request, status)
    if (may === 'refuse')
      throw new Problem(
        'node-state-conflict',
        `${node.name} is ${status}; ${request} is not possible`,
        {
          remedy: status === 'UNAVAILABLE' ? 'restart it' : 'wait until it is settled',
        },
      )
    return may === 'act' || isOtherwiseWanted(node, request)
  })
}

/** It is as asked, and is to be otherwise: what was called off has reached it all the same. */
function isOtherwiseWanted({ desiredState }: NodeRecord, request: NodeRequest): boolean {
  if (request === 'stop') return desiredState !== 'STOPPED'
  return request === 'start' && desiredState !== 'RUNNING'
}

/** The nodes that `refs` names, all without it. @throws Problem validation-failed */
export function chosen(
  picture: ClusterPicture,
  refs: readonly string[] | undefined,
  at = '/nodes',
): readonly NodeRecord[] {
  if (refs === undefined) return picture.nodes
  const errors: { pointer: string; code: string; detail: string }[] = []
  const found = new Map<string, NodeRecord>()
  for (const [index, ref] of refs.entries()) {
    const node = picture.nodes.find(({ id, name }) => id === ref || name === ref)
    if (node !== undefined) found.set(node.id, node)
    else
      errors.push({
        pointer: `${at}/${index}`,
        code: 'not-found',
        detail: `${picture.cluster.name} has no node ${ref}`,
      })
  }
  if (errors.length > 0)
    throw new Problem('validation-failed', 'some nodes are not of this cluster', { errors })
  return [...found.values()]
}

/** `orders-2` before `orders-10`. */
export function byName({ name: left }: NodeRecord, { name: right }: NodeRecord): number {
  return left.length - right.length || (left < right ? -1 : 1)
}

export function taskOf(node: NodeRecord, skipHostWork = false): NodeTask {
  const { id: nodeId, hostId, host, idc, desiredState, name } = node
  return { nodeId, hostId, host, idc, desiredState, name, number: 0, skipHostWork }
}

/** Of a node that is deleted: what was not installed by us is not removed unless somebody says so. */
export function deletionOf(
  node: NodeRecord,
  { skipHostWork, mode }: Pick<DeleteInput, 'skipHostWork' | 'mode'>,
): NodeTask {
  const isReleased = (mode ?? DEFAULT_MODES[originOf(node)]) === 'release'
  return { ...taskOf(node, skipHostWork), ...(isReleased ? { isReleased } : {}) }
}

/**
 * What a deletion leaves to proxies that serve on: their password is none that the plane may remove any more,
 * nor make another under its name.
 */
export function parting(
  cluster: ClusterRecord,
  operation: OperationRecord,
): { readonly cluster: ClusterRecord; readonly operation: OperationRecord } {
  if (!operation.tasks.some(task => task.isReleased === true)) return { cluster, operation }
  return {
    cluster: { ...keepingSysSecret(cluster), isSysPasswordOurs: false },
    operation: { ...operation, keptSecret: cluster.spec.sysPasswordSecret },
  }
}

/** Members of the balancer are its to change. */
function mayMove(type: OperationType): boolean {
  return !isLook(type) && type !== 'move-out'
}

export type NewOperation = {
  readonly type: OperationType
  /** Null: of an OB cluster, its tasks name their clusters. */
  readonly cluster: ClusterRecord | null
  readonly target: OperationRecord['target']
  readonly tasks: readonly NodeTask[]
  readonly package?: PackageRef | undefined
}

export function newOperation(
  asked: Asked,
  now: number,
  { type, cluster, target, tasks: bare, package: wanted }: NewOperation,
): OperationRecord {
  const isBalanced = cluster?.spec.loadBalancer?.kind === 'target-group' && mayMove(type)
  const tasks = isBalanced ? bare.map(task => ({ ...task, isBalanced })) : bare
  return {
    id: newId('operation', now),
    type,
    target,
    clusterId: cluster?.id ?? '',
    parentId: null,
    isSelfDriven: true,
    actor: actorOf(asked.principal),
    requestId: asked.requestId,
    phase: 'PENDING',
    createdAt: now,
    startedAt: null,
    endedAt: null,
    error: null,
    plan: planOf(type, target.kind === 'node' ? tasks[0] : undefined),
    tasks,
    package: wanted ?? null,
    round: 1,
    fence: null,
    stepsDone: 0,
    nodesDone: 0,
    version: 0,
  }
}

/** The cluster with this operation as its holder. */
export function held(
  cluster: ClusterRecord,
  operation: OperationRecord,
  now: number,
): ClusterRecord {
  return {
    ...cluster,
    hold: { operationId: operation.id, type: operation.type },
    updatedAt: now,
    revision: cluster.revision + 1,
  }
}
