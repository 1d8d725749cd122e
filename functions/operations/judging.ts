/** The step that judges what a host has shown: findings are written down once, as they are now. */
import { type ProbeFacts, probeFactsSchema } from '#contract/probe'
import type { ProblemView } from '../domain/model.ts'
import { put, type Store } from '../domain/store.ts'
import {
  findingsOf,
  linesOf,
  noticesOf,
  parameterDifferences,
  type Surroundings,
} from '../domain/take-over.ts'
import type { Finding } from '../domain/take-over-check.ts'
import { beginStep, endStep } from './ending.ts'
import type { Member } from './member.ts'

const MAX_DETAIL_CHARS = 600

/** Judges what the step before has brought. Returns why it cannot, or why a take-over may not go on. */
export async function judge(
  store: Store,
  { operation, step }: Member,
  now: number,
): Promise<ProblemView | null> {
  const [task] = operation.tasks
  const [facts, picture] = await Promise.all([
    factsOf(store, operation.id, operation.stepsDone - 1),
    store.cluster(operation.clusterId),
  ])
  if (picture === null) return { code: 'not-found', detail: 'the cluster is gone' }
  if (facts === null || task?.foreign === undefined)
    return { code: 'node-command-failed', detail: 'the answer of the host cannot be read' }
  const [host, known, earlier] = await Promise.all([
    store.get('host', { id: task.hostId }),
    store.getMany(
      'obCluster',
      linesOf(facts.obClusters).map(name => ({ name })),
    ),
    store.get('result', { operationId: operation.id }),
  ])
  const { name, spec } = picture.cluster
  const around: Surroundings = {
    cluster: { name, spec, hasNodes: picture.nodes.length > 0 },
    obClusters: new Set(known.map(each => each.name)),
    // The node of this very operation is on the host when it is tried again.
    nodeId: host?.nodeId === task.nodeId ? null : (host?.nodeId ?? null),
    mayChangeParameters: task.foreign.mayChangeParameters,
    isForced: task.foreign.isForced ?? false,
  }
  const findings = findingsOf(facts, around)
  const against = findings.filter(({ ok }) => !ok)
  const result = put('result', {
    hostId: task.hostId,
    operationId: operation.id,
    mayTakeOver: against.length === 0,
    findings,
    differing: facts.differing,
    differences: parameterDifferences(facts, around),
    notices: noticesOf(facts, around),
    error: null,
    version: earlier?.version ?? 0,
  })
  if (operation.type === 'take-over-node' && against.length > 0) {
    await store.commit([result])
    return refusal(against)
  }
  await store.commit([
    result,
    put('step', endStep(beginStep(operation, step, now, null), 'SUCCEEDED', now)),
    put('operation', { ...operation, stepsDone: operation.stepsDone + 1 }),
  ])
  return null
}

function refusal(against: readonly Finding[]): ProblemView {
  const detail = against.map(({ id, detail: why }) => `${id}: ${why}`).join('; ')
  return { code: 'take-over-refused', detail: detail.slice(0, MAX_DETAIL_CHARS) }
}

/** What a look has brought, of its step at `n`; null when that cannot be read. */
export async function factsOf(
  store: Store,
  operationId: string,
  n: number,
): Promise<ProbeFacts | null> {
  const step = await store.get('step', { operationId, n })
  try {
    return probeFactsSchema.parse(JSON.parse(step?.output ?? ''))
  } catch {
    return null
  }
}
