/** Conventions of requests and answers that all routes share. Source: management-beyond.md §3.1. */
import { createHash } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { Operation } from '../domain/model.ts'
import type { Asked } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { AppContext, AppEnv } from './env.ts'

export const MAX_BODY_BYTES = 262_144
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/
/** `"7"`, or with the digest of a status that a GET showed. */
const ENTITY_TAG = /^"(\d{1,15})(?:-[0-9a-f]{1,16})?"$/
const DIGEST_CHARS = 8
const WITH_BODY = ['POST', 'PUT', 'PATCH']

/** The caller's id of the request, or one of ours; it comes back with every answer. */
export function requestIdMiddleware(newRequestId: () => string) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const given = c.req.header('x-request-id') ?? ''
    const requestId = REQUEST_ID.test(given) ? given : newRequestId()
    c.set('requestId', requestId)
    await next()
    c.res.headers.set('x-request-id', requestId)
  })
}

/**
 * A body is JSON. An empty one is none, whatever type it claims: many clients name a type always.
 * @throws Problem unsupported-media-type
 */
export const jsonOnlyMiddleware = createMiddleware<AppEnv>(async (c, next) => {
  if (!WITH_BODY.includes(c.req.method)) return next()
  const length = c.req.header('content-length')
  const hasBody = c.req.header('transfer-encoding') !== undefined || Number(length ?? 0) > 0
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== undefined && (await c.req.text()) === '') c.req.raw.headers.delete('content-type')
  else if (hasBody && type !== 'application/json')
    throw new Problem('unsupported-media-type', 'send application/json')
  return next()
})

/**
 * The caller with the idempotency of the request.
 * @param body as validated; the same key with another is refused.
 * @throws Problem idempotency-key-required, malformed-request
 */
export function askedOf(c: AppContext, body: unknown, isKeyRequired = true): Asked {
  const { principal, requestId } = c.var
  const key = c.req.header('idempotency-key')
  if (key === undefined) {
    if (isKeyRequired)
      throw new Problem(
        'idempotency-key-required',
        'a repeated request must be told from a new one',
      )
    return { principal, requestId }
  }
  if (!IDEMPOTENCY_KEY.test(key))
    throw new Problem('malformed-request', 'an Idempotency-Key has 1 to 255 printable characters')
  const who = principal.kind === 'user' ? `user:${principal.name}` : principal.instanceId
  return {
    principal,
    requestId,
    idempotency: {
      scope: `${who} ${c.req.method} ${c.req.path}`,
      key,
      bodyHash: sha256(canonical([body ?? null, queryOf(c)])),
    },
  }
}

/** As it was meant: what says that it is no dry run says nothing. */
function queryOf(c: AppContext): Readonly<Record<string, string>> {
  const { dryRun, ...query } = c.req.query()
  return dryRun === undefined || dryRun === 'false' ? query : { ...query, dryRun }
}

/** The same, of a request that may be a dry run: that one needs no key, and uses none. */
export function changeAsked(c: AppContext, body: unknown, isKeyRequired = true): Asked {
  if (c.req.query('dryRun') !== 'true') return askedOf(c, body, isKeyRequired)
  const { principal, requestId } = c.var
  return { principal, requestId, isDryRun: true }
}

/** Same value, same text, in whatever order its fields came. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const fields = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(',')}}`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** @param shown whatever of the answer changes without a new revision. */
export function entityTag(revision: number, shown?: unknown): string {
  if (shown === undefined) return `"${revision}"`
  return `"${revision}-${sha256(canonical(shown)).slice(0, DIGEST_CHARS)}"`
}

/** Whether the caller has this answer already. RFC 9110 §13.1.2. */
export function isKnown(c: AppContext, tag: string): boolean {
  const given = c.req.header('if-none-match')
  if (given === undefined) return false
  return given.split(',').some(each => ['*', tag, `W/${tag}`].includes(each.trim()))
}

/**
 * Revision of If-Match; `current` is asked for `*` only.
 * @throws Problem precondition-required, malformed-request
 */
export async function matchedRevision(
  c: AppContext,
  current: () => Promise<{ readonly revision: number }>,
): Promise<number> {
  const given = c.req.header('if-match')
  if (given === undefined)
    throw new Problem('precondition-required', 'send If-Match with the ETag of what you have read')
  if (given.trim() === '*') return (await current()).revision
  const revision = ENTITY_TAG.exec(given.trim())?.[1]
  if (revision === undefined)
    throw new Problem('malformed-request', 'If-Match takes one strong ETag of ours, or *')
  return Number(revision)
}

/** 202: the operation, where it is, and when to look. */
export function acceptedHeaders({ id }: Operation, isReplayed: boolean): Record<string, string> {
  return {
    location: `/v1/operations/${id}`,
    'retry-after': '1',
    'cache-control': 'no-store',
    ...replayHeaders(isReplayed),
  }
}

export function replayHeaders(isReplayed: boolean): Record<string, string> {
  return isReplayed ? { 'idempotency-replayed': 'true' } : {}
}
