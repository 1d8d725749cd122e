/**
 * Parameters that are set for the time of an operation only. What they were is on disk before they
 * are changed, so that those of a verb that was killed are put back by whoever comes next.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readIfThere, writeDurably } from './durable-file.ts'
import type { Paths } from './paths.ts'
import type { ProxyAdmin } from './proxy-admin.ts'

const lentSchema = z.object({
  schema: z.int().min(0).max(1),
  values: z.record(z.string(), z.string()),
})

/** Sets `values`; what was lent before stays what is given back. @throws node.not-written, node.parameter-refused */
export async function lend(
  admin: ProxyAdmin,
  values: ReadonlyMap<string, string>,
  paths: Paths,
): Promise<void> {
  const before = await admin.parameters()
  // A name that this version does not know cannot be put back.
  const names = [...values.keys()].filter(name => before.has(name))
  const own = Object.fromEntries(names.map(name => [name, before.get(name) ?? '']))
  const kept = { schema: 1, values: { ...own, ...lentValues(paths) } }
  writeDurably(fileOf(paths), `${JSON.stringify(kept)}\n`)
  for (const name of names) await admin.alter(name, values.get(name) ?? '')
}

/** Puts back what is lent; nothing when nothing is. @throws node.parameter-refused, QueryError */
export async function giveBack(admin: ProxyAdmin, paths: Paths): Promise<void> {
  if (!isLent(paths)) return
  const now = await admin.parameters()
  for (const [name, value] of Object.entries(lentValues(paths)))
    if (now.get(name) !== value) await admin.alter(name, value)
  rmSync(fileOf(paths), { force: true })
}

export function isLent(paths: Paths): boolean {
  return existsSync(fileOf(paths))
}

/** The proxy that they belong to is gone. */
export function forgetLent(paths: Paths): void {
  rmSync(fileOf(paths), { force: true })
}

/** A damaged file is as good as none: these are times, and every hot restart sets its own. */
function lentValues(paths: Paths): Readonly<Record<string, string>> {
  try {
    return lentSchema.parse(JSON.parse(readIfThere(fileOf(paths)) ?? '')).values
  } catch {
    return {}
  }
}

function fileOf(paths: Paths): string {
  return join(paths.state, 'lent-parameters.json')
}
