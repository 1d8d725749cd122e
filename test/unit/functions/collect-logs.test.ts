/** Bundles of logs: what is asked for, who is told a place, and how they are listed. */
import { describe, expect, test } from 'vitest'
import type { Operation } from '../../../functions/domain/model.ts'
import type { LogsInput } from '../../../functions/domain/plane.ts'
import type { Problem } from '../../../functions/domain/problem.ts'
import { hostId, START } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const HOUR_MS = 3_600_000
const ALL: LogsInput = { types: ['proxy', 'slow'], keywords: [], exclude: [] }

const bundlesOf = (result: Operation['result']) => (result?.kind === 'logs' ? result.bundles : [])

const problemOf = (asked: Promise<unknown>): Promise<Problem | 'done'> =>
  asked.then(
    () => 'done' as const,
    (problem: Problem) => problem,
  )

const collect = (all: ScriptedPlane, input: Partial<LogsInput> = {}) =>
  all.plane.clusters.collectLogs(ASKED, 'orders', { ...ALL, ...input })

describe('bundles of logs', () => {
  test('are listed a node, each with a place to read it from, and hold nothing', async () => {
    const all = await ScriptedPlane.withOrders(2)
    const id = await all.accepted(collect(all))
    expect(all.held()).toEqual([])
    const { phase, result, childIds } = await all.ended(id)
    expect(phase).toBe('SUCCEEDED')
    expect(bundlesOf(result)).toEqual(
      childIds.map((operationId, at) => ({
        nodeId: expect.any(String),
        name: `orders-${at + 1}`,
        operationId,
        facts: { bytes: 9, sha256: 'a'.repeat(64), files: 1, lines: 2, partial: false, why: '' },
        url: `https://bundles.test/logs/${operationId}.tar.gz?get`,
        error: null,
      })),
    )
    expect(all.fleet.sends).toEqual([{ hosts: 2, verb: 'collect-logs' }])
  })

  test('are of the last hour unless asked otherwise, and no order has a place or a secret', async () => {
    const all = await ScriptedPlane.withOrders(1)
    const since = all.clock.now()
    await all.ended(await all.accepted(collect(all, { level: 'WARN', pattern: 'a+' })))
    const [entry] = all.fleet.probes
    expect(entry?.logs).toEqual({
      ...ALL,
      level: 'WARN',
      pattern: 'a+',
      from: since - HOUR_MS,
      to: since,
    })
    expect(JSON.stringify(entry)).not.toContain('bundles.test')
    expect(JSON.stringify(all.store.all('step'))).not.toContain('bundles.test')
  })

  test('of a node that failed have its reason, the others are there', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(2).failing.add('collect-logs')
    const { phase, result } = await all.ended(await all.accepted(collect(all)))
    expect(phase).toBe('FAILED')
    expect(bundlesOf(result)).toMatchObject([
      { error: null },
      { url: null, facts: null, error: { code: 'node-command-failed' } },
    ])
  })

  test('of a node whose answer cannot be read say so beside their place', async () => {
    const all = await ScriptedPlane.withOrders(1)
    all.fleet.host(1).isGarbled = true
    const { result } = await all.ended(await all.accepted(collect(all)))
    expect(bundlesOf(result)).toMatchObject([
      { facts: null, url: expect.any(String), error: { code: 'node-command-failed' } },
    ])
  })

  test.each([
    ['a pattern that could take for ever', { pattern: '(a)\\1' }, '/pattern'],
    ['a period that ends before it begins', { from: START, to: START - 1 }, '/from'],
  ])('with %s are not valid', async (_name, input, pointer) => {
    const all = await ScriptedPlane.withOrders(1)
    expect(await problemOf(collect(all, input))).toMatchObject({
      code: 'validation-failed',
      details: { errors: [{ pointer }] },
    })
  })
})

describe('a place for a bundle', () => {
  test('is told to the instance of the node, while the operation is open', async () => {
    const all = await ScriptedPlane.withOrders(2)
    all.fleet.host(1).behaviour = 'slow'
    const id = await all.accepted(all.plane.nodes.collectLogs(ASKED, 'orders-1', ALL))
    const { id: nodeId } = await all.plane.nodes.get('orders-1')
    const upload = { nodeId, instanceId: hostId(1), operationId: id, bytes: 7 }
    const principal = { kind: 'instance', instanceId: hostId(1) } as const
    const { placeForLogs } = all.plane.nodes
    expect(await placeForLogs(principal, nodeId, upload)).toBe(
      `https://bundles.test/logs/${id}.tar.gz?put=7`,
    )
    const stranger = { kind: 'instance', instanceId: hostId(2) } as const
    expect(await problemOf(placeForLogs(stranger, nodeId, upload))).toMatchObject({
      code: 'forbidden',
    })
    const other = {
      ...upload,
      operationId: await all.accepted(all.plane.nodes.diagnose(ASKED, 'orders-1')),
    }
    expect(await problemOf(placeForLogs(principal, nodeId, other))).toMatchObject({
      code: 'not-found',
    })
    await all.settle()
    expect(await problemOf(placeForLogs(principal, nodeId, upload))).toMatchObject({
      code: 'operation-state-conflict',
    })
  })
})
