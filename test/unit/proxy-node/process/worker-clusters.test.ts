import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeClustersSettings } from '../../../../proxy-node/process/node-clusters.ts'
import type { ClusterView } from '../../../../proxy-node/session/ports.ts'
import { CONGESTED, type ServerAddress } from '../../../../proxy-node/topology/model.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { ListedClusters } from '../../../support/listed-clusters.ts'
import { MetadataCluster, PORT } from '../../../support/metadata-cluster.ts'
import {
  CLUSTER_DEFAULTS,
  type ClustersUnderTest,
  startClusters,
} from '../../../support/node-clusters.ts'

const HOSTS = ['one-1', 'one-2', 'one-3']
const at = (host: string): ServerAddress => ({ host, port: PORT })

let clock: HandClock
let listed: ListedClusters
let servers: MetadataCluster
let settings: NodeClustersSettings
let under: ClustersUnderTest

beforeEach(async () => {
  clock = new HandClock()
  listed = new ListedClusters()
  listed.lists = { one: [HOSTS.map(at)] }
  servers = new MetadataCluster('one', HOSTS)
  servers.tenants = { app: { id: '1002', locality: 'FULL@z1' } }
  moveTo('one-1')
  settings = CLUSTER_DEFAULTS
  under = await startClusters({
    name: 'one',
    rootservices: [],
    directory: listed,
    clock,
    settings: () => settings,
    query: servers.query,
    probe: ({ host }) => Promise.resolve(!servers.down.has(host)),
    random: () => 1,
  })
})
afterEach(() => under.stop())

/** The leader of the table is there. */
function moveTo(host: string): void {
  const replicas = { '0': [host, ...HOSTS.filter(other => other !== host)] }
  servers.tables = { 'app.d.t': { id: '5', parts: 1, version: '1', replicas } }
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.pass(1_000)
}

async function entered(name: string | undefined = 'one'): Promise<ClusterView> {
  const view = await under.directory.cluster(name)
  if (view === undefined) throw new Error(`no cluster ${name}`)
  await clock.pass(0)
  return view
}

async function placeIn(view: ClusterView) {
  const table = await view.locations.table('app', 'd', 't')
  if (table === undefined) throw new Error('no table t')
  return table.place
}

const hostsOf = async (view: ClusterView, tenant: string) =>
  (await view.tenantServers(tenant)).replicas.map(({ server }) => server.host)

describe('a worker', () => {
  test('knows a cluster by its name at once, and asks about the first and about others', async () => {
    const view = await entered()

    expect(under.directory.cluster('one')).toBe(view)
    expect(await under.directory.cluster(undefined)).toBe(view)
    expect(await under.directory.cluster('none')).toBeUndefined()
    expect(view.picture).toMatchObject({ cluster: 'one', isLoaded: true })
    expect([...view.picture.servers.values()].map(({ zone }) => zone.name)).toEqual([
      'z1',
      'z2',
      'z3',
    ])
  })

  test('sees the picture of the supervisor as it changes', async () => {
    const view = await entered()
    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2', merging: true } }
    listed.regions = { one: [{ idc: 'i1', region: 'east' }] }

    await pass(20)

    expect(view.picture.servers.get(`one-2:${PORT}`)?.zone.state).toBe('MERGE')
    expect(view.picture.idcRegions.get('i1')).toBe('east')
  })

  test('is asked about by each login without a name, and is the same picture until that changes', async () => {
    const view = await entered()
    const { picture, stamp } = view
    await under.directory.cluster(undefined)
    expect(view.picture).toBe(picture)
    expect(view.stamp).toBe(stamp)

    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2', merging: true } }
    await pass(20)

    expect(view.picture).not.toBe(picture)
    expect(view.stamp).not.toBe(stamp)
  })

  test('avoids whom the blacklist of the node names, as long as it does', async () => {
    const view = await entered()
    const { verdicts } = view
    for (let failure = 0; failure < 5; failure++) view.failed(at('one-3'), 'connect-failed')
    await clock.pass(0)
    expect(verdicts.congestionOf(`one-3:${PORT}`)).toBe(CONGESTED.alive)

    servers.down.add('one-3')
    const died: string[] = []
    under.died = ({ host }) => died.push(host)
    await pass(3)
    expect(verdicts.congestionOf(`one-3:${PORT}`)).toBe(CONGESTED.alive | CONGESTED.detected)
    expect(died).toEqual(['one-3'])

    servers.down.clear()
    await pass(1)
    expect(verdicts.congestionOf(`one-3:${PORT}`)).toBe(0)
  })

  test('tells of failures a bounded number a second', async () => {
    const heard = countReports('serverFailed')
    const view = await entered()

    for (let failure = 0; failure < 1_000; failure++) view.failed(at('one-1'), 'timeout')
    await clock.pass(0)
    expect(heard()).toBe(100)
    await clock.pass(1_000)
    view.failed(at('one-1'), 'timeout')
    await clock.pass(0)
    expect(heard()).toBe(101)
  })

  test('tells of scattered leaders once, and sees that they are', async () => {
    servers.leaders = { '1002': ['one-2'] }
    const heard = countReports('scattered')
    const view = await entered()
    await pass(20)
    expect(view.picture.tenants.get('app')?.singleLeader?.key).toBe(`one-2:${PORT}`)

    for (let miss = 0; miss < 1_000; miss++) view.scattered('app')
    await clock.pass(0)

    expect(heard()).toBe(1)
    expect(view.picture.tenants.get('app')?.singleLeader).toBeUndefined()
    await clock.pass(250)
    view.scattered('app')
    await clock.pass(0)
    expect(heard()).toBe(2)
  })

  function countReports(kind: string): () => number {
    let count = 0
    const { heard } = under.node
    under.node.heard = report => {
      if (report.kind === kind) count += 1
      heard.call(under.node, report)
    }
    return () => count
  }
})

describe('the locations of a worker', () => {
  test('follow the node: a miss leads to a refresh, the refresh to the new leader', async () => {
    const view = await entered()
    const place = await placeIn(view)
    expect(place.location.leader?.server.host).toBe('one-1')

    moveTo('one-2')
    await clock.pass(5_000)
    view.locations.missed(place, false)
    await clock.pass(0)

    expect(place.location.leader?.server.host).toBe('one-2')
  })

  test('that the node has let go are asked for again after a miss', async () => {
    const view = await entered()
    const place = await placeIn(view)
    settings = { ...settings, maxBytes: 0 }
    await pass(20)
    expect(under.node.entries).toBe(0)
    moveTo('one-3')

    view.locations.missed(place, false)
    await clock.pass(0)

    expect((await placeIn(view)).location.leader?.server.host).toBe('one-3')
  })

  test('are forgotten when the node is told to, when they are too old, when the tenant is spread otherwise', async () => {
    const view = await entered()
    const first = await placeIn(view)
    under.node.expire(0)
    await clock.pass(0)
    const second = await placeIn(view)
    expect(second).not.toBe(first)

    settings = {
      ...settings,
      locations: { ...settings.locations, expiryMs: 30_000 },
    }
    await pass(60)
    const third = await placeIn(view)
    expect(third).not.toBe(second)

    settings = CLUSTER_DEFAULTS
    servers.tenants = { app: { id: '1002', locality: 'FULL@z2' } }
    await pass(20 + 60)
    expect(await placeIn(view)).not.toBe(third)
  })

  test('are renewed for a statement that was refused', async () => {
    const view = await entered()
    const place = await placeIn(view)
    moveTo('one-2')
    await clock.pass(1_000)

    const renewed = view.locations.renewed(place)
    await clock.pass(0)
    await renewed

    expect(place.location.leader?.server.host).toBe('one-2')
  })
})

describe('tenants of a worker', () => {
  test('are none, are known, or cannot be known', async () => {
    const view = await entered()
    expect(await hostsOf(view, 'app')).toEqual(HOSTS)
    expect(await hostsOf(view, 'nobody')).toEqual([])

    for (const host of HOSTS) servers.down.add(host)
    await expect(hostsOf(view, 'new')).rejects.toThrow('no server of cluster one answered')
    await pass(100)
    expect(await hostsOf(view, 'app')).toEqual(HOSTS)
  })

  test('follow the servers, asked again behind the answers', async () => {
    const view = await entered()
    await view.tenantServers('app')
    servers.servers = { ...servers.servers, 'one-4': { zone: 'z1' } }
    await pass(30)

    // The worker asks the node, which asks the servers: each answers first by what it knows.
    for (let round = 0; round < 3; round++) {
      await view.tenantServers('app')
      await pass(6)
    }

    expect(await hostsOf(view, 'app')).toEqual([...HOSTS, 'one-4'])
  })

  test('of a cluster whose servers all keep silent are refused in time', async () => {
    for (const host of HOSTS) servers.silent.add(host)
    listed.lists = { ...listed.lists, dark: [HOSTS.map(at)] }
    const view = await under.directory.cluster('dark')
    const login = expect(view?.tenantServers('app')).rejects.toThrow('has answered yet')

    await pass(8)

    await login
  })

  test('of a cluster whose servers all refuse are refused after the next round', async () => {
    for (const host of HOSTS) servers.down.add(host)
    listed.lists = { ...listed.lists, dark: [HOSTS.map(at)] }
    const view = await entered('dark')

    const refused = expect(view.tenantServers('app')).rejects.toThrow('has answered yet')
    await pass(1)
    await refused
  })
})

describe('a cluster that was given up', () => {
  test('serves its sessions by its last picture, and is asked about again by the next login', async () => {
    const view = await entered()
    await view.tenantServers('app')
    under.node.remove('one', 'it was told to')
    await clock.pass(0)

    expect(await hostsOf(view, 'app')).toEqual(HOSTS)
    expect(await view.locations.table('app', 'd', 't')).toBeUndefined()
    expect(under.directory.cluster('one')).toBeInstanceOf(Promise)
  })

  test('and made anew is the same for sessions of before: they see what is new', async () => {
    const view = await entered()
    await pass(20)
    under.node.remove('one', 'it was told to')
    await clock.pass(0)
    servers.servers = { 'one-1': { zone: 'z1' }, 'one-9': { zone: 'z9' } }

    expect(await entered()).toBe(view)

    expect([...view.picture.servers.keys()]).toEqual([`one-1:${PORT}`, `one-9:${PORT}`])
    expect((await placeIn(view)).location.leader?.server.host).toBe('one-1')
  })
})

test('several clusters do not mix', async () => {
  const other = new MetadataCluster('two', ['two-1'])
  other.tenants = { app: { id: '1', locality: '' } }
  const { query } = servers
  under.stop()
  listed.lists = { ...listed.lists, two: [[at('two-1')]] }
  under = await startClusters({
    name: 'one',
    rootservices: [],
    directory: listed,
    clock,
    query: (to, sql) => (to.host === 'two-1' ? other.query(to, sql) : query(to, sql)),
    random: () => 1,
  })
  const [one, two] = [await entered('one'), await entered('two')]

  for (let failure = 0; failure < 5; failure++) two.failed(at('two-1'), 'connect-failed')
  await clock.pass(0)
  under.node.remove('two', 'it was told to')
  await clock.pass(0)

  expect(await hostsOf(one, 'app')).toEqual(HOSTS)
  expect(two.verdicts.congestionOf(`two-1:${PORT}`)).toBe(CONGESTED.alive)
  expect(one.verdicts.congestionOf(`two-1:${PORT}`)).toBe(0)
  expect(under.directory.cluster('one')).toBe(one)
})

test.each(['kept', 'given up'])(
  'what is known of stale replicas of a cluster that is %s is forgotten in time',
  async how => {
    const view = await entered()
    if (how === 'given up') under.node.remove('one', 'it was told to')
    await clock.pass(0)
    view.stale.told('place', `one-1:${PORT}`, clock.now())
    await clock.pass(21_600_000 - 20_000)
    expect(view.stale.size).toBe(1)
    await pass(20)
    expect(view.stale.size).toBe(0)
  },
)
