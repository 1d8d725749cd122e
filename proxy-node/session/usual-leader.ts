/**
 * The usual statement, which asks for nothing in particular, of a session that has asked for nothing either,
 * goes to the leader of its partition, as the one before it did: what the rules would look at again is the
 * same. Those that are asked each time cost little, but what they look at is spread over more memory than a
 * processor keeps between two statements. Source: proxy-routing.md §7. Hot path: see the rules.
 */
import type { Command, RoutingSettings, ServerGroups, SessionView } from '../routing/view.ts'
import { NO_DIRECTIVES } from '../sql/directives.ts'
import { NO_HINTS } from '../sql/hints.ts'
import type { Place } from '../topology/location-view.ts'
import type { PartitionLocation, Replica } from '../topology/model.ts'
import type { ClusterView } from './ports.ts'
import type { Asker, Viewed } from './route-view.ts'

/** Others are bound to what came before, or are none of a table. */
const USUAL: Readonly<Partial<Record<Command, true>>> = {
  query: true,
  prepare: true,
  execute: true,
}

export class UsualLeader {
  /** Of the statement that the rules sent straight to its leader; undefined: none was. */
  private routing: RoutingSettings | undefined
  private targets: ServerGroups | undefined
  private stamp: object | undefined
  private tenant = ''
  private readConsistency: string | undefined

  /** Where a statement goes; undefined: that has to be decided by the rules. */
  of(asker: Asker, viewed: Viewed, place: Place | undefined): Replica | undefined {
    const { outlook, settings } = asker
    if (place === undefined || outlook === undefined || !isUsual(viewed)) return undefined
    const { stamp } = outlook
    const isAsBefore =
      this.routing === settings.routing &&
      this.targets === settings.targets &&
      this.stamp === stamp &&
      this.tenant === asker.tenant &&
      this.readConsistency === asker.memory.readConsistency
    if (!isAsBefore || asker.trace !== undefined || !outlook.verdicts.isEmpty) return undefined
    const { location } = place
    return location.leaderFitsIn === stamp ? location.leader : undefined
  }

  /** The rules have decided about a usual statement that it goes straight to its leader. */
  learn(asker: Asker, { location }: Place, reads: SessionView['readConsistency']): void {
    const { outlook, settings, memory } = asker
    // A rule may have named another server, and done without it for what was known against that.
    if (outlook === undefined || !outlook.verdicts.isEmpty) return
    // With these a SELECT goes elsewhere than others do.
    if (settings.routing.enableReadWriteSplit || reads === 'weak') return
    this.routing = settings.routing
    this.targets = settings.targets
    this.stamp = outlook.stamp
    this.tenant = asker.tenant
    this.readConsistency = memory.readConsistency
    note(location, outlook)
  }
}

/** It asks for nothing in particular: neither by a hint nor by a comment. */
export function isUsual({ command, meaning, isCut }: Viewed): boolean {
  return (
    !isCut &&
    meaning !== undefined &&
    meaning.hints === NO_HINTS &&
    meaning.directives === NO_DIRECTIVES &&
    USUAL[command] === true
  )
}

function note(location: PartitionLocation, { picture, stamp }: ClusterView): void {
  const { leader, hasDuplicates } = location
  // With the blacklist off one that no list names was as good as any.
  const isListed = leader !== undefined && picture.servers.has(leader.key)
  if (isListed && !hasDuplicates) location.leaderFitsIn = stamp
}
