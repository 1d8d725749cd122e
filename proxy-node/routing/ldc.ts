/**
 * How near servers are to the client's data centre: A its IDC, B its region, C elsewhere. Made once for
 * a picture and the name of an IDC; looked up by statements. Source: proxy-routing.md §7.3.
 */
import type { ClusterPicture, Server, ServerAddress, Zone } from '../topology/model.ts'

export type Nearness = 'A' | 'B' | 'C'

export type Ldc = {
  readonly idc: string
  readonly pictureVersion: number
  /** Which of the three steps found the regions; `none`: nearness is not used. */
  readonly foundBy: 'idc' | 'zone name' | 'idc list' | 'none'
  readonly regions: ReadonlySet<string>
  readonly hasReadOnlyZone: boolean
  /** Of the servers in the picture. */
  readonly nearness: ReadonlyMap<string, Nearness>
}

/**
 * User variables that name the session's IDC, the first that says something: the reference reads one,
 * its documentation has the other (§14 row 18).
 */
export const IDC_VARIABLES = ['proxy_idc_name', 'proxy_session_ldc'] as const

/** What the session says, else the parameter `proxy_idc_name`; empty for nothing. */
export function chosenIdc(
  session: { readonly userText: (variable: string) => string | undefined },
  configured: string,
): string {
  for (const variable of IDC_VARIABLES) {
    const named = session.userText(variable)?.trim()
    if (named !== undefined && named !== '') return named
  }
  return configured.trim()
}

/** The three steps of the discovery; the first that yields a region is believed. */
const STEPS: readonly {
  readonly foundBy: 'idc' | 'zone name'
  readonly isNear: (zone: Zone, name: string) => boolean
}[] = [
  { foundBy: 'idc', isNear: (zone, name) => zone.idc.toLowerCase() === name },
  { foundBy: 'zone name', isNear: (zone, name) => zone.name.toLowerCase().startsWith(name) },
]

/** `idc` as the session or the configuration names it; empty for none. */
export function ldcOf(picture: ClusterPicture, idc: string): Ldc {
  const name = idc.trim().toLowerCase()
  const servers = [...picture.servers.values()]
  const base = {
    idc,
    pictureVersion: picture.version,
    hasReadOnlyZone: servers.some(({ zone }) => zone.type === 'ReadOnly'),
  }
  if (name !== '') {
    for (const { foundBy, isNear } of STEPS) {
      const near = servers.filter(({ zone }) => isNear(zone, name))
      const regions = new Set(near.map(({ zone }) => zone.region).filter(region => region !== ''))
      if (regions.size === 0) continue
      const isA = (server: Server) => isNear(server.zone, name)
      return { ...base, foundBy, regions, nearness: nearnessOf(servers, regions, isA) }
    }
    const listed = picture.idcRegions.get(name)
    if (listed !== undefined && listed !== '') {
      const regions = new Set([listed])
      const nearness = nearnessOf(servers, regions, () => false)
      return { ...base, foundBy: 'idc list', regions, nearness }
    }
  }
  const nearness = new Map(servers.map(({ key }) => [key, 'A' as const]))
  return { ...base, foundBy: 'none', regions: new Set(), nearness }
}

function nearnessOf(
  servers: readonly Server[],
  regions: ReadonlySet<string>,
  isA: (server: Server) => boolean,
): ReadonlyMap<string, Nearness> {
  const nearness = new Map<string, Nearness>()
  for (const server of servers) {
    if (!regions.has(server.zone.region)) nearness.set(server.key, 'C')
    else nearness.set(server.key, isA(server) ? 'A' : 'B')
  }
  return nearness
}

/** Undefined: no such server is known, and it is no one to go to. */
export function nearnessTo(
  ldc: Ldc,
  picture: ClusterPicture,
  key: string,
  { host }: ServerAddress,
): Nearness | undefined {
  const known = ldc.nearness.get(key)
  if (known !== undefined) return known
  if (picture.isLoaded && !isLoopback(host)) return undefined
  return ldc.foundBy === 'none' ? 'A' : 'C'
}

/** An address that no server list can be expected to name. */
export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host === 'localhost'
}

/** Sessions name IDCs as they like; so many are kept. */
const MAX_KEPT = 64

/** The orders in use, one a name; forgotten when the picture changes. */
export class LdcCache {
  private readonly kept = new Map<string, Ldc>()
  private picture: ClusterPicture | undefined

  find(picture: ClusterPicture, idc: string): Ldc {
    if (this.picture !== picture) {
      this.kept.clear()
      this.picture = picture
    }
    const known = this.kept.get(idc)
    if (known !== undefined) return known
    const made = ldcOf(picture, idc)
    if (this.kept.size >= MAX_KEPT) this.kept.clear()
    this.kept.set(idc, made)
    return made
  }
}
