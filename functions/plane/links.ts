/**
 * Links: which OB clusters a proxy cluster may reach. In work mode CONFIG_URL they are what the config
 * service answers; nodes that run are told to look at once, so that nothing is restarted. Where one runs a
 * new link is answered once proxyro has logged in from it, else from the moment of the write.
 * Source: management.md §3.12.
 */

import { isLinkedIn, type Link, type LinkChange } from '../domain/link.ts'
import { areLinksAt, counted, isAddition, untried } from '../domain/link-change.ts'
import type { ClusterSpec } from '../domain/model.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { Asked, LinkInput, Outcome, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, NodeRecord } from '../domain/record.ts'
import { LIVE_CHANGE, wavesOf } from '../domain/rollout.ts'
import { nodeStatus } from '../domain/status.ts'
import { type Change, type ClusterPicture, put } from '../domain/store.ts'
import { obClustersOf } from '../operations/sources.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import { placeIn, requireFitting, requireReach } from './fitting.ts'
import { packagesOf, refOf } from './packages.ts'
import { byName, held, newOperation, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'
import { requireUnchanging } from './proxyro-reach.ts'

type Links = ClusterSpec['links']

export function linkUseCases(deps: PlaneDeps): Pick<Plane['clusters'], 'link' | 'unlink'> {
  const view = viewOf(deps)
  return {
    link: (asked, ref, name, input) =>
      mutate(deps, asked, view, () => decideLink(deps, asked, ref, { name, ...input })),
    unlink: async (asked, ref, name) => {
      const outcome = await mutate(deps, asked, view, () => decideUnlink(deps, asked, ref, name))
      return withoutValue(outcome)
    },
  }
}

function withoutValue<T>(outcome: Outcome<T>): Outcome<null> {
  return outcome.kind === 'done' ? { ...outcome, value: null } : outcome
}

async function decideLink(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  { name, isDefault, probeAccount }: LinkInput & { readonly name: string },
): Promise<Decision> {
  const picture = await pictureOf(deps.store, ref)
  const { cluster } = picture
  const known = cluster.spec.links.find(({ obCluster }) => obCluster === name)
  const isRouted = known === undefined || (isDefault && !known.default)
  // What nodes are told stays as it is: only gates go by the account.
  if (!isRouted) return withAccount(deps, cluster, known, probeAccount)
  requireConfigUrl(cluster)
  const record = await deps.store.get('obCluster', { name })
  if (record === null) throw new Problem('not-found', `there is no OB cluster ${name}`)
  const before = cluster.spec.links
  const links = linked(before, { name, isDefault }).map(link =>
    link.obCluster === name ? accounted(link, probeAccount) : link,
  )
  requireUnchanging(record)
  requireReach(cluster, [record])
  await requireFittingLinks(deps, picture, links)
  return changed(deps, asked, picture, {
    change: { obCluster: name, before, after: links },
    action: known === undefined ? 'add-link' : 'replace-link',
    record,
  })
}

async function decideUnlink(
  deps: PlaneDeps,
  asked: Asked,
  ref: string,
  name: string,
): Promise<Decision> {
  const picture = await pictureOf(deps.store, ref)
  const { cluster } = picture
  requireConfigUrl(cluster)
  const before = cluster.spec.links
  const link = before.find(({ obCluster }) => obCluster === name)
  if (link === undefined) return unchanged(cluster, 'unlink')
  const links = before.filter(({ obCluster }) => obCluster !== name)
  if (link.default && links.length > 0)
    throw new Problem('in-use', `${name} is where logins go that name no cluster`, {
      remedy: `make another link the default first: PUT …/links/${links[0]?.obCluster} with "default": true`,
    })
  const record = await deps.store.get('obCluster', { name })
  if (record !== null) requireUnchanging(record)
  return changed(deps, asked, picture, {
    change: { obCluster: name, before, after: links },
    action: 'delete-link',
    record,
  })
}

/** @throws Problem operation-not-allowed */
function requireConfigUrl({ name, spec }: ClusterRecord): void {
  if (spec.workMode === 'CONFIG_URL') return
  throw new Problem(
    'operation-not-allowed',
    `${name} is in work mode RS_LIST: its one link is given when it is made`,
  )
}

/** At once: an operation that is under way logs in as it began. @throws Problem cluster-state-conflict */
function withAccount(
  { clock }: PlaneDeps,
  cluster: ClusterRecord,
  known: Link,
  account: LinkInput['probeAccount'],
): Decision {
  const link = accounted(known, account)
  if (isSame([known], [link])) return unchanged(cluster, 'link')
  requireFreeCluster(cluster)
  const { spec } = cluster
  const links = spec.links.map(each => (each === known ? link : each))
  const after: ClusterRecord = {
    ...cluster,
    spec: { ...spec, links },
    generation: cluster.generation + 1,
    revision: cluster.revision + 1,
    updatedAt: clock.now(),
  }
  const changes = [put('cluster', after)]
  return { kind: 'done', action: 'replace-link', ref: cluster.id, isCreated: false, changes }
}

function accounted(link: Link, account: LinkInput['probeAccount']): Link {
  if (account === undefined) return link
  const { probeAccount: _before, ...bare } = link
  return account === null ? bare : { ...bare, probeAccount: account }
}

/** One of them is the default as long as there is any: a new one when it says so, or when it is the first. */
function linked(
  before: Links,
  { name, isDefault }: { readonly name: string; readonly isDefault: boolean },
): Links {
  const isOnly = before.every(({ obCluster }) => obCluster === name)
  const known = before.find(({ obCluster }) => obCluster === name)
  const takes = isDefault || isOnly
  const others = before.map(link => (takes ? { ...link, default: false } : link))
  const link = { ...known, obCluster: name, default: takes || (known?.default ?? false) }
  const at = before.findIndex(({ obCluster }) => obCluster === name)
  return at < 0 ? [...others, link] : others.with(at, link)
}

function isSame(left: Links, right: Links): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

/** @throws Problem quota-exceeded, proxyro-mismatch */
async function requireFittingLinks(
  { store, configServiceUrl }: PlaneDeps,
  { cluster: before, nodes }: ClusterPicture,
  links: Links,
): Promise<void> {
  const cluster = { ...before, spec: { ...before.spec, links } }
  const [obClusters, packages] = await Promise.all([
    obClustersOf(store, cluster),
    packagesOf(store, cluster.spec.version),
  ])
  const source = { cluster, obClusters, configServiceUrl }
  const places = [placeIn(cluster), ...nodes]
  requireFitting(source, places, packages.map(refOf)[0] ?? null)
}

function unchanged(cluster: ClusterRecord, action: string): Decision {
  return { kind: 'done', action, ref: cluster.id, isCreated: false, changes: [] }
}

type Changed = {
  readonly change: LinkChange
  readonly action: string
  /** Null: it is gone already. */
  readonly record: ObClusterRecord | null
}

/** The new links, and an operation on the nodes that run; without any it is done at once. */
function changed(
  { clock }: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  { change, action, record }: Changed,
): Decision {
  const { cluster: before, reports } = picture
  requireFreeCluster(before)
  for (const node of picture.nodes) requireFreeNode(node)
  const now = clock.now()
  const { spec, generation } = before
  const cluster = { ...before, spec: { ...spec, links: change.after }, generation: generation + 1 }
  // One that stands or is out of reach learns of it when it is started, or when it asks the config service.
  const nodes = picture.nodes
    .filter(node => nodeStatus(node, reports.get(node.id) ?? null, now) === 'RUNNING')
    .sort(byName)
  const isAdded = isAddition(change)
  const added = isAdded && record !== null ? [put('obCluster', counted(record, 1))] : []
  if (nodes.length === 0) {
    const isGone = !isLinkedIn(change.after, change.obCluster) && record !== null
    const gone = isGone ? [put('obCluster', counted(record, -1))] : []
    const after = { ...cluster, revision: cluster.revision + 1, updatedAt: now }
    const changes = [...added, ...gone, put('cluster', after)]
    return { kind: 'done', action, ref: cluster.id, isCreated: false, changes }
  }
  const operation = operationOn(asked, now, { cluster, change, nodes })
  return {
    kind: 'accept',
    action,
    operation,
    // What is deleted counts at its OB cluster until it cannot come back by itself any more.
    changes: [...added, put('cluster', held(untried(cluster, change), operation, now))],
  }
}

function operationOn(
  asked: Asked,
  now: number,
  of: {
    readonly cluster: ClusterRecord
    readonly change: LinkChange
    readonly nodes: readonly NodeRecord[]
  },
): OperationRecord {
  const { cluster, change, nodes } = of
  const places = nodes.map(({ idc }) => ({ idc, clients: null }))
  const waves = wavesOf(places, LIVE_CHANGE)
  const first = isAddition(change) ? waves[0]?.[0] : undefined
  const tasks = nodes.map((node, at) => ({
    ...taskOf(node),
    ...(at === first ? { tries: [change.obCluster] } : {}),
  }))
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  return {
    ...newOperation(asked, now, { type: 'change-links', cluster, target, tasks }),
    rollout: { rollout: LIVE_CHANGE, waves, undo: null },
    linkChange: change,
  }
}

/**
 * What else is written when links go to one side of a change that has ended: who is linked again counts
 * again. @throws Problem operation-not-allowed, not-found, password-change-in-progress, proxyro-mismatch
 */
export async function linkedAgain(
  deps: PlaneDeps,
  picture: ClusterPicture,
  { id, linkChange: change }: OperationRecord,
  side: 'before' | 'after',
): Promise<readonly Change[]> {
  if (change === undefined) return []
  const { cluster } = picture
  const { links } = cluster.spec
  if (!areLinksAt(links, change, side === 'before' ? 'after' : 'before'))
    throw new Problem(
      'operation-not-allowed',
      `links of ${cluster.name} have changed since ${id}`,
      {
        remedy: `change them by PUT and DELETE of /v1/clusters/${cluster.name}/links/…`,
      },
    )
  const name = change.obCluster
  if (isLinkedIn(links, name) || !isLinkedIn(change[side], name)) return []
  const record = await deps.store.get('obCluster', { name })
  if (record === null) throw new Problem('not-found', `there is no OB cluster ${name} any more`)
  requireUnchanging(record)
  requireReach(cluster, [record])
  await requireFittingLinks(deps, picture, change[side])
  return [put('obCluster', counted(record, 1))]
}
