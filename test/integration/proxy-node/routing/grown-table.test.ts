/** A table gets partitions that it did not have when it was looked at first. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER_DEFAULTS } from '../../../support/node-clusters.ts'
import { type Routed, startRouted } from '../../../support/routed.ts'

let routed: Routed

beforeAll(async () => {
  const locations = { ...CLUSTER_DEFAULTS.locations, refreshGapMs: 0 }
  routed = await startRouted({ subnet: '127.33.8', node: { locations } })
})
afterAll(() => routed?.stop())

const grown = (parts: number) =>
  `CREATE TABLE grown (id INT PRIMARY KEY) PARTITION BY RANGE(id) (${Array.from(
    { length: parts },
    (_none, at) => `PARTITION p${at} VALUES LESS THAN (${(at + 1) * 10})`,
  ).join(', ')})`

test('statements find the leaders of the new ones, without a word from their answers', async () => {
  const client = await routed.connect()
  const select = (id: number) => client.query(`SELECT id FROM grown WHERE id = ${id}`)
  await client.query(grown(3))
  for (const id of [5, 15, 25]) await select(id)
  await client.query('DROP TABLE grown')
  await client.query(grown(9))
  const isDescribed = () =>
    [...routed.known.locations.tables.all()].some(({ value }) => value?.partNum === 9)

  while (!isDescribed()) await select(85)
  for (const id of [35, 45, 55, 65, 75, 85]) await select(id)
  const before = routed.cluster.reached('grown')
  for (const id of [35, 45, 55, 65, 75, 85]) await select(id)
  const after = routed.cluster.reached('grown')

  expect(after.strongHits - before.strongHits).toBe(6)
  expect(after.strongMisses).toBe(before.strongMisses)
})
