/** One request an operation, that can be asked for real or as a dry run, and whether its plan was the truth. */
import { expect } from 'vitest'
import type { ChangePlan, PlannedNode } from '../../functions/domain/change-plan.ts'
import type { OperationRecord } from '../../functions/domain/operation-record.ts'
import type { Asked, Outcome } from '../../functions/domain/plane.ts'
import { childId, undoId } from '../../functions/operations/children.ts'
import { GROUP_ARN } from './scripted-balancer.ts'
import { hostId } from './scripted-fleet.ts'
import { ASKED, type ScriptedPlane } from './scripted-plane.ts'

export const NEXT = '4.3.3.0-7'
export const DRY: Asked = { ...ASKED, isDryRun: true }
const BALANCED = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const
const ZONES = ['a', 'b', 'b', 'b', 'b']
const ALL = [1, 2, 3, 4, 5]
/** Two at a time where nothing else is said, so that waves are wider than the pace. */
const PACE = { canaryBakeMs: 20_000, bakeMs: 10_000, batchPercent: 50 } as const

export type PlannedRequest = {
  /** What is there before it. */
  readonly given: (all: ScriptedPlane) => Promise<void>
  readonly ask: (all: ScriptedPlane, asked: Asked) => Promise<Outcome<unknown>>
  readonly tickSec?: number
}

/** Five nodes in two zones, with so many clients each. */
async function running(all: ScriptedPlane, more: object = {}): Promise<void> {
  const nodes = ALL.map((index, at) => ({ host: hostId(index), idc: ZONES[at] ?? 'b' }))
  await all.running('c', [], { ...more, nodes })
  await reportAll(all)
}

export async function reportAll(all: ScriptedPlane): Promise<void> {
  for (const index of ALL) {
    const host = all.fleet.host(index)
    host.clients = 10 - index
    const nodeId = all.store.all('node').find(node => node.hostId === hostId(index))?.id
    if (nodeId !== undefined) await all.fleet.report(host, nodeId, null)
  }
}

export async function withNext(all: ScriptedPlane): Promise<void> {
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
    sha256: 'b'.repeat(64),
    sizeBytes: 10,
    url: 'spool:y',
  })
}

/** Nodes of the cluster by name, or all. */
const stopped = async (all: ScriptedPlane, nodes?: readonly string[]) => {
  const chosen = nodes === undefined ? {} : { nodes }
  const id = await all.accepted(all.plane.clusters.stop(ASKED, 'c', chosen))
  await all.ended(id)
  await reportAll(all)
}

async function upgradable(all: ScriptedPlane): Promise<void> {
  await running(all)
  await withNext(all)
}

const balanced = (all: ScriptedPlane) => running(all, { loadBalancer: BALANCED })

const input = { mode: 'auto', rollout: PACE } as const
const upgrade = (all: ScriptedPlane, asked: Asked) =>
  all.plane.clusters.upgrade(asked, 'c', { ...input, version: NEXT })

async function change(
  all: ScriptedPlane,
  asked: Asked,
  restartPolicy: 'manual' | 'rolling',
): Promise<Outcome<unknown>> {
  const { revision } = await all.plane.clusters.get('c')
  const edit = { set: { work_thread_num: '4' }, unset: [], restartPolicy, revision }
  const rollout = { canaryBakeMs: 20_000, bakeMs: 10_000 }
  const more = restartPolicy === 'rolling' ? { rollout } : {}
  return all.plane.parameters.change(asked, 'c', { ...edit, ...more })
}

/** The operation that came last to the cluster. */
function last(all: ScriptedPlane): string {
  const own = all.store.all('operation').filter(({ parentId }) => parentId === null)
  return own.sort((left, right) => (left.id < right.id ? 1 : -1))[0]?.id ?? ''
}

/** Children of that operation that have failed. */
const failedOf = (all: ScriptedPlane): readonly string[] =>
  all.store
    .all('operation')
    .filter(({ parentId, phase }) => parentId === last(all) && phase === 'FAILED')
    .map(({ id }) => id)

/** A hot restart that waits for somebody, after it failed on this host. */
async function pausedAt(all: ScriptedPlane, host: number): Promise<void> {
  await running(all)
  all.fleet.host(host).failing.add('restart')
  const rollout = { ...PACE, onFailure: 'pause' } as const
  const begun = all.plane.clusters.restart(ASKED, 'c', { mode: 'hot', rollout })
  const id = await all.accepted(begun)
  while ((await all.plane.operations.get(id)).phase !== 'PAUSED') {
    all.clock.pass(5_000)
    await all.engine.sweep(10)
  }
  all.fleet.host(host).failing.clear()
  await reportAll(all)
}

async function behind(all: ScriptedPlane): Promise<void> {
  await running(all)
  for (const index of [2, 3]) all.fleet.host(index).parameterVersion = 0
  await reportAll(all)
}

async function configured(all: ScriptedPlane): Promise<void> {
  await running(all, { workMode: 'CONFIG_URL' })
  await all.plane.obClusters.put(ASKED, 'pay', {
    rootservice: ['127.0.2.9:2881'],
    obClusterId: 2,
    idcRegions: [],
    proxyroSecret: '/ro',
    tags: {},
  })
}

async function twoClusters(all: ScriptedPlane): Promise<void> {
  await running(all)
  await all.running('d', [6])
}

export const REQUESTS: Readonly<Record<string, PlannedRequest>> = {
  'create a cluster': {
    given: all => all.prepare(),
    ask: (all, asked) => all.plane.clusters.create(asked, all.input('c', [1, 2, 3])),
  },
  'create a cluster behind a balancer': {
    given: all => all.prepare(),
    ask: (all, asked) => {
      const nodes = [{ host: hostId(1) }, { host: hostId(2), desiredState: 'STOPPED' as const }]
      return all.plane.clusters.create(asked, all.input('c', [], { loadBalancer: BALANCED, nodes }))
    },
  },
  'add nodes': {
    given: running,
    ask: (all, asked) => all.plane.clusters.addNodes(asked, 'c', [{ host: hostId(6), idc: 'z' }]),
  },
  'delete a cluster': {
    given: running,
    ask: async (all, asked) => {
      const { revision } = await all.plane.clusters.get('c')
      const input = { confirm: 'c', revision, skipHostWork: false, isForced: true }
      return all.plane.clusters.remove(asked, 'c', input)
    },
  },
  'delete a node behind a balancer': {
    given: balanced,
    ask: async (all, asked) => {
      const { revision } = await all.plane.nodes.get('c-1')
      return all.plane.nodes.remove(asked, 'c-1', { revision, skipHostWork: false, isForced: true })
    },
  },
  'forget a node': {
    given: async all => {
      await running(all)
      all.fleet.host(1).isOnline = false
    },
    ask: async (all, asked) => {
      const { revision } = await all.plane.nodes.get('c-1')
      return all.plane.nodes.remove(asked, 'c-1', { revision, skipHostWork: true })
    },
  },
  'release a node': {
    given: balanced,
    ask: async (all, asked) => {
      const { revision } = await all.plane.nodes.get('c-1')
      const released = { revision, skipHostWork: false, mode: 'release' } as const
      return all.plane.nodes.remove(asked, 'c-1', released)
    },
  },
  'the way back of a take-over': {
    given: async all => {
      await running(all)
      const found = { hosts: [{ host: hostId(6) }], acceptParameterChanges: false, confirm: 'c' }
      await all.ended(await all.accepted(all.plane.clusters.takeOver(ASKED, 'c', found)))
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.rollback(asked, last(all)),
  },
  'start some of the nodes': {
    given: async all => {
      await running(all)
      await stopped(all, ['c-2', 'c-4'])
    },
    ask: (all, asked) => all.plane.clusters.start(asked, 'c', {}),
  },
  'start behind a balancer': {
    given: async all => {
      await balanced(all)
      await stopped(all)
    },
    ask: (all, asked) => all.plane.clusters.start(asked, 'c', {}),
  },
  'stop all': { given: running, ask: (all, asked) => all.plane.clusters.stop(asked, 'c', {}) },
  'stop behind a balancer': {
    given: balanced,
    ask: (all, asked) => all.plane.clusters.stop(asked, 'c', { nodes: ['c-2'] }),
    tickSec: 5,
  },
  'start a node': {
    given: async all => {
      await running(all)
      await stopped(all, ['c-2'])
    },
    ask: (all, asked) => all.plane.nodes.start(asked, 'c-2'),
  },
  'stop a node': { given: running, ask: (all, asked) => all.plane.nodes.stop(asked, 'c-3') },
  'restart, hot': {
    given: running,
    ask: (all, asked) => all.plane.clusters.restart(asked, 'c', input),
    tickSec: 5,
  },
  'restart, forced, the broken first': {
    given: async all => {
      await running(all)
      await stopped(all, ['c-5'])
    },
    ask: (all, asked) => {
      const rollout = { ...PACE, minHealthyPercent: 40 }
      return all.plane.clusters.restart(asked, 'c', { mode: 'force', rollout })
    },
    tickSec: 5,
  },
  'restart, forced, two at once': {
    given: async all => {
      await running(all)
      await stopped(all, ['c-4'])
    },
    ask: (all, asked) => {
      const rollout = { ...PACE, maxUnavailable: 2, minHealthyPercent: 40 }
      return all.plane.clusters.restart(asked, 'c', { mode: 'force', rollout })
    },
    tickSec: 5,
  },
  'restart behind a balancer, forced': {
    given: balanced,
    ask: (all, asked) => {
      const rollout = { drainSec: 15 }
      return all.plane.clusters.restart(asked, 'c', { mode: 'force', rollout })
    },
    tickSec: 5,
  },
  'restart all at once': {
    given: running,
    ask: (all, asked) => {
      const how = { mode: 'force', strategy: 'all-at-once', confirm: 'c' } as const
      return all.plane.clusters.restart(asked, 'c', how)
    },
  },
  'restart a node, watched': {
    given: running,
    ask: (all, asked) =>
      all.plane.nodes.restart(asked, 'c-3', { mode: 'hot', rollout: { bakeMs: 30_000 } }),
    tickSec: 5,
  },
  upgrade: { given: upgradable, ask: upgrade, tickSec: 5 },
  'upgrade what is left': {
    given: async all => {
      await upgradable(all)
      const how = { mode: 'hot', version: NEXT } as const
      await all.ended(await all.accepted(all.plane.nodes.upgrade(ASKED, 'c-2', how)))
      await reportAll(all)
    },
    ask: upgrade,
    tickSec: 5,
  },
  'upgrade a node': {
    given: upgradable,
    ask: (all, asked) => all.plane.nodes.upgrade(asked, 'c-1', { mode: 'hot', version: NEXT }),
  },
  'refresh those that are behind': {
    given: behind,
    ask: (all, asked) => all.plane.clusters.refresh(asked, 'c', {}),
  },
  'refresh a node': { given: behind, ask: (all, asked) => all.plane.nodes.refresh(asked, 'c-2') },
  'change parameters': {
    given: running,
    ask: (all, asked) => change(all, asked, 'manual'),
  },
  'change parameters with a rolling restart': {
    given: running,
    ask: (all, asked) => change(all, asked, 'rolling'),
    tickSec: 5,
  },
  'add a link': {
    given: configured,
    ask: (all, asked) => all.plane.clusters.link(asked, 'c', 'pay', { isDefault: true }),
  },
  'delete a link': {
    given: async all => {
      await configured(all)
      const added = all.plane.clusters.link(ASKED, 'c', 'pay', { isDefault: false })
      await all.ended(await all.accepted(added))
    },
    ask: (all, asked) => all.plane.clusters.unlink(asked, 'c', 'pay'),
  },
  'attach a balancer': {
    given: running,
    ask: (all, asked) => all.plane.clusters.attachBalancer(asked, 'c', BALANCED),
  },
  'detach a balancer': {
    given: balanced,
    ask: (all, asked) => all.plane.clusters.detachBalancer(asked, 'c'),
  },
  offline: {
    given: balanced,
    ask: (all, asked) => all.plane.clusters.offline(asked, 'c', { nodes: ['c-1', 'c-2'] }),
  },
  online: {
    given: async all => {
      await balanced(all)
      const out = all.plane.clusters.offline(ASKED, 'c', { nodes: ['c-2'] })
      await all.ended(await all.accepted(out))
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.clusters.online(asked, 'c', {}),
  },
  'offline, a node': {
    given: balanced,
    ask: (all, asked) => all.plane.nodes.offline(asked, 'c-1', {}),
  },
  'replace the password of root@proxysys': {
    given: running,
    ask: (all, asked) => all.plane.clusters.rotateSysPassword(asked, 'c', undefined),
  },
  'replace the password of proxyro over two clusters': {
    given: twoClusters,
    ask: (all, asked) => all.plane.obClusters.rotateProxyro(asked, 'ob', undefined),
  },
  'the way back of a password of proxyro': {
    given: async all => {
      await twoClusters(all)
      await all.ended(await all.accepted(all.plane.obClusters.rotateProxyro(ASKED, 'ob', '/mine')))
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.rollback(asked, last(all)),
  },
  diagnose: {
    given: running,
    ask: (all, asked) => all.plane.clusters.diagnose(asked, 'c', {}),
  },
  'the way back of an upgrade': {
    given: async all => {
      await upgradable(all)
      await all.ended(await all.accepted(upgrade(all, ASKED)), 5_000)
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.rollback(asked, last(all)),
    tickSec: 5,
  },
  'the way back of parameters': {
    given: async all => {
      await running(all)
      await all.ended(await all.accepted(change(all, ASKED, 'manual')))
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.rollback(asked, last(all)),
  },
  'retry a stop that has failed on one node': {
    given: async all => {
      await running(all)
      all.fleet.host(2).failing.add('stop')
      await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'c', {})))
      all.fleet.host(2).failing.clear()
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.retry(asked, last(all)),
  },
  'retry an upgrade that was put back': {
    given: async all => {
      await upgradable(all)
      all.fleet.host(3).failing.add('upgrade')
      await all.ended(await all.accepted(upgrade(all, ASKED)), 5_000)
      all.fleet.host(3).failing.clear()
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.retry(asked, last(all)),
    tickSec: 5,
  },
  'resume a restart that has paused': {
    given: all => pausedAt(all, 3),
    ask: (all, asked) => all.plane.operations.resume(asked, last(all)),
    tickSec: 5,
  },
  'skip a node that a restart has paused at': {
    given: all => pausedAt(all, 1),
    ask: (all, asked) => all.plane.operations.skip(asked, last(all), failedOf(all)),
    tickSec: 5,
  },
  'skip a node that a forced restart has failed on': {
    given: async all => {
      await running(all)
      all.fleet.host(1).failing.add('restart')
      await all.ended(
        await all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'force' })),
        5_000,
      )
      await reportAll(all)
    },
    ask: (all, asked) => all.plane.operations.skip(asked, last(all), failedOf(all)),
    tickSec: 5,
  },
}

/** All that a dry run could have left behind. */
export function traces(all: ScriptedPlane): string {
  const { store, fleet, balancer } = all
  const secrets = [...fleet.passwords]
  const { ran, sends, told, checks, probes } = fleet
  return JSON.stringify([
    store.contents(),
    secrets,
    ran,
    sends,
    told,
    checks,
    probes,
    balancer.calls,
  ])
}

export async function planOf(all: ScriptedPlane, ask: PlannedRequest['ask']): Promise<ChangePlan> {
  const outcome = await ask(all, DRY)
  if (outcome.kind !== 'planned') throw new Error(`answered with ${outcome.kind}`)
  return outcome.plan
}

/** Operation of each planned node, in the order of the plan. */
function workedOn(
  all: ScriptedPlane,
  operation: OperationRecord,
  { nodes }: ChangePlan,
): readonly OperationRecord[] {
  const records = new Map(all.store.all('operation').map(each => [each.id, each]))
  const ids =
    operation.target.kind === 'node'
      ? [operation.id]
      : operation.tasks.map((_task, at) =>
          operation.rollout?.undo?.includes(at) === true
            ? undoId(operation, at)
            : childId(operation, at),
        )
  const own = ids.flatMap(id => records.get(id) ?? [])
  return nodes.items.map(({ name }) => {
    const found = own.find(({ target }) => target.name === name)
    if (found === undefined) throw new Error(`nothing was done on ${name}`)
    return found
  })
}

/** What a ledger does not keep: who looks leaves nothing. */
const LOOKS: readonly (string | null)[] = [null, 'status', 'check', 'diagnose']

function verbsOf(plan: ChangePlan, { procedure }: PlannedNode): readonly (string | null)[] {
  const { steps = [] } = plan.procedures.items[procedure] ?? {}
  return steps.map(({ verb }) => verb).filter(verb => !LOOKS.includes(verb))
}

/** Store and ledger show what the plan has said: what was done, where, in which order, within which times. */
export function expectTruth(
  all: ScriptedPlane,
  plan: ChangePlan,
  {
    id,
    ranBefore,
    since,
    place,
  }: {
    readonly id: string
    readonly ranBefore: number
    readonly since: number
    readonly place: string
  },
): void {
  const operation = all.store.all('operation').find(each => each.id === id)
  if (operation === undefined) throw new Error(`there is no ${id}`)
  const children = workedOn(all, operation, plan)
  const ran = all.fleet.ran.slice(ranBefore).map(line => line.split(' '))
  expect(plan.type, place).toBe(operation.type)
  expect(plan.target.name, place).toBe(operation.target.name)
  for (const [at, node] of plan.nodes.items.entries()) {
    const child = children[at]
    const { steps = [], type } = plan.procedures.items[node.procedure] ?? {}
    const where = `${place}: ${node.name}`
    expect(child?.type, where).toBe(type)
    expect(child?.plan.slice(-steps.length), where).toEqual(steps.map(({ name }) => name))
    const told = ran.filter(([host]) => host === node.host).map(([, verb]) => verb)
    expect(told, where).toEqual(verbsOf(plan, node))
    expectTimes(all, child, { steps, since, where })
  }
  const hosts = new Set(plan.nodes.items.map(({ host }) => host))
  expect(
    ran.filter(([host = '']) => !hosts.has(host)),
    place,
  ).toEqual([])
  expectOrder(plan, spansOf(all, children), place)
}

function expectTimes(
  all: ScriptedPlane,
  child: OperationRecord | undefined,
  {
    steps,
    since,
    where,
  }: {
    readonly steps: ChangePlan['steps']
    readonly since: number
    readonly where: string
  },
): void {
  const records = all.store.all('step').filter(({ operationId }) => operationId === child?.id)
  for (const step of steps) {
    const record = records.find(({ name }) => name === step.name)
    const { startedAt = null, deadlineAt = null, notBefore = null } = record ?? {}
    expect(record?.phase, `${where} ${step.name}`).toBe('SUCCEEDED')
    // Not in an earlier round.
    expect(startedAt, `${where} ${step.name}`).toBeGreaterThanOrEqual(since)
    const deadlineSec = deadlineAt === null ? null : (deadlineAt - (startedAt ?? 0)) / 1_000
    expect(deadlineSec, `${where} ${step.name}`).toBe(step.deadlineSec)
    if (step.kind !== 'timer') continue
    expect(((notBefore ?? 0) - (startedAt ?? 0)) / 1_000, where).toBe(step.leastSec)
  }
}

type Lifetime = { readonly begun: number; readonly ended: number }

/** Of what was done now: one that is tried again has steps of before. */
function spansOf(all: ScriptedPlane, children: readonly OperationRecord[]): readonly Lifetime[] {
  const steps = all.store.all('step')
  return children.map(({ id, endedAt }) => {
    const times = steps
      .filter(({ operationId }) => operationId === id)
      .map(({ startedAt }) => startedAt ?? 0)
    return { begun: Math.min(...times), ended: endedAt ?? Number.POSITIVE_INFINITY }
  })
}

/** A wave begins when the one before has ended, and no more are at work at once than was said. */
function expectOrder(
  { nodes, waves, pace }: ChangePlan,
  spans: readonly Lifetime[],
  place: string,
): void {
  for (const [at, { wave }] of nodes.items.entries()) {
    const [now, next] = [spans[at], spans[at + 1]]
    const node = nodes.items[at + 1]
    if (now === undefined || next === undefined || node === undefined) break
    const where = `${place}: ${node.name}`
    expect(next.begun, where).toBeGreaterThanOrEqual(now.begun)
    const isTurn = pace.atOnce === 1 || node.wave > wave
    if (isTurn) expect(next.begun, where).toBeGreaterThanOrEqual(now.ended)
    const atWork = spans.slice(0, at + 1).filter(({ ended }) => ended > next.begun)
    expect(atWork.length, where).toBeLessThan(pace.atOnce)
  }
  const sizes = waves.items.map((_wave, at) => nodes.items.filter(node => node.wave === at).length)
  expect(sizes, place).toEqual(waves.items.map(wave => wave.nodes))
}
