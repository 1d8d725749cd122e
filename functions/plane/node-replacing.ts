/** Use cases that replace the process of one node, or bring its parameters up to date. */
import type { Node } from '../domain/model.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import type { Plane } from '../domain/plane.ts'
import { isBehind, type NodeRequest } from '../domain/status.ts'
import { mutate, type PlaneDeps } from './context.ts'
import { type Found, nothingToDo, onNode } from './on-node.ts'
import { affected, requireFreeCluster, taskOf } from './plans.ts'
import { onFleet, restartMode, upgradeOf } from './replacing.ts'

type Replacements = Pick<Plane['nodes'], 'restart' | 'upgrade' | 'refresh'>

/** A fleet of one, so that what its gate does not let pass goes back like any other; not watched unless asked. */
const UPGRADE_OF_ONE = { canary: 0, canaryBakeMs: 0, bakeMs: 0, onFailure: 'rollback' } as const

export function replacements(
  deps: PlaneDeps,
  find: (ref: string) => Promise<Found>,
  view: (ref: string) => Promise<Node>,
): Replacements {
  /** One that the request can begin on. */
  const settledNode = async (ref: string, request: NodeRequest): Promise<Found> => {
    const found = await find(ref)
    requireFreeCluster(found.picture.cluster)
    affected(found.picture, [found.node], request, deps.clock.now())
    return found
  }
  return {
    restart: (asked, ref, { mode, rollout }) =>
      mutate(deps, asked, view, async () => {
        const found = await settledNode(ref, 'restart')
        const { picture, node } = found
        const way = {
          mode: restartMode(deps, picture, [node], mode),
          drainSec: rollout?.drainSec ?? null,
        }
        return onNode(deps, asked, found, {
          request: 'restart',
          task: { ...taskOf(node), way, ...watchedFor(rollout?.bakeMs) },
        })
      }),
    upgrade: (asked, ref, { mode, version, rollout }) =>
      mutate(deps, asked, view, async () => {
        const { picture, node } = await find(ref)
        requireFreeCluster(picture.cluster)
        const upgrade = await upgradeOf(deps, picture, [node], { version, mode })
        if (upgrade.nodes.length === 0) return nothingToDo(node, 'upgrade')
        const input = { mode, rollout: { ...UPGRADE_OF_ONE, ...rollout } }
        return onFleet(deps, asked, picture, { type: 'upgrade', input, ...upgrade })
      }),
    refresh: (asked, ref) =>
      mutate(deps, asked, view, async () => {
        const found = await settledNode(ref, 'refresh')
        const { cluster, reports } = found.picture
        if (!isBehind(cluster, reports.get(found.node.id) ?? null))
          return nothingToDo(found.node, 'refresh')
        return onNode(deps, asked, found, { request: 'refresh', task: taskOf(found.node) })
      }),
  }
}

function watchedFor(bakeMs: number | undefined): Pick<NodeTask, 'bakeMs'> {
  return bakeMs === undefined ? {} : { bakeMs }
}
