/**
 * What a decision would lead to, without anything of it being written: the operation's own record tells,
 * by the functions that the engine opens children and ways back with. Why not a planner beside the use
 * cases: it is right until the first of the two is changed. Source: management-beyond.md §3.1.
 */
import type { ChangePlan } from '../domain/change-plan.ts'
import { isId } from '../domain/ids.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { isClusterOperation, STEP_RULES } from '../domain/plan.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { isHealthy } from '../domain/status.ts'
import type { ClusterPicture, Store } from '../domain/store.ts'
import {
  childId,
  childrenOf,
  childToOpen,
  desiredAfter,
  isNothingLeft,
} from '../operations/children.ts'
import { versioned, withoutBalancer, withSysSecret } from '../operations/cluster-steps.ts'
import { hasEnded } from '../operations/member.ts'
import { withVersion } from '../operations/node-steps.ts'
import { undoing } from '../operations/rollouts.ts'
import type { Decision, PlaneDeps } from './context.ts'
import { planOfChange } from './planned-change.ts'

/** The operation of one node, as it would begin. */
export type Child = {
  readonly operation: OperationRecord
  /** Null: it is not there yet. */
  readonly before: NodeRecord | null
  /** Null: it is there no more. */
  readonly after: Pick<NodeRecord, 'desiredState' | 'desiredVersion'> | null
}

export type Foreseen = {
  readonly decision: Decision
  /** As it is; null: there is no cluster yet. */
  readonly picture: ClusterPicture | null
  /** As it would be at the end; null: there is none any more. */
  readonly cluster: ClusterRecord | null
  /** Null: the request itself does it. */
  readonly operation: OperationRecord | null
  /** In the order in which they begin. */
  readonly waves: readonly (readonly Child[])[]
  /** Hosts that Systems Manager reaches, of those that would be told something. */
  readonly online: ReadonlySet<string>
  readonly now: number
}

/** Whose nodes are worked on, or will be. */
const WORKING: readonly OperationRecord['phase'][] = ['PENDING', 'RUNNING', 'ROLLING_BACK']

export async function changePlan(deps: PlaneDeps, decision: Decision): Promise<ChangePlan> {
  const { store, clock, runCommand } = deps
  const now = clock.now()
  const operation = operationOf(decision)
  const picture = await pictureBefore(store, decision, operation)
  const start = startOf(decision, picture)
  const name = start?.name ?? ''
  const operations =
    operation === null
      ? []
      : await childrenToBe(store, operation, { name, now, written: operationsIn(decision) })
  const waves = inOrder(operation, operations, picture, now)
    .map(wave =>
      wave.flatMap(child => {
        const sides = nodeSides(child, picture, start)
        return sides.before === null && isNothingLeft(child) ? [] : [sides]
      }),
    )
    .filter(wave => wave.length > 0)
  const told = waves.flat().map(child => child.operation)
  const hostIds = told.filter(isRemote).map(({ tasks: [task] }) => task?.hostId ?? '')
  return planOfChange({
    decision,
    picture,
    cluster: endOf(start, operation, waves.flat(), picture),
    operation,
    waves,
    online: hostIds.length === 0 ? new Set() : await runCommand.online(hostIds),
    now,
  })
}

function operationsIn({ changes }: Decision): readonly OperationRecord[] {
  return changes.flatMap(({ kind, record }) =>
    kind === 'operation' && 'tasks' in record ? [record] : [],
  )
}

/** As it is stored with the decision; null when nothing is left to be worked on. */
function operationOf(decision: Decision): OperationRecord | null {
  const { operation } = decision
  if (operation === undefined) return null
  const stored = operationsIn(decision).find(({ id }) => id === operation.id)
  const found = stored ?? (decision.kind === 'accept' ? operation : null)
  return found === null || !WORKING.includes(found.phase) ? null : found
}

async function pictureBefore(
  store: Store,
  decision: Decision,
  operation: OperationRecord | null,
): Promise<ClusterPicture | null> {
  const { proxyro } = operation ?? {}
  if (proxyro !== undefined) return pictureOfAll(store, proxyro.clusterIds)
  if (operation !== null) return store.cluster(operation.clusterId)
  if (decision.kind === 'accept') return null
  const [node] = decision.named ?? []
  const clusterId = decision.operation?.clusterId ?? node?.clusterId ?? decision.ref
  return isId('cluster', clusterId) ? store.cluster(clusterId) : null
}

/** Nodes of several clusters, each with the version that it should run; as a picture of the first. */
async function pictureOfAll(
  store: Store,
  clusterIds: readonly string[],
): Promise<ClusterPicture | null> {
  const found = await Promise.all(clusterIds.map(id => store.cluster(id)))
  const pictures = found.filter(each => each !== null)
  const [first] = pictures
  if (first === undefined) return null
  const nodes = pictures.flatMap(({ cluster, nodes: own }) =>
    own.map(node => ({ ...node, desiredVersion: node.desiredVersion ?? cluster.spec.version })),
  )
  return {
    cluster: first.cluster,
    nodes,
    reports: new Map(pictures.flatMap(({ reports }) => [...reports])),
  }
}

/** The cluster as the decision itself leaves it. */
function startOf({ changes }: Decision, picture: ClusterPicture | null): ClusterRecord | null {
  const written = changes.flatMap(({ kind, record }) =>
    kind === 'cluster' && 'spec' in record ? [record] : [],
  )
  const own = picture === null ? 0 : written.findIndex(({ id }) => id === picture.cluster.id)
  return written[own] ?? picture?.cluster ?? null
}

/** In the order of the tasks. */
type Indexed = { readonly task: number; readonly operation: OperationRecord }

type ToBe = {
  readonly name: string
  readonly now: number
  /** Operations as the decision itself leaves them. */
  readonly written: readonly OperationRecord[]
}

async function childrenToBe(
  store: Store,
  parent: OperationRecord,
  { name: clusterName, now, written }: ToBe,
): Promise<readonly Indexed[]> {
  if (!isClusterOperation(parent.type)) return [{ task: 0, operation: parent }]
  const known = parent.version === 0 ? [] : await childrenOf(store, parent)
  const byId = new Map([...known, ...written].map(child => [child.id, child]))
  const existing = (task: number) => byId.get(childId(parent, task)) ?? null
  if (parent.phase === 'ROLLING_BACK') {
    const back = (parent.rollout?.undo ?? []).map(async task => {
      const child = existing(task)
      const undo = child === null ? null : await undoing(store, parent, child, { task, now })
      return undo === null ? [] : [{ task, operation: undo }]
    })
    return (await Promise.all(back)).flat()
  }
  return parent.tasks.flatMap((task, index) => {
    const opening = { parent, index, task, clusterName, now }
    const child = existing(index)
    const open = child === null || hasEnded(child) ? null : child
    const operation = childToOpen(child, opening) ?? open
    return operation === null ? [] : [{ task: index, operation }]
  })
}

/** Wave by wave; in each by task, and what is broken before what is not, where enough must stay healthy. */
function inOrder(
  operation: OperationRecord | null,
  children: readonly Indexed[],
  picture: ClusterPicture | null,
  now: number,
): readonly (readonly OperationRecord[])[] {
  const { rollout, phase } = operation ?? {}
  const isBack = phase === 'ROLLING_BACK'
  const waves = rollout === undefined || isBack ? [children.map(({ task }) => task)] : rollout.waves
  const isBrokenFirst = !isBack && (rollout?.rollout.minHealthyPercent ?? 0) > 0
  const rank = ({ operation: { target } }: Indexed) =>
    isBrokenFirst && isHealthy(picture?.reports.get(target.id) ?? null, now) ? 1 : 0
  return waves
    .map(wave =>
      children
        .filter(({ task }) => wave.includes(task))
        .sort((left, right) => rank(left) - rank(right))
        .map(child => child.operation),
    )
    .filter(wave => wave.length > 0)
}

/** A node is there no more afterwards, or only then. */
const LEAVING: readonly OperationRecord['type'][] = ['delete-node', 'give-back-node']
const JOINING: readonly OperationRecord['type'][] = ['create-node', 'take-over-node']

function nodeSides(
  operation: OperationRecord,
  picture: ClusterPicture | null,
  cluster: ClusterRecord | null,
): Child {
  const [task] = operation.tasks
  const before = picture?.nodes.find(({ id }) => id === operation.target.id) ?? null
  if (LEAVING.includes(operation.type)) return { operation, before, after: null }
  const desiredState = before?.desiredState ?? task?.desiredState ?? 'RUNNING'
  const isNew = before === null && JOINING.includes(operation.type)
  if (before === null)
    return { operation, before, after: isNew && cluster !== null ? { desiredState } : null }
  const held = { ...before, desiredState: desiredAfter(operation, desiredState) }
  return { operation, before, after: withVersion(held, operation) }
}

function isRemote({ plan, stepsDone }: OperationRecord): boolean {
  return plan.slice(stepsDone).some(name => ['remote', 'watch'].includes(STEP_RULES[name].kind))
}

function endOf(
  start: ClusterRecord | null,
  operation: OperationRecord | null,
  children: readonly Child[],
  picture: ClusterPicture | null,
): ClusterRecord | null {
  if (start === null || operation === null) return start
  const { type, sysSecrets, phase } = operation
  if (type === 'delete-cluster' || type === 'move-out') return null
  if (type === 'rotate-sys-password' && sysSecrets !== undefined && phase !== 'ROLLING_BACK')
    return withSysSecret(start, sysSecrets.after)
  if (type === 'detach-balancer')
    return withoutBalancer(start, operation, { phase: 'SUCCEEDED', error: null, now: 0 })
  if (type !== 'upgrade') return start
  const changed = new Map(children.map(({ operation: { target }, after }) => [target.id, after]))
  const nodes = (picture?.nodes ?? []).map(node => ({ ...node, ...changed.get(node.id) }))
  return versioned(start, nodes)
}
