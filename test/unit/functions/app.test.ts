/** The API's conventions over HTTP: the real app and plane, on memory and a scripted fleet. */
import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../../../functions/app.ts'
import type { BalancerSpec } from '../../../functions/domain/load-balancer.ts'
import type { Principal } from '../../../functions/domain/model.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ScriptedPlane, VERSION } from '../../support/scripted-plane.ts'

const TOKEN = 'test-token'

let all: ScriptedPlane
let app: ReturnType<typeof createApp>
let logged: object[]
let keys = 0

beforeEach(() => {
  all = new ScriptedPlane(3)
  logged = []
  app = createApp({
    plane: all.plane,
    tokenSha256: createHash('sha256').update(TOKEN).digest('hex'),
    newRequestId: () => 'request-1',
    log: line => logged.push(line),
  })
})

type Asked = {
  readonly body?: unknown
  readonly raw?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly principal?: Principal
}

async function ask(method: string, path: string, { body, raw, headers, principal }: Asked = {}) {
  keys += 1
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const sent = {
    authorization: `Bearer ${TOKEN}`,
    'idempotency-key': `key-${keys}`,
    ...(text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(text.length) }),
    ...headers,
  }
  const response = await app.request(
    `/v1${path}`,
    {
      method,
      // An empty one is left out.
      headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== '')),
      ...(text === undefined ? {} : { body: text }),
    },
    principal === undefined ? {} : { principal },
  )
  const answer = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    type: response.headers.get('content-type'),
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
    body: (answer === '' ? undefined : JSON.parse(answer)) as any,
  }
}

const input = (more: object = {}, spec: object = {}) => ({
  name: 'orders',
  ...more,
  spec: {
    workMode: 'RS_LIST',
    version: VERSION,
    nodes: [{ host: hostId(1) }],
    links: [{ obCluster: 'ob' }],
    ...spec,
  },
})

describe('who asks', () => {
  test.each([
    ['no header', {}],
    ['another token', { authorization: 'Bearer other' }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['an empty token', { authorization: 'Bearer ' }],
  ])('%s: 401 with a challenge', async (_name, headers) => {
    const response = await app.request('/v1/clusters', { headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  })

  test('health and the document are open, and nothing else', async () => {
    expect((await app.request('/v1/health')).status).toBe(200)
    expect((await app.request('/v1/openapi.json')).status).toBe(200)
    expect((await app.request('/v1/nothing')).status).toBe(401)
  })

  test.each(['/', '/v1'])(
    'who asks at %s without a token is told where the API is described',
    async path => {
      const response = await app.request(path)
      expect(response.status).toBe(401)
      const { detail } = (await response.json()) as { detail: string }
      expect(detail).toContain('/v1/openapi.json')
    },
  )

  test('an instance may report, nothing else; a user may not', async () => {
    await all.running('orders', [1])
    const { id } = await all.plane.nodes.get('orders-1')
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
    expect((await ask('POST', path, { body: report })).status).toBe(403)
    expect((await ask('POST', path, { body: report, principal: other })).status).toBe(403)
    expect((await ask('GET', '/clusters', { principal })).status).toBe(403)
    expect((await ask('POST', path, { body: report, principal })).status).toBe(204)
    const late = { ...report, sequence: 999, status: 'RUNNING' }
    expect((await ask('POST', path, { body: late, principal })).status).toBe(204)
    const { body } = await ask('GET', '/nodes/orders-1')
    expect(body.status).toMatchObject({ status: 'UNAVAILABLE', report: { sequence: 1000 } })
  })
})

describe('problems', () => {
  test('have their own media type, a code, the request id and no more', async () => {
    const { status, type, body, headers } = await ask('GET', '/clusters/none', {
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
    const { headers } = await ask('GET', '/clusters', { headers: { 'x-request-id': 'a b"c' } })
    expect(headers.get('x-request-id')).toBe('request-1')
  })

  test('every wrong place has its pointer', async () => {
    const { status, body } = await ask('POST', '/clusters', {
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
    const { body } = await ask('POST', '/clusters', { body: { spec: { links: [{}] } } })
    const codes = new Map(
      body.errors.map((each: { pointer: string; code: string }) => [each.pointer, each.code]),
    )
    for (const pointer of ['/name', '/spec/workMode', '/spec/version', '/spec/links/0/obCluster'])
      expect([pointer, codes.get(pointer)]).toEqual([pointer, 'required'])
  })

  test('an empty body is none, also when it claims a type', async () => {
    await all.running('orders', [1])
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const headers = { 'content-type': type, 'content-length': '0' }
      const { status } = await ask('POST', '/clusters/orders/start', { raw: '', headers })
      expect([type, status]).toEqual([type, 200])
    }
    const { body } = await ask('POST', '/clusters', { raw: '' })
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
    const answer = await ask(method, '/clusters', {
      ...(raw === undefined ? {} : { raw }),
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    })
    expect(answer.body.code).toBe(code)
    expect(answer.body.status).toBe(answer.status)
    expect(answer.type).toBe('application/problem+json')
  })

  test('405 says which methods there are', async () => {
    const { headers } = await ask('PUT', '/clusters')
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
    const { status, body } = await ask('GET', `/clusters?${query}`)
    expect([status, body.code]).toEqual([422, 'validation-failed'])
    expect(body.errors[0].pointer).toBe(`/${query.split('=')[0]}`)
  })

  test('what nobody expected is an error of ours, logged, not told', async () => {
    all.store.clusterNames = async () => {
      throw new Error('secret detail')
    }
    const { status, body } = await ask('GET', '/clusters')
    expect([status, body.code]).toEqual([500, 'internal-error'])
    expect(JSON.stringify(body)).not.toContain('secret detail')
    expect(JSON.stringify(logged)).toContain('secret detail')
  })
})

describe('a cluster over HTTP', () => {
  beforeEach(() => all.prepare())

  test('202 with the operation and where it is; then the same shape as it was given', async () => {
    const { status, body, headers } = await ask('POST', '/clusters', {
      body: input({ tags: { env: 'test' } }, { nodes: [{ host: hostId(1), idc: 'z1' }] }),
    })
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/operations/${body.id}`)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(body).toMatchObject({ type: 'create-cluster', phase: 'PENDING', actor: 'user:local' })
    await all.settle()
    const read = await ask('GET', '/clusters/orders')
    expect(read.body).toMatchObject({
      name: 'orders',
      generation: 1,
      tags: { env: 'test' },
      spec: {
        ...input().spec,
        nodes: [{ host: hostId(1), idc: 'z1', desiredState: 'RUNNING' }],
        links: [{ obCluster: 'ob', default: true }],
        ports: { sql: 2883, exporter: 2884 },
        install: { path: '/home/admin/obproxy' },
        deletionProtection: false,
      },
      status: { phase: 'RUNNING', observedGeneration: 1, nodeCount: 1, heldBy: null },
    })
    expect(Date.parse(read.body.createdAt)).toBeGreaterThan(0)
    expect((await ask('GET', `/clusters/${read.body.id}`)).body).toEqual(read.body)
  })

  test.each([
    [
      'a link twice',
      { workMode: 'CONFIG_URL', links: [{ obCluster: 'ob' }, { obCluster: 'ob' }] },
      'validation-failed',
      '/spec/links/1/obCluster',
    ],
    [
      'no such OB cluster',
      { links: [{ obCluster: 'no' }] },
      'validation-failed',
      '/spec/links/0/obCluster',
    ],
    ['no such package', { version: '1.2.3.4-5' }, 'validation-failed', '/spec/version'],
    [
      'two links',
      { links: [{ obCluster: 'ob' }, { obCluster: 'ob' }] },
      'validation-failed',
      '/spec/links',
    ],
    [
      'an unknown parameter',
      { parameters: { nosuch: '1' } },
      'validation-failed',
      '/spec/parameters/nosuch',
    ],
    [
      'a password as parameter',
      { parameters: { obproxy_sys_password: 'x' } },
      'validation-failed',
      '/spec/parameters/obproxy_sys_password',
    ],
    [
      'one port for both',
      { ports: { sql: 2883, exporter: 2883 } },
      'validation-failed',
      '/spec/ports/exporter',
    ],
    [
      'an unknown host',
      { nodes: [{ host: hostId(77) }] },
      'validation-failed',
      '/spec/nodes/0/host',
    ],
    [
      'a host twice',
      { nodes: [{ host: hostId(1) }, { host: hostId(1) }] },
      'validation-failed',
      '/spec/nodes/1/host',
    ],
  ])('%s: 422 with a pointer, nothing is stored', async (_name, spec, code, pointer) => {
    const { status, body } = await ask('POST', '/clusters', { body: input({}, spec) })
    expect([status, body.code]).toEqual([422, code])
    expect(body.errors.map((each: { pointer: string }) => each.pointer)).toContain(pointer)
    expect(all.store.all('cluster')).toEqual([])
    expect(all.store.all('operation')).toEqual([])
  })

  test('an idempotency key is required, replayed, and not for another body', async () => {
    const none = await ask('POST', '/clusters', {
      body: input(),
      headers: { 'idempotency-key': '' },
    })
    expect(none.status).toBe(400)
    const headers = { 'idempotency-key': 'k' }
    const first = await ask('POST', '/clusters', { body: input(), headers })
    const { spec, name } = input()
    const again = await ask('POST', '/clusters', { body: { spec, name }, headers })
    expect(again.status).toBe(202)
    expect(again.body.id).toBe(first.body.id)
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const other = await ask('POST', '/clusters', { body: input({ name: 'other' }), headers })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
    await all.settle()
    expect((await ask('POST', '/clusters', { body: input(), headers })).body.phase).toBe(
      'SUCCEEDED',
    )
    all.clock.pass(25 * 3_600_000)
    const later = await ask('POST', '/clusters', { body: input(), headers })
    expect([later.status, later.body.code]).toEqual([409, 'name-taken'])
  })

  test('twenty requests with one key make one cluster', async () => {
    const headers = { 'idempotency-key': 'once' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask('POST', '/clusters', { body: input(), headers })),
    )
    expect(new Set(answers.map(each => each.status))).toEqual(new Set([202]))
    expect(new Set(answers.map(each => each.body.id)).size).toBe(1)
    expect(all.store.all('cluster')).toHaveLength(1)
  })

  test.each([
    ['creation', '/clusters', input()],
    ['operation on a cluster', '/clusters/there/restart', { mode: 'force' }],
    ['operation on a node', '/nodes/there-1/restart', { mode: 'force' }],
  ])(
    'one key eight times at once is one %s, however late a store answers',
    async (...[, path, body]) => {
      await all.running('there', [2])
      // All have read that the key is new; seven go on when the eighth is accepted already.
      const { store } = all
      const [get, commit] = [store.get.bind(store), store.commit.bind(store)]
      let accept = () => {}
      const accepted = new Promise<void>(done => {
        accept = done
      })
      let asked = 0
      store.get = async (kind, key) => {
        const record = await get(kind, key)
        if (kind === 'request' && asked++ > 0) await accepted
        return record
      }
      store.commit = changes => commit(changes).then(accept)

      const headers = { 'idempotency-key': 'once' }
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => ask('POST', path, { body, headers })),
      )

      expect(answers.map(each => each.status)).toEqual(Array(8).fill(202))
      expect(new Set(answers.map(each => each.body.id)).size).toBe(1)
      const replayed = answers.filter(each => each.headers.get('idempotency-replayed') === 'true')
      expect(replayed).toHaveLength(7)
    },
  )

  test('a key that is used for another request meanwhile is told apart', async () => {
    await all.running('there', [2])
    const { store } = all
    const get = store.get.bind(store)
    const headers = { 'idempotency-key': 'once' }
    const path = '/clusters/there/restart'
    let isFirst = true
    store.get = async (kind, key) => {
      const record = await get(kind, key)
      if (kind !== 'request' || !isFirst) return record
      isFirst = false
      expect((await ask('POST', path, { body: { mode: 'force' }, headers })).status).toBe(202)
      return record
    }

    const { status, body } = await ask('POST', path, { body: { mode: 'auto' }, headers })

    expect([status, body.code]).toEqual([422, 'idempotency-key-reused'])
  })

  test('ETags: 304 while nothing changes, 428 and 412 for DELETE', async () => {
    await ask('POST', '/clusters', { body: input() })
    await all.settle()
    const { headers, body } = await ask('GET', '/clusters/orders')
    const etag = headers.get('etag') ?? ''
    const same = await ask('GET', '/clusters/orders', { headers: { 'if-none-match': etag } })
    expect(same.status).toBe(304)
    all.clock.pass(200_000)
    const stale = await ask('GET', '/clusters/orders', { headers: { 'if-none-match': etag } })
    expect(stale.status).toBe(200)
    expect(stale.body.status.phase).toBe('DEGRADED')
    const path = '/clusters/orders?confirm=orders'
    const code = async (headers2: Record<string, string>, at = path) =>
      (await ask('DELETE', at, { headers: headers2 })).body?.code
    expect(await code({})).toBe('precondition-required')
    expect(await code({ 'if-match': '"0"' })).toBe('revision-stale')
    expect(await code({ 'if-match': 'W/"1"' })).toBe('malformed-request')
    expect(await code({ 'if-match': etag }, '/clusters/orders')).toBe('confirmation-required')
    expect(await code({ 'if-match': etag }, `${path}&mode=release`)).toBe('validation-failed')
    const gone = await ask('DELETE', path, { headers: { 'if-match': `"${body.revision}"` } })
    expect(gone.status).toBe(202)
    await all.settle()
    expect((await ask('GET', '/clusters/orders')).status).toBe(404)
  })

  test('a protected cluster stays', async () => {
    await ask('POST', '/clusters', { body: input({}, { deletionProtection: true }) })
    await all.settle()
    const { status, body } = await ask('DELETE', '/clusters/orders?confirm=orders', {
      headers: { 'if-match': '*' },
    })
    expect([status, body.code]).toEqual([409, 'deletion-protected'])
  })

  test('start, stop, restart: 200 when it is so already, 409 names the holder', async () => {
    await ask('POST', '/clusters', { body: input() })
    const busy = await ask('POST', '/clusters/orders/stop')
    expect([busy.status, busy.body.code]).toEqual([409, 'cluster-state-conflict'])
    expect(busy.body.conflict).toMatchObject({ holder: 'create-cluster' })
    await all.settle()
    expect((await ask('POST', '/clusters/orders/start', { body: {} })).status).toBe(200)
    const none = await ask('POST', '/clusters/orders/stop', { body: { nodes: ['orders-9'] } })
    expect(none.body.errors[0].pointer).toBe('/nodes/0')
    expect(
      (await ask('POST', '/clusters/orders/stop', { body: { nodes: ['orders-1'] } })).status,
    ).toBe(202)
    await all.settle()
    expect((await ask('GET', '/nodes/orders-1')).body.status.status).toBe('STOPPED')
    const hot = await ask('POST', '/clusters/orders/restart', { body: { mode: 'hot' } })
    expect([hot.status, hot.body.code]).toEqual([409, 'node-state-conflict'])
    expect((await ask('POST', '/nodes/orders-1/start')).status).toBe(202)
  })

  test('cancel and retry need a key, and are answered again by it', async () => {
    const { body } = await ask('POST', '/clusters', { body: input() })
    for (const act of ['cancel', 'retry']) {
      const path = `/operations/${body.id}/${act}`
      const none = await ask('POST', path, { headers: { 'idempotency-key': '' } })
      expect([none.status, none.body.code]).toEqual([400, 'idempotency-key-required'])
    }
    const path = `/operations/${body.id}/cancel`
    const headers = { 'idempotency-key': 'enough' }
    const first = await ask('POST', path, { headers })
    expect([first.status, first.body.phase]).toEqual([202, 'CANCELLING'])
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    await all.settle()

    const again = await ask('POST', path, { headers })

    expect([again.status, again.body.phase]).toEqual([202, 'CANCELLED'])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const audited = all.store.all('audit').filter(({ action }) => action === 'cancel')
    expect(audited).toMatchObject([{ target: body.target.id, operationId: body.id }])
  })

  describe('what takes no body or no query', () => {
    const actions = [
      '/nodes/orders-1/start',
      '/nodes/orders-1/stop',
      '/nodes/orders-1/restart',
      '/clusters/orders/start',
      '/clusters/orders/stop',
      '/clusters/orders/restart',
      '/operations/{id}/cancel',
      '/operations/{id}/retry',
    ]
    let id: string

    beforeEach(async () => {
      const { body } = await ask('POST', '/clusters', { body: input() })
      id = body.id
      await all.settle()
    })

    test.each(actions)('POST %s refuses either, and does nothing', async action => {
      const path = action.replace('{id}', id)
      const operations = all.store.all('operation').length

      const body = await ask('POST', path, { body: { x: 1 } })
      const query = await ask('POST', `${path}?x=1`)

      for (const answer of [body, query]) {
        expect([answer.status, answer.body.code]).toEqual([422, 'validation-failed'])
        expect(answer.body.errors).toMatchObject([{ pointer: '/x', code: 'unknown-field' }])
      }
      expect(all.store.all('operation')).toHaveLength(operations)
    })

    test.each([
      ['POST', '/clusters', input({ name: 'other' })],
      ['POST', '/clusters/orders/nodes', { nodes: [{ host: hostId(2) }] }],
      ['PUT', '/ob-clusters/ob', { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro' }],
      [
        'POST',
        '/packages',
        { fileName: 'x', sha256: 'b'.repeat(64), sizeBytes: 1, url: 'spool:x' },
      ],
    ])('%s %s refuses a query', async (method, path, body) => {
      const { status, body: answer } = await ask(method, `${path}?dryRun=true`, { body })
      expect([status, answer.code]).toEqual([422, 'validation-failed'])
      expect(answer.errors[0].pointer).toBe('/dryRun')
    })

    test('a key of a request without a body is not for one with a body', async () => {
      const headers = { 'idempotency-key': 'bare' }
      const bare = await ask('POST', '/nodes/orders-1/stop', { headers })
      expect(bare.status).toBe(202)
      const same = await ask('POST', '/nodes/orders-1/stop', { headers, body: {} })
      expect(same.body.id).toBe(bare.body.id)
      const wrong = await ask('POST', '/nodes/orders-1/stop', { headers, body: { x: 1 } })
      expect(wrong.status).toBe(422)
      await all.settle()
    })

    test('a type without a body is no body', async () => {
      const headers = { 'content-type': 'application/json' }
      for (const path of ['/nodes/orders-1/restart', '/nodes/orders-1/stop']) {
        expect((await ask('POST', path, { headers })).status, path).toBe(202)
        await all.settle()
      }
    })
  })

  test('operations: list with filters, steps, long poll', async () => {
    const { body } = await ask('POST', '/clusters', { body: input() })
    await all.settle()
    const listed = await ask('GET', '/operations?type=create-cluster&phase=SUCCEEDED&target=orders')
    expect(listed.body.items.map((each: { id: string }) => each.id)).toEqual([body.id])
    expect((await ask('GET', '/operations?phase=FAILED')).body.items).toEqual([])
    const [child] = (await ask('GET', `/operations/${body.id}`)).body.childIds
    const { items } = (await ask('GET', `/operations/${child}/steps`)).body
    expect(items.map((each: { name: string; phase: string }) => [each.name, each.phase])).toEqual(
      ['reserve', 'install', 'start', 'verify', 'finish'].map(name => [name, 'SUCCEEDED']),
    )
    expect(items[1].commandId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await ask('GET', `/operations/${body.id}?wait=26s`)).status).toBe(422)
    expect((await ask('GET', `/operations/${body.id}?wait=25s`)).body.phase).toBe('SUCCEEDED')
    const { headers } = await ask('GET', `/operations/${body.id}`)
    const etag = headers.get('etag') ?? ''
    const same = await ask('GET', `/operations/${body.id}`, { headers: { 'if-none-match': etag } })
    expect(same.status).toBe(304)
    expect((await ask('GET', '/operations/op_x')).status).toBe(422)
  })

  test('pages end, and each item comes once', async () => {
    await all.running('orders', [1, 2, 3])
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 5; page++) {
      const { body } = await ask('GET', `/nodes?limit=2${cursor}`)
      seen.push(...body.items.map((each: { name: string }) => each.name))
      if (body.nextCursor === null) break
      cursor = `&cursor=${body.nextCursor}`
    }
    expect(seen.sort()).toEqual(['orders-1', 'orders-2', 'orders-3'])
    expect((await ask('GET', `/clusters?${cursor.slice(1)}`)).status).toBe(422)
    all.clock.pass(25 * 3_600_000)
    expect((await ask('GET', `/nodes?limit=2${cursor}`)).status).toBe(422)
  })
})

describe('the registry over HTTP', () => {
  const body = { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro' }

  test('an OB cluster is created, replaced by its ETag, and kept while it is linked', async () => {
    const create = { body, headers: { 'if-none-match': '*' } }
    const made = await ask('PUT', '/ob-clusters/ob2', create)
    expect([made.status, made.headers.get('location')]).toEqual([201, '/v1/ob-clusters/ob2'])
    expect((await ask('PUT', '/ob-clusters/ob2', create)).body.code).toBe('revision-stale')
    expect((await ask('PUT', '/ob-clusters/ob2', { body })).status).toBe(428)
    const etag = made.headers.get('etag') ?? ''
    const replaced = await ask('PUT', '/ob-clusters/ob2', { body, headers: { 'if-match': etag } })
    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"'])
    const late = await ask('DELETE', '/ob-clusters/ob2', { headers: { 'if-match': etag } })
    expect(late.status).toBe(412)
    expect(
      (await ask('DELETE', '/ob-clusters/ob2', { headers: { 'if-match': '"2"' } })).status,
    ).toBe(204)
    await all.running('orders', [1])
    const linked = await ask('DELETE', '/ob-clusters/ob', { headers: { 'if-match': '*' } })
    expect([linked.status, linked.body.code]).toEqual([409, 'in-use'])
  })

  test.each([
    ['rootservice', { ...body, rootservice: ['nowhere'] }, '/rootservice/0'],
    ['rootservice', { ...body, rootservice: [] }, '/rootservice'],
    [
      'a password instead of a reference',
      { ...body, proxyroSecret: 'pass word' },
      '/proxyroSecret',
    ],
    ['a password field', { ...body, password: 'x' }, '/password'],
  ])('%s that is wrong has its pointer', async (_name, wrong, pointer) => {
    const answer = await ask('PUT', '/ob-clusters/x', {
      body: wrong,
      headers: { 'if-none-match': '*' },
    })
    expect(answer.status).toBe(422)
    expect(answer.body.errors[0].pointer).toBe(pointer)
  })

  test('a key that comes again is answered as before, whatever the method', async () => {
    const again = async (method: string, path: string, asked: Asked) => {
      const first = await ask(method, path, asked)
      const second = await ask(method, path, asked)
      expect(first.headers.get('idempotency-replayed')).toBeNull()
      expect(second.headers.get('idempotency-replayed'), `${method} ${path}`).toBe('true')
      expect([second.status, second.body]).toEqual([first.status, first.body])
      return first
    }
    const put = { 'idempotency-key': 'put', 'if-none-match': '*' }
    const made = await again('PUT', '/ob-clusters/ob2', { body, headers: put })
    expect(made.status).toBe(201)
    const other = { ...body, proxyroSecret: '/other' }
    const reused = await ask('PUT', '/ob-clusters/ob2', { body: other, headers: put })
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused'])
    const etag = made.headers.get('etag') ?? ''
    const gone = { 'idempotency-key': 'delete', 'if-match': etag }
    expect((await again('DELETE', '/ob-clusters/ob2', { headers: gone })).status).toBe(204)

    await all.prepare()
    const [known] = (await ask('GET', '/packages')).body.items
    const drop = { headers: { 'idempotency-key': 'drop' } }
    expect((await again('DELETE', `/packages/${known.id}`, drop)).status).toBe(204)
    const audited = all.store.all('audit').map(({ action }) => action)
    expect(audited.filter(action => action.startsWith('delete-'))).toHaveLength(2)
  })

  test('a package is registered once, listed, kept while a cluster is of it', async () => {
    await all.running('orders', [1])
    const [known] = (await ask('GET', '/packages')).body.items
    expect(known).toMatchObject({ version: VERSION, os: 'linux', arch: 'x86_64' })
    const again = await ask('POST', '/packages', {
      body: { fileName: known.fileName, sha256: 'b'.repeat(64), sizeBytes: 1, url: 'spool:x' },
    })
    expect(again.body.code).toBe('name-taken')
    const wrong = await ask('POST', '/packages', {
      body: { fileName: 'x.tar.gz', sha256: 'b'.repeat(64), sizeBytes: 1, url: 'http://x/y' },
    })
    expect(wrong.body.errors.map((each: { pointer: string }) => each.pointer)).toEqual(['/url'])
    expect((await ask('DELETE', `/packages/${known.id}`)).body.code).toBe('in-use')
    expect((await ask('GET', `/packages/${known.id}`)).body).toEqual(known)
  })

  test('hosts say which node they carry', async () => {
    await all.running('orders', [2])
    const { items } = (await ask('GET', '/hosts')).body
    const nodes = items.map((each: { nodeId: string | null }) => each.nodeId !== null)
    expect(nodes).toEqual([false, true, false])
    expect((await ask('GET', `/hosts/${hostId(2)}`)).body).toMatchObject({ pingStatus: 'Online' })
    expect((await ask('GET', `/hosts/${hostId(9)}`)).status).toBe(404)
  })
})

describe('a take-over', () => {
  const path = '/clusters/orders/take-over'
  const body = { hosts: [{ host: hostId(2), sqlPort: 2883, sysPasswordSecret: '/old/proxysys' }] }

  test('is checked with dryRun=true; its operation has the findings, its steps no secret', async () => {
    await all.running('orders', [1])
    const { status, body: begun, headers } = await ask('POST', `${path}?dryRun=true`, { body })
    expect(status).toBe(202)
    expect(begun).toMatchObject({ type: 'precheck-take-over', phase: 'PENDING' })
    expect(headers.get('location')).toBe(`/v1/operations/${begun.id}`)
    expect(begun).not.toHaveProperty('result')
    await all.settle()

    const { body: ended } = await ask('GET', `/operations/${begun.id}`)
    expect(ended).toMatchObject({ phase: 'SUCCEEDED', result: { mayTakeOver: true } })
    expect(ended.result.hosts[0].findings).toHaveLength(13)
    expect(ended.result.hosts[0].findings[0]).toEqual({
      id: 'T1',
      ok: true,
      code: 'ok',
      detail: 'it runs 4.3.1.0-4',
      remedy: null,
    })
    const { body: child } = await ask('GET', `/operations/${ended.childIds[0]}`)
    expect(child.result).toEqual(ended.result)
    const { body: steps } = await ask('GET', `/operations/${child.id}/steps`)
    expect(steps.items.map(({ name }: { name: string }) => name)).toEqual([
      'probe',
      'judge',
      'finish',
    ])
    const { body: listed } = await ask('GET', '/operations')
    expect(listed.items[0]).not.toHaveProperty('result')
  })

  test.each(['', '?dryRun=false'])('itself (%j) is refused', async query => {
    await all.running('orders', [1])
    const { status, body: problem } = await ask('POST', `${path}${query}`, { body })
    expect(status).toBe(422)
    expect(problem).toMatchObject({
      code: 'operation-not-allowed',
      detail: 'take-over itself does not exist yet',
    })
    expect(all.fleet.probes).toEqual([])
  })

  test.each([
    ['no host', { hosts: [] }, '/hosts'],
    ['an unknown field', { ...body, confirm: 'orders' }, '/confirm'],
    [
      'a password that is no reference',
      { hosts: [{ host: 'i', sysPasswordSecret: 'secret' }] },
      '/hosts/0/sysPasswordSecret',
    ],
    ['a port that needs a privilege', { hosts: [{ host: 'i', sqlPort: 80 }] }, '/hosts/0/sqlPort'],
  ])('with %s is not valid', async (_name, wrong, pointer) => {
    await all.running('orders', [1])
    const { status, body: problem } = await ask('POST', `${path}?dryRun=true`, { body: wrong })
    expect(status).toBe(422)
    expect(problem.errors[0].pointer).toBe(pointer)
  })

  test('into a cluster that is not there is not found', async () => {
    expect((await ask('POST', '/clusters/other/take-over?dryRun=true', { body })).status).toBe(404)
  })
})

describe('the document', () => {
  test('is OpenAPI 3.1 and names every route and its answers', async () => {
    const document = (await (await app.request('/v1/openapi.json')).json()) as {
      openapi: string
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>
      components: { schemas: Record<string, unknown> }
    }
    expect(document).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/' }] })
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
    const served = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !/health|openapi/.test(path))
      .map(
        ({ method, path }) => `${method} ${path.replace(/\/$/, '').replaceAll(/:(\w+)/g, '{$1}')}`,
      )
    expect(new Set(documented)).toEqual(new Set(served))
    for (const methods of Object.values(document.paths))
      for (const { responses } of Object.values(methods))
        expect(responses).toHaveProperty('default')
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Cluster', 'Node', 'Operation', 'Problem', 'Step']),
    )
  })

  type Documented = {
    readonly method: string
    readonly path: string
    readonly operationId?: string
    readonly summary?: string
    readonly parameters?: readonly { name: string; in: string; required?: boolean }[]
    readonly responses: Readonly<Record<string, { headers?: object }>>
  }

  const documented = async (): Promise<readonly Documented[]> => {
    const { paths } = (await (await app.request('/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, Omit<Documented, 'method' | 'path'>>>
    }
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, each]) => ({
        ...each,
        method: method.toUpperCase(),
        path: path.replace('/v1', ''),
      })),
    )
  }

  /** Undefined where the document has no such header. */
  const isRequired = ({ parameters = [] }: Documented, name: string) =>
    parameters.find(each => each.in === 'header' && each.name === name)?.required

  test('every route has a name of its own and one line', async () => {
    const routes = await documented()
    expect(routes.filter(each => (each.summary ?? '') === '')).toEqual([])
    const names = routes.map(({ operationId }) => operationId)
    expect(names).not.toContain(undefined)
    expect(new Set(names).size).toBe(names.length)
  })

  test('headers that the document requires are required, and no others', async () => {
    await all.running('orders', [1])
    const { id: packageId } = (await all.plane.packages.list({ limit: 1 })).items[0] ?? { id: '' }
    const { id: operationId } = (await all.plane.operations.list({ limit: 1 }, {})).items[0] ?? {}
    const refs: Readonly<Record<string, string>> = {
      clusters: 'orders',
      nodes: 'orders-1',
      packages: packageId,
      operations: operationId ?? '',
      'ob-clusters': 'ob',
    }
    const bodies: Readonly<Record<string, object>> = {
      createCluster: input(),
      addNodes: { nodes: [{ host: hostId(2) }] },
      createPackage: {
        fileName: 'obproxy-9.9.9.9-1.linux.x86_64.tar.gz',
        sha256: '0'.repeat(64),
        sizeBytes: 1,
        url: 'spool:x',
      },
      changeParameters: { set: { client_max_connections: '100' } },
      takeOver: { hosts: [{ host: hostId(2) }] },
      upgradeCluster: { version: '4.3.2.0-1' },
      upgradeNode: { version: '4.3.2.0-1' },
      putObCluster: { rootservice: ['127.0.0.1:2881'], proxyroSecret: '/secret' },
      putLoadBalancer: { kind: 'external' },
    }
    for (const route of await documented()) {
      const { method, path, operationId: name = '' } = route
      if (method === 'GET' || name === 'reportNode') continue
      const [, resource = ''] = path.split('/')
      const at = path.replace(/\{\w+\}/, refs[resource] ?? '')
      const send = (headers: Readonly<Record<string, string>>) =>
        app.request(`/v1${at}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}`, ...headers },
          ...(bodies[name] === undefined ? {} : { body: JSON.stringify(bodies[name]) }),
        })
      const type = bodies[name] === undefined ? {} : { 'content-type': 'application/json' }
      const { code } = (await (await send(type)).json().catch(() => ({}))) as { code?: string }
      expect([name, code === 'idempotency-key-required']).toEqual([
        name,
        isRequired(route, 'Idempotency-Key') === true,
      ])
      const needsMatch = isRequired(route, 'If-Match') !== undefined
      expect([name, code === 'precondition-required']).toEqual([name, needsMatch])
    }
  })

  test('an ETag is declared where it is given, and so is If-None-Match', async () => {
    await all.running('orders', [1])
    const { id } = (await all.plane.operations.list({ limit: 1 }, {})).items[0] ?? {}
    for (const route of await documented()) {
      if (route.method !== 'GET') continue
      const refs = { clusters: 'orders', nodes: 'orders-1', operations: id, hosts: hostId(1) }
      const [, resource = ''] = route.path.split('/')
      const ref = { ...refs, 'ob-clusters': 'ob' }[resource]
      if (ref === undefined) continue
      const { headers } = await ask('GET', route.path.replace(/\{\w+\}/, ref))
      const isGiven = headers.get('etag') !== null
      const declared = Object.keys(route.responses['200']?.headers ?? {})
      expect([route.path, declared.includes('ETag')]).toEqual([route.path, isGiven])
      expect([route.path, isRequired(route, 'If-None-Match') !== undefined]).toEqual([
        route.path,
        isGiven,
      ])
    }
  })

  test('an accepted change declares where its operation is', async () => {
    for (const { responses } of await documented())
      if (responses['202'] !== undefined)
        expect(Object.keys(responses['202'].headers ?? {})).toContain('Location')
  })
})

describe('links over HTTP', () => {
  beforeEach(async () => {
    await all.prepare()
    const spec = { workMode: 'CONFIG_URL', nodes: [] }
    await ask('POST', '/clusters', { body: input({}, spec) })
    await all.settle()
  })

  test('a cluster of CONFIG_URL shows what its nodes ask, without a token', async () => {
    const { body } = await ask('GET', '/clusters/orders')

    expect(body.spec.workMode).toBe('CONFIG_URL')
    expect(body.status.config).toEqual({
      url: 'http://config.test:8789/services?Action=GetObProxyConfig&ObproxyClusterName=orders',
      tokenSecret: '/obfleet/clusters/orders/config-token-1',
    })
    expect(JSON.stringify(body)).not.toContain('live')
  })

  test('PUT adds, makes the default, and is the same twice', async () => {
    await ask('PUT', '/ob-clusters/west', {
      body: { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro', obClusterId: 7 },
      headers: { 'if-none-match': '*' },
    })

    const added = await ask('PUT', '/clusters/orders/links/west', { body: {} })
    const again = await ask('PUT', '/clusters/orders/links/west', { body: {} })
    const chosen = await ask('PUT', '/clusters/orders/links/west', { body: { default: true } })

    expect([added.status, again.status, chosen.status]).toEqual([200, 200, 200])
    expect(again.body.revision).toBe(added.body.revision)
    expect(chosen.body.spec.links).toEqual([
      { obCluster: 'ob', default: false },
      { obCluster: 'west', default: true },
    ])
  })

  test('DELETE takes away, and what is gone is gone', async () => {
    expect((await ask('DELETE', '/clusters/orders/links/ob')).status).toBe(204)
    expect((await ask('DELETE', '/clusters/orders/links/ob')).status).toBe(204)
    expect((await ask('GET', '/clusters/orders')).body.spec.links).toEqual([])
  })

  test.each([
    ['PUT', '/clusters/orders/links/nowhere', {}, 404, 'not-found'],
    ['PUT', '/clusters/nobody/links/ob', {}, 404, 'not-found'],
    ['PUT', '/clusters/orders/links/ob', { more: 1 }, 422, 'validation-failed'],
    ['POST', '/clusters/orders/links/ob', {}, 405, 'method-not-allowed'],
  ])('%s %s: %o is refused', async (...row) => {
    const [method, path, body, status, code] = row
    const answer = await ask(method, path, { body })
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  test('tokens are made anew, and their names shown', async () => {
    const key = { 'idempotency-key': 'key-1' }
    const first = await ask('POST', '/clusters/orders/config-token', { headers: key })
    const replayed = await ask('POST', '/clusters/orders/config-token', { headers: key })
    const roots = await ask('POST', '/ob-clusters/ob/rootservice-token')

    expect(first.body.status.config.tokenSecret).toBe('/obfleet/clusters/orders/config-token-2')
    expect(replayed.body.status.config).toEqual(first.body.status.config)
    expect(roots.body.registration).toEqual({
      url: 'http://config.test:8789/services?Action=ObRootServiceInfo&ObRegion=ob',
      tokenSecret: '/obfleet/ob-clusters/ob/rootservice-token-1',
    })
  })
})

describe('a load balancer over HTTP', () => {
  const group: BalancerSpec = {
    kind: 'target-group',
    targetGroupArn: GROUP_ARN,
    targetBy: 'instance',
  }
  const at = '/clusters/orders/load-balancer'

  const done = async ({ body }: Awaited<ReturnType<typeof ask>>) =>
    all.ended((body as { id: string }).id)

  test('is given, shown with its members, and taken away', async () => {
    await all.running('orders', [1])
    expect((await ask('GET', at)).status).toBe(404)
    const given = await ask('PUT', at, { body: group })
    expect(given).toMatchObject({ status: 202, body: { type: 'attach-balancer' } })
    await done(given)
    expect((await ask('PUT', at, { body: group })).status).toBe(200)
    const shown = await ask('GET', at)
    expect(shown.body).toMatchObject({
      spec: group,
      members: [{ id: hostId(1), port: 2883, state: 'healthy', node: { name: 'orders-1' } }],
      absent: [],
      operatorSteps: [],
    })
    const { body } = await ask('GET', '/clusters/orders')
    expect(body.spec.loadBalancer).toEqual(group)
    await done(await ask('DELETE', at))
    expect((await ask('DELETE', at)).status).toBe(204)
    expect((await ask('GET', '/clusters/orders')).body.spec.loadBalancer).toBeNull()
  })

  test('comes with a new cluster', async () => {
    await all.prepare()
    const made = await ask('POST', '/clusters', { body: input({}, { loadBalancer: group }) })
    await done(made)
    expect((await ask('GET', at)).body.members).toHaveLength(1)
  })

  test('of somebody else says what is left to do by hand', async () => {
    await all.running('orders', [1])
    expect((await ask('PUT', at, { body: { kind: 'external' } })).status).toBe(200)
    const { body } = await ask('GET', at)
    expect(body.operatorSteps).toHaveLength(2)
    const out = await ask('POST', '/nodes/orders-1/offline', { body: {} })
    expect(out).toMatchObject({ status: 422, body: { code: 'operation-not-allowed' } })
  })

  test.each([
    ['no kind', {}],
    ['a classic load balancer', { ...group, targetGroupArn: 'arn:aws:elb:a' }],
    ['another way to name targets', { ...group, targetBy: 'lambda' }],
    ['a field that nobody knows', { ...group, weight: 1 }],
    ['an external one with a group', { ...group, kind: 'external' }],
  ])('with %s is refused', async (_name, body) => {
    await all.running('orders', [1])
    expect(await ask('PUT', at, { body })).toMatchObject({
      status: 422,
      body: { code: 'validation-failed' },
    })
  })

  test('that does not answer is no fault of the caller', async () => {
    await all.running('orders', [1], { loadBalancer: group })
    all.balancer.isAway = true
    expect(await ask('GET', at)).toMatchObject({
      status: 503,
      body: { code: 'remote-unavailable', retryable: true },
    })
  })

  test('nodes go out with a reason, and in again, one and several', async () => {
    await all.running('orders', [1, 2], { loadBalancer: group })
    const out = await ask('POST', '/nodes/orders-1/offline', { body: { reason: 'disk' } })
    expect(out).toMatchObject({ status: 202, body: { type: 'offline-node' } })
    await done(out)
    const { body: node } = await ask('GET', '/nodes/orders-1')
    expect(node.status).toMatchObject({
      status: 'RUNNING',
      offline: { operationId: out.body.id, reason: 'disk' },
    })
    expect((await ask('POST', '/nodes/orders-1/offline')).status).toBe(200)
    const last = await ask('POST', '/clusters/orders/offline', { body: {} })
    expect(last).toMatchObject({ status: 422, body: { code: 'confirmation-required' } })
    await done(await ask('POST', '/clusters/orders/offline', { body: { confirm: 'orders' } }))
    const some = await ask('POST', '/clusters/orders/online', { body: { nodes: ['orders-2'] } })
    await done(some)
    await done(await ask('POST', '/nodes/orders-1/online'))
    expect((await ask('POST', '/clusters/orders/online')).status).toBe(200)
    expect((await ask('GET', '/nodes/orders-1')).body.status.offline).toBeNull()
    const audited = all.store.all('audit').map(({ action }) => action)
    expect(audited).toEqual(
      expect.arrayContaining(['offline-node', 'offline', 'online', 'online-node']),
    )
  })
})

describe('parameters over HTTP', () => {
  const path = '/clusters/orders/parameters'
  const set = (name: string, value: string) => ({ set: { [name]: value } })

  const change = async (body: object, headers: Readonly<Record<string, string>> = {}) => {
    const { headers: read } = await ask('GET', '/clusters/orders')
    return ask('PATCH', path, { body, headers: { 'if-match': read.get('etag') ?? '', ...headers } })
  }

  beforeEach(async () => {
    await all.running('orders', [1, 2])
  })

  test('PATCH: 202 with the operation, then 200 as nothing is left to change', async () => {
    const first = await change(set('work_thread_num', '4'))
    expect(first).toMatchObject({
      status: 202,
      body: { type: 'change-parameters', progress: { waves: 2, nodesTotal: 2 } },
    })
    expect(first.headers.get('location')).toBe(`/v1/operations/${first.body.id}`)
    await all.settle()
    const again = await change(set('work_thread_num', '4'))
    expect(again).toMatchObject({
      status: 200,
      body: {
        spec: { parameters: { work_thread_num: '4' } },
        status: { nodesToRefresh: 0, pendingRestart: ['work_thread_num'] },
      },
    })
    const { body: node } = await ask('GET', '/nodes/orders-1')
    expect(node.status).toMatchObject({
      isBehind: false,
      report: { pendingRestart: ['work_thread_num'] },
    })
    const { body: nodes } = await ask('GET', '/nodes')
    expect(nodes.items.map((each: typeof node) => each.status.isBehind)).toEqual([false, false])
  })

  test('PATCH: is against a revision, and answered again by its key', async () => {
    const body = set('client_max_connections', '100')
    expect(await ask('PATCH', path, { body })).toMatchObject({
      status: 428,
      body: { code: 'precondition-required' },
    })
    expect(await ask('PATCH', path, { body, headers: { 'if-match': '"1"' } })).toMatchObject({
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
    const made = await ask('POST', '/clusters', {
      body: input({ name: 'second' }, { nodes: [], parameters }),
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
    await all.settle()
    const { body } = await ask('GET', `${path}?set=true`)
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
    const first = await ask('GET', `${path}?search=max_connections&limit=1`)
    const cursor = encodeURIComponent(first.body.nextCursor)
    const next = await ask('GET', `${path}?search=max_connections&limit=1&cursor=${cursor}`)
    expect(next.body.items[0].name > first.body.items[0].name).toBe(true)
    expect((await ask('GET', `${path}?sort=name`)).status).toBe(422)
    expect((await ask('GET', '/clusters/none/parameters')).status).toBe(404)
  })

  test('GET history: the newest first, by name and time', async () => {
    await change(set('client_max_connections', '100'))
    await all.settle()
    all.clock.pass(60_000)
    const later = new Date(all.clock.now()).toISOString()
    await change({ unset: ['client_max_connections'], set: { bt_mode: 'x' } })
    await all.settle()
    const { body } = await ask('GET', `${path}/history`)
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
      (await ask('GET', `${path}/history?${query}`)).body.items.length
    expect(await count('name=bt_mode')).toBe(1)
    expect(await count(`from=${later}`)).toBe(1)
    expect(await count(`to=${later}`)).toBe(2)
    expect((await ask('GET', `${path}/history?from=yesterday`)).status).toBe(422)
  })

  test('definitions are the same for every cluster', async () => {
    const { body } = await ask('GET', '/parameter-definitions?search=server_routing_mode')
    expect(body).toMatchObject({
      items: [{ name: 'server_routing_mode', allowed: expect.arrayContaining(['oceanbase']) }],
      version: VERSION,
      definedFor: VERSION,
    })
    const other = await ask('GET', '/parameter-definitions?version=3.2.1&limit=1')
    expect(other.body).toMatchObject({ version: '3.2.1', definedFor: VERSION })
    expect((await ask('GET', '/parameter-definitions?version=new')).status).toBe(422)
  })
})
