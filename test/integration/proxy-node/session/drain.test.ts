/** A drain at the ends of transactions, over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import { type DataPlane, type Flavour, startDataPlane } from '../../../support/data-plane.ts'
import { errorOf, RawClient } from '../../../support/raw-client.ts'
import { startTransactionServer } from '../../../support/running-node.ts'

let closers: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const close of closers.reverse()) await close()
  closers = []
})

describe.each<Flavour>(['node:net', 'Bun'])('over %s', flavour => {
  async function clientOf(): Promise<{ plane: DataPlane; client: RawClient }> {
    const server = await startTransactionServer()
    const { host, port } = server
    const plane = await startDataPlane(flavour, { mysql: { host, port } })
    const client = new RawClient(plane.port)
    closers.push(server.stop, plane.stop, () => client.socket.destroy())
    expect((await client.logIn('u')).payload[0]).toBe(0)
    return { plane, client }
  }

  test('a client that never pauses leaves behind the answer under way', async () => {
    const { plane, client } = await clientOf()
    client.command(0x03, 'SELECT 1')
    const [draining] = await Promise.all([plane.drain(false), client.answer()])
    expect(draining).toBeUndefined()
    let answers = 0
    for (;;) {
      client.command(0x03, 'SELECT 1')
      const answer = await client.answer().catch(() => [])
      if (answer[0] === undefined || answer[0].payload[0] === 0xff) break
      answers += 1
    }

    expect(answers).toBeLessThanOrEqual(2)
    await client.closed()
  })

  test('a client inside a transaction leaves at its end, and not before', async () => {
    const { plane, client } = await clientOf()
    await client.query('BEGIN')
    await plane.drain(false)
    for (let statement = 0; statement < 5; statement++)
      expect((await client.query('SELECT 1'))[0]?.payload[0]).toBe(1)

    const [committed] = await client.query('COMMIT')

    expect(committed?.payload[0]).toBe(0)
    expect(errorOf(await client.next()).errno).toBe(1053)
    await client.closed()
  })
})
