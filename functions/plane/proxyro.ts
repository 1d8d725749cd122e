/**
 * proxyro's password of an OB cluster is replaced, and of every other that the links of proxies which know
 * one password only lead to. All that it reaches is held from one transaction on: nothing is half
 * locked, and two changes cannot wait for each other. Source: management.md §2.7, §3.17, §3.22.
 */
import { newId } from '../domain/ids.ts'
import type { ObCluster } from '../domain/model.ts'
import { nextProxyroSecretOf } from '../domain/names.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { NodeTask, OperationRecord, PasswordSecret } from '../domain/operation-record.ts'
import type { Asked, Outcome } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { changing } from '../domain/proxyro.ts'
import { ALL_AT_ONCE } from '../domain/rollout.ts'
import { nodeStatus } from '../domain/status.ts'
import { type Change, type ClusterPicture, put } from '../domain/store.ts'
import { loosened } from '../operations/loose-secrets.ts'
import { obClustersIn } from '../operations/proxyro-steps.ts'
import { sourcesOf } from '../operations/sources.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import { requireRotatable } from './fitting.ts'
import { byName, held, newOperation, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'
import { type Taken, withAlterers } from './proxyro-alterers.ts'
import { type Reached, reachedFrom, requireUnchanging } from './proxyro-reach.ts'
import { obClusterViewOf } from './registry.ts'

/** Nodes of one change; their tasks are one item. */
const MAX_NODES = 1_000
/** A transaction has a hundred writes; the operation, its work, its request and its audit entry are among them. */
const MAX_CHANGES = 95

/**
 * `secret` is the Parameter Store name of a password that the caller has put there; without it the plane
 * makes one. @throws Problem not-found, password-change-in-progress, cluster-state-conflict,
 * node-state-conflict, version-too-low, proxyro-mismatch, quota-exceeded, operation-not-allowed
 */
export function rotateProxyro(
  deps: PlaneDeps,
): (asked: Asked, name: string, secret: string | undefined) => Promise<Outcome<ObCluster>> {
  return (asked, name, secret) =>
    mutate(deps, asked, obClusterViewOf(deps), () => decideRotation(deps, asked, name, secret))
}

async function decideRotation(
  deps: PlaneDeps,
  asked: Asked,
  name: string,
  secret: string | undefined,
): Promise<Decision> {
  const now = deps.clock.now()
  const reached = await reachedFrom(deps.store, name)
  for (const record of reached.obClusters) requireUnchanging(record)
  requireIdle(reached)
  const operation: OperationRecord = {
    ...newOperation(asked, now, {
      type: 'rotate-proxyro-password',
      cluster: null,
      target: { kind: 'ob-cluster', id: name, name },
      tasks: tasksOf(reached, now),
    }),
    proxyro: {
      obClusters: reached.obClusters.map(record => ({ name: record.name, before: before(record) })),
      clusterIds: reached.pictures.map(({ cluster }) => cluster.id),
      after: nextSecret(reached, name, secret, now),
    },
  }
  requireRotatable(operation, reached, await sourcesOf(deps, operation))
  const waves = [operation.tasks.map((_task, at) => at)]
  const rollout = { ...ALL_AT_ONCE, onFailure: 'rollback' as const }
  return {
    kind: 'accept',
    operation: { ...operation, rollout: { rollout, waves, undo: null } },
    changes: locksOf(reached, operation, now),
  }
}

function requireIdle({ pictures }: Reached): void {
  for (const { cluster, nodes } of pictures) {
    requireFreeCluster(cluster)
    for (const node of nodes) requireFreeNode(node)
  }
}

function locksOf(
  { obClusters, pictures }: Reached,
  operation: OperationRecord,
  now: number,
): readonly Change[] {
  const hold = { operationId: operation.id, type: operation.type }
  return [
    ...pictures.map(({ cluster }) => put('cluster', held(cluster, operation, now))),
    ...obClusters.map(record =>
      put('obCluster', { ...record, hold, revision: record.revision + 1, updatedAt: now }),
    ),
  ]
}

function before({ proxyroSecret, isProxyroOurs = false }: ObClusterRecord): PasswordSecret {
  return { name: proxyroSecret, isOurs: isProxyroOurs }
}

/** @throws Problem operation-not-allowed */
function nextSecret(
  { obClusters }: Reached,
  name: string,
  secret: string | undefined,
  now: number,
): PasswordSecret {
  if (secret === undefined)
    return { name: nextProxyroSecretOf(name, newId('operation', now)), isOurs: true }
  const taken = obClusters.find(({ proxyroSecret }) => proxyroSecret === secret)
  if (taken === undefined) return { name: secret, isOurs: false }
  throw new Problem('operation-not-allowed', `${secret} is the password of ${taken.name} already`, {
    remedy: 'nodes are told of a password by its name; put the new one under another name',
  })
}

/** Nodes that run are told now, the others at their next start; one of each OB cluster changes it there. */
function tasksOf({ obClusters, pictures }: Reached, now: number): readonly NodeTask[] {
  const running = pictures.flatMap(picture => runningOf(picture, now))
  if (running.length > MAX_NODES)
    throw new Problem('quota-exceeded', `it reaches ${running.length} nodes, ${MAX_NODES} at most`)
  const alters = running.map((): string[] => [])
  for (const { name } of obClusters) {
    const able = running.flatMap(({ links }, at) => (links.includes(name) ? [at] : []))
    const [chosen] = able.sort((one, other) => sizeAt(alters, one) - sizeAt(alters, other))
    if (chosen === undefined)
      throw new Problem('operation-not-allowed', `no node runs that is linked to ${name}`, {
        remedy: 'start one: the password is changed, and tried, from nodes',
      })
    alters[chosen]?.push(name)
  }
  return running.map(({ task }, at) => {
    const own = alters[at] ?? []
    return own.length === 0 ? task : { ...task, alters: own }
  })
}

function sizeAt(lists: readonly (readonly string[])[], at: number): number {
  return lists[at]?.length ?? 0
}

function runningOf({ cluster, nodes, reports }: ClusterPicture, now: number) {
  const links = cluster.spec.links.map(({ obCluster }) => obCluster)
  return nodes
    .filter(node => nodeStatus(node, reports.get(node.id) ?? null, now) === 'RUNNING')
    .sort(byName)
    .map(node => ({ links, task: { ...taskOf(node), clusterId: cluster.id } }))
}

/**
 * A change that goes on, or goes back, with its locks. What it reaches may have become less, never more; what a
 * node was to do that is gone another one does.
 * @throws Problem operation-not-allowed, cluster-state-conflict, password-change-in-progress
 */
export async function lockedAgain(
  { store, clock }: PlaneDeps,
  operation: OperationRecord,
  isBack: boolean,
): Promise<Taken> {
  const { proxyro, target } = operation
  if (proxyro === undefined) return { operation, changes: [] }
  const reached = await reachedFrom(store, target.name)
  const known = new Set([...proxyro.clusterIds, ...proxyro.obClusters.map(({ name }) => name)])
  const found = [
    ...reached.pictures.map(({ cluster }) => cluster.id),
    ...reached.obClusters.map(({ name }) => name),
  ]
  if (found.some(each => !known.has(each)))
    throw new Problem('operation-not-allowed', `links have been added since ${operation.id}`, {
      remedy: 'replace the password by another request',
    })
  requireIdle(reached)
  const records = await obClustersIn(store, proxyro)
  for (const record of records) requireOwn(record, operation)
  const after = isBack ? records.map(record => changing(record, operation)) : records
  const named = isBack ? proxyro.obClusters.map(each => each.before.name) : []
  const now = clock.now()
  const { pictures } = reached
  const taken = await withAlterers(store, operation, { pictures, isBack, now })
  const changes = [
    ...taken.changes,
    ...(await loosened(store, named)),
    ...locksOf({ ...reached, obClusters: after }, operation, now),
  ]
  if (changes.length > MAX_CHANGES)
    throw new Problem('quota-exceeded', `${operation.id} reaches too much to be begun anew`, {
      remedy: `end it: name the password that counts by PUT of another proxyroSecret`,
    })
  return { operation: taken.operation, changes }
}

/** @throws Problem password-change-in-progress, operation-not-allowed */
function requireOwn(record: ObClusterRecord, { id, proxyro }: OperationRecord): void {
  if (record.proxyroChange?.operationId !== id) requireUnchanging(record)
  const one = proxyro?.obClusters.find(({ name }) => name === record.name)
  const names = [one?.before.name, proxyro?.after.name]
  if (names.includes(record.proxyroSecret)) return
  throw new Problem('operation-not-allowed', `${record.name} has another password since ${id}`)
}
