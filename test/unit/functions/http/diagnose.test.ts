/** A diagnosis over HTTP: how it is asked for, shown, and sent in by a node. */
import { beforeEach, describe, expect, test } from 'vitest'
import { diagnosisOf } from '../../../support/diagnosis-document.ts'
import { HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(async () => {
  api = new HttpApi()
  await api.scripted.running('orders', [1, 2])
})

describe('a diagnosis', () => {
  test.each([
    ['/clusters/orders/diagnose', 'diagnose', 2],
    ['/nodes/orders-1/diagnose', 'diagnose-node', 1],
  ])('is asked for at %s; its operation has the result', async (path, type, count) => {
    const { status, body: begun } = await api.ask('POST', path, { body: {} })
    expect(status).toBe(202)
    expect(begun).toMatchObject({ type, phase: 'PENDING' })
    await api.scripted.settle()
    const { body: ended } = await api.ask('GET', `/operations/${begun.id}`)
    expect(ended.result.diagnoses).toHaveLength(count)
    expect(ended.result.diagnoses[0]).toMatchObject({
      name: 'orders-1',
      worst: 'ok',
      at: '2026-11-24T10:00:00.000Z',
      error: null,
    })
    expect(ended).not.toHaveProperty('look')
    const { body: audit } = await api.ask('GET', '/audit-events')
    expect(audit.items[0]).toMatchObject({ action: type, operationId: begun.id })
  })

  test('of an unknown node of the cluster is not valid', async () => {
    const { status } = await api.ask('POST', '/clusters/orders/diagnose', {
      body: { nodes: ['orders-9'] },
    })
    expect(status).toBe(422)
  })

  test('is sent in by the instance, and by no user', async () => {
    api.scripted.fleet.host(1).behaviour = 'slow'
    const { body: begun } = await api.ask('POST', '/nodes/orders-1/diagnose', { body: {} })
    const { body: node } = await api.ask('GET', '/nodes/orders-1')
    const of = { nodeId: node.id, instanceId: hostId(1), operationId: begun.id }
    const path = `/nodes/${node.id}/diagnosis`
    const principal = { kind: 'instance', instanceId: hostId(1) } as const
    expect((await api.ask('POST', path, { body: diagnosisOf(of) })).status).toBe(403)
    expect((await api.ask('POST', path, { body: diagnosisOf(of), principal })).status).toBe(204)
    const wrong = { ...diagnosisOf(of), findings: [{ id: 'strange' }] }
    expect((await api.ask('POST', path, { body: wrong, principal })).status).toBe(422)
  })
})
