/**
 * Reads the documents of a config server (proxy-admin.md §3.6) and keeps copies under `etc/`, which
 * serve when it does not answer.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TIMEOUT_MS = 5_000

export type RootServer = {
  readonly host: string
  /** For SQL. */
  readonly port: number
  readonly role: string
}

export type KnownCluster = {
  readonly name: string
  readonly id: string
  /** Empty when it is known from `rootservice_list`. */
  readonly rsUrl: string
  readonly servers: readonly RootServer[]
  readonly idcs: readonly { readonly idc: string; readonly region: string }[]
}

export type ClusterList = {
  readonly version: string
  readonly binUrl: string
  readonly metaCluster: string
  /** The first is that of logins which name none. */
  readonly clusters: readonly { readonly name: string; readonly rsUrl: string }[]
}

type Fields = Readonly<Record<string, unknown>>

export class ConfigServer {
  private readonly url: string
  private readonly etc: string

  constructor(url: string, etc: string) {
    this.url = url
    this.etc = etc
  }

  cached(): ClusterList | undefined {
    const file = join(this.etc, 'obproxy_config_server_info.json')
    try {
      return existsSync(file) ? listOf(JSON.parse(readFileSync(file, 'utf8'))) : undefined
    } catch {
      return undefined
    }
  }

  /** Root servers as they were last seen, by cluster. */
  cachedServers(): KnownCluster[] {
    const file = join(this.etc, 'obproxy_rslist_info.json')
    try {
      return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
    } catch {
      return []
    }
  }

  /** @throws Error when it does not answer, or not with a list */
  async version(): Promise<string> {
    return textIn(await dataAt(`${this.url}&VersionOnly=true`), 'Version')
  }

  /** @throws Error */
  async list(): Promise<ClusterList> {
    const data = await dataAt(this.url)
    const list = listOf(data)
    this.keep('obproxy_config_server_info.json', data)
    return list
  }

  /** @throws Error */
  async cluster({ name, rsUrl }: ClusterList['clusters'][number]): Promise<KnownCluster> {
    const data = await dataAt(rsUrl)
    const servers = listIn(data, 'RsList').map(row => ({
      host: textIn(row, 'address').replace(/:\d+$/, ''),
      port: Number(row['sql_port']),
      role: textIn(row, 'role') || 'FOLLOWER',
    }))
    const id = String(data['ObClusterId'] ?? data['ObRegionId'] ?? 0)
    return { name, id, rsUrl, servers, idcs: await idcsAt(rsUrl) }
  }

  keepServers(clusters: readonly KnownCluster[]): void {
    this.keep('obproxy_rslist_info.json', clusters)
  }

  private keep(file: string, value: unknown): void {
    const path = join(this.etc, file)
    writeFileSync(`${path}.tmp`, `${JSON.stringify(value)}\n`, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  }
}

async function idcsAt(rsUrl: string): Promise<KnownCluster['idcs']> {
  try {
    const data = await dataAt(rsUrl.replace('ObRootServiceInfo', 'ObIDCRegionInfo'))
    return listIn(data, 'IDCList').map(row => ({
      idc: textIn(row, 'idc'),
      region: textIn(row, 'region'),
    }))
  } catch {
    return []
  }
}

function listOf(data: unknown): ClusterList {
  const fields = fieldsOf(data)
  const named = listIn(fields, 'ObRootServiceInfoUrlList').map(row => ({
    name: textIn(row, 'ObCluster') || textIn(row, 'ObRegion'),
    rsUrl: textIn(row, 'ObRootServiceInfoUrl'),
  }))
  const database = fieldsOf(fields['ObProxyDatabaseInfo'] ?? {})
  return {
    version: textIn(fields, 'Version'),
    binUrl: textIn(fields, 'ObProxyBinUrl'),
    metaCluster: textIn(database, 'MetaDataBase'),
    clusters: named,
  }
}

async function dataAt(url: string): Promise<Fields> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' })
  if (!answer.ok) throw new Error(`the config server answers ${answer.status}`)
  const envelope = fieldsOf(await answer.json())
  if (envelope['Success'] === false) throw new Error('the config server refuses')
  const data = envelope['Data']
  return fieldsOf(Array.isArray(data) ? data[0] : data)
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null)
    throw new Error('the config server says no document')
  return Object.fromEntries(Object.entries(value))
}

function listIn(fields: Fields, name: string): Fields[] {
  const value = fields[name]
  return Array.isArray(value) ? value.map(fieldsOf) : []
}

function textIn(fields: Fields, name: string): string {
  const value = fields[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
