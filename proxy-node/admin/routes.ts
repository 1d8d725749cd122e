/** SHOW PROXYROUTE: what the supervisor knows of where things are. Source: proxy-routing.md §12.2. */
import type { Cluster } from '../topology/cluster.ts'
import { namesOf } from '../topology/cluster-locations.ts'
import type { Entry, LocationStore } from '../topology/location-store.ts'
import type { Replica } from '../topology/model.ts'
import type { PartitionEntry, RoutineEntry, TableEntry } from '../topology/table-entry.ts'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'
import { type AdminPorts, type AdminRows, isLike, LIKE, type Rule } from './answer.ts'
import { timeText } from './times.ts'

/** A cache may hold a million entries: the first of those that fit are shown. */
const MOST_ROWS = 10_000
/** Some milliseconds of looking. */
const KEYS_AT_ONCE = 5_000

const TIMES: readonly Column[] = [
  ...['create_time', 'last_valid_time', 'last_access_time', 'last_update_time'].map(varchar),
  ...['expire_time', 'relative_expire_time'].map(varchar),
]
const VERSIONS: readonly Column[] = [bigint('cluster_version'), bigint('schema_version')]

const TABLES: readonly Column[] = [
  ...['cluster_name', 'tenant_name', 'database_name', 'table_name', 'state'].map(varchar),
  ...['partition_num', 'replica_num', 'table_id'].map(bigint),
  ...VERSIONS,
  varchar('from_rslist'),
  ...TIMES,
  varchar('server addr'),
]
const PARTITIONS: readonly Column[] = [
  bigint('table_id'),
  bigint('partition_id'),
  varchar('state'),
  ...VERSIONS,
  ...TIMES,
  varchar('server addr'),
]
const ROUTINES: readonly Column[] = [
  ...['cluster_name', 'tenant_name', 'database_name', 'package_name'].map(varchar),
  ...['routine_name', 'state'].map(varchar),
  ...['routine_num', 'routine_id'].map(bigint),
  ...VERSIONS,
  ...TIMES,
  varchar('route_sql'),
]
const GLOBAL_INDEXES: readonly Column[] = [
  ...['table_id', 'data_table_id'].map(bigint),
  ...['index_table_name', 'state'].map(varchar),
  ...VERSIONS,
  ...TIMES,
]

/** One kind of entry as rows. */
type Kind<V> = {
  readonly columns: readonly Column[]
  readonly entries: (cluster: Cluster) => LocationStore<V>
  /** What patterns are compared to, behind the cluster's name. */
  readonly names: (key: string) => readonly string[]
  readonly cells: (cluster: Cluster, entry: Entry<V>, times: readonly Cell[]) => readonly Cell[]
}

const TABLE_KIND: Kind<TableEntry> = {
  columns: TABLES,
  entries: ({ locations }) => locations.tables,
  names: key => namesIn(key).slice(0, 3),
  cells: ({ name, picture }, { key, state, value }, times) => [
    name,
    ...namesIn(key).slice(0, 3),
    state.toUpperCase(),
    value?.partNum ?? 0,
    value?.replicas.length ?? 0,
    value?.tableId ?? '0',
    picture.version,
    value?.schemaVersion ?? '0',
    'N',
    ...times,
    serversText(value?.replicas ?? []) + partitionText(value),
  ],
}

const PARTITION_KIND: Kind<PartitionEntry> = {
  columns: PARTITIONS,
  entries: ({ locations }) => locations.partitions,
  names: namesIn,
  cells: ({ picture }, { key, state, value }, times) => [
    value?.tableId ?? '0',
    value?.tabletId ?? namesOf(key).id,
    state.toUpperCase(),
    picture.version,
    '0',
    ...times,
    serversText(value?.replicas ?? []),
  ],
}

const ROUTINE_KIND: Kind<RoutineEntry> = {
  columns: ROUTINES,
  entries: ({ locations }) => locations.routines,
  names: routineNames,
  cells: ({ name, picture }, { key, state, value }, times) => [
    name,
    ...routineNames(key),
    state.toUpperCase(),
    value?.routineType ?? 0,
    value?.routineId ?? '0',
    picture.version,
    value?.schemaVersion ?? '0',
    ...times,
    value?.sql ?? '',
  ],
}

export const ROUTE_RULES: readonly Rule[] = [
  {
    grammar: new RegExp(`^show\\s+proxyroute${LIKE}`, 'is'),
    answer: ([, , pattern], ports) => listed(TABLE_KIND, pattern, ports),
  },
  {
    grammar: new RegExp(`^show\\s+proxyroute\\s+partition${LIKE}`, 'is'),
    answer: ([, , pattern], ports) => listed(PARTITION_KIND, pattern, ports),
  },
  {
    grammar: new RegExp(`^show\\s+proxyroute\\s+routine${LIKE}`, 'is'),
    answer: ([, , pattern], ports) => listed(ROUTINE_KIND, pattern, ports),
  },
  {
    // Statements are not routed by global indexes: there are none to show.
    grammar: new RegExp(`^show\\s+proxyroute\\s+globalindex${LIKE}`, 'is'),
    answer: () => ({ kind: 'rows', columns: GLOBAL_INDEXES, rows: [] }),
  },
]

/** Patterns are one for a name, with blanks between them; those that are left out fit everything. */
async function listed<V>(
  kind: Kind<V>,
  patterns: string | undefined,
  { clusters, config }: AdminPorts,
): Promise<AdminRows> {
  const [ofCluster, ...wanted] = (patterns ?? '').split(/\s+/).filter(one => one !== '')
  const periodMs = config.timeMs('location_expire_period_time')
  const rows: (readonly Cell[])[] = []
  for (const cluster of clusters?.all() ?? []) {
    if (clusters === undefined || !isLike(ofCluster, cluster.name)) continue
    const entries = await wantedOf(kind, cluster, wanted, clusters.pause)
    for (const entry of entries)
      if (rows.length < MOST_ROWS) rows.push(kind.cells(cluster, entry, timesOf(entry, periodMs)))
  }
  return { kind: 'rows', columns: kind.columns, rows }
}

/** Looks at all keys, with a pause between many of them. */
async function wantedOf<V>(
  { entries, names }: Kind<V>,
  cluster: Cluster,
  patterns: readonly string[],
  pause: () => Promise<void>,
): Promise<Iterable<Entry<V>>> {
  const store = entries(cluster)
  // By key: one that is put elsewhere meanwhile may be met twice.
  const found = new Map<string, Entry<V>>()
  let count = 0
  for (const key of store.keys()) {
    count += 1
    if (count % KEYS_AT_ONCE === 0) await pause()
    const entry = fits(names(key), patterns) ? store.look(key) : undefined
    if (entry !== undefined) found.set(key, entry)
    if (found.size >= MOST_ROWS) break
  }
  return found.values()
}

function fits(names: readonly string[], patterns: readonly string[]): boolean {
  return patterns.every((pattern, at) => isLike(pattern, names[at] ?? ''))
}

function timesOf(entry: Entry<unknown>, periodMs: number): readonly Cell[] {
  const { createdAt, validAt, usedAt, updatedAt } = entry
  return [
    ...[createdAt, validAt, usedAt, updatedAt].map(timeText),
    timeText(periodMs === 0 ? 0 : createdAt + periodMs),
    '0',
  ]
}

/** Tenant, database, table, and what stands behind them. */
function namesIn(key: string): readonly string[] {
  const { tenant, database, table, id } = namesOf(key)
  return [tenant, database, table, id]
}

/** Tenant, database, package, routine. */
function routineNames(key: string): readonly string[] {
  const { tenant, database, table, id } = namesOf(key)
  return [tenant, database, id, table]
}

function serversText(replicas: readonly Replica[]): string {
  return replicas
    .map(({ key, isLeader, type }, at) => {
      const role = isLeader ? 'LEADER' : 'FOLLOWER'
      return `server[${at}]=${key},${role},${type};`
    })
    .join(' ')
}

/** How it is partitioned, as its servers tell. */
function partitionText(entry: TableEntry | undefined): string {
  const [key] = entry?.description?.keys ?? []
  if (key === undefined) return ''
  const parts = [`part_level=${key['part_level'] ?? ''}`, `part_expr=${key['part_expr'] ?? ''}`]
  const sub = key['sub_part_expr'] ?? ''
  return ` ${[...parts, ...(sub === '' ? [] : [`sub_part_expr=${sub}`])].join(', ')}`
}
