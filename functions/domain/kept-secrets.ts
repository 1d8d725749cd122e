/** Passwords of root@proxysys that proxies go on with which are ours no more. Source: management.md §3.4. */
import type { ClusterRecord } from './record.ts'

/** A proxy is released, or is to be: the password of now is not forgotten any more. */
export function keepingSysSecret(cluster: ClusterRecord): ClusterRecord {
  const { keptSysSecrets = [], spec } = cluster
  if (keptSysSecrets.includes(spec.sysPasswordSecret)) return cluster
  return { ...cluster, keptSysSecrets: [...keptSysSecrets, spec.sysPasswordSecret] }
}
