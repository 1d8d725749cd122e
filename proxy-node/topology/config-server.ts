/**
 * The clusters of a config server: asked for its version often and for the rest when that changed, and
 * kept on disk. While the server is away the node serves from what it knows; after a start without
 * it, from its copies. Source: proxy-routing.md §3.2, §3.5; proxy-admin.md §3.3.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { Turns } from '../base/turns.ts'
import type {
  ClusterDirectory,
  DirectoryChange,
  DirectoryFacts,
  IdcRow,
  KnownCluster,
  Refreshable,
  Resolution,
  RootServerRow,
} from './cluster-directory.ts'
import { ConfigServerCopies, type CopyFiles } from './config-server-copies.ts'
import {
  type ClusterList,
  type IdcRegion,
  parseClusterList,
  parseIdcLists,
  parseRootServices,
  parseVersion,
} from './config-server-documents.ts'
import { ConfigServerReader, type HttpGet } from './config-server-reader.ts'
import { idcUrl, rootServiceUrl, shownUrl, versionUrl } from './config-server-urls.ts'
import { KnownRootServices } from './known-root-services.ts'

export type ConfigServerPort = {
  readonly url: string
  readonly get: HttpGet
  readonly copies: CopyFiles
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Start from the copies without waiting for the server: `ignore_local_config` is off. */
  readonly prefersCopies: boolean
  readonly intervals: () => { readonly configMs: number; readonly idcMs: number }
  readonly say: (line: string, isFailure: boolean) => void
}

/** Names that nobody lists make the node look for news, this often at most. */
const LOOK_PAUSE_MS = 5_000
/** Nothing is known yet: tried again this soon, then ever later up to the interval. */
const FIRST_RETRY_MS = 1_000
const MAX_DOUBLINGS = 16
/** Lists that are read at a time. */
const AT_ONCE = 4

export class ConfigServerDirectory implements ClusterDirectory {
  private readonly port: ConfigServerPort
  private readonly copies: ConfigServerCopies
  private readonly reader: ConfigServerReader
  private readonly known = new Map<string, KnownRootServices>()
  private readonly listeners: ((change: DirectoryChange) => void)[] = []
  private readonly listTurns = new Turns(() => this.readList())
  /** By id and name, while they run. */
  private readonly fetches = new Map<string, Turns<string | undefined>>()
  private list: ClusterList | undefined
  private modifiedAt = 0
  private lookedAt = Number.NEGATIVE_INFINITY
  private isForced = false
  private failures = 0
  private lastWhy = 'it has not answered yet'
  private timers: TimerHandle[] = []
  private isStopped = false

  constructor(port: ConfigServerPort) {
    this.port = port
    this.copies = new ConfigServerCopies(port.copies, port.url)
    this.reader = new ConfigServerReader(port.get, port.clock.now)
  }

  async start(): Promise<void> {
    const copy = this.copies.clusterList()
    const first = this.listTurns.ask()
    if (copy === undefined || !this.port.prefersCopies) await first
    if (this.list === undefined && copy !== undefined) {
      this.adopt(copy)
      this.port.say('config server: the cluster list is the local copy, for now', false)
    }
    this.scheduleList()
    this.scheduleIdcs()
  }

  stop(): void {
    this.isStopped = true
    for (const timer of this.timers) timer.cancel()
    this.timers = []
  }

  clusters(): readonly KnownCluster[] {
    return [...this.known.values()].map(known => ({ name: known.name, ids: known.ids() }))
  }

  defaultCluster(): string | undefined {
    return this.list?.clusters[0]?.name
  }

  async resolve(name: string, id = 0): Promise<Resolution> {
    const known = this.find(name) ?? (await this.lookFor(name))
    if (known === undefined) {
      const isAway = this.list === undefined || this.failures > 0
      return isAway ? { kind: 'unavailable', why: this.lastWhy } : { kind: 'unknown' }
    }
    const now = known.resolution(id)
    if (now !== undefined && known.wanted.has(id)) return now
    const why = this.fetch(known, id, 'join')
    // A copy is taken first when that is wanted: the server may be away.
    if (now === undefined || (known.isCopy && !this.port.prefersCopies)) await why
    const found = known.resolution(id)
    if (found !== undefined) known.wanted.add(id)
    return found ?? { kind: 'unavailable', why: (await why) ?? 'no list of this id' }
  }

  async refetch(name: string, id = 0): Promise<boolean> {
    const known = this.find(name)
    if (known === undefined) return false
    const before = JSON.stringify(known.resolution(id))
    await this.fetch(known, id, 'ask')
    return JSON.stringify(known.resolution(id)) !== before
  }

  release(name: string, id = 0): void {
    this.find(name)?.wanted.delete(id)
  }

  idcRegions(name: string, id = 0): readonly IdcRegion[] {
    return this.find(name)?.idcRegions(id) ?? []
  }

  async refresh(what: Refreshable): Promise<void> {
    if (what === 'cluster-list') {
      this.isForced = true
      await this.listTurns.ask()
    } else if (what === 'root-services') await this.readRootServices()
    else await this.readIdcs()
  }

  onChange(listener: (change: DirectoryChange) => void): void {
    this.listeners.push(listener)
  }

  rootServerRows(): readonly RootServerRow[] {
    return [...this.known.values()].flatMap(known => known.rootServerRows())
  }

  idcRows(): readonly IdcRow[] {
    return [...this.known.values()].flatMap(known => known.idcRows())
  }

  facts(): DirectoryFacts {
    const { version = '', clusters = [], binUrl = '', metadata } = this.list ?? {}
    return {
      version,
      clusterCount: clusters.length,
      binUrl: shownUrl(binUrl),
      metadataDatabase: metadata?.database ?? '',
      metadataUser: metadata?.user ?? '',
      modifiedAt: this.modifiedAt,
    }
  }

  // --- document 1

  private find(name: string): KnownRootServices | undefined {
    const listed = this.known.get(name)
    if (listed !== undefined) return listed
    for (const known of this.known.values()) if (known.isAlso(name)) return known
    return undefined
  }

  /** It may have been added a moment ago. */
  private async lookFor(name: string): Promise<KnownRootServices | undefined> {
    const isDue = this.port.clock.now() - this.lookedAt >= LOOK_PAUSE_MS
    if (isDue || this.listTurns.isRunning) await this.listTurns.join()
    return this.find(name)
  }

  private async readList(): Promise<void> {
    this.lookedAt = this.port.clock.now()
    const isForced = this.isForced
    this.isForced = false
    const { url } = this.port
    const current = this.list?.version ?? ''
    if (!isForced && current !== '') {
      const seen = await this.reader.read(versionUrl(url), parseVersion)
      if (seen.kind === 'bad') return this.failed(seen.why)
      if (seen.value === current) return this.reached()
    }
    const read = await this.reader.read(url, parseClusterList)
    if (read.kind === 'bad') return this.failed(read.why)
    this.reached()
    if (JSON.stringify(read.value) === JSON.stringify(this.list)) return
    const removed = this.adopt(read.value)
    this.keep(() => this.copies.writeClusterList(read.value))
    if (removed) this.keep(() => this.copies.writeRootServices(this.allRootServices()))
  }

  private failed(why: string): void {
    this.lastWhy = why
    this.failures += 1
    // Said once: it is asked every minute.
    if (this.failures === 1) this.port.say(`config server: ${why}`, true)
  }

  private reached(): void {
    if (this.failures > 0) this.port.say('config server: it answers again', false)
    this.failures = 0
  }

  /** True when clusters are gone. */
  private adopt(list: ClusterList): boolean {
    this.list = list
    this.modifiedAt = this.port.clock.now()
    const names = new Set(list.clusters.map(({ name }) => name))
    const removed = [...this.known.keys()].filter(name => !names.has(name))
    const added = [...names].filter(name => !this.known.has(name))
    for (const name of removed) this.known.delete(name)
    if (added.length > 0) this.addFromCopies(list, new Set(added))
    for (const { name, url } of list.clusters) {
      const known = this.known.get(name)
      if (known !== undefined) known.url = url
    }
    if (added.length === 0 && removed.length === 0) return false
    const said = (all: readonly string[]) => all.slice(0, 20).join(', ') || 'none'
    this.port.say(
      `clusters: ${names.size}; new: ${said(added)}; gone: ${said(removed)}`.replace(/\s+/g, ' '),
      false,
    )
    this.tell({ kind: 'clusters', added, removed })
    return removed.length > 0
  }

  private addFromCopies(list: ClusterList, added: ReadonlySet<string>): void {
    const members = this.copies.rootServices()
    const idcs = this.copies.idcs()
    for (const cluster of list.clusters) {
      if (!added.has(cluster.name)) continue
      const known = new KnownRootServices(cluster)
      known.takeCopies(members.get(cluster.name) ?? [], idcs.get(cluster.name) ?? [])
      this.known.set(cluster.name, known)
    }
  }

  // --- document 2

  /** Why it failed, if so. `join` shares what runs, or failed just now; `ask` reads after the call. */
  private fetch(
    known: KnownRootServices,
    id: number,
    how: 'join' | 'ask',
  ): Promise<string | undefined> {
    const key = `${id} ${known.name}`
    const url = rootServiceUrl(known.url, id)
    const failed = how === 'join' ? this.reader.failedJustNow(url) : undefined
    if (failed !== undefined) return Promise.resolve(failed)
    const read = () => this.readOne(known, id, url).finally(() => this.fetches.delete(key))
    const turns = this.fetches.get(key) ?? new Turns(read)
    this.fetches.set(key, turns)
    return how === 'join' ? turns.join() : turns.ask()
  }

  private async readOne(
    known: KnownRootServices,
    id: number,
    url: string,
  ): Promise<string | undefined> {
    const { name } = known
    const read = await this.reader.read(url, body => parseRootServices(body, { name, id }))
    if (read.kind === 'bad') {
      this.port.say(`root service list of ${name}: ${read.why}`, true)
      return read.why
    }
    const isFirst = known.isCopy
    const isOther = known.take(read.value, id)
    if (isFirst) void this.readIdcsOf(known, id)
    if (!isOther || this.known.get(name) !== known) return undefined
    this.keep(() => this.copies.writeRootServices(this.allRootServices()))
    this.tell({ kind: 'root-services', name, id })
    return undefined
  }

  private allRootServices() {
    return new Map([...this.known].map(([name, known]) => [name, known.all()] as const))
  }

  private async readRootServices(): Promise<void> {
    await this.eachWanted((known, id) => this.fetch(known, id, 'ask'))
  }

  // --- document 3

  private async readIdcs(): Promise<void> {
    await this.eachWanted((known, id) => this.readIdcsOf(known, id))
  }

  private async readIdcsOf(known: KnownRootServices, id: number): Promise<void> {
    const { name } = known
    const read = await this.reader.read(idcUrl(known.url, id), body =>
      parseIdcLists(body, known.names()),
    )
    // Nothing depends on it but preferences: no IDC list is as good as an empty one.
    if (read.kind === 'bad' || this.known.get(name) !== known) return
    if (!known.takeIdcs(read.value, id)) return
    this.keep(() => {
      const all = [...this.known].map(([listed, each]) => [listed, each.idcLists()] as const)
      this.copies.writeIdcs(new Map(all))
    })
    this.tell({ kind: 'idcs', name, id })
  }

  // --- what all of them share

  private async eachWanted(
    act: (known: KnownRootServices, id: number) => Promise<unknown>,
  ): Promise<void> {
    const all = [...this.known.values()].flatMap(known =>
      [...known.wanted].map(id => [known, id] as const),
    )
    for (let at = 0; at < all.length && !this.isStopped; at += AT_ONCE)
      await Promise.all(all.slice(at, at + AT_ONCE).map(([known, id]) => act(known, id)))
  }

  private keep(write: () => void): void {
    try {
      write()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.port.say(`config server: no local copy could be written: ${reason}`, true)
    }
  }

  private tell(change: DirectoryChange): void {
    for (const listener of this.listeners) listener(change)
  }

  private scheduleList(): void {
    const { configMs } = this.port.intervals()
    const soonMs = FIRST_RETRY_MS * 2 ** Math.min(this.failures, MAX_DOUBLINGS)
    const delayMs = this.list === undefined ? Math.min(soonMs, configMs) : this.jittered(configMs)
    this.schedule(delayMs, async () => {
      await this.listTurns.ask()
      await this.readRootServices()
      this.scheduleList()
    })
  }

  private scheduleIdcs(): void {
    this.schedule(this.jittered(this.port.intervals().idcMs), async () => {
      await this.readIdcs()
      this.scheduleIdcs()
    })
  }

  /** Uniform from half of it to all of it (§3.5). */
  private jittered(intervalMs: number): number {
    return intervalMs / 2 + this.port.random() * (intervalMs / 2)
  }

  private schedule(delayMs: number, act: () => Promise<void>): void {
    if (this.isStopped) return
    const timer = this.port.clock.after(delayMs, () => {
      this.timers = this.timers.filter(other => other !== timer)
      void act()
    })
    this.timers.push(timer)
  }
}
