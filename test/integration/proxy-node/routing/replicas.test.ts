/**
 * Which replica a statement goes to, seen from its client: levels of consistency (§7.1), forced servers
 * (§7.2), nearness (§7.3), and the rows of the policy table (§7.4) over zones in two regions.
 */
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Touched } from '../../../../infra/local/front/engine.ts'
import { parseTargets } from '../../../../proxy-node/routing/forced.ts'
import { type Routed, rowsOf, startRouted } from '../../../support/routed.ts'

const PARTS = 12
const IDS = Array.from({ length: 3 * PARTS }, (_id, at) => at)
const STRONG = (id: number) => `SELECT name FROM hashed WHERE id = ${id}`
const WEAK = (id: number) =>
  `SELECT /*+ READ_CONSISTENCY(WEAK) */ name FROM hashed WHERE id = ${id}`
const UNPLACED = () => "SELECT 'unplaced'"

let routed: Routed
let client: Connection

beforeAll(async () => {
  routed = await startRouted({
    subnet: '127.33.2',
    node: { detection: { detectMode: 1, intervalMs: 20, timeoutMs: 1_000 } },
    zoneSettings: {
      z1: { region: 'near', idc: 'i1' },
      z2: { region: 'near', idc: 'i2' },
      z3: { region: 'far', idc: 'i3' },
    },
  })
  const first = await routed.connect()
  await first.query(
    `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  )
  await first.query('CREATE TABLE copied (id INT PRIMARY KEY, name VARCHAR(50))')
})

beforeEach(async () => {
  client = await routed.connect()
})

afterEach(() => routed.reset())
afterAll(() => routed?.stop())

type Role = 'leader' | 'follower' | 'other' | 'none'

/** Where the statements went that `act` made a client send: zones and roles, each once; `tables`: of these. */
const seen = (act: () => Promise<unknown>) => seenOf(/hashed|copied/, act)

async function seenOf(tables: RegExp, act: () => Promise<unknown>) {
  const { cluster } = routed
  const marks = cluster.marks()
  await act()
  const zones = new Set<string>()
  const roles = new Set<Role>()
  const fronts = new Set<string>()
  const levels = new Set<'weak' | 'strong'>()
  let count = 0
  for (const { front, touched, text } of cluster.entries(marks)) {
    if (touched === undefined ? !/unplaced/.test(text) : !tables.test(touched.table)) continue
    roles.add(roleOf(touched, front))
    zones.add(cluster.picture.server(front).zone)
    fronts.add(front)
    if (touched !== undefined) levels.add(touched.isWeak ? 'weak' : 'strong')
    count += 1
  }
  return {
    zones: [...zones].sort(),
    roles: [...roles].sort(),
    /** As the servers read. */
    levels: [...levels].sort(),
    fronts,
    count,
  }
}

const each = (statement: (id: number) => string, on: Connection = client) =>
  seen(async () => {
    for (const id of IDS) await on.query(statement(id))
  })

/** So many that each of three zones is met, whatever chance does: (2/3)^48 is 4 in a billion. */
const BLIND = 48

/** A statement that says nothing of a partition, each on a client of its own. */
const blind = (statement: () => string = UNPLACED) =>
  seen(async () => {
    for (let turn = 0; turn < BLIND; turn++) {
      const one = await routed.connect()
      await one.query(statement())
    }
  })

/** What the server is to the first partition that a statement needed. */
function roleOf(touched: Touched | undefined, front: string): Role {
  const [tablet] = touched?.tablets ?? []
  if (tablet === undefined) return 'none'
  const replicas = routed.cluster.picture.replicas('app', tablet.tabletId)
  const here = replicas.find(({ server }) => server === front)
  if (here === undefined) return 'other'
  return here.isLeader ? 'leader' : 'follower'
}

const stopZone = (zone: string) => {
  for (const server of routed.cluster.picture.servers)
    if (server.zone === zone) routed.cluster.picture.setServer(server.key, { isStopped: true })
}

describe('the level of consistency', () => {
  beforeEach(() => routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' }))

  test('strong, where nothing asks for less', async () => {
    expect((await each(STRONG)).roles).toEqual(['leader'])
  })

  test('weak by the hint', async () => {
    expect((await each(WEAK)).roles).toEqual(['follower'])
  })

  test('weak by ob_read_consistency, and strong again by the hint', async () => {
    await client.query("SET ob_read_consistency = 'WEAK'")

    expect((await each(STRONG)).roles).toEqual(['follower'])
    const hinted = (id: number) =>
      `SELECT /*+ READ_CONSISTENCY(STRONG) */ name FROM hashed WHERE id = ${id}`
    expect((await each(hinted)).roles).toEqual(['leader'])
  })

  test('weak in prepared statements, too', async () => {
    const sql = 'SELECT /*+ READ_CONSISTENCY(WEAK) */ name FROM hashed WHERE id = ?'

    const { roles } = await seen(async () => {
      for (const id of IDS) await client.execute(sql, [id])
    })

    expect(roles).toEqual(['follower'])
  })

  test('weak by enable_read_write_split, but for changes and transactions', async () => {
    routed.set({ enableReadWriteSplit: true })

    expect((await each(STRONG)).roles).toEqual(['follower'])
    const change = (id: number) => `UPDATE hashed SET name = 'x' WHERE id = ${id}`
    expect((await each(change)).roles).toEqual(['leader'])
    const inside = await seen(async () => {
      for (const id of IDS) {
        await client.query('BEGIN')
        await client.query(STRONG(id))
        await client.query('COMMIT')
      }
    })
    expect(inside.roles).toEqual(['leader'])
  })

  test('the servers are told of what enable_read_write_split makes weak, and of nothing else', async () => {
    routed.set({ enableReadWriteSplit: true })
    const several = await routed.connect({ multipleStatements: true })

    const text = await each(STRONG)
    const prepared = await seen(async () => {
      for (const id of IDS) await client.execute('SELECT name FROM hashed WHERE id = ?', [id])
    })
    const named = await seen(async () => {
      await client.query("PREPARE s FROM 'SELECT name FROM hashed WHERE id = 3'")
      await client.query('EXECUTE s')
    })
    const hinted = await each(
      id => `SELECT /*+ READ_CONSISTENCY(STRONG) */ name FROM hashed WHERE id = ${id}`,
    )
    const twice = await each(id => `${STRONG(id)}; ${STRONG(id)}`, several)

    expect(named.levels).toEqual(['weak'])
    for (const { roles, levels } of [text, prepared])
      expect({ roles, levels }).toEqual({ roles: ['follower'], levels: ['weak'] })
    for (const { roles, levels } of [hinted, twice])
      expect({ roles, levels }).toEqual({ roles: ['leader'], levels: ['strong'] })
  })

  test('the servers are not told of a text that has not come whole: another statement may follow', async () => {
    routed.set({ enableReadWriteSplit: true })
    const several = await routed.connect({ multipleStatements: true })
    const long = `SELECT name FROM hashed WHERE id = 3 AND name <> '${'x'.repeat(1_000_000)}'`

    const twice = await seen(() =>
      several.query(
        `${long}; SELECT /*+ READ_CONSISTENCY(STRONG) */ name FROM hashed WHERE id = 3`,
      ),
    )

    expect(twice.levels).toEqual(['strong'])
  })

  test('without autocommit weak only by enable_transaction_split, too, and until the transaction begins', async () => {
    routed.set({ enableReadWriteSplit: true })
    await client.query('SET autocommit = 0')
    expect((await each(STRONG)).roles).toContain('leader')
    await client.query('ROLLBACK')
    routed.set({ enableTransactionSplit: true })

    const first = await seen(async () => {
      for (const id of IDS) {
        await client.query(STRONG(id))
        await client.query('ROLLBACK')
      }
    })

    expect(first.roles).toEqual(['follower'])
  })

  test('FOR UPDATE is strong whatever asks for less', async () => {
    await client.query("SET ob_read_consistency = 'WEAK'")

    expect((await each(id => `${WEAK(id)} FOR UPDATE`)).roles).toEqual(['leader'])
  })
})

describe('policies of weak reads', () => {
  test('none: any replica, but no server without one', async () => {
    const { roles, zones } = await each(WEAK)

    expect(roles).toEqual(['follower', 'leader'])
    expect(zones).toEqual(['z1', 'z2', 'z3'])
  })

  test.each(['FOLLOWER_FIRST', 'UNMERGE_FOLLOWER_FIRST', 'FOLLOWER_ONLY'] as const)(
    '%s as parameter, and as user variable before the parameter',
    async policy => {
      routed.set({ proxyRoutePolicy: policy })
      expect((await each(WEAK)).roles).toEqual(['follower'])
      routed.set({ proxyRoutePolicy: undefined })
      await client.query(`SET @proxy_route_policy = '${policy}'`)

      expect((await each(WEAK)).roles).toEqual(['follower'])
    },
  )

  test('FOLLOWER_FIRST: the leader when no follower can be had', async () => {
    routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' })
    const leader = await routed.cluster.leader('hashed', 3)
    for (const { key } of routed.cluster.picture.servers)
      if (key !== leader) routed.cluster.picture.setServer(key, { isStopped: true })
    await routed.relist()

    const { fronts } = await seen(() => client.query(WEAK(3)))

    expect(fronts).toEqual(new Set([leader]))
  })

  test('FOLLOWER_ONLY: another server of the tenant when no follower can be had, never the leader', async () => {
    routed.set({ proxyRoutePolicy: 'FOLLOWER_ONLY' })
    const { tabletId } = await routed.cluster.tablet('hashed', 3)
    for (const { server, isLeader } of routed.cluster.picture.replicas('app', tabletId))
      if (!isLeader) routed.cluster.picture.setServer(server, { isStopped: true })
    await routed.relist()

    const { roles } = await seen(async () => {
      for (let turn = 0; turn < 20; turn++) await client.query(WEAK(3))
    })

    expect(roles).toEqual(['other'])
  })

  test('a compacting zone is avoided', async () => {
    routed.cluster.picture.setZone('z2', { isMerging: true })
    await routed.relist()
    expect((await each(WEAK)).zones).toEqual(['z1', 'z3'])
    routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' })

    expect((await each(WEAK)).zones).not.toContain('z2')
  })

  test('FOLLOWER_FIRST takes a compacting follower before the leader, UNMERGE_FOLLOWER_FIRST does not', async () => {
    for (const zone of routed.cluster.picture.zones.keys())
      if (zone !== zoneOf(await routed.cluster.leader('hashed', 3)))
        routed.cluster.picture.setZone(zone, { isMerging: true })
    await routed.relist()
    const roles = async () => (await seen(() => client.query(WEAK(3)))).roles
    await client.query('UPDATE hashed SET id = id WHERE id = 3')

    routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' })
    expect(await roles()).toEqual(['follower'])
    routed.set({ proxyRoutePolicy: 'UNMERGE_FOLLOWER_FIRST' })
    expect(await roles()).toEqual(['leader'])
  })

  test.each([
    ['DELETING', { status: 'DELETING' }],
    ['INACTIVE', { status: 'INACTIVE' }],
    ['starting', { isStarted: false }],
    ['stopped', { isStopped: true }],
  ] as const)('servers that are %s are avoided', async (_name, state) => {
    for (const which of [2, 5]) routed.cluster.picture.setServer(routed.cluster.key(which), state)
    await routed.relist()

    expect((await each(WEAK)).zones).toEqual(['z1', 'z3'])
    expect((await blind()).zones).toEqual(['z1', 'z3'])
  })

  test('a zone that is stopped is avoided', async () => {
    routed.cluster.picture.setZone('z2', { status: 'INACTIVE' })
    await routed.relist()

    expect((await each(WEAK)).zones).toEqual(['z1', 'z3'])
    expect((await blind()).zones).toEqual(['z1', 'z3'])
  })

  test('when everything is avoided, everything is tried after all', async () => {
    for (const zone of ['z1', 'z2', 'z3']) stopZone(zone)
    await routed.relist()

    expect((await each(WEAK)).count).toBe(IDS.length)
    expect((await each(STRONG)).roles).toEqual(['leader'])
  })
})

const zoneOf = (front: string) => routed.cluster.picture.server(front).zone

describe('nearness', () => {
  test.each([
    ['the same IDC first', [], ['z1']],
    ['then another of its region', ['z1'], ['z2']],
    ['then other regions', ['z1', 'z2'], ['z3']],
  ])('%s', async (_name, stopped, zones) => {
    routed.settings.idcName = 'I1'
    for (const zone of stopped) stopZone(zone)
    await routed.relist()

    expect((await each(WEAK)).zones).toEqual(zones)
    expect((await blind()).zones).toEqual(zones)
  })

  test('by the beginning of the name of zones, where no IDC has that name', async () => {
    routed.settings.idcName = 'z3'

    expect((await each(WEAK)).zones).toEqual(['z3'])
  })

  test.each(['proxy_idc_name', 'proxy_session_ldc'])('by @%s of the session', async variable => {
    routed.settings.idcName = 'i1'
    await client.query(`SET @${variable} = 'i2'`)

    expect((await each(WEAK)).zones).toEqual(['z2'])
  })

  test('has no say in where the leader is', async () => {
    routed.settings.idcName = 'i1'

    expect(await each(STRONG)).toMatchObject({ roles: ['leader'], zones: ['z1', 'z2', 'z3'] })
  })

  test('a follower near is taken before the leader near, and the leader near before followers far', async () => {
    routed.settings.idcName = 'i1'
    routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' })

    expect((await each(WEAK)).zones).toEqual(['z1', 'z2'])
    expect((await each(WEAK)).roles).toEqual(['follower'])
    stopZone('z2')
    await routed.relist()
    expect((await each(WEAK)).zones).toEqual(['z1'])
  })
})

describe('read-only zones', () => {
  beforeEach(async () => {
    routed.cluster.picture.setZone('z3', { type: 'ReadOnly' })
    await routed.relist()
  })

  test('get weak reads first, and never a strong statement', async () => {
    expect((await each(WEAK)).zones).toEqual(['z3'])
    expect(await each(STRONG)).toMatchObject({ roles: ['leader'], zones: ['z1', 'z2'] })
    expect((await each(id => `DELETE FROM hashed WHERE id = ${id}`)).zones).toEqual(['z1', 'z2'])
  })

  test.each([
    [0, 'MERGE_IDC_ORDER', ['z1', 'z2', 'z3']],
    [1, 'READONLY_ZONE_FIRST', ['z3']],
    [2, 'ONLY_READONLY_ZONE', ['z3']],
    [3, 'UNMERGE_ZONE_FIRST', ['z3']],
  ])('ob_route_policy %i is %s', async (value, _policy, zones) => {
    await client.query(`SET ob_route_policy = ${value}`)

    expect((await each(WEAK)).zones).toEqual(zones)
  })

  test('that compact: READONLY_ZONE_FIRST goes elsewhere in the same IDC and region only behind them, UNMERGE_ZONE_FIRST before', async () => {
    routed.cluster.picture.setZone('z3', { isMerging: true })
    await routed.relist()
    await client.query("UPDATE hashed SET name = 'x' WHERE id = 1")
    await client.query('SET ob_route_policy = 1')
    expect((await each(WEAK)).zones).toEqual(['z3'])
    await client.query('SET ob_route_policy = 3')

    expect((await each(WEAK)).zones).toEqual(['z1', 'z2'])
  })

  test.each([
    ['has only just begun: nothing is scattered by a compaction', () => "SELECT 'begun'", ['z3']],
    ['has worked with tables: a compaction is heeded', STRONG, ['z1', 'z2']],
  ])('what has no table, of a session that %s', async (_name, before, zones) => {
    routed.cluster.picture.setZone('z3', { isMerging: true })
    await routed.relist()
    const { zones: found } = await seenOf(/none/, async () => {
      for (let turn = 0; turn < 6; turn++) {
        const one = await routed.connect()
        await one.query("SET ob_read_consistency = 'WEAK', ob_route_policy = 3")
        await one.query(before(turn))
        await one.query("SHOW VARIABLES LIKE 'unplaced'")
      }
    })

    expect(found).not.toEqual([])
    expect(zones).toEqual(expect.arrayContaining(found))
  })

  test('that are stopped: weak reads go to the other zones', async () => {
    stopZone('z3')
    await routed.relist()

    expect((await each(WEAK)).zones).toEqual(['z1', 'z2'])
  })

  test('what has no table goes to any zone as long as the session has not said what it wants', async () => {
    expect((await blind()).zones).toContain('z3')
  })

  test.each([
    ['STRONG', ['z1', 'z2']],
    ['WEAK', ['z3']],
  ])('and when it has said %s, by that', async (level, zones) => {
    const { zones: found } = await seen(async () => {
      for (let turn = 0; turn < 12; turn++) {
        const one = await routed.connect()
        await one.query(`SET ob_read_consistency = '${level}'`)
        await one.query(UNPLACED())
      }
    })

    expect(found).toEqual(zones)
  })
})

describe('primary zones', () => {
  test('of the tenant: what says nothing of a partition goes there', async () => {
    routed.cluster.picture.setTenant('app', { primaryZone: 'z2;z1' })
    await routed.relist()
    expect((await blind()).zones).toEqual(['z2'])
    stopZone('z2')
    await routed.relist()
    expect((await blind()).zones).toEqual(['z1'])
    routed.set({ enablePrimaryZone: false })

    expect((await blind()).zones).toEqual(['z1', 'z3'])
  })

  test('of the proxy: everything goes there, leaders or not, group after group', async () => {
    routed.set({ proxyPrimaryZones: [['z3'], ['z1', 'z2']] })
    expect((await each(STRONG)).zones).toEqual(['z3'])
    expect((await blind()).zones).toEqual(['z3'])
    stopZone('z3')
    await routed.relist()

    expect((await each(STRONG)).zones).toEqual(['z1', 'z2'])
  })
})

describe('named servers', () => {
  const key = (which: number) => routed.cluster.key(which)

  test('target_db_server as parameter: everything goes there', async () => {
    routed.settings.targets = parseTargets(`${key(4)},${key(5)}`) ?? []

    expect((await each(STRONG)).fronts).toEqual(new Set([key(4), key(5)]))
  })

  test('in a comment, before the parameter', async () => {
    routed.settings.targets = parseTargets(key(4)) ?? []

    const { fronts } = await each(id => `/* target_db_server='${key(6)}' */ ${STRONG(id)}`)

    expect(fronts).toEqual(new Set([key(6)]))
  })

  test('the next group when the first cannot be had, and an error when none can', async () => {
    routed.settings.targets = parseTargets(`${key(4)};${key(5)}`) ?? []
    await routed.cluster.order(4, { kind: 'stop' })
    expect((await each(STRONG)).fronts).toEqual(new Set([key(5)]))
    await routed.cluster.order(5, { kind: 'stop' })

    // The session in use may be lost with the statement: that is another error, once.
    const errno = () => client.query(STRONG(1)).catch((error: { errno: number }) => error.errno)
    await expect.poll(errno).toBe(4179)
  })
})

describe('modes of routing', () => {
  test('mock: test_server_addr and nothing else', async () => {
    const { host, port } = routed.cluster.front(6).server
    routed.set({ mode: 'mock', testServers: [{ host, port }] })

    expect((await each(STRONG)).fronts).toEqual(new Set([routed.cluster.key(6)]))
    expect((await each(WEAK)).fronts).toEqual(new Set([routed.cluster.key(6)]))
  })

  test('random: any server of the tenant, whatever the statement says', async () => {
    routed.set({ mode: 'random' })

    // Six servers, 144 statements: one is left out two times in a hundred billion.
    const { roles, fronts } = await seen(async () => {
      for (let round = 0; round < 4; round++) for (const id of IDS) await client.query(STRONG(id))
    })

    expect(roles).toEqual(['follower', 'leader', 'other'])
    expect(fronts.size).toBe(6)
  })
})

describe('a tenant whose leaders are all on one server', () => {
  beforeEach(async () => {
    routed.cluster.picture.setTenant('app', {
      primaryZone: 'z2',
      servers: routed.cluster.addresses.slice(0, 3),
    })
    await routed.relist()
  })

  test('strong statements go there, whatever they say', async () => {
    const leader = new Set([routed.cluster.key(2)])

    expect((await each(STRONG)).fronts).toEqual(leader)
    expect((await blind()).fronts).toEqual(leader)
    expect((await blind(() => 'SELECT COUNT(*) FROM hashed')).fronts).toEqual(leader)
    expect((await each(WEAK)).zones).toEqual(['z1', 'z2', 'z3'])
  })

  test('a miss says that they are not, and statements go by their partitions', async () => {
    await routed.cluster.moveLeader('hashed', 3, 1)
    await client.query(STRONG(3))

    await expect
      .poll(async () => (await seen(() => client.query(STRONG(3)))).fronts)
      .toEqual(new Set([routed.cluster.key(1)]))
    await routed.cluster.moveLeader('hashed', 3, 2)
  })

  test('4038 says so, too: once more on the leader that is asked for', async () => {
    await client.query(STRONG(3))
    await routed.cluster.moveLeader('hashed', 3, 1)
    routed.cluster.picture.setServer(routed.cluster.key(2), { refusesRemote: true })

    const change = () => client.query("UPDATE hashed SET name = 'x' WHERE id = 3")
    expect((await seen(change)).fronts).toEqual(
      new Set([routed.cluster.key(2), routed.cluster.key(1)]),
    )
    expect((await seen(change)).fronts).toEqual(new Set([routed.cluster.key(1)]))
    await routed.cluster.moveLeader('hashed', 3, 2)
  })
})

describe('duplicate replicas', () => {
  test('any of them for a strong SELECT, the leader for changes and FOR UPDATE', async () => {
    const { tabletId } = await routed.cluster.tablet('copied')
    routed.cluster.picture.duplicate(tabletId)
    await routed.relist()
    const many = (statement: (id: number) => string) => each(statement)

    expect((await many(() => 'SELECT name FROM copied WHERE id = 1')).zones).toHaveLength(3)
    expect((await many(() => 'SELECT name FROM copied WHERE id = 1 FOR UPDATE')).roles).toEqual([
      'leader',
    ])
    expect((await many(() => "UPDATE copied SET name = 'x' WHERE id = 1")).roles).toEqual([
      'leader',
    ])
  })
})

test('a client is answered by whichever replica', async () => {
  await client.query("REPLACE INTO hashed VALUES (1, 'one')")

  for (let turn = 0; turn < 10; turn++) expect(await rowsOf(client, WEAK(1))).toEqual([['one']])
})
