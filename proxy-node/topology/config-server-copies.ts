/**
 * What this node keeps of a config server's answers, so that it starts and serves while the server is
 * away: three files, in the shapes OBProxy keeps them in, so that either reads the other's. A copy
 * that cannot be read is none. Source: proxy-routing.md §3.2, proxy-admin.md §1.2.
 */
import { createHash } from 'node:crypto'
import {
  type ClusterList,
  copiedIdcList,
  copiedRootServices,
  type IdcList,
  type Parsed,
  parseClusterList,
  type RootServer,
  type RootServices,
} from './config-server-documents.ts'
import { shownUrl } from './config-server-urls.ts'

const FILES = {
  clusters: 'obproxy_config_server_info.json',
  rootServices: 'obproxy_rslist_info.json',
  idcs: 'obproxy_idc_list_info.json',
} as const

/** Files of the node's `etc`. */
export type CopyFiles = {
  /** Undefined when there is none, or it is too large to be one. */
  readonly read: (file: string) => string | undefined
  /** Atomic. @throws Error of the system; the old file is then still there. */
  readonly write: (file: string, text: string) => void
}

/** By the name under which a cluster is listed. */
export type CopiedRootServices = ReadonlyMap<string, readonly RootServices[]>
export type CopiedIdcs = ReadonlyMap<string, readonly IdcList[]>

export class ConfigServerCopies {
  private readonly files: CopyFiles
  /** Of the server the copies are of: those of another one are nobody's. */
  private readonly mark: string

  constructor(files: CopyFiles, configUrl: string) {
    this.files = files
    this.mark = markOf(configUrl)
  }

  clusterList(): ClusterList | undefined {
    const text = this.files.read(FILES.clusters)
    if (text === undefined || !this.isOurs(text)) return undefined
    const parsed = parseClusterList(text)
    return parsed.kind === 'ok' ? parsed.value : undefined
  }

  rootServices(): CopiedRootServices {
    const found = new Map<string, RootServices[]>()
    for (const value of this.elements(FILES.rootServices, copiedRootServices))
      found.set(value.listed, [...(found.get(value.listed) ?? []), ...value.members])
    return found
  }

  idcs(): CopiedIdcs {
    const found = new Map<string, IdcList[]>()
    for (const { listed, list } of this.elements(FILES.idcs, copiedIdcList))
      found.set(listed, [...(found.get(listed) ?? []), list])
    return found
  }

  /** @throws Error of the system */
  writeClusterList({ version, clusters, binUrl, metadata }: ClusterList): void {
    const Data = {
      Version: version,
      ObProxyBinUrl: binUrl,
      ObProxyDatabaseInfo: {
        MetaDataBase: metadata.url,
        DataBase: metadata.database,
        User: metadata.user,
      },
      ObRootServiceInfoUrlList: clusters.map(({ name, url }) => ({
        ObRegion: name,
        ObRootServiceInfoUrl: url,
      })),
    }
    const envelope = { Message: 'successful', Success: true, Code: 200, Data, Mark: this.mark }
    this.files.write(FILES.clusters, `${JSON.stringify(envelope)}\n`)
  }

  /** @throws Error of the system */
  writeRootServices(all: CopiedRootServices): void {
    const elements = [...all].flatMap(([name, members]) =>
      members.map(({ cluster, clusterId, type, servers }) => ({
        ObRegion: name,
        ObRegionId: clusterId,
        Type: type,
        ObRealClusterName: cluster,
        RsList: ofType(servers, 'FULL'),
        ReadonlyRsList: ofType(servers, 'READONLY'),
      })),
    )
    this.files.write(FILES.rootServices, `${JSON.stringify(elements)}\n`)
  }

  /** @throws Error of the system */
  writeIdcs(all: CopiedIdcs): void {
    const elements = [...all].flatMap(([name, lists]) =>
      lists.map(({ clusterId, regions }) => ({
        ObRegion: name,
        ObRegionId: clusterId,
        IDCList: regions,
      })),
    )
    this.files.write(FILES.idcs, `${JSON.stringify(elements)}\n`)
  }

  /** OBProxy's own files carry no mark, and are taken. */
  private isOurs(text: string): boolean {
    const value = jsonOf(text)
    if (typeof value !== 'object' || value === null) return false
    return !('Mark' in value) || value.Mark === this.mark
  }

  private elements<T>(file: string, parse: (value: unknown) => Parsed<T>): readonly T[] {
    const value = jsonOf(this.files.read(file) ?? '[]')
    if (!Array.isArray(value)) return []
    return value.flatMap(element => {
      const parsed = parse(element)
      return parsed.kind === 'ok' ? [parsed.value] : []
    })
  }
}

/** The same for all tokens: they come and go while the server stays. */
function markOf(configUrl: string): string {
  return createHash('sha256').update(shownUrl(configUrl)).digest('hex').slice(0, 16)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The RPC port is not kept; readers take the SQL port. */
function ofType(servers: readonly RootServer[], wanted: RootServer['type']) {
  return servers
    .filter(({ type }) => type === wanted)
    .map(({ address: { host, port }, role }) => ({
      address: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      role,
      sql_port: port,
    }))
}
