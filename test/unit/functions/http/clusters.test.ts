/** Clusters and their operations over HTTP: answers, idempotency keys, ETags, pages. */
import { beforeEach, describe, expect, test } from 'vitest'
import { clusterInput, HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('a cluster over HTTP', () => {
  beforeEach(() => api.scripted.prepare())

  test('202 with the operation and where it is; then the same shape as it was given', async () => {
    const { status, body, headers } = await api.ask('POST', '/clusters', {
      body: clusterInput({ tags: { env: 'test' } }, { nodes: [{ host: hostId(1), idc: 'z1' }] }),
    })
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/operations/${body.id}`)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(body).toMatchObject({ type: 'create-cluster', phase: 'PENDING', actor: 'user:local' })
    await api.scripted.settle()
    const read = await api.ask('GET', '/clusters/orders')
    expect(read.body).toMatchObject({
      name: 'orders',
      generation: 1,
      tags: { env: 'test' },
      spec: {
        ...clusterInput().spec,
        nodes: [{ host: hostId(1), idc: 'z1', desiredState: 'RUNNING' }],
        links: [{ obCluster: 'ob', default: true }],
        ports: { sql: 2883, exporter: 2884 },
        install: { path: '/home/admin/obproxy' },
        deletionProtection: false,
      },
      status: { phase: 'RUNNING', observedGeneration: 1, nodeCount: 1, heldBy: null },
    })
    expect(Date.parse(read.body.createdAt)).toBeGreaterThan(0)
    expect((await api.ask('GET', `/clusters/${read.body.id}`)).body).toEqual(read.body)
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
    const { status, body } = await api.ask('POST', '/clusters', { body: clusterInput({}, spec) })
    expect([status, body.code]).toEqual([422, code])
    expect(body.errors.map((each: { pointer: string }) => each.pointer)).toContain(pointer)
    expect(api.scripted.store.all('cluster')).toEqual([])
    expect(api.scripted.store.all('operation')).toEqual([])
  })

  test('an idempotency key is required, replayed, and not for another body', async () => {
    const none = await api.ask('POST', '/clusters', {
      body: clusterInput(),
      headers: { 'idempotency-key': '' },
    })
    expect(none.status).toBe(400)
    const headers = { 'idempotency-key': 'k' }
    const first = await api.ask('POST', '/clusters', { body: clusterInput(), headers })
    const { spec, name } = clusterInput()
    const again = await api.ask('POST', '/clusters', { body: { spec, name }, headers })
    expect(again.status).toBe(202)
    expect(again.body.id).toBe(first.body.id)
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const other = await api.ask('POST', '/clusters', {
      body: clusterInput({ name: 'other' }),
      headers,
    })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
    await api.scripted.settle()
    expect((await api.ask('POST', '/clusters', { body: clusterInput(), headers })).body.phase).toBe(
      'SUCCEEDED',
    )
    api.scripted.clock.pass(25 * 3_600_000)
    const later = await api.ask('POST', '/clusters', { body: clusterInput(), headers })
    expect([later.status, later.body.code]).toEqual([409, 'name-taken'])
  })

  test('twenty requests with one key make one cluster', async () => {
    const headers = { 'idempotency-key': 'once' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        api.ask('POST', '/clusters', { body: clusterInput(), headers }),
      ),
    )
    expect(new Set(answers.map(each => each.status))).toEqual(new Set([202]))
    expect(new Set(answers.map(each => each.body.id)).size).toBe(1)
    expect(api.scripted.store.all('cluster')).toHaveLength(1)
  })

  test.each([
    ['creation', '/clusters', clusterInput()],
    ['operation on a cluster', '/clusters/there/restart', { mode: 'force' }],
    ['operation on a node', '/nodes/there-1/restart', { mode: 'force' }],
  ])(
    'one key eight times at once is one %s, however late a store answers',
    async (...[, path, body]) => {
      await api.scripted.running('there', [2])
      // All have read that the key is new; seven go on when the eighth is accepted already.
      const { store } = api.scripted
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
        Array.from({ length: 8 }, () => api.ask('POST', path, { body, headers })),
      )

      expect(answers.map(each => each.status)).toEqual(Array(8).fill(202))
      expect(new Set(answers.map(each => each.body.id)).size).toBe(1)
      const replayed = answers.filter(each => each.headers.get('idempotency-replayed') === 'true')
      expect(replayed).toHaveLength(7)
    },
  )

  test('a key that is used for another request meanwhile is told apart', async () => {
    await api.scripted.running('there', [2])
    const { store } = api.scripted
    const get = store.get.bind(store)
    const headers = { 'idempotency-key': 'once' }
    const path = '/clusters/there/restart'
    let isFirst = true
    store.get = async (kind, key) => {
      const record = await get(kind, key)
      if (kind !== 'request' || !isFirst) return record
      isFirst = false
      expect((await api.ask('POST', path, { body: { mode: 'force' }, headers })).status).toBe(202)
      return record
    }

    const { status, body } = await api.ask('POST', path, { body: { mode: 'auto' }, headers })

    expect([status, body.code]).toEqual([422, 'idempotency-key-reused'])
  })

  test('ETags: 304 while nothing changes, 428 and 412 for DELETE', async () => {
    await api.ask('POST', '/clusters', { body: clusterInput() })
    await api.scripted.settle()
    const { headers, body } = await api.ask('GET', '/clusters/orders')
    const etag = headers.get('etag') ?? ''
    const same = await api.ask('GET', '/clusters/orders', { headers: { 'if-none-match': etag } })
    expect(same.status).toBe(304)
    api.scripted.clock.pass(200_000)
    const stale = await api.ask('GET', '/clusters/orders', { headers: { 'if-none-match': etag } })
    expect(stale.status).toBe(200)
    expect(stale.body.status.phase).toBe('DEGRADED')
    const path = '/clusters/orders?confirm=orders'
    const code = async (headers2: Record<string, string>, at = path) =>
      (await api.ask('DELETE', at, { headers: headers2 })).body?.code
    expect(await code({})).toBe('precondition-required')
    expect(await code({ 'if-match': '"0"' })).toBe('revision-stale')
    expect(await code({ 'if-match': 'W/"1"' })).toBe('malformed-request')
    expect(await code({ 'if-match': etag }, '/clusters/orders')).toBe('confirmation-required')
    expect(await code({ 'if-match': etag }, `${path}&mode=forget`)).toBe('validation-failed')
    const gone = await api.ask('DELETE', path, { headers: { 'if-match': `"${body.revision}"` } })
    expect(gone.status).toBe(202)
    await api.scripted.settle()
    expect((await api.ask('GET', '/clusters/orders')).status).toBe(404)
  })

  test('DELETE cuts no client unless it is asked with force=true', async () => {
    await api.ask('POST', '/clusters', { body: clusterInput() })
    await api.scripted.settle()
    const { fleet, store } = api.scripted
    const [node] = store.all('node')
    const host = fleet.hosts.get(node?.hostId ?? '')
    if (node === undefined || host === undefined) throw new Error('no node')
    host.clients = 3
    await fleet.report(host, node.id, null)
    const headers = { 'if-match': '*', 'idempotency-key': 'once' }
    const ofCluster = '/clusters/orders?confirm=orders'
    for (const path of [`/nodes/${node.name}`, ofCluster]) {
      const { status, body } = await api.ask('DELETE', path, { headers })
      expect([status, body.code, body.remedy]).toEqual([
        409,
        'in-use',
        expect.stringContaining('force=true'),
      ])
    }
    const forced = await api.ask('DELETE', `${ofCluster}&force=true`, { headers })
    expect(forced.status).toBe(202)
    const wrong = await api.ask('DELETE', `${ofCluster}&force=yes`, { headers })
    expect(wrong.body.code).toBe('validation-failed')
  })

  test('a protected cluster stays', async () => {
    await api.ask('POST', '/clusters', { body: clusterInput({}, { deletionProtection: true }) })
    await api.scripted.settle()
    const { status, body } = await api.ask('DELETE', '/clusters/orders?confirm=orders', {
      headers: { 'if-match': '*' },
    })
    expect([status, body.code]).toEqual([409, 'deletion-protected'])
  })

  test('start, stop, restart: 200 when it is so already, 409 names the holder', async () => {
    await api.ask('POST', '/clusters', { body: clusterInput() })
    const busy = await api.ask('POST', '/clusters/orders/stop')
    expect([busy.status, busy.body.code]).toEqual([409, 'cluster-state-conflict'])
    expect(busy.body.conflict).toMatchObject({ holder: 'create-cluster' })
    await api.scripted.settle()
    expect((await api.ask('POST', '/clusters/orders/start', { body: {} })).status).toBe(200)
    const none = await api.ask('POST', '/clusters/orders/stop', { body: { nodes: ['orders-9'] } })
    expect(none.body.errors[0].pointer).toBe('/nodes/0')
    expect(
      (await api.ask('POST', '/clusters/orders/stop', { body: { nodes: ['orders-1'] } })).status,
    ).toBe(202)
    await api.scripted.settle()
    expect((await api.ask('GET', '/nodes/orders-1')).body.status.status).toBe('STOPPED')
    const hot = await api.ask('POST', '/clusters/orders/restart', { body: { mode: 'hot' } })
    expect([hot.status, hot.body.code]).toEqual([409, 'node-state-conflict'])
    expect((await api.ask('POST', '/nodes/orders-1/start')).status).toBe(202)
  })

  test('cancel and retry need a key, and are answered again by it', async () => {
    const { body } = await api.ask('POST', '/clusters', { body: clusterInput() })
    for (const act of ['cancel', 'retry']) {
      const path = `/operations/${body.id}/${act}`
      const none = await api.ask('POST', path, { headers: { 'idempotency-key': '' } })
      expect([none.status, none.body.code]).toEqual([400, 'idempotency-key-required'])
    }
    const path = `/operations/${body.id}/cancel`
    const headers = { 'idempotency-key': 'enough' }
    const first = await api.ask('POST', path, { headers })
    expect([first.status, first.body.phase]).toEqual([202, 'CANCELLING'])
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    await api.scripted.settle()

    const again = await api.ask('POST', path, { headers })

    expect([again.status, again.body.phase]).toEqual([202, 'CANCELLED'])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    const audited = api.scripted.store.all('audit').filter(({ action }) => action === 'cancel')
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
      const { body } = await api.ask('POST', '/clusters', { body: clusterInput() })
      id = body.id
      await api.scripted.settle()
    })

    test.each(actions)('POST %s refuses either, and does nothing', async action => {
      const path = action.replace('{id}', id)
      const operations = api.scripted.store.all('operation').length

      const body = await api.ask('POST', path, { body: { x: 1 } })
      const query = await api.ask('POST', `${path}?x=1`)

      for (const answer of [body, query]) {
        expect([answer.status, answer.body.code]).toEqual([422, 'validation-failed'])
        expect(answer.body.errors).toMatchObject([{ pointer: '/x', code: 'unknown-field' }])
      }
      expect(api.scripted.store.all('operation')).toHaveLength(operations)
    })

    test.each([
      ['POST', '/clusters', clusterInput({ name: 'other' })],
      ['POST', '/clusters/orders/nodes', { nodes: [{ host: hostId(2) }] }],
      ['PUT', '/ob-clusters/ob', { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro' }],
      [
        'POST',
        '/packages',
        { fileName: 'x', sha256: 'b'.repeat(64), sizeBytes: 1, url: 'spool:x' },
      ],
    ])('%s %s refuses a query', async (method, path, body) => {
      const { status, body: answer } = await api.ask(method, `${path}?colour=red`, { body })
      expect([status, answer.code]).toEqual([422, 'validation-failed'])
      expect(answer.errors[0].pointer).toBe('/colour')
    })

    test('a key of a request without a body is not for one with a body', async () => {
      const headers = { 'idempotency-key': 'bare' }
      const bare = await api.ask('POST', '/nodes/orders-1/stop', { headers })
      expect(bare.status).toBe(202)
      const same = await api.ask('POST', '/nodes/orders-1/stop', { headers, body: {} })
      expect(same.body.id).toBe(bare.body.id)
      const wrong = await api.ask('POST', '/nodes/orders-1/stop', { headers, body: { x: 1 } })
      expect(wrong.status).toBe(422)
      await api.scripted.settle()
    })

    test('a type without a body is no body', async () => {
      const headers = { 'content-type': 'application/json' }
      for (const path of ['/nodes/orders-1/restart', '/nodes/orders-1/stop']) {
        expect((await api.ask('POST', path, { headers })).status, path).toBe(202)
        await api.scripted.settle()
      }
    })
  })

  test('operations: list with filters, steps, long poll', async () => {
    const { body } = await api.ask('POST', '/clusters', { body: clusterInput() })
    await api.scripted.settle()
    const listed = await api.ask(
      'GET',
      '/operations?type=create-cluster&phase=SUCCEEDED&target=orders',
    )
    expect(listed.body.items.map((each: { id: string }) => each.id)).toEqual([body.id])
    expect((await api.ask('GET', '/operations?phase=FAILED')).body.items).toEqual([])
    const [child] = (await api.ask('GET', `/operations/${body.id}`)).body.childIds
    const { items } = (await api.ask('GET', `/operations/${child}/steps`)).body
    expect(items.map((each: { name: string; phase: string }) => [each.name, each.phase])).toEqual(
      ['reserve', 'install', 'start', 'verify', 'finish'].map(name => [name, 'SUCCEEDED']),
    )
    expect(items[1].commandId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await api.ask('GET', `/operations/${body.id}?wait=26s`)).status).toBe(422)
    expect((await api.ask('GET', `/operations/${body.id}?wait=25s`)).body.phase).toBe('SUCCEEDED')
    const { headers } = await api.ask('GET', `/operations/${body.id}`)
    const etag = headers.get('etag') ?? ''
    const same = await api.ask('GET', `/operations/${body.id}`, {
      headers: { 'if-none-match': etag },
    })
    expect(same.status).toBe(304)
    expect((await api.ask('GET', '/operations/op_x')).status).toBe(422)
  })

  test('pages end, and each item comes once', async () => {
    await api.scripted.running('orders', [1, 2, 3])
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 5; page++) {
      const { body } = await api.ask('GET', `/nodes?limit=2${cursor}`)
      seen.push(...body.items.map((each: { name: string }) => each.name))
      if (body.nextCursor === null) break
      cursor = `&cursor=${body.nextCursor}`
    }
    expect(seen.sort()).toEqual(['orders-1', 'orders-2', 'orders-3'])
    expect((await api.ask('GET', `/clusters?${cursor.slice(1)}`)).status).toBe(422)
    api.scripted.clock.pass(25 * 3_600_000)
    expect((await api.ask('GET', `/nodes?limit=2${cursor}`)).status).toBe(422)
  })
})
