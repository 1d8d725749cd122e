import { beforeEach, describe, expect, test } from 'vitest'
import type { ClusterNews } from '../../../../proxy-node/process/cluster-messages.ts'
import {
  NodeClusters,
  type NodeClustersSettings,
} from '../../../../proxy-node/process/node-clusters.ts'
import { keyOf } from '../../../../proxy-node/topology/cluster-locations.ts'
import type { ServerAddress } from '../../../../proxy-node/topology/model.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { ListedClusters } from '../../../support/listed-clusters.ts'
import { MetadataCluster, PORT } from '../../../support/metadata-cluster.ts'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'

const TABLE = keyOf('app', 'd', 't')
const DAY_MS = 86_400_000

let clock: HandClock
let listed: ListedClusters
let servers: Record<string, MetadataCluster>
let settings: NodeClustersSettings
let news: ClusterNews[]
let said: string[]
/** For which clusters servers were asked, and of which nothing is asked any more. */
let asked: Set<string>
let released: string[]
let node: NodeClusters

const at = (host: string): ServerAddress => ({ host, port: PORT })

beforeEach(() => {
  clock = new HandClock()
  listed = new ListedClusters()
  servers = {}
  for (const name of ['one', 'two', 'three']) add(name, `${name}-1`, `${name}-2`)
  settings = CLUSTER_DEFAULTS
  news = []
  said = []
  asked = new Set()
  released = []
  node = make()
})

function add(name: string, ...hosts: readonly string[]): MetadataCluster {
  const made = new MetadataCluster(name, hosts)
  made.tenants = { app: { id: '1002', locality: '' } }
  made.tables = {
    'app.d.t': { id: '5', parts: 1, version: '1', replicas: { '0': hosts } },
  }
  servers = { ...servers, [name]: made }
  listed.lists = { ...listed.lists, [name]: [hosts.map(at)] }
  return made
}

/** The cluster whose server this is answers. */
function serversOf(host: string): MetadataCluster {
  const found = Object.values(servers).find(one => host in one.servers)
  if (found === undefined) throw new Error(`${host} is nowhere`)
  return found
}

function make(): NodeClusters {
  return new NodeClusters({
    directory: listed,
    clock,
    settings: () => settings,
    query: async (server, sql, cluster) => {
      asked.add(cluster)
      return serversOf(server.host).query(server, sql)
    },
    released: cluster => released.push(cluster),
    probe: ({ host }) => Promise.resolve(!serversOf(host).down.has(host)),
    tell: one => news.push(one),
    isAtWork: () => false,
    say: line => said.push(line),
    broke: () => {},
    random: () => 1,
  })
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.pass(1_000)
}

async function found(name: string) {
  const cluster = await node.find(name)
  if (cluster === undefined) throw new Error(`no cluster ${name}`)
  await clock.pass(0)
  return cluster
}

const kinds = () => news.map(({ kind }) => kind)
const names = () => node.all().map(({ name }) => name)

describe('clusters of a node', () => {
  test('the first is known when it has started, the others when they are named', async () => {
    await node.start()

    expect(node.isLoaded).toBe(true)
    expect(names()).toEqual(['one'])
    expect(servers['two']?.asked).toEqual([])

    await found('two')
    expect(names()).toEqual(['one', 'two'])
    expect(servers['three']?.asked).toEqual([])
  })

  test('are made once for all who name them meanwhile', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => node.find('two')))

    expect(new Set(all).size).toBe(1)
    expect(listed.resolved).toEqual(['two'])
    await clock.pass(0)
    expect(servers['two']?.count('ob_version()')).toBe(1)
  })

  test('have pictures of their own, told with their names', async () => {
    await node.start()
    await found('two')

    const told = news.flatMap(one => (one.kind === 'cluster' ? [one.facts.picture] : []))
    expect(told.map(({ cluster }) => cluster)).toEqual(['one', 'two'])
    expect(told[1]?.servers.map(({ address }) => address.host)).toEqual(['two-1', 'two-2'])
  })

  test('that nobody lists are none; when nobody can say, that is said', async () => {
    expect(await node.find('none')).toBeUndefined()
    expect(said).toEqual([])
    listed.isAway = true
    expect(await node.find('four')).toBeUndefined()
    expect(said).toEqual(['cluster four: nobody answers'])
  })

  test('are the same under an alias, by which no name is checked', async () => {
    listed.aliases = { uno: 'one', dos: 'two' }
    add('two', 'two-1').isOld
    servers['two'] = new MetadataCluster('other-name', ['two-1'])

    const one = await found('one')
    expect(await node.find('uno')).toBe(one)
    const two = await found('dos')
    expect(two.name).toBe('two')
    expect(two.isLoaded).toBe(true)
  })

  test('without any listed there is none to begin with', async () => {
    listed.lists = {}
    await node.start()
    expect(await node.find(undefined)).toBeUndefined()
    expect(node.isLoaded).toBe(false)
  })

  test('stop with the node, and ask nothing more', async () => {
    await node.start()
    await found('two')
    const late = node.find('three')

    node.stop()
    await late
    await pass(100)

    expect(servers['three']?.asked).toEqual([])
    expect(clock.pending).toBe(0)
    expect(node.all()).toEqual([])
  })
})

describe('how many there are', () => {
  test('is bounded: the one not used for the longest goes', async () => {
    settings = { ...settings, maxClusters: 2 }
    await found('one')
    await clock.pass(1)
    await found('two')
    await clock.pass(1)
    node.get('one')
    await clock.pass(1)

    await found('three')

    expect(names()).toEqual(['one', 'three'])
    expect(news.at(-2)).toEqual({ kind: 'clusterGone', cluster: 'two' })
    expect(listed.released).toEqual(['two'])
    expect(said).toEqual(['cluster two is given up: there are too many clusters'])
  })

  test('follows its parameter down', async () => {
    await node.start()
    for (const name of ['two', 'three']) {
      await clock.pass(1)
      await found(name)
    }
    settings = { ...settings, maxClusters: 2 }

    await pass(10)

    expect(names()).toEqual(['two', 'three'])
  })

  test('shrinks when nobody uses them for long, but for the first', async () => {
    await node.start()
    await found('two')
    await found('three')

    for (let hour = 0; hour < 25; hour++) {
      await clock.pass(3_600_000)
      node.get('three')
    }

    expect(names()).toEqual(['one', 'three'])
    expect(node.isLoaded).toBe(true)
  })

  test('never by age when the time is 0', async () => {
    settings = { ...settings, expiryMs: 0 }
    await node.start()
    await found('two')

    await clock.pass(100 * DAY_MS)

    expect(names()).toEqual(['one', 'two'])
  })

  test('one less when it is removed; the next login makes it anew', async () => {
    const before = await found('one')

    expect(node.remove('one', 'it was told to')).toBe(true)
    expect(node.remove('one', 'it was told to')).toBe(false)
    await expect(node.respond(tableQuestion('one'))).rejects.toThrow('cluster one was given up')

    const after = await found('one')
    expect(after).not.toBe(before)
    expect(after.isLoaded).toBe(true)
  })
})

describe('what is heard of the list', () => {
  test('a cluster that is no longer listed is given up', async () => {
    await found('one')
    await found('two')

    listed.tell({ kind: 'clusters', added: [], removed: ['two', 'unknown'] })

    expect(names()).toEqual(['one'])
    expect(news.at(-1)).toEqual({ kind: 'clusterGone', cluster: 'two' })
    expect([...asked].sort()).toEqual(['one', 'two'])
    expect(released).toEqual(['two'])
  })

  test('another root service list is gone by at once', async () => {
    servers['one']?.down.add('one-1').add('one-2')
    const cluster = await found('one')
    expect(cluster.isLoaded).toBe(false)
    servers['one'] = new MetadataCluster('one', ['moved-1'])
    listed.lists['one'] = [[at('moved-1')]]

    listed.tell({ kind: 'root-services', name: 'one', id: 0 })
    await clock.pass(0)

    expect(cluster.isLoaded).toBe(true)
    expect([...cluster.picture.servers.keys()]).toEqual([`moved-1:${PORT}`])
  })

  test('regions of IDCs come into the picture', async () => {
    const cluster = await found('one')
    listed.regions = { one: [{ idc: 'i1', region: 'east' }] }

    listed.tell({ kind: 'idcs', name: 'one', id: 0 })
    await clock.pass(0)

    expect(cluster.picture.idcRegions.get('i1')).toBe('east')
    expect(kinds()).toEqual(['cluster', 'cluster'])
  })

  test('a cluster that cannot be listed asks for its list again after ten rounds', async () => {
    servers['one']?.down.add('one-1').add('one-2')
    await found('one')

    await pass(9)
    expect(listed.refetched).toEqual(['one'])
    await pass(10)
    expect(listed.refetched).toEqual(['one', 'one'])
  })

  test('of several that may be the primary the next is tried when one is another cluster', async () => {
    servers['stranger'] = new MetadataCluster('stranger', ['stranger-1'])
    listed.lists['one'] = [[at('stranger-1')], [at('one-1')]]

    const cluster = await found('one')
    expect(said).toEqual(["cluster one: the servers are those of cluster 'stranger', not of 'one'"])
    await pass(1)

    expect(cluster.isLoaded).toBe(true)
    expect([...cluster.picture.servers.keys()]).toEqual([`one-1:${PORT}`, `one-2:${PORT}`])
  })
})

function tableQuestion(cluster: string, isRenewed = false) {
  return { ask: 'table', cluster, key: TABLE, isRenewed } as const
}

describe('what workers ask', () => {
  beforeEach(() => node.start())

  test('is answered with plain values', async () => {
    const answers = await Promise.all([
      node.respond({ ask: 'cluster', name: null }),
      node.respond({ ask: 'cluster', name: 'none' }),
      node.respond({ ask: 'tenant', cluster: 'one', tenant: 'app' }),
      node.respond(tableQuestion('one')),
      node.respond({
        ask: 'partition',
        cluster: 'one',
        key: keyOf('app', 'd', 't', '0'),
        isRenewed: false,
      }),
      node.respond({ ask: 'routine', cluster: 'one', key: keyOf('app', 'd', 'none', '') }),
    ])

    expect(JSON.parse(JSON.stringify(answers))).toMatchObject([
      { picture: { cluster: 'one', isLoaded: true }, flavour: 'v4', judged: [] },
      null,
      { replicas: [{}, {}] },
      { tableId: '5' },
      { tabletId: '0' },
      null,
    ])
  })

  test('anew is asked of the servers', async () => {
    await node.respond(tableQuestion('one'))
    await clock.pass(1_000)
    const before = servers['one']?.count("table_name = 't'")
    await node.respond(tableQuestion('one', true))

    expect(servers['one']?.count("table_name = 't'")).toBe((before ?? 0) + 1)
  })
})

describe('what workers say', () => {
  beforeEach(() => node.start())

  const missed = (key: string) =>
    node.heard({ kind: 'missed', cluster: 'one', of: 'table', key, isLater: false })

  test('of a wrong place leads to a refresh, whose outcome all are told', async () => {
    await node.respond(tableQuestion('one'))
    servers['one'] = add('one', 'one-2', 'one-1')
    await clock.pass(5_000)
    missed(TABLE)
    await clock.pass(0)

    expect(news.at(-1)).toMatchObject({
      kind: 'located',
      cluster: 'one',
      change: { kind: 'table', key: TABLE, value: { replicas: [{ key: `one-2:${PORT}` }, {}] } },
    })
  })

  test('of a place that is kept here no more makes them ask for it again', () => {
    missed(TABLE)

    expect(news.at(-1)).toEqual({
      kind: 'located',
      cluster: 'one',
      change: { kind: 'table', key: TABLE, value: null },
    })
  })

  test('of a server leads to the blacklist', async () => {
    const failure = {
      kind: 'serverFailed',
      cluster: 'one',
      server: at('one-1'),
      how: 'connect-failed',
    } as const
    for (let failures = 0; failures < 5; failures++) node.heard(failure)

    expect(news.at(-1)).toMatchObject({
      kind: 'judged',
      cluster: 'one',
      change: { key: `one-1:${PORT}`, flags: 2 },
    })
    servers['one']?.down.add('one-1')
    await pass(3)
    expect(news.at(-1)).toEqual({ kind: 'died', cluster: 'one', server: at('one-1') })
    expect(node.facts(await found('one')).judged).toMatchObject([{ key: `one-1:${PORT}` }])
  })

  test('of scattered leaders takes the single one away', async () => {
    const one = servers['one']
    if (one !== undefined) one.leaders = { '1002': ['one-1'] }
    await pass(20)
    const cluster = await found('one')
    expect(cluster.picture.tenants.get('app')?.singleLeader?.key).toBe(`one-1:${PORT}`)

    node.heard({ kind: 'scattered', cluster: 'one', tenant: 'app' })

    expect(cluster.picture.tenants.get('app')?.singleLeader).toBeUndefined()
    expect(kinds().at(-1)).toBe('cluster')
  })

  test('of a cluster that was given up is of no interest', () => {
    node.remove('one', 'it was told to')
    news = []
    missed(TABLE)
    expect(news).toEqual([])
  })
})

describe('entries', () => {
  test.each([
    ['all', 0, 0],
    ['those made before a moment in the past', -1_500, 1],
    ['also those made in the next moment', 1_500, 0],
  ])('expire when told: %s', async (_what, relativeMs, left) => {
    await node.start()
    await node.respond(tableQuestion('one'))
    await clock.pass(2_000)
    await found('two')
    await node.respond(tableQuestion('two'))
    expect(node.entries).toBe(2)

    node.expire(relativeMs)

    expect(node.entries).toBe(left)
    expect(news.slice(-2)).toEqual([
      { kind: 'forget', cluster: 'one', tenant: null },
      { kind: 'forget', cluster: 'two', tenant: null },
    ])
  })

  test('of all clusters together keep within the limit', async () => {
    await node.start()
    await found('two')
    for (const name of ['one', 'two'])
      for (let table = 0; table < 100; table++) {
        const tables = servers[name]?.tables ?? {}
        tables[`app.d.x${table}`] = {
          id: '5',
          parts: 1,
          version: '1',
          replicas: { '0': ['one-1'] },
        }
        await node.respond({ ...tableQuestion(name), key: keyOf('app', 'd', `x${table}`) })
      }
    const total = () => node.all().reduce((sum, { locations }) => sum + locations.size, 0)
    settings = { ...settings, maxBytes: total() / 2 }

    await pass(20)
    await pass(20)

    expect(total()).toBeLessThanOrEqual(settings.maxBytes)
    for (const { locations } of node.all()) expect(locations.count).toBeGreaterThan(30)
  })
})
