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
import { beginStep, endStep } from './ending.ts'
import type { Member } from './member.ts'

/** Judges what the step before has brought. Returns why it cannot. */
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
    nodeId: host?.nodeId ?? null,
    mayChangeParameters: task.foreign.mayChangeParameters,
  }
  const findings = findingsOf(facts, around)
  const begun = beginStep(operation, step, now, null)
  await store.commit([
    put('result', {
      hostId: task.hostId,
      operationId: operation.id,
      mayTakeOver: findings.every(({ ok }) => ok),
      findings,
      differing: facts.differing,
      differences: parameterDifferences(facts, around),
      notices: noticesOf(facts, around),
      error: null,
      version: earlier?.version ?? 0,
    }),
    put('step', endStep(begun, 'SUCCEEDED', now)),
    put('operation', { ...operation, stepsDone: operation.stepsDone + 1 }),
  ])
  return null
}

async function factsOf(store: Store, operationId: string, n: number): Promise<ProbeFacts | null> {
  const step = await store.get('step', { operationId, n })
  try {
    return probeFactsSchema.parse(JSON.parse(step?.output ?? ''))
  } catch {
    return null
  }
}
