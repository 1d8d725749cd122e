/** Proxies of others that become nodes, and nodes and clusters that are let go of. */
import { hostId } from '../scripted-fleet.ts'
import { ASKED, type ScriptedPlane } from '../scripted-plane.ts'
import { BALANCED, balanced, type Stories, wayBack } from './story.ts'

const asTakeOver = (all: ScriptedPlane, hosts: readonly number[]) =>
  all.plane.clusters.takeOver(ASKED, 'c', {
    hosts: hosts.map(index => ({ host: hostId(index) })),
    acceptParameterChanges: false,
    confirm: 'c',
  })

const takeOver = (all: ScriptedPlane, hosts: readonly number[]) =>
  all.accepted(asTakeOver(all, hosts))

const moveOut = (all: ScriptedPlane, skipHostWork: readonly string[] = []) =>
  all.accepted(
    all.plane.clusters.moveOut(ASKED, 'c', { confirm: 'c', skipHostWork, graceMs: 60_000 }),
  )

export const STORIES_OF_TAKE_OVERS: Stories = {
  'look at hosts before a take-over': {
    begin: async all => {
      await all.running('c', [1])
      const hosts = [1, 2].map(index => ({ host: hostId(index) }))
      const input = { hosts, acceptParameterChanges: false }
      return all.accepted(all.plane.clusters.precheckTakeOver(ASKED, 'c', input))
    },
  },
  'take over': {
    begin: async all => {
      await all.running('c', [1])
      return takeOver(all, [2, 3])
    },
  },
  'take over into an empty cluster, with other ports': {
    begin: async all => {
      await all.running('c', [])
      all.fleet.host(2).probe = { ...all.fleet.host(2).probe, sqlPort: 3306, exporterPort: 3307 }
      return takeOver(all, [2])
    },
  },
  'take over of which one host is unfit': {
    begin: async all => {
      await all.running('c', [1])
      all.fleet.host(2).probe = { ...all.fleet.host(2).probe, user: 'root' }
      return takeOver(all, [2, 3])
    },
    ends: 'FAILED',
  },
  'take over that fails on its only host': {
    begin: async all => {
      await all.running('c', [1])
      all.fleet.host(2).failing.add('take-over')
      return takeOver(all, [2])
    },
    ends: 'ROLLED_BACK',
  },
  'take over that fails on one host of two': {
    begin: async all => {
      await all.running('c', [1])
      all.fleet.host(2).failing.add('take-over')
      return takeOver(all, [2, 3])
    },
    ends: 'FAILED',
  },
  'the way back of a take-over': {
    begin: async all => {
      await all.running('c', [1])
      return wayBack(all, asTakeOver(all, [2, 3]))
    },
    ends: 'ROLLED_BACK',
  },
  'take over behind a balancer': {
    begin: async all => {
      await all.running('c', [1], { loadBalancer: BALANCED })
      return takeOver(all, [2])
    },
    tickSec: 5,
  },
  'release a node': {
    begin: async all => {
      await balanced(all)
      const { revision } = await all.plane.nodes.get('c-1')
      const asked = { revision, skipHostWork: false, mode: 'release' } as const
      return all.accepted(all.plane.nodes.remove(ASKED, 'c-1', asked))
    },
    tickSec: 5,
  },
  'move out': {
    begin: async all => {
      await all.running('c', [1, 2])
      return moveOut(all)
    },
  },
  'move out behind a balancer, in work mode CONFIG_URL': {
    begin: async all => {
      await all.running('c', [1, 2], { loadBalancer: BALANCED, workMode: 'CONFIG_URL' })
      return moveOut(all)
    },
  },
  'move out of which one node does not let go': {
    begin: async all => {
      await balanced(all)
      all.fleet.host(2).failing.add('release')
      return moveOut(all)
    },
    ends: 'FAILED',
  },
  'move out that is tried again': {
    begin: async all => {
      await balanced(all)
      all.fleet.host(2).failing.add('release')
      const id = await moveOut(all)
      await all.ended(id)
      all.fleet.host(2).failing.clear()
      await all.plane.operations.retry(ASKED, id)
      return id
    },
  },
  'move out without a node that is out of reach': {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.outOfReach(2)
      return moveOut(all, ['c-2'])
    },
  },
  'release a cluster': {
    begin: async all => {
      await all.running('c', [1])
      await all.ended(await takeOver(all, [2]))
      const { revision } = await all.plane.clusters.get('c')
      const asked = { confirm: 'c', revision, skipHostWork: false, mode: 'release' } as const
      return all.accepted(all.plane.clusters.remove(ASKED, 'c', asked))
    },
  },
}
