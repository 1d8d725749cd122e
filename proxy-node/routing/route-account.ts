/** What was found on the way to a decision: what EXPLAIN ROUTE tells of. Source: proxy-routing.md §12.1. */
import type { PruneAccount } from '../topology/partition/account.ts'
import type { Decision } from './decision.ts'

/** A server that was looked at. */
export type Considered = {
  readonly server: string
  /** Its class in letters of §7.3. */
  readonly letters: string
  /** What speaks against it; empty for nothing. */
  readonly against: string
  readonly zone: string
  readonly idc: string
  readonly region: string
  /** As reported; empty when no list names it. */
  readonly state: string
}

export type TableAccount = {
  readonly name: string
  /** Undefined: no server knows of it, or none answers. */
  readonly known:
    | { readonly id: string; readonly type: number; readonly partitions: number }
    | undefined
  /** This worker knew; otherwise the supervisor was asked. */
  readonly isCached: boolean
}

export type PlaceAccount = {
  readonly leader: string | undefined
  /** `host:port LEADER FULL` and so on. */
  readonly replicas: readonly string[]
  /** Id of the tablet, or of the partition in 3.x; empty for a table without partitions. */
  readonly id: string
  readonly isGuess: boolean
}

/** What was decided, or where the statement has to stay. */
export type Outcome =
  | ({ readonly kind: 'decided' } & DecisionAccount)
  | { readonly kind: 'bound'; readonly server: string; readonly because: string }
  /** It reaches no server. */
  | { readonly kind: 'own'; readonly because: string }
  /** The client gets an error instead. */
  | { readonly kind: 'refused'; readonly because: string }

export type DecisionAccount = {
  readonly decision: Pick<
    Decision,
    | 'kind'
    | 'because'
    | 'refusal'
    | 'state'
    | 'consistency'
    | 'consistencyBecause'
    | 'policy'
    | 'policyBecause'
    | 'maxTries'
  >
  readonly server: string | undefined
  /** In this order, when one after the other cannot be reached. */
  readonly fallbacks: readonly string[]
  readonly considered: readonly Considered[]
}

export type RouteAccount = {
  /** Of the transaction, when a BEGIN waits for its first statement; as far as it is shown. */
  readonly held: string | undefined
  readonly statement: string
  readonly command: string
  readonly verb: string
  /** Database and table, empty when there is none to route by. */
  readonly table: string
  /** `server_routing_mode`. */
  readonly mode: string
  readonly idc: string
  readonly isCut: boolean
  /** `enable_partition_table_route`. */
  readonly prunes: boolean
  /** Parameters that are set for less than the node, with the level that decides. */
  readonly setBelow: readonly (readonly [name: string, level: string])[]
  readonly lookedUp: TableAccount | undefined
  readonly pruning: PruneAccount | undefined
  readonly place: PlaceAccount | undefined
  readonly outcome: Outcome
}
