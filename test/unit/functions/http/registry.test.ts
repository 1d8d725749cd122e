/** OB clusters, packages and hosts over HTTP. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type Asked, HttpApi } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'
import { VERSION } from '../../../support/scripted-plane.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('the registry over HTTP', () => {
  const body = { rootservice: ['10.0.0.1:2881'], proxyroSecret: '/ro' }

  test('an OB cluster is created, replaced by its ETag, and kept while it is linked', async () => {
    const create = { body, headers: { 'if-none-match': '*' } }
    const made = await api.ask('PUT', '/ob-clusters/ob2', create)
    expect([made.status, made.headers.get('location')]).toEqual([201, '/v1/ob-clusters/ob2'])
    expect((await api.ask('PUT', '/ob-clusters/ob2', create)).body.code).toBe('revision-stale')
    expect((await api.ask('PUT', '/ob-clusters/ob2', { body })).status).toBe(428)
    const etag = made.headers.get('etag') ?? ''
    const replaced = await api.ask('PUT', '/ob-clusters/ob2', {
      body,
      headers: { 'if-match': etag },
    })
    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"'])
    const late = await api.ask('DELETE', '/ob-clusters/ob2', { headers: { 'if-match': etag } })
    expect(late.status).toBe(412)
    expect(
      (await api.ask('DELETE', '/ob-clusters/ob2', { headers: { 'if-match': '"2"' } })).status,
    ).toBe(204)
    await api.scripted.running('orders', [1])
    const linked = await api.ask('DELETE', '/ob-clusters/ob', { headers: { 'if-match': '*' } })
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
    const answer = await api.ask('PUT', '/ob-clusters/x', {
      body: wrong,
      headers: { 'if-none-match': '*' },
    })
    expect(answer.status).toBe(422)
    expect(answer.body.errors[0].pointer).toBe(pointer)
  })

  test('a key that comes again is answered as before, whatever the method', async () => {
    const again = async (method: string, path: string, asked: Asked) => {
      const first = await api.ask(method, path, asked)
      const second = await api.ask(method, path, asked)
      expect(first.headers.get('idempotency-replayed')).toBeNull()
      expect(second.headers.get('idempotency-replayed'), `${method} ${path}`).toBe('true')
      expect([second.status, second.body]).toEqual([first.status, first.body])
      return first
    }
    const put = { 'idempotency-key': 'put', 'if-none-match': '*' }
    const made = await again('PUT', '/ob-clusters/ob2', { body, headers: put })
    expect(made.status).toBe(201)
    const other = { ...body, proxyroSecret: '/other' }
    const reused = await api.ask('PUT', '/ob-clusters/ob2', { body: other, headers: put })
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused'])
    const etag = made.headers.get('etag') ?? ''
    const gone = { 'idempotency-key': 'delete', 'if-match': etag }
    expect((await again('DELETE', '/ob-clusters/ob2', { headers: gone })).status).toBe(204)

    await api.scripted.prepare()
    const [known] = (await api.ask('GET', '/packages')).body.items
    const drop = { headers: { 'idempotency-key': 'drop' } }
    expect((await again('DELETE', `/packages/${known.id}`, drop)).status).toBe(204)
    const audited = api.scripted.store.all('audit').map(({ action }) => action)
    expect(audited.filter(action => action.startsWith('delete-'))).toHaveLength(2)
  })

  test('a new password of proxyro is an operation, one at a time, and no password is said', async () => {
    await api.scripted.running('orders', [1])
    const path = '/ob-clusters/ob/rotate-proxyro-password'
    const begun = await api.ask('POST', path, { headers: { 'idempotency-key': 'once' } })
    expect([begun.status, begun.body.type, begun.body.target]).toEqual([
      202,
      'rotate-proxyro-password',
      { kind: 'ob-cluster', id: 'ob', name: 'ob' },
    ])
    const second = await api.ask('POST', path, { headers: { 'idempotency-key': 'twice' } })
    expect([second.status, second.body.code]).toEqual([409, 'password-change-in-progress'])
    expect(second.body.conflict.operationId).toBe(begun.body.id)
    expect((await api.ask('GET', '/ob-clusters/ob')).body.heldBy.operationId).toBe(begun.body.id)
    await api.scripted.settle()
    const { body: after } = await api.ask('GET', '/ob-clusters/ob')
    expect(after).toMatchObject({ heldBy: null, proxyroChange: null })
    const taken = { proxyroSecret: after.proxyroSecret }
    const same = await api.ask('POST', path, {
      body: taken,
      headers: { 'idempotency-key': 'same' },
    })
    expect([same.status, same.body.code]).toEqual([422, 'operation-not-allowed'])
    const audited = api.scripted.store.all('audit').filter(({ target }) => target === 'ob')
    expect(audited.map(({ action }) => action)).toContain('rotate-proxyro-password')
  })

  test('a package is registered once, listed, kept while a cluster is of it', async () => {
    await api.scripted.running('orders', [1])
    const [known] = (await api.ask('GET', '/packages')).body.items
    expect(known).toMatchObject({ version: VERSION, os: 'linux', arch: 'x86_64' })
    const again = await api.ask('POST', '/packages', {
      body: { fileName: known.fileName, sha256: 'b'.repeat(64), sizeBytes: 1, url: 'spool:x' },
    })
    expect(again.body.code).toBe('name-taken')
    const wrong = await api.ask('POST', '/packages', {
      body: { fileName: 'x.tar.gz', sha256: 'b'.repeat(64), sizeBytes: 1, url: 'http://x/y' },
    })
    expect(wrong.body.errors.map((each: { pointer: string }) => each.pointer)).toEqual(['/url'])
    expect((await api.ask('DELETE', `/packages/${known.id}`)).body.code).toBe('in-use')
    expect((await api.ask('GET', `/packages/${known.id}`)).body).toEqual(known)
  })

  test('hosts say which node they carry', async () => {
    await api.scripted.running('orders', [2])
    const { items } = (await api.ask('GET', '/hosts')).body
    const nodes = items.map((each: { nodeId: string | null }) => each.nodeId !== null)
    expect(nodes).toEqual([false, true, false])
    expect((await api.ask('GET', `/hosts/${hostId(2)}`)).body).toMatchObject({
      pingStatus: 'Online',
    })
    expect((await api.ask('GET', `/hosts/${hostId(9)}`)).status).toBe(404)
  })
})
