/**
 * What servers answer and what follows from it: for the statement, which is tried elsewhere where that
 * is safe, for what is known of locations, and for the blacklist (§4.8, §8.4, §10.1).
 */

import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { OUTCOME, SQL_TYPES } from '#contract/names'
import { requestSlot } from '#contract/telemetry'
import { type Routed, rowsOf, startRouted } from '../../../support/routed.ts'

const PARTS = 12
const ID = 3
const CHANGE = `UPDATE hashed SET name = 'x' WHERE id = ${ID}`
const WEAK = `SELECT /*+ READ_CONSISTENCY(WEAK) */ name FROM hashed WHERE id = ${ID}`

let routed: Routed
let client: Connection
let leader: string

beforeAll(async () => {
  routed = await startRouted({
    subnet: '127.33.3',
    node: { detection: { detectMode: 1, intervalMs: 20, timeoutMs: 1_000 } },
  })
  const first = await routed.connect()
  await first.query(
    `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  )
  await first.query('CREATE TABLE whole (id INT PRIMARY KEY, name VARCHAR(50))')
  for (let id = 0; id < PARTS; id++) await first.query(`INSERT INTO hashed VALUES (${id}, 'x')`)
  await first.query("INSERT INTO whole VALUES (1, 'x')")
})

beforeEach(async () => {
  leader = await routed.cluster.leader('hashed', ID)
  client = await routed.connect()
  await client.query(CHANGE)
})

afterEach(async () => {
  await routed.cluster.moveLeader('hashed', ID, leader)
  await routed.reset()
})

afterAll(() => routed?.stop())

/** Statements that reached servers while `act` ran: where, which, and what became of them. */
async function path(act: () => Promise<unknown>, of: RegExp = /hashed|whole|begin/i) {
  const marks = routed.cluster.marks()
  await act()
  return routed.cluster
    .entries(marks)
    .filter(({ text, command }) => of.test(text) || command === 'execute')
    .map(({ front, word, fate }) => [front, word, fate])
}

const errno = (sql: string) =>
  client.query(sql).then(
    () => 0,
    (error: { errno: number }) => error.errno,
  )

const another = () => routed.cluster.addresses.find(address => address !== leader) ?? ''
const failuresOf = (key: string) =>
  routed.known.blacklist.standingOf(key, Date.now())?.failureEvents ?? 0

/** From now on `to` leads, and who led before executes nothing for others. */
async function moves(to: string): Promise<void> {
  await routed.cluster.moveLeader('hashed', ID, to)
  routed.cluster.picture.setServer(leader, { refusesRemote: true })
}

/** Of a row that another server leads. */
async function otherId(): Promise<number> {
  for (let id = 0; id < PARTS; id++)
    if ((await routed.cluster.leader('hashed', id)) !== leader) return id
  throw new Error('one server leads everything')
}

describe('4038: the server does not lead', () => {
  test('outside a transaction: once more on the leader that is asked for anew', async () => {
    await moves(another())

    expect(await path(() => client.query(CHANGE))).toEqual([
      [leader, 'update', 'refused'],
      [another(), 'update', 'passed'],
    ])
  })

  test('an executed statement, too, with its parameters', async () => {
    const sql = 'UPDATE hashed SET name = ? WHERE id = ?'
    await client.execute(sql, ['y', ID])
    await moves(another())

    const seen = await path(() => client.execute(sql, ['z', ID]))

    expect(seen.filter(([, word]) => word === 'execute')).toEqual([
      [leader, 'execute', 'refused'],
      [another(), 'execute', 'passed'],
    ])
    expect(await rowsOf(client, `SELECT name FROM hashed WHERE id = ${ID}`)).toEqual([['z']])
  })

  test('the first statement of a transaction, with its BEGIN', async () => {
    await moves(another())

    const seen = await path(async () => {
      await client.query('BEGIN')
      await client.query(CHANGE)
    })

    expect(seen).toEqual([
      [leader, 'begin', 'passed'],
      [leader, 'update', 'refused'],
      [another(), 'begin', 'passed'],
      [another(), 'update', 'passed'],
    ])
  })

  test('inside a transaction it is the client’s', async () => {
    await client.query('BEGIN')
    await client.query(CHANGE)
    await moves(another())

    expect(await path(async () => expect(await errno(CHANGE)).toBe(4038))).toEqual([
      [leader, 'update', 'refused'],
    ])
  })

  test('a second one is the client’s, and the statement has been executed nowhere', async () => {
    for (const { faults } of routed.cluster.fronts) faults.add({ errno: 4038, pattern: 'update' })

    const seen = await path(async () => expect(await errno(CHANGE)).toBe(4038))

    expect(seen.map(([, , fate]) => fate)).toEqual(['answered', 'answered'])
  })

  test('of the second statement in one text it is the client’s: the first has been executed', async () => {
    const several = await routed.connect({ multipleStatements: true })
    const other = await otherId()
    const text = `UPDATE hashed SET name = 'first' WHERE id = ${ID}; UPDATE hashed SET name = 'second' WHERE id = ${other}`
    routed.cluster.picture.setServer(leader, { refusesRemote: true })

    const seen = await path(() =>
      expect(several.query(text)).rejects.toMatchObject({ errno: 4038 }),
    )

    expect(seen).toEqual([[leader, 'update', 'refused']])
    expect(await rowsOf(client, `SELECT name FROM hashed WHERE id = ${ID}`)).toEqual([['first']])
  })

  test('many clients at once cost one refresh, and all are answered', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => routed.connect()))
    for (const each of clients) await each.query(CHANGE)
    await moves(another())
    const questions = () =>
      routed.cluster
        .entries()
        .filter(({ tenant, text }) => tenant === 'sys' && text.includes('FLUSH')).length
    const before = questions()

    await Promise.all(clients.map(each => each.query(CHANGE)))

    expect(questions() - before).toBeLessThanOrEqual(1)
  })
})

describe('a miss', () => {
  test('is answered all the same, counted, and the entry is right again after the gap', async () => {
    routed.node.locations = { ...routed.node.locations, refreshGapMs: 100 }
    await routed.cluster.moveLeader('hashed', ID, another())
    const misses = () => routed.cluster.reached('hashed').strongMisses
    const [before, countedBefore] = [misses(), missesCounted()]
    await client.query(CHANGE)
    expect(misses() - before).toBe(1)
    const isRight = async () => {
      const seen = misses()
      await client.query(CHANGE)
      return misses() === seen
    }

    await expect.poll(isRight, { timeout: 6_000, interval: 20 }).toBe(true)

    expect(missesCounted() - countedBefore).toBe(misses() - before)
  })
})

test('a read from followers asks where the leader is when the one that is known is avoided', async () => {
  routed.set({ proxyRoutePolicy: 'FOLLOWER_FIRST' })
  routed.node.locations = { ...routed.node.locations, refreshGapMs: 0 }
  const { tabletId } = await routed.cluster.tablet('hashed', ID)
  const replicas = routed.cluster.picture.replicas('app', tabletId)
  const to = replicas.find(({ isLeader }) => !isLeader)?.server ?? ''
  await client.query(WEAK)
  routed.cluster.picture.setServer(leader, { isStopped: true })
  await routed.cluster.moveLeader('hashed', ID, to)
  await routed.relist(true)
  await client.query(WEAK)
  const fronts = async () => {
    const seen = await path(async () => {
      for (let turn = 0; turn < 12; turn++) await client.query(WEAK)
    })
    return seen.map(([front]) => front)
  }

  await expect.poll(fronts).not.toContain(to)
})

/** Statements that the proxy has counted as misrouted. */
function missesCounted(): number {
  const wanted = new Set(
    SQL_TYPES.flatMap((_type, type) =>
      Array.from({ length: 16 }, (_outcome, outcome) => outcome)
        .filter(outcome => (outcome & OUTCOME.missed) !== 0)
        .map(outcome => requestSlot(type, outcome)),
    ),
  )
  let sum = 0
  for (const { filled } of routed.proxy.sessions.traffic.snapshot([]))
    for (let at = 0; at < filled.length; at += 2)
      if (wanted.has(filled[at] ?? -1)) sum += filled[at + 1] ?? 0
  return sum
}

describe('an error that says that the server has not executed the statement', () => {
  test.each([
    [8001, 'it is starting'],
    [8002, 'it is stopping'],
  ])('%i (%s): the next server, and a failure is counted', async code => {
    const before = failuresOf(leader)
    routed.cluster.front(leader).faults.add({ errno: code, pattern: 'update' })

    const seen = await path(() => client.query(CHANGE))

    expect(seen.map(([, , fate]) => fate)).toEqual(['answered', 'passed'])
    await expect.poll(() => failuresOf(leader) - before).toBe(1)
  })

  test('5081 (read only): the next server, and nothing is held against this one', async () => {
    const before = failuresOf(leader)
    routed.cluster.front(leader).faults.add({ errno: 5081, pattern: 'update' })

    const seen = await path(() => client.query(CHANGE))

    expect(seen.map(([, , fate]) => fate)).toEqual(['answered', 'passed'])
    expect(failuresOf(leader)).toBe(before)
  })

  test.each([
    [5150, 'the tenant is not there'],
    [4124, 'no leader can be reached'],
  ])('%i (%s): the location is asked for anew, and the statement goes by that', async code => {
    await routed.cluster.moveLeader('hashed', ID, another())
    routed.cluster.front(leader).faults.add({ errno: code, pattern: 'update' })

    expect(await path(() => client.query(CHANGE))).toEqual([
      [leader, 'update', 'answered'],
      [another(), 'update', 'passed'],
    ])
  })

  test.each([8001, 8002, 5081, 5150, 4124])('%i of every server is the client’s', async code => {
    for (const { faults } of routed.cluster.fronts) faults.add({ errno: code, pattern: 'update' })

    const seen = await path(async () => expect(await errno(CHANGE)).toBe(code))

    expect(seen.length).toBeGreaterThan(1)
    expect(seen.length).toBeLessThanOrEqual(7)
  })

  test.each([8001, 8002, 5081, 5150, 4124])('%i inside a transaction, too', async code => {
    await client.query('BEGIN')
    await client.query(CHANGE)
    routed.cluster.front(leader).faults.add({ errno: code, pattern: 'update' })

    expect(await path(async () => expect(await errno(CHANGE)).toBe(code))).toHaveLength(1)
  })

  test.each([8003, 4013])('%i is the client’s and a failure of the server', async code => {
    const before = failuresOf(leader)
    routed.cluster.front(leader).faults.add({ errno: code, pattern: 'update', times: 1 })

    expect(await path(async () => expect(await errno(CHANGE)).toBe(code))).toHaveLength(1)
    await expect.poll(() => failuresOf(leader) - before).toBe(1)
  })
})

describe('5727: the server names a better one', () => {
  const names = (to: string, pattern = 'hashed') =>
    routed.cluster.front(leader).faults.add({ errno: 5727, pattern, reroute: to })

  test('a strong statement goes there by enable_reroute only', async () => {
    names(another())
    expect(await errno(CHANGE)).toBe(5727)
    routed.set({ enableReroute: true })

    expect(await path(() => client.query(CHANGE))).toEqual([
      [leader, 'update', 'answered'],
      [another(), 'update', 'passed'],
    ])
  })

  test.each<[string, () => Promise<unknown>]>([
    ['over a protocol that cannot ask for it', reconnectPlain],
    ['inside a transaction', () => client.query('BEGIN').then(() => client.query('SELECT 1'))],
    ['where proxy_primary_zone_name says where to go', toOwnZone],
  ])('it is the client’s %s', async (_name, before) => {
    routed.set({ enableReroute: true })
    await before()
    names(another())

    expect(await errno(CHANGE)).toBe(5727)
  })

  async function reconnectPlain(): Promise<void> {
    routed.settings.usesOb20 = false
    client = await routed.connect()
  }

  async function toOwnZone(): Promise<void> {
    const { zone } = routed.cluster.picture.server(leader)
    for (const { key } of routed.cluster.picture.servers)
      if (key !== leader) routed.cluster.front(key).faults.clear()
    routed.set({ proxyPrimaryZones: [[zone]] })
    for (const front of routed.cluster.fronts)
      front.faults.add({ errno: 5727, pattern: 'hashed', reroute: another() })
  }

  test('a second name is not believed', async () => {
    routed.set({ enableReroute: true })
    for (const { faults } of routed.cluster.fronts)
      faults.add({ errno: 5727, pattern: 'hashed', reroute: another() })

    expect(await path(async () => expect(await errno(CHANGE)).toBe(5727))).toHaveLength(2)
  })

  test('a leader that is named makes the location old', async () => {
    routed.node.locations = { ...routed.node.locations, refreshGapMs: 0 }
    routed.set({ enableReroute: true })
    await routed.cluster.moveLeader('hashed', ID, another())
    names(another())
    await client.query(CHANGE)

    await expect
      .poll(() => path(() => client.query(CHANGE)))
      .toEqual([[another(), 'update', 'passed']])
  })

  describe('because its replica is too old for a weak read', () => {
    const frontsOf = async (turns: number) => {
      const seen = await path(async () => {
        for (let turn = 0; turn < turns; turn++) await client.query(WEAK)
      })
      return new Set(seen.filter(([, , fate]) => fate === 'passed').map(([front]) => front))
    }

    test('the statement goes on by default; the replica is avoided for a while, then tried again', async () => {
      routed.set({ avoidsStaleReplicas: true, staleRetryMs: 400 })
      const { tabletId } = await routed.cluster.tablet('hashed', ID)
      const replicas = routed.cluster.picture.replicas('app', tabletId).map(({ server }) => server)
      const [young = ''] = replicas.filter(server => server !== leader)
      names(young)
      while ((await path(() => client.query(WEAK))).length < 2);
      routed.cluster.front(leader).faults.clear()

      expect(await frontsOf(30)).toEqual(new Set(replicas.filter(server => server !== leader)))
      await expect.poll(() => frontsOf(10), { interval: 50 }).toContain(leader)
    })

    test('by enable_weak_reroute = false it is the client’s', async () => {
      routed.set({ enableWeakReroute: false })
      for (const { faults } of routed.cluster.fronts)
        faults.add({ errno: 5727, pattern: 'weak', reroute: another() })

      expect(await errno(WEAK)).toBe(5727)
    })
  })
})
