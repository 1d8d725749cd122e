/**
 * Use cases of a take-over. Before it, hosts are looked at, and nothing is held or changed, neither on
 * them nor in the inventory; it begins with the same look. What was found is the operation's result.
 * Source: management.md §3.3.
 */
import { newId } from '../domain/ids.ts'
import type { Cluster } from '../domain/model.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import type { Asked, Outcome, TakeOverInput } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord } from '../domain/record.ts'
import { ONE_BY_ONE } from '../domain/rollout.ts'
import { put, type Store } from '../domain/store.ts'
import type { HostCheck, TakeOverCheck } from '../domain/take-over-check.ts'
import { childrenOf } from '../operations/children.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { mutate, type PlaneDeps } from './context.ts'
import { knownHosts, requireOnline } from './new-cluster.ts'
import { held, newOperation, requireFreeCluster, requireFreeNode } from './plans.ts'

const POINTER = '/hosts'

/** One after the other: each cuts its clients, and those of the next may go where it was before. */
const ROLLOUT = { ...ONE_BY_ONE, onFailure: 'rollback' } as const

export function precheckTakeOver(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: TakeOverInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const { cluster } = await pictureOf(deps.store, ref)
    const found = await tasksOf(deps, cluster, input)
    const tasks = found.map(task => ({ ...bare(task), name: task.hostName }))
    const operation = operationOf(deps, asked, 'precheck-take-over', { cluster, tasks })
    return { kind: 'accept', operation, changes: [] }
  })
}

/**
 * Proxies become nodes. What keeps one out is found anew and ends its part before anything is touched.
 * @throws Problem validation-failed, host-occupied, host-offline, cluster-state-conflict,
 * node-state-conflict, confirmation-required
 */
export function takeOver(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: TakeOverInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    const { cluster, nodes } = picture
    if (input.confirm !== cluster.name)
      throw new Problem(
        'confirmation-required',
        `each proxy is restarted once, and its clients are cut: repeat the name, confirm=${cluster.name}`,
      )
    const isOurs = ({ host }: TakeOverInput['hosts'][number]) =>
      nodes.some(({ hostId }) => hostId === host)
    const hosts = input.hosts.filter(each => !isOurs(each))
    if (hosts.length === 0)
      return { kind: 'done', action: 'take-over', ref: cluster.id, isCreated: false, changes: [] }
    requireFreeCluster(cluster)
    for (const node of nodes) requireFreeNode(node)
    const found = await tasksOf(deps, cluster, { ...input, hosts })
    await requireUnoccupied(deps.store, input.hosts, hosts)
    const tasks = found.map((task, index) => ({
      ...bare(task),
      number: cluster.nodeSequence + 1 + index,
    }))
    const numbered = { ...cluster, nodeSequence: cluster.nodeSequence + tasks.length }
    const waves = tasks.map((_task, at) => [at])
    const operation: OperationRecord = {
      ...operationOf(deps, asked, 'take-over', { cluster: numbered, tasks }),
      rollout: { rollout: ROLLOUT, waves, undo: null },
    }
    return {
      kind: 'accept',
      operation,
      changes: [put('cluster', held(numbered, operation, deps.clock.now()))],
    }
  })
}

type Found = NodeTask & { readonly hostName: string }

/** A task for each host, of the node that it could become; nothing has its id yet. */
async function tasksOf(
  deps: PlaneDeps,
  { spec }: ClusterRecord,
  { hosts, acceptParameterChanges, isForced }: TakeOverInput,
): Promise<readonly Found[]> {
  const facts = await knownHosts(deps.hosts, hosts, POINTER)
  requireOnline(facts, hosts, POINTER)
  return hosts.map(({ host, sqlPort, sysPasswordSecret, idc }, number) => {
    const known = facts.find(({ id }) => id === host)
    return {
      nodeId: newId('node', deps.clock.now()),
      hostId: host,
      host: known?.address ?? '',
      hostName: known?.name || host,
      idc: idc ?? null,
      desiredState: 'RUNNING',
      name: null,
      number,
      skipHostWork: false,
      foreign: {
        sqlPort: sqlPort ?? spec.ports.sql,
        ...(sysPasswordSecret === undefined ? {} : { sysPasswordSecret }),
        mayChangeParameters: acceptParameterChanges,
        ...(isForced === true ? { isForced } : {}),
      },
    }
  })
}

function bare({ hostName: _, ...task }: Found): NodeTask {
  return task
}

function operationOf(
  deps: PlaneDeps,
  asked: Asked,
  type: 'take-over' | 'precheck-take-over',
  { cluster, tasks }: { readonly cluster: ClusterRecord; readonly tasks: readonly NodeTask[] },
): OperationRecord {
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  return newOperation(asked, deps.clock.now(), { type, cluster, target, tasks })
}

/** @throws Problem host-occupied */
async function requireUnoccupied(
  store: Store,
  named: TakeOverInput['hosts'],
  hosts: TakeOverInput['hosts'],
): Promise<void> {
  const records = await store.getMany(
    'host',
    hosts.map(({ host }) => ({ id: host })),
  )
  const errors = records.flatMap(({ id, nodeId }) => {
    if (nodeId === null) return []
    const at = named.findIndex(({ host }) => host === id)
    const pointer = `${POINTER}/${at}/host`
    return [{ pointer, code: 'host-occupied', detail: `${id} carries ${nodeId}` }]
  })
  const [first] = errors
  if (first !== undefined) throw new Problem('host-occupied', first.detail, { errors })
}

/** Of a look that has ended, and of what began with one. */
export async function takeOverCheck(store: Store, record: OperationRecord): Promise<TakeOverCheck> {
  const isOne = record.type === 'probe-host' || record.type === 'take-over-node'
  const looks = isOne ? [record] : await childrenOf(store, record)
  const found = await store.getMany(
    'result',
    looks.map(({ id }) => ({ operationId: id })),
  )
  const hosts = looks.map(look => {
    const result = found.find(({ operationId }) => operationId === look.id)
    const isSeen = look.type === 'take-over-node' || look.phase === 'SUCCEEDED'
    return result === undefined || !isSeen ? notSeen(look) : checkOf(result)
  })
  return { mayTakeOver: mayAll(hosts, record), hosts }
}

function mayAll(hosts: readonly HostCheck[], { tasks }: OperationRecord): boolean {
  return hosts.length === tasks.length && hosts.every(({ mayTakeOver }) => mayTakeOver)
}

function checkOf({ version: _, ...check }: HostCheck & { readonly version: number }): HostCheck {
  return check
}

/** A host that did not answer: nothing is known of it. */
function notSeen({ id, target, tasks, error, phase }: OperationRecord): HostCheck {
  return {
    hostId: tasks[0]?.hostId ?? target.id,
    operationId: id,
    mayTakeOver: false,
    findings: [],
    differing: null,
    differences: [],
    notices: [],
    error: error ?? { code: 'operation-state-conflict', detail: `the look is ${phase}` },
  }
}
