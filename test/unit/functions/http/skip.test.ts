/** Going on without nodes that failed, over HTTP. */
import { beforeEach, expect, test } from 'vitest'
import { newId } from '../../../../functions/domain/ids.ts'
import { HttpApi } from '../../../support/http-api.ts'

let api: HttpApi
let id: string
let childIds: readonly string[]

/** A forced restart of three nodes whose first has failed. */
beforeEach(async () => {
  api = new HttpApi()
  await api.scripted.running('orders', [1, 2, 3])
  api.scripted.fleet.host(1).failing.add('restart')
  const { body } = await api.ask('POST', '/clusters/orders/restart', { body: { mode: 'force' } })
  id = body.id
  await api.scripted.settle()
  childIds = (await api.ask('GET', `/operations/${id}`)).body.childIds
})

test('is accepted as the same operation, and shown with what was left out', async () => {
  const skipped = await api.ask('POST', `/operations/${id}/skip`, {
    body: { children: [childIds[0]] },
  })
  await api.scripted.settle()

  expect([skipped.status, skipped.body.id]).toEqual([202, id])
  expect(skipped.headers.get('location')).toBe(`/v1/operations/${id}`)
  const { body } = await api.ask('GET', `/operations/${id}`)
  expect(body).toMatchObject({ phase: 'SUCCEEDED', progress: { nodesDone: 2, nodesTotal: 3 } })
  const { items } = (await api.ask('GET', '/operations?phase=SKIPPED')).body
  expect(items).toMatchObject([{ id: childIds[0], type: 'restart-node', phase: 'SKIPPED' }])
  const { status } = (await api.ask('GET', '/nodes/orders-1')).body
  expect(status.conditions).toMatchObject([{ type: 'LastOperationSkipped', status: true }])
})

test.each([
  ['no child', {}, '/children'],
  ['an empty list', { children: [] }, '/children'],
  ['what is no id', { children: ['orders-1'] }, '/children/0'],
])('with %s is refused by its place', async (_name, body, pointer) => {
  const answer = await api.ask('POST', `/operations/${id}/skip`, { body })

  expect([answer.status, answer.body.code]).toEqual([422, 'validation-failed'])
  expect(answer.body.errors).toMatchObject([{ pointer }])
})

test('with one child twice, or more than one request takes, is refused', async () => {
  const [child = ''] = childIds
  for (const children of [
    [child, child],
    Array.from({ length: 21 }, (_none, at) => newId('operation', at)),
  ]) {
    const answer = await api.ask('POST', `/operations/${id}/skip`, { body: { children } })
    expect([answer.status, answer.body.code]).toEqual([422, 'validation-failed'])
    expect(answer.body.errors).toMatchObject([{ pointer: '/children' }])
  }
})
