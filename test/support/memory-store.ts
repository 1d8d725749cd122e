/** The store in memory, for suites of what is above it; it passes the same contract as the table. */

import {
  type Change,
  type ClusterPicture,
  Conflict,
  type KeyOf,
  type Kind,
  type Listed,
  type ListRequest,
  type Period,
  type Records,
  type Store,
} from '../../functions/domain/store.ts'
import {
  clusterPartition,
  dayOf,
  historyPartition,
  historyPeriod,
  type Key,
  keyOf,
  movedOutPartition,
  operationPartition,
  rootServicesPartition,
  STEPS,
  WAVES,
} from '../../functions/store/keys.ts'

export type Stored = { readonly kind: Kind; readonly record: Records[Kind] }

type Entry = Stored & { readonly key: Key }

export class MemoryStore implements Store {
  private readonly entries = new Map<string, Entry>()
  /** Records written so far. */
  writes = 0

  async get<K extends Kind>(kind: K, key: KeyOf<K>): Promise<Records[K] | null> {
    return this.at(kind, key)
  }

  async getMany<K extends Kind>(kind: K, keys: readonly KeyOf<K>[]) {
    // In no order, as a table answers: whoever needs one says so.
    return [...keys]
      .reverse()
      .map(key => this.at(kind, key))
      .filter(record => record !== null)
  }

  async cluster(id: string): Promise<ClusterPicture | null> {
    const partition = [...this.entries.values()].filter(
      ({ key }) => key.pk === clusterPartition(id),
    )
    const of = <K extends Kind>(kind: K) =>
      partition.filter(each => each.kind === kind).map(each => each.record as Records[K])
    const [cluster] = of('cluster')
    if (cluster === undefined) return null
    const nodes = of('node').sort((left, right) => (left.id < right.id ? -1 : 1))
    return { cluster, nodes, reports: new Map(of('report').map(each => [each.nodeId, each])) }
  }

  async steps(operationId: string) {
    return this.sorted('step', operationPartition(operationId), STEPS)
  }

  async waves(operationId: string) {
    return this.sorted('wave', operationPartition(operationId), WAVES)
  }

  async rootServices(obCluster: string) {
    return this.sorted('rootServices', rootServicesPartition(obCluster), '')
  }

  async movedOut(name: string) {
    return this.sorted('movedOut', movedOutPartition(name), '')
  }

  async clusterNames(request: ListRequest) {
    return pageOf(this.all('clusterName'), request, ({ name }) => name)
  }

  async obClusters(request: ListRequest) {
    return pageOf(this.all('obCluster'), request, ({ name }) => name)
  }

  async looseSecrets(request: ListRequest) {
    return pageOf(this.all('looseSecret'), request, ({ name }) => name)
  }

  async packages(request: ListRequest) {
    return pageOf(this.all('package'), request, ({ id }) => id)
  }

  async nodes(request: ListRequest) {
    return pageOf(this.all('node'), request, ({ id }) => id)
  }

  async operations(request: ListRequest) {
    return pageOf(this.all('operation'), request, ({ id }) => id, true)
  }

  async parameterHistory(
    clusterId: string,
    { from, to, ...request }: ListRequest & Period,
  ): Promise<Listed<Records['parameterHistory']>> {
    const [least, greatest] = historyPeriod({
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    })
    const placeOf = (record: Records['parameterHistory']) => keyOf('parameterHistory', record).sk
    const all = this.sorted('parameterHistory', historyPartition(clusterId), '')
    const within = all.filter(each => placeOf(each) >= least && placeOf(each) <= greatest)
    return pageOf(within, request, placeOf, true)
  }

  async audit(day: string, request: ListRequest) {
    const all = this.all('audit').filter(({ at }) => dayOf(at) === day)
    return pageOf(all, request, ({ id }) => id, true)
  }

  async due(now: number, limit: number) {
    return this.all('work')
      .filter(({ nextAt }) => nextAt <= now)
      .sort((left, right) => left.nextAt - right.nextAt)
      .slice(0, limit)
      .map(({ operationId }) => operationId)
  }

  async commit(changes: readonly Change[]): Promise<void> {
    const stale = changes.filter(
      ({ kind, record }) => (this.at(kind, record as never)?.version ?? 0) !== record.version,
    )
    if (stale.length > 0) throw new Conflict(stale.map(({ kind }) => kind))
    for (const { act, kind, record } of changes) {
      const key = keyOf(kind, record as never)
      const place = `${key.pk}|${key.sk}`
      this.writes += 1
      if (act === 'delete') this.entries.delete(place)
      else
        this.entries.set(place, {
          kind,
          key,
          record: frozen(structuredClone({ ...record, version: record.version + 1 })),
        })
    }
  }

  /** Everything in it, as it is stored. */
  contents(): readonly Stored[] {
    return [...this.entries.values()].map(({ kind, record }) => ({
      kind,
      record: structuredClone(record),
    }))
  }

  /** From here on it has this and nothing else. */
  load(contents: readonly Stored[]): void {
    this.entries.clear()
    for (const { kind, record } of contents) {
      const key = keyOf(kind, record as never)
      this.entries.set(`${key.pk}|${key.sk}`, { kind, key, record })
    }
  }

  all<K extends Kind>(kind: K): Records[K][] {
    return [...this.entries.values()]
      .filter(each => each.kind === kind)
      .map(each => each.record as Records[K])
  }

  private at<K extends Kind>(kind: K, key: KeyOf<K>): Records[K] | null {
    const { pk, sk } = keyOf(kind, key)
    const entry = this.entries.get(`${pk}|${sk}`)
    return entry === undefined ? null : (entry.record as Records[K])
  }

  private sorted<K extends Kind>(kind: K, pk: string, prefix: string): Records[K][] {
    return [...this.entries.values()]
      .filter(({ key }) => key.pk === pk && key.sk.startsWith(prefix))
      .sort((left, right) => (left.key.sk < right.key.sk ? -1 : 1))
      .filter(each => each.kind === kind)
      .map(each => each.record as Records[K])
  }
}

function pageOf<T>(
  all: readonly T[],
  { limit, after }: ListRequest,
  orderOf: (one: T) => string,
  isNewestFirst = false,
): Listed<T> {
  const direction = isNewestFirst ? -1 : 1
  const sorted = [...all]
    .sort((left, right) => (orderOf(left) < orderOf(right) ? -direction : direction))
    .filter(one => {
      if (after === undefined) return true
      return isNewestFirst ? orderOf(one) < after : orderOf(one) > after
    })
  const items = sorted.slice(0, limit)
  const last = items.at(-1)
  return { items, next: sorted.length > limit && last !== undefined ? orderOf(last) : null }
}

/** What is read is shared by all who read it, and a copy for each costs more than all else. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) frozen(each)
  return Object.freeze(value)
}
