/** Proxy clusters: create, read, delete, add nodes, start, stop, restart. */
import { createRoute, z } from '@hono/zod-openapi'
import {
  clusterNameSchema,
  homeSchema,
  portSchema,
  secretReferenceSchema,
} from '#contract/node-state'
import { beginsLikeId } from '../domain/ids.ts'
import { TARGET_GROUP_FORM } from '../domain/load-balancer.ts'
import { CLUSTER_PHASES, type Cluster } from '../domain/model.ts'
import { fitsOrder, MAX_PARAMETERS_CHARS } from '../domain/parameters.ts'
import type { ClusterInput, NodeInput, Outcome, Plane } from '../domain/plane.ts'
import type { AppContext } from '../middleware/env.ts'
import { changeAsked, entityTag, isKnown, replayHeaders } from '../middleware/requests.ts'
import { actionRoute } from './actions.ts'
import { changeQuerySchema, planned, plannedResponse } from './dry-run.ts'
import {
  IF_MATCH,
  IF_NONE_MATCH,
  KEY_OPTIONAL,
  KEY_REQUIRED,
  NOT_CHANGED,
  named,
  REPLAYABLE,
  TAGGED,
} from './headers.ts'
import { DESIRED_STATES, deleteInput, deleteQuerySchema, nodeJson, nodeSchema } from './nodes.ts'
import { accepted, acceptedResponse, gone, router } from './operations.ts'
import { versionSchema } from './rollout.ts'
import {
  body,
  conditionSchema,
  conditionsJson,
  configAccessSchema,
  holdSchema,
  json,
  pageOf,
  pageQuerySchema,
  pageRequest,
  probeAccountSchema,
  problemResponse,
  refParams,
  tagsSchema,
  timeSchema,
  timeText,
} from './schemas.ts'

export const MAX_NODES = 100
const DEFAULT_PORTS = { sql: 2883, exporter: 2884 }
const DEFAULT_INSTALL = { path: '/home/admin/obproxy' }

const nameSchema = clusterNameSchema
  .refine(name => !beginsLikeId(name), 'a name may not begin like an id')
  .openapi({ example: 'orders' })

const hostIdSchema = z.string().regex(/^m?i-[0-9a-f]{8,17}$/, 'an instance id')

export const nodeInputSchema = z
  .strictObject({
    host: hostIdSchema,
    idc: z.string().min(1).max(64).optional(),
    desiredState: z.enum(DESIRED_STATES).optional(),
  })
  .openapi('NodeInput')

const linkSchema = z.strictObject({
  obCluster: z.string().min(1).max(128),
  default: z.boolean().default(true),
  probeAccount: probeAccountSchema.optional(),
})

export const parametersSchema = z
  .record(z.string().min(1).max(100), z.string().max(4_000))
  .refine(fitsOrder, `at most ${MAX_PARAMETERS_CHARS} characters in all`)

const portsSchema = z.strictObject({
  sql: portSchema.default(DEFAULT_PORTS.sql),
  exporter: portSchema.default(DEFAULT_PORTS.exporter),
})

export const balancerSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('target-group'),
      targetGroupArn: z.string().max(256).regex(TARGET_GROUP_FORM, 'the ARN of a target group'),
      targetBy: z.enum(['instance', 'ip']),
    }),
    z.strictObject({ kind: z.literal('external') }),
  ])
  .openapi('LoadBalancer', {
    description:
      'A target group whose members follow the nodes, named by instance or by address; or one that somebody else manages.',
  })

export const clusterInputSchema = z
  .strictObject({
    name: nameSchema,
    tags: tagsSchema.default({}),
    spec: z.strictObject({
      workMode: z.enum(['RS_LIST', 'CONFIG_URL']),
      version: versionSchema,
      ports: portsSchema.default(DEFAULT_PORTS),
      install: z.strictObject({ path: homeSchema }).default(DEFAULT_INSTALL),
      nodes: z.array(nodeInputSchema).max(MAX_NODES).default([]),
      links: z.array(linkSchema).max(50),
      parameters: parametersSchema.default({}),
      sysPasswordSecret: secretReferenceSchema.optional(),
      deletionProtection: z.boolean().default(false),
      loadBalancer: balancerSchema.nullable().default(null),
    }),
  })
  .openapi('ClusterInput')

export const clusterSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    revision: z.int(),
    generation: z.int(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    tags: z.record(z.string(), z.string()),
    spec: z.object({
      workMode: z.enum(['RS_LIST', 'CONFIG_URL']),
      version: z.string(),
      ports: z.object({ sql: z.int(), exporter: z.int() }),
      install: z.object({ path: z.string() }),
      nodes: z.array(
        z.object({
          host: z.string(),
          idc: z.string().optional(),
          desiredState: z.enum(DESIRED_STATES),
        }),
      ),
      links: z.array(
        z.object({
          obCluster: z.string(),
          default: z.boolean(),
          probeAccount: probeAccountSchema.optional(),
        }),
      ),
      parameters: z.record(z.string(), z.string()),
      sysPasswordSecret: z.string(),
      deletionProtection: z.boolean(),
      loadBalancer: balancerSchema.nullable(),
    }),
    status: z.object({
      phase: z.enum(CLUSTER_PHASES).openapi({
        description:
          'What of it serves, whatever was wanted: DEGRADED as soon as one node does not run, also when it was stopped on purpose; `desiredState` and status of its nodes tell which.',
      }),
      observedGeneration: z.int(),
      parameterVersion: z.int(),
      config: configAccessSchema.nullable().openapi({
        description: 'What its nodes ask for their OB clusters; null in work mode RS_LIST.',
      }),
      nodeCount: z.int(),
      nodesToRefresh: z.int().openapi({
        description:
          'Nodes that run without the newest parameters; `refresh` brings them up to date.',
      }),
      pendingRestart: z.array(z.string()).openapi({
        description:
          'Parameters that some node has stored and works without until it is restarted.',
      }),
      heldBy: holdSchema.nullable(),
      conditions: z.array(conditionSchema),
    }),
  })
  .openapi('Cluster')

export function clusterJson(cluster: Cluster): z.infer<typeof clusterSchema> {
  const { id, name, revision, generation, createdAt, updatedAt, tags, spec } = cluster
  return {
    id,
    name,
    revision,
    generation,
    createdAt: timeText(createdAt),
    updatedAt: timeText(updatedAt),
    tags: { ...tags },
    spec: {
      ...spec,
      nodes: cluster.nodes.map(({ idc, ...node }) => (idc === null ? node : { ...node, idc })),
      links: [...spec.links],
      parameters: { ...spec.parameters },
      loadBalancer: spec.loadBalancer ?? null,
    },
    status: {
      phase: cluster.phase,
      observedGeneration: generation,
      parameterVersion: cluster.parameterVersion,
      config: cluster.config,
      nodeCount: cluster.nodes.length,
      nodesToRefresh: cluster.nodesToRefresh,
      pendingRestart: [...cluster.pendingRestart],
      heldBy: cluster.heldBy,
      conditions: conditionsJson(cluster.conditions),
    },
  }
}

const list = createRoute({
  ...named('listClusters', 'List proxy clusters'),
  method: 'get',
  path: '/',
  request: { query: pageQuerySchema },
  responses: { 200: json(pageOf(clusterSchema), 'By name'), default: problemResponse },
})

const get = createRoute({
  ...named('getCluster', 'Read a proxy cluster'),
  parameters: [IF_NONE_MATCH],
  method: 'get',
  path: '/{ref}',
  request: { params: refParams, query: z.strictObject({}) },
  responses: {
    200: { ...json(clusterSchema, 'The cluster'), ...TAGGED },
    304: NOT_CHANGED,
    default: problemResponse,
  },
})

const create = createRoute({
  ...named('createCluster', 'Create a proxy cluster'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/',
  description:
    'In work mode RS_LIST the one link is given here. In CONFIG_URL there may be none to begin with; links are added and deleted while nodes run.',
  request: { query: changeQuerySchema, ...body(clusterInputSchema) },
  responses: {
    200: plannedResponse,
    201: {
      ...json(clusterSchema, 'Made before, by a request with this key'),
      ...REPLAYABLE,
    },
    202: acceptedResponse,
    default: problemResponse,
  },
})

const remove = createRoute({
  ...named('deleteCluster', 'Delete a proxy cluster'),
  parameters: [IF_MATCH, KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}',
  description:
    'Stops and uninstalls every node, or releases it (`mode`, as for a node); needs `confirm` with the name. While a proxy that would be stopped has clients it is refused as `in-use`, unless `force=true`. Where one is released the password of root@proxysys stays, and the operation names it in `notices`.',
  request: { params: refParams, query: deleteQuerySchema },
  responses: {
    200: plannedResponse,
    202: acceptedResponse,
    204: { description: 'Nothing was left to do' },
    default: problemResponse,
  },
})

const nodes = createRoute({
  ...named('listClusterNodes', 'List the nodes of a proxy cluster'),
  method: 'get',
  path: '/{ref}/nodes',
  request: { params: refParams, query: pageQuerySchema },
  responses: { 200: json(pageOf(nodeSchema), 'By id'), default: problemResponse },
})

export function clusterRoutes({ clusters }: Plane) {
  return router()
    .openapi(list, async c => {
      const page = await clusters.list(pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(clusterJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(get, async c => {
      const cluster = await clusters.get(c.req.valid('param').ref)
      const shown = clusterJson(cluster)
      const tag = entityTag(cluster.revision, [shown.status, shown.spec.nodes])
      if (isKnown(c, tag)) return c.body(null, 304, { etag: tag })
      return c.json(shown, 200, { etag: tag, 'cache-control': 'no-cache' })
    })
    .openapi(create, async c => {
      const input = c.req.valid('json')
      const outcome = await clusters.create(changeAsked(c, input), clusterInput(input))
      if (outcome.kind === 'planned') return planned(c, outcome.plan)
      if (outcome.kind === 'accepted') return accepted(c, outcome)
      return c.json(clusterJson(outcome.value), 201, replayHeaders(outcome.isReplayed))
    })
    .openapi(remove, async c => {
      const { ref } = c.req.valid('param')
      const input = await deleteInput(c, c.req.valid('query'), () => clusters.get(ref))
      return gone(c, await clusters.remove(changeAsked(c, null, false), ref, input))
    })
    .openapi(nodes, async c => {
      const page = await clusters.nodes(c.req.valid('param').ref, pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(nodeJson), nextCursor: page.nextCursor }, 200)
    })
}

/** Something that is done to a cluster; its id is `startCluster` for the verb `start`, unless it is named. */
export function ofCluster<V extends string, S extends z.ZodType>(
  verb: V,
  of: {
    readonly id?: string
    readonly summary: string
    readonly description: string
    readonly input: S
    readonly isNeeded?: boolean
  },
) {
  return actionRoute({ id: `${verb}Cluster`, ...of, verb, shown: clusterSchema })
}

export function settledCluster(c: AppContext, outcome: Outcome<Cluster>) {
  if (outcome.kind === 'planned') return planned(c, outcome.plan)
  if (outcome.kind === 'accepted') return accepted(c, outcome)
  return c.json(clusterJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
}

export function nodeInput({ host, idc, desiredState }: z.infer<typeof nodeInputSchema>): NodeInput {
  return {
    host,
    ...(idc === undefined ? {} : { idc }),
    ...(desiredState === undefined ? {} : { desiredState }),
  }
}

export function clusterInput({
  name,
  tags,
  spec,
}: z.infer<typeof clusterInputSchema>): ClusterInput {
  const { sysPasswordSecret, loadBalancer, ...rest } = spec
  return {
    name,
    tags,
    spec: {
      ...rest,
      nodes: spec.nodes.map(nodeInput),
      ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }),
      ...(loadBalancer === null ? {} : { loadBalancer }),
    },
  }
}
