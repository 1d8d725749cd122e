/**
 * The resources of the plane as its domain knows them: what is kept, what is computed, who holds
 * what. Times are epoch milliseconds; the HTTP layer writes them as RFC 3339.
 * Source: management.md §1, management-beyond.md §3-§4, decisions PL1-PL11.
 */
import type { PackageRef } from '#contract/command'
import type { Parameter } from '#contract/parameters'
import type { NodeReport } from '#contract/report'
import type { LookResult } from './findings.ts'
import type { Link } from './link.ts'
import type { BalancerMember, BalancerSpec } from './load-balancer.ts'
import type { MovedOutDocument } from './moved-out.ts'

/** Version of every stored item; N-1 is read (PL6). */
export const ITEM_SCHEMA = 1

export type Condition = {
  /** `LastOperationFailed`, `Ready`, `ReportStale` … */
  readonly type: string
  readonly status: boolean
  readonly reason: string
  readonly message: string
  readonly since: number
}

export type ClusterSpec = {
  /** RS_LIST: the one OB cluster is given at start. CONFIG_URL: nodes ask the config service. */
  readonly workMode: 'RS_LIST' | 'CONFIG_URL'
  /** Desired for all nodes: `4.3.2.0-1`. */
  readonly version: string
  readonly ports: { readonly sql: number; readonly exporter: number }
  readonly install: { readonly path: string }
  /** RS_LIST: exactly one. Otherwise one is the default, while there is any. */
  readonly links: readonly Link[]
  readonly parameters: Readonly<Record<string, string>>
  /** Parameter Store name of root@proxysys' password; made by the plane when not given. */
  readonly sysPasswordSecret: string
  readonly deletionProtection: boolean
  /** Absent: clients come as they please. */
  readonly loadBalancer?: BalancerSpec
}

/** A URL of the config service, and the Parameter Store name of the token that opens it (PL12). */
export type ConfigAccess = { readonly url: string; readonly tokenSecret: string }

export const CLUSTER_PHASES = [
  'CREATING',
  'EMPTY',
  'RUNNING',
  'DEGRADED',
  'STOPPED',
  'OPERATING',
  'DELETING',
  'MOVING_OUT',
  'FAILED',
] as const

export type ClusterPhase = (typeof CLUSTER_PHASES)[number]

/** Who works on an object now (PL1): owner and fence, no time-out. */
export type Hold = { readonly operationId: string; readonly type: OperationType }

export type Cluster = {
  readonly id: string
  readonly name: string
  readonly revision: number
  readonly generation: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly tags: Readonly<Record<string, string>>
  readonly spec: ClusterSpec
  readonly parameterVersion: number
  /** What its nodes ask, with the token under that name added; null in RS_LIST. */
  readonly config: ConfigAccess | null
  readonly heldBy: Hold | null
  /** Computed from nodes and holder, never stored. */
  readonly phase: ClusterPhase
  /** Nodes that run without the cluster's newest parameters. */
  readonly nodesToRefresh: number
  /** Parameters that wait for a restart of some node, by name. */
  readonly pendingRestart: readonly string[]
  readonly conditions: readonly Condition[]
  /** As the specification names them, by host. */
  readonly nodes: readonly {
    readonly host: string
    readonly idc: string | null
    readonly desiredState: 'RUNNING' | 'STOPPED'
  }[]
}

/** Out of its balancer on purpose: no operation but an `online` takes it back in. */
export type Offline = {
  readonly operationId: string
  readonly reason: string | null
  readonly since: number
}

/** A cluster's balancer with its members as they are now. */
export type ClusterBalancer = {
  readonly spec: BalancerSpec
  readonly members: readonly (BalancerMember & {
    /** Null: none of the cluster's. */
    readonly node: { readonly id: string; readonly name: string } | null
    /** Clients of that node, as it has reported; null: not known. */
    readonly clientConnections: number | null
  })[]
  /** Nodes that are no members. */
  readonly absent: readonly {
    readonly id: string
    readonly name: string
    readonly offline: Offline | null
  }[]
}

export const NODE_STATUSES = [
  'CREATING',
  'TAKINGOVER',
  'RUNNING',
  'STOPPED',
  'UNAVAILABLE',
  'STARTING',
  'STOPPING',
  'RESTARTING',
  'UPGRADING',
  'REFRESHING',
  'DELETING',
] as const

export type NodeStatus = (typeof NODE_STATUSES)[number]

/** Who has installed it. */
export const NODE_ORIGINS = ['CREATED', 'TAKEN_OVER'] as const

export type NodeOrigin = (typeof NODE_ORIGINS)[number]

export type Node = {
  readonly id: string
  readonly name: string
  readonly clusterId: string
  readonly clusterName: string
  readonly hostId: string
  readonly origin: NodeOrigin
  /** Where it is installed; null: where its cluster says. */
  readonly home: string | null
  /** Address clients use. */
  readonly host: string
  readonly sqlPort: number
  readonly exporterPort: number
  readonly idc: string | null
  readonly proxyId: number
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly desiredState: 'RUNNING' | 'STOPPED'
  /** What it should run, where that is not its cluster's version. */
  readonly desiredVersion: string | null
  /** Computed from report and holder (PL2), never stored. */
  readonly status: NodeStatus
  readonly heldBy: Hold | null
  /** Null unless it was taken out of its balancer on purpose. */
  readonly offline: Offline | null
  readonly conditions: readonly Condition[]
  /** It has not said that it has its cluster's newest parameters. */
  readonly isBehind: boolean
  /** The newest report (PL9), null before the first. */
  readonly report: (NodeReport & { readonly receivedAt: number }) | null
}

/** One parameter of a change; null: not set, so that its default counts. */
export type ParameterChange = {
  readonly name: string
  readonly before: string | null
  readonly after: string | null
}

export type ParameterHistoryEntry = {
  readonly id: string
  readonly clusterId: string
  readonly at: number
  readonly actor: string
  /** Null: no node ran, it was done at once. */
  readonly operationId: string | null
  /** An operation has put back what it had changed. */
  readonly isReturn: boolean
  readonly changes: readonly ParameterChange[]
}

/** What is known of a parameter, whatever its value. */
export type ParameterDefinition = Pick<
  Parameter,
  'name' | 'type' | 'default' | 'range' | 'needsRestart' | 'takesEffect' | 'meaning'
> & {
  /** Of a text that is one of a few words; null: any of its type and range. */
  readonly allowed: readonly string[] | null
  /** No cluster's to set: each node's place says it, it is an order, or a secret. */
  readonly readOnly: boolean
}

export type ParameterValue = ParameterDefinition & {
  /** What is wanted, the default unless it is set; null: not a cluster's to say. */
  readonly value: string | null
  readonly isSet: boolean
  /** Names of nodes that have it stored and work with another value until they are restarted. */
  readonly pendingRestart: readonly string[]
}

export type Host = {
  /** Instance id of Systems Manager. */
  readonly id: string
  readonly name: string
  readonly address: string
  readonly pingStatus: 'Online' | 'ConnectionLost' | 'Inactive'
  readonly platform: string
  readonly tags: Readonly<Record<string, string>>
  /** The node on it, null when free. */
  readonly nodeId: string | null
}

export type ProxyroChange = { readonly operationId: string; readonly secret: string }

export type ObCluster = {
  readonly name: string
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
  /** `ip:sqlPort` each. */
  readonly rootservice: readonly string[]
  /** As RootService knows it; a primary and its standbys share a name, never this. */
  readonly obClusterId: number
  /** As a node was told at its last login by a new link; null: by none yet. */
  readonly obVersion: string | null
  readonly idcRegions: readonly { readonly idc: string; readonly region: string }[]
  /** Where RootService may register its list itself; null until it is given a token. */
  readonly registration: ConfigAccess | null
  /** Parameter Store name of proxyro's password. */
  readonly proxyroSecret: string
  /** The password that may be in force instead, as long as a change is under way or was left half done. */
  readonly proxyroChange: ProxyroChange | null
  readonly heldBy: Hold | null
  readonly tags: Readonly<Record<string, string>>
}

export type Package = PackageRef & {
  readonly id: string
  readonly os: string
  readonly arch: string
  readonly createdAt: number
}

export const OPERATION_TYPES = [
  'create-cluster',
  'delete-cluster',
  'add-nodes',
  'delete-nodes',
  'start',
  'stop',
  'restart',
  'upgrade',
  'refresh',
  'change-links',
  'change-parameters',
  'attach-balancer',
  'detach-balancer',
  /** Traffic alone: no process is touched. */
  'offline',
  'online',
  'rotate-sys-password',
  /** Of an OB cluster, over all proxy clusters that are linked to it. */
  'rotate-proxyro-password',
  /** Looks at proxies of other installers; changes nothing and holds nothing. */
  'precheck-take-over',
  /** Takes proxies of other installers in; each is restarted once. */
  'take-over',
  /** Its nodes serve on and are ours no more. */
  'move-out',
  /** Looks at nodes, as above. */
  'diagnose',
  'collect-logs',
  /** Children, one a node (PL3). */
  'create-node',
  'delete-node',
  'start-node',
  'stop-node',
  'restart-node',
  'upgrade-node',
  /** Puts back what an upgrade of the node has replaced. */
  'revert-node',
  'refresh-node',
  'offline-node',
  'online-node',
  'probe-host',
  'take-over-node',
  /** Gives a proxy that was taken over back as it was found. */
  'give-back-node',
  'rotate-proxyro-node',
  /** Puts back what a change of proxyro's password has changed, on a node and from it. */
  'restore-proxyro-node',
  'diagnose-node',
  'collect-logs-node',
] as const

export type OperationType = (typeof OPERATION_TYPES)[number]

export const OPERATION_PHASES = [
  'PENDING',
  'RUNNING',
  /** No other node is begun until it is resumed. */
  'PAUSED',
  'CANCELLING',
  'ROLLING_BACK',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  /** It failed or was called off, and all that it had changed is as it was. */
  'ROLLED_BACK',
  /** It failed, and the operation that it is of goes on without it. */
  'SKIPPED',
] as const

export type OperationPhase = (typeof OPERATION_PHASES)[number]

export type ProblemView = { readonly code: string; readonly detail: string }

export type Step = {
  readonly n: number
  readonly name: string
  readonly phase: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'SKIPPED' | 'CANCELLED'
  readonly attempt: number
  readonly deadlineAt: number | null
  readonly commandId: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** Bounded summary of the node's answer; never a secret. */
  readonly output: string | null
  readonly error: ProblemView | null
}

export type Operation = {
  readonly id: string
  readonly type: OperationType
  readonly target: {
    readonly kind: 'cluster' | 'node' | 'host' | 'ob-cluster'
    readonly id: string
    readonly name: string
  }
  readonly parentId: string | null
  readonly childIds: readonly string[]
  readonly actor: string
  readonly phase: OperationPhase
  readonly revision: number
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly progress: {
    readonly stepsDone: number
    readonly stepsTotal: number
    readonly nodesDone: number
    /** Left out after they had failed. */
    readonly nodesSkipped: number
    readonly nodesTotal: number
    /** Waves of a rollout, 1 for what is done at once, and the one that is worked on. */
    readonly waves: number
    readonly wave: number
  }
  readonly error: ProblemView | null
  /** What one found that looks, also before it did anything; null until it has ended. Not in lists. */
  readonly result?: LookResult | null
  /** What it does that nobody should be surprised by. */
  readonly notices?: readonly string[]
  /** The same, of a move out; null until it is written down. */
  readonly movedOut?: MovedOutDocument | null
}

/** The caller, proven by the bearer token or a signature. */
export type Principal =
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'instance'; readonly instanceId: string }
