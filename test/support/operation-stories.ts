/** One story an operation, for suites that disturb it in every way, and what must hold at its end. */
import { expect } from 'vitest'
import type { OperationPhase } from '../../functions/domain/model.ts'
import { GROUP_ARN } from './scripted-balancer.ts'
import { hostId } from './scripted-fleet.ts'
import { ASKED, type ScriptedPlane } from './scripted-plane.ts'

const NEXT = '4.3.3.0-7'

export type Story = {
  readonly begin: (all: ScriptedPlane) => Promise<string>
  readonly ends?: OperationPhase
  /** Seconds between looks; longer where nodes are watched for minutes. */
  readonly tickSec?: number
}

const WATCHED = { rollout: { canaryBakeMs: 20_000, bakeMs: 10_000 } }

async function upgradable(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2])
  await all.plane.packages.create(ASKED, {
    fileName: `obproxy-${NEXT}.linux.x86_64.tar.gz`,
    sha256: 'b'.repeat(64),
    sizeBytes: 10,
    url: 'spool:y',
  })
}

const upgrade = (all: ScriptedPlane) =>
  all.accepted(all.plane.clusters.upgrade(ASKED, 'c', { mode: 'auto', version: NEXT, ...WATCHED }))

const BALANCED = { kind: 'target-group', targetGroupArn: GROUP_ARN, targetBy: 'instance' } as const

/** Behind a balancer, that its nodes go out of and come into. */
async function balanced(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2], { loadBalancer: BALANCED })
}

/** Two clusters with one OB cluster. */
async function linkedTwice(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1])
  await all.running('d', [2])
}

const rotateProxyro = (all: ScriptedPlane, secret?: string) =>
  all.accepted(all.plane.obClusters.rotateProxyro(ASKED, 'ob', secret))

async function changeParameters(
  all: ScriptedPlane,
  restartPolicy: 'manual' | 'rolling',
  watched: Partial<typeof WATCHED> = {},
) {
  const { revision } = await all.plane.clusters.get('c')
  const input = { set: { work_thread_num: '4' }, unset: [], restartPolicy, revision, ...watched }
  return all.accepted(all.plane.parameters.change(ASKED, 'c', input))
}

const takeOver = (all: ScriptedPlane, hosts: readonly number[]) =>
  all.accepted(
    all.plane.clusters.takeOver(ASKED, 'c', {
      hosts: hosts.map(index => ({ host: hostId(index) })),
      acceptParameterChanges: false,
      confirm: 'c',
    }),
  )

const TO_LINK = { isDefault: false }

/** In work mode CONFIG_URL, with one of two OB clusters. */
async function configured(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1, 2], { workMode: 'CONFIG_URL' })
  await all.plane.obClusters.put(ASKED, 'ob2', {
    rootservice: ['127.0.2.9:2881'],
    obClusterId: 2,
    idcRegions: [],
    proxyroSecret: '/ro2',
    tags: {},
  })
}

const link = (all: ScriptedPlane) =>
  all.accepted(all.plane.clusters.link(ASKED, 'c', 'ob2', TO_LINK))

async function unlink(all: ScriptedPlane): Promise<string> {
  await all.ended(await link(all))
  return all.accepted(all.plane.clusters.unlink(ASKED, 'c', 'ob2'))
}

const moveOut = (all: ScriptedPlane, skipHostWork: readonly string[] = []) =>
  all.accepted(
    all.plane.clusters.moveOut(ASKED, 'c', { confirm: 'c', skipHostWork, graceMs: 60_000 }),
  )

export const STORIES: Readonly<Record<string, Story>> = {
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
      const id = await upgrade(all)
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
    },
    ends: 'ROLLED_BACK',
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
      const id = await takeOver(all, [2, 3])
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
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
  'replace the password of root@proxysys': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined))
    },
  },
  'replace the password of proxyro': {
    begin: async all => {
      await linkedTwice(all)
      return rotateProxyro(all)
    },
  },
  'replace the password of proxyro that the OB cluster keeps': {
    begin: async all => {
      await linkedTwice(all)
      all.fleet.unalterable.add('ob')
      return rotateProxyro(all)
    },
    ends: 'ROLLED_BACK',
  },
  'replace the password of proxyro that a node does not settle': {
    begin: async all => {
      await linkedTwice(all)
      all.fleet.host(2).failing.add('refresh/settle')
      return rotateProxyro(all)
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a password of proxyro': {
    begin: async all => {
      await linkedTwice(all)
      const id = await rotateProxyro(all, '/mine')
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
    },
    ends: 'ROLLED_BACK',
  },
  'change parameters': {
    begin: async all => {
      await all.running('c', [1, 2])
      return changeParameters(all, 'manual')
    },
  },
  'change parameters with a rolling restart': {
    begin: async all => {
      await all.running('c', [1, 2])
      return changeParameters(all, 'rolling', WATCHED)
    },
    tickSec: 5,
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
      const id = await all.accepted(all.plane.clusters.addNodes(ASKED, 'c', nodes))
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
    },
    ends: 'ROLLED_BACK',
  },
  'stop a node': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.nodes.stop(ASKED, 'c-1'))
    },
  },
  'upgrade a node': {
    begin: async all => {
      await upgradable(all)
      return all.accepted(all.plane.nodes.upgrade(ASKED, 'c-1', { mode: 'hot', version: NEXT }))
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
  'create in work mode CONFIG_URL': {
    begin: async all => {
      await all.prepare()
      const input = all.input('c', [1, 2], { workMode: 'CONFIG_URL' })
      return all.accepted(all.plane.clusters.create(ASKED, input))
    },
  },
  'delete in work mode CONFIG_URL': {
    begin: async all => {
      await configured(all)
      const { revision } = await all.plane.clusters.get('c')
      const asked = { confirm: 'c', revision, skipHostWork: false }
      return all.accepted(all.plane.clusters.remove(ASKED, 'c', asked))
    },
  },
  'add a link': {
    begin: async all => {
      await configured(all)
      return link(all)
    },
  },
  'add a link that proxyro is not let in by': {
    begin: async all => {
      await configured(all)
      all.fleet.proxyro.set('ob2', '/another')
      return link(all)
    },
    ends: 'ROLLED_BACK',
  },
  'add a link that the second node does not take': {
    begin: async all => {
      await configured(all)
      all.fleet.host(2).refuses.add('link=ob2')
      return link(all)
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a link that was added': {
    begin: async all => {
      await configured(all)
      const id = await link(all)
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
    },
    ends: 'ROLLED_BACK',
  },
  'delete a link': {
    begin: async all => {
      await configured(all)
      return unlink(all)
    },
  },
  'the way back of a link that was deleted': {
    begin: async all => {
      await configured(all)
      const id = await unlink(all)
      await all.ended(id)
      await all.plane.operations.rollback(ASKED, id)
      return id
    },
    ends: 'ROLLED_BACK',
  },
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
}

/** It has ended as it should, holds nothing, has done nothing twice, and left nothing behind. */
export async function expectEnded(
  all: ScriptedPlane,
  {
    id,
    ends = 'SUCCEEDED',
    tickSec = 1,
    place,
  }: Pick<Story, 'ends' | 'tickSec'> & { readonly id: string; readonly place: string },
): Promise<void> {
  const { phase, error } = await all.finish(id, tickSec * 1_000)
  await all.engine.forgetSecrets()
  await all.look()
  expect(phase, `${place}: ${error?.detail ?? ''}`).toBe(ends)
  expect(all.held(), place).toEqual([])
  expect(new Set(all.fleet.ran).size, place).toBe(all.fleet.ran.length)
  expect(all.outOfStep(), place).toEqual([])
  // A password that nothing names is left behind, or one that nodes were told is gone.
  const named = [
    ...all.store
      .all('cluster')
      .flatMap(({ spec, configToken }) => [
        spec.sysPasswordSecret,
        ...(configToken === undefined ? [] : [configToken.secret]),
      ]),
    // Its proxies have it.
    ...all.store.all('movedOut').map(({ sysPasswordSecret }) => sysPasswordSecret),
    ...all.store
      .all('obCluster')
      .flatMap(({ proxyroSecret, isProxyroOurs }) =>
        isProxyroOurs === true ? [proxyroSecret] : [],
      ),
  ]
  expect([...all.fleet.passwords.keys()].sort(), place).toEqual(named.sort())
  // Nobody was without a password that opens, and one alone is left.
  expect(all.fleet.shutOut, place).toEqual([])
  expect(
    all.store.all('obCluster').filter(each => each.proxyroChange),
    place,
  ).toEqual([])
  // OB clusters count who is linked to them, and what is linked is what the config service answers.
  const clusters = all.store.all('cluster')
  for (const { name, linkCount } of all.store.all('obCluster'))
    expect(linkCount, `${place}: links to ${name}`).toBe(
      clusters.filter(({ spec }) => spec.links.some(({ obCluster }) => obCluster === name)).length,
    )
  expect(
    clusters.filter(({ linksServed }) => linksServed !== undefined),
    place,
  ).toEqual([])
  // A change is noted once, and once more where it returned.
  const noted = all.store.all('parameterHistory').map(({ isReturn }) => isReturn)
  expect(new Set(noted).size, place).toBe(noted.length)
  const holders = all.store.all('host').filter(({ nodeId }) => nodeId !== null)
  expect(holders.length, place).toBe(all.store.all('node').length)
}
