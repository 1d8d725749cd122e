/**
 * Drives operations to their end. Whoever calls `advance` (a request, an event, a timer, the sweeper)
 * takes the operation's lease and works from what is stored until nothing can be done now; an
 * executor may die between any two writes. Source: management-beyond.md §4, PL1-PL5.
 */
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation, type StepName } from '../domain/plan.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { type Change, Conflict, put, remove } from '../domain/store.ts'
import type { StepRecord } from '../domain/work-record.ts'
import { childrenOf, openChildren } from './children.ts'
import {
  dropSysPassword,
  giveSysPassword,
  giveToken,
  settleLinks,
  tokenSecretsOf,
  withoutBalancer,
  withVersion,
} from './cluster-steps.ts'
import { beginStep, type Ending, endOf, endStep, releaseCluster, workDone } from './ending.ts'
import { paceNow } from './health-pace.ts'
import { giveLeaseBack, LEASE_MS, SWEEP_MS, takeLease } from './lease.ts'
import { forgetLooseSecrets } from './loose-secrets.ts'
import { hasEnded, isSettled, membersOf } from './member.ts'
import { exportCluster, movedOutChange } from './moving-out.ts'
import { endMember } from './node-steps.ts'
import { NodeWork } from './node-work.ts'
import type { EngineDeps } from './ports.ts'
import { endProxyro, giveProxyroPassword, notTold, remembering } from './proxyro-steps.ts'
import {
  beginUndo,
  hasFailed,
  isAnyAtWork,
  isToPause,
  openUndo,
  toUndo,
  undoOf,
  wentBack,
} from './rollouts.ts'
import { obClustersOf, sourcesOf } from './sources.ts'
import type { Turn } from './turn.ts'

/** One call works no longer than this, well within its lease; with more to do it is called again. */
const WORK_MS = 20_000
/** After a store or a service that does not answer. */
const TROUBLE_MS = 5_000
const AGAIN: Turn = { kind: 'again' }

export class Engine {
  private readonly deps: EngineDeps
  private readonly nodeWork: NodeWork
  /** Operations that this executor works on now. */
  private readonly active = new Set<string>()

  constructor(deps: EngineDeps) {
    this.deps = deps
    this.nodeWork = new NodeWork(deps)
  }

  /** Works on one operation as far as it goes now. Safe to call at any time, by anybody. */
  async advance(operationId: string): Promise<void> {
    const operation = await this.deps.store.get('operation', { id: operationId })
    if (operation === null) return
    // A child is its parent's business while that one drives it.
    if (!operation.isSelfDriven && operation.parentId !== null)
      return this.advance(operation.parentId)
    if (this.active.has(operationId)) return
    this.active.add(operationId)
    try {
      if ((await takeLease(this.deps, operationId)) !== null) await this.work(operation)
    } finally {
      this.active.delete(operationId)
    }
  }

  private async work(operation: OperationRecord): Promise<void> {
    let turn: Turn = { kind: 'wait', delayMs: TROUBLE_MS }
    try {
      turn = await this.turns(operation)
    } finally {
      await giveLeaseBack(this.deps, operation.id, turn)
    }
  }

  /** By the sweeper, too: what was given up and not removed then. */
  forgetSecrets(): Promise<void> {
    return forgetLooseSecrets(this.deps)
  }

  /** All that is due, by the sweeper. How many were found. */
  async sweep(limit: number): Promise<number> {
    return this.look(await this.deps.store.due(this.now(), limit))
  }

  /**
   * For an executor of a name that no other has, when it begins: what it held when it died is its own
   * still, and is taken up before the lease ends. How many were found.
   */
  async resume(limit: number): Promise<number> {
    return this.look(await this.deps.store.due(this.now() + LEASE_MS, limit))
  }

  private async look(ids: readonly string[]): Promise<number> {
    const { log } = this.deps
    await Promise.all(
      ids.map(id =>
        this.advance(id).catch((error: Error) =>
          log({ event: 'sweep-failed', operationId: id, error: error.name, reason: error.message }),
        ),
      ),
    )
    return ids.length
  }

  private async turns(first: OperationRecord): Promise<Turn> {
    let operation: OperationRecord | null = first
    let turn: Turn = AGAIN
    const until = this.now() + WORK_MS
    while (turn.kind === 'again' && this.now() < until) {
      if (operation === null || hasEnded(operation)) return { kind: 'wait', delayMs: SWEEP_MS }
      turn = await this.turn(operation).catch((error: Error) => {
        // Somebody else was faster: what they wrote is what counts.
        if (error instanceof Conflict) return AGAIN
        throw error
      })
      operation = await this.deps.store.get('operation', { id: first.id })
    }
    return turn
  }

  private async turn(operation: OperationRecord): Promise<Turn> {
    if (!isClusterOperation(operation.type)) return this.driveOne(operation)
    const name = operation.plan[operation.stepsDone]
    if (name === undefined) return this.endCluster(operation, succeeded(this.now()))
    if (name === 'run' || operation.phase === 'CANCELLING') return this.driveAll(operation)
    await this.localStep(operation, name)
    return AGAIN
  }

  private async driveOne(operation: OperationRecord): Promise<Turn> {
    return this.nodeWork.turn({
      driver: operation,
      members: await membersOf(this.deps.store, [operation]),
      sources: await sourcesOf(this.deps, operation),
      maxInFlight: 1,
      isFailFast: false,
    })
  }

  private async driveAll(operation: OperationRecord): Promise<Turn> {
    const { store } = this.deps
    const children = await childrenOf(store, operation)
    if ((operation.rollout?.undo ?? null) !== null) return this.driveBack(operation, children)
    const members = await membersOf(store, children)
    if (isToPause(operation, members)) {
      await store.commit([put('operation', { ...operation, phase: 'PAUSED' })])
      return AGAIN
    }
    const isAwaited = operation.phase === 'PAUSED' && hasFailed(members)
    if (!isAwaited && members.every(member => hasEnded(member.operation)))
      return this.childrenEnded(operation, children)
    const pace = await paceNow(this.deps, operation, members)
    if (pace === null) return AGAIN
    const turn = await this.nodeWork.turn({
      driver: operation,
      members,
      sources: await sourcesOf(this.deps, operation),
      ...pace,
    })
    await this.noteProgress(operation)
    const isIdle = operation.phase === 'PAUSED' && !isAnyAtWork(members)
    return isIdle && turn.kind === 'wait' ? { kind: 'wait', delayMs: SWEEP_MS } : turn
  }

  /** Puts back what is to be put back, then ends. */
  private async driveBack(
    operation: OperationRecord,
    children: readonly OperationRecord[],
  ): Promise<Turn> {
    const { store } = this.deps
    // Those that were not begun have nothing to be put back, and hold their nodes.
    for (const member of await membersOf(store, children))
      if (!hasEnded(member.operation))
        await endMember(store, member, { phase: 'CANCELLED', error: null, now: this.now() })
    await openUndo(store, operation, children, this.now())
    const undo = await undoOf(store, operation)
    const members = await membersOf(store, undo)
    if (!members.every(member => hasEnded(member.operation)))
      return this.nodeWork.turn({
        driver: operation,
        members,
        sources: await sourcesOf(this.deps, operation),
        maxInFlight: operation.rollout?.rollout.maxUnavailable ?? 1,
        // Nothing hangs on another there, but where all wait for what one has done.
        isFailFast: false,
      })
    return this.endCluster(operation, wentBack(operation, { children, undo, now: this.now() }))
  }

  private async noteProgress(operation: OperationRecord): Promise<void> {
    const children = await childrenOf(this.deps.store, operation)
    const nodesDone = doneIn(children)
    if (nodesDone === operation.nodesDone) return
    await this.deps.store.commit([put('operation', { ...operation, nodesDone })])
  }

  private async childrenEnded(
    operation: OperationRecord,
    children: readonly OperationRecord[],
  ): Promise<Turn> {
    const failed = children.filter(({ phase }) => phase === 'FAILED')
    const [first] = failed
    if (first !== undefined) {
      const { code = 'internal-error', detail = '' } = first.error ?? {}
      const text = `${failed.length} of ${operation.tasks.length} nodes failed; ${first.target.name}: ${detail}`
      const error = { code, detail: text.slice(0, 600) }
      const undo = toUndo(operation, children)
      if (undo.length > 0) {
        const cluster = await this.deps.store.get('cluster', { id: operation.clusterId })
        await this.deps.store.commit(
          beginUndo(operation, cluster, { undo, error, now: this.now() }),
        )
        return AGAIN
      }
      return this.endCluster(operation, { phase: 'FAILED', error, now: this.now() })
    }
    const areAllDone =
      children.length === operation.tasks.length && children.every(({ phase }) => isSettled(phase))
    const name = operation.plan[operation.stepsDone]
    if (!areAllDone || name !== 'run')
      return this.endCluster(operation, { phase: 'CANCELLED', error: null, now: this.now() })
    // Cancelled too late: everything is done, what is left is ours.
    await this.pass({ ...operation, phase: 'RUNNING', nodesDone: doneIn(children) }, null)
    return AGAIN
  }

  private async localStep(operation: OperationRecord, name: StepName): Promise<void> {
    const { store } = this.deps
    if (operation.proxyro !== undefined && name !== 'finish')
      return this.proxyroStep(operation, name)
    const cluster = await store.get('cluster', { id: operation.clusterId })
    if (name === 'finish') return void (await this.endCluster(operation, succeeded(this.now())))
    if (name === 'forget') return this.forgetCluster(operation)
    if (cluster === null) {
      const error = { code: 'not-found', detail: 'the cluster is gone' }
      return void (await this.endCluster(operation, { phase: 'FAILED', error, now: this.now() }))
    }
    if (name === 'prepare') await this.prepare(operation, cluster)
    if (name === 'export') await exportCluster(store, operation)
    if (name === 'children') await openChildren(store, operation, cluster.name, this.now())
    await this.pass(operation, null)
  }

  private async proxyroStep(operation: OperationRecord, name: StepName): Promise<void> {
    const { store } = this.deps
    if (name === 'prepare') await giveProxyroPassword(this.deps, operation)
    if (name === 'children') await openChildren(store, operation, operation.target.name, this.now())
    await this.pass(operation, name === 'children' ? await notTold(store, operation) : null)
  }

  private async prepare(operation: OperationRecord, cluster: ClusterRecord): Promise<void> {
    if (operation.sysSecrets !== undefined) return giveSysPassword(this.deps, cluster, operation)
    if (cluster.isSysPasswordOurs)
      await this.deps.secrets.generatePassword(cluster.spec.sysPasswordSecret)
    if (cluster.spec.workMode === 'CONFIG_URL') await giveToken(this.deps, cluster)
  }

  private async pass(operation: OperationRecord, output: string | null): Promise<void> {
    const now = this.now()
    const step = await this.currentStep(operation)
    await this.deps.store.commit([
      put('step', endStep(beginStep(operation, step, now, null), 'SUCCEEDED', now, { output })),
      put('operation', {
        ...operation,
        phase: operation.phase === 'PENDING' ? 'RUNNING' : operation.phase,
        startedAt: operation.startedAt ?? now,
        stepsDone: operation.stepsDone + 1,
      }),
    ])
  }

  private currentStep({ id, stepsDone }: OperationRecord): Promise<StepRecord | null> {
    return this.deps.store.get('step', { operationId: id, n: stepsDone })
  }

  private async endCluster(operation: OperationRecord, ending: Ending): Promise<Turn> {
    const { store } = this.deps
    const [cluster, work] = await Promise.all([
      store.get('cluster', { id: operation.clusterId }),
      store.get('work', { operationId: operation.id }),
    ])
    await dropSysPassword(this.deps, operation, { phase: ending.phase, cluster })
    const ofProxyro = await endProxyro(this.deps, operation, ending)
    const linked = await settleLinks(store, cluster, operation)
    const versioned = await withVersion(store, linked.cluster, operation)
    const left = withoutBalancer(versioned, operation, ending)
    await store.commit([
      ...(await this.lastStep(operation, ending)),
      put('operation', endOf(await remembering(store, operation, ending), ending)),
      ...releaseCluster(left, operation, ending),
      ...ofProxyro,
      ...linked.changes,
      ...workDone(work),
    ])
    this.deps.log({ event: 'ended', operationId: operation.id, phase: ending.phase })
    if (operation.proxyro !== undefined) await this.forgetSecrets()
    return AGAIN
  }

  private async lastStep(
    operation: OperationRecord,
    { phase, now, error }: Ending,
  ): Promise<readonly Change[]> {
    if (operation.stepsDone >= operation.plan.length) return []
    const begun = beginStep(operation, await this.currentStep(operation), now, null)
    return [put('step', endStep(begun, phase, now, { error }))]
  }

  /** The cluster leaves the inventory, and what was made for it; its operations stay. */
  private async forgetCluster(operation: OperationRecord): Promise<void> {
    const { store, secrets } = this.deps
    const picture = await store.cluster(operation.clusterId)
    if (picture === null) return void (await this.endCluster(operation, succeeded(this.now())))
    const { cluster, nodes } = picture
    if (nodes.length > 0)
      return void (await this.endCluster(operation, withNodes(cluster, nodes, this.now())))
    const isMovedOut = operation.type === 'move-out'
    const { keptSysSecrets = [], spec } = cluster
    const isLeft = isMovedOut || keptSysSecrets.length > 0
    // While its name is still taken: no other cluster can have a secret of that name. What proxies have that
    // serve on is not forgotten.
    const isSpared = isMovedOut || keptSysSecrets.includes(spec.sysPasswordSecret)
    if (cluster.isSysPasswordOurs && !isSpared) await secrets.remove(spec.sysPasswordSecret)
    for (const secret of tokenSecretsOf(cluster)) await secrets.remove(secret)
    const ending = succeeded(this.now())
    const [name, obClusters, work] = await Promise.all([
      store.get('clusterName', { name: cluster.name }),
      obClustersOf(store, cluster),
      store.get('work', { operationId: operation.id }),
    ])
    await store.commit([
      ...(await this.lastStep(operation, ending)),
      put('operation', endOf(operation, ending)),
      remove('cluster', cluster),
      ...(name?.id === cluster.id ? [remove('clusterName', name)] : []),
      ...obClusters.map(each =>
        put('obCluster', { ...each, linkCount: Math.max(0, each.linkCount - 1) }),
      ),
      ...(isLeft ? [await movedOutChange(store, operation, cluster, ending.now)] : []),
      ...workDone(work),
    ])
  }

  private now(): number {
    return this.deps.clock.now()
  }
}

/** Nodes that came while it was not at work: none of its children was of them. */
function withNodes({ name }: ClusterRecord, nodes: readonly NodeRecord[], now: number): Ending {
  const names = nodes.map(node => node.name).join(', ')
  const detail = `${name} has nodes that came later: ${names}`.slice(0, 600)
  return { phase: 'FAILED', error: { code: 'in-use', detail }, now }
}

function doneIn(children: readonly OperationRecord[]): number {
  return children.filter(({ phase }) => phase === 'SUCCEEDED').length
}

function succeeded(now: number): Ending {
  return { phase: 'SUCCEEDED', error: null, now }
}
