/** A rollout leaves enough of its cluster healthy, and begins nothing hot where memory is short. */
import { describe, expect, test } from 'vitest'
import { type Health, mayBegin, spare } from '../../../functions/domain/health.ts'
import type { ReplaceInput } from '../../../functions/domain/plane.ts'
import type { Problem } from '../../../functions/domain/problem.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const QUICK = { canaryBakeMs: 0, bakeMs: 0 }

const health = (total: number, healthy: number): Health => ({
  total,
  healthy: new Set(Array.from({ length: healthy }, (_none, at) => `n${at}`)),
})

describe('of the nodes of a cluster', () => {
  test.each([
    [1, 1, 50, 1],
    [2, 2, 50, 1],
    [2, 1, 50, 0],
    [3, 3, 50, 1],
    [3, 2, 50, 0],
    [10, 10, 50, 5],
    [10, 5, 50, 0],
    [10, 8, 80, 0],
    [10, 10, 100, 1],
    [10, 9, 100, 0],
    [10, 3, 0, 3],
  ])('%i, %i healthy, at least %i %% to stay so, %i may be taken', (total, now, percent, may) => {
    expect(spare(health(total, now), percent)).toBe(may)
  })
})

const restart = (all: ScriptedPlane, input: Partial<ReplaceInput> = {}) =>
  all.plane.clusters.restart(ASKED, 'orders', { mode: 'hot', rollout: QUICK, ...input })

const restarted = (all: ScriptedPlane) =>
  all.fleet.ran
    .filter(line => line.includes(' restart '))
    .map(line => Number(line.split(' ')[0]?.slice(2)))

/** It is as if it had crashed: it says so, and does not recover. */
async function crash(all: ScriptedPlane, index: number): Promise<void> {
  const host = all.fleet.host(index)
  host.status = 'STOPPED'
  await all.fleet.reportDue()
  if (host.reported !== null) await all.fleet.report(host, host.reported.nodeId, null)
}

async function problemOf(asked: Promise<unknown>): Promise<Problem> {
  return asked.then(
    () => {
      throw new Error('not refused')
    },
    (problem: Problem) => problem,
  )
}

describe('a rollout', () => {
  test('is refused where too few nodes would stay healthy, unless it is asked otherwise', async () => {
    const all = await ScriptedPlane.withOrders(3)
    await crash(all, 3)
    const nodes = ['orders-1', 'orders-2']
    const { code, message, details } = await problemOf(restart(all, { nodes }))
    expect(code).toBe('node-state-conflict')
    expect(message).toBe('1 of 3 nodes would stay healthy, at least 2 have to')
    expect(details.remedy).toContain('rollout.minHealthy')
    expect(all.held()).toEqual([])

    const brave = { nodes, rollout: { ...QUICK, minHealthyPercent: 0 } }
    const id = await all.accepted(restart(all, brave))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('takes first what does not run: that makes the others possible', async () => {
    const all = await ScriptedPlane.withOrders(3)
    await crash(all, 3)
    const id = await all.accepted(restart(all, { mode: 'force' }))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(restarted(all)).toEqual([3, 1, 2])
  })

  test('of a cluster of one is possible', async () => {
    const all = await ScriptedPlane.withOrders(1)
    expect(await all.ended(await all.accepted(restart(all)))).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('takes no more at once than leave enough, however many are allowed', async () => {
    const all = await ScriptedPlane.withOrders(4)
    for (const index of [1, 2, 3, 4]) all.fleet.host(index).behaviour = 'slow'
    const rollout = { ...QUICK, canary: 0, maxUnavailable: 4, batchPercent: 100 }
    const id = await all.accepted(restart(all, { rollout, confirm: 'orders' }))
    let most = 0
    while ((await all.plane.operations.get(id)).endedAt === null) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
      const { childIds } = await all.plane.operations.get(id)
      const children = await Promise.all(childIds.map(each => all.plane.operations.get(each)))
      most = Math.max(most, children.filter(({ phase }) => phase === 'RUNNING').length)
    }
    expect(most).toBe(2)
    expect(restarted(all)).toHaveLength(4)
  })

  test('stops when others are lost meanwhile, and leaves the rest untouched', async () => {
    const all = await ScriptedPlane.withOrders(4)
    const id = await all.accepted(restart(all))
    while (restarted(all).length < 1) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    // Two that were not touched, so that of the four only one could be spared.
    for (const index of [3, 4]) await crash(all, index)
    const { phase, error } = await all.ended(id, 5_000)
    expect(phase).toBe('FAILED')
    expect(error).toMatchObject({ code: 'gate-failed' })
    expect(error?.detail).toContain('1 of 4 nodes would stay healthy, at least 2 have to')
    expect(restarted(all)).toEqual([1])
    expect(all.held()).toEqual([])
  })

  test('waits for a node that only says so for a moment', async () => {
    const all = await ScriptedPlane.withOrders(3)
    const id = await all.accepted(restart(all))
    while (restarted(all).length < 1) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    await crash(all, 3)
    for (let tick = 0; tick < 60; tick++) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    all.fleet.host(3).status = 'RUNNING'
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test.each(['resumed', 'retried'])(
    'that is %s waits for one as well, however long ago it began',
    async how => {
      const all = await ScriptedPlane.withOrders(4)
      const id = await all.accepted(restart(all))
      const { pause, resume, retry } = all.plane.operations
      const pass = async (seconds: number) => {
        for (let tick = 0; tick < seconds; tick++) {
          all.clock.pass(1_000)
          await all.engine.sweep(10)
        }
      }
      const lose = async () => {
        for (const index of [3, 4]) await crash(all, index)
      }
      while (restarted(all).length < 1) await pass(1)
      if (how === 'resumed') {
        await pause(ASKED, id)
        await pass(600)
        await lose()
        await resume(ASKED, id)
      } else {
        await lose()
        expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
        await retry(ASKED, id)
      }
      await pass(60)
      for (const index of [3, 4]) all.fleet.host(index).status = 'RUNNING'
      expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    },
  )
})

describe('memory for two processes', () => {
  const short = async () => {
    const all = await ScriptedPlane.withOrders(2)
    const host = all.fleet.host(2)
    host.memory = { used: 300 * 2 ** 20, available: 200 * 2 ** 20 }
    if (host.reported !== null) await all.fleet.report(host, host.reported.nodeId, null)
    return all
  }

  test.each(['hot', 'auto'] as const)('is wanted of all nodes before the first: %s', async mode => {
    const all = await short()
    const { code, message } = await problemOf(restart(all, { mode }))
    expect(code).toBe('node-state-conflict')
    expect(message).toBe(
      'the proxy of orders-2 has 300 MB and its host 200 MB more, too little for two of it',
    )
    expect(await problemOf(all.plane.nodes.restart(ASKED, 'orders-2', { mode }))).toMatchObject({
      code: 'node-state-conflict',
    })
    expect((await all.plane.nodes.get('orders-2')).report?.memory?.available).toBe(200 * 2 ** 20)
  })

  test('is no matter where clients are cut', async () => {
    const all = await short()
    const id = await all.accepted(restart(all, { mode: 'force' }))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })
})

test.each<readonly [string, number, string, ReturnType<typeof mayBegin>]>([
  ['abc', 60, 'ab', { ids: ['a', 'b'], room: 1 }],
  ['abc', 100, 'ab', { ids: ['a', 'b'], room: 1 }],
  ['ab', 70, 'ab', { ids: [], room: 0 }],
  // What is broken already is begun first, whatever the others are like.
  ['a', 100, 'abc', { ids: ['b', 'c'], room: 2 }],
])(
  'of three, of which %s are healthy and %i %% must be, %s wait',
  (well, percent, waiting, may) => {
    const all: Health = { total: 3, healthy: new Set(well) }
    expect(mayBegin(all, percent, [...waiting])).toEqual(may)
  },
)
