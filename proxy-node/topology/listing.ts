/**
 * One round of questions about an OB cluster: version, zones, servers, tenants, single leaders. The
 * servers must be answered; what else cannot be is taken from the round before.
 * Source: proxy-routing.md §3.3–3.5.
 */
import {
  type ListedServer,
  type ListedTenant,
  majorVersionOf,
  serversOf,
  shapeOf,
  singleLeadersByUnits,
  singleLeadersOf,
  tenantsOf,
  zonesOf,
} from './discovery.ts'
import type { ServerAddress, Zone } from './model.ts'
import {
  CLUSTER_NAME_STATEMENT,
  COMMENT_STATEMENT,
  COMPACTION_STATEMENT,
  leaderStatements,
  ROLE_STATEMENT,
  SERVERS_STATEMENT,
  TENANTS_STATEMENT,
  UNITS_STATEMENT,
  VERSION_STATEMENT,
  ZONES_STATEMENT,
} from './statements.ts'
import type { Answer } from './table-entry.ts'

/** Which codes the kernel uses for types (proxy-routing-tried.md). */
export type KernelFlavour = 'v3' | 'v4' | 'seekdb'

export type Listing = {
  readonly majorVersion: number
  readonly flavour: KernelFlavour
  readonly zones: ReadonlyMap<string, Zone>
  readonly servers: readonly ListedServer[]
  readonly tenants: readonly ListedTenant[]
  /** By tenant id. */
  readonly singleLeaders: ReadonlyMap<string, ServerAddress>
}

export type ListingPort = {
  /** Asks any server of the cluster. @throws Error */
  readonly ask: (sql: string) => Promise<Answer>
  /** The name that the cluster has to have; undefined: any (§3.4). */
  readonly expectedName: string | undefined
  /** Of several lists nobody says which is the primary's: a standby of 3.x is not the one (§3.3). */
  readonly mustBePrimary: boolean
  /** Version, name and role are as in the round before. */
  readonly isChecked: boolean
}

/** The servers are those of another cluster. */
export class WrongCluster extends Error {}

/** @throws Error when no server tells of the servers; WrongCluster */
export async function listCluster(
  port: ListingPort,
  before: Listing | undefined,
): Promise<Listing> {
  const { ask } = port
  const isKnown = before !== undefined && port.isChecked
  const { majorVersion, flavour } = isKnown ? before : await versionOf(port)
  const shape = shapeOf(majorVersion)
  const merging = shape === 'v4' ? await optional(ask, COMPACTION_STATEMENT) : []
  const zones = await optional(ask, ZONES_STATEMENT[shape])
  const servers = serversOf(await ask(SERVERS_STATEMENT[shape]))
  if (servers.length === 0) throw new Error('the list of servers is empty')
  const listed = await optional(ask, TENANTS_STATEMENT[shape])
  const tenants = listed === undefined ? (before?.tenants ?? []) : tenantsOf(listed)
  const leaders = await (shape === 'v4' ? leadersOf(ask, tenants) : leaders3xOf(ask, tenants))
  return {
    majorVersion,
    flavour,
    zones:
      zones === undefined
        ? (before?.zones ?? new Map())
        : zonesOf(zones, merging === undefined ? mergingIn(before) : namesIn(merging)),
    servers,
    tenants,
    singleLeaders: leaders ?? before?.singleLeaders ?? new Map(),
  }
}

/** The same, but for what it says of the tenant's only leader. */
export function scatteredIn(listing: Listing, tenant: string): Listing {
  const singleLeaders = new Map(listing.singleLeaders)
  for (const { name, id } of listing.tenants) if (name === tenant) singleLeaders.delete(id)
  return { ...listing, singleLeaders }
}

function namesIn(merging: Answer): ReadonlySet<string> {
  return new Set(merging.map(row => row['zone'] ?? ''))
}

function mergingIn(before: Listing | undefined): ReadonlySet<string> {
  const zones = [...(before?.zones.values() ?? [])]
  return new Set(zones.filter(({ state }) => state === 'MERGE').map(({ name }) => name))
}

async function versionOf(port: ListingPort): Promise<Pick<Listing, 'majorVersion' | 'flavour'>> {
  const majorVersion = majorVersionOf(await port.ask(VERSION_STATEMENT))
  if (majorVersion === undefined) throw new Error('ob_version() is no version')
  if (port.expectedName !== undefined) await checkName(port, port.expectedName, majorVersion)
  if (majorVersion < 4) {
    if (port.mustBePrimary) await checkRole(port)
    return { majorVersion, flavour: 'v3' }
  }
  const comment = await optional(port.ask, COMMENT_STATEMENT)
  const isSeekdb = (comment?.[0]?.['version_comment'] ?? '').toLowerCase().includes('seekdb')
  return { majorVersion, flavour: isSeekdb ? 'seekdb' : 'v4' }
}

async function checkName(port: ListingPort, expected: string, majorVersion: number): Promise<void> {
  const answer = await port.ask(CLUSTER_NAME_STATEMENT[shapeOf(majorVersion)])
  const name = answer[0]?.['value'] ?? ''
  if (name.toLowerCase() !== expected.toLowerCase())
    throw new WrongCluster(`the servers are those of cluster '${name}', not of '${expected}'`)
}

/** Servers too old to have standbys cannot say, and are none. */
async function checkRole(port: ListingPort): Promise<void> {
  const answer = await optional(port.ask, ROLE_STATEMENT)
  const role = answer?.[0]?.['cluster_role'] ?? 'PRIMARY'
  if (role.toUpperCase() !== 'PRIMARY')
    throw new WrongCluster(`the servers are those of a cluster whose role is ${role}`)
}

async function leaders3xOf(
  ask: ListingPort['ask'],
  tenants: readonly ListedTenant[],
): Promise<ReadonlyMap<string, ServerAddress> | undefined> {
  const units = await optional(ask, UNITS_STATEMENT)
  return units === undefined ? undefined : singleLeadersByUnits(units, tenants)
}

async function leadersOf(
  ask: ListingPort['ask'],
  tenants: readonly ListedTenant[],
): Promise<ReadonlyMap<string, ServerAddress> | undefined> {
  const rows: Answer[number][] = []
  for (const sql of leaderStatements(tenants.map(({ id }) => id))) {
    const answer = await optional(ask, sql)
    if (answer === undefined) return undefined
    rows.push(...answer)
  }
  return singleLeadersOf(rows)
}

/** Undefined when nobody can say. */
async function optional(ask: ListingPort['ask'], sql: string): Promise<Answer | undefined> {
  try {
    return await ask(sql)
  } catch {
    return undefined
  }
}
