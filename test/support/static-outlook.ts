/** One OB cluster that never changes, as sessions see it: some servers, some tables with a leader. */
import type { Clock } from '../../proxy-node/base/clock.ts'
import { LdcCache } from '../../proxy-node/routing/ldc.ts'
import { StaleReplicas } from '../../proxy-node/routing/stale-replicas.ts'
import type { ClusterView, Directory } from '../../proxy-node/session/ports.ts'
import { namesOf } from '../../proxy-node/topology/cluster-locations.ts'
import { LocationView } from '../../proxy-node/topology/location-view.ts'
import type { ServerAddress } from '../../proxy-node/topology/model.ts'
import { serverKey } from '../../proxy-node/topology/model.ts'
import { rootServersOf, type TableEntry } from '../../proxy-node/topology/table-entry.ts'

export type StaticCluster = {
  readonly name: string
  readonly tenant: string
  readonly servers: readonly ServerAddress[]
  /** `database.table` → leader. */
  readonly leaders: Readonly<Record<string, ServerAddress>>
}

/** Logins find it by its name, or without one. */
export function staticDirectoryOf(cluster: StaticCluster, clock: Clock): Directory {
  const view = staticOutlook(cluster, clock)
  return { cluster: name => (name === undefined || name === view.name ? view : undefined) }
}

export function staticOutlook(cluster: StaticCluster, clock: Clock): ClusterView {
  const { name, servers, leaders } = cluster
  return {
    name,
    picture: {
      cluster: name,
      clusterId: 0,
      version: 1,
      majorVersion: 4,
      isLoaded: false,
      servers: new Map(),
      tenants: new Map(),
      idcRegions: new Map(),
    },
    stamp: {},
    verdicts: { isEmpty: true, congestionOf: () => 0, letsOneThrough: () => false },
    stale: new StaleReplicas(),
    ldcs: new LdcCache(),
    locations: new LocationView(
      {
        flavour: () => 'v4',
        table: key => {
          const { database, table } = namesOf(key)
          return Promise.resolve(tableEntry(leaders[`${database}.${table}`]))
        },
        partition: () => Promise.resolve(null),
        routine: () => Promise.resolve(null),
        missed: () => {},
        maxEntries: () => 1_000,
        broke: () => {},
      },
      clock,
    ),
    tenantServers: tenant => {
      if (tenant !== cluster.tenant) return rootServersOf([])
      return rootServersOf(servers)
    },
    failed: () => {},
    scattered: () => {},
  }
}

function tableEntry(leader: ServerAddress | undefined): TableEntry | null {
  if (leader === undefined) return null
  const replica = {
    server: leader,
    key: serverKey(leader),
    isLeader: true,
    type: 'FULL' as const,
    isDuplicate: false,
  }
  return {
    tableId: '1',
    tableType: 3,
    partNum: 1,
    schemaVersion: '1',
    replicas: [replica],
    description: undefined,
  }
}
