/**
 * The end of an operation: phase, locks and the target's condition change in one transaction, so
 * that no lock outlives its operation (PL2).
 */
import type { OperationPhase, ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation } from '../domain/plan.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { conditionsAfter } from '../domain/status.ts'
import { type Change, put, remove } from '../domain/store.ts'
import type { StepRecord, WorkRecord } from '../domain/work-record.ts'

type Ended = Extract<OperationPhase, 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'ROLLED_BACK'>

export type Ending = {
  readonly phase: Ended
  readonly error: ProblemView | null
  readonly now: number
}

export function endOf(operation: OperationRecord, { phase, error, now }: Ending): OperationRecord {
  const { stepsDone, nodesDone } = operation
  const isDone = phase === 'SUCCEEDED'
  return {
    ...operation,
    phase,
    error,
    endedAt: now,
    stepsDone: isDone ? operation.plan.length : stepsDone,
    // Of a cluster they were counted: some may have been left out.
    nodesDone: isDone && !isClusterOperation(operation.type) ? operation.tasks.length : nodesDone,
  }
}

/** Frees the node, if this operation holds it. */
export function releaseNode(
  node: NodeRecord | null,
  operation: OperationRecord,
  ending: Ending,
): readonly Change[] {
  if (node === null || node.hold?.operationId !== operation.id) return []
  return [put('node', freed(node, operation, ending))]
}

/** Frees the cluster, if this operation holds it. */
export function releaseCluster(
  cluster: ClusterRecord | null,
  operation: OperationRecord,
  ending: Ending,
): readonly Change[] {
  if (cluster === null || cluster.hold?.operationId !== operation.id) return []
  return [put('cluster', freed(cluster, operation, ending))]
}

function freed<T extends ClusterRecord | NodeRecord>(
  held: T,
  { id, type }: OperationRecord,
  { phase, error, now }: Ending,
): T {
  const detail = error?.detail ?? ''
  return {
    ...held,
    hold: null,
    updatedAt: now,
    revision: held.revision + 1,
    conditions: conditionsAfter(held.conditions, { operationId: id, type, phase, detail, at: now }),
  }
}

export function workDone(work: WorkRecord | null): readonly Change[] {
  return work === null ? [] : [remove('work', work)]
}

/** The step an operation is at, as it is when it begins; an older round's step is begun anew. */
export function beginStep(
  operation: OperationRecord,
  earlier: StepRecord | null,
  now: number,
  deadlineAt: number | null,
): StepRecord {
  const n = operation.stepsDone
  const name = operation.plan[n]
  if (name === undefined) throw new RangeError(`${operation.id} has no step ${n}`)
  return {
    operationId: operation.id,
    n,
    name,
    phase: 'RUNNING',
    attempt: (earlier?.attempt ?? 0) + 1,
    sends: 0,
    deadlineAt,
    notBefore: null,
    wave: null,
    lookedAt: null,
    commandId: null,
    startedAt: now,
    endedAt: null,
    output: null,
    error: null,
    version: earlier?.version ?? 0,
  }
}

export function endStep(
  step: StepRecord,
  phase: Ended,
  now: number,
  said: { readonly output?: string | null; readonly error?: ProblemView | null } = {},
): StepRecord {
  const { output = null, error = null } = said
  // A step is not undone: what undoes it is a step of its own.
  const ended = phase === 'ROLLED_BACK' ? 'SUCCEEDED' : phase
  return { ...step, phase: ended, endedAt: now, wave: null, output, error }
}
