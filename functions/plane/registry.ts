/** OB clusters, packages and hosts: what proxy clusters are made of. */
import { newId } from '../domain/ids.ts'
import type { Host, ObCluster, Package } from '../domain/model.ts'
import { parsePackageName, registrationUrlOf } from '../domain/names.ts'
import type { ObClusterRecord } from '../domain/ob-cluster-record.ts'
import type { ObClusterInput, Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import { settled } from '../domain/proxyro.ts'
import type { PackageRecord } from '../domain/record.ts'
import type { HostFacts } from '../domain/remote.ts'
import { type Change, put, remove, type Store } from '../domain/store.ts'
import { forgetLooseSecrets, loosened } from '../operations/loose-secrets.ts'
import { type Decision, mutate, type PlaneDeps } from './context.ts'
import type { Cursors } from './cursor.ts'
import { requireUnchanging } from './proxyro-reach.ts'

/** Clusters that are read at a time when a package is to go. */
const CLUSTERS_AT_ONCE = 100
/** What a kernel has when nobody says another. */
const DEFAULT_OB_CLUSTER_ID = 1

export function obClusterUseCases(
  deps: PlaneDeps,
  cursors: Cursors,
): Omit<Plane['obClusters'], 'rotateToken' | 'rotateProxyro'> {
  const { store, clock } = deps
  const view = obClusterViewOf(deps)
  return {
    list: async ({ limit, cursor }) => {
      const page = await store.obClusters({ limit, ...cursors.read('ob-clusters', cursor) })
      return {
        items: page.items.map(record => obClusterView(record, deps)),
        nextCursor: cursors.write('ob-clusters', page.next),
      }
    },
    get: view,
    put: (asked, name, input, revision) =>
      mutate(deps, asked, view, async () => {
        const earlier = await store.get('obCluster', { name })
        requireRevision(name, earlier, revision)
        if (earlier !== null) requireUnheld(earlier)
        const isCreated = earlier === null
        const after = obClusterAfter(earlier, name, input, clock.now())
        return {
          kind: 'done',
          action: isCreated ? 'create-ob-cluster' : 'replace-ob-cluster',
          ref: name,
          isCreated,
          changes: [put('obCluster', after), ...(await loosenedBy(store, earlier, after))],
        }
      }),
    remove: async (asked, name, revision) => {
      const outcome = await mutate(deps, asked, gone, async () => {
        const record = await obClusterOf(store, name)
        if (record.revision !== revision)
          throw new Problem('revision-stale', `${name} is at revision ${record.revision}`)
        requireUnheld(record)
        if (record.linkCount > 0)
          throw new Problem('in-use', `${record.linkCount} proxy clusters are linked to ${name}`)
        return removal('delete-ob-cluster', name, [
          remove('obCluster', record),
          ...(await loosenedBy(store, record, null)),
        ])
      })
      // It is done: what cannot be removed now the sweeper removes.
      await forgetLooseSecrets(deps).catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error
      })
      return outcome
    },
  }
}

/** What is seen of what was removed. */
async function gone(): Promise<null> {
  return null
}

function removal(action: string, ref: string, changes: readonly Change[]): Decision {
  return { kind: 'done', action, ref, isCreated: false, changes }
}

/** Without a revision it must not exist, with one it must be at it. @throws Problem revision-stale */
function requireRevision(
  name: string,
  earlier: ObClusterRecord | null,
  revision: number | undefined,
): void {
  if (earlier?.revision === revision) return
  const is = earlier === null ? 'does not exist' : `is at revision ${earlier.revision}`
  throw new Problem('revision-stale', `${name} ${is}`)
}

function obClusterAfter(
  earlier: ObClusterRecord | null,
  name: string,
  input: ObClusterInput,
  now: number,
): ObClusterRecord {
  const fresh = { revision: 0, createdAt: now, linkCount: 0, version: 0 }
  const kept = earlier === null ? fresh : sameServers(earlier, input)
  const after = { ...kept, ...input, name, revision: kept.revision + 1, updatedAt: now }
  // Who names the password that counts ends a change that was left half done.
  return earlier === null || earlier.proxyroSecret === input.proxyroSecret
    ? after
    : settled(after, { name: input.proxyroSecret, isOurs: false })
}

/** Of other servers nobody knows the version. */
function sameServers(earlier: ObClusterRecord, { rootservice }: ObClusterInput): ObClusterRecord {
  const { obVersion: _before, ...rest } = earlier
  return earlier.rootservice.join() === rootservice.join() ? earlier : rest
}

/** Of the passwords that are named from now on, and of those that are not any more. @throws Problem operation-not-allowed */
function loosenedBy(
  store: Store,
  earlier: ObClusterRecord | null,
  after: ObClusterRecord | null,
): Promise<readonly Change[]> {
  const namesOf = (record: ObClusterRecord | null) => [
    record?.proxyroSecret,
    record?.proxyroChange?.secret,
  ]
  const [before, now] = [namesOf(earlier), namesOf(after)]
  return loosened(store, [
    ...before.filter(each => !now.includes(each)),
    ...now.filter(each => !before.includes(each)),
  ])
}

/** Half a change is no hindrance: here it may be ended. @throws Problem password-change-in-progress */
function requireUnheld(record: ObClusterRecord): void {
  if (record.hold !== null && record.hold !== undefined) requireUnchanging(record)
}

export async function obClusterOf(store: Store, name: string): Promise<ObClusterRecord> {
  const record = await store.get('obCluster', { name })
  if (record === null) throw new Problem('not-found', `there is no OB cluster ${name}`)
  return record
}

/** An OB cluster by name, as callers see it. */
export function obClusterViewOf(deps: PlaneDeps): (name: string) => Promise<ObCluster> {
  return async name => obClusterView(await obClusterOf(deps.store, name), deps)
}

function obClusterView(
  record: ObClusterRecord,
  { configServiceUrl }: Pick<PlaneDeps, 'configServiceUrl'>,
): ObCluster {
  const {
    linkCount: _links,
    version: _version,
    isProxyroOurs: _ours,
    registrar,
    hold = null,
    proxyroChange = null,
    obVersion = null,
    ...rest
  } = record
  const { obClusterId = DEFAULT_OB_CLUSTER_ID, idcRegions = [] } = rest
  const registration =
    registrar === undefined || configServiceUrl === null
      ? null
      : { url: registrationUrlOf(configServiceUrl, record.name), tokenSecret: registrar.secret }
  return { ...rest, obClusterId, idcRegions, registration, proxyroChange, obVersion, heldBy: hold }
}

export function packageUseCases(deps: PlaneDeps, cursors: Cursors): Plane['packages'] {
  const { store } = deps
  const view = async (id: string) => packageView(await packageOf(store, id))
  return {
    list: async ({ limit, cursor }) => {
      const page = await store.packages({ limit, ...cursors.read('packages', cursor) })
      return {
        items: page.items.map(packageView),
        nextCursor: cursors.write('packages', page.next),
      }
    },
    get: view,
    create: (asked, input) => mutate(deps, asked, view, () => decidePackage(deps, input)),
    remove: (asked, id) =>
      mutate(deps, asked, gone, async () => {
        const record = await packageOf(store, id)
        await requireUnused(store, record)
        const name = await store.get('packageName', { name: record.fileName })
        return removal('delete-package', id, [
          remove('package', record),
          ...(name?.id === id ? [remove('packageName', name)] : []),
        ])
      }),
  }
}

async function decidePackage(
  { store, clock }: PlaneDeps,
  input: Parameters<Plane['packages']['create']>[1],
): Promise<Decision> {
  const named = parsePackageName(input.fileName)
  if (named === undefined)
    throw new Problem('validation-failed', 'the file name is not of a package', {
      errors: [
        {
          pointer: '/fileName',
          code: 'invalid-package-name',
          detail: 'obproxy-<version>-<build>.<os>.<arch>.tar.gz',
        },
      ],
    })
  const taken = await store.get('packageName', { name: input.fileName })
  if (taken !== null)
    throw new Problem('name-taken', `${input.fileName} is registered: ${taken.id}`)
  const now = clock.now()
  const id = newId('package', now)
  const record: PackageRecord = {
    ...input,
    id,
    packageVersion: named.version,
    os: named.os,
    arch: named.arch,
    createdAt: now,
    version: 0,
  }
  return {
    kind: 'done',
    action: 'create-package',
    ref: id,
    isCreated: true,
    changes: [put('package', record), put('packageName', { name: input.fileName, id, version: 0 })],
  }
}

async function packageOf(store: Store, id: string): Promise<PackageRecord> {
  const record = await store.get('package', { id })
  if (record === null) throw new Problem('not-found', `there is no package ${id}`)
  return record
}

function packageView(record: PackageRecord): Package {
  const { packageVersion, ...rest } = record
  return { ...rest, version: packageVersion }
}

/** @throws Problem in-use naming a cluster that is of this package's version. */
async function requireUnused(store: Store, { fileName, packageVersion }: PackageRecord) {
  let after: string | undefined
  do {
    const page = await store.clusterNames({
      limit: CLUSTERS_AT_ONCE,
      ...(after === undefined ? {} : { after }),
    })
    const clusters = await store.getMany(
      'cluster',
      page.items.map(({ id }) => ({ id })),
    )
    const user = clusters.find(({ spec }) => spec.version === packageVersion)
    if (user !== undefined) throw new Problem('in-use', `${user.name} is of package ${fileName}`)
    after = page.next ?? undefined
  } while (after !== undefined)
}

export function hostUseCases({ store, hosts }: PlaneDeps, cursors: Cursors): Plane['hosts'] {
  const withNodes = async (facts: readonly HostFacts[]): Promise<readonly Host[]> => {
    const records = await store.getMany(
      'host',
      facts.map(({ id }) => ({ id })),
    )
    const nodeOf = new Map(records.map(({ id, nodeId }) => [id, nodeId]))
    return facts.map(host => ({ ...host, nodeId: nodeOf.get(host.id) ?? null }))
  }
  return {
    list: async ({ limit, cursor }) => {
      const page = await hosts.page(limit, cursors.read('hosts', cursor).after)
      return {
        items: await withNodes(page.items),
        nextCursor: cursors.write('hosts', page.nextToken),
      }
    },
    get: async id => {
      const [host] = await withNodes(await hosts.some([id]))
      if (host === undefined) throw new Problem('not-found', `there is no host ${id}`)
      return host
    },
  }
}
