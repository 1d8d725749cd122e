/**
 * Links: which OB clusters a proxy cluster may reach. In work mode CONFIG_URL they are what the config
 * service answers, from the moment of the write; nodes that run are then told to look at once, so
 * that nothing is restarted. Source: management.md §3.12.
 */

import type { Link } from '../domain/link.ts'
import type { ClusterSpec } from '../domain/model.ts'
import type { Asked, LinkInput, Outcome, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ClusterRecord, ObClusterRecord } from '../domain/record.ts'
import { type Change, type ClusterPicture, put } from '../domain/store.ts'
import { obClustersOf } from '../operations/sources.ts'
import { pictureOf, viewOf } from './cluster-view.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import { placeIn, requireFitting } from './fitting.ts'
import { packagesOf, refOf } from './packages.ts'
import { held, newOperation, requireFreeCluster, requireFreeNode, taskOf } from './plans.ts'
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
  await requireFittingLinks(deps, picture, links)
  const isNew = known === undefined
  return changed(deps, asked, picture, {
    links,
    action: isNew ? 'add-link' : 'replace-link',
    changes: isNew ? [counted(record, 1)] : [],
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
    links,
    action: 'delete-link',
    changes: record === null ? [] : [counted(record, -1)],
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

function counted(record: ObClusterRecord, by: number): Change {
  return put('obCluster', { ...record, linkCount: Math.max(0, record.linkCount + by) })
}

function unchanged(cluster: ClusterRecord, action: string): Decision {
  return { kind: 'done', action, ref: cluster.id, isCreated: false, changes: [] }
}

type Changed = {
  readonly links: Links
  readonly action: string
  readonly changes: readonly Change[]
}

/** The new links, and an operation on the nodes that should run; without any it is done at once. */
function changed(
  { clock }: PlaneDeps,
  asked: Asked,
  picture: ClusterPicture,
  { links, action, changes }: Changed,
): Decision {
  requireFreeCluster(picture.cluster)
  const now = clock.now()
  const cluster: ClusterRecord = {
    ...picture.cluster,
    spec: { ...picture.cluster.spec, links },
    generation: picture.cluster.generation + 1,
  }
  const nodes = picture.nodes.filter(({ desiredState }) => desiredState === 'RUNNING')
  for (const node of nodes) requireFreeNode(node)
  if (nodes.length === 0) {
    const after = { ...cluster, revision: cluster.revision + 1, updatedAt: now }
    const all = [...changes, put('cluster', after)]
    return { kind: 'done', action, ref: cluster.id, isCreated: false, changes: all }
  }
  const target = { kind: 'cluster' as const, id: cluster.id, name: cluster.name }
  const tasks = nodes.map(node => taskOf(node))
  const operation = newOperation(asked, now, { type: 'change-links', cluster, target, tasks })
  return {
    kind: 'accept',
    action,
    operation,
    changes: [...changes, put('cluster', held(cluster, operation, now))],
  }
}
