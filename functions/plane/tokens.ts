/**
 * Tokens of the config service are replaced by newer ones, and the one before opens on, so that who
 * carries it is never shut out (PL12). A token is kept under a name of its own before it counts:
 * whatever is interrupted, the name in the table is of a token that opens.
 */

import { configTokenSecretOf, registrarSecretOf } from '../domain/names.ts'
import type { Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { TokenRecord } from '../domain/record.ts'
import type { Secrets } from '../domain/remote.ts'
import { put } from '../domain/store.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { mutate, type PlaneDeps } from './context.ts'
import { requireFreeCluster } from './plans.ts'
import { obClusterOf, obClusterViewOf } from './registry.ts'

export function rotateConfigToken(deps: PlaneDeps): Plane['clusters']['rotateConfigToken'] {
  return async (asked, ref) => {
    const outcome = await mutate(deps, asked, viewOf(deps), async () => {
      const { cluster } = await pictureOf(deps.store, ref)
      requireFreeCluster(cluster)
      if (cluster.configToken === undefined)
        throw new Problem('operation-not-allowed', `${cluster.name} has no token: it is RS_LIST`)
      const configToken = await nextToken(deps.secrets, cluster.configToken, number =>
        configTokenSecretOf(cluster.name, number),
      )
      const now = deps.clock.now()
      const after = { ...cluster, configToken, updatedAt: now, revision: cluster.revision + 1 }
      const changes = [put('cluster', after)]
      return {
        kind: 'done',
        action: 'rotate-config-token',
        ref: cluster.id,
        isCreated: false,
        changes,
      }
    })
    if (outcome.kind !== 'done') throw new Error('a token is replaced at once')
    return outcome
  }
}

export function rotateRegistrar(deps: PlaneDeps): Plane['obClusters']['rotateToken'] {
  return async (asked, name) => {
    const outcome = await mutate(deps, asked, obClusterViewOf(deps), async () => {
      if (deps.configServiceUrl === null)
        throw new Problem('operation-not-allowed', 'there is no config service here')
      const record = await obClusterOf(deps.store, name)
      const registrar = await nextToken(deps.secrets, record.registrar, number =>
        registrarSecretOf(name, number),
      )
      const now = deps.clock.now()
      const after = { ...record, registrar, updatedAt: now, revision: record.revision + 1 }
      const changes = [put('obCluster', after)]
      return {
        kind: 'done',
        action: 'rotate-rootservice-token',
        ref: name,
        isCreated: false,
        changes,
      }
    })
    if (outcome.kind !== 'done') throw new Error('a token is replaced at once')
    return outcome
  }
}

/** The token after `before`, which goes on opening; the one before that does not. */
async function nextToken(
  secrets: Secrets,
  before: TokenRecord | undefined,
  nameOf: (number: number) => string,
): Promise<TokenRecord> {
  const number = (before?.number ?? 0) + 1
  const secret = nameOf(number)
  const newest = await secrets.generateToken(secret)
  return { secret, number, live: [newest, ...(before?.live ?? [])].slice(0, 2) }
}
