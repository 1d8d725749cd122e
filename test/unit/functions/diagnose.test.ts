/** A diagnosis of nodes: what it finds, that it holds nothing, and who may send one in. */
import { describe, expect, test } from 'vitest'
import type { Operation } from '../../../functions/domain/model.ts'
import type { Problem } from '../../../functions/domain/problem.ts'
import { diagnosisOf } from '../../support/diagnosis-document.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const FULL = {
  disks: [
    {
      folder: '/home/admin/obproxy/log',
      freeBytes: 1,
      totalBytes: 1000,
      freeInodes: 1,
      totalInodes: 2,
    },
  ],
}

const ofCluster = (all: ScriptedPlane, nodes?: readonly string[]) =>
  all.accepted(all.plane.clusters.diagnose(ASKED, 'orders', nodes === undefined ? {} : { nodes }))

const diagnosesOf = (result: Operation['result']) =>
  result?.kind === 'diagnosis' ? result.diagnoses : []

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'done',
    (problem: Problem) => problem.code,
  )

describe('a diagnosis of a cluster', () => {
  test('says what is not well with each node, and nothing of what is', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(2).unwell = FULL
    const { phase, result } = await all.ended(await ofCluster(all))
    expect(phase).toBe('SUCCEEDED')
    expect(diagnosesOf(result)).toMatchObject([
      { name: 'orders-1', worst: 'ok', findings: [], facts: null, error: null },
      {
        name: 'orders-2',
        worst: 'fail',
        findings: [{ id: 'disk', level: 'fail', remedy: 'free room there, logs first' }],
        facts: null,
      },
    ])
  })

  test('has all of it in the operation of each node', async () => {
    const all = await ScriptedPlane.withOrders(1)
    const { childIds } = await all.ended(await ofCluster(all))
    const { result, target } = await all.plane.operations.get(childIds[0] ?? '')
    expect(target).toMatchObject({ kind: 'node', name: 'orders-1' })
    expect(diagnosesOf(result)[0]?.findings.length).toBeGreaterThan(15)
    expect(diagnosesOf(result)[0]?.facts?.process?.pid).toBe(12)
  })

  test('is of nodes that are named, and goes out in one command', async () => {
    const all = await ScriptedPlane.withOrders(3)
    const { result } = await all.ended(await ofCluster(all, ['orders-2', 'orders-3']))
    expect(diagnosesOf(result).map(({ name }) => name)).toEqual(['orders-2', 'orders-3'])
    expect(all.fleet.sends).toEqual([{ hosts: 2, verb: 'diagnose' }])
  })

  test('of a node whose document does not arrive has the names that the answer has', async () => {
    const all = await ScriptedPlane.withOrders(1)
    all.fleet.host(1).unwell = null
    const { phase, result } = await all.ended(await ofCluster(all))
    expect(phase).toBe('SUCCEEDED')
    expect(diagnosesOf(result)).toMatchObject([
      {
        worst: 'warn',
        findings: [{ id: 'disk', level: 'warn' }],
        error: { code: 'node-command-failed' },
      },
    ])
  })

  test('of a node whose answer cannot be read either says so, and not that it is well', async () => {
    const all = await ScriptedPlane.withOrders(1)
    all.fleet.host(1).isGarbled = true
    const { result } = await all.ended(await ofCluster(all))
    expect(diagnosesOf(result)).toMatchObject([
      { worst: null, findings: [], error: { detail: 'the answer of the node cannot be read' } },
    ])
  })

  test('of a node that does not answer says so, and the others are told of', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(1).failing.add('diagnose')
    const { phase, result } = await all.ended(await ofCluster(all))
    expect(phase).toBe('FAILED')
    expect(diagnosesOf(result)).toMatchObject([
      { worst: null, error: { code: 'node-command-failed' } },
      { worst: 'ok', error: null },
    ])
  })

  test('waits for nobody and holds up nobody: not while an operation holds the nodes, nor before one', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(1).behaviour = 'slow'
    const restart = await all.accepted(
      all.plane.clusters.restart(ASKED, 'orders', { mode: 'force' }),
    )
    await all.engine.sweep(10)
    expect(all.held()).not.toEqual([])
    const look = await ofCluster(all, ['orders-2'])
    for (let tick = 0; tick < 5; tick++) {
      all.clock.pass(1_000)
      await all.engine.sweep(10)
    }
    expect(await all.plane.operations.get(look)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await all.plane.operations.get(restart)).toMatchObject({ phase: 'RUNNING' })
    expect(await all.ended(restart)).toMatchObject({ phase: 'SUCCEEDED' })

    const again = await ofCluster(all)
    const stop = await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1'))
    expect(await all.ended(stop)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(await all.ended(again)).toMatchObject({ phase: 'SUCCEEDED' })
  })

  test('that failed can be tried again, and leaves no condition', async () => {
    const all = await ScriptedPlane.withOrders(1)
    all.fleet.host(1).failing.add('diagnose')
    const id = await ofCluster(all)
    expect(await all.ended(id)).toMatchObject({ phase: 'FAILED' })
    all.fleet.host(1).failing.clear()
    await all.plane.operations.retry(ASKED, id)
    expect(await all.ended(id)).toMatchObject({ phase: 'SUCCEEDED' })
    expect(all.held()).toEqual([])
    expect((await all.plane.clusters.get('orders')).conditions).toEqual([])
  })
})

describe('a document', () => {
  const open = async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(1).behaviour = 'slow'
    const operationId = await all.accepted(all.plane.nodes.diagnose(ASKED, 'orders-1'))
    const [one, other] = [
      await all.plane.nodes.get('orders-1'),
      await all.plane.nodes.get('orders-2'),
    ]
    const document = diagnosisOf({ nodeId: one.id, instanceId: hostId(1), operationId })
    return { all, one, other, document }
  }
  const instance = (index: number) => ({ kind: 'instance', instanceId: hostId(index) }) as const

  test('is taken from its own instance, once more as often as it comes', async () => {
    const { all, one, document } = await open()
    await all.plane.nodes.takeDiagnosis(instance(1), one.id, document)
    await all.plane.nodes.takeDiagnosis(instance(1), one.id, document)
    expect(all.store.all('diagnosis')).toHaveLength(1)
  })

  test('is refused from anybody else, of another node, too long, and when nobody waits', async () => {
    const { all, one, other, document } = await open()
    const { takeDiagnosis } = all.plane.nodes
    const user = { kind: 'user', name: 'test' } as const
    expect(await codeOf(takeDiagnosis(user, one.id, document))).toBe('forbidden')
    expect(await codeOf(takeDiagnosis(instance(2), one.id, document))).toBe('forbidden')
    const strange = { ...document, nodeId: other.id, instanceId: hostId(2) }
    expect(await codeOf(takeDiagnosis(instance(2), other.id, strange))).toBe('not-found')
    const errors = Array(20).fill('é'.repeat(1_000))
    const long = { ...document, facts: { ...document.facts, errors } }
    expect(await codeOf(takeDiagnosis(instance(1), one.id, long))).toBe('body-too-large')
    await all.settle()
    expect(await codeOf(takeDiagnosis(instance(1), one.id, document))).toBe(
      'operation-state-conflict',
    )
  })
})
