/** Parts of the document that several resources share. Unknown fields of a body are refused everywhere. */
import { z } from '@hono/zod-openapi'
import { secretReferenceSchema } from '#contract/node-state'
import type { NodesInput, PageRequest } from '../domain/plane.ts'
import { PROBLEMS } from '../domain/problem.ts'

const DEFAULT_PAGE = 50
const MAX_PAGE = 200

export const timeSchema = z.iso.datetime().openapi({ example: '2026-11-24T10:15:00.000Z' })

export const tagsSchema = z
  .record(z.string().min(1).max(128), z.string().max(256))
  .refine(tags => Object.keys(tags).length <= 50, 'at most 50 tags')

export const conditionSchema = z
  .object({
    type: z.string(),
    status: z.boolean(),
    reason: z.string(),
    message: z.string(),
    since: timeSchema,
  })
  .openapi('Condition')

export const holdSchema = z
  .object({ operationId: z.string(), type: z.string() })
  .openapi('Hold', { description: 'The operation that works on the resource now.' })

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [string, ...string[]]),
    retryable: z.boolean(),
    errors: z
      .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
      .optional(),
    conflict: z.object({ operationId: z.string(), holder: z.string() }).optional(),
    remedy: z.string().optional(),
    requestId: z.string(),
  })
  .openapi('Problem', { description: 'RFC 9457; `code` is stable, texts are not.' })

export const problemResponse = {
  description: 'Any error',
  content: { 'application/problem+json': { schema: problemSchema } },
} as const

export const pageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE),
  cursor: z.string().min(1).max(2000).optional(),
})

/** A URL of the config service; the token that opens it is added as `&Token=…`. */
export const configAccessSchema = z
  .object({
    url: z.string(),
    tokenSecret: z.string().openapi({ description: 'Parameter Store name of the token.' }),
  })
  .openapi('ConfigAccess')

/** Query, or body, of a request that has none: what comes all the same is refused, not ignored. */
export const nothingSchema = z.strictObject({})

export const refParams = z.object({
  ref: z.string().min(1).max(128).openapi({ description: 'Id or name' }),
})

/** Which nodes of a cluster; without it all. */
export const nodesSchema = z.strictObject({
  nodes: z.array(z.string().min(1).max(128)).min(1).max(1000).optional(),
})

export function chosenNodes({ nodes: chosen }: { nodes?: string[] | undefined }): NodesInput {
  return chosen === undefined ? {} : { nodes: chosen }
}

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

export function body<T extends z.ZodType>(schema: T, required = true) {
  return { body: { required, content: { 'application/json': { schema } } } }
}

/** How gates log in through the nodes to an OB cluster. */
export const probeAccountSchema = z
  .strictObject({
    user: z.string().regex(/^[^#@:\s]{1,64}$/, 'a user without tenant'),
    tenant: z.string().regex(/^[^#@:\s]{1,63}$/, 'a tenant'),
    passwordSecret: secretReferenceSchema,
  })
  .openapi('ProbeAccount', {
    description:
      'By it the gate of a rollout logs in through each node: one that let it in before and no longer does has failed. It needs no privilege there. The password is a Parameter Store reference.',
  })

export function pageOf<T extends z.ZodType>(schema: T) {
  return z.object({ items: z.array(schema), nextCursor: z.string().nullable() })
}

export function pageRequest({
  limit,
  cursor,
}: {
  readonly limit: number
  readonly cursor?: string | undefined
}): PageRequest {
  return cursor === undefined ? { limit } : { limit, cursor }
}

/** RFC 3339 in UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

export function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : timeText(ms)
}

export function conditionsJson(
  conditions: readonly {
    readonly type: string
    readonly status: boolean
    readonly reason: string
    readonly message: string
    readonly since: number
  }[],
) {
  return conditions.map(({ since, ...rest }) => ({ ...rest, since: timeText(since) }))
}
