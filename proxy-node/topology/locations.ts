/**
 * Where tables are: a bounded cache of table entries. A missing entry is fetched once for all who
 * ask, a dirty one serves on while one refresh runs, at most every five seconds.
 * Source: proxy-routing.md §4.6–4.8.
 */
import type { Clock } from '../base/clock.ts'

export type ServerAddress = { readonly host: string; readonly port: number }

/** Answer to a location question; `leader` undefined: route by the tenant's servers. */
export type Location = { readonly leader: ServerAddress | undefined }

export type LocationFetch = (tenant: string, database: string, table: string) => Promise<Location>

/** state → event → next. */
export const ENTRY_TABLE = {
  building: { fetched: 'avail', failed: 'deleted' },
  avail: { missed: 'dirty', expired: 'dirty', evicted: 'deleted' },
  dirty: { refreshStarted: 'updating', missed: 'dirty', expired: 'dirty', evicted: 'deleted' },
  updating: { fetched: 'avail', failed: 'dirty', missed: 'updating', evicted: 'deleted' },
  deleted: {},
} as const

type EntryState = keyof typeof ENTRY_TABLE

type Entry = {
  state: EntryState
  location: Location
  updatedAt: number
  waiting: Promise<Location> | undefined
}

export type LocationLimits = {
  readonly maxEntries: number
  /** Between two refreshes of one entry (`delay_update_entry_interval`). */
  readonly refreshGapMs: number
  /** An entry this old is refreshed when next used. */
  readonly maxAgeMs: number
  /** How long "no such table" is believed. */
  readonly missingAgeMs: number
}

export const LOCATION_LIMITS: LocationLimits = {
  maxEntries: 100_000,
  refreshGapMs: 5_000,
  maxAgeMs: 600_000,
  missingAgeMs: 1_000,
}

export class Locations {
  private readonly entries = new Map<string, Entry>()
  private readonly fetch: LocationFetch
  private readonly clock: Clock
  private readonly limits: LocationLimits

  constructor(fetch: LocationFetch, clock: Clock, limits: LocationLimits = LOCATION_LIMITS) {
    this.fetch = fetch
    this.clock = clock
    this.limits = limits
  }

  get size(): number {
    return this.entries.size
  }

  /** The table's location, at once when it is known, however old. */
  find(tenant: string, database: string, table: string): Location | Promise<Location> {
    const key = keyOf(tenant, database, table)
    const entry = this.entries.get(key)
    if (entry === undefined) return this.build(key, [tenant, database, table])
    if (entry.waiting !== undefined && entry.state === 'building') return entry.waiting
    this.entries.delete(key)
    this.entries.set(key, entry)
    if (this.isDue(entry)) this.refresh(key, entry, [tenant, database, table])
    return entry.location
  }

  /** A statement routed by this entry found the table elsewhere. */
  missed(tenant: string, database: string, table: string): void {
    const entry = this.entries.get(keyOf(tenant, database, table))
    if (entry?.state === 'avail') entry.state = ENTRY_TABLE.avail.missed
  }

  private isDue(entry: Entry): boolean {
    const age = this.clock.now() - entry.updatedAt
    const limit =
      entry.location.leader === undefined ? this.limits.missingAgeMs : this.limits.maxAgeMs
    if (entry.state === 'avail' && age > limit) entry.state = ENTRY_TABLE.avail.expired
    const gap =
      entry.location.leader === undefined ? this.limits.missingAgeMs : this.limits.refreshGapMs
    return entry.state === 'dirty' && age >= gap
  }

  private build(key: string, names: readonly [string, string, string]): Promise<Location> {
    const entry: Entry = {
      state: 'building',
      location: { leader: undefined },
      updatedAt: this.clock.now(),
      waiting: undefined,
    }
    this.entries.set(key, entry)
    this.evict()
    entry.waiting = this.fetch(...names).then(
      location => this.fetched(entry, location),
      () => {
        entry.state = ENTRY_TABLE.building.failed
        this.entries.delete(key)
        return entry.location
      },
    )
    return entry.waiting
  }

  private refresh(key: string, entry: Entry, names: readonly [string, string, string]): void {
    entry.state = ENTRY_TABLE.dirty.refreshStarted
    entry.waiting = this.fetch(...names).then(
      location => this.fetched(entry, location),
      () => {
        // The old answer serves on; a refresh is tried again after the gap.
        entry.state = ENTRY_TABLE.updating.failed
        entry.updatedAt = this.clock.now()
        entry.waiting = undefined
        this.entries.set(key, entry)
        return entry.location
      },
    )
  }

  private fetched(entry: Entry, location: Location): Location {
    entry.state = 'avail'
    entry.location = location
    entry.updatedAt = this.clock.now()
    entry.waiting = undefined
    return location
  }

  private evict(): void {
    if (this.entries.size <= this.limits.maxEntries) return
    const oldest = this.entries.keys().next()
    if (!oldest.done) this.entries.delete(oldest.value)
  }
}

function keyOf(tenant: string, database: string, table: string): string {
  return `${tenant}\0${database}\0${table}`
}
