/** The control channel of fronts: orders, counters and the ledger for other processes. */
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, startControl } from '../../../infra/local/front/control.ts'
import { type ScriptedFronts, startScriptedFronts } from '../../support/front-scripted.ts'

let under: ScriptedFronts
let control: Control

beforeAll(async () => {
  under = await startScriptedFronts('127.29.7')
  control = await startControl(under.fronts, { host: '127.0.0.1', port: 0 })
})

afterAll(async () => {
  await control?.stop()
  await under?.stop()
})

const get = async (path: string) => {
  const response = await fetch(`${control.url}/${path}`)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const order = async (body: unknown) => {
  const answer = await fetch(`${control.url}/orders`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  return answer.status
}

test('the ledger tells what reached each front, all of it or what is new', async () => {
  const [first] = under.fronts
  const { user, password, database } = under.accounts
  const { host, port } = first?.server ?? { host: '', port: 0 }
  const client = await createConnection({ host, port, user: `${user}@app`, password, database })
  await client.query('SELECT 1')
  const ledger = async (after: string) => {
    const { body } = await get(`ledger${after}`)
    return body['fronts'] as { front: number; last: number; entries: { text: string }[] }[]
  }
  const [before] = await ledger('')
  expect(await order({ front: 1, order: { kind: 'fail-next', errno: 5001, status: 34 } })).toBe(200)
  await expect(client.query("SELECT 'refused'")).rejects.toMatchObject({ errno: 5001 })

  const [after, other] = await ledger(`?after=${before?.last}`)

  expect(before?.entries.map(({ text }) => text)).toContain('SELECT 1')
  expect(after?.entries).toMatchObject([{ text: "SELECT 'refused'", fate: 'answered' }])
  expect(other).toEqual({ front: 2, last: 0, entries: [] })
  await client.end()
})

test('what is not known is refused', async () => {
  expect((await get('ledger?after=x')).status).toBe(404)
  expect(await order({ front: 9, order: { kind: 'normal' } })).toBe(400)
  expect(await order({ front: 1, order: { kind: 'lose-commit' } })).toBe(400)
  expect(await order({ front: 'all', order: { kind: 'lose-commit-after' } })).toBe(200)
  expect(under.fronts.map(front => front.order.kind)).toEqual(Array(3).fill('lose-commit-after'))
})

test('the picture changes for all fronts, and what reached them is told by table', async () => {
  const [first] = under.fronts
  const { user, password, database } = under.accounts
  const { host, port } = first?.server ?? { host: '', port: 0 }
  const client = await createConnection({ host, port, user: `${user}@app`, password, database })
  await client.query('CREATE TABLE moved (id INT PRIMARY KEY) PARTITION BY HASH(id) PARTITIONS 3')
  const change = async (body: unknown) => {
    const answer = await fetch(`${control.url}/picture`, {
      method: 'POST',
      body: JSON.stringify({ change: body }),
    })
    return answer.status
  }
  const leads = (server: string) =>
    change({ kind: 'leader', database, table: 'moved', partition: 'p1', server })
  const reached = async () => {
    const { body } = await get('reached')
    const [found] = body['fronts'] as { tables: Record<string, object> }[]
    return found?.tables['demo.moved']
  }
  expect(await leads('127.29.7.2:2881')).toBe(200)
  await client.query('SELECT * FROM moved WHERE id = 1')
  expect(await reached()).toMatchObject({ strongHits: 0, strongMisses: 1 })

  expect(await leads('127.29.7.1:2881')).toBe(200)
  await client.query('SELECT * FROM moved WHERE id = 1')

  expect(await reached()).toMatchObject({ strongHits: 1, strongMisses: 1 })
  const { body } = await get('ledger')
  const [ledger] = body['fronts'] as { entries: object[] }[]
  expect(ledger?.entries.at(-1)).toMatchObject({
    isHit: true,
    touched: { table: 'demo.moved', partitions: ['p1'], isWeak: false },
  })
  expect(await change({ kind: 'server', server: '127.29.7.2:2881', isStopped: true })).toBe(200)
  expect(under.picture.server('127.29.7.2:2881').isStopped).toBe(true)
  expect(await change({ kind: 'server', server: '127.29.7.9:2881' })).toBe(400)
  expect(await change({ kind: 'zone', zone: 'z1', isMerging: 'yes' })).toBe(400)
  expect(await change({ kind: 'zone', zone: 'z1', colour: 'red' })).toBe(400)
  expect(await change({ kind: 'elsewhere' })).toBe(400)
  await client.end()
})

test('faults are added and cleared', async () => {
  const [first] = under.fronts
  const { user, password, database } = under.accounts
  const { host, port } = first?.server ?? { host: '', port: 0 }
  const client = await createConnection({ host, port, user: `${user}@app`, password, database })
  const faults = async (body: unknown) => {
    const answer = await fetch(`${control.url}/faults`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return answer.status
  }
  expect(await faults({ front: 1, fault: { errno: 8003, pattern: 'faulty' } })).toBe(200)
  await expect(client.query("SELECT 'faulty'")).rejects.toMatchObject({ errno: 8003 })
  expect(await faults({ front: 1 })).toBe(200)
  await client.query("SELECT 'faulty'")

  expect(await faults({ front: 1, fault: { errno: 0 } })).toBe(400)
  expect(await faults({ front: 1, fault: { errno: 1, pattern: '(' } })).toBe(400)
  expect(await faults({ front: 1, fault: { pattern: 'x' } })).toBe(400)
  await client.end()
})
