/** A load balancer of a cluster over HTTP, and nodes that go out of it and in again. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { BalancerSpec } from '../../../../functions/domain/load-balancer.ts'
import { clusterInput, HttpApi } from '../../../support/http-api.ts'
import { GROUP_ARN } from '../../../support/scripted-balancer.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('a load balancer over HTTP', () => {
  const group: BalancerSpec = {
    kind: 'target-group',
    targetGroupArn: GROUP_ARN,
    targetBy: 'instance',
  }
  const at = '/clusters/orders/load-balancer'

  const done = async ({ body }: Awaited<ReturnType<HttpApi['ask']>>) =>
    api.scripted.ended((body as { id: string }).id)

  test('is given, shown with its members, and taken away', async () => {
    await api.scripted.running('orders', [1])
    expect((await api.ask('GET', at)).status).toBe(404)
    const given = await api.ask('PUT', at, { body: group })
    expect(given).toMatchObject({ status: 202, body: { type: 'attach-balancer' } })
    await done(given)
    expect((await api.ask('PUT', at, { body: group })).status).toBe(200)
    const shown = await api.ask('GET', at)
    expect(shown.body).toMatchObject({
      spec: group,
      members: [{ id: hostId(1), port: 2883, state: 'healthy', node: { name: 'orders-1' } }],
      absent: [],
      operatorSteps: [],
    })
    const { body } = await api.ask('GET', '/clusters/orders')
    expect(body.spec.loadBalancer).toEqual(group)
    await done(await api.ask('DELETE', at))
    expect((await api.ask('DELETE', at)).status).toBe(204)
    expect((await api.ask('GET', '/clusters/orders')).body.spec.loadBalancer).toBeNull()
  })

  test('comes with a new cluster', async () => {
    await api.scripted.prepare()
    const made = await api.ask('POST', '/clusters', {
      body: clusterInput({}, { loadBalancer: group }),
    })
    await done(made)
    expect((await api.ask('GET', at)).body.members).toHaveLength(1)
  })

  test('of somebody else says what is left to do by hand', async () => {
    await api.scripted.running('orders', [1])
    expect((await api.ask('PUT', at, { body: { kind: 'external' } })).status).toBe(200)
    const { body } = await api.ask('GET', at)
    expect(body.operatorSteps).toHaveLength(2)
    const out = await api.ask('POST', '/nodes/orders-1/offline', { body: {} })
    expect(out).toMatchObject({ status: 422, body: { code: 'operation-not-allowed' } })
  })

  test.each([
    ['no kind', {}],
    ['a classic load balancer', { ...group, targetGroupArn: 'arn:aws:elb:a' }],
    ['another way to name targets', { ...group, targetBy: 'lambda' }],
    ['a field that nobody knows', { ...group, weight: 1 }],
    ['an external one with a group', { ...group, kind: 'external' }],
  ])('with %s is refused', async (_name, body) => {
    await api.scripted.running('orders', [1])
    expect(await api.ask('PUT', at, { body })).toMatchObject({
      status: 422,
      body: { code: 'validation-failed' },
    })
  })

  test('that does not answer is no fault of the caller', async () => {
    await api.scripted.running('orders', [1], { loadBalancer: group })
    api.scripted.balancer.isAway = true
    expect(await api.ask('GET', at)).toMatchObject({
      status: 503,
      body: { code: 'remote-unavailable', retryable: true },
    })
  })

  test('nodes go out with a reason, and in again, one and several', async () => {
    await api.scripted.running('orders', [1, 2], { loadBalancer: group })
    const out = await api.ask('POST', '/nodes/orders-1/offline', { body: { reason: 'disk' } })
    expect(out).toMatchObject({ status: 202, body: { type: 'offline-node' } })
    await done(out)
    const { body: node } = await api.ask('GET', '/nodes/orders-1')
    expect(node.status).toMatchObject({
      status: 'RUNNING',
      offline: { operationId: out.body.id, reason: 'disk' },
    })
    expect((await api.ask('POST', '/nodes/orders-1/offline')).status).toBe(200)
    const last = await api.ask('POST', '/clusters/orders/offline', { body: {} })
    expect(last).toMatchObject({ status: 422, body: { code: 'confirmation-required' } })
    await done(await api.ask('POST', '/clusters/orders/offline', { body: { confirm: 'orders' } }))
    const some = await api.ask('POST', '/clusters/orders/online', { body: { nodes: ['orders-2'] } })
    await done(some)
    await done(await api.ask('POST', '/nodes/orders-1/online'))
    expect((await api.ask('POST', '/clusters/orders/online')).status).toBe(200)
    expect((await api.ask('GET', '/nodes/orders-1')).body.status.offline).toBeNull()
    const audited = api.scripted.store.all('audit').map(({ action }) => action)
    expect(audited).toEqual(
      expect.arrayContaining(['offline-node', 'offline', 'online', 'online-node']),
    )
  })
})
