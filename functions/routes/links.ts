/** Links of a proxy cluster to OB clusters, and the token by which its nodes ask for them. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Plane } from '../domain/plane.ts'
import { askedOf, changeAsked, replayHeaders } from '../middleware/requests.ts'
import { changed } from './actions.ts'
import { clusterJson, clusterSchema, settledCluster } from './clusters.ts'
import { changeQuerySchema, plannedResponse } from './dry-run.ts'
import { KEY_OPTIONAL, KEY_REQUIRED, named, REPLAYABLE } from './headers.ts'
import { acceptedResponse, gone, router } from './operations.ts'
import {
  body,
  json,
  nothingSchema,
  probeAccountSchema,
  problemResponse,
  refParams,
} from './schemas.ts'

const linkParams = z.object({
  ...refParams.shape,
  obCluster: z.string().min(1).max(128),
})

const putSchema = z
  .strictObject({
    default: z.boolean().default(false).openapi({
      description: 'Logins that name no OB cluster go here; the first link is the default anyway.',
    }),
    probeAccount: probeAccountSchema.nullable().optional().openapi({
      description: 'Left out, it stays as it is; null takes it away.',
    }),
  })
  .openapi('LinkInput')

const EFFECT =
  'Nodes that run are told to look at once, and none is restarted; links are as before when one of them does not take it.'

const put = createRoute({
  ...named('putLink', 'Link a proxy cluster to an OB cluster'),
  parameters: [KEY_OPTIONAL],
  method: 'put',
  path: '/{ref}/links/{obCluster}',
  description: `Adds the link, or makes it the default. In work mode CONFIG_URL only; the account of a link that is there can be replaced in any, and is at once. Where a node runs a new link is answered by the config service once proxyro has logged in by it from there, else its operation fails as link-check-failed; where none runs it is not tried. An OB cluster of 4.0.0 or later is refused, or given up by its operation, as version-incompatible for proxies below 4.0.0, once one has told its version. ${EFFECT}`,
  request: { params: linkParams, query: changeQuerySchema, ...body(putSchema, false) },
  responses: changed(clusterSchema),
})

const remove = createRoute({
  ...named('deleteLink', 'Delete a link'),
  parameters: [KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}/links/{obCluster}',
  description: `The config service answers so from the moment of the write: new logins to that OB cluster fail then. The default goes last. ${EFFECT}`,
  request: { params: linkParams, query: changeQuerySchema },
  responses: {
    200: plannedResponse,
    202: acceptedResponse,
    204: { description: 'It is gone' },
    default: problemResponse,
  },
})

const rotate = createRoute({
  ...named('rotateConfigToken', 'Make a new token for the nodes of a proxy cluster'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/config-token',
  description:
    'Nodes take it at their next start; the one before opens on until the next is made. Restart all nodes before you make another.',
  request: { params: refParams, query: nothingSchema, ...body(nothingSchema, false) },
  responses: {
    200: { ...json(clusterSchema, 'With its new token'), ...REPLAYABLE },
    default: problemResponse,
  },
})

export function linkRoutes({ clusters }: Plane) {
  return router()
    .openapi(put, async c => {
      const { ref, obCluster } = c.req.valid('param')
      const input = putSchema.parse(c.req.valid('json') ?? {})
      const asked = changeAsked(c, input, false)
      const { default: isDefault, probeAccount } = input
      const outcome = await clusters.link(asked, ref, obCluster, {
        isDefault,
        ...(probeAccount === undefined ? {} : { probeAccount }),
      })
      return settledCluster(c, outcome)
    })
    .openapi(remove, async c => {
      const { ref, obCluster } = c.req.valid('param')
      return gone(c, await clusters.unlink(changeAsked(c, null, false), ref, obCluster))
    })
    .openapi(rotate, async c => {
      const { ref } = c.req.valid('param')
      const { value, isReplayed } = await clusters.rotateConfigToken(askedOf(c, null), ref)
      return c.json(clusterJson(value), 200, replayHeaders(isReplayed))
    })
}
