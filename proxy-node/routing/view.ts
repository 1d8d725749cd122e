/**
 * What a decision looks at: the statement, its session, the settings, and what is known of the world.
 * Who decides keeps one view a worker and changes its fields, so that a statement makes none; nothing
 * here is kept by a decision beyond the call that it was handed to. Source: proxy-routing.md §2, §7, §8.
 */
import type {
  ClusterPicture,
  KeyedServer,
  PartitionLocation,
  ServerAddress,
  Tenant,
  TenantServers,
  Verdicts,
} from '../topology/model.ts'
import type { Ldc } from './ldc.ts'
import type { FollowerPolicy } from './orders.ts'
import type { StaleReplicas } from './stale-replicas.ts'

export type Command =
  | 'login'
  /** Content of LOAD DATA LOCAL. */
  | 'content'
  | 'query'
  | 'prepare'
  | 'execute'
  | 'fetch'
  /** Long data, pieces of it. */
  | 'piece'
  | 'close'
  | 'other'

export type StatementView = {
  readonly command: Command
  /** Also the SELECT of a text PREPARE or EXECUTE, and the one behind COM_STMT_EXECUTE. */
  readonly isSelect: boolean
  readonly isForUpdate: boolean
  /** Not all of its text has come: whether it ends in FOR UPDATE is not known. */
  readonly isCut: boolean
  /** SELECT, INSERT, UPDATE, DELETE, REPLACE, MERGE (§5.1), also when prepared or executed as text. */
  readonly isDml: boolean
  readonly isCall: boolean
  /** Not DUAL. */
  readonly hasTable: boolean
  /** SET, USE, HELP, SHOW and what else is about the session or the server. */
  readonly isSessional: boolean
  /** `EXECUTE s` and `PREPARE s FROM …` as text. */
  readonly textForm: 'plain' | 'prepare' | 'execute'
  readonly hint: 'none' | 'weak' | 'strong'
  /** More than one statement in a text. */
  readonly isMultiple: boolean
  /** A dependent function or SHOW of the statement before (§5.5). */
  readonly leansOnLast: boolean
  readonly usesLastInsertId: boolean
  readonly usesTableLock: boolean
  readonly hasDblink: boolean
  /** Above `tunnel_request_size_threshold`. */
  readonly isLarge: boolean
}

export type SessionView = {
  /** The node's own (§3.6). */
  readonly isInternal: boolean
  /** `ob_read_consistency` as the server says, and whether the client has set it. */
  readonly readConsistency: 'frozen' | 'weak' | 'strong'
  readonly hasSetReadConsistency: boolean
  /** What the cluster can (§7.1 row 7). */
  readonly canReadWeakly: boolean
  readonly isAutocommit: boolean
  /** `held`: BEGIN was answered here and no server has seen it. */
  readonly transaction: 'none' | 'held' | 'open'
  /** SET TRANSACTION was executed, or a temporary table is in use (§8.1). */
  readonly isTransactionSpecified: boolean
  /** The transaction may span servers (§8.3). */
  readonly isRoutedInternally: boolean
  readonly isSwitchingAuth: boolean
  /** `ob_route_policy`, 0 to 3. */
  readonly routePolicy: number
  /** `@proxy_route_policy`, when it is one. */
  readonly proxyRoutePolicy: FollowerPolicy | undefined
  /** Until the first DML, compaction is of no interest (§7.5). */
  readonly hasRunDml: boolean
  /** `@obproxy_route_addr`. */
  readonly boundTo: ServerAddress | undefined
  /** Opened the cursor, or has the first piece (§7.2 rows 3 and 4). */
  readonly heldBy: ServerAddress | undefined
  /** Each undefined when there is none that lives. */
  readonly lastServer: KeyedServer | undefined
  readonly lastInsertIdServer: ServerAddress | undefined
  readonly coordinator: ServerAddress | undefined
  readonly lockServer: ServerAddress | undefined
}

export type ServerGroups = readonly (readonly ServerAddress[])[]

export type RoutingSettings = {
  /** `server_routing_mode`. */
  readonly mode: 'oceanbase' | 'random' | 'mock' | 'mysql'
  /** `test_server_addr`. */
  readonly testServers: readonly ServerAddress[]
  readonly enableCongestion: boolean
  readonly enablePrimaryZone: boolean
  readonly enableCachedServer: boolean
  readonly enableSingleLeaderNodeRouting: boolean
  readonly enableReadWriteSplit: boolean
  readonly enableTransactionSplit: boolean
  /** `proxy_primary_zone_name` as groups of falling priority; empty when it is not set. */
  readonly proxyPrimaryZones: readonly (readonly string[])[]
  /** `proxy_route_policy`, when it is one. */
  readonly proxyRoutePolicy: FollowerPolicy | undefined
  /** `connect_observer_max_retries`. */
  readonly maxRetries: number
  /** `ob_max_read_stale_time` is set and `enable_weak_reroute` is on (§7.8). */
  readonly avoidsStaleReplicas: boolean
  /** `read_stale_retry_interval`. */
  readonly staleRetryMs: number
  /** `read_stale_remove_interval`. */
  readonly staleRemoveMs: number
  /** `enable_reroute`, for strong statements. */
  readonly enableReroute: boolean
  /** `enable_weak_reroute`, for weak reads. */
  readonly enableWeakReroute: boolean
}

/** How old the snapshots of servers are: the lower, the better (`enable_causal_order_read`, §7.3). */
export type SnapshotOrder = { readonly priorityOf: (key: string) => number }

/** Hears why a decision is as it is; for EXPLAIN ROUTE, otherwise there is none. */
export type Trace = {
  /** A choice between rules: which one, and in its words. */
  readonly chose: (rule: string, because: string) => void
  /** A server, its class in letters of §7.3, and what speaks against it; empty for nothing. */
  readonly considered: (server: string, letters: string, against: string) => void
}

export type RouteView = {
  readonly statement: StatementView
  readonly session: SessionView
  readonly settings: RoutingSettings
  readonly picture: ClusterPicture
  readonly tenant: Tenant | undefined
  readonly servers: TenantServers
  /** Undefined: not known, or there is none. */
  readonly location: PartitionLocation | undefined
  /** Names the partition to `stale`. */
  readonly locationKey: string
  /** From the statement's comment, else from the configuration (§7.2 row 5); empty for none. */
  readonly targets: ServerGroups
  readonly ldc: Ldc
  readonly verdicts: Verdicts
  readonly stale: StaleReplicas
  readonly snapshots: SnapshotOrder | undefined
  /** From 0 to below 1. */
  readonly random: () => number
  readonly trace: Trace | undefined
  readonly nowMs: number
}
