/** The life of the stand-in: starts, what it keeps, hot restarts, successors that are none, its end. */
import { readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { afterEach, expect, test, vi } from 'vitest'
import { executableOf, NEXT } from '../../support/reference-obproxy/executable.ts'
import {
  adminOf,
  closed,
  connect,
  DEADLINE,
  errorOf,
  newHost,
  parameterOf,
  pidOf,
  rowsOf,
  running,
  type Scene,
  serving,
  start,
} from './scene.ts'

const scenes: Scene[] = []

afterEach(async () => {
  for (const scene of scenes.splice(0)) await scene.stop()
})

async function started(host: string, options?: string): Promise<Scene> {
  const scene = await running(host, options)
  scenes.push(scene)
  return scene
}

/** What makes tests of hot restarts short: the command is taken up within a second. */
const QUICK = 'server_routing_mode=mock,proxy_hot_upgrade_check_interval=1s'

async function hotRestart(host: string): Promise<void> {
  const admin = await adminOf(host)
  await admin.query("ALTER PROXYCONFIG SET proxy_local_cmd = '2'")
  admin.destroy()
}

async function upgradeInfo(host: string): Promise<string> {
  const admin = await adminOf(host)
  try {
    const [row] = await rowsOf(admin, 'SHOW PROXYINFO UPGRADE')
    return String(row?.['info'])
  } finally {
    admin.destroy()
  }
}

function isOpen(connection: Connection): Promise<boolean> {
  return connection.query('SELECT 1').then(
    () => true,
    () => false,
  )
}

test('one process of its own name and path, which root@proxysys may ask without any cluster', async () => {
  const { installation, host } = await started('127.19.2.1')
  const [pid] = installation.proxies()

  expect(installation.proxies()).toEqual([await pidOf(host)])
  expect(readlinkSync(`/proc/${pid}/exe`)).toBe(installation.executable)
})

test('everything but memory-only parameters is there again after a start without options', async () => {
  const { installation, host } = await started(
    '127.19.2.2',
    `${QUICK},rootservice_list='10.0.0.1:2881'`,
  )
  const admin = await adminOf(host)
  await admin.query("ALTER PROXYCONFIG SET proxy_idc_name = 'east'")
  await admin.query("ALTER PROXYCONFIG SET obproxy_sys_password = 'other'")
  await admin.query('ALTER PROXYCONFIG SET refresh_rslist = true')
  admin.destroy()

  await installation.stop()
  await installation.obproxy([])
  await serving(host, 'other')

  const again = await adminOf(host, 'other')
  expect(await parameterOf(again, 'app_name')).toBe('shop')
  expect(await parameterOf(again, 'listen_port')).toBe('2883')
  expect(await parameterOf(again, 'rootservice_list')).toBe('10.0.0.1:2881')
  expect(await parameterOf(again, 'proxy_idc_name')).toBe('east')
  expect(await parameterOf(again, 'refresh_rslist')).toBe('False')
  again.destroy()
})

test('a changed parameter that needs a restart is shown at once and works after it', async () => {
  const { installation, host } = await started('127.19.2.3')
  const admin = await adminOf(host)
  await admin.query('ALTER PROXYCONFIG SET prometheus_listen_port = 2999')
  const shown = await parameterOf(admin, 'prometheus_listen_port')
  const before = (await fetch(`http://${host}:2884/metrics`)).status
  admin.destroy()

  await installation.stop()
  await installation.obproxy([])
  await serving(host)

  expect(shown).toBe('2999')
  expect(before).toBe(200)
  await vi.waitFor(async () => {
    expect((await fetch(`http://${host}:2999/metrics`)).status).toBe(200)
  }, DEADLINE)
})

test.each([
  ['on the command line', ['-o', `observer_sys_password=${'ab'.repeat(20)}`], {}],
  ['in the environment', [], { observer_sys_password: 'ab'.repeat(20) }],
])('a hash given %s is stored as it is', async (_where, args, env) => {
  const scene = newHost('127.19.2.4')
  scenes.push(scene)
  const options = ['-p', '2883', '-o', `local_bound_ip=${scene.host}`]

  await scene.installation.obproxy([...options, ...args], env)
  await serving(scene.host)

  const admin = await adminOf(scene.host)
  expect(await parameterOf(admin, 'observer_sys_password')).toBe('ab'.repeat(20))
  admin.destroy()
})

test.each([
  ['the same directory', (scene: Scene) => scene],
  ['the same address', (scene: Scene) => newHost(scene.host)],
])(
  'a second one for %s leaves, its exit status says nothing, and the first serves on',
  async (_what, of) => {
    const first = await started('127.19.2.5')
    const pid = await pidOf(first.host)
    const second = of(first)
    if (second !== first) scenes.push(second)

    const { code } = await second.installation.obproxy([
      ...['-N', '-p', '2883', '-n', 'second'],
      ...['-o', `local_bound_ip=${first.host}`],
    ])

    expect(code).toBe(0)
    expect(second.installation.log()).toMatch(/start failed: (?:.* is locked|cannot listen)/)
    expect(await pidOf(first.host)).toBe(pid)
  },
)

test.each([
  ['an unknown option', ['-z'], /no option/],
  ['a port that is none', ['-p', '80'], /no port/],
  ['a value out of range', ['-N', '-o', 'work_thread_num=0'], /Invalid config/],
])('%s is refused with status 0', async (_what, args, reason) => {
  const scene = newHost('127.19.2.6')
  scenes.push(scene)

  const { code, stderr } = await scene.installation.obproxy(args)

  expect(code).toBe(0)
  expect(stderr).toMatch(reason)
})

test('an unknown name in -o is only noted', async () => {
  const { installation } = await started(
    '127.19.2.7',
    'server_routing_mode=mock,spool_thread_num=3',
  )

  expect(installation.log()).toContain('spool_thread_num is no parameter')
})

test('TERM ends it, clients or not', async () => {
  const { installation, host } = await started('127.19.2.8')
  const client = await connect(host, 'app@orders')
  await client.query('BEGIN')
  const cut = closed(client)

  process.kill(await pidOf(host), 'SIGTERM')

  await cut
  await vi.waitFor(() => expect(installation.proxies()).toEqual([]), DEADLINE)
})

test('a hot restart keeps old connections and takes new ones in a new process', async () => {
  const { installation, host } = await started('127.19.3.1', QUICK)
  const old = await pidOf(host)
  const client = await connect(host, 'app@orders')
  await client.query('BEGIN')

  await hotRestart(host)
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(old), DEADLINE)

  expect(installation.proxies()).toContain(old)
  expect(await isOpen(client)).toBe(true)
  await client.query('COMMIT')
  client.destroy()
  await vi.waitFor(() => expect(installation.proxies()).toEqual([expect.any(Number)]), DEADLINE)
  expect(await pidOf(host)).not.toBe(old)
  expect((await fetch(`http://${host}:2884/metrics`)).status).toBe(200)
})

test('clients leave on a slope, at ends of transactions, and the rest at the deadline', async () => {
  const { host } = await started('127.19.3.2', `${QUICK},hot_upgrade_exit_timeout=6000000`)
  const old = await pidOf(host)
  const [busy, first, second, idle] = await Promise.all(
    ['busy', 'first', 'second', 'idle'].map(user => connect(host, `${user}@orders`)),
  )
  if (!busy || !first || !second || !idle) throw new Error('not all connected')
  const order: string[] = []
  const ends = Object.entries({ busy, first, second, idle }).map(([name, connection]) =>
    closed(connection).then(() => order.push(name)),
  )
  await busy.query('BEGIN')
  await hotRestart(host)
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(old), DEADLINE)

  for (const connection of [first, second]) {
    while (await isOpen(connection));
    expect(await isOpen(busy)).toBe(true)
  }
  await busy.query('COMMIT')
  while (await isOpen(busy));
  await Promise.all(ends)

  expect(order).toEqual(['first', 'second', 'busy', 'idle'])
})

test('with no time to drain, transactions are cut', async () => {
  const { installation, host } = await started('127.19.3.3', `${QUICK},hot_upgrade_exit_timeout=0`)
  const old = await pidOf(host)
  const client = await connect(host, 'app@orders')
  await client.query('BEGIN')
  const cut = closed(client)

  await hotRestart(host)

  await cut
  await vi.waitFor(() => expect(installation.proxies()).not.toContain(old), DEADLINE)
})

test('whoever still drains a successor’s predecessor takes no second restart', async () => {
  const { installation, host } = await started('127.19.3.4', QUICK)
  const old = await pidOf(host)
  const client = await connect(host, 'app@orders')
  await hotRestart(host)
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(old), DEADLINE)
  const successor = await pidOf(host)

  await hotRestart(host)
  await vi.waitFor(() => expect(installation.log()).toContain('hot restart refused'), DEADLINE)
  const stillThere = await pidOf(host)
  client.destroy()
  await vi.waitFor(() => expect(installation.proxies()).toEqual([successor]), DEADLINE)
  await hotRestart(host)

  expect(stillThere).toBe(successor)
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(successor), DEADLINE)
})

test('the executable that lies there is what starts: replaced before, it is an upgrade', async () => {
  const { installation, host } = await started('127.19.3.5', QUICK)
  const old = await pidOf(host)
  installation.replaceExecutable(executableOf(NEXT))
  const before = readlinkSync(`/proc/${old}/exe`)

  await hotRestart(host)
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(old), DEADLINE)

  const admin = await adminOf(host)
  const [row] = await rowsOf(admin, 'SHOW PROXYINFO BINARY')
  admin.destroy()
  expect(before).toBe(`${installation.executable} (deleted)`)
  expect(row?.['info']).toContain('4.3.2.0-18')
})

test.each([
  ['ends at once', '127.19.3.6', '#!/bin/sh\nexit 1\n'],
  ['is no program', '127.19.3.7', 'no program\n'],
  ['never gets ready', '127.19.3.8', '#!/bin/sh\nexec sleep 600\n'],
])('a successor that %s is given up, and the old process serves on', async (_what, host, text) => {
  const options = `${QUICK},hot_upgrade_rollback_timeout=1s`
  const { installation } = await started(host, options)
  const old = await pidOf(host)
  const client = await connect(host, 'app@orders')
  await client.query('BEGIN')
  const bad = join(installation.root, 'bad')
  writeFileSync(bad, text)
  installation.replaceExecutable(bad)

  await hotRestart(host)
  await vi.waitFor(async () => {
    expect(await upgradeInfo(host)).toContain('failure_retries:1')
  }, DEADLINE)

  expect(await pidOf(host)).toBe(old)
  expect(await isOpen(client)).toBe(true)
  await vi.waitFor(async () => {
    expect((await fetch(`http://${host}:2884/metrics`)).status).toBe(200)
  }, DEADLINE)
  const admin = await adminOf(host)
  expect(await errorOf(admin, "ALTER PROXYCONFIG SET proxy_idc_name = 'east'")).toBeUndefined()
  admin.destroy()
  client.destroy()
})

test('offline is a state for balancers, with nobody sent away', async () => {
  const { host } = await started('127.19.3.9', QUICK)
  const client = await connect(host, 'app@orders')
  const admin = await adminOf(host)
  const status = async () =>
    Object.values((await rowsOf(admin, 'SELECT PROXY_STATUS()'))[0] ?? {})[0]
  const before = await status()

  await admin.query('ALTER PROXYCONFIG SET proxy_local_cmd = 3')
  await vi.waitFor(async () => expect(await status()).toBe('BE_INACTIVE'), DEADLINE)
  expect(await isOpen(client)).toBe(true)
  await client.end()
  await vi.waitFor(async () => expect(await status()).toBe('INACTIVE'), DEADLINE)
  await admin.query('ALTER PROXYCONFIG SET proxy_local_cmd = 4')
  await vi.waitFor(async () => expect(await status()).toBe('ACTIVE'), DEADLINE)

  expect(before).toBe('ACTIVE')
  expect(await parameterOf(admin, 'proxy_local_cmd')).toBe('0')
  admin.destroy()
})

test('the watchdog brings a killed proxy back with its settings, and stop ends both', async () => {
  const scene = newHost('127.19.4.1')
  scenes.push(scene)
  const { installation, host } = scene
  const env = {
    OBPROXY_LOCAL_IP: host,
    OBPROXY_EXTRA_OPT: `local_bound_ip=${host},server_routing_mode=mock`,
  }
  await installation.obproxyd('start', ['-n', 'shop', '-p', '2883'], env)
  await serving(host)
  const first = await pidOf(host)
  const before = await installation.obproxyd('checkalive', ['-p', '2883'], env)

  process.kill(first, 'SIGKILL')
  await vi.waitFor(async () => expect(await pidOf(host)).not.toBe(first), DEADLINE)
  const admin = await adminOf(host)
  const app = await parameterOf(admin, 'app_name')
  admin.destroy()
  const whileRunning = await installation.obproxyd('status', [], env)
  await installation.obproxyd('stop', [], env)

  expect(before.code).toBe(0)
  expect(app).toBe('shop')
  expect(whileRunning.code).toBe(0)
  expect([...installation.watchdogs(), ...installation.proxies()]).toEqual([])
  expect((await installation.obproxyd('checkalive', [], env)).code).toBe(1)
})

test('a proxy that was stopped is started by the same command line again', async () => {
  const scene = await started('127.19.4.2')
  await scene.installation.stop()

  await start(scene, 'server_routing_mode=mock')

  expect(scene.installation.proxies()).toHaveLength(1)
})
