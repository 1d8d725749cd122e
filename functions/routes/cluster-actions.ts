/** What is done to the nodes of a proxy cluster: add, start, stop, restart, upgrade, refresh. */
import { z } from '@hono/zod-openapi'
import { secretReferenceSchema } from '#contract/node-state'
import type { Plane } from '../domain/plane.ts'
import { changeAsked } from '../middleware/requests.ts'
import { MAX_NODES, nodeInput, nodeInputSchema, ofCluster, settledCluster } from './clusters.ts'
import { router } from './operations.ts'
import { replaceInput, replaceSchema, versionSchema } from './rollout.ts'
import { chosenNodes, nodesSchema } from './schemas.ts'

const addNodes = ofCluster('nodes', {
  id: 'addNodes',
  summary: 'Add nodes to a proxy cluster',
  description: 'Installs and starts them; hosts must be free and online.',
  input: z.strictObject({ nodes: z.array(nodeInputSchema).min(1).max(MAX_NODES) }),
  isNeeded: true,
})

const restartNodesSchema = z.strictObject({ ...nodesSchema.shape, ...replaceSchema.shape })
const upgradeNodesSchema = z.strictObject({ ...restartNodesSchema.shape, version: versionSchema })

const start = ofCluster('start', {
  summary: 'Start nodes of a proxy cluster',
  description: 'Starts stopped nodes, all or those named.',
  input: nodesSchema,
})
const stop = ofCluster('stop', {
  summary: 'Stop nodes of a proxy cluster',
  description: 'Stops nodes; they stay stopped over a reboot.',
  input: nodesSchema,
})
const restart = ofCluster('restart', {
  summary: 'Restart nodes of a proxy cluster',
  description:
    'Hot and wave by wave unless asked otherwise; forced, one after the other. `auto` is hot where every node can.',
  input: restartNodesSchema,
})
const upgrade = ofCluster('upgrade', {
  summary: 'Upgrade nodes of a proxy cluster',
  description:
    'Hot and wave by wave unless asked otherwise. A wave that fails is put back, and nothing begins behind it.',
  input: upgradeNodesSchema,
  isNeeded: true,
})
const refresh = ofCluster('refresh', {
  summary: 'Refresh the parameters of nodes of a proxy cluster',
  description: 'Gives nodes that are behind the cluster’s parameters; none is restarted.',
  input: nodesSchema,
})
const rotateSysPassword = ofCluster('rotate-sys-password', {
  id: 'rotateSysPassword',
  summary: 'Replace the password of root@proxysys',
  description:
    'Nodes that run get the new password now, one first; stopped ones at their next start. With `sysPasswordSecret` it is the one under that name, otherwise the plane makes one. No password is ever in a request or an answer.',
  input: z.strictObject({ sysPasswordSecret: secretReferenceSchema.optional() }),
})

export function clusterActions({ clusters }: Plane) {
  return router()
    .openapi(addNodes, async c => {
      const input = c.req.valid('json')
      const wanted = input.nodes.map(nodeInput)
      return settledCluster(
        c,
        await clusters.addNodes(changeAsked(c, input), c.req.valid('param').ref, wanted),
      )
    })
    .openapi(start, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settledCluster(
        c,
        await clusters.start(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(stop, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settledCluster(
        c,
        await clusters.stop(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(restart, async c => {
      const { nodes: chosen, ...rest } = restartNodesSchema.parse(c.req.valid('json'))
      const input = { ...chosenNodes({ nodes: chosen }), ...replaceInput(rest) }
      return settledCluster(
        c,
        await clusters.restart(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(upgrade, async c => {
      const { nodes: chosen, version, ...rest } = c.req.valid('json')
      const input = { ...chosenNodes({ nodes: chosen }), ...replaceInput(rest), version }
      return settledCluster(
        c,
        await clusters.upgrade(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
    .openapi(rotateSysPassword, async c => {
      const input = c.req.valid('json') ?? {}
      const { ref } = c.req.valid('param')
      const { sysPasswordSecret } = input
      return settledCluster(
        c,
        await clusters.rotateSysPassword(changeAsked(c, input), ref, sysPasswordSecret),
      )
    })
    .openapi(refresh, async c => {
      const input = chosenNodes(nodesSchema.parse(c.req.valid('json')))
      return settledCluster(
        c,
        await clusters.refresh(changeAsked(c, input), c.req.valid('param').ref, input),
      )
    })
}
