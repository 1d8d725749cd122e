/** Looks at nodes, which change nothing and hold nothing, and what nodes send in for them. */
import { createRoute, z } from '@hono/zod-openapi'
import { diagnosisSchema } from '#contract/diagnosis'
import {
  LOG_LEVELS,
  LOG_TYPES,
  logFilterSchema,
  logPlaceSchema,
  logUploadSchema,
} from '#contract/log-filter'
import type { LogsInput, Plane } from '../domain/plane.ts'
import { changeAsked } from '../middleware/requests.ts'
import { ofCluster, settledCluster } from './clusters.ts'
import { named } from './headers.ts'
import { ofNode, settledNode } from './nodes.ts'
import { router } from './operations.ts'
import {
  body,
  chosenNodes,
  json,
  nodesSchema,
  nothingSchema,
  problemResponse,
  refParams,
  timeSchema,
} from './schemas.ts'

const diagnoseNodes = ofCluster('diagnose', {
  summary: 'Diagnose nodes of a proxy cluster',
  description:
    'All or those named, 50 at most. Changes nothing, holds nothing and waits for nobody. The operation has what is not well in `result`, the operation of each node all of it.',
  input: nodesSchema,
})

const diagnose = ofNode('diagnose', {
  summary: 'Diagnose a node',
  description:
    'Looks at process, unit, files, OB clusters and much else; changes nothing, holds nothing and waits for nobody. The operation has the findings in `result`.',
  input: nothingSchema,
})

const takeDiagnosis = createRoute({
  ...named('takeDiagnosis', 'Take what a node has found of itself'),
  method: 'post',
  path: '/{ref}/diagnosis',
  description: 'From the node itself, signed by its instance, for an operation that asked for it.',
  request: { params: refParams, query: nothingSchema, ...body(diagnosisSchema) },
  responses: { 204: { description: 'Taken' }, default: problemResponse },
})

const TYPES =
  'What of a node: `proxy`, `error`, `slow`, `digest`, `stat`, `limit`, `diagnosis`, `trace`, `xflush` and `config` are the proxy’s files of that name, `obproxy_config.log` the last: a log of what OceanBase’s obproxy does with its configuration; what is configured is in the parameters of the cluster. `node` is what the verbs of the plane have logged, `unit` what the service manager keeps of their units. What a proxy does not write is left out.'

const logsSchema = z.strictObject({
  types: logFilterSchema.shape.types.default([...LOG_TYPES]).openapi({ description: TYPES }),
  from: timeSchema.optional(),
  to: timeSchema.optional(),
  level: z.enum(LOG_LEVELS).optional(),
  keywords: logFilterSchema.shape.keywords.default([]),
  exclude: logFilterSchema.shape.exclude.default([]),
  pattern: logFilterSchema.shape.pattern,
})
const nodesLogsSchema = z.strictObject({ ...nodesSchema.shape, ...logsSchema.shape })

const LOGS =
  'Lines of the last hour unless `from` and `to` say otherwise, with all `keywords`, none of `exclude` and the regular expression `pattern`. Values that are named as secrets are masked; what nothing names as one is not known to be one. Changes nothing and holds nothing. The operation lists the archives in `result`, each with a URL to download it.'

const collectLogs = ofNode('collect-logs', {
  id: 'collectLogsOfNode',
  summary: 'Collect logs of a node',
  description: LOGS,
  input: logsSchema,
})

const collectLogsOfNodes = ofCluster('collect-logs', {
  id: 'collectLogsOfCluster',
  summary: 'Collect logs of nodes of a proxy cluster',
  description: `Of all or those named, 50 at most. ${LOGS}`,
  input: nodesLogsSchema,
})

const placeForLogs = createRoute({
  ...named('placeForLogs', 'Tell a node where its logs go'),
  method: 'post',
  path: '/{ref}/log-upload',
  description: 'To the node itself, signed by its instance, for an operation that asked for them.',
  request: { params: refParams, query: nothingSchema, ...body(logUploadSchema) },
  responses: {
    200: json(logPlaceSchema, 'For one PUT of that size, within two minutes'),
    default: problemResponse,
  },
})

function logsInput({ from, to, level, pattern, ...rest }: z.infer<typeof logsSchema>): LogsInput {
  return {
    ...rest,
    ...(from === undefined ? {} : { from: Date.parse(from) }),
    ...(to === undefined ? {} : { to: Date.parse(to) }),
    ...(level === undefined ? {} : { level }),
    ...(pattern === undefined ? {} : { pattern }),
  }
}

export function clusterLooks({ clusters }: Pick<Plane, 'clusters'>) {
  return router()
    .openapi(diagnoseNodes, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      const { ref } = c.req.valid('param')
      return settledCluster(c, await clusters.diagnose(changeAsked(c, input), ref, input))
    })
    .openapi(collectLogsOfNodes, async c => {
      const { nodes, ...rest } = nodesLogsSchema.parse(c.req.valid('json'))
      const input = { ...chosenNodes({ nodes }), ...logsInput(rest) }
      const { ref } = c.req.valid('param')
      return settledCluster(c, await clusters.collectLogs(changeAsked(c, input), ref, input))
    })
}

export function nodeLooks({ nodes }: Pick<Plane, 'nodes'>) {
  return router()
    .openapi(diagnose, async c => {
      const { ref } = c.req.valid('param')
      return settledNode(c, await nodes.diagnose(changeAsked(c, c.req.valid('json')), ref))
    })
    .openapi(collectLogs, async c => {
      const input = logsInput(logsSchema.parse(c.req.valid('json')))
      const { ref } = c.req.valid('param')
      return settledNode(c, await nodes.collectLogs(changeAsked(c, input), ref, input))
    })
    .openapi(placeForLogs, async c => {
      const { ref } = c.req.valid('param')
      const url = await nodes.placeForLogs(c.var.principal, ref, c.req.valid('json'))
      return c.json({ url }, 200)
    })
    .openapi(takeDiagnosis, async c => {
      await nodes.takeDiagnosis(c.var.principal, c.req.valid('param').ref, c.req.valid('json'))
      return c.body(null, 204)
    })
}
