/**
 * The configuration on disk, under `<workdir>/etc`: `kill -9` or a full disk at any moment leaves
 * the old values or the new ones, never a part. Source: proxy-admin.md §1.2.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { replaceFile } from '../base/durable-file.ts'
import { LEVELS, type PlaceValues } from './levels.ts'

const STORE_SCHEMA = 1
const FILE_NAME = 'proxyconfig_v1.db'
/** Deployers tell a first start by this file's absence. */
const MARKER_NAME = 'obproxy_config.bin'

const storedSchema = z.object({
  schema: z.literal(STORE_SCHEMA),
  /** Grows by one with each change; what managers compare over a proxy cluster. */
  version: z.int().min(0).default(0),
  values: z.record(z.string(), z.string()),
  /** What is set below the global level. Files of before have none, and a version of before leaves it out. */
  places: z
    .array(
      z.object({
        level: z.enum(LEVELS),
        cluster: z.string().default(''),
        tenant: z.string().default(''),
        vip: z.string().default(''),
        vport: z.int().default(0),
        values: z.record(z.string(), z.string()),
      }),
    )
    .default([]),
})

export type Stored = {
  readonly version: number
  readonly values: ReadonlyMap<string, string>
  readonly places: readonly PlaceValues[]
}

/** What is kept, nothing at a first start. @throws config.damaged, config.not-written */
export function readStored(workdir: string): Stored {
  const folder = join(workdir, 'etc')
  attempt(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
  const file = join(folder, FILE_NAME)
  if (!existsSync(file)) return { version: 0, values: new Map(), places: [] }
  try {
    const { version, values, places } = storedSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return {
      version,
      values: new Map(Object.entries(values)),
      places: places.map(place => ({ ...place, values: new Map(Object.entries(place.values)) })),
    }
  } catch (cause) {
    throw new Fault('config.damaged', { file }, { cause })
  }
}

/** @throws config.not-written, and then what was kept before is still there. */
export function writeStored(workdir: string, { version, values, places }: Stored): void {
  const folder = join(workdir, 'etc')
  const below = places.map(place => ({ ...place, values: Object.fromEntries(place.values) }))
  const kept = { schema: STORE_SCHEMA, version, values: sorted(values), places: below }
  const text = `${JSON.stringify(kept)}\n`
  attempt(folder, () => {
    replaceFile(join(folder, FILE_NAME), text)
    const marker = join(folder, MARKER_NAME)
    if (!existsSync(marker)) replaceFile(marker, 'obfleet\n')
  })
}

function sorted(values: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...values].sort())
}

function attempt(folder: string, act: () => void): void {
  try {
    act()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('config.not-written', { folder, reason }, { cause })
  }
}
