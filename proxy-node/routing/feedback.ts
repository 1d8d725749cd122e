/**
 * What follows when a statement fails, or was answered elsewhere than thought: for the statement, the
 * blacklist, and what is known of locations. As tables; who relays carries them out.
 * Source: proxy-routing.md §4.8, §10.
 */
import type { FailureKind } from '../topology/failures.ts'
import type { Consistency } from './consistency.ts'
import type { DecisionKind } from './decision.ts'
import { FOLLOWERS_FIRST, type Policy } from './orders.ts'

/** What becomes of the location that the statement went by. */
export type LocationEffect =
  | 'none'
  /** Old; refreshed when it is used next. */
  | 'dirty'
  /** Old, but not to be refreshed before the usual gap is over. */
  | 'dirty-later'
  /** Asked for anew before the statement is tried again. */
  | 'renewed'
  /** That, and the tenant's servers, too. */
  | 'all-renewed'

export type StatementEffect =
  /** The next candidate; when there is none, what the server said. */
  | 'next-server'
  /** A new decision on what was asked for anew. */
  | 'new-lookup'
  | 'coordinator'
  /** To the server that the answer names (§8.4), else as it came. */
  | 'named-server'
  /** Again with another session id. */
  | 'new-session-id'
  /** Again on a new server session of the same server. */
  | 'new-server-session'
  /** Another cluster of the service name. */
  | 'other-cluster'
  | 'forward'
  /** It may have been executed: never sent again. */
  | 'close-client'

export type FailureReaction = {
  /** Counted against the server as this kind; undefined: it is not to blame. */
  readonly counts: FailureKind | undefined
  readonly location: LocationEffect
  readonly statement: StatementEffect
}

export type Failure =
  | 'connect-failed'
  | 'blacklisted'
  | 'lost-after-connect'
  | 'inactivity-timeout'
  | 'unparsable-response'
  | 'detected-dead'
  | 'sync-failed'
  | 'sync-unknown-database'
  | 'prologue-failed'

const CLOSED = { location: 'none', statement: 'close-client' } as const
const FORWARDED = { counts: undefined, location: 'none', statement: 'forward' } as const

/** Failures that are no answer of a server (§10.1). */
export const FAILURE_REACTIONS: Readonly<Record<Failure, FailureReaction>> = {
  // A leader that cannot be reached will be elsewhere soon (§4.8); the statement does not wait for that.
  'connect-failed': { counts: 'connect-failed', location: 'dirty', statement: 'next-server' },
  // Dirty when it is the leader: the decision says so itself.
  blacklisted: { counts: undefined, location: 'none', statement: 'next-server' },
  'lost-after-connect': { counts: 'connection-lost', ...CLOSED },
  'inactivity-timeout': { counts: 'timeout', ...CLOSED },
  'unparsable-response': { counts: 'unparsable-response', ...CLOSED },
  'detected-dead': { counts: undefined, ...CLOSED },
  // Variables, database or saved login could not be restored.
  'sync-failed': { counts: undefined, location: 'none', statement: 'new-server-session' },
  'sync-unknown-database': FORWARDED,
  // Held BEGIN, PREPARE, init SQL.
  'prologue-failed': { counts: undefined, ...CLOSED },
}

/** Errors of a server (§10.1); those that are not here are forwarded unchanged. */
export const ERROR_REACTIONS: ReadonlyMap<number, FailureReaction> = new Map<
  number,
  FailureReaction
>([
  [8001, { counts: 'server-initialising', location: 'none', statement: 'next-server' }],
  [8002, { counts: 'server-stopping', location: 'none', statement: 'next-server' }],
  [8003, { counts: 'checksum', location: 'none', statement: 'forward' }],
  [4013, { counts: 'no-memory', location: 'none', statement: 'forward' }],
  [4124, { counts: undefined, location: 'renewed', statement: 'new-lookup' }],
  [5150, { counts: undefined, location: 'all-renewed', statement: 'new-lookup' }],
  [4666, { counts: undefined, location: 'all-renewed', statement: 'new-lookup' }],
  [4661, { counts: undefined, location: 'none', statement: 'new-session-id' }],
  [5081, { counts: undefined, location: 'none', statement: 'next-server' }],
  [4038, { counts: undefined, location: 'dirty-later', statement: 'forward' }],
  [5727, { counts: undefined, location: 'none', statement: 'named-server' }],
  [6279, { counts: undefined, location: 'none', statement: 'coordinator' }],
  [4688, { counts: undefined, ...CLOSED }],
  [4780, { counts: undefined, location: 'none', statement: 'other-cluster' }],
  [4782, { counts: undefined, location: 'none', statement: 'other-cluster' }],
  [603, { counts: undefined, ...CLOSED }],
  [4401, { counts: undefined, ...CLOSED }],
])

const NOT_MASTER = 4038

/** Beyond the reference: outside a transaction the server has not executed it, and the new leader may. */
const NOT_MASTER_ONCE: FailureReaction = {
  counts: undefined,
  location: 'renewed',
  statement: 'new-lookup',
}

/** `mayRetryLeader`: outside a transaction, and for the first time with this statement. */
export function errorReaction(errno: number, mayRetryLeader: boolean): FailureReaction {
  if (errno === NOT_MASTER && mayRetryLeader) return NOT_MASTER_ONCE
  return ERROR_REACTIONS.get(errno) ?? FORWARDED
}

/** What a second try depends on (§10.2). */
export type RetryQuestion = {
  readonly isMysqlMode: boolean
  readonly triesLeft: number
  /** Of a transaction, or internally routed. */
  readonly isFirstStatement: boolean
  readonly isBuffered: boolean
  /** The failure was an error packet. */
  readonly isAfterError: boolean
  /** Above 8 KB. */
  readonly isLarge: boolean
  /** `@obproxy_route_addr`. */
  readonly isBound: boolean
  /** KILL QUERY, COM_STMT_FETCH, COM_STMT_GET_PIECE_DATA, a piece in progress, a binlog request. */
  readonly belongsToServer: boolean
}

export type RetryRule = {
  readonly because: string
  readonly forbids: (question: RetryQuestion) => boolean
}

/** Any of them forbids it. */
export const RETRY_RULES: readonly RetryRule[] = [
  { because: 'server_routing_mode is mysql', forbids: ({ isMysqlMode }) => isMysqlMode },
  { because: 'as many servers were tried as may be', forbids: ({ triesLeft }) => triesLeft <= 0 },
  {
    because: 'it is not the first statement of its transaction',
    forbids: ({ isFirstStatement }) => !isFirstStatement,
  },
  { because: 'the request is not all here', forbids: ({ isBuffered }) => !isBuffered },
  {
    because: 'the request is above 8 KB, and a server has answered it',
    forbids: ({ isLarge, isAfterError }) => isLarge && isAfterError,
  },
  { because: 'the session is bound by obproxy_route_addr', forbids: ({ isBound }) => isBound },
  {
    because: 'the command means something on its server only',
    forbids: ({ belongsToServer }) => belongsToServer,
  },
]

/** Undefined: it may be tried again; otherwise why not. */
export function retryForbidden(question: RetryQuestion): string | undefined {
  return RETRY_RULES.find(rule => rule.forbids(question))?.because
}

/** `_ob_proxy_weakread_feedback` of the answer to a weak read. */
export type WeakFeedback = 'all-followers' | 'no-replica' | 'all-leaders' | 'mixed'

/** A statement that was answered, and how it had been routed (§4.8). */
export type Outcome = {
  readonly kind: DecisionKind
  readonly consistency: Consistency
  readonly policy: Policy | undefined
  /** The server that answered, by the location that was used. */
  readonly wasLeader: boolean
  readonly hadPartition: boolean
  readonly hasLeader: boolean
  readonly isLeaderAvoided: boolean
  /** `ob_proxy_partition_hit`; absent is a hit. */
  readonly isHit: boolean
  /** The server tells hits of weak reads, too. */
  readonly tellsWeakHits: boolean
  readonly weakFeedback: WeakFeedback
  /** Chance picked the partition, or the location is rightly empty. */
  readonly isGuess: boolean
}

export type DirtyRule = {
  readonly because: string
  readonly holds: (outcome: Outcome) => boolean
}

const NO_LOCATION: ReadonlySet<DecisionKind> = new Set([
  'primary-zone',
  'last-server',
  'coordinator',
  'lock-server',
  'last-insert-id',
  'cached-server',
  'bound',
  'holder',
  'target-servers',
  'test-servers',
  'single-leader',
  'none',
])

/** Any of them makes the location dirty. */
export const DIRTY_RULES: readonly DirtyRule[] = [
  {
    because: 'a strong statement on the leader that missed',
    holds: outcome => isStrong(outcome) && outcome.wasLeader && !outcome.isHit,
  },
  {
    because: 'a strong statement that hit where no leader was known',
    holds: outcome => isStrong(outcome) && !outcome.wasLeader && outcome.isHit,
  },
  {
    because: 'a strong statement, and no leader is known',
    holds: outcome => isStrong(outcome) && !outcome.hasLeader,
  },
  {
    because: 'a weak read that missed where the partition was thought to be',
    holds: outcome =>
      !isStrong(outcome) && outcome.tellsWeakHits && outcome.hadPartition && !outcome.isHit,
  },
  {
    because: 'a weak read that hit where the partition was not thought to be',
    holds: outcome => !isStrong(outcome) && !outcome.hadPartition && outcome.isHit,
  },
  {
    because: 'a read from followers whose leader is avoided',
    holds: outcome => prefersFollowers(outcome) && outcome.isLeaderAvoided,
  },
  {
    because: 'a read from followers that leaders have answered',
    holds: outcome =>
      prefersFollowers(outcome) && !outcome.wasLeader && outcome.weakFeedback === 'all-leaders',
  },
]

/** Why the location that was gone by is old; undefined: nothing says so. */
export function dirtyBecause(outcome: Outcome): string | undefined {
  if (outcome.isGuess || NO_LOCATION.has(outcome.kind)) return undefined
  return DIRTY_RULES.find(rule => rule.holds(outcome))?.because
}

/** A miss shows that not all leaders of the tenant are on one server (§4.8). */
export function dropsSingleLeader({ kind, isHit }: Outcome): boolean {
  return kind === 'single-leader' && !isHit
}

function isStrong({ consistency }: Outcome): boolean {
  return consistency === 'strong'
}

function prefersFollowers({ consistency, policy }: Outcome): boolean {
  return consistency === 'weak' && policy !== undefined && FOLLOWERS_FIRST.has(policy)
}
