/** Who changed what. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Plane } from '../domain/plane.ts'
import { named } from './headers.ts'
import { router } from './operations.ts'
import {
  json,
  pageOf,
  pageQuerySchema,
  pageRequest,
  problemResponse,
  timeSchema,
  timeText,
} from './schemas.ts'

const eventSchema = z
  .object({
    id: z.string(),
    at: timeSchema,
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    targetName: z.string().nullable().openapi({
      description: 'Of what has a name besides its id, as it was then.',
    }),
    requestId: z.string(),
    operationId: z.string().nullable(),
  })
  .openapi('AuditEvent')

const list = createRoute({
  ...named('listAuditEvents', 'List who changed what'),
  method: 'get',
  path: '/',
  description:
    'The newest first, from `to` back to `from`: 31 days at most, the last seven without them. `target` is an id or a name.',
  request: {
    query: z.strictObject({
      ...pageQuerySchema.shape,
      from: timeSchema.optional(),
      to: timeSchema.optional(),
      target: z.string().min(1).max(128).optional(),
      actor: z.string().min(1).max(200).optional(),
      action: z.string().min(1).max(60).optional(),
    }),
  },
  responses: {
    200: json(pageOf(eventSchema), 'The newest first'),
    default: problemResponse,
  },
})

export function auditRoutes({ audit }: Plane) {
  return router().openapi(list, async c => {
    const { from, to, target, actor, action, ...page } = c.req.valid('query')
    const { items, nextCursor } = await audit.list(pageRequest(page), {
      ...(from === undefined ? {} : { from: Date.parse(from) }),
      ...(to === undefined ? {} : { to: Date.parse(to) }),
      ...(target === undefined ? {} : { target }),
      ...(actor === undefined ? {} : { actor }),
      ...(action === undefined ? {} : { action }),
    })
    return c.json(
      { items: items.map(each => ({ ...each, at: timeText(each.at) })), nextCursor },
      200,
    )
  })
}
