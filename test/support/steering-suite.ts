/** What a fleet's operation is asked for on its way, on the nodes of a stack: to wait, to end, to leave a node out. */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { askInit } from '../../infra/local/instance/init-client.ts'
import { instanceRoot } from '../../infra/local/stack/stack.ts'
import { type DevStack, type OperationJson, refused, STACK_PATIENCE } from './dev-stack.ts'
import { until } from './until.ts'

const INIT_DEADLINE_MS = 60_000
const SOON_MS = 15_000
const SKIPPED_ONE = { nodesDone: 1, nodesSkipped: 1, nodesTotal: 2 }

const operationOf = async (stack: DevStack, id: string) =>
  (await stack.api.get(`/operations/${id}`)).body as OperationJson

/** Phases of its children, in the order of the tasks; before they are there: none. */
async function phasesOf(stack: DevStack, id: string): Promise<readonly string[]> {
  const { childIds } = await operationOf(stack, id)
  const children = await Promise.all(
    childIds.map(each => operationOf(stack, each).catch(() => undefined)),
  )
  return children.flatMap(child => (child === undefined ? [] : [child.phase]))
}

/** A command of that step is out to one of its nodes. */
async function underWay(stack: DevStack, id: string, step: string): Promise<void> {
  const { childIds } = await operationOf(stack, id)
  await until(
    `${step} is under way`,
    async () => {
      for (const child of childIds) {
        const answer = await stack.api.get(`/operations/${child}/steps`).catch(() => undefined)
        const { items } = (answer?.body ?? { items: [] }) as {
          items: { name: string; phase: string; commandId: string | null }[]
        }
        if (items.some(each => each.name === step && each.phase === 'RUNNING' && each.commandId))
          return true
      }
      return false
    },
    STACK_PATIENCE,
  )
}

/** It waits once the node that is at work is done, begins no other meanwhile, and goes on when it is told to. */
export async function pausedAndResumed(stack: DevStack, id: string): Promise<void> {
  await until(
    'a node is at work',
    async () => (await phasesOf(stack, id)).includes('RUNNING'),
    STACK_PATIENCE,
  )
  expect((await stack.api.post(`/operations/${id}/pause`, {})).status).toBe(202)
  await until(
    'it is done',
    async () => (await phasesOf(stack, id)).includes('SUCCEEDED'),
    STACK_PATIENCE,
  )
  const { body } = await stack.api.get(`/operations/${id}?wait=1s`)
  expect(body).toMatchObject({ phase: 'PAUSED', progress: { nodesDone: 1 } })
  expect([...(await phasesOf(stack, id))].sort()).toEqual(['PENDING', 'PENDING', 'SUCCEEDED'])
  const other = await refused(stack.api.post('/clusters/demo/stop', {}))
  expect([other.status, other.code]).toEqual([409, 'cluster-state-conflict'])
  expect((await stack.api.post(`/operations/${id}/resume`, {})).status).toBe(202)
  const next = async () => (await phasesOf(stack, id)).includes('RUNNING')
  await until('the next node is at work, before any sweeper', next, {
    ...STACK_PATIENCE,
    deadlineMs: SOON_MS,
  })
}

/** It ends once what is under way on the first node is done, and has begun no other. */
export async function cancelledAt(stack: DevStack, id: string, step: string): Promise<void> {
  await underWay(stack, id, step)
  expect((await stack.api.post(`/operations/${id}/cancel`, {})).status).toBe(202)
  expect(await stack.ended(id)).toMatchObject({ phase: 'CANCELLED', error: null })
  expect(await phasesOf(stack, id)).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED'])
}

export function skippingSuite(stack: DevStack): void {
  describe('a restart of several nodes that fails on one', () => {
    test('waits, goes on without it, and the node says so until its next operation', async () => {
      await stack.ended(await stack.accepted('/nodes/demo-2/stop'))
      const { address } = (await stack.node('demo-2')).status
      const squatter = createServer()
      await new Promise<void>(done => squatter.listen(2883, address, done))
      const [first, , third] = (await stack.nodes()).map(({ status }) => status.report?.pid)
      const id = await stack.accepted('/clusters/demo/restart', {
        mode: 'force',
        nodes: ['demo-2', 'demo-3'],
        rollout: { minHealthy: '0%', onFailure: 'pause' },
      })
      await until(
        'it waits',
        async () => (await operationOf(stack, id)).phase === 'PAUSED',
        STACK_PATIENCE,
      )
      expect(await phasesOf(stack, id)).toEqual(['FAILED', 'PENDING'])
      const [child] = (await operationOf(stack, id)).childIds

      const skipped = await stack.api.post(`/operations/${id}/skip`, { children: [child] })
      const ended = await stack.ended(id)
      await new Promise(done => squatter.close(done))

      expect(skipped.status).toBe(202)
      expect(ended).toMatchObject({ phase: 'SUCCEEDED', error: null, progress: SKIPPED_ONE })
      expect(await phasesOf(stack, id)).toEqual(['SKIPPED', 'SUCCEEDED'])
      const [one, two, three] = await stack.nodes()
      expect(one?.status.report?.pid).toBe(first)
      expect(three?.status.report?.pid).not.toBe(third)
      expect(two?.status.conditions).toMatchObject([{ type: 'LastOperationSkipped' }])
      expect(two?.status.conditions[0]?.message).toContain(child)
      const restart = await stack.accepted('/nodes/demo-2/restart', { mode: 'force' })
      expect(await stack.ended(restart)).toMatchObject({ phase: 'SUCCEEDED' })
      expect((await stack.node('demo-2')).status).toMatchObject({
        status: 'RUNNING',
        conditions: [],
      })
    })
  })
}

export function refreshSuite(stack: DevStack): void {
  const newest = async () => {
    const { body } = await stack.api.get('/operations?limit=1')
    return (body as { items: { id: string }[] }).items[0]?.id
  }

  /** Somebody logs in to the host of demo-3, and does it there. */
  async function byHand(op: 'start' | 'stop'): Promise<void> {
    const { spec } = await stack.node('demo-3')
    const socket = join(instanceRoot(stack.home, spec.host), 'run/init.sock')
    await askInit(socket, { op, unit: 'obfleet-proxy.service' }, INIT_DEADLINE_MS)
    // It should run, whoever has stopped it.
    const wanted = op === 'start' ? 'RUNNING' : 'UNAVAILABLE'
    await until(
      `it reports that it is ${wanted}`,
      async () => {
        await askInit(socket, { op: 'start', unit: 'obfleet-report.service' }, INIT_DEADLINE_MS)
        return (await stack.node('demo-3')).status.status === wanted
      },
      STACK_PATIENCE,
    )
  }

  describe('a refresh', () => {
    test('is of the nodes that have other parameters than their cluster, and of none besides', async () => {
      const before = await newest()
      expect((await stack.api.post('/clusters/demo/refresh', {})).status).toBe(200)
      expect((await stack.api.post('/nodes/demo-3/refresh', {})).status).toBe(200)
      expect(await newest()).toBe(before)
      // Changed while it is down, and started there by hand, it runs with those of before.
      await byHand('stop')
      const { etag } = await stack.api.get('/clusters/demo')
      const set = { slow_query_time_threshold: '888ms' }
      const changed = await stack.api.patch(
        '/clusters/demo/parameters',
        { set },
        { 'if-match': etag ?? '' },
      )
      await stack.ended((changed.body as OperationJson).id)
      await byHand('start')
      const behind = async () =>
        ((await stack.api.get('/clusters/demo/parameters')).body as { nodesBehind: string[] })
          .nodesBehind
      expect(await behind()).toEqual(['demo-3'])

      const { id } = (await stack.api.post('/clusters/demo/refresh', {})).body as OperationJson

      expect(await stack.ended(id)).toMatchObject({
        phase: 'SUCCEEDED',
        progress: { nodesDone: 1, nodesTotal: 1 },
      })
      await until('none is behind', async () => (await behind()).length === 0, STACK_PATIENCE)
      expect((await stack.api.post('/clusters/demo/refresh', {})).status).toBe(200)
    })
  })
}
