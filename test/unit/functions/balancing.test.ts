/** Nodes behind a balancer: when they are taken out and in, by whom, and what that leaves alone. */
import { describe, expect, test } from 'vitest'
import type { Step } from '../../../functions/domain/model.ts'
import type { ReplaceInput } from '../../../functions/domain/plane.ts'
import { hasActed } from '../../../functions/operations/balancer-steps.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const GROUP = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const
const [ONE, TWO, THREE] = [1, 2, 3].map(hostId)

/** A cluster that serves behind a balancer. */
async function balanced(count: number) {
  const all = new ScriptedPlane(count)
  const hosts = Array.from({ length: count }, (_none, index) => index + 1)
  await all.running('orders', hosts, { loadBalancer: GROUP })
  all.fleet.ran.length = 0
  all.balancer.calls.length = 0
  return all
}

const force = (all: ScriptedPlane, input: Partial<ReplaceInput> = {}) =>
  all.accepted(all.plane.clusters.restart(ASKED, 'orders', { mode: 'force', ...input }))

const out = (all: ScriptedPlane, reason?: string) =>
  all.plane.nodes.offline(ASKED, 'orders-1', reason === undefined ? {} : { reason })

async function tick(all: ScriptedPlane, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left--) {
    all.clock.pass(1_000)
    await all.engine.sweep(10)
  }
}

/** Of a node's operation. */
const namesOf = (steps: readonly Step[]) => steps.map(({ name }) => name)

async function report(all: ScriptedPlane, index: number, clients: number): Promise<void> {
  const { id } = await all.plane.nodes.get(`orders-${index}`)
  const host = all.fleet.host(index)
  host.clients = clients
  await all.fleet.report(host, id, null)
}

describe('a new cluster with a balancer', () => {
  test('counts as made when all of its nodes are healthy members', async () => {
    const all = new ScriptedPlane(2)
    await all.running('orders', [1, 2], { loadBalancer: GROUP })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
    const shown = await all.plane.clusters.loadBalancer('orders')
    expect(shown.members.map(({ node }) => node?.name)).toEqual(['orders-1', 'orders-2'])
    expect(shown.absent).toEqual([])
  })

  test('whose group is not there is refused, and says where', async () => {
    const all = new ScriptedPlane(1)
    await all.prepare()
    const loadBalancer = { ...GROUP, targetGroupArn: `${GROUP_ARN.slice(0, -1)}e` }
    await expect(
      all.plane.clusters.create(ASKED, all.input('orders', [1], { loadBalancer })),
    ).rejects.toMatchObject({
      code: 'validation-failed',
      details: { errors: [{ pointer: '/spec/loadBalancer/targetGroupArn' }] },
    })
  })

  test('fails when the balancer does not find a node healthy, with what it says of it', async () => {
    const all = new ScriptedPlane(2)
    await all.prepare()
    all.balancer.sick.add(TWO ?? '')
    const input = all.input('orders', [1, 2], { loadBalancer: GROUP })
    const ended = await all.ended(await all.accepted(all.plane.clusters.create(ASKED, input)))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'balancer-timeout' } })
    expect(ended.error?.detail).toContain(`${TWO} is unhealthy`)
    expect(all.fleet.host(2).status).toBe('RUNNING')
    all.balancer.sick.clear()
    await all.plane.operations.retry(ASKED, ended.id)
    expect(await all.ended(ended.id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('by address has its nodes’ addresses as targets', async () => {
    const all = new ScriptedPlane(1)
    await all.running('orders', [1], { loadBalancer: { ...GROUP, targetBy: 'ip' } })
    expect(all.balancer.states()).toEqual(['127.0.1.1 healthy'])
  })
})

describe('a forced restart', () => {
  test('takes each node out, waits until it is drained, and goes on when it is back in', async () => {
    const all = await balanced(2)
    all.balancer.drainMs = 60_000
    const since = all.clock.now()
    const ended = await all.ended(await force(all))
    expect(ended).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.balancer.calls).toEqual([
      `deregister ${ONE}`,
      `register ${ONE}`,
      `deregister ${TWO}`,
      `register ${TWO}`,
    ])
    expect(all.clock.now() - since).toBeGreaterThanOrEqual(120_000)
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
    const [child = ''] = ended.childIds
    const steps = await all.plane.operations.steps(child)
    expect(namesOf(steps)).toEqual([
      'deregister',
      'drain-balancer',
      'restart',
      'verify',
      'register',
      'finish',
    ])
  })

  test('of the second begins when the first is healthy, and not before', async () => {
    const all = await balanced(2)
    all.balancer.healthyAfterMs = 45_000
    const id = await force(all)
    for (let left = 600; all.store.all('work').length > 0 && left > 0; left--) {
      const serving = all.balancer.states().filter(line => line.endsWith(' healthy'))
      expect(serving.length).toBeGreaterThanOrEqual(1)
      await tick(all, 1)
    }
    expect(await all.plane.operations.get(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('waits no longer than there are clients: a report of none, made while it drains, is enough', async () => {
    const all = await balanced(1)
    all.balancer.drainMs = 500_000
    await report(all, 1, 0)
    const id = await force(all)
    await tick(all, 30)
    expect(all.fleet.ran).toEqual([])
    await report(all, 1, 3)
    await tick(all, 30)
    expect(all.fleet.ran).toEqual([])
    await report(all, 1, 0)
    await tick(all, 30)
    expect(await all.plane.operations.get(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('that clients do not leave in time fails, and leaves the node as it was', async () => {
    const all = await balanced(2)
    all.balancer.drainMs = 3_600_000
    await report(all, 1, 7)
    const ended = await all.ended(await force(all))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'balancer-timeout' } })
    expect(ended.error?.detail).toContain('orders-1 drains with 7 clients')
    expect(all.fleet.ran).toEqual([])
    await tick(all, 5)
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
  })

  test('for which somebody said how long clients may stay goes on then', async () => {
    const all = await balanced(1)
    all.balancer.drainMs = 3_600_000
    await report(all, 1, 7)
    const since = all.clock.now()
    const ended = await all.ended(await force(all, { rollout: { drainSec: 90 } }))
    expect(ended).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.clock.now() - since).toBeGreaterThanOrEqual(90_000)
    expect(all.clock.now() - since).toBeLessThan(300_000)
  })

  test('that fails leaves the node out: it may not serve', async () => {
    const all = await balanced(2)
    all.fleet.host(1).failing.add('restart')
    const ended = await all.ended(await force(all))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'node-command-failed' } })
    expect(all.balancer.states()).toEqual([`${TWO} healthy`])
    all.fleet.host(1).failing.clear()
    await all.plane.operations.retry(ASKED, ended.id)
    expect(await all.ended(ended.id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
  })

  test('that is retried takes out again who was taken in meanwhile', async () => {
    const all = await balanced(1)
    all.fleet.host(1).failing.add('restart')
    const id = await force(all)
    await all.ended(id)
    await all.ended(await all.accepted(all.plane.nodes.online(ASKED, 'orders-1')))
    all.balancer.calls.length = 0
    all.fleet.host(1).failing.clear()
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.balancer.calls).toEqual([`deregister ${ONE}`, `register ${ONE}`])
  })

  test('of a node that is stopped asks for no draining, and takes it in', async () => {
    const all = await balanced(2)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1')))
    all.balancer.calls.length = 0
    const input = { mode: 'force' as const }
    const id = await all.accepted(all.plane.nodes.restart(ASKED, 'orders-1', input))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.balancer.calls).toEqual([`register ${ONE}`])
  })
})

describe('a cancelled one', () => {
  test('while a node drains puts it back in, untouched', async () => {
    const all = await balanced(1)
    all.balancer.drainMs = 300_000
    const id = await force(all)
    await tick(all, 10)
    expect(all.balancer.states()).toEqual([`${ONE} draining`])
    await all.plane.operations.cancel(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    expect(all.fleet.ran).toEqual([])
    await tick(all, 5)
    expect(all.balancer.states()).toEqual([`${ONE} healthy`])
  })

  test('after a node was restarted ends when that one is back in', async () => {
    const all = await balanced(2)
    all.balancer.healthyAfterMs = 30_000
    const id = await force(all)
    for (let left = 90; all.fleet.ran.length === 0 && left > 0; left--) await tick(all, 1)
    await all.plane.operations.cancel(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'CANCELLED' })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
    expect(all.fleet.ran).toHaveLength(1)
  })

  test('while the balancer does not answer says which node is out', async () => {
    const all = await balanced(1)
    all.balancer.drainMs = 300_000
    const id = await all.accepted(all.plane.nodes.restart(ASKED, 'orders-1', { mode: 'force' }))
    await tick(all, 10)
    all.balancer.isAway = true
    await all.plane.operations.cancel(ASKED, id)
    const ended = await all.ended(id)
    expect(ended).toMatchObject({ phase: 'CANCELLED', error: { code: 'remote-unavailable' } })
    expect(ended.error?.detail).toContain('orders-1 is still out')
  })
})

describe('what is hot', () => {
  test('leaves the membership alone', async () => {
    const all = await balanced(2)
    const rollout = { canaryBakeMs: 0, bakeMs: 0 }
    const input = { mode: 'hot' as const, rollout }
    const id = await all.accepted(all.plane.clusters.restart(ASKED, 'orders', input))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.fleet.ran).toHaveLength(2)
    expect(all.balancer.calls).toEqual([])
  })
})

describe('a forced upgrade', () => {
  const NEXT = '4.3.3.0-7'

  async function upgradable(all: ScriptedPlane): Promise<void> {
    await all.plane.packages.create(ASKED, {
      fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
      sha256: 'b'.repeat(64),
      sizeBytes: 10,
      url: 'spool:y',
    })
  }

  const upgrade = (all: ScriptedPlane) =>
    all.accepted(
      all.plane.clusters.upgrade(ASKED, 'orders', {
        mode: 'force',
        version: NEXT,
        rollout: { onFailure: 'rollback', bakeMs: 10_000 },
      }),
    )

  test('watches a node once it is back in', async () => {
    const all = await balanced(1)
    await upgradable(all)
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'SUCCEEDED' })
    const steps = await all.plane.operations.steps(ended.childIds[0] ?? '')
    expect(namesOf(steps)).toEqual([
      'baseline',
      'deregister',
      'drain-balancer',
      'upgrade',
      'verify',
      'register',
      'bake',
      'gate',
      'finish',
    ])
  })

  test('that goes back takes the node out once more, and in with its old version', async () => {
    const all = await balanced(2)
    await upgradable(all)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK', error: { code: 'gate-failed' } })
    expect(all.fleet.host(1).version).not.toBe(NEXT)
    expect(all.balancer.calls.filter(call => call.endsWith(ONE ?? ''))).toEqual([
      `deregister ${ONE}`,
      `register ${ONE}`,
      `deregister ${ONE}`,
      `register ${ONE}`,
    ])
    expect(all.balancer.states()).toContain(`${ONE} healthy`)
  })

  test('that only could not drain has changed nothing, and nothing is put back', async () => {
    const all = await balanced(1)
    await upgradable(all)
    all.balancer.drainMs = 3_600_000
    await report(all, 1, 1)
    const ended = await all.ended(await upgrade(all))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'balancer-timeout' } })
    expect(all.fleet.ran).toEqual([])
    await tick(all, 5)
    expect(all.balancer.states()).toEqual([`${ONE} healthy`])
  })
})

describe('an operation that ended at its', () => {
  const RESTARTED = ['baseline', 'deregister', 'drain-balancer', 'restart', 'verify'] as const
  const REFRESHED = ['refresh', 'deregister', 'drain-balancer', 'restart', 'verify'] as const
  const OUT = ['deregister', 'finish'] as const

  test.each([
    [RESTARTED, 0, 'FAILED', false],
    [RESTARTED, 2, 'FAILED', false],
    [RESTARTED, 2, 'CANCELLED', false],
    [RESTARTED, 3, 'FAILED', true],
    [RESTARTED, 3, 'CANCELLED', true],
    [RESTARTED, 5, 'SUCCEEDED', true],
    [REFRESHED, 0, 'CANCELLED', false],
    [REFRESHED, 0, 'FAILED', true],
    [REFRESHED, 2, 'FAILED', true],
    [OUT, 0, 'CANCELLED', false],
    [OUT, 0, 'FAILED', true],
    [OUT, 2, 'SUCCEEDED', true],
  ] as const)('%o step %d, %s: changed its node %s', (plan, stepsDone, phase, isChanged) =>
    expect(hasActed({ plan, stepsDone, phase })).toBe(isChanged),
  )
})

describe('stop, start, delete', () => {
  test('stopped nodes are out, started ones in again', async () => {
    const all = await balanced(2)
    await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {})))
    expect(all.balancer.states()).toEqual([])
    await all.ended(await all.accepted(all.plane.clusters.start(ASKED, 'orders', {})))
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
  })

  test('a stop that is rolled back brings the nodes back in', async () => {
    const all = await balanced(2)
    const id = await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {}))
    await all.ended(id)
    await all.plane.operations.rollback(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
  })

  test.each([false, true])(
    'a deleted node is out; its host out of reach: %s',
    async skipHostWork => {
      const all = await balanced(2)
      all.fleet.host(1).isOnline = !skipHostWork
      const { revision } = await all.plane.nodes.get('orders-1')
      const asked = { revision, skipHostWork }
      const id = await all.accepted(all.plane.nodes.remove(ASKED, 'orders-1', asked))
      expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
      await tick(all, 30)
      expect(all.balancer.states()).toEqual([`${TWO} healthy`])
    },
  )

  test('a balancer that is away for a while costs time, and nothing else', async () => {
    const all = await balanced(1)
    all.balancer.isAway = true
    const id = await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1'))
    await tick(all, 120)
    expect(all.fleet.ran).toEqual([])
    all.balancer.isAway = false
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('a balancer that stays away fails the step at its deadline', async () => {
    const all = await balanced(1)
    all.balancer.isAway = true
    const ended = await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1')))
    expect(ended).toMatchObject({ phase: 'FAILED', error: { code: 'balancer-timeout' } })
    expect(ended.error?.detail).toContain('does not answer')
    expect(all.fleet.ran).toEqual([])
  })

  test('a group that is gone fails the step at once', async () => {
    const all = await balanced(1)
    all.balancer.arns.clear()
    const id = await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1'))
    await tick(all, 5)
    expect(await all.plane.operations.get(id)).toMatchObject({
      phase: 'FAILED',
      error: { code: 'operation-not-allowed' },
    })
  })
})

describe('offline', () => {
  test('takes the node out and leaves its process alone; who, why and since when are kept', async () => {
    const all = await balanced(2)
    const id = await all.accepted(out(all, 'new disk'))
    const node = () => all.plane.nodes.get('orders-1')
    await tick(all, 2)
    expect(await node()).toMatchObject({ status: 'RUNNING' })
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', type: 'offline-node' })
    expect(all.balancer.states()).toEqual([`${ONE} draining`, `${TWO} healthy`])
    expect(all.fleet.ran).toEqual([])
    expect(await node()).toMatchObject({
      status: 'RUNNING',
      offline: { operationId: id, reason: 'new disk' },
    })
    await tick(all, 30)
    expect((await all.plane.clusters.loadBalancer('orders')).absent).toMatchObject([
      { name: 'orders-1', offline: { reason: 'new disk' } },
    ])
  })

  test('stands over whatever else is done with the node, until online', async () => {
    const all = await balanced(2)
    await all.ended(await all.accepted(out(all)))
    await all.ended(await force(all))
    const rollout = { canaryBakeMs: 0, bakeMs: 0 }
    const hot = { mode: 'hot' as const, rollout }
    await all.ended(await all.accepted(all.plane.clusters.restart(ASKED, 'orders', hot)))
    await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {})))
    await all.ended(await all.accepted(all.plane.clusters.start(ASKED, 'orders', {})))
    expect(all.balancer.calls).not.toContain(`register ${ONE}`)
    expect(all.balancer.states()).toEqual([`${TWO} healthy`])
    const id = await all.accepted(all.plane.nodes.online(ASKED, 'orders-1'))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', type: 'online-node' })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
    expect((await all.plane.nodes.get('orders-1')).offline).toBeNull()
  })

  test('a second time has nothing to do, and so has online of who is in', async () => {
    const all = await balanced(2)
    await all.ended(await all.accepted(out(all)))
    expect(await out(all)).toMatchObject({ kind: 'done' })
    expect(await all.plane.nodes.online(ASKED, 'orders-2')).toMatchObject({ kind: 'done' })
  })

  test('of a node that a failed restart left out keeps it out; online takes it in', async () => {
    const all = await balanced(2)
    all.fleet.host(1).failing.add('restart')
    await all.ended(await force(all, { nodes: ['orders-1'] }))
    await all.ended(await all.accepted(out(all)))
    expect((await all.plane.nodes.get('orders-1')).offline).not.toBeNull()
    await all.ended(await all.accepted(all.plane.nodes.online(ASKED, 'orders-1')))
    expect(all.balancer.states()).toContain(`${ONE} healthy`)
  })

  test('of a stopped node keeps it out when it is started; online lets it in then', async () => {
    const all = await balanced(2)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1')))
    await all.ended(await all.accepted(out(all)))
    await all.ended(await all.accepted(all.plane.nodes.online(ASKED, 'orders-1')))
    expect(all.balancer.states()).toEqual([`${TWO} healthy`])
    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'orders-1')))
    expect(all.balancer.states()).toContain(`${ONE} healthy`)
  })

  test('of all, or of the last, wants the name', async () => {
    const all = await balanced(2)
    const { clusters, nodes } = all.plane
    const unconfirmed = { code: 'confirmation-required' }
    await expect(clusters.offline(ASKED, 'orders', {})).rejects.toMatchObject(unconfirmed)
    await all.ended(await all.accepted(out(all)))
    await expect(nodes.offline(ASKED, 'orders-2', {})).rejects.toMatchObject(unconfirmed)
    const id = await all.accepted(clusters.offline(ASKED, 'orders', { confirm: 'orders' }))
    expect(await all.ended(id)).toMatchObject({ progress: { nodesTotal: 1 } })
    await tick(all, 30)
    expect(all.balancer.states()).toEqual([])
  })

  test('of several is rolled back to what was before, reasons with it', async () => {
    const all = await balanced(3)
    await all.ended(await all.accepted(out(all, 'disk')))
    const online = await all.accepted(all.plane.clusters.online(ASKED, 'orders', {}))
    await all.ended(online)
    expect(all.balancer.states()).toHaveLength(3)
    await all.plane.operations.rollback(ASKED, online)
    expect(await all.ended(online)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect((await all.plane.nodes.get('orders-1')).offline).toMatchObject({ reason: 'disk' })
    const nodes = ['orders-2', 'orders-3']
    await tick(all, 30)
    expect(all.balancer.states()).toEqual([`${TWO} healthy`, `${THREE} healthy`])
    const both = { nodes, confirm: 'orders' }
    const offline = await all.accepted(all.plane.clusters.offline(ASKED, 'orders', both))
    await all.ended(offline)
    await all.plane.operations.rollback(ASKED, offline)
    expect(await all.ended(offline)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(all.balancer.states()).toEqual([`${TWO} healthy`, `${THREE} healthy`])
  })

  test('waits for nobody: a node that is worked on is refused, and the holder named', async () => {
    const all = await balanced(2)
    const { nodes } = all.plane
    const { revision } = await nodes.get('orders-1')
    const asked = { revision, skipHostWork: false }
    const id = await all.accepted(nodes.remove(ASKED, 'orders-1', asked))
    await expect(out(all)).rejects.toMatchObject({
      code: 'node-state-conflict',
      details: { conflict: { operationId: id } },
    })
  })

  test.each([
    ['no balancer', undefined, 'has no load balancer'],
    ['one of somebody else’s', { kind: 'external' } as const, 'not ours'],
  ])('with %s is not possible', async (_name, loadBalancer, says) => {
    const all = new ScriptedPlane(1)
    await all.running('orders', [1], loadBalancer === undefined ? {} : { loadBalancer })
    await expect(out(all)).rejects.toMatchObject({
      code: 'operation-not-allowed',
      message: expect.stringContaining(says),
    })
    await all.ended(await force(all))
    expect(all.balancer.calls).toEqual([])
  })
})

describe('a balancer that is given later', () => {
  test('gets the nodes that should run, and loses all of them when it is taken away', async () => {
    const all = new ScriptedPlane(3)
    await all.running('orders', [1, 2, 3])
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-3')))
    const { clusters } = all.plane
    const id = await all.accepted(clusters.attachBalancer(ASKED, 'orders', GROUP))
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', type: 'attach-balancer' })
    expect(all.balancer.states()).toEqual([`${ONE} healthy`, `${TWO} healthy`])
    expect((await clusters.get('orders')).spec.loadBalancer).toEqual(GROUP)
    expect(await clusters.attachBalancer(ASKED, 'orders', GROUP)).toMatchObject({ kind: 'done' })
    await all.ended(await all.accepted(out(all, 'why')))
    const gone = await all.accepted(clusters.detachBalancer(ASKED, 'orders'))
    expect(await all.ended(gone)).toMatchObject({ phase: 'SUCCEEDED', type: 'detach-balancer' })
    await tick(all, 30)
    expect(all.balancer.states()).toEqual([])
    expect((await clusters.get('orders')).spec.loadBalancer).toBeUndefined()
    expect((await all.plane.nodes.get('orders-1')).offline).toBeNull()
    expect(await clusters.detachBalancer(ASKED, 'orders')).toMatchObject({ kind: 'done' })
    await expect(clusters.loadBalancer('orders')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('is one at a time', async () => {
    const all = await balanced(1)
    const other = { ...GROUP, targetBy: 'ip' } as const
    for (const spec of [other, { kind: 'external' } as const])
      await expect(all.plane.clusters.attachBalancer(ASKED, 'orders', spec)).rejects.toMatchObject({
        code: 'in-use',
      })
  })

  test('of somebody else is kept and shown, and nothing is done to it', async () => {
    const all = new ScriptedPlane(1)
    await all.running('orders', [1])
    const spec = { kind: 'external' } as const
    const { clusters } = all.plane
    expect(await clusters.attachBalancer(ASKED, 'orders', spec)).toMatchObject({ kind: 'done' })
    expect(await clusters.loadBalancer('orders')).toEqual({ spec, members: [], absent: [] })
    expect(await clusters.detachBalancer(ASKED, 'orders')).toMatchObject({ kind: 'done' })
    expect(all.balancer.calls).toEqual([])
  })

  test('whose group loses a node by itself keeps its specification until it is empty', async () => {
    const all = await balanced(2)
    all.balancer.arns.clear()
    const id = await all.accepted(all.plane.clusters.detachBalancer(ASKED, 'orders'))
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
    expect((await all.plane.clusters.get('orders')).spec.loadBalancer).toEqual(GROUP)
  })
})
