/** The balancer in front of a proxy cluster, and which of its nodes it sends clients to. */
import { createRoute, z } from '@hono/zod-openapi'
import { type BalancerSpec, MEMBER_STATES, OPERATOR_STEPS } from '../domain/load-balancer.ts'
import type { ClusterBalancer, Offline } from '../domain/model.ts'
import type { OfflineInput, Plane } from '../domain/plane.ts'
import { changeAsked } from '../middleware/requests.ts'
import { changed } from './actions.ts'
import { balancerSchema, clusterSchema, ofCluster, settledCluster } from './clusters.ts'
import { changeQuerySchema, plannedResponse } from './dry-run.ts'
import { KEY_OPTIONAL, named } from './headers.ts'
import { offlineJson, offlineSchema, ofNode, settledNode } from './nodes.ts'
import { acceptedResponse, gone, router } from './operations.ts'
import {
  body,
  chosenNodes,
  json,
  nodesSchema,
  nothingSchema,
  problemResponse,
  refParams,
} from './schemas.ts'

const stateSchema = z
  .object({
    spec: balancerSchema,
    members: z
      .array(
        z.object({
          id: z.string(),
          port: z.int(),
          state: z.enum(MEMBER_STATES),
          reason: z.string().nullable(),
          node: z.object({ id: z.string(), name: z.string() }).nullable(),
          clientConnections: z.int().nullable(),
        }),
      )
      .openapi({ description: 'As the balancer says now; `node` is null for a stranger.' }),
    absent: z.array(
      z.object({ id: z.string(), name: z.string(), offline: offlineSchema.nullable() }),
    ),
    operatorSteps: z.array(z.string()).openapi({
      description: 'What is left to whoever manages the balancer; none for a target group.',
    }),
  })
  .openapi('ClusterLoadBalancer')

const offlineInput = z.strictObject({
  reason: z.string().min(1).max(300).optional(),
  /** The name, when no node is left in the balancer. */
  confirm: z.string().max(128).optional(),
})

const get = createRoute({
  ...named('getLoadBalancer', 'Read the load balancer of a proxy cluster'),
  method: 'get',
  path: '/{ref}/load-balancer',
  request: { params: refParams, query: z.strictObject({}) },
  responses: { 200: json(stateSchema, 'With its members'), default: problemResponse },
})

const put = createRoute({
  ...named('putLoadBalancer', 'Give a proxy cluster its load balancer'),
  parameters: [KEY_OPTIONAL],
  method: 'put',
  path: '/{ref}/load-balancer',
  description:
    'Nodes that should run become members of the target group, and are members from then on while they serve. Of an external one nothing is changed.',
  request: { params: refParams, query: changeQuerySchema, ...body(balancerSchema) },
  responses: changed(clusterSchema),
})

const remove = createRoute({
  ...named('deleteLoadBalancer', 'Take the load balancer of a proxy cluster away'),
  parameters: [KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}/load-balancer',
  description: 'The nodes leave the target group; the group itself stays.',
  request: { params: refParams, query: changeQuerySchema },
  responses: {
    200: plannedResponse,
    202: acceptedResponse,
    204: { description: 'It is gone' },
    default: problemResponse,
  },
})

const OUT =
  'No new connections from the balancer; those that are there stay, and the process runs on. Nothing but `online` takes the node back in.'
const IN = 'Back into the balancer; a stopped node comes in when it is started.'

const offlineNodesInput = z.strictObject({ ...nodesSchema.shape, ...offlineInput.shape })
const offlineCluster = ofCluster('offline', {
  summary: 'Take nodes of a proxy cluster offline',
  description: OUT,
  input: offlineNodesInput,
})
const onlineCluster = ofCluster('online', {
  summary: 'Take nodes of a proxy cluster online',
  description: IN,
  input: nodesSchema,
})
const offlineNode = ofNode('offline', {
  summary: 'Take a node offline',
  description: OUT,
  input: offlineInput,
})
const onlineNode = ofNode('online', {
  summary: 'Take a node online',
  description: IN,
  input: nothingSchema,
})

export function loadBalancerRoutes({ clusters }: Plane) {
  return router()
    .openapi(get, async c =>
      c.json(balancerJson(await clusters.loadBalancer(c.req.valid('param').ref)), 200),
    )
    .openapi(put, async c => {
      const input: BalancerSpec = c.req.valid('json')
      const asked = changeAsked(c, input, false)
      return settledCluster(
        c,
        await clusters.attachBalancer(asked, c.req.valid('param').ref, input),
      )
    })
    .openapi(remove, async c => {
      const asked = changeAsked(c, null, false)
      return gone(c, await clusters.detachBalancer(asked, c.req.valid('param').ref))
    })
    .openapi(offlineCluster, async c => {
      const { nodes, ...rest } = offlineNodesInput.parse(c.req.valid('json'))
      const input = { ...chosenNodes({ nodes }), ...given(rest) }
      return settledCluster(
        c,
        await clusters.offline(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(onlineCluster, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settledCluster(
        c,
        await clusters.online(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
}

export function nodeMembershipRoutes({ nodes }: Plane) {
  return router()
    .openapi(offlineNode, async c => {
      const input = given(offlineInput.parse(c.req.valid('json')))
      return settledNode(
        c,
        await nodes.offline(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(onlineNode, async c =>
      settledNode(
        c,
        await nodes.online(changeAsked(c, c.req.valid('json')), c.req.valid('param').ref),
      ),
    )
}

function given({ reason, confirm }: z.infer<typeof offlineInput>): OfflineInput {
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(confirm === undefined ? {} : { confirm }),
  }
}

function balancerJson({ spec, members, absent }: ClusterBalancer): z.infer<typeof stateSchema> {
  const shown = (offline: Offline | null) => (offline === null ? null : offlineJson(offline))
  return {
    spec,
    members: members.map(({ id, port, state, reason, node, clientConnections }) => ({
      id,
      port,
      state,
      reason,
      node,
      clientConnections,
    })),
    absent: absent.map(({ id, name, offline }) => ({ id, name, offline: shown(offline) })),
    operatorSteps: spec.kind === 'external' ? [OPERATOR_STEPS.out, OPERATOR_STEPS.in] : [],
  }
}
