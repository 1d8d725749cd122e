/** The password of root@proxysys is replaced: no gap, no secret left over, and back when a node refuses. */
import { describe, expect, test } from 'vitest'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const withCluster = ScriptedPlane.withOrders

const rotate = (all: ScriptedPlane, secret?: string) =>
  all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'orders', secret))

const secretOf = async (all: ScriptedPlane) =>
  (await all.plane.clusters.get('orders')).spec.sysPasswordSecret

const secretsTold = (all: ScriptedPlane) =>
  [...all.fleet.hosts.values()].map(({ sysPasswordSecret }) => sysPasswordSecret)

describe('the password of root@proxysys', () => {
  test('is made under a new name, given to one node, then to the others; the old one is forgotten', async () => {
    const all = await withCluster(3)
    const before = await secretOf(all)
    expect(await all.ended(await rotate(all))).toMatchObject({ phase: 'SUCCEEDED' })
    const after = await secretOf(all)
    expect(after).not.toBe(before)
    expect(after).toMatch(/^\/obfleet\/clusters\/orders\/proxysys\/op_/)
    expect([...all.fleet.passwords.keys()]).toEqual([after])
    expect(secretsTold(all)).toEqual([after, after, after])
    expect(all.fleet.sends.map(({ hosts }) => hosts)).toEqual([1, 2])
  })

  test('is told to those that are left, when one is deleted before it was told', async () => {
    const all = await withCluster(3)
    const id = await rotate(all)
    for (let left = 30; left > 0 && all.fleet.ran.length === 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    await all.plane.operations.cancel(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    const before = all.fleet.host(3).sysPasswordSecret
    const { revision } = await all.plane.nodes.get('orders-3')
    const deletion = { revision, skipHostWork: false, isForced: true }
    await all.ended(await all.accepted(all.plane.nodes.remove(ASKED, 'orders-3', deletion)))

    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    const after = await secretOf(all)
    expect(after).not.toBe(before)
    expect(secretsTold(all).slice(0, 2)).toEqual([after, after])
    expect([...all.fleet.passwords.keys()]).toEqual([after])
  })

  test('that a node refuses is given up by all: the old one stays, the new one is forgotten', async () => {
    const all = await withCluster(3)
    const before = await secretOf(all)
    all.fleet.host(1).failing.add('refresh')
    const { engine } = all
    const id = await rotate(all)
    all.clock.pass(1_000)
    await engine.sweep(10)
    for (let left = 30; left > 0 && all.fleet.ran.length === 0; left--) {
      all.clock.pass(1_000)
      await engine.sweep(10)
    }
    all.fleet.host(1).failing.clear()
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(await secretOf(all)).toBe(before)
    expect([...all.fleet.passwords.keys()]).toEqual([before])
    expect(new Set(secretsTold(all))).toEqual(new Set([before]))
    expect(all.held()).toEqual([])
  })

  test('that a later node refuses is given up by the first one, too', async () => {
    const all = await withCluster(3)
    const before = await secretOf(all)
    const id = await rotate(all)
    const isReached = () => all.fleet.sends.length > 1
    for (let left = 60; left > 0 && !isReached(); left--) {
      // The first has it by now.
      if (all.fleet.ran.length === 1) all.fleet.host(3).failing.add('refresh')
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    all.fleet.host(3).failing.clear()
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(secretsTold(all)).toEqual([before, before, before])
    expect(await secretOf(all)).toBe(before)
  })

  test('of the caller is used by its name, and kept afterwards as the caller has it', async () => {
    const all = await withCluster(2)
    all.fleet.passwords.set('/mine/first', 1)
    await all.ended(await rotate(all, '/mine/first'))
    expect(secretsTold(all)).toEqual(['/mine/first', '/mine/first'])
    await all.ended(await rotate(all))
    expect([...all.fleet.passwords.keys()]).toContain('/mine/first')
    await expect(rotate(all, await secretOf(all))).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('reaches a stopped node at its next start', async () => {
    const all = await withCluster(2)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-2')))
    await all.ended(await rotate(all))
    const after = await secretOf(all)
    expect(secretsTold(all)[1]).not.toBe(after)
    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'orders-2')))
    expect(secretsTold(all)).toEqual([after, after])
  })

  test('that was given up is made again by a retry; one that is given out is not taken back', async () => {
    const all = await withCluster(2)
    all.fleet.host(1).failing.add('refresh')
    const id = await rotate(all)
    for (let left = 30; left > 0 && all.fleet.ran.length === 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    all.fleet.host(1).failing.clear()
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    const after = await secretOf(all)
    expect([...all.fleet.passwords.keys()]).toEqual([after])
    expect(secretsTold(all)).toEqual([after, after])
    await expect(all.plane.operations.rollback(ASKED, id)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('is replaced by one request at a time', async () => {
    const all = await withCluster(2)
    await rotate(all)
    await expect(rotate(all)).rejects.toMatchObject({ code: 'cluster-state-conflict' })
    await all.settle()
  })
})
