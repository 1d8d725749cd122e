/**
 * What a million location entries take: the supervisor's store filled through its own fetches, and one
 * worker's read cache at its bound. Run by Bun: `bun test/bench/locations.ts supervisor|worker ENTRIES`.
 * Prints one line of JSON, megabytes.
 */
import { heapStats } from 'bun:jsc'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { ClusterLocations, keyOf } from '../../proxy-node/topology/cluster-locations.ts'
import { LocationView } from '../../proxy-node/topology/location-view.ts'
import type { Row } from '../../proxy-node/topology/table-entry.ts'
import { Locations, type TableEntry, tableEntryOf } from '../../proxy-node/topology/table-entry.ts'

const LIMIT_BYTES = 512 * 1024 * 1024
const SUPERVISOR_SHARE = 0.75
const WORKER_ENTRY_BYTES = 1024
const SERVERS = 6
const REPLICAS = 3
const AT_ONCE = 1_000
const SETTLE_MS = 5_000

const [, , part = 'supervisor', count = '1000000'] = process.argv
const entries = Number(count)
const key = (index: number) => keyOf('app', `database_${index % 100}`, `some_table_name_${index}`)

function rowsOf(index: number): readonly Row[] {
  return Array.from({ length: REPLICAS }, (_none, replica) => ({
    table_id: String(500_000 + index),
    svr_ip: `10.0.0.${((index + replica) % SERVERS) + 1}`,
    sql_port: '2881',
    role: replica === 0 ? '1' : '2',
    part_num: '1',
    replica_num: String(REPLICAS),
    schema_version: String(1_795_685_644_955_600 + index),
    table_type: '3',
    replica_type: '0',
    dup_replica_type: '0',
  }))
}

/** When the runtime has given back to the system what it does not need. */
async function residentMb(): Promise<number> {
  Bun.gc(true)
  await Bun.sleep(SETTLE_MS)
  return process.memoryUsage().rss / 1e6
}

async function supervisor(): Promise<object> {
  const locations = new ClusterLocations(
    {
      shape: () => 'v4',
      ask: sql => Promise.resolve(rowsOf(Number(/some_table_name_(\d+)/.exec(sql)?.[1] ?? 0))),
      settings: () => ({
        refreshGapMs: 5_000,
        isAsync: true,
        normal: 100,
        slow: 10,
        prunes: true,
        expiryMs: 0,
        tenantAgeMs: 86_400_000,
      }),
      changed: () => {},
      broke: () => {},
      random: Math.random,
    },
    systemClock,
  )
  const before = await residentMb()
  for (let from = 0; from < entries; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_none, at) => locations.tables.find(key(from + at))),
    )
  const counted = locations.size / 1e6
  locations.clean(LIMIT_BYTES * SUPERVISOR_SHARE)
  while (locations.size > LIMIT_BYTES * SUPERVISOR_SHARE) await Bun.sleep(1)
  return {
    before,
    after: await residentMb(),
    live: heapStats().heapSize / 1e6,
    extra: heapStats().extraMemorySize / 1e6,
    capacity: heapStats().heapCapacity / 1e6,
    entries: locations.count,
    counted,
  }
}

async function worker(): Promise<object> {
  const lists = new Locations()
  const view = new LocationView(
    {
      flavour: () => 'v4',
      table: asked => {
        const index = Number(/some_table_name_(\d+)/.exec(asked)?.[1] ?? 0)
        const found: TableEntry | undefined = tableEntryOf(rowsOf(index), lists)
        return Promise.resolve(found ?? null)
      },
      partition: () => Promise.resolve(null),
      routine: () => Promise.resolve(null),
      missed: () => {},
      broke: () => {},
      maxEntries: () => (LIMIT_BYTES * (1 - SUPERVISOR_SHARE)) / WORKER_ENTRY_BYTES,
    },
    systemClock,
  )
  const before = await residentMb()
  for (let from = 0; from < entries; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_none, at) => {
        const index = from + at
        return view.table('app', `database_${index % 100}`, `some_table_name_${index}`)
      }),
    )
  return {
    before,
    after: await residentMb(),
    live: heapStats().heapSize / 1e6,
    extra: heapStats().extraMemorySize / 1e6,
    capacity: heapStats().heapCapacity / 1e6,
    entries: view.count,
  }
}

process.stdout.write(`${JSON.stringify(await (part === 'worker' ? worker() : supervisor()))}\n`)
process.exit(0)
