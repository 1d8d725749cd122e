/**
 * One statement after the other of one client: the decision about it, carried out server by server.
 * Source: proxy-routing.md §2, §7.
 */
import type { Address } from '../net/transport.ts'
import { Decision, type Refusal } from '../routing/decision.ts'
import type { Command } from '../routing/view.ts'
import type { Statement } from '../sql/classify.ts'
import type { Place } from '../topology/location-view.ts'
import type { TenantServers } from '../topology/model.ts'
import { NO_SERVERS } from '../topology/tenants.ts'
import type { Asker, SessionRouteView, Viewed } from './route-view.ts'
import { isSameAddress, type Walk } from './servers.ts'
import { isUsual, UsualLeader } from './usual-leader.ts'

export class Route implements Walk {
  readonly decision = new Decision()
  private readonly view: SessionRouteView
  private readonly asker: Asker
  private readonly usual = new UsualLeader()
  /** What is decided about. */
  private readonly viewed: { -readonly [K in keyof Viewed]: Viewed[K] } = {
    command: 'other',
    meaning: undefined,
    isCut: false,
  }
  private servers: TenantServers = NO_SERVERS
  /** Undefined: it is not known where the statement belongs. */
  place: Place | undefined
  /** Decided on and not gone to yet. */
  private ahead: Address | undefined
  /** Gone to last, and not reached yet. */
  private underWay: Address | undefined
  /** Gone to before there was a list, which may name it again. */
  private first: Address | undefined

  constructor(view: SessionRouteView, asker: Asker) {
    this.view = view
    this.asker = asker
  }

  get refusal(): Refusal {
    return this.decision.refusal
  }

  /** From now on the decision is about this command; `isCut`: not all of its text has come. */
  about(command: Command, meaning: Statement | undefined, isCut: boolean): void {
    const { viewed } = this
    viewed.command = command
    viewed.meaning = meaning
    viewed.isCut = isCut
  }

  /** Where to go first; undefined, with a `refusal`, when there is no such server. */
  decide(servers: TenantServers, place: Place | undefined): Address | undefined {
    this.servers = servers
    this.place = place
    const { decision, viewed, asker, usual } = this
    const leader = place === undefined ? undefined : usual.of(asker, viewed, place)
    if (leader === undefined) this.ask()
    else
      decision.goStraight(
        leader.server,
        place?.location.replicas.length ?? 0,
        asker.settings.routing.maxRetries,
      )
    this.ahead = decision.server
    this.first = this.ahead
    return this.ahead
  }

  /** The rules, one by one. */
  private ask(): void {
    const { decision, view, viewed, place } = this
    this.fill()
    decision.decide(view)
    if (place !== undefined && decision.isStraight && isUsual(viewed))
      this.usual.learn(this.asker, place, view.session.readConsistency)
  }

  /** There is a session with the one decided on, or gone to. */
  arrived(): void {
    this.ahead = undefined
    this.underWay = undefined
  }

  /** Before all others, because a server has said so. */
  prefer(server: Address): void {
    this.ahead = server
  }

  /** The one decided on, then one by one those to go to when it fails. */
  next(): Address | undefined {
    this.leaderMayHaveMoved()
    this.underWay = this.chosen()
    return this.underWay
  }

  /** A leader that could not be reached will be elsewhere soon (§10.1); the statement does not wait for that. */
  private leaderMayHaveMoved(): void {
    const { underWay, place } = this
    if (underWay === undefined || place === undefined || !this.isLeader(underWay)) return
    this.asker.outlook?.locations.missed(place, false)
  }

  private chosen(): Address | undefined {
    const { ahead } = this
    this.ahead = undefined
    if (ahead !== undefined) return ahead
    this.fill()
    const { decision, view, first } = this
    if (!decision.next(view)) return undefined
    const { server } = decision
    if (first === undefined || server === undefined || !isSameAddress(first, server)) return server
    // Tried already; as long as there are others, they come first.
    this.first = undefined
    return decision.next(view) ? decision.server : server
  }

  /** The statement is over: nothing is held of it. */
  release(): void {
    this.decision.release()
    this.about('other', undefined, false)
    this.servers = NO_SERVERS
    this.place = undefined
    this.arrived()
  }

  /** Whether `server` is the leader of where the statement belongs. */
  isLeader(server: Address): boolean {
    const leader = this.place?.location.leader
    return leader !== undefined && isSameAddress(leader.server, server)
  }

  /** Something speaks against the leader of where the statement belongs. */
  get isLeaderAvoided(): boolean {
    this.fill()
    return this.decision.isLeaderAvoided(this.view)
  }

  private fill(): void {
    const { view } = this
    view.fill(this.asker, this.viewed)
    view.servers = this.servers
    view.place = this.place
  }
}

/** To one server and no other. */
export function only(server: Address): Walk {
  let isLeft = true
  return {
    next: () => {
      const next = isLeft ? server : undefined
      isLeft = false
      return next
    },
  }
}
