/**
 * One statement after the other of one client: the decision about it, carried out server by server.
 * Source: proxy-routing.md §2, §7.
 */
import type { Address } from '../net/transport.ts'
import { Decision, type Refusal } from '../routing/decision.ts'
import type { Place } from '../topology/location-view.ts'
import type { TenantServers } from '../topology/model.ts'
import type { Asker, SessionRouteView, Viewed } from './route-view.ts'
import { isSameAddress, type Walk } from './servers.ts'

/** What is decided about. */
export type Routed = Viewed & {
  readonly servers: TenantServers
  /** Undefined: it is not known where the statement belongs. */
  readonly place: Place | undefined
}

const NOTHING: Routed = {
  command: 'other',
  meaning: undefined,
  isCut: false,
  servers: { replicas: [], groupSize: 1 },
  place: undefined,
}

export class Route implements Walk {
  readonly decision = new Decision()
  private readonly view: SessionRouteView
  private readonly asker: Asker
  private routed: Routed = NOTHING
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

  get place(): Place | undefined {
    return this.routed.place
  }

  get refusal(): Refusal {
    return this.decision.refusal
  }

  /** Where to go first; undefined, with a `refusal`, when there is no such server. */
  decide(routed: Routed): Address | undefined {
    this.routed = routed
    this.fill()
    this.decision.decide(this.view)
    this.ahead = this.decision.server
    this.first = this.ahead
    return this.ahead
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
    this.routed = NOTHING
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
    const { view, routed } = this
    view.fill(this.asker, routed)
    view.servers = routed.servers
    view.place = routed.place
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
