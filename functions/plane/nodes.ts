/** Use cases on nodes, and their reports. */
import type { NodeReport } from '#contract/report'
import type { Node, Principal } from '../domain/model.ts'
import type { Asked, Outcome, Page, PageRequest, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { type NodeRequest, nodeView } from '../domain/status.ts'
import { put } from '../domain/store.ts'
import { nodeMembership } from './balancing.ts'
import { nodeIn, nodeOfInstance } from './cluster-view.ts'
import { mutate, type PlaneDeps, settled } from './context.ts'
import type { Cursors } from './cursor.ts'
import { looksAtNode } from './looks.ts'
import { replacements } from './node-replacing.ts'
import { type Found, nothingToDo, onNode } from './on-node.ts'
import { affected, deletionOf, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'
import { requireServing, requireSparing } from './sparing.ts'

export function nodeUseCases(deps: PlaneDeps, cursors: Cursors): Plane['nodes'] {
  const { store, clock } = deps
  const find = async (ref: string): Promise<Found> => {
    const { picture, nodeId } = await nodeIn(store, ref)
    const node = picture.nodes.find(({ id }) => id === nodeId)
    if (node === undefined) throw new Problem('not-found', `there is no node ${ref}`)
    return { picture, node }
  }
  const view = async (ref: string): Promise<Node> => {
    const { picture, node } = await find(ref)
    return nodeView(node, picture.reports.get(node.id) ?? null, picture.cluster, clock.now())
  }
  const change = (asked: Asked, ref: string, request: NodeRequest): Promise<Outcome<Node>> =>
    mutate(deps, asked, view, async () => {
      const found = await find(ref)
      requireFreeCluster(found.picture.cluster)
      const act = affected(found.picture, [found.node], request, clock.now()).length > 0
      return act
        ? onNode(deps, asked, found, { request, task: taskOf(found.node) })
        : nothingToDo(found.node, request)
    })
  return {
    list: page => listNodes(deps, cursors, page),
    get: view,
    remove: async (asked, ref, input) => {
      const outcome = await mutate(deps, asked, view, async () => {
        const found = await find(ref)
        const { node, picture } = found
        requireFreeCluster(picture.cluster)
        requireFreeNode(node)
        if (input.confirm !== undefined && input.confirm !== node.name)
          throw new Problem('confirmation-required', `repeat the name: confirm=${node.name}`)
        if (input.revision !== node.revision)
          throw new Problem('revision-stale', `${node.name} is at revision ${node.revision}`)
        const task = deletionOf(node, input)
        requireServing(picture, [task], clock.now())
        if (input.isForced !== true) requireSparing(picture, task, clock.now())
        return onNode(deps, asked, found, { request: 'delete', task })
      })
      return outcome.kind === 'done' ? { ...outcome, value: null } : outcome
    },
    start: (asked, ref) => change(asked, ref, 'start'),
    stop: (asked, ref) => change(asked, ref, 'stop'),
    ...replacements(deps, find, view),
    ...nodeMembership(deps, find, view),
    ...looksAtNode(deps, find, view),
    report: (principal, nodeId, report) =>
      settled(() => takeReport(deps, principal, nodeId, report)),
  }
}

async function listNodes(
  { store, clock }: PlaneDeps,
  cursors: Cursors,
  { limit, cursor }: PageRequest,
): Promise<Page<Node>> {
  const page = await store.nodes({ limit, ...cursors.read('nodes', cursor) })
  const ids = [...new Set(page.items.map(({ clusterId }) => clusterId))]
  const [said, found] = await Promise.all([
    store.getMany(
      'report',
      page.items.map(({ clusterId, id: nodeId }) => ({ clusterId, nodeId })),
    ),
    store.getMany(
      'cluster',
      ids.map(id => ({ id })),
    ),
  ])
  const reports = new Map(said.map(report => [report.nodeId, report]))
  const clusters = new Map(found.map(cluster => [cluster.id, cluster]))
  const now = clock.now()
  const items = page.items.flatMap(node => {
    const cluster = clusters.get(node.clusterId)
    // The list lags: with its cluster the node is gone, too.
    if (cluster === undefined) return []
    return [nodeView(node, reports.get(node.id) ?? null, cluster, now)]
  })
  return { items, nextCursor: cursors.write('nodes', page.next) }
}

/** Reports come in any order; the newest counts (PL9). */
async function takeReport(
  { store, clock }: PlaneDeps,
  principal: Principal,
  nodeId: string,
  report: NodeReport,
): Promise<void> {
  const node = await nodeOfInstance(store, principal, nodeId, report)
  const key = { clusterId: node.clusterId, nodeId }
  const earlier = await store.get('report', key)
  if (earlier !== null && earlier.report.sequence >= report.sequence) return
  await store.commit([
    put('report', { ...key, report, receivedAt: clock.now(), version: earlier?.version ?? 0 }),
  ])
}
