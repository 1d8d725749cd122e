/** Changes over HTTP with dryRun=true. */
import { beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../../../functions/domain/ids.ts'
import { planSchema } from '../../../../functions/routes/dry-run.ts'
import { clusterInput, HttpApi } from '../../../support/http-api.ts'
import { traces } from '../../../support/planned-requests.ts'
import { GROUP_ARN } from '../../../support/scripted-balancer.ts'
import { hostId } from '../../../support/scripted-fleet.ts'
import { ASKED } from '../../../support/scripted-plane.ts'

let api: HttpApi

const GROUP = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const

beforeEach(async () => {
  api = new HttpApi()
  await api.scripted.running('orders', [1, 2], { loadBalancer: GROUP })
})

type Route = { readonly method: string; readonly path: string; readonly operationId: string }

/** Routes that take `dryRun`, as the document has them. */
async function routes(): Promise<readonly Route[]> {
  const { paths } = (await (await api.app.request('/v1/openapi.json')).json()) as {
    paths: Record<
      string,
      Record<string, { operationId: string; parameters?: { name: string; in: string }[] }>
    >
  }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, parameters = [] }]) =>
      parameters.some(each => each.in === 'query' && each.name === 'dryRun')
        ? [{ method: method.toUpperCase(), path: path.replace('/v1', ''), operationId }]
        : [],
    ),
  )
}

const BODIES: Readonly<Record<string, object>> = {
  createCluster: clusterInput({ name: 'other' }, { nodes: [{ host: hostId(3) }] }),
  addNodes: { nodes: [{ host: hostId(3) }] },
  moveOutCluster: { confirm: 'orders' },
  changeParameters: { set: { work_thread_num: '4' } },
  upgradeCluster: { version: '4.3.2.0-1' },
  upgradeNode: { version: '4.3.2.0-1' },
  putLoadBalancer: { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' },
  offlineCluster: { nodes: ['orders-1'] },
  offlineNode: { reason: 'a look at its disk' },
  skipOperation: { children: [newId('operation', 0)] },
  putLink: { probeAccount: { user: 'probe', tenant: 'app', passwordSecret: '/probe' } },
}

/** Of routes that work only on what is not there now. */
const REFUSED: Readonly<Record<string, string>> = {
  deleteLink: 'operation-not-allowed',
  cancelOperation: 'operation-state-conflict',
  retryOperation: 'operation-state-conflict',
  pauseOperation: 'operation-state-conflict',
  resumeOperation: 'operation-state-conflict',
  skipOperation: 'operation-not-allowed',
}

function refOf(path: string): string {
  const { id = '' } = api.scripted.store.all('operation').find(each => each.parentId === null) ?? {}
  const refs: Readonly<Record<string, string>> = {
    clusters: 'orders',
    nodes: 'orders-1',
    'ob-clusters': 'ob',
  }
  const [, resource = ''] = path.split('/')
  return path.replace('{obCluster}', 'ob').replace(/\{\w+\}/, refs[resource] ?? id)
}

const dry = (method: string, path: string, more: object = {}) =>
  api.ask(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=true`, {
    ...more,
    headers: { 'idempotency-key': '', ...('headers' in more ? (more.headers as object) : {}) },
  })

describe('a dry run', () => {
  test('is there for every change of nodes, and for nothing else', async () => {
    const names = (await routes()).map(({ operationId }) => operationId).sort()
    expect(names).toEqual(
      [
        ...['createCluster', 'deleteCluster', 'addNodes', 'startCluster', 'stopCluster'],
        ...['restartCluster', 'upgradeCluster', 'refreshCluster', 'changeParameters'],
        ...['putLink', 'deleteLink', 'putLoadBalancer', 'deleteLoadBalancer'],
        ...['offlineCluster', 'onlineCluster', 'rotateSysPassword', 'rotateProxyroPassword'],
        ...['diagnoseCluster', 'collectLogsOfCluster', 'diagnoseNode', 'collectLogsOfNode'],
        ...['deleteNode', 'startNode', 'stopNode', 'restartNode', 'upgradeNode', 'refreshNode'],
        ...['offlineNode', 'onlineNode'],
        ...['cancelOperation', 'retryOperation', 'pauseOperation', 'resumeOperation'],
        ...['rollbackOperation', 'skipOperation', 'takeOver', 'moveOutCluster'],
      ].sort(),
    )
  })

  test('answers with a plan of the documented form, needs no key and leaves nothing behind', async () => {
    for (const { method, path, operationId } of await routes()) {
      if (operationId === 'takeOver') continue
      const before = traces(api.scripted)
      const confirm = operationId === 'deleteCluster' ? '?confirm=orders' : ''
      const { status, body, headers } = await dry(method, `${refOf(path)}${confirm}`, {
        body: BODIES[operationId] ?? (method === 'DELETE' ? undefined : {}),
        headers: { 'if-match': '*' },
      })

      expect(traces(api.scripted), operationId).toBe(before)
      const code = REFUSED[operationId]
      if (code !== undefined) {
        expect([operationId, body.code]).toEqual([operationId, code])
        continue
      }
      expect([operationId, status, body]).toEqual([operationId, 200, planSchema.parse(body)])
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('location')).toBeNull()
    }
  })

  test('uses up no key: the request itself may come with the same', async () => {
    const headers = { 'idempotency-key': 'once' }
    const tried = await api.ask('POST', '/clusters/orders/stop?dryRun=true', { headers })
    const real = await api.ask('POST', '/clusters/orders/stop', { headers })
    expect([tried.status, real.status]).toEqual([200, 202])
    expect(real.headers.get('idempotency-replayed')).toBeNull()
  })

  test('that is none by its own word is the request without it', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await api.ask('POST', '/clusters/orders/stop?dryRun=false', { headers })
    const again = await api.ask('POST', '/clusters/orders/stop', { headers })
    expect([first.status, again.body.id]).toEqual([202, first.body.id])
  })

  test('of what is so already says that nothing would be done', async () => {
    const { body } = await dry('POST', '/clusters/orders/start')
    expect(body).toMatchObject({
      action: 'start',
      type: null,
      target: { kind: 'cluster', name: 'orders' },
      outcome: 'nothing',
      inPlace: { total: 2 },
      nodes: { total: 0, items: [] },
    })
    expect(body.inPlace.items.sort()).toEqual(['orders-1', 'orders-2'])
  })

  test.each([
    {
      what: 'without If-Match',
      headers: {},
      query: 'confirm=orders',
      code: 'precondition-required',
    },
    {
      what: 'of an old revision',
      headers: { 'if-match': '"999"' },
      query: 'confirm=orders',
      code: 'revision-stale',
    },
    {
      what: 'without its name',
      headers: { 'if-match': '*' },
      query: 'mode=uninstall',
      code: 'confirmation-required',
    },
  ])('of a deletion $what is refused like the deletion', async ({ headers, query, code }) => {
    const tried = await dry('DELETE', `/clusters/orders?${query}`, { headers })
    const real = await api.ask('DELETE', `/clusters/orders?${query}`, { headers })
    const told = ({ status, body: { instance: _place, ...body } }: typeof tried) => [status, body]
    expect(tried.body.code).toBe(code)
    expect(told(tried)).toEqual(told(real))
  })

  test('names who is in the way', async () => {
    const { body: begun } = await api.ask('POST', '/clusters/orders/stop')
    const { status, body } = await dry('POST', '/clusters/orders/restart')
    expect([status, body.code]).toEqual([409, 'cluster-state-conflict'])
    expect(body.conflict).toEqual({ operationId: begun.id, holder: 'stop' })
  })

  test('asks who it is like any request', async () => {
    const { status } = await dry('POST', '/clusters/orders/stop', {
      headers: { authorization: 'Bearer wrong' },
    })
    expect(status).toBe(401)
  })

  test.each(['dryRun=maybe', 'dryRun=', 'dryRun=true&x=1'])('with %s is refused', async query => {
    const { status } = await api.ask('POST', `/clusters/orders/stop?${query}`)
    expect(status).toBe(422)
  })

  test.each([
    ['PUT', '/ob-clusters/ob'],
    ['POST', '/packages'],
    ['POST', '/clusters/orders/config-token'],
  ])('of %s %s does not exist', async (method, path) => {
    const { status, body } = await api.ask(method, `${path}?dryRun=true`, { body: {} })
    expect([status, body.code]).toEqual([422, 'validation-failed'])
    expect(JSON.stringify(body.errors)).toContain('/dryRun')
  })

  test('of a take-over looks at its hosts by an operation, as before', async () => {
    const body = { hosts: [{ host: hostId(3) }] }
    const { status } = await api.ask('POST', '/clusters/orders/take-over?dryRun=true', { body })
    expect(status).toBe(202)
  })

  test('of a way back lists what would be put back', async () => {
    const stop = api.scripted.plane.clusters.stop(ASKED, 'orders', { nodes: ['orders-2'] })
    const id = await api.scripted.accepted(stop)
    await api.scripted.ended(id)
    const { body } = await dry('POST', `/operations/${id}/rollback`)
    expect(body).toMatchObject({
      action: 'rollback',
      type: 'stop',
      outcome: 'operation',
      procedures: { items: [{ type: 'start-node', nodes: 1 }] },
      nodes: { items: [{ name: 'orders-2', process: 'started' }] },
      rollback: { isPossible: false, why: 'it is the way back' },
    })
  })
})
