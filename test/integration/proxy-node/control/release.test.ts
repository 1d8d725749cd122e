/**
 * The verbs release and take-over on our own executable: installed by us and let go, taken in again, and
 * run by a unit of somebody else.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { OrderEntry, Verb, VerbResult } from '#contract/command'
import { askInit } from '../../../../infra/local/instance/init-client.ts'
import { readFound } from '../../../../proxy-node/control/found.ts'
import { processesIn } from '../../../../proxy-node/control/found-processes.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import { killedAt } from '../../../support/found-proxy.ts'
import { NodeInstance } from '../../../support/node-instance.ts'
import { until } from '../../../support/until.ts'
import {
  adminOf,
  Guests,
  PACKAGE_FILE,
  parameterOf,
  VerbSuite,
} from '../../../support/verb-suite.ts'

const HOME = '/home/admin/obproxy'
const SYS_SECRET = '/obfleet/clusters/suite/proxysys'
const OTHER_UNIT = 'old-proxy.service'

const suite = new VerbSuite('127.15.9.82')
let node: NodeInstance
let guests: Guests

beforeAll(async () => {
  await suite.start()
  node = new NodeInstance('127.15.9.81', suite.plane, [PACKAGE_FILE])
  guests = new Guests(node)
  await suite.bringUp(node)
}, 120_000)

afterAll(async () => {
  await node?.stop()
  await suite.stop()
})

afterEach(() => guests.leave())

async function done(verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> {
  const result = await suite.act(node, verb, more)
  expect(result, result.message).toMatchObject({ ok: true })
  return result
}

const takeOver = () => done('take-over', { sqlPort: 2883, sysPasswordSecret: SYS_SECRET })

/** Its supervisor, and no worker of it. */
async function pid(): Promise<number> {
  const admin = await adminOf(node)
  const [rows] = await admin.query('SHOW PROXYINFO UPGRADE')
  admin.destroy()
  return Number(/pid:(\d+)/.exec(JSON.stringify(rows))?.[1])
}

const units = () =>
  readdirSync(node.file('etc/systemd/system')).filter(name => /obfleet/.test(name))
const found = () => readFound(pathsUnder(node.root))
const unit = (op: string, name = OTHER_UNIT) => askInit(node.socket, { op, unit: name }, 30_000)

describe('a node that we installed', () => {
  test('is released: its process serves on, and nothing of ours is left', async () => {
    const guest = await guests.come()
    await guest.query('BEGIN')
    const before = await pid()

    const result = await done('release')

    expect(result.facts).toMatchObject({ released: true, status: 'RUNNING', isSameProcess: true })
    await guest.query('COMMIT')
    expect(await pid()).toBe(before)
    expect(units()).toEqual([])
    expect(existsSync(node.file(`${HOME}/.obfleet-node.json`))).toBe(false)
    expect(existsSync(node.file('var/lib/obfleet/proxysys.sha1'))).toBe(false)
    expect((await node.proxy()).active).toBe(false)
    expect(existsSync(node.file(`${HOME}/bin/obproxy`))).toBe(true)
  })

  test('is taken over again as what it is, and hot restarts are its own', async () => {
    const result = await takeOver()
    expect(result.facts).toMatchObject({ parametersChanged: 0, watchdogs: 0 })
    expect(found()).toMatchObject({ phase: 'taken', kind: 'ours' })
    const guest = await guests.come()
    await guest.query('BEGIN')
    const restarted = await done('restart', { mode: 'hot', drainSec: 60 })
    await guest.query('COMMIT')
    expect((await node.proxy()).pid).toBe(restarted.facts?.['pid'])
  })

  test('comes back after a reboot, and is released with what it has', async () => {
    await node.reboot()
    await until('it serves', () =>
      adminOf(node).then(
        each => each.destroy() === undefined,
        () => false,
      ),
    )
    expect(await parameterOf(node, 'app_name')).toBe('suite')
    expect((await done('release')).facts).toMatchObject({ isSameProcess: true })
  })

  test('that is released when the power fails in between serves afterwards', async () => {
    await takeOver()
    await killedAt(node, 'releasing', () => node.order('release', suite.entry()), takeOver)
    await node.crash()
    await until('it is released', () => found() === undefined)
    await until('it serves', () =>
      adminOf(node).then(
        each => each.destroy() === undefined,
        () => false,
      ),
    )
    expect(units()).toEqual([])
  })
})

describe('a proxy that a unit of somebody else runs', () => {
  beforeAll(async () => {
    for (const each of processesIn(pathsUnder(node.root), HOME)) process.kill(each, 'SIGKILL')
    await until('it is gone', () => processesIn(pathsUnder(node.root), HOME).length === 0)
    writeFileSync(
      node.file(`etc/systemd/system/${OTHER_UNIT}`),
      `[Service]
Type=simple
WorkingDirectory=${HOME}
ExecStart=${HOME}/bin/obproxy -N
Restart=always
RestartSec=100ms
[Install]
WantedBy=multi-user.target
`,
    )
    await unit('enable')
    await unit('start')
    await until('it serves', () =>
      adminOf(node).then(
        each => each.destroy() === undefined,
        () => false,
      ),
    )
  })

  test('is taken from it: the unit neither runs nor starts it any more', async () => {
    const result = await takeOver()
    expect(result.facts).toMatchObject({ autoStart: OTHER_UNIT })
    expect(await unit('status')).toMatchObject({ active: false, enabled: false })
    expect((await node.proxy()).active).toBe(true)
  })

  test('is given back to it', async () => {
    await done('give-back')
    expect(await unit('status')).toMatchObject({ active: true, enabled: true })
    const status = await unit('status')
    expect(await pid()).toBe(status.pid)
    expect(units()).toEqual([])
  })

  test('is released beside it, which starts it at the next boot', async () => {
    await takeOver()
    expect((await done('release')).facts).toMatchObject({ isSameProcess: true })
    expect(await unit('status')).toMatchObject({ active: false, enabled: true })
    await node.reboot()
    await until('it serves', () =>
      adminOf(node).then(
        each => each.destroy() === undefined,
        () => false,
      ),
    )
    expect(await unit('status')).toMatchObject({ active: true, enabled: true })
  })
})
