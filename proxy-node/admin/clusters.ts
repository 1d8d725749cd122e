/** SHOW PROXYCLUSTER: which OB clusters this node knows, and where each begins. Source: proxy-admin.md §2.4. */
import { bigint, type Column, varchar } from '../wire/resultset.ts'
import { isLike, LIKE, type Rule } from './answer.ts'

const ROOT_SERVERS: readonly Column[] = [
  varchar('cluster_name'),
  bigint('cluster_id'),
  varchar('rs_url'),
  varchar('root_addr'),
  varchar('role'),
  varchar('replica_type'),
]

const IDCS: readonly Column[] = [
  varchar('cluster_name'),
  bigint('cluster_id'),
  varchar('idc_url'),
  varchar('idc'),
  varchar('region'),
]

export const CLUSTER_RULES: readonly Rule[] = [
  {
    grammar: new RegExp(`^show\\s+proxycluster\\s+idc${LIKE}`, 'is'),
    answer: ([, , pattern], { directory }) => ({
      kind: 'rows',
      columns: IDCS,
      rows: (directory?.idcRows() ?? [])
        .filter(({ name }) => isLike(pattern, name))
        .map(({ name, id, url, idc, region }) => [name, id, url, idc, region]),
    }),
  },
  {
    grammar: new RegExp(`^show\\s+proxycluster${LIKE}`, 'is'),
    answer: ([, , pattern], { directory }) => ({
      kind: 'rows',
      columns: ROOT_SERVERS,
      rows: (directory?.rootServerRows() ?? [])
        .filter(({ name }) => isLike(pattern, name))
        .map(row => [row.name, row.id, row.url, row.address, row.role, row.replicaType]),
    }),
  },
]
