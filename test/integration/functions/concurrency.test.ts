/** Many clients at once over the real DynamoDB API: what happens could have happened one after the other. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Outcome } from '../../../functions/domain/plane.ts'
import { Problem } from '../../../functions/domain/problem.ts'
import { LocalDynamo } from '../../support/dynamodb.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const CLIENTS = 50

const dynamo = new LocalDynamo('127.15.8.2')

beforeAll(() => dynamo.ready())

afterAll(() => dynamo.stop())

type Answer =
  | { readonly kind: 'accepted'; readonly id: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly code: string; readonly holder: string | undefined }

async function answerOf(asked: Promise<Outcome<unknown>>): Promise<Answer> {
  try {
    const outcome = await asked
    return outcome.kind === 'accepted'
      ? { kind: 'accepted', id: outcome.operation.id }
      : { kind: 'done' }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { kind: 'refused', code: error.code, holder: error.details.conflict?.operationId }
  }
}

const accepted = (answers: readonly Answer[]) =>
  answers.flatMap(answer => (answer.kind === 'accepted' ? [answer.id] : []))

describe('fifty clients at once', () => {
  test('with conflicting changes of one cluster: one begins, the others are told which', async () => {
    const all = new ScriptedPlane(4, await dynamo.emptyStore())
    await all.running('orders', [1, 2, 3])
    const { plane } = all
    const { nodes } = all.input('', [4]).spec
    const changes = [
      () => plane.clusters.stop(ASKED, 'orders', {}),
      () => plane.clusters.restart(ASKED, 'orders', { mode: 'force' }),
      () => plane.clusters.addNodes(ASKED, 'orders', nodes),
      () => plane.clusters.rotateSysPassword(ASKED, 'orders', undefined),
      () => plane.nodes.stop(ASKED, 'orders-1'),
    ]
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_none, at) =>
        answerOf((changes[at % changes.length] ?? changes[0])?.() ?? Promise.reject()),
      ),
    )
    const [id, ...others] = accepted(answers)
    expect(others).toEqual([])
    const refused = answers.filter(answer => answer.kind === 'refused')
    expect(refused).toHaveLength(CLIENTS - 1)
    for (const { code, holder } of refused) {
      expect(['cluster-state-conflict', 'node-state-conflict', 'host-occupied']).toContain(code)
      // Who was beaten to the write again and again has nobody to name.
      if (holder !== undefined) expect(holder).toBe(id)
    }
    expect(refused.some(({ holder }) => holder === id)).toBe(true)
    await all.settle()
    expect((await plane.operations.get(id ?? '')).phase).toBe('SUCCEEDED')
  })

  test('with changes of nodes of their own: each begins', async () => {
    const all = new ScriptedPlane(5, await dynamo.emptyStore())
    await all.running('orders', [1, 2, 3, 4, 5])
    const names = [1, 2, 3, 4, 5].map(number => `orders-${number}`)
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_none, at) =>
        answerOf(all.plane.nodes.stop(ASKED, names[at % names.length] ?? '')),
      ),
    )
    const ids = accepted(answers)
    expect(ids.length).toBeGreaterThan(0)
    expect(ids.length).toBeLessThanOrEqual(names.length)
    await all.settle()
    const targets = await Promise.all(
      ids.map(async id => (await all.plane.operations.get(id)).target.name),
    )
    expect(new Set(targets).size).toBe(ids.length)
  })

  test('with the same name for a new cluster, and the same host: one has it', async () => {
    const all = new ScriptedPlane(3, await dynamo.emptyStore())
    await all.prepare()
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, (_none, at) =>
        answerOf(
          all.plane.clusters.create(ASKED, all.input(at % 2 === 0 ? 'same' : `c${at}`, [1])),
        ),
      ),
    )
    await all.settle()
    const phases = await Promise.all(
      accepted(answers).map(async id => (await all.plane.operations.get(id)).phase),
    )
    const { items } = await all.plane.nodes.list({ limit: 200 })
    expect(items.map(({ hostId: host }) => host)).toEqual([hostId(1)])
    expect(phases.filter(phase => phase === 'SUCCEEDED')).toHaveLength(1)
    const named = (await all.plane.clusters.list({ limit: 200 })).items.filter(
      ({ name }) => name === 'same',
    )
    expect(named.length).toBeLessThanOrEqual(1)
  })

  test('with one and the same request: it is one operation', async () => {
    const all = new ScriptedPlane(2, await dynamo.emptyStore())
    await all.running('orders', [1, 2])
    const idempotency = { scope: 'user:test POST /stop', key: 'k', bodyHash: 'h' }
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, () =>
        answerOf(all.plane.clusters.stop({ ...ASKED, idempotency }, 'orders', {})),
      ),
    )
    const ids = accepted(answers)
    expect(new Set(ids).size).toBe(1)
    const { items } = await all.plane.audit.list({ limit: 50 }, { action: 'stop' })
    expect(items).toHaveLength(1)
    await all.settle()
  })
})
