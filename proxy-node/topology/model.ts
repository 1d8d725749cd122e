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

/** Why a server is on the blacklist (§9.1): each flag has a witness of its own. */
export type Congestion = {
  /** Traffic: too many failures (§9.4). */
  readonly isAlive: boolean
  /** Its state as reported (§9.3). */
  readonly isDead: boolean
  /** Detection (§9.5). */
  readonly isDetected: boolean
}

export type Server = {
  readonly address: ServerAddress
  /** `host:port`. */
  readonly key: string
  readonly zone: Zone
  readonly state: ServerState
  readonly congestion: Congestion
}

export type Tenant = {
  readonly name: string
  /** Changes with the locality (§4.10). */
  readonly locality: string
  /** Groups of zones by falling priority; empty for RANDOM. */
  readonly primaryZones: readonly (readonly string[])[]
  /** All leaders of the tenant are here (§7.2 row 7). */
  readonly singleLeader: ServerAddress | undefined
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
}

/** §4.2: others hold no rows that can be read. */
export type ReplicaType = 'FULL' | 'READONLY' | 'LOGONLY' | 'OTHER'

export type Replica = {
  readonly server: ServerAddress
  readonly isLeader: boolean
  readonly type: ReplicaType
  /** Of a duplicate table. */
  readonly isDuplicate: boolean
}

export function serverKey({ host, port }: ServerAddress): string {
  return `${host}:${port}`
}
