/**
 * Whether a server has what a statement needs, as the picture says it. Source: proxy-routing.md §4.8:
 * a miss is what lies wholly on one other server.
 */
import type { Touched, Verdict } from './engine.ts'
import type { Picture, Server } from './picture.ts'
import type { Replica } from './placement.ts'

/** Values of `_ob_proxy_weakread_feedback`. */
const FEEDBACK = { followers: 0, none: 1, leaders: 2, mixed: 3 } as const

const HIT: Verdict = { isHit: true, feedback: 0, isRefused: false }
const MISS: Verdict = { isHit: false, feedback: 0, isRefused: false }
const REFUSED: Verdict = { isHit: false, feedback: 0, isRefused: true }
const WEAK_MISS: Verdict = { isHit: false, feedback: FEEDBACK.none, isRefused: false }
const WEAK_HITS: readonly Verdict[] = [FEEDBACK.followers, FEEDBACK.leaders, FEEDBACK.mixed].map(
  feedback => ({ isHit: true, feedback, isRefused: false }),
)

export function judge(picture: Picture, at: Server, tenant: string, touched: Touched): Verdict {
  if (touched.isWeak) return judgeWeak(picture, at.key, tenant, touched)
  if (isElsewhere(picture, at.key, tenant, touched)) return at.refusesRemote ? REFUSED : MISS
  return HIT
}

/** All leaders are on one server that is not this one. */
function isElsewhere(
  picture: Picture,
  here: string,
  tenant: string,
  { tablets }: Touched,
): boolean {
  let only: string | undefined
  for (const { tabletId } of tablets) {
    const leader = picture.leader(tenant, tabletId)
    if (leader === undefined || leader === here) return false
    if (only !== undefined && only !== leader) return false
    only = leader
  }
  return only !== undefined
}

function judgeWeak(picture: Picture, here: string, tenant: string, { tablets }: Touched): Verdict {
  let [leaders, followers] = [0, 0]
  for (const { tabletId } of tablets) {
    const own = picture.replicas(tenant, tabletId).find(({ server }: Replica) => server === here)
    if (own?.isLeader === true) leaders += 1
    else if (own !== undefined) followers += 1
  }
  if (leaders + followers === 0) return tablets.length === 0 ? HIT : WEAK_MISS
  if (leaders === 0) return WEAK_HITS[0] ?? HIT
  return WEAK_HITS[followers === 0 ? 1 : 2] ?? HIT
}
