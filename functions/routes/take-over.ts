/** Proxies of other installers: whether they can be taken into a cluster. */
import { createRoute, z } from '@hono/zod-openapi'
import { portSchema, secretReferenceSchema } from '#contract/node-state'
import type { Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { askedOf } from '../middleware/requests.ts'
import { KEY_REQUIRED, named } from './headers.ts'
import { accepted, acceptedResponse, router } from './operations.ts'
import { body, problemResponse, refParams } from './schemas.ts'

/** As many as one command is sent to, and one answer shows. */
const MAX_HOSTS = 50

const takeOverSchema = z.strictObject({
  hosts: z
    .array(
      z.strictObject({
        host: z.string().min(1).max(128),
        sqlPort: portSchema.optional(),
        sysPasswordSecret: secretReferenceSchema.optional(),
      }),
    )
    .min(1)
    .max(MAX_HOSTS),
  acceptParameterChanges: z.boolean().default(false),
})

const takeOver = createRoute({
  ...named('takeOver', 'Check whether proxies can be taken over'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/take-over',
  description:
    'Looks at proxies that others have installed, changes nothing and holds nothing; the operation has the findings in `result`. Only `dryRun=true` exists.',
  request: {
    params: refParams,
    query: z.strictObject({ dryRun: z.enum(['true', 'false']).default('false') }),
    ...body(takeOverSchema),
  },
  responses: { 202: acceptedResponse, default: problemResponse },
})

export function takeOverRoutes({ clusters }: Pick<Plane, 'clusters'>) {
  return router().openapi(takeOver, async c => {
    const { ref } = c.req.valid('param')
    const { hosts, acceptParameterChanges } = c.req.valid('json')
    const input = {
      acceptParameterChanges,
      hosts: hosts.map(({ host, sqlPort, sysPasswordSecret }) => ({
        host,
        ...(sqlPort === undefined ? {} : { sqlPort }),
        ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }),
      })),
    }
    const asked = askedOf(c, input)
    if (c.req.valid('query').dryRun !== 'true')
      throw new Problem('operation-not-allowed', 'take-over itself does not exist yet', {
        remedy: 'ask with dryRun=true',
      })
    const outcome = await clusters.precheckTakeOver(asked, ref, input)
    if (outcome.kind !== 'accepted')
      throw new Problem('internal-error', 'a look began no operation')
    return accepted(c, outcome)
  })
}
