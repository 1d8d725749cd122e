import { beforeEach, describe, expect, test } from 'vitest'
import {
  type Listing,
  listCluster,
  scatteredIn,
  WrongCluster,
} from '../../../../proxy-node/topology/listing.ts'
import { MetadataCluster, PORT } from '../../../support/metadata-cluster.ts'

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const FIRST = { host: '10.0.0.1', port: PORT }

let servers: MetadataCluster
beforeEach(() => {
  servers = clusterOf(false)
})

function clusterOf(isOld: boolean): MetadataCluster {
  const made = new MetadataCluster('c', HOSTS, isOld)
  made.tenants = {
    app: { id: '1002', locality: 'FULL@z1', primaryZone: 'z1;z2' },
    other: { id: '1004', locality: 'FULL@z1' },
  }
  made.leaders = { '1002': ['10.0.0.2'], '1004': ['10.0.0.1', '10.0.0.2'] }
  return made
}

function list(
  before?: Listing,
  {
    expectedName,
    isChecked = true,
    mustBePrimary = false,
  }: { expectedName?: string; isChecked?: boolean; mustBePrimary?: boolean } = {},
): Promise<Listing> {
  return listCluster(
    { ask: sql => servers.query(FIRST, sql), expectedName, isChecked, mustBePrimary },
    before,
  )
}

describe('a first round', () => {
  test('of 4.x tells zones, servers, tenants and single leaders', async () => {
    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2', merging: true } }

    const listing = await list()

    expect(listing).toMatchObject({ majorVersion: 4, flavour: 'v4' })
    expect([...listing.zones.values()].map(({ state }) => state)).toEqual([
      'ACTIVE',
      'MERGE',
      'ACTIVE',
    ])
    expect(listing.servers.map(({ address }) => address.host)).toEqual(HOSTS)
    expect(listing.tenants.map(({ name }) => name)).toEqual(['app', 'other'])
    expect([...listing.singleLeaders]).toEqual([['1002', { host: '10.0.0.2', port: PORT }]])
  })

  test('of 3.x asks the tables of old, and none of the new', async () => {
    servers = clusterOf(true)
    servers.zones = { ...servers.zones, z3: { region: 'r', idc: 'i3', merging: true } }

    const listing = await list(undefined, { expectedName: 'c' })

    expect(listing).toMatchObject({ majorVersion: 3, flavour: 'v3' })
    expect(listing.zones.get('z3')?.state).toBe('MERGE')
    expect(listing.servers).toHaveLength(3)
    expect(listing.tenants).toHaveLength(2)
    expect(servers.count('_OB_')).toBe(0)
    expect([...listing.singleLeaders]).toEqual([['1002', { host: '10.0.0.1', port: PORT }]])
  })

  test('knows seekdb by its comment', async () => {
    servers.comment = 'OceanBase seekdb 1.0 (r1)'
    expect(await list()).toMatchObject({ flavour: 'seekdb' })
    servers.failing.add('@@version_comment')
    expect(await list()).toMatchObject({ flavour: 'v4' })
  })

  test.each([
    ['the version', 'ob_version()'],
    ['the servers', 'DBA_OB_SERVERS'],
  ])('fails without %s', async (_what, text) => {
    servers.failing.add(text)
    await expect(list()).rejects.toThrow(`${text} failed`)
  })

  test('fails when the list of servers is empty', async () => {
    servers.servers = {}
    await expect(list()).rejects.toThrow('the list of servers is empty')
  })
})

describe('the name', () => {
  test('may be written otherwise, and is not asked for when none is expected', async () => {
    await list(undefined, { expectedName: 'C' })
    expect(servers.count('V$OB_PARAMETERS')).toBe(1)
    await list()
    expect(servers.count('V$OB_PARAMETERS')).toBe(1)
  })

  test('of another cluster is refused by name', async () => {
    const listed = list(undefined, { expectedName: 'd' })
    await expect(listed).rejects.toThrow(WrongCluster)
    await expect(listed).rejects.toThrow("the servers are those of cluster 'c', not of 'd'")
  })

  test('is asked for again when the servers have to say anew whose they are', async () => {
    const first = await list(undefined, { expectedName: 'c' })

    await list(first, { expectedName: 'd' })
    await expect(list(first, { expectedName: 'd', isChecked: false })).rejects.toThrow(WrongCluster)
  })
})

describe('the role', () => {
  beforeEach(() => {
    servers = clusterOf(true)
  })

  test('of a standby of 3.x is refused where the primary is looked for, and nowhere else', async () => {
    servers.role = 'PHYSICAL STANDBY'

    await expect(list(undefined, { mustBePrimary: true })).rejects.toThrow(
      'the servers are those of a cluster whose role is PHYSICAL STANDBY',
    )
    expect(await list()).toMatchObject({ majorVersion: 3 })
  })

  test('of a primary is accepted, and of one too old to tell', async () => {
    expect(await list(undefined, { mustBePrimary: true })).toMatchObject({ majorVersion: 3 })
    servers.failing.add('v$ob_cluster')
    expect(await list(undefined, { mustBePrimary: true })).toMatchObject({ majorVersion: 3 })
  })

  test('is no matter of 4.x', async () => {
    servers = clusterOf(false)
    await list(undefined, { mustBePrimary: true })
    expect(servers.count('v$ob_cluster')).toBe(0)
  })
})

describe('a round after another', () => {
  test('asks neither version nor name again', async () => {
    const first = await list(undefined, { expectedName: 'c' })
    servers.asked = []

    await list(first, { expectedName: 'c' })

    expect(servers.asked).toHaveLength(5)
    expect(servers.count('ob_version')).toBe(0)
  })

  test.each([
    ['zones', 'FROM oceanbase.DBA_OB_ZONES', 'zones'],
    ['tenants', 'DBA_OB_TENANTS', 'tenants'],
    ['leaders', 'CDB_OB_LS_LOCATIONS', 'singleLeaders'],
  ] as const)(
    'has the %s of the one before when nobody tells of them',
    async (_what, text, part) => {
      const first = await list()
      servers.failing.add(text)

      expect((await list(first))[part]).toEqual(first[part])
    },
  )

  test('has the compactions of the one before when nobody tells of them', async () => {
    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2', merging: true } }
    const first = await list()
    servers.failing.add('CDB_OB_ZONE_MAJOR_COMPACTION')

    expect((await list(first)).zones.get('z2')?.state).toBe('MERGE')
    servers.failing.clear()
    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2' } }
    expect((await list(first)).zones.get('z2')?.state).toBe('ACTIVE')
  })

  test('without zones from the beginning lists servers all the same', async () => {
    servers.failing.add('DBA_OB_ZONES')
    const listing = await list()

    expect(listing.servers).toHaveLength(3)
    expect(listing.zones.size).toBe(0)
  })
})

test('a tenant whose leaders turned out to be several has no single one any more', async () => {
  const listing = await list()

  expect(scatteredIn(listing, 'app').singleLeaders.size).toBe(0)
  expect(scatteredIn(listing, 'nobody').singleLeaders).toEqual(listing.singleLeaders)
  expect(listing.singleLeaders.size).toBe(1)
})
