/**
 * Use cases on parameters of proxy clusters. What is wanted is written at once, with its entry of the
 * history; nodes that run are told by an operation, all others at their next start.
 * Source: management.md §1.9, §3.11.
 */
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import type { Cluster, ParameterChange, ParameterHistoryEntry } from '../domain/model.ts'
import type { NodeTask, OperationRecord } from '../domain/operation-record.ts'
import { definitions, isFound, parameterValues } from '../domain/parameter-views.ts'
import {
  changesOf,
  historyEntry,
  needsRestart,
  withParameters,
  wrongEdit,
} from '../domain/parameters.ts'
import type { Asked, Outcome, Page, PageRequest, ParametersInput, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { bakeOf, LIVE_CHANGE, type Rollout, SAFE_ROLLOUT } from '../domain/rollout.ts'
import { isBehind, nodeStatus } from '../domain/status.ts'
import { type Change, type ClusterPicture, type Period, put } from '../domain/store.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { actorOf, type Decision, mutate, type PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'
import { byName, held, newOperation, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'
import { restartMode, rolloutState } from './replacing.ts'

const OURS = `${PROXY_VERSION}-${BUILD_NUMBER}`
/** Entries that one page filtered by name may cost. */
const MAX_LOOKED_AT = 2_000

export function parameterUseCases(deps: PlaneDeps, cursors: Cursors): Plane['parameters'] {
  const { store } = deps
  return {
    list: async (ref, page, { search, isSet }) => {
      const { cluster, nodes: all, reports } = await pictureOf(store, ref)
      const nodes = [...all]
        .sort(byName)
        .map(({ id, name }) => ({ name, report: reports.get(id) ?? null }))
      const found = parameterValues(cluster.spec.parameters, nodes).filter(
        each => isFound(each, search) && (isSet === undefined || each.isSet === isSet),
      )
      const behind = nodes.filter(({ report }) => isBehind(cluster, report))
      return {
        ...pageOf(found, page, cursors, 'parameters'),
        parameterVersion: cluster.parameterVersion,
        nodesBehind: behind.map(({ name }) => name),
      }
    },
    change: (asked, ref, input) => changeParameters(deps, asked, ref, input),
    history: (ref, page, filter) => historyOf(deps, cursors, ref, { page, filter }),
    definitions: async (page, { version = OURS, search }) => ({
      ...pageOf(
        definitions().filter(each => isFound(each, search)),
        page,
        cursors,
        'parameter-definitions',
      ),
      version,
      definedFor: OURS,
    }),
  }
}

/** A page of what is there by name. */
function pageOf<T extends { readonly name: string }>(
  all: readonly T[],
  { limit, cursor }: PageRequest,
  cursors: Cursors,
  list: string,
): Page<T> {
  const { after } = cursors.read(list, cursor)
  const rest = all.filter(({ name }) => after === undefined || name > after)
  const items = rest.slice(0, limit)
  const last = rest.length > limit ? (items.at(-1)?.name ?? null) : null
  return { items, nextCursor: cursors.write(list, last) }
}

async function historyOf(
  { store }: PlaneDeps,
  cursors: Cursors,
  ref: string,
  {
    page: { limit, cursor },
    filter: { name, ...period },
  }: { readonly page: PageRequest; readonly filter: Period & { readonly name?: string } },
): Promise<Page<ParameterHistoryEntry>> {
  const { cluster } = await pictureOf(store, ref)
  const list = `parameter-history ${cluster.id}`
  const items: ParameterHistoryEntry[] = []
  let { after } = cursors.read(list, cursor)
  for (let seen = 0; seen < MAX_LOOKED_AT; seen += limit) {
    const page = await store.parameterHistory(cluster.id, {
      limit: limit - items.length,
      ...period,
      ...(after === undefined ? {} : { after }),
    })
    items.push(...page.items.filter(({ changes }) => isOf(changes, name)))
    after = page.next ?? undefined
    if (after === undefined || items.length >= limit) break
  }
  return { items, nextCursor: cursors.write(list, after ?? null) }
}

function isOf(changes: readonly ParameterChange[], name: string | undefined): boolean {
  return name === undefined || changes.some(change => change.name === name)
}

function changeParameters(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: ParametersInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    const { cluster } = picture
    requireValid(cluster, input)
    const changes = changesOf(cluster.spec.parameters, input)
    if (changes.length === 0) return atOnce(cluster, [])
    requireFreeCluster(cluster)
    for (const node of picture.nodes) requireFreeNode(node)
    return decideChange(deps, asked, picture, { input, changes })
  })
}

/** @throws Problem revision-stale, validation-failed */
function requireValid({ name, revision, spec }: ClusterRecord, input: ParametersInput): void {
  if (input.revision !== revision)
    throw new Problem('revision-stale', `${name} is at revision ${revision}`)
  const errors = wrongEdit(spec.parameters, input)
  const [first] = errors
  if (first !== undefined)
    throw new Problem('validation-failed', `no parameter was changed: ${first.detail}`, { errors })
}

function atOnce({ id }: ClusterRecord, changes: readonly Change[]): Decision {
  return { kind: 'done', action: 'change-parameters', ref: id, isCreated: false, changes }
}

type Edit = {
  readonly input: ParametersInput
  readonly changes: readonly ParameterChange[]
}

function decideChange(
  deps: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  edit: Edit,
): Decision {
  const now = deps.clock.now()
  const { changes } = edit
  const cluster = withParameters(picture.cluster, changes, 'after')
  const noted = (operationId: string | null) => {
    const actor = actorOf(asked.principal)
    const of = { clusterId: cluster.id, actor, operationId, at: now, isReturn: false }
    return put('parameterHistory', { ...historyEntry(changes, of), version: 0 })
  }
  // One that stands or is out of reach gets them when it is started, or by a refresh.
  const nodes = picture.nodes
    .filter(node => nodeStatus(node, picture.reports.get(node.id) ?? null, now) === 'RUNNING')
    .sort(byName)
  if (nodes.length === 0) {
    const after = { ...cluster, revision: cluster.revision + 1, updatedAt: now }
    return atOnce(cluster, [put('cluster', after), noted(null)])
  }
  const operation = operationOn(deps, asked, { ...picture, cluster }, { ...edit, nodes })
  return {
    kind: 'accept',
    operation,
    changes: [put('cluster', held(cluster, operation, now)), noted(operation.id)],
  }
}

function operationOn(
  deps: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  { input, changes, nodes }: Edit & { readonly nodes: readonly NodeRecord[] },
): OperationRecord {
  const { cluster } = picture
  const isRestarted = input.restartPolicy === 'rolling' && needsRestart(changes)
  if (isRestarted) requireHot(deps, picture, nodes)
  const rollout: Rollout = { ...(isRestarted ? SAFE_ROLLOUT : LIVE_CHANGE), ...input.rollout }
  const state = rolloutState(picture, nodes, rollout)
  const isWatched = rollout.canaryBakeMs > 0 || rollout.bakeMs > 0
  const tasks = nodes.map(
    (node, at): NodeTask => ({
      ...taskOf(node),
      ...(isRestarted ? { way: { mode: 'hot', drainSec: rollout.drainSec } } : {}),
      ...(isWatched ? { bakeMs: bakeOf(state, at) } : {}),
    }),
  )
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  const type = 'change-parameters'
  return {
    ...newOperation(asked, deps.clock.now(), { type, cluster, target, tasks }),
    rollout: state,
    parameterChanges: changes,
  }
}

/** @throws Problem operation-not-allowed: nobody has asked for clients to be cut. */
function requireHot(deps: PlaneDeps, picture: ClusterPicture, nodes: readonly NodeRecord[]): void {
  if (restartMode(deps, picture, nodes, 'auto') === 'hot') return
  throw new Problem(
    'operation-not-allowed',
    `not every node of ${picture.cluster.name} can be restarted without its clients being cut`,
    { remedy: 'use restartPolicy manual, and restart nodes when it suits' },
  )
}
