/**
 * What failed on a node is left out, and the operation goes on without it: from where it waits, or, when it
 * has ended, as if it were retried. Source: management.md §1.13, management-beyond.md §4.
 */
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation } from '../domain/plan.ts'
import type { Asked } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { NodeRecord } from '../domain/record.ts'
import { whyUnskippable } from '../domain/skip.ts'
import { conditionsSkipped, FAILED_CONDITION } from '../domain/status.ts'
import { type Change, put } from '../domain/store.ts'
import { childrenOf } from '../operations/children.ts'
import { actorOf, type Decision, type PlaneDeps } from './context.ts'
import { decideRetry } from './retrying.ts'
import { decideResume } from './steering.ts'

/** @throws Problem operation-not-allowed, operation-state-conflict, validation-failed */
export async function decideSkip(
  deps: PlaneDeps,
  asked: Asked,
  record: OperationRecord,
  ids: readonly string[],
): Promise<Decision> {
  requireSkippable(record)
  const children = await childrenOf(deps.store, record)
  const named = ids.map((id, at) => childOf(record, children, id, at))
  requireWaiting(record)
  const isLeft = ({ id, phase }: OperationRecord) => phase !== 'SKIPPED' && !ids.includes(id)
  if (children.length === record.tasks.length && !children.some(isLeft))
    throw new Problem('operation-not-allowed', `nothing would be left of ${record.id}`, {
      remedy: 'cancel it if it still waits; it holds nothing when it has failed',
    })
  const without = { ...record, nodesSkipped: (record.nodesSkipped ?? 0) + ids.length }
  const onward =
    record.phase === 'PAUSED'
      ? await decideResume(deps, without, ids)
      : await decideRetry(deps, asked, without)
  const skipped = await Promise.all(named.map(child => leftOut(deps, asked, child)))
  return { ...onward, action: 'skip', changes: [...onward.changes, ...skipped.flat()] }
}

/** What was put back or called off is not done after all for the sake of a node less. */
function requireWaiting({ id, phase }: OperationRecord): void {
  if (phase === 'PAUSED' || phase === 'FAILED') return
  throw new Problem('operation-state-conflict', `${id} is ${phase}; skip needs PAUSED or FAILED`)
}

/** @throws Problem operation-not-allowed, operation-state-conflict */
function requireSkippable({ id, type, parentId }: OperationRecord): void {
  if (!isClusterOperation(type)) {
    if (parentId === null)
      throw new Problem('operation-not-allowed', `${id} is of one node: nothing is left without it`)
    throw new Problem('operation-state-conflict', `${id} is a part of ${parentId}`, {
      remedy: `skip it there: POST /v1/operations/${parentId}/skip`,
    })
  }
  const why = whyUnskippable(type)
  if (why === null) return
  throw new Problem('operation-not-allowed', `no node of a ${type} is left out: ${why.reason}`, {
    remedy: why.remedy,
  })
}

/** @throws Problem validation-failed, operation-state-conflict */
function childOf(
  record: OperationRecord,
  children: readonly OperationRecord[],
  id: string,
  at: number,
): OperationRecord {
  const child = children.find(each => each.id === id)
  if (child === undefined)
    throw new Problem('validation-failed', `${id} is none of the children of ${record.id}`, {
      errors: [{ pointer: `/children/${at}`, code: 'not-found', detail: id }],
    })
  if (child.phase !== 'FAILED')
    throw new Problem('operation-state-conflict', `${id} is ${child.phase}; skip needs FAILED`)
  return child
}

/** Its node was released when it failed; from now on it says that nobody waits for it. */
async function leftOut(
  { store, clock }: PlaneDeps,
  { principal }: Asked,
  child: OperationRecord,
): Promise<readonly Change[]> {
  const { id, type, clusterId, target, stepsDone, error } = child
  const [step, node] = await Promise.all([
    store.get('step', { operationId: id, n: stepsDone }),
    store.get('node', { clusterId, id: target.id }),
  ])
  const said = { operationId: id, type, actor: actorOf(principal), detail: error?.detail ?? '' }
  return [
    put('operation', { ...child, phase: 'SKIPPED' }),
    ...(step?.phase === 'FAILED' ? [put('step', { ...step, phase: 'SKIPPED' as const })] : []),
    // It may have been worked on since, with or without success: then that is what it says.
    ...(node === null || !saysFailed(node, id)
      ? []
      : [
          put('node', {
            ...node,
            conditions: conditionsSkipped(node.conditions, { ...said, at: clock.now() }),
            updatedAt: clock.now(),
            revision: node.revision + 1,
          }),
        ]),
  ]
}

function saysFailed({ conditions }: NodeRecord, operationId: string): boolean {
  return conditions.some(
    ({ type, message }) => type === FAILED_CONDITION && message.includes(operationId),
  )
}
