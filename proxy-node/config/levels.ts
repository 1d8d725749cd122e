/**
 * Values below the global level: what holds for one OB cluster alone (proxy-admin.md §3.5). Only
 * proxyro's passwords are kept there; every other parameter is the whole node's. Pure; the store carries
 * it out.
 */
import { Fault } from '#contract/fault'
import { storedPassword } from '../auth/passwords.ts'
import { knownParameter } from './apply.ts'

/** OB cluster → parameter → value as it is kept. */
export type ClusterLevels = ReadonlyMap<string, ReadonlyMap<string, string>>

/** One row of `proxy_config`, its value as ALTER takes it: passwords in clear. */
export type LevelRow = {
  readonly cluster: string
  readonly tenant: string
  readonly vip: string
  readonly level: string
  readonly name: string
  readonly value: string
}

export const CLUSTER_LEVEL = 'LEVEL_CLUSTER'
export const GLOBAL_LEVEL = 'LEVEL_GLOBAL'

/** What may be set for one OB cluster here. */
const BELOW_GLOBAL: ReadonlySet<string> = new Set([
  'observer_sys_password',
  'observer_sys_password1',
])

/** OB clusters that have rows of their own; whoever has more of them has forgotten to delete. */
const MAX_CLUSTERS = 1_000
const MAX_CLUSTER_CHARS = 128

/** Rows of the global level, which are changed as ALTER does it, and the levels with the others in place. @throws Fault */
export function placed(
  levels: ClusterLevels,
  rows: readonly LevelRow[],
): { readonly global: readonly (readonly [string, string])[]; readonly levels: ClusterLevels } {
  const global: (readonly [string, string])[] = []
  const next = new Map(levels)
  for (const row of rows) {
    requireKeys(row)
    const { name, value, cluster } = row
    if (row.level === GLOBAL_LEVEL) global.push([name, value])
    else next.set(cluster, new Map([...(next.get(cluster) ?? []), [name, storedPassword(value)]]))
  }
  if (next.size > MAX_CLUSTERS)
    throw new Fault('config.level', { name: CLUSTER_LEVEL, detail: `has ${MAX_CLUSTERS} at most` })
  return { global, levels: next }
}

/** Levels without the rows that `isGone` names, and how many they are. */
export function without(
  levels: ClusterLevels,
  isGone: (cluster: string, name: string) => boolean,
): { readonly levels: ClusterLevels; readonly count: number } {
  let count = 0
  const next = new Map<string, ReadonlyMap<string, string>>()
  for (const [cluster, values] of levels) {
    const kept = [...values].filter(([name]) => !isGone(cluster, name))
    count += values.size - kept.length
    if (kept.length > 0) next.set(cluster, new Map(kept))
  }
  return { levels: next, count }
}

/** Those whose value may be used: a file that somebody edited must not refuse the start. */
export function usable(levels: ClusterLevels): ClusterLevels {
  return without(levels, (_cluster, name) => !BELOW_GLOBAL.has(name)).levels
}

/** @throws config.unknown-parameter, config.level */
function requireKeys({ name, level, cluster, tenant, vip }: LevelRow): void {
  knownParameter(name)
  const refuse = (detail: string) => new Fault('config.level', { name, detail })
  const hasPlace = cluster !== '' || tenant !== '' || vip !== ''
  if (level === GLOBAL_LEVEL) {
    if (hasPlace) throw refuse(`is of no cluster, tenant or address at ${GLOBAL_LEVEL}`)
    return
  }
  if (level !== CLUSTER_LEVEL) throw refuse(`is set at ${GLOBAL_LEVEL} or ${CLUSTER_LEVEL} here`)
  if (cluster === '' || tenant !== '' || vip !== '' || cluster.length > MAX_CLUSTER_CHARS)
    throw refuse(`wants cluster_name alone at ${CLUSTER_LEVEL}`)
  if (!BELOW_GLOBAL.has(name)) throw refuse(`is the whole node's: ${GLOBAL_LEVEL} only`)
}
