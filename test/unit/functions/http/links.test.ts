/** Links of a cluster to OB clusters over HTTP, and the tokens of its configuration. */
import { beforeEach, describe, expect, test } from 'vitest'
import { clusterInput, HttpApi } from '../../../support/http-api.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('links over HTTP', () => {
  beforeEach(async () => {
    await api.scripted.prepare()
    const spec = { workMode: 'CONFIG_URL', nodes: [] }
    await api.ask('POST', '/clusters', { body: clusterInput({}, spec) })
    await api.scripted.settle()
  })

  test('a cluster of CONFIG_URL shows what its nodes ask, without a token', async () => {
    const { body } = await api.ask('GET', '/clusters/orders')

    expect(body.spec.workMode).toBe('CONFIG_URL')
    expect(body.status.config).toEqual({
      url: 'http://config.test:8789/services?Action=GetObProxyConfig&ObproxyClusterName=orders',
      tokenSecret: '/obfleet/clusters/orders/config-token-1',
    })
    expect(JSON.stringify(body)).not.toContain('live')
  })

  test('PUT adds, makes the default, and is the same twice', async () => {
    await api.ask('PUT', '/ob-clusters/west', {
      body: { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro', obClusterId: 7 },
      headers: { 'if-none-match': '*' },
    })

    const added = await api.ask('PUT', '/clusters/orders/links/west', { body: {} })
    const again = await api.ask('PUT', '/clusters/orders/links/west', { body: {} })
    const chosen = await api.ask('PUT', '/clusters/orders/links/west', { body: { default: true } })

    expect([added.status, again.status, chosen.status]).toEqual([200, 200, 200])
    expect(again.body.revision).toBe(added.body.revision)
    expect(chosen.body.spec.links).toEqual([
      { obCluster: 'ob', default: false },
      { obCluster: 'west', default: true },
    ])
  })

  test('DELETE takes away, and what is gone is gone', async () => {
    expect((await api.ask('DELETE', '/clusters/orders/links/ob')).status).toBe(204)
    expect((await api.ask('DELETE', '/clusters/orders/links/ob')).status).toBe(204)
    expect((await api.ask('GET', '/clusters/orders')).body.spec.links).toEqual([])
  })

  test.each([
    ['PUT', '/clusters/orders/links/nowhere', {}, 404, 'not-found'],
    ['PUT', '/clusters/nobody/links/ob', {}, 404, 'not-found'],
    ['PUT', '/clusters/orders/links/ob', { more: 1 }, 422, 'validation-failed'],
    ['POST', '/clusters/orders/links/ob', {}, 405, 'method-not-allowed'],
  ])('%s %s: %o is refused', async (...row) => {
    const [method, path, body, status, code] = row
    const answer = await api.ask(method, path, { body })
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  test('tokens are made anew, and their names shown', async () => {
    const key = { 'idempotency-key': 'key-1' }
    const first = await api.ask('POST', '/clusters/orders/config-token', { headers: key })
    const replayed = await api.ask('POST', '/clusters/orders/config-token', { headers: key })
    const roots = await api.ask('POST', '/ob-clusters/ob/rootservice-token')

    expect(first.body.status.config.tokenSecret).toBe('/obfleet/clusters/orders/config-token-2')
    expect(replayed.body.status.config).toEqual(first.body.status.config)
    expect(roots.body.registration).toEqual({
      url: 'http://config.test:8789/services?Action=ObRootServiceInfo&ObRegion=ob',
      tokenSecret: '/obfleet/ob-clusters/ob/rootservice-token-1',
    })
  })
})
