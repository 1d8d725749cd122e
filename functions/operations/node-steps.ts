/** Local steps of a node's operation, and its end: each one transaction. */
import { createHash } from 'node:crypto'
import { keepingSysSecret } from '../domain/kept-secrets.ts'
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { StepName } from '../domain/plan.ts'
import type { ClusterRecord, HostRecord, NodeRecord } from '../domain/record.ts'
import { type Change, Conflict, put, remove, type Store } from '../domain/store.ts'
import { beginStep, type Ending, endOf, endStep, releaseNode, workDone } from './ending.ts'
import { judge } from './judging.ts'
import type { Member } from './member.ts'
import { placeOf } from './placing.ts'

const MAX_PROXY_ID = 8191
/** With every second id taken, one of two hundred million searches is in vain. */
const PROXY_ID_TRIES = 28

/** Ends a member in a way, its step with it. */
export async function endMember(
  store: Store,
  member: Member,
  ending: Ending,
  output: string | null = null,
): Promise<void> {
  const { operation, step } = member
  const { phase, error, now } = ending
  const isOpen = step !== null && step.phase === 'RUNNING'
  await store.commit([
    put('operation', endOf(operation, ending)),
    ...(isOpen ? [put('step', endStep(step, phase, now, { output, error }))] : []),
    ...releaseNode(asWanted(member, ending), operation, ending),
    ...workDone(await workOf(store, operation)),
  ])
}

/** Steps from which on a node is what its operation wants it to be. */
const TURNS: Readonly<Partial<Record<OperationRecord['type'], StepName>>> = {
  'start-node': 'start',
  'stop-node': 'stop',
  'restart-node': 'restart',
}

/**
 * The node as it should be when its operation ends early: where that has not reached it, as before. Else
 * whatever it is told next would carry a state that it does not have, and that its next boot would give it.
 */
function asWanted(
  { operation, step, node }: Member,
  { phase }: Pick<Ending, 'phase'>,
): NodeRecord | null {
  const { type, plan, stepsDone, desiredBefore } = operation
  const turn = TURNS[type]
  if (node === null || turn === undefined || desiredBefore === undefined) return node
  const isSent = plan[stepsDone] === turn && step?.phase === 'RUNNING' && step.sends > 0
  // What was called off is wanted no more; what has failed may have been done all the same.
  const mayBeDone = stepsDone > plan.indexOf(turn) || (phase === 'FAILED' && isSent)
  return mayBeDone ? node : { ...node, desiredState: desiredBefore }
}

async function workOf(store: Store, { id, isSelfDriven }: OperationRecord) {
  return isSelfDriven ? store.get('work', { operationId: id }) : null
}

/** The member's step is done and is not its last. */
export async function passStep(
  store: Store,
  member: Member,
  now: number,
  output: string | null,
): Promise<void> {
  await store.commit(passed(member, now, output))
}

function passed(
  { operation, step }: Member,
  now: number,
  output: string | null,
): readonly Change[] {
  const begun = step?.phase === 'RUNNING' ? step : beginStep(operation, step, now, null)
  return [
    put('step', endStep(begun, 'SUCCEEDED', now, { output })),
    put('operation', { ...operation, stepsDone: operation.stepsDone + 1 }),
  ]
}

/** Runs the local step a member is at. Returns why it cannot. */
export async function runLocalStep(
  store: Store,
  member: Member,
  now: number,
): Promise<ProblemView | null> {
  const name = member.operation.plan[member.operation.stepsDone]
  if (name === 'reserve') return reserve(store, member, now)
  if (name === 'judge') return judge(store, member, now)
  if (name === 'publish') return publish(store, member, now)
  await (name === 'forget' ? forget(store, member, now) : finish(store, member, now))
  return null
}

/** A node has logged in by the new link: from here on the config service answers with it. */
async function publish(store: Store, member: Member, now: number): Promise<null> {
  const cluster = await store.get('cluster', { id: member.operation.clusterId })
  const changes: Change[] = []
  if (cluster !== null) {
    const { linksServed: _before, ...served } = cluster
    changes.push(put('cluster', served))
  }
  await store.commit([...passed(member, now, null), ...changes])
  return null
}

async function finish(store: Store, member: Member, now: number): Promise<void> {
  const { node, operation } = member
  await store.commit([
    ...lastStep(member, now),
    ...releaseNode(node === null ? null : withVersion(node, operation), operation, succeeded(now)),
    ...workDone(await workOf(store, operation)),
  ])
}

/** What the node was given is what it should run from now on. */
export function withVersion(
  node: NodeRecord,
  { type, package: wanted, tasks }: OperationRecord,
): NodeRecord {
  const before = tasks[0]?.versionBefore
  if (type === 'upgrade-node' && wanted !== null) return { ...node, desiredVersion: wanted.version }
  return type === 'revert-node' && before !== undefined ? { ...node, desiredVersion: before } : node
}

function succeeded(now: number): Ending {
  return { phase: 'SUCCEEDED', error: null, now }
}

function lastStep({ operation, step }: Member, now: number): readonly Change[] {
  const last = endStep(beginStep(operation, step, now, null), 'SUCCEEDED', now)
  return [put('step', last), put('operation', endOf(operation, succeeded(now)))]
}

/** The node leaves the inventory; the host's fence stays. */
async function forget(store: Store, member: Member, now: number): Promise<void> {
  const { node, operation } = member
  if (node === null) return finish(store, member, now)
  const [host, place, proxyId, report, cluster] = await Promise.all([
    store.get('host', { id: node.hostId }),
    store.get('place', { nodeId: node.id }),
    store.get('proxyId', { proxyId: node.proxyId }),
    store.get('report', { clusterId: node.clusterId, nodeId: node.id }),
    store.get('cluster', { id: node.clusterId }),
  ])
  await store.commit([
    ...lastStep(member, now),
    remove('node', node),
    ...(host?.nodeId === node.id ? [put('host', { ...host, nodeId: null })] : []),
    ...(place === null ? [] : [remove('place', place)]),
    ...(proxyId?.nodeId === node.id ? [remove('proxyId', proxyId)] : []),
    ...(report === null ? [] : [remove('report', report)]),
    ...withReleased(cluster, operation),
    ...workDone(await workOf(store, operation)),
  ])
}

/** Its proxy serves on with the password that it has, whatever becomes of its cluster. */
function withReleased(
  cluster: ClusterRecord | null,
  { tasks }: OperationRecord,
): readonly Change[] {
  if (cluster === null || tasks[0]?.isReleased !== true) return []
  const kept = keepingSysSecret(cluster)
  return kept === cluster ? [] : [put('cluster', kept)]
}

/** Takes the host and puts the node into the inventory. */
async function reserve(store: Store, member: Member, now: number): Promise<ProblemView | null> {
  const { operation, node } = member
  if (node !== null) {
    // Of an earlier round: it was reserved and is held already.
    await passStep(store, member, now, null)
    return null
  }
  const [task] = operation.tasks
  if (task === undefined) return { code: 'internal-error', detail: 'an operation without a node' }
  const [host, picture] = await Promise.all([
    store.get('host', { id: task.hostId }),
    store.cluster(operation.clusterId),
  ])
  if (picture === null) return { code: 'not-found', detail: 'the cluster is gone' }
  const { cluster } = picture
  const place = await placeOf(store, operation, picture)
  if ('code' in place) return place
  if (host !== null && host.nodeId !== null && host.nodeId !== task.nodeId)
    return { code: 'host-occupied', detail: `${task.hostId} carries ${host.nodeId}` }
  const fence = (host?.fence ?? 0) + 1
  const nodeAt = (proxyId: number): NodeRecord => ({
    id: task.nodeId,
    name: operation.target.name,
    clusterId: cluster.id,
    clusterName: cluster.name,
    hostId: task.hostId,
    host: task.host,
    ...place.node,
    idc: task.idc,
    proxyId,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    desiredState: task.desiredState,
    hold: { operationId: operation.id, type: operation.type },
    conditions: [],
    version: 0,
  })
  const step = endStep(beginStep(operation, member.step, now, null), 'SUCCEEDED', now)
  return withProxyId(store, task.nodeId, proxyId => [
    put('step', step),
    put('operation', { ...operation, fence, stepsDone: operation.stepsDone + 1 }),
    put('host', hostOf(host, task.hostId, task.nodeId, fence)),
    put('node', nodeAt(proxyId)),
    put('place', { nodeId: task.nodeId, clusterId: cluster.id, version: 0 }),
    ...place.changes,
  ])
}

function hostOf(host: HostRecord | null, id: string, nodeId: string, fence: number): HostRecord {
  return { id, nodeId, fence, version: host?.version ?? 0 }
}

/** Commits with the first proxy id that nobody has (N4), beginning at one that follows from the node. */
async function withProxyId(
  store: Store,
  nodeId: string,
  changes: (proxyId: number) => readonly Change[],
): Promise<ProblemView | null> {
  const first = createHash('sha256').update(nodeId).digest().readUInt16BE()
  for (let tried = 0; tried < PROXY_ID_TRIES; tried++) {
    const proxyId = ((first + tried * 997) % MAX_PROXY_ID) + 1
    try {
      await store.commit([...changes(proxyId), put('proxyId', { proxyId, nodeId, version: 0 })])
      return null
    } catch (error) {
      const isTaken =
        error instanceof Conflict && error.kinds.length === 1 && error.kinds[0] === 'proxyId'
      if (!isTaken) throw error
    }
  }
  return { code: 'quota-exceeded', detail: `no free proxy id of ${MAX_PROXY_ID}` }
}
