/**
 * Use cases that look at nodes of ours and change nothing: no lock is taken, so that they get in nobody's
 * way, and whoever wonders why an operation takes so long may look meanwhile. A node asks for the place of
 * its logs when it has them: a signed URL in the order would lie in the table for as long as the wave does.
 * Source: management-beyond.md §3.
 */
import { DIAGNOSIS_MAX_BYTES, type Diagnosis } from '#contract/diagnosis'
import type { LogFilter, LogUpload } from '#contract/log-filter'
import { BadPattern, logPattern } from '#contract/log-pattern'
import type { Cluster, Node, Principal } from '../domain/model.ts'
import { bundleKey } from '../domain/names.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import type { ClusterOperationType, NodeOperationType } from '../domain/plan.ts'
import type { Asked, LogsInput, NodesInput, Outcome, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { put } from '../domain/store.ts'
import { hasEnded } from '../operations/member.ts'
import { nodeOfInstance, pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps, settled } from './context.ts'
import type { Found } from './on-node.ts'
import { byName, chosen, newOperation, taskOf } from './plans.ts'

/** As many as one command is sent to, and one answer shows. */
const MAX_LOOKED_AT = 50
const DEFAULT_PERIOD_MS = 3_600_000

type ClusterLook = Extract<ClusterOperationType, 'diagnose' | 'collect-logs'>
type NodeLook = Extract<NodeOperationType, 'diagnose-node' | 'collect-logs-node'>

export function diagnoseCluster(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: NodesInput,
): Promise<Outcome<Cluster>> {
  return lookAtCluster(deps, asked, { ref, input, type: 'diagnose' })
}

export async function collectLogsOfCluster(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  { nodes, ...input }: NodesInput & LogsInput,
): Promise<Outcome<Cluster>> {
  const more = { logs: filterOf(deps, input) }
  const chosenNodes = nodes === undefined ? {} : { nodes }
  return lookAtCluster(deps, asked, { ref, input: chosenNodes, type: 'collect-logs', more })
}

/** @throws Problem operation-not-allowed, validation-failed */
function filterOf({ logBundles, clock }: PlaneDeps, { from, to, ...rest }: LogsInput): LogFilter {
  if (logBundles === null)
    throw new Problem('operation-not-allowed', 'there is no bucket for bundles of logs', {
      remedy: 'set one, then try again',
    })
  const until = to ?? clock.now()
  const since = from ?? until - DEFAULT_PERIOD_MS
  if (since > until)
    throw new Problem('validation-failed', 'the period ends before it begins', {
      errors: [{ pointer: '/from', code: 'order', detail: 'it is later than `to`' }],
    })
  try {
    if (rest.pattern !== undefined) logPattern(rest.pattern)
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error
    throw new Problem('validation-failed', 'the pattern is none that can be matched quickly', {
      errors: [{ pointer: '/pattern', code: 'pattern', detail: error.message }],
    })
  }
  return { ...rest, from: since, to: until }
}

type Looking = {
  readonly ref: string
  readonly input: NodesInput
  readonly type: ClusterLook
  readonly more?: Partial<NodeTask>
}

function lookAtCluster(
  deps: PlaneDeps,
  asked: Asked,
  { ref, input, type, more = {} }: Looking,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    const { cluster } = picture
    const nodes = [...chosen(picture, input.nodes)].sort(byName)
    if (nodes.length > MAX_LOOKED_AT)
      throw new Problem('validation-failed', `at most ${MAX_LOOKED_AT} nodes at a time`, {
        errors: [{ pointer: '/nodes', code: 'too-many', detail: `name ${MAX_LOOKED_AT} at most` }],
      })
    if (nodes.length === 0)
      return { kind: 'done', action: type, ref: cluster.id, isCreated: false, changes: [] }
    const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
    const tasks = nodes.map(node => ({ ...taskOf(node), ...more }))
    const operation = newOperation(asked, deps.clock.now(), { type, cluster, target, tasks })
    return { kind: 'accept', operation, changes: [] }
  })
}

function lookAtNode(
  { clock }: PlaneDeps,
  asked: Asked,
  { picture: { cluster }, node }: Found,
  { type, more = {} }: { readonly type: NodeLook; readonly more?: Partial<NodeTask> },
): Decision {
  const target = { kind: 'node' as const, id: node.id, name: node.name }
  const tasks = [{ ...taskOf(node), ...more }]
  const operation = newOperation(asked, clock.now(), { type, cluster, target, tasks })
  return { kind: 'accept', operation, changes: [] }
}

export function looksAtNode(
  deps: PlaneDeps,
  find: (ref: string) => Promise<Found>,
  view: (ref: string) => Promise<Node>,
): Pick<Plane['nodes'], 'diagnose' | 'collectLogs' | 'placeForLogs' | 'takeDiagnosis'> {
  return {
    diagnose: (asked, ref) =>
      mutate(deps, asked, view, async () =>
        lookAtNode(deps, asked, await find(ref), { type: 'diagnose-node' }),
      ),
    collectLogs: (asked, ref, input) =>
      mutate(deps, asked, view, async () => {
        const more = { logs: filterOf(deps, input) }
        return lookAtNode(deps, asked, await find(ref), { type: 'collect-logs-node', more })
      }),
    placeForLogs: (principal, nodeId, upload) => placeForLogs(deps, principal, nodeId, upload),
    takeDiagnosis: (principal, nodeId, document) =>
      settled(() => takeDiagnosis(deps, principal, nodeId, document)),
  }
}

/** The same place for the same operation: what is sent twice lies there once. */
async function placeForLogs(
  deps: PlaneDeps,
  principal: Principal,
  nodeId: string,
  upload: LogUpload,
): Promise<string> {
  const { store, logBundles } = deps
  await nodeOfInstance(store, principal, nodeId, upload)
  if (logBundles === null)
    throw new Problem('operation-not-allowed', 'there is no bucket for bundles of logs')
  await requireAsked(deps, upload.operationId, { type: 'collect-logs-node', nodeId })
  return logBundles.putUrl(bundleKey(upload.operationId), upload.bytes)
}

/** A second one of the same operation takes the place of the first: the verb may run twice. */
async function takeDiagnosis(
  { store, clock }: PlaneDeps,
  principal: Principal,
  nodeId: string,
  document: Diagnosis,
): Promise<void> {
  await nodeOfInstance(store, principal, nodeId, document)
  if (Buffer.byteLength(JSON.stringify(document)) > DIAGNOSIS_MAX_BYTES)
    throw new Problem('body-too-large', `a diagnosis has at most ${DIAGNOSIS_MAX_BYTES} bytes`)
  const { operationId } = document
  await requireAsked({ store }, operationId, { type: 'diagnose-node', nodeId })
  const earlier = await store.get('diagnosis', { operationId })
  await store.commit([
    put('diagnosis', {
      operationId,
      document,
      receivedAt: clock.now(),
      version: earlier?.version ?? 0,
    }),
  ])
}

/** @throws Problem not-found, operation-state-conflict: nobody waits for it */
async function requireAsked(
  { store }: Pick<PlaneDeps, 'store'>,
  id: string,
  { type, nodeId }: { readonly type: NodeLook; readonly nodeId: string },
): Promise<void> {
  const operation = await store.get('operation', { id })
  if (operation === null || operation.type !== type || operation.target.id !== nodeId)
    throw new Problem('not-found', `${nodeId} was asked nothing by ${id}`)
  if (hasEnded(operation))
    throw new Problem('operation-state-conflict', `${id} is ${operation.phase}`)
}
