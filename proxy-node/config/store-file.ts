/**
 * The configuration on disk, under `<workdir>/etc`: `kill -9` or a full disk at any moment leaves
 * the old values or the new ones, never a part. Source: proxy-admin.md §1.2.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Fault } from '#contract/fault'
import { replaceFile } from '../base/durable-file.ts'
import type { ClusterLevels } from './levels.ts'

const STORE_SCHEMA = 1
const FILE_NAME = 'proxyconfig_v1.db'
/** Deployers tell a first start by this file's absence. */
const MARKER_NAME = 'obproxy_config.bin'

const storedSchema = z.object({
  schema: z.literal(STORE_SCHEMA),
  /** Grows by one with each change; what managers compare over a proxy cluster. */
  version: z.int().min(0).default(0),
  values: z.record(z.string(), z.string()),
  /** What holds for one OB cluster alone; files of before have none. */
  clusters: z.record(z.string(), z.record(z.string(), z.string())).default({}),
})

export type Stored = {
  readonly version: number
  readonly values: ReadonlyMap<string, string>
  readonly clusters: ClusterLevels
}

/** What is kept, nothing at a first start. @throws config.damaged, config.not-written */
export function readStored(workdir: string): Stored {
  const folder = join(workdir, 'etc')
  attempt(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
  const file = join(folder, FILE_NAME)
  if (!existsSync(file)) return { version: 0, values: new Map(), clusters: new Map() }
  try {
    const stored = storedSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    const { version, values, clusters } = stored
    return {
      version,
      values: new Map(Object.entries(values)),
      clusters: new Map(
        Object.entries(clusters).map(([name, each]) => [name, new Map(Object.entries(each))]),
      ),
    }
  } catch (cause) {
    throw new Fault('config.damaged', { file }, { cause })
  }
}

/** @throws config.not-written, and then what was kept before is still there. */
export function writeStored(workdir: string, { version, values, clusters }: Stored): void {
  const folder = join(workdir, 'etc')
  const below = Object.fromEntries([...clusters].map(([name, each]) => [name, sorted(each)]))
  const kept = { schema: STORE_SCHEMA, version, values: sorted(values), clusters: below }
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
