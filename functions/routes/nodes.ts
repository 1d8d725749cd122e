/** Nodes: fleet-wide view, lifecycle of one, and the reports they send. */
import { createRoute, z } from '@hono/zod-openapi'
import { nodeReportSchema } from '#contract/report'
import { NODE_ORIGINS, NODE_STATUSES, type Node, type Offline } from '../domain/model.ts'
import type { DeleteInput, Outcome, Plane } from '../domain/plane.ts'
import type { AppContext } from '../middleware/env.ts'
import {
  changeAsked,
  entityTag,
  isKnown,
  matchedRevision,
  replayHeaders,
} from '../middleware/requests.ts'
import { actionRoute } from './actions.ts'
import { changeQuerySchema, planned, plannedResponse } from './dry-run.ts'
import { IF_MATCH, IF_NONE_MATCH, KEY_OPTIONAL, NOT_CHANGED, named, TAGGED } from './headers.ts'
import { accepted, acceptedResponse, gone, router } from './operations.ts'
import { modeSchema, rolloutOf, rolloutSchema, versionSchema } from './rollout.ts'
import {
  body,
  conditionSchema,
  conditionsJson,
  holdSchema,
  json,
  nothingSchema,
  pageOf,
  pageQuerySchema,
  pageRequest,
  problemResponse,
  refParams,
  timeOrNull,
  timeSchema,
  timeText,
} from './schemas.ts'

export const DESIRED_STATES = ['RUNNING', 'STOPPED'] as const

const reportSchema = z
  .object({
    receivedAt: timeSchema,
    at: timeSchema,
    sequence: z.int(),
    bootId: z.string(),
    status: z.enum(['RUNNING', 'STOPPED', 'UNAVAILABLE']),
    reason: z.string().nullable(),
    pid: z.int().nullable(),
    startedAt: timeSchema.nullable(),
    version: z.string().nullable(),
    lastOperationId: z.string().nullable(),
    parameterVersion: z.int().nullable(),
    clientConnections: z.int().nullable(),
    pendingRestart: z.array(z.string()).nullable(),
    serving: z.string().nullable(),
    memory: z.object({ used: z.int(), available: z.int() }).nullable().openapi({
      description:
        'Bytes that the proxy has, and that the host has besides. What is hot needs as much again.',
    }),
  })
  .openapi('Report', { description: 'What the node said last.' })

/** Why a node is out of its balancer on purpose. */
export const offlineSchema = z
  .object({ operationId: z.string(), reason: z.string().nullable(), since: timeSchema })
  .openapi('Offline', {
    description: 'It was taken out of its balancer on purpose, and stays out until `online`.',
  })

export function offlineJson({ operationId, reason, since }: Offline) {
  return { operationId, reason, since: timeText(since) }
}

export const nodeSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    revision: z.int(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    cluster: z.object({ id: z.string(), name: z.string() }),
    spec: z.object({
      host: z.string(),
      idc: z.string().nullable(),
      sqlPort: z.int(),
      exporterPort: z.int(),
      desiredState: z.enum(DESIRED_STATES),
      /** Null: its cluster's. */
      version: z.string().nullable(),
      origin: z.enum(NODE_ORIGINS),
      /** Null: its cluster's. */
      home: z.string().nullable(),
    }),
    status: z.object({
      status: z.enum(NODE_STATUSES),
      address: z.string(),
      proxyId: z.int(),
      heldBy: holdSchema.nullable(),
      offline: offlineSchema.nullable(),
      conditions: z.array(conditionSchema),
      isBehind: z.boolean().openapi({
        description:
          'It has not said that it has its cluster’s newest parameters. One that runs gets them by `refresh`, any other at its start.',
      }),
      report: reportSchema.nullable(),
    }),
  })
  .openapi('Node')

/** One node is no rollout: what is asked is how long it is watched, and its clients are let be. */
const replaceNodeSchema = z.strictObject({
  mode: modeSchema,
  rollout: rolloutSchema.pick({ bake: true, drain: true }).optional(),
})
const upgradeNodeSchema = z.strictObject({ ...replaceNodeSchema.shape, version: versionSchema })

function replacing({ mode, rollout }: z.infer<typeof replaceNodeSchema>) {
  return { mode, ...(rollout === undefined ? {} : { rollout: rolloutOf(rollout) }) }
}

export const deleteQuerySchema = z.strictObject({
  ...changeQuerySchema.shape,
  confirm: z.string().max(128).optional(),
  mode: z.enum(['uninstall', 'release']).optional(),
  skipHostWork: z.enum(['true', 'false']).default('false'),
  force: z.enum(['true', 'false']).default('false').openapi({
    description:
      '`true`: also while clients are connected, who are cut off then, and of one node also when too few healthy ones are left.',
  }),
})

export function nodeJson(node: Node): z.infer<typeof nodeSchema> {
  const { id, name, revision, createdAt, updatedAt, report } = node
  return {
    id,
    name,
    revision,
    createdAt: timeText(createdAt),
    updatedAt: timeText(updatedAt),
    cluster: { id: node.clusterId, name: node.clusterName },
    spec: {
      host: node.hostId,
      idc: node.idc,
      sqlPort: node.sqlPort,
      exporterPort: node.exporterPort,
      desiredState: node.desiredState,
      version: node.desiredVersion,
      origin: node.origin,
      home: node.home,
    },
    status: {
      status: node.status,
      address: node.host,
      proxyId: node.proxyId,
      heldBy: node.heldBy,
      offline: node.offline === null ? null : offlineJson(node.offline),
      conditions: conditionsJson(node.conditions),
      isBehind: node.isBehind,
      report: report === null ? null : reportJson(report),
    },
  }
}

function reportJson(report: NonNullable<Node['report']>): z.infer<typeof reportSchema> {
  return {
    receivedAt: timeText(report.receivedAt),
    at: timeText(report.at),
    sequence: report.sequence,
    bootId: report.bootId,
    status: report.status,
    reason: report.reason ?? null,
    pid: report.pid,
    startedAt: timeOrNull(report.startedAt),
    version: report.version,
    lastOperationId: report.lastOperationId,
    parameterVersion: report.parameterVersion,
    clientConnections: report.clientConnections,
    pendingRestart: report.pendingRestart === undefined ? null : [...report.pendingRestart],
    serving: report.serving ?? null,
    memory: report.memory ?? null,
  }
}

/** Preconditions of a DELETE: If-Match, confirmation, and whether the host can be reached. */
export async function deleteInput(
  c: AppContext,
  query: z.infer<typeof deleteQuerySchema>,
  current: () => Promise<{ readonly revision: number }>,
): Promise<DeleteInput> {
  return {
    revision: await matchedRevision(c, current),
    skipHostWork: query.skipHostWork === 'true',
    isForced: query.force === 'true',
    ...(query.confirm === undefined ? {} : { confirm: query.confirm }),
    ...(query.mode === undefined ? {} : { mode: query.mode }),
  }
}

const list = createRoute({
  ...named('listNodes', 'List the nodes of all clusters'),
  method: 'get',
  path: '/',
  request: { query: pageQuerySchema },
  responses: { 200: json(pageOf(nodeSchema), 'All nodes, by id'), default: problemResponse },
})

const get = createRoute({
  ...named('getNode', 'Read a node'),
  parameters: [IF_NONE_MATCH],
  method: 'get',
  path: '/{ref}',
  request: { params: refParams, query: z.strictObject({}) },
  responses: {
    200: { ...json(nodeSchema, 'The node'), ...TAGGED },
    304: NOT_CHANGED,
    default: problemResponse,
  },
})

const remove = createRoute({
  ...named('deleteNode', 'Delete a node'),
  parameters: [IF_MATCH, KEY_OPTIONAL],
  method: 'delete',
  path: '/{ref}',
  description:
    '`mode=uninstall` stops and removes the proxy; `release` leaves it serving, with its own watchdog and auto-start, and is what happens to one that was taken over unless asked otherwise. It has to be RUNNING: one that was down may have missed its password. Its password of root@proxysys stays with it; the operation names it in `notices`. `skipHostWork` forgets a node that is out of reach. A proxy that would be stopped while it has clients by its newest report is refused as `in-use`, one without which less than 50% of the nodes that should run stay healthy as `node-state-conflict`; both are done with `force=true`. What is behind a target group is taken out of it and drained first, either way.',
  request: { params: refParams, query: deleteQuerySchema },
  responses: {
    200: plannedResponse,
    202: acceptedResponse,
    204: { description: 'Nothing was left to do' },
    default: problemResponse,
  },
})

/** Something that is done to a node; `startNode` for the verb `start`. */
export function ofNode<V extends string, S extends z.ZodType>(
  verb: V,
  of: {
    readonly id?: string
    readonly summary: string
    readonly description: string
    readonly input: S
    readonly isNeeded?: boolean
  },
) {
  return actionRoute({ id: `${verb}Node`, ...of, verb, shown: nodeSchema })
}

const start = ofNode('start', {
  summary: 'Start a node',
  description: 'Starts the proxy.',
  input: nothingSchema,
})
const stop = ofNode('stop', {
  summary: 'Stop a node',
  description: 'Stops the proxy; it stays stopped over a reboot.',
  input: nothingSchema,
})
const restart = ofNode('restart', {
  summary: 'Restart a node',
  description:
    'Hot: another process takes over, clients stay until they are drained. `auto` is hot where it can be.',
  input: replaceNodeSchema,
})
const upgrade = ofNode('upgrade', {
  summary: 'Upgrade a node',
  description:
    'Installs the version and replaces the process, hot where it can be; what fails is put back. The operation is of its cluster, with this node alone.',
  input: upgradeNodeSchema,
  isNeeded: true,
})
const refresh = ofNode('refresh', {
  summary: 'Refresh the parameters of a node',
  description: 'Gives the proxy its cluster’s parameters; it is not restarted.',
  input: nothingSchema,
})

const report = createRoute({
  ...named('reportNode', 'Take a report of a node'),
  method: 'post',
  path: '/{ref}/report',
  description: 'From the node itself, signed by its instance. An older sequence changes nothing.',
  request: { params: refParams, query: nothingSchema, ...body(nodeReportSchema) },
  responses: { 204: { description: 'Taken' }, default: problemResponse },
})

export function nodeRoutes({ nodes }: Plane) {
  return router()
    .openapi(list, async c => {
      const page = await nodes.list(pageRequest(c.req.valid('query')))
      return c.json({ items: page.items.map(nodeJson), nextCursor: page.nextCursor }, 200)
    })
    .openapi(get, async c => {
      const node = await nodes.get(c.req.valid('param').ref)
      const shown = nodeJson(node)
      const tag = entityTag(node.revision, shown.status)
      if (isKnown(c, tag)) return c.body(null, 304, { etag: tag })
      return c.json(shown, 200, { etag: tag, 'cache-control': 'no-cache' })
    })
    .openapi(remove, async c => {
      const { ref } = c.req.valid('param')
      const input = await deleteInput(c, c.req.valid('query'), () => nodes.get(ref))
      return gone(c, await nodes.remove(changeAsked(c, null, false), ref, input))
    })
    .openapi(start, async c =>
      settledNode(
        c,
        await nodes.start(changeAsked(c, c.req.valid('json')), c.req.valid('param').ref),
      ),
    )
    .openapi(stop, async c =>
      settledNode(
        c,
        await nodes.stop(changeAsked(c, c.req.valid('json')), c.req.valid('param').ref),
      ),
    )
    .openapi(restart, async c => {
      const input = replaceNodeSchema.parse(c.req.valid('json'))
      const { ref } = c.req.valid('param')
      return settledNode(c, await nodes.restart(changeAsked(c, input), ref, replacing(input)))
    })
    .openapi(upgrade, async c => {
      const input = c.req.valid('json')
      const { ref } = c.req.valid('param')
      const wanted = { ...replacing(input), version: input.version }
      return settledNode(c, await nodes.upgrade(changeAsked(c, input), ref, wanted))
    })
    .openapi(refresh, async c =>
      settledNode(
        c,
        await nodes.refresh(changeAsked(c, c.req.valid('json')), c.req.valid('param').ref),
      ),
    )
    .openapi(report, async c => {
      await nodes.report(c.var.principal, c.req.valid('param').ref, c.req.valid('json'))
      return c.body(null, 204)
    })
}

export function settledNode(c: AppContext, outcome: Outcome<Node>) {
  if (outcome.kind === 'planned') return planned(c, outcome.plan)
  if (outcome.kind === 'accepted') return accepted(c, outcome)
  return c.json(nodeJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
}
