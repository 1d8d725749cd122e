/**
 * The three documents of a config server as values: cluster list, root service list, IDC list. A
 * document is taken as a whole or refused with a reason; unknown keys are passed over. Reasons never
 * repeat what a document holds: its URLs may carry tokens. Source: proxy-routing.md §3.2.
 */
import { canonicalIp, parseIp } from '../base/address.ts'
import type { ServerAddress } from './model.ts'

export type Parsed<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'bad'; readonly why: string }

export type ListedCluster = { readonly name: string; readonly url: string }

/** Document 1. */
export type ClusterList = {
  /** Opaque; empty when the server gives none. */
  readonly version: string
  /** The first is the default of logins that name none. */
  readonly clusters: readonly ListedCluster[]
  readonly binUrl: string
  /** Of the metadata cluster; its password is not even read. */
  readonly metadata: { readonly url: string; readonly database: string; readonly user: string }
}

export type RootServer = {
  /** Address for SQL. */
  readonly address: ServerAddress
  readonly role: 'LEADER' | 'FOLLOWER'
  readonly type: 'FULL' | 'READONLY'
}

/** Document 2, of one OB cluster of a primary and its standbys. */
export type RootServices = {
  readonly cluster: string
  readonly alias: string | undefined
  /** 0: the server did not say. */
  readonly clusterId: number
  readonly type: 'PRIMARY' | 'STANDBY'
  /** Never empty. */
  readonly servers: readonly RootServer[]
}

/** `isArray`: the answer for all ids, in which PRIMARY is told; else it is the one that was asked for. */
export type RootServiceAnswer = {
  readonly isArray: boolean
  readonly members: readonly RootServices[]
}

/** Names of IDCs in lower case. */
export type IdcRegion = { readonly idc: string; readonly region: string }

/** Document 3. */
export type IdcList = { readonly clusterId: number; readonly regions: readonly IdcRegion[] }

export const MAX_CLUSTERS = 4_096
const MAX_SERVERS = 1_024
const MAX_MEMBERS = 64
const MAX_REGIONS = 4_096
const MAX_NAME_CHARS = 128
const MAX_URL_CHARS = 2_048

type Fields = Readonly<Record<string, unknown>>

/** Why a document is refused; ends within this file. */
class BadDocument extends Error {}

/** Document 1, or its version alone. */
export function parseVersion(body: string): Parsed<string> {
  return attempt(() => versionOf(dataOf(body)))
}

export function parseClusterList(body: string): Parsed<ClusterList> {
  return attempt(() => {
    const fields = dataOf(body)
    const listed = asList(fields['ObRootServiceInfoUrlList'] ?? [], 'cluster list', MAX_CLUSTERS)
    const clusters = distinct(listed.map(listedCluster))
    const named = clustersByTemplate(fields)
    const names = new Set(clusters.map(({ name }) => name))
    const all = [...clusters, ...named.filter(({ name }) => !names.has(name))]
    if (all.length > MAX_CLUSTERS) throw new BadDocument(`more than ${MAX_CLUSTERS} clusters`)
    const metadata = asFields(fields['ObProxyDatabaseInfo'] ?? {}, 'ObProxyDatabaseInfo')
    return {
      version: versionOf(fields),
      clusters: all,
      binUrl: textOr(fields['ObProxyBinUrl'], MAX_URL_CHARS),
      metadata: {
        url: textOr(metadata['MetaDataBase'], MAX_URL_CHARS),
        database: textOr(metadata['DataBase'], MAX_NAME_CHARS),
        user: textOr(metadata['User'], MAX_NAME_CHARS),
      },
    }
  })
}

/** @param id 0 asks for the primary, whichever it is. */
export function parseRootServices(
  body: string,
  { name, id }: { readonly name: string; readonly id: number },
): Parsed<RootServiceAnswer> {
  return attempt(() => {
    const found = payloadOf(body)
    const isArray = Array.isArray(found)
    const all = isArray ? asList(found, 'list of clusters', MAX_MEMBERS) : [found]
    const members = all.flatMap(one => memberOf(one, { name, id: isArray ? 0 : id }))
    const ids = new Set(members.map(({ clusterId }) => clusterId))
    if (ids.size < members.length) throw new BadDocument('two clusters of one id')
    if (members.length === 0) throw new BadDocument('no server with a usable address')
    if (id !== 0 && !ids.has(id)) throw new BadDocument('another cluster id than asked for')
    return { isArray, members }
  })
}

/** @param names cluster and alias: one of them has to be the document's. */
export function parseIdcLists(body: string, names: readonly string[]): Parsed<readonly IdcList[]> {
  return attempt(() => {
    const found = payloadOf(body)
    const all = Array.isArray(found) ? asList(found, 'list of clusters', MAX_MEMBERS) : [found]
    return all.map(one => idcListOf(one, names))
  })
}

/** One element of the local copy of root service lists; `listed` is the name it was found under. */
export function copiedRootServices(
  value: unknown,
): Parsed<{ readonly listed: string; readonly members: readonly RootServices[] }> {
  return attempt(() => {
    const fields = asFields(value, 'copied root service list')
    const listed = nameOf(fields)
    const [member] = memberOf(value, { name: listed, id: 0 })
    if (member === undefined) return { listed, members: [] }
    const real = textOr(fields['ObRealClusterName'], MAX_NAME_CHARS) || listed
    const alias = real === listed ? member.alias : listed
    return { listed, members: [{ ...member, cluster: real, alias }] }
  })
}

/** One element of the local copy of IDC lists. */
export function copiedIdcList(
  value: unknown,
): Parsed<{ readonly listed: string; readonly list: IdcList }> {
  return attempt(() => {
    const listed = nameOf(asFields(value, 'copied IDC list'))
    return { listed, list: idcListOf(value, [listed]) }
  })
}

function attempt<T>(act: () => T): Parsed<T> {
  try {
    return { kind: 'ok', value: act() }
  } catch (error) {
    if (error instanceof BadDocument) return { kind: 'bad', why: error.message }
    throw error
  }
}

// --- envelope

/** `Data` of a valid envelope: successful, true, 2xx. */
function payloadOf(body: string): unknown {
  const envelope = asFields(jsonOf(body), 'answer')
  const code = envelope['Code']
  const isGood =
    envelope['Message'] === 'successful' &&
    envelope['Success'] === true &&
    typeof code === 'number' &&
    Math.trunc(code / 100) === 2
  if (!isGood) throw new BadDocument('the server says that it failed')
  return envelope['Data']
}

function dataOf(body: string): Fields {
  return asFields(payloadOf(body), 'Data')
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // Its message would repeat a piece of the text.
    throw new BadDocument('no JSON')
  }
}

function versionOf(fields: Fields): string {
  const version = fields['Version'] ?? fields['version'] ?? ''
  if (typeof version !== 'string' || version.length > MAX_NAME_CHARS || hasControl(version))
    throw new BadDocument('Version is no short text')
  return version
}

// --- document 1

function listedCluster(value: unknown): ListedCluster {
  const fields = asFields(value, 'cluster')
  return { name: nameOf(fields), url: urlOf(fields['ObRootServiceInfoUrl']) }
}

/** The compact form: names, and one URL with a place for the name. */
function clustersByTemplate(fields: Fields): readonly ListedCluster[] {
  const names = fields['ObRegion'] ?? fields['ObClusterList']
  if (names === undefined || names === null) return []
  const all = asList(names, 'cluster names', MAX_CLUSTERS).map(checkedName)
  if (all.length === 0) return []
  const template = templateOf(fields)
  return distinct(all.map(name => ({ name, url: urlOf(filledIn(template, name)) })))
}

/** The first form is what proxies have always read; the second may have a place for an id, too. */
function templateOf(fields: Fields): string {
  const template =
    fields['ObRootServiceInfoUrlTemplate'] ?? fields['ObRootServiceInfoUrlTemplateV2']
  const text = urlOf(template)
  if (!/\$\{ob(?:region|cluster)\}/i.test(text))
    throw new BadDocument('a template without a place for the name')
  return text.replace(/[&]?[A-Za-z]*=\$\{obclusterid\}/gi, '')
}

function filledIn(template: string, name: string): string {
  const place = encodeURIComponent(name)
  return template.replace(/\$\{ob(?:region|cluster)\}/gi, () => place)
}

function distinct(clusters: readonly ListedCluster[]): readonly ListedCluster[] {
  if (new Set(clusters.map(({ name }) => name)).size < clusters.length)
    throw new BadDocument('a cluster is listed twice')
  return clusters
}

// --- document 2

/** None when no address of it can be used. */
function memberOf(
  value: unknown,
  { name, id }: { readonly name: string; readonly id: number },
): readonly RootServices[] {
  const fields = asFields(value, 'root service list')
  const cluster = nameOf(fields)
  const alias = textOr(fields['ObClusterAlias'], MAX_NAME_CHARS) || undefined
  if (cluster !== name && alias !== name) throw new BadDocument('another cluster than asked for')
  const servers = [
    ...serversOf(fields['RsList'], 'FULL'),
    ...serversOf(emptyToNone(fields['ReadonlyRsList']) ?? [], 'READONLY'),
  ]
  const clusterId = idOf(fields) ?? id
  const type = typeOf(fields['Type'])
  return servers.length === 0 ? [] : [{ cluster, alias, clusterId, type, servers }]
}

function serversOf(value: unknown, type: RootServer['type']): readonly RootServer[] {
  return asList(value, 'server list', MAX_SERVERS).flatMap(one => {
    const fields = asFields(one, 'server')
    const role = roleOf(fields['role'])
    const address = addressOf(fields['address'], fields['sql_port'])
    return address === undefined ? [] : [{ address, role, type }]
  })
}

/** Some servers say "none" by an empty text or null. */
function emptyToNone(value: unknown): unknown {
  return value === '' || value === null ? undefined : value
}

function roleOf(value: unknown): RootServer['role'] {
  const role = typeof value === 'string' ? value.toUpperCase() : ''
  if (role !== 'LEADER' && role !== 'FOLLOWER') throw new BadDocument('a role that is none')
  return role
}

function typeOf(value: unknown): RootServices['type'] {
  if (value === undefined || value === null || value === '') return 'PRIMARY'
  const type = typeof value === 'string' ? value.toUpperCase() : ''
  if (type !== 'PRIMARY' && type !== 'STANDBY') throw new BadDocument('a cluster type that is none')
  return type
}

/** `ip:rpcPort` tells the machine, `sql_port` the port. Undefined: not usable, and passed over. */
function addressOf(value: unknown, sqlPort: unknown): ServerAddress | undefined {
  if (typeof value !== 'string' || value.length > MAX_NAME_CHARS) return undefined
  const isPort = typeof sqlPort === 'number' && Number.isInteger(sqlPort)
  if (!isPort || sqlPort < 1 || sqlPort > 65_535) return undefined
  const found = /^(?:\[([^\]\s]+)\]|([^:[\]\s]+))(?::\d{1,5})?$/.exec(value.trim())
  const host = found?.[1] ?? found?.[2]
  if (host === undefined || /^(?:0\.0\.0\.0|::)$/.test(host)) return undefined
  if (parseIp(host) !== undefined) return { host: canonicalIp(host), port: sqlPort }
  const isName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host) && /[A-Za-z]/.test(host)
  return isName ? { host, port: sqlPort } : undefined
}

// --- document 3

function idcListOf(value: unknown, names: readonly string[]): IdcList {
  const fields = asFields(value, 'IDC list')
  if (!names.includes(nameOf(fields))) throw new BadDocument('another cluster than asked for')
  const regions = asList(fields['IDCList'], 'IDC list', MAX_REGIONS).flatMap(one => {
    const { idc, region } = asFields(one, 'IDC')
    if (typeof idc !== 'string' || typeof region !== 'string')
      throw new BadDocument('an IDC without a name or region')
    if (idc === '') return []
    return [{ idc: checkedName(idc).toLowerCase(), region: textOr(region, MAX_NAME_CHARS) }]
  })
  return { clusterId: idOf(fields) ?? 0, regions }
}

// --- pieces

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadDocument(`${what} is no object`)
  return { ...value }
}

function asList(value: unknown, what: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new BadDocument(`${what} is no array`)
  if (value.length > most) throw new BadDocument(`${what} has more than ${most} entries`)
  return value
}

/** Both spellings of a cluster's name. */
function nameOf(fields: Fields): string {
  return checkedName(fields['ObCluster'] ?? fields['ObRegion'])
}

function idOf(fields: Fields): number | undefined {
  const id = fields['ObClusterId'] ?? fields['ObRegionId']
  if (id === undefined || id === null) return undefined
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
    throw new BadDocument('a cluster id that is none')
  return id
}

function checkedName(value: unknown): string {
  const isName =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= MAX_NAME_CHARS &&
    !hasControl(value)
  if (!isName) throw new BadDocument('a name that is none')
  return value
}

function urlOf(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_URL_CHARS)
    throw new BadDocument('a URL that is none')
  return value
}

/** Text that need not be there. */
function textOr(value: unknown, most: number): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string' || value.length > most || hasControl(value))
    throw new BadDocument('a text that is none')
  return value
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
