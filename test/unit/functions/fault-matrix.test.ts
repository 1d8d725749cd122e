/** Every operation among faults at random, on memory; and what is still there when its time is over. */
import { describe, expect, test } from 'vitest'
import { faultsSurvived } from '../../support/fault-matrix.ts'
import { STORIES } from '../../support/operation-stories.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const SEEDS = Number(process.env['FAULT_SEEDS'] ?? 8)
const HOUR_MS = 3_600_000

describe('an operation among faults', () => {
  test.each(Object.entries(STORIES))(
    'comes to its end, nothing done twice, nothing held: %s',
    async (name, story) => {
      let faults = 0
      for (let seed = 1; seed <= SEEDS; seed++) faults += await faultsSurvived(story, seed)
      expect(faults).toBeGreaterThan(0)
      console.log(`${name}: ${faults} faults in ${SEEDS} runs`)
    },
    120_000,
  )
})

describe('the memory of a request', () => {
  const create = (all: ScriptedPlane, name: string) => {
    const idempotency = { scope: 'test', key: 'once', bodyHash: name }
    return all.plane.clusters.create({ ...ASKED, idempotency }, all.input(name, []))
  }

  test.each(['is deleted late', 'is deleted in time'])(
    'that %s answers for a day, and no longer',
    async when => {
      const all = new ScriptedPlane(1)
      await all.prepare()
      const id = await all.accepted(create(all, 'c'))
      await all.ended(id)

      all.clock.pass(23 * HOUR_MS)
      await all.expire()
      expect(await create(all, 'c')).toMatchObject({ isReplayed: true, operation: { id } })
      await expect(create(all, 'd')).rejects.toMatchObject({ code: 'idempotency-key-reused' })

      all.clock.pass(2 * HOUR_MS)
      if (when === 'is deleted in time') await all.expire()
      const next = await create(all, 'd')
      expect(next).toMatchObject({ kind: 'accepted', isReplayed: false })
      expect(await create(all, 'd')).toMatchObject({ isReplayed: true })
      expect(all.store.all('request')).toHaveLength(1)
    },
  )
})
