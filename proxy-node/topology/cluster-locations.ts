/**
 * Tables, partitions, routines and tenants of one OB cluster as its servers tell of them, with the
 * rules between them: a partition that does not fit its table makes the table dirty.
 * Source: proxy-routing.md §4.
 */
import type { Clock } from '../base/clock.ts'
import type { Packing } from './entry-shelf.ts'
import { FlowControl, type FlowLimits } from './flow-control.ts'
import { type Entry, LocationStore, type StoreLimits, type StorePort } from './location-store.ts'
import type { TenantServers } from './model.ts'
import { partitionStatements3x, partitionStatements4x } from './partition/statements.ts'
import {
  partitionsStatement,
  routineStatement,
  type Shape,
  type TableNames,
  tableStatement,
  tenantStatement,
} from './statements.ts'
import {
  type Answer,
  Locations,
  type PartitionDescription,
  type PartitionEntry,
  type RoutineEntry,
  type Row,
  routineEntryOf,
  type TableEntry,
  tableEntryOf,
  tenantServersOf,
} from './table-entry.ts'
import { Tenants, tenantLimits } from './tenants.ts'

export type LocationKind = LocationChange['kind']

export type LocationSettings = StoreLimits &
  FlowLimits & {
    /** `enable_partition_table_route`: partitions are asked for. */
    readonly prunes: boolean
    /** `location_expire_period_time`; 0: never. */
    readonly expiryMs: number
    /** `tenant_location_valid_time`; 0: for ever. */
    readonly tenantAgeMs: number
  }

/** What an entry became; null: it is there no more. */
export type LocationChange =
  | { readonly kind: 'table'; readonly key: string; readonly value: TableEntry | null }
  | { readonly kind: 'partition'; readonly key: string; readonly value: PartitionEntry | null }
  | { readonly kind: 'routine'; readonly key: string; readonly value: RoutineEntry | null }

/** What all entries have, whatever they are of. */
type Kept = Pick<Entry<unknown>, 'key' | 'createdAt'>

export type LocationsPort = {
  readonly shape: () => Shape
  /** Asks any server of the cluster. @throws Error */
  readonly ask: (sql: string) => Promise<Answer>
  readonly settings: () => LocationSettings
  readonly changed: (change: LocationChange) => void
  /** Hears of errors that nobody expected. */
  readonly broke: (error: unknown) => void
  readonly random: () => number
}

/** Entries are taken for so many bytes besides their keys and what they hold. */
const ENTRY_BYTES = 256
const CELL_BYTES = 16
/** Codes of RANGE and LIST in 3.x (§6.3). */
const BOUNDED_3X: ReadonlySet<string> = new Set(['3', '4', '5', '7'])
/** A schema version that says nothing (§4.4). */
const UNKNOWN_VERSION = '0'
const SEPARATOR = '\0'
/** Between the fields of a packed entry; JSON writes it as an escape. */
const PACK_MARK = '\x01'

export class ClusterLocations {
  readonly tables: LocationStore<TableEntry>
  readonly partitions: LocationStore<PartitionEntry>
  readonly routines: LocationStore<RoutineEntry>
  readonly tenants: Tenants
  readonly flow: FlowControl
  private readonly port: LocationsPort
  private readonly clock: Clock
  private readonly places = new Locations()
  private readonly packsTables: Packing<TableEntry> = {
    pack: ({ tableId, tableType, partNum, schemaVersion, replicas, description }) => {
      const head = [tableId, tableType, partNum, schemaVersion].join(PACK_MARK)
      const tail = description === undefined ? '' : JSON.stringify(description)
      return `${head}${PACK_MARK}${this.places.packed(replicas)}${PACK_MARK}${tail}`
    },
    unpack: text => {
      const [tableId = '', tableType, partNum, schemaVersion = '', place = '', tail = ''] =
        text.split(PACK_MARK)
      return {
        tableId,
        tableType: Number(tableType),
        partNum: Number(partNum),
        schemaVersion,
        replicas: this.places.unpacked(place),
        description: tail === '' ? undefined : JSON.parse(tail),
      }
    },
  }
  private readonly packsPartitions: Packing<PartitionEntry> = {
    pack: ({ tableId, tabletId, replicas }) =>
      [tableId, tabletId, this.places.packed(replicas)].join(PACK_MARK),
    unpack: text => {
      const [tableId = '', tabletId = '', place = ''] = text.split(PACK_MARK)
      return { tableId, tabletId, replicas: this.places.unpacked(place) }
    },
  }

  constructor(port: LocationsPort, clock: Clock) {
    this.port = port
    this.clock = clock
    this.flow = new FlowControl(clock, port.settings, port.random)
    this.tables = this.store({
      fetch: (key, isFlushed) => this.fetchTable(key, isFlushed),
      changed: (key, value) => port.changed({ kind: 'table', key, value: value ?? null }),
      sizeOf: (key, { description }) => ENTRY_BYTES + key.length + sizeOf(description),
      isSame: isSameTable,
      packing: this.packsTables,
    })
    this.partitions = this.store({
      fetch: (key, isFlushed) => this.fetchPartition(key, isFlushed),
      changed: (key, value) => port.changed({ kind: 'partition', key, value: value ?? null }),
      sizeOf: key => ENTRY_BYTES + key.length,
      isSame: (before, after) => before.replicas === after.replicas,
      packing: this.packsPartitions,
    })
    this.routines = this.store({
      fetch: key => this.fetchRoutine(key),
      changed: (key, value) => port.changed({ kind: 'routine', key, value: value ?? null }),
      sizeOf: (key, { sql }) => ENTRY_BYTES + key.length + sql.length,
      isSame: (before, after) => before.sql === after.sql,
      packing: { pack: JSON.stringify, unpack: JSON.parse },
    })
    this.tenants = new Tenants(
      tenant => this.fetchTenant(tenant),
      clock,
      tenantLimits(() => port.settings().tenantAgeMs),
    )
  }

  get size(): number {
    return this.tables.size + this.partitions.size + this.routines.size
  }

  get count(): number {
    return this.tables.count + this.partitions.count + this.routines.count
  }

  /** Deletes nothing more. */
  stop(): void {
    this.tables.stop()
    this.partitions.stop()
    this.routines.stop()
  }

  /** Keeps within `bytes`, and lets go what has expired (§4.10). */
  clean(bytes: number): void {
    const { expiryMs } = this.port.settings()
    if (expiryMs > 0) {
      const now = this.clock.now()
      const isOld = (entry: Kept) => now - entry.createdAt >= expiryMs * lifeOf(entry.key)
      this.tables.expire(isOld)
      this.partitions.expire(isOld)
      this.routines.expire(isOld)
    }
    const over = this.size - bytes
    if (over <= 0) return
    // Each gives its share; what one lacks the next gives.
    const part = bytes / this.size
    this.partitions.shrink(this.partitions.size * part)
    this.tables.shrink(this.tables.size * part)
    this.routines.shrink(this.routines.size * part)
  }

  /** Deletes what was created up to `createdAt`. */
  forgetUpTo(createdAt: number): void {
    this.forget(entry => entry.createdAt <= createdAt)
    this.tenants.clear()
  }

  /** Deletes everything of one tenant. */
  forgetTenant(tenant: string): void {
    this.tenants.forget(tenant)
    const prefix = `${tenant}${SEPARATOR}`
    this.forget(({ key }) => key.startsWith(prefix))
  }

  private forget(isGone: (entry: Kept) => boolean): void {
    this.tables.forget(isGone)
    this.partitions.forget(isGone)
    this.routines.forget(isGone)
  }

  private store<V>(port: Omit<StorePort<V>, 'limits' | 'broke'>): LocationStore<V> {
    const { settings: limits, broke } = this.port
    return new LocationStore({ ...port, limits, broke }, this.clock, this.flow)
  }

  // --- questions

  private async fetchTable(key: string, isFlushed: boolean): Promise<TableEntry | undefined> {
    const { port } = this
    const { id: _none, ...names } = namesOf(key)
    const rows = await port.ask(tableStatement(port.shape(), names, isFlushed))
    const entry = tableEntryOf(rows, this.places)
    if (entry === undefined || entry.partNum <= 1 || !port.settings().prunes) return entry
    const before = this.tables.peek(key)
    const isKnown = before?.description !== undefined && isSameSchema(before, entry)
    const description = isKnown
      ? before.description
      : await this.describe(names.tenant, entry.tableId)
    return { ...entry, description }
  }

  private async describe(tenant: string, tableId: string): Promise<PartitionDescription> {
    const { port } = this
    if (port.shape() === 'v3') return this.describe3x(tableId)
    const statements = partitionStatements4x(tenant, tableId)
    const keys = await port.ask(statements.keys)
    return {
      keys,
      partitions: await port.ask(statements.partitions),
      subPartitions: hasTwoLevels(keys) ? await port.ask(statements.subPartitions) : [],
    }
  }

  /** Servers of old have no bounds in the rows of HASH and KEY partitions. */
  private async describe3x(tableId: string): Promise<PartitionDescription> {
    const { port } = this
    const first = partitionStatements3x(tableId, { hasBounds: false, isTemplate: false })
    const keys = await port.ask(first.keys)
    const isTemplate = keys[0]?.['template_num'] === '1'
    const hasBounds = (column: string) => BOUNDED_3X.has(keys[0]?.[column] ?? '')
    const ofFirst = partitionStatements3x(tableId, {
      hasBounds: hasBounds('part_type'),
      isTemplate,
    })
    const ofSecond = partitionStatements3x(tableId, {
      hasBounds: hasBounds('sub_part_type'),
      isTemplate,
    })
    return {
      keys,
      partitions: await port.ask(ofFirst.partitions),
      subPartitions: hasTwoLevels(keys) ? await port.ask(ofSecond.subPartitions) : [],
    }
  }

  private async fetchPartition(
    key: string,
    isFlushed: boolean,
  ): Promise<PartitionEntry | undefined> {
    const { port } = this
    const { tenant, database, table, id } = namesOf(key)
    const names = { tenant, database, table }
    const answer = await port.ask(partitionsStatement(port.shape(), names, [id], isFlushed))
    // Some servers answer for the first partition when they do not know this one.
    const rows = answer.filter(row => (row['tablet_id'] ?? id) === id)
    const tableKey = keyOf(tenant, database, table)
    const entry = tableEntryOf(rows, this.places)
    const known = this.tables.peek(tableKey)
    if (entry === undefined || (known !== undefined && !isSameSchema(known, entry))) {
      this.tables.missed(tableKey, false)
      return undefined
    }
    return { tableId: entry.tableId, tabletId: id, replicas: entry.replicas }
  }

  private async fetchRoutine(key: string): Promise<RoutineEntry | undefined> {
    const { port } = this
    const { id: packageName, ...names } = namesOf(key)
    return routineEntryOf(await port.ask(routineStatement(port.shape(), names, packageName)))
  }

  private async fetchTenant(tenant: string): Promise<TenantServers> {
    return tenantServersOf(await this.port.ask(tenantStatement(this.port.shape(), tenant)))
  }
}

function hasTwoLevels(keys: Answer): boolean {
  return keys[0]?.['part_level'] === '2'
}

/** `id`: of a partition, or the package of a routine. */
export function keyOf(tenant: string, database: string, table: string, id?: string): string {
  const key = `${tenant}${SEPARATOR}${database}${SEPARATOR}${table}`
  return id === undefined ? key : `${key}${SEPARATOR}${id}`
}

export function namesOf(key: string): TableNames & { readonly id: string } {
  const [tenant = '', database = '', table = '', id = ''] = key.split(SEPARATOR)
  return { tenant, database, table, id }
}

/** §4.4: the same table with the same partitions. */
function isSameSchema(one: TableEntry, other: TableEntry): boolean {
  const isSameVersion =
    one.schemaVersion === other.schemaVersion ||
    one.schemaVersion === UNKNOWN_VERSION ||
    other.schemaVersion === UNKNOWN_VERSION
  return one.tableId === other.tableId && one.partNum === other.partNum && isSameVersion
}

function isSameTable(before: TableEntry, after: TableEntry): boolean {
  return (
    isSameSchema(before, after) &&
    before.replicas === after.replicas &&
    before.description === after.description
  )
}

/** Half of the period to all of it, and for one key always the same. */
function lifeOf(key: string): number {
  let hash = 0
  for (let at = 0; at < key.length; at++) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) >>> 0
  return 0.5 + (hash % 1024) / 2048
}

function sizeOf(description: PartitionDescription | undefined): number {
  if (description === undefined) return 0
  const { keys, partitions, subPartitions } = description
  return [...keys, ...partitions, ...subPartitions].reduce((sum, row) => sum + bytesOf(row), 0)
}

function bytesOf(row: Row): number {
  return Object.values(row).reduce((sum, cell) => sum + CELL_BYTES + (cell?.length ?? 0), 0)
}
