/** Nodes behind a balancer, that go out of it and come into it. */
import { ASKED } from '../scripted-plane.ts'
import { BALANCED, balanced, type Stories, wayBack } from './story.ts'

export const STORIES_OF_BALANCERS: Stories = {
  'create behind a balancer': {
    begin: async all => {
      await all.prepare()
      const input = all.input('c', [1, 2], { loadBalancer: BALANCED })
      return all.accepted(all.plane.clusters.create(ASKED, input))
    },
  },
  'restart behind a balancer, forced': {
    begin: async all => {
      await balanced(all)
      return all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'force' }))
    },
    tickSec: 5,
  },
  'stop behind a balancer': {
    begin: async all => {
      await balanced(all)
      return all.accepted(all.plane.clusters.stop(ASKED, 'c', {}))
    },
    tickSec: 5,
  },
  'delete behind a balancer': {
    begin: async all => {
      await balanced(all)
      const { revision } = await all.plane.nodes.get('c-1')
      return all.accepted(all.plane.nodes.remove(ASKED, 'c-1', { revision, skipHostWork: false }))
    },
    tickSec: 5,
  },
  offline: {
    begin: async all => {
      await balanced(all)
      return all.accepted(all.plane.clusters.offline(ASKED, 'c', { confirm: 'c' }))
    },
  },
  online: {
    begin: async all => {
      await balanced(all)
      const out = all.plane.clusters.offline(ASKED, 'c', { confirm: 'c' })
      await all.ended(await all.accepted(out))
      return all.accepted(all.plane.clusters.online(ASKED, 'c', {}))
    },
  },
  'attach a balancer': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.attachBalancer(ASKED, 'c', BALANCED))
    },
  },
  'detach a balancer': {
    begin: async all => {
      await balanced(all)
      return all.accepted(all.plane.clusters.detachBalancer(ASKED, 'c'))
    },
  },
  'the way back of going offline': {
    begin: async all => {
      await balanced(all)
      return wayBack(all, all.plane.clusters.offline(ASKED, 'c', { confirm: 'c' }))
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of going online': {
    begin: async all => {
      await balanced(all)
      const out = all.plane.clusters.offline(ASKED, 'c', { confirm: 'c' })
      await all.ended(await all.accepted(out))
      return wayBack(all, all.plane.clusters.online(ASKED, 'c', {}))
    },
    ends: 'ROLLED_BACK',
  },
}
