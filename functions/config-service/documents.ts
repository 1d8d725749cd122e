/**
 * The documents that proxies poll, out of what the table has. Pure. What OBProxy's own parser demands
 * shapes them: no text is empty, a name stands at the end of a template. Source: management.md §1.8.
 */
import { createHash } from 'node:crypto'
import type {
  ObClusterSnapshot,
  RootServer,
  RootServicesRecord,
} from '../domain/ob-cluster-record.ts'
import { refused } from './envelope.ts'
import type { ProxyPicture } from './picture.ts'

/** Of OB clusters that were registered before their id was asked for: what a kernel has by default. */
const DEFAULT_ID = 1
/** The registry knows ports for SQL only; nobody connects to this one. */
const RPC_PORT = 2882
/** There is no metadata database, and its fields may not be empty. */
const NONE = '***'

export type Place = {
  /** `http://config.internal:8789`. */
  readonly baseUrl: string
  readonly proxyCluster: string
  /** The one that was shown: what it may see leads to more of what it may see. */
  readonly token: string
}

export function clusterList(picture: ProxyPicture, place: Place) {
  const list = {
    ...listHead(place),
    ObRootServiceInfoUrlList: picture.obClusters.map(({ record: { name } }) => ({
      ObCluster: name,
      ObRegion: name,
      ObRootServiceInfoUrl: rootServiceUrl(place, name),
    })),
  }
  return { ...list, Version: md5(list) }
}

export function clusterTemplate(picture: ProxyPicture, place: Place) {
  const list = {
    ...listHead(place),
    ObClusterList: picture.obClusters.map(({ record: { name } }) => name),
    ObRootServiceInfoUrlTemplate: `${rootServicesOf(place)}&ObRegion=$\{ObRegion}`,
    ObRootServiceInfoUrlTemplateV2: `${rootServicesOf(place)}&version=2&ObCluster=$\{ObCluster}`,
  }
  return { ...list, Version: md5(list) }
}

/** One, or all of them as an array. @throws Refusal 404 when there is none of that id */
export function rootServices(picture: ObClusterSnapshot, id: number, isAll: boolean) {
  const members = membersOf(picture).filter(({ obClusterId }) => id === 0 || obClusterId === id)
  if (isAll && id === 0 && members.length > 0) return members.map(each => rootServicesJson(each))
  return rootServicesJson(chosen(members))
}

export function idcRegions(picture: ObClusterSnapshot, id: number, isAll: boolean) {
  const members = membersOf(picture).filter(({ obClusterId }) => id === 0 || obClusterId === id)
  const IDCList = (picture.record.idcRegions ?? []).map(({ idc, region }) => ({ idc, region }))
  const one = (member: RootServicesRecord) => ({ ...namesOf(member), IDCList, ReadonlyRsList: '' })
  if (isAll && id === 0 && members.length > 0) return members.map(one)
  return one(chosen(members))
}

/** What both lists of clusters begin with. */
function listHead({ baseUrl, ...place }: Place) {
  return {
    ObProxyBinUrl: `${baseUrl}/client?Action=GetObProxy`,
    ObProxyDatabaseInfo: {
      DataBase: NONE,
      MetaDataBase: rootServiceUrl({ baseUrl, ...place }, 'MetaDataBase'),
      Password: NONE,
      User: NONE,
    },
  }
}

function rootServicesOf({ baseUrl, proxyCluster, token }: Place): string {
  const who = `ObproxyClusterName=${encodeURIComponent(proxyCluster)}&Token=${encodeURIComponent(token)}`
  return `${baseUrl}/services?Action=ObRootServiceInfo&${who}`
}

function rootServiceUrl(place: Place, name: string): string {
  return `${rootServicesOf(place)}&ObRegion=${encodeURIComponent(name)}`
}

function md5(value: object): string {
  return createHash('md5').update(JSON.stringify(value)).digest('hex')
}

/** What RootService said, or else what the registry has. */
function membersOf({ record, registered }: ObClusterSnapshot): readonly RootServicesRecord[] {
  const live = registered.filter(({ isWithdrawn }) => !isWithdrawn)
  return live.length > 0 ? live : [ofRegistry(record)]
}

function ofRegistry(record: ObClusterSnapshot['record']): RootServicesRecord {
  return {
    obCluster: record.name,
    obClusterId: record.obClusterId ?? DEFAULT_ID,
    type: 'PRIMARY',
    servers: record.rootservice.map((address, index) => {
      const at = address.lastIndexOf(':')
      return {
        address: `${address.slice(0, at)}:${RPC_PORT}`,
        sqlPort: Number(address.slice(at + 1)),
        role: index === 0 ? 'LEADER' : 'FOLLOWER',
      }
    }),
    readonlyServers: [],
    timestamp: record.updatedAt * 1_000,
    isWithdrawn: false,
    version: 0,
  }
}

/** The primary; of several, or of none, the one that spoke last. */
function chosen(members: readonly RootServicesRecord[]): RootServicesRecord {
  const primaries = members.filter(({ type }) => type === 'PRIMARY')
  const among = primaries.length > 0 ? primaries : members
  const [newest] = [...among].sort((left, right) => right.timestamp - left.timestamp)
  if (newest === undefined) throw refused(404, 'resource not found: no such OB cluster')
  return newest
}

function rootServicesJson(member: RootServicesRecord) {
  return {
    ...namesOf(member),
    Type: member.type,
    ReadonlyRsList: member.readonlyServers.map(serverJson),
    RsList: member.servers.map(serverJson),
    timestamp: member.timestamp,
  }
}

function namesOf({ obCluster, obClusterId }: RootServicesRecord) {
  return {
    ObCluster: obCluster,
    ObRegion: obCluster,
    ObClusterId: obClusterId,
    ObRegionId: obClusterId,
  }
}

function serverJson({ address, role, sqlPort }: RootServer) {
  return { address, role, sql_port: sqlPort }
}
