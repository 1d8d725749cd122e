/** What supervisor and workers tell each other of OB clusters; plain values only. */
import type { BlacklistChange } from '../topology/blacklist.ts'
import type { LocationChange, LocationKind } from '../topology/cluster-locations.ts'
import type { FailureKind } from '../topology/failures.ts'
import type { KernelFlavour } from '../topology/listing.ts'
import type { ClusterPicture, Server, ServerAddress, Tenant } from '../topology/model.ts'

/** A picture without maps. */
export type PlainPicture = Omit<ClusterPicture, 'servers' | 'tenants' | 'idcRegions'> & {
  readonly servers: readonly Server[]
  readonly tenants: readonly Tenant[]
  readonly idcRegions: readonly (readonly [idc: string, region: string])[]
}

/** All that a worker has to know of a cluster to begin with. */
export type ClusterFacts = {
  readonly picture: PlainPicture
  readonly flavour: KernelFlavour
  /** Of the servers that are avoided. */
  readonly judged: readonly BlacklistChange[]
}

/** From the supervisor. */
export type ClusterNews =
  | { readonly kind: 'cluster'; readonly facts: ClusterFacts }
  | { readonly kind: 'clusterGone'; readonly cluster: string }
  | { readonly kind: 'judged'; readonly cluster: string; readonly change: BlacklistChange }
  | { readonly kind: 'located'; readonly cluster: string; readonly change: LocationChange }
  /** Locations of one tenant, or of all, are to be asked for anew. */
  | { readonly kind: 'forget'; readonly cluster: string; readonly tenant: string | null }
  /** What runs on this server is not going to end. */
  | { readonly kind: 'died'; readonly cluster: string; readonly server: ServerAddress }

/** From a worker. */
export type ClusterReport =
  | {
      readonly kind: 'missed'
      readonly cluster: string
      readonly of: LocationKind
      readonly key: string
      readonly isLater: boolean
    }
  | {
      readonly kind: 'serverFailed'
      readonly cluster: string
      readonly server: ServerAddress
      readonly how: FailureKind
    }
  | { readonly kind: 'scattered'; readonly cluster: string; readonly tenant: string }

const NEWS: ReadonlySet<string> = new Set([
  'cluster',
  'clusterGone',
  'judged',
  'located',
  'forget',
  'died',
] satisfies ClusterNews['kind'][])

export function isClusterNews(message: { readonly kind: string }): message is ClusterNews {
  return NEWS.has(message.kind)
}

const REPORTS: ReadonlySet<string> = new Set([
  'missed',
  'serverFailed',
  'scattered',
] satisfies ClusterReport['kind'][])

export function isClusterReport(message: { readonly kind: string }): message is ClusterReport {
  return REPORTS.has(message.kind)
}

export function plainPicture(picture: ClusterPicture): PlainPicture {
  return {
    ...picture,
    servers: [...picture.servers.values()],
    tenants: [...picture.tenants.values()],
    idcRegions: [...picture.idcRegions],
  }
}

export function pictureOf(plain: PlainPicture): ClusterPicture {
  return {
    ...plain,
    servers: new Map(plain.servers.map(server => [server.key, server])),
    tenants: new Map(plain.tenants.map(tenant => [tenant.name, tenant])),
    idcRegions: new Map(plain.idcRegions),
  }
}
