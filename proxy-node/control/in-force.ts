/**
 * Which parameters wait for a restart. Our proxy says so itself; of one that shows only what is set,
 * the node remembers what was set when it saw this process for the first time, which is soon after
 * each start: by the verb that starts it, or by the next report. Fingerprints only: a URL may carry a
 * token.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { isSecret } from '#contract/secret-names'
import { readIfThere, writeDurably } from './durable-file.ts'
import { canonicalValue } from './parameters.ts'
import type { Paths } from './paths.ts'
import { startedAt } from './processes.ts'
import type { ProxyAdmin } from './proxy-admin.ts'

const FINGERPRINT_CHARS = 16

const inForceSchema = z.object({
  schema: z.int().min(0).max(1),
  /** Of the process: a pid alone is used again. */
  pid: z.int(),
  startedAt: z.int().nullable(),
  values: z.record(z.string(), z.string()),
})

/** Names in order; `pid` is the process that `admin` talks to. @throws node.not-written, QueryError */
export async function pendingRestart(
  pid: number,
  admin: ProxyAdmin,
  paths: Paths,
): Promise<readonly string[]> {
  const told = await admin.waitingForRestart()
  if (told !== undefined) return [...told].sort()
  return pendingByMemory(pid, await admin.restartParameters(), paths)
}

/** By what was remembered of process `pid`; the first look at it remembers. */
export function pendingByMemory(
  pid: number,
  set: ReadonlyMap<string, string>,
  paths: Paths,
): readonly string[] {
  const now = Object.fromEntries(
    [...set].filter(([name]) => !isSecret(name)).map(([name, text]) => [name, print(name, text)]),
  )
  const since = startedAt(pid)
  const known = readKnown(paths)
  if (known?.pid !== pid || known.startedAt !== since) {
    const seen = { schema: 1, pid, startedAt: since, values: now }
    writeDurably(fileOf(paths), `${JSON.stringify(seen)}\n`)
    return []
  }
  return Object.keys(now)
    .filter(name => known.values[name] !== now[name])
    .sort()
}

function print(name: string, value: string): string {
  const hash = createHash('sha256').update(canonicalValue(name, value)).digest('hex')
  return hash.slice(0, FINGERPRINT_CHARS)
}

function readKnown(paths: Paths): z.infer<typeof inForceSchema> | undefined {
  try {
    return inForceSchema.parse(JSON.parse(readIfThere(fileOf(paths)) ?? ''))
  } catch {
    return undefined
  }
}

function fileOf(paths: Paths): string {
  return join(paths.state, 'in-force.json')
}
