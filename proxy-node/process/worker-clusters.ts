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
import { TENANT_LIMITS, Tenants } from '../topology/tenants.ts'
import type { Channel } from './channel.ts'
import { type ClusterFacts, type ClusterNews, pictureOf } from './cluster-messages.ts'

/** A worker asks the supervisor, whose picture is fresher and as cheap. */
const TENANT_AGE_MS = 5_000
/** Server failures that are told at once; the rest of a second is one more of the same. */
const MAX_FAILURES_A_SECOND = 100

export type WorkerClusterSettings = {
  /** Entries of locations in this worker. */
  readonly maxEntries: number
  readonly detectMode: number
  readonly retryIntervalMs: number
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
  picture: ClusterPicture

  constructor(
    facts: ClusterFacts,
    channel: Channel,
    clock: Clock,
    settings: () => WorkerClusterSettings,
  ) {
    this.picture = pictureOf(facts.picture)
    this.name = this.picture.cluster
    this.channel = channel
    this.clock = clock
    this.blacklist = new BlacklistMirror(settings)
    this.verdicts = this.blacklist
    this.tenants = new Tenants(
      tenant => channel.ask({ ask: 'tenant', cluster: this.name, tenant }),
      clock,
      { ...TENANT_LIMITS, maxAgeMs: TENANT_AGE_MS },
    )
    this.locations = this.newLocations(settings)
    this.take(facts)
  }

  take({ picture, flavour, judged }: ClusterFacts): void {
    this.picture = pictureOf(picture)
    this.flavour = flavour
    this.blacklist.clear()
    for (const change of judged) this.blacklist.apply(change)
    this.tenants.clear()
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
    this.channel.send({ kind: 'scattered', cluster: this.name, tenant })
  }

  forget(tenant: string | undefined): void {
    this.locations.forget(tenant)
    if (tenant === undefined) this.tenants.clear()
    else this.tenants.forget(tenant)
  }

  private newLocations(settings: () => WorkerClusterSettings): LocationView {
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
      },
      this.clock,
    )
  }
}

export class WorkerClusters implements Directory {
  private readonly channel: Channel
  private readonly clock: Clock
  private readonly settings: () => WorkerClusterSettings
  private readonly clusters = new Map<string, WorkerCluster>()
  /** What runs on that server is not going to end. */
  private readonly died: (server: Address) => void

  constructor(
    channel: Channel,
    clock: Clock,
    settings: () => WorkerClusterSettings,
    died: (server: Address) => void,
  ) {
    this.channel = channel
    this.clock = clock
    this.settings = settings
    this.died = died
  }

  /** A cluster that is known by name is answered at once; aliases and news are asked about. */
  cluster(name: string | undefined): ClusterView | undefined | Promise<ClusterView | undefined> {
    const known = name === undefined ? undefined : this.clusters.get(name)
    if (known !== undefined) return known
    return this.channel
      .ask({ ask: 'cluster', name: name ?? null })
      .then(facts => (facts === null ? undefined : this.take(facts)))
  }

  hear(news: ClusterNews): void {
    if (news.kind === 'cluster') {
      this.take(news.facts)
      return
    }
    const known = this.clusters.get(news.cluster)
    if (known === undefined) return
    if (news.kind === 'clusterGone') this.clusters.delete(news.cluster)
    else if (news.kind === 'judged') known.blacklist.apply(news.change)
    else if (news.kind === 'located') known.locations.changed(news.change)
    else if (news.kind === 'forget') known.forget(news.tenant ?? undefined)
    else this.died(news.server)
  }

  private take(facts: ClusterFacts): WorkerCluster {
    const { cluster, version } = facts.picture
    const known = this.clusters.get(cluster)
    if (known === undefined) {
      const made = new WorkerCluster(facts, this.channel, this.clock, this.settings)
      this.clusters.set(cluster, made)
      return made
    }
    if (version >= known.picture.version) known.take(facts)
    return known
  }
}
