/**
 * SHOW PROXYSTAT and SHOW PROXYSESSION READ_STALE: what workers count and remember. SHOW PROXYSTAT DIGEST
 * is our own: statements by what they have in common. Source: proxy-admin.md §2.4, §5.1.
 */
import { ROUTES } from '#contract/names'
import { type DigestSnapshot, digestCell } from '#contract/telemetry'
import { namesOf } from '../topology/cluster-locations.ts'
import { bigint, type Cell, type Column, varchar } from '../wire/resultset.ts'
import { isLike, LIKE, type Rule } from './answer.ts'
import { timeText } from './times.ts'

const MOST_ROWS = 10_000
const STATS: readonly Column[] = [varchar('stat_name'), bigint('value'), varchar('persist_type')]

const DIGESTS: readonly Column[] = [
  ...['cluster_name', 'tenant_name', 'digest_id'].map(varchar),
  ...['count', 'total_us', 'max_us', 'failed', 'missed'].map(bigint),
  ...ROUTES.map(bigint),
  varchar('digest'),
]

const STALE: readonly Column[] = [
  varchar('server_addr'),
  bigint('table_id'),
  bigint('partition_id'),
  varchar('feedback_time'),
]

export const COUNTER_RULES: readonly Rule[] = [
  {
    // Workers tell once a second; REFRESH asks them now.
    grammar: new RegExp(`^show\\s+proxystat(\\s+refresh)?${LIKE.replace('\\1', '\\2')}`, 'is'),
    answer: async ([, refresh, , pattern], { counters }) => ({
      kind: 'rows',
      columns: STATS,
      rows: (await counters(refresh !== undefined))
        .filter(([name]) => isLike(pattern, name))
        .map(([name, value]) => [name, value, 'NULL']),
    }),
  },
  {
    grammar: new RegExp(`^show\\s+proxystat\\s+digest${LIKE}`, 'is'),
    answer: async ([, , pattern], { digests }) => ({
      kind: 'rows',
      columns: DIGESTS,
      rows: merged(await digests())
        .filter(({ text }) => isLike(pattern, text))
        .sort((one, other) => (other.cells[1] ?? 0) - (one.cells[1] ?? 0))
        .slice(0, MOST_ROWS)
        .map(digestCells),
    }),
  },
  {
    grammar: /^show\s+proxysession\s+read_stale(?:\s+(?:like\s*)?['"]?(\d{1,10})['"]?)?$/is,
    answer: async (_found, { stale }) => ({
      kind: 'rows',
      columns: STALE,
      rows: (await stale())
        .slice(0, MOST_ROWS)
        .map(({ server, tableId, locationKey, sinceMs }) => [
          server,
          tableId,
          namesOf(locationKey).id || '0',
          timeText(sinceMs),
        ]),
    }),
  },
]

/** Sums over workers; the most of a worker is the most of all. */
function merged(snapshots: readonly DigestSnapshot[]): readonly DigestSnapshot[] {
  const sums = new Map<string, DigestSnapshot & { readonly cells: number[] }>()
  for (const one of snapshots) {
    const key = `${one.cluster}\0${one.tenant}\0${one.id}`
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { ...one, cells: [...one.cells] })
    else
      for (const [at, value] of one.cells.entries())
        sum.cells[at] =
          at === MOST ? Math.max(sum.cells[at] ?? 0, value) : (sum.cells[at] ?? 0) + value
  }
  return [...sums.values()]
}

/** The place of the longest time. */
const MOST = 2

function digestCells({ cluster, tenant, id, text, cells }: DigestSnapshot): readonly Cell[] {
  const numbers = cells.slice(0, digestCell(0)).map(Math.round)
  return [
    cluster,
    tenant,
    id,
    ...numbers,
    ...ROUTES.map((_route, at) => cells[digestCell(at)] ?? 0),
    text,
  ]
}
