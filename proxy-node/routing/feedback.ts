/**
 * Whether an answer shows that the location which the statement went by is old, as a table of rules.
 * What follows from failures is `session/retry.ts`. Source: proxy-routing.md §4.8.
 */
import type { Consistency } from './consistency.ts'
import type { DecisionKind } from './decision.ts'
import { FOLLOWERS_FIRST, type Policy } from './orders.ts'

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

function isStrong({ consistency }: Outcome): boolean {
  return consistency === 'strong'
}

function prefersFollowers({ consistency, policy }: Outcome): boolean {
  return consistency === 'weak' && policy !== undefined && FOLLOWERS_FIRST.has(policy)
}
