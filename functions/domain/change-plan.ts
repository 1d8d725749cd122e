/**
 * What a change would do, as a dry run answers it: nothing of it is stored, and without a change between
 * them two are equal. It is cut so that a plan for a thousand nodes is as short as one for a hundred.
 * Source: management-beyond.md §3.1, §5, §6.
 */
import type { Verb } from '#contract/command'
import type { Operation, OperationType } from './model.ts'
import type { StepName, StepRule } from './plan.ts'
import type { OnFailure } from './rollout.ts'

/** The first of them, and how many there are. */
export type Cut<T> = { readonly total: number; readonly items: readonly T[] }

export const MOST_SHOWN = 100
/** Of names and zones within another list. */
export const MOST_NAMED = 20

export function cut<T>(all: readonly T[], most = MOST_SHOWN): Cut<T> {
  return { total: all.length, items: all.slice(0, most) }
}

/** Seconds; `most` by deadlines, what the plane adds to look again not included. */
export type Span = { readonly leastSec: number; readonly mostSec: number }

export type PlannedStep = Span & {
  readonly name: StepName
  readonly kind: StepRule['kind']
  /** What the node is told; null: it is not asked. */
  readonly verb: Verb | null
  /** Null: it has none, and takes what it takes. */
  readonly deadlineSec: number | null
}

/** Steps that several nodes go through alike. */
export type Procedure = Span & {
  readonly type: OperationType
  readonly nodes: number
  readonly steps: readonly PlannedStep[]
}

/** `moved`: another process takes over, and clients stay with the old one while it drains. */
export const PROCESS_FATES = [
  'untouched',
  'installed',
  'started',
  'moved',
  'restarted',
  'stopped',
  'removed',
] as const

export type ProcessFate = (typeof PROCESS_FATES)[number]

type Side<T> = { readonly before: T; readonly after: T }

export type PlannedNode = {
  /** Null: it is not there yet. */
  readonly id: string | null
  readonly name: string
  readonly host: string
  readonly zone: string | null
  /** From 0, as the lists of them. */
  readonly wave: number
  readonly procedure: number
  readonly process: ProcessFate
  /** As it has reported; null: not known. */
  readonly clients: number | null
  readonly desiredState: Side<'RUNNING' | 'STOPPED' | null>
  readonly version: Side<string | null>
}

export type PlannedWave = Span & {
  readonly nodes: number
  readonly isCanary: boolean
  readonly zones: Cut<{ readonly zone: string | null; readonly nodes: number }>
}

export const WARNINGS = [
  'no-node-left',
  'all-at-once',
  'report-stale',
  'host-offline',
  'stays-out-of-balancer',
  'clients-cut',
  'too-few-healthy',
  'no-link-left',
  'serves-unmanaged',
  'password-stays',
  'config-answers-end',
  'server-list-stays',
  'stays-in-balancer',
  'left-behind',
] as const

export type PlanWarning = {
  readonly code: (typeof WARNINGS)[number]
  readonly detail: string
  /** Names; none where it is a matter of the cluster and it has no nodes. */
  readonly nodes: Cut<string>
}

export const GATE_CHECKS = ['ready', 'exporter', 'errors', 'latency'] as const

export type ChangePlan = {
  /** As the audit will name it. */
  readonly action: string
  /** Of the operation; null: there would be none. */
  readonly type: OperationType | null
  readonly target: {
    readonly kind: Operation['target']['kind']
    /** Null: it is not there yet. */
    readonly id: string | null
    readonly name: string
  }
  /** `nothing`: it is so already. `at-once`: the request itself does it, and no node is asked. */
  readonly outcome: 'nothing' | 'at-once' | 'operation'
  /** Of the cluster's specification, or of the OB clusters whose password it is; texts, what is none as JSON, null for what is not there. */
  readonly changes: Cut<{ readonly path: string } & Side<string | null>>
  /** Of the operation of the cluster; none of a node's own. */
  readonly steps: readonly PlannedStep[]
  readonly procedures: Cut<Procedure>
  readonly waves: Cut<PlannedWave>
  readonly pace: {
    /** Nodes that are worked on at once, whatever a wave's size. */
    readonly atOnce: number
    readonly minHealthyPercent: number | null
    readonly onFailure: OnFailure
  }
  /** In the order in which they are begun. */
  readonly nodes: Cut<PlannedNode>
  /** Nodes that were asked for and need no work. */
  readonly inPlace: Cut<string>
  readonly clients: {
    /** Clients whose connection ends, by the newest reports, and who are left alone until a drain ends. */
    readonly cut: number
    readonly moved: number
    /** Nodes of those that have not said how many they have. */
    readonly unknown: number
    /** How long moved ones may stay; null: for ever, or as the proxy is set. */
    readonly drainSec: number | null
  }
  readonly gates: {
    /** Nodes that are asked before they count as done. */
    readonly nodes: number
    readonly checks: readonly (typeof GATE_CHECKS)[number][]
    /** OB clusters that are logged in to through each node. */
    readonly logins: Cut<string>
  }
  readonly rollback: {
    readonly isPossible: boolean
    /** After the operation has ended. */
    readonly withinSec: number | null
    readonly why: string | null
  }
  readonly duration: Span
  readonly warnings: readonly PlanWarning[]
  /** What is left to whoever manages an external balancer. */
  readonly operatorSteps: readonly string[]
}
