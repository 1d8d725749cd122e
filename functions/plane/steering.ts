/** What may be asked of a fleet's operation on its way: to wait, to go on, to go back. Source: management-beyond.md §4. */
import type { OperationRecord } from '../domain/operation-record.ts'
import { isAt } from '../domain/parameters.ts'
import type { STEP_RULES } from '../domain/plan.ts'
import type { Asked } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { ALL_AT_ONCE, type RolloutState } from '../domain/rollout.ts'
import { type Change, put, type Store } from '../domain/store.ts'
import { childrenOf } from '../operations/children.ts'
import { hasEnded, membersOf } from '../operations/member.ts'
import {
  beginUndo,
  goingBack,
  hasFailed,
  isAnyAtWork,
  isUndoable,
  type Return,
  UNDO_WINDOW_MS,
} from '../operations/rollouts.ts'
import { obClustersOf } from '../operations/sources.ts'
import { actorOf, type Decision, type PlaneDeps } from './context.ts'
import { requireReach } from './fitting.ts'
import { linkedAgain } from './links.ts'
import { held, requireFreeCluster, requireFreeNode } from './plans.ts'
import { lockedAgain } from './proxyro.ts'

const TAKE_OVER_AGAIN = 'take the nodes over again that were let go of, by what its result says'

export async function decidePause(record: OperationRecord): Promise<Decision> {
  if (record.phase === 'PAUSED') return steered(record, 'pause', [])
  requireFleet(record)
  if (record.phase !== 'RUNNING' && record.phase !== 'PENDING')
    throw conflict(`${record.id} is ${record.phase}; only what runs can be paused`)
  const paused: OperationRecord = { ...record, phase: 'PAUSED' }
  return steered(paused, 'pause', [put('operation', paused)])
}

/**
 * Nodes that failed are tried again, with new locks.
 *
 * @param skipped children that it goes on without
 */
export async function decideResume(
  { store, clock }: PlaneDeps,
  record: OperationRecord,
  skipped: readonly string[] = [],
): Promise<Decision> {
  if (record.phase !== 'PAUSED')
    throw conflict(`${record.id} is ${record.phase}; only what is paused can be resumed`)
  const children = await childrenOf(store, record)
  const members = await membersOf(
    store,
    children.filter(({ id }) => !skipped.includes(id)),
  )
  const isAgain = hasFailed(members)
  if (isAgain && isAnyAtWork(members))
    throw conflict(`nodes of ${record.id} are still at work; wait until they have ended`)
  const resumed = { ...record, resumedAt: clock.now() }
  const again: OperationRecord = isAgain
    ? {
        ...resumed,
        phase: 'PENDING',
        round: record.round + 1,
        stepsDone: stepOf(record, 'children'),
      }
    : { ...resumed, phase: 'RUNNING' }
  return steered(again, 'resume', [put('operation', again)])
}

/** What is paused, or has ended, goes back. @throws Problem operation-state-conflict, operation-not-allowed */
export async function decideRollback(
  deps: PlaneDeps,
  asked: Asked,
  record: OperationRecord,
): Promise<Decision> {
  const { store, clock } = deps
  if (record.phase === 'ROLLING_BACK' || record.phase === 'ROLLED_BACK')
    return steered(record, 'rollback', [])
  requireFleet(record)
  if (!isUndoable(record))
    throw new Problem(
      'operation-not-allowed',
      `what ${record.type} does cannot be put back`,
      record.type === 'move-out' ? { remedy: TAKE_OVER_AGAIN } : {},
    )
  requireSecretKept(record)
  const children = await childrenOf(store, record)
  const undo = goingBack(record, children)
  if (undo.length === 0) throw conflict(`${record.id} has changed no node`)
  const begun = rollingBack(record, actorOf(asked.principal))
  const back = { undo, error: record.error, now: clock.now() }
  if (!hasEnded(record)) {
    if (record.phase !== 'PAUSED' || isAnyAtWork(await membersOf(store, children)))
      throw conflict(`${record.id} is ${record.phase}; pause it, and wait until no node is at work`)
    const cluster = await store.get('cluster', { id: record.clusterId })
    return steered(begun, 'rollback', beginUndo(begun, cluster, back))
  }
  if (clock.now() - (record.endedAt ?? 0) > UNDO_WINDOW_MS)
    throw new Problem('operation-not-allowed', `${record.id} ended more than a day ago`)
  const accept = { kind: 'accept', action: 'rollback' } as const
  if (begun.proxyro === undefined)
    return { ...accept, operation: begun, changes: await ofCluster(deps, begun, back) }
  const { operation, changes } = await lockedAgain(deps, begun, true)
  return { ...accept, operation, changes: [...beginUndo(operation, null, back), ...changes] }
}

/** @throws Problem operation-not-allowed: what the plane has made is forgotten once nobody has it. */
function requireSecretKept({ phase, sysSecrets, proxyro }: OperationRecord): void {
  const before = [sysSecrets?.before, ...(proxyro?.obClusters ?? []).map(each => each.before)]
  if (phase !== 'SUCCEEDED' || !before.some(secret => secret?.isOurs)) return
  throw new Problem('operation-not-allowed', 'the password before is not kept', {
    remedy: 'replace the password once more',
  })
}

async function ofCluster(
  deps: PlaneDeps,
  begun: OperationRecord,
  back: Return,
): Promise<readonly Change[]> {
  const { store, clock } = deps
  const picture = await store.cluster(begun.clusterId)
  if (picture === null) throw new Problem('not-found', 'the cluster is gone')
  requireFreeCluster(picture.cluster)
  for (const node of picture.nodes) requireFreeNode(node)
  requireUnchanged(picture.cluster, begun, 'after')
  await requireReachBefore(store, picture.cluster, begun)
  const counts = await linkedAgain(deps, picture, begun, 'before')
  const taken = held(picture.cluster, begun, clock.now())
  const changes = [...counts, ...beginUndo(begun, taken, back)]
  const isClusterIn = changes.some(({ kind }) => kind === 'cluster')
  return isClusterIn ? changes : [...changes, put('cluster', taken)]
}

/** An upgrade that goes back leaves no link behind that the proxies of before do not reach. @throws Problem version-incompatible */
async function requireReachBefore(
  store: Store,
  cluster: ClusterRecord,
  { type, tasks }: OperationRecord,
): Promise<void> {
  if (type !== 'upgrade') return
  const obClusters = await obClustersOf(store, cluster)
  const versions = new Set(tasks.flatMap(({ versionBefore: v }) => (v === undefined ? [] : [v])))
  for (const version of versions)
    requireReach({ ...cluster, spec: { ...cluster.spec, version } }, obClusters)
}

function rollingBack(record: OperationRecord, actor: string): OperationRecord {
  const all: RolloutState = {
    rollout: ALL_AT_ONCE,
    waves: [record.tasks.map((_task, at) => at)],
    undo: null,
  }
  return {
    ...record,
    actor,
    isSelfDriven: true,
    endedAt: null,
    rollout: record.rollout ?? all,
    stepsDone: stepOf(record, 'run'),
  }
}

/** @throws Problem operation-not-allowed: another change of the same parameters would be lost with this one. */
export function requireUnchanged(
  { name, spec }: ClusterRecord,
  { id, parameterChanges = [] }: OperationRecord,
  side: 'before' | 'after',
): void {
  if (isAt(spec.parameters, parameterChanges, side)) return
  const names = parameterChanges.map(({ name: each }) => each).join(', ')
  throw new Problem(
    'operation-not-allowed',
    `parameters of ${name} have been changed since ${id}: ${names.slice(0, 300)}`,
    { remedy: `set them by PATCH /v1/clusters/${name}/parameters` },
  )
}

function stepOf({ plan }: OperationRecord, name: keyof typeof STEP_RULES): number {
  return Math.max(0, plan.indexOf(name))
}

/** @throws Problem operation-not-allowed */
function requireFleet({ id, target, parentId, isSelfDriven }: OperationRecord): void {
  if (!isSelfDriven && parentId !== null)
    throw new Problem('operation-state-conflict', `${id} is driven by ${parentId}`, {
      remedy: `address ${parentId}`,
    })
  if (target.kind !== 'cluster' && target.kind !== 'ob-cluster')
    throw new Problem(
      'operation-not-allowed',
      `${id} is of one node: there is no next to wait with`,
    )
}

function steered(operation: OperationRecord, action: string, changes: readonly Change[]): Decision {
  return { kind: 'done', action, ref: operation.id, operation, isCreated: false, changes }
}

function conflict(detail: string): Problem {
  return new Problem('operation-state-conflict', detail)
}
