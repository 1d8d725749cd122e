/** The OpenAPI document against what is really served. */
import { beforeEach, describe, expect, test } from 'vitest'
import { clusterInput, HttpApi, TOKEN } from '../../../support/http-api.ts'
import { hostId } from '../../../support/scripted-fleet.ts'

let api: HttpApi

beforeEach(() => {
  api = new HttpApi()
})

describe('the document', () => {
  test('is OpenAPI 3.1 and names every route and its answers', async () => {
    const document = (await (await api.app.request('/v1/openapi.json')).json()) as {
      openapi: string
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>
      components: { schemas: Record<string, unknown> }
    }
    expect(document).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/' }] })
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
    const served = api.app.routes
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
    readonly responses: Readonly<Record<string, Answer>>
  }

  type Answer = {
    readonly description?: string
    readonly headers?: object
    readonly content?: Readonly<Record<string, { readonly schema?: { readonly anyOf?: object } }>>
  }

  const documented = async (): Promise<readonly Documented[]> => {
    const { paths } = (await (await api.app.request('/v1/openapi.json')).json()) as {
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
    await api.scripted.running('orders', [1])
    const { id: packageId } = (await api.scripted.plane.packages.list({ limit: 1 })).items[0] ?? {
      id: '',
    }
    const { id: operationId } =
      (await api.scripted.plane.operations.list({ limit: 1 }, {})).items[0] ?? {}
    const refs: Readonly<Record<string, string>> = {
      clusters: 'orders',
      nodes: 'orders-1',
      packages: packageId,
      operations: operationId ?? '',
      'ob-clusters': 'ob',
    }
    const bodies: Readonly<Record<string, object>> = {
      createCluster: clusterInput(),
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
      skipOperation: { children: [operationId] },
    }
    for (const route of await documented()) {
      const { method, path, operationId: name = '' } = route
      if (method === 'GET' || name === 'reportNode') continue
      const [, resource = ''] = path.split('/')
      const at = path.replace(/\{\w+\}/, refs[resource] ?? '')
      const send = (headers: Readonly<Record<string, string>>) =>
        api.app.request(`/v1${at}`, {
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
    await api.scripted.running('orders', [1])
    const { id } = (await api.scripted.plane.operations.list({ limit: 1 }, {})).items[0] ?? {}
    for (const route of await documented()) {
      if (route.method !== 'GET') continue
      const refs = { clusters: 'orders', nodes: 'orders-1', operations: id, hosts: hostId(1) }
      const [, resource = ''] = route.path.split('/')
      const ref = { ...refs, 'ob-clusters': 'ob' }[resource]
      if (ref === undefined) continue
      const { headers } = await api.ask('GET', route.path.replace(/\{\w+\}/, ref))
      const isGiven = headers.get('etag') !== null
      const declared = Object.keys(route.responses['200']?.headers ?? {})
      expect([route.path, declared.includes('ETag')]).toEqual([route.path, isGiven])
      expect([route.path, isRequired(route, 'If-None-Match') !== undefined]).toEqual([
        route.path,
        isGiven,
      ])
    }
  })

  test('a change that answers with what it is of says so, and that a dry run has its plan there', async () => {
    const changes = (await documented()).filter(({ responses }) => {
      const { schema } = responses['200']?.content?.['application/json'] ?? {}
      return schema?.anyOf !== undefined && responses['202'] !== undefined
    })
    expect(changes.length).toBeGreaterThan(20)
    for (const { operationId, responses } of changes) {
      const text = responses['200']?.description ?? ''
      expect([operationId, text]).toEqual([operationId, expect.stringMatching(/as it is now/)])
      expect([operationId, text]).toEqual([operationId, expect.stringMatching(/dryRun=true/)])
    }
  })

  test('an accepted change declares where its operation is', async () => {
    for (const { responses } of await documented())
      if (responses['202'] !== undefined)
        expect(Object.keys(responses['202'].headers ?? {})).toContain('Location')
  })
})
