/** What every store promises, whatever it is made of. */
import { expect, test } from 'vitest'
import type { OperationRecord } from '../../functions/domain/operation-record.ts'
import type { ClusterRecord, NodeRecord } from '../../functions/domain/record.ts'
import { Conflict, put, remove, type Store } from '../../functions/domain/store.ts'

export function cluster(id: string, more: Partial<ClusterRecord> = {}): ClusterRecord {
  return {
    id,
    name: id.slice(4),
    revision: 1,
    generation: 1,
    createdAt: 1,
    updatedAt: 1,
    tags: {},
    spec: {
      workMode: 'RS_LIST',
      version: '4.3.2.0-1',
      ports: { sql: 2883, exporter: 2884 },
      install: { path: '/home/admin/obproxy' },
      links: [{ obCluster: 'ob', default: true }],
      parameters: {},
      sysPasswordSecret: '/x',
      deletionProtection: false,
    },
    parameterVersion: 1,
    hold: null,
    conditions: [],
    nodeSequence: 0,
    isSysPasswordOurs: false,
    version: 0,
    ...more,
  }
}

export function node(clusterId: string, id: string, more: Partial<NodeRecord> = {}): NodeRecord {
  return {
    id,
    name: id,
    clusterId,
    clusterName: 'c',
    hostId: 'i-1',
    host: '127.0.0.1',
    sqlPort: 2883,
    exporterPort: 2884,
    idc: null,
    proxyId: 1,
    revision: 1,
    createdAt: 1,
    updatedAt: 1,
    desiredState: 'RUNNING',
    hold: null,
    conditions: [],
    version: 0,
    ...more,
  }
}

export function operation(id: string, more: Partial<OperationRecord> = {}): OperationRecord {
  return {
    id,
    type: 'start',
    target: { kind: 'cluster', id: 'clu_a', name: 'a' },
    clusterId: 'clu_a',
    parentId: null,
    isSelfDriven: true,
    actor: 'user:test',
    requestId: 'r',
    phase: 'PENDING',
    createdAt: 1,
    startedAt: null,
    endedAt: null,
    error: null,
    plan: ['children', 'run', 'finish'],
    tasks: [],
    package: null,
    round: 1,
    fence: null,
    stepsDone: 0,
    nodesDone: 0,
    version: 0,
    ...more,
  }
}

/** @param make an empty store each time. */
export function storeContract(make: () => Promise<Store>): void {
  test('what was put is read back, without what is the store’s own', async () => {
    const store = await make()
    await store.commit([put('cluster', cluster('clu_a'))])
    expect(await store.get('cluster', { id: 'clu_a' })).toEqual({ ...cluster('clu_a'), version: 1 })
    expect(await store.get('cluster', { id: 'clu_b' })).toBeNull()
  })

  test('a write over another version than the stored one is a conflict that names the kind', async () => {
    const store = await make()
    await store.commit([put('cluster', cluster('clu_a'))])
    const read = await store.get('cluster', { id: 'clu_a' })
    if (read === null) throw new Error('not there')
    await store.commit([put('cluster', { ...read, tags: { by: 'first' } })])
    const late = store.commit([put('cluster', { ...read, tags: { by: 'second' } })])
    await expect(late).rejects.toThrow(Conflict)
    await expect(late).rejects.toMatchObject({ kinds: ['cluster'] })
    await expect(store.commit([put('cluster', cluster('clu_a'))])).rejects.toThrow(Conflict)
    await expect(store.commit([remove('cluster', read)])).rejects.toThrow(Conflict)
    expect((await store.get('cluster', { id: 'clu_a' }))?.tags).toEqual({ by: 'first' })
  })

  test('a commit is all or nothing', async () => {
    const store = await make()
    await store.commit([put('clusterName', { name: 'a', id: 'clu_a', version: 0 })])
    const both = store.commit([
      put('cluster', cluster('clu_b')),
      put('clusterName', { name: 'a', id: 'clu_b', version: 0 }),
    ])
    await expect(both).rejects.toMatchObject({ kinds: ['clusterName'] })
    expect(await store.get('cluster', { id: 'clu_b' })).toBeNull()
    await store.commit([])
  })

  test('of many writers of one record exactly one succeeds', async () => {
    const store = await make()
    await store.commit([put('host', { id: 'i-1', fence: 0, nodeId: null, version: 0 })])
    const read = await store.get('host', { id: 'i-1' })
    if (read === null) throw new Error('not there')
    const tries = Array.from({ length: 12 }, (_none, index) =>
      store.commit([put('host', { ...read, fence: index + 1 })]).then(
        () => 'won',
        (error: Error) => error.name,
      ),
    )
    const outcomes = (await Promise.all(tries)).sort()
    expect(outcomes.filter(each => each === 'won')).toHaveLength(1)
    expect(outcomes.filter(each => each === 'Conflict')).toHaveLength(11)
  })

  test('a cluster comes with its nodes and reports', async () => {
    const store = await make()
    const report = { clusterId: 'clu_a', nodeId: 'nod_2', report: {} as never, receivedAt: 5 }
    await store.commit([
      put('cluster', cluster('clu_a')),
      put('node', node('clu_a', 'nod_2')),
      put('node', node('clu_a', 'nod_1')),
      put('node', node('clu_b', 'nod_3')),
      put('report', { ...report, version: 0 }),
    ])
    const picture = await store.cluster('clu_a')
    expect(picture?.nodes.map(({ id }) => id)).toEqual(['nod_1', 'nod_2'])
    expect([...(picture?.reports.keys() ?? [])]).toEqual(['nod_2'])
    expect(await store.cluster('clu_b')).toBeNull()
  })

  test('more records than one call takes are read in one', async () => {
    const store = await make()
    const ids = Array.from({ length: 130 }, (_none, index) => `i-${index}`)
    for (let at = 0; at < ids.length; at += 65)
      await store.commit(
        ids.slice(at, at + 65).map(id => put('host', { id, fence: 1, nodeId: null, version: 0 })),
      )
    const found = await store.getMany(
      'host',
      [...ids, 'i-none'].map(id => ({ id })),
    )
    expect(found.map(({ id }) => id).sort()).toEqual([...ids].sort())
  })

  test('lists go on where a page ended; operations the newest first', async () => {
    const store = await make()
    const ids = ['a', 'b', 'c', 'd', 'e']
    await store.commit(ids.map(id => put('operation', operation(`op_${id}`))))
    await store.commit(ids.map(id => put('clusterName', { name: id, id, version: 0 })))
    const first = await store.operations({ limit: 3 })
    expect(first.items.map(({ id }) => id)).toEqual(['op_e', 'op_d', 'op_c'])
    const rest = await store.operations({ limit: 3, after: first.next ?? '' })
    expect(rest.items.map(({ id }) => id)).toEqual(['op_b', 'op_a'])
    expect(rest.next).toBeNull()
    const names = await store.clusterNames({ limit: 4 })
    const more = await store.clusterNames({ limit: 4, after: names.next ?? '' })
    expect([...names.items, ...more.items].map(({ name }) => name)).toEqual(ids)
  })

  test('the audit of a day is listed the newest first, page by page', async () => {
    const store = await make()
    const at = Date.parse('2026-11-24T23:59:59Z')
    const entry = (id: string, when: number) =>
      put('audit', {
        id,
        at: when,
        actor: 'user:test',
        action: 'stop',
        target: 'clu_a',
        requestId: 'r',
        operationId: null,
        version: 0,
      })
    await store.commit([entry('aud_a', at), entry('aud_b', at), entry('aud_c', at + 1_000)])

    const first = await store.audit('2026-11-24', { limit: 1 })
    expect(first.items.map(({ id }) => id)).toEqual(['aud_b'])
    const rest = await store.audit('2026-11-24', { limit: 5, after: first.next ?? '' })
    expect(rest.items.map(({ id }) => id)).toEqual(['aud_a'])
    expect((await store.audit('2026-11-25', { limit: 5 })).items.map(({ id }) => id)).toEqual([
      'aud_c',
    ])
    expect(await store.audit('2026-11-26', { limit: 5 })).toEqual({ items: [], next: null })
  })

  test('root services are listed by id, those of their name alone', async () => {
    const store = await make()
    const of = (obCluster: string, obClusterId: number) =>
      put('rootServices', {
        obCluster,
        obClusterId,
        type: 'PRIMARY' as const,
        servers: [{ address: '10.0.0.1:2882', sqlPort: 2881, role: 'LEADER' as const }],
        readonlyServers: [],
        timestamp: 1_790_000_000_123_456,
        isWithdrawn: false,
        version: 0,
      })
    await store.commit([of('east', 10), of('east', 2), of('east2', 1)])

    expect((await store.rootServices('east')).map(each => each.obClusterId)).toEqual([2, 10])
    expect(await store.rootServices('east')).toMatchObject([
      { timestamp: 1_790_000_000_123_456 },
      { servers: [{ sqlPort: 2881 }] },
    ])
    expect(await store.rootServices('none')).toEqual([])
  })

  test('what was moved out is listed by its name, the last one last', async () => {
    const store = await make()
    const of = (name: string, id: string) =>
      put('movedOut', {
        id,
        name,
        operationId: 'op_1',
        movedOutAt: 1,
        answersUntil: 2,
        sysPasswordSecret: '/s',
        obClusters: [],
        version: 0,
      })
    await store.commit([of('c', 'clu_b'), of('c', 'clu_a'), of('d', 'clu_c')])

    expect((await store.movedOut('c')).map(({ id }) => id)).toEqual(['clu_a', 'clu_b'])
    expect(await store.movedOut('e')).toEqual([])
  })

  test('changes of parameters are listed the newest first, by cluster and time', async () => {
    const store = await make()
    const entry = (clusterId: string, id: string, at: number) =>
      put('parameterHistory', {
        clusterId,
        id,
        at,
        actor: 'user:test',
        operationId: null,
        isReturn: false,
        changes: [{ name: 'a', before: null, after: '1' }],
        version: 0,
      })
    await store.commit([
      ...[9, 1_795_535_859_154, 10].map(at => entry('clu_a', `his_${at}`, at)),
      entry('clu_a', 'his_other', 10),
      entry('clu_b', 'his_b', 10),
    ])
    const ids = async (request: Parameters<Store['parameterHistory']>[1]) =>
      (await store.parameterHistory('clu_a', request)).items.map(({ id }) => id)
    const all = ['his_1795535859154', 'his_other', 'his_10', 'his_9']
    expect(await ids({ limit: 10 })).toEqual(all)
    expect(await ids({ limit: 10, from: 10 })).toEqual(all.slice(0, 3))
    expect(await ids({ limit: 10, from: 10, to: 10 })).toEqual(['his_other', 'his_10'])
    expect(await ids({ limit: 10, to: 9 })).toEqual(['his_9'])
    expect(await ids({ limit: 10, from: 11, to: 10 })).toEqual([])
    const first = await store.parameterHistory('clu_a', { limit: 2, from: 10 })
    expect(first.items.map(({ id }) => id)).toEqual(all.slice(0, 2))
    expect(first.items[0]?.changes).toEqual([{ name: 'a', before: null, after: '1' }])
    expect(await ids({ limit: 2, from: 10, after: first.next ?? '' })).toEqual(['his_10'])
    expect((await store.parameterHistory('clu_none', { limit: 2 })).items).toEqual([])
  })

  test('steps and waves are listed in the order of their numbers', async () => {
    const store = await make()
    const wave = (n: number) =>
      put('wave', {
        operationId: 'op_a',
        n,
        verb: 'start',
        entries: [],
        order: 'x',
        comment: `op_a/${n}`,
        commandId: null,
        intentAt: 1,
        sentAt: null,
        version: 0,
      })
    await store.commit([10, 9, 1_795_535_859_154].map(wave))
    expect((await store.waves('op_a')).map(({ n }) => n)).toEqual([9, 10, 1_795_535_859_154])
    expect(await store.waves('op_b')).toEqual([])
  })

  test('what is due is found by its time, and only while it is there', async () => {
    const store = await make()
    const work = (operationId: string, nextAt: number) =>
      put('work', { operationId, lease: null, nextAt, version: 0 })
    await store.commit([work('op_a', 300), work('op_b', 100), work('op_c', 200)])
    expect(await store.due(99, 10)).toEqual([])
    expect(await store.due(250, 10)).toEqual(['op_b', 'op_c'])
    expect(await store.due(1_000, 2)).toEqual(['op_b', 'op_c'])
    const done = await store.get('work', { operationId: 'op_b' })
    if (done === null) throw new Error('not there')
    await store.commit([remove('work', done)])
    expect(await store.due(1_000, 10)).toEqual(['op_c', 'op_a'])
  })
}
