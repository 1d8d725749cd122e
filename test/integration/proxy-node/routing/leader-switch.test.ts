/** Leaders that move all the time under load: nobody notices but the counters. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Routed, startRouted } from '../../../support/routed.ts'
import { Load, MARK } from '../../../support/routed-load.ts'

const PARTS = 12
const CLIENTS = 16
const MOVE_MS = 200
const MOVES = 12
/** Of so many partitions at once; each of them stays for a while. */
const AT_ONCE = 3

let routed: Routed

beforeAll(async () => {
  routed = await startRouted({ subnet: '127.33.4' })
  const client = await routed.connect()
  await client.query(
    `CREATE TABLE hashed (id INT PRIMARY KEY, name VARCHAR(50)) PARTITION BY HASH(id) PARTITIONS ${PARTS}`,
  )
  for (let id = 0; id < PARTS; id++) await client.query(`INSERT INTO hashed VALUES (${id}, 'x')`)
})

afterAll(() => routed?.stop())

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Leaders of the next partitions move on; those who led them refuse, or execute for others, in turns. */
async function move(turn: number): Promise<void> {
  const { cluster } = routed
  for (const { key } of cluster.picture.servers)
    cluster.picture.setServer(key, { refusesRemote: turn % 4 < 2 })
  for (let at = 0; at < AT_ONCE; at++) {
    const partition = (turn * AT_ONCE + at) % PARTS
    const from = cluster.addresses.indexOf(await cluster.leader('hashed', partition))
    await cluster.moveLeader('hashed', partition, ((from + 1) % cluster.addresses.length) + 1)
  }
}

test('statements outside transactions never fail, none runs twice, every entry is right again', async () => {
  const watch = routed.cluster.watchTexts()
  const load = new Load(routed, {
    clients: CLIENTS,
    // Half of them as text, half prepared.
    send: (client, mark, turn) =>
      (turn / PARTS) % 2 < 1
        ? client.query(`UPDATE hashed SET name = '${mark}' WHERE id = ${turn % PARTS}`)
        : client.execute('UPDATE hashed SET name = ? WHERE id = ?', [mark, turn % PARTS]),
  })
  await load.start()

  for (let turn = 0; turn < MOVES; turn++) {
    await move(turn)
    await pause(MOVE_MS)
  }
  const movedAt = Date.now()
  const misses = () => routed.cluster.reached('hashed').strongMisses
  let rightAt = 0
  while (rightAt === 0 && Date.now() - movedAt < 10_000) {
    const before = misses()
    await load.more(2 * PARTS + CLIENTS)
    if (misses() === before) rightAt = Date.now()
  }
  await load.stop()

  expect(load.failed).toEqual([])
  expect(watch.isWhole).toBe(true)
  const executed = watch.marked(MARK)
  expect(executed.size).toBe(load.done.length)
  expect([...executed].filter(([, count]) => count !== 1)).toEqual([])
  expect(rightAt - movedAt).toBeLessThan(6_000)
  expect(rightAt).toBeGreaterThan(0)
  const { refused, strongMisses } = routed.cluster.reached('hashed')
  expect([refused > 0, strongMisses > 0]).toEqual([true, true])
})
