/** How a fleet is gone through, as requests give it. Durations are texts: `90s`, `5m`, `1h`. */
import { z } from '@hono/zod-openapi'
import { VERSION_FORM } from '../domain/names.ts'
import type { ReplaceInput } from '../domain/plane.ts'
import { ON_FAILURE, type Rollout } from '../domain/rollout.ts'

const MAX_BAKE_MS = 24 * 3_600_000
const MAX_DRAIN_MS = 24 * 3_600_000
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

function millisecondsOf(text: string): number {
  return Number.parseInt(text, 10) * (UNIT_MS[text.slice(-1)] ?? 0)
}

function duration(mostMs: number) {
  return z
    .string()
    .regex(/^\d{1,5}[smh]$/, 'a duration as 90s, 5m or 1h')
    .refine(text => millisecondsOf(text) <= mostMs, `at most ${mostMs / 3_600_000}h`)
}

export const rolloutSchema = z
  .strictObject({
    canary: z.int().min(0).max(100).optional(),
    canaryBake: duration(MAX_BAKE_MS).optional(),
    bake: duration(MAX_BAKE_MS).optional(),
    batch: z
      .string()
      .regex(/^(?:[1-9]\d?|100)%$/, 'a share as 25%')
      .optional(),
    maxUnavailable: z.int().min(1).max(10_000).optional(),
    minHealthy: z
      .string()
      .regex(/^(?:\d{1,2}|100)%$/, 'a share as 50%')
      .optional(),
    onFailure: z.enum(ON_FAILURE).optional(),
    drain: duration(MAX_DRAIN_MS).optional(),
  })
  .openapi('Rollout', {
    description:
      'Waves by zone: `canary` nodes first, watched for `canaryBake`, then `batch` of the others at a time, each watched for `bake`; `maxUnavailable` are worked on at once, fewer when less than `minHealthy` of the cluster’s nodes would stay healthy; when none may begin any more, it has failed. `drain` is how long clients may stay with a process that is replaced. What is left out is the default: 1, 5m, 1m, 25%, 1, 50%, rollback; without `minHealthy` when all go at once.',
  })

export const modeSchema = z.enum(['hot', 'force', 'auto']).default('auto')

export const replaceSchema = z.strictObject({
  mode: modeSchema,
  strategy: z.enum(['rolling', 'all-at-once']).optional(),
  rollout: rolloutSchema.optional(),
  /** The cluster's name, when all of its nodes are to go at once. */
  confirm: z.string().max(128).optional(),
})

export const versionSchema = z.string().regex(VERSION_FORM, 'like 4.3.2.0-1')

export function rolloutOf(given: z.infer<typeof rolloutSchema>): Partial<Rollout> {
  const { canary, canaryBake, bake, batch, maxUnavailable, minHealthy, onFailure, drain } = given
  return {
    ...(canary === undefined ? {} : { canary }),
    ...(canaryBake === undefined ? {} : { canaryBakeMs: millisecondsOf(canaryBake) }),
    ...(bake === undefined ? {} : { bakeMs: millisecondsOf(bake) }),
    ...(batch === undefined ? {} : { batchPercent: Number.parseInt(batch, 10) }),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(minHealthy === undefined ? {} : { minHealthyPercent: Number.parseInt(minHealthy, 10) }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(drain === undefined ? {} : { drainSec: millisecondsOf(drain) / 1_000 }),
  }
}

export function replaceInput({
  mode,
  strategy,
  rollout,
  confirm,
}: z.infer<typeof replaceSchema>): ReplaceInput {
  return {
    mode,
    ...(strategy === undefined ? {} : { strategy }),
    ...(rollout === undefined ? {} : { rollout: rolloutOf(rollout) }),
    ...(confirm === undefined ? {} : { confirm }),
  }
}
