/** Parameters of a cluster over HTTP: changes, what waits, history, definitions. */
import { beforeEach, describe, expect, test } from 'vitest'
import { clusterInput, HttpApi } from '../../../support/http-api.ts'
import { VERSION } from '../../../support/scripted-plane.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('parameters over HTTP', () => {
  const path = '/clusters/orders/parameters'
  const set = (name: string, value: string) => ({ set: { [name]: value } })

  const change = async (body: object, headers: Readonly<Record<string, string>> = {}) => {
    const { headers: read } = await api.ask('GET', '/clusters/orders')
    return api.ask('PATCH', path, {
      body,
      headers: { 'if-match': read.get('etag') ?? '', ...headers },
    })
  }

  beforeEach(async () => {
    await api.scripted.running('orders', [1, 2])
  })

  test('PATCH: 202 with the operation, then 200 as nothing is left to change', async () => {
    const first = await change(set('work_thread_num', '4'))
    expect(first).toMatchObject({
      status: 202,
      body: { type: 'change-parameters', progress: { waves: 2, nodesTotal: 2 } },
    })
    expect(first.headers.get('location')).toBe(`/v1/operations/${first.body.id}`)
    await api.scripted.settle()
    const again = await change(set('work_thread_num', '4'))
    expect(again).toMatchObject({
      status: 200,
      body: {
        spec: { parameters: { work_thread_num: '4' } },
        status: { nodesToRefresh: 0, pendingRestart: ['work_thread_num'] },
      },
    })
    const { body: node } = await api.ask('GET', '/nodes/orders-1')
    expect(node.status).toMatchObject({
      isBehind: false,
      report: { pendingRestart: ['work_thread_num'] },
    })
    const { body: nodes } = await api.ask('GET', '/nodes')
    expect(nodes.items.map((each: typeof node) => each.status.isBehind)).toEqual([false, false])
  })

  test('PATCH: is against a revision, and answered again by its key', async () => {
    const body = set('client_max_connections', '100')
    expect(await api.ask('PATCH', path, { body })).toMatchObject({
      status: 428,
      body: { code: 'precondition-required' },
    })
    expect(await api.ask('PATCH', path, { body, headers: { 'if-match': '"1"' } })).toMatchObject({
      status: 412,
      body: { code: 'revision-stale' },
    })
    const key = { 'idempotency-key': 'change-1' }
    const first = await change(body, key)
    const again = await change(body, key)
    expect([first.status, again.status]).toEqual([202, 202])
    expect(again.body.id).toBe(first.body.id)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await change(set('client_max_connections', '1'), key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency-key-reused' },
    })
    expect(await change(set('client_max_connections', '1'))).toMatchObject({
      status: 409,
      body: { code: 'cluster-state-conflict', conflict: { operationId: first.body.id } },
    })
  })

  test('PATCH: every wrong one by its pointer, the same as when a cluster is made', async () => {
    const parameters = { listen_port: '2883', 'a/b': '1', work_thread_num: 'many' }
    const { status, body } = await change({ set: parameters })
    expect([status, body.code]).toEqual([422, 'validation-failed'])
    expect(body.errors).toEqual([
      expect.objectContaining({ pointer: '/set/listen_port', code: 'parameter-read-only' }),
      expect.objectContaining({ pointer: '/set/a~1b', code: 'unknown-parameter' }),
      expect.objectContaining({ pointer: '/set/work_thread_num', code: 'invalid-value' }),
    ])
    const made = await api.ask('POST', '/clusters', {
      body: clusterInput({ name: 'second' }, { nodes: [], parameters }),
    })
    const codes = (errors: { code: string }[]) => errors.map(({ code }) => code)
    expect(codes(made.body.errors)).toEqual(codes(body.errors))
    expect(made.body.errors[2].pointer).toBe('/spec/parameters/work_thread_num')
  })

  test.each([
    [{ set: { a: 1 } }, '/set/a'],
    [{ restartPolicy: 'at-once' }, '/restartPolicy'],
    [{ remove: ['a'] }, '/remove'],
    [{ rollout: { maxUnavailable: 5 } }, '/rollout/maxUnavailable'],
  ])('PATCH: %j is refused', async (body, pointer) => {
    expect(await change(body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } })
  })

  test('GET: what is wanted, what waits, who is behind; searched and paged', async () => {
    await change(set('client_max_connections', '100'))
    await api.scripted.settle()
    const { body } = await api.ask('GET', `${path}?set=true`)
    expect(body).toEqual({
      items: [
        {
          name: 'client_max_connections',
          value: '100',
          isSet: true,
          default: '8192',
          type: 'int',
          range: '[0,]',
          allowed: null,
          needsRestart: false,
          takesEffect: true,
          readOnly: false,
          meaning: 'client connections per process; 0 = no limit',
          pendingRestart: [],
        },
      ],
      parameterVersion: 2,
      nodesBehind: [],
      nextCursor: null,
    })
    const first = await api.ask('GET', `${path}?search=max_connections&limit=1`)
    const cursor = encodeURIComponent(first.body.nextCursor)
    const next = await api.ask('GET', `${path}?search=max_connections&limit=1&cursor=${cursor}`)
    expect(next.body.items[0].name > first.body.items[0].name).toBe(true)
    expect((await api.ask('GET', `${path}?sort=name`)).status).toBe(422)
    expect((await api.ask('GET', '/clusters/none/parameters')).status).toBe(404)
  })

  test('GET history: the newest first, by name and time', async () => {
    await change(set('client_max_connections', '100'))
    await api.scripted.settle()
    api.scripted.clock.pass(60_000)
    const later = new Date(api.scripted.clock.now()).toISOString()
    await change({ unset: ['client_max_connections'], set: { bt_mode: 'x' } })
    await api.scripted.settle()
    const { body } = await api.ask('GET', `${path}/history`)
    expect(body).toMatchObject({
      items: [
        {
          actor: 'user:local',
          at: later,
          isReturn: false,
          changes: [
            { name: 'bt_mode', before: null, after: 'x' },
            { name: 'client_max_connections', before: '100', after: null },
          ],
        },
        { changes: [{ name: 'client_max_connections', before: null, after: '100' }] },
      ],
      nextCursor: null,
    })
    const count = async (query: string) =>
      (await api.ask('GET', `${path}/history?${query}`)).body.items.length
    expect(await count('name=bt_mode')).toBe(1)
    expect(await count(`from=${later}`)).toBe(1)
    expect(await count(`to=${later}`)).toBe(2)
    expect((await api.ask('GET', `${path}/history?from=yesterday`)).status).toBe(422)
  })

  test('definitions are the same for every cluster', async () => {
    const { body } = await api.ask('GET', '/parameter-definitions?search=server_routing_mode')
    expect(body).toMatchObject({
      items: [{ name: 'server_routing_mode', allowed: expect.arrayContaining(['oceanbase']) }],
      version: VERSION,
      definedFor: VERSION,
    })
    const other = await api.ask('GET', '/parameter-definitions?version=3.2.1&limit=1')
    expect(other.body).toMatchObject({ version: '3.2.1', definedFor: VERSION })
    expect((await api.ask('GET', '/parameter-definitions?version=new')).status).toBe(422)
  })
})
