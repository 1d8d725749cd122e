/** What a client session needs of the rest of the node, as narrow ports the composition root fills. */
import type { LoginRules } from '../auth/identity.ts'
import type { Baselines } from '../backend/baseline.ts'
import type { ProxyLogin } from '../backend/login.ts'
import type { ServerSession } from '../backend/server-session.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../net/transport.ts'
import type { LdcCache } from '../routing/ldc.ts'
import type { StaleReplicas } from '../routing/stale-replicas.ts'
import type { RoutingSettings, ServerGroups } from '../routing/view.ts'
import type { KnownTexts } from '../sql/known-texts.ts'
import type { FailureKind } from '../topology/failures.ts'
import type { LocationView } from '../topology/location-view.ts'
import type { ClusterPicture, TenantServers, Verdicts } from '../topology/model.ts'
import type { KnownOks } from '../wire/known-oks.ts'
import type { FrameScratch } from '../wire/ob20.ts'
import type { Endpoint } from '../wire/proxy-protocol.ts'
import type { Cell, Column } from '../wire/resultset.ts'
import type { EntryRules } from './client-entry.ts'
import type { Detours } from './detours.ts'
import type { Lobby, LobbyLimits } from './lobby.ts'
import type { SessionPlace } from './own-settings.ts'
import type { Placement, TextUse } from './placement.ts'
import type { Prescription } from './prescribed.ts'
import type { RouteDiagnosis } from './route-diagnosis.ts'
import type { SessionRouteView } from './route-view.ts'
import type { StatementDigests } from './statement-digests.ts'
import type { WorkerTraffic } from './traffic.ts'

/** One OB cluster as its statements are routed by; what is behind it changes, the view stays. */
export type ClusterView = {
  /** As servers know it. */
  readonly name: string
  readonly picture: ClusterPicture
  /** Stands for the picture, another one for each: who compares it keeps nothing of the picture. */
  readonly stamp: object
  readonly verdicts: Verdicts
  readonly stale: StaleReplicas
  readonly ldcs: LdcCache
  readonly locations: LocationView
  /** Empty when the tenant is unknown; at once when it is known. */
  readonly tenantServers: (tenant: string) => TenantServers | Promise<TenantServers>
  /** What happened on the way to a server, or there. */
  readonly failed: (server: Address, kind: FailureKind) => void
  /** All leaders of the tenant are not on one server, whatever was said (§4.8). */
  readonly scattered: (tenant: string) => void
}

/** The OB clusters of this node. */
export type Directory = {
  /** By the name of a login, undefined for the first; undefined when this node has no such cluster. */
  readonly cluster: (
    name: string | undefined,
  ) => ClusterView | undefined | Promise<ClusterView | undefined>
}

export type AdminAnswer =
  | { readonly kind: 'ok' }
  /** No answer: the connection is closed. */
  | { readonly kind: 'close' }
  | {
      readonly kind: 'rows'
      readonly columns: readonly Column[]
      readonly rows: readonly (readonly Cell[])[]
    }
  | {
      readonly kind: 'error'
      readonly errno: number
      readonly state: string
      readonly message: string
    }

export type Admin = {
  /** Whether this answer to `scramble` is the password of an account of tenant proxysys. */
  readonly accepts: (user: string, token: Uint8Array, scramble: Uint8Array, from: string) => boolean
  readonly run: (user: string, sql: string, connectionId: number) => Promise<AdminAnswer>
}

export type Mode =
  | { readonly kind: 'mysql'; readonly server: Address }
  | { readonly kind: 'oceanbase'; readonly directory: Directory }

/** Limits and time-outs of client sessions; read when they are needed, so a change is in force at once (§9). */
export type SessionSettings = LobbyLimits &
  Prescription & {
    /** `connect_observer_max_retries`: servers tried for one statement. */
    readonly maxAttempts: number
    /** `short_async_task_timeout`: connect and login to a server. */
    readonly connectTimeoutMs: number
    /** `min_congested_connect_timeout`: a client that gives up sooner says nothing of the server. */
    readonly minConnectingMs: number
    /** `client_login_timeout`: from the accept to the end of the login. */
    readonly loginTimeoutMs: number
    /** `client_login_max_size`. */
    readonly maxLoginBytes: number
    /** `enable_client_connection_lru_disconnect`: at the limit an idle client goes, not the new one. */
    readonly evictsIdle: boolean
    /** `default_inactivity_timeout`, where no `wait_timeout` says it. */
    readonly inactivitySeconds: number
    /** `observer_query_timeout_delta`, on top of the session's `ob_query_timeout`. */
    readonly queryTimeoutDeltaMs: number
    /** `client_max_memory_size`: state kept for one session. */
    readonly maxMemoryBytes: number
    /** `enable_ob_protocol_v2`. */
    readonly usesOb20: boolean
    /** `enable_cluster_checkout`: logins name the cluster, so that a server of another refuses them. */
    readonly checksCluster: boolean
    /** Full-link trace ids of servers follow the session to the next server (OB 2.0 only). */
    readonly tracesFullLink: boolean
    readonly routing: RoutingSettings
    /** `target_db_server`; empty for none. */
    readonly targets: ServerGroups
    /** `proxy_idc_name`. */
    readonly idcName: string
    /** `enable_pl_route`: CALL goes by its routine's first statement. */
    readonly routesRoutines: boolean
    /** `enable_partition_table_route`. */
    readonly prunes: boolean
    /** `request_buffer_length`: bytes of a statement that are analysed. */
    readonly analysedBytes: number
    /**
     * `tunnel_request_size_threshold`, and no less than what is analysed: a larger request is routed by
     * its beginning, streams, and is tried on one server only.
     */
    readonly wholeBytes: number
    /** `enable_bad_route_reject`: a transaction does not begin with a statement that names no table. */
    readonly rejectsUnroutable: boolean
    /** `enable_server_ssl`. */
    readonly usesServerTls: boolean
    /** `ssl_attributes`: clients without TLS are refused. */
    readonly isTlsForced: boolean
    /** Parameters that are set below the global level for this session, by the level that decides. */
    readonly setBelow: readonly (readonly [name: string, level: string])[]
    /** `route_diagnosis_level`; 0: EXPLAIN ROUTE is off. */
    readonly diagnosisLevel: number
    /** `statement_digests`: statements counted by what they have in common, in this worker. */
    readonly digests: number
  }

/** Who asks for something of other client sessions. */
export type Requester = {
  readonly connectionId: number
  readonly cluster: string
  readonly tenant: string
  readonly user: string
  /** May see and end sessions of other users of the tenant. */
  readonly isPrivileged: boolean
}

export type ProcessRow = {
  readonly id: number
  readonly user: string
  readonly tenant: string
  readonly host: string
  readonly database: string | null
  readonly command: string
  readonly seconds: number
  readonly state: string
  /** Its beginning; null when nothing runs. */
  readonly statement: string | null
  /** Of the server session in use; 0 for none. */
  readonly serverPort: number
}

export type KillOutcome = 'done' | 'unknown' | 'not-owner'

/** The client sessions of all workers of this node. */
export type Peers = {
  readonly list: (by: Requester) => Promise<readonly ProcessRow[]>
  /** Ends the statement, or the whole session, of the client `connectionId`. */
  readonly kill: (connectionId: number, by: Requester, onlyQuery: boolean) => Promise<KillOutcome>
}

export type SessionDeps = {
  readonly transport: Transport
  readonly clock: Clock
  readonly mode: Mode
  readonly admin: Admin
  readonly serverVersion: () => string
  readonly proxyVersion: string
  /** Of the node; the same object until something changes. */
  readonly settings: () => SessionSettings
  /** With what is set for less than the node; the same object for the same rows. Absent: `settings`. */
  readonly settingsOf?: (place: SessionPlace) => SessionSettings
  /** For a client that has connected to this address, if somebody who is believed told it. */
  readonly loginRules: (vip: Endpoint | undefined) => LoginRules
  readonly baselines: Baselines
  /** Frames of OB 2.0 are built here, one at a time. */
  readonly scratch: FrameScratch
  /** One a worker. */
  readonly oks: KnownOks
  readonly peers: Peers
  /** Numbers in [0, 1) for random routing. */
  readonly random: () => number
  /** The node lets its clients go. */
  readonly isDraining: () => boolean
  /** Unique over workers, restarts and nodes (N4). */
  readonly nextConnectionId: () => number
  readonly maxSessions: () => number
  /** For the statement at hand, of whichever session. */
  readonly routeView: SessionRouteView
  /** Computes partitions, of whichever session's statement. */
  readonly placement: Placement
  /** Statements that came before with other values, of whichever session. */
  readonly texts: KnownTexts<TextUse>
  /** Finds what statements are routed by instead of themselves. */
  readonly detours: Detours
  readonly traffic: WorkerTraffic
  readonly digests: StatementDigests
  readonly lobby: Lobby
  /** Absent: no TLS is offered, nobody is believed. */
  readonly entry?: EntryRules
  /** Absent: servers are spoken to without TLS. */
  readonly serverTls?: ServerTlsPort
  /** A line of the log about a statement that missed its partition; rate-bounded. */
  readonly misrouted?: (line: string) => void
  readonly diagnosis: RouteDiagnosis
  /** A bug, or a server that breaks the protocol: who looks after the node reads of it. */
  readonly broke?: (error: unknown) => void
  /** Ends what `victim`, a server session of `login`, is executing. */
  readonly cancel: (login: ProxyLogin, victim: ServerSession, isWanted: () => boolean) => void
}
