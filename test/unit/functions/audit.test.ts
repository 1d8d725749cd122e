/** Who changed what: an entry in the transaction of each change, read back the newest first. */
import { describe, expect, test } from 'vitest'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const DAY_MS = 86_400_000

describe('the audit', () => {
  test('has an entry for each change, none for what was refused or is so already', async () => {
    const all = new ScriptedPlane(2)
    const clusterId = await all.running('orders', [1, 2])
    const id = await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {}))
    await expect(all.plane.clusters.start(ASKED, 'orders', {})).rejects.toThrow()
    await all.ended(id)
    const { items } = await all.plane.audit.list({ limit: 10 }, { target: clusterId })
    expect(items.map(({ action, operationId }) => [action, operationId])).toEqual([
      ['stop', id],
      ['create-cluster', expect.stringMatching(/^op_/)],
    ])
    expect(items[0]).toMatchObject({ actor: 'user:test', requestId: 'r-1', target: clusterId })
  })

  test('names what was changed beside its id, where it has a name, and is asked by either', async () => {
    const all = new ScriptedPlane(1)
    const clusterId = await all.running('orders', [1], { workMode: 'CONFIG_URL' })
    const account = { user: 'probe', tenant: 'app', passwordSecret: '/probe' }
    await all.plane.clusters.link(ASKED, 'orders', 'ob', {
      isDefault: true,
      probeAccount: account,
    })
    const id = await all.accepted(all.plane.nodes.stop(ASKED, 'orders-1'))
    await all.ended(id)
    const entries = async (target: string) =>
      (await all.plane.audit.list({ limit: 10 }, { target })).items
    const [of] = await entries('orders-1')
    expect([of?.target, of?.targetName]).toEqual([expect.stringMatching(/^nod_/), 'orders-1'])
    expect(await entries('orders')).toEqual(await entries(clusterId))
    expect((await entries('orders')).map(({ action, targetName }) => [action, targetName])).toEqual(
      [
        ['replace-link', 'orders'],
        ['create-cluster', 'orders'],
      ],
    )
    const [put] = await entries('ob')
    expect(put).toMatchObject({ target: 'ob', targetName: 'ob' })
    const known = (await all.plane.packages.list({ limit: 1 })).items[0]
    const [made] = await entries(known?.id ?? '')
    expect(made).toMatchObject({ target: known?.id, targetName: known?.fileName })
  })

  test('is read over days, page by page, by action, and no further than asked', async () => {
    const all = new ScriptedPlane(1)
    await all.running('orders', [1])
    for (let day = 0; day < 4; day++) {
      all.clock.pass(DAY_MS)
      await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'orders', {})))
      await all.ended(await all.accepted(all.plane.clusters.start(ASKED, 'orders', {})))
    }
    const stops: string[] = []
    let cursor: string | null = null
    do {
      const page = await all.plane.audit.list(
        { limit: 3, ...(cursor === null ? {} : { cursor }) },
        { action: 'stop' },
      )
      stops.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(stops).toHaveLength(4)
    expect([...stops].sort().reverse()).toEqual(stops)
    const now = all.clock.now()
    const two = await all.plane.audit.list({ limit: 10 }, { from: now - 1.5 * DAY_MS, to: now })
    expect(two.items.filter(({ action }) => action === 'stop')).toHaveLength(2)
  })

  test('asked for more than a month, or backwards, is refused', async () => {
    const all = new ScriptedPlane(1)
    const now = all.clock.now()
    for (const filter of [
      { from: now - 32 * DAY_MS, to: now },
      { from: now, to: now - 1 },
    ])
      await expect(all.plane.audit.list({ limit: 1 }, filter)).rejects.toMatchObject({
        code: 'validation-failed',
      })
  })
})
