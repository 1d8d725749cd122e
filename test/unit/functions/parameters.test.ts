/** Parameters of a proxy cluster: changed as a whole, one node before all others, and back. */
import { describe, expect, test } from 'vitest'
import type { ParametersInput } from '../../../functions/domain/plane.ts'
import { Problem } from '../../../functions/domain/problem.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const withCluster = ScriptedPlane.withOrders

const change = async (all: ScriptedPlane, input: Partial<ParametersInput>) => {
  const { revision } = await all.plane.clusters.get('orders')
  return all.plane.parameters.change(ASKED, 'orders', {
    set: {},
    unset: [],
    restartPolicy: 'manual',
    revision,
    ...input,
  })
}

const changed = async (all: ScriptedPlane, input: Partial<ParametersInput>) =>
  all.ended(await all.accepted(change(all, input)))

const hostsOf = (all: ScriptedPlane, verb: string) =>
  all.fleet.ran
    .filter(line => line.includes(` ${verb} `))
    .map(line => Number(line.split(' ')[0]?.slice(2)))

const onNodes = (all: ScriptedPlane, name: string) =>
  [...all.fleet.hosts.values()].map(({ parameters }) => parameters[name] ?? null)

const history = async (all: ScriptedPlane, filter: { name?: string } = {}) =>
  (await all.plane.parameters.history('orders', { limit: 50 }, filter)).items

const wrongOf = (thrown: unknown) =>
  thrown instanceof Problem ? thrown.details.errors?.map(each => [each.pointer, each.code]) : thrown

describe('a change of parameters', () => {
  test('goes to one node, then to all others at once; nothing is restarted', async () => {
    const all = await withCluster(4)
    const before = await all.plane.clusters.get('orders')
    const ended = await changed(all, { set: { client_max_connections: '100' } })
    expect(ended).toMatchObject({
      type: 'change-parameters',
      phase: 'SUCCEEDED',
      progress: { waves: 2, nodesDone: 4 },
    })
    expect(all.fleet.sends).toEqual([
      { hosts: 1, verb: 'refresh' },
      { hosts: 3, verb: 'refresh' },
    ])
    expect(onNodes(all, 'client_max_connections')).toEqual(Array(4).fill('100'))
    expect(await all.plane.clusters.get('orders')).toMatchObject({
      spec: { parameters: { client_max_connections: '100' } },
      parameterVersion: before.parameterVersion + 1,
      generation: before.generation + 1,
      nodesToRefresh: 0,
      pendingRestart: [],
      heldBy: null,
    })
    expect(await history(all)).toMatchObject([
      {
        actor: 'user:test',
        operationId: ended.id,
        isReturn: false,
        changes: [{ name: 'client_max_connections', before: null, after: '100' }],
      },
    ])
  })

  test('that changes nothing is done, whatever way the value is written', async () => {
    const all = await withCluster(1)
    await changed(all, { set: { proxy_mem_limited: '1G', enable_cpu_topology: 'true' } })
    all.fleet.sends.length = 0
    const { parameterVersion } = await all.plane.clusters.get('orders')
    const outcome = await change(all, {
      set: { proxy_mem_limited: '1024MB', enable_cpu_topology: 'ON' },
      unset: ['client_max_connections'],
    })
    expect(outcome).toMatchObject({
      kind: 'done',
      value: { parameterVersion, spec: { parameters: { proxy_mem_limited: '1G' } } },
    })
    expect(all.fleet.sends).toEqual([])
    expect(await history(all)).toHaveLength(1)
  })

  test('takes back what was set, to the default', async () => {
    const all = await withCluster(2)
    await changed(all, { set: { client_max_connections: '100', log_dir_size_threshold: '2GB' } })
    await changed(all, {
      unset: ['client_max_connections'],
      set: { log_dir_size_threshold: '3GB' },
    })
    expect(onNodes(all, 'client_max_connections')).toEqual([null, null])
    expect((await all.plane.clusters.get('orders')).spec.parameters).toEqual({
      log_dir_size_threshold: '3GB',
    })
    expect((await history(all))[0]?.changes).toEqual([
      { name: 'client_max_connections', before: '100', after: null },
      { name: 'log_dir_size_threshold', before: '2GB', after: '3GB' },
    ])
  })

  test('names every wrong place and changes nothing', async () => {
    const all = await withCluster(1)
    const thrown = await change(all, {
      set: {
        client_max_connections: '7',
        nothing_like_it: '1',
        observer_sys_password: 'x',
        listen_port: '2883',
        proxy_local_cmd: '1',
        work_thread_num: '1000',
        enable_cpu_topology: 'maybe',
        server_routing_mode: 'round-robin',
      },
      unset: ['client_max_connections', 'neither_this'],
    }).catch((error: unknown) => error)
    expect(wrongOf(thrown)).toEqual([
      ['/set/nothing_like_it', 'unknown-parameter'],
      ['/set/observer_sys_password', 'secret-parameter'],
      ['/set/listen_port', 'parameter-read-only'],
      ['/set/proxy_local_cmd', 'parameter-read-only'],
      ['/set/work_thread_num', 'invalid-value'],
      ['/set/enable_cpu_topology', 'invalid-value'],
      ['/set/server_routing_mode', 'invalid-value'],
      ['/unset/0', 'duplicate-parameter'],
      ['/unset/1', 'unknown-parameter'],
    ])
    expect((await all.plane.clusters.get('orders')).spec.parameters).toEqual({})
    expect(await history(all)).toEqual([])
  })

  test('cannot make them more than an order carries', async () => {
    const all = await withCluster(1)
    await changed(all, { set: { init_sql: `SET @a = '${'x'.repeat(3_500)}'` } })
    const thrown = await change(all, { set: { test_server_addr: 'y'.repeat(3_500) } }).catch(
      (error: unknown) => error,
    )
    expect(wrongOf(thrown)).toEqual([['/set', 'too-big']])
  })

  test('is against the revision that was read', async () => {
    const all = await withCluster(1)
    await expect(change(all, { revision: 1 })).rejects.toMatchObject({ code: 'revision-stale' })
  })

  test('holds the cluster: another one is refused by the name of the first', async () => {
    const all = await withCluster(2)
    const id = await all.accepted(change(all, { set: { client_max_connections: '100' } }))
    await expect(change(all, { set: { client_max_connections: '200' } })).rejects.toMatchObject({
      code: 'cluster-state-conflict',
      details: { conflict: { operationId: id } },
    })
  })

  test('of which several come at once is one', async () => {
    const all = await withCluster(2)
    const { revision } = await all.plane.clusters.get('orders')
    const values = ['100', '200', '300', '400']
    const outcomes = await Promise.allSettled(
      values.map(value => change(all, { set: { client_max_connections: value }, revision })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await all.settle()
    expect(await history(all)).toHaveLength(1)
    expect(new Set(onNodes(all, 'client_max_connections')).size).toBe(1)
  })

  test('passes by nodes that do not run; they have it when they are started', async () => {
    const all = await withCluster(3)
    await all.ended(await all.accepted(all.plane.nodes.stop(ASKED, 'orders-2')))
    await changed(all, { set: { client_max_connections: '100' } })
    expect(onNodes(all, 'client_max_connections')).toEqual(['100', null, '100'])
    expect(await all.plane.nodes.get('orders-2')).toMatchObject({ isBehind: true })
    expect(await all.plane.nodes.get('orders-1')).toMatchObject({ isBehind: false })
    expect(await all.plane.clusters.get('orders')).toMatchObject({ nodesToRefresh: 0 })
    await all.ended(await all.accepted(all.plane.nodes.start(ASKED, 'orders-2')))
    expect(onNodes(all, 'client_max_connections')).toEqual(['100', '100', '100'])
    expect(await all.plane.nodes.get('orders-2')).toMatchObject({ isBehind: false })
  })

  test('with no node that runs is done at once', async () => {
    const all = await withCluster(2)
    await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {})))
    const before = await all.plane.clusters.get('orders')
    const outcome = await change(all, { set: { client_max_connections: '100' } })
    expect(outcome).toMatchObject({
      kind: 'done',
      value: {
        revision: before.revision + 1,
        parameterVersion: before.parameterVersion + 1,
        spec: { parameters: { client_max_connections: '100' } },
      },
    })
    expect(await history(all)).toMatchObject([{ operationId: null }])
  })

  test('shows who was not reached, and a refresh brings it up to date', async () => {
    const all = await withCluster(2)
    const host = all.fleet.host(2)
    const { id } = await all.plane.nodes.get('orders-2')
    all.clock.pass(200_000)
    await all.fleet.report(all.fleet.host(1), (await all.plane.nodes.get('orders-1')).id, null)
    await changed(all, { set: { client_max_connections: '100' } })
    await all.fleet.report(host, id, null)
    expect(await all.plane.clusters.get('orders')).toMatchObject({ nodesToRefresh: 1 })
    const page = await all.plane.parameters.list('orders', { limit: 1 }, {})
    expect(page.nodesBehind).toEqual(['orders-2'])
    await all.ended(await all.accepted(all.plane.clusters.refresh(ASKED, 'orders', {})))
    expect(onNodes(all, 'client_max_connections')).toEqual(['100', '100'])
    expect(await all.plane.clusters.get('orders')).toMatchObject({ nodesToRefresh: 0 })
  })

  test('with the sweeper once a minute and nothing else comes to its end', async () => {
    const all = await withCluster(3)
    const id = await all.accepted(change(all, { set: { client_max_connections: '100' } }))
    expect(await all.ended(id, 60_000)).toMatchObject({ phase: 'SUCCEEDED' })
  })
})

describe('a change that a node refuses', () => {
  test.each([
    ['the first', 1],
    ['a later one', 3],
  ])('is taken back from all, when it is %s', async (_name, index) => {
    const all = await withCluster(4)
    await changed(all, { set: { client_max_connections: '50' } })
    all.fleet.host(index).refuses.add('client_max_connections=100')
    const { parameterVersion } = await all.plane.clusters.get('orders')
    const ended = await changed(all, { set: { client_max_connections: '100', bt_mode: 'x' } })
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK', error: { code: 'node-command-failed' } })
    expect(ended.error?.detail).toContain('node.parameter-refused')
    expect(onNodes(all, 'client_max_connections')).toEqual(Array(4).fill('50'))
    expect(onNodes(all, 'bt_mode')).toEqual(Array(4).fill(null))
    expect(await all.plane.clusters.get('orders')).toMatchObject({
      spec: { parameters: { client_max_connections: '50' } },
      parameterVersion: parameterVersion + 2,
      nodesToRefresh: 0,
    })
    expect((await history(all)).slice(0, 2)).toMatchObject([
      {
        operationId: ended.id,
        isReturn: true,
        changes: [
          { name: 'bt_mode', before: 'x', after: null },
          { name: 'client_max_connections', before: '100', after: '50' },
        ],
      },
      { operationId: ended.id, isReturn: false },
    ])
    expect(all.held()).toEqual([])
  })

  test('touches no other but the first before it goes back', async () => {
    const all = await withCluster(3)
    all.fleet.host(1).refuses.add('client_max_connections=100')
    await changed(all, { set: { client_max_connections: '100' } })
    expect(hostsOf(all, 'refresh')[0]).toBe(1)
    expect(all.fleet.sends.map(({ hosts }) => hosts)).toEqual([1, 3])
  })

  test('says which node could not be put back, and that one is behind', async () => {
    const all = await withCluster(2)
    all.fleet.host(1).failing.add('refresh')
    const ended = await changed(all, { set: { client_max_connections: '100' } })
    expect(ended).toMatchObject({ phase: 'FAILED' })
    expect(ended.error?.detail).toContain('orders-1 was not put back')
    const page = await all.plane.parameters.list('orders', { limit: 1 }, {})
    expect(page.nodesBehind).toEqual(['orders-1'])
    expect(all.held()).toEqual([])
  })

  test('can be tried again, and is wanted again then', async () => {
    const all = await withCluster(3)
    all.fleet.host(2).refuses.add('client_max_connections=100')
    const { id } = await changed(all, { set: { client_max_connections: '100' } })
    all.fleet.host(2).refuses.clear()
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED', error: null })
    expect(onNodes(all, 'client_max_connections')).toEqual(Array(3).fill('100'))
    expect((await history(all)).map(({ isReturn }) => isReturn)).toEqual([false, true, false])
  })

  test('is not tried again over another one since', async () => {
    const all = await withCluster(2)
    all.fleet.host(1).refuses.add('client_max_connections=100')
    const { id } = await changed(all, { set: { client_max_connections: '100' } })
    await changed(all, { set: { client_max_connections: '70' } })
    await expect(all.plane.operations.retry(ASKED, id)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
    expect(onNodes(all, 'client_max_connections')).toEqual(['70', '70'])
  })
})

describe('a change that has succeeded', () => {
  test('is rolled back on request, and what was changed since beside it stays', async () => {
    const all = await withCluster(3)
    const { id } = await changed(all, { set: { client_max_connections: '100' } })
    await changed(all, { set: { bt_mode: 'x' } })
    await all.plane.operations.rollback({ ...ASKED, principal: { kind: 'user', name: 'eve' } }, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'ROLLED_BACK' })
    expect((await all.plane.clusters.get('orders')).spec.parameters).toEqual({ bt_mode: 'x' })
    expect(onNodes(all, 'client_max_connections')).toEqual([null, null, null])
    expect(onNodes(all, 'bt_mode')).toEqual(['x', 'x', 'x'])
    expect((await history(all))[0]).toMatchObject({ isReturn: true, actor: 'user:eve' })
    expect(await all.plane.clusters.get('orders')).toMatchObject({ nodesToRefresh: 0 })
  })

  test('is not rolled back over another one of the same parameter', async () => {
    const all = await withCluster(1)
    const { id } = await changed(all, { set: { client_max_connections: '100' } })
    await changed(all, { set: { client_max_connections: '200' } })
    await expect(all.plane.operations.rollback(ASKED, id)).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
    expect((await all.plane.clusters.get('orders')).spec.parameters).toEqual({
      client_max_connections: '200',
    })
  })
})

describe('a parameter that needs a restart', () => {
  const SET = { work_thread_num: '4' }

  test('waits for one, visibly', async () => {
    const all = await withCluster(2)
    await changed(all, { set: SET })
    expect(hostsOf(all, 'restart')).toEqual([])
    expect(await all.plane.clusters.get('orders')).toMatchObject({
      pendingRestart: ['work_thread_num'],
    })
    const { report } = await all.plane.nodes.get('orders-1')
    expect(report?.pendingRestart).toEqual(['work_thread_num'])
    const { items } = await all.plane.parameters.list('orders', { limit: 9 }, { isSet: true })
    expect(items).toMatchObject([
      { name: 'work_thread_num', pendingRestart: ['orders-1', 'orders-2'] },
    ])
    await all.ended(
      await all.accepted(all.plane.nodes.restart(ASKED, 'orders-1', { mode: 'auto' })),
    )
    const after = await all.plane.parameters.list('orders', { limit: 9 }, { isSet: true })
    expect(after.items[0]?.pendingRestart).toEqual(['orders-2'])
  })

  test('with restartPolicy rolling is in force at the end: hot, one after the other', async () => {
    const all = await withCluster(3)
    const since = all.clock.now()
    const ended = await changed(all, { set: SET, restartPolicy: 'rolling' })
    expect(ended).toMatchObject({ phase: 'SUCCEEDED', progress: { waves: 3, nodesDone: 3 } })
    expect(hostsOf(all, 'refresh')).toEqual([1, 2, 3])
    expect(hostsOf(all, 'restart')).toEqual([1, 2, 3])
    expect(all.fleet.ran.map(line => line.split(' ')[1])).toEqual(
      [1, 2, 3].flatMap(() => ['refresh', 'restart']),
    )
    expect(new Set(all.fleet.modes)).toEqual(new Set(['hot']))
    // A canary of five minutes, then one each.
    expect(all.clock.now() - since).toBeGreaterThanOrEqual(7 * 60_000)
    expect(await all.plane.clusters.get('orders')).toMatchObject({ pendingRestart: [] })
  })

  test('with restartPolicy rolling restarts nothing where nothing needs it', async () => {
    const all = await withCluster(2)
    await changed(all, { set: { client_max_connections: '100' }, restartPolicy: 'rolling' })
    expect(hostsOf(all, 'restart')).toEqual([])
  })

  test('that a proxy does not bear is taken back, with another restart of those that had it', async () => {
    const all = await withCluster(3)
    all.fleet.host(1).checks = [{ ready: true }, { ready: false, reason: 'no memory' }]
    const ended = await changed(all, { set: SET, restartPolicy: 'rolling' })
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK', error: { code: 'gate-failed' } })
    expect(hostsOf(all, 'restart')).toEqual([1, 1])
    expect(onNodes(all, 'work_thread_num')).toEqual([null, null, null])
    expect(await all.plane.clusters.get('orders')).toMatchObject({
      pendingRestart: [],
      nodesToRefresh: 0,
    })
  })

  test('that a proxy refuses is taken back without a restart of anybody', async () => {
    const all = await withCluster(3)
    all.fleet.host(1).refuses.add('work_thread_num=4')
    const ended = await changed(all, { set: SET, restartPolicy: 'rolling' })
    expect(ended).toMatchObject({ phase: 'ROLLED_BACK' })
    expect(hostsOf(all, 'restart')).toEqual([])
  })

  test('cannot be rolling where a proxy cannot restart hot', async () => {
    const all = await withCluster(1)
    all.fleet.host(1).version = '3.2.0-1'
    await all.fleet.report(all.fleet.host(1), (await all.plane.nodes.get('orders-1')).id, null)
    await expect(change(all, { set: SET, restartPolicy: 'rolling' })).rejects.toMatchObject({
      code: 'operation-not-allowed',
    })
    expect((await all.plane.clusters.get('orders')).spec.parameters).toEqual({})
  })
})

describe('what is shown', () => {
  test('is every parameter, by page, with its value or its default', async () => {
    const all = await withCluster(1)
    await changed(all, { set: { client_max_connections: '100' } })
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await all.plane.parameters.list(
        'orders',
        { limit: 100, ...(cursor === undefined ? {} : { cursor }) },
        {},
      )
      names.push(...page.items.map(({ name }) => name))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    const defined = await all.plane.parameters.definitions({ limit: 200 }, {})
    expect(names.slice(0, 200)).toEqual(defined.items.map(({ name }) => name))
    expect(new Set(names).size).toBe(names.length)
    const { items } = await all.plane.parameters.list(
      'orders',
      { limit: 9 },
      { search: 'CONNECTIONS PER process' },
    )
    expect(items).toMatchObject([
      { name: 'client_max_connections', value: '100', isSet: true, default: '8192', range: '[0,]' },
    ])
  })

  test('of what is no cluster’s to set is no value', async () => {
    const all = await withCluster(1)
    const of = async (search: string) =>
      (await all.plane.parameters.list('orders', { limit: 1 }, { search })).items
    expect(await of('listen_port')).toMatchObject([{ readOnly: true, value: null }])
    expect(await of('observer_sys_password')).toMatchObject([{ readOnly: true, value: null }])
  })

  test('of another version is said to be of ours', async () => {
    const all = new ScriptedPlane(1)
    const page = await all.plane.parameters.definitions({ limit: 1 }, { version: '3.2.1' })
    expect(page).toMatchObject({ version: '3.2.1', definedFor: '4.3.2.0-1' })
  })

  test('of the past is of one name and time, by page', async () => {
    const all = await withCluster(1)
    const at: number[] = []
    for (const [name, value] of [
      ['client_max_connections', '1'],
      ['bt_mode', 'x'],
      ['client_max_connections', '2'],
      ['client_max_connections', '3'],
    ] as const) {
      all.clock.pass(60_000)
      at.push(all.clock.now())
      await all.accepted(change(all, { set: { [name]: value } }))
      await all.settle()
    }
    const afters = async (page: object, filter: object) => {
      const found = await all.plane.parameters.history('orders', { limit: 50, ...page }, filter)
      return {
        values: found.items.map(({ changes }) => changes[0]?.after),
        cursor: found.nextCursor,
      }
    }
    expect((await afters({}, {})).values).toEqual(['3', '2', 'x', '1'])
    expect((await afters({}, { name: 'bt_mode' })).values).toEqual(['x'])
    expect((await afters({}, { from: at[1], to: at[2] })).values).toEqual(['2', 'x'])
    const first = await afters({ limit: 2 }, { name: 'client_max_connections' })
    expect(first.values).toEqual(['3', '2'])
    const rest = await afters(
      { limit: 2, cursor: first.cursor },
      { name: 'client_max_connections' },
    )
    expect(rest.values).toEqual(['1'])
  })
})
