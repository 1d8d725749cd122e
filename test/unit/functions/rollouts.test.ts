/** Restarts and upgrades of fleets: wave by wave, watched, stopped by what goes wrong, and back. */
import { describe, expect, test } from 'vitest'
import type { ReplaceInput, UpgradeInput } from '../../../functions/domain/plane.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane, VERSION } from '../../support/scripted-plane.ts'

const NEXT = '4.3.3.0-7'

async function withCluster(count: number) {
  const all = await ScriptedPlane.withOrders(count)
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
    sha256: 'b'.repeat(64),
    sizeBytes: 10,
    url: 'spool:y',
  })
  return all
}

const hostsOf = (all: ScriptedPlane, verb: string) =>
  all.fleet.ran
    .filter(line => line.includes(` ${verb} `))
    .map(line => Number(line.split(' ')[0]?.slice(2)))

const versions = (all: ScriptedPlane) => [...all.fleet.hosts.values()].map(host => host.version)

const upgrade = (all: ScriptedPlane, input: Partial<UpgradeInput> = {}) =>
  all.accepted(
    all.plane.clusters.upgrade(ASKED, 'orders', { mode: 'auto', version: NEXT, ...input }),
  )

const restart = (all: ScriptedPlane, input: Partial<ReplaceInput> = {}) =>
  all.accepted(all.plane.clusters.restart(ASKED, 'orders', { mode: 'auto', ...input }))

describe('an upgrade of a fleet', () => {
  test('is hot, a canary first, watched for five minutes, then wave by wave', async () => {
    const all = await withCluster(5)
    const id = await upgrade(all)
    const since = all.clock.now()
    const ended = await all.ended(id)
    expect(ended).toMatchObject({
      phase: 'SUCCEEDED',
      progress: { waves: 5, wave: 5, nodesDone: 5 },
    })
    expect(hostsOf(all, 'upgrade')).toEqual([1, 2, 3, 4, 5])
    expect(new Set(all.fleet.modes)).toEqual(new Set(['hot']))
    // A canary of five minutes and four waves of one each.
    expect(all.clock.now() - since).toBeGreaterThanOrEqual(9 * 60_000)
    expect(versions(all)).toEqual(Array(5).fill(NEXT))
    const cluster = await all.plane.clusters.get('orders')
    expect(cluster).toMatchObject({ spec: { version: NEXT }, heldBy: null, conditions: [] })
    expect(all.held()).toEqual([])
  })

  test('leaves alone what is of that version, and has nothing to do for the second time', async () => {
    const all = await withCluster(2)
    await all.ended(await upgrade(all, { nodes: ['orders-1'] }))
    expect(versions(all)).toEqual([NEXT, VERSION])
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(VERSION)
    await all.ended(await upgrade(all))
    expect(hostsOf(all, 'upgrade')).toEqual([1, 2])
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(NEXT)
    const again = await all.plane.clusters.upgrade(ASKED, 'orders', { mode: 'auto', version: NEXT })
    expect(again.kind).toBe('done')
  })

  test('that fails on a node puts back its wave, and touches nobody behind it', async () => {
    const all = await withCluster(5)
    all.fleet.host(2).failing.add('upgrade')
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
    expect(ended.error?.detail).toContain('1 of 5 nodes')
    expect(hostsOf(all, 'upgrade')).toEqual([1, 2])
    expect(hostsOf(all, 'revert')).toEqual([2])
    expect(versions(all)).toEqual([NEXT, VERSION, VERSION, VERSION, VERSION])
    expect(all.held()).toEqual([])
  })

  test.each([
    ['is not ready', { ready: false, reason: 'draining' }, 'not ready'],
    ['fails more requests than before', { ready: true, requests: 100, errors: 9 }, '9.0 %'],
    ['lets nobody log in', { ready: true, probe1Error: 1045 }, '1045'],
  ])('whose canary %s is rolled back whole', async (_name, checked, says) => {
    const all = await withCluster(3)
    all.fleet.host(1).checks = [
      { ready: true, requests: 1000, errors: 0, probe1Error: null },
      checked,
    ]
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK', error: { code: 'gate-failed' } })
    expect(ended.error?.detail).toContain(says)
    expect(versions(all)).toEqual([VERSION, VERSION, VERSION])
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(VERSION)
    const { conditions } = await all.plane.nodes.get('orders-1')
    expect(conditions).toEqual([])
    expect(all.held()).toEqual([])
  })

  test('whose canary says while it is watched that it is down is rolled back', async () => {
    const all = await withCluster(3)
    const id = await upgrade(all)
    const host = all.fleet.host(1)
    for (let left = 60; host.version !== NEXT && left > 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    all.clock.pass(30_000)
    await all.engine.sweep(10)
    const node = await all.plane.nodes.get('orders-1')
    host.status = 'STOPPED'
    await all.fleet.report(host, node.id, null)
    host.status = 'RUNNING'
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(hostsOf(all, 'upgrade')).toEqual([1])
  })

  test('with onFailure pause waits for somebody, who has it go on', async () => {
    const all = await withCluster(3)
    all.fleet.host(2).failing.add('upgrade')
    const id = await upgrade(all, { rollout: { onFailure: 'pause' } })
    for (let left = 1_200; left > 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    expect(await all.plane.operations.get(id)).toMatchObject({ phase: 'PAUSED' })
    expect(hostsOf(all, 'upgrade')).toEqual([1, 2])
    all.fleet.host(2).failing.clear()
    await all.plane.operations.resume(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(versions(all)).toEqual([NEXT, NEXT, NEXT])
    expect(hostsOf(all, 'upgrade')).toEqual([1, 2, 2, 3])
  })

  test('is paused between nodes, and rolled back from there', async () => {
    const all = await withCluster(3)
    const id = await upgrade(all, { rollout: { canaryBakeMs: 0, bakeMs: 0 } })
    for (let left = 60; hostsOf(all, 'upgrade').length < 1 && left > 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    await all.plane.operations.pause(ASKED, id)
    await expect(all.plane.operations.rollback(ASKED, id)).rejects.toMatchObject({
      code: 'operation-state-conflict',
    })
    for (let left = 30; left > 0; left--) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    expect(hostsOf(all, 'upgrade')).toEqual([1])
    await all.plane.operations.rollback(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK', error: null })
    expect(versions(all)).toEqual([VERSION, VERSION, VERSION])
    expect(all.held()).toEqual([])
  })

  test('that has succeeded is rolled back within a day, and no later', async () => {
    const all = await withCluster(3)
    const id = await upgrade(all)
    await all.ended(id)
    const { operation } = (await all.plane.operations.rollback(ASKED, id)) as {
      operation: { id: string }
    }
    expect(operation.id).toBe(id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(versions(all)).toEqual([VERSION, VERSION, VERSION])
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(VERSION)
    const late = await upgrade(all)
    await all.ended(late)
    all.clock.pass(25 * 3_600_000)
    await expect(all.plane.operations.rollback(ASKED, late)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('that was rolled back can be retried: every node again', async () => {
    const all = await withCluster(3)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
    const id = await upgrade(all)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    all.fleet.host(1).checks = [{ ready: true }, { ready: true }]
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(versions(all)).toEqual([NEXT, NEXT, NEXT])
  })

  test('that cannot be put back says so, and has released everything', async () => {
    const all = await withCluster(3)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
    all.fleet.host(1).failing.add('revert')
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'gate-failed' } })
    expect(ended.error?.detail).toContain('orders-1 was not put back')
    expect(all.held()).toEqual([])
  })

  test('with the sweeper once a minute and nothing else comes to its end', async () => {
    const all = await withCluster(3)
    expect(await all.ended(await upgrade(all), 60_000)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test.each([
    ['to an older version', { version: '4.0.0.0-1' }, 'operation-not-allowed'],
    ['without a package', { version: '4.9.0.0-1' }, 'validation-failed'],
    [
      'hot over a major version',
      { version: '5.0.0.0-1', mode: 'hot' as const },
      'operation-not-allowed',
    ],
    ['of all at once, unconfirmed', { strategy: 'all-at-once' as const }, 'confirmation-required'],
  ])('%s is refused before any node is touched', async (_name, input, code) => {
    const all = await withCluster(2)
    for (const version of ['4.0.0.0-1', '5.0.0.0-1'])
      await all.plane.packages.create(ASKED, {
        fileName: `obproxy-${version}.linux.x86_64.tar.gz`,
        sha256: 'c'.repeat(64),
        sizeBytes: 10,
        url: 'spool:z',
      })
    await expect(upgrade(all, input)).rejects.toMatchObject({ code })
    expect(all.fleet.sends).toEqual([])
  })

  test('of some nodes to another family is refused: a cluster crosses as a whole', async () => {
    const all = await withCluster(2)
    for (const [at, version] of ['3.2.5.0-1', '3.2.5.0-1'].entries()) {
      const host = all.fleet.host(at + 1)
      host.version = version
      const { items } = await all.plane.clusters.nodes('orders', { limit: 9 })
      const node = items.find(({ hostId: id }) => id === host.facts.id)
      await all.fleet.report(host, node?.id ?? '', null)
    }
    await expect(upgrade(all, { nodes: ['orders-1'] })).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
    // Over a major version it is no hot one.
    await all.ended(await upgrade(all))
    expect(new Set(all.fleet.modes)).toEqual(new Set(['force']))
    expect(versions(all)).toEqual([NEXT, NEXT])
  })

  test('gives each host the package of its architecture; while one is missing nobody is touched', async () => {
    const all = await withCluster(3)
    const host = all.fleet.host(3)
    host.arch = 'aarch64'
    const { items } = await all.plane.clusters.nodes('orders', { limit: 9 })
    const node = items.find(({ hostId: id }) => id === host.facts.id)
    await all.fleet.report(host, node?.id ?? '', null)
    await expect(upgrade(all)).rejects.toMatchObject({
      code: 'validation-failed',
      details: { errors: [{ pointer: '/version', code: 'no-package', detail: 'aarch64' }] },
    })
    expect(all.fleet.sends).toEqual([])
    expect(all.held()).toEqual([])

    await all.plane.packages.create(ASKED, {
      fileName: `obproxy-${NEXT}.linux.aarch64.tar.gz`,
      sha256: 'c'.repeat(64),
      sizeBytes: 10,
      url: 'spool:z',
    })
    const given = new Map<string, string | undefined>()
    all.fleet.obeyed = (verb, { desired, package: wanted }) => {
      if (verb === 'upgrade') given.set(desired?.nodeId ?? '', wanted?.fileName)
    }
    expect(await all.ended(await upgrade(all))).toMatchObject({ phase: 'SUCCEEDED' })
    expect([...given.values()].map(name => name?.split('.').at(-3))).toEqual([
      'x86_64',
      'x86_64',
      'aarch64',
    ])
  })

  test('needs nodes that run', async () => {
    const all = await withCluster(2)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-2')))
    await expect(upgrade(all)).rejects.toMatchObject({ code: 'node-state-conflict' })
  })

  test('all at once, confirmed, is one command for all', async () => {
    const all = await withCluster(4)
    await all.ended(await upgrade(all, { strategy: 'all-at-once', confirm: 'orders' }))
    expect(all.fleet.sends.filter(({ verb }) => verb === 'upgrade')).toEqual([
      { hosts: 4, verb: 'upgrade' },
    ])
  })
})

describe('an upgrade of one node', () => {
  const one = (all: ScriptedPlane) =>
    all.accepted(all.plane.nodes.upgrade(ASKED, 'orders-1', { mode: 'hot', version: NEXT }))

  test('is of that node alone, hot, and not watched', async () => {
    const all = await withCluster(2)
    const since = all.clock.now()
    expect(await all.ended(await one(all))).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.clock.now() - since).toBeLessThan(30_000)
    expect(versions(all)).toEqual([NEXT, VERSION])
    expect((await all.plane.nodes.get('orders-1')).desiredVersion).toBe(NEXT)
    expect(
      (await all.plane.nodes.upgrade(ASKED, 'orders-1', { mode: 'hot', version: NEXT })).kind,
    ).toBe('done')
  })

  test('that its gate does not let pass goes back', async () => {
    const all = await withCluster(2)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
    expect(await all.ended(await one(all))).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(versions(all)).toEqual([VERSION, VERSION])
    expect(all.held()).toEqual([])
  })

  test('is put on record by the next request where it was left on the way', async () => {
    const all = await withCluster(2)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
    const stays = { rollout: { onFailure: 'stop' as const } }
    const left = await upgrade(all, { nodes: ['orders-1'], ...stays })
    expect(await all.ended(left)).toMatchObject({ phase: 'FAILED' })
    expect(versions(all)).toEqual([NEXT, VERSION])
    expect((await all.plane.nodes.get('orders-1')).desiredVersion).toBeNull()
    all.fleet.host(1).checks = [{ ready: true }, { ready: true }]
    expect(await all.ended(await upgrade(all))).toMatchObject({ phase: 'SUCCEEDED' })
    expect((await all.plane.clusters.get('orders')).spec.version).toBe(NEXT)
  })
})

describe('a restart of a fleet', () => {
  test('is hot and rolling by default', async () => {
    const all = await withCluster(3)
    expect(await all.ended(await restart(all))).toMatchObject({ phase: 'SUCCEEDED' })
    expect(hostsOf(all, 'restart')).toEqual([1, 2, 3])
    expect(all.fleet.modes).toEqual(['hot', 'hot', 'hot'])
  })

  test('is forced where a node cannot, unless hot was asked for', async () => {
    const all = await withCluster(2)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-2')))
    await expect(restart(all, { mode: 'hot' })).rejects.toMatchObject({
      code: 'node-state-conflict',
    })
    all.fleet.modes.length = 0
    await all.ended(await restart(all))
    expect(all.fleet.modes).toEqual(['force', 'force'])
  })

  test('of proxies below 3.2.1 cannot be hot', async () => {
    const all = await withCluster(1)
    all.fleet.host(1).version = '3.2.0-1'
    await all.fleet.report(all.fleet.host(1), (await all.plane.nodes.get('orders-1')).id, null)
    await expect(restart(all, { mode: 'hot' })).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })

  test('has nothing that could be put back', async () => {
    const all = await withCluster(2)
    const id = await restart(all)
    await all.ended(id)
    await expect(all.plane.operations.rollback(ASKED, id)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
  })
})

describe('a refresh', () => {
  test('is of nodes that are behind, and of no other', async () => {
    const all = await withCluster(3)
    const done = await all.plane.clusters.refresh(ASKED, 'orders', {})
    expect(done.kind).toBe('done')
    const host = all.fleet.hosts.get(hostId(2))
    if (host === undefined) throw new Error('no host')
    host.parameterVersion = 0
    await all.fleet.report(host, (await all.plane.nodes.get('orders-2')).id, null)
    await all.ended(await all.accepted(all.plane.clusters.refresh(ASKED, 'orders', {})))
    expect(hostsOf(all, 'refresh')).toEqual([2])
  })
})
