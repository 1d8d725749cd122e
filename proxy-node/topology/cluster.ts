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
import { shapeOf } from './discovery.ts'
import type { FailureKind } from './failures.ts'
import { INQUIRY_MS, type InquiryPort, inquire } from './inquiry.ts'
import {
  type KernelFlavour,
  type Listing,
  listCluster,
  scatteredIn,
  WrongCluster,
} from './listing.ts'
import { Localities } from './localities.ts'
import {
  type ClusterPicture,
  type Server,
  type ServerAddress,
  serverKey,
  type TenantServers,
} from './model.ts'
import { emptyPicture, interleaved, pictureOfListing } from './picture.ts'
import { type Answer, addressOf, rootServersOf } from './table-entry.ts'
import { Unanswered } from './unanswered.ts'

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
/** Characters of why a listing failed. */
const MOST_REASON = 300

export type ClusterSettings = {
  readonly locations: LocationSettings
  readonly blacklist: BlacklistSettings
  readonly detection: DetectionSettings
  /** `server_state_refresh_interval`. */
  readonly refreshIntervalMs: number
  /** `check_tenant_locality_change`. */
  readonly checksLocality: boolean
  /** `cache_cleaner_clean_interval`. */
  readonly cleanIntervalMs: number
}

export type ClusterPort = {
  readonly name: string
  readonly id: number
  /** The name that its servers must tell; undefined: any. */
  readonly expectedName: string | undefined
  /** There are other lists of root services, and this one may be a standby's. */
  readonly mustBePrimary: () => boolean
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
  /** A listing failed, and the one before had not. */
  readonly unreachable: (why: string) => void
  /** One has succeeded again. */
  readonly reachable: () => void
  /** The servers are those of another cluster. */
  readonly wrong: (why: string) => void
  /** Regions by IDC, in lower case, as the config server says; empty without one. */
  readonly idcRegions: () => ReadonlyMap<string, string>
  /** What its locations may take of `routing_cache_mem_limited`, bytes. */
  readonly maxBytes: () => number
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
  readonly random: () => number
}

export class Cluster {
  readonly locations: ClusterLocations
  readonly blacklist: Blacklist
  private readonly port: ClusterPort
  private readonly clock: Clock
  private readonly detection: Detection
  private readonly localities = new Localities()
  private listing: Listing | undefined
  private refreshTimer: TimerHandle | undefined
  private cleanTimer: TimerHandle | undefined
  /** Who waits for the end of a round. */
  private readonly waiting = new Set<() => void>()
  /** The refresh that is under way. */
  private refreshing: Promise<void> | undefined
  /** One more is to follow it: something was heard after it began. */
  private isOutdated = false
  /** The servers have to say anew whose they are. */
  private isUnchecked = true
  /** Refreshes in vain since the last that was not. */
  private failures = 0
  private turn = 0
  private isStopped = false
  picture: ClusterPicture

  constructor(port: ClusterPort, clock: Clock) {
    this.port = port
    this.clock = clock
    this.picture = emptyPicture(port.name, port.id, port.idcRegions())
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
        broke: port.broke,
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
    this.detection.start()
    this.cleanLater()
    await this.refresh()
  }

  stop(): void {
    this.isStopped = true
    this.refreshTimer?.cancel()
    this.cleanTimer?.cancel()
    this.detection.stop()
    this.locations.stop()
    this.endWaiting()
  }

  /**
   * Servers of a tenant; none: no such tenant. For tenant sys the root services until more is known;
   * others wait for a first listing, as long as one question may take. Rejects when nobody can say.
   */
  tenantServers(tenant: string): TenantServers | Promise<TenantServers> {
    if (tenant === SYS) return this.allServers()
    return this.isLoaded ? this.locations.tenants.find(tenant) : this.firstServers(tenant)
  }

  get name(): string {
    return this.port.name
  }

  /** Something has been heard that makes the picture old. */
  refreshSoon(): void {
    if (this.isStopped) return
    if (this.refreshing === undefined) void this.refresh()
    else this.isOutdated = true
  }

  /** Where it begins is elsewhere: whoever is there has to say whose servers they are. */
  moved(): void {
    this.isUnchecked = true
    this.refreshSoon()
  }

  /** A miss says that the tenant's leaders are not all on one server; rows may say so again. */
  scattered(tenant: string): void {
    const known = this.picture.tenants.get(tenant)
    if (known?.singleLeader === undefined) return
    if (this.listing !== undefined) this.listing = scatteredIn(this.listing, tenant)
    const tenants = new Map(this.picture.tenants)
    tenants.set(tenant, { ...known, singleLeader: undefined })
    this.show({ ...this.picture, tenants, version: this.picture.version + 1 })
  }

  /** A worker met this on the way to a server, or there. */
  failed(server: ServerAddress, kind: FailureKind): void {
    this.blacklist.failed(serverKey(server), kind, this.clock.now())
  }

  /** Questions go to the servers that look well first; the answer of any will do. @throws Error */
  async ask(sql: string): Promise<Answer> {
    const { port, clock } = this
    if (this.isStopped) throw this.gone()
    const servers = [...this.askable(), ...port.rootservices()]
    // The next server is asked in the middle of an inquiry, too.
    const query: InquiryPort['query'] = (server, text) =>
      this.isStopped ? Promise.reject(this.gone()) : port.query(server, text)
    try {
      return await inquire({ clock, query }, servers, sql)
    } catch (error) {
      throw new Unanswered(`no server of cluster ${port.name} answered`, { cause: error })
    }
  }

  private gone(): Unanswered {
    return new Unanswered(`cluster ${this.port.name} was given up`)
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
    this.refreshTimer = this.clock.after(delayMs, () => void this.refresh())
  }

  /** Once at a time; plans the next when it is over. Never rejects. */
  private refresh(): Promise<void> {
    this.refreshTimer?.cancel()
    this.refreshing ??= this.list().then(() => {
      this.refreshing = undefined
      this.endWaiting()
      if (!this.isOutdated || this.isStopped) this.schedule()
      else {
        this.isOutdated = false
        void this.refresh()
      }
    })
    return this.refreshing
  }

  private endWaiting(): void {
    for (const end of this.waiting) end()
  }

  /** Never rejects: without an answer the last picture serves on. */
  private async list(): Promise<void> {
    const { port } = this
    const isChecked = !this.isUnchecked
    try {
      const listing = await listCluster(
        {
          ask: sql => this.ask(sql),
          expectedName: port.expectedName,
          mustBePrimary: port.mustBePrimary(),
          isChecked,
        },
        this.listing,
      )
      if (this.isStopped) return
      if (this.failures > 0) port.reachable()
      this.failures = 0
      if (!isChecked) this.isUnchecked = false
      this.listing = listing
      this.paint(listing)
    } catch (error) {
      if (this.isStopped) return
      this.failures += 1
      if (error instanceof WrongCluster) port.wrong(error.message)
      // Said once: without an answer it is tried every second.
      else if (this.failures === 1) port.unreachable(reasonOf(error))
      if (this.failures % MAX_FAILURES === 0) port.lost()
    }
  }

  private paint(listing: Listing): void {
    const { picture, port } = this
    const next = pictureOfListing(picture, listing, port.idcRegions())
    this.blacklist.reported(next.servers.values(), this.clock.now())
    if (next !== picture) this.show(next)
    const changed = this.localities.heard(listing.tenants)
    if (port.settings().checksLocality) for (const tenant of changed) this.forgetLater(tenant)
  }

  private show(picture: ClusterPicture): void {
    this.picture = picture
    this.port.pictured(picture)
  }

  /** A tenant that is spread otherwise has its places elsewhere (§4.10). */
  private forgetLater(tenant: string): void {
    this.clock.after(LOCALITY_MS * (0.5 + this.port.random() / 2), () => {
      if (this.isStopped) return
      this.locations.forgetTenant(tenant)
      this.port.forgot(tenant)
    })
  }

  private cleanLater(): void {
    this.cleanTimer = this.clock.after(this.port.settings().cleanIntervalMs, () => {
      this.locations.clean(this.port.maxBytes())
      this.cleanLater()
    })
  }

  // --- tenants

  private async firstServers(tenant: string): Promise<TenantServers> {
    await this.listingEnd()
    if (!this.isLoaded)
      throw new Unanswered(`no server of cluster ${this.port.name} has answered yet`)
    return this.locations.tenants.find(tenant)
  }

  /** Of the round under way, or of the next one; or time is over. */
  private listingEnd(): Promise<void> {
    if (this.isStopped) return Promise.resolve()
    return new Promise(resolve => {
      const end = () => {
        timer.cancel()
        this.waiting.delete(end)
        resolve()
      }
      const timer = this.clock.after(INQUIRY_MS, end)
      this.waiting.add(end)
    })
  }

  private allServers(): TenantServers {
    const { servers } = this.picture
    if (servers.size === 0) return rootServersOf(this.port.rootservices())
    return interleaved(servers.values())
  }
}

/** With what lies behind it, of which servers may tell much. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { message, cause } = error
  return (cause instanceof Error ? `${message}: ${cause.message}` : message).slice(0, MOST_REASON)
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
