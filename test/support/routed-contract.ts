/**
 * What a proxy promises to clients of a cluster whose leaders are spread over its servers: whatever
 * can be told from a statement is where it belongs. The same over both engines.
 */
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Routed, rowsOf } from './routed.ts'

const PARTS = 12
const IDS = Array.from({ length: 2 * PARTS }, (_id, at) => at)

const TABLES = {
  whole: 'CREATE TABLE whole (id INT PRIMARY KEY, name VARCHAR(50))',
  hashed: `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  ranged:
    'CREATE TABLE ranged (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY RANGE(id) ' +
    '(PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN (10), ' +
    'PARTITION p2 VALUES LESS THAN (15), PARTITION p3 VALUES LESS THAN MAXVALUE)',
  two_levels:
    'CREATE TABLE two_levels (id INT, no INT, name VARCHAR(50)) ' +
    'PARTITION BY RANGE(id) SUBPARTITION BY HASH(no) SUBPARTITIONS 3 ' +
    '(PARTITION p0 VALUES LESS THAN (8), PARTITION p1 VALUES LESS THAN (16), ' +
    'PARTITION p2 VALUES LESS THAN MAXVALUE)',
} as const

type Table = keyof typeof TABLES

/** Names both key columns where there are two. */
const whereOf = (table: Table, id: number | '?') =>
  table === 'two_levels' ? `id = ${id} AND no = ${id}` : `id = ${id}`
const rowOf = (table: Table, id: number | '?') =>
  table === 'two_levels' ? `(${id}, ${id}, 'x')` : `(${id}, 'x')`

const KINDS: readonly (readonly [string, (table: Table, id: number | '?') => string])[] = [
  ['DELETE', (table, id) => `DELETE FROM ${table} WHERE ${whereOf(table, id)}`],
  ['INSERT', (table, id) => `INSERT INTO ${table} VALUES ${rowOf(table, id)}`],
  ['SELECT', (table, id) => `SELECT name FROM ${table} WHERE ${whereOf(table, id)}`],
  ['UPDATE', (table, id) => `UPDATE ${table} SET name = 'y' WHERE ${whereOf(table, id)}`],
  [
    'SELECT … FOR UPDATE',
    (table, id) => `SELECT name FROM ${table} WHERE ${whereOf(table, id)} FOR UPDATE`,
  ],
]

export function routedContract(name: string, start: () => Promise<Routed>): void {
  describe(name, () => {
    let routed: Routed

    beforeAll(async () => {
      routed = await start()
      const client = await routed.connect()
      for (const table of Object.values(TABLES)) await client.query(table)
      await warmUp(client)
    })

    afterEach(() => routed?.reset())
    afterAll(() => routed?.stop())

    /** Everything is looked at once. */
    const warmUp = async (client: Connection) => {
      for (const table of tables)
        for (const id of IDS) await client.query(KINDS[0]?.[1](table, id) ?? '')
    }

    const tables = Object.keys(TABLES) as Table[]

    /** How many statements of the table went where they belong while `act` ran, and elsewhere. */
    const reachedBy = async (table: Table, act: () => Promise<unknown>) => {
      const before = routed.cluster.reached(table)
      await act()
      const after = routed.cluster.reached(table)
      return {
        hits: after.strongHits - before.strongHits,
        misses: after.strongMisses + after.refused - before.strongMisses - before.refused,
      }
    }

    describe.each([
      ['plain', false],
      ['OB 2.0', true],
    ])('strong statements reach the leader, servers speak %s', (_framing, usesOb20) => {
      describe.each(tables)('of table %s', table => {
        test('as text', async () => {
          routed.settings.usesOb20 = usesOb20
          const client = await routed.connect()

          const reached = await reachedBy(table, async () => {
            for (const id of IDS)
              for (const [, statement] of KINDS) await client.query(statement(table, id))
          })

          expect(reached).toEqual({ hits: IDS.length * KINDS.length, misses: 0 })
        })

        test('as prepared statements', async () => {
          routed.settings.usesOb20 = usesOb20
          const client = await routed.connect()

          const reached = await reachedBy(table, async () => {
            for (const [, statement] of KINDS) {
              const sql = statement(table, '?')
              const values = (id: number) => [...sql.matchAll(/\?/g)].map(() => id)
              for (const id of IDS) await client.execute(sql, values(id))
            }
          })

          expect(reached).toEqual({ hits: IDS.length * KINDS.length, misses: 0 })
        })
      })

      test('values that are of one partition', async () => {
        routed.settings.usesOb20 = usesOb20
        const client = await routed.connect()

        const reached = await reachedBy('hashed', async () => {
          for (const id of IDS) {
            await client.query(`SELECT name FROM hashed WHERE id IN (${id}, ${id + PARTS})`)
            await client.query(`SELECT name FROM hashed WHERE id = ${id} OR id = ${id + PARTS}`)
          }
        })

        expect(reached).toEqual({ hits: 2 * IDS.length, misses: 0 })
      })

      test('a held BEGIN goes with the first statement to its leader, and the rest follows', async () => {
        routed.settings.usesOb20 = usesOb20
        const client = await routed.connect()
        const marks = routed.cluster.marks()

        const reached = await reachedBy('hashed', async () => {
          for (const id of IDS) {
            await client.query('BEGIN')
            await client.query(`UPDATE hashed SET name = 'z' WHERE id = ${id}`)
            await client.query(`SELECT name FROM hashed WHERE id = ${id + PARTS} FOR UPDATE`)
            await client.query('COMMIT')
          }
        })

        expect(reached).toEqual({ hits: 2 * IDS.length, misses: 0 })
        const words = new Map<string, Set<string>>()
        for (const { word, front } of routed.cluster.entries(marks)) {
          const fronts = words.get(word) ?? new Set()
          words.set(word, fronts.add(front))
        }
        for (const word of ['begin', 'update', 'select', 'commit'])
          expect([word, words.get(word)?.size]).toEqual([word, 6])
      })
    })

    test('without autocommit each transaction begins at the leader of its first statement, and stays', async () => {
      const client = await routed.connect()
      await client.query('SET autocommit = 0')

      const reached = await reachedBy('hashed', async () => {
        for (const id of IDS) {
          await client.query(`UPDATE hashed SET name = 'z' WHERE id = ${id}`)
          await client.query(`DELETE FROM hashed WHERE id = ${id + PARTS}`)
          await client.query('COMMIT')
        }
      })

      expect(reached).toEqual({ hits: 2 * IDS.length, misses: 0 })
    })

    test('what enable_read_write_split sends to followers is read from them', async () => {
      const client = await routed.connect()
      await client.query("REPLACE INTO whole VALUES (1, 'read weakly')")
      routed.set({ enableReadWriteSplit: true, proxyRoutePolicy: 'FOLLOWER_FIRST' })
      const read = () => rowsOf(client, 'SELECT name FROM whole WHERE id = 1')
      const before = routed.cluster.reached('whole')

      // A follower may be behind.
      await expect.poll(read, { timeout: 10_000 }).toEqual([['read weakly']])

      const after = routed.cluster.reached('whole')
      expect(after.weakFollower).toBeGreaterThan(before.weakFollower)
      expect(after).toEqual({ ...before, weakFollower: after.weakFollower })
    })

    test('what has no table stays where the session is', async () => {
      const client = await routed.connect()
      await client.query('DELETE FROM hashed WHERE id = 3')
      const marks = routed.cluster.marks()
      for (let turn = 0; turn < 5; turn++) await client.query(`SELECT 'without a table'`)

      const fronts = routed.cluster.entries(marks).map(({ front }) => front)

      expect(new Set(fronts)).toEqual(new Set([await routed.cluster.leader('hashed', 3)]))
      expect(fronts).toHaveLength(5)
    })

    test('a table that nobody knows is the server’s to judge', async () => {
      const client = await routed.connect()

      await expect(client.query('SELECT 1 FROM missing WHERE id = 1')).rejects.toMatchObject({
        errno: 1146,
      })
      expect(await rowsOf(client, 'SELECT 1')).toEqual([[1]])
    })

    test('what several partitions on several servers need is no miss anywhere', async () => {
      const client = await routed.connect()

      const reached = await reachedBy('hashed', async () => {
        for (let turn = 0; turn < 10; turn++) await client.query('SELECT COUNT(*) FROM hashed')
      })

      expect(reached.misses).toBe(0)
    })

    test('a leader that has moved is missed, told, and known again', async () => {
      const client = await routed.connect()
      routed.node.locations = { ...routed.node.locations, refreshGapMs: 100 }
      const before = await routed.cluster.leader('hashed', 5)
      const to = routed.cluster.addresses.find(address => address !== before) ?? ''
      const sql = 'SELECT name FROM hashed WHERE id = 5'
      await client.query(sql)
      await routed.cluster.moveLeader('hashed', 5, to)
      const missesOf = async () => (await reachedBy('hashed', () => client.query(sql))).misses

      expect(await missesOf()).toBe(1)
      await expect.poll(missesOf, { timeout: 6_000, interval: 50 }).toBe(0)
      await routed.cluster.moveLeader('hashed', 5, before)
      await expect.poll(missesOf, { timeout: 6_000, interval: 50 }).toBe(0)
    })

    test('a leader that has gone and refuses costs the client nothing: once more, by the new leader', async () => {
      const client = await routed.connect()
      const before = await routed.cluster.leader('hashed', 7)
      const to = routed.cluster.addresses.find(address => address !== before) ?? ''
      await client.query("REPLACE INTO hashed VALUES (7, 'at home')")
      await routed.cluster.moveLeader('hashed', 7, to)
      routed.cluster.picture.setServer(before, { refusesRemote: true })
      const marks = routed.cluster.marks()

      await client.query("REPLACE INTO hashed VALUES (7, 'moved')")

      const entries = routed.cluster.entries(marks).filter(({ word }) => word === 'replace')
      expect(entries.map(({ front, fate }) => [front, fate])).toEqual([
        [before, 'refused'],
        [to, 'passed'],
      ])
      routed.cluster.picture.setServer(before, { refusesRemote: false })
      await routed.cluster.moveLeader('hashed', 7, before)
    })
  })
}
