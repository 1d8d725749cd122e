/** What the verbs do to a running proxy, to the stand-in: hot restarts, drains, what waits for a restart. */
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OrderEntry } from '#contract/command'
import { systemClock } from '../../../proxy-node/base/clock.ts'
import { knownPasswords, logIn } from '../../../proxy-node/control/access.ts'
import { check } from '../../../proxy-node/control/check.ts'
import { drain, undrain } from '../../../proxy-node/control/drain.ts'
import type { Host } from '../../../proxy-node/control/host.ts'
import { hotRestart } from '../../../proxy-node/control/hot-restart.ts'
import { pendingRestart } from '../../../proxy-node/control/in-force.ts'
import { isLent } from '../../../proxy-node/control/lent.ts'
import { EMPTY_MEMORY } from '../../../proxy-node/control/node-file.ts'
import { observe } from '../../../proxy-node/control/observation.ts'
import { pathsUnder } from '../../../proxy-node/control/paths.ts'
import { withAdmin } from '../../../proxy-node/control/proxy-admin.ts'
import { nodeTransport } from '../../../proxy-node/net/node.ts'
import { desiredNode } from '../../support/desired-node.ts'
import { hostSettings } from '../../support/host-settings.ts'
import { executableOf, NEXT } from '../../support/reference-obproxy/executable.ts'
import { adminOf, connect, DEADLINE, parameterOf, pidOf, running, type Scene } from './scene.ts'

const HOST = '127.19.8.3'
const desired = desiredNode({ version: '4.3.1.0-4', proxyId: 1 })
const memory = { ...EMPTY_MEMORY, desired }
const entry: OrderEntry = { operationId: 'op', step: 's', attempt: 1, fence: 1 }
const TIMES = [
  'hot_upgrade_exit_timeout',
  'hot_upgrade_rollback_timeout',
  'hot_upgrade_failure_retries',
]

let scene: Scene
let host: Host
const clients: Connection[] = []

beforeAll(async () => {
  scene = await running(HOST, 'server_routing_mode=mock,proxy_hot_upgrade_check_interval=1s')
  host = hostOf(scene)
})
afterAll(() => scene?.stop())
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await vi.waitFor(() => expect(scene.installation.proxies()).toHaveLength(1), DEADLINE)
})

/** A host whose service manager knows the process that takes connections. */
function hostOf({ installation }: Scene): Host {
  const paths = pathsUnder(join(installation.root, 'managed'))
  for (const folder of [paths.units, paths.state]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(paths.units, 'obfleet-proxy.service'), '')
  const stage1 = createHash('sha1').update('proxysys').digest('hex')
  writeFileSync(join(paths.state, 'proxysys.sha1'), stage1)
  return {
    settings: hostSettings(paths, { address: HOST }),
    clock: systemClock,
    log: () => {},
    init: {
      act: () => Promise.resolve(),
      reload: () => Promise.resolve(),
      isGoingDown: () => Promise.resolve(false),
      status: async () => ({
        active: true,
        pid: await pidOf(HOST).catch(() => null),
        enabled: false,
      }),
    },
    transport: nodeTransport,
    secrets: {
      read: () => Promise.resolve('proxysys'),
      credentials: () => Promise.reject(new Error('none')),
    },
    tryLock: () => true,
  }
}

async function client(): Promise<Connection> {
  const opened = await connect(HOST, 'u@app')
  opened.on('error', () => {})
  clients.push(opened)
  return opened
}

async function times(): Promise<readonly unknown[]> {
  const admin = await adminOf(HOST)
  try {
    const found: unknown[] = []
    for (const name of TIMES) found.push(await parameterOf(admin, name))
    return found
  } finally {
    admin.destroy()
  }
}

async function pending(): Promise<readonly string[]> {
  const { admin } = await logIn(desired, knownPasswords(host.settings.paths), host)
  return withAdmin(admin, async () => pendingRestart(await pidOf(HOST), admin, host.settings.paths))
}

describe('the stand-in', () => {
  test('is restarted hot: its transaction goes on, the times are put back', async () => {
    const before = { times: await times(), pid: await pidOf(HOST) }
    const guest = await client()
    await guest.query('BEGIN')

    const handOver = await hotRestart(desired, { drainSec: 60 }, host)

    expect(handOver).toMatchObject({ pidBefore: before.pid, clientsBefore: 1 })
    expect(await pidOf(HOST)).toBe(handOver.pid)
    expect(handOver.pid).not.toBe(before.pid)
    await guest.query('SELECT 1')
    expect(await times()).toEqual(before.times)
    expect(isLent(host.settings.paths)).toBe(false)
  })

  test('whose successor does not come is seen to serve on', async () => {
    const before = { times: await times(), pid: await pidOf(HOST) }
    const bad = join(scene.installation.root, 'bad')
    writeFileSync(bad, '#!/bin/sh\nsleep 1\nexit 1\n')
    chmodSync(bad, 0o755)
    scene.installation.replaceExecutable(bad)

    const failed = hotRestart(desired, { drainSec: 1 }, host)

    await expect(failed).rejects.toMatchObject({ code: 'node.hot-restart-failed' })
    await expect(failed).rejects.toThrow(`process ${before.pid} serves on`)
    expect(await times()).toEqual(before.times)
    scene.installation.replaceExecutable(executableOf(NEXT))
  }, 120_000)

  test('of another version at its path is that version after a hot restart', async () => {
    await hotRestart(desired, { drainSec: 1 }, host)

    expect(await observe(desired, host)).toMatchObject({
      status: 'RUNNING',
      version: `${NEXT.version}-${NEXT.build}`,
      serving: 'ACTIVE',
    })
  }, 120_000)

  test('shows what is set only: what waits for a restart is remembered', async () => {
    expect(await pending()).toEqual([])
    const admin = await adminOf(HOST)
    await admin.query("ALTER PROXYCONFIG SET work_thread_num = '7'")
    admin.destroy()
    expect(await pending()).toEqual(['work_thread_num'])
    expect(await observe(desired, host)).toMatchObject({ pendingRestart: ['work_thread_num'] })

    await hotRestart(desired, { drainSec: 1 }, host)

    expect(await pending()).toEqual([])
  }, 120_000)

  test('is drained and takes clients again', async () => {
    const guest = await client()
    await guest.query('SELECT 1')
    const before = await times()
    const deadline = Date.now() + 60_000

    const drained = await drain({ memory, entry: { ...entry, drainSec: 2 }, deadline }, host)

    expect(drained).toMatchObject({ serving: 'INACTIVE', clientsBefore: 1 })
    expect(await times()).toEqual(before)
    expect(await undrain({ memory }, host)).toMatchObject({ serving: 'ACTIVE', undrained: true })
  })

  test('gives a gate what it has', async () => {
    const probe = [{ user: 'u@app', passwordSecret: '/p', cluster: 'ob' }]

    expect(await check(memory, { ...entry, probe }, host)).toMatchObject({
      ready: true,
      exporter: true,
      serving: 'ACTIVE',
      probe1Error: null,
    })
  })
})
