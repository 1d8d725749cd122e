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
  SERVERS_STATEMENT,
  TENANTS_STATEMENT,
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
}

/** The servers are those of another cluster. */
export class WrongCluster extends Error {}

/** @throws Error when no server tells of the servers; WrongCluster */
export async function listCluster(
  port: ListingPort,
  before: Listing | undefined,
): Promise<Listing> {
  const { ask } = port
  const { majorVersion, flavour } = before ?? (await versionOf(port))
  const shape = shapeOf(majorVersion)
  const merging = shape === 'v4' ? await optional(ask, COMPACTION_STATEMENT) : undefined
  const zones = await optional(ask, ZONES_STATEMENT[shape])
  const servers = serversOf(await ask(SERVERS_STATEMENT[shape]))
  if (servers.length === 0) throw new Error('the list of servers is empty')
  const listed = await optional(ask, TENANTS_STATEMENT[shape])
  const tenants = listed === undefined ? (before?.tenants ?? []) : tenantsOf(listed)
  return {
    majorVersion,
    flavour,
    zones:
      zones === undefined
        ? (before?.zones ?? new Map())
        : zonesOf(zones, new Set(merging?.map(row => row['zone'] ?? ''))),
    servers,
    tenants,
    singleLeaders: shape === 'v4' ? await leadersOf(ask, tenants) : new Map(),
  }
}

async function versionOf(port: ListingPort): Promise<Pick<Listing, 'majorVersion' | 'flavour'>> {
  const majorVersion = majorVersionOf(await port.ask(VERSION_STATEMENT))
  if (majorVersion === undefined) throw new Error('ob_version() is no version')
  if (port.expectedName !== undefined) await checkName(port, port.expectedName, majorVersion)
  if (majorVersion < 4) return { majorVersion, flavour: 'v3' }
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

async function leadersOf(
  ask: ListingPort['ask'],
  tenants: readonly ListedTenant[],
): Promise<ReadonlyMap<string, ServerAddress>> {
  const rows: Answer[number][] = []
  for (const sql of leaderStatements(tenants.map(({ id }) => id))) {
    const answer = await optional(ask, sql)
    // A tenant that nothing is known of must not look as if it had one leader.
    if (answer === undefined) return new Map()
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
