/**
 * The servers that a statement may go to, with their classes, in the order they were met: first those
 * that have the partition, then the tenant's others. Made when the leader alone is no answer.
 * Source: proxy-routing.md §7.3 (list construction), §7.5.
 */
import type { PartitionLocation, Replica, ServerAddress } from '../topology/model.ts'
import type { Consistency } from './consistency.ts'
import { isLoopback, nearnessTo } from './ldc.ts'
import { LETTER } from './orders.ts'
import { zonePriority } from './primary-zone.ts'
import type { RouteView } from './view.ts'

export type Candidate = {
  readonly address: ServerAddress
  readonly key: string
  /** Bits of `LETTER`. */
  readonly letters: number
  /** Position of its zone in `proxy_primary_zone_name`; -1 when it is in none. */
  readonly group: number
  /** Of the tenant, where nothing is known of the partition. */
  readonly isOfPrimaryZone: boolean
  /** The round in which it was looked at last. */
  seenInRound: number
}

export type Roster = {
  /** Apart when it goes first; undefined when it does not, or there is none. */
  readonly leader: Candidate | undefined
  /** Of the tenant's primary zones, when nothing is known of the partition. */
  readonly primary: readonly Candidate[]
  readonly others: readonly Candidate[]
  /** Replicas that no server list names; the location may be old. */
  readonly missing: number
}

export type RosterPlan = {
  readonly consistency: Consistency
  /** A strong read that neither duplicates nor `proxy_primary_zone_name` take elsewhere (§7.4). */
  readonly isLeaderFirst: boolean
}

/** What is known of the partition; `random` mode wants to know nothing. */
export function usableLocation({ settings, location }: RouteView): PartitionLocation | undefined {
  if (location === undefined || location.replicas.length === 0) return undefined
  return settings.mode === 'random' ? undefined : location
}

export function rosterOf(view: RouteView, plan: RosterPlan): Roster {
  const location = usableLocation(view)
  const met = new Set<string>()
  const holders: Candidate[] = []
  let leader: Candidate | undefined
  let missing = 0
  for (const replica of location?.replicas ?? []) {
    met.add(replica.key)
    const candidate = isReadable(replica) ? asHolder(view, replica) : undefined
    if (plan.isLeaderFirst && replica.isLeader) leader = candidate ?? asUnknown(replica)
    else if (candidate !== undefined) holders.push(candidate)
    else if (isReadable(replica) && makesDirty(view, replica)) missing += 1
  }
  shuffle(holders, view.random)
  const primary = location === undefined && plan.isLeaderFirst ? primaryOf(view, met) : []
  const others = [...holders, ...tenantOf(view, met)]
  arrange(view, plan, others)
  return { leader, primary, others, missing }
}

/** Others hold only logs, or keys. */
function isReadable({ type }: Replica): boolean {
  return type === 'FULL' || type === 'READONLY'
}

function asHolder(view: RouteView, replica: Replica): Candidate | undefined {
  const { isLeader, isDuplicate } = replica
  let role = LETTER.P | (isLeader ? LETTER.L : LETTER.F)
  if (isLeader || isDuplicate) role |= LETTER.D
  return asCandidate(view, replica, role, false)
}

/** Undefined when the server is not known, or not in a wanted zone. */
function asCandidate(
  view: RouteView,
  { key, server: address }: Replica,
  role: number,
  isOfPrimaryZone: boolean,
): Candidate | undefined {
  const letters = lettersFor(view, key, address)
  if (letters === 0) return undefined
  const { proxyPrimaryZones } = view.settings
  let group = -1
  if (proxyPrimaryZones.length > 0 && view.picture.isLoaded) {
    const zone = view.picture.servers.get(key)?.zone.name
    group = zone === undefined ? -1 : zonePriority(proxyPrimaryZones, zone)
    if (group < 0) return undefined
  }
  return { address, key, letters: letters | role, group, isOfPrimaryZone, seenInRound: 0 }
}

/** How near, whether compacting, and of which type of zone; 0: nobody knows the server. */
export function lettersFor(view: RouteView, key: string, address: ServerAddress): number {
  const { picture, ldc } = view
  const nearness = nearnessTo(ldc, picture, key, address)
  if (nearness === undefined) return 0
  const zone = picture.servers.get(key)?.zone
  let letters: number = LETTER[nearness]
  letters |= zone?.state === 'MERGE' && !ignoresMerging(view) ? LETTER.M : LETTER.N
  if (zone?.type === 'ReadOnly') letters |= LETTER.R
  else if (zone?.type !== 'Encryption') letters |= LETTER.W
  return letters
}

/** Logins and what drivers ask first are not to be scattered by compaction (§7.5). */
function ignoresMerging({ ldc, session, statement }: RouteView): boolean {
  const worksWithTables = statement.isDml && statement.hasTable
  return ldc.hasReadOnlyZone && !session.hasRunDml && !worksWithTables
}

/** A leader that no list names is gone to nevertheless when all else fails. */
function asUnknown({ server: address, key }: Replica): Candidate {
  const letters = LETTER.A | LETTER.N | LETTER.W | LETTER.P | LETTER.L | LETTER.D
  return { address, key, letters, group: -1, isOfPrimaryZone: false, seenInRound: 0 }
}

/** Whether the location is to be asked for again because nobody knows this server. */
function makesDirty({ picture, ldc }: RouteView, { key, server, type }: Replica): boolean {
  if (picture.servers.has(key) || !picture.isLoaded || isLoopback(server.host)) return false
  // Read-only replicas of other regions may well be of servers that are not listed here.
  return type !== 'READONLY' || ldc.foundBy === 'none'
}

function primaryOf(view: RouteView, met: Set<string>): readonly Candidate[] {
  const { settings, tenant, servers, picture } = view
  if (!settings.enablePrimaryZone || settings.mode === 'random' || tenant === undefined) return []
  const found: Candidate[] = []
  tenant.primaryZones.forEach((_zones, priority) => {
    const group: Candidate[] = []
    for (const replica of servers.replicas) {
      const zone = picture.servers.get(replica.key)?.zone.name
      if (zone === undefined || met.has(replica.key) || !isReadable(replica)) continue
      if (zonePriority(tenant.primaryZones, zone) !== priority) continue
      const candidate = asCandidate(view, replica, LETTER.T, true)
      if (candidate === undefined) continue
      met.add(replica.key)
      group.push(candidate)
    }
    shuffle(group, view.random)
    found.push(...group)
  })
  return found
}

/**
 * The tenant's servers that were not met. Without nearness from a group on that chance picks, so that
 * neighbours in the list are of different zones.
 */
function tenantOf(view: RouteView, met: ReadonlySet<string>): Candidate[] {
  const { servers, ldc, random } = view
  const groups = groupsOf(servers.replicas, servers.groupSize)
  const start = Math.floor(random() * groups.length)
  const found: Candidate[] = []
  for (let index = 0; index < groups.length; index++) {
    const group: Candidate[] = []
    for (const replica of groups[(start + index) % groups.length] ?? []) {
      if (met.has(replica.key) || !isReadable(replica)) continue
      const candidate = asCandidate(view, replica, LETTER.T, false)
      if (candidate !== undefined) group.push(candidate)
    }
    shuffle(group, random)
    found.push(...group)
  }
  if (ldc.foundBy !== 'none') shuffle(found, random)
  return found
}

function groupsOf(replicas: readonly Replica[], size: number): readonly (readonly Replica[])[] {
  const groups: (readonly Replica[])[] = []
  const step = Math.max(1, size)
  for (let from = 0; from < replicas.length; from += step)
    groups.push(replicas.slice(from, from + step))
  return groups
}

/** By the groups of `proxy_primary_zone_name`, else by the age of snapshots; both keep the order of equals. */
function arrange(view: RouteView, { consistency }: RosterPlan, candidates: Candidate[]): void {
  const { settings, snapshots } = view
  if (settings.proxyPrimaryZones.length > 0) candidates.sort((a, b) => a.group - b.group)
  else if (consistency === 'weak' && snapshots !== undefined)
    candidates.sort((a, b) => snapshots.priorityOf(a.key) - snapshots.priorityOf(b.key))
}

/** In place, each order as likely as any other. */
export function shuffle<T extends object>(items: T[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const item = items[last]
    const moved = items[other]
    if (item === undefined || moved === undefined) continue
    items[last] = moved
    items[other] = item
  }
}
