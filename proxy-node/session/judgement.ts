/** What the answer of a server says of the location that a statement went by. Source: proxy-routing.md §4.8. */
import type { Address } from '../net/transport.ts'
import { dirtyBecause } from '../routing/feedback.ts'
import type { PartitionLocation } from '../topology/model.ts'
import type { Route } from './route.ts'
import { isSameAddress } from './servers.ts'

/** Whether the location has to be asked for anew. Hot path: each answer of a routed statement is judged. */
export function isOld(walk: Route, server: Address, isHit: boolean, isGuess: boolean): boolean {
  const { decision, place } = walk
  if (place === undefined) return false
  // The usual answer, before the rules are asked: that makes an object, and none of them holds.
  if (isHit && decision.consistency === 'strong' && walk.isLeader(server)) return false
  const { location } = place
  const because = dirtyBecause({
    kind: decision.kind,
    consistency: decision.consistency,
    policy: decision.policy,
    wasLeader: walk.isLeader(server),
    hadPartition: holds(location, server),
    hasLeader: location.leader !== undefined,
    // Of interest for weak reads alone, which look at more than the leader anyhow.
    isLeaderAvoided: decision.consistency === 'weak' && walk.isLeaderAvoided,
    isHit,
    tellsWeakHits: true,
    weakFeedback: 'all-followers',
    isGuess: isGuess || location.replicas.length === 0,
  })
  return because !== undefined
}

function holds({ replicas }: PartitionLocation, server: Address): boolean {
  for (const replica of replicas) if (isSameAddress(replica.server, server)) return true
  return false
}
