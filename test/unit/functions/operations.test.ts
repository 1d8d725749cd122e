/** Operations over a scripted fleet: what they do, how they fail, and that no death leaves anything behind. */
import { describe, expect, test } from 'vitest'
import type { RunCommand } from '../../../functions/domain/remote.ts'
import { interrupted } from '../../support/interruption.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

async function withCluster(hosts: readonly number[], spare = 1) {
  const all = new ScriptedPlane(Math.max(...hosts) + spare)
  const clusterId = await all.running('orders', hosts)
  return { all, clusterId, plane: all.plane, fleet: all.fleet }
}

/** A cluster of three whose creation failed on one node. */
async function failedOn(index: number) {
  const all = new ScriptedPlane(3)
  await all.prepare()
  all.fleet.host(index).behaviour = 'fails'
  const id = await all.accepted(all.plane.clusters.create(ASKED, all.input('c', [1, 2, 3])))
  const { childIds } = await all.ended(id)
  return { all, id, child: childIds[index - 1] ?? '' }
}

const count = (ran: readonly string[], verb: string) =>
  ran.filter(line => line.includes(` ${verb} `)).length

describe('a cluster', () => {
  test('is created: password, install, start on every node, one command a wave', async () => {
    const { all, plane, fleet } = await withCluster([1, 2, 3])
    expect(count(fleet.ran, 'install')).toBe(3)
    expect(count(fleet.ran, 'start')).toBe(3)
    expect(fleet.sends).toEqual([
      { hosts: 3, verb: 'install' },
      { hosts: 3, verb: 'start' },
    ])
    expect([...fleet.passwords]).toEqual([['/obfleet/clusters/orders/proxysys', 1]])
    const cluster = await plane.clusters.get('orders')
    expect(cluster).toMatchObject({ phase: 'RUNNING', heldBy: null, conditions: [] })
    expect(all.held()).toEqual([])
  })

  test('of sixty nodes is worked on in waves of at most fifty', async () => {
    const { fleet } = await withCluster(Array.from({ length: 60 }, (_none, index) => index + 1))
    expect(count(fleet.ran, 'install')).toBe(60)
    expect(Math.max(...fleet.sends.map(({ hosts }) => hosts))).toBeLessThanOrEqual(50)
  })

  test('is told of by commands that are found apart, however soon one follows another', async () => {
    const all = new ScriptedPlane(2)
    await all.prepare()
    const comments: string[] = []
    const { runCommand } = all.fleet
    const told = new Proxy(runCommand, {
      get: (target, name) =>
        name === 'send'
          ? (input: Parameters<RunCommand['send']>[0]) => {
              comments.push(input.comment)
              return target.send(input)
            }
          : Reflect.get(target, name).bind(target),
    })
    all.engine = all.newEngine('listening', { runCommand: told })
    const id = await all.accepted(all.plane.clusters.create(ASKED, all.input('c', [1, 2])))
    for (let left = 5; left > 0; left--) await all.engine.advance(id)

    expect(comments.length).toBeGreaterThan(1)
    expect(new Set(comments).size).toBe(comments.length)
    for (const comment of comments) expect(comment.startsWith(`${id}/`)).toBe(true)
    expect(Math.max(...comments.map(({ length }) => length))).toBeLessThanOrEqual(100)
  })

  test('with the sweeper once a minute and nothing else comes up too', async () => {
    const all = new ScriptedPlane(2)
    await all.prepare()
    const id = await all.accepted(all.plane.clusters.create(ASKED, all.input('slow', [1, 2])))
    expect(await all.ended(id, 60_000)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('without nodes is EMPTY, then gets some, then is deleted; host and proxy ids are free again', async () => {
    const all = new ScriptedPlane(2)
    await all.prepare()
    const made = await all.accepted(all.plane.clusters.create(ASKED, all.input('bare', [])))
    expect(await all.ended(made)).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await all.plane.clusters.get('bare')).phase).toBe('EMPTY')
    const { nodes } = all.input('', [1, 2]).spec
    await all.ended(await all.accepted(all.plane.clusters.addNodes(ASKED, 'bare', nodes)))
    const { revision } = await all.plane.clusters.get('bare')
    const asked = { confirm: 'bare', revision, skipHostWork: false }
    const gone = await all.accepted(all.plane.clusters.remove(ASKED, 'bare', asked))
    expect(await all.ended(gone)).toMatchObject({ phase: 'SUCCEEDED' })
    await expect(all.plane.clusters.get('bare')).rejects.toMatchObject({ code: 'not-found' })
    expect(all.store.all('proxyId')).toEqual([])
    expect(all.store.all('place')).toEqual([])
    expect(all.store.all('host').map(({ nodeId }) => nodeId)).toEqual([null, null])
    expect(all.store.all('obCluster')[0]?.linkCount).toBe(0)
    expect(count(all.fleet.ran, 'uninstall')).toBe(2)
    expect([...all.fleet.passwords]).toEqual([])
  })

  test('leaves a password alone that its caller gave, whatever it is called', async () => {
    const all = new ScriptedPlane(1)
    await all.prepare()
    const sysPasswordSecret = '/obfleet/clusters/mine/proxysys'
    all.fleet.passwords.set(sysPasswordSecret, 1)
    const input = all.input('mine', [])

    const made = all.plane.clusters.create(ASKED, {
      ...input,
      spec: { ...input.spec, sysPasswordSecret },
    })
    expect(await all.ended(await all.accepted(made))).toMatchObject({ phase: 'SUCCEEDED' })
    const { revision } = await all.plane.clusters.get('mine')
    const asked = { confirm: 'mine', revision, skipHostWork: false }
    const gone = await all.accepted(all.plane.clusters.remove(ASKED, 'mine', asked))

    expect(await all.ended(gone)).toMatchObject({ phase: 'SUCCEEDED' })
    expect([...all.fleet.passwords]).toEqual([[sysPasswordSecret, 1]])
  })

  test('is restarted one node at a time; after a failure the others are not touched', async () => {
    const { all, plane, fleet } = await withCluster([1, 2, 3])
    fleet.ran.length = 0
    const good = await all.accepted(plane.clusters.restart(ASKED, 'orders', { mode: 'force' }))
    expect(await all.ended(good)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(fleet.sends.slice(-3)).toEqual(Array(3).fill({ hosts: 1, verb: 'restart' }))
    fleet.ran.length = 0
    const host = fleet.host(1)
    host.behaviour = 'fails'
    const bad = await all.accepted(plane.clusters.restart(ASKED, 'orders', { mode: 'force' }))
    expect(await all.ended(bad)).toMatchObject({
      phase: 'FAILED',
      error: { code: 'node-command-failed' },
    })
    expect(fleet.ran).toHaveLength(1)
    const { items } = await plane.clusters.nodes('orders', { limit: 10 })
    const failed = items.filter(({ conditions }) => conditions.length > 0)
    expect(failed.map(({ name }) => name)).toEqual(['orders-1'])
    host.behaviour = 'works'
    await plane.operations.retry(ASKED, bad)
    expect(await all.ended(bad)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(count(fleet.ran, 'restart')).toBe(4)
  })
})

describe('what goes wrong', () => {
  test('on one node of three: its operation and the cluster’s fail, the others are done; retry does the rest', async () => {
    const all = new ScriptedPlane(3)
    await all.prepare()
    all.fleet.host(2).behaviour = 'fails'
    const id = await all.accepted(all.plane.clusters.create(ASKED, all.input('c', [1, 2, 3])))
    const failed = await all.ended(id)
    expect(failed).toMatchObject({ phase: 'FAILED', progress: { nodesDone: 2, nodesTotal: 3 } })
    expect(failed.error?.detail).toMatch(/1 of 3 nodes failed.*it did not come up/)
    expect(all.held()).toEqual([])
    const cluster = await all.plane.clusters.get('c')
    expect(cluster.conditions).toMatchObject([{ type: 'LastOperationFailed' }])
    all.fleet.host(2).behaviour = 'works'
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await all.plane.clusters.get('c')).toMatchObject({ phase: 'RUNNING', conditions: [] })
    expect(count(all.fleet.ran, 'install')).toBe(4)
  })

  test('on a node that is retried alone, in vain: the cluster’s retry does it, and its child is not cancelled alone', async () => {
    const { all, id, child } = await failedOn(2)
    const { operations } = all.plane
    await operations.retry(ASKED, child)
    expect(await all.ended(child)).toMatchObject({ phase: 'FAILED' })
    all.fleet.host(2).behaviour = 'works'
    all.fleet.ran.length = 0

    await operations.retry(ASKED, id)
    await all.engine.sweep(10)

    await expect(operations.cancel(ASKED, child)).rejects.toMatchObject({
      code: 'operation-state-conflict',
    })
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(count(all.fleet.ran, 'install')).toBe(1)
  })

  test('on a node that is retried alone: the cluster’s retry waits for it', async () => {
    const { all, id, child } = await failedOn(2)
    const { operations } = all.plane
    all.fleet.host(2).behaviour = 'works'
    await operations.retry(ASKED, child)

    await expect(operations.retry(ASKED, id)).rejects.toMatchObject({
      code: 'operation-state-conflict',
      details: { remedy: `wait for ${child}` },
    })

    await all.settle()
    await operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test.each(['refuse', 'lose-answer', 'never-arrives'] as const)(
    'with the send (%s): the work is done once all the same',
    async fault => {
      const { all, plane, fleet } = await withCluster([1, 2])
      fleet.ran.length = 0
      fleet.sendFaults.push(fault)
      const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
      expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
      expect(count(fleet.ran, 'stop')).toBe(2)
    },
  )

  test('with the send for good: the operation says so', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.sendFaults.push('refuse-for-good')
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    const failed = await all.ended(id)
    expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'remote-unavailable' } })
    expect(failed.error?.detail).toContain('no such document')
  })

  test('a command that is never delivered is sent again', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.host(1).behaviour = 'undelivered'
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    await all.engine.sweep(10)
    all.clock.pass(5_000)
    await all.engine.sweep(10)
    fleet.host(1).behaviour = 'works'
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(count(fleet.ran, 'stop')).toBe(1)
  })

  test('a machine that dies under a command gets it again', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.host(1).behaviour = 'reboots'
    const id = await all.accepted(plane.nodes.restart(ASKED, 'orders-1', { mode: 'force' }))
    await all.engine.sweep(10)
    all.clock.pass(5_000)
    await all.engine.sweep(10)
    fleet.host(1).behaviour = 'works'
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(count(fleet.ran, 'restart')).toBe(1)
  })

  test('a machine that dies under every command fails in time, with the reason', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.host(1).behaviour = 'reboots'
    const id = await all.accepted(plane.nodes.restart(ASKED, 'orders-1', { mode: 'force' }))
    const failed = await all.ended(id)
    expect(failed).toMatchObject({ phase: 'FAILED', error: { code: 'node-timeout' } })
    expect(failed.error?.detail).toContain('killed on the node')
    expect(all.held()).toEqual([])
  })

  test('an answer that never comes: the node is asked once more, its ledger has it', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.host(1).behaviour = 'silent'
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    await all.engine.sweep(10)
    fleet.host(1).behaviour = 'works'
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(count(fleet.ran, 'stop')).toBe(1)
  })

  test('a node that stays silent fails in time, with its lock released', async () => {
    const { all, plane, fleet } = await withCluster([1])
    fleet.host(1).behaviour = 'silent'
    const began = all.clock.now()
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED', error: { code: 'node-timeout' } })
    expect(all.clock.now() - began).toBeLessThan(9 * 60_000)
    expect(all.held()).toEqual([])
  })

  test('a host that is offline is waited for, the others go on', async () => {
    const { all, plane, fleet } = await withCluster([1, 2])
    fleet.host(1).isOnline = false
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    for (let tick = 0; tick < 5; tick++) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    expect(count(fleet.ran, 'stop')).toBe(1)
    fleet.host(1).isOnline = true
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('a node out of reach can be forgotten', async () => {
    const { all, plane, fleet } = await withCluster([1, 2])
    fleet.host(2).isOnline = false
    const { items } = await plane.clusters.nodes('orders', { limit: 10 })
    const lost = items.find(node => node.hostId === fleet.host(2).facts.id)
    const id = await all.accepted(
      plane.nodes.remove(ASKED, lost?.id ?? '', {
        revision: lost?.revision ?? 0,
        skipHostWork: true,
      }),
    )
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await plane.clusters.get('orders')).nodes).toHaveLength(1)
    expect(count(fleet.ran, 'uninstall')).toBe(0)
  })
})

describe('cancel', () => {
  test('lets what runs end, begins nothing new, releases everything', async () => {
    const { all, plane, fleet } = await withCluster([1, 2, 3])
    for (const index of [1, 2, 3]) fleet.host(index).behaviour = 'slow'
    fleet.ran.length = 0
    const id = await all.accepted(plane.clusters.restart(ASKED, 'orders', { mode: 'force' }))
    await all.engine.sweep(10)
    await plane.operations.cancel(ASKED, id)
    await plane.operations.cancel(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    expect(fleet.ran).toHaveLength(1)
    expect(all.held()).toEqual([])
    const { items } = await plane.clusters.nodes('orders', { limit: 10 })
    const cluster = await plane.clusters.get('orders')
    expect([cluster, ...items].flatMap(({ conditions }) => conditions)).toEqual([])
    await expect(plane.operations.cancel(ASKED, 'op_none')).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  test('of what has ended is refused, and so is retry of what succeeded', async () => {
    const { all, plane } = await withCluster([1])
    const id = await all.accepted(plane.clusters.stop(ASKED, 'orders', {}))
    await all.ended(id)
    const conflict = { code: 'operation-state-conflict' }
    await expect(plane.operations.cancel(ASKED, id)).rejects.toMatchObject(conflict)
    await expect(plane.operations.retry(ASKED, id)).rejects.toMatchObject(conflict)
  })
})

describe('who may begin', () => {
  test('of many at once on one cluster exactly one; the others are told who holds it', async () => {
    const { all, plane } = await withCluster([1, 2])
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () =>
        plane.clusters.restart(ASKED, 'orders', { mode: 'force' }).then(
          () => 'accepted',
          (error: { code: string; details: { conflict?: object } }) =>
            error.details.conflict === undefined ? error.code : 'conflict',
        ),
      ),
    )
    expect(outcomes.filter(each => each === 'accepted')).toHaveLength(1)
    expect(outcomes.filter(each => each === 'conflict')).toHaveLength(9)
    await all.settle()
  })

  test('a node’s operation and its cluster’s exclude each other', async () => {
    const { all, plane } = await withCluster([1, 2])
    const { items } = await plane.clusters.nodes('orders', { limit: 10 })
    const ref = items[0]?.id ?? ''
    await plane.nodes.restart(ASKED, ref, { mode: 'force' })
    await expect(plane.clusters.stop(ASKED, 'orders', {})).rejects.toMatchObject({
      code: 'node-state-conflict',
    })
    await all.settle()
    await plane.clusters.stop(ASKED, 'orders', {})
    await expect(plane.nodes.restart(ASKED, ref, { mode: 'force' })).rejects.toMatchObject({
      code: 'cluster-state-conflict',
    })
    await all.settle()
  })
})

describe('an executor that comes back', () => {
  /** Dies with the lease of an operation in its name. */
  async function died(all: ScriptedPlane): Promise<string> {
    const id = await all.accepted(all.plane.nodes.restart(ASKED, 'orders-1', { mode: 'force' }))
    const { engine } = interrupted(all, { at: 3, how: 'dies after' })
    await engine.sweep(10)
    expect(count(all.fleet.ran, 'restart')).toBe(0)
    expect(all.store.all('work')).toMatchObject([{ lease: { owner: 'interrupted' } }])
    return id
  }

  test('with its name takes up at once what it held when it died', async () => {
    const { all } = await withCluster([1])
    const id = await died(all)
    const since = all.clock.now()

    expect(await all.newEngine('interrupted').resume(10)).toBe(1)

    expect(count(all.fleet.ran, 'restart')).toBe(1)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.clock.now() - since).toBeLessThan(5_000)
  })

  test('with another name leaves it alone until the lease ends', async () => {
    const { all, fleet } = await withCluster([1])
    const id = await died(all)

    await all.newEngine('other').resume(10)
    all.clock.pass(29_000)
    await all.newEngine('other').resume(10)

    expect(count(fleet.ran, 'restart')).toBe(0)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })
})
