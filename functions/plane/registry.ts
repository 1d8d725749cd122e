/** OB clusters, packages and hosts: what proxy clusters are made of. */
import { newId } from '../domain/ids.ts'
import type { Host, ObCluster, Package } from '../domain/model.ts'
import { parsePackageName } from '../domain/names.ts'
import type { Plane } from '../domain/plane.ts'
import { Problem } from '../domain/problem.ts'
import type { ObClusterRecord, PackageRecord } from '../domain/record.ts'
import type { HostFacts } from '../domain/remote.ts'
import { put, remove, type Store } from '../domain/store.ts'
import { auditEntry, type Decision, mutate, type PlaneDeps, settled } from './context.ts'
import type { Cursors } from './cursor.ts'

/** Clusters that are read at a time when a package is to go. */
const CLUSTERS_AT_ONCE = 100

export function obClusterUseCases(deps: PlaneDeps, cursors: Cursors): Plane['obClusters'] {
  const { store, clock } = deps
  return {
    list: async ({ limit, cursor }) => {
      const page = await store.obClusters({ limit, ...cursors.read('ob-clusters', cursor) })
      return {
        items: page.items.map(obClusterView),
        nextCursor: cursors.write('ob-clusters', page.next),
      }
    },
    get: async name => obClusterView(await obClusterOf(store, name)),
    put: (asked, name, input, revision) =>
      settled(async () => {
        const earlier = await store.get('obCluster', { name })
        requireRevision(name, earlier, revision)
        const record = obClusterAfter(earlier, name, input, clock.now())
        const isCreated = earlier === null
        const action = isCreated ? 'create-ob-cluster' : 'replace-ob-cluster'
        await store.commit([
          put('obCluster', record),
          put('audit', auditEntry(deps, asked, action, name)),
        ])
        return { value: obClusterView(record), isCreated }
      }),
    remove: (asked, name, revision) =>
      settled(async () => {
        const record = await obClusterOf(store, name)
        if (record.revision !== revision)
          throw new Problem('revision-stale', `${name} is at revision ${record.revision}`)
        if (record.linkCount > 0)
          throw new Problem('in-use', `${record.linkCount} proxy clusters are linked to ${name}`)
        await store.commit([
          remove('obCluster', record),
          put('audit', auditEntry(deps, asked, 'delete-ob-cluster', name)),
        ])
      }),
  }
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
  input: Pick<ObCluster, 'rootservice' | 'proxyroSecret' | 'tags'>,
  now: number,
): ObClusterRecord {
  const { revision, createdAt, linkCount, version } = earlier ?? {
    revision: 0,
    createdAt: now,
    linkCount: 0,
    version: 0,
  }
  return { ...input, name, revision: revision + 1, createdAt, updatedAt: now, linkCount, version }
}

async function obClusterOf(store: Store, name: string): Promise<ObClusterRecord> {
  const record = await store.get('obCluster', { name })
  if (record === null) throw new Problem('not-found', `there is no OB cluster ${name}`)
  return record
}

function obClusterView(record: ObClusterRecord): ObCluster {
  const { name, revision, createdAt, updatedAt, rootservice, proxyroSecret, tags } = record
  return { name, revision, createdAt, updatedAt, rootservice, proxyroSecret, tags }
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
      settled(async () => {
        const record = await packageOf(store, id)
        await requireUnused(store, record)
        const name = await store.get('packageName', { name: record.fileName })
        await store.commit([
          remove('package', record),
          ...(name?.id === id ? [remove('packageName', name)] : []),
          put('audit', auditEntry(deps, asked, 'delete-package', id)),
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
