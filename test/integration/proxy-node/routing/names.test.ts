/** Names of tables that differ in case, in tenants that tell them apart and in others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Routed, startRouted } from '../../../support/routed.ts'

describe.each([
  ['lower_case_table_names = 0', 0, '127.31.71'],
  ['lower_case_table_names = 1', 1, '127.31.72'],
] as const)('in a tenant with %s', (_name, lowerCaseTableNames, subnet) => {
  const tellsApart = lowerCaseTableNames === 0
  let routed: Routed

  beforeAll(async () => {
    routed = await startRouted({ subnet, lowerCaseTableNames })
    const client = await routed.connect()
    await client.query('CREATE TABLE Orders (id INT PRIMARY KEY, v INT)')
    await routed.cluster.moveLeader('Orders', 0, 1)
    if (!tellsApart) return
    await client.query('CREATE TABLE orders (id INT PRIMARY KEY, v INT)')
    await routed.cluster.moveLeader('orders', 0, 2)
  })

  afterAll(() => routed?.stop())

  /** The servers that it reached, as text and prepared. */
  async function reachedBy(sql: string): Promise<readonly string[]> {
    const client = await routed.connect()
    const marks = routed.cluster.marks()
    // By location as by cache, in turns with the other table.
    for (let turn = 0; turn < 3; turn++) {
      await client.query(sql)
      await client.execute(sql)
      await client.query('SELECT * FROM orders')
    }
    client.destroy()
    const passed = routed.cluster
      .entries(marks)
      .filter(({ tenant, text }) => tenant === 'app' && text === sql)
    expect(passed.map(({ command }) => command)).toContain('prepare')
    return [...new Set(passed.map(({ front }) => front))]
  }

  test.each([
    ['SELECT * FROM Orders', 1],
    ['SELECT * FROM `Orders` WHERE v = 1', 1],
    ['UPDATE demo.Orders SET v = 1 WHERE id = 1', 1],
    ['DELETE FROM orders WHERE id = 5', tellsApart ? 2 : 1],
    ['SELECT * FROM demo.orders WHERE id = 5', tellsApart ? 2 : 1],
  ] as const)('%s reaches server %i alone', async (sql, server) => {
    expect(await reachedBy(sql)).toEqual([routed.cluster.key(server)])
  })

  test('a name of another case is that of no table, or of the same', async () => {
    const client = await routed.connect()
    const answer = client.query('SELECT * FROM ORDERS').then(
      () => 0,
      ({ errno }) => errno,
    )

    expect(await answer).toBe(tellsApart ? 1146 : 0)
  })
})
