/** Errors as application/problem+json. Source: RFC 9457, management-beyond.md §3.1. */

import type { z } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { PROBLEMS, Problem, pointerOf, type Wrong } from '../domain/problem.ts'

/** Errors listed in one answer. */
const MAX_ERRORS = 50

/** @param instance path of the request. */
export function problemResponse(
  { code, message, details }: Problem,
  { instance, requestId }: { readonly instance: string; readonly requestId: string },
): Response {
  const [status, title, retryable] = PROBLEMS[code]
  const { retryAfterSec, ...rest } = details
  const body = {
    type: `urn:obfleet:problem:${code}`,
    title,
    status,
    detail: message,
    instance,
    code,
    retryable,
    ...rest,
    requestId,
  }
  const waitSec = retryAfterSec ?? (retryable ? 1 : undefined)
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'x-request-id': requestId,
      'cache-control': 'no-store',
      ...(waitSec === undefined ? {} : { 'retry-after': String(waitSec) }),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
  })
}

/** A problem of ours as it is, anything else as one; undefined for what nobody expected. */
export function knownProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed-request', 'the body is not JSON')
  return undefined
}

/**
 * Every wrong place by its pointer; a field that nobody knows is wrong too.
 * @param given what was found invalid: a value that is not there is missing, whatever its type.
 */
export function invalid(error: z.core.$ZodError, given: unknown): Problem {
  const errors = error.issues.flatMap(issue => wrongOf(issue, given)).slice(0, MAX_ERRORS)
  const [first] = errors
  const where = first === undefined ? '' : `: ${first.pointer} ${first.detail}`
  return new Problem('validation-failed', `the request is not valid${where}`, { errors })
}

function wrongOf(issue: z.core.$ZodIssue, given: unknown): readonly Wrong[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({
      pointer: pointerOf([...path, key]),
      code: 'unknown-field',
      detail: 'there is no such field',
    }))
  const isMissing = valueAt(given, issue.path) === undefined
  const code = isMissing ? 'required' : issue.code.replaceAll('_', '-')
  const detail = isMissing ? 'is missing' : issue.message.slice(0, 300)
  return [{ pointer: pointerOf(path), code, detail }]
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[part]
  }
  return value
}
