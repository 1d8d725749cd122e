/** What the table keeps of OB clusters: as we know them, and as their own RootService registers them. */
import type { Hold, ObCluster, ProxyroChange } from './model.ts'
import type { Stored, TokenRecord } from './record.ts'

/** Those of before the config service have neither id nor IDCs. */
export type ObClusterRecord = Stored &
  Omit<
    ObCluster,
    'registration' | 'obClusterId' | 'idcRegions' | 'proxyroChange' | 'heldBy' | 'obVersion'
  > &
  Partial<Pick<ObCluster, 'obClusterId' | 'idcRegions'>> & {
    readonly linkCount: number
    /** Absent: nobody has been told. */
    readonly obVersion?: string
    /** Absent, as in records of before: nobody. */
    readonly hold?: Hold | null
    /** The plane made the password under `proxyroSecret`, and takes it along; absent: it is the caller's. */
    readonly isProxyroOurs?: boolean
    /** While it is there nodes are given both passwords. */
    readonly proxyroChange?: ProxyroChange
    /** Opens the registration of its own root services, and nothing else. */
    readonly registrar?: TokenRecord
  }

/**
 * A password of proxyro that the plane has made and that an OB cluster has named, or given up, of late: whether
 * any names it still is to be looked at.
 */
export type LooseSecretRecord = Stored & {
  /** Parameter Store name. */
  readonly name: string
  /** From here on nobody may name it any more: it goes unless somebody has. */
  readonly isGoing: boolean
}

export type RootServer = {
  /** `ip:rpcPort`. */
  readonly address: string
  readonly sqlPort: number
  readonly role: 'LEADER' | 'FOLLOWER'
}

/** What RootService says of itself. One that was withdrawn stays, so that nothing older comes back. */
export type RootServicesRecord = Stored & {
  readonly obCluster: string
  readonly obClusterId: number
  readonly type: 'PRIMARY' | 'STANDBY'
  readonly servers: readonly RootServer[]
  readonly readonlyServers: readonly RootServer[]
  /** By the clock of RootService, microseconds: only a newer list takes its place. */
  readonly timestamp: number
  readonly isWithdrawn: boolean
}

/** What is told of an OB cluster, and can be told when it is not managed here any more. */
export type ObClusterSnapshot = {
  readonly record: Pick<
    ObClusterRecord,
    'name' | 'obClusterId' | 'rootservice' | 'idcRegions' | 'updatedAt'
  >
  readonly registered: readonly RootServicesRecord[]
}
