import { describe, expect, test } from 'vitest'
import {
  dirtyBecause,
  dropsSingleLeader,
  ERROR_REACTIONS,
  errorReaction,
  FAILURE_REACTIONS,
  type Failure,
  type LocationEffect,
  type Outcome,
  RETRY_RULES,
  type RetryQuestion,
  retryForbidden,
  type StatementEffect,
} from '../../../../proxy-node/routing/feedback.ts'
import type { FailureKind } from '../../../../proxy-node/topology/failures.ts'

type Row<F> = readonly [F, FailureKind | undefined, LocationEffect, StatementEffect]

describe('failures that are no answer (§10.1)', () => {
  const ROWS: readonly Row<Failure>[] = [
    ['connect-failed', 'connect-failed', 'dirty', 'next-server'],
    ['blacklisted', undefined, 'none', 'next-server'],
    ['lost-after-connect', 'connection-lost', 'none', 'close-client'],
    ['inactivity-timeout', 'timeout', 'none', 'close-client'],
    ['unparsable-response', 'unparsable-response', 'none', 'close-client'],
    ['detected-dead', undefined, 'none', 'close-client'],
    ['sync-failed', undefined, 'none', 'new-server-session'],
    ['sync-unknown-database', undefined, 'none', 'forward'],
    ['prologue-failed', undefined, 'none', 'close-client'],
  ]

  test.each(ROWS)('%s: counts as %s, location %s, %s', (failure, counts, location, statement) => {
    expect(FAILURE_REACTIONS[failure]).toEqual({ counts, location, statement })
  })

  test('are all here', () => {
    expect(ROWS.map(([failure]) => failure)).toEqual(Object.keys(FAILURE_REACTIONS))
  })
})

describe('errors of a server (§10.1)', () => {
  const ROWS: readonly Row<number>[] = [
    [8001, 'server-initialising', 'none', 'next-server'],
    [8002, 'server-stopping', 'none', 'next-server'],
    [8003, 'checksum', 'none', 'forward'],
    [4013, 'no-memory', 'none', 'forward'],
    [4124, undefined, 'renewed', 'new-lookup'],
    [5150, undefined, 'all-renewed', 'new-lookup'],
    [4666, undefined, 'all-renewed', 'new-lookup'],
    [4661, undefined, 'none', 'new-session-id'],
    [5081, undefined, 'none', 'next-server'],
    [4038, undefined, 'dirty-later', 'forward'],
    [5727, undefined, 'none', 'named-server'],
    [6279, undefined, 'none', 'coordinator'],
    [4688, undefined, 'none', 'close-client'],
    [4780, undefined, 'none', 'other-cluster'],
    [4782, undefined, 'none', 'other-cluster'],
    [603, undefined, 'none', 'close-client'],
    [4401, undefined, 'none', 'close-client'],
  ]

  test.each(ROWS)('%i: counts as %s, location %s, %s', (errno, counts, location, statement) => {
    expect(errorReaction(errno, false)).toEqual({ counts, location, statement })
  })

  test('are all here', () => {
    expect(ROWS.map(([errno]) => errno)).toEqual([...ERROR_REACTIONS.keys()])
  })

  test.each([1062, 1146, 1064, 4012])('%i is forwarded unchanged', errno => {
    expect(errorReaction(errno, true)).toEqual({
      counts: undefined,
      location: 'none',
      statement: 'forward',
    })
  })

  test('4038 outside a transaction runs once more, on the leader that is asked for anew', () => {
    expect(errorReaction(4038, true)).toEqual({
      counts: undefined,
      location: 'renewed',
      statement: 'new-lookup',
    })
  })
})

const MAY: RetryQuestion = {
  isMysqlMode: false,
  triesLeft: 1,
  isFirstStatement: true,
  isBuffered: true,
  isAfterError: true,
  isLarge: false,
  isBound: false,
  belongsToServer: false,
}

describe('a second try (§10.2)', () => {
  const FORBIDDEN: readonly (readonly [string, Partial<RetryQuestion>])[] = [
    ['server_routing_mode is mysql', { isMysqlMode: true }],
    ['as many servers were tried as may be', { triesLeft: 0 }],
    ['it is not the first statement of its transaction', { isFirstStatement: false }],
    ['the request is not all here', { isBuffered: false }],
    ['the request is above 8 KB, and a server has answered it', { isLarge: true }],
    ['the session is bound by obproxy_route_addr', { isBound: true }],
    ['the command means something on its server only', { belongsToServer: true }],
  ]

  test.each(FORBIDDEN)('not when %s', (because, change) => {
    expect(retryForbidden({ ...MAY, ...change })).toBe(because)
  })

  test('the conditions are all here', () => {
    expect(FORBIDDEN.map(([because]) => because)).toEqual(RETRY_RULES.map(({ because }) => because))
  })

  test('otherwise it may', () => {
    expect(retryForbidden(MAY)).toBeUndefined()
  })

  test('a large request that no server has answered may', () => {
    expect(retryForbidden({ ...MAY, isLarge: true, isAfterError: false })).toBeUndefined()
  })
})

const STRONG_HIT: Outcome = {
  kind: 'leader',
  consistency: 'strong',
  policy: undefined,
  wasLeader: true,
  hadPartition: true,
  hasLeader: true,
  isLeaderAvoided: false,
  isHit: true,
  tellsWeakHits: true,
  weakFeedback: 'all-followers',
  isGuess: false,
}
const WEAK_HIT: Outcome = { ...STRONG_HIT, kind: 'replica', consistency: 'weak', wasLeader: false }
const FOLLOWERS: Outcome = { ...WEAK_HIT, policy: 'FOLLOWER_FIRST' }
const MISS = { isHit: false }
const FOLLOWER = { kind: 'replica', wasLeader: false } as const

describe('what makes a location dirty (§4.8)', () => {
  test.each<readonly [string, Outcome, boolean]>([
    ['strong, on the leader, hit', STRONG_HIT, false],
    ['strong, on the leader, missed', { ...STRONG_HIT, ...MISS }, true],
    ['strong, on a follower, hit', { ...STRONG_HIT, ...FOLLOWER }, true],
    ['strong, on a follower, missed', { ...STRONG_HIT, ...FOLLOWER, ...MISS }, false],
    ['strong, no leader is known', { ...STRONG_HIT, ...FOLLOWER, ...MISS, hasLeader: false }, true],
    ['weak, where the partition is, hit', WEAK_HIT, false],
    ['weak, where the partition is, missed', { ...WEAK_HIT, ...MISS }, true],
    [
      'weak, missed, of a server that tells nothing of weak reads',
      { ...WEAK_HIT, ...MISS, tellsWeakHits: false },
      false,
    ],
    ['weak, where the partition is not, hit', { ...WEAK_HIT, hadPartition: false }, true],
    [
      'weak, where the partition is not, missed',
      { ...WEAK_HIT, ...MISS, hadPartition: false },
      false,
    ],
    ['followers first, leader avoided', { ...FOLLOWERS, isLeaderAvoided: true }, true],
    ['another weak policy, leader avoided', { ...WEAK_HIT, isLeaderAvoided: true }, false],
    [
      'followers first, a follower, but leaders answered',
      { ...FOLLOWERS, weakFeedback: 'all-leaders' },
      true,
    ],
    [
      'followers first, the leader, and leaders answered',
      { ...FOLLOWERS, wasLeader: true, weakFeedback: 'all-leaders' },
      false,
    ],
    ['followers first, mixed', { ...FOLLOWERS, weakFeedback: 'mixed' }, false],
  ])('%s: %s', (_name, outcome, isDirty) => {
    expect(dirtyBecause(outcome) !== undefined).toBe(isDirty)
  })

  // Who judges answers relies on it: the usual one is not asked about.
  test('nothing says so when the leader that is known has answered a strong statement with a hit', () => {
    for (const weakFeedback of ['all-followers', 'no-replica', 'all-leaders', 'mixed'] as const)
      for (const isLeaderAvoided of [false, true])
        for (const hadPartition of [false, true])
          for (const kind of ['leader', 'replica', 'blind'] as const)
            expect(
              dirtyBecause({ ...STRONG_HIT, kind, weakFeedback, isLeaderAvoided, hadPartition }),
            ).toBeUndefined()
  })

  test('nothing says so when chance picked the partition', () => {
    expect(dirtyBecause({ ...STRONG_HIT, ...MISS, isGuess: true })).toBeUndefined()
  })

  test.each([
    'primary-zone',
    'last-server',
    'coordinator',
    'bound',
    'target-servers',
    'single-leader',
    'cached-server',
  ] as const)('nothing says so of %s, which went by no location', kind => {
    expect(dirtyBecause({ ...STRONG_HIT, ...MISS, kind })).toBeUndefined()
  })

  test.each([
    ['single-leader', false, true],
    ['single-leader', true, false],
    ['leader', false, false],
  ] as const)('%s, hit %s: the tenant has no single leader any more: %s', (kind, isHit, drops) => {
    expect(dropsSingleLeader({ ...STRONG_HIT, kind, isHit })).toBe(drops)
  })
})
