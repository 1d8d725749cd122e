/**
 * What must be spared when nodes are taken: enough that stay healthy, and clients of a proxy that is deleted.
 * Restarts and upgrades ask it before they begin, deletions too, and plans warn by it where it was overruled.
 * Source: management.md §3.4; management-beyond.md §6.
 */
import { type Health, healthOf, mayBegin, whyTooFew } from '../domain/health.ts'
import { named } from '../domain/named.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import { Problem } from '../domain/problem.ts'
import type { NodeRecord } from '../domain/record.ts'
import { SAFE_ROLLOUT } from '../domain/rollout.ts'
import { nodeStatus } from '../domain/status.ts'
import type { ClusterPicture } from '../domain/store.ts'

/** Of nodes that should run, when one of them is deleted; what a rollout spares unless it is asked otherwise. */
const LEAST_HEALTHY_PERCENT = SAFE_ROLLOUT.minHealthyPercent ?? 0

type Sparing = { readonly percent: number; readonly remedy: string }

/** Something may begin at once, as things stand. @throws Problem node-state-conflict */
export function requireHealth(
  picture: ClusterPicture,
  nodeIds: readonly string[],
  { percent, remedy }: Sparing,
  now: number,
): void {
  const health = healthOf(picture, busyOf(picture), now)
  if (isHealthLeft(health, nodeIds, percent)) return
  throw new Problem('node-state-conflict', whyTooFew(health, percent), { remedy })
}

function isHealthLeft(health: Health, nodeIds: readonly string[], percent: number): boolean {
  return nodeIds.length === 0 || mayBegin(health, percent, nodeIds).ids.length > 0
}

/** Something else works on them: they cannot be counted on. */
function busyOf({ nodes }: ClusterPicture): ReadonlySet<string> {
  return new Set(nodes.filter(({ hold }) => hold !== null).map(({ id }) => id))
}

/** One node goes for good; too few that are healthy would be left by it. */
export function leavesTooFew(picture: ClusterPicture, task: NodeTask, now: number): boolean {
  const health = healthOf(picture, busyOf(picture), now)
  return isStopped(task) && !isHealthLeft(health, [task.nodeId], LEAST_HEALTHY_PERCENT)
}

/** Of one that is released the proxy serves on, and of one out of reach nobody can tell it anything. */
function isStopped({ isReleased, skipHostWork }: NodeTask): boolean {
  return isReleased !== true && !skipHostWork
}

/** Clients that a node has by its newest report; one that has not said how many has none here. */
export function clientsOf({ reports }: ClusterPicture, { id }: Pick<NodeRecord, 'id'>): number {
  const { status, clientConnections = null } = reports.get(id)?.report ?? {}
  return status === 'STOPPED' ? 0 : (clientConnections ?? 0)
}

/** Of nodes that are deleted, whoever would be cut off. @throws Problem in-use */
export function requireNoClients(picture: ClusterPicture, tasks: readonly NodeTask[]): void {
  const cut = tasks
    .filter(isStopped)
    .map(({ name, nodeId: id }) => ({ name, clients: clientsOf(picture, { id }) }))
    .filter(({ clients }) => clients > 0)
  if (cut.length === 0) return
  const found = named(cut.map(({ name, clients }) => `${name} has ${clients}`))
  throw new Problem('in-use', `clients would be cut: ${found}`, {
    remedy:
      'send clients elsewhere and wait until a report says that they are gone, or ask with force=true',
  })
}

/**
 * A proxy that is released serves on with the password of its cluster: one that does not run may have missed
 * that it was replaced, and nobody could log in to it as root@proxysys. @throws Problem node-state-conflict
 */
export function requireServing(
  { nodes, reports }: ClusterPicture,
  tasks: readonly NodeTask[],
  now: number,
): void {
  const released = new Set(
    tasks.flatMap(task => (task.isReleased && !task.skipHostWork ? [task.nodeId] : [])),
  )
  const statusOf = (node: NodeRecord) => nodeStatus(node, reports.get(node.id) ?? null, now)
  const unfit = nodes.filter(node => released.has(node.id) && statusOf(node) !== 'RUNNING')
  if (unfit.length === 0) return
  const found = named(unfit.map(node => `${node.name} is ${statusOf(node)}`))
  throw new Problem('node-state-conflict', `what is released has to be RUNNING: ${found}`, {
    remedy:
      'start it, remove it by mode=uninstall, or forget one out of reach by skipHostWork=true',
  })
}

/** @throws Problem in-use, node-state-conflict */
export function requireSparing(picture: ClusterPicture, task: NodeTask, now: number): void {
  requireNoClients(picture, [task])
  const remedy = 'bring the other nodes up first, or ask with force=true'
  const sparing = { percent: LEAST_HEALTHY_PERCENT, remedy }
  requireHealth(picture, isStopped(task) ? [task.nodeId] : [], sparing, now)
}
