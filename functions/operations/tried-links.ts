/**
 * What a node has learnt of OB clusters when it logged in by new links: their versions, which are kept with
 * them, and whether the proxies are of the family for that. Source: management.md §1.1, §3.12.
 */
import type { VerbResult } from '#contract/command'
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import { put, type Store } from '../domain/store.ts'
import { fitsObCluster, whyNoFit } from '../domain/version.ts'

const VERSION = /^\d{1,4}(?:\.\d{1,4}){1,3}$/

/** Why the link cannot be; null also where an OB cluster has not told its version. Can run twice. @throws Conflict */
export async function noteVersions(
  store: Store,
  { clusterId, tasks: [task] }: OperationRecord,
  facts: VerbResult['facts'],
): Promise<ProblemView | null> {
  const said = versionsIn(facts?.['obVersions'])
  const names = (task?.tries ?? []).filter(name => said.has(name))
  if (names.length === 0) return null
  const [cluster, records] = await Promise.all([
    store.get('cluster', { id: clusterId }),
    store.getMany(
      'obCluster',
      names.map(name => ({ name })),
    ),
  ])
  const known = records.map(record => ({ ...record, obVersion: said.get(record.name) ?? '' }))
  const changed = known.filter((record, at) => record.obVersion !== records[at]?.obVersion)
  if (changed.length > 0) await store.commit(changed.map(record => put('obCluster', record)))
  if (cluster === null) return null
  const unfit = known.find(({ obVersion }) => !fitsObCluster(cluster.spec.version, obVersion))
  return unfit === undefined
    ? null
    : { code: 'version-incompatible', detail: whyNoFit(cluster, unfit) }
}

/** `name=version` each, a line each; what is no version is none. */
function versionsIn(fact: unknown): ReadonlyMap<string, string> {
  const lines = typeof fact === 'string' ? fact.split('\n') : []
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const at = line.lastIndexOf('=')
      const version = line.slice(at + 1)
      return at > 0 && VERSION.test(version) ? [[line.slice(0, at), version]] : []
    }),
  )
}
