/** Orders of a front, in both framings of a connection: the same things happen to the same commands. */
import { describe, expect, test } from 'vitest'
import type { Front } from '../../infra/local/front/front.ts'
import { rowsOf, statusOf } from './front-client.ts'
import type { FrontContext } from './front-contract.ts'
import { errorOf } from './raw-client.ts'

export function ordersContract(context: FrontContext, framing: string, features: number): void {
  const { under, open, account } = context
  const proxy = (at?: Front) => logIn(at ?? context.front())
  const logIn = async (at: Front) => {
    const client = open(true, at)
    const [answer] = await client.logIn({ ...account(), features })
    expect(answer?.payload[0]).toBe(0x00)
    return client
  }
  const take = (order: Parameters<Front['take']>[0]) => context.front().take(order)

  describe(`orders, ${framing}`, () => {
    test('stop: nobody gets in, those inside are out; normal: as before', async () => {
      const inside = await proxy()
      await take({ kind: 'stop' })
      await inside.raw.closed()
      const outside = open(true)
      await outside.raw.closed()

      await take({ kind: 'normal' })

      expect(rowsOf(await (await proxy()).query('SELECT 1'))).toEqual([['1']])
    })

    test('disconnect: those inside are out, the next one is served', async () => {
      const inside = await proxy()
      await take({ kind: 'disconnect' })
      await inside.raw.closed()

      expect(rowsOf(await (await proxy()).query('SELECT 1'))).toEqual([['1']])
      expect(context.front().order.kind).toBe('normal')
    })

    test('freeze: no answer until the next order, then the answer', async () => {
      const client = await proxy()
      await take({ kind: 'freeze' })
      const late = open(true)
      const answer = client.query('SELECT 5')
      // A second front is not frozen: its answer shows that time has passed.
      const other = await proxy(under().fronts[1])
      await other.query('SELECT 1')
      expect([client.raw.packets.length, late.raw.packets.length]).toEqual([0, 0])

      await take({ kind: 'normal' })

      expect(rowsOf(await answer)).toEqual([['5']])
      await late.logIn(account())
    })

    test('delay: answers are late by it and keep their order', async () => {
      const client = await proxy()
      await take({ kind: 'delay', delayMs: 50 })
      const startedAt = performance.now()
      client.raw.command(0x03, 'SELECT 6')
      const first = await client.answer()
      expect(performance.now() - startedAt).toBeGreaterThan(45)
      client.raw.command(0x03, 'SELECT 7')
      await expect.poll(() => context.front().counters.statements).toBeGreaterThan(0)
      await take({ kind: 'normal' })

      expect(rowsOf(first)).toEqual([['6']])
      expect(rowsOf(await client.answer())).toEqual([['7']])
      expect(rowsOf(await client.query('SELECT 8'))).toEqual([['8']])
    })

    test('lose-next: the connection ends instead of an answer, once', async () => {
      const [client, other] = [await proxy(), await proxy()]
      await take({ kind: 'lose-next' })
      client.raw.command(0x03, 'SELECT 1')
      await client.raw.closed()

      expect(rowsOf(await other.query('SELECT 1'))).toEqual([['1']])
    })

    test('fail-next: that error, once, behind a statement of any length', async () => {
      const client = await proxy()
      for (const [sql, sequence] of [
        ['SELECT 1', 1],
        [`SELECT LENGTH('${'x'.repeat(17_000_000)}')`, 2],
      ] as const) {
        await take({ kind: 'fail-next', errno: 5001 })

        const { packets } = await client.query(sql)

        expect(errorOf(packets[0])).toMatchObject({ errno: 5001 })
        expect(packets.map(packet => packet.sequence)).toEqual([sequence, sequence + 1])
        expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
      }
    })

    test('not-master: 4038 for every statement of a table, until the next order', async () => {
      const client = await proxy()
      const prepared = await client.prepare('SELECT id FROM c1 WHERE name = ?')
      await take({ kind: 'not-master' })

      const answers = [
        await client.query('SELECT * FROM c1'),
        await client.query('SELECT * FROM c1'),
        await client.execute(prepared.id, ['one']),
      ]

      for (const answer of answers) expect(errorOf(answer.packets[0]).errno).toBe(4038)
      expect(rowsOf(await client.query('SELECT 1'))).toEqual([['1']])
      await take({ kind: 'normal' })
      expect(rowsOf(await client.query('SELECT id FROM c1 WHERE id = 1'))).toEqual([['1']])
    })

    test('fail-next inside a transaction: the OK behind the error says so', async () => {
      const client = await proxy()
      await client.query('BEGIN')
      await take({ kind: 'fail-next', errno: 5001, status: 0x23 })

      const { packets, last } = await client.query('SELECT 1')

      expect(errorOf(packets[0]).errno).toBe(5001)
      expect(statusOf(last)).toBe(0x23)
      expect(statusOf((await client.query('ROLLBACK')).last)).toBe(0x22)
    })

    test.each([
      ['lose-commit-before', '0'],
      ['lose-commit-after', '1'],
    ] as const)('%s: no answer to COMMIT, and %s rows are there', async (kind, rows) => {
      const [client, other] = [await proxy(), await proxy()]
      await other.query('DELETE FROM c1 WHERE id = 70')
      await client.query('BEGIN')
      await take({ kind })
      expect((await client.query("INSERT INTO c1 VALUES (70, 'lost')")).first[0]).toBe(0x00)
      client.raw.command(0x03, 'COMMIT')
      await client.raw.closed()

      expect(client.raw.packets).toEqual([])
      const count = await other.query('SELECT COUNT(*) FROM c1 WHERE id = 70')
      expect(rowsOf(count)).toEqual([[rows]])
      expect(context.front().order.kind).toBe('normal')
      // What is not committed is given up, sooner or later.
      const again = async () =>
        (await other.query("REPLACE INTO c1 VALUES (70, 'kept')")).first[0] === 0x00
      await expect.poll(again, { timeout: 15_000 }).toBe(true)
    })

    test('the ledger tells what came and what became of it', async () => {
      const front = context.front()
      const client = await proxy()
      const before = front.ledger.last
      await client.query("SELECT 'x' FROM c1 WHERE id = 1")
      await take({ kind: 'fail-next', errno: 5001 })
      await client.query('SELECT 2')
      await take({ kind: 'lose-commit-before' })
      client.raw.command(0x03, 'COMMIT')
      await client.raw.closed()

      const entries = front.ledger.after(before)

      expect(entries.map(({ word, fate }) => [word, fate])).toEqual([
        ['select', 'passed'],
        ['select', 'answered'],
        ['commit', 'dropped'],
      ])
      expect(entries[0]).toMatchObject({
        front: `${front.server.host}:${front.server.port}`,
        session: client.threadId,
        command: 'query',
        table: 'c1',
        text: "SELECT 'x' FROM c1 WHERE id = 1",
      })
    })
  })
}
