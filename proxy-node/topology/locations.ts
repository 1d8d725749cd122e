/**
 * Where tables are: a bounded cache of table entries. A missing entry is fetched once for all who
 * ask, a dirty one serves on while one refresh runs, at most every five seconds.
 * Source: proxy-routing.md §4.6–4.8.
 */
import type { Clock } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'

export type ServerAddress = { readonly host: string; readonly port: number }

/** Answer to a location question; `leader` undefined: route by the tenant's servers. */
export type Location = { readonly leader: ServerAddress | undefined }

export type LocationFetch = (tenant: string, database: string, table: string) => Promise<Location>

/**
 * state → event → next. An entry is in the map from its first state on until it is deleted; what is
 * heard of a deleted one goes to those who asked and changes nothing.
 */
export const ENTRY_TABLE = {
  building: { fetched: 'avail', failed: 'deleted', missed: 'building', evicted: 'deleted' },
  avail: { missed: 'dirty', expired: 'dirty', evicted: 'deleted' },
  dirty: { refreshStarted: 'updating', missed: 'dirty', evicted: 'deleted' },
  updating: { fetched: 'avail', failed: 'dirty', missed: 'updating', evicted: 'deleted' },
  deleted: {},
} as const satisfies Record<string, Record<string, string>>

export type EntryState = keyof typeof ENTRY_TABLE
export type EntryEvent = {
  [S in EntryState]: Extract<keyof (typeof ENTRY_TABLE)[S], string>
}[EntryState]

/** The state that `event` leads to from `state`; an event the table does not allow is a bug. */
export function nextEntryState(state: EntryState, event: EntryEvent): EntryState {
  const row: Partial<Record<EntryEvent, EntryState>> = ENTRY_TABLE[state]
  const next = row[event]
  invariant(next !== undefined, `location entry: ${event} while ${state}`)
  return next
}

type Names = readonly [tenant: string, database: string, table: string]

type Entry = {
  readonly key: string
  readonly names: Names
  state: EntryState
  location: Location
  updatedAt: number
  /** While it is asked for. */
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
  /** The entry used last: found again without its key, which is a string to be made. */
  private latest: Entry | undefined

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
    const entry = this.latestIs(tenant, database, table) ?? this.take(tenant, database, table)
    if (entry.state === 'building') return entry.waiting ?? entry.location
    if (this.isDue(entry)) {
      move(entry, 'refreshStarted')
      entry.waiting = this.ask(entry)
    }
    return entry.location
  }

  /** A statement routed by this entry found the table elsewhere. */
  missed(tenant: string, database: string, table: string): void {
    const entry = this.entries.get(keyOf(tenant, database, table))
    if (entry !== undefined) move(entry, 'missed')
  }

  private latestIs(tenant: string, database: string, table: string): Entry | undefined {
    const { latest } = this
    if (latest === undefined || latest.state === 'deleted') return undefined
    const [itsTenant, itsDatabase, itsTable] = latest.names
    const isSame = itsTable === table && itsDatabase === database && itsTenant === tenant
    return isSame ? latest : undefined
  }

  /** The table's entry, built if it must be, as the one used last. */
  private take(tenant: string, database: string, table: string): Entry {
    const key = keyOf(tenant, database, table)
    const found = this.entries.get(key)
    const entry = found ?? this.build(key, [tenant, database, table])
    if (found !== undefined) {
      this.entries.delete(key)
      this.entries.set(key, found)
    }
    this.latest = entry
    return entry
  }

  private isDue(entry: Entry): boolean {
    const { refreshGapMs, maxAgeMs, missingAgeMs } = this.limits
    const isMissing = entry.location.leader === undefined
    const age = this.clock.now() - entry.updatedAt
    if (entry.state === 'avail' && age > (isMissing ? missingAgeMs : maxAgeMs))
      move(entry, 'expired')
    return entry.state === 'dirty' && age >= (isMissing ? missingAgeMs : refreshGapMs)
  }

  private build(key: string, names: Names): Entry {
    const entry: Entry = {
      key,
      names,
      state: 'building',
      location: { leader: undefined },
      updatedAt: this.clock.now(),
      waiting: undefined,
    }
    this.entries.set(key, entry)
    this.evict()
    entry.waiting = this.ask(entry)
    return entry
  }

  /** Never rejects: without an answer the old one serves on, and the next question waits for the gap. */
  private async ask(entry: Entry): Promise<Location> {
    const heard = await this.fetch(...entry.names).catch(() => undefined)
    entry.waiting = undefined
    // Evicted meanwhile, and maybe another one has its key: the answer is for those who wait only.
    if (this.entries.get(entry.key) !== entry) return heard ?? entry.location
    move(entry, heard === undefined ? 'failed' : 'fetched')
    entry.location = heard ?? entry.location
    entry.updatedAt = this.clock.now()
    if (entry.state === 'deleted') this.entries.delete(entry.key)
    return entry.location
  }

  private evict(): void {
    if (this.entries.size <= this.limits.maxEntries) return
    for (const oldest of this.entries.values()) {
      move(oldest, 'evicted')
      this.entries.delete(oldest.key)
      return
    }
  }
}

function move(entry: Entry, event: EntryEvent): void {
  entry.state = nextEntryState(entry.state, event)
}

function keyOf(tenant: string, database: string, table: string): string {
  return `${tenant}\0${database}\0${table}`
}
