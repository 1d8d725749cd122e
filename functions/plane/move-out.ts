/**
 * A cluster is moved out: every proxy serves on unmanaged, the cluster leaves the inventory, and a document
 * says how to make it again. Source: management.md §3.13.
 */

import { named } from '../domain/named.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { Asked, MoveOutInput, Outcome } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { NodeRecord } from '../domain/record.ts'
import { nodeStatus } from '../domain/status.ts'
import { type ClusterPicture, put, type Store } from '../domain/store.ts'
import { pictureIn } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import {
  byName,
  chosen,
  held,
  newOperation,
  requireFreeCluster,
  requireFreeNode,
  requireLeaving,
  taskOf,
} from './plans.ts'

/**
 * One that was moved out already is no error.
 * @throws Problem confirmation-required, deletion-protected, cluster-state-conflict,
 * password-change-in-progress, node-state-conflict, validation-failed, not-found
 */
export function moveOut(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: MoveOutInput,
): Promise<Outcome<null>> {
  const nothing = async () => null
  return mutate(deps, asked, nothing, async (): Promise<Decision> => {
    const picture = await pictureIn(deps.store, ref)
    if (picture === null) return gone(deps.store, ref, input)
    const { cluster } = picture
    requireLeaving(cluster, input)
    requireFreeCluster(cluster)
    for (const node of picture.nodes) requireFreeNode(node)
    const now = deps.clock.now()
    const skipped = skippedOf(picture, input, now)
    const tasks = [...picture.nodes].sort(byName).map(node => ({
      ...taskOf(node, skipped.includes(node)),
      isReleased: true,
    }))
    const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
    const operation: OperationRecord = {
      ...newOperation(asked, now, { type: 'move-out', cluster, target, tasks }),
      movedOut: { graceMs: input.graceMs },
    }
    return { kind: 'accept', operation, changes: [put('cluster', held(cluster, operation, now))] }
  })
}

async function gone(store: Store, ref: string, { confirm }: MoveOutInput): Promise<Decision> {
  const all = await store.movedOut(confirm ?? ref)
  const found = all.findLast(
    ({ id, name, isDeleted }) => isDeleted !== true && (id === ref || name === ref),
  )
  if (found === undefined) throw new Problem('not-found', `there is no cluster ${ref}`)
  return { kind: 'done', action: 'move-out', ref: found.id, isCreated: false, changes: [] }
}

/** Nodes that nobody is sent to. @throws Problem when another one is not running */
function skippedOf(
  { cluster, nodes, reports }: ClusterPicture,
  { skipHostWork }: MoveOutInput,
  now: number,
): readonly NodeRecord[] {
  const { name } = cluster
  if (nodes.length === 0)
    throw new Problem('cluster-state-conflict', `${name} is EMPTY; it has nothing to move out`, {
      remedy: 'delete it',
    })
  const skipped = chosen({ cluster, nodes, reports }, skipHostWork, '/skipHostWork')
  const statusOf = (node: NodeRecord) => nodeStatus(node, reports.get(node.id) ?? null, now)
  const within = skipped.find(node => statusOf(node) !== 'UNAVAILABLE')
  if (within !== undefined)
    throw new Problem(
      'node-state-conflict',
      `${within.name} is ${statusOf(within)}; only one that is out of reach can be skipped`,
      { remedy: 'leave it out of skipHostWork' },
    )
  const unfit = nodes.filter(node => !skipped.includes(node) && statusOf(node) !== 'RUNNING')
  if (unfit.length === 0) return skipped
  const found = named(unfit.map(node => `${node.name} is ${statusOf(node)}`))
  throw new Problem('cluster-state-conflict', `${name} has to be RUNNING: ${found}`, {
    remedy: 'start them, or name those that are out of reach in skipHostWork',
  })
}
