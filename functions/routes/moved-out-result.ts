/** The document of a cluster that is moved out, as callers see it, and as they send it back. */
import { z } from '@hono/zod-openapi'
import { NODE_ORIGINS } from '../domain/model.ts'
import { MOVED_OUT_FORMAT, type MovedOutDocument } from '../domain/moved-out.ts'
import { timeOrNull, timeSchema } from './schemas.ts'

const requestSchema = z.record(z.string(), z.unknown())

export const movedOutSchema = z
  .object({
    format: z.literal('obfleet/moved-out-cluster'),
    formatVersion: z.literal(MOVED_OUT_FORMAT),
    movedOutAt: timeSchema.nullable(),
    configAnswersUntil: timeSchema.nullable(),
    create: requestSchema.openapi({ description: 'Body of POST /v1/clusters.' }),
    takeOver: z.array(requestSchema).openapi({
      description: 'Bodies of POST /v1/clusters/{ref}/take-over, but for `confirm`.',
    }),
    nodes: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        hostId: z.string(),
        host: z.string(),
        idc: z.string().nullable(),
        sqlPort: z.int(),
        exporterPort: z.int(),
        origin: z.enum(NODE_ORIGINS),
        home: z.string(),
        version: z.string(),
        isSkipped: z.boolean(),
      }),
    ),
  })
  .openapi('MovedOutCluster', {
    description:
      'How the cluster was, and how it is made and taken over again. It has no secret, only names of Parameter Store. `movedOutAt` is null until all nodes are let go of; `configAnswersUntil` is when the config service stops answering, null in RS_LIST. A node that was skipped is in no take-over.',
  })

export function movedOutJson({
  movedOutAt,
  configAnswersUntil,
  create,
  takeOver,
  nodes,
  ...rest
}: MovedOutDocument): z.infer<typeof movedOutSchema> {
  return {
    ...rest,
    movedOutAt: timeOrNull(movedOutAt),
    configAnswersUntil: timeOrNull(configAnswersUntil),
    create: { ...create },
    takeOver: takeOver.map(({ isForced = false, ...input }) => ({ ...input, force: isForced })),
    nodes: [...nodes],
  }
}
