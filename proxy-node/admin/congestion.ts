/** SHOW PROXYCONGESTION: servers, and what speaks against them. Source: proxy-routing.md §9, §12.2. */
import { Fault } from '#contract/fault'
import type { Standing } from '../topology/blacklist.ts'
import type { Cluster } from '../topology/cluster.ts'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'
import { QUOTED, type Rule } from './answer.ts'
import { timeText } from './times.ts'

const COLUMNS: readonly Column[] = [
  ...['cluster_name', 'zone_name', 'region_name', 'zone_state', 'server_ip'].map(varchar),
  bigint('cr_version'),
  varchar('server_state'),
  bigint('alive_congested'),
  varchar('last_alive_congested'),
  bigint('dead_congested'),
  varchar('last_dead_congested'),
  bigint('stat_alive_failures'),
  bigint('stat_conn_failures'),
  varchar('conn_last_fail_time'),
  bigint('conn_failure_events'),
  varchar('alive_last_fail_time'),
  bigint('alive_failure_events'),
  bigint('ref_count'),
  bigint('detect_congested'),
  varchar('last_detect_congested'),
]

export const CONGESTION_RULES: readonly Rule[] = [
  {
    grammar: new RegExp(
      `^show\\s+proxycongestion(\\s+all)?(?:\\s*${QUOTED}\\2|\\s+(\\w+))?$`,
      'is',
    ),
    answer: ([, all, , quoted, bare], { clusters }) => {
      const name = quoted ?? bare
      const kept = clusters?.all() ?? []
      const wanted = name === undefined ? kept : kept.filter(one => one.name === name)
      if (name !== undefined && wanted.length === 0) throw new Fault('admin.no-entry', { name })
      const nowMs = clusters?.now() ?? 0
      return {
        kind: 'rows',
        columns: COLUMNS,
        rows: wanted.flatMap(cluster => rowsOf(cluster, all !== undefined, nowMs)),
      }
    },
  },
]

function rowsOf(cluster: Cluster, isAll: boolean, nowMs: number): readonly (readonly Cell[])[] {
  return [...cluster.blacklist.servers()].flatMap(({ key }) => {
    const standing = cluster.blacklist.standingOf(key, nowMs)
    if (standing === undefined) return []
    return isAll || isExcluded(cluster, standing) ? [cells(cluster, standing)] : []
  })
}

/** Statements do not go there now, whoever says so. */
function isExcluded(
  { picture }: Cluster,
  { key, state, dead, alive, detected }: Standing,
): boolean {
  const isStopped = state !== 'ACTIVE' || picture.servers.get(key)?.zone.state === 'UPGRADE'
  return isStopped || dead.isSet || alive.isSet || detected.isSet
}

function cells({ name, picture }: Cluster, standing: Standing): readonly Cell[] {
  const { key, dead, alive, detected } = standing
  const zone = picture.servers.get(key)?.zone
  return [
    name,
    zone?.name ?? '',
    zone?.region ?? '',
    zone?.state ?? 'DELETED',
    key,
    picture.version,
    stateText(standing),
    alive.isSet ? 1 : 0,
    timeText(alive.changedAtMs),
    dead.isSet ? 1 : 0,
    timeText(dead.changedAtMs),
    standing.failures,
    standing.connectFailures,
    timeText(standing.lastConnectFailureAtMs),
    standing.connectFailureEvents,
    timeText(standing.lastFailureAtMs),
    standing.failureEvents,
    1,
    detected.isSet ? 1 : 0,
    timeText(detected.changedAtMs),
  ]
}

/** As reported; of one that is said to be well, what else is known. */
function stateText({ state, alive, detected }: Standing): string {
  if (state !== 'ACTIVE') return state
  if (detected.isSet) return 'DETECT_DEAD'
  return alive.isSet ? 'ACTIVE_CONGESTED' : state
}
