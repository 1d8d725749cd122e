/**
 * What the table keeps of operations: what one is to do, on which nodes, with what it needs to try again or
 * to put back, and what it has found.
 */
import type { PackageRef } from '#contract/command'
import type { Diagnosis } from '#contract/diagnosis'
import type { LogFilter } from '#contract/log-filter'
import type { LinkChange } from './link.ts'
import type {
  Operation,
  OperationPhase,
  OperationType,
  ParameterChange,
  ProblemView,
} from './model.ts'
import type { StepName } from './plan.ts'
import type { NodeRecord, Stored } from './record.ts'
import type { RolloutState } from './rollout.ts'
import type { HostCheck } from './take-over-check.ts'

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

/** What a node has told of itself for an operation that asked it; the newest of that operation. */
export type DiagnosisRecord = Stored & {
  readonly operationId: string
  readonly document: Diagnosis
  readonly receivedAt: number
}

/** What an operation that looks at a host has found there. */
export type ResultRecord = Stored & HostCheck
