/** Passwords of proxies are replaced by newer ones, node by node, by reference only. Source: management.md §2.7, §3.16. */
import { newId } from '../domain/ids.ts'
import type { Cluster } from '../domain/model.ts'
import { nextSysSecretOf } from '../domain/names.ts'
import type { OperationRecord, PasswordSecret } from '../domain/operation-record.ts'
import type { Asked, Outcome } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { LIVE_CHANGE, wavesOf } from '../domain/rollout.ts'
import { nodeStatus } from '../domain/status.ts'
import { put } from '../domain/store.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { mutate, type PlaneDeps } from './context.ts'
import { byName, held, newOperation, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'

/**
 * Nodes that run get the new password now, one first; those that do not at their next start. `secret`
 * is the Parameter Store name of one that the caller has put there; without it the plane makes one.
 * @throws Problem cluster-state-conflict, node-state-conflict, operation-not-allowed
 */
export function rotateSysPassword(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  secret: string | undefined,
): Promise<Outcome<Cluster>> {
  const { store, clock } = deps
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(store, ref)
    const { cluster } = picture
    requireFreeCluster(cluster)
    for (const node of picture.nodes) requireFreeNode(node)
    const now = clock.now()
    const nodes = picture.nodes
      .filter(node => nodeStatus(node, picture.reports.get(node.id) ?? null, now) === 'RUNNING')
      .sort(byName)
    const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
    const waves = wavesOf(
      nodes.map(({ idc }) => ({ idc, clients: null })),
      LIVE_CHANGE,
    )
    const operation: OperationRecord = {
      ...newOperation(asked, now, {
        type: 'rotate-sys-password',
        cluster,
        target,
        tasks: nodes.map(node => taskOf(node)),
      }),
      rollout: { rollout: LIVE_CHANGE, waves, undo: null },
      sysSecrets: { before: secretOf(cluster), after: nextSecret(cluster, secret, now) },
    }
    return {
      kind: 'accept',
      operation,
      changes: [put('cluster', held(cluster, operation, now))],
    }
  })
}

function secretOf({ spec, isSysPasswordOurs }: ClusterRecord): PasswordSecret {
  return { name: spec.sysPasswordSecret, isOurs: isSysPasswordOurs }
}

function nextSecret(
  { name, spec }: ClusterRecord,
  secret: string | undefined,
  now: number,
): PasswordSecret {
  if (secret === undefined)
    return { name: nextSysSecretOf(name, newId('operation', now)), isOurs: true }
  if (secret !== spec.sysPasswordSecret) return { name: secret, isOurs: false }
  throw new Problem('operation-not-allowed', 'the new password needs a name of its own', {
    remedy: 'nodes are told of a password by its name; put it under another one',
  })
}
