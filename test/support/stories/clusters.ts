/** Clusters and nodes that are made, started, stopped, looked at and deleted. */
import { ASKED, type ScriptedPlane } from '../scripted-plane.ts'
import { changeParameters, type Stories, wayBack } from './story.ts'

/** It has failed on one node of two, and nothing stands in its way any more. */
async function failedCreation(all: ScriptedPlane): Promise<string> {
  await all.prepare()
  all.fleet.host(2).failing.add('start')
  const id = await all.accepted(all.plane.clusters.create(ASKED, all.input('c', [1, 2])))
  await all.ended(id)
  all.fleet.host(2).failing.clear()
  return id
}

export const STORIES_OF_CLUSTERS: Stories = {
  create: {
    begin: async all => {
      await all.prepare()
      return all.accepted(all.plane.clusters.create(ASKED, all.input('c', [1, 2])))
    },
  },
  'restart, forced': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.restart(ASKED, 'c', { mode: 'force' }))
    },
  },
  stop: {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.stop(ASKED, 'c', {}))
    },
  },
  start: {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'c', {})))
      return all.accepted(all.plane.clusters.start(ASKED, 'c', {}))
    },
  },
  refresh: {
    begin: async all => {
      await all.running('c', [1, 2])
      for (const name of ['c-1', 'c-2']) {
        const { id, hostId } = await all.plane.nodes.get(name)
        const host = all.fleet.hosts.get(hostId)
        if (host === undefined) throw new Error('no host')
        host.parameterVersion = 0
        await all.fleet.report(host, id, null)
      }
      return all.accepted(all.plane.clusters.refresh(ASKED, 'c', {}))
    },
  },
  'change parameters': {
    begin: async all => {
      await all.running('c', [1, 2])
      return changeParameters(all, 'manual')
    },
  },
  'change parameters that the second node refuses': {
    begin: async all => {
      await all.running('c', [1, 2])
      all.fleet.host(2).refuses.add('work_thread_num=4')
      return changeParameters(all, 'manual')
    },
    ends: 'ROLLED_BACK',
  },
  'add nodes': {
    begin: async all => {
      await all.running('c', [1])
      const { nodes } = all.input('', [2]).spec
      return all.accepted(all.plane.clusters.addNodes(ASKED, 'c', nodes))
    },
  },
  'the way back of nodes that were added': {
    begin: async all => {
      await all.running('c', [1])
      const { nodes } = all.input('', [2]).spec
      return wayBack(all, all.plane.clusters.addNodes(ASKED, 'c', nodes))
    },
    ends: 'ROLLED_BACK',
  },
  'stop a node': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.nodes.stop(ASKED, 'c-1'))
    },
  },
  'delete a node': {
    begin: async all => {
      await all.running('c', [1, 2])
      const { revision } = await all.plane.nodes.get('c-1')
      return all.accepted(all.plane.nodes.remove(ASKED, 'c-1', { revision, skipHostWork: false }))
    },
  },
  'delete a cluster': {
    begin: async all => {
      await all.running('c', [1, 2])
      const { revision } = await all.plane.clusters.get('c')
      const asked = { confirm: 'c', revision, skipHostWork: false }
      return all.accepted(all.plane.clusters.remove(ASKED, 'c', asked))
    },
  },
  'diagnose nodes': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.diagnose(ASKED, 'c', {}))
    },
  },
  'collect logs of nodes': {
    begin: async all => {
      await all.running('c', [1, 2])
      const input = { types: ['proxy' as const], keywords: [], exclude: [] }
      return all.accepted(all.plane.clusters.collectLogs(ASKED, 'c', input))
    },
  },
  'delete a node without work on its host': {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.outOfReach(2)
      const { revision } = await all.plane.nodes.get('c-2')
      const asked = { revision, skipHostWork: true, confirm: 'c-2' }
      return all.accepted(all.plane.nodes.remove(ASKED, 'c-2', asked))
    },
  },
  'the way back of a creation': {
    begin: async all => {
      await all.prepare()
      return wayBack(all, all.plane.clusters.create(ASKED, all.input('c', [1, 2])))
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a stop': {
    begin: async all => {
      await all.running('c', [1, 2])
      return wayBack(all, all.plane.clusters.stop(ASKED, 'c', {}))
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a start': {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.ended(await all.accepted(all.plane.clusters.stop(ASKED, 'c', {})))
      return wayBack(all, all.plane.clusters.start(ASKED, 'c', {}))
    },
    ends: 'ROLLED_BACK',
  },
  'creation that is tried again': {
    begin: async all => {
      const id = await failedCreation(all)
      await all.plane.operations.retry(ASKED, id)
      return id
    },
  },
  'node of a failed creation that is tried again alone': {
    begin: async all => {
      const { childIds } = await all.plane.operations.get(await failedCreation(all))
      const [, id = ''] = childIds
      await all.plane.operations.retry(ASKED, id)
      return id
    },
  },
}
