import { beforeEach, describe, expect, test } from 'vitest'
import { makeDemo, offerObCluster } from '../../../../../infra/local/stack/demo.ts'
import { clusterJson, ScriptedApi } from '../../../../support/scripted-api.ts'

let api: ScriptedApi

beforeEach(() => {
  api = new ScriptedApi()
})

const PLAN = { obCluster: 'ob', version: '4.3.2.0-1', hosts: ['i-1'] }
const OB = { name: 'ob', rootservice: ['127.0.0.1:2881'], proxyroSecret: '/proxyro' }

const operation = (phase: string, error: object | null = null) => ({
  id: 'op_1',
  phase,
  revision: 1,
  progress: { nodesDone: 1, nodesTotal: 1 },
  error,
})

describe('the proxy cluster of a first start', () => {
  test('is made where there is none, and followed to its end', async () => {
    api.list('/clusters', [])
    api.bodies.set('/operations/op_1', operation('SUCCEEDED'))
    api.post = async path => {
      api.changes.push(`POST ${path}`)
      return { status: 202, etag: null, body: operation('PENDING') }
    }
    await makeDemo(api, PLAN, () => {})
    expect(api.changes).toEqual(['POST /clusters'])
  })

  test('is not made beside any other', async () => {
    api.list('/clusters', [clusterJson('second')])
    await makeDemo(api, PLAN, () => {})
    expect(api.changes).toEqual([])
  })

  test('that fails says why', async () => {
    api.list('/clusters', [])
    api.bodies.set('/clusters', { items: [], nextCursor: null })
    api.post = async () => ({ status: 202, etag: null, body: operation('PENDING') })
    api.bodies.set('/operations/op_1', operation('FAILED', { detail: 'no room' }))
    await expect(makeDemo(api, PLAN, () => {})).rejects.toThrow('operation op_1 is FAILED: no room')
  })
})

describe('the OB cluster', () => {
  test('is registered at the first start', async () => {
    await offerObCluster(api, OB, true)
    expect(api.changes).toEqual(['PUT /ob-clusters/ob'])
  })

  test('that was deleted stays deleted', async () => {
    await offerObCluster(api, OB, false)
    expect(api.changes).toEqual([])
  })

  test('is written again only when it has moved', async () => {
    // Its password was replaced since.
    api.bodies.set('/ob-clusters/ob', { ...OB, proxyroSecret: '/newer', tags: {} })
    await offerObCluster(api, OB, false)
    expect(api.changes).toEqual([])
    await offerObCluster(api, { ...OB, rootservice: ['127.0.0.2:2881'] }, false)
    expect(api.changes).toEqual(['PUT /ob-clusters/ob'])
  })
})
