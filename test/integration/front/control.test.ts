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
