/**
 * Primary zones as text: `z1,z2;z3` are two groups, the first before the second. Both the tenant's
 * primary_zone and the parameter proxy_primary_zone_name are written so. Source: proxy-routing.md §7.3, §7.4.
 */

export type ZoneGroups = readonly (readonly string[])[]

/** Names in lower case; RANDOM and nothing are no groups. */
export function parsePrimaryZone(text: string): ZoneGroups {
  if (text.trim().toUpperCase() === 'RANDOM') return []
  return text
    .split(';')
    .map(group =>
      group
        .split(',')
        .map(zone => zone.trim().toLowerCase())
        .filter(zone => zone !== ''),
    )
    .filter(group => group.length > 0)
}

/** Position of the zone's group; -1 when it is in none. */
export function zonePriority(groups: ZoneGroups, zone: string): number {
  const name = zone.toLowerCase()
  return groups.findIndex(group => group.includes(name))
}
