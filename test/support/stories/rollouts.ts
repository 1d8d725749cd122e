/** Rollouts: from wave to wave, back again, and as somebody steers them on their way. */
import { hostId } from '../scripted-fleet.ts'
import { ASKED, type ScriptedPlane } from '../scripted-plane.ts'
import {
  balanced,
  changeParameters,
  drivenUntil,
  isAt,
  NEXT,
  type Stories,
  upgradable,
  WATCHED,
  wayBack,
} from './story.ts'

const asUpgrade = (all: ScriptedPlane, more: object = {}) => {
  const rollout = { ...WATCHED.rollout, ...more }
  return all.plane.clusters.upgrade(ASKED, 'c', { mode: 'auto', version: NEXT, rollout })
}

const upgrade = (all: ScriptedPlane, more: object = {}) => all.accepted(asUpgrade(all, more))

/** Its first node is upgraded and watched; the other has not been begun. */
async function halfDone(all: ScriptedPlane): Promise<string> {
  await upgradable(all)
  const id = await upgrade(all)
  await drivenUntil(all, id, seen => isAt(seen, 0, 'bake'))
  return id
}

async function paused(all: ScriptedPlane): Promise<string> {
  const id = await halfDone(all)
  await all.plane.operations.pause(ASKED, id)
  return id
}

/** Its first command waits at an agent that begins nothing, and is cancelled there. */
async function cancelledUnreached(
  all: ScriptedPlane,
  asked: () => Promise<unknown>,
): Promise<string> {
  for (const index of [1, 2]) all.fleet.host(index).busyUntil = Number.POSITIVE_INFINITY
  const id = await all.accepted(asked())
  await drivenUntil(all, id, () => all.fleet.host(1).queue.length > 0)
  await all.plane.operations.cancel(ASKED, id)
  return id
}

/** Restarts nodes behind a balancer until the first is at `step`, and is cancelled there. */
async function cancelledAt(all: ScriptedPlane, step: string): Promise<string> {
  await balanced(all)
  const id = await all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'force' }))
  await drivenUntil(all, id, seen => isAt(seen, 0, step))
  await all.plane.operations.cancel(ASKED, id)
  return id
}

export const STORIES_OF_ROLLOUTS: Stories = {
  'restart, hot': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'hot', ...WATCHED }))
    },
    tickSec: 5,
  },
  upgrade: {
    begin: async all => {
      await upgradable(all)
      return upgrade(all)
    },
    tickSec: 5,
  },
  'upgrade whose second node fails': {
    begin: async all => {
      await upgradable(all)
      all.fleet.host(2).failing.add('upgrade')
      return upgrade(all)
    },
    ends: 'FAILED',
    tickSec: 5,
  },
  'upgrade that its canary does not survive': {
    begin: async all => {
      await upgradable(all)
      all.fleet.host(1).checks = [{ ready: true }, { ready: false }]
      return upgrade(all)
    },
    ends: 'ROLLED_BACK',
    tickSec: 5,
  },
  'the way back of an upgrade': {
    begin: async all => {
      await upgradable(all)
      return wayBack(all, asUpgrade(all))
    },
    ends: 'ROLLED_BACK',
  },
  'upgrade a node': {
    begin: async all => {
      await upgradable(all)
      return all.accepted(all.plane.nodes.upgrade(ASKED, 'c-1', { mode: 'hot', version: NEXT }))
    },
  },
  'change parameters with a rolling restart': {
    begin: async all => {
      await all.running('c', [1, 2])
      return changeParameters(all, 'rolling', WATCHED)
    },
    tickSec: 5,
  },
  'upgrade that is tried again': {
    begin: async all => {
      await upgradable(all)
      all.fleet.host(2).failing.add('upgrade')
      const id = await upgrade(all)
      await all.ended(id)
      all.fleet.host(2).failing.clear()
      await all.plane.operations.retry(ASKED, id)
      return id
    },
    tickSec: 5,
  },
  'upgrade that is paused and goes on': {
    begin: paused,
    asks: {
      once: ({ operation, children: [first] }) =>
        operation.phase === 'PAUSED' && first?.phase === 'SUCCEEDED',
      act: (all, id) => all.plane.operations.resume(ASKED, id),
    },
    tickSec: 5,
  },
  'upgrade that is paused and goes back': {
    begin: paused,
    asks: {
      once: ({ operation, children: [first] }) =>
        operation.phase === 'PAUSED' && first?.phase === 'SUCCEEDED',
      act: (all, id) => all.plane.operations.rollback(ASKED, id),
    },
    ends: 'ROLLED_BACK',
    tickSec: 5,
  },
  'upgrade that waits at a node that failed, and goes on': {
    begin: async all => {
      await upgradable(all)
      all.fleet.host(2).failing.add('upgrade')
      return upgrade(all, { onFailure: 'pause' })
    },
    asks: {
      once: ({ operation, children }) =>
        operation.phase === 'PAUSED' && children.some(({ phase }) => phase === 'FAILED'),
      act: async (all, id) => {
        all.fleet.host(2).failing.clear()
        // In vain once, and once more for what was asked.
        all.fleet.ran.splice(
          all.fleet.ran.findIndex(line => line.startsWith(`${hostId(2)} upgrade `)),
          1,
        )
        await all.plane.operations.resume(ASKED, id)
      },
    },
    tickSec: 5,
  },
  'restart that goes on without a node that failed': {
    begin: async all => {
      await all.running('c', [1, 2, 3])
      all.fleet.host(1).failing.add('restart')
      const id = await all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'force' }))
      const { childIds } = await all.ended(id)
      await all.plane.operations.skip(ASKED, id, childIds.slice(0, 1))
      return id
    },
  },
  'upgrade that is cancelled while a node is watched': {
    begin: async all => {
      const id = await halfDone(all)
      await all.plane.operations.cancel(ASKED, id)
      return id
    },
    ends: 'CANCELLED',
    tickSec: 5,
  },
  'restart that is cancelled before its command has reached the node': {
    begin: async all => {
      await all.running('c', [1, 2])
      return cancelledUnreached(all, () =>
        all.plane.clusters.restart(ASKED, 'c', { mode: 'force' }),
      )
    },
    ends: 'CANCELLED',
  },
  'stop behind a balancer that is cancelled before its command has reached the node': {
    begin: async all => {
      await balanced(all)
      return cancelledUnreached(all, () => all.plane.clusters.stop(ASKED, 'c', {}))
    },
    ends: 'CANCELLED',
    tickSec: 5,
  },
  'start that is cancelled before its command has reached the node': {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'c', {})))
      return cancelledUnreached(all, () => all.plane.clusters.start(ASKED, 'c', {}))
    },
    ends: 'CANCELLED',
  },
  'restart that is cancelled while a node drains': {
    begin: all => cancelledAt(all, 'drain-balancer'),
    ends: 'CANCELLED',
  },
  'restart that is cancelled while a node comes back into its balancer': {
    begin: all => cancelledAt(all, 'register'),
    ends: 'CANCELLED',
  },
}
