/** OB clusters as a config server lists them, changed by hand. */
import type {
  ClusterDirectory,
  DirectoryChange,
  Resolution,
} from '../../proxy-node/topology/cluster-directory.ts'
import type { ServerAddress } from '../../proxy-node/topology/model.ts'

export class ListedClusters implements ClusterDirectory {
  /** Name → lists to begin with; the first is the default. */
  lists: Record<string, readonly (readonly ServerAddress[])[]> = {}
  aliases: Record<string, string> = {}
  regions: Record<string, readonly { readonly idc: string; readonly region: string }[]> = {}
  /** Nobody can be asked. */
  isAway = false
  readonly resolved: string[] = []
  readonly refetched: string[] = []
  readonly released: string[] = []
  private readonly listeners: ((change: DirectoryChange) => void)[] = []

  start(): Promise<void> {
    return Promise.resolve()
  }
  stop(): void {}
  clusters() {
    return Object.keys(this.lists).map(name => ({ name, ids: [] }))
  }
  defaultCluster(): string | undefined {
    return Object.keys(this.lists)[0]
  }
  resolve(wanted: string): Promise<Resolution> {
    this.resolved.push(wanted)
    if (this.isAway) return Promise.resolve({ kind: 'unavailable', why: 'nobody answers' })
    const name = this.aliases[wanted] ?? wanted
    const lists = this.lists[name]
    if (lists === undefined) return Promise.resolve({ kind: 'unknown' })
    const choices = lists.map((servers, clusterId) => ({
      cluster: name,
      alias: undefined,
      clusterId,
      type: 'PRIMARY' as const,
      servers: servers.map(address => ({
        address,
        role: 'FOLLOWER' as const,
        type: 'FULL' as const,
      })),
    }))
    const checkedName = wanted === name ? name : undefined
    return Promise.resolve({ kind: 'found', name, checkedName, choices, isCopy: false })
  }
  refetch(name: string): Promise<boolean> {
    this.refetched.push(name)
    return Promise.resolve(false)
  }
  release(name: string): void {
    this.released.push(name)
  }
  idcRegions(name: string) {
    return this.regions[name] ?? []
  }
  refresh(): Promise<void> {
    return Promise.resolve()
  }
  onChange(listener: (change: DirectoryChange) => void): void {
    this.listeners.push(listener)
  }
  tell(change: DirectoryChange): void {
    for (const listener of this.listeners) listener(change)
  }
  rootServerRows() {
    return []
  }
  idcRows() {
    return []
  }
  facts() {
    return {
      version: '',
      clusterCount: 0,
      binUrl: '',
      metadataDatabase: '',
      metadataUser: '',
      modifiedAt: 0,
    }
  }
}
