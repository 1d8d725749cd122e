/**
 * What a change of proxyro's password does to records and secrets: the new one is made before anything
 * names it, OB clusters name both while either may count, and the one that no node has any more is
 * given up. Source: management.md §3.17; decisions PL2, PL7.
 */
import type { OperationPhase } from '../domain/model.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { OperationRecord, ProxyroTask } from '../domain/operation-record.ts'
import { afterChange, changing } from '../domain/proxyro.ts'
import { type Change, put, type Store } from '../domain/store.ts'
import { childrenOf } from './children.ts'
import { type Ending, releaseCluster } from './ending.ts'
import { loosened } from './loose-secrets.ts'
import type { EngineDeps } from './ports.ts'

const MAX_OUTPUT = 2_000

/** From here on nodes are given both. Can run twice: a password that is named already was made. */
export async function giveProxyroPassword(
  { store, secrets }: EngineDeps,
  operation: OperationRecord,
): Promise<void> {
  const { proxyro } = operation
  if (proxyro === undefined) return
  const records = await obClustersIn(store, proxyro)
  const isNamed = ({ proxyroChange, proxyroSecret }: ObClusterRecord) =>
    [proxyroChange?.secret, proxyroSecret].includes(proxyro.after.name)
  if (records.every(isNamed)) return
  // Before it is made: who removes the one of an earlier round is seen by this.
  const named = await loosened(store, [proxyro.after.name])
  if (proxyro.after.isOurs) await secrets.generatePassword(proxyro.after.name)
  await store.commit([
    ...records.map(record => put('obCluster', changing(record, operation))),
    ...named,
  ])
}

/** Names of nodes that stand or are out of reach: they are given what counts when they are started. */
export async function notTold(
  store: Store,
  { proxyro, tasks }: OperationRecord,
): Promise<string | null> {
  const told = new Set(tasks.map(({ nodeId }) => nodeId))
  const names: string[] = []
  for (const id of proxyro?.clusterIds ?? [])
    for (const node of (await store.cluster(id))?.nodes ?? [])
      if (!told.has(node.id)) names.push(node.name)
  return names.length === 0 ? null : `at their next start: ${names.join(' ')}`.slice(0, MAX_OUTPUT)
}

export function obClustersIn(
  store: Store,
  { obClusters }: ProxyroTask,
): Promise<readonly ObClusterRecord[]> {
  return store.getMany(
    'obCluster',
    obClusters.map(({ name }) => ({ name })),
  )
}

/**
 * All that it holds is free, and OB clusters name the password that counts; both, where nobody can
 * say which. The other one goes after that.
 */
export async function endProxyro(
  { store }: Pick<EngineDeps, 'store'>,
  operation: OperationRecord,
  ending: Ending,
): Promise<readonly Change[]> {
  const { proxyro } = operation
  if (proxyro === undefined) return []
  const phase = await phaseOf(store, operation, ending)
  const [clusters, obClusters, given] = await Promise.all([
    store.getMany(
      'cluster',
      proxyro.clusterIds.map(id => ({ id })),
    ),
    obClustersIn(store, proxyro),
    loosened(store, outdated(proxyro, phase)),
  ])
  return [
    ...given,
    ...clusters.flatMap(cluster => releaseCluster(cluster, operation, ending)),
    ...obClusters
      .filter(({ hold }) => hold?.operationId === operation.id)
      .map(record =>
        put('obCluster', {
          ...afterChange(record, operation, phase),
          hold: null,
          revision: record.revision + 1,
          updatedAt: ending.now,
        }),
      ),
  ]
}

/** What has changed nothing at an OB cluster leaves the password before, whatever nodes have been told. */
async function phaseOf(
  store: Store,
  operation: OperationRecord,
  { phase }: Ending,
): Promise<OperationPhase> {
  if (phase === 'SUCCEEDED' || (await mayBeAltered(store, operation))) return phase
  return 'ROLLED_BACK'
}

/** Nothing is changed at an OB cluster before all nodes have been offered the new password. */
export async function mayBeAltered(store: Store, operation: OperationRecord): Promise<boolean> {
  const { proxyro, tasks } = operation
  if (proxyro === undefined) return false
  if (proxyro.mayBeAltered === true) return true
  const children = await childrenOf(store, operation)
  const isOffered = ({ plan, stepsDone }: OperationRecord) => stepsDone > plan.indexOf('offer')
  return children.length === tasks.length && children.every(isOffered)
}

/** What it ended in, for a later round, where its nodes begin anew. */
export async function remembering(
  store: Store,
  operation: OperationRecord,
  { phase }: Ending,
): Promise<OperationRecord> {
  const { proxyro } = operation
  if (proxyro === undefined) return operation
  const isOver = phase === 'SUCCEEDED' || phase === 'ROLLED_BACK'
  const altered = !isOver && (await mayBeAltered(store, operation))
  return { ...operation, proxyro: { ...proxyro, mayBeAltered: altered } }
}

/** Those that count no more: whether others name them is looked at afterwards. */
function outdated({ obClusters, after }: ProxyroTask, phase: OperationPhase): readonly string[] {
  if (phase === 'ROLLED_BACK') return [after.name]
  return phase === 'SUCCEEDED' ? obClusters.map(({ before }) => before.name) : []
}
