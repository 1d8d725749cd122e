/**
 * Every operation, interrupted at every write and every remote call in turn: the executor dies there, or
 * the call fails and it lives on; before the effect, or after it. The sweeper alone must bring the
 * operation to the end that it would have had, with no lock left and nothing done twice.
 */
import { describe, expect, test } from 'vitest'
import type { OperationPhase } from '../../../functions/domain/model.ts'
import { INTERRUPTIONS, interrupted, type Kind } from '../../support/interruption.ts'
import { hostId } from '../../support/scripted-fleet.ts'
import { ASKED, ScriptedPlane } from '../../support/scripted-plane.ts'

const NEXT = '4.3.3.0-7'

type Story = {
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

const STORIES: Readonly<Record<string, Story>> = {
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
  'replace the password of root@proxysys': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined))
    },
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
}

const MAX_TICKS = 200

async function play({ begin, ends = 'SUCCEEDED', tickSec = 1 }: Story, at: number, how: Kind) {
  const all = new ScriptedPlane(2)
  const id = await begin(all)
  all.fleet.ran.length = 0
  const { engine, interruption } = interrupted(all, at, how)
  const isOpen = () => all.store.all('work').length > 0
  for (let tick = 0; tick < MAX_TICKS && !interruption.isDead && isOpen(); tick++) {
    all.clock.pass(tickSec * 1_000)
    await engine.sweep(10)
  }
  if (!interruption.hasCome) return false
  const place = `${how} call ${at}`
  expect((await all.ended(id, tickSec * 1_000)).phase, place).toBe(ends)
  expect(all.held(), place).toEqual([])
  expect(new Set(all.fleet.ran).size, place).toBe(all.fleet.ran.length)
  // A password that nothing names is left behind, or one that nodes were told is gone.
  const named = all.store.all('cluster').map(({ spec }) => spec.sysPasswordSecret)
  expect([...all.fleet.passwords.keys()], place).toEqual(named)
  const holders = all.store.all('host').filter(({ nodeId }) => nodeId !== null)
  expect(holders.length, place).toBe(all.store.all('node').length)
  return true
}

describe('an operation that is interrupted', () => {
  test.each(Object.entries(STORIES))(
    'at every write and call comes to its end, nothing done twice: %s',
    async (name, story) => {
      let points = 0
      for (const how of INTERRUPTIONS)
        for (let at = 1; await play(story, at, how); at++) points += 1
      expect(points).toBeGreaterThan(20)
      console.log(`${name}: ${points} points of interruption`)
    },
    120_000,
  )
})
