import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { settledFleet } from '../../../../../infra/local/stack/fleet.ts'
import { clusterJson, nodeJson, ScriptedApi } from '../../../../support/scripted-api.ts'

const BOOTS = new Map([['i-1', 'boot-2']])

let api: ScriptedApi
let notes: string[]

beforeEach(() => {
  vi.useFakeTimers()
  notes = []
  api = new ScriptedApi()
  api.list('/clusters', [])
  api.list('/nodes', [])
  api.list('/hosts', [])
})

afterEach(() => {
  vi.useRealTimers()
})

const settled = async (forMs = 300_000) => {
  const fleet = settledFleet(api, BOOTS, line => notes.push(line))
  await vi.advanceTimersByTimeAsync(forMs)
  return fleet
}

describe('the fleet of a start', () => {
  test('may be empty', async () => {
    expect(await settled(0)).toEqual({ clusters: [], nodes: [], hosts: [] })
  })

  test('may be a cluster without nodes', async () => {
    api.list('/clusters', [clusterJson('demo', 'EMPTY')])
    expect(await settled(0)).toMatchObject({
      clusters: [{ name: 'demo', phase: 'EMPTY' }],
      nodes: [],
    })
  })

  test('is waited for while a node has not come back, or is worked on', async () => {
    const heldBy = { operationId: 'op_1', type: 'start' }
    const looks = [
      nodeJson('a-1', {}, { status: 'STARTING', heldBy }),
      nodeJson('a-1', {}, { report: { bootId: 'boot-1', reason: null } }),
      nodeJson('a-1', {}, { status: 'UNAVAILABLE' }),
    ]
    api.list('/nodes', () => [looks.shift() ?? nodeJson('a-1')])
    expect((await settled(1_000)).nodes).toMatchObject([{ name: 'a-1', status: 'RUNNING' }])
    expect(looks).toEqual([])
  })

  test('is shown with a node that stays down, whose reason is said once', async () => {
    const report = { bootId: 'boot-2', reason: 'port 2883 is in use' }
    api.list('/nodes', [nodeJson('a-1', {}, { status: 'UNAVAILABLE', report })])
    expect((await settled()).nodes).toMatchObject([
      { status: 'UNAVAILABLE', desiredState: 'RUNNING', reason: 'port 2883 is in use' },
    ])
    expect(notes).toEqual(['waiting for a-1: port 2883 is in use'])
  })

  test('is not kept waiting by a node that never ran', async () => {
    api.list('/nodes', [nodeJson('a-1', {}, { status: 'UNAVAILABLE', report: null })])
    expect((await settled(0)).nodes).toMatchObject([{ status: 'UNAVAILABLE' }])
  })

  test('has all clusters and nodes, page by page', async () => {
    const pages = [
      { items: [clusterJson('a')], nextCursor: 'next' },
      { items: [clusterJson('b')], nextCursor: null },
    ]
    api.bodies.set('/clusters', () => pages.shift())
    api.list('/nodes', [nodeJson('b-1'), nodeJson('a-1')])
    const { clusters, nodes } = await settled(0)
    expect(clusters.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(nodes.map(({ name }) => name)).toEqual(['a-1', 'b-1'])
  })
})
