/**
 * Port to the table. Everything is read consistently except lists and what is due, which are hints.
 * A commit is all or nothing, and every change compares the version that was read, so that two
 * writers of one record never both succeed (PL1, PL5).
 */
import type { ClusterExportRecord, MovedOutRecord } from './moved-out-record.ts'
import type { LooseSecretRecord, ObClusterRecord, RootServicesRecord } from './ob-cluster-record.ts'
import type { DiagnosisRecord, OperationRecord, ResultRecord } from './operation-record.ts'
import type {
  AuditRecord,
  ClusterRecord,
  HostRecord,
  NameRecord,
  NodeRecord,
  PackageRecord,
  ParameterHistoryRecord,
  PlaceRecord,
  ProxyIdRecord,
  ReportRecord,
  RequestRecord,
} from './record.ts'
import type { CommandRecord, StepRecord, WaveRecord, WorkRecord } from './work-record.ts'

export type Records = {
  readonly cluster: ClusterRecord
  readonly clusterName: NameRecord
  readonly node: NodeRecord
  readonly report: ReportRecord
  readonly place: PlaceRecord
  readonly proxyId: ProxyIdRecord
  readonly host: HostRecord
  readonly obCluster: ObClusterRecord
  readonly looseSecret: LooseSecretRecord
  readonly rootServices: RootServicesRecord
  readonly package: PackageRecord
  readonly packageName: NameRecord
  readonly operation: OperationRecord
  readonly step: StepRecord
  readonly result: ResultRecord
  readonly diagnosis: DiagnosisRecord
  readonly wave: WaveRecord
  readonly work: WorkRecord
  readonly command: CommandRecord
  readonly request: RequestRecord
  readonly audit: AuditRecord
  readonly parameterHistory: ParameterHistoryRecord
  readonly clusterExport: ClusterExportRecord
  readonly movedOut: MovedOutRecord
}

export type Kind = keyof Records

type KeyFields = {
  readonly cluster: 'id'
  readonly clusterName: 'name'
  readonly node: 'clusterId' | 'id'
  readonly report: 'clusterId' | 'nodeId'
  readonly place: 'nodeId'
  readonly proxyId: 'proxyId'
  readonly host: 'id'
  readonly obCluster: 'name'
  readonly looseSecret: 'name'
  readonly rootServices: 'obCluster' | 'obClusterId'
  readonly package: 'id'
  readonly packageName: 'name'
  readonly operation: 'id'
  readonly step: 'operationId' | 'n'
  readonly result: 'operationId'
  readonly diagnosis: 'operationId'
  readonly wave: 'operationId' | 'n'
  readonly work: 'operationId'
  readonly command: 'commandId'
  readonly request: 'id'
  readonly audit: 'at' | 'id'
  readonly parameterHistory: 'clusterId' | 'at' | 'id'
  readonly clusterExport: 'operationId'
  readonly movedOut: 'name' | 'id'
}

export type KeyOf<K extends Kind> = Pick<Records[K], KeyFields[K] & keyof Records[K]>

/** `version` 0 stands for a record that must not exist yet. */
export type Change = {
  readonly [K in Kind]: {
    readonly act: 'put' | 'delete'
    readonly kind: K
    readonly record: Records[K]
  }
}[Kind]

/** Most changes of one commit. */
export const MAX_CHANGES = 100

/** Somebody else wrote one of the records first; read again and decide anew. */
export class Conflict extends Error {
  readonly kinds: readonly Kind[]

  constructor(kinds: readonly Kind[]) {
    super(`changed meanwhile: ${kinds.join(', ')}`)
    this.name = 'Conflict'
    this.kinds = kinds
  }
}

export type ClusterPicture = {
  readonly cluster: ClusterRecord
  readonly nodes: readonly NodeRecord[]
  readonly reports: ReadonlyMap<string, ReportRecord>
}

/** Place to go on from, as the store words it; opaque above it. */
export type Position = string

export type Listed<T> = { readonly items: readonly T[]; readonly next: Position | null }

export type ListRequest = { readonly limit: number; readonly after?: Position }

/** Epoch milliseconds, both included. */
export type Period = { readonly from?: number; readonly to?: number }

/** All methods throw `Problem('store-unavailable')` when the table does not answer. */
export type Store = {
  get<K extends Kind>(kind: K, key: KeyOf<K>): Promise<Records[K] | null>
  /** In no order; what is not there is left out. */
  getMany<K extends Kind>(kind: K, keys: readonly KeyOf<K>[]): Promise<readonly Records[K][]>
  cluster(id: string): Promise<ClusterPicture | null>
  steps(operationId: string): Promise<readonly StepRecord[]>
  waves(operationId: string): Promise<readonly WaveRecord[]>
  /** All ids of one name. */
  rootServices(obCluster: string): Promise<readonly RootServicesRecord[]>
  /** All that had the name, the last one last. */
  movedOut(name: string): Promise<readonly MovedOutRecord[]>
  clusterNames(request: ListRequest): Promise<Listed<NameRecord>>
  obClusters(request: ListRequest): Promise<Listed<ObClusterRecord>>
  looseSecrets(request: ListRequest): Promise<Listed<LooseSecretRecord>>
  packages(request: ListRequest): Promise<Listed<PackageRecord>>
  /** May lag. Ordered by id. */
  nodes(request: ListRequest): Promise<Listed<NodeRecord>>
  /** May lag. The newest first. */
  operations(request: ListRequest): Promise<Listed<OperationRecord>>
  /** Of one cluster, the newest first. */
  parameterHistory(
    clusterId: string,
    request: ListRequest & Period,
  ): Promise<Listed<ParameterHistoryRecord>>
  /** Of one day in UTC, the newest first. */
  audit(day: string, request: ListRequest): Promise<Listed<AuditRecord>>
  /** Ids of operations whose time has come; may lag (PL5). */
  due(now: number, limit: number): Promise<readonly string[]>
  /** @throws Conflict */
  commit(changes: readonly Change[]): Promise<void>
}

/** Writes a record over the version that was read. */
export function put<K extends Kind>(kind: K, record: Records[K]): Change {
  return { act: 'put', kind, record } as Change
}

export function remove<K extends Kind>(kind: K, record: Records[K]): Change {
  return { act: 'delete', kind, record } as Change
}

const TRIES = 8

/** Decides again, on what is there now, when somebody was faster. @throws Conflict after eight times */
export async function decide<T>(once: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await once()
    } catch (error) {
      if (!(error instanceof Conflict) || tried === TRIES) throw error
    }
  }
}
