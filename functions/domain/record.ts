/**
 * What the table keeps of the fleet, as the domain reads and writes it: clusters, nodes and hosts, what they
 * run and are called, and who asked for what. `version` counts every write of an item and is what
 * conditional writes compare; `revision` is what callers see as ETag.
 */
import type { NodeReport } from '#contract/report'
import type { AuditEvent } from './audit-event.ts'
import type { Link } from './link.ts'
import type {
  ClusterSpec,
  Condition,
  Hold,
  Offline,
  Package,
  ParameterHistoryEntry,
} from './model.ts'

/** What every record has. */
export type Stored = { readonly version: number }

/**
 * Tokens of one holder: where the newest is kept, and the digests of those that open (PL12). The table
 * never has a token itself.
 */
export type TokenRecord = {
  /** Parameter Store name; ends in `number`. */
  readonly secret: string
  readonly number: number
  /** SHA-256 in hex, the newest first, two at most. */
  readonly live: readonly string[]
}

export type ClusterRecord = Stored & {
  readonly id: string
  readonly name: string
  readonly revision: number
  readonly generation: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Readonly<Record<string, string>>
  readonly spec: ClusterSpec
  readonly parameterVersion: number
  readonly hold: Hold | null
  readonly conditions: readonly Condition[]
  /** Nodes ever named; the next is `<cluster>-<nodeSequence + 1>`. */
  readonly nodeSequence: number
  /** The plane made the password under `spec.sysPasswordSecret`, and takes it along; else it is the caller's. */
  readonly isSysPasswordOurs: boolean
  /** Names of passwords that proxies have which were released, or may have; absent: none has any. */
  readonly keptSysSecrets?: readonly string[]
  /** Opens the config service for its nodes; absent in RS_LIST. */
  readonly configToken?: TokenRecord
  /** What the config service answers while a new link is tried on a node; absent: `spec.links`. */
  readonly linksServed?: readonly Link[]
}

export type NodeRecord = Stored & {
  readonly id: string
  readonly name: string
  readonly clusterId: string
  readonly clusterName: string
  readonly hostId: string
  readonly host: string
  readonly sqlPort: number
  readonly exporterPort: number
  readonly idc: string | null
  readonly proxyId: number
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly desiredState: 'RUNNING' | 'STOPPED'
  /** Absent: its cluster's. */
  readonly desiredVersion?: string
  /** Where another installer has put it; absent: it was installed by us, where its cluster says. */
  readonly foundHome?: string
  /** Taken out of its balancer on purpose; absent: it follows what its process does. */
  readonly offline?: Offline
  readonly hold: Hold | null
  readonly conditions: readonly Condition[]
}

/** Outlives the nodes on the host, for the fence's sake (PL1). */
export type HostRecord = Stored & {
  readonly id: string
  readonly fence: number
  readonly nodeId: string | null
}

export type ReportRecord = Stored & {
  readonly clusterId: string
  readonly nodeId: string
  readonly report: NodeReport
  readonly receivedAt: number
}

/** `version` counts writes here as in every record. */
export type PackageRecord = Stored & Omit<Package, 'version'> & { readonly packageVersion: string }

/** Grows by one with each change of a cluster's parameters; bounded as the cluster's parameters are. */
export type ParameterHistoryRecord = Stored & ParameterHistoryEntry

/** Owner of a name (PL5: unique by an item, not by an index). */
export type NameRecord = Stored & { readonly name: string; readonly id: string }

/** In which cluster a node is. */
export type PlaceRecord = Stored & { readonly nodeId: string; readonly clusterId: string }

/** Which node has a proxy id (N4). */
export type ProxyIdRecord = Stored & { readonly proxyId: number; readonly nodeId: string }

/** What a request with an Idempotency-Key led to. */
export type RequestRecord = Stored & {
  /** sha256 of scope and key. */
  readonly id: string
  readonly bodyHash: string
  /** Null: it was done at once, on `ref`. */
  readonly operationId: string | null
  readonly ref: string
  readonly isCreated: boolean
  /** Compared in conditions, never left to the table's expiry (PL5). */
  readonly expiresAt: number
}

/** Without the name in entries of before. */
export type AuditRecord = Stored &
  Omit<AuditEvent, 'targetName'> &
  Partial<Pick<AuditEvent, 'targetName'>>
