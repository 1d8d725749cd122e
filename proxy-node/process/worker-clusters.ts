/**
 * OB clusters as a worker's sessions see them: the supervisor's pictures, a read cache of locations, a
 * copy of the blacklist. Source: decisions.md N2; proxy-routing.md §4.6.
 */
import type { Clock } from '../base/clock.ts'
import type { Address } from '../net/transport.ts'
import { LdcCache } from '../routing/ldc.ts'
import { StaleReplicas } from '../routing/stale-replicas.ts'
import type { ClusterView, Directory } from '../session/ports.ts'
import { BlacklistMirror } from '../topology/blacklist-mirror.ts'
import type { FailureKind } from '../topology/failures.ts'
import type { KernelFlavour } from '../topology/listing.ts'
import { LocationView } from '../topology/location-view.ts'
import type { ClusterPicture, TenantServers, Verdicts } from '../topology/model.ts'
import { Tenants, tenantLimits } from '../topology/tenants.ts'
import type { Channel, WorkerStale } from './channel.ts'
import { type ClusterFacts, type ClusterNews, pictureOf } from './cluster-messages.ts'

/** A worker asks the supervisor, whose picture is fresher and as cheap. */
const TENANT_AGE_MS = 5_000
/** Server failures that are told at once; the rest of a second is one more of the same. */
const MAX_FAILURES_A_SECOND = 100
/** Until the picture shows what was told of a tenant, each of its statements would tell it again. */
const SCATTERED_GAP_MS = 250
/** Clusters that were given up and may come again, for the sessions that still look at them. */
const MAX_GONE = 256

export type WorkerClusterSettings = {
  /** Entries of locations in this worker. */
  readonly maxEntries: number
  readonly detectMode: number
  readonly retryIntervalMs: number
  /** `tenant_location_valid_time`; 0: for ever. */
  readonly tenantAgeMs: number
  /** `read_stale_remove_interval`: what is known of stale replicas is forgotten then. */
  readonly staleAgeMs: number
  /** `cache_cleaner_clean_interval`. */
  readonly cleanIntervalMs: number
}

export type WorkerClustersPort = {
  readonly settings: () => WorkerClusterSettings
  /** What runs on that server is not going to end. */
  readonly died: (server: Address) => void
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
}

class WorkerCluster implements ClusterView {
  readonly name: string
  readonly stale = new StaleReplicas()
  readonly ldcs = new LdcCache()
  readonly locations: LocationView
  readonly verdicts: Verdicts
  readonly blacklist: BlacklistMirror
  private readonly channel: Channel
  private readonly clock: Clock
  private readonly tenants: Tenants
  private flavour: KernelFlavour = 'v4'
  private failuresAt = 0
  private failures = 0
  private scatteredAt = 0
  private scatteredTenant = ''
  picture: ClusterPicture
  stamp: object = {}

  constructor(facts: ClusterFacts, channel: Channel, clock: Clock, port: WorkerClustersPort) {
    const { settings } = port
    this.picture = pictureOf(facts.picture)
    this.name = this.picture.cluster
    this.channel = channel
    this.clock = clock
    this.blacklist = new BlacklistMirror(settings)
    this.verdicts = this.blacklist
    this.tenants = new Tenants(
      tenant => channel.ask({ ask: 'tenant', cluster: this.name, tenant }),
      clock,
      tenantLimits(() => settings().tenantAgeMs, TENANT_AGE_MS),
    )
    this.locations = this.newLocations(port)
    this.take(facts)
  }

  /** `isSeen`: the picture is the one that is there. */
  take({ picture, flavour, judged }: ClusterFacts, isSeen = false): void {
    if (!isSeen) {
      this.picture = pictureOf(picture)
      this.stamp = {}
    }
    this.flavour = flavour
    this.blacklist.replace(judged)
    this.tenants.clear()
    // The picture may say again what was told to be otherwise.
    this.scatteredTenant = ''
  }

  tenantServers(tenant: string): TenantServers | Promise<TenantServers> {
    return this.tenants.find(tenant)
  }

  /** Told at once, as long as they are not too many: the threshold is a handful. */
  failed({ host, port }: Address, how: FailureKind): void {
    const now = this.clock.now()
    if (now - this.failuresAt >= 1_000) {
      this.failuresAt = now
      this.failures = 0
    }
    this.failures += 1
    if (this.failures > MAX_FAILURES_A_SECOND) return
    this.channel.send({ kind: 'serverFailed', cluster: this.name, server: { host, port }, how })
  }

  scattered(tenant: string): void {
    const now = this.clock.now()
    if (tenant === this.scatteredTenant && now - this.scatteredAt < SCATTERED_GAP_MS) return
    this.scatteredTenant = tenant
    this.scatteredAt = now
    this.channel.send({ kind: 'scattered', cluster: this.name, tenant })
  }

  forget(tenant: string | undefined): void {
    this.locations.forget(tenant)
    if (tenant === undefined) this.tenants.clear()
    else this.tenants.forget(tenant)
  }

  private newLocations({ settings, broke }: WorkerClustersPort): LocationView {
    const { channel } = this
    const cluster = this.name
    return new LocationView(
      {
        flavour: () => this.flavour,
        table: (key, isRenewed) => channel.ask({ ask: 'table', cluster, key, isRenewed }),
        partition: (key, isRenewed) => channel.ask({ ask: 'partition', cluster, key, isRenewed }),
        routine: key => channel.ask({ ask: 'routine', cluster, key }),
        missed: (of, key, isLater) => channel.send({ kind: 'missed', cluster, of, key, isLater }),
        maxEntries: () => settings().maxEntries,
        broke,
      },
      this.clock,
    )
  }
}

export class WorkerClusters implements Directory {
  private readonly channel: Channel
  private readonly clock: Clock
  private readonly port: WorkerClustersPort
  private readonly clusters = new Map<string, WorkerCluster>()
  private readonly gone = new Map<string, WorkerCluster>()

  constructor(channel: Channel, clock: Clock, port: WorkerClustersPort) {
    this.channel = channel
    this.clock = clock
    this.port = port
  }

  /** Cleans up from time to time, for as long as the process lives. */
  start(): void {
    this.cleanLater()
  }

  /** A cluster that is known by name is answered at once; aliases and news are asked about. */
  cluster(name: string | undefined): ClusterView | undefined | Promise<ClusterView | undefined> {
    const known = name === undefined ? undefined : this.clusters.get(name)
    if (known !== undefined) return known
    return this.channel
      .ask({ ask: 'cluster', name: name ?? null })
      .then(facts => (facts === null ? undefined : this.take(facts)))
  }

  /** What was told of replicas that are too old. */
  staleReplicas(): readonly WorkerStale[] {
    return [...this.clusters.values()].map(({ name, stale }) => ({
      cluster: name,
      records: [...stale.all()],
    }))
  }

  hear(news: ClusterNews): void {
    if (news.kind === 'cluster') {
      this.take(news.facts)
      return
    }
    const known = this.clusters.get(news.cluster)
    if (known === undefined) return
    if (news.kind === 'clusterGone') this.giveUp(known)
    else if (news.kind === 'judged') known.blacklist.apply(news.change)
    else if (news.kind === 'located') known.locations.changed(news.change)
    else if (news.kind === 'forget') known.forget(news.tenant ?? undefined)
    else this.port.died(news.server)
  }

  private take(facts: ClusterFacts): WorkerCluster {
    const { cluster, version } = facts.picture
    const known = this.clusters.get(cluster)
    if (known === undefined) return this.begin(facts)
    const isSeen = version === known.picture.version
    if (version >= known.picture.version) known.take(facts, isSeen)
    return known
  }

  /** Sessions that look at it since it was given up see it as it is now. */
  private begin(facts: ClusterFacts): WorkerCluster {
    const { cluster } = facts.picture
    const before = this.gone.get(cluster)
    this.gone.delete(cluster)
    before?.take(facts)
    const begun = before ?? new WorkerCluster(facts, this.channel, this.clock, this.port)
    this.clusters.set(cluster, begun)
    return begun
  }

  /** Its sessions go on by what was known last. */
  private giveUp(known: WorkerCluster): void {
    this.clusters.delete(known.name)
    known.locations.forget()
    this.gone.delete(known.name)
    this.gone.set(known.name, known)
    const [oldest] = this.gone.keys()
    if (this.gone.size > MAX_GONE && oldest !== undefined) this.gone.delete(oldest)
  }

  private cleanLater(): void {
    this.clock.after(this.port.settings().cleanIntervalMs, () => {
      const { staleAgeMs } = this.port.settings()
      // Sessions still look at those that were given up.
      for (const { stale } of [...this.clusters.values(), ...this.gone.values()])
        stale.sweep(this.clock.now(), staleAgeMs)
      this.cleanLater()
    })
  }
}
