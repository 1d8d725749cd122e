/**
 * The OB clusters of a node: made when a login first names them, kept while they are used, bounded in
 * number. One picture for all workers, who hear of every change (N2). Source: proxy-routing.md §3.3.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { Cluster, type ClusterSettings } from '../topology/cluster.ts'
import type { ClusterDirectory } from '../topology/cluster-directory.ts'
import type { RootServices } from '../topology/config-server-documents.ts'
import type { ServerAddress } from '../topology/model.ts'
import type { Answer } from '../topology/table-entry.ts'
import { Unanswered } from '../topology/unanswered.ts'
import type { Question } from './channel.ts'
import {
  type ClusterFacts,
  type ClusterNews,
  type ClusterReport,
  plainPicture,
} from './cluster-messages.ts'

export type NodeClustersSettings = ClusterSettings & {
  /** `enable_standby`: of several lists the primary's is looked for. */
  readonly checksRole: boolean
  /** `cluster_count_high_water_mark`. */
  readonly maxClusters: number
  /** `cluster_expire_time`: unused for so long, a cluster is given up; 0: never. */
  readonly expiryMs: number
  /** `routing_cache_mem_limited`, bytes: what the supervisor may take of it. */
  readonly maxBytes: number
}

export type NodeClustersPort = {
  readonly directory: ClusterDirectory
  readonly clock: Clock
  readonly settings: () => NodeClustersSettings
  /** @throws Error when it cannot be answered. */
  readonly query: (server: ServerAddress, sql: string, cluster: string) => Promise<Answer>
  /** Nothing is asked of the servers of that cluster any more. */
  readonly released: (cluster: string) => void
  readonly probe: (server: ServerAddress, timeoutMs: number) => Promise<boolean>
  /** To all workers. */
  readonly tell: (news: ClusterNews) => void
  readonly isAtWork: (key: string) => boolean
  readonly say: (line: string, isFailure: boolean) => void
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
  readonly random: () => number
}

export type ClusterQuestion = Extract<
  Question,
  { ask: 'cluster' | 'tenant' | 'table' | 'partition' | 'routine' }
>

const QUESTIONS: ReadonlySet<string> = new Set([
  'cluster',
  'tenant',
  'table',
  'partition',
  'routine',
] satisfies ClusterQuestion['ask'][])

export function isClusterQuestion(question: Question): question is ClusterQuestion {
  return QUESTIONS.has(question.ask)
}

/** The lists it may begin with, and which of them it does: those of primary and standbys, by turns. */
type Beginning = {
  choices: readonly (readonly ServerAddress[])[]
  at: number
}

type Kept = {
  readonly cluster: Cluster
  readonly started: Promise<void>
  readonly beginning: Beginning
  usedAt: number
}

const SWEEP_MS = 10_000

const STORES = { table: 'tables', partition: 'partitions', routine: 'routines' } as const

export class NodeClusters {
  private readonly port: NodeClustersPort
  private readonly kept = new Map<string, Kept>()
  private readonly making = new Map<string, Promise<Cluster | undefined>>()
  private sweeps: TimerHandle | undefined
  private isStopped = false

  constructor(port: NodeClustersPort) {
    this.port = port
    port.directory.onChange(change => {
      if (change.kind === 'clusters')
        for (const name of change.removed) this.remove(name, 'it is no longer listed')
      else if (change.kind === 'root-services') void this.takeRootservices(change.name)
      else this.kept.get(change.name)?.cluster.refreshSoon()
    })
  }

  /** Learns which clusters there are, and all about the first; resolves when that was tried. */
  async start(): Promise<void> {
    this.sweeps = this.port.clock.every(SWEEP_MS, () => this.sweep())
    await this.port.directory.start()
    const found = await this.find(undefined)
    const first = found === undefined ? undefined : this.kept.get(found.name)
    await first?.started
  }

  stop(): void {
    this.isStopped = true
    this.sweeps?.cancel()
    this.port.directory.stop()
    for (const { cluster } of this.kept.values()) cluster.stop()
    this.kept.clear()
  }

  /** True when the first cluster has answered, or one that is in use. */
  get isLoaded(): boolean {
    return this.all().some(({ isLoaded }) => isLoaded)
  }

  all(): readonly Cluster[] {
    return [...this.kept.values()].map(({ cluster }) => cluster)
  }

  get(name: string): Cluster | undefined {
    const kept = this.kept.get(name)
    if (kept !== undefined) kept.usedAt = this.port.clock.now()
    return kept?.cluster
  }

  /** Where they come from. */
  get directory(): ClusterDirectory {
    return this.port.directory
  }

  /** Epoch milliseconds; 0 when it is not kept. */
  usedAt(name: string): number {
    return this.kept.get(name)?.usedAt ?? 0
  }

  /** By the name of a login; undefined: this node has no such cluster, or nobody can say. */
  async find(name: string | undefined): Promise<Cluster | undefined> {
    const wanted = name ?? this.port.directory.defaultCluster()
    if (wanted === undefined) return undefined
    const known = this.get(wanted)
    if (known !== undefined) return known
    const underWay = this.making.get(wanted)
    if (underWay !== undefined) return underWay
    const made = this.make(wanted).finally(() => this.making.delete(wanted))
    this.making.set(wanted, made)
    return made
  }

  /** ALTER PROXYRESOURCE DELETE: the next login makes it anew. False when it is not there. */
  remove(name: string, why: string): boolean {
    const kept = this.kept.get(name)
    if (kept === undefined) return false
    this.kept.delete(name)
    kept.cluster.stop()
    this.port.released(name)
    this.port.directory.release(name)
    this.port.tell({ kind: 'clusterGone', cluster: name })
    this.port.say(`cluster ${name} is given up: ${why}`, false)
    return true
  }

  facts(cluster: Cluster): ClusterFacts {
    const { blacklist, picture, flavour } = cluster
    return { picture: plainPicture(picture), flavour, judged: blacklist.avoided() }
  }

  /** Location entries of all clusters. */
  get entries(): number {
    return this.all().reduce((sum, { locations }) => sum + locations.count, 0)
  }

  /** What a worker asks. @throws Error when nobody can say */
  async respond(question: ClusterQuestion): Promise<unknown> {
    if (question.ask === 'cluster') {
      const found = await this.find(question.name ?? undefined)
      return found === undefined ? null : this.facts(found)
    }
    const cluster = this.get(question.cluster)
    if (cluster === undefined) throw new Unanswered(`cluster ${question.cluster} was given up`)
    if (question.ask === 'tenant') return await cluster.tenantServers(question.tenant)
    const { tables, partitions, routines } = cluster.locations
    if (question.ask === 'routine') return (await routines.find(question.key)) ?? null
    const store = question.ask === 'table' ? tables : partitions
    const { key, isRenewed } = question
    return (await (isRenewed ? store.renewed(key) : store.find(key))) ?? null
  }

  /** What a worker says. */
  heard(report: ClusterReport): void {
    const cluster = this.kept.get(report.cluster)?.cluster
    if (cluster === undefined) return
    if (report.kind === 'serverFailed') cluster.failed(report.server, report.how)
    else if (report.kind === 'scattered') cluster.scattered(report.tenant)
    else this.missed(cluster, report)
  }

  /** What is kept here no more is to be asked for again by who still went by it. */
  private missed(
    { name, locations }: Cluster,
    { of: kind, key, isLater }: Extract<ClusterReport, { kind: 'missed' }>,
  ): void {
    const store = locations[STORES[kind]]
    if (store.has(key)) store.missed(key, isLater)
    else this.port.tell({ kind: 'located', cluster: name, change: { kind, key, value: null } })
  }

  /** `partition_location_expire_relative_time`: entries made up to now + `relativeMs` are forgotten. */
  expire(relativeMs: number): void {
    const boundary = this.port.clock.now() + relativeMs
    for (const cluster of this.all()) {
      cluster.locations.forgetUpTo(boundary)
      this.port.tell({ kind: 'forget', cluster: cluster.name, tenant: null })
    }
  }

  private async make(name: string): Promise<Cluster | undefined> {
    const { port } = this
    const found = await port.directory.resolve(name)
    if (found.kind === 'unavailable') port.say(`cluster ${name}: ${found.why}`, true)
    if (found.kind !== 'found' || found.choices.length === 0 || this.isStopped) return undefined
    const known = this.get(found.name)
    if (known !== undefined) return known
    const beginning: Beginning = { choices: addressesOf(found.choices), at: 0 }
    const cluster = this.newCluster(found.name, found.checkedName, beginning)
    const started = cluster.start()
    this.kept.set(found.name, { cluster, started, beginning, usedAt: port.clock.now() })
    this.limit()
    return cluster
  }

  private newCluster(
    name: string,
    expectedName: string | undefined,
    beginning: Beginning,
  ): Cluster {
    const { port } = this
    const cluster: Cluster = new Cluster(
      {
        name,
        id: 0,
        expectedName,
        mustBePrimary: () => beginning.choices.length > 1 && port.settings().checksRole,
        rootservices: () => beginning.choices[beginning.at % beginning.choices.length] ?? [],
        settings: port.settings,
        query: (server, sql) => port.query(server, sql, name),
        probe: port.probe,
        isAtWork: port.isAtWork,
        pictured: () => port.tell({ kind: 'cluster', facts: this.facts(cluster) }),
        judged: change => port.tell({ kind: 'judged', cluster: name, change }),
        changed: change => port.tell({ kind: 'located', cluster: name, change }),
        forgot: tenant => port.tell({ kind: 'forget', cluster: name, tenant }),
        died: server => port.tell({ kind: 'died', cluster: name, server }),
        lost: () => {
          beginning.at += 1
          void port.directory.refetch(name)
        },
        unreachable: why => port.say(`cluster ${name}: ${why}`, true),
        reachable: () => port.say(`cluster ${name}: it answers again`, false),
        wrong: why => {
          beginning.at += 1
          port.say(`cluster ${name}: ${why}`, true)
        },
        idcRegions: () =>
          new Map(port.directory.idcRegions(name).map(({ idc, region }) => [idc, region])),
        maxBytes: () => this.shareOf(cluster),
        broke: port.broke,
        random: port.random,
      },
      port.clock,
    )
    return cluster
  }

  /** What the others leave, and an equal part at least. */
  private shareOf(cluster: Cluster): number {
    const { maxBytes } = this.port.settings()
    const total = this.all().reduce((sum, { locations }) => sum + locations.size, 0)
    const others = total - cluster.locations.size
    return Math.max(maxBytes / Math.max(1, this.kept.size), maxBytes - others)
  }

  private async takeRootservices(name: string): Promise<void> {
    const kept = this.kept.get(name)
    const found = await this.port.directory.resolve(name)
    if (kept === undefined || found.kind !== 'found' || found.choices.length === 0) return
    kept.beginning.choices = addressesOf(found.choices)
    kept.beginning.at = 0
    kept.cluster.moved()
  }

  private sweep(): void {
    const { clock, directory, settings } = this.port
    const { expiryMs } = settings()
    this.limit()
    if (expiryMs === 0) return
    const first = directory.defaultCluster()
    // Without the first one the node would not be ready, and nobody would come to use it again.
    for (const [name, { usedAt }] of this.kept)
      if (name !== first && clock.now() - usedAt > expiryMs)
        this.remove(name, 'nobody has used it for long')
  }

  /** Those not used for the longest go when there are too many. */
  private limit(): void {
    const surplus = this.kept.size - this.port.settings().maxClusters
    if (surplus <= 0) return
    const byAge = [...this.kept].sort(([, one], [, other]) => one.usedAt - other.usedAt)
    for (const [name] of byAge.slice(0, surplus)) this.remove(name, 'there are too many clusters')
  }
}

function addressesOf(choices: readonly RootServices[]): Beginning['choices'] {
  return choices.map(({ servers }) => servers.map(({ address }) => address))
}
