/** Looks at nodes, which change nothing and hold nothing, and what nodes send in for them. */
import { createRoute } from '@hono/zod-openapi'
import { diagnosisSchema } from '#contract/diagnosis'
import type { Plane } from '../domain/plane.ts'
import { askedOf } from '../middleware/requests.ts'
import { ofCluster, settledCluster } from './clusters.ts'
import { named } from './headers.ts'
import { ofNode, settledNode } from './nodes.ts'
import { router } from './operations.ts'
import {
  body,
  chosenNodes,
  nodesSchema,
  nothingSchema,
  problemResponse,
  refParams,
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

export function clusterLooks({ clusters }: Pick<Plane, 'clusters'>) {
  return router().openapi(diagnoseNodes, async c => {
    const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
    const { ref } = c.req.valid('param')
    return settledCluster(c, await clusters.diagnose(askedOf(c, input), ref, input))
  })
}

export function nodeLooks({ nodes }: Pick<Plane, 'nodes'>) {
  return router()
    .openapi(diagnose, async c => {
      const { ref } = c.req.valid('param')
      return settledNode(c, await nodes.diagnose(askedOf(c, c.req.valid('json')), ref))
    })
    .openapi(takeDiagnosis, async c => {
      await nodes.takeDiagnosis(c.var.principal, c.req.valid('param').ref, c.req.valid('json'))
      return c.body(null, 204)
    })
}
