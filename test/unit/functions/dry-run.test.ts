/** Dry runs: they leave nothing behind, and what they say is what happens then. */
import { describe, expect, test } from 'vitest'
import type { ChangePlan } from '../../../functions/domain/change-plan.ts'
import type { ClusterSpec } from '../../../functions/domain/model.ts'
import { put } from '../../../functions/domain/store.ts'
import {
  DRY,
  expectTruth,
  type PlannedRequest,
  planOf,
  REQUESTS,
  traces,
} from '../../support/planned-requests.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const NAMES = Object.keys(REQUESTS)

async function begun(name: string) {
  const all = new ScriptedPlane(6)
  const request: PlannedRequest | undefined = REQUESTS[name]
  if (request === undefined) throw new Error(name)
  await request.given(all)
  return { all, request }
}

const specOf = (all: ScriptedPlane): ClusterSpec | undefined => all.store.all('cluster')[0]?.spec

/** Fields of a specification that differ; one that is empty is as good as none. */
function differences(before: ClusterSpec | undefined, after: ClusterSpec | undefined) {
  const text = (spec: ClusterSpec | undefined, field: string) => {
    const value = JSON.stringify(Object.entries(spec ?? {}).find(([name]) => name === field)?.[1])
    return value === '{}' ? undefined : value
  }
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...fields].filter(field => text(before, field) !== text(after, field)).sort()
}

/** Of the operation that the request is answered with, or that it is about. */
async function askedFor(all: ScriptedPlane, { ask, tickSec = 1 }: PlannedRequest) {
  const outcome = await ask(all, ASKED)
  if (outcome.kind === 'planned') throw new Error('only planned')
  const { id } = outcome.kind === 'accepted' ? outcome.operation : (outcome.value as { id: string })
  return all.finish(id, tickSec * 1_000)
}

test.each(NAMES)('a dry run of “%s” leaves nothing behind and is the same twice', async name => {
  const { all, request } = await begun(name)
  const before = traces(all)

  const first = await planOf(all, request.ask)
  all.clock.pass(1_000)
  const second = await planOf(all, request.ask)

  expect(traces(all)).toBe(before)
  expect(second).toEqual(first)
})

test.each(NAMES)('what a dry run of “%s” says is what is done then', async name => {
  const { all, request } = await begun(name)
  const specBefore = specOf(all)
  const ranBefore = all.fleet.ran.length
  const plan = await planOf(all, request.ask)
  const since = all.clock.now()

  const { id, phase, startedAt, endedAt } = await askedFor(all, request)

  expect(['SUCCEEDED', 'ROLLED_BACK']).toContain(phase)
  expect(plan.outcome).toBe('operation')
  expectTruth(all, plan, { id, ranBefore, since, place: name })
  const nodes = all.store.all('node')
  for (const { name: node, desiredState, version } of plan.nodes.items) {
    const now = nodes.find(each => each.name === node) ?? null
    expect([node, now?.desiredState ?? null]).toEqual([node, desiredState.after])
    const wanted = now === null ? null : (now.desiredVersion ?? specOf(all)?.version)
    expect([node, wanted]).toEqual([node, version.after])
  }
  const ofSpec = plan.changes.items.flatMap(({ path }) => /^\/spec\/(\w+)/.exec(path)?.[1] ?? [])
  expect([...new Set(ofSpec)].sort()).toEqual(differences(specBefore, specOf(all)))
  const secrets = plan.changes.items.filter(({ path }) => path.startsWith('/obClusters/'))
  for (const { before, after } of secrets) {
    const now = all.store.all('obCluster')[0]?.proxyroSecret
    expect(now).not.toBe(before)
    if (after?.startsWith('/') === true) expect(now).toBe(after)
  }
  if (plan.action === plan.type) {
    const tookSec = ((endedAt ?? 0) - (startedAt ?? endedAt ?? 0)) / 1_000
    expect(tookSec).toBeGreaterThanOrEqual(plan.duration.leastSec)
    expect(tookSec).toBeLessThanOrEqual(plan.duration.mostSec)
  }
})

test.each(NAMES)('“%s” can be rolled back afterwards if its plan has said so', async name => {
  const { all, request } = await begun(name)
  const { rollback } = await planOf(all, request.ask)
  const { id, phase } = await askedFor(all, request)

  const back = planOf(all, (_all, asked) => all.plane.operations.rollback(asked, id))
  const isPossible = await back.then(
    ({ outcome }) => outcome === 'operation',
    () => false,
  )

  const isOpen = phase === 'SUCCEEDED' && rollback.isPossible && (rollback.withinSec ?? 0) > 0
  expect(isPossible).toBe(isOpen)
})

const restart = (mode: 'hot' | 'force', more: object = {}): PlannedRequest['ask'] => {
  return (all, asked) => all.plane.clusters.restart(asked, 'c', { mode, ...more })
}

const stop = (nodes?: readonly string[]): PlannedRequest['ask'] => {
  return (all, asked) => all.plane.clusters.stop(asked, 'c', nodes === undefined ? {} : { nodes })
}

/** Three nodes with 10, 20 and an unknown number of clients. */
async function three(more: object = {}): Promise<ScriptedPlane> {
  const all = new ScriptedPlane(3)
  await all.running('c', [1, 2, 3], more)
  for (const [index, clients] of [10, 20, null].entries()) {
    const host = all.fleet.host(index + 1)
    host.clients = clients
    const { id } = await all.plane.nodes.get(`c-${index + 1}`)
    await all.fleet.report(host, id, null)
  }
  return all
}

const warned = ({ warnings }: ChangePlan) =>
  Object.fromEntries(warnings.map(({ code, nodes }) => [code, [...nodes.items].sort()]))

describe('the clients in a plan', () => {
  test('are moved by what is hot, and may stay as long as the parameter says', async () => {
    const all = await three({ parameters: { hot_upgrade_exit_timeout: '90000000' } })
    const { clients, nodes } = await planOf(all, restart('hot'))
    expect(clients).toEqual({ cut: 0, moved: 30, unknown: 1, drainSec: 90 })
    expect(new Set(nodes.items.map(({ process }) => process))).toEqual(new Set(['moved']))
  })

  test('may stay as long as the rollout says, where it says', async () => {
    const all = await three()
    const { clients } = await planOf(all, restart('hot', { rollout: { drainSec: 20 } }))
    expect(clients).toMatchObject({ moved: 30, drainSec: 20 })
  })

  test('are cut by what is forced, and by a stop', async () => {
    const all = await three()
    expect((await planOf(all, restart('force'))).clients).toMatchObject({ cut: 30, moved: 0 })
    expect((await planOf(all, stop(['c-2']))).clients).toMatchObject({ cut: 20, unknown: 0 })
  })

  test('are none of the matter of a refresh, or of a change of parameters', async () => {
    const all = await three()
    const { revision } = await all.plane.clusters.get('c')
    const edit = { set: { client_max_connections: '99' }, unset: [], revision }
    const { clients, changes } = await planOf(all, (_all, asked) =>
      all.plane.parameters.change(asked, 'c', { ...edit, restartPolicy: 'manual' }),
    )
    expect(clients).toEqual({ cut: 0, moved: 0, unknown: 0, drainSec: null })
    const path = '/spec/parameters/client_max_connections'
    expect(changes.items).toEqual([{ path, before: null, after: '99' }])
  })
})

describe('a plan says in time', () => {
  test('how long it takes at least: what is watched, wave by wave', async () => {
    const all = await three()
    const { waves, duration } = await planOf(all, restart('hot'))
    expect(waves.items.map(({ nodes, isCanary, leastSec }) => [nodes, isCanary, leastSec])).toEqual(
      [
        [1, true, 300],
        [1, false, 60],
        [1, false, 60],
      ],
    )
    expect(duration.leastSec).toBe(420)
    expect(duration.mostSec).toBeGreaterThan(420)
  })

  test('what is drained in front of a balancer, by the deadline of the rollout', async () => {
    const all = await three({
      loadBalancer: { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' },
    })
    const { procedures } = await planOf(all, restart('force', { rollout: { drainSec: 45 } }))
    const steps = procedures.items[0]?.steps ?? []
    expect(steps.map(({ name, verb, deadlineSec }) => [name, verb, deadlineSec])).toEqual([
      ['deregister', null, 240],
      ['drain-balancer', null, 45],
      ['restart', 'restart', 480],
      ['verify', 'status', 240],
      ['register', null, 360],
      ['finish', null, null],
    ])
  })
})

describe('a plan warns', () => {
  test('of the last nodes that take clients', async () => {
    const all = await three()
    expect(warned(await planOf(all, stop(['c-1'])))).toEqual({})
    expect(warned(await planOf(all, stop()))).toEqual({
      'no-node-left': ['c-1', 'c-2', 'c-3'],
      'all-at-once': ['c-1', 'c-2', 'c-3'],
    })
  })

  test('of nodes that have not been heard of, and of hosts out of reach', async () => {
    const all = await three()
    all.fleet.host(3).isMute = true
    all.fleet.host(2).isOnline = false
    all.clock.pass(240_000)
    await all.fleet.reportDue()
    expect(warned(await planOf(all, restart('force')))).toEqual({
      'report-stale': ['c-2', 'c-3'],
      'host-offline': ['c-2'],
    })
  })

  test('of a start that leaves a node out of its balancer', async () => {
    const all = await three({
      loadBalancer: { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' },
    })
    await all.ended(await all.accepted(all.plane.nodes.offline(ASKED, 'c-1', {})))
    await all.ended(await all.accepted(stop(['c-1'])(all, ASKED)))
    const plan = await planOf(all, (_all, asked) => all.plane.clusters.start(asked, 'c', {}))
    expect(warned(plan)).toEqual({ 'stays-out-of-balancer': ['c-1'] })
  })

  const moveOut: PlannedRequest['ask'] = (all, asked) =>
    all.plane.clusters.moveOut(asked, 'c', { confirm: 'c', skipHostWork: ['c-3'], graceMs: 0 })

  test.each([
    ['CONFIG_URL', 'config-answers-end'],
    ['RS_LIST', 'server-list-stays'],
  ] as const)(
    'of what does not go on with proxies that are moved out of %s',
    async (workMode, code) => {
      const loadBalancer = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' }
      const all = await three({ workMode, loadBalancer })
      await all.outOfReach(3)
      const serving = ['c-1', 'c-2']
      expect(warned(await planOf(all, moveOut))).toEqual({
        'serves-unmanaged': serving,
        'password-stays': serving,
        [code]: serving,
        'stays-in-balancer': serving,
        'left-behind': ['c-3'],
      })
    },
  )

  const unlink = (obCluster: string): PlannedRequest['ask'] => {
    return (all, asked) => all.plane.clusters.unlink(asked, 'c', obCluster)
  }

  test('of the last link of a cluster, whether its nodes run or stand or there are none', async () => {
    const all = await three({ workMode: 'CONFIG_URL' })
    const nodes = ['c-1', 'c-2', 'c-3']
    expect(warned(await planOf(all, unlink('ob')))).toEqual({ 'no-link-left': nodes })
    await all.ended(await all.accepted(stop()(all, ASKED)))
    expect(warned(await planOf(all, unlink('ob')))).toEqual({ 'no-link-left': nodes })
    const bare = new ScriptedPlane(1)
    await bare.running('c', [], { workMode: 'CONFIG_URL' })
    expect(warned(await planOf(bare, unlink('ob')))).toEqual({ 'no-link-left': [] })
  })

  test('of no link while another one is left; the one of RS_LIST is never deleted', async () => {
    const links = [
      { obCluster: 'ob', default: true },
      { obCluster: 'west', default: false },
    ]
    const all = new ScriptedPlane(1)
    await all.prepare()
    const west = { obClusterId: 2, idcRegions: [], proxyroSecret: '/ro', tags: {} }
    await all.plane.obClusters.put(ASKED, 'west', { ...west, rootservice: ['127.0.2.9:2881'] })
    await all.running('c', [1], { workMode: 'CONFIG_URL', links })
    expect(warned(await planOf(all, unlink('west')))).toEqual({})
    const fixed = await three()
    for (const asked of [ASKED, DRY])
      await expect(unlink('ob')(fixed, asked)).rejects.toMatchObject({
        code: 'operation-not-allowed',
      })
  })

  test('of nothing, where nothing is to be said', async () => {
    const all = await three()
    expect((await planOf(all, restart('hot'))).warnings).toEqual([])
  })
})

test('what is left to whoever manages an external balancer is in the plan', async () => {
  const all = await three({ loadBalancer: { kind: 'external' } })
  expect((await planOf(all, restart('force'))).operatorSteps).toHaveLength(2)
  expect((await planOf(all, stop(['c-1']))).operatorSteps).toHaveLength(1)
  expect((await planOf(all, restart('hot'))).operatorSteps).toEqual([])
})

test('gates are in the plan with the logins they try', async () => {
  const probeAccount = { user: 'probe', tenant: 'app', passwordSecret: '/probe' }
  const all = await three({ links: [{ obCluster: 'ob', default: true, probeAccount }] })
  expect((await planOf(all, restart('hot'))).gates).toEqual({
    nodes: 3,
    checks: ['ready', 'exporter', 'errors', 'latency'],
    logins: { total: 1, items: ['ob'] },
  })
  expect((await planOf(all, restart('force'))).gates).toMatchObject({ nodes: 0, checks: [] })
})

describe('of a thousand nodes', () => {
  /** One real node, and so many that differ from it in name and zone. */
  async function thousand(zoneOf: (index: number) => string): Promise<ScriptedPlane> {
    const all = new ScriptedPlane(1)
    await all.running('c', [1])
    const [node] = all.store.all('node')
    const [report] = all.store.all('report')
    if (node === undefined || report === undefined) throw new Error('no node')
    const copies = Array.from({ length: 999 }, (_none, at) => {
      const id = `nod_${String(at).padStart(26, '0')}`
      const copy = { ...node, id, name: `c-${at + 2}`, hostId: hostId(at + 2), idc: zoneOf(at) }
      return [
        put('node', { ...copy, version: 0 }),
        put('report', { ...report, nodeId: id, version: 0 }),
      ]
    })
    await all.store.commit(copies.flat())
    return all
  }

  test.each([
    ['three zones', (index: number) => `z${index % 3}`],
    ['a zone each', (index: number) => `z${index}`],
  ])('in %s the plan is bounded, and counts what it leaves out', async (_what, zoneOf) => {
    const all = await thousand(zoneOf)
    const plan = await planOf(
      all,
      restart('hot', { rollout: { batchPercent: 1, maxUnavailable: 5 } }),
    )

    expect(JSON.stringify(plan).length).toBeLessThan(60_000)
    expect([plan.nodes.total, plan.nodes.items.length]).toEqual([1_000, 100])
    expect(plan.waves.total).toBeGreaterThan(plan.waves.items.length)
    expect(plan.procedures.items.map(({ nodes }) => nodes)).toEqual([1, 999])
    expect(plan.warnings).toMatchObject([{ code: 'host-offline', nodes: { total: 999 } }])
    expect(plan.warnings[0]?.nodes.items).toHaveLength(20)
  })
})
