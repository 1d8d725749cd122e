import { beforeEach, describe, expect, test } from 'vitest'
import {
  ClusterLocations,
  keyOf,
  type LocationChange,
  type LocationSettings,
  namesOf,
} from '../../../../proxy-node/topology/cluster-locations.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { MetadataCluster, type MetadataTable, PORT } from '../../../support/metadata-cluster.ts'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'

const TABLE = keyOf('app', 'd', 't')
const PARTED = keyOf('app', 'd', 'parted')
const LEAF = keyOf('app', 'd', 'parted', '202')

let clock: HandClock
let servers: MetadataCluster
let settings: LocationSettings
let changes: LocationChange[]
let locations: ClusterLocations

beforeEach(() => {
  clock = new HandClock()
  servers = new MetadataCluster('c', ['a', 'b', 'c'])
  servers.tenants = { app: { id: '1002', locality: '' }, other: { id: '1004', locality: '' } }
  servers.tables = {
    'app.d.t': { id: '5', parts: 1, version: '1', replicas: { '0': ['a', 'b'] } },
    'other.d.t': { id: '6', parts: 1, version: '1', replicas: { '0': ['b'] } },
    'app.d.parted': {
      id: '7',
      parts: 2,
      version: '1',
      replicas: { '0': ['0.0.0.0'], '201': ['a', 'b'], '202': ['b', 'a'] },
    },
  }
  servers.routines = { proc: 'SELECT * FROM t' }
  settings = CLUSTER_DEFAULTS.locations
  changes = []
  locations = made('v4')
})

function made(shape: 'v3' | 'v4'): ClusterLocations {
  return new ClusterLocations(
    {
      shape: () => shape,
      ask: sql => servers.query({ host: 'a', port: PORT }, sql),
      settings: () => settings,
      changed: change => changes.push(change),
      broke: () => {},
      random: () => 0.5,
    },
    clock,
  )
}

/** The table as the servers tell of it from now on. */
function alter(name: string, change: Partial<(typeof servers.tables)[string]>): void {
  const before = servers.tables[name]
  if (before !== undefined) servers.tables = { ...servers.tables, [name]: { ...before, ...change } }
}

describe('tables', () => {
  test('without partitions are one question, with them three, and then known', async () => {
    const table = await locations.tables.find(TABLE)
    expect(table?.replicas.map(({ key }) => key)).toEqual([`a:${PORT}`, `b:${PORT}`])
    expect(servers.asked).toHaveLength(1)

    const parted = await locations.tables.find(PARTED)
    expect(parted).toMatchObject({ tableId: '7', partNum: 2, replicas: [] })
    expect(parted?.description?.partitions).toHaveLength(2)
    expect(parted?.description?.subPartitions).toEqual([])
    expect(servers.asked).toHaveLength(4)

    expect(locations.tables.find(PARTED)).toBe(parted)
  })

  test('are not described when partitions are not to be computed', async () => {
    settings = { ...settings, prunes: false }

    expect((await locations.tables.find(PARTED))?.description).toBeUndefined()
    expect(servers.asked).toHaveLength(1)
  })

  test('are described again when their schema is another one, and only then', async () => {
    const first = await locations.tables.find(PARTED)
    await clock.pass(1_000)
    const same = await locations.tables.renewed(PARTED)
    expect(same?.description).toBe(first?.description)

    alter('app.d.parted', { version: '2' })
    await clock.pass(1_000)
    const other = await locations.tables.renewed(PARTED)

    expect(other?.description).not.toBe(first?.description)
    expect(changes.map(({ kind, key }) => [kind, key])).toEqual([['table', PARTED]])
  })

  test('that are not there are not asked for again within a second', async () => {
    const none = keyOf('app', 'd', 'none')
    expect(await locations.tables.find(none)).toBeUndefined()
    expect(locations.tables.find(none)).toBeUndefined()
    expect(servers.asked).toHaveLength(1)
  })

  test('of 3.x are described by its tables', async () => {
    const asked: string[] = []
    const old = new ClusterLocations(
      {
        shape: () => 'v3',
        ask: sql => {
          asked.push(sql)
          if (sql.includes('partition_info'))
            return Promise.resolve([
              { part_level: '2', part_type: '0', sub_part_type: '3', template_num: '1' },
            ])
          if (sql.includes('proxy_schema'))
            return Promise.resolve([{ table_id: '9', part_num: '4', svr_ip: 'a', sql_port: '1' }])
          return Promise.resolve([{ part_id: '0' }])
        },
        settings: () => settings,
        changed: () => {},
        broke: () => {},
        random: () => 0.5,
      },
      clock,
    )

    await old.tables.find(TABLE)

    const [schema = '', keys = '', first = '', second = ''] = asked
    expect(schema).toContain('partition_id = 0')
    expect(keys).toContain('spare5')
    expect(first).not.toContain('high_bound_val_bin')
    expect(second).toContain('high_bound_val_bin')
    expect(second).toContain('part_id = -1')
  })
})

describe('partitions', () => {
  test('have places of their own', async () => {
    await locations.tables.find(PARTED)
    const leaf = await locations.partitions.find(LEAF)

    expect(leaf).toMatchObject({ tableId: '7', tabletId: '202' })
    expect(leaf?.replicas.find(({ isLeader }) => isLeader)?.key).toBe(`b:${PORT}`)
  })

  const OTHERS: readonly (readonly [string, Partial<MetadataTable>])[] = [
    ['another table', { id: '8' }],
    ['another number of partitions', { parts: 3 }],
    ['another version', { version: '2' }],
  ]
  test.each(OTHERS)(
    'that are of %s are none, and their table is asked for again',
    async (_what, change) => {
      await locations.tables.find(PARTED)
      alter('app.d.parted', change)
      await clock.pass(5_000)

      expect(await locations.partitions.find(LEAF)).toBeUndefined()
      await clock.pass(0)

      expect(locations.tables.peek(PARTED)).toMatchObject({
        tableId: change.id ?? '7',
        partNum: change.parts ?? 2,
        schemaVersion: change.version ?? '1',
      })
      expect(changes.map(({ kind, key }) => [kind, key])).toEqual([['table', PARTED]])
      await clock.pass(1_000)
      expect(await locations.partitions.find(LEAF)).toBeDefined()
    },
  )

  test('fit when a schema version says nothing', async () => {
    await locations.tables.find(PARTED)
    alter('app.d.parted', { version: '0' })

    expect(await locations.partitions.find(LEAF)).toBeDefined()
  })

  test('are none when the servers answer for another one', async () => {
    const rows = await servers.query(
      { host: 'a', port: PORT },
      "FROM oceanbase.__all_virtual_proxy_schema WHERE tenant_name = 'app' AND database_name = 'd' AND table_name = 'parted' AND tablet_id = 201",
    )
    const port = { shape: () => 'v4' as const, ask: () => Promise.resolve(rows) }
    const other = new ClusterLocations(
      { ...port, settings: () => settings, changed: () => {}, broke: () => {}, random: () => 0.5 },
      clock,
    )

    expect(await other.partitions.find(LEAF)).toBeUndefined()
    expect(await other.partitions.find(keyOf('app', 'd', 'parted', '201'))).toBeDefined()
  })

  test('tell those who keep copies when their leader is another', async () => {
    await locations.tables.find(PARTED)
    await locations.partitions.find(LEAF)
    alter('app.d.parted', { replicas: { '0': ['0.0.0.0'], '201': ['a'], '202': ['c', 'a'] } })

    await clock.pass(1_000)
    await locations.partitions.renewed(LEAF)

    expect(changes).toMatchObject([{ kind: 'partition', key: LEAF, value: { tabletId: '202' } }])
    expect(servers.asked.at(-1)?.sql).toContain('FORCE_REFRESH_LOCATION_CACHE')
  })
})

test('routines have their text', async () => {
  expect(await locations.routines.find(keyOf('app', 'd', 'proc', ''))).toMatchObject({
    routineId: '7',
    sql: 'SELECT * FROM t',
  })
  expect(await locations.routines.find(keyOf('app', 'd', 'none', ''))).toBeUndefined()
})

describe('the tenant of entries', () => {
  test('is forgotten with all that is its own', async () => {
    await locations.tables.find(TABLE)
    await locations.tables.find(PARTED)
    await locations.partitions.find(LEAF)
    await locations.tables.find(keyOf('other', 'd', 't'))
    await locations.tenants.find('app')
    await locations.tenants.find('other')

    locations.forgetTenant('app')

    expect(locations.count).toBe(1)
    expect(locations.tables.has(keyOf('other', 'd', 't'))).toBe(true)
    expect(locations.tenants.size).toBe(1)
    expect(changes).toEqual([])
  })

  test('that is older than its parameter allows is not answered before somebody was asked', async () => {
    settings = { ...settings, tenantAgeMs: 30_000 }
    await locations.tenants.find('app')
    servers.servers = { d: { zone: 'z1' } }

    await clock.pass(30_000)
    expect(locations.tenants.find('app')).toMatchObject({ replicas: [{}, {}, {}] })
    await clock.pass(30_001)
    expect(await locations.tenants.find('app')).toMatchObject({ replicas: [{ key: `d:${PORT}` }] })

    servers.down.add('a')
    await clock.pass(30_001)
    expect(await locations.tenants.find('app')).toMatchObject({ replicas: [{}] })
  })
})

describe('entries go', () => {
  test('when they were made before a moment, servers of tenants with them', async () => {
    await locations.tables.find(TABLE)
    await locations.tenants.find('app')
    const moment = clock.now()
    await clock.pass(1)
    await locations.tables.find(PARTED)

    locations.forgetUpTo(moment)

    expect([...locations.tables.all()].map(({ key }) => key)).toEqual([PARTED])
    expect(locations.tenants.size).toBe(0)
  })

  test('when their time is over, each after half of it to all of it, and copies with them', async () => {
    settings = { ...settings, expiryMs: 10_000 }
    await locations.tables.find(TABLE)
    await locations.tables.find(PARTED)
    await locations.partitions.find(LEAF)

    await clock.pass(4_999)
    locations.clean(1_000_000)
    expect(locations.count).toBe(3)
    await clock.pass(5_001)
    locations.clean(1_000_000)
    expect(locations.count).toBe(0)
    expect(changes.map(({ kind, value }) => [kind, value])).toEqual([
      ['table', null],
      ['table', null],
      ['partition', null],
    ])
  })

  test('never by age when there is no time', async () => {
    await locations.tables.find(TABLE)
    await clock.pass(365 * 86_400_000)
    locations.clean(1_000_000)
    expect(locations.count).toBe(1)
  })

  test('those not used for long, of all kinds in proportion, when they take too much', async () => {
    for (let at = 0; at < 200; at++) {
      const name = `t${at}`
      servers.tables[`app.d.${name}`] = {
        id: '5',
        parts: 1,
        version: '1',
        replicas: { '0': ['a'] },
      }
      await locations.tables.find(keyOf('app', 'd', name))
      await locations.partitions.find(keyOf('app', 'd', name, '0'))
      await clock.pass(1)
    }
    const half = locations.size / 2

    locations.clean(half)

    expect(locations.size).toBeLessThanOrEqual(half)
    expect(locations.tables.count).toBeGreaterThan(80)
    expect(locations.partitions.count).toBeGreaterThan(80)
    expect(locations.tables.has(keyOf('app', 'd', 't199'))).toBe(true)
    expect(locations.tables.has(keyOf('app', 'd', 't0'))).toBe(false)
  })
})

test('a key is the names it was made of', () => {
  expect(namesOf(keyOf('a', 'd', 't', '7'))).toEqual({
    tenant: 'a',
    database: 'd',
    table: 't',
    id: '7',
  })
  expect(namesOf(keyOf('a', 'd', 't')).id).toBe('')
})
