/**
 * What the table keeps, as the domain reads and writes it. `version` counts every write of an item
 * and is what conditional writes compare; `revision` is what callers see as ETag.
 */
import type { PackageRef, Verb } from '#contract/command'
import type { Diagnosis } from '#contract/diagnosis'
import type { LogFilter } from '#contract/log-filter'
import type { NodeReport } from '#contract/report'
import type { AuditEvent } from './audit-event.ts'
import type { Link, LinkChange } from './link.ts'
import type {
  ClusterSpec,
  Condition,
  Hold,
  NodeOrigin,
  ObCluster,
  Offline,
  Operation,
  OperationPhase,
  OperationType,
  Package,
  ParameterChange,
  ParameterHistoryEntry,
  ProblemView,
  ProxyroChange,
  Step,
} from './model.ts'
import type { StepName } from './plan.ts'
import type { RolloutState } from './rollout.ts'
import type { HostCheck } from './take-over-check.ts'

type Stored = { readonly version: number }

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

/** Those of before the config service have neither id nor IDCs. */
export type ObClusterRecord = Stored &
  Omit<
    ObCluster,
    'registration' | 'obClusterId' | 'idcRegions' | 'proxyroChange' | 'heldBy' | 'obVersion'
  > &
  Partial<Pick<ObCluster, 'obClusterId' | 'idcRegions'>> & {
    readonly linkCount: number
    /** Absent: nobody has been told. */
    readonly obVersion?: string
    /** Absent, as in records of before: nobody. */
    readonly hold?: Hold | null
    /** The plane made the password under `proxyroSecret`, and takes it along; absent: it is the caller's. */
    readonly isProxyroOurs?: boolean
    /** While it is there nodes are given both passwords. */
    readonly proxyroChange?: ProxyroChange
    /** Opens the registration of its own root services, and nothing else. */
    readonly registrar?: TokenRecord
  }

/**
 * A password of proxyro that the plane has made and that an OB cluster has named, or given up, of late: whether
 * any names it still is to be looked at.
 */
export type LooseSecretRecord = Stored & {
  /** Parameter Store name. */
  readonly name: string
  /** From here on nobody may name it any more: it goes unless somebody has. */
  readonly isGoing: boolean
}

export type RootServer = {
  /** `ip:rpcPort`. */
  readonly address: string
  readonly sqlPort: number
  readonly role: 'LEADER' | 'FOLLOWER'
}

/** What RootService says of itself. One that was withdrawn stays, so that nothing older comes back. */
export type RootServicesRecord = Stored & {
  readonly obCluster: string
  readonly obClusterId: number
  readonly type: 'PRIMARY' | 'STANDBY'
  readonly servers: readonly RootServer[]
  readonly readonlyServers: readonly RootServer[]
  /** By the clock of RootService, microseconds: only a newer list takes its place. */
  readonly timestamp: number
  readonly isWithdrawn: boolean
}

/** What is told of an OB cluster, and can be told when it is not managed here any more. */
export type ObClusterSnapshot = {
  readonly record: Pick<
    ObClusterRecord,
    'name' | 'obClusterId' | 'rootservice' | 'idcRegions' | 'updatedAt'
  >
  readonly registered: readonly RootServicesRecord[]
}

/** What stays of a cluster whose proxies serve on without it; for good, as its password does. */
export type MovedOutRecord = Stored & {
  readonly id: string
  readonly name: string
  readonly operationId: string
  readonly movedOutAt: number
  /** The config service answers its proxies until then; compared, never left to the table's expiry (PL5). */
  readonly answersUntil: number
  /** It was deleted, and no document says how to make it again. */
  readonly isDeleted?: boolean
  readonly configToken?: TokenRecord
  /** No other cluster's may be made under that name: its proxies have it. */
  readonly sysPasswordSecret: string
  /** The default first. */
  readonly obClusters: readonly ObClusterSnapshot[]
}

export type ExportedNode = {
  readonly id: string
  readonly name: string
  readonly hostId: string
  readonly host: string
  readonly idc: string | null
  readonly sqlPort: number
  readonly exporterPort: number
  readonly origin: NodeOrigin
  readonly home: string
  readonly version: string
  /** Its host was out of reach: what is ours is there still. */
  readonly isSkipped: boolean
}

/** A cluster as it is before its move out; of its operation. */
export type ClusterExportRecord = Stored & {
  readonly operationId: string
  readonly cluster: Pick<ClusterRecord, 'name' | 'tags' | 'spec'>
  readonly nodes: readonly ExportedNode[]
}

/** `version` counts writes here as in every record. */
export type PackageRecord = Stored & Omit<Package, 'version'> & { readonly packageVersion: string }

/** Parameter Store name of a password; made by the plane, which takes it along, or the caller's. */
export type PasswordSecret = { readonly name: string; readonly isOurs: boolean }

/** How a proxy is replaced by its successor. */
export type Way = {
  readonly mode: 'hot' | 'force'
  /** How long clients may stay with the old process, seconds; null: as the proxy is set. */
  readonly drainSec: number | null
}

/** Where it takes clients now, and the Parameter Store name of its password; absent: it has none. */
export type ForeignProxy = {
  readonly sqlPort: number
  readonly sysPasswordSecret?: string
  /** Parameters that differ are no hindrance: a take-over may change them. */
  readonly mayChangeParameters: boolean
  /** It is taken as it is, from whatever package and of whatever user. */
  readonly isForced?: boolean
}

/** What an operation does on one node. */
export type NodeTask = {
  readonly nodeId: string
  readonly hostId: string
  /** Address clients will use. */
  readonly host: string
  readonly idc: string | null
  readonly desiredState: 'RUNNING' | 'STOPPED'
  /** Of a node that exists; a new one is named by its cluster and number. */
  readonly name: string | null
  readonly number: number
  readonly skipHostWork: boolean
  /** For restart and upgrade; absent: force, as before there was another. */
  readonly way?: Way
  /** How long the node is watched before it counts as done; absent: not at all. */
  readonly bakeMs?: number
  /** What it gets, by its host's architecture. */
  readonly package?: PackageRef
  /** What it ran before, for who puts it back. */
  readonly versionBefore?: string
  /** Its cluster has a balancer whose members are ours to change. */
  readonly isBalanced?: boolean
  /** It is taken out because somebody asked for just that, and why. */
  readonly offline?: { readonly reason: string | null }
  /** Which lines of which logs are collected. */
  readonly logs?: LogFilter
  /** A proxy of another installer, that is looked at or taken over. */
  readonly foreign?: ForeignProxy
  /** Its proxy serves on when it is deleted. */
  readonly isReleased?: boolean
  /** Of its node, where the operation is of no one cluster. */
  readonly clusterId?: string
  /** New OB clusters of its cluster, that proxyro logs in to from this node first. */
  readonly tries?: readonly string[]
  /** OB clusters whose password of proxyro is changed from this node. */
  readonly alters?: readonly string[]
  /** For who puts back: the password may have been changed at the OB clusters already. */
  readonly isAltered?: boolean
}

/** A change of proxyro's password: where, and what it is of. */
export type ProxyroTask = {
  readonly obClusters: readonly { readonly name: string; readonly before: PasswordSecret }[]
  /** Proxy clusters that it holds. */
  readonly clusterIds: readonly string[]
  readonly after: PasswordSecret
  /** An earlier round has ended where nobody can say which of both counts. */
  readonly mayBeAltered?: boolean
}

export type OperationRecord = Stored & {
  readonly id: string
  readonly type: OperationType
  readonly target: Operation['target']
  /** Empty where it is of an OB cluster: its tasks name their clusters. */
  readonly clusterId: string
  readonly parentId: string | null
  /** False for a child that its parent drives; true for a child that was retried alone. */
  readonly isSelfDriven: boolean
  readonly actor: string
  readonly requestId: string
  readonly phase: OperationPhase
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly error: ProblemView | null
  readonly plan: readonly StepName[]
  /** One a node; a node's operation has one. */
  readonly tasks: readonly NodeTask[]
  readonly package: PackageRef | null
  /** When it was last resumed or retried; absent: never. */
  readonly resumedAt?: number
  /** Grows with each retry, a child's with its parent's: those of an older round are opened again. */
  readonly round: number
  /** Fence of the host while this operation holds its node. */
  readonly fence: number | null
  /** What its node should be before it took it; absent: it is of no node, or of one that was not there. */
  readonly desiredBefore?: NodeRecord['desiredState']
  /** Place in the plan: steps before it are done. */
  readonly stepsDone: number
  readonly nodesDone: number
  /** Nodes that it goes on without; absent: none. */
  readonly nodesSkipped?: number
  /** Absent: all nodes at once, nothing is put back. */
  readonly rollout?: RolloutState
  /**
   * What a change of parameters changes, for who puts it back, or tries it again. Why not all of those
   * before it: they would take back what others have changed since.
   */
  readonly parameterChanges?: readonly ParameterChange[]
  /** Names of the password of root@proxysys that is given up, and of the one that takes its place. */
  readonly sysSecrets?: { readonly before: PasswordSecret; readonly after: PasswordSecret }
  /** What a change of links changes. */
  readonly linkChange?: LinkChange
  /** Of one of proxyro's password. */
  readonly proxyro?: ProxyroTask
  /** How long the config service answers after a move out, milliseconds. */
  readonly movedOut?: { readonly graceMs: number }
  /** Parameter Store name of a password that stays, because proxies that it releases have it. */
  readonly keptSecret?: string
  /** What it did was put back, or is being. */
  readonly isUndone?: boolean
}

/** Exists while an operation is open: who drives it now, and when the sweeper looks at the latest. */
export type WorkRecord = Stored & {
  readonly operationId: string
  /** Saves double work, no more: what counts is the version of each item (PL1). */
  readonly lease: { readonly owner: string; readonly until: number } | null
  readonly nextAt: number
}

export type StepRecord = Stored & {
  readonly operationId: string
  readonly n: number
  readonly name: StepName
  readonly phase: Step['phase']
  readonly attempt: number
  /** Times this attempt was handed to Run Command and got lost, or the node was asked again. */
  readonly sends: number
  readonly deadlineAt: number | null
  readonly notBefore: number | null
  /** The wave that carries it now. */
  readonly wave: number | null
  /** When the node was asked for the last time, after the deadline. */
  readonly lookedAt: number | null
  readonly commandId: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** Bounded summary of the node's answer. */
  readonly output: string | null
  readonly error: ProblemView | null
}

/** What a node has told of itself for an operation that asked it; the newest of that operation. */
export type DiagnosisRecord = Stored & {
  readonly operationId: string
  readonly document: Diagnosis
  readonly receivedAt: number
}

/** What an operation that looks at a host has found there. */
export type ResultRecord = Stored & HostCheck

export type WaveEntry = {
  readonly operationId: string
  readonly n: number
  readonly attempt: number
  readonly hostId: string
}

/** One SendCommand: the intent is stored first, with the whole order (PL3). */
export type WaveRecord = Stored & {
  readonly operationId: string
  readonly n: number
  readonly verb: Verb
  readonly entries: readonly WaveEntry[]
  readonly order: string
  /** Unique; how a lost response is settled. */
  readonly comment: string
  readonly commandId: string | null
  readonly intentAt: number
  readonly sentAt: number | null
}

/** Grows by one with each change of a cluster's parameters; bounded as the cluster's parameters are. */
export type ParameterHistoryRecord = Stored & ParameterHistoryEntry

/** Which operation a command belongs to, for status events. */
export type CommandRecord = Stored & {
  readonly commandId: string
  readonly operationId: string
  readonly expiresAt: number
}

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
