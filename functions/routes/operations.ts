/** Operations: list, long poll, steps, cancel, retry, skip. */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { idForm } from '../domain/ids.ts'
import { OPERATION_PHASES, OPERATION_TYPES, type Operation, type Step } from '../domain/model.ts'
import type { Outcome, Plane } from '../domain/plane.ts'
import type { AppContext, AppEnv } from '../middleware/env.ts'
import { invalid } from '../middleware/problems.ts'
import { acceptedHeaders, changeAsked, entityTag, isKnown } from '../middleware/requests.ts'
import { changeQuerySchema, planned, plannedResponse } from './dry-run.ts'
import { ACCEPTED, IF_NONE_MATCH, KEY_REQUIRED, NOT_CHANGED, named, TAGGED } from './headers.ts'
import { resultJson, resultSchema } from './operation-result.ts'
import {
  body,
  json,
  nothingSchema,
  pageOf,
  pageQuerySchema,
  pageRequest,
  problemResponse,
  timeOrNull,
  timeSchema,
  timeText,
} from './schemas.ts'
import { problemViewSchema } from './take-over-result.ts'

const MAX_WAIT_SEC = 25
/** Each is three items of one transaction. */
const MAX_SKIPPED = 20
const MS_PER_SEC = 1000

export const operationSchema = z
  .object({
    id: z.string(),
    type: z.enum(OPERATION_TYPES),
    target: z.object({
      kind: z.enum(['cluster', 'node', 'host', 'ob-cluster']),
      id: z.string(),
      name: z.string(),
    }),
    parentId: z.string().nullable(),
    childIds: z.array(z.string()),
    actor: z.string(),
    phase: z.enum(OPERATION_PHASES),
    revision: z.int(),
    createdAt: timeSchema,
    startedAt: timeSchema.nullable(),
    endedAt: timeSchema.nullable(),
    progress: z.object({
      stepsDone: z.int(),
      stepsTotal: z.int(),
      nodesDone: z.int(),
      nodesSkipped: z.int(),
      nodesTotal: z.int(),
      waves: z.int(),
      wave: z.int(),
    }),
    error: problemViewSchema.nullable(),
    result: resultSchema.nullable().optional(),
    notices: z.array(z.string()).optional(),
  })
  .openapi('Operation')

export const acceptedResponse = {
  ...json(operationSchema, 'Accepted; Location names the operation'),
  ...ACCEPTED,
}

const stepSchema = z
  .object({
    n: z.int(),
    name: z.string(),
    phase: z.enum(['PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED']),
    attempt: z.int(),
    deadlineAt: timeSchema.nullable(),
    commandId: z.string().nullable(),
    startedAt: timeSchema.nullable(),
    endedAt: timeSchema.nullable(),
    output: z.string().nullable(),
    error: problemViewSchema.nullable(),
  })
  .openapi('Step')

const idSchema = z.string().regex(idForm('operation'))
const idParams = z.object({ id: idSchema })

const skipSchema = z.strictObject({
  children: z
    .array(idSchema)
    .min(1)
    .max(MAX_SKIPPED)
    .refine(ids => new Set(ids).size === ids.length, 'each once')
    .openapi({ description: 'Ids of children that have failed, out of childIds' }),
})

const waitSchema = z
  .string()
  .regex(/^\d{1,2}s$/, `a duration of 0s to ${MAX_WAIT_SEC}s`)
  .refine(text => Number.parseInt(text, 10) <= MAX_WAIT_SEC, `at most ${MAX_WAIT_SEC}s`)

export function operationJson(operation: Operation): z.infer<typeof operationSchema> {
  const { createdAt, startedAt, endedAt, childIds, result, movedOut, notices, ...rest } = operation
  return {
    ...rest,
    ...resultJson({ result, movedOut }),
    ...(notices === undefined ? {} : { notices: [...notices] }),
    childIds: [...childIds],
    createdAt: timeText(createdAt),
    startedAt: timeOrNull(startedAt),
    endedAt: timeOrNull(endedAt),
  }
}

function stepJson({ deadlineAt, startedAt, endedAt, ...rest }: Step): z.infer<typeof stepSchema> {
  return {
    ...rest,
    deadlineAt: timeOrNull(deadlineAt),
    startedAt: timeOrNull(startedAt),
    endedAt: timeOrNull(endedAt),
  }
}

/** 202 with the operation. */
export function accepted(
  c: AppContext,
  { operation, isReplayed }: { readonly operation: Operation; readonly isReplayed: boolean },
) {
  return c.json(operationJson(operation), 202, acceptedHeaders(operation, isReplayed))
}

/** Of a DELETE. */
export function gone(c: AppContext, outcome: Outcome<null>) {
  if (outcome.kind === 'planned') return planned(c, outcome.plan)
  return outcome.kind === 'accepted' ? accepted(c, outcome) : c.body(null, 204)
}

const list = createRoute({
  ...named('listOperations', 'List operations'),
  method: 'get',
  path: '/',
  request: {
    query: z.strictObject({
      ...pageQuerySchema.shape,
      target: z.string().min(1).max(128).optional(),
      type: z.enum(OPERATION_TYPES).optional(),
      phase: z.enum(OPERATION_PHASES).optional(),
    }),
  },
  responses: {
    200: json(pageOf(operationSchema), 'The newest first'),
    default: problemResponse,
  },
})

const get = createRoute({
  ...named('getOperation', 'Read an operation, or wait for its end'),
  parameters: [IF_NONE_MATCH],
  method: 'get',
  path: '/{id}',
  description: 'With `wait` the answer comes when the operation has ended, or is past `revision`.',
  request: {
    params: idParams,
    query: z.strictObject({
      wait: waitSchema.optional(),
      revision: z.coerce.number().int().min(0).optional(),
    }),
  },
  responses: {
    200: { ...json(operationSchema, 'The operation'), ...TAGGED },
    304: NOT_CHANGED,
    default: problemResponse,
  },
})

const steps = createRoute({
  ...named('listOperationSteps', 'List the steps of an operation'),
  method: 'get',
  path: '/{id}/steps',
  request: { params: idParams, query: z.strictObject({}) },
  responses: {
    200: json(z.object({ items: z.array(stepSchema) }), 'In order; of a cluster see its children'),
    default: problemResponse,
  },
})

const STEERED = { 200: plannedResponse, 202: acceptedResponse, default: problemResponse }

function steer<V extends 'cancel' | 'retry' | 'pause' | 'resume' | 'rollback'>(
  verb: V,
  summary: string,
  description: string,
) {
  return createRoute({
    ...named(`${verb}Operation`, summary),
    parameters: [KEY_REQUIRED],
    method: 'post',
    path: `/{id}/${verb}`,
    description,
    request: { params: idParams, query: changeQuerySchema, ...body(nothingSchema, false) },
    responses: STEERED,
  })
}

const cancel = steer(
  'cancel',
  'Cancel an operation',
  'No new step begins; what runs on a node is let run to its end.',
)
const retry = steer(
  'retry',
  'Retry a failed operation',
  'Goes on at the failed step, with new locks.',
)
const pause = steer(
  'pause',
  'Pause an operation',
  'No other node is begun; what runs on one is let run to its end.',
)
const resume = steer(
  'resume',
  'Resume a paused operation',
  'Goes on with the next node; those that failed are tried again.',
)
const skip = createRoute({
  ...named('skipOperation', 'Go on without nodes that failed'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{id}/skip',
  description:
    'What failed counts as SKIPPED, its nodes stay as they are and say so in a condition; others that failed are tried again. Only where nothing else is left behind: start, stop, restart, upgrade, refresh, change-parameters, attach-balancer, online.',
  request: { params: idParams, query: changeQuerySchema, ...body(skipSchema) },
  responses: STEERED,
})
const rollback = steer(
  'rollback',
  'Roll an operation back',
  'Puts back what it has done on its nodes: what is paused, or has ended within a day.',
)

export function operationRoutes({ operations }: Pick<Plane, 'operations'>) {
  return router()
    .openapi(list, async c => {
      const { limit, cursor, target, type, phase } = c.req.valid('query')
      const page = await operations.list(pageRequest({ limit, cursor }), {
        ...(target === undefined ? {} : { target }),
        ...(type === undefined ? {} : { type }),
        ...(phase === undefined ? {} : { phase }),
      })
      return c.json({ items: page.items.map(operationJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(get, async c => {
      const { id } = c.req.valid('param')
      const { wait, revision } = c.req.valid('query')
      const operation =
        wait === undefined
          ? await operations.get(id)
          : await operations.wait(id, Number.parseInt(wait, 10) * MS_PER_SEC, revision)
      const tag = entityTag(operation.revision)
      if (isKnown(c, tag)) return c.body(null, 304, { etag: tag })
      return c.json(operationJson(operation), 200, { etag: tag, 'cache-control': 'no-cache' })
    })
    .openapi(steps, async c => {
      const items = await operations.steps(c.req.valid('param').id)
      return c.json({ items: items.map(stepJson) }, 200)
    })
    .route('/', steering({ operations }))
}

/** Written down at once, carried out as soon as nodes let it. */
function steering({ operations }: Pick<Plane, 'operations'>) {
  return router()
    .openapi(cancel, async c => {
      const { id } = c.req.valid('param')
      return steered(c, await operations.cancel(changeAsked(c, c.req.valid('json')), id))
    })
    .openapi(retry, async c => {
      const { id } = c.req.valid('param')
      return steered(c, await operations.retry(changeAsked(c, c.req.valid('json')), id))
    })
    .openapi(pause, async c => {
      const { id } = c.req.valid('param')
      return steered(c, await operations.pause(changeAsked(c, c.req.valid('json')), id))
    })
    .openapi(resume, async c => {
      const { id } = c.req.valid('param')
      return steered(c, await operations.resume(changeAsked(c, c.req.valid('json')), id))
    })
    .openapi(skip, async c => {
      const { id } = c.req.valid('param')
      const asked = c.req.valid('json')
      return steered(c, await operations.skip(changeAsked(c, asked), id, asked.children))
    })
    .openapi(rollback, async c => {
      const { id } = c.req.valid('param')
      return steered(c, await operations.rollback(changeAsked(c, c.req.valid('json')), id))
    })
}

function steered(c: AppContext, outcome: Outcome<Operation>) {
  if (outcome.kind === 'planned') return planned(c, outcome.plan)
  const operation = outcome.kind === 'accepted' ? outcome.operation : outcome.value
  return accepted(c, { operation, isReplayed: outcome.isReplayed })
}

/** A router that answers invalid requests as problems. */
export function router(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: result => {
      if (!result.success) throw invalid(result.error, 'data' in result ? result.data : undefined)
    },
  })
}
