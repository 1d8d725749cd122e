/**
 * Why the node did not come back at this boot, kept for its reports until a boot succeeds: a proxy
 * that does not run can't say it itself. What an earlier boot left is not believed.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readIfThere, writeDurably } from './durable-file.ts'
import type { Settings } from './settings.ts'

type Place = Pick<Settings, 'paths' | 'bootId'>

const failureSchema = z.object({ schema: z.int(), bootId: z.string(), reason: z.string() })

/** @throws node.not-written */
export function keepBootFailure(place: Place, reason: string): void {
  const kept = { schema: 1, bootId: place.bootId, reason }
  writeDurably(fileOf(place), `${JSON.stringify(kept)}\n`)
}

export function forgetBootFailure(place: Place): void {
  rmSync(fileOf(place), { force: true })
}

/** Undefined when this boot has not failed, or not yet. */
export function bootFailure(place: Place): string | undefined {
  try {
    const kept = failureSchema.parse(JSON.parse(readIfThere(fileOf(place)) ?? ''))
    return kept.bootId === place.bootId ? kept.reason : undefined
  } catch {
    return undefined
  }
}

function fileOf({ paths }: Place): string {
  return join(paths.state, 'boot-failure.json')
}
