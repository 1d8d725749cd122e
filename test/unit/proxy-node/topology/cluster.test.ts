import { beforeEach, describe, expect, test } from 'vitest'
import type { BlacklistChange } from '../../../../proxy-node/topology/blacklist.ts'
import {
  Cluster,
  type ClusterPort,
  type ClusterSettings,
  parseRootservices,
} from '../../../../proxy-node/topology/cluster.ts'
import { keyOf, type LocationChange } from '../../../../proxy-node/topology/cluster-locations.ts'
import { CONGESTED, type ServerAddress } from '../../../../proxy-node/topology/model.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { MetadataCluster, PORT } from '../../../support/metadata-cluster.ts'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const server = (index: number): ServerAddress => ({ host: `10.0.0.${index}`, port: PORT })
const key = (index: number) => `10.0.0.${index}:${PORT}`

let clock: HandClock
let servers: MetadataCluster
let settings: ClusterSettings
let rootservices: readonly ServerAddress[]
let regions: ReadonlyMap<string, string>
let told: {
  pictures: number[]
  judged: BlacklistChange[]
  changes: LocationChange[]
  forgot: string[]
  lost: number
  reach: string[]
  wrong: string[]
  died: string[]
}
let clusters: Cluster[]

beforeEach(() => {
  clock = new HandClock()
  servers = new MetadataCluster('c', HOSTS)
  servers.tenants = { app: { id: '1002', locality: 'FULL@z1', primaryZone: 'z1' } }
  servers.tables = {
    'app.d.t': { id: '5', parts: 1, version: '1', replicas: { '0': ['10.0.0.1'] } },
  }
  settings = CLUSTER_DEFAULTS
  rootservices = [server(1), server(2)]
  regions = new Map()
  told = {
    pictures: [],
    judged: [],
    changes: [],
    forgot: [],
    lost: 0,
    reach: [],
    wrong: [],
    died: [],
  }
  clusters = []
})

function make(port: Partial<ClusterPort> = {}): Cluster {
  const cluster = new Cluster(
    {
      name: 'c',
      id: 0,
      expectedName: undefined,
      mustBePrimary: () => false,
      rootservices: () => rootservices,
      settings: () => settings,
      query: servers.query,
      probe: () => Promise.resolve(true),
      pictured: ({ version }) => told.pictures.push(version),
      changed: change => told.changes.push(change),
      forgot: tenant => told.forgot.push(tenant),
      isAtWork: () => false,
      died: ({ host }) => told.died.push(host),
      judged: change => told.judged.push(change),
      lost: () => {
        told.lost += 1
      },
      unreachable: why => told.reach.push(why),
      reachable: () => told.reach.push('reachable'),
      wrong: why => told.wrong.push(why),
      idcRegions: () => regions,
      maxBytes: () => 1_000_000,
      broke: () => {},
      random: () => 1,
      ...port,
    },
    clock,
  )
  clusters.push(cluster)
  return cluster
}

async function started(port: Partial<ClusterPort> = {}): Promise<Cluster> {
  const cluster = make(port)
  await cluster.start()
  return cluster
}

/** As time goes by: second by second, so that each timer has its turn. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.pass(1_000)
}

function allDown(): void {
  for (const host of HOSTS) servers.down.add(host)
}

const hostsOf = async (cluster: Cluster, tenant: string) =>
  (await cluster.tenantServers(tenant)).replicas.map(({ server: { host } }) => host)

describe('a cluster', () => {
  test('starts from any root service that answers', async () => {
    servers.down.add('10.0.0.1')

    const cluster = await started()

    expect(cluster.isLoaded).toBe(true)
    expect([...cluster.picture.servers.keys()]).toEqual([key(1), key(2), key(3)])
  })

  test('starts though its first root service is silent', async () => {
    servers.silent.add('10.0.0.1')
    const starting = started()

    await pass(20)

    expect((await starting).isLoaded).toBe(true)
  })

  test('of 3.x is asked in its own words, from the first login on', async () => {
    const old = new MetadataCluster('c', HOSTS, true)
    old.tenants = servers.tenants
    const cluster = make({ query: old.query })
    const starting = cluster.start()

    expect(await hostsOf(cluster, 'app')).toEqual(HOSTS)
    await starting
    expect(cluster.picture.majorVersion).toBe(3)
    expect(cluster.flavour).toBe('v3')
  })

  test('tells an unknown tenant from a cluster that cannot be asked', async () => {
    const cluster = await started()

    expect(await hostsOf(cluster, 'nobody')).toEqual([])
    allDown()
    await expect(cluster.tenantServers('new')).rejects.toThrow('no server of cluster c answered')
  })

  test('asks one question for five hundred logins of a tenant, and none for one that is not there', async () => {
    const cluster = await started()
    servers.asked = []

    const all = await Promise.all(
      Array.from({ length: 500 }, (_none, index) =>
        cluster.tenantServers(index < 250 ? 'app' : 'nobody'),
      ),
    )
    await cluster.tenantServers('nobody')

    expect(all.map(({ replicas }) => replicas.length)).toEqual([
      ...Array(250).fill(3),
      ...Array(250).fill(0),
    ])
    expect(servers.asked).toHaveLength(2)
  })

  test('asks another server first each time, and one that something speaks against last', async () => {
    const cluster = await started()
    for (let failure = 0; failure < 5; failure++) cluster.failed(server(2), 'connect-failed')
    servers.asked = []

    for (let question = 0; question < 6; question++) await cluster.ask('SELECT ob_version()')

    const hosts = servers.asked.map(({ host }) => host)
    expect(new Set(hosts)).toEqual(new Set(['10.0.0.1', '10.0.0.3']))
    servers.down.add('10.0.0.1').add('10.0.0.3')
    await cluster.ask('SELECT ob_version()')
    expect(servers.asked.at(-1)?.host).toBe('10.0.0.2')
  })

  test('refreshes as often as its parameter says now', async () => {
    await started()
    settings = { ...settings, refreshIntervalMs: 1_000 }
    await clock.pass(20_000)
    servers.asked = []

    await pass(3)

    expect(servers.count('DBA_OB_SERVERS')).toBe(3)
  })

  test('waits for half to all of the interval between two refreshes', async () => {
    await started({ random: () => 0 })
    servers.asked = []

    await clock.pass(9_999)
    expect(servers.count('DBA_OB_SERVERS')).toBe(0)
    await clock.pass(1)
    expect(servers.count('DBA_OB_SERVERS')).toBe(1)
  })

  test('that is stopped while it is being refreshed asks nothing more', async () => {
    let finish: (rows: readonly Record<string, string>[]) => void = () => {}
    let questions = 0
    const cluster = make({
      query: () => {
        questions += 1
        return new Promise(resolve => {
          finish = resolve
        })
      },
    })
    const starting = cluster.start()

    cluster.stop()
    finish([{ cluster_version: '4.2.1' }])
    await starting
    await clock.pass(3_600_000)

    expect(questions).toBe(1)
    expect(clock.pending).toBe(0)
    expect(told.lost).toBe(0)
  })

  test('serves its last picture when every server is gone, and comes back with them', async () => {
    const cluster = await started()
    await cluster.tenantServers('app')
    allDown()
    await pass(100)

    expect(await hostsOf(cluster, 'app')).toEqual(HOSTS)
    expect(cluster.picture.servers.size).toBe(3)

    servers.down.clear()
    servers.servers = { ...servers.servers, '10.0.0.4': { zone: 'z1' } }
    await pass(20)
    expect(cluster.picture.servers.size).toBe(4)
  })

  test('changes its picture only when something is different, and says so', async () => {
    await started()
    expect(told.pictures).toEqual([1])

    await pass(60)
    expect(told.pictures).toEqual([1])

    servers.servers = { ...servers.servers, '10.0.0.2': { zone: 'z2', stopped: true } }
    await pass(20)
    expect(told.pictures).toEqual([1, 2])
  })

  test('has no servers for tenant sys but its own, dealt over the zones; the root services before', async () => {
    const cluster = make()
    expect(await hostsOf(cluster, 'sys')).toEqual(['10.0.0.1', '10.0.0.2'])
    servers.servers = { ...servers.servers, '10.0.0.4': { zone: 'z1' } }

    await cluster.start()

    expect(await hostsOf(cluster, 'sys')).toEqual([...HOSTS, '10.0.0.4'])
    expect(servers.count('__all_dummy')).toBe(0)
  })

  test('moves a zone with a compaction to MERGE and back', async () => {
    const cluster = await started()
    const state = () => cluster.picture.servers.get(key(2))?.zone.state
    expect(state()).toBe('ACTIVE')

    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2', merging: true } }
    await pass(20)
    expect(state()).toBe('MERGE')

    servers.zones = { ...servers.zones, z2: { region: 'r', idc: 'i2' } }
    await pass(20)
    expect(state()).toBe('ACTIVE')
  })

  test('takes regions of IDCs into its picture when they are heard of', async () => {
    const cluster = await started()
    regions = new Map([['i1', 'east']])

    cluster.refreshSoon()
    await clock.pass(0)

    expect([...cluster.picture.idcRegions]).toEqual([['i1', 'east']])
  })

  test('what is heard while it is being refreshed is followed by one more refresh', async () => {
    const cluster = make()
    const starting = cluster.start()
    cluster.refreshSoon()
    cluster.refreshSoon()
    await starting
    await clock.pass(0)
    await clock.pass(0)

    expect(servers.count('DBA_OB_SERVERS')).toBe(2)
    servers.asked = []
    await pass(20)
    expect(servers.count('DBA_OB_SERVERS')).toBe(1)
  })
})

describe('a cluster that cannot be listed', () => {
  beforeEach(allDown)

  test('tries again each second, and refuses logins when that was in vain', async () => {
    const cluster = await started()

    const refused = expect(cluster.tenantServers('app')).rejects.toThrow('has answered yet')
    await pass(1)
    await refused

    const login = hostsOf(cluster, 'app')
    servers.down.clear()
    await pass(1)
    expect(await login).toEqual(HOSTS)
  })

  test('that is stopped refuses logins that wait', async () => {
    const cluster = await started()
    const refused = expect(cluster.tenantServers('app')).rejects.toThrow('has answered yet')

    cluster.stop()

    await refused
    expect(clock.pending).toBe(0)
    await expect(cluster.tenantServers('app')).rejects.toThrow('has answered yet')
  })

  test('whose servers keep silent lets no login wait for ever', async () => {
    servers.down.clear()
    for (const host of HOSTS) servers.silent.add(host)
    const cluster = make()
    void cluster.start()
    const login = expect(cluster.tenantServers('app')).rejects.toThrow('has answered yet')

    await pass(8)

    await login
  })

  test('says once why nobody answers, and once that somebody does again', async () => {
    await started()
    expect(told.reach).toEqual([expect.stringMatching(/^no server of cluster c answered: .+/)])
    await pass(5)
    expect(told.reach).toHaveLength(1)

    servers.down.clear()
    await pass(20)

    expect(told.reach.slice(1)).toEqual(['reachable'])
  })

  test('asks for the root services again after ten refreshes in vain', async () => {
    await started()

    await pass(8)
    expect(told.lost).toBe(0)
    await pass(1)
    expect(told.lost).toBe(1)
    await pass(10)
    expect(told.lost).toBe(2)
  })

  test('goes on from another root service list', async () => {
    const cluster = await started()
    servers.down.delete('10.0.0.3')
    rootservices = [server(3)]

    cluster.moved()
    await clock.pass(0)

    expect(cluster.isLoaded).toBe(true)
  })
})

describe('the name of a cluster', () => {
  test('that is not the one expected lets nobody in, and is said', async () => {
    const cluster = await started({ expectedName: 'other' })

    expect(cluster.isLoaded).toBe(false)
    expect(told.wrong).toEqual(["the servers are those of cluster 'c', not of 'other'"])
    const refused = expect(cluster.tenantServers('app')).rejects.toThrow('has answered yet')
    await pass(1)
    await refused
  })

  test('is asked for again where it moves to; the picture of before serves on when it is another', async () => {
    const other = new MetadataCluster('stranger', ['10.9.0.1'])
    const cluster = await started({
      expectedName: 'c',
      query: (to, sql) => (to.host === '10.9.0.1' ? other : servers).query(to, sql),
    })
    allDown()
    rootservices = [{ host: '10.9.0.1', port: PORT }]

    cluster.moved()
    await clock.pass(0)

    expect(told.wrong).toEqual(["the servers are those of cluster 'stranger', not of 'c'"])
    expect([...cluster.picture.servers.keys()]).toEqual([key(1), key(2), key(3)])
  })
})

describe('a single leader', () => {
  const leaderOf = (cluster: Cluster) => cluster.picture.tenants.get('app')?.singleLeader?.key

  beforeEach(() => {
    servers.leaders = { '1002': ['10.0.0.2'] }
  })

  test('is known from the rows', async () => {
    const cluster = await started()
    expect(leaderOf(cluster)).toBe(key(2))

    servers.leaders = { '1002': ['10.0.0.2', '10.0.0.3'] }
    await pass(20)
    expect(leaderOf(cluster)).toBeUndefined()
  })

  test('is none any more after a miss, until rows say so again', async () => {
    const cluster = await started()

    cluster.scattered('app')
    cluster.scattered('app')
    cluster.scattered('nobody')
    expect(leaderOf(cluster)).toBeUndefined()
    expect(told.pictures).toEqual([1, 2])

    servers.failing.add('CDB_OB_LS_LOCATIONS')
    await pass(20)
    expect(leaderOf(cluster)).toBeUndefined()
    servers.failing.clear()
    await pass(20)
    expect(leaderOf(cluster)).toBe(key(2))
  })
})

describe('a change of locality', () => {
  const tableKey = keyOf('app', 'd', 't')

  async function changedCluster(random: number): Promise<Cluster> {
    const cluster = await started({ random: () => random })
    await cluster.locations.tables.find(tableKey)
    await cluster.tenantServers('app')
    // While it is being changed the tenant is in no answer.
    const { app } = servers.tenants
    servers.tenants = {}
    cluster.refreshSoon()
    await clock.pass(0)
    servers.tenants = { app: { id: '1002', primaryZone: 'z1', ...app, locality: 'FULL@z2' } }
    cluster.refreshSoon()
    await clock.pass(0)
    return cluster
  }

  test.each([
    [0, 30],
    [1, 60],
  ])('makes the tenant forgotten (chance %d) after %d s, and no other', async (random, seconds) => {
    const cluster = await changedCluster(random)

    await pass(seconds - 1)
    expect(told.forgot).toEqual([])
    expect(cluster.locations.tables.has(tableKey)).toBe(true)
    await pass(1)
    expect(told.forgot).toEqual(['app'])
    expect(cluster.locations.tables.has(tableKey)).toBe(false)
    expect(cluster.locations.tenants.size).toBe(0)
  })

  test('is of no matter when it is not to be looked for', async () => {
    settings = { ...settings, checksLocality: false }
    await changedCluster(0)

    await pass(61)

    expect(told.forgot).toEqual([])
  })

  test('is forgotten with a cluster that was stopped', async () => {
    const cluster = await changedCluster(0)

    cluster.stop()
    await pass(61)

    expect(told.forgot).toEqual([])
  })
})

describe('the blacklist of a cluster', () => {
  test('hears of states, failures and probes, and says what changed', async () => {
    let answers = false
    const cluster = await started({ probe: () => Promise.resolve(answers) })
    servers.servers = { ...servers.servers, '10.0.0.3': { zone: 'z3', status: 'INACTIVE' } }
    await pass(20)
    expect(told.judged.map(({ key: of, flags }) => [of, flags])).toEqual([[key(3), CONGESTED.dead]])

    for (let failure = 0; failure < 5; failure++) cluster.failed(server(1), 'connect-failed')
    expect(told.judged.at(-1)).toMatchObject({ key: key(1), flags: CONGESTED.alive })

    await pass(3)
    expect(told.died).toEqual(['10.0.0.1'])
    answers = true
    await pass(1)
    expect(told.judged.at(-1)).toMatchObject({ key: key(1), flags: 0 })
  })
})

test('the cleaner comes by as often as its parameter says, and stays away when it is over', async () => {
  const cluster = await started({ maxBytes: () => 0 })
  await cluster.locations.tables.find(keyOf('app', 'd', 't'))
  expect(cluster.locations.count).toBe(1)

  await pass(19)
  expect(cluster.locations.count).toBe(1)
  await pass(1)
  expect(cluster.locations.count).toBe(0)

  cluster.stop()
  expect(clock.pending).toBe(0)
})

describe('the root service list', () => {
  test('is read with blanks and a last semicolon', () => {
    expect(parseRootservices(' 10.0.0.1:2881 ; 10.0.0.2:2881;')).toEqual([server(1), server(2)])
  })

  test.each(['nowhere', '10.0.0.1', '10.0.0.1:99999', '10.0.0.1:0'])(
    '%s is refused by name',
    text => {
      expect(() => parseRootservices(text)).toThrow(`'${text}' is no ip:port`)
    },
  )
})
