/** Operations and steps as callers see them. */
import type { Operation, Step } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation } from '../domain/plan.ts'
import { RESTART_NOTICE } from '../domain/take-over.ts'
import type { StepRecord } from '../domain/work-record.ts'
import { childId } from '../operations/children.ts'

type Progress = Operation['progress']

export function operationView(record: OperationRecord): Operation {
  const { id, type, target, parentId, actor, phase, createdAt, startedAt, endedAt, error } = record
  const isParent = isClusterOperation(type)
  return {
    id,
    type,
    target,
    parentId,
    childIds: isParent ? record.tasks.map((_task, index) => childId(record, index)) : [],
    actor,
    phase,
    revision: record.version,
    createdAt,
    startedAt,
    endedAt,
    progress: {
      stepsDone: record.stepsDone,
      stepsTotal: record.plan.length,
      nodesDone: record.nodesDone,
      nodesSkipped: record.nodesSkipped ?? 0,
      nodesTotal: record.tasks.length,
      ...wavesOf(record),
    },
    error,
    ...noticesOf(record),
  }
}

function noticesOf({ type, keptSecret }: OperationRecord): Pick<Operation, 'notices'> {
  if (type === 'take-over') return { notices: [RESTART_NOTICE] }
  if (keptSecret === undefined) return {}
  const kept = `the password of root@proxysys stays under ${keptSecret}: proxies that are released go on with it`
  return { notices: [kept] }
}

/** The wave that is worked on is the one that its next node is in. */
function wavesOf({
  rollout,
  nodesDone,
  nodesSkipped = 0,
}: OperationRecord): Pick<Progress, 'waves' | 'wave'> {
  const waves = rollout?.waves ?? []
  const behind = nodesDone + nodesSkipped
  let before = 0
  const at = waves.findIndex(wave => {
    before += wave.length
    return before > behind
  })
  const total = Math.max(1, waves.length)
  return { waves: total, wave: at < 0 ? total : at + 1 }
}

/** One a planned step, begun or not. */
export function stepViews(
  operation: OperationRecord,
  records: readonly StepRecord[],
): readonly Step[] {
  const isOver = operation.endedAt !== null
  return operation.plan.map((name, n) => {
    const record = records.find(each => each.n === n)
    if (record === undefined)
      return {
        n,
        name,
        phase: isOver && operation.phase !== 'FAILED' ? 'SKIPPED' : 'PENDING',
        attempt: 0,
        deadlineAt: null,
        commandId: null,
        startedAt: null,
        endedAt: null,
        output: null,
        error: null,
      }
    const { phase, attempt, deadlineAt, commandId, startedAt, endedAt, output, error } = record
    return { n, name, phase, attempt, deadlineAt, commandId, startedAt, endedAt, output, error }
  })
}
