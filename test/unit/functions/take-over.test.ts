/** The precheck of a take-over: one row a finding, then looks over a scripted fleet and over HTTP. */
import { describe, expect, test } from 'vitest'
import type { OrderEntry } from '#contract/command'
import type { ProbeFacts } from '#contract/probe'
import type { ClusterSpec, Operation } from '../../../functions/domain/model.ts'
import type { TakeOverInput } from '../../../functions/domain/plane.ts'
import {
  findingsOf,
  noticesOf,
  parameterDifferences,
  type Surroundings,
} from '../../../functions/domain/take-over.ts'
import { FOREIGN_PROXY } from '../../support/foreign-proxy.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const FACTS: ProbeFacts = {
  ...FOREIGN_PROXY,
  watchdogs: 0,
  workMode: 'CONFIG_URL',
  configUrl: 'http://old/services?Action=GetObProxyConfig',
  appName: 'orders',
  obClusters: 'ob1\nob2',
  obClusterCount: 2,
}

const SPEC: ClusterSpec = {
  workMode: 'CONFIG_URL',
  version: '4.3.2.0-1',
  ports: { sql: 2883, exporter: 2884 },
  install: { path: '/home/admin/obproxy' },
  links: ['ob1', 'ob2', 'ob3'].map(obCluster => ({ obCluster, default: obCluster === 'ob1' })),
  parameters: { proxy_mem_limited: '4G' },
  sysPasswordSecret: '/s',
  deletionProtection: false,
}

const AROUND: Surroundings = {
  cluster: { name: 'orders', spec: SPEC, hasNodes: true },
  obClusters: new Set(['ob1', 'ob2', 'ob3']),
  nodeId: null,
  mayChangeParameters: false,
}

const of = (spec: Partial<ClusterSpec>, hasNodes = true): Partial<Surroundings> => ({
  cluster: { ...AROUND.cluster, spec: { ...SPEC, ...spec }, hasNodes },
})
const RS_LIST = of({ workMode: 'RS_LIST', links: [{ obCluster: 'ob1', default: true }] })
const ONE_OB = { workMode: 'RS_LIST', obClusters: 'ob1', obClusterCount: 1 } as const
const FORCED = { isForced: true }
const TWO_DIFFER = { differing: 2, differences: 'enable_qos=True\nproxy_mem_limited=2G' }

type Row = readonly [
  id: string,
  code: string,
  facts: Partial<ProbeFacts>,
  says: string,
  around?: Partial<Surroundings>,
]

const ROWS: readonly Row[] = [
  ['T1', 'ok', { version: '4.0.0.0-1' }, '4.0.0.0-1'],
  ['T1', 'ok', { version: '1.8.0.0-9' }, '1.8.0.0-9', of({ version: '3.2.1.0-1' })],
  ['T1', 'version-too-low', { version: '1.7.9.0-1' }, 'at least 1.8.0'],
  ['T1', 'version-incompatible', { version: '3.2.3.0-1' }, 'of family 3; orders is of family 4'],
  ['T1', 'not-known', { version: null }, 'could not be asked'],
  ['T2', 'ok', {}, 'process 4711'],
  ['T2', 'no-process', { processes: 0, pid: null }, 'no obproxy'],
  ['T2', 'several-processes', { processes: 2, others: '4712 admin /x/obproxy' }, '/x/obproxy'],
  ['T3', 'ok', {}, 'admin'],
  ['T3', 'wrong-user', { user: 'root' }, 'root'],
  ['T3', 'ok', { user: 'root' }, 'root', FORCED],
  ['T3', 'no-process', { user: null }, 'no obproxy', FORCED],
  ['T4', 'ok', {}, 'obproxy-4.3.1.0-4'],
  ['T4', 'no-rpm', { rpms: null }, 'no rpm'],
  ['T4', 'ok', { rpms: null }, 'none', FORCED],
  ['T4', 'no-package', { rpms: '' }, 'no package'],
  ['T4', 'several-packages', { rpms: 'obproxy-4.3.1.0\nobproxy-ce-4.2.0.0' }, 'obproxy-ce-4.2.0.0'],
  ['T5', 'ok', {}, 'is of obproxy-4.3.1.0-4'],
  ['T5', 'ok', { ownedBy: null }, '/opt/taobao/install'],
  ['T5', 'ok', { executable: '/data/o/bin/obproxy', workDir: '/data/o' }, '/data/o'],
  [
    'T5',
    'not-from-package',
    { executable: '/data/o/bin/obproxy', workDir: '/data/o', ownedBy: null },
    'of no package',
  ],
  [
    'T5',
    'ok',
    { executable: '/data/o/bin/obproxy', workDir: '/data/o', ownedBy: null },
    'as it is',
    FORCED,
  ],
  ['T5', 'not-in-its-home', { workDir: '/tmp' }, 'runs in /tmp'],
  ['T5', 'not-in-its-home', { workDir: null }, 'unknown folder', FORCED],
  ['T5', 'not-in-its-home', { executable: '/o b/bin/obproxy', workDir: '/o b' }, 'runs in /o b'],
  ['T5', 'executable-replaced', { isReplaced: true }, 'not what runs'],
  ['T5', 'no-process', { executable: null }, 'no obproxy'],
  ['T6', 'ok', {}, 'can log in'],
  ['T6', 'password-refused', { login: 'refused', loginError: 'h:2883: denied' }, 'h:2883: denied'],
  ['T6', 'address-refused', { login: 'refused-address', loginError: 'denied' }, 'denied'],
  ['T6', 'proxy-unreachable', { login: 'unreachable', isListening: false }, 'nobody listens'],
  ['T6', 'secret-unreadable', { login: 'no-secret', loginError: 'secret /x' }, '/x'],
  ['T6', 'login-failed', { login: 'failed', loginError: 'Too many' }, 'Too many'],
  ['T7', 'ok', {}, 'no node'],
  ['T7', 'host-occupied', {}, 'nod_7', { nodeId: 'nod_7' }],
  ['T8', 'ok', {}, 'CONFIG_URL'],
  ['T8', 'ok', ONE_OB, 'RS_LIST', RS_LIST],
  ['T8', 'work-mode-differs', ONE_OB, 'works by RS_LIST, orders by CONFIG_URL'],
  ['T8', 'work-mode-differs', { workMode: 'NONE' }, 'neither'],
  ['T8', 'not-known', { workMode: null }, 'could not be asked'],
  ['T9', 'ok', {}, 'ob1, ob2'],
  ['T9', 'no-ob-cluster', { obClusters: '', obClusterCount: 0 }, 'no OB cluster'],
  ['T9', 'too-many-ob-clusters', { obClusterCount: 90 }, '90'],
  ['T9', 'not-known', { obClusters: null, obClusterCount: null }, 'could not be asked'],
  ['T10', 'ok', {}, 'managed here'],
  ['T10', 'ob-cluster-unknown', {}, 'ob2', { obClusters: new Set(['ob1']) }],
  ['T10', 'not-known', { obClusters: null }, 'could not be asked'],
  ['T11', 'ok', {}, 'linked to all'],
  ['T11', 'not-linked', { obClusters: 'ob1\nob9' }, 'not linked to ob9'],
  ['T11', 'ok', ONE_OB, 'the same', RS_LIST],
  [
    'T11',
    'ob-cluster-differs',
    { ...ONE_OB, obClusters: 'ob2' },
    'ob2, that of orders is ob1',
    RS_LIST,
  ],
  ['T11', 'ob-cluster-differs', { ...ONE_OB, obClusters: '' }, 'is none', RS_LIST],
  ['T11', 'not-known', { obClusters: null }, 'could not be asked'],
  ['T12', 'ok', {}, 'all are'],
  ['T12', 'ok', TWO_DIFFER, 'to be overwritten', { mayChangeParameters: true }],
  ['T12', 'parameters-differ', TWO_DIFFER, '2 differ: enable_qos, proxy_mem_limited'],
  ['T12', 'parameters-differ', { ...TWO_DIFFER, differing: 40 }, 'proxy_mem_limited and 38 more'],
  ['T12', 'not-known', { differing: null }, 'could not be asked'],
  ['T13', 'ok', {}, '2883 and 2884'],
  ['T13', 'ok', { sqlPort: 3306 }, 'no node yet', of({}, false)],
  ['T13', 'ports-differ', { sqlPort: 3306 }, '3306 and 2884'],
  ['T13', 'ports-differ', { exporterPort: 2894 }, '2883 and 2894'],
  ['T13', 'not-known', { sqlPort: null }, 'could not be asked'],
  ['T14', 'ok', { autoStart: '/etc/rc.local:3 /o/bin/obproxyd.sh' }, 'nothing'],
  [
    'T14',
    'start-by-hand',
    { startsByHand: '/etc/rc.local:7\nodp.service' },
    '/etc/rc.local:7, odp',
  ],
]

describe('a finding', () => {
  const rows = ROWS.map(([id, code, facts, says, around]) => ({ id, code, facts, says, around }))

  test.each(rows)('$id is $code with $facts', ({ id, code, facts, says, around }) => {
    const all = findingsOf({ ...FACTS, ...facts }, { ...AROUND, ...around })
    const found = all.find(each => each.id === id)

    expect(found).toMatchObject({ code, ok: code === 'ok' })
    expect(found?.detail).toContain(says)
    expect(found?.remedy === null).toBe(code === 'ok')
  })

  test('is one of fourteen, in their order, all good for a proxy that can be taken over', () => {
    const all = findingsOf(FACTS, AROUND)

    expect(all.map(({ id }) => id)).toEqual(Array.from({ length: 14 }, (_none, n) => `T${n + 1}`))
    expect(all.filter(({ ok }) => !ok)).toEqual([])
  })

  test('of each kind has a row that passes and one that does not', () => {
    for (const { id } of findingsOf(FACTS, AROUND)) {
      const codes = ROWS.filter(([each]) => each === id).map(([, code]) => code)
      expect(codes, id).toContain('ok')
      expect(
        codes.some(code => code !== 'ok'),
        id,
      ).toBe(true)
    }
  })
})

test('differences of parameters are told with what the cluster wants', () => {
  const { differences } = TWO_DIFFER
  const facts = { ...FACTS, differences: `${differences}\ninit_sql=SET a=1\nno_such=` }

  expect(parameterDifferences(facts, AROUND)).toEqual([
    { name: 'enable_qos', value: 'True', wanted: null },
    { name: 'proxy_mem_limited', value: '2G', wanted: '4G' },
    { name: 'init_sql', value: 'SET a=1', wanted: null },
    { name: 'no_such', value: '', wanted: null },
  ])
})

test('the restart is announced, and what else nobody asked for', () => {
  expect(noticesOf(FACTS, AROUND)).toHaveLength(1)
  const autoStart = '/etc/rc.d/rc.local\nold-proxy.service'
  const more = noticesOf({ ...FACTS, appName: 'shop', watchdogs: 2, autoStart }, AROUND)
  expect(more[0]).toContain('restarted once')
  expect(more[1]).toContain('shop becomes orders')
  expect(more[2]).toContain('stopped first')
  expect(more[3]).toContain('/etc/rc.d/rc.local starts it no more')
  expect(more[4]).toContain('old-proxy.service')
})

async function withCluster() {
  const all = new ScriptedPlane(4)
  await all.running('orders', [1])
  all.fleet.ran.length = 0
  return all
}

const input = (hosts: readonly number[], more: Partial<TakeOverInput> = {}): TakeOverInput => ({
  hosts: hosts.map(index => ({ host: hostId(index) })),
  acceptParameterChanges: false,
  ...more,
})

async function checked(all: ScriptedPlane, given: TakeOverInput): Promise<Operation> {
  const id = await all.accepted(all.plane.clusters.precheckTakeOver(ASKED, 'orders', given))
  await all.settle()
  return all.plane.operations.get(id)
}

const checkOf = ({ result }: Operation) => (result?.kind === 'take-over' ? result.check : undefined)

const codes = (operation: Operation) =>
  checkOf(operation)?.hosts.map(({ findings }) =>
    findings.filter(({ ok }) => !ok).map(({ id, code }) => `${id} ${code}`),
  )

describe('a look before a take-over', () => {
  test('says host by host what is in the way, also in the children', async () => {
    const all = await withCluster()
    all.fleet.host(3).probe = { ...all.fleet.host(3).probe, user: 'root', obClusters: 'other' }

    const operation = await checked(all, input([2, 3]))

    expect(operation).toMatchObject({
      type: 'precheck-take-over',
      phase: 'SUCCEEDED',
      target: { kind: 'cluster', name: 'orders' },
      result: { check: { mayTakeOver: false } },
    })
    expect(codes(operation)).toEqual([
      [],
      ['T3 wrong-user', 'T10 ob-cluster-unknown', 'T11 ob-cluster-differs'],
    ])
    const [second] = await Promise.all(
      operation.childIds.slice(1).map(id => all.plane.operations.get(id)),
    )
    expect(second).toMatchObject({
      type: 'probe-host',
      target: { kind: 'host', id: hostId(3), name: 'host3' },
      result: {
        check: { mayTakeOver: false, hosts: [{ hostId: hostId(3), operationId: second?.id }] },
      },
    })
    expect(second && checkOf(second)?.hosts).toEqual(checkOf(operation)?.hosts.slice(1))
  })

  test('of hosts that are fit says that they may be taken over', async () => {
    const all = await withCluster()
    const check = checkOf(await checked(all, input([2, 3, 4])))
    expect(check?.mayTakeOver).toBe(true)
    expect(check?.hosts.map(({ hostId: id }) => id)).toEqual([2, 3, 4].map(hostId))
    expect(check?.hosts[0]?.findings).toHaveLength(14)
  })

  test('tells each host its port and secret, and what the cluster wants of it', async () => {
    const all = await withCluster()
    await checked(all, {
      hosts: [{ host: hostId(2), sqlPort: 3306, sysPasswordSecret: '/old' }, { host: hostId(3) }],
      acceptParameterChanges: false,
    })
    const [first, second] = all.fleet.probes
    expect(first).toMatchObject({
      sqlPort: 3306,
      sysPasswordSecret: '/old',
      desired: { clusterName: 'orders', ports: { sql: 2883, exporter: 2884 }, parameters: {} },
    })
    expect(second).toMatchObject({ sqlPort: 2883 })
    expect(second).not.toHaveProperty('sysPasswordSecret')
    expect(all.fleet.sends.at(-1)).toEqual({ verb: 'probe', hosts: 2 })
  })

  test('takes differing parameters when they may be changed', async () => {
    const all = await withCluster()
    all.fleet.host(2).probe = { ...all.fleet.host(2).probe, ...TWO_DIFFER }
    expect(codes(await checked(all, input([2])))).toEqual([['T12 parameters-differ']])

    const check = checkOf(await checked(all, input([2], { acceptParameterChanges: true })))

    expect(check).toMatchObject({ mayTakeOver: true, hosts: [{ differing: 2 }] })
    expect(check?.hosts[0]?.differences[0]).toEqual({
      name: 'enable_qos',
      value: 'True',
      wanted: null,
    })
  })

  test('of a host that carries a node of ours says so, and leaves node and cluster alone', async () => {
    const all = await withCluster()
    const before = JSON.stringify([
      all.store.all('cluster'),
      all.store.all('node'),
      all.store.all('host'),
    ])

    expect(codes(await checked(all, input([1])))).toEqual([['T7 host-occupied']])

    expect(
      JSON.stringify([all.store.all('cluster'), all.store.all('node'), all.store.all('host')]),
    ).toBe(before)
    expect(all.fleet.ran).toEqual([])
    expect(all.fleet.host(1).status).toBe('RUNNING')
  })

  test('needs no cluster that is free, and is in nobody’s way', async () => {
    const all = await withCluster()
    const stop = await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {}))
    const look = await all.accepted(
      all.plane.clusters.precheckTakeOver(ASKED, 'orders', input([2])),
    )
    await all.settle()
    for (const id of [stop, look])
      expect((await all.plane.operations.get(id)).phase).toBe('SUCCEEDED')
  })

  test('has no result before its end', async () => {
    const all = await withCluster()
    const id = await all.accepted(all.plane.clusters.precheckTakeOver(ASKED, 'orders', input([2])))
    expect((await all.plane.operations.get(id)).result).toBeNull()
    await all.settle()
  })

  test('that a host does not answer fails, names it, and is repeated for that host only', async () => {
    const all = await withCluster()
    all.fleet.host(3).failing.add('probe')
    const operation = await checked(all, input([2, 3]))
    expect(operation).toMatchObject({
      phase: 'FAILED',
      result: {
        check: {
          mayTakeOver: false,
          hosts: [{ mayTakeOver: true }, { findings: [], error: { code: 'node-command-failed' } }],
        },
      },
    })
    all.fleet.host(3).failing.clear()
    const probes = all.fleet.probes.length

    await all.accepted(all.plane.operations.retry(ASKED, operation.id))
    await all.settle()

    const again = await all.plane.operations.get(operation.id)
    expect(again).toMatchObject({ phase: 'SUCCEEDED', result: { check: { mayTakeOver: true } } })
    expect(all.fleet.probes.length).toBe(probes + 1)
    expect(all.held()).toEqual([])
  })

  test('of an answer that cannot be read fails', async () => {
    const all = await withCluster()
    all.fleet.host(2).probe = { pid: 1 }
    expect(await checked(all, input([2]))).toMatchObject({
      phase: 'FAILED',
      error: { code: 'node-command-failed' },
    })
  })

  test.each([
    ['is not known', [9], 'validation-failed', 'not-found'],
    ['is named twice', [2, 2], 'validation-failed', 'duplicate-host'],
    ['is not online', [4], 'host-offline', 'host-offline'],
  ])('is refused when a host %s', async (_name, hosts, code, at) => {
    const all = await withCluster()
    all.fleet.host(4).isOnline = false
    const asked = all.plane.clusters.precheckTakeOver(ASKED, 'orders', input(hosts))
    await expect(asked).rejects.toMatchObject({
      code,
      details: { errors: [{ pointer: `/hosts/${hosts.length - 1}/host`, code: at }] },
    })
  })
})

async function taken(all: ScriptedPlane, given: TakeOverInput): Promise<Operation> {
  const id = await all.accepted(all.plane.clusters.takeOver(ASKED, 'orders', given))
  await all.settle()
  return all.plane.operations.get(id)
}

const sure = (hosts: readonly number[], more: Partial<TakeOverInput> = {}): TakeOverInput =>
  input(hosts, { confirm: 'orders', ...more })

const verbsOn = (all: ScriptedPlane, index: number) =>
  all.fleet.ran.filter(line => line.startsWith(hostId(index))).map(line => line.split(' ')[1])

describe('a take-over', () => {
  test('looks first, then makes nodes of the proxies, one after the other', async () => {
    const all = await withCluster()

    const operation = await taken(all, sure([2, 3]))

    expect(operation).toMatchObject({
      type: 'take-over',
      phase: 'SUCCEEDED',
      progress: { nodesDone: 2, waves: 2 },
      result: { check: { mayTakeOver: true } },
    })
    expect(operation.notices?.[0]).toContain('restarted once')
    const nodes = (await all.plane.clusters.nodes('orders', { limit: 10 })).items
    expect(nodes.map(({ name, origin, home, status }) => [name, origin, home, status])).toEqual(
      expect.arrayContaining([
        ['orders-1', 'CREATED', null, 'RUNNING'],
        ['orders-2', 'TAKEN_OVER', '/opt/taobao/install/obproxy-4.3.1.0', 'RUNNING'],
        ['orders-3', 'TAKEN_OVER', '/opt/taobao/install/obproxy-4.3.1.0', 'RUNNING'],
      ]),
    )
    expect(all.fleet.sends.slice(-4).map(({ verb }) => verb)).toEqual([
      'probe',
      'take-over',
      'probe',
      'take-over',
    ])
    expect(all.held()).toEqual([])
  })

  test('tells the node home, ports and version as found, and where the password before is', async () => {
    const all = new ScriptedPlane(3)
    await all.running('orders', [])
    const { probe } = all.fleet.host(2)
    all.fleet.host(2).probe = { ...probe, sqlPort: 3306, exporterPort: 3307 }
    const orders: OrderEntry[] = []
    all.fleet.obeyed = (verb, entry) => {
      if (verb === 'take-over') orders.push(entry)
    }

    const hosts = [{ host: hostId(2), sqlPort: 3306, sysPasswordSecret: '/old', idc: 'east' }]
    await taken(all, sure([], { hosts }))

    expect(orders).toMatchObject([
      {
        sqlPort: 3306,
        sysPasswordSecret: '/old',
        desired: {
          home: '/opt/taobao/install/obproxy-4.3.1.0',
          version: '4.3.1.0-4',
          ports: { sql: 3306, exporter: 3307 },
          sysPasswordSecret: '/obfleet/clusters/orders/proxysys',
        },
      },
    ])
    // The first one says how the cluster is.
    expect((await all.plane.clusters.get('orders')).spec.ports).toEqual({
      sql: 3306,
      exporter: 3307,
    })
    expect(await all.plane.nodes.get('orders-1')).toMatchObject({ idc: 'east', sqlPort: 3306 })
  })

  test('leaves out what other ports keep out, once one has said which', async () => {
    const all = new ScriptedPlane(3)
    await all.running('orders', [])
    all.fleet.host(2).probe = { ...all.fleet.host(2).probe, sqlPort: 3306 }
    const { phase, error } = await taken(all, sure([2, 3]))
    expect([phase, error?.code]).toEqual(['FAILED', 'take-over-refused'])
    expect(error?.detail).toContain('T13')
    expect((await all.plane.clusters.nodes('orders', { limit: 10 })).items).toHaveLength(1)
  })

  test('of a host that is unfit touches nothing there, and takes the others', async () => {
    const all = await withCluster()
    all.fleet.host(2).probe = { ...all.fleet.host(2).probe, user: 'root', processes: 2 }

    const operation = await taken(all, sure([2, 3]))

    expect(operation).toMatchObject({
      phase: 'FAILED',
      error: { code: 'take-over-refused' },
      result: {
        check: { mayTakeOver: false, hosts: [{ mayTakeOver: false }, { mayTakeOver: true }] },
      },
    })
    expect(operation.error?.detail).toMatch(/1 of 2 nodes failed.*T2: .*T3: /)
    expect(verbsOn(all, 2)).toEqual([])
    expect(verbsOn(all, 3)).toEqual(['take-over'])
    expect((await all.plane.hosts.get(hostId(2))).nodeId).toBeNull()

    all.fleet.host(2).probe = all.fleet.host(3).probe
    await all.accepted(all.plane.operations.retry(ASKED, operation.id))
    await all.settle()
    expect((await all.plane.operations.get(operation.id)).phase).toBe('SUCCEEDED')
    expect(verbsOn(all, 3)).toEqual(['take-over'])
  })

  test('that fails on a host leaves no node, and can be tried again', async () => {
    const all = await withCluster()
    all.fleet.host(2).failing.add('take-over')

    const operation = await taken(all, sure([2]))

    expect(operation).toMatchObject({
      phase: 'ROLLED_BACK',
      error: { code: 'node-command-failed' },
    })
    expect(verbsOn(all, 2)).toEqual(['take-over', 'give-back'])
    expect((await all.plane.clusters.nodes('orders', { limit: 10 })).items).toHaveLength(1)
    expect((await all.plane.hosts.get(hostId(2))).nodeId).toBeNull()

    all.fleet.host(2).failing.clear()
    await all.accepted(all.plane.operations.retry(ASKED, operation.id))
    await all.settle()
    expect((await all.plane.operations.get(operation.id)).phase).toBe('SUCCEEDED')
    expect(await all.plane.nodes.get('orders-2')).toMatchObject({ status: 'RUNNING' })
  })

  test('whose way back fails as well keeps the node, for who goes on with it', async () => {
    const all = await withCluster()
    for (const verb of ['take-over', 'give-back'] as const) all.fleet.host(2).failing.add(verb)

    const operation = await taken(all, sure([2]))

    expect(operation.phase).toBe('FAILED')
    expect(operation.error?.detail).toContain('was not put back')
    expect(await all.plane.nodes.get('orders-2')).toMatchObject({ origin: 'TAKEN_OVER' })
    all.fleet.host(2).failing.clear()
    await all.accepted(all.plane.operations.retry(ASKED, operation.id))
    await all.settle()
    expect((await all.plane.operations.get(operation.id)).phase).toBe('SUCCEEDED')
  })

  test('is rolled back on request: the proxies are as they were found, and no nodes', async () => {
    const all = await withCluster()
    const { id } = await taken(all, sure([2, 3]))
    await all.accepted(all.plane.operations.rollback(ASKED, id))
    await all.settle()
    expect((await all.plane.operations.get(id)).phase).toBe('ROLLED_BACK')
    expect(verbsOn(all, 3)).toEqual(['take-over', 'give-back'])
    expect((await all.plane.clusters.nodes('orders', { limit: 10 })).items).toHaveLength(1)
  })

  test('that is cancelled ends what it has begun, and begins no other', async () => {
    const all = await withCluster()
    all.fleet.host(2).behaviour = 'slow'
    const id = await all.accepted(all.plane.clusters.takeOver(ASKED, 'orders', sure([2, 3])))
    while (verbsOn(all, 2).length === 0) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    await all.plane.operations.cancel(ASKED, id)
    await all.settle()
    expect((await all.plane.operations.get(id)).phase).toBe('CANCELLED')
    expect(await all.plane.nodes.get('orders-2')).toMatchObject({ status: 'RUNNING' })
    expect(verbsOn(all, 3)).toEqual([])
  })

  test('of hosts that are nodes of the cluster already is done', async () => {
    const all = await withCluster()
    expect(await all.plane.clusters.takeOver(ASKED, 'orders', sure([1]))).toMatchObject({
      kind: 'done',
      isCreated: false,
    })
    const { childIds } = await taken(all, sure([1, 2]))
    expect(childIds).toHaveLength(1)
  })

  test('shows what it does to a node while it does it, and lets nobody else', async () => {
    const all = await withCluster()
    all.fleet.host(2).behaviour = 'slow'
    const id = await all.accepted(all.plane.clusters.takeOver(ASKED, 'orders', sure([2])))
    while (verbsOn(all, 2).length === 0) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    expect((await all.plane.nodes.get('orders-2')).status).toBe('TAKINGOVER')
    for (const asked of [
      all.plane.nodes.stop(ASKED, 'orders-2'),
      all.plane.clusters.takeOver(ASKED, 'orders', sure([3])),
    ])
      await expect(asked).rejects.toMatchObject({
        code: 'cluster-state-conflict',
        details: { conflict: { operationId: id } },
      })
    await all.settle()
  })

  test.each([
    ['without the name', { confirm: 'other' }, [2], 'confirmation-required'],
    ['of a host with a node of another cluster', {}, [3], 'host-occupied'],
    ['of a host that is not online', {}, [4], 'host-offline'],
  ] as const)('%s is refused', async (_what, more, hosts, code) => {
    const all = await withCluster()
    await all.running('other', [3])
    all.fleet.host(4).isOnline = false
    const asked = all.plane.clusters.takeOver(ASKED, 'orders', sure(hosts, more))
    await expect(asked).rejects.toMatchObject({ code })
    expect(all.held()).toEqual([])
  })
})

describe('a node that is deleted', () => {
  const removed = async (all: ScriptedPlane, name: string, mode?: 'uninstall' | 'release') => {
    const { revision } = await all.plane.nodes.get(name)
    all.fleet.ran.length = 0
    const asked = { revision, skipHostWork: false, ...(mode === undefined ? {} : { mode }) }
    const id = await all.accepted(all.plane.nodes.remove(ASKED, name, asked))
    expect((await all.ended(id)).phase).toBe('SUCCEEDED')
    return all.fleet.ran.map(line => line.split(' ')[1])
  }

  test('after it was taken over is released unless somebody says otherwise', async () => {
    const all = await withCluster()
    await taken(all, sure([2, 3]))
    expect(await removed(all, 'orders-2')).toEqual(['release'])
    expect(await removed(all, 'orders-3', 'uninstall')).toEqual(['stop', 'uninstall'])
    expect((await taken(all, sure([2]))).phase).toBe('SUCCEEDED')
  })

  test('after it was created is uninstalled unless somebody says otherwise', async () => {
    const all = new ScriptedPlane(3)
    await all.running('orders', [1, 2])
    expect(await removed(all, 'orders-1')).toEqual(['stop', 'uninstall'])
    expect(await removed(all, 'orders-2', 'release')).toEqual(['release'])
  })

  test('with its cluster is released where it was taken over', async () => {
    const all = await withCluster()
    await taken(all, sure([2]))
    const { revision } = await all.plane.clusters.get('orders')
    all.fleet.ran.length = 0
    const asked = { confirm: 'orders', revision, skipHostWork: false }
    await all.ended(await all.accepted(all.plane.clusters.remove(ASKED, 'orders', asked)))
    expect(verbsOn(all, 1)).toEqual(['stop', 'uninstall'])
    expect(verbsOn(all, 2)).toEqual(['release'])
  })
})
