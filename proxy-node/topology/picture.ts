/** Listings → pictures of an OB cluster. Pure. Source: proxy-routing.md §3.4, §3.5. */
import { primaryZonesOf } from './discovery.ts'
import type { Listing } from './listing.ts'
import {
  type ClusterPicture,
  type Server,
  type ServerAddress,
  serverKey,
  type Tenant,
  type TenantServers,
  type Zone,
} from './model.ts'
import { serverState } from './server-states.ts'
import { rootServersOf } from './table-entry.ts'

type Regions = ClusterPicture['idcRegions']

/** Before anything was heard. */
export function emptyPicture(cluster: string, clusterId: number, idcRegions: Regions) {
  return {
    cluster,
    clusterId,
    version: 0,
    majorVersion: 4,
    isLoaded: false,
    servers: new Map(),
    tenants: new Map(),
    idcRegions,
  } satisfies ClusterPicture
}

/** `before` itself when the listing shows the same. */
export function pictureOfListing(
  before: ClusterPicture,
  listing: Listing,
  idcRegions: Regions,
): ClusterPicture {
  const after: ClusterPicture = {
    ...before,
    version: before.version + 1,
    majorVersion: listing.majorVersion,
    isLoaded: true,
    servers: serversIn(listing),
    tenants: tenantsIn(listing),
    idcRegions,
  }
  return shown(before) === shown(after) ? before : after
}

/** Neighbours are of different zones: z1s1, z2s1, z3s1, z1s2 (§3.5). */
export function interleaved(servers: Iterable<Server>): TenantServers {
  const zones = new Map<string, ServerAddress[]>()
  for (const { zone, address } of servers) {
    const known = zones.get(zone.name)
    if (known === undefined) zones.set(zone.name, [address])
    else known.push(address)
  }
  const lists = [...zones.values()]
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  const dealt: ServerAddress[] = []
  for (let row = 0; row < longest; row++)
    for (const list of lists) {
      const address = list[row]
      if (address !== undefined) dealt.push(address)
    }
  return { ...rootServersOf(dealt), groupSize: Math.max(1, lists.length) }
}

function serversIn(listing: Listing): ReadonlyMap<string, Server> {
  return new Map(
    listing.servers.map(listed => {
      const zone = listing.zones.get(listed.zone) ?? unknownZone(listed.zone)
      const key = serverKey(listed.address)
      const state = serverState(listed.status, listed.isStarted, listed.isStopped)
      return [key, { address: listed.address, key, zone, state }]
    }),
  )
}

function tenantsIn({ tenants, singleLeaders }: Listing): ReadonlyMap<string, Tenant> {
  return new Map(
    tenants.map(({ name, id, locality, primaryZone }) => {
      const leader = singleLeaders.get(id)
      const singleLeader =
        leader === undefined ? undefined : { server: leader, key: serverKey(leader) }
      return [name, { name, locality, primaryZones: primaryZonesOf(primaryZone), singleLeader }]
    }),
  )
}

/** The list of servers names a zone that the list of zones does not have. */
function unknownZone(name: string): Zone {
  return { name, region: '', idc: '', type: 'ReadWrite', state: 'ACTIVE' }
}

/** All but the version. */
function shown(picture: ClusterPicture): string {
  const { servers, tenants, idcRegions, isLoaded, majorVersion } = picture
  return JSON.stringify([
    isLoaded,
    majorVersion,
    [...servers.values()],
    [...tenants.values()],
    [...idcRegions],
  ])
}
