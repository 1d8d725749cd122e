import { beforeEach, describe, expect, test } from 'vitest'
import { keyOf } from '../../../../proxy-node/topology/cluster-locations.ts'
import {
  type KnownTable,
  LocationView,
  type Place,
} from '../../../../proxy-node/topology/location-view.ts'
import {
  type PartitionDescription,
  type PartitionEntry,
  type RoutineEntry,
  replicasOf,
  type TableEntry,
} from '../../../../proxy-node/topology/table-entry.ts'
import { Unanswered } from '../../../../proxy-node/topology/unanswered.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { MetadataCluster, PORT } from '../../../support/metadata-cluster.ts'

const replicas = (...hosts: readonly string[]) =>
  replicasOf(hosts.map((host, at) => ({ svr_ip: host, sql_port: '1', role: at === 0 ? '1' : '2' })))
const PLAIN = keyOf('app', 'd', 't')
const PARTED = keyOf('app', 'd', 'parted')
const leafKey = (id: string) => keyOf('app', 'd', 'parted', id)

let clock: HandClock
let tables: Map<string, TableEntry>
let partitions: Map<string, PartitionEntry>
let routines: Map<string, RoutineEntry>
/** Of the next questions. */
let failure: Error | undefined
let broken: unknown[]
let asked: string[]
let told: string[]
let maxEntries: number
let view: LocationView
let description: PartitionDescription

const table = (change: Partial<TableEntry> = {}): TableEntry => ({
  tableId: '5',
  tableType: 3,
  partNum: 1,
  schemaVersion: '1',
  replicas: replicas('a', 'b'),
  description: undefined,
  ...change,
})
const partition = (tabletId: string, ...hosts: readonly string[]): PartitionEntry => ({
  tableId: '7',
  tabletId,
  replicas: replicas(...hosts),
})

beforeEach(async () => {
  clock = new HandClock()
  description = await describedBy('201', '202', '203')
  tables = new Map([
    [PLAIN, table()],
    [PARTED, table({ tableId: '7', partNum: 3, replicas: [], description })],
  ])
  partitions = new Map(['201', '202', '203'].map(id => [leafKey(id), partition(id, `s${id}`)]))
  routines = new Map([
    [
      keyOf('app', 'd', 'proc', ''),
      { routineId: '1', routineType: 1, schemaVersion: '1', sql: 'SELECT 1' },
    ],
  ])
  failure = undefined
  broken = []
  asked = []
  told = []
  maxEntries = 1_000
  view = made()
})

/** What the servers tell of a table with these partitions. */
async function describedBy(...ids: readonly string[]): Promise<PartitionDescription> {
  const servers = new MetadataCluster('c', ['a'])
  servers.tables = {
    'app.d.parted': {
      id: '7',
      parts: ids.length,
      version: '1',
      replicas: Object.fromEntries(ids.map(id => [id, ['a']])),
    },
  }
  const ask = (name: string) =>
    servers.query(
      { host: 'a', port: PORT },
      `FROM oceanbase.__all_virtual_proxy_${name} WHERE table_id = 7`,
    )
  return {
    keys: await ask('partition_info'),
    partitions: await ask('partition'),
    subPartitions: [],
  }
}

function made(): LocationView {
  const from = <T>(map: ReadonlyMap<string, T>, key: string, isRenewed: boolean) => {
    asked.push(`${key.replaceAll('\0', '.')}${isRenewed ? '!' : ''}`)
    if (failure !== undefined) return Promise.reject(failure)
    return Promise.resolve(map.get(key) ?? null)
  }
  return new LocationView(
    {
      flavour: () => 'v4',
      table: (key, isRenewed) => from(tables, key, isRenewed),
      partition: (key, isRenewed) => from(partitions, key, isRenewed),
      routine: key => from(routines, key, false),
      missed: (kind, key, isLater) =>
        told.push(`${kind} ${key.replaceAll('\0', '.')}${isLater ? ' later' : ''}`),
      maxEntries: () => maxEntries,
      broke: error => broken.push(error),
    },
    clock,
  )
}

async function known(name: string): Promise<KnownTable> {
  const found = await view.table('app', 'd', name)
  if (found === undefined) throw new Error(`no table ${name}`)
  return found
}

async function leafOf(parted: KnownTable, leaf: number): Promise<Place> {
  const found = await view.leaf(parted, leaf)
  if (found === undefined) throw new Error(`no leaf ${leaf}`)
  return found
}

const leader = (place: Place) => place.location.leader?.server.host

describe('a table', () => {
  test('is asked for once by all who ask meanwhile, then known at once', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => known('t')))

    expect(new Set(all).size).toBe(1)
    expect(view.table('app', 'd', 't')).toBe(all[0])
    expect(view.table('app', 'd', 't')).toBe(all[0])
    expect(asked).toEqual(['app.d.t'])
  })

  test('is not mixed up with the one that was used last', async () => {
    tables.set(keyOf('other', 'd', 't'), table({ tableId: '9' }))
    await known('t')
    await view.table('other', 'd', 't')
    expect(view.table('other', 'd', 't')).toMatchObject({ entry: { tableId: '9' } })
    expect(view.table('app', 'd', 't')).toMatchObject({ entry: { tableId: '5' } })
    expect(view.table('other', 'd', 't')).toMatchObject({ entry: { tableId: '9' } })
  })

  test.each([
    ['that is not there', false],
    ['of which nobody can say whether it is there', true],
  ])('%s is not asked for again within a second', async (_what, down) => {
    failure = down ? new Unanswered('nobody answers') : undefined
    expect(await view.table('app', 'd', 'none')).toBeUndefined()
    expect(view.table('app', 'd', 'none')).toBeUndefined()
    expect(asked).toHaveLength(1)

    failure = undefined
    tables.set(keyOf('app', 'd', 'none'), table())
    await clock.pass(1_000)
    expect(await view.table('app', 'd', 'none')).toBeDefined()
  })

  test('keeps what the rows of its description say, and not the rows', async () => {
    const { entry, partitions: decoded } = await known('parted')

    expect(decoded?.leaves.map(({ id }) => id)).toEqual(['201', '202', '203'])
    expect(entry).toMatchObject({ tableId: '7', partNum: 3, description: undefined })
  })

  test('with a new place keeps its partitions', async () => {
    const plain = await known('t')
    const parted = await known('parted')
    const leaf = await leafOf(parted, 0)

    view.changed({ kind: 'table', key: PLAIN, value: table({ replicas: replicas('b', 'a') }) })
    view.changed({ kind: 'table', key: PARTED, value: tables.get(PARTED) ?? null })

    expect(leader(plain.place)).toBe('b')
    expect(view.table('app', 'd', 'parted')).toBe(parted)
    expect(view.leaf(parted, 0)).toBe(leaf)
  })

  test.each([
    ['another id', { tableId: '8' }],
    ['another schema', { schemaVersion: '2' }],
    ['another number of partitions', { partNum: 4 }],
    ['no description', { description: undefined }],
  ])('with %s is another one, and its leaves are asked for anew', async (_what, change) => {
    const before = await known('parted')
    await leafOf(before, 0)
    await leafOf(before, 1)
    expect(view.count).toBe(4 - 1)

    const value = table({ tableId: '7', partNum: 3, replicas: [], description, ...change })
    view.changed({ kind: 'table', key: PARTED, value })

    const after = await known('parted')
    expect(after).not.toBe(before)
    expect(after.leaves).toEqual([])
    expect(view.count).toBe(1)
  })

  test('that is there no more is asked for again', async () => {
    await known('t')
    view.changed({ kind: 'table', key: PLAIN, value: null })

    expect(view.count).toBe(0)
    await known('t')
    expect(asked).toHaveLength(2)
  })

  test('that is not kept is not kept because it changed', () => {
    view.changed({ kind: 'table', key: PLAIN, value: table() })
    expect(view.count).toBe(0)
  })
})

describe('a leaf', () => {
  test('is asked for once, then known at once', async () => {
    const parted = await known('parted')
    const all = await Promise.all([0, 0, 1, 0].map(leaf => leafOf(parted, leaf)))

    expect(all.map(leader)).toEqual(['s201', 's201', 's202', 's201'])
    expect(view.leaf(parted, 1)).toBe(all[2])
    expect(asked).toEqual(['app.d.parted', 'app.d.parted.201', 'app.d.parted.202'])
  })

  test('that the table does not have, or of which nobody knows, is nowhere, and costs one question a second', async () => {
    const parted = await known('parted')
    partitions.delete(leafKey('202'))

    expect(view.leaf(parted, 99)).toBeUndefined()
    expect(await view.leaf(parted, 1)).toBeUndefined()
    expect(view.leaf(parted, 1)).toBeUndefined()
    expect(asked).toEqual(['app.d.parted', 'app.d.parted.202'])
    expect(view.count).toBe(1)

    partitions.set(leafKey('202'), partition('202', 'late'))
    await clock.pass(1_000)
    expect(leader(await leafOf(parted, 1))).toBe('late')
  })

  test('follows what the supervisor says of it', async () => {
    const parted = await known('parted')
    const place = await leafOf(parted, 1)

    view.changed({ kind: 'partition', key: leafKey('202'), value: partition('202', 'moved') })
    expect(leader(place)).toBe('moved')

    view.changed({ kind: 'partition', key: leafKey('202'), value: null })
    expect(view.count).toBe(1)
    await leafOf(parted, 1)
    expect(asked).toHaveLength(3)
    view.changed({ kind: 'partition', key: leafKey('999'), value: null })
    view.changed({ kind: 'partition', key: keyOf('app', 'd', 'unknown', '1'), value: null })
    expect(view.count).toBe(2)
  })

  test('that arrives when its table is another one already counts for nothing', async () => {
    const parted = await known('parted')
    const late = view.leaf(parted, 0)
    view.forget()

    expect(await late).toMatchObject({ kind: 'partition' })
    expect(view.count).toBe(0)
    expect(parted.leaves).toEqual([])
  })
})

describe('what a statement found wrong', () => {
  test('is told at once, and for a quarter of a second no more', async () => {
    const { place } = await known('t')
    const other = await leafOf(await known('parted'), 0)
    for (let at = 0; at < 100; at++) view.missed(place, false)
    view.missed(other, true)
    expect(told).toEqual(['table app.d.t', 'partition app.d.parted.201 later'])

    await clock.pass(249)
    view.missed(place, false)
    expect(told).toHaveLength(2)
    await clock.pass(1)
    view.missed(place, false)
    expect(told).toHaveLength(3)
  })

  test('is renewed in place: of a table and of a leaf', async () => {
    const { place } = await known('t')
    const leaf = await leafOf(await known('parted'), 0)
    tables.set(PLAIN, table({ replicas: replicas('c') }))
    partitions.set(leafKey('201'), partition('201', 'd'))

    await view.renewed(place)
    await view.renewed(leaf)

    expect([leader(place), leader(leaf)]).toEqual(['c', 'd'])
    expect(asked.slice(-2)).toEqual(['app.d.t!', 'app.d.parted.201!'])
  })

  test('is renewed though its table is not kept any more', async () => {
    const { place } = await known('t')
    view.forget()
    tables.set(PLAIN, table({ replicas: replicas('c') }))

    await view.renewed(place)

    expect(leader(place)).toBe('c')
    expect(view.count).toBe(0)
  })

  test('stays as it was when nobody answers', async () => {
    const { place } = await known('t')
    const leaf = await leafOf(await known('parted'), 0)
    failure = new Unanswered('nobody answers')

    await view.renewed(place)
    await view.renewed(leaf)

    expect([leader(place), leader(leaf)]).toEqual(['a', 's201'])
  })
})

describe('routines', () => {
  test('are asked for once, until they change', async () => {
    const both = await Promise.all([0, 1].map(() => view.routine('app', 'd', '', 'proc')))
    expect(both.map(routine => routine?.sql)).toEqual(['SELECT 1', 'SELECT 1'])
    expect(view.routine('app', 'd', '', 'proc')).toBe(both[0])
    expect(asked).toHaveLength(1)

    view.changed({ kind: 'routine', key: keyOf('app', 'd', 'proc', ''), value: null })
    await view.routine('app', 'd', '', 'proc')
    expect(asked).toHaveLength(2)
  })

  test('are doubted once a minute, and serve on meanwhile', async () => {
    const first = await view.routine('app', 'd', '', 'proc')
    await clock.pass(59_999)
    expect(view.routine('app', 'd', '', 'proc')).toBe(first)
    expect(told).toEqual([])

    await clock.pass(1)
    for (let calls = 0; calls < 10; calls++)
      expect(view.routine('app', 'd', '', 'proc')).toBe(first)
    expect(told).toEqual(['routine app.d.proc.'])
  })

  test('that are not there are not asked for again within a second', async () => {
    expect(await view.routine('app', 'd', '', 'none')).toBeUndefined()
    expect(view.routine('app', 'd', '', 'none')).toBeUndefined()
    expect(asked).toHaveLength(1)
  })
})

describe('forgetting', () => {
  test('a tenant leaves the others', async () => {
    tables.set(keyOf('other', 'd', 't'), table())
    await known('t')
    await leafOf(await known('parted'), 0)
    await view.routine('app', 'd', '', 'proc')
    const other = await view.table('other', 'd', 't')

    view.forget('app')

    expect(view.count).toBe(1)
    expect(view.table('other', 'd', 't')).toBe(other)
    view.forget()
    expect(view.count).toBe(0)
  })

  test('is also of what was not there', async () => {
    await view.table('app', 'd', 'new')
    tables.set(keyOf('app', 'd', 'new'), table())

    view.forget('app')

    expect(await view.table('app', 'd', 'new')).toBeDefined()
  })
})

describe('the bound', () => {
  test('holds for tables: those not used lately go, those in use stay', async () => {
    maxEntries = 20
    for (let at = 0; at < 200; at++) {
      tables.set(keyOf('app', 'd', `t${at}`), table())
      await known('t')
      await known(`t${at}`)
      expect(view.count).toBeLessThanOrEqual(20)
    }

    expect(view.table('app', 'd', 't')).not.toBeInstanceOf(Promise)
    expect(asked.filter(key => key === 'app.d.t')).toHaveLength(1)
  })

  test('holds for leaves: a table with more of them than fit stays, and they come and go', async () => {
    const ids = Array.from({ length: 50 }, (_none, at) => String(300 + at))
    description = await describedBy(...ids)
    tables.set(PARTED, table({ tableId: '7', partNum: 50, replicas: [], description }))
    for (const id of ids) partitions.set(leafKey(id), partition(id, `s${id}`))
    maxEntries = 16
    const parted = await known('parted')

    for (let leaf = 0; leaf < 50; leaf++) {
      expect(leader(await leafOf(parted, leaf))).toBe(`s${300 + leaf}`)
      // Itself, and 12 for what describes its leaves.
      expect(view.count - 13).toBeLessThanOrEqual(16)
    }

    expect(view.table('app', 'd', 'parted')).toBe(parted)
  })

  test('counts what describes partitions: few tables with thousands fit where many small ones do', async () => {
    const ids = Array.from({ length: 4_096 }, (_none, at) => String(10_000 + at))
    description = await describedBy(...ids)
    const large = table({ tableId: '7', partNum: 4_096, replicas: [], description })
    for (let at = 0; at < 4; at++) tables.set(keyOf('app', 'd', `large${at}`), large)
    maxEntries = 3_000

    for (let at = 0; at < 4; at++) {
      await known(`large${at}`)
      expect(view.count).toBe(1_025 * Math.min(at + 1, 2))
    }
    for (let at = 0; at < 100; at++) {
      tables.set(keyOf('app', 'd', `t${at}`), table())
      await known(`t${at}`)
    }
    view.forget()

    expect(view.count).toBe(0)
  })

  test('holds for routines', async () => {
    maxEntries = 100
    for (let at = 0; at < 50; at++) {
      const key = keyOf('app', 'd', `p${at}`, '')
      routines.set(key, { routineId: '1', routineType: 1, schemaVersion: '1', sql: 'SELECT 1' })
      await view.routine('app', 'd', '', `p${at}`)
      expect(view.count).toBeLessThanOrEqual(10)
    }
  })
})

describe('a failure', () => {
  const ask = async () => {
    expect(await view.table('app', 'd', 't')).toBeUndefined()
    expect(await view.routine('app', 'd', '', 'proc')).toBeUndefined()
  }

  test('to answer is nothing to tell of', async () => {
    failure = new Unanswered('nobody answers')

    await ask()

    expect(broken).toEqual([])
  })

  test('that is a bug is told, and statements go on without the answer', async () => {
    const { place } = await known('t')
    view.forget()
    failure = new TypeError('a bug')

    await ask()
    await view.renewed(place)

    expect(broken).toEqual([failure, failure, failure])
  })
})
