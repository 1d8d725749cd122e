/**
 * How a fleet's operation goes from wave to wave, and how it goes back: which nodes may begin, when it
 * waits for a human, and the operations that put back what a wave has changed. The state is the
 * operation's own record and its children's; nothing else is remembered. Source: management-beyond.md §6.
 */
import { withLinks } from '../domain/link-change.ts'
import type { ProblemView } from '../domain/model.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import { historyEntry, withParameters } from '../domain/parameters.ts'
import { isClusterOperation, type NodeOperationType, planOf, UNDO_TYPES } from '../domain/plan.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { mayBegin, type RolloutState, undoneWith } from '../domain/rollout.ts'
import { type Change, decide, put, type Store } from '../domain/store.ts'
import { hasActed } from './balancer-steps.ts'
import { lockNode, operationsOf, undoId } from './children.ts'
import { withSysSecret } from './cluster-steps.ts'
import type { Ending } from './ending.ts'
import { hasBegun, hasEnded, isSettled, type Member } from './member.ts'
import type { Drive } from './node-work.ts'
import { mayBeAltered } from './proxyro-steps.ts'

export type Pace = Pick<Drive, 'maxInFlight' | 'isFailFast' | 'mayBegin'>

/** What has ended can go back so long: backups on nodes are kept at least for it. */
export const UNDO_WINDOW_MS = 24 * 3_600_000

const NONE: ReadonlySet<string> = new Set()

/** Which of the children, in the order of the tasks, may begin now, and how many at once. */
export function paceOf(operation: OperationRecord, members: readonly Member[]): Pace {
  const { rollout: state, phase } = operation
  if (state === undefined) {
    // As it was before there were rollouts.
    const isOneByOne = operation.type === 'restart'
    return { maxInFlight: isOneByOne ? 1 : Number.POSITIVE_INFINITY, isFailFast: isOneByOne }
  }
  const { maxUnavailable, onFailure } = state.rollout
  // Proxies of others have nothing to do with one another: one that cannot be taken over keeps no other out.
  if (operation.type === 'take-over' && phase !== 'PAUSED')
    return { maxInFlight: maxUnavailable, isFailFast: false }
  const pace = { maxInFlight: maxUnavailable, isFailFast: onFailure !== 'pause' }
  if (phase === 'PAUSED') return { ...pace, isFailFast: false, mayBegin: NONE }
  return { ...pace, mayBegin: idsOf(members, mayBegin(state, judging(members))) }
}

function judging(members: readonly Member[]) {
  const phaseOf = (task: number) => members[task]?.operation.phase
  return {
    isDone: (task: number) => isSettled(phaseOf(task)),
    hasFailed: (task: number) => phaseOf(task) === 'FAILED',
  }
}

function idsOf(members: readonly Member[], tasks: readonly number[]): ReadonlySet<string> {
  return new Set(tasks.map(task => members[task]?.operation.id ?? ''))
}

/** Whether a failure stops it here until somebody decides; what is at work ends first. */
export function isToPause(operation: OperationRecord, members: readonly Member[]): boolean {
  if (operation.rollout?.rollout.onFailure !== 'pause' || operation.phase !== 'RUNNING')
    return false
  return hasFailed(members) && !isAnyAtWork(members)
}

export function hasFailed(members: readonly Member[]): boolean {
  return members.some(({ operation: { phase } }) => phase === 'FAILED')
}

export function isAnyAtWork(members: readonly Member[]): boolean {
  return members.some(member => hasBegun(member) && !hasEnded(member.operation))
}

/** Tasks whose nodes an operation that failed puts back by itself; none: it ends as it is. */
export function toUndo(
  operation: OperationRecord,
  children: readonly OperationRecord[],
): readonly number[] {
  const { rollout: state, phase } = operation
  if (state?.rollout.onFailure !== 'rollback' || state.undo !== null) return []
  // A proxy that could not be taken over is no node, whoever has lost interest in it.
  const isCalledOff = phase === 'CANCELLING' && operation.type !== 'take-over'
  if (isCalledOff || !isUndoable(operation)) return []
  const failed = children.flatMap(({ phase: each }, task) => (each === 'FAILED' ? [task] : []))
  if (isOfCluster(operation) && failed.length > 0) return goingBack(operation, children)
  return undoneWith(state, failed).filter(task => isTouched(children[task]))
}

/** What it changes is the cluster's, and returns whole: its nodes are told of nothing else then. */
function isOfCluster(operation: OperationRecord): boolean {
  const { parameterChanges, sysSecrets, linkChange, proxyro } = operation
  return [parameterChanges, sysSecrets, linkChange, proxyro].some(each => each !== undefined)
}

/**
 * Tasks whose nodes go back when all is to be put back. Of what is the cluster's, all of them are told:
 * those that were not reached yet would seem to be behind.
 */
export function goingBack(
  operation: OperationRecord,
  children: readonly OperationRecord[],
): readonly number[] {
  const isIn = isOfCluster(operation)
    ? (child: OperationRecord) => child.isUndone !== true
    : isTouched
  return children.flatMap((child, task) => (isIn(child) ? [task] : []))
}

/** Its node may have been changed: a step of it is done, or has failed. */
export function isTouched(child: OperationRecord | undefined): boolean {
  return child !== undefined && child.isUndone !== true && hasActed(child)
}

export function isUndoable({ type }: OperationRecord): boolean {
  return isClusterOperation(type) && UNDO_TYPES[type] !== undefined
}

export type Return = {
  /** Tasks whose nodes go back. */
  readonly undo: readonly number[]
  /** Why; null: somebody asked for it. */
  readonly error: ProblemView | null
  readonly now: number
}

/** From here on it goes back; what it is of is set back first, so that nodes are told the old. */
export function beginUndo(
  operation: OperationRecord,
  cluster: ClusterRecord | null,
  { undo, error, now }: Return,
): readonly Change[] {
  const state: RolloutState | undefined = operation.rollout
  if (state === undefined) return []
  const noted = cluster === null ? [] : noteReturn(operation, cluster.id, now)
  const before = cluster === null ? null : asBefore(cluster, operation)
  return [
    put('operation', { ...operation, phase: 'ROLLING_BACK', error, rollout: { ...state, undo } }),
    ...(before === null || before === cluster ? [] : [put('cluster', before)]),
    ...noted,
  ]
}

/** The cluster as it was before the operation, as far as that is its own matter. */
function asBefore(
  cluster: ClusterRecord,
  { parameterChanges: changes, sysSecrets, linkChange }: OperationRecord,
): ClusterRecord {
  if (linkChange !== undefined) return withLinks(cluster, linkChange, 'before')
  const own = sysSecrets === undefined ? cluster : withSysSecret(cluster, sysSecrets.before)
  return changes === undefined ? own : withParameters(own, changes, 'before')
}

function noteReturn(
  { id: operationId, actor, parameterChanges: changes }: OperationRecord,
  clusterId: string,
  at: number,
): readonly Change[] {
  if (changes === undefined) return []
  const of = { clusterId, actor, operationId, at, isReturn: true }
  return [put('parameterHistory', { ...historyEntry(changes, of), version: 0 })]
}

/** In the order in which they are begun. */
export async function undoOf(
  store: Store,
  operation: OperationRecord,
): Promise<readonly OperationRecord[]> {
  const ids = (operation.rollout?.undo ?? []).map(task => undoId(operation, task))
  return operationsOf(store, ids)
}

/** Makes the operations that put nodes back, each with its lock. Can run twice. */
export async function openUndo(
  store: Store,
  parent: OperationRecord,
  children: readonly OperationRecord[],
  now: number,
): Promise<void> {
  for (const task of parent.rollout?.undo ?? []) {
    const child = children[task]
    if (child !== undefined) await decide(() => openOne(store, parent, child, { task, now }))
  }
}

async function openOne(
  store: Store,
  parent: OperationRecord,
  child: OperationRecord,
  { task, now }: { readonly task: number; readonly now: number },
): Promise<void> {
  const undo = await undoing(store, parent, child, { task, now })
  if (undo === null || (await store.get('operation', { id: undo.id })) !== null) return
  const known = await store.get('operation', { id: child.id })
  const done = known === null ? [] : [put('operation', { ...known, isUndone: true })]
  const node = await store.get('node', { clusterId: child.clusterId, id: child.target.id })
  const host = node === null ? null : await store.get('host', { id: node.hostId })
  const isFree = node !== null && node.hold === null
  const open = isFree
    ? lockNode(undo, node, host)
    : [put('operation', heldByOther(undo, node?.name, now))]
  await store.commit([...open, ...done])
}

/** The operation that puts a task's node back, as it begins; null: nothing can. */
export async function undoing(
  store: Store,
  parent: OperationRecord,
  child: OperationRecord,
  { task, now }: { readonly task: number; readonly now: number },
): Promise<OperationRecord | null> {
  const type = isClusterOperation(parent.type) ? UNDO_TYPES[parent.type] : undefined
  if (type === undefined) return null
  const isAltered = await mayBeAltered(store, parent)
  const tasks = child.tasks
    .map(each => taskBack(type, child, each))
    .map(each => (isAltered ? { ...each, isAltered } : each))
  return {
    ...child,
    id: undoId(parent, task),
    type,
    phase: 'PENDING',
    createdAt: now,
    startedAt: null,
    endedAt: null,
    error: null,
    plan: planOf(type, tasks[0]),
    tasks,
    isSelfDriven: false,
    stepsDone: 0,
    nodesDone: 0,
    version: 0,
  }
}

/** What goes back is not watched, and a process that has not been replaced for new parameters need not be. */
function taskBack(
  type: NodeOperationType,
  { plan, stepsDone }: OperationRecord,
  { bakeMs: _watched, tries: _tried, ...task }: NodeTask,
): NodeTask {
  const { way: _way, ...without } = task
  return type === 'refresh-node' && stepsDone < plan.indexOf('restart') ? without : task
}

function heldByOther(
  operation: OperationRecord,
  name: string | undefined,
  now: number,
): OperationRecord {
  // A node that is gone needs nothing put back.
  if (name === undefined) {
    // Nor does anybody wait for its steps.
    const stepsDone = operation.plan.length
    return { ...operation, phase: 'SUCCEEDED', endedAt: now, stepsDone }
  }
  const error = { code: 'node-state-conflict', detail: `${name} is held by another operation` }
  return { ...operation, phase: 'FAILED', endedAt: now, error }
}

/** Rolled back is what has left nothing behind; else it has failed, and says what could not be put back. */
export function wentBack(
  { error, tasks }: OperationRecord,
  of: {
    readonly children: readonly OperationRecord[]
    readonly undo: readonly OperationRecord[]
    readonly now: number
  },
): Ending {
  const stuck = of.undo.find(({ phase }) => phase !== 'SUCCEEDED')
  const isLeft = of.children.some(({ phase, isUndone }) => phase === 'SUCCEEDED' && !isUndone)
  const cause = error?.detail ?? 'rolled back on request'
  if (stuck !== undefined) {
    const detail = `${cause}; ${stuck.target.name} was not put back: ${stuck.error?.detail ?? ''}`
    const code = error?.code ?? stuck.error?.code ?? 'internal-error'
    return { phase: 'FAILED', error: { code, detail: detail.slice(0, 600) }, now: of.now }
  }
  if (!isLeft) return { phase: 'ROLLED_BACK', error, now: of.now }
  const detail = `${cause}; ${of.undo.length} of ${tasks.length} nodes were put back`
  return {
    phase: 'FAILED',
    error: { code: error?.code ?? 'internal-error', detail: detail.slice(0, 600) },
    now: of.now,
  }
}
