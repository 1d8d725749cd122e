/** Use cases on proxy clusters. Source: management.md §3, management-beyond.md §3. */
import { newId } from '../domain/ids.ts'
import type { Cluster } from '../domain/model.ts'
import type { ClusterOperationType } from '../domain/plan.ts'
import type { Asked, NodeInput, NodesInput, Outcome, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { isBehind } from '../domain/status.ts'
import { type ClusterPicture, put } from '../domain/store.ts'
import type { BalancerUseCases } from './balancing.ts'
import { clusterView, nodesOf, pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'
import { placeIn, requireFitting, requireReach } from './fitting.ts'
import { collectLogsOfCluster, diagnoseCluster } from './looks.ts'
import { moveOut } from './move-out.ts'
import { newNodes, specOf } from './new-cluster.ts'
import { rotateSysPassword } from './passwords.ts'
import {
  affected,
  byName,
  chosen,
  deletionOf,
  held,
  type NewOperation,
  newOperation,
  parting,
  requireFreeCluster,
  requireFreeNode,
  requireLeaving,
  taskOf,
} from './plans.ts'
import { restartCluster, upgradeCluster } from './replacing.ts'
import { requireNoClients, requireServing } from './sparing.ts'
import { precheckTakeOver, takeOver } from './take-over.ts'

/** Clusters of one page that are read at a time. */
const READ_AT_ONCE = 10

export function clusterUseCases(
  deps: PlaneDeps,
  cursors: Cursors,
): Omit<Plane['clusters'], 'link' | 'unlink' | 'rotateConfigToken' | keyof BalancerUseCases> {
  const { store, clock } = deps
  const view = viewOf(deps)
  return {
    list: async ({ limit, cursor }) => {
      const page = await store.clusterNames({ limit, ...cursors.read('clusters', cursor) })
      const items: Cluster[] = []
      for (let at = 0; at < page.items.length; at += READ_AT_ONCE) {
        const ids = page.items.slice(at, at + READ_AT_ONCE).map(({ id }) => id)
        const pictures = await Promise.all(ids.map(id => store.cluster(id)))
        for (const picture of pictures) if (picture !== null) items.push(clusterView(picture, deps))
      }
      return { items, nextCursor: cursors.write('clusters', page.next) }
    },
    get: view,
    nodes: async (ref, { limit, cursor }) => {
      const { after } = cursors.read('cluster-nodes', cursor)
      const picture = await pictureOf(store, ref)
      const all = nodesOf(picture, clock.now()).filter(
        ({ id }) => after === undefined || id > after,
      )
      const items = all.slice(0, limit)
      const last = all.length > limit ? (items.at(-1)?.id ?? null) : null
      return { items, nextCursor: cursors.write('cluster-nodes', last) }
    },
    create: (asked, input) => mutate(deps, asked, view, () => decideCreate(deps, asked, input)),
    remove: async (asked, ref, input) => {
      const outcome = await mutate(deps, asked, view, async () => {
        const picture = await pictureOf(store, ref)
        const { name, revision } = picture.cluster
        requireLeaving(picture.cluster, input)
        if (input.revision !== revision)
          throw new Problem('revision-stale', `${name} is at revision ${revision}`)
        requireFreeCluster(picture.cluster)
        const tasks = [...picture.nodes].sort(byName).map(node => deletionOf(node, input))
        requireServing(picture, tasks, deps.clock.now())
        // That none is left is what was asked for, by the name.
        if (input.isForced !== true) requireNoClients(picture, tasks)
        return onCluster(deps, asked, picture, { type: 'delete-cluster', tasks })
      })
      return outcome.kind === 'done' ? { ...outcome, value: null } : outcome
    },
    addNodes: (asked, ref, nodes) =>
      mutate(deps, asked, view, () => decideAdd(deps, asked, ref, nodes)),
    start: (asked, ref, input) => onNodes(deps, asked, { ref, input, type: 'start' }),
    stop: (asked, ref, input) => onNodes(deps, asked, { ref, input, type: 'stop' }),
    restart: (asked, ref, input) => restartCluster(deps, asked, ref, input),
    upgrade: (asked, ref, input) => upgradeCluster(deps, asked, ref, input),
    precheckTakeOver: (asked, ref, input) => precheckTakeOver(deps, asked, ref, input),
    takeOver: (asked, ref, input) => takeOver(deps, asked, ref, input),
    moveOut: (asked, ref, input) => moveOut(deps, asked, ref, input),
    collectLogs: (asked, ref, input) => collectLogsOfCluster(deps, asked, ref, input),
    diagnose: (asked, ref, input) => diagnoseCluster(deps, asked, ref, input),
    rotateSysPassword: (asked, ref, secret) => rotateSysPassword(deps, asked, ref, secret),
    refresh: (asked, ref, input) => onNodes(deps, asked, { ref, input, type: 'refresh' }),
  }
}

async function decideCreate(
  deps: PlaneDeps,
  asked: Asked,
  input: Parameters<Plane['clusters']['create']>[1],
): Promise<Decision> {
  const { store, clock } = deps
  const now = clock.now()
  const taken = await store.get('clusterName', { name: input.name })
  if (taken !== null) throw new Problem('name-taken', `a cluster ${input.name} exists: ${taken.id}`)
  const { spec, obClusters, package: wanted } = await specOf(deps, input)
  const nodes = await newNodes(deps, input.spec.nodes, { firstNumber: 1, pointer: '/spec/nodes' })
  // A proxy of work mode RS_LIST is not ready before its OB cluster has let it in.
  const tries = spec.workMode === 'CONFIG_URL' ? spec.links.map(link => link.obCluster) : []
  const tasks = nodes.map(task => (tries.length === 0 ? task : { ...task, tries }))
  const bare: ClusterRecord = {
    id: newId('cluster', now),
    name: input.name,
    revision: 0,
    generation: 1,
    createdAt: now,
    updatedAt: now,
    tags: input.tags,
    spec,
    parameterVersion: 1,
    hold: null,
    conditions: [],
    nodeSequence: tasks.length,
    isSysPasswordOurs: input.spec.sysPasswordSecret === undefined,
    version: 0,
  }
  const source = { cluster: bare, obClusters, configServiceUrl: deps.configServiceUrl }
  requireReach(bare, obClusters)
  requireFitting(source, [placeIn(bare)], wanted)
  const target = { kind: 'cluster' as const, id: bare.id, name: bare.name }
  const operation = newOperation(asked, now, {
    type: 'create-cluster',
    cluster: bare,
    target,
    tasks,
    package: wanted,
  })
  return {
    kind: 'accept',
    operation,
    changes: [
      put('cluster', held(bare, operation, now)),
      put('clusterName', { name: bare.name, id: bare.id, version: 0 }),
      ...obClusters.map(each => put('obCluster', { ...each, linkCount: each.linkCount + 1 })),
    ],
  }
}

async function decideAdd(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  nodes: readonly NodeInput[],
): Promise<Decision> {
  const picture = await pictureOf(deps.store, ref)
  const { cluster } = picture
  const firstNumber = cluster.nodeSequence + 1
  const tasks = await newNodes(deps, nodes, { firstNumber, pointer: '/nodes' })
  const { package: wanted } = await specOf(deps, {
    name: cluster.name,
    // What it has is not judged again.
    spec: { ...cluster.spec, parameters: {}, nodes: [] },
  })
  const numbered = {
    ...picture,
    cluster: { ...cluster, nodeSequence: cluster.nodeSequence + tasks.length },
  }
  return onCluster(deps, asked, numbered, { type: 'add-nodes', tasks, package: wanted })
}

type NodesRequest = {
  readonly ref: string
  readonly input: NodesInput
  readonly type: 'start' | 'stop' | 'refresh'
}

function onNodes(
  deps: PlaneDeps,
  asked: Asked,
  { ref, input, type }: NodesRequest,
): Promise<Outcome<Cluster>> {
  const { store, clock } = deps
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(store, ref)
    requireFreeCluster(picture.cluster)
    const all = chosen(picture, input.nodes)
    const isLeft = ({ id }: NodeRecord) =>
      isBehind(picture.cluster, picture.reports.get(id) ?? null)
    const named = type === 'refresh' ? all.filter(isLeft) : all
    const nodes = affected(picture, named, type, clock.now())
    if (nodes.length === 0)
      return {
        kind: 'done',
        action: type,
        ref: picture.cluster.id,
        isCreated: false,
        changes: [],
        named: all,
      }
    const tasks = nodes.map(node => taskOf(node))
    return { ...onCluster(deps, asked, picture, { type, tasks }), named: all }
  })
}

type Work = Pick<NewOperation, 'package' | 'tasks'> & { readonly type: ClusterOperationType }

/** An operation on a cluster that nobody holds, on nodes that nobody holds. */
function onCluster(
  { clock }: PlaneDeps,
  asked: Asked,
  { cluster, nodes }: ClusterPicture,
  work: Work,
): Decision {
  requireFreeCluster(cluster)
  for (const node of nodes) requireFreeNode(node)
  const now = clock.now()
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  const begun = newOperation(asked, now, { ...work, cluster, target })
  const { cluster: left, operation } = parting(cluster, begun)
  // A node's operation that begins meanwhile writes the cluster too, and one of the two fails.
  return { kind: 'accept', operation, changes: [put('cluster', held(left, operation, now))] }
}
