/** Moving a proxy cluster out. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Plane } from '../domain/plane.ts'
import { changeAsked } from '../middleware/requests.ts'
import { changeQuerySchema, planned, plannedResponse } from './dry-run.ts'
import { KEY_REQUIRED, named } from './headers.ts'
import { accepted, acceptedResponse, router } from './operations.ts'
import { body, problemResponse, refParams } from './schemas.ts'

const DAY_MS = 24 * 3_600_000
const DEFAULT_GRACE_DAYS = 7
const MAX_GRACE_DAYS = 30

const moveOutSchema = z.strictObject({
  confirm: z.string().max(128).optional(),
  skipHostWork: z.array(z.string().min(1).max(128)).max(1000).default([]),
  graceDays: z.int().min(0).max(MAX_GRACE_DAYS).default(DEFAULT_GRACE_DAYS),
})

const moveOut = createRoute({
  ...named('moveOutCluster', 'Move a proxy cluster out'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/move-out',
  description:
    'Lets go of every node: its proxy serves on, clients and balancer untouched, and nothing of ours is left on the host. `confirm` has the cluster’s name; all nodes run, but for those that `skipHostWork` names, which are out of reach and only forgotten. The operation has in `result` what makes the cluster again and takes its nodes over. The config service answers its proxies for `graceDays` more, 7 unless said otherwise. The password of root@proxysys stays where the document names it. Hosts are listed by Systems Manager, and stay there.',
  request: { params: refParams, query: changeQuerySchema, ...body(moveOutSchema) },
  responses: {
    200: plannedResponse,
    202: acceptedResponse,
    204: { description: 'It was moved out before' },
    default: problemResponse,
  },
})

export function moveOutRoutes({ clusters }: Pick<Plane, 'clusters'>) {
  return router().openapi(moveOut, async c => {
    const { ref } = c.req.valid('param')
    const { confirm, skipHostWork, graceDays } = c.req.valid('json')
    const outcome = await clusters.moveOut(
      changeAsked(c, { confirm, skipHostWork, graceDays }),
      ref,
      {
        ...(confirm === undefined ? {} : { confirm }),
        skipHostWork,
        graceMs: graceDays * DAY_MS,
      },
    )
    if (outcome.kind === 'planned') return planned(c, outcome.plan)
    return outcome.kind === 'accepted' ? accepted(c, outcome) : c.body(null, 204)
  })
}
