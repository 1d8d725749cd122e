/** One node's operation with what its steps need, read in a few calls for a whole fleet. */
import type { OperationRecord } from '../domain/operation-record.ts'
import type { NodeRecord } from '../domain/record.ts'
import type { Store } from '../domain/store.ts'
import type { StepRecord } from '../domain/work-record.ts'

export type Member = {
  readonly operation: OperationRecord
  /** The step it is at; null before it has begun. */
  readonly step: StepRecord | null
  readonly node: NodeRecord | null
}

const ENDED = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'ROLLED_BACK', 'SKIPPED']

/** Where it works: its node's host, or one that has no node of ours, or not yet; null when the node is gone. */
export function hostIdOf({ operation, node }: Member): string | null {
  if (node !== null) return node.hostId
  if (operation.type === 'take-over-node') return operation.tasks[0]?.hostId ?? null
  return operation.target.kind === 'host' ? operation.target.id : null
}

export function hasEnded({ phase }: OperationRecord): boolean {
  return ENDED.includes(phase)
}

/** Nothing of a child is left to be done: its node is done, or is left out. */
export function isSettled(phase: OperationRecord['phase'] | undefined): boolean {
  return phase === 'SUCCEEDED' || phase === 'SKIPPED'
}

/** Members of operations that are known already. */
export async function membersOf(
  store: Store,
  operations: readonly OperationRecord[],
): Promise<readonly Member[]> {
  const open = operations.filter(operation => !hasEnded(operation))
  const [steps, nodes] = await Promise.all([
    store.getMany(
      'step',
      open.map(({ id, stepsDone }) => ({ operationId: id, n: stepsDone })),
    ),
    store.getMany(
      'node',
      open.map(({ clusterId, target }) => ({ clusterId, id: target.id })),
    ),
  ])
  const stepOf = new Map(steps.map(step => [step.operationId, step]))
  const nodeOf = new Map(nodes.map(node => [node.id, node]))
  return operations.map(operation => ({
    operation,
    step: stepOf.get(operation.id) ?? null,
    node: nodeOf.get(operation.target.id) ?? null,
  }))
}

/** Its command is out, or on its way out. */
export function isInFlight({ step }: Member): boolean {
  return step !== null && step.phase === 'RUNNING' && step.wave !== null
}

/** It has begun: its node may have been touched. */
export function hasBegun({ operation, step }: Member): boolean {
  return operation.stepsDone > 0 || (step !== null && step.phase === 'RUNNING')
}
