/**
 * Error 5727: a server that has not executed a statement names a better one. Whether that is wanted is
 * told with the statement; the server that is named gets it, once, and what the name says of locations
 * and of replicas that are too old is learned. Source: proxy-routing.md §7.8, §8.4.
 */
import type { ServerSession } from '../backend/server-session.ts'
import { rerouteForbidden, rerouteLesson } from '../routing/reroute.ts'
import { HEADER_BYTES } from '../wire/protocol.ts'
import type { Reroute } from '../wire/reroute.ts'
import type { CourseParts } from './oceanbase-course.ts'
import { betterServer } from './retry.ts'
import type { Way } from './way.ts'

export class Rerouting {
  private readonly parts: CourseParts
  private readonly way: Way
  private better: Reroute | undefined
  private wasRerouted = false

  constructor(parts: CourseParts, way: Way) {
    this.parts = parts
    this.way = way
  }

  begin(): void {
    this.better = undefined
    this.wasRerouted = false
  }

  /** Whether the server may answer with the name of another; of a whole command that may be sent again. */
  isAllowed(bytes: number): boolean {
    const { way, parts } = this
    if (!way.isRouted) return false
    const { decision } = way
    const { routing, wholeBytes } = parts.identity.settings
    const { enableReroute, enableWeakReroute, proxyPrimaryZones } = routing
    // The usual answer, before the rules are asked: that makes an object.
    if (!(decision.consistency === 'weak' ? enableWeakReroute : enableReroute)) return false
    const forbidden = rerouteForbidden({
      consistency: decision.consistency,
      enableReroute,
      enableWeakReroute,
      wasRerouted: this.wasRerouted,
      state: decision.state,
      isFirstStatement: true,
      isBuffered: true,
      isLarge: bytes > HEADER_BYTES + wholeBytes,
      hasProxyPrimaryZones: proxyPrimaryZones.length > 0,
      hasTargets: decision.kind === 'target-servers',
      // Pieces bind the session to their server, and it is not routed.
      hasPiece: false,
    })
    return forbidden === undefined
  }

  /** The OK behind the error; what it names is believed once a command. */
  heard(variables: ReadonlyMap<string, Uint8Array> | undefined): void {
    this.wasRerouted = true
    this.better = betterServer(variables)
  }

  /** Where `from` has sent the command on to; undefined when it named no server. */
  take(from: ServerSession): Reroute | undefined {
    const { better } = this
    this.better = undefined
    if (better !== undefined) this.learn(from, better)
    return better
  }

  private learn(from: ServerSession, better: Reroute): void {
    const { decision, place, table } = this.way
    const { outlook } = this.parts.identity
    if (place === undefined || outlook === undefined) return
    const lesson = rerouteLesson({
      consistency: decision.consistency,
      isNamedLeader: better.role === 'leader',
      namedSchemaVersion: better.schemaVersion,
      knownSchemaVersion: Number(table?.entry.schemaVersion ?? 0),
    })
    if (lesson.isTableDirty && table !== undefined) outlook.locations.missed(table.place, false)
    if (lesson.isLocationDirty) outlook.locations.missed(place, false)
    const { avoidsStaleReplicas, staleRemoveMs } = this.parts.identity.settings.routing
    if (!lesson.isStale || !avoidsStaleReplicas) return
    const now = this.parts.deps.clock.now()
    outlook.stale.sweep(now, staleRemoveMs)
    outlook.stale.told(place.key, from.keyed.key, now)
  }
}
