/**
 * Status of nodes and clusters, computed and never stored (PL2): what the newest report says, and
 * who holds the object. Which operation may begin in which status is a table.
 * Source: management.md §1.4.
 */
import type {
  ClusterPhase,
  Condition,
  Node,
  NodeOrigin,
  NodeStatus,
  OperationType,
} from './model.ts'
import { HELD_STATUS, isClusterOperation } from './plan.ts'
import type { ClusterRecord, NodeRecord, ReportRecord } from './record.ts'

/** Reports come once a minute; after three missed ones nobody knows. */
export const REPORT_STALE_MS = 180_000

export type NodeRequest = 'start' | 'stop' | 'restart' | 'refresh' | 'delete' | 'offline' | 'online'

/** `act`: begins. `nothing`: already there. `refuse`: node-state-conflict. */
export type Permission = 'act' | 'nothing' | 'refuse'

const SETTLED = ['RUNNING', 'STOPPED', 'UNAVAILABLE'] as const

const PERMISSIONS: Readonly<
  Record<NodeRequest, Readonly<Record<(typeof SETTLED)[number], Permission>>>
> = {
  start: { RUNNING: 'nothing', STOPPED: 'act', UNAVAILABLE: 'refuse' },
  stop: { RUNNING: 'act', STOPPED: 'nothing', UNAVAILABLE: 'act' },
  restart: { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' },
  refresh: { RUNNING: 'act', STOPPED: 'refuse', UNAVAILABLE: 'refuse' },
  delete: { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' },
  // Which side it is on already is the balancer's to say.
  offline: { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' },
  online: { RUNNING: 'act', STOPPED: 'act', UNAVAILABLE: 'act' },
}

/** Every busy status refuses everything. */
export function permission(request: NodeRequest, status: NodeStatus): Permission {
  const settled = SETTLED.find(one => one === status)
  return settled === undefined ? 'refuse' : PERMISSIONS[request][settled]
}

export function nodeStatus(node: NodeRecord, report: ReportRecord | null, now: number): NodeStatus {
  const type = node.hold?.type
  const held = type === undefined || isClusterOperation(type) ? null : HELD_STATUS[type]
  if (held !== null) return held
  if (report === null || isStale(report, now)) return 'UNAVAILABLE'
  return report.report.status
}

/** By its newest report, whoever holds it. */
export function isHealthy(report: ReportRecord | null, now: number): boolean {
  return report !== null && !isStale(report, now) && report.report.status === 'RUNNING'
}

export function isStale(report: ReportRecord, now: number): boolean {
  return now - report.receivedAt > REPORT_STALE_MS
}

type Versioned = Pick<ClusterRecord, 'parameterVersion'>

/** It has not said that it has the cluster's parameters. */
export function isBehind({ parameterVersion }: Versioned, report: ReportRecord | null): boolean {
  return report?.report.parameterVersion !== parameterVersion
}

/** A node as callers see it. */
export function nodeView(
  record: NodeRecord,
  report: ReportRecord | null,
  cluster: Versioned,
  now: number,
): Node {
  const { hold, version: _, conditions, desiredVersion, offline, foundHome, ...rest } = record
  const stale: Condition[] =
    report !== null && isStale(report, now)
      ? [
          {
            type: 'ReportStale',
            status: true,
            reason: 'NoReport',
            message: 'the node has not reported for three minutes',
            since: report.receivedAt + REPORT_STALE_MS,
          },
        ]
      : []
  return {
    ...rest,
    desiredVersion: desiredVersion ?? null,
    origin: originOf(record),
    home: foundHome ?? null,
    status: nodeStatus(record, report, now),
    heldBy: hold,
    offline: offline ?? null,
    conditions: [...conditions, ...stale],
    isBehind: isBehind(cluster, report),
    report: report === null ? null : { ...report.report, receivedAt: report.receivedAt },
  }
}

export function originOf({ foundHome }: Pick<NodeRecord, 'foundHome'>): NodeOrigin {
  return foundHome === undefined ? 'CREATED' : 'TAKEN_OVER'
}

const HELD_PHASES: Readonly<Partial<Record<OperationType, ClusterPhase>>> = {
  'create-cluster': 'CREATING',
  'delete-cluster': 'DELETING',
  'move-out': 'MOVING_OUT',
}

/** `FAILED`: the last operation failed and no node works. `DEGRADED`: some node is not running. */
export function clusterPhase(
  cluster: ClusterRecord,
  statuses: readonly NodeStatus[],
): ClusterPhase {
  if (cluster.hold !== null) return HELD_PHASES[cluster.hold.type] ?? 'OPERATING'
  const hasFailed = cluster.conditions.some(one => one.type === FAILED_CONDITION && one.status)
  const isWorking = statuses.some(status => status === 'RUNNING' || status === 'STOPPED')
  if (hasFailed && !isWorking) return 'FAILED'
  if (statuses.length === 0) return 'EMPTY'
  if (statuses.every(status => status === 'RUNNING')) return 'RUNNING'
  if (statuses.every(status => status === 'STOPPED')) return 'STOPPED'
  return 'DEGRADED'
}

export const FAILED_CONDITION = 'LastOperationFailed'
export const SKIPPED_CONDITION = 'LastOperationSkipped'
/** Each operation takes the place of the one before. */
const OF_LAST: readonly string[] = [FAILED_CONDITION, SKIPPED_CONDITION]

/** Conditions after an operation: a failed one leaves its name (PL2), a good one clears it, a cancelled one says nothing. */
export function conditionsAfter(
  conditions: readonly Condition[],
  ended: {
    readonly operationId: string
    readonly type: OperationType
    readonly phase: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'ROLLED_BACK'
    readonly detail: string
    readonly at: number
  },
): readonly Condition[] {
  if (ended.phase === 'CANCELLED') return conditions
  const others = conditions.filter(({ type }) => !OF_LAST.includes(type))
  if (ended.phase === 'SUCCEEDED') return others
  return [
    ...others,
    {
      type: FAILED_CONDITION,
      status: true,
      reason: 'OperationFailed',
      message: `${ended.type} ${ended.operationId}: ${ended.detail}`.slice(0, 600),
      since: ended.at,
    },
  ]
}

/** Conditions of a node that an operation goes on without, after it failed there. */
export function conditionsSkipped(
  conditions: readonly Condition[],
  skipped: {
    readonly operationId: string
    readonly type: OperationType
    readonly actor: string
    readonly detail: string
    readonly at: number
  },
): readonly Condition[] {
  const { operationId, type, actor, detail, at } = skipped
  return [
    ...conditions.filter(one => !OF_LAST.includes(one.type)),
    {
      type: SKIPPED_CONDITION,
      status: true,
      reason: 'OperationSkipped',
      message: `${type} ${operationId}, skipped by ${actor}: ${detail}`.slice(0, 600),
      since: at,
    },
  ]
}
