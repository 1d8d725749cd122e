/**
 * One OB cluster as this node sees it: bootstrapped from the root service list, kept fresh, served
 * from the last picture when every server that could be asked is gone. Asks through a query port.
 * Source: proxy-routing.md §3.3–3.5, §9.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { Blacklist, type BlacklistChange, type BlacklistSettings } from './blacklist.ts'
import {
  ClusterLocations,
  type LocationChange,
  type LocationSettings,
} from './cluster-locations.ts'
import { Detection, type DetectionSettings } from './detection.ts'
import { primaryZonesOf, shapeOf } from './discovery.ts'
import type { FailureKind } from './failures.ts'
import { type KernelFlavour, type Listing, listCluster, WrongCluster } from './listing.ts'
import {
  type ClusterPicture,
  type Server,
  type ServerAddress,
  serverKey,
  type Tenant,
  type TenantServers,
  type Zone,
} from './model.ts'
import { serverState } from './server-states.ts'
import { type Answer, addressOf, rootServersOf } from './table-entry.ts'

/** After so long nobody waits for the answer to a question any more; what is old is not asked. */
export const QUESTION_MS = 10_000
/** Until the first list has come. */
const FIRST_RETRY_MS = 1_000
/** Refreshes in vain after which the root service list is asked for again (§3.5). */
const MAX_FAILURES = 10
/** Its servers are all there are; it is never asked about (§4.11). */
const SYS = 'sys'
/** A tenant whose locality changed is forgotten after half of it to all of it (§4.10). */
const LOCALITY_MS = 60_000

export type ClusterSettings = {
  readonly locations: LocationSettings
  readonly blacklist: BlacklistSettings
  readonly detection: DetectionSettings
  /** `server_state_refresh_interval`. */
  readonly refreshIntervalMs: number
  /** `check_tenant_locality_change`. */
  readonly checksLocality: boolean
}

export type ClusterPort = {
  readonly name: string
  readonly id: number
  /** The name that its servers must tell; undefined: any. */
  readonly expectedName: string | undefined
  readonly rootservices: () => readonly ServerAddress[]
  readonly settings: () => ClusterSettings
  /** Runs a metadata statement as proxyro. @throws Error when it cannot be answered. */
  readonly query: (server: ServerAddress, sql: string) => Promise<Answer>
  /** Whether the server greets. */
  readonly probe: (server: ServerAddress, timeoutMs: number) => Promise<boolean>
  readonly pictured: (picture: ClusterPicture) => void
  readonly changed: (change: LocationChange) => void
  /** All entries of the tenant are to be forgotten. */
  readonly forgot: (tenant: string) => void
  /** Statements of clients are under way there. */
  readonly isAtWork: (key: string) => boolean
  /** Detection: what runs on this server is not going to end. */
  readonly died: (server: ServerAddress) => void
  /** The blacklist says something else of a server. */
  readonly judged: (change: BlacklistChange) => void
  /** No server has answered for long: the root service list may be another one. */
  readonly lost: () => void
  /** The servers are those of another cluster. */
  readonly wrong: (why: string) => void
  /** Regions by IDC, in lower case, as the config server says; empty without one. */
  readonly idcRegions: () => ReadonlyMap<string, string>
  /** What its locations may take of `routing_cache_mem_limited`, bytes. */
  readonly maxBytes: () => number
  readonly random: () => number
}

export class Cluster {
  readonly locations: ClusterLocations
  readonly blacklist: Blacklist
  private readonly port: ClusterPort
  private readonly clock: Clock
  private readonly detection: Detection
  private listing: Listing | undefined
  private refreshTimer: TimerHandle | undefined
  /** Refreshes in vain since the last that was not. */
  private failures = 0
  private turn = 0
  private isStopped = false
  private isRefreshing = false
  picture: ClusterPicture

  constructor(port: ClusterPort, clock: Clock) {
    this.port = port
    this.clock = clock
    this.picture = emptyPicture(port)
    this.blacklist = new Blacklist(
      () => port.settings().blacklist,
      change => port.judged(change),
    )
    this.locations = new ClusterLocations(
      {
        shape: () => shapeOf(this.picture.majorVersion),
        ask: sql => this.ask(sql),
        settings: () => port.settings().locations,
        changed: port.changed,
        random: port.random,
      },
      clock,
    )
    this.detection = new Detection(
      this.blacklist,
      {
        probe: port.probe,
        isAtWork: port.isAtWork,
        died: key => {
          const server = this.picture.servers.get(key)
          if (server !== undefined) port.died(server.address)
        },
        settings: () => port.settings().detection,
      },
      clock,
    )
  }

  /** True once a server has answered the first questions. */
  get isLoaded(): boolean {
    return this.picture.isLoaded
  }

  get flavour(): KernelFlavour {
    return this.listing?.flavour ?? 'v4'
  }

  /** Learns the servers and goes on doing so; the first answer may fail, the next is soon. */
  async start(): Promise<void> {
    await this.refresh()
    this.schedule()
    this.detection.start()
  }

  stop(): void {
    this.isStopped = true
    this.refreshTimer?.cancel()
    this.detection.stop()
  }

  /** Servers of a tenant; none: no such tenant. The root services until more is known, for tenant sys. */
  tenantServers(tenant: string): TenantServers | Promise<TenantServers> {
    return tenant === SYS ? this.allServers() : this.locations.tenants.find(tenant)
  }

  get name(): string {
    return this.port.name
  }

  /** Something has been heard that makes the picture old. */
  refreshSoon(): void {
    if (this.isStopped || this.isRefreshing) return
    this.refreshTimer?.cancel()
    void this.refresh().then(() => this.schedule())
  }

  /** A miss says that the tenant's leaders are not all on one server; the next listing may say so again. */
  scattered(tenant: string): void {
    const known = this.picture.tenants.get(tenant)
    if (known?.singleLeader === undefined) return
    const tenants = new Map(this.picture.tenants)
    tenants.set(tenant, { ...known, singleLeader: undefined })
    this.picture = { ...this.picture, tenants, version: this.picture.version + 1 }
    this.port.pictured(this.picture)
  }

  /** A worker met this on the way to a server, or there. */
  failed(server: ServerAddress, kind: FailureKind): void {
    this.blacklist.failed(serverKey(server), kind, this.clock.now())
  }

  /** Questions go to the servers that look well first; the answer of any will do. @throws Error */
  async ask(sql: string): Promise<Answer> {
    const tried = new Set<string>()
    const until = this.clock.now() + QUESTION_MS
    let last: unknown = new Error('no server to ask')
    for (const server of [...this.askable(), ...this.port.rootservices()]) {
      const key = serverKey(server)
      if (tried.has(key)) continue
      if (tried.size > 0 && this.clock.now() >= until) break
      tried.add(key)
      try {
        return await this.port.query(server, sql)
      } catch (error) {
        last = error
      }
    }
    throw new Error(`no server of cluster ${this.port.name} answered`, { cause: last })
  }

  /** Another one first each time; those that something speaks against come last. */
  private askable(): readonly ServerAddress[] {
    const servers = [...this.picture.servers.values()]
    if (servers.length === 0) return []
    this.turn = (this.turn + 1) % servers.length
    const turned = [...servers.slice(this.turn), ...servers.slice(0, this.turn)]
    const isGood = ({ key, state }: Server) =>
      state === 'ACTIVE' && this.blacklist.congestionOf(key) === 0
    return [...turned.filter(isGood), ...turned.filter(server => !isGood(server))].map(
      ({ address }) => address,
    )
  }

  // --- refreshing

  private schedule(): void {
    if (this.isStopped) return
    const { refreshIntervalMs } = this.port.settings()
    const delayMs = this.isLoaded
      ? refreshIntervalMs * (0.5 + this.port.random() / 2)
      : Math.min(FIRST_RETRY_MS, refreshIntervalMs)
    this.refreshTimer = this.clock.after(delayMs, () => {
      void this.refresh().then(() => this.schedule())
    })
  }

  /** Never rejects: without an answer the last picture serves on. */
  private async refresh(): Promise<void> {
    const { port } = this
    this.isRefreshing = true
    try {
      const before = this.listing
      this.listing = await listCluster(
        { ask: sql => this.ask(sql), expectedName: port.expectedName },
        before,
      )
      this.failures = 0
      if (this.isStopped) return
      this.paint(this.listing)
      if (before !== undefined) this.checkLocalities(before)
    } catch (error) {
      this.failures += 1
      if (error instanceof WrongCluster) port.wrong(error.message)
      if (this.failures % MAX_FAILURES === 0) port.lost()
    }
    this.isRefreshing = false
    this.locations.clean(port.maxBytes())
  }

  private paint(listing: Listing): void {
    const servers = new Map<string, Server>()
    for (const listed of listing.servers) {
      const zone = listing.zones.get(listed.zone) ?? unknownZone(listed.zone)
      const key = serverKey(listed.address)
      const state = serverState(listed.status, listed.isStarted, listed.isStopped)
      servers.set(key, { address: listed.address, key, zone, state })
    }
    this.blacklist.reported(servers.values(), this.clock.now())
    const tenants = tenantsIn(listing)
    const { picture, port } = this
    const next = {
      ...picture,
      majorVersion: listing.majorVersion,
      servers,
      tenants,
      isLoaded: true,
    }
    const idcRegions = port.idcRegions()
    if (isSamePicture(picture, { ...next, idcRegions })) return
    this.picture = { ...next, idcRegions, version: picture.version + 1 }
    port.pictured(this.picture)
  }

  /** A tenant that is being spread otherwise has its places elsewhere soon (§4.10). */
  private checkLocalities(before: Listing): void {
    if (!this.port.settings().checksLocality) return
    const old = new Map(before.tenants.map(({ name, locality }) => [name, locality]))
    for (const { name, locality } of this.listing?.tenants ?? []) {
      if ((old.get(name) ?? locality) === locality) continue
      this.clock.after(LOCALITY_MS * (0.5 + this.port.random() / 2), () => {
        this.locations.forgetTenant(name)
        this.port.forgot(name)
      })
    }
  }

  private allServers(): TenantServers {
    const { servers } = this.picture
    if (servers.size === 0) return rootServersOf(this.port.rootservices())
    return interleaved([...servers.values()])
  }
}

/** Neighbours are of different zones: z1s1, z2s1, z3s1, z1s2 (§3.5). */
function interleaved(servers: readonly Server[]): TenantServers {
  const zones = new Map<string, ServerAddress[]>()
  for (const { zone, address } of servers) {
    const known = zones.get(zone.name)
    if (known === undefined) zones.set(zone.name, [address])
    else known.push(address)
  }
  const lists = [...zones.values()]
  const longest = Math.max(...lists.map(({ length }) => length))
  const dealt: ServerAddress[] = []
  for (let row = 0; row < longest; row++)
    for (const list of lists) {
      const address = list[row]
      if (address !== undefined) dealt.push(address)
    }
  return { ...rootServersOf(dealt), groupSize: lists.length }
}

function tenantsIn({ tenants, singleLeaders }: Listing): ReadonlyMap<string, Tenant> {
  return new Map(
    tenants.map(({ name, id, locality, primaryZone }) => {
      const leader = singleLeaders.get(id)
      const singleLeader =
        leader === undefined ? undefined : { server: leader, key: serverKey(leader) }
      return [name, { name, locality, primaryZones: primaryZonesOf(primaryZone), singleLeader }]
    }),
  )
}

/** The list of servers names a zone that the list of zones does not have. */
function unknownZone(name: string): Zone {
  return { name, region: '', idc: '', type: 'ReadWrite', state: 'ACTIVE' }
}

function emptyPicture(port: ClusterPort): ClusterPicture {
  return {
    cluster: port.name,
    clusterId: port.id,
    version: 0,
    majorVersion: 4,
    isLoaded: false,
    servers: new Map(),
    tenants: new Map(),
    idcRegions: port.idcRegions(),
  }
}

/** But for the version. */
function isSamePicture(one: ClusterPicture, other: ClusterPicture): boolean {
  return shown(one) === shown(other)
}

function shown(picture: ClusterPicture): string {
  const { servers, tenants, idcRegions, isLoaded, majorVersion } = picture
  return JSON.stringify([
    isLoaded,
    majorVersion,
    [...servers.values()],
    [...tenants.values()],
    [...idcRegions],
  ])
}

/** Parses `ip:port;ip:port`. @throws Error naming the item that is no address. */
export function parseRootservices(list: string): readonly ServerAddress[] {
  return list
    .split(';')
    .map(item => item.trim())
    .filter(item => item !== '')
    .map(item => {
      const found = /^\[?([^\s\]]+?)\]?:(\d{1,5})$/.exec(item)
      const address = addressOf(found?.[1], found?.[2])
      if (address === undefined) throw new Error(`'${item}' is no ip:port`)
      return address
    })
}
