/**
 * Which OB clusters this node may reach and where each begins: from a config server, or the one of
 * `rootservice_list`. Everything after the first list of servers is discovery's business.
 * Source: proxy-routing.md §3.1, §3.2; proxy-admin.md §2.5.
 */
import { hostPort } from '../base/address.ts'
import { parseRootservices } from './cluster.ts'
import type { IdcRegion, RootServices } from './config-server-documents.ts'

export type KnownCluster = {
  readonly name: string
  /** Ids of primary and standbys, as far as they were asked for. */
  readonly ids: readonly number[]
}

/** Where an OB cluster begins. */
export type Resolution =
  | {
      readonly kind: 'found'
      /** As listed: the key of everything that is kept of the cluster. */
      readonly name: string
      /**
       * What the servers say that they are has to be this name; undefined when the cluster is reached
       * by an alias, or was never named.
       */
      readonly checkedName: string | undefined
      /**
       * The primary, or the one of the id asked for. Several: nobody says who the primary is, and each
       * is to be tried as one, in this order.
       */
      readonly choices: readonly RootServices[]
      /** From this node's own copy: the config server has not been reached since the start. */
      readonly isCopy: boolean
    }
  /** No such cluster, or not for this node. */
  | { readonly kind: 'unknown' }
  /** It may exist; nobody could be asked. */
  | { readonly kind: 'unavailable'; readonly why: string }

export type DirectoryChange =
  | {
      readonly kind: 'clusters'
      readonly added: readonly string[]
      readonly removed: readonly string[]
    }
  /** Ask `resolve` for the new list. */
  | { readonly kind: 'root-services'; readonly name: string; readonly id: number }
  | { readonly kind: 'idcs'; readonly name: string; readonly id: number }

/** A row of SHOW PROXYCLUSTER. */
export type RootServerRow = {
  readonly name: string
  readonly id: number
  /** Without values of secret parameters. */
  readonly url: string
  readonly address: string
  readonly role: string
  readonly replicaType: string
}

/** A row of SHOW PROXYCLUSTER IDC. */
export type IdcRow = {
  readonly name: string
  readonly id: number
  readonly url: string
  readonly idc: string
  readonly region: string
}

/** Facts that SHOW PROXYCONFIG lists as `json_config_…` (proxy-admin.md §2.4). */
export type DirectoryFacts = {
  readonly version: string
  readonly clusterCount: number
  readonly binUrl: string
  readonly metadataDatabase: string
  readonly metadataUser: string
  /** Epoch milliseconds; 0: never. */
  readonly modifiedAt: number
}

/** What a node can be told to read anew, each by a one-shot parameter (§11). */
export type Refreshable = 'cluster-list' | 'root-services' | 'idcs'

export type ClusterDirectory = {
  /** Resolves when the clusters are known, or cannot be for now; never rejects. */
  start(): Promise<void>
  stop(): void
  clusters(): readonly KnownCluster[]
  /** For logins that name none. */
  defaultCluster(): string | undefined
  /** @param id 0: the primary. Never rejects; one fetch serves all who wait for the same. */
  resolve(name: string, id?: number): Promise<Resolution>
  /** Reads one list anew, as after many failed refreshes; true when it is another one now. */
  refetch(name: string, id?: number): Promise<boolean>
  /** Its cluster was given up: nobody keeps its list fresh any more. */
  release(name: string, id?: number): void
  /** Regions by IDC, in lower case; empty while unknown. */
  idcRegions(name: string, id?: number): readonly IdcRegion[]
  refresh(what: Refreshable): Promise<void>
  onChange(listener: (change: DirectoryChange) => void): void
  rootServerRows(): readonly RootServerRow[]
  idcRows(): readonly IdcRow[]
  facts(): DirectoryFacts
}

const NO_FACTS: DirectoryFacts = {
  version: '',
  clusterCount: 0,
  binUrl: '',
  metadataDatabase: '',
  metadataUser: '',
  modifiedAt: 0,
}

/** OBProxy's default of `rootservice_cluster_name`, meaning none. */
const UNNAMED = 'undefined'

/**
 * The one cluster of `rootservice_list`; it never changes while the process runs. Its first server
 * counts as the leader. @throws Error naming what is no `ip:port`
 */
export function staticDirectory(settings: {
  readonly name: string
  /** `ip:port;ip:port`, ports for SQL. */
  readonly rootservices: string
}): ClusterDirectory {
  const { name } = settings
  const member: RootServices = {
    cluster: name,
    alias: undefined,
    clusterId: 0,
    type: 'PRIMARY',
    servers: parseRootservices(settings.rootservices).map((address, index) => ({
      address,
      role: index === 0 ? 'LEADER' : 'FOLLOWER',
      type: 'FULL',
    })),
  }
  const found: Resolution =
    member.servers.length === 0
      ? { kind: 'unavailable', why: 'rootservice_list is empty' }
      : { kind: 'found', name, checkedName: undefined, choices: [member], isCopy: false }
  return {
    start: () => Promise.resolve(),
    stop: () => {},
    clusters: () => [{ name, ids: [] }],
    defaultCluster: () => name,
    resolve: wanted => {
      const isIt = wanted === name || (wanted === '' && name === UNNAMED)
      return Promise.resolve(isIt ? found : { kind: 'unknown' })
    },
    refetch: () => Promise.resolve(false),
    release: () => {},
    idcRegions: () => [],
    refresh: () => Promise.resolve(),
    onChange: () => {},
    rootServerRows: () => rootServerRows(name, '', [member]),
    idcRows: () => [],
    facts: () => NO_FACTS,
  }
}

/** Rows of one cluster, of whatever source. */
export function rootServerRows(
  name: string,
  url: string,
  members: Iterable<RootServices>,
): readonly RootServerRow[] {
  return [...members].flatMap(({ clusterId, servers }) =>
    servers.map(({ address, role, type }) => ({
      name,
      id: clusterId,
      url,
      address: hostPort(address.host, address.port),
      role,
      replicaType: type,
    })),
  )
}
