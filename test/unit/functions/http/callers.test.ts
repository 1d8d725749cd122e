/** Who may ask over HTTP, and what an instance may report. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Principal } from '../../../../functions/domain/model.ts'
import { HttpApi, TOKEN } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('who asks', () => {
  test.each([
    ['no header', {}],
    ['another token', { authorization: 'Bearer other' }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['an empty token', { authorization: 'Bearer ' }],
  ])('%s: 401 with a challenge', async (_name, headers) => {
    const response = await api.app.request('/v1/clusters', { headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  })

  test('health and the document are open, and nothing else', async () => {
    expect((await api.app.request('/v1/health')).status).toBe(200)
    expect((await api.app.request('/v1/openapi.json')).status).toBe(200)
    expect((await api.app.request('/v1/nothing')).status).toBe(401)
  })

  test.each(['/', '/v1'])(
    'who asks at %s without a token is told where the API is described',
    async path => {
      const response = await api.app.request(path)
      expect(response.status).toBe(401)
      const { detail } = (await response.json()) as { detail: string }
      expect(detail).toContain('/v1/openapi.json')
    },
  )

  test('an instance may report, nothing else; a user may not', async () => {
    await api.scripted.running('orders', [1])
    const { id } = await api.scripted.plane.nodes.get('orders-1')
    const report = {
      schema: 1,
      nodeId: id,
      instanceId: hostId(1),
      at: 1,
      sequence: 1000,
      bootId: 'b',
      status: 'UNAVAILABLE',
      desiredState: 'RUNNING',
      pid: null,
      startedAt: null,
      version: null,
      fence: 1,
      lastOperationId: null,
      parameterVersion: null,
      parameterChecksum: null,
      linkChecksum: null,
      clientConnections: null,
    }
    const path = `/nodes/${id}/report`
    const principal: Principal = { kind: 'instance', instanceId: hostId(1) }
    const other: Principal = { kind: 'instance', instanceId: hostId(2) }
    expect((await api.ask('POST', path, { body: report })).status).toBe(403)
    expect((await api.ask('POST', path, { body: report, principal: other })).status).toBe(403)
    expect((await api.ask('GET', '/clusters', { principal })).status).toBe(403)
    expect((await api.ask('POST', path, { body: report, principal })).status).toBe(204)
    const late = { ...report, sequence: 999, status: 'RUNNING' }
    expect((await api.ask('POST', path, { body: late, principal })).status).toBe(204)
    const { body } = await api.ask('GET', '/nodes/orders-1')
    expect(body.status).toMatchObject({ status: 'UNAVAILABLE', report: { sequence: 1000 } })
  })
})
