/** The balancer in front of a proxy cluster, and which of its nodes it sends clients to. */
import { createRoute, z } from '@hono/zod-openapi'
import { type BalancerSpec, MEMBER_STATES } from '../domain/load-balancer.ts'
import type { Cluster, ClusterBalancer, Node, Offline } from '../domain/model.ts'
import type { OfflineInput, Outcome, Plane } from '../domain/plane.ts'
import type { AppContext } from '../middleware/env.ts'
import { askedOf, replayHeaders } from '../middleware/requests.ts'
import { balancerSchema, clusterJson, clusterSchema } from './clusters.ts'
import { KEY_OPTIONAL, KEY_REQUIRED, named, REPLAYABLE } from './headers.ts'
import { nodeJson, nodeSchema, offlineJson, offlineSchema } from './nodes.ts'
import { accepted, acceptedResponse, router } from './operations.ts'
import {
  body,
  chosenNodes,
  json,
  nodesSchema,
  nothingSchema,
  problemResponse,
  refParams,
} from './schemas.ts'

/** What nobody but who manages an external balancer can do. */
const OPERATOR_STEPS = [
  'before a stop, a deletion, or a forced restart or upgrade: take the node out of the balancer and wait until it has no client',
  'after a start, and once a new node runs: take it in',
]

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
  request: { params: refParams, query: nothingSchema, ...body(balancerSchema) },
  responses: {
    200: { ...json(clusterSchema, 'It is so'), ...REPLAYABLE },
    202: acceptedResponse,
    default: problemResponse,
  },
})

const remove = createRoute({
  ...named('deleteLoadBalancer', 'Take the load balancer of a proxy cluster away'),
  parameters: [KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}/load-balancer',
  description: 'The nodes leave the target group; the group itself stays.',
  request: { params: refParams, query: nothingSchema },
  responses: {
    202: acceptedResponse,
    204: { description: 'It is gone' },
    default: problemResponse,
  },
})

const OUT =
  'No new connections from the balancer; those that are there stay, and the process runs on. Nothing but `online` takes the node back in.'
const IN = 'Back into the balancer; a stopped node comes in when it is started.'

function ofCluster<T extends z.ZodType>(
  side: 'offline' | 'online',
  schema: T,
  description: string,
) {
  return createRoute({
    ...named(`${side}Cluster`, `Take nodes of a proxy cluster ${side}`),
    parameters: [KEY_REQUIRED],
    method: 'post',
    path: `/{ref}/${side}`,
    description,
    request: { params: refParams, query: nothingSchema, ...body(schema, false) },
    responses: {
      200: { ...json(clusterSchema, 'It is so already'), ...REPLAYABLE },
      202: acceptedResponse,
      default: problemResponse,
    },
  })
}

function ofNode<T extends z.ZodType>(side: 'offline' | 'online', schema: T, description: string) {
  return createRoute({
    ...named(`${side}Node`, `Take a node ${side}`),
    parameters: [KEY_REQUIRED],
    method: 'post',
    path: `/{ref}/${side}`,
    description,
    request: { params: refParams, query: nothingSchema, ...body(schema, false) },
    responses: {
      200: { ...json(nodeSchema, 'It is so already'), ...REPLAYABLE },
      202: acceptedResponse,
      default: problemResponse,
    },
  })
}

const offlineNodesInput = z.strictObject({ ...nodesSchema.shape, ...offlineInput.shape })
const offlineCluster = ofCluster('offline', offlineNodesInput, OUT)
const onlineCluster = ofCluster('online', nodesSchema, IN)
const offlineNode = ofNode('offline', offlineInput, OUT)
const onlineNode = ofNode('online', nothingSchema, IN)

export function loadBalancerRoutes({ clusters }: Plane) {
  return router()
    .openapi(get, async c =>
      c.json(balancerJson(await clusters.loadBalancer(c.req.valid('param').ref)), 200),
    )
    .openapi(put, async c => {
      const input: BalancerSpec = c.req.valid('json')
      const asked = askedOf(c, input, false)
      return settled(c, await clusters.attachBalancer(asked, c.req.valid('param').ref, input))
    })
    .openapi(remove, async c => {
      const asked = askedOf(c, null, false)
      const outcome = await clusters.detachBalancer(asked, c.req.valid('param').ref)
      return outcome.kind === 'accepted' ? accepted(c, outcome) : c.body(null, 204)
    })
    .openapi(offlineCluster, async c => {
      const { nodes, ...rest } = offlineNodesInput.parse(c.req.valid('json'))
      const input = { ...chosenNodes({ nodes }), ...given(rest) }
      return settled(c, await clusters.offline(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(onlineCluster, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settled(c, await clusters.online(askedOf(c, input), c.req.valid('param').ref, input))
    })
}

export function nodeMembershipRoutes({ nodes }: Plane) {
  return router()
    .openapi(offlineNode, async c => {
      const input = given(offlineInput.parse(c.req.valid('json')))
      return settledNode(c, await nodes.offline(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(onlineNode, async c =>
      settledNode(c, await nodes.online(askedOf(c, c.req.valid('json')), c.req.valid('param').ref)),
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
    operatorSteps: spec.kind === 'external' ? OPERATOR_STEPS : [],
  }
}

function settled(c: AppContext, outcome: Outcome<Cluster>) {
  if (outcome.kind === 'accepted') return accepted(c, outcome)
  return c.json(clusterJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
}

function settledNode(c: AppContext, outcome: Outcome<Node>) {
  if (outcome.kind === 'accepted') return accepted(c, outcome)
  return c.json(nodeJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
}
