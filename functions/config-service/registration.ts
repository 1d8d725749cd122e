/**
 * RootService registers its list, and withdraws it: only a newer list takes the place of an older one,
 * by the clock of RootService and in one conditional write. Source: management.md §1.8.
 */
import { z } from 'zod'
import type { RootServer, RootServicesRecord } from '../domain/ob-cluster-record.ts'
import { decide, put, type Store } from '../domain/store.ts'
import type { Asked } from './asked.ts'
import { refused } from './envelope.ts'

/** Of one name: a primary and its standbys. */
const MAX_IDS = 16
const MAX_SERVERS = 64
const ADDRESS =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):\d{1,5}$/

export type Registry = Pick<Store, 'get' | 'rootServices' | 'commit'>

const serverSchema = z
  .object({
    address: z.string().regex(ADDRESS),
    role: z
      .string()
      .toUpperCase()
      .pipe(z.enum(['LEADER', 'FOLLOWER'])),
    sql_port: z.int().min(1).max(65_535),
  })
  .transform(({ address, role, sql_port }): RootServer => ({ address, role, sqlPort: sql_port }))

const servers = z.array(serverSchema).max(MAX_SERVERS)

/** Both spellings; unknown keys are passed over, as everywhere in this protocol. */
const bodySchema = z.object({
  ObCluster: z.string().optional(),
  ObRegion: z.string().optional(),
  ObClusterId: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  ObRegionId: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  Type: z
    .string()
    .toUpperCase()
    .pipe(z.enum(['PRIMARY', 'STANDBY']))
    .optional(),
  RsList: servers.min(1),
  ReadonlyRsList: servers.nullish(),
  timestamp: z.int().min(1),
})

export type Registered = Omit<RootServicesRecord, 'version' | 'isWithdrawn'>

/** @throws Refusal 400 naming the field, never its value */
export function registeredOf(asked: Asked, text: string): Registered {
  const parsed = bodySchema.safeParse(jsonOf(text))
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'the body'
    throw refused(400, `illegal argument: ${field}`)
  }
  const body = parsed.data
  const obCluster = body.ObCluster || body.ObRegion || asked.obCluster || ''
  const obClusterId = body.ObClusterId || body.ObRegionId || asked.obClusterId
  if (asked.obCluster !== undefined && obCluster !== asked.obCluster)
    throw refused(400, 'illegal argument: another name in the body than in the URL')
  if (asked.obClusterId !== 0 && obClusterId !== asked.obClusterId)
    throw refused(400, 'illegal argument: another id in the body than in the URL')
  if (obClusterId === 0) throw refused(400, 'illegal argument: ObClusterId')
  if (asked.version > 1 && body.Type === undefined) throw refused(400, 'illegal argument: Type')
  return {
    obCluster,
    obClusterId,
    type: body.Type ?? 'PRIMARY',
    servers: body.RsList,
    readonlyServers: body.ReadonlyRsList ?? [],
    timestamp: body.timestamp,
  }
}

/** The same list again changes nothing. @throws Refusal 409 for one that is not newer, or one id too many */
export function register(store: Registry, wanted: Registered): Promise<void> {
  const { obCluster, obClusterId, timestamp } = wanted
  return decide(async () => {
    const earlier = await store.get('rootServices', { obCluster, obClusterId })
    if (earlier !== null && isSame(earlier, wanted)) return
    if (earlier !== null && earlier.timestamp >= timestamp)
      throw refused(409, 'conflict: a newer list is registered')
    if (earlier === null && (await store.rootServices(obCluster)).length >= MAX_IDS)
      throw refused(409, `conflict: more than ${MAX_IDS} ids of one name`)
    const version = earlier?.version ?? 0
    await store.commit([put('rootServices', { ...wanted, isWithdrawn: false, version })])
  })
}

/** One that is not there is withdrawn already. @throws Refusal 400 without version 2 and an id */
export async function withdraw(store: Registry, asked: Asked): Promise<void> {
  const { obCluster = '', obClusterId, version } = asked
  if (version < 2 || obClusterId === 0)
    throw refused(400, 'illegal argument: DELETE wants version=2 and ObClusterId')
  await decide(async () => {
    const earlier = await store.get('rootServices', { obCluster, obClusterId })
    if (earlier === null || earlier.isWithdrawn) return
    // It stays with its time: what was sent before it was withdrawn does not come back.
    const { servers: _servers, readonlyServers: _readonly, ...rest } = earlier
    await store.commit([
      put('rootServices', { ...rest, servers: [], readonlyServers: [], isWithdrawn: true }),
    ])
  })
}

function isSame(earlier: RootServicesRecord, wanted: Registered): boolean {
  const { version: _version, isWithdrawn, ...rest } = earlier
  return !isWithdrawn && canonical(rest) === canonical(wanted)
}

/** The table keeps no order of fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
      : each,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refused(400, 'illegal argument: the body is no JSON')
  }
}
