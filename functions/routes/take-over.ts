/** Proxies of other installers: whether they can be taken into a cluster, and doing it. */
import { createRoute, z } from '@hono/zod-openapi'
import { portSchema, secretReferenceSchema } from '#contract/node-state'
import type { Plane, TakeOverInput } from '../domain/plane.ts'
import { askedOf } from '../middleware/requests.ts'
import { changed } from './actions.ts'
import { clusterSchema, settledCluster } from './clusters.ts'
import { KEY_REQUIRED, named } from './headers.ts'
import { router } from './operations.ts'
import { body, refParams } from './schemas.ts'

/** As many as one command is sent to, and one answer shows. */
const MAX_HOSTS = 50

export const takeOverSchema = z.strictObject({
  hosts: z
    .array(
      z.strictObject({
        host: z.string().min(1).max(128),
        sqlPort: portSchema.optional(),
        sysPasswordSecret: secretReferenceSchema.optional(),
        idc: z.string().min(1).max(64).optional(),
      }),
    )
    .min(1)
    .max(MAX_HOSTS),
  acceptParameterChanges: z.boolean().default(false),
  force: z.boolean().default(false),
  confirm: z.string().max(128).optional(),
})

const takeOver = createRoute({
  ...named('takeOver', 'Take proxies over that others have installed'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/take-over',
  description:
    'Each proxy is looked at first, and left alone unless all findings are good; then it is restarted once as a node of this cluster, one after the other, and its clients are cut: `confirm` has the cluster’s name. One that fails is as it was found. `acceptParameterChanges` lets parameters be overwritten, `force` takes any package and user. `dryRun=true` only looks, changes nothing and holds nothing. The operation has the findings in `result`.',
  request: {
    params: refParams,
    query: z.strictObject({ dryRun: z.enum(['true', 'false']).default('false') }),
    ...body(takeOverSchema),
  },
  responses: changed(clusterSchema),
})

export function takeOverInput({
  hosts,
  acceptParameterChanges,
  force,
  confirm,
}: z.infer<typeof takeOverSchema>): TakeOverInput {
  return {
    acceptParameterChanges,
    ...(force ? { isForced: true } : {}),
    ...(confirm === undefined ? {} : { confirm }),
    hosts: hosts.map(({ host, sqlPort, sysPasswordSecret, idc }) => ({
      host,
      ...(sqlPort === undefined ? {} : { sqlPort }),
      ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }),
      ...(idc === undefined ? {} : { idc }),
    })),
  }
}

export function takeOverRoutes({ clusters }: Pick<Plane, 'clusters'>) {
  return router().openapi(takeOver, async c => {
    const { ref } = c.req.valid('param')
    const input = takeOverInput(c.req.valid('json'))
    const asked = askedOf(c, input)
    return settledCluster(
      c,
      c.req.valid('query').dryRun === 'true'
        ? await clusters.precheckTakeOver(asked, ref, input)
        : await clusters.takeOver(asked, ref, input),
    )
  })
}
