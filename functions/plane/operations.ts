/** Use cases on operations: reading, waiting, cancelling, retrying. */
import { areLinksAt, untried, withLinks } from '../domain/link-change.ts'
import type { Operation } from '../domain/model.ts'
import { historyEntry, isAt, withParameters } from '../domain/parameters.ts'
import { isLook } from '../domain/plan.ts'
import type { Asked, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, OperationRecord } from '../domain/record.ts'
import { type Change, type ClusterPicture, put, type Store } from '../domain/store.ts'
import { childrenOf, lockNode, reopened } from '../operations/children.ts'
import { hasEnded } from '../operations/member.ts'
import { actorOf, type Decision, mutate, type PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'
import { linkedAgain } from './links.ts'
import { withResult } from './look-results.ts'
import { operationView, stepViews } from './operation-view.ts'
import { held, requireFreeCluster, requireFreeNode } from './plans.ts'
import { lockedAgain } from './proxyro.ts'
import { decidePause, decideResume, decideRollback, requireUnchanged } from './steering.ts'

/** What went back begins anew. */
const RETRIED: readonly OperationRecord['phase'][] = ['FAILED', 'CANCELLED', 'ROLLED_BACK']
const WAIT_POLL_MS = 200
/** Items of the index that one filtered page may cost. */
const MAX_LOOKED_AT = 2_000

export function operationUseCases(deps: PlaneDeps, cursors: Cursors): Plane['operations'] {
  const { store, clock } = deps
  const view = async (id: string) => operationView(await recordOf(store, id))
  return {
    list: async ({ limit, cursor }, filter) => {
      const matches = ({ target, type, phase }: OperationRecord) =>
        (filter.target === undefined || [target.id, target.name].includes(filter.target)) &&
        (filter.type === undefined || filter.type === type) &&
        (filter.phase === undefined || filter.phase === phase)
      const items: Operation[] = []
      let { after } = cursors.read('operations', cursor)
      for (let seen = 0; seen < MAX_LOOKED_AT; seen += limit) {
        const page = await store.operations({
          limit: limit - items.length,
          ...(after === undefined ? {} : { after }),
        })
        items.push(...page.items.filter(matches).map(operationView))
        after = page.next ?? undefined
        if (after === undefined || items.length >= limit) break
      }
      return { items, nextCursor: cursors.write('operations', after ?? null) }
    },
    get: async id => withResult(deps, await recordOf(store, id)),
    wait: async (id, waitMs, revision) => {
      const until = clock.now() + waitMs
      for (;;) {
        const record = await recordOf(store, id)
        const isNews = revision !== undefined && record.version !== revision
        if (hasEnded(record) || isNews || clock.now() >= until) return withResult(deps, record)
        await clock.sleep(WAIT_POLL_MS)
      }
    },
    steps: async id => {
      const record = await recordOf(store, id)
      return stepViews(record, await store.steps(id))
    },
    cancel: async (asked, id) => {
      const outcome = await mutate(deps, asked, view, () => decideCancel(store, id))
      if (outcome.kind !== 'planned' && !outcome.isReplayed) await deps.queue.nudge(id, 0)
      return outcome
    },
    retry: (asked, id) => mutate(deps, asked, view, () => decideRetry(deps, asked, id)),
    pause: (asked, id) =>
      mutate(deps, asked, view, async () => decidePause(await recordOf(store, id))),
    resume: async (asked, id) => {
      const outcome = await mutate(deps, asked, view, async () =>
        decideResume(deps, await recordOf(store, id)),
      )
      if (outcome.kind !== 'planned' && !outcome.isReplayed) await deps.queue.nudge(id, 0)
      return outcome
    },
    rollback: async (asked, id) => {
      const outcome = await mutate(deps, asked, view, async () =>
        decideRollback(deps, asked, await recordOf(store, id)),
      )
      if (outcome.kind !== 'planned' && !outcome.isReplayed) await deps.queue.nudge(id, 0)
      return outcome
    },
  }
}

async function recordOf(store: Store, id: string): Promise<OperationRecord> {
  const record = await store.get('operation', { id })
  if (record === null) throw new Problem('not-found', `there is no operation ${id}`)
  return record
}

/** No new step begins; what runs on a node is let run to its end. */
async function decideCancel(store: Store, id: string): Promise<Decision> {
  const record = await recordOf(store, id)
  const done = { kind: 'done', action: 'cancel', ref: id, isCreated: false } as const
  if (record.phase === 'CANCELLING' || record.phase === 'CANCELLED')
    return { ...done, operation: record, changes: [] }
  if (hasEnded(record) || record.phase === 'ROLLING_BACK')
    throw new Problem('operation-state-conflict', `${id} can be cancelled no more: ${record.phase}`)
  requireOwnDriver(record)
  const cancelling: OperationRecord = { ...record, phase: 'CANCELLING' }
  return { ...done, operation: cancelling, changes: [put('operation', cancelling)] }
}

/** @throws Problem operation-state-conflict */
function requireOwnDriver({ id, parentId, isSelfDriven }: OperationRecord): void {
  if (isSelfDriven || parentId === null) return
  throw new Problem('operation-state-conflict', `${id} is driven by ${parentId}`, {
    remedy: `address ${parentId}`,
  })
}

/** Goes on at the failed step, with new locks and a higher fence (PL2). */
async function decideRetry(deps: PlaneDeps, asked: Asked, id: string): Promise<Decision> {
  const record = await recordOf(deps.store, id)
  if (!RETRIED.includes(record.phase))
    throw new Problem('operation-state-conflict', `${id} is ${record.phase}; retry needs FAILED`)
  await requireEndedParent(deps.store, record)
  await requireEndedChildren(deps.store, record)
  const again: OperationRecord = {
    // A child's round is its parent's: were it to grow by itself, the parent's next would pass it over.
    ...reopened(record, record.parentId === null ? record.round + 1 : record.round),
    isSelfDriven: true,
    resumedAt: deps.clock.now(),
    actor: actorOf(asked.principal),
    requestId: asked.requestId,
    stepsDone: Math.min(record.stepsDone, firstStepOf(record)),
  }
  const accept = { kind: 'accept', action: 'retry' } as const
  if (again.target.kind === 'ob-cluster') {
    const { operation, changes } = await lockedAgain(deps, again, false)
    return { ...accept, operation, changes: [put('operation', operation), ...changes] }
  }
  const isLooking = isLook(again.type)
  const changes = isLooking ? [put('operation', again)] : await locksOf(deps, again)
  return { ...accept, operation: again, changes }
}

/** Children are opened again by the step that opened them first; a password that was given up is made again, what is moved out is written down again. */
function firstStepOf({ plan, sysSecrets, proxyro, movedOut }: OperationRecord): number {
  if (sysSecrets !== undefined || proxyro !== undefined || movedOut !== undefined) return 0
  const at = plan.indexOf('children')
  return at === -1 ? plan.length : at
}

async function requireEndedParent(store: Store, { parentId }: OperationRecord): Promise<void> {
  if (parentId === null) return
  const parent = await store.get('operation', { id: parentId })
  if (parent !== null && !hasEnded(parent))
    throw new Problem('operation-state-conflict', `${parentId} still runs`, {
      remedy: `wait for ${parentId}`,
    })
}

/** A child that was retried alone has a driver of its own, and no lock where its node is still to be made. */
async function requireEndedChildren(store: Store, record: OperationRecord): Promise<void> {
  if (!['cluster', 'ob-cluster'].includes(record.target.kind)) return
  const open = (await childrenOf(store, record)).find(child => !hasEnded(child))
  if (open !== undefined)
    throw new Problem('operation-state-conflict', `${open.id} still runs`, {
      remedy: `wait for ${open.id}`,
    })
}

/** What was put back before is wanted again, if nobody has set it to something else since. */
function changedAgain(
  cluster: ClusterRecord,
  operation: OperationRecord,
  at: number,
): readonly Change[] {
  const { id: operationId, actor, parameterChanges: changes = [] } = operation
  if (isAt(cluster.spec.parameters, changes, 'after')) return [put('cluster', cluster)]
  requireUnchanged(cluster, operation, 'before')
  const of = { clusterId: cluster.id, actor, operationId, at, isReturn: false }
  return [
    put('cluster', withParameters(cluster, changes, 'after')),
    put('parameterHistory', { ...historyEntry(changes, of), version: 0 }),
  ]
}

async function ofClusterAgain(
  deps: PlaneDeps,
  picture: ClusterPicture,
  again: OperationRecord,
): Promise<readonly Change[]> {
  const { cluster: taken } = picture
  const { parameterChanges, linkChange } = again
  if (parameterChanges !== undefined) return changedAgain(taken, again, deps.clock.now())
  if (linkChange === undefined || areLinksAt(taken.spec.links, linkChange, 'after'))
    return [put('cluster', taken)]
  const counts = await linkedAgain(deps, picture, again, 'after')
  const linked = withLinks(taken, linkChange, 'after')
  return [...counts, put('cluster', untried(linked, linkChange))]
}

async function locksOf(deps: PlaneDeps, again: OperationRecord): Promise<Change[]> {
  const { store, clock } = deps
  const picture = await store.cluster(again.clusterId)
  if (picture === null) throw new Problem('not-found', 'the cluster is gone')
  const { cluster, nodes } = picture
  requireFreeCluster(cluster)
  if (again.target.kind === 'cluster') {
    for (const node of nodes) requireFreeNode(node)
    const taken = held(cluster, again, clock.now())
    return [
      put('operation', again),
      ...(await ofClusterAgain(deps, { ...picture, cluster: taken }, again)),
    ]
  }
  const node = nodes.find(({ id }) => id === again.target.id)
  // A node that was never made is locked when it is.
  if (node === undefined) return [put('operation', again), put('cluster', cluster)]
  requireFreeNode(node)
  const host = await store.get('host', { id: node.hostId })
  return [...lockNode(again, node, host), put('cluster', cluster)]
}
