/** What a node makes of an order before it does anything, and of one that it has had: of a real node and of a scripted one. */
import { expect, test } from 'vitest'
import { encodeOrder, type OrderEntry, type Verb, type VerbResult } from '#contract/command'
import { desiredNode } from './desired-node.ts'

export type NodeUnderTest = {
  /** Carries an encoded order out, as its instance `id`. */
  readonly run: (order: string) => Promise<VerbResult>
  readonly id: string
  readonly now: () => number
}

const TERM_MS = 60_000

type Asked = Partial<OrderEntry> & { readonly verb?: Verb; readonly inMs?: number }

export function nodeRulesContract(make: () => NodeUnderTest): void {
  /** An order of a verb that changes the node, if nothing else is said; what it does there is no matter. */
  async function told(node: NodeUnderTest, { verb = 'restart', inMs = TERM_MS, ...more }: Asked) {
    const key = { operationId: 'op-1', step: 's', attempt: 1, fence: 1 }
    const entry: OrderEntry = { ...key, desired: desiredNode(), ...more }
    const expiresAt = node.now() + inMs
    return node.run(encodeOrder({ schema: 1, verb, expiresAt, nodes: { [node.id]: entry } }))
  }

  test('a step that comes twice is answered from the ledger, whatever came of it', async () => {
    const node = make()
    const first = await told(node, {})
    expect(first.replayed).toBeUndefined()
    expect(await told(node, {})).toEqual({ ...first, replayed: true })
    expect(await told(node, { attempt: 2 })).not.toHaveProperty('replayed')
    expect(await told(node, { step: 't' })).not.toHaveProperty('replayed')
  })

  test('of a step that comes twice at once one is carried out', async () => {
    const node = make()
    const both = await Promise.all([told(node, {}), told(node, {})])
    expect(both.map(({ replayed = false }) => replayed).sort()).toEqual([false, true])
  })

  test('what is older than what it has begun is refused, and not what is of the same', async () => {
    const node = make()
    await told(node, { operationId: 'op-2', fence: 2 })
    expect(await told(node, { fence: 1 })).toMatchObject({ ok: false, code: 'order.fenced' })
    expect((await told(node, { operationId: 'op-2', step: 't', fence: 2 })).code).not.toBe(
      'order.fenced',
    )
  })

  test('what it has done it answers also when that is old and expired', async () => {
    const node = make()
    const first = await told(node, { fence: 1 })
    await told(node, { operationId: 'op-2', fence: 2 })
    expect(await told(node, { fence: 1, inMs: -1 })).toEqual({ ...first, replayed: true })
  })

  test('what has expired is refused and forgotten: the same step may come with more time', async () => {
    const node = make()
    expect(await told(node, { inMs: -1 })).toMatchObject({ ok: false, code: 'order.expired' })
    const again = await told(node, {})
    expect(again.code).not.toBe('order.expired')
    expect(again.replayed).toBeUndefined()
  })

  test('who asks how it is leaves no fence', async () => {
    const node = make()
    await told(node, { verb: 'status', operationId: 'op-2', fence: 9 })
    expect((await told(node, { fence: 1 })).code).not.toBe('order.fenced')
  })

  test('a look is no matter of fences, and has a ledger of its own', async () => {
    const node = make()
    await told(node, { operationId: 'op-2', fence: 9 })
    const seen = await told(node, { verb: 'probe', fence: 1 })
    expect(seen.code).not.toBe('order.fenced')
    expect(await told(node, { verb: 'probe', fence: 1 })).toEqual({ ...seen, replayed: true })
    expect(await told(node, { verb: 'probe', step: 't', inMs: -1 })).toMatchObject({
      code: 'order.expired',
    })
    // The same step, and another verb: nothing that it has done.
    expect((await told(node, { fence: 10 })).replayed).toBeUndefined()
  })
}
