/** Operations that are called off when their commands are on the way, and what becomes of those. */
import { describe, expect, test } from 'vitest'
import { Problem } from '../../../functions/domain/problem.ts'
import type { Store } from '../../../functions/domain/store.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const GROUP = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const
const HOUR_MS = 3_600_000

type Verb = 'stop' | 'restart'

async function withCluster(more: { readonly loadBalancer?: typeof GROUP } = {}) {
  const all = new ScriptedPlane(2)
  await all.running('orders', [1, 2], more)
  all.fleet.ran.length = 0
  return all
}

const asked = (all: ScriptedPlane, verb: Verb) =>
  verb === 'stop'
    ? all.plane.clusters.stop(ASKED, 'orders', {})
    : all.plane.clusters.restart(ASKED, 'orders', { mode: 'force' })

/** Until agents that begin nothing have its command. */
async function queued(all: ScriptedPlane, verb: Verb): Promise<string> {
  for (const index of [1, 2]) all.fleet.host(index).busyUntil = Number.POSITIVE_INFINITY
  const id = await all.accepted(asked(all, verb))
  for (let left = 120; all.fleet.host(1).queue.length === 0 && left > 0; left--) {
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
  return id
}

/** Cancelled then. */
async function calledOff(all: ScriptedPlane, verb: Verb): Promise<void> {
  const id = await queued(all, verb)
  await all.plane.operations.cancel(ASKED, id)
  expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
}

const desired = (all: ScriptedPlane) => all.store.all('node').map(each => each.desiredState)

describe('a stop that is cancelled', () => {
  test('before it has reached a node leaves all of them as they should have been', async () => {
    const all = await withCluster()
    await calledOff(all, 'stop')
    expect(desired(all)).toEqual(['RUNNING', 'RUNNING'])

    // Nor is a node told of a stop by whatever comes next, to stay down after its next boot.
    const told: (string | undefined)[] = []
    all.fleet.obeyed = (_verb, entry) => void told.push(entry.desired?.state)
    for (const index of [1, 2]) all.fleet.host(index).busyUntil = 0
    const { revision } = await all.plane.clusters.get('orders')
    const input = { set: { work_thread_num: '4' }, unset: [], revision }
    const change = { ...input, restartPolicy: 'manual' as const }
    const changed = await all.accepted(all.plane.parameters.change(ASKED, 'orders', change))
    expect(await all.ended(changed)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(told).toEqual(['RUNNING', 'RUNNING'])
  })

  test('and carried out all the same can be asked for again, to stay', async () => {
    const all = await withCluster()
    await calledOff(all, 'stop')
    const host = all.fleet.host(1)
    Object.assign(host, { status: 'STOPPED', busyUntil: 0 })
    host.queue.length = 0
    await all.fleet.report(host, (await all.plane.nodes.get('orders-1')).id, null)

    const id = await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1'))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(desired(all).sort()).toEqual(['RUNNING', 'STOPPED'])
    expect((await all.plane.nodes.stop(ASKED, 'orders-1')).kind).not.toBe('accepted')
  })

  test('when it has reached one of them leaves that stopped, and is done by a retry', async () => {
    const all = await withCluster()
    all.fleet.host(2).busyUntil = Number.POSITIVE_INFINITY
    const id = await all.accepted(asked(all, 'stop'))
    for (let left = 5; left > 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    await all.plane.operations.cancel(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    expect(desired(all).sort()).toEqual(['RUNNING', 'STOPPED'])

    all.fleet.host(2).busyUntil = 0
    all.fleet.host(2).queue.length = 0
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(desired(all)).toEqual(['STOPPED', 'STOPPED'])
  })

  test('behind a balancer takes in again who was taken out for it', async () => {
    const all = await withCluster({ loadBalancer: GROUP })
    await calledOff(all, 'stop')
    all.clock.pass(all.balancer.healthyAfterMs)
    expect(all.balancer.states()).toEqual([1, 2].map(index => `${hostId(index)} healthy`))
  })

  test('takes them in also when the table does not answer for a moment', async () => {
    const all = await withCluster({ loadBalancer: GROUP })
    const id = await queued(all, 'stop')
    await all.plane.operations.cancel(ASKED, id)
    // Of the cluster it is asked where its balancer is.
    const failing = { left: 2 }
    const store = new Proxy<Store>(all.store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          if (name !== 'get' || args[0] !== 'cluster' || failing.left === 0)
            return value.apply(target, args)
          failing.left -= 1
          throw new Problem('store-unavailable', 'the table does not answer')
        }
      },
    })
    all.engine = all.newEngine('second', { store })

    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED', error: null })
    expect(failing.left).toBe(0)
    all.clock.pass(all.balancer.healthyAfterMs)
    expect(all.balancer.states()).toEqual([1, 2].map(index => `${hostId(index)} healthy`))
  })
})

describe('a cancelled command that an agent has queued', () => {
  const boot = (all: ScriptedPlane) => all.fleet.runCommand.boot(all.fleet.host(1))

  test('is carried out at the next boot, and what the node is then can be seen', async () => {
    const all = await withCluster()
    await calledOff(all, 'stop')

    await boot(all)

    expect(all.fleet.ran).toHaveLength(1)
    expect((await all.plane.nodes.get('orders-1')).status).toBe('STOPPED')
    expect(all.held()).toEqual([])
  })

  test('is not when its time is over', async () => {
    const all = await withCluster()
    await calledOff(all, 'restart')

    all.clock.pass(HOUR_MS)
    await boot(all)

    expect(all.fleet.ran).toEqual([])
  })

  test('is not when a newer operation has had the node', async () => {
    const all = await withCluster()
    await calledOff(all, 'stop')
    const [late] = all.fleet.host(1).queue.splice(0)
    if (late === undefined) throw new Error('nothing is queued')
    for (const index of [1, 2]) all.fleet.host(index).busyUntil = 0
    const again = await all.accepted(asked(all, 'restart'))
    expect(await all.ended(again)).toMatchObject({ phase: 'SUCCEEDED' })
    all.fleet.ran.length = 0

    all.fleet.host(1).queue.push(late)
    await boot(all)

    expect(all.fleet.ran).toEqual([])
    expect(all.fleet.host(1).status).toBe('RUNNING')
  })
})
