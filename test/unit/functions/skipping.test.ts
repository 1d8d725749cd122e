/** Operations that go on without nodes that failed. */
import { describe, expect, test } from 'vitest'
import type { ReplaceInput } from '../../../functions/domain/plane.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane, VERSION } from '../../support/scripted-plane.ts'

const NEXT = '4.3.3.0-7'
const BALANCER = {
  kind: 'target-group',
  targetGroupArn: GROUP_ARN,
  targetBy: 'instance',
} as const
const PAUSING = { canaryBakeMs: 0, bakeMs: 0, onFailure: 'pause' } as const

const restart = (all: ScriptedPlane, input: Partial<ReplaceInput> = {}) =>
  all.accepted(all.plane.clusters.restart(ASKED, 'orders', { mode: 'force', ...input }))

const ranOn = (all: ScriptedPlane, verb: string) =>
  all.fleet.ran.filter(line => line.includes(` ${verb} `)).map(line => line.split(' ')[0])

async function until(all: ScriptedPlane, id: string, phase: string): Promise<void> {
  for (let left = 1_200; left > 0; left--) {
    if ((await all.plane.operations.get(id)).phase === phase) return
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
  throw new Error(`${id} is not ${phase}`)
}

const childOf = async (all: ScriptedPlane, id: string, at: number) =>
  (await all.plane.operations.get(id)).childIds[at] ?? ''

/** Three nodes, of which the second fails; waits for somebody. */
async function paused(): Promise<{ all: ScriptedPlane; id: string; child: string }> {
  const all = await ScriptedPlane.withOrders(3)
  all.fleet.host(2).failing.add('restart')
  const id = await restart(all, { rollout: PAUSING })
  await until(all, id, 'PAUSED')
  return { all, id, child: await childOf(all, id, 1) }
}

describe('a rollout that waits at a node that failed', () => {
  test('goes on with the next, and is done without it', async () => {
    const { all, id, child } = await paused()

    await all.plane.operations.skip(ASKED, id, [child])
    const ended = await all.ended(id)

    expect(ended).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(ended.progress).toMatchObject({ nodesDone: 2, nodesSkipped: 1, nodesTotal: 3 })
    expect(ranOn(all, 'restart')).toEqual([1, 2, 3].map(hostId))
    expect(all.held()).toEqual([])
  })

  test('leaves behind what was: the child, its step, and a condition of the node until the next operation', async () => {
    const { all, id, child } = await paused()
    const { error } = await all.plane.operations.get(child)

    await all.plane.operations.skip(ASKED, id, [child])
    await all.ended(id)

    expect(await all.plane.operations.get(child)).toMatchObject({ phase: 'SKIPPED', error })
    const steps = await all.plane.operations.steps(child)
    expect(new Set(steps.map(({ phase }) => phase))).toEqual(new Set(['SUCCEEDED', 'SKIPPED']))
    expect(steps.find(({ name }) => name === 'restart')).toMatchObject({ phase: 'SKIPPED', error })
    const node = await all.plane.nodes.get('orders-2')
    expect(node).toMatchObject({ heldBy: null, conditions: [{ type: 'LastOperationSkipped' }] })
    expect(node.conditions[0]?.message).toContain(`restart-node ${child}, skipped by user:test`)
    all.fleet.host(2).failing.clear()
    const alone = all.plane.nodes.restart(ASKED, 'orders-2', { mode: 'force' })
    await all.ended(await all.accepted(alone))
    expect((await all.plane.nodes.get('orders-2')).conditions).toEqual([])
  })

  test('is in the audit with who asked for it', async () => {
    const { all, id, child } = await paused()

    await all.plane.operations.skip(ASKED, id, [child])

    const { items } = await all.plane.audit.list({ limit: 1 }, { action: 'skip' })
    expect(items).toMatchObject([{ actor: 'user:test', operationId: id }])
  })

  test('is skipped over once: the same again is refused', async () => {
    const { all, id, child } = await paused()
    await all.plane.operations.skip(ASKED, id, [child])

    await expect(all.plane.operations.skip(ASKED, id, [child])).rejects.toMatchObject({
      code: 'operation-state-conflict',
      message: `${child} is SKIPPED; skip needs FAILED`,
    })
  })

  test('tries others again that failed with it', async () => {
    const all = await ScriptedPlane.withOrders(3)
    for (const host of [1, 2]) all.fleet.host(host).failing.add('restart')
    const id = await restart(all, {
      strategy: 'all-at-once',
      confirm: 'orders',
      rollout: PAUSING,
    })
    await until(all, id, 'PAUSED')
    all.fleet.host(2).failing.clear()

    await all.plane.operations.skip(ASKED, id, [await childOf(all, id, 0)])

    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', progress: { nodesDone: 2 } })
    expect(ranOn(all, 'restart').sort()).toEqual([1, 2, 2, 3].map(hostId))
  })
})

describe('an operation that has failed', () => {
  test('goes on with those that were not begun, with new locks', async () => {
    const all = await ScriptedPlane.withOrders(3)
    all.fleet.host(1).isOnline = false
    const id = await restart(all, { rollout: { minHealthyPercent: 0 } })
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED', error: { code: 'node-timeout' } })
    expect(ranOn(all, 'restart')).toEqual([])

    await all.plane.operations.skip(ASKED, id, [await childOf(all, id, 0)])

    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', progress: { nodesDone: 2 } })
    expect(ranOn(all, 'restart')).toEqual([2, 3].map(hostId))
    expect(all.held()).toEqual([])
    expect((await all.plane.clusters.get('orders')).conditions).toEqual([])
  })

  test('is refused while another holds its cluster', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(1).failing.add('restart')
    const id = await restart(all)
    await all.ended(id)
    await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {}))

    await expect(
      all.plane.operations.skip(ASKED, id, [await childOf(all, id, 0)]),
    ).rejects.toMatchObject({ code: 'cluster-state-conflict' })
  })

  test('that fails again is tried again without it', async () => {
    const all = await ScriptedPlane.withOrders(3)
    all.fleet.host(1).failing.add('restart')
    all.fleet.host(2).failing.add('restart')
    const id = await restart(all)
    await all.ended(id)
    await all.plane.operations.skip(ASKED, id, [await childOf(all, id, 0)])
    expect(await all.ended(id)).toMatchObject({
      phase: 'FAILED',
      progress: { nodesDone: 0, nodesSkipped: 1 },
    })
    all.fleet.host(2).failing.clear()

    await all.plane.operations.retry(ASKED, id)

    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', progress: { nodesDone: 2 } })
    expect(ranOn(all, 'restart')).toEqual([1, 2, 2, 3].map(hostId))
  })

  test('that was an upgrade leaves cluster and node at the version before, and can go back', async () => {
    const all = await ScriptedPlane.withOrders(3)
    await all.plane.packages.create(ASKED, {
      fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
      sha256: 'b'.repeat(64),
      sizeBytes: 10,
      url: 'spool:y',
    })
    all.fleet.host(2).failing.add('upgrade')
    const id = await all.accepted(
      all.plane.clusters.upgrade(ASKED, 'orders', {
        mode: 'auto',
        version: NEXT,
        rollout: PAUSING,
      }),
    )
    await until(all, id, 'PAUSED')
    await all.plane.operations.skip(ASKED, id, [await childOf(all, id, 1)])

    // The next node is in the third wave.
    expect((await all.plane.operations.get(id)).progress).toMatchObject({
      nodesDone: 1,
      nodesSkipped: 1,
      wave: 3,
      waves: 3,
    })
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    const versions = () => [...all.fleet.hosts.values()].map(({ version }) => version)
    expect(versions()).toEqual([NEXT, VERSION, NEXT])
    // What all of its nodes are of, as long as they are of one.
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(VERSION)
    await all.plane.operations.rollback(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(versions()).toEqual([VERSION, VERSION, VERSION])
  })
})

/** What can be skipped, with what failed on the second node. */
const OTHERS: Readonly<Record<string, (all: ScriptedPlane) => Promise<string>>> = {
  stop: async all => {
    all.fleet.host(2).failing.add('stop')
    return all.accepted(all.plane.clusters.stop(ASKED, 'orders', {}))
  },
  start: async all => {
    await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {})))
    all.fleet.host(2).failing.add('start')
    return all.accepted(all.plane.clusters.start(ASKED, 'orders', {}))
  },
  refresh: async all => {
    for (const host of [2, 3]) {
      const { id } = await all.plane.nodes.get(`orders-${host}`)
      all.fleet.host(host).parameterVersion = 0
      await all.fleet.report(all.fleet.host(host), id, null)
    }
    all.fleet.host(2).failing.add('refresh')
    return all.accepted(all.plane.clusters.refresh(ASKED, 'orders', {}))
  },
  'change-parameters': async all => {
    all.fleet.host(2).failing.add('restart')
    const { revision } = await all.plane.clusters.get('orders')
    const input = { set: { work_thread_num: '4' }, unset: [], revision, rollout: PAUSING }
    const restartPolicy = 'rolling' as const
    return all.accepted(all.plane.parameters.change(ASKED, 'orders', { ...input, restartPolicy }))
  },
  'attach-balancer': async all => {
    all.balancer.sick.add(hostId(2))
    return all.accepted(all.plane.clusters.attachBalancer(ASKED, 'orders', BALANCER))
  },
  online: async all => {
    const attached = all.plane.clusters.attachBalancer(ASKED, 'orders', BALANCER)
    await all.ended(await all.accepted(attached))
    const out = all.plane.clusters.offline(ASKED, 'orders', { confirm: 'orders' })
    await all.ended(await all.accepted(out))
    all.balancer.sick.add(hostId(2))
    return all.accepted(all.plane.clusters.online(ASKED, 'orders', {}))
  },
}

test.each(Object.entries(OTHERS))('%s is done without a node that failed', async (type, begin) => {
  const all = await ScriptedPlane.withOrders(3)
  const id = await begin(all)
  for (let left = 1_200; left > 0; left--) {
    if (['PAUSED', 'FAILED'].includes((await all.plane.operations.get(id)).phase)) break
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
  const children = await Promise.all(
    (await all.plane.operations.get(id)).childIds.map(each => all.plane.operations.get(each)),
  )
  const failed = children.filter(({ phase }) => phase === 'FAILED')
  expect(failed.map(({ target }) => target.name)).toEqual(['orders-2'])

  await all.plane.operations.skip(
    ASKED,
    id,
    failed.map(each => each.id),
  )

  expect(await all.ended(id)).toMatchObject({ type, phase: 'SUCCEEDED' })
  expect(all.held()).toEqual([])
})

describe('a skip is refused', () => {
  test('of what is not a child, or has not failed', async () => {
    const { all, id } = await paused()
    const skipped = (child: string) => all.plane.operations.skip(ASKED, id, [child])

    await expect(skipped(id)).rejects.toMatchObject({
      code: 'validation-failed',
      details: { errors: [{ pointer: '/children/0', code: 'not-found' }] },
    })
    await expect(skipped(await childOf(all, id, 0))).rejects.toMatchObject({
      code: 'operation-state-conflict',
    })
  })

  test('while the operation runs', async () => {
    const { all, id, child } = await paused()
    await all.plane.operations.resume(ASKED, id)

    await expect(all.plane.operations.skip(ASKED, id, [child])).rejects.toMatchObject({
      code: 'operation-state-conflict',
    })
  })

  test('at the child itself, and of an operation of one node', async () => {
    const { all, child } = await paused()
    await expect(all.plane.operations.skip(ASKED, child, [child])).rejects.toMatchObject({
      code: 'operation-state-conflict',
      details: { remedy: expect.stringContaining('/skip') },
    })
    const one = await ScriptedPlane.withOrders(1)
    one.fleet.host(1).failing.add('stop')
    const id = await one.accepted(one.plane.nodes.stop(ASKED, 'orders-1'))
    await one.ended(id)

    await expect(one.plane.operations.skip(ASKED, id, [id])).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('when nothing would be left of it', async () => {
    const all = await ScriptedPlane.withOrders(1)
    all.fleet.host(1).failing.add('restart')
    const id = await restart(all)
    await all.ended(id)

    await expect(
      all.plane.operations.skip(ASKED, id, [await childOf(all, id, 0)]),
    ).rejects.toMatchObject({ code: 'operation-not-allowed' })
  })

  test('where a password or the inventory would be wrong', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(2).failing.add('refresh').add('uninstall')
    const change = all.plane.clusters.rotateSysPassword(ASKED, 'orders', undefined)
    const { revision } = await all.plane.clusters.get('orders')
    const rotation = await all.accepted(change)
    await all.ended(rotation)
    const removal = { confirm: 'orders', skipHostWork: false, revision }
    for (const begun of [rotation, await removed(all, removal)])
      await expect(
        all.plane.operations.skip(ASKED, begun, [await childOf(all, begun, 1)]),
      ).rejects.toMatchObject({ code: 'operation-not-allowed' })
  })
})

async function removed(
  all: ScriptedPlane,
  asked: { readonly confirm: string; readonly skipHostWork: boolean },
): Promise<string> {
  const { revision } = await all.plane.clusters.get('orders')
  const id = await all.accepted(all.plane.clusters.remove(ASKED, 'orders', { ...asked, revision }))
  expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
  return id
}

describe('a node that was left out late', () => {
  test('says what has happened to it since', async () => {
    const all = await ScriptedPlane.withOrders(3)
    all.fleet.host(2).failing.add('restart')
    const id = await restart(all)
    await all.ended(id)
    all.fleet.host(2).failing.clear()
    const alone = all.plane.nodes.restart(ASKED, 'orders-2', { mode: 'force' })
    await all.ended(await all.accepted(alone))

    await all.plane.operations.skip(ASKED, id, [await childOf(all, id, 1)])
    await all.ended(id)

    expect((await all.plane.nodes.get('orders-2')).conditions).toEqual([])
  })

  test('is not done after all what was put back', async () => {
    const all = await ScriptedPlane.withOrders(3)
    const { revision } = await all.plane.clusters.get('orders')
    all.fleet.host(2).refuses.add('work_thread_num=4')
    const input = { set: { work_thread_num: '4' }, unset: [], revision }
    const asked = { ...input, restartPolicy: 'manual' } as const
    const id = await all.accepted(all.plane.parameters.change(ASKED, 'orders', asked))
    expect((await all.ended(id)).phase).toBe('ROLLED_BACK')
    const failed = all.store
      .all('operation')
      .find(one => one.parentId === id && one.phase === 'FAILED')

    await expect(all.plane.operations.skip(ASKED, id, [failed?.id ?? ''])).rejects.toMatchObject({
      code: 'operation-state-conflict',
      message: expect.stringContaining('skip needs PAUSED or FAILED'),
    })
  })
})
