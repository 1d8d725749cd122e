/** A dry run refuses what the request itself refuses, for the same reason, and nothing else. */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { OPERATION_PHASES } from '../../../functions/domain/model.ts'
import type { OperationRecord } from '../../../functions/domain/operation-record.ts'
import type { Asked, Outcome } from '../../../functions/domain/plane.ts'
import { Problem } from '../../../functions/domain/problem.ts'
import type {
  ClusterRecord,
  NodeRecord,
  PackageRecord,
  ReportRecord,
} from '../../../functions/domain/record.ts'
import { type Change, put, remove } from '../../../functions/domain/store.ts'
import { byName } from '../../../functions/plane/plans.ts'
import type { Stored } from '../../support/memory-store.ts'
import { DRY, NEXT, traces, withNext } from '../../support/planned-requests.ts'
import { GROUP_ARN } from '../../support/scripted-balancer.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane, VERSION } from '../../support/scripted-plane.ts'

const RUNS = 400
const BALANCED = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const
const HOLD = { operationId: 'op_0000000000000000000000OTHR', type: 'stop' } as const

/** One plane for all: what is in its table is put back before each request. */
let all: ScriptedPlane
let base: readonly Stored[]
let pastId: string

beforeAll(async () => {
  all = new ScriptedPlane(6)
  await all.running('c', [1, 2, 3, 4])
  await withNext(all)
  const rollout = { mode: 'force', version: NEXT } as const
  pastId = await all.accepted(all.plane.clusters.upgrade(ASKED, 'c', rollout))
  await all.ended(pastId)
  base = all.store.contents()
  all.balancer.drainMs = 0
})

const nodeShape = fc.record({
  status: fc.constantFrom('RUNNING', 'RUNNING', 'RUNNING', 'STOPPED', 'UNAVAILABLE', 'SILENT'),
  desiredState: fc.constantFrom('RUNNING', 'RUNNING', 'STOPPED'),
  idc: fc.constantFrom(null, 'a', 'b'),
  version: fc.constantFrom(VERSION, VERSION, NEXT, '4.2.0.0-1', '3.2.5.0-1', '3.1.0.0-1'),
  isHeld: fc.nat(20).map(each => each === 0),
  isOffline: fc.nat(5).map(each => each === 0),
  isMember: fc.boolean(),
  isShort: fc.nat(8).map(each => each === 0),
  arch: fc.constantFrom('x86_64', 'x86_64', 'x86_64', 'aarch64'),
  isBehind: fc.boolean(),
  clients: fc.constantFrom(null, 0, 0, 3),
})

const shape = fc.record({
  nodes: fc.array(nodeShape, { minLength: 4, maxLength: 4 }),
  count: fc.integer({ min: 0, max: 4 }),
  isHeld: fc.nat(12).map(each => each === 0),
  isProtected: fc.nat(4).map(each => each === 0),
  workMode: fc.constantFrom('RS_LIST', 'CONFIG_URL'),
  balancer: fc.constantFrom('none', 'external', 'group'),
  hasPackage: fc.nat(6).map(each => each > 0),
  phase: fc.constantFrom(...OPERATION_PHASES),
  endedAgoMs: fc.constantFrom(1_000, 3 * 86_400_000),
  isFreeOnline: fc.nat(4).map(each => each > 0),
})

type ValueOf<A> = A extends fc.Arbitrary<infer T> ? T : never
type Shape = ValueOf<typeof shape>

type NodeShape = Shape['nodes'][number]

function reported(report: ReportRecord, each: NodeShape, now: number): ReportRecord {
  return {
    ...report,
    receivedAt: each.status === 'SILENT' ? now - 400_000 : now,
    report: {
      ...report.report,
      status: each.status === 'SILENT' ? 'RUNNING' : each.status,
      version: each.version,
      arch: each.arch,
      parameterVersion: each.isBehind ? 0 : 1,
      clientConnections: each.clients,
      memory: { used: 100, available: each.isShort ? 10 : 1_000 },
    },
  }
}

function shaped(node: NodeRecord, each: NodeShape): NodeRecord {
  const { offline: _offline, desiredVersion: _version, ...rest } = node
  return {
    ...rest,
    idc: each.idc,
    desiredState: each.desiredState,
    hold: each.isHeld ? HOLD : null,
    ...(each.isOffline ? { offline: { operationId: 'op_1', reason: null, since: 0 } } : {}),
  }
}

/** The base as `given` says; nodes past its count are not there. */
async function fill(given: Shape): Promise<void> {
  const { store, clock, fleet } = all
  store.load(structuredClone(base))
  const reports = store.all('report')
  const nodes = store.all('node').sort(byName)
  const changes = nodes.flatMap((node, at): Change[] => {
    const each = given.nodes[at]
    const report = reports.find(({ nodeId }) => nodeId === node.id)
    if (each === undefined || report === undefined) throw new Error('no node of the base')
    return at < given.count
      ? [put('node', shaped(node, each)), put('report', reported(report, each, clock.now()))]
      : [remove('node', node), remove('report', report)]
  })
  const gone = given.hasPackage ? [] : store.all('package').filter(isNext)
  const past = store.all('operation').filter(({ id }) => id === pastId)
  await store.commit([
    ...changes,
    ...store.all('cluster').map(cluster => put('cluster', clusterOf(given, cluster))),
    ...gone.map(each => remove('package', each)),
    ...past.map(each => put('operation', pastOf(given, each))),
  ])
  fleet.host(5).isOnline = given.isFreeOnline
  for (const [at, { isMember }] of given.nodes.entries()) {
    const target = { id: hostId(at + 1), port: 2883 }
    if (isMember && given.balancer === 'group') await all.balancer.register(BALANCED, target)
    else await all.balancer.deregister(BALANCED, target)
  }
}

function isNext({ packageVersion }: PackageRecord): boolean {
  return packageVersion === NEXT
}

function pastOf({ phase, endedAgoMs }: Shape, past: OperationRecord): OperationRecord {
  return { ...past, phase, endedAt: all.clock.now() - endedAgoMs }
}

const BALANCERS = { none: undefined, external: { kind: 'external' }, group: BALANCED } as const

function clusterOf(given: Shape, cluster: ClusterRecord): ClusterRecord {
  const loadBalancer = BALANCERS[given.balancer]
  return {
    ...cluster,
    hold: given.isHeld ? HOLD : null,
    spec: {
      ...cluster.spec,
      workMode: given.workMode,
      deletionProtection: given.isProtected,
      ...(loadBalancer === undefined ? {} : { loadBalancer }),
    },
  }
}

const mode = fc.constantFrom('hot' as const, 'force' as const, 'auto' as const)
const confirm = fc.constantFrom('c', 'c-1', 'wrong', undefined)
const chosen = fc.constantFrom(undefined, ['c-1'], ['c-2', 'c-3'], ['c-9'])
const version = fc.constantFrom(NEXT, VERSION, '4.3.9.9-1')
const minHealthy = fc.constantFrom(0, 50, 100)

const request = fc.record({
  kind: fc.constantFrom(
    'create',
    'add',
    'delete',
    'delete-node',
    'start',
    'stop',
    'restart',
    'restart-node',
    'upgrade',
    'upgrade-node',
    'refresh',
    'parameters',
    'link',
    'unlink',
    'attach',
    'detach',
    'offline',
    'online',
    'offline-node',
    'online-node',
    'rotate',
    'rotate-proxyro',
    'retry',
    'rollback',
    'resume',
    'pause',
    'cancel',
  ),
  mode,
  confirm,
  nodes: chosen,
  version,
  minHealthyPercent: minHealthy,
  isAllAtOnce: fc.nat(3).map(each => each === 0),
  isForced: fc.nat(3).map(each => each === 0),
  removal: fc.constantFrom(undefined, 'release' as const, 'uninstall' as const),
  isStale: fc.nat(5).map(each => each === 0),
  value: fc.constantFrom('4', 'not a number'),
  host: fc.constantFrom(1, 5, 6, 9),
  obCluster: fc.constantFrom('ob', 'none'),
})

type Request = ValueOf<typeof request>

async function ask(given: Request, asked: Asked): Promise<Outcome<unknown>> {
  const { clusters, nodes: one, parameters, operations } = all.plane
  const { revision } = await clusters.get('c')
  const stale = given.isStale ? 1_000 : 0
  const some = given.nodes === undefined ? {} : { nodes: given.nodes }
  const confirmed = given.confirm === undefined ? {} : { confirm: given.confirm }
  const fleet = {
    ...some,
    ...confirmed,
    mode: given.mode,
    rollout: { minHealthyPercent: given.minHealthyPercent },
    ...(given.isAllAtOnce ? { strategy: 'all-at-once' as const } : {}),
  }
  const bare = { mode: given.mode }
  const hosts = [{ host: hostId(given.host) }]
  const named = given.isStale ? 'c' : 'd'
  const spec = { version: given.version, nodes: hosts }
  const removal = {
    ...confirmed,
    skipHostWork: given.isAllAtOnce,
    isForced: given.isForced,
    ...(given.removal === undefined ? {} : { mode: given.removal }),
  }
  const edit = { set: { work_thread_num: given.value }, unset: [] }
  const policy = given.isAllAtOnce ? ('rolling' as const) : ('manual' as const)
  const table: Readonly<Record<string, () => Promise<Outcome<unknown>>>> = {
    create: () =>
      clusters.create(asked, { ...all.input(named, []), ...all.input(named, [], spec) }),
    add: () => clusters.addNodes(asked, 'c', hosts),
    delete: () => clusters.remove(asked, 'c', { ...removal, revision: revision + stale }),
    'delete-node': async () => {
      const node = await one.get('c-1')
      return one.remove(asked, 'c-1', { ...removal, revision: node.revision + stale })
    },
    start: () => clusters.start(asked, 'c', some),
    stop: () => clusters.stop(asked, 'c', some),
    restart: () => clusters.restart(asked, 'c', fleet),
    'restart-node': () => one.restart(asked, 'c-1', bare),
    upgrade: () => clusters.upgrade(asked, 'c', { ...fleet, version: given.version }),
    'upgrade-node': () => one.upgrade(asked, 'c-1', { ...bare, version: given.version }),
    refresh: () => clusters.refresh(asked, 'c', some),
    parameters: () =>
      parameters.change(asked, 'c', { ...edit, restartPolicy: policy, revision: revision + stale }),
    link: () => clusters.link(asked, 'c', given.obCluster, { isDefault: given.isAllAtOnce }),
    unlink: () => clusters.unlink(asked, 'c', given.obCluster),
    attach: () =>
      clusters.attachBalancer(asked, 'c', given.isAllAtOnce ? { kind: 'external' } : BALANCED),
    detach: () => clusters.detachBalancer(asked, 'c'),
    offline: () => clusters.offline(asked, 'c', { ...some, ...confirmed }),
    online: () => clusters.online(asked, 'c', some),
    'offline-node': () => one.offline(asked, 'c-1', confirmed),
    'online-node': () => one.online(asked, 'c-1'),
    rotate: () =>
      clusters.rotateSysPassword(
        asked,
        'c',
        given.isStale ? '/obfleet/clusters/c/proxysys' : undefined,
      ),
    'rotate-proxyro': () =>
      all.plane.obClusters.rotateProxyro(asked, given.obCluster, given.isStale ? '/ro' : undefined),
    retry: () => operations.retry(asked, pastId),
    rollback: () => operations.rollback(asked, pastId),
    resume: () => operations.resume(asked, pastId),
    pause: () => operations.pause(asked, pastId),
    cancel: () => operations.cancel(asked, pastId),
  }
  const begin = table[given.kind]
  if (begin === undefined) throw new Error(`no request ${given.kind}`)
  return begin()
}

/** `accepted`, `done`, or the code it was refused with. */
async function answerOf(given: Request, asked: Asked): Promise<string> {
  try {
    const outcome = await ask(given, asked)
    if (outcome.kind !== 'planned') return outcome.kind
    const { outcome: comes, type } = outcome.plan
    // What steers an operation is done at once, and leads to work all the same.
    const isSteered = ['resume', 'rollback'].includes(given.kind)
    return comes === 'operation' && type !== null && !isSteered ? 'accepted' : 'done'
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return `${error.code}: ${error.message}`
  }
}

test(`${RUNS} requests on as many clusters: refused dry if and only if refused, for the same reason`, async () => {
  const answers = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(shape, request, async (given, wanted) => {
      await fill(given)
      const before = traces(all)

      const dry = await answerOf(wanted, DRY)

      expect(traces(all)).toBe(before)
      const real = await answerOf(wanted, ASKED)
      const isSteered = ['resume', 'rollback'].includes(wanted.kind)
      expect(dry).toBe(isSteered && real === 'accepted' ? 'done' : real)
      const short = real.split(':')[0] ?? ''
      answers.set(short, (answers.get(short) ?? 0) + 1)
    }),
    { numRuns: RUNS, seed: 6 },
  )
  expect(answers.get('accepted') ?? 0).toBeGreaterThan(RUNS / 10)
  expect(answers.size).toBeGreaterThan(8)
}, 180_000)
