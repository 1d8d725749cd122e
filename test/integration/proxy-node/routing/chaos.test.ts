/**
 * Servers that are killed, refuse, freeze, accept without a word, are slow, come and go, while clients
 * work: statements move on, who is bad is avoided and taken back, what was lost is told, and nothing is
 * executed twice. Intervals are a fraction of the defaults; the rules are the same.
 */
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Order } from '../../../../infra/local/front/orders.ts'
import { CONGESTED } from '../../../../proxy-node/topology/model.ts'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'
import { ROUTED_PATIENCE, type Routed, startRouted } from '../../../support/routed.ts'
import { Load, MARK } from '../../../support/routed-load.ts'
import type { TextWatch } from '../../../support/routing-cluster.ts'
import { until } from '../../../support/until.ts'

const PARTS = 12
const CLIENTS = 12
/** What is 1 s, 5 s, 20 s by default. */
const TICK_MS = 100
const PROBE_MS = 500
const CONNECT_MS = 300
const LONG_CONNECT_MS = 3_000
const REFRESH_MS = 500
const VICTIM = 2
/** Told when a statement is lost with its server: nobody knows whether it was executed. */
const LOST = 10014
const NO_SERVER = 10013

let routed: Routed
let watch: TextWatch
let load: Load

/** Every third prepared. */
function send(client: Connection, mark: string, turn: number): Promise<unknown> {
  const id = turn % PARTS
  if (Math.floor(turn / PARTS) % 3 === 0)
    return client.execute('UPDATE hashed SET name = ? WHERE id = ?', [mark, id])
  return client.query(`UPDATE hashed SET name = '${mark}' WHERE id = ${id}`)
}

const EITHER = new RegExp(`(late )?${MARK.source}`)

/** The same of clients that come while the others work. */
const later: typeof send = (client, mark, turn) => send(client, `late ${mark}`, turn)

beforeAll(async () => {
  routed = await startRouted({
    subnet: '127.33.5',
    node: {
      detection: { detectMode: 1, intervalMs: TICK_MS, timeoutMs: PROBE_MS },
      refreshIntervalMs: REFRESH_MS,
    },
  })
  const client = await routed.connect()
  await client.query(
    `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  )
  for (let id = 0; id < PARTS; id++) await client.query(`INSERT INTO hashed VALUES (${id}, 'x')`)
})

beforeEach(async () => {
  routed.settings.connectTimeoutMs = CONNECT_MS
  watch = routed.cluster.watchTexts()
  load = new Load(routed, { clients: CLIENTS, send: send })
  await load.start()
  await load.more(4 * PARTS)
})

afterEach(async () => {
  await load.stop()
  await routed.cluster.order('all', { kind: 'normal' })
  await routed.reset()
})

afterAll(() => routed?.stop())

const order = (what: Order) => routed.cluster.order(VICTIM, what)
const victim = () => routed.cluster.key(VICTIM)
const isAvoided = () => routed.avoided.includes(victim())
const isDead = () => (routed.known.blacklist.congestionOf(victim()) & CONGESTED.detected) !== 0

async function took(condition: () => boolean, what: string): Promise<number> {
  const from = Date.now()
  await until(what, condition, ROUTED_PATIENCE)
  return Date.now() - from
}

/** Of a row that the victim leads. */
async function idOfVictim(): Promise<number> {
  for (let id = 0; id < PARTS; id++)
    if ((await routed.cluster.leader('hashed', id)) === victim()) return id
  throw new Error('the victim leads nothing')
}

/** Nothing twice; what failed was lost with its server, one statement a client at most, and not after that. */
function expectOnce(most = CLIENTS): void {
  expect(watch.isWhole).toBe(true)
  const executed = watch.marked(EITHER)
  expect([...executed].filter(([, count]) => count !== 1)).toEqual([])
  expect(load.done.filter(mark => !executed.has(mark))).toEqual([])
  expect(load.failed.filter(({ errno }) => errno !== LOST)).toEqual([])
  expect(load.failed.length).toBeLessThanOrEqual(most)
}

describe('a server that is gone', () => {
  beforeEach(() => {
    routed.settings.connectTimeoutMs = LONG_CONNECT_MS
  })

  test('killed: what was under way there is told, all else goes on at once elsewhere', async () => {
    await order({ kind: 'stop' })
    await load.more(10 * PARTS)
    const failed = load.failed.length
    await took(isAvoided, 'the server is avoided')
    await load.more(10 * PARTS)

    expect(load.failed.length).toBe(failed)
    expectOnce()
    // A refused connect costs no waiting.
    expect(load.slowestMs).toBeLessThan(LONG_CONNECT_MS)
  })

  test('refuses: who comes is moved on at once; who is inside goes on until it is declared dead', async () => {
    await order({ kind: 'refuse' })
    const others = new Load(routed, { clients: CLIENTS, send: later })
    await others.start()
    await took(isAvoided, 'the server is avoided')
    expect(load.failed).toEqual([])
    await took(isDead, 'the server is dead')
    await load.more(10 * PARTS)
    await others.stop()

    expect(others.failed).toEqual([])
    expect(others.slowestMs).toBeLessThan(LONG_CONNECT_MS)
    expectOnce()
  })

  test('is back when it greets again', async () => {
    await order({ kind: 'stop' })
    await took(isAvoided, 'the server is avoided')
    const marks = routed.cluster.marks()
    await order({ kind: 'normal' })

    expect(await took(() => !isAvoided(), 'the server is trusted')).toBeLessThan(
      PROBE_MS + 10 * TICK_MS,
    )
    await load.more(10 * PARTS)
    const fronts = routed.cluster.entries(marks).filter(({ text }) => text.includes('mark-'))
    expect(fronts.map(({ front }) => front)).toContain(victim())
    expectOnce()
  })
})

describe('a leader that is gone', () => {
  const MANY = 48
  beforeAll(async () => {
    const client = await routed.connect()
    await client.query(
      `CREATE TABLE many (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${MANY}`,
    )
  })

  test('is asked about with the first connect that fails: the second statement goes to the new leader', async () => {
    // Nothing but the failed connects may say it.
    routed.node.blacklist = { ...routed.node.blacklist, detectMode: 0, failureThreshold: 0 }
    routed.node.detection = { ...routed.node.detection, detectMode: 0 }
    routed.node.locations = { ...routed.node.locations, refreshGapMs: 0 }
    const each = async (client: Connection) => {
      for (let id = 0; id < MANY; id++) await client.query(`DELETE FROM many WHERE id = ${id}`)
    }
    await each(await routed.connect())
    await order({ kind: 'stop' })
    routed.cluster.picture.retire(victim())
    const second = await routed.connect()
    await each(second)
    await load.more(PARTS)
    const before = routed.cluster.reached('many').strongMisses
    await each(second)

    expect(routed.cluster.reached('many').strongMisses).toBe(before)
  })
})

test('what is lost under way counts against its server', async () => {
  const failures = () => routed.known.blacklist.standingOf(victim(), Date.now())?.failureEvents ?? 0
  const before = failures()
  await order({ kind: 'lose-next' })
  await took(() => load.failed.length > 0, 'a statement is lost')

  await took(() => failures() > before, 'it is counted')
  expect(load.failed).toHaveLength(1)
  expectOnce(1)
})

test('a session that has asked for nothing does not go to a leader that is avoided, and goes back', async () => {
  const client = await routed.connect()
  const id = await idOfVictim()
  const asked = `SELECT name FROM hashed WHERE id = ${id} /* the usual */`
  const where = async () => {
    const marks = routed.cluster.marks()
    await client.query(asked)
    const reached = routed.cluster.entries(marks).filter(({ text }) => text === asked)
    return reached.map(({ front }) => front)
  }
  for (let turn = 0; turn < 3; turn++) expect(await where()).toEqual([victim()])
  const now = Date.now()
  for (let turn = 0; turn < 3; turn++) routed.known.blacklist.probed(victim(), false, now, now)
  await until('it is avoided', isAvoided, ROUTED_PATIENCE)

  await expect.poll(where, { timeout: 2_000 }).not.toEqual([victim()])

  await until('its probes say that it is well', () => !isAvoided(), ROUTED_PATIENCE)
  await expect.poll(where, { timeout: 2_000 }).toEqual([victim()])
})

describe('a server that hangs', () => {
  test('frozen: it is declared dead by its probes, and what waits for it ends with a clear error', async () => {
    await order({ kind: 'freeze' })
    const dead = await took(isDead, 'the server is dead')

    // Three probes, each begun with the end of the one before, behind the tick that began the first.
    expect(dead).toBeLessThan(3 * PROBE_MS + 10 * TICK_MS)
    await load.more(20 * PARTS)
    expectOnce()
    expect(load.failed.length).toBeGreaterThan(0)
    for (const { tookMs } of load.failed) expect(tookMs).toBeLessThan(dead + 10 * TICK_MS)
  })

  test('a transaction that is open there is told with its next statement, and the session goes on', async () => {
    const client = await routed.connect()
    const id = await idOfVictim()
    await client.query('BEGIN')
    await client.query(`SELECT name FROM hashed WHERE id = ${id}`)
    await order({ kind: 'freeze' })
    await took(isDead, 'the server is dead')

    await expect(client.query(`SELECT name FROM hashed WHERE id = ${id}`)).rejects.toMatchObject({
      errno: 1213,
      sqlState: '40001',
    })
    await client.query(`SELECT name FROM hashed WHERE id = ${id}`)
    expectOnce()
  })

  test('and is back when it thaws', async () => {
    await order({ kind: 'freeze' })
    await took(isDead, 'the server is dead')
    await order({ kind: 'normal' })

    expect(await took(() => !isAvoided(), 'the server is trusted')).toBeLessThan(
      2 * PROBE_MS + 10 * TICK_MS,
    )
    await load.more(10 * PARTS)
    expectOnce()
  })

  test('half-open: new connections wait for the connect time-out, once; then it is avoided', async () => {
    await order({ kind: 'half-open' })
    const others = new Load(routed, { clients: CLIENTS, send: later })
    await others.start()
    await took(isAvoided, 'the server is avoided')
    await others.more(10 * PARTS)
    await others.stop()

    expect(others.failed).toEqual([])
    expectOnce()
  })

  test('slow: it is waited for, nothing is held against it', async () => {
    await order({ kind: 'delay', delayMs: TICK_MS })
    await load.more(20 * PARTS)

    expect(load.failed).toEqual([])
    expect(isAvoided()).toBe(false)
    expectOnce(0)
  })
})

test('a server that comes and goes: each time what was under way is told, nothing else fails', async () => {
  await order({ kind: 'flap', downMs: 2 * TICK_MS, upMs: 2 * TICK_MS })
  for (let turn = 0; turn < 5; turn++) {
    await load.more(5 * PARTS)
    await new Promise(resolve => setTimeout(resolve, 2 * TICK_MS))
  }
  await order({ kind: 'normal' })
  await took(() => !isAvoided(), 'the server is trusted')

  expectOnce(6 * CLIENTS)
})

test('all servers gone: it is said at once, and they are used as soon as one is back, avoided or not', async () => {
  const client = await routed.connect()
  await client.query('DELETE FROM hashed WHERE id = 0')
  await routed.cluster.order('all', { kind: 'stop' })
  await took(() => routed.avoided.length === routed.cluster.fronts.length, 'all are avoided')
  await load.more(2 * PARTS)
  for (const { errno } of load.failed) expect([LOST, NO_SERVER]).toContain(errno)
  expect(load.slowestMs).toBeLessThan(LONG_CONNECT_MS)
  await load.stop()

  await routed.cluster.order('all', { kind: 'normal' })
  await client.query('DELETE FROM hashed WHERE id = 0')
  expect([...watch.marked(EITHER).values()].filter(count => count !== 1)).toEqual([])
})

test('INACTIVE: avoided with the next list, and trusted again when it is ACTIVE and greets', async () => {
  routed.cluster.picture.setServer(victim(), { status: 'INACTIVE' })
  routed.cluster.picture.retire(victim())
  expect(await took(isAvoided, 'the server is avoided')).toBeLessThan(REFRESH_MS + 10 * TICK_MS)
  routed.cluster.picture.setServer(victim(), { status: 'ACTIVE' })
  routed.cluster.picture.recall(victim())

  expect(await took(() => !isAvoided(), 'the server is trusted')).toBeLessThan(
    REFRESH_MS + PROBE_MS + 10 * TICK_MS,
  )
  await load.more(5 * PARTS)
  expect(load.failed).toEqual([])
  expectOnce(0)
})

test('by the defaults: who refuses is avoided within 4 s, and trusted within 3 s when it is back', async () => {
  Object.assign(routed.node, CLUSTER_DEFAULTS)
  const others = new Load(routed, { clients: CLIENTS, send: later })
  await order({ kind: 'refuse' })
  await others.start()

  expect(await took(isDead, 'the server is dead')).toBeLessThan(4_000)
  await order({ kind: 'normal' })
  expect(await took(() => !isAvoided(), 'the server is trusted')).toBeLessThan(3_000)
  await others.stop()
  expect(others.failed).toEqual([])
  expectOnce()
})
