/**
 * Branches of XA, temporary tables and commits in every form over three servers that are lost in the
 * middle: scripted fronts over one engine, which knows what the real kernel lacks (§5.2, §5.3, §5.5).
 */
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Front } from '../../../../infra/local/front/front.ts'
import { stage1Of } from '../../../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../../../proxy-node/backend/metadata.ts'
import { systemClock } from '../../../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../../../proxy-node/net/node.ts'
import { type ScriptedFronts, startScriptedFronts } from '../../../support/front-scripted.ts'
import {
  CLUSTER_DEFAULTS,
  type ClustersUnderTest,
  startClusters,
} from '../../../support/node-clusters.ts'
import { AT_RANDOM, directoryOf, type ProxyUnderTest, startProxy } from '../../../support/stack.ts'

const TABLE = 'CREATE TABLE IF NOT EXISTS booked (id INT PRIMARY KEY)'
const COMMIT_UNKNOWN = { errno: 10014, sqlState: '08007' }
const RESTART = { errno: 1213, sqlState: '40001' }
const STATE_LOST = { errno: 10014, sqlState: 'HY000' }

/** Servers are lost by the dozen: none is avoided for it, or statements would not go to each in turn. */
const NONE_AVOIDED = {
  ...CLUSTER_DEFAULTS,
  blacklist: { ...CLUSTER_DEFAULTS.blacklist, failureThreshold: 0 },
}

let stack: ScriptedFronts
let metadata: MetadataConnections
let clusters: ClustersUnderTest
let proxy: ProxyUnderTest
let client: Connection
let others: Connection[] = []

beforeAll(async () => {
  stack = await startScriptedFronts('127.46.2')
  metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(stack.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  clusters = await startClusters({
    name: 'obcluster',
    rootservices: stack.picture.servers,
    query: (server, sql) => metadata.query(server, sql, 'c1'),
    settings: () => NONE_AVOIDED,
  })
})

afterAll(async () => {
  clusters.stop()
  metadata.stop()
  await stack.stop()
})

async function connect(): Promise<Connection> {
  const { user, password, database } = stack.accounts
  const made = await createConnection({
    host: '127.0.0.1',
    port: proxy.port,
    user: `${user}@app#obcluster`,
    password,
    database,
    multipleStatements: true,
  })
  made.on('error', () => {})
  others.push(made)
  return made
}

/** The first column of the rows. */
async function column(connection: Connection, sql: string): Promise<unknown[]> {
  const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true })
  return rows.map(row => row[0])
}

/** Texts of the client's statements that reached each front, one front after the other. */
function reached(word: RegExp): readonly string[][] {
  return stack.fronts.map(front =>
    front.ledger
      .after(0)
      .map(({ text }) => text)
      .filter(text => word.test(text)),
  )
}

/** The front that took the statement that only this test says. */
function frontOf(mark: string): Front {
  const found = stack.fronts.find(front =>
    front.ledger.after(0).some(({ text, fate }) => fate === 'passed' && text.includes(mark)),
  )
  if (found === undefined) throw new Error(`nobody took ${mark}`)
  return found
}

/** Three numbers a decision: lists of three servers begin with the first, the second, the third. */
const IN_TURN = [0.99, 0.99, 0.99, 0.99, 0.99, 0, 0.99, 0, 0.99]

describe.each([
  ['plain', false],
  ['ob20', true],
])('servers speak %s', (spoken, usesOb20) => {
  let turn = 0

  beforeEach(async () => {
    // Every statement that may go elsewhere does.
    proxy = await startProxy(directoryOf(clusters), {
      settings: { routing: { ...AT_RANDOM, maxRetries: 4 }, usesOb20, maxAttempts: 4 },
      random: () => IN_TURN[turn++ % IN_TURN.length] ?? 0,
    })
    await Promise.all(stack.fronts.map(front => front.take({ kind: 'normal' })))
    client = await connect()
    await client.query(TABLE)
    await client.query('DELETE FROM booked')
  })

  afterEach(() => {
    for (const made of others) made.destroy()
    others = []
    proxy.stop()
  })

  describe('a branch of XA', () => {
    test('stays on its server until it is prepared; then any session commits it', async () => {
      await client.query(`XA START 'stays_${spoken}'`)
      for (const id of [1, 2, 3])
        await client.query(`INSERT INTO booked VALUES (${id}) /* stays_${spoken} */`)
      await client.query(`XA END 'stays_${spoken}'`)
      await client.query(`XA PREPARE 'stays_${spoken}'`)

      expect(reached(new RegExp(`stays_${spoken}`)).filter(texts => texts.length > 0)).toHaveLength(
        1,
      )
      const other = await connect()
      expect(await column(other, 'XA RECOVER')).toHaveLength(1)
      expect(await column(other, 'SELECT id FROM booked')).toEqual([])
      await other.query(`XA COMMIT 'stays_${spoken}'`)
      expect(await column(client, 'SELECT id FROM booked')).toEqual([1, 2, 3])
      expect(await column(client, 'XA RECOVER')).toEqual([])
    })

    test('lets its session go when it is prepared', async () => {
      await client.query(`XA START 'leaves_${spoken}'`)
      await client.query('INSERT INTO booked VALUES (1)')
      await client.query(`XA END 'leaves_${spoken}'`)
      await client.query(`XA PREPARE 'leaves_${spoken}'`)
      for (let run = 0; run < 3; run++) await client.query(`SELECT 1 /* behind_${spoken} */`)

      expect(reached(new RegExp(`behind_${spoken}`)).map(texts => texts.length)).toEqual([1, 1, 1])
      await client.query(`XA ROLLBACK 'leaves_${spoken}'`)
      expect(await column(client, 'SELECT id FROM booked')).toEqual([])
    })

    test.each(['XA START', 'XA END'])('lost behind %s is rolled back: run it again', async last => {
      const mark = `lost_${last.slice(3)}_${spoken}`
      await client.query(`XA START '${mark}'`)
      await client.query('INSERT INTO booked VALUES (1)')
      if (last === 'XA END') await client.query(`XA END '${mark}'`)
      await frontOf(mark).take({ kind: 'disconnect' })

      await expect(client.query('SELECT 1')).rejects.toMatchObject(RESTART)
      expect(await column(client, 'SELECT id FROM booked')).toEqual([])
      expect(await column(client, 'XA RECOVER')).toEqual([])
      await client.query(`XA START '${mark}'`)
      await client.query(`XA END '${mark}'`)
      await client.query(`XA ROLLBACK '${mark}'`)
    })

    test('lost while it is prepared: nobody knows, and another session sees that it was', async () => {
      await client.query(`XA START 'unknown_${spoken}'`)
      await client.query('INSERT INTO booked VALUES (1)')
      await client.query(`XA END 'unknown_${spoken}'`)
      await frontOf(`XA START 'unknown_${spoken}'`).take({ kind: 'lose-next' })

      await expect(client.query(`XA PREPARE 'unknown_${spoken}'`)).rejects.toMatchObject(
        COMMIT_UNKNOWN,
      )
      await expect(client.query('SELECT 1')).rejects.toThrow()
      const other = await connect()
      expect(await column(other, 'XA RECOVER')).toHaveLength(1)
      await other.query(`XA ROLLBACK 'unknown_${spoken}'`)
      expect(reached(new RegExp(`XA PREPARE 'unknown_${spoken}'`)).flat()).toHaveLength(1)
    })
  })

  describe('a temporary table', () => {
    test('holds its session until it is dropped', async () => {
      await client.query('CREATE TEMPORARY TABLE mine (id INT PRIMARY KEY)')
      for (const id of [1, 2, 3]) await client.query(`INSERT INTO mine VALUES (${id})`)
      expect(await column(client, 'SELECT id FROM mine')).toEqual([1, 2, 3])
      await expect((await connect()).query('SELECT id FROM mine')).rejects.toMatchObject({
        errno: 1146,
      })
      await client.query('DROP TEMPORARY TABLE mine')
      const mark = `free_${spoken}`
      for (let run = 0; run < 3; run++) await client.query(`SELECT 1 /* ${mark} */`)

      expect(reached(new RegExp(mark)).map(texts => texts.length)).toEqual([1, 1, 1])
    })

    test('whose server is lost is told once, then it is unknown', async () => {
      const mark = `temporary_${spoken}`
      await client.query(`CREATE TEMPORARY TABLE ${mark} (id INT PRIMARY KEY)`)
      await frontOf(mark).take({ kind: 'disconnect' })

      await expect(client.query(`SELECT id FROM ${mark}`)).rejects.toMatchObject(STATE_LOST)
      await expect(client.query(`SELECT id FROM ${mark}`)).rejects.toMatchObject({ errno: 1146 })
    })

    test('and a transaction lost with it are told in one', async () => {
      const mark = `both_${spoken}`
      await client.query(`CREATE TEMPORARY TABLE ${mark} (id INT PRIMARY KEY)`)
      await client.query('BEGIN')
      await client.query('INSERT INTO booked VALUES (1)')
      await frontOf(mark).take({ kind: 'disconnect' })

      await expect(client.query('SELECT 1')).rejects.toMatchObject({
        ...RESTART,
        message: expect.stringContaining('the temporary tables'),
      })
      expect(await column(client, 'SELECT id FROM booked')).toEqual([])
    })
  })

  /** Ways to end a transaction, each after an INSERT that says `mark`. */
  const COMMITS: readonly [string, (connection: Connection) => Promise<() => Promise<unknown>>][] =
    [
      ['a text', async connection => () => connection.query('COMMIT')],
      ['several statements', async connection => () => connection.query('SELECT 1; COMMIT')],
      ['its part of several', async connection => () => connection.query('COMMIT; SELECT 1')],
      [
        'a prepared statement',
        async connection => {
          const statement = await connection.prepare('COMMIT')
          return () => statement.execute([])
        },
      ],
      [
        'a statement prepared by text',
        async connection => {
          await connection.query("PREPARE ends FROM 'COMMIT'")
          return () => connection.query('EXECUTE ends')
        },
      ],
      ['the next transaction', async connection => () => connection.query('BEGIN')],
      ['autocommit', async connection => () => connection.query('SET autocommit = 1')],
      ['a definition', async connection => () => connection.query(TABLE)],
    ]

  describe.each(COMMITS)('a commit by %s', (name, prepare) => {
    /** A transaction with one row, and what ends it. */
    async function open(mark: string) {
      await client.query('BEGIN')
      await client.query(`INSERT INTO booked VALUES (1) /* ${mark} */`)
      return { ends: await prepare(client), front: frontOf(mark) }
    }

    async function isUnknown(answer: Promise<unknown>): Promise<void> {
      await expect(answer).rejects.toMatchObject(COMMIT_UNKNOWN)
      await expect(client.query('SELECT 1')).rejects.toThrow()
    }

    test('whose answer is lost may have been done: the client is told so and closed', async () => {
      const { ends, front } = await open(`after ${name} ${spoken}`)
      const before = stack.fronts.map(({ counters }) => counters.statements)
      await front.take({ kind: 'lose-next' })

      await isUnknown(ends())
      const sent = stack.fronts.map(
        ({ counters }, index) => counters.statements - (before[index] ?? 0),
      )
      expect(sent.reduce((sum, count) => sum + count, 0)).toBe(1)
    })

    test('that its server never read is no different', async () => {
      const { ends, front } = await open(`before ${name} ${spoken}`)
      const watching = await connect()
      await front.take({ kind: 'freeze' })
      const answer = ends()
      answer.catch(() => {})
      const running = async () => {
        const [rows] = await watching.query<RowDataPacket[]>('SHOW PROCESSLIST')
        return rows.filter(row => row['Id'] === client.threadId).map(row => row['Command'])
      }
      await expect.poll(running).not.toEqual(['Sleep'])
      await front.take({ kind: 'disconnect' })

      await isUnknown(answer)
      const other = await connect()
      expect(await column(other, 'SELECT id FROM booked')).toEqual([])
    })
  })

  test.each<[string, () => Promise<() => Promise<unknown>>]>([
    ['a text', async () => () => client.query('INSERT INTO booked VALUES (2)')],
    [
      'a prepared statement',
      async () => {
        const statement = await client.prepare('INSERT INTO booked VALUES (?)')
        return () => statement.execute([2])
      },
    ],
    [
      'a statement prepared by text',
      async () => {
        await client.query("PREPARE books FROM 'INSERT INTO booked VALUES (2)'")
        return () => client.query('EXECUTE books')
      },
    ],
  ])('a transaction lost in %s before it is committed may be run again', async (name, prepare) => {
    const mark = `again ${name} ${spoken}`
    await client.query('BEGIN')
    await client.query(`INSERT INTO booked VALUES (1) /* ${mark} */`)
    const runs = await prepare()
    await frontOf(mark).take({ kind: 'lose-next' })

    await expect(runs()).rejects.toMatchObject(RESTART)
    expect(await column(client, 'SELECT id FROM booked')).toEqual([])
    await client.query('BEGIN')
    await runs()
    await client.query('COMMIT')
    expect(await column(client, 'SELECT id FROM booked')).toEqual([2])
  })
})
