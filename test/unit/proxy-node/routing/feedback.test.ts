import { describe, expect, test } from 'vitest'
import { dirtyBecause, type Outcome } from '../../../../proxy-node/routing/feedback.ts'

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
})
