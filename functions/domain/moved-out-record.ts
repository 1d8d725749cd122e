/**
 * What the table keeps of a cluster whose proxies serve on without the plane: before its nodes are let go
 * of, and for good.
 */
import type { NodeOrigin } from './model.ts'
import type { ObClusterSnapshot } from './ob-cluster-record.ts'
import type { ClusterRecord, Stored, TokenRecord } from './record.ts'

/** What stays of a cluster whose proxies serve on without it; for good, as its password does. */
export type MovedOutRecord = Stored & {
  readonly id: string
  readonly name: string
  readonly operationId: string
  readonly movedOutAt: number
  /** The config service answers its proxies until then; compared, never left to the table's expiry (PL5). */
  readonly answersUntil: number
  /** It was deleted, and no document says how to make it again. */
  readonly isDeleted?: boolean
  readonly configToken?: TokenRecord
  /** No other cluster's may be made under that name: its proxies have it. */
  readonly sysPasswordSecret: string
  /** The default first. */
  readonly obClusters: readonly ObClusterSnapshot[]
}

export type ExportedNode = {
  readonly id: string
  readonly name: string
  readonly hostId: string
  readonly host: string
  readonly idc: string | null
  readonly sqlPort: number
  readonly exporterPort: number
  readonly origin: NodeOrigin
  readonly home: string
  readonly version: string
  /** Its host was out of reach: what is ours is there still. */
  readonly isSkipped: boolean
}

/** A cluster as it is before its move out; of its operation. */
export type ClusterExportRecord = Stored & {
  readonly operationId: string
  readonly cluster: Pick<ClusterRecord, 'name' | 'tags' | 'spec'>
  readonly nodes: readonly ExportedNode[]
}
