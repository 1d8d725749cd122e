/** What is done to a cluster or a node by a POST: nothing left to do, or an operation. */
import { createRoute, z } from '@hono/zod-openapi'
import { changeQuerySchema, planSchema } from './dry-run.ts'
import { KEY_REQUIRED, named, REPLAYABLE } from './headers.ts'
import { acceptedResponse } from './operations.ts'
import { body, json, problemResponse, refParams } from './schemas.ts'

/** Answers of a change that may be an operation; `shown` is what it is of. */
export function changed<T extends z.ZodType>(shown: T) {
  return {
    200: {
      ...json(
        z.union([shown, planSchema]),
        'It is so already, or was done at once: the resource as it is now. With `dryRun=true` the plan',
      ),
      ...REPLAYABLE,
    },
    202: acceptedResponse,
    default: problemResponse,
  }
}

type Action<V extends string, T extends z.ZodType, S extends z.ZodType> = {
  /** Last part of the path. */
  readonly verb: V
  readonly id: string
  readonly summary: string
  readonly description: string
  readonly shown: T
  readonly input: S
  /** The body may not be left out. */
  readonly isNeeded?: boolean
}

export function actionRoute<V extends string, T extends z.ZodType, S extends z.ZodType>({
  verb,
  id,
  summary,
  description,
  shown,
  input,
  isNeeded = false,
}: Action<V, T, S>) {
  return createRoute({
    ...named(id, summary),
    parameters: [KEY_REQUIRED],
    method: 'post',
    path: `/{ref}/${verb}`,
    description,
    request: { params: refParams, query: changeQuerySchema, ...body(input, isNeeded) },
    responses: changed(shown),
  })
}
