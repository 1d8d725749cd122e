/** SHOW PROXYRESOURCE, ALTER PROXYRESOURCE DELETE, SHOW PROXYINFO IDC: OB clusters in use. Source: proxy-admin.md §2.4. */
import { Fault } from '#contract/fault'
import { ldcOf } from '../routing/ldc.ts'
import type { Cluster } from '../topology/cluster.ts'
import type { Server } from '../topology/model.ts'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'
import { isLike, literalText, OK, QUOTED, type Rule, textRows } from './answer.ts'
import { timeText } from './times.ts'

const COLUMNS: readonly Column[] = [
  varchar('cluster_name'),
  bigint('cluster_id'),
  varchar('state'),
  ...['version', 'ref_count', 'last_access_time_ns'].map(bigint),
  varchar('last_access_time'),
  bigint('deleting_completed_thread_num'),
  ...['fetch_rs_list_task_count', 'last_fetch_rs_list_time_ns'].map(bigint),
  varchar('last_fetch_rs_list_time'),
  ...['fetch_idc_list_task_count', 'last_fetch_idc_list_time_ns'].map(bigint),
  varchar('last_fetch_idc_list_time'),
]

const IDC_COLUMNS = [
  'global_idc_name',
  'cluster_name',
  'match_type',
  'regions_name',
  'same_idc',
  'same_region',
  'other_region',
]

/** How the regions of this node's IDC were found, as OBProxy names it. */
const MATCHES = {
  idc: 'MATCHED_BY_IDC',
  'zone name': 'MATCHED_BY_ZONE_PREFIX',
  'idc list': 'MATCHED_BY_URL',
  none: 'MATCHED_BY_NONE',
} as const

export const RESOURCE_RULES: readonly Rule[] = [
  {
    grammar: new RegExp(`^show\\s+proxyresource(?:\\s+like\\s*${QUOTED}\\1)?$`, 'is'),
    answer: ([, , pattern], { clusters }) => ({
      kind: 'rows',
      columns: COLUMNS,
      rows: (clusters?.all() ?? [])
        .filter(({ name }) => isLike(pattern, name))
        .map(cluster => cells(cluster, clusters?.usedAt(cluster.name) ?? 0)),
    }),
  },
  {
    grammar: /^alter\s+proxyresource\s+delete\s*(?:\s(\w+)|(['"].*['"]))$/is,
    answer: ([, bare, quoted], { clusters }) => {
      const name = bare ?? literalText(quoted ?? '')
      if (name === '') throw new Fault('admin.argument', { wanted: 'the name of a cluster' })
      if (clusters?.remove(name) !== true) throw new Fault('admin.no-entry', { name })
      return OK
    },
  },
  {
    grammar: /^show\s+proxyinfo\s+idc$/is,
    answer: (_found, { clusters, config }) => {
      const idc = config.get('proxy_idc_name')
      return textRows(
        IDC_COLUMNS,
        (clusters?.all() ?? []).map(cluster => idcCells(cluster, idc)),
      )
    },
  },
]

function cells({ name, picture, isLoaded }: Cluster, usedAtMs: number): readonly Cell[] {
  const state = isLoaded ? 'CR_AVAIL' : 'CR_INITING'
  // A bigint has more digits than a number: the nanoseconds are a text.
  const usedAtNs = `${usedAtMs}000000`
  const known = [name, picture.clusterId, state, picture.version, 1, usedAtNs, timeText(usedAtMs)]
  return [...known, 0, 0, 0, '0', 0, 0, '0']
}

function idcCells({ name, picture }: Cluster, idc: string): readonly Cell[] {
  const { foundBy, regions, nearness } = ldcOf(picture, idc)
  const servers = [...picture.servers.values()]
  const zones = (letter: string) => namesOf(servers, ({ key }) => nearness.get(key) === letter)
  return [
    idc,
    name,
    MATCHES[foundBy],
    listed(regions),
    listed(zones('A')),
    listed(zones('B')),
    listed(zones('C')),
  ]
}

/** Zones of the servers that fit. */
function namesOf(servers: readonly Server[], fits: (server: Server) => boolean): Set<string> {
  return new Set(servers.filter(fits).map(({ zone }) => zone.name))
}

function listed(names: Iterable<string>): string {
  return `[${[...names].map((name, at) => `[${at}]"${name}"`).join(', ')}]`
}
