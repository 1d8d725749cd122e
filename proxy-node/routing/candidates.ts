/**
 * The servers of a statement one after another: the leader of a strong read, the primary zone, then
 * class by class. In the first round those that something speaks against are left out; when all are
 * exhausted, a second round leaves out none. Source: proxy-routing.md §7.5, §7.7, §7.8, §9.6.
 */
import { AGAINST, against, againstInWords, FORCED, mayTry } from './against.ts'
import { LETTER, lettersOf, type Order, orderOf, type Policy } from './orders.ts'
import { type Candidate, type Roster, type RosterPlan, rosterOf, usableLocation } from './roster.ts'
import type { RouteView } from './view.ts'

export type CandidatePlan = RosterPlan & {
  readonly policy: Policy
  /** The leader has been offered before there was a list. */
  readonly hasOfferedLeader: boolean
}

/** Where the cursor stands in its round. */
type Stage = 'leader' | 'primary' | 'classes' | 'stale-leader' | 'end'

export class Candidates {
  private readonly roster: Roster
  private readonly plan: CandidatePlan
  private readonly order: Order
  private stage: Stage
  private at = 0
  /** Of those that something spoke against in this round, the ones that are stale or stopped (§7.8). */
  private spokenAgainst = 0
  private leftOut = 0
  /** 1 or 2. */
  round = 1
  /** In this round. */
  private hasOfferedLeader: boolean
  /** The leader was left out: the location says where it is, or was. */
  hasLeftOutLeader = false
  /** Servers that no list names, of those that were met. */
  missing: number

  constructor(view: RouteView, plan: CandidatePlan) {
    this.plan = plan
    this.roster = rosterOf(view, plan)
    this.missing = this.roster.missing
    this.order = orderOf(plan.policy, this.needsOptimized(view))
    this.hasOfferedLeader = plan.hasOfferedLeader
    this.stage = plan.hasOfferedLeader ? 'primary' : 'leader'
  }

  get isEmpty(): boolean {
    const { leader, primary, others } = this.roster
    return leader === undefined && primary.length === 0 && others.length === 0
  }

  /** The next one to go to; undefined when both rounds are over. */
  next(view: RouteView): Candidate | undefined {
    for (;;) {
      const candidate = this.advance(view)
      if (candidate === undefined) {
        if (this.round === 2) return undefined
        this.beginSecondRound()
      } else if (this.stage === 'stale-leader' || this.admits(view, candidate)) {
        if ((candidate.letters & LETTER.L) !== 0) this.hasOfferedLeader = true
        return candidate
      }
    }
  }

  /** The next one of the round, admitted or not. */
  private advance(view: RouteView): Candidate | undefined {
    const { leader, primary } = this.roster
    if (this.stage === 'leader') {
      this.stage = 'primary'
      if (leader !== undefined) return leader
    }
    if (this.stage === 'primary') {
      const candidate = primary[this.at]
      this.at += 1
      if (candidate !== undefined) return candidate
      this.stage = 'classes'
      this.at = 0
    }
    if (this.stage === 'classes') {
      const candidate = this.nextOfClasses()
      if (candidate !== undefined) return candidate
      this.stage = this.isAllStale ? 'stale-leader' : 'end'
      if (this.stage === 'stale-leader') return this.leaderOf(view)
    }
    this.stage = 'end'
    return undefined
  }

  private nextOfClasses(): Candidate | undefined {
    const { others } = this.roster
    for (; this.at < this.order.length; this.at++) {
      const letters = this.order[this.at] ?? 0
      for (const candidate of others) {
        if (candidate.seenInRound === this.round) continue
        if ((candidate.letters & letters) !== letters) continue
        candidate.seenInRound = this.round
        return candidate
      }
    }
    return undefined
  }

  private admits(view: RouteView, candidate: Candidate): boolean {
    const bits = this.against(view, candidate)
    view.trace?.considered(candidate.key, lettersOf(candidate.letters), againstInWords(bits))
    if ((bits & AGAINST.missing) !== 0) this.missing += 1
    if (this.round === 2 || bits === 0) return true
    this.spokenAgainst += 1
    if ((bits & (AGAINST.stale | FORCED)) !== 0) this.leftOut += 1
    if (mayTry(view, candidate.key, bits)) return true
    if ((candidate.letters & LETTER.L) !== 0) this.hasLeftOutLeader = true
    return false
  }

  private against(view: RouteView, { key, address, letters }: Candidate): number {
    const bits = against(view, key, address, false)
    if (this.plan.consistency === 'strong' || !view.settings.avoidsStaleReplicas) return bits
    if ((letters & LETTER.P) === 0) return bits
    const { stale, locationKey, nowMs, settings } = view
    const isStale = stale.isStale(locationKey, key, nowMs, settings.staleRetryMs)
    return isStale ? bits | AGAINST.stale : bits
  }

  /** Nobody was left but those that are too old or stopped: only the leader is surely young (§7.8). */
  private get isAllStale(): boolean {
    return (
      this.round === 1 &&
      this.plan.consistency === 'weak' &&
      !this.hasOfferedLeader &&
      this.spokenAgainst > 0 &&
      this.leftOut === this.spokenAgainst
    )
  }

  private leaderOf(view: RouteView): Candidate | undefined {
    const leader = view.settings.avoidsStaleReplicas ? usableLocation(view)?.leader : undefined
    if (leader === undefined) return undefined
    const { server: address, key } = leader
    const letters = LETTER.P | LETTER.L
    return { address, key, letters, group: -1, isOfPrimaryZone: false, seenInRound: 1 }
  }

  private beginSecondRound(): void {
    this.round = 2
    this.stage = 'leader'
    this.at = 0
  }

  /** No replica near is usable, and the leader is none that goes first: far replicas before near servers. */
  private needsOptimized(view: RouteView): boolean {
    const { leader, others } = this.roster
    const isFirst = this.plan.consistency === 'strong' && leader !== undefined
    if (isFirst && (against(view, leader.key, leader.address, false) & FORCED) === 0) return false
    const order = orderOf(this.plan.policy, false)
    return !others.some(
      ({ letters, key, address }) =>
        (letters & LETTER.P) !== 0 &&
        (letters & LETTER.C) === 0 &&
        order.some(one => (letters & one) === one) &&
        (against(view, key, address, false) & FORCED) === 0,
    )
  }
}
