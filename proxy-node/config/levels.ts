/**
 * Values below the global level: what holds for one OB cluster, one tenant of it, or one address that
 * clients have connected to, in this order of growing precedence. Pure; the store carries it out.
 * Source: proxy-admin.md §3.5.
 */
import { Fault } from '#contract/fault'
import { PARAMETERS, PROXYRO_SLOTS } from '#contract/parameters'
import { canonicalIp, parseIp } from '../base/address.ts'
import { knownParameter } from './apply.ts'
import { parseSslAttributes } from './ssl-settings.ts'

/** The most specific first, as they are looked up. */
export const LEVELS = ['LEVEL_VIP', 'LEVEL_TENANT', 'LEVEL_CLUSTER'] as const
export type LevelName = (typeof LEVELS)[number]
export const GLOBAL_LEVEL = 'LEVEL_GLOBAL'

/** What a row is about; what its level does not name is empty, or 0. */
export type Place = {
  readonly cluster: string
  readonly tenant: string
  /** An IP address in its canonical spelling. */
  readonly vip: string
  readonly vport: number
}

/** All rows of one place. */
export type PlaceValues = Place & {
  readonly level: LevelName
  /** Parameter → value as it is kept: normalised, passwords hashed. */
  readonly values: ReadonlyMap<string, string>
}

/** By the key of their place. */
export type Levels = ReadonlyMap<string, PlaceValues>

/** One row of `proxy_config` as a statement writes it: passwords in clear. */
export type LevelRow = Place & {
  readonly vid: string
  readonly level: string
  readonly name: string
  readonly value: string
}

/** Whose settings are looked up. */
export type Whose = {
  /** As servers know it. */
  readonly cluster: string
  readonly tenant: string
  /** Where a client has connected to, when somebody who is believed said so. */
  readonly vip: { readonly address: string; readonly port: number } | undefined
}

/** Of a node; whoever has more of them wants another node. */
export const MAX_LEVEL_ROWS = 10_000
const MAX_NAME_CHARS = 128
const MAX_PORT = 65_535
/** PROXY headers tell no number of a network: there is but one. */
const ONLY_VID = '-1'

const EVERYWHERE: readonly LevelName[] = LEVELS
const NOWHERE: readonly LevelName[] = []

/** What may be set elsewhere than at all levels, or not at all, and why. */
const EXCEPTIONS: ReadonlyMap<string, readonly LevelName[]> = new Map<string, readonly LevelName[]>(
  [
    // The proxy's own logins are one for a whole OB cluster.
    ...PROXYRO_SLOTS.map(name => [name, ['LEVEL_CLUSTER']] as const),
    // They say which cluster and tenant it is, so those cannot be known before.
    ['proxy_tenant_name', ['LEVEL_VIP']],
    ['rootservice_cluster_name', ['LEVEL_VIP']],
    // Counted by tenant.
    ['slow_query_time_threshold', ['LEVEL_TENANT', 'LEVEL_CLUSTER']],
    // Part of the greeting, before anything is known of the client.
    ['enable_client_ssl', NOWHERE],
    ['mysql_version', NOWHERE],
  ],
)

/** At which levels a parameter may have rows. */
export function levelsOf(name: string): readonly LevelName[] {
  const parameter = PARAMETERS.get(name)
  if (parameter?.level !== 'LEVEL_VIP' || !parameter.takesEffect) return NOWHERE
  return EXCEPTIONS.get(name) ?? EVERYWHERE
}

/** Of a place; equal for equal places alone. */
export function placeKey({ cluster, tenant, vip, vport }: Place): string {
  return `${vip}\0${vport}\0${tenant}\0${cluster}`
}

/** The places that somebody's settings come from, the one that decides first. */
export function placesOf(levels: Levels, { cluster, tenant, vip }: Whose): readonly PlaceValues[] {
  if (levels.size === 0) return []
  const ofCluster = { cluster, tenant: '', vip: '', vport: 0 }
  const keys = [placeKey({ ...ofCluster, tenant }), placeKey(ofCluster)]
  if (vip !== undefined) keys.unshift(placeKey({ ...NO_PLACE, vip: vip.address, vport: vip.port }))
  return keys.flatMap(key => levels.get(key) ?? [])
}

const NO_PLACE: Place = { cluster: '', tenant: '', vip: '', vport: 0 }

/** The value that decides, and where it is set; undefined: the global one does. */
export function decidedBelow(
  places: readonly PlaceValues[],
  name: string,
): { readonly value: string; readonly level: LevelName } | undefined {
  for (const { values, level } of places) {
    const value = values.get(name)
    if (value !== undefined) return { value, level }
  }
  return undefined
}

/** Checks and normalises a value. @throws config.invalid-value */
export type Accept = (name: string, value: string) => string

/** Rows of the global level, which are changed as ALTER does it, and the levels with the others in place. @throws Fault */
export function placed(
  levels: Levels,
  rows: readonly LevelRow[],
  accept: Accept,
): { readonly global: readonly (readonly [string, string])[]; readonly levels: Levels } {
  const global: (readonly [string, string])[] = []
  const next = new Map(levels)
  for (const row of rows) {
    const place = placeOf(row)
    if (place === undefined) global.push([row.name, row.value])
    else put(next, place, row.name, acceptBelow(row, accept))
  }
  if (rowCount(next) > MAX_LEVEL_ROWS)
    throw new Fault('config.level', {
      name: 'proxy_config',
      detail: `has ${MAX_LEVEL_ROWS} rows below ${GLOBAL_LEVEL} at most`,
    })
  return { global, levels: next }
}

function put(
  levels: Map<string, PlaceValues>,
  place: Place & { readonly level: LevelName },
  name: string,
  value: string,
): void {
  const key = placeKey(place)
  const values = new Map([...(levels.get(key)?.values ?? []), [name, value] as const])
  const { cluster, tenant, vip, vport, level } = place
  levels.set(key, { cluster, tenant, vip, vport, level, values })
}

function rowCount(levels: Levels): number {
  let count = 0
  for (const { values } of levels.values()) count += values.size
  return count
}

/** Levels without the rows that `isGone` names, and how many they are. */
export function without(
  levels: Levels,
  isGone: (place: PlaceValues, name: string) => boolean,
): { readonly levels: Levels; readonly count: number } {
  let count = 0
  const next = new Map<string, PlaceValues>()
  for (const [key, place] of levels) {
    const kept = [...place.values].filter(([name]) => !isGone(place, name))
    count += place.values.size - kept.length
    if (kept.length > 0) next.set(key, { ...place, values: new Map(kept) })
  }
  return { levels: next, count }
}

/** Kept rows that may still be used: a file that somebody edited must not refuse the start. */
export function usable(places: readonly PlaceValues[], accept: Accept): Levels {
  const next = new Map<string, PlaceValues>()
  for (const place of places) {
    for (const [name, value] of place.values) {
      const row = { ...place, vid: ONLY_VID, name, value }
      try {
        const found = placeOf(row)
        if (found !== undefined) put(next, found, name, acceptBelow(row, accept))
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    }
  }
  return next
}

function acceptBelow({ name, value }: LevelRow, accept: Accept): string {
  const text = accept(name, value)
  // Which versions are spoken is agreed on before the client says who it is.
  if (name === 'ssl_attributes' && parseSslAttributes(text)?.minVersion !== 'TLSv1.2')
    throw refused(name, 'has using_ssl alone below the global level')
  return text
}

type Located = Place & { readonly level: LevelName }

/** Undefined for a row of the global level. @throws config.unknown-parameter, config.level */
function placeOf(row: LevelRow): Located | undefined {
  const { name, cluster, tenant, vip, vport, vid } = row
  knownParameter(name)
  if (vid !== ONLY_VID) throw refused(name, `has vid ${ONLY_VID} alone: no client brings another`)
  const level = LEVELS.find(one => one === row.level)
  if (level === undefined) {
    if (row.level !== GLOBAL_LEVEL)
      throw refused(name, `is set at ${GLOBAL_LEVEL}, ${[...LEVELS].reverse().join(', ')}`)
    if (cluster !== '' || tenant !== '' || vip !== '' || vport !== 0)
      throw refused(name, `is of no cluster, tenant or address at ${GLOBAL_LEVEL}`)
    return undefined
  }
  if (!levelsOf(name).includes(level)) throw refused(name, whereElse(name))
  if (!hasKeys(row, level)) throw refused(name, `wants ${WANTED[level]} alone at ${level}`)
  return { cluster, tenant, vip: vip === '' ? '' : canonicalIp(vip), vport, level }
}

function whereElse(name: string): string {
  const allowed = levelsOf(name)
  if (allowed.length === 0) return `is the whole node's: ${GLOBAL_LEVEL} only`
  return `is set at ${[GLOBAL_LEVEL, ...allowed].join(' or ')}`
}

const WANTED: Readonly<Record<LevelName, string>> = {
  LEVEL_CLUSTER: 'cluster_name',
  LEVEL_TENANT: 'cluster_name and tenant_name',
  LEVEL_VIP: 'vip, an IP address, and vport',
}

function hasKeys({ cluster, tenant, vip, vport }: Place, level: LevelName): boolean {
  const isShort = cluster.length <= MAX_NAME_CHARS && tenant.length <= MAX_NAME_CHARS
  const isAddress = parseIp(vip) !== undefined && vport > 0 && vport <= MAX_PORT
  if (level === 'LEVEL_VIP') return isAddress && cluster === '' && tenant === ''
  if (vip !== '' || vport !== 0 || cluster === '' || !isShort) return false
  return level === 'LEVEL_TENANT' ? tenant !== '' : tenant === ''
}

function refused(name: string, detail: string): Fault {
  return new Fault('config.level', { name, detail })
}
