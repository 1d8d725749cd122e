/**
 * The pace of a rollout where its cluster must stay healthy: which nodes may begin then, and why none may.
 * Reports lag, so a shortage counts only when it has lasted. Source: management-beyond.md §6.
 */
import { type Health, healthOf, mayBegin, whyTooFew } from '../domain/health.ts'
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { REPORT_STALE_MS } from '../domain/status.ts'
import type { ClusterPicture } from '../domain/store.ts'
import { hasBegun, hasEnded, type Member } from './member.ts'
import { endMember } from './node-steps.ts'
import type { EngineDeps } from './ports.ts'
import { type Pace, paceOf } from './rollouts.ts'

type Around = {
  readonly operation: OperationRecord
  readonly members: readonly Member[]
  readonly picture: Pick<ClusterPicture, 'nodes' | 'reports'>
  readonly now: number
}

type HealthyPace = {
  readonly pace: Pace
  /** A member that waits in vain, and what for. */
  readonly refused: { readonly member: Member; readonly error: ProblemView } | null
}

/** Null: a node has waited in vain for enough others to be healthy, and has failed. */
export async function paceNow(
  { store, clock, log }: Pick<EngineDeps, 'store' | 'clock' | 'log'>,
  operation: OperationRecord,
  members: readonly Member[],
): Promise<Pace | null> {
  const pace = paceOf(operation, members)
  const percent = operation.rollout?.rollout.minHealthyPercent ?? 0
  const isNoMatter = percent === 0 || operation.phase !== 'RUNNING'
  if (isNoMatter || waiting(pace, members).length === 0) return pace
  const picture = await store.cluster(operation.clusterId)
  if (picture === null) return pace
  const now = clock.now()
  const healthy = healthyPace(pace, percent, { operation, members, picture, now })
  if (healthy.refused === null) return healthy.pace
  const { member, error } = healthy.refused
  await endMember(store, member, { phase: 'FAILED', error, now })
  log({ event: 'failed', operationId: member.operation.id, ...error })
  return null
}

/** Members that wait for their turn in the wave that is at work. */
function waiting({ mayBegin }: Pace, members: readonly Member[]): readonly Member[] {
  return members.filter(
    member =>
      !hasBegun(member) &&
      !hasEnded(member.operation) &&
      (mayBegin === undefined || mayBegin.has(member.operation.id)),
  )
}

function healthyPace(pace: Pace, percent: number, around: Around): HealthyPace {
  const { members, picture, now } = around
  const atWork = members.filter(member => hasBegun(member) && !hasEnded(member.operation))
  const health = healthOf(picture, new Set(atWork.map(nodeOf)), now)
  const next = waiting(pace, members)
  const { ids, room } = mayBegin(health, percent, next.map(nodeOf))
  const may = next.filter(each => ids.includes(nodeOf(each)))
  const healthy: Pace = {
    ...pace,
    maxInFlight: Math.min(pace.maxInFlight, atWork.length + room),
    mayBegin: new Set(may.map(({ operation }) => operation.id)),
  }
  const [member] = next
  const isStuck = may.length === 0 && atWork.length === 0 && member !== undefined
  return {
    pace: healthy,
    refused: isStuck && hasLasted(around) ? { member, error: tooFew(health, percent) } : null,
  }
}

function nodeOf({ operation }: Member): string {
  return operation.target.id
}

/**
 * Since the last node was done with, or somebody has had it go on: longer than a node may be silent before it
 * counts as lost.
 */
function hasLasted({ operation, members, now }: Around): boolean {
  const { startedAt, resumedAt = 0 } = operation
  const ends = members.map(member => member.operation.endedAt ?? 0)
  return now - Math.max(startedAt ?? 0, resumedAt, ...ends) >= REPORT_STALE_MS
}

function tooFew(health: Health, percent: number): ProblemView {
  return { code: 'gate-failed', detail: whyTooFew(health, percent) }
}
