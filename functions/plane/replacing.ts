/**
 * Use cases that replace the processes of nodes: restart and upgrade, hot and rolling unless asked
 * otherwise. What is to be done is checked whole before the first node is touched.
 * Source: management.md §3.6, §3.7; management-beyond.md §6.
 */
import type { PackageRef } from '#contract/command'
import { hasRoomForTwo, mebibytes } from '#contract/memory'
import type { Cluster } from '../domain/model.ts'
import type { NodeTask, OperationRecord, Way } from '../domain/operation-record.ts'
import type { Asked, Outcome, ReplaceInput, UpgradeInput } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { NodeRecord } from '../domain/record.ts'
import {
  ALL_AT_ONCE,
  bakeOf,
  ONE_BY_ONE,
  type Rollout,
  type RolloutState,
  SAFE_ROLLOUT,
  wavesOf,
} from '../domain/rollout.ts'
import { nodeStatus } from '../domain/status.ts'
import { type ClusterPicture, put } from '../domain/store.ts'
import { compareVersions, familyOf, mayRestartHot, mayUpgradeHot } from '../domain/version.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import { packagesOf, refOf } from './packages.ts'
import {
  affected,
  byName,
  chosen,
  held,
  newOperation,
  requireFreeCluster,
  requireFreeNode,
  taskOf,
} from './plans.ts'
import { requireHealth } from './sparing.ts'

const DEFAULT_ARCH = 'x86_64'
const HEALTH_REMEDY = 'bring the other nodes up first, or ask with a lower rollout.minHealthy'

/** What a node runs, as it has said; null before its first report. */
function versionOf({ reports }: ClusterPicture, { id }: NodeRecord): string | null {
  return reports.get(id)?.report.version ?? null
}

export function restartCluster(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: ReplaceInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    requireFreeCluster(picture.cluster)
    const nodes = affected(picture, chosen(picture, input.nodes), 'restart', deps.clock.now())
    const mode = restartMode(deps, picture, nodes, input.mode)
    return onFleet(deps, asked, picture, { type: 'restart', nodes, mode, input })
  })
}

/** @throws Problem node-state-conflict, operation-not-allowed: hot needs nodes that run, and can. */
export function restartMode(
  deps: PlaneDeps,
  picture: ClusterPicture,
  nodes: readonly NodeRecord[],
  asked: ReplaceInput['mode'],
): Way['mode'] {
  if (asked === 'force') return 'force'
  requireMemory(picture, nodes)
  const unfit = nodes.flatMap(node => {
    const reason = whyNotHot(deps, picture, node)
    return reason === null ? [] : [{ node, reason }]
  })
  if (unfit.length === 0) return 'hot'
  if (asked === 'auto') return 'force'
  const [first] = unfit
  const isOld = unfit.every(({ reason }) => reason.isOld)
  throw new Problem(
    isOld ? 'operation-not-allowed' : 'node-state-conflict',
    first?.reason.text ?? '',
    { remedy: 'use mode force, which cuts clients' },
  )
}

/**
 * By what nodes have said last. Why `auto` does not force it then: memory comes back, and whoever asked
 * for neither did not ask to cut clients. @throws Problem node-state-conflict
 */
export function requireMemory({ reports }: ClusterPicture, nodes: readonly NodeRecord[]): void {
  for (const { id, name } of nodes) {
    const { status, memory } = reports.get(id)?.report ?? {}
    if (status !== 'RUNNING' || memory === undefined || hasRoomForTwo(memory)) continue
    const [used, available] = [memory.used, memory.available].map(mebibytes)
    throw new Problem(
      'node-state-conflict',
      `the proxy of ${name} has ${used} MB and its host ${available} MB more, too little for two of it`,
      { remedy: 'free memory there, or use mode force, which cuts clients' },
    )
  }
}

function whyNotHot(
  { clock }: PlaneDeps,
  picture: ClusterPicture,
  node: NodeRecord,
): { readonly text: string; readonly isOld: boolean } | null {
  const status = nodeStatus(node, picture.reports.get(node.id) ?? null, clock.now())
  if (status !== 'RUNNING')
    return { text: `${node.name} is ${status}; a hot restart needs RUNNING`, isOld: false }
  const version = versionOf(picture, node)
  return version !== null && mayRestartHot(version)
    ? null
    : { text: `${node.name} runs ${version}; hot restart exists since 3.2.1`, isOld: true }
}

export function upgradeCluster(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  input: UpgradeInput,
): Promise<Outcome<Cluster>> {
  return mutate(deps, asked, viewOf(deps), async () => {
    const picture = await pictureOf(deps.store, ref)
    requireFreeCluster(picture.cluster)
    const nodes = chosen(picture, input.nodes)
    const upgrade = await upgradeOf(deps, picture, nodes, input)
    return {
      ...onFleet(deps, asked, picture, { type: 'upgrade', input, ...upgrade }),
      named: nodes,
    }
  })
}

export type Upgrade = {
  readonly nodes: readonly NodeRecord[]
  readonly mode: Way['mode']
  readonly packages: ReadonlyMap<string, PackageRef>
}

/**
 * Nodes that have to be upgraded, how, and with which package each.
 * @throws Problem validation-failed, node-state-conflict, operation-not-allowed
 */
export async function upgradeOf(
  deps: PlaneDeps,
  picture: ClusterPicture,
  nodes: readonly NodeRecord[],
  { version, mode }: Pick<UpgradeInput, 'version' | 'mode'>,
): Promise<Upgrade> {
  // One that runs it, though nobody has put that on record: its operation has failed behind the exchange.
  const candidates = nodes.filter(
    node =>
      versionOf(picture, node) !== version ||
      (node.desiredVersion ?? picture.cluster.spec.version) !== version,
  )
  for (const node of candidates) requireUpgradable(deps, picture, node, version)
  requireOneFamily(picture, candidates, version)
  const known = await packagesOf(deps.store, version)
  if (known.length === 0)
    throw new Problem('validation-failed', `there is no package of version ${version}`, {
      errors: [{ pointer: '/version', code: 'not-found', detail: version }],
    })
  const packages = new Map<string, PackageRef>()
  const missing = new Set<string>()
  for (const node of candidates) {
    const arch = picture.reports.get(node.id)?.report.arch ?? DEFAULT_ARCH
    const found = known.find(each => each.arch === arch)
    if (found === undefined) missing.add(arch)
    else packages.set(node.id, refOf(found))
  }
  // Before the first node: a fleet of two versions is nobody's wish.
  if (missing.size > 0)
    throw new Problem(
      'validation-failed',
      `there is no package of ${version} for ${[...missing].join(', ')}`,
      {
        errors: [...missing].map(arch => ({
          pointer: '/version',
          code: 'no-package',
          detail: arch,
        })),
      },
    )
  const isHot = candidates.every(node => mayUpgradeHot(versionOf(picture, node) ?? '0', version))
  if (mode === 'hot' && !isHot)
    throw new Problem(
      'operation-not-allowed',
      'a hot upgrade stays within a major version, from 3.2.1 on',
      {
        remedy: 'use mode force, which cuts clients',
      },
    )
  const way = mode === 'force' || !isHot ? 'force' : 'hot'
  if (way === 'hot') requireMemory(picture, candidates)
  return { nodes: candidates, mode: way, packages }
}

/** A cluster is of one family: it crosses from 3 to 4 as a whole (management.md §1.1). */
function requireOneFamily(
  picture: ClusterPicture,
  candidates: readonly NodeRecord[],
  version: string,
): void {
  const left = picture.nodes.filter(
    node =>
      !candidates.includes(node) &&
      familyOf(versionOf(picture, node) ?? picture.cluster.spec.version) !== familyOf(version),
  )
  const [first] = left
  if (first === undefined) return
  throw new Problem(
    'operation-not-allowed',
    `${first.name} would stay of another family than ${version}; all nodes of a cluster are of one`,
    { remedy: 'upgrade all nodes in one request' },
  )
}

function requireUpgradable(
  { clock }: PlaneDeps,
  picture: ClusterPicture,
  node: NodeRecord,
  version: string,
): void {
  requireFreeNode(node)
  const status = nodeStatus(node, picture.reports.get(node.id) ?? null, clock.now())
  if (status !== 'RUNNING')
    throw new Problem('node-state-conflict', `${node.name} is ${status}; an upgrade needs RUNNING`)
  const current = versionOf(picture, node) ?? picture.cluster.spec.version
  if (compareVersions(version, current) < 0)
    throw new Problem(
      'operation-not-allowed',
      `${node.name} runs ${current}, newer than ${version}`,
      {
        remedy: 'what an upgrade has replaced is put back by rolling it back',
      },
    )
}

export type Fleet = {
  readonly type: 'restart' | 'upgrade'
  readonly nodes: readonly NodeRecord[]
  readonly mode: Way['mode']
  readonly input: ReplaceInput
  readonly packages?: ReadonlyMap<string, PackageRef>
}

/** An operation on these nodes, wave by wave; done at once without any. @throws Problem node-state-conflict, confirmation-required */
export function onFleet(
  deps: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  { type, nodes: unordered, mode, input, packages }: Fleet,
): Decision {
  const { cluster } = picture
  const nodes = [...unordered].sort(byName)
  if (nodes.length === 0)
    return { kind: 'done', action: type, ref: cluster.id, isCreated: false, changes: [] }
  for (const node of picture.nodes) requireFreeNode(node)
  const now = deps.clock.now()
  const rollout = rolloutOf(mode, input)
  requireConfirmed(cluster.name, rollout, nodes.length, input.confirm)
  const percent = rollout.minHealthyPercent ?? 0
  const nodeIds = nodes.map(({ id }) => id)
  requireHealth(picture, nodeIds, { percent, remedy: HEALTH_REMEDY }, now)
  const state = rolloutState(picture, nodes, rollout)
  const tasks = nodes.map((node, at): NodeTask => {
    const wanted = packages?.get(node.id)
    return {
      ...taskOf(node),
      way: { mode, drainSec: rollout.drainSec },
      ...(isWatched(rollout) ? { bakeMs: bakeOf(state, at) } : {}),
      ...(wanted === undefined
        ? {}
        : { package: wanted, versionBefore: versionOf(picture, node) ?? cluster.spec.version }),
    }
  })
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  const operation: OperationRecord = {
    ...newOperation(asked, now, { type, cluster, target, tasks }),
    rollout: state,
  }
  return { kind: 'accept', operation, changes: [put('cluster', held(cluster, operation, now))] }
}

/** How a fleet of `nodes` is gone through: by what the nodes have said of their clients. */
export function rolloutState(
  { reports }: ClusterPicture,
  nodes: readonly NodeRecord[],
  rollout: Rollout,
): RolloutState {
  const placed = nodes.map(({ id, idc }) => ({
    idc,
    clients: reports.get(id)?.report.clientConnections ?? null,
  }))
  return { rollout, waves: wavesOf(placed, rollout), undo: null }
}

/** Forced, nodes are taken one after the other and none is watched: whoever cuts clients is in a hurry. */
function rolloutOf(mode: Way['mode'], { strategy, rollout }: ReplaceInput): Rollout {
  const base = mode === 'hot' ? SAFE_ROLLOUT : ONE_BY_ONE
  return { ...(strategy === 'all-at-once' ? ALL_AT_ONCE : base), ...rollout }
}

function isWatched({ bakeMs, canaryBakeMs, onFailure }: Rollout): boolean {
  return bakeMs > 0 || canaryBakeMs > 0 || onFailure !== 'stop'
}

/** @throws Problem confirmation-required: all nodes at once may leave no proxy to connect to. */
function requireConfirmed(
  name: string,
  { batchPercent, maxUnavailable }: Rollout,
  count: number,
  confirm: string | undefined,
): void {
  const isAll = batchPercent >= 100 && maxUnavailable >= count
  if (!isAll || count === 1 || confirm === name) return
  throw new Problem(
    'confirmation-required',
    `all nodes of ${name} at once: repeat its name in confirm`,
  )
}
