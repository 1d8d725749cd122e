/**
 * What is known of OB clusters: zones, servers, tenants, replicas. A picture is made anew by every
 * refresh and never changed; who holds one may compare it with the next by `version`.
 * Source: proxy-routing.md §3.4, §4.2, §9.2; style.md §2.2.
 */

export type ServerAddress = { readonly host: string; readonly port: number }

export type ZoneType = 'ReadWrite' | 'ReadOnly' | 'Encryption'

/** §9.2. */
export type ZoneState = 'ACTIVE' | 'MERGE' | 'UPGRADE'

export type Zone = {
  readonly name: string
  readonly region: string
  readonly idc: string
  readonly type: ZoneType
  readonly state: ZoneState
}

/** §9.2; a server that left the list is in no picture. */
export type ServerState = 'ACTIVE' | 'INACTIVE' | 'REPLAY' | 'DELETING' | 'UPGRADE'

/**
 * Why a server is on the blacklist (§9.1), as bits: each has a witness of its own. They change more
 * often than the picture, so that they are no part of it.
 */
export const CONGESTED = {
  /** Its state as reported (§9.3). */
  dead: 1,
  /** Traffic: too many failures (§9.4). */
  alive: 2,
  /** Detection: probes fail (§9.5). */
  detected: 4,
} as const

/** What routing asks of the blacklist. */
export type Verdicts = {
  /** Nothing is known against any server. */
  readonly isEmpty: boolean
  /** Bits of `CONGESTED`; 0 for a server that nothing is known against. */
  readonly congestionOf: (key: string) => number
  /**
   * Whether a server that only traffic speaks against may have one statement now, to see whether it
   * is well again (§9.4). Says so to one who asks and, for the length of the interval, to no other.
   */
  readonly letsOneThrough: (key: string, nowMs: number) => boolean
}

export type Server = {
  readonly address: ServerAddress
  /** `host:port`. */
  readonly key: string
  readonly zone: Zone
  readonly state: ServerState
}

/** A server with its `host:port`, which is made once: each statement looks by it. */
export type KeyedServer = { readonly server: ServerAddress; readonly key: string }

export type Tenant = {
  readonly name: string
  /** Changes with the locality (§4.10). */
  readonly locality: string
  /** Groups of zones by falling priority; empty for RANDOM. */
  readonly primaryZones: readonly (readonly string[])[]
  /** All leaders of the tenant are here (§7.2 row 7). */
  readonly singleLeader: KeyedServer | undefined
}

export type ClusterPicture = {
  readonly cluster: string
  readonly clusterId: number
  /** Grows with each change. */
  readonly version: number
  /** Below 4: statement shapes, ids and function codes of OceanBase 3.x (§13). */
  readonly majorVersion: number
  /** False until the first list came from a server; until then the root service list is all there is. */
  readonly isLoaded: boolean
  readonly servers: ReadonlyMap<string, Server>
  readonly tenants: ReadonlyMap<string, Tenant>
  /** IDC in lower case → region, as the config server says (§3.2); empty without one. */
  readonly idcRegions: ReadonlyMap<string, string>
}

/** §4.2: others hold no rows that can be read. */
export type ReplicaType = 'FULL' | 'READONLY' | 'LOGONLY' | 'OTHER'

export type Replica = KeyedServer & {
  readonly isLeader: boolean
  readonly type: ReplicaType
  /** Of a duplicate table. */
  readonly isDuplicate: boolean
}

/** Where one partition, or a table that has none, is (§4.1). */
export type PartitionLocation = {
  readonly replicas: readonly Replica[]
  /** One of `replicas`. */
  readonly leader: Replica | undefined
  readonly hasDuplicates: boolean
  /** Of the last picture by whose states nothing speaks against the leader; undefined: none has been looked at. */
  leaderFitsIn: object | undefined
}

/** Servers of a tenant, none of them a leader (§4.2): where statements go that no location is known for. */
export type TenantServers = {
  readonly replicas: readonly Replica[]
  /** Neighbours in `replicas` that are of different zones. */
  readonly groupSize: number
}

export function serverKey({ host, port }: ServerAddress): string {
  return `${host}:${port}`
}
