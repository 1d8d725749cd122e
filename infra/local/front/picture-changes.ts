/** Changes of the picture as they come over the control channel, and what they do. */
import type { Engine } from './engine.ts'
import type { Picture } from './picture.ts'

/** A partition is a name or an index; `''` and absent are the whole of a table without any. */
export type PictureChange =
  | ({ readonly kind: 'server'; readonly server: string } & Parameters<Picture['setServer']>[1])
  | ({ readonly kind: 'zone'; readonly zone: string } & Parameters<Picture['setZone']>[1])
  | ({ readonly kind: 'tenant'; readonly tenant: string } & Parameters<Picture['setTenant']>[1])
  | {
      readonly kind: 'leader'
      readonly database: string
      readonly table: string
      readonly partition?: string | number
      readonly server: string
    }
  /** Everything that the server leads is led by others, and back. */
  | { readonly kind: 'retire' | 'recall'; readonly server: string }

type Check = (value: unknown) => boolean

const isText: Check = value => typeof value === 'string' && value.length <= 1_000
const isBoolean: Check = value => typeof value === 'boolean'
const oneOf =
  (...values: readonly string[]): Check =>
  value =>
    values.includes(String(value))
const optional =
  (check: Check): Check =>
  value =>
    value === undefined || check(value)
const isTexts: Check = value => Array.isArray(value) && value.every(isText)

const FIELDS: Readonly<Record<PictureChange['kind'], Readonly<Record<string, Check>>>> = {
  server: {
    server: isText,
    status: optional(oneOf('ACTIVE', 'INACTIVE', 'DELETING')),
    isStarted: optional(isBoolean),
    isStopped: optional(isBoolean),
    isListed: optional(isBoolean),
    refusesRemote: optional(isBoolean),
  },
  zone: {
    zone: isText,
    region: optional(isText),
    idc: optional(isText),
    type: optional(oneOf('ReadWrite', 'ReadOnly', 'Encryption')),
    status: optional(oneOf('ACTIVE', 'INACTIVE')),
    isMerging: optional(isBoolean),
  },
  tenant: {
    tenant: isText,
    locality: optional(isText),
    previousLocality: optional(isText),
    primaryZone: optional(isText),
    status: optional(isText),
    servers: optional(isTexts),
  },
  leader: {
    database: isText,
    table: isText,
    partition: optional(value => isText(value) || Number.isInteger(value)),
    server: isText,
  },
  retire: { server: isText },
  recall: { server: isText },
}

/** A change out of parsed JSON; otherwise what is wrong with it. */
export function parseChange(value: unknown): PictureChange | string {
  const fields = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
  const kind = KINDS.find(each => each === fields.get('kind'))
  if (kind === undefined) return `kind of a change must be one of ${KINDS.join(', ')}`
  const checks = FIELDS[kind]
  for (const [name, check] of Object.entries(checks))
    if (!check(fields.get(name))) return `${name} of a ${kind} is not as it must be`
  const unknown = [...fields.keys()].find(name => name !== 'kind' && checks[name] === undefined)
  if (unknown !== undefined) return `a ${kind} has no ${unknown}`
  return Object.fromEntries(fields) as PictureChange
}

const KINDS = ['server', 'zone', 'tenant', 'leader', 'retire', 'recall'] as const

/** @throws RangeError for what is not in the picture */
export async function applyChange(
  picture: Picture,
  engine: Engine,
  change: PictureChange,
): Promise<void> {
  switch (change.kind) {
    case 'server': {
      const { kind: _kind, server, ...state } = change
      picture.setServer(server, state)
      return
    }
    case 'zone': {
      const { kind: _kind, zone, ...state } = change
      picture.setZone(zone, state)
      return
    }
    case 'tenant': {
      const { kind: _kind, tenant, ...state } = change
      picture.setTenant(tenant, state)
      return
    }
    case 'leader':
      await moveLeader(picture, engine, change)
      return
    case 'retire':
      picture.retire(change.server)
      return
    case 'recall':
      picture.recall(change.server)
  }
}

async function moveLeader(
  picture: Picture,
  engine: Engine,
  { database, table, partition = 0, server }: Extract<PictureChange, { kind: 'leader' }>,
): Promise<void> {
  const entry = await engine.tableEntry(database, table)
  const tablet = entry?.tablets.find(({ name }, at) => name === partition || at === partition)
  if (tablet === undefined) throw new RangeError(`there is no ${database}.${table} ${partition}`)
  picture.moveLeader(tablet.tabletId, server)
}
