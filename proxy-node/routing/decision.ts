/**
 * Where a statement goes, and why. One object a session, used again for each statement: the usual
 * strong statement whose leader is known and well is decided without a list; lists are made when the
 * first choice is none or fails. Source: proxy-routing.md §2, §7, §8.
 * Hot path: see the rules.
 */
import type { KeyedServer, ServerAddress } from '../topology/model.ts'
import { AGAINST, against, againstInWords, FORCED, mayTry } from './against.ts'
import { Candidates } from './candidates.ts'
import { type Consistency, consistencyOf } from './consistency.ts'
import { type ForcedRule, forcedRule } from './forced.ts'
import { LETTER, lettersOf, type Policy } from './orders.ts'
import {
  hasReadOnlyZone,
  type PolicyRule,
  policyRule,
  usesDuplicates,
  ZONE_LETTERS,
} from './policy.ts'
import { type Candidate, lettersFor, usableLocation } from './roster.ts'
import { isLogOnly, TargetList } from './targets.ts'
import {
  INTERNAL_REACTIONS,
  isInternal,
  type LookupRule,
  type LookupState,
  lookupRule,
} from './transaction.ts'
import type { RouteView, ServerGroups } from './view.ts'

export type DecisionKind =
  | 'leader'
  /** Has the partition, and is not its leader. */
  | 'replica'
  /** Any server of the tenant. */
  | 'blind'
  | 'primary-zone'
  | 'last-server'
  | 'coordinator'
  | 'lock-server'
  | 'last-insert-id'
  | 'cached-server'
  | ForcedRule['kind']
  | 'none'

/** Why there is no server; empty when there is one. */
export type Refusal =
  | ''
  /** The session is bound to a server that is gone (§8.1): the client is disconnected. */
  | 'bound-server-lost'
  /** Of a cursor or a piece (§7.2). */
  | 'holder-lost'
  /** Error 4179 (§7.2 row 5). */
  | 'target-not-allowed'
  | 'no-server'
  /** As many were tried as may be (§7.7). */
  | 'tries-exhausted'

/** What deciding has shown of the location, as bits (§4.8, §9.6). */
export const LOCATION = {
  /** The partition's, or the table's, is old. */
  target: 1,
  /** The tenant's servers are, too. */
  all: 2,
  /** Nothing of it is usable: it has to be asked for again before there is a server. */
  renew: 4,
} as const

const SAYS = {
  leader: 'a strong statement goes to the leader of its partition',
  secondRound: 'nothing else is left: what is avoided is tried after all',
  primaryZone: 'the partition is not known: the primary zone of the tenant',
  blind: 'the partition is not known, or no server that has it is usable',
  lastInsertId: 'LAST_INSERT_ID() is known where it was made',
  cached: 'no partition to go by: the server in use is near and well',
} as const

const BOUND: Readonly<Record<LookupState, DecisionKind>> = {
  NEED_LOOKUP: 'none',
  LAST_SERVER: 'last-server',
  COORDINATOR: 'coordinator',
  LOCK_SERVER: 'lock-server',
}

/** Of what speaks against a leader: it will have moved, or is about to. */
const MOVES_LEADERS = AGAINST.dead | AGAINST.detected | FORCED

export class Decision {
  kind: DecisionKind = 'none'
  refusal: Refusal = 'no-server'
  server: ServerAddress | undefined = undefined
  /** In the words of the rule that decided. */
  because = ''
  state: LookupState = 'NEED_LOOKUP'
  consistency: Consistency = 'strong'
  consistencyBecause = ''
  /** Undefined when nothing was ordered. */
  policy: Policy | undefined = undefined
  policyBecause = ''
  /** Bits of `LOCATION`. */
  location = 0
  /** Servers chosen for this statement so far, at most `maxTries`. */
  tries = 0
  maxTries = 0
  private candidates: Candidates | undefined = undefined
  private targets: TargetList | undefined = undefined
  private hasOfferedLeader = false

  /** For a new statement: a `server`, or a `refusal`. */
  decide(view: RouteView): void {
    this.clear(view)
    const lookup = lookupRule(view)
    this.state = lookup.state
    if (lookup.state !== 'NEED_LOOKUP') {
      this.stayBound(view, lookup)
      return
    }
    const level = consistencyOf(view)
    this.consistency = level.level
    this.consistencyBecause = level.because
    view.trace?.chose(level.level, level.because)
    const forced = forcedRule(view, level.level)
    if (forced !== undefined && this.isForced(view, forced)) return
    if (this.goesToLeader(view) || this.remains(view)) return
    this.choose(view)
  }

  /** It went to the leader of its partition with nothing said against that, and no rule named another. */
  get isStraight(): boolean {
    return this.because === SAYS.leader && this.tries === 1
  }

  /** As `decide` would, for who knows that none of its rules wants anything else than this leader. */
  goStraight(leader: ServerAddress, replicas: number, maxRetries: number): void {
    this.reset(replicas, maxRetries)
    this.hasOfferedLeader = true
    this.take('leader', leader, SAYS.leader)
  }

  /** After `server` failed before it saw the statement: another one. False, with a `refusal`: none. */
  next(view: RouteView): boolean {
    if (this.refusal !== '') return false
    this.server = undefined
    if (this.tries >= this.maxTries) return this.refuse('tries-exhausted')
    switch (this.kind) {
      case 'last-server':
      case 'coordinator':
      case 'lock-server':
        return this.refuse('bound-server-lost')
      case 'bound':
        return this.refuse('no-server')
      case 'holder':
        return this.refuse('holder-lost')
      case 'target-servers':
      case 'test-servers':
        return this.chooseTarget(view)
      default:
        return this.choose(view)
    }
  }

  /** Whether the location's leader is avoided: a read from followers shows it, too (§4.8). */
  isLeaderAvoided(view: RouteView): boolean {
    const leader = usableLocation(view)?.leader
    return leader !== undefined && against(view, leader.key, leader.server, false) !== 0
  }

  /** Forgets what it holds of the statement. */
  release(): void {
    this.server = undefined
    this.candidates = undefined
    this.targets = undefined
  }

  private clear(view: RouteView): void {
    const replicas = usableLocation(view)?.replicas.length ?? view.servers.groupSize
    this.reset(replicas, view.settings.maxRetries)
  }

  private reset(replicas: number, maxRetries: number): void {
    this.release()
    this.kind = 'none'
    this.refusal = ''
    this.because = ''
    this.state = 'NEED_LOOKUP'
    this.consistency = 'strong'
    this.consistencyBecause = ''
    this.policy = undefined
    this.policyBecause = ''
    this.location = 0
    this.tries = 0
    this.maxTries = Math.max(maxRetries, 2 * replicas + 1)
    this.hasOfferedLeader = false
  }

  private stayBound(view: RouteView, { state, because }: LookupRule): void {
    const { session, targets } = view
    view.trace?.chose(state, because)
    let server = session.lastServer?.server
    if (state === 'COORDINATOR') server = session.coordinator
    else if (state === 'LOCK_SERVER') server = session.lockServer
    if (server === undefined) this.refuse('bound-server-lost')
    else if (isNotAmong(targets, server)) this.refuse('target-not-allowed')
    else this.take(BOUND[state], server, because)
  }

  /** False when the rule turns out to have no server to offer, and the rest decides. */
  private isForced(view: RouteView, rule: ForcedRule): boolean {
    const { session, targets, tenant, settings } = view
    view.trace?.chose(rule.kind, rule.because)
    switch (rule.kind) {
      case 'bound':
        return this.takes(rule.kind, session.boundTo, rule.because)
      case 'holder':
        if (session.heldBy === undefined) this.refuse('holder-lost')
        else if (isNotAmong(targets, session.heldBy)) this.refuse('target-not-allowed')
        else this.take(rule.kind, session.heldBy, rule.because)
        return true
      case 'target-servers':
        this.namesServers(view, rule, targets)
        return true
      case 'test-servers':
        this.namesServers(view, rule, [settings.testServers])
        return true
      case 'single-leader':
        return this.takes(rule.kind, unopposed(view, tenant?.singleLeader), rule.because)
    }
  }

  private namesServers(view: RouteView, { kind, because }: ForcedRule, groups: ServerGroups): void {
    this.kind = kind
    this.because = because
    if (kind === 'target-servers') this.applyPolicy(view)
    this.targets = new TargetList(groups, kind === 'target-servers', view.random)
    const mayRetry = view.settings.mode !== 'mysql'
    this.maxTries = mayRetry ? Math.max(this.maxTries, this.targets.count) : 1
    this.chooseTarget(view)
  }

  private chooseTarget(view: RouteView): boolean {
    const isTarget = this.kind === 'target-servers'
    const target = this.targets?.next(view)
    if (target === undefined || (isTarget && isLogOnly(view, target.key)))
      return this.refuse(isTarget ? 'target-not-allowed' : 'no-server')
    return this.take(this.kind, target.address, this.because)
  }

  /** Straight to the leader; its list is needed only when that fails (§7.7). */
  private goesToLeader(view: RouteView): boolean {
    const leader = usableLocation(view)?.leader
    if (leader === undefined || !this.isLeaderFirst(view)) return false
    this.hasOfferedLeader = true
    const bits = judged(view, leader, LETTER.P | LETTER.L)
    if (bits === 0 || mayTry(view, leader.key, bits))
      return this.take('leader', leader.server, SAYS.leader)
    if ((bits & AGAINST.missing) !== 0) this.location |= LOCATION.all
    else if ((bits & MOVES_LEADERS) !== 0) this.location |= LOCATION.target
    return false
  }

  private isLeaderFirst(view: RouteView): boolean {
    if (this.consistency === 'weak' || view.settings.proxyPrimaryZones.length > 0) return false
    return !usesDuplicates(view, this.consistency)
  }

  /** Without a partition to go by, where the session is (§7.6). */
  private remains(view: RouteView): boolean {
    const { session, statement, settings } = view
    if (usableLocation(view) !== undefined || session.isInternal) return false
    const { lastInsertIdServer, lastServer } = session
    if (statement.usesLastInsertId && lastInsertIdServer !== undefined)
      return this.take('last-insert-id', lastInsertIdServer, SAYS.lastInsertId)
    if (!settings.enableCachedServer || settings.mode === 'random') return false
    if (lastServer === undefined || statement.command === 'login') return false
    if (!isSuitable(view, lastServer, this.applyPolicy(view))) return false
    return this.take('cached-server', lastServer.server, SAYS.cached)
  }

  private applyPolicy(view: RouteView): PolicyRule {
    const rule = policyRule(view, {
      consistency: this.consistency,
      hasReadOnlyZone: hasReadOnlyZone(view),
    })
    this.policy = rule.policy(view)
    this.policyBecause = rule.because
    view.trace?.chose(this.policy, rule.because)
    return rule
  }

  private choose(view: RouteView): boolean {
    const candidates = this.candidates ?? this.listed(view)
    this.candidates = candidates
    const candidate = candidates.next(view)
    if (candidates.missing > 0) this.location |= LOCATION.target
    if (candidates.hasLeftOutLeader && this.consistency === 'strong')
      this.location |= LOCATION.target
    if (candidate !== undefined) return this.takeCandidate(candidate, candidates.round)
    if (candidates.isEmpty) this.location |= LOCATION.all | LOCATION.renew
    const { coordinator } = view.session
    if (isInternal(view.session) && coordinator !== undefined)
      return this.take('coordinator', coordinator, INTERNAL_REACTIONS['no-participant'].because)
    return this.refuse('no-server')
  }

  private listed(view: RouteView): Candidates {
    this.applyPolicy(view)
    return new Candidates(view, {
      consistency: this.consistency,
      policy: this.policy ?? 'MERGE_IDC_ORDER',
      isLeaderFirst: this.isLeaderFirst(view),
      hasOfferedLeader: this.hasOfferedLeader,
    })
  }

  private takeCandidate({ letters, address, isOfPrimaryZone }: Candidate, round: number): boolean {
    let kind: DecisionKind = 'blind'
    let because: string = SAYS.blind
    if (isOfPrimaryZone) {
      kind = 'primary-zone'
      because = SAYS.primaryZone
    } else if ((letters & LETTER.P) !== 0) {
      kind = (letters & LETTER.L) === 0 ? 'replica' : 'leader'
      because = this.policyBecause
    }
    return this.take(kind, address, round === 2 ? SAYS.secondRound : because)
  }

  private takes(kind: DecisionKind, server: ServerAddress | undefined, because: string): boolean {
    return server !== undefined && this.take(kind, server, because)
  }

  private take(kind: DecisionKind, server: ServerAddress, because: string): true {
    this.kind = kind
    this.server = server
    this.because = because
    this.refusal = ''
    this.tries += 1
    return true
  }

  private refuse(refusal: Refusal): false {
    this.kind = 'none'
    this.server = undefined
    this.refusal = refusal
    return false
  }
}

/** Bits of `AGAINST`, told to who asks for an explanation. */
function judged(view: RouteView, { key, server }: KeyedServer, role: number): number {
  const bits = against(view, key, server, false)
  if (view.trace !== undefined) {
    const letters = lettersOf(lettersFor(view, key, server) | role)
    view.trace.considered(key, letters, againstInWords(bits))
  }
  return bits
}

function unopposed(view: RouteView, one: KeyedServer | undefined): ServerAddress | undefined {
  return one === undefined || judged(view, one, 0) !== 0 ? undefined : one.server
}

/** Near, not compacting, of the zone that the rule wants, and well (§7.6). */
function isSuitable(view: RouteView, one: KeyedServer, { zone }: PolicyRule): boolean {
  const letters = lettersFor(view, one.key, one.server)
  const isNear = (letters & (LETTER.A | LETTER.B)) !== 0
  const wanted = LETTER.N | ZONE_LETTERS[zone]
  return judged(view, one, 0) === 0 && isNear && (letters & wanted) === wanted
}

function isNotAmong(groups: ServerGroups, { host, port }: ServerAddress): boolean {
  if (groups.length === 0) return false
  return !groups.some(group => group.some(one => one.host === host && one.port === port))
}
