/** What a wrong request is told: problem documents of RFC 9457 with codes and pointers. */
import { beforeEach, describe, expect, test } from 'vitest'
import { HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('problems', () => {
  test('have their own media type, a code, the request id and no more', async () => {
    const { status, type, body, headers } = await api.ask('GET', '/clusters/none', {
      headers: { 'x-request-id': 'mine-7' },
    })
    expect(status).toBe(404)
    expect(type).toBe('application/problem+json')
    expect(body).toEqual({
      type: 'urn:obfleet:problem:not-found',
      title: 'No such resource',
      status: 404,
      detail: 'there is no cluster none',
      instance: '/v1/clusters/none',
      code: 'not-found',
      retryable: false,
      requestId: 'mine-7',
    })
    expect(headers.get('x-request-id')).toBe('mine-7')
  })

  test('a request id that could break a log line is replaced', async () => {
    const { headers } = await api.ask('GET', '/clusters', { headers: { 'x-request-id': 'a b"c' } })
    expect(headers.get('x-request-id')).toBe('request-1')
  })

  test('every wrong place has its pointer', async () => {
    const { status, body } = await api.ask('POST', '/clusters', {
      body: {
        name: '9x',
        colour: 'red',
        tags: { a: 1 },
        spec: {
          workMode: 'RS',
          version: 'x',
          ports: { sql: 80 },
          nodes: [{ host: hostId(1) }, { host: 'h', role: 1 }],
          install: { path: '/a/../b' },
        },
      },
    })
    expect(status).toBe(422)
    expect(body.code).toBe('validation-failed')
    const found = body.errors.map((each: { pointer: string; code: string }) => [
      each.pointer,
      each.code,
    ])
    expect(found).toEqual(
      expect.arrayContaining([
        ['/name', 'invalid-format'],
        ['/colour', 'unknown-field'],
        ['/tags/a', 'invalid-type'],
        ['/spec/workMode', 'invalid-value'],
        ['/spec/version', 'invalid-format'],
        ['/spec/ports/sql', 'too-small'],
        ['/spec/nodes/1/host', 'invalid-format'],
        ['/spec/nodes/1/role', 'unknown-field'],
        ['/spec/install/path', 'custom'],
        ['/spec/links', 'required'],
      ]),
    )
  })

  test('a field that is missing is required, whatever its type', async () => {
    const { body } = await api.ask('POST', '/clusters', { body: { spec: { links: [{}] } } })
    const codes = new Map(
      body.errors.map((each: { pointer: string; code: string }) => [each.pointer, each.code]),
    )
    for (const pointer of ['/name', '/spec/workMode', '/spec/version', '/spec/links/0/obCluster'])
      expect([pointer, codes.get(pointer)]).toEqual([pointer, 'required'])
  })

  test('an empty body is none, also when it claims a type', async () => {
    await api.scripted.running('orders', [1])
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const headers = { 'content-type': type, 'content-length': '0' }
      const { status } = await api.ask('POST', '/clusters/orders/start', { raw: '', headers })
      expect([type, status]).toEqual([type, 200])
    }
    const { body } = await api.ask('POST', '/clusters', { raw: '' })
    expect([body.code, body.errors[0].code]).toEqual(['validation-failed', 'required'])
  })

  test.each([
    { what: 'not JSON', raw: '{"name":', code: 'malformed-request' },
    { what: 'an array', raw: '[]', code: 'validation-failed' },
    { what: 'null', raw: 'null', code: 'validation-failed' },
    { what: 'a form', raw: 'a=b', type: 'text/plain', code: 'unsupported-media-type' },
    { what: 'too much', raw: `"${'x'.repeat(300_000)}"`, code: 'body-too-large' },
    { what: 'another method', method: 'PATCH', code: 'method-not-allowed' },
  ])('$what: $code', async ({ raw, code, type, method = 'POST' }) => {
    const answer = await api.ask(method, '/clusters', {
      ...(raw === undefined ? {} : { raw }),
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    })
    expect(answer.body.code).toBe(code)
    expect(answer.body.status).toBe(answer.status)
    expect(answer.type).toBe('application/problem+json')
  })

  test('405 says which methods there are', async () => {
    const { headers } = await api.ask('PUT', '/clusters')
    expect(headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'POST'])
  })

  test.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'cursor=%21',
    'cursor=AAAA',
    'colour=red',
    'dryRun=true',
  ])('a query of %s is refused', async query => {
    const { status, body } = await api.ask('GET', `/clusters?${query}`)
    expect([status, body.code]).toEqual([422, 'validation-failed'])
    expect(body.errors[0].pointer).toBe(`/${query.split('=')[0]}`)
  })

  test('what nobody expected is an error of ours, api.logged, not told', async () => {
    api.scripted.store.clusterNames = async () => {
      throw new Error('secret detail')
    }
    const { status, body } = await api.ask('GET', '/clusters')
    expect([status, body.code]).toEqual([500, 'internal-error'])
    expect(JSON.stringify(body)).not.toContain('secret detail')
    expect(JSON.stringify(api.logged)).toContain('secret detail')
  })
})
