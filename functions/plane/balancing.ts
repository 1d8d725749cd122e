/**
 * The balancer in front of a proxy cluster: given, taken away, and which nodes it sends clients to. What
 * side a node is on is asked of the balancer; why it is out on purpose is kept with the node.
 * Source: management.md §1.10, §3.9, §3.18.
 */
import {
  type BalancerSpec,
  isIn,
  memberAt,
  type TargetGroup,
  targetOf,
} from '../domain/load-balancer.ts'
import type { Cluster, ClusterBalancer, Node } from '../domain/model.ts'
import type { NodeTask } from '../domain/operation-record.ts'
import type { Asked, OfflineInput, Outcome, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { type ClusterPicture, put } from '../domain/store.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import { type Found, nothingToDo, onNode } from './on-node.ts'
import {
  affected,
  chosen,
  held,
  newOperation,
  requireFreeCluster,
  requireFreeNode,
  taskOf,
} from './plans.ts'

export type BalancerUseCases = Pick<
  Plane['clusters'],
  'loadBalancer' | 'attachBalancer' | 'detachBalancer' | 'offline' | 'online'
>

type Side = 'offline' | 'online'

export function balancerUseCases(deps: PlaneDeps): BalancerUseCases {
  const view = viewOf(deps)
  return {
    loadBalancer: async ref => balancerView(deps, await pictureOf(deps.store, ref)),
    attachBalancer: (asked, ref, spec) =>
      mutate(deps, asked, view, () => decideAttach(deps, asked, ref, spec)),
    detachBalancer: async (asked, ref) => {
      const outcome = await mutate(deps, asked, view, () => decideDetach(deps, asked, ref))
      return outcome.kind === 'done' ? { ...outcome, value: null } : outcome
    },
    offline: (asked, ref, input) => onSide(deps, asked, ref, { ...input, side: 'offline' }),
    online: (asked, ref, input) => onSide(deps, asked, ref, { ...input, side: 'online' }),
  }
}

export function nodeMembership(
  deps: PlaneDeps,
  find: (ref: string) => Promise<Found>,
  view: (ref: string) => Promise<Node>,
): Pick<Plane['nodes'], Side> {
  const move = (asked: Asked, ref: string, side: Side, input: OfflineInput) =>
    mutate(deps, asked, view, async () => {
      const found = await find(ref)
      const { picture, node } = found
      requireFreeCluster(picture.cluster)
      const moved = await movedNodes(deps, picture, [node], { ...input, side, confirms: node.name })
      return moved.length === 0
        ? nothingToDo(node, side)
        : onNode(deps, asked, found, { request: side, task: sideTask(node, side, input.reason) })
    })
  return {
    offline: (asked, ref, input) => move(asked, ref, 'offline', input),
    online: (asked, ref) => move(asked, ref, 'online', {}),
  }
}

/** @throws Problem validation-failed naming the group, remote-unavailable */
export async function requireGroup(
  { loadBalancer }: PlaneDeps,
  spec: BalancerSpec,
  pointer: string,
): Promise<void> {
  if (spec.kind !== 'target-group') return
  try {
    await loadBalancer.members(spec)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'operation-not-allowed') throw error
    const place = { pointer: `${pointer}/targetGroupArn`, code: 'not-found', detail: error.message }
    throw new Problem('validation-failed', 'the target group cannot be used', { errors: [place] })
  }
}

async function balancerView(
  { loadBalancer }: PlaneDeps,
  { cluster, nodes, reports }: ClusterPicture,
): Promise<ClusterBalancer> {
  const { loadBalancer: spec } = cluster.spec
  if (spec === undefined) throw new Problem('not-found', `${cluster.name} has no load balancer`)
  if (spec.kind === 'external') return { spec, members: [], absent: [] }
  const members = await loadBalancer.members(spec)
  const found = nodes.map(node => ({ node, member: memberAt(members, targetOf(spec, node)) }))
  return {
    spec,
    members: members.map(member => {
      const node = found.find(each => each.member === member)?.node
      const { clientConnections = null } = reports.get(node?.id ?? '')?.report ?? {}
      return {
        ...member,
        node: node === undefined ? null : { id: node.id, name: node.name },
        clientConnections,
      }
    }),
    absent: found
      .filter(({ member }) => member === null)
      .map(({ node: { id, name, offline = null } }) => ({ id, name, offline })),
  }
}

async function decideAttach(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  spec: BalancerSpec,
): Promise<Decision> {
  const picture = await pictureOf(deps.store, ref)
  const { cluster } = picture
  const before = cluster.spec.loadBalancer
  if (before !== undefined && isSame(before, spec)) return unchanged(cluster, 'attach-balancer')
  if (before?.kind === 'target-group')
    throw new Problem('in-use', `${cluster.name} has ${before.targetGroupArn}`, {
      remedy: 'delete it first, then give the other',
    })
  await requireGroup(deps, spec, '')
  const generation = cluster.generation + 1
  const after = { ...cluster, generation, spec: { ...cluster.spec, loadBalancer: spec } }
  const isOurs = spec.kind === 'target-group'
  const nodes = picture.nodes.filter(({ desiredState }) => isOurs && desiredState === 'RUNNING')
  return onMembers(deps, asked, { ...picture, cluster: after }, { type: 'attach-balancer', nodes })
}

function isSame(left: BalancerSpec, right: BalancerSpec): boolean {
  if (left.kind !== 'target-group' || right.kind !== 'target-group') return left.kind === right.kind
  return left.targetGroupArn === right.targetGroupArn && left.targetBy === right.targetBy
}

async function decideDetach(deps: PlaneDeps, asked: Asked, ref: string): Promise<Decision> {
  const picture = await pictureOf(deps.store, ref)
  const { cluster, nodes } = picture
  const before = cluster.spec.loadBalancer
  if (before === undefined) return unchanged(cluster, 'detach-balancer')
  // Those that are none are looked at too: each forgets why it was out.
  if (before.kind === 'target-group' && nodes.length > 0)
    return onMembers(deps, asked, picture, { type: 'detach-balancer', nodes })
  const { loadBalancer: _gone, ...spec } = cluster.spec
  const after = { ...cluster, spec, generation: cluster.generation + 1 }
  return onMembers(
    deps,
    asked,
    { ...picture, cluster: after },
    { type: 'detach-balancer', nodes: [] },
  )
}

function onSide(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: OfflineInput & { readonly side: Side; readonly nodes?: readonly string[] },
): Promise<Outcome<Cluster>> {
  const { side, reason } = input
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    const { cluster } = picture
    requireFreeCluster(cluster)
    const named = chosen(picture, input.nodes)
    const nodes = await movedNodes(deps, picture, named, { ...input, confirms: cluster.name })
    if (nodes.length === 0) return { ...unchanged(cluster, side), named }
    return { ...onMembers(deps, asked, picture, { type: side, nodes, reason }), named }
  })
}

/** Those of `nodes` that are not there yet. @throws Problem */
async function movedNodes(
  deps: PlaneDeps,
  picture: ClusterPicture,
  nodes: readonly NodeRecord[],
  asked: OfflineInput & { readonly side: Side; readonly confirms: string },
): Promise<readonly NodeRecord[]> {
  const { side, confirm, confirms } = asked
  const group = groupOf(picture.cluster)
  const free = affected(picture, nodes, side, deps.clock.now())
  const members = await deps.loadBalancer.members(group)
  const isMember = (node: NodeRecord) => isIn(memberAt(members, targetOf(group, node)))
  const moved = free.filter(node =>
    side === 'offline' ? mustGo(node, isMember(node)) : mustCome(node, isMember(node)),
  )
  const leaves = side === 'offline' && moved.some(isMember)
  const isAnyLeft = picture.nodes.some(node => isMember(node) && !moved.includes(node))
  if (leaves && !isAnyLeft && confirm !== confirms)
    throw new Problem('confirmation-required', 'no node would be left in the balancer', {
      remedy: `repeat the name: "confirm": "${confirms}"`,
    })
  return moved
}

/** One that is out for another reason is kept out from now on. */
function mustGo({ offline }: NodeRecord, isMember: boolean): boolean {
  return isMember || offline === undefined
}

function mustCome({ offline, desiredState }: NodeRecord, isMember: boolean): boolean {
  return offline !== undefined || (desiredState === 'RUNNING' && !isMember)
}

/** @throws Problem operation-not-allowed */
function groupOf({ name, spec }: ClusterRecord): TargetGroup {
  if (spec.loadBalancer?.kind === 'target-group') return spec.loadBalancer
  throw spec.loadBalancer === undefined
    ? new Problem('operation-not-allowed', `${name} has no load balancer`)
    : new Problem('operation-not-allowed', `the load balancer of ${name} is not ours to change`, {
        remedy: 'change its members where it is managed',
      })
}

function unchanged({ id }: ClusterRecord, action: string): Decision {
  return { kind: 'done', action, ref: id, isCreated: false, changes: [] }
}

/** What puts one back that comes in says why it was out. */
function sideTask(node: NodeRecord, side: Side, reason: string | undefined): NodeTask {
  const { offline } = node
  if (side === 'offline') return { ...taskOf(node), offline: { reason: reason ?? null } }
  return offline === undefined
    ? taskOf(node)
    : { ...taskOf(node), offline: { reason: offline.reason } }
}

type OnMembers = {
  readonly type: Side | 'attach-balancer' | 'detach-balancer'
  readonly nodes: readonly NodeRecord[]
  readonly reason?: string | undefined
}

/** An operation on those nodes; without any it is done at once. */
function onMembers(
  { clock }: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  { type, nodes, reason }: OnMembers,
): Decision {
  const { cluster } = picture
  requireFreeCluster(cluster)
  for (const node of picture.nodes) requireFreeNode(node)
  const now = clock.now()
  if (nodes.length === 0) {
    const after = { ...cluster, revision: cluster.revision + 1, updatedAt: now }
    return { ...unchanged(cluster, type), changes: [put('cluster', after)] }
  }
  const isSide = type === 'offline' || type === 'online'
  const tasks = nodes.map(node => (isSide ? sideTask(node, type, reason) : taskOf(node)))
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  const operation = newOperation(asked, now, { type, cluster, target, tasks })
  return { kind: 'accept', operation, changes: [put('cluster', held(cluster, operation, now))] }
}
