/**
 * What the HTTP layer may ask of the plane. Routes know this port only; store, Run Command and the
 * operations engine are behind it. Every method may throw `Problem`.
 */
import type { Diagnosis } from '#contract/diagnosis'
import type { LogFilter, LogUpload } from '#contract/log-filter'
import type { NodeReport } from '#contract/report'
import type { AuditEvent } from './audit-event.ts'
import type { ChangePlan } from './change-plan.ts'
import type { Link, ProbeAccount } from './link.ts'
import type { BalancerSpec } from './load-balancer.ts'
import type {
  Cluster,
  ClusterBalancer,
  Host,
  Node,
  ObCluster,
  Operation,
  OperationPhase,
  OperationType,
  Package,
  ParameterDefinition,
  ParameterHistoryEntry,
  ParameterValue,
  Principal,
  Step,
} from './model.ts'
import type { ParameterEdit } from './parameters.ts'
import type { Rollout } from './rollout.ts'
import type { Period } from './store.ts'

export type Page<T> = { readonly items: readonly T[]; readonly nextCursor: string | null }

/** `limit` 1..200. A cursor is opaque and signed by the plane; a strange one is `validation-failed`. */
export type PageRequest = { readonly limit: number; readonly cursor?: string }

/** Who asks, and the idempotency of the request (kept 24 h; scope = caller × method × path). */
export type Asked = {
  readonly principal: Principal
  readonly requestId: string
  readonly idempotency?: {
    readonly scope: string
    readonly key: string
    /** sha256 hex of the canonical body. */
    readonly bodyHash: string
  }
  /** All is checked and decided as ever, and nothing is written: the outcome is `planned`. */
  readonly isDryRun?: boolean
}

/**
 * `accepted`: 202 with the operation. `done`: nothing was left to do or it was done at once. `planned`: the
 * answer to a dry run, and to nothing else.
 */
export type Outcome<T> =
  | { readonly kind: 'planned'; readonly plan: ChangePlan; readonly isReplayed: false }
  | { readonly kind: 'accepted'; readonly operation: Operation; readonly isReplayed: boolean }
  | {
      readonly kind: 'done'
      readonly value: T
      readonly isCreated: boolean
      readonly isReplayed: boolean
    }

/** What is never left to an operation. */
export type Done<T> = Extract<Outcome<T>, { readonly kind: 'done' }>

export type NodeInput = {
  /** Host id (instance id). */
  readonly host: string
  readonly idc?: string
  readonly desiredState?: 'RUNNING' | 'STOPPED'
}

export type ClusterInput = {
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  readonly spec: {
    readonly workMode: 'RS_LIST' | 'CONFIG_URL'
    readonly version: string
    readonly ports: { readonly sql: number; readonly exporter: number }
    readonly install: { readonly path: string }
    readonly nodes: readonly NodeInput[]
    readonly links: readonly Link[]
    readonly parameters: Readonly<Record<string, string>>
    readonly sysPasswordSecret?: string
    readonly deletionProtection: boolean
    readonly loadBalancer?: BalancerSpec
  }
}

export type ObClusterInput = Pick<
  ObCluster,
  'rootservice' | 'obClusterId' | 'idcRegions' | 'proxyroSecret' | 'tags'
>

export type LinkInput = {
  readonly isDefault: boolean
  /** Absent: as it is; null: none. */
  readonly probeAccount?: ProbeAccount | null
}

/** Absent: the last hour. */
export type LogsInput = Omit<LogFilter, 'from' | 'to'> & {
  readonly from?: number
  readonly to?: number
}

/** Which nodes of a cluster; absent: all. */
export type NodesInput = { readonly nodes?: readonly string[] }

/** `auto`: hot where every node can, else force. */
export type ReplaceMode = 'hot' | 'force' | 'auto'

export type ReplaceInput = NodesInput & {
  readonly mode: ReplaceMode
  readonly strategy?: 'rolling' | 'all-at-once'
  /** What differs from the strategy's own. */
  readonly rollout?: Partial<Rollout>
  /** Must equal the name when all nodes are to go at once. */
  readonly confirm?: string
}

export type TakeOverInput = {
  readonly hosts: readonly {
    readonly host: string
    /** Where its proxy takes clients; absent: as the cluster's. */
    readonly sqlPort?: number
    /** Of the password that its root@proxysys has; absent: none. */
    readonly sysPasswordSecret?: string
    readonly idc?: string
  }[]
  /** Parameters that differ from the cluster's may be overwritten. */
  readonly acceptParameterChanges: boolean
  /** Package and user of the proxies are taken as they are. */
  readonly isForced?: boolean
  /** Must equal the cluster's name, but for a look: clients are cut. */
  readonly confirm?: string
}

export type MoveOutInput = {
  /** Must equal the name. */
  readonly confirm?: string
  /** Nodes that are out of reach: they are forgotten, and nobody is sent there. */
  readonly skipHostWork: readonly string[]
  /** How long the config service answers afterwards, milliseconds. */
  readonly graceMs: number
}

export type UpgradeInput = ReplaceInput & { readonly version: string }

export type OfflineInput = {
  /** Kept on the node, for whoever finds it out. */
  readonly reason?: string
  /** Must equal the name when no node of the cluster is left in the balancer. */
  readonly confirm?: string
}

export type ParametersInput = ParameterEdit & {
  /** `rolling`: nodes are restarted, hot and wave by wave, when what is changed needs it. */
  readonly restartPolicy: 'manual' | 'rolling'
  readonly rollout?: Partial<Rollout>
  /** Of the cluster; strong revision of If-Match. */
  readonly revision: number
}

export type ParametersPage = Page<ParameterValue> & {
  readonly parameterVersion: number
  /** Names of nodes that have not said that they have that version. */
  readonly nodesBehind: readonly string[]
}

export type DefinitionsPage = Page<ParameterDefinition> & {
  /** The version that was asked for, and the one that they are of. */
  readonly version: string
  readonly definedFor: string
}

export type DeleteInput = {
  /** Must equal the name. */
  readonly confirm?: string
  /** Strong revision of If-Match. */
  readonly revision: number
  /** The host is unreachable: only the inventory is cleaned (management.md §3.4). */
  readonly skipHostWork: boolean
  /** Whether proxies are removed or serve on; absent: those that were taken over serve on. */
  readonly mode?: 'uninstall' | 'release'
  /** Clients may be cut, and fewer nodes left healthy than a rollout would leave. */
  readonly isForced?: boolean
}

/** Ids or names are accepted wherever a `ref` is. */
export type Plane = {
  readonly clusters: {
    list(page: PageRequest): Promise<Page<Cluster>>
    get(ref: string): Promise<Cluster>
    create(asked: Asked, input: ClusterInput): Promise<Outcome<Cluster>>
    remove(asked: Asked, ref: string, input: DeleteInput): Promise<Outcome<null>>
    addNodes(asked: Asked, ref: string, nodes: readonly NodeInput[]): Promise<Outcome<Cluster>>
    start(asked: Asked, ref: string, input: NodesInput): Promise<Outcome<Cluster>>
    stop(asked: Asked, ref: string, input: NodesInput): Promise<Outcome<Cluster>>
    restart(asked: Asked, ref: string, input: ReplaceInput): Promise<Outcome<Cluster>>
    /** Nodes of that version already are left alone. */
    upgrade(asked: Asked, ref: string, input: UpgradeInput): Promise<Outcome<Cluster>>
    /** Parameters of nodes that run are what the cluster's are; none is restarted. */
    refresh(asked: Asked, ref: string, input: NodesInput): Promise<Outcome<Cluster>>
    /** Looks whether proxies of other installers could be taken over; its operation has the result. */
    precheckTakeOver(asked: Asked, ref: string, input: TakeOverInput): Promise<Outcome<Cluster>>
    /** Takes them in, each restarted once; what cannot be is as it was found, and so is what fails. */
    takeOver(asked: Asked, ref: string, input: TakeOverInput): Promise<Outcome<Cluster>>
    /** Its nodes serve on and are ours no more; its operation has what makes it again. */
    moveOut(asked: Asked, ref: string, input: MoveOutInput): Promise<Outcome<null>>
    /** Looks at nodes, 50 at most; holds nothing, its operation has the result. */
    diagnose(asked: Asked, ref: string, input: NodesInput): Promise<Outcome<Cluster>>
    /** Bundles of logs of nodes, 50 at most; holds nothing, its operation lists them. */
    collectLogs(asked: Asked, ref: string, input: NodesInput & LogsInput): Promise<Outcome<Cluster>>
    nodes(ref: string, page: PageRequest): Promise<Page<Node>>
    /** Asks the balancer for its members. */
    loadBalancer(ref: string): Promise<ClusterBalancer>
    /** Nodes that should run become members. One at a time: another is attached when this one is gone. */
    attachBalancer(asked: Asked, ref: string, spec: BalancerSpec): Promise<Outcome<Cluster>>
    /** Its nodes leave the balancer; one that is not there is gone already. */
    detachBalancer(asked: Asked, ref: string): Promise<Outcome<null>>
    /** Out of the balancer, the process runs on; no operation but `online` takes a node back in. */
    offline(asked: Asked, ref: string, input: NodesInput & OfflineInput): Promise<Outcome<Cluster>>
    /** One that is stopped comes in when it is started. */
    online(asked: Asked, ref: string, input: NodesInput): Promise<Outcome<Cluster>>
    /**
     * Adds a link, or makes it the default; CONFIG_URL only. Takes effect without a restart. The account
     * of a link that is there can be replaced in any work mode.
     */
    link(asked: Asked, ref: string, obCluster: string, input: LinkInput): Promise<Outcome<Cluster>>
    /** One that is not there is gone already. The default goes last. */
    unlink(asked: Asked, ref: string, obCluster: string): Promise<Outcome<null>>
    /** Nodes that run get the new password of root@proxysys now, the others at their next start. */
    rotateSysPassword(
      asked: Asked,
      ref: string,
      secret: string | undefined,
    ): Promise<Outcome<Cluster>>
    /** The token before opens on; nodes take the new one at their next start. */
    rotateConfigToken(asked: Asked, ref: string): Promise<Done<Cluster>>
  }
  readonly parameters: {
    list(
      ref: string,
      page: PageRequest,
      filter: { readonly search?: string; readonly isSet?: boolean },
    ): Promise<ParametersPage>
    /** Nodes that run are told, one before all others; what one refuses is taken back from all. */
    change(asked: Asked, ref: string, input: ParametersInput): Promise<Outcome<Cluster>>
    /** The newest first. */
    history(
      ref: string,
      page: PageRequest,
      filter: Period & { readonly name?: string },
    ): Promise<Page<ParameterHistoryEntry>>
    definitions(
      page: PageRequest,
      filter: { readonly version?: string; readonly search?: string },
    ): Promise<DefinitionsPage>
  }
  readonly nodes: {
    list(page: PageRequest): Promise<Page<Node>>
    get(ref: string): Promise<Node>
    remove(asked: Asked, ref: string, input: DeleteInput): Promise<Outcome<null>>
    start(asked: Asked, ref: string): Promise<Outcome<Node>>
    stop(asked: Asked, ref: string): Promise<Outcome<Node>>
    restart(
      asked: Asked,
      ref: string,
      input: Pick<ReplaceInput, 'mode' | 'rollout'>,
    ): Promise<Outcome<Node>>
    upgrade(
      asked: Asked,
      ref: string,
      input: Pick<UpgradeInput, 'mode' | 'rollout' | 'version'>,
    ): Promise<Outcome<Node>>
    refresh(asked: Asked, ref: string): Promise<Outcome<Node>>
    offline(asked: Asked, ref: string, input: OfflineInput): Promise<Outcome<Node>>
    online(asked: Asked, ref: string): Promise<Outcome<Node>>
    diagnose(asked: Asked, ref: string): Promise<Outcome<Node>>
    collectLogs(asked: Asked, ref: string, input: LogsInput): Promise<Outcome<Node>>
    /** Where a bundle goes that an open operation asked the node for. */
    placeForLogs(principal: Principal, nodeId: string, upload: LogUpload): Promise<string>
    /** Of an open operation that asked the node for it; from its instance alone, as a report. */
    takeDiagnosis(principal: Principal, nodeId: string, document: Diagnosis): Promise<void>
    /** The principal must be the instance that carries the node (PL9); an older sequence changes nothing. */
    report(principal: Principal, nodeId: string, report: NodeReport): Promise<void>
  }
  readonly operations: {
    list(
      page: PageRequest,
      filter: {
        readonly target?: string
        readonly type?: OperationType
        readonly phase?: OperationPhase
      },
    ): Promise<Page<Operation>>
    get(id: string): Promise<Operation>
    /** Answers when the operation has ended or `revision` is outdated, at the latest after `waitMs` (0..25 000). */
    wait(id: string, waitMs: number, revision?: number): Promise<Operation>
    steps(id: string): Promise<readonly Step[]>
    /** Done once it is written down; the operation ends when what runs on its nodes has. */
    cancel(asked: Asked, id: string): Promise<Outcome<Operation>>
    retry(asked: Asked, id: string): Promise<Outcome<Operation>>
    /** Goes on without these children, that failed: their nodes are left as they are. */
    skip(asked: Asked, id: string, children: readonly string[]): Promise<Outcome<Operation>>
    /** No other node is begun; what runs on one is let run to its end. */
    pause(asked: Asked, id: string): Promise<Outcome<Operation>>
    /** Goes on; nodes that failed are tried again. */
    resume(asked: Asked, id: string): Promise<Outcome<Operation>>
    /** Puts back what it has done, as far as that can be. */
    rollback(asked: Asked, id: string): Promise<Outcome<Operation>>
  }
  readonly obClusters: {
    list(page: PageRequest): Promise<Page<ObCluster>>
    get(name: string): Promise<ObCluster>
    /** Creates without `revision`, replaces with it. */
    put(
      asked: Asked,
      name: string,
      input: ObClusterInput,
      revision?: number,
    ): Promise<Outcome<ObCluster>>
    remove(asked: Asked, name: string, revision: number): Promise<Outcome<null>>
    /** The first, or the next; the one before opens on. */
    rotateToken(asked: Asked, name: string): Promise<Done<ObCluster>>
    /** proxyro gets another password, here and at all OB clusters that have to share it. */
    rotateProxyro(
      asked: Asked,
      name: string,
      secret: string | undefined,
    ): Promise<Outcome<ObCluster>>
  }
  readonly audit: {
    /** The newest first, from `to` back to `from`, 31 days at most; the last seven without them. */
    list(
      page: PageRequest,
      filter: {
        readonly from?: number
        readonly to?: number
        readonly target?: string
        readonly actor?: string
        readonly action?: string
      },
    ): Promise<Page<AuditEvent>>
  }
  readonly hosts: {
    list(page: PageRequest): Promise<Page<Host>>
    get(id: string): Promise<Host>
  }
  readonly packages: {
    list(page: PageRequest): Promise<Page<Package>>
    get(id: string): Promise<Package>
    /** Registers a file that hosts can reach (spool, https, s3). */
    create(
      asked: Asked,
      input: {
        readonly fileName: string
        readonly sha256: string
        readonly sizeBytes: number
        readonly url: string
      },
    ): Promise<Outcome<Package>>
    remove(asked: Asked, id: string): Promise<Outcome<null>>
  }
}
