/**
 * Primary zones as text: `z1,z2;z3` are two groups, the first before the second. Both the tenant's
 * primary_zone and the parameter proxy_primary_zone_name are written so. Source: proxy-routing.md §7.3, §7.4.
 */
import { primaryZonesOf } from '../topology/discovery.ts'

export type ZoneGroups = readonly (readonly string[])[]

/** Names in lower case; RANDOM and nothing are no groups. */
export function parsePrimaryZone(text: string): ZoneGroups {
  return primaryZonesOf(text.toLowerCase())
}

/** Position of the zone's group; -1 when it is in none. Tenants have theirs as servers write them. */
export function zonePriority(groups: ZoneGroups, zone: string): number {
  const name = zone.toLowerCase()
  return groups.findIndex(group => group.some(one => one.toLowerCase() === name))
}
