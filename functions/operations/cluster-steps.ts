/** What is done to a cluster itself on the way of its operation. */
import { isLinkedIn } from '../domain/link.ts'
import { counted, withLinks } from '../domain/link-change.ts'
import { configTokenSecretOf } from '../domain/names.ts'
import type { OperationRecord, PasswordSecret } from '../domain/operation-record.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { type Change, put, type Store } from '../domain/store.ts'
import type { Ending } from './ending.ts'
import type { EngineDeps } from './ports.ts'

/** The first token of a cluster's nodes: kept under its name before the table counts it. */
export async function giveToken(
  { store, secrets }: EngineDeps,
  cluster: ClusterRecord,
): Promise<void> {
  if (cluster.configToken !== undefined) return
  const secret = configTokenSecretOf(cluster.name, 1)
  const live = [await secrets.generateToken(secret)]
  await store.commit([put('cluster', { ...cluster, configToken: { secret, number: 1, live } })])
}

/** The password that takes the place of another, made before anything names it; a name that is in place was made. */
export async function giveSysPassword(
  { store, secrets }: EngineDeps,
  cluster: ClusterRecord,
  { sysSecrets }: OperationRecord,
): Promise<void> {
  const after = sysSecrets?.after
  if (after === undefined || cluster.spec.sysPasswordSecret === after.name) return
  if (after.isOurs) await secrets.generatePassword(after.name)
  await store.commit([put('cluster', withSysSecret(cluster, after))])
}

export function withSysSecret(
  cluster: ClusterRecord,
  { name, isOurs }: PasswordSecret,
): ClusterRecord {
  return {
    ...cluster,
    spec: { ...cluster.spec, sysPasswordSecret: name },
    isSysPasswordOurs: isOurs,
  }
}

/**
 * Forgets the password that no node has any more: the old one once all have the new, the new one once
 * all are back at the old. While both may be in use, both are kept.
 */
export async function dropSysPassword(
  { secrets }: EngineDeps,
  { sysSecrets }: OperationRecord,
  ended: {
    readonly phase: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'ROLLED_BACK'
    readonly cluster: ClusterRecord | null
  },
): Promise<void> {
  if (sysSecrets === undefined) return
  const { before, after } = sysSecrets
  const { phase, cluster } = ended
  const gone = { SUCCEEDED: before, ROLLED_BACK: after, FAILED: null, CANCELLED: null }[phase]
  // Proxies that were released go on with theirs.
  const isKept = gone !== null && (cluster?.keptSysSecrets ?? []).includes(gone.name)
  if (gone?.isOurs === true && !isKept) await secrets.remove(gone.name)
}

/**
 * A link that no node has logged in by is none when its operation ends; the OB cluster of a link that is
 * gone for good may go. What may still come back was counted until now.
 */
export async function settleLinks(
  store: Store,
  cluster: ClusterRecord | null,
  { linkChange: change }: OperationRecord,
): Promise<{ readonly cluster: ClusterRecord | null; readonly changes: readonly Change[] }> {
  if (cluster === null || change === undefined) return { cluster, changes: [] }
  const isTried = cluster.linksServed === undefined
  const left = isTried ? cluster : withLinks(cluster, change, 'before')
  if (isLinkedIn(left.spec.links, change.obCluster)) return { cluster: left, changes: [] }
  const record = await store.get('obCluster', { name: change.obCluster })
  return {
    cluster: left,
    changes: record === null ? [] : [put('obCluster', counted(record, -1))],
  }
}

/** Of a token that counts, and of the one before. */
export function tokenSecretsOf({ name, configToken }: ClusterRecord): readonly string[] {
  if (configToken === undefined) return []
  const { number } = configToken
  return Array.from({ length: number }, (_none, index) =>
    configTokenSecretOf(name, index + 1),
  ).slice(-2)
}

/** A cluster has its balancer until all its nodes are out of it. */
export function withoutBalancer(
  cluster: ClusterRecord | null,
  { type }: OperationRecord,
  { phase }: Ending,
): ClusterRecord | null {
  if (cluster === null || type !== 'detach-balancer' || phase !== 'SUCCEEDED') return cluster
  const { loadBalancer: _gone, ...spec } = cluster.spec
  return { ...cluster, spec, generation: cluster.generation + 1 }
}

/** A cluster is of the version that all its nodes are of, once an upgrade, or its way back, is over. */
export async function withVersion(
  store: Store,
  cluster: ClusterRecord | null,
  { type }: OperationRecord,
): Promise<ClusterRecord | null> {
  if (cluster === null || type !== 'upgrade') return cluster
  return versioned(cluster, (await store.cluster(cluster.id))?.nodes ?? [])
}

/** The cluster with the version that all of `nodes`, which are its own, should run; as it is while they differ. */
export function versioned(cluster: ClusterRecord, nodes: readonly NodeRecord[]): ClusterRecord {
  const [version, ...others] = new Set(
    nodes.map(({ desiredVersion }) => desiredVersion ?? cluster.spec.version),
  )
  if (version === undefined || others.length > 0 || version === cluster.spec.version) return cluster
  const { spec, generation } = cluster
  return { ...cluster, spec: { ...spec, version }, generation: generation + 1 }
}
