/**
 * From where proxyro's password is changed when a change goes on, or goes back: a node that did it, or was to,
 * may have been deleted since. Another one that the change knows takes its place, or nobody could ever end it.
 * Why none that came later: children are named by their places, and what was put back would be found in
 * theirs. Source: management.md §3.17.
 */
import { named } from '../domain/named.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import { planOf } from '../domain/plan.ts'
import { Problem } from '../domain/problem.ts'
import { nodeStatus } from '../domain/status.ts'
import { type Change, type ClusterPicture, put, type Store } from '../domain/store.ts'
import { childrenOf } from '../operations/children.ts'
import { beginStep } from '../operations/ending.ts'

export type Around = {
  readonly pictures: readonly ClusterPicture[]
  readonly isBack: boolean
  readonly now: number
}

export type Taken = { readonly operation: OperationRecord; readonly changes: readonly Change[] }

/** The change with each OB cluster at a node that is there. @throws Problem operation-not-allowed */
export async function withAlterers(
  store: Store,
  operation: OperationRecord,
  around: Around,
): Promise<Taken> {
  const nodes = new Set(around.pictures.flatMap(picture => picture.nodes.map(({ id }) => id)))
  const isLost = ({ nodeId, alters }: NodeTask) => alters !== undefined && !nodes.has(nodeId)
  const lost = operation.tasks.filter(isLost)
  if (lost.length === 0) return { operation, changes: [] }
  const children = await childrenOf(store, operation)
  const childOf = new Map(children.map(child => [child.target.id, child]))
  const wanted = lost
    .filter(({ nodeId }) => around.isBack || isStillToDo(childOf.get(nodeId)))
    .flatMap(({ alters = [] }) => alters)
  const given = givenTo(operation, wanted, around)
  const tasks = operation.tasks.map((task): NodeTask => {
    const { alters = [], ...bare } = task
    const all = [...(isLost(task) ? [] : alters), ...(given.get(task.nodeId) ?? [])]
    return all.length === 0 ? bare : { ...bare, alters: all }
  })
  const others = tasks.flatMap((task, at) => {
    const child = childOf.get(task.nodeId)
    const isOther = task.alters?.length !== operation.tasks[at]?.alters?.length
    const isSettled = !around.isBack && child?.phase === 'SUCCEEDED' && child.isUndone !== true
    return child === undefined || !isOther || isSettled ? [] : [{ ...child, tasks: [task] }]
  })
  // What goes back is what was done, by the steps that were.
  const changes = around.isBack
    ? others.map(child => put('operation', child))
    : (await Promise.all(others.map(child => fromTheStart(store, child, around.now)))).flat()
  return { operation: { ...operation, tasks }, changes }
}

/** It has not said that the OB clusters have the new password, or that was taken back since. */
function isStillToDo(child: OperationRecord | undefined): boolean {
  if (child === undefined || child.isUndone === true) return true
  return child.stepsDone <= child.plan.indexOf('alter')
}

/**
 * Its steps are others now, and are all done again, which they can be. Their attempts go on from the highest: a
 * node answers what it has in its ledger, whatever the place of the step.
 */
async function fromTheStart(
  store: Store,
  child: OperationRecord,
  now: number,
): Promise<readonly Change[]> {
  const [task] = child.tasks
  const begun = { ...child, plan: planOf(child.type, task), stepsDone: 0 }
  const known = await store.steps(child.id)
  const attempt = Math.max(0, ...known.map(step => step.attempt))
  const steps = begun.plan.map((_name, n) => {
    const earlier = known.find(step => step.n === n) ?? null
    const step = beginStep({ ...begun, stepsDone: n }, earlier, now, null)
    return put('step', { ...step, attempt, phase: 'PENDING', startedAt: null })
  })
  return [put('operation', begun), ...steps]
}

/** OB clusters by the node that gets them, the one with fewest first. */
function givenTo(
  operation: OperationRecord,
  wanted: readonly string[],
  around: Around,
): ReadonlyMap<string, readonly string[]> {
  const given = new Map<string, readonly string[]>()
  const known = new Set(operation.tasks.map(({ nodeId }) => nodeId))
  const sizeOf = ({ id }: { readonly id: string }) => given.get(id)?.length ?? 0
  for (const name of wanted) {
    const linked = linkedTo(name, around.pictures).filter(({ id }) => known.has(id))
    const able = linked.filter(({ isRunning }) => isRunning(around.now))
    const [chosen] = able.sort((one, other) => sizeOf(one) - sizeOf(other))
    if (chosen === undefined) throw nobodyLeft(operation, name, linked)
    given.set(chosen.id, [...(given.get(chosen.id) ?? []), name])
  }
  return given
}

function linkedTo(name: string, pictures: readonly ClusterPicture[]) {
  return pictures
    .filter(({ cluster: { spec } }) => spec.links.some(({ obCluster }) => obCluster === name))
    .flatMap(({ nodes, reports }) =>
      nodes.map(node => ({
        id: node.id,
        name: node.name,
        isRunning: (now: number) =>
          nodeStatus(node, reports.get(node.id) ?? null, now) === 'RUNNING',
      })),
    )
}

function nobodyLeft(
  { id }: OperationRecord,
  name: string,
  linked: readonly { readonly name: string }[],
): Problem {
  const names = linked.map(node => node.name).sort()
  const start = names.length === 0 ? '' : `start one of ${named(names)}, or `
  return new Problem(
    'operation-not-allowed',
    `the node is deleted that changes the password at ${name}, and no other node of ${id} runs that is linked to it`,
    {
      remedy: `${start}set the password of proxyro at ${name} yourself and name it by PUT /v1/ob-clusters/${name} with another proxyroSecret, which ends the change`,
    },
  )
}
