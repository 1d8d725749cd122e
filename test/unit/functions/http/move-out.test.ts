/** A move out over HTTP: what it is answered with, the document of its operation, and what is refused. */
import { beforeEach, describe, expect, test } from 'vitest'
import { HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

const PATH = '/clusters/orders/move-out'

let api: HttpApi

beforeEach(async () => {
  api = new HttpApi()
  await api.scripted.running('orders', [1, 2])
})

describe('a move out', () => {
  const confirmed = { confirm: 'orders' }

  test('has a document that POST /clusters and take-over take as it is', async () => {
    const { status, body: begun, headers } = await api.ask('POST', PATH, { body: confirmed })
    expect(status).toBe(202)
    expect(begun).toMatchObject({ type: 'move-out', phase: 'PENDING' })
    expect(headers.get('location')).toBe(`/v1/operations/${begun.id}`)
    const { body: leaving } = await api.ask('GET', '/clusters/orders')
    expect(leaving.status).toMatchObject({ phase: 'MOVING_OUT', heldBy: { type: 'move-out' } })
    await api.scripted.settle()

    const { body: ended } = await api.ask('GET', `/operations/${begun.id}`)
    expect(ended).toMatchObject({
      phase: 'SUCCEEDED',
      result: { format: 'obfleet/moved-out-cluster', formatVersion: 1, configAnswersUntil: null },
    })
    expect(ended.result.movedOutAt).toBe(ended.endedAt)
    expect((await api.ask('GET', '/clusters/orders')).status).toBe(404)

    const made = await api.ask('POST', '/clusters', { body: ended.result.create })
    expect(made.status).toBe(202)
    await api.scripted.settle()
    for (const each of ended.result.takeOver) {
      const body = { ...each, ...confirmed }
      expect((await api.ask('POST', '/clusters/orders/take-over', { body })).status).toBe(202)
      await api.scripted.settle()
    }
    const { body: again } = await api.ask('GET', '/clusters/orders')
    const hosts = again.spec.nodes.map(({ host }: { host: string }) => host)
    expect(hosts.sort()).toEqual([hostId(1), hostId(2)])
    expect(again.spec.sysPasswordSecret).toBe('/obfleet/clusters/orders/proxysys')
  })

  test('is tried out with dryRun=true: nobody is cut, and nothing is written', async () => {
    const { status, body: plan } = await api.ask('POST', `${PATH}?dryRun=true`, { body: confirmed })
    expect(status).toBe(200)
    expect(plan).toMatchObject({
      type: 'move-out',
      outcome: 'operation',
      clients: { cut: 0, moved: 0 },
      rollback: { isPossible: false },
    })
    expect(plan.procedures.items[0].steps.map(({ name }: { name: string }) => name)).toEqual([
      'release',
      'forget',
    ])
    expect(api.scripted.held()).toEqual([])
  })

  test('that was there already has nothing to do; its audit says who moved it out', async () => {
    await api.ask('POST', PATH, { body: confirmed })
    await api.scripted.settle()
    const again = await api.ask('POST', PATH, { body: confirmed })
    expect([again.status, again.body]).toEqual([204, undefined])
    const { body: audit } = await api.ask('GET', '/audit-events?action=move-out')
    expect(audit.items).toHaveLength(2)
    expect(audit.items[1]).toMatchObject({ actor: 'user:local', action: 'move-out' })
  })

  test('of the same key is the same operation', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await api.ask('POST', PATH, { body: confirmed, headers })
    await api.scripted.settle()
    const second = await api.ask('POST', PATH, { body: confirmed, headers })
    expect([second.status, second.body.id]).toEqual([202, first.body.id])
  })

  test.each([
    ['without the name', {}, 422, 'confirmation-required'],
    ['with another name', { confirm: 'other' }, 422, 'confirmation-required'],
    [
      'that skips a node that runs',
      { ...confirmed, skipHostWork: ['orders-1'] },
      409,
      'node-state-conflict',
    ],
    ['with a grace of no use', { ...confirmed, graceDays: 31 }, 422, 'validation-failed'],
    ['that is to remove hosts', { ...confirmed, removeHosts: true }, 422, 'validation-failed'],
  ])('%s is refused', async (_name, body, status, code) => {
    const answer = await api.ask('POST', PATH, { body })
    expect(answer.status).toBe(status)
    expect(answer.body.code).toBe(code)
    expect(api.scripted.held()).toEqual([])
  })

  test('of a cluster that is not there is not found', async () => {
    const answer = await api.ask('POST', '/clusters/other/move-out', { body: { confirm: 'other' } })
    expect(answer.status).toBe(404)
  })
})
