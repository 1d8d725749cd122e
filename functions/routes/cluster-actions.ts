/** What is done to the nodes of a proxy cluster: add, start, stop, restart, upgrade, refresh. */
import { createRoute, z } from '@hono/zod-openapi'
import { secretReferenceSchema } from '#contract/node-state'
import type { Cluster } from '../domain/model.ts'
import type { Outcome, Plane } from '../domain/plane.ts'
import type { AppContext } from '../middleware/env.ts'
import { askedOf, replayHeaders } from '../middleware/requests.ts'
import { clusterJson, clusterSchema, MAX_NODES, nodeInput, nodeInputSchema } from './clusters.ts'
import { KEY_REQUIRED, named, REPLAYABLE } from './headers.ts'
import { accepted, acceptedResponse, router } from './operations.ts'
import { replaceInput, replaceSchema, versionSchema } from './rollout.ts'
import {
  body,
  chosenNodes,
  json,
  nodesSchema,
  nothingSchema,
  problemResponse,
  refParams,
} from './schemas.ts'

const changed = {
  200: { ...json(clusterSchema, 'It is so already'), ...REPLAYABLE },
  202: acceptedResponse,
  default: problemResponse,
}

const addNodes = createRoute({
  ...named('addNodes', 'Add nodes to a proxy cluster'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/nodes',
  request: {
    params: refParams,
    query: nothingSchema,
    ...body(z.strictObject({ nodes: z.array(nodeInputSchema).min(1).max(MAX_NODES) })),
  },
  responses: changed,
})

function action<T extends z.ZodType>(
  verb: 'start' | 'stop' | 'restart' | 'upgrade' | 'refresh',
  schema: T,
  { description, isNeeded = false }: { readonly description: string; readonly isNeeded?: boolean },
) {
  return createRoute({
    ...named(
      `${verb}Cluster`,
      `${verb[0]?.toUpperCase()}${verb.slice(1)} nodes of a proxy cluster`,
    ),
    parameters: [KEY_REQUIRED],
    method: 'post',
    path: `/{ref}/${verb}`,
    description,
    request: { params: refParams, query: nothingSchema, ...body(schema, isNeeded) },
    responses: changed,
  })
}

const restartNodesSchema = z.strictObject({ ...nodesSchema.shape, ...replaceSchema.shape })
const upgradeNodesSchema = z.strictObject({ ...restartNodesSchema.shape, version: versionSchema })

const rotateSysPassword = createRoute({
  ...named('rotateSysPassword', 'Replace the password of root@proxysys'),
  parameters: [KEY_REQUIRED],
  method: 'post',
  path: '/{ref}/rotate-sys-password',
  description:
    'Nodes that run get the new password now, one first; stopped ones at their next start. With `sysPasswordSecret` it is the one under that name, otherwise the plane makes one. No password is ever in a request or an answer.',
  request: {
    params: refParams,
    query: nothingSchema,
    ...body(z.strictObject({ sysPasswordSecret: secretReferenceSchema.optional() }), false),
  },
  responses: changed,
})

const start = action('start', nodesSchema, {
  description: 'Starts stopped nodes, all or those named.',
})
const stop = action('stop', nodesSchema, {
  description: 'Stops nodes; they stay stopped over a reboot.',
})
const restart = action('restart', restartNodesSchema, {
  description:
    'Restarts nodes, hot and wave by wave unless asked otherwise; forced, one after the other. `auto` is hot where every node can.',
})
const upgrade = action('upgrade', upgradeNodesSchema, {
  description:
    'Upgrades nodes, hot and wave by wave unless asked otherwise. A wave that fails is put back, and nothing begins behind it.',
  isNeeded: true,
})
const refresh = action('refresh', nodesSchema, {
  description: 'Gives nodes that are behind the cluster’s parameters; none is restarted.',
})

export function clusterActions({ clusters }: Plane) {
  return router()
    .openapi(addNodes, async c => {
      const input = c.req.valid('json')
      const wanted = input.nodes.map(nodeInput)
      return settled(
        c,
        await clusters.addNodes(askedOf(c, input), c.req.valid('param').ref, wanted),
      )
    })
    .openapi(start, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settled(c, await clusters.start(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(stop, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settled(c, await clusters.stop(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(restart, async c => {
      const { nodes: chosen, ...rest } = restartNodesSchema.parse(c.req.valid('json'))
      const input = { ...chosenNodes({ nodes: chosen }), ...replaceInput(rest) }
      return settled(c, await clusters.restart(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(upgrade, async c => {
      const { nodes: chosen, version, ...rest } = c.req.valid('json')
      const input = { ...chosenNodes({ nodes: chosen }), ...replaceInput(rest), version }
      return settled(c, await clusters.upgrade(askedOf(c, input), c.req.valid('param').ref, input))
    })
    .openapi(rotateSysPassword, async c => {
      const input = c.req.valid('json') ?? {}
      const { ref } = c.req.valid('param')
      const { sysPasswordSecret } = input
      return settled(c, await clusters.rotateSysPassword(askedOf(c, input), ref, sysPasswordSecret))
    })
    .openapi(refresh, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settled(c, await clusters.refresh(askedOf(c, input), c.req.valid('param').ref, input))
    })
}

function settled(c: AppContext, outcome: Outcome<Cluster>) {
  if (outcome.kind === 'accepted') return accepted(c, outcome)
  return c.json(clusterJson(outcome.value), 200, replayHeaders(outcome.isReplayed))
}
