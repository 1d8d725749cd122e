/** Which members of a drive may begin, and which end where they are. Pure. */
import type { OperationRecord } from '../domain/operation-record.ts'
import { awaitedSteps, STEP_RULES } from '../domain/plan.ts'
import { mustComeBack } from './balancer-steps.ts'
import { hasBegun, hasEnded, type Member } from './member.ts'

export type Pacing = {
  readonly driver: OperationRecord
  readonly members: readonly Member[]
  /** Most nodes that are worked on at once, and whether a failure keeps the others untouched. */
  readonly maxInFlight: number
  readonly isFailFast: boolean
  /** Operations that may begin now; undefined: any. */
  readonly mayBegin?: ReadonlySet<string>
}

/** No new step on a node begins once the operation is being cancelled, or another node failed. */
export function mustStop({ driver, members, isFailFast }: Pacing, member: Member): boolean {
  if (driver.phase === 'CANCELLING') return !isAlmostDone(member) && !mustGoOn(member)
  if (awaited(members, member).some(({ operation }) => hasEnded(operation))) return true
  if (!isFailFast || hasBegun(member)) return false
  return members.some(({ operation }) => operation.phase === 'FAILED')
}

/** Of the plane and of the host at the same time, or of neither: what is in between is nobody's. */
function mustGoOn(member: Member): boolean {
  const { type, plan, stepsDone } = member.operation
  const isReserved = type === 'take-over-node' && stepsDone > plan.indexOf('reserve')
  return isReserved || mustComeBack(member)
}

/** The node is as it should be, only our books are not. */
function isAlmostDone({ operation: { plan, stepsDone } }: Member): boolean {
  const left = plan.slice(stepsDone)
  return stepsDone > 0 && left.every(name => STEP_RULES[name].kind === 'local')
}

/** Members that have something ahead of them, or have ended before it, that this one's next step waits for. */
function awaited(members: readonly Member[], { operation, step }: Member): readonly Member[] {
  const name = operation.plan[operation.stepsDone]
  if (name === undefined || step?.phase === 'RUNNING') return []
  const before = awaitedSteps(operation.type, name)
  if (before.length === 0) return []
  return members.filter(each =>
    each.operation.plan.slice(each.operation.stepsDone).some(other => before.includes(other)),
  )
}

export function mayBegin(pacing: Pacing, member: Member): boolean {
  const { members, maxInFlight } = pacing
  if (awaited(members, member).length > 0) return false
  if (hasBegun(member)) return true
  if (pacing.mayBegin?.has(member.operation.id) === false) return false
  const atWork = members.filter(each => hasBegun(each) && !hasEnded(each.operation))
  return atWork.length < maxInFlight
}
