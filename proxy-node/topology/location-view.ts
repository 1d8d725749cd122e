/**
 * What one worker remembers of the locations that the supervisor keeps for the node: a bounded read
 * cache without a life of its own. The supervisor says what has become another or is to be forgotten;
 * misroutes are told to it, not more often than it can do something about them.
 * Source: proxy-routing.md §4.6–4.10; decisions.md N2. Hot path: see the rules.
 */
import type { Clock } from '../base/clock.ts'
import { keyOf, type LocationChange, type LocationKind } from './cluster-locations.ts'
import type { KernelFlavour } from './listing.ts'
import type { PartitionLocation } from './model.ts'
import type { KernelFlavour as TypeCodes } from './partition/column-type.ts'
import { decodePartitions } from './partition/decode.ts'
import type { TablePartitions } from './partition/table-partitions.ts'
import {
  Locations,
  type PartitionEntry,
  type RoutineEntry,
  type TableEntry,
} from './table-entry.ts'
import { isUnexpected } from './unanswered.ts'

/** Where a table, or one of its partitions, is as far as this worker knows. */
export type Place = {
  readonly kind: LocationKind
  readonly key: string
  location: PartitionLocation
  /** When the supervisor was last told that it is wrong. */
  toldAt: number
}

/** A table as statements are routed by it. */
export type KnownTable = {
  readonly key: string
  /** Without its description. */
  readonly entry: TableEntry
  /** Of a table without partitions. */
  readonly place: Place
  /** Undefined: it has none, or nobody could tell of them. */
  readonly partitions: TablePartitions | undefined
  /** By leaf. */
  readonly leaves: (Place | Promise<Place | undefined> | undefined)[]
  /** Looked at again since it was fetched, or since the cleaner came by. */
  isUsed: boolean
}

type KnownRoutine = {
  readonly entry: RoutineEntry
  /** Since when it has not been doubted. */
  soundAt: number
}

export type LocationViewPort = {
  readonly flavour: () => KernelFlavour
  /** Null: there is none. @throws Error when nobody answers. */
  readonly table: (key: string, isRenewed: boolean) => Promise<TableEntry | null>
  readonly partition: (key: string, isRenewed: boolean) => Promise<PartitionEntry | null>
  readonly routine: (key: string) => Promise<RoutineEntry | null>
  readonly missed: (kind: LocationKind, key: string, isLater: boolean) => void
  /** Entries this worker keeps: tables, located leaves, and what describes leaves. */
  readonly maxEntries: () => number
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
}

/** No answer tells that a routine has become another: its text is doubted when it is so old. */
const ROUTINE_AGE_MS = 60_000
/** Reports of one place that come faster say nothing new. */
const TOLD_GAP_MS = 250
/** "There is no such thing" is believed for so long, and of so many names. */
const MISSING_AGE_MS = 1_000
const MAX_MISSING = 1_000
/** Of the entries, so many may be routines: one in so many. */
const ROUTINES_SHARE = 10
/** Name, ids and bound of a partition take 200 to 300 bytes (measured): so many count as one entry. */
const DESCRIBED_LEAVES = 4

/** Of all tables without partitions. */
const NO_LEAVES: KnownTable['leaves'] = []

const FLAVOURS: Readonly<Record<KernelFlavour, TypeCodes>> = {
  v3: 'v3',
  v4: 'main-line',
  seekdb: 'seekdb',
}

export class LocationView {
  private readonly port: LocationViewPort
  private readonly clock: Clock
  private readonly tables = new Map<string, KnownTable>()
  private readonly routines = new Map<string, KnownRoutine>()
  private readonly asked = new Map<string, Promise<unknown>>()
  private readonly missing = new Map<string, number>()
  /** The table used last: found again without its key, which is a string to be made. */
  private latest: KnownTable | undefined
  private latestTenant = ''
  private latestDatabase = ''
  private latestTable = ''
  /** Located ones. */
  private leaves = 0
  /** Entries that the descriptions of all tables count as. */
  private described = 0
  private readonly places = new Locations()
  /** Where the cleaner looks next. */
  private turn: MapIterator<KnownTable> | undefined

  /** Statements go on without what nobody can say. */
  private readonly nothing = (error: unknown): null => {
    if (isUnexpected(error)) this.port.broke(error)
    return null
  }

  constructor(port: LocationViewPort, clock: Clock) {
    this.port = port
    this.clock = clock
  }

  get count(): number {
    return this.tables.size + this.described + this.routines.size + this.leaves
  }

  /** The table, at once when it is known; undefined when there is none. Never rejects. */
  table(
    tenant: string,
    database: string,
    table: string,
  ): KnownTable | undefined | Promise<KnownTable | undefined> {
    const { latest } = this
    if (
      latest !== undefined &&
      this.latestTable === table &&
      this.latestDatabase === database &&
      this.latestTenant === tenant
    )
      return latest
    const key = keyOf(tenant, database, table)
    const known = this.tables.get(key)
    if (known === undefined) return this.isMissing(key) ? undefined : this.fetchTable(key)
    known.isUsed = true
    this.latest = known
    this.latestTenant = tenant
    this.latestDatabase = database
    this.latestTable = table
    return known
  }

  /** Where a leaf of it is; undefined when nobody can say. Never rejects. */
  leaf(known: KnownTable, leaf: number): Place | undefined | Promise<Place | undefined> {
    return known.leaves[leaf] ?? this.fetchLeaf(known, leaf)
  }

  routine(
    tenant: string,
    database: string,
    packageName: string,
    name: string,
  ): RoutineEntry | undefined | Promise<RoutineEntry | undefined> {
    const key = keyOf(tenant, database, name, packageName)
    const known = this.routines.get(key)
    if (known !== undefined) return this.doubted(key, known).entry
    if (this.isMissing(key)) return undefined
    return this.shared(key, async () => {
      const entry = await this.port.routine(key)
      if (entry === null) return undefined
      this.routines.set(key, { entry, soundAt: this.clock.now() })
      this.clean()
      return entry
    })
  }

  /** It serves on; when it has become another, the supervisor says so. */
  private doubted(key: string, known: KnownRoutine): KnownRoutine {
    const now = this.clock.now()
    if (now - known.soundAt >= ROUTINE_AGE_MS) {
      known.soundAt = now
      this.port.missed('routine', key, false)
    }
    return known
  }

  /** A statement that went by this place found it wrong (§4.8). */
  missed(place: Place, isLater: boolean): void {
    const now = this.clock.now()
    if (now - place.toldAt < TOLD_GAP_MS) return
    place.toldAt = now
    this.port.missed(place.kind, place.key, isLater)
  }

  /** Asks the servers anew, as far as the supervisor lets; then the place is as right as can be known. */
  async renewed(place: Place): Promise<void> {
    const { port } = this
    const { kind, key } = place
    if (kind === 'partition') {
      const value = await port.partition(key, true).catch(this.nothing)
      if (value !== null) place.location = this.places.of(value.replicas)
    } else {
      const value = await port.table(key, true).catch(this.nothing)
      if (value === null) return
      // It may not be among the kept ones any more.
      place.location = this.places.of(value.replicas)
      this.changed({ kind: 'table', key, value })
    }
  }

  // --- what the supervisor says

  /** An entry became another. Those that are not kept are of no interest. */
  changed(change: LocationChange): void {
    if (change.kind === 'routine') this.routines.delete(change.key)
    else if (change.kind === 'partition') this.partitionChanged(change.key, change.value)
    else if (this.tables.has(change.key)) this.tableChanged(change.key, change.value)
  }

  /** Of one tenant, or of all. */
  forget(tenant?: string): void {
    this.missing.clear()
    for (const known of this.tables.values())
      if (tenant === undefined || known.key.startsWith(`${tenant}\0`)) this.remove(known)
    for (const key of this.routines.keys())
      if (tenant === undefined || key.startsWith(`${tenant}\0`)) this.routines.delete(key)
  }

  private tableChanged(key: string, value: TableEntry | null): void {
    const before = this.tables.get(key)
    if (value === null) {
      if (before !== undefined) this.remove(before)
      return
    }
    const hasSamePartitions =
      before !== undefined &&
      before.entry.tableId === value.tableId &&
      before.entry.schemaVersion === value.schemaVersion &&
      before.entry.partNum === value.partNum &&
      (before.partitions === undefined) === (value.description === undefined)
    if (!hasSamePartitions) {
      if (before !== undefined) this.remove(before)
      this.keepTable(key, value)
    } else before.place.location = this.places.of(value.replicas)
  }

  private partitionChanged(key: string, value: PartitionEntry | null): void {
    const known = this.tables.get(key.slice(0, key.lastIndexOf('\0')))
    const leaf = known?.leaves.findIndex(place => !(place instanceof Promise) && place?.key === key)
    if (known === undefined || leaf === undefined || leaf < 0) return
    const place = known.leaves[leaf]
    if (place === undefined || place instanceof Promise) return
    if (value !== null) place.location = this.places.of(value.replicas)
    else {
      known.leaves[leaf] = undefined
      this.leaves -= 1
    }
  }

  // --- fetching

  private fetchTable(key: string): Promise<KnownTable | undefined> {
    return this.shared(key, async () => {
      const entry = await this.port.table(key, false)
      if (entry === null) return undefined
      const known = this.tables.get(key) ?? this.keepTable(key, entry)
      this.clean()
      return known
    })
  }

  private fetchLeaf(known: KnownTable, leaf: number): Promise<Place | undefined> | undefined {
    const tabletId = known.partitions?.leaves[leaf]?.id
    if (tabletId === undefined) return undefined
    const key = `${known.key}\0${tabletId}`
    if (this.isMissing(key)) return undefined
    const fetched = this.shared(key, async () => {
      const entry = await this.port.partition(key, false)
      return entry === null ? undefined : placeOf('partition', key, this.places.of(entry.replicas))
    }).then(place => {
      // Else the table was let go, or is another one, meanwhile.
      if (known.leaves[leaf] === fetched) {
        known.leaves[leaf] = place
        if (place !== undefined) this.leaves += 1
        this.clean()
      }
      return place
    })
    known.leaves[leaf] = fetched
    return fetched
  }

  /**
   * One question for all who ask meanwhile. Undefined when there is no such thing or nobody answers, and
   * then for a moment: statements must not wait one after the other for what nobody can say.
   */
  private shared<T>(key: string, fetch: () => Promise<T | undefined>): Promise<T | undefined> {
    const underWay = this.asked.get(key)
    if (underWay !== undefined) return underWay as Promise<T | undefined>
    const answer = fetch()
      .catch(this.nothing)
      .then(found => {
        this.asked.delete(key)
        if (found === null || found === undefined) this.keepMissing(key)
        return found ?? undefined
      })
    this.asked.set(key, answer)
    return answer
  }

  private keepTable(key: string, entry: TableEntry): KnownTable {
    const { description } = entry
    const partitions =
      description === undefined
        ? undefined
        : decodePartitions(description, FLAVOURS[this.port.flavour()])
    const location = this.places.of(entry.replicas)
    const known: KnownTable = {
      key,
      // Its rows are decoded: kept as well they would take more than all the rest.
      entry: { ...entry, replicas: location.replicas, description: undefined },
      place: placeOf('table', key, location),
      partitions,
      leaves: partitions === undefined ? NO_LEAVES : [],
      isUsed: false,
    }
    this.tables.set(key, known)
    this.described += describedOf(known)
    return known
  }

  private isMissing(key: string): boolean {
    const at = this.missing.get(key)
    if (at === undefined) return false
    if (this.clock.now() - at < MISSING_AGE_MS) return true
    this.missing.delete(key)
    return false
  }

  private keepMissing(key: string): void {
    if (this.missing.size >= MAX_MISSING) this.missing.clear()
    this.missing.set(key, this.clock.now())
  }

  // --- bounds

  private remove(known: KnownTable): void {
    if (this.latest === known) this.latest = undefined
    if (this.tables.get(known.key) === known) {
      this.tables.delete(known.key)
      this.described -= describedOf(known)
    }
    this.dropLeaves(known)
  }

  private dropLeaves(known: KnownTable): void {
    this.leaves -= known.leaves.filter(isPlace).length
    known.leaves.length = 0
  }

  /** Second chance: who was used since the cleaner came by stays for another round. */
  private clean(): void {
    const most = this.port.maxEntries()
    if (this.routines.size > most / ROUTINES_SHARE) this.routines.clear()
    if (this.count <= most) return
    // The one found without its key does not say each time that it is used.
    if (this.latest !== undefined) this.latest.isUsed = true
    this.latest = undefined
    while (this.count > most) {
      const oldest = this.nextInTurn()
      if (oldest === undefined) return
      if (this.tables.size === 1) {
        // However large it is, it is the one in use: only what can be asked for again goes.
        if (this.leaves > most) this.dropLeaves(oldest)
        return
      }
      if (!oldest.isUsed) this.remove(oldest)
      else oldest.isUsed = false
    }
  }

  /** Round and round. Why not from the start each time: what was deleted there is passed over again and again. */
  private nextInTurn(): KnownTable | undefined {
    for (let round = 0; round < 2; round++) {
      this.turn ??= this.tables.values()
      const { value, done } = this.turn.next()
      if (done !== true) return value
      this.turn = undefined
    }
    return undefined
  }
}

function placeOf(kind: LocationKind, key: string, location: PartitionLocation): Place {
  return { kind, key, location, toldAt: 0 }
}

function describedOf({ partitions }: KnownTable): number {
  return partitions === undefined ? 0 : Math.floor(partitions.leaves.length / DESCRIBED_LEAVES)
}

function isPlace(leaf: Place | Promise<Place | undefined> | undefined): boolean {
  return leaf !== undefined && !(leaf instanceof Promise)
}
