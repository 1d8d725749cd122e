/**
 * The verbs take-over, give-back and release over real processes: OceanBase's obproxy as its stand-in
 * plays it, under the root of an instance, with its watchdog and its auto-start.
 */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OrderEntry, Verb, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { readFound } from '../../../../proxy-node/control/found.ts'
import { pathsUnder } from '../../../../proxy-node/control/paths.ts'
import {
  type AsFound,
  FoundProxy,
  killedAt,
  OLD_PASSWORD,
  OLD_SECRET,
} from '../../../support/found-proxy.ts'
import { NodeInstance } from '../../../support/node-instance.ts'
import { NEXT, packageOf } from '../../../support/reference-obproxy/executable.ts'
import { until } from '../../../support/until.ts'
import { CLUSTER, reference, resultOf, VerbSuite } from '../../../support/verb-suite.ts'

const HOST = '127.15.9.71'
const SERVER = '127.15.9.72'
const DEADLINE = { timeout: 30_000, interval: 20 }
/** As the plane makes them: without quotes and backslashes, which OBProxy knows no escape of. */
const SYS = 'Of.the_cluster1'
const MOCK = { server_routing_mode: 'mock', proxy_hot_upgrade_check_interval: '1s' }
const hot = { mode: 'hot', drainSec: 2 } as const

const suite = new VerbSuite(SERVER)
const next = packageOf(NEXT)
let node: NodeInstance
let proxy: FoundProxy
let asFound: AsFound
const clients: Connection[] = []

beforeAll(async () => {
  await suite.start()
  suite.plane.secrets.set(OLD_SECRET, OLD_PASSWORD)
  suite.plane.secrets.set('/obfleet/clusters/suite/proxysys', SYS)
  node = new NodeInstance(HOST, suite.plane, [next])
  await node.boot()
  proxy = new FoundProxy(node)
  await proxy.start(CLUSTER, `${SERVER}:2881`)
  const admin = await proxy.admin(OLD_PASSWORD)
  await admin.query(
    `REPLACE INTO proxy_config(vid, vip, vport, cluster_name, tenant_name, name, value, config_level)
     VALUES (-1, '', 0, '${CLUSTER}', '', 'observer_sys_password', 'another', 'LEVEL_CLUSTER')`,
  )
  await admin.query("ALTER PROXYCONFIG SET observer_sys_password1 = 'second'")
  admin.destroy()
  asFound = await proxy.look()
}, 120_000)

afterAll(async () => {
  await proxy?.installation.stop()
  await node?.stop()
  await suite.stop()
})

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})

function desired(more: Partial<DesiredNode> = {}): DesiredNode {
  return suite.desired({ home: proxy.home, version: '4.3.1.0-4', parameters: MOCK, ...more })
}

function entry(more: Partial<OrderEntry> = {}): OrderEntry {
  return suite.entry({ desired: desired(), sqlPort: 2883, sysPasswordSecret: OLD_SECRET, ...more })
}

async function act(verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> {
  return resultOf(await node.run('run', node.order(verb, entry(more))))
}

/** One that has to be done. */
async function done(verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> {
  const result = await act(verb, more)
  expect(result, result.message).toMatchObject({ ok: true })
  return result
}

async function client(): Promise<Connection> {
  const opened = await proxy.client()
  clients.push(opened)
  return opened
}

/** The power is cut and comes back. */
const crash = () => proxy.after(() => node.crash())
const found = () => readFound(pathsUnder(node.root))
const status = async () => (await act('status')).facts
const pids = () => proxy.installation.proxies()

async function expectAsFound(): Promise<void> {
  expect(await proxy.look()).toEqual(asFound)
  expect(found()).toBeUndefined()
  expect(existsSync(node.file(`${proxy.home}/.obfleet-node.json`))).toBe(false)
  expect(readdirSync(node.file('var/lib/obfleet'))).not.toContain('as-found')
  expect(pids()).toHaveLength(1)
}

test('a look tells which lines and links a take-over switches off, and changes none', async () => {
  const { facts } = await done('probe')
  const [, , line = ''] = asFound.rcLocal.split('\n')
  expect(line).toContain(`${proxy.home}/bin/obproxyd.sh -c start`)
  expect(facts).toMatchObject({
    watchdogs: 1,
    autoStart: `/etc/rc.d/rc.local:3 ${line.slice(0, 80)}\n/etc/rc.d/rc3.d/S85obproxyd`,
    startsByHand: '',
  })
  await expectAsFound()
})

describe('a take-over', () => {
  test('restarts the proxy once, as a node of the cluster', async () => {
    const guest = await client()
    const [before] = pids()

    const result = await done('take-over')

    expect(result).toMatchObject({
      ok: true,
      facts: {
        status: 'RUNNING',
        pidBefore: before,
        version: '4.3.1.0-4',
        watchdogs: 1,
        autoStart: '/etc/rc.d/rc.local /etc/rc.d/rc3.d/S85obproxyd',
      },
    })
    expect(String(result.facts?.['changed'])).toContain('enable_qos')
    await expect(guest.query('SELECT 1')).rejects.toThrow()
    expect(pids()).toEqual([result.facts?.['pid']])
    expect(proxy.installation.watchdogs()).toEqual([])
    const { rcLocal, hasLink } = proxy.autoStart()
    expect(rcLocal).toContain('\n#obfleet# /opt/taobao')
    expect(rcLocal).toContain('\ntouch')
    expect(hasLink).toBe(false)
    const now = await proxy.look(SYS)
    expect(now.parameters).toMatchObject({
      app_name: 'suite',
      proxy_id: '7',
      enable_qos: 'False',
      query_digest_time_threshold: '100ms',
      server_routing_mode: 'mock',
      rootservice_cluster_name: CLUSTER,
    })
    expect(await status()).toMatchObject({ status: 'RUNNING', version: '4.3.1.0-4' })
  })

  test('keeps what was found in files of its own, without a password', () => {
    const file = node.file('var/lib/obfleet/take-over.json')
    const text = readFileSync(file, 'utf8')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(found()).toMatchObject({ phase: 'taken', kind: 'other' })
    for (const secret of [OLD_PASSWORD, SYS, 'obproxy_sys_password', 'AWS_SECRET'])
      expect(text.includes(secret), secret).toBe(false)
    expect(statSync(node.file('var/lib/obfleet/as-found')).mode & 0o777).toBe(0o700)
  })

  test('that comes once more finds it done', async () => {
    const before = pids()
    expect((await done('take-over')).facts).toMatchObject({ taken: false })
    expect(pids()).toEqual(before)
  })

  test('leaves a proxy that is restarted hot like any other', async () => {
    const [before] = pids()
    const guest = await client()
    await guest.query('BEGIN')

    const result = await done('restart', { ...hot, drainSec: 60 })

    expect(result).toMatchObject({ ok: true, facts: { pidBefore: before } })
    await guest.query('COMMIT')
    guest.destroy()
    await vi.waitFor(() => expect(pids()).toEqual([result.facts?.['pid']]), DEADLINE)
    expect(await status()).toMatchObject({ status: 'RUNNING', pid: result.facts?.['pid'] ?? 0 })
  }, 120_000)

  test('leaves a proxy that comes back when it dies, and lives when its watch dies', async () => {
    const [before = 0] = pids()
    process.kill(before, 'SIGKILL')
    await vi.waitFor(() => {
      expect(pids()).toHaveLength(1)
      expect(pids()).not.toContain(before)
    }, DEADLINE)
    await proxy.serving(SYS)
    const [now] = pids()
    const guest = await client()
    const { pid: watch = 0 } = await node.proxy()

    process.kill(watch ?? 0, 'SIGKILL')

    await until('another watch', async () => {
      const { pid } = await node.proxy()
      return pid !== null && pid !== watch
    })
    await guest.query('SELECT 1')
    const seen = await status()
    expect(seen, String(seen?.['reason'])).toMatchObject({ status: 'RUNNING', pid: now ?? 0 })
  })

  test('leaves a node that stops, stays stopped over a reboot, and starts', async () => {
    expect((await done('stop')).facts).toMatchObject({ status: 'STOPPED' })
    expect(pids()).toEqual([])
    await proxy.after(() => node.reboot())
    expect(pids()).toEqual([])
    expect((await done('start')).facts).toMatchObject({ status: 'RUNNING' })
  })

  test.each(['reboot', 'crash'] as const)('leaves a node that a %s brings back', async how => {
    await proxy.after(() => node[how]())
    await proxy.serving(SYS)
    const now = await proxy.look(SYS)
    expect(now.parameters).toMatchObject({ app_name: 'suite', proxy_id: '7' })
    expect(now.watchdogs).toEqual([])
  })

  test('leaves parameters and password to refresh', async () => {
    const wanted = desired({
      parameters: { ...MOCK, slow_query_time_threshold: '777ms' },
      sysPasswordSecret: '/obfleet/clusters/suite/other',
      parameterVersion: 2,
    })
    suite.plane.secrets.set('/obfleet/clusters/suite/other', 'the second')
    await done('refresh', { desired: wanted })
    expect((await proxy.look('the second')).parameters).toMatchObject({
      slow_query_time_threshold: '777ms',
    })
    await done('refresh')
    expect((await proxy.look(SYS)).parameters).toMatchObject({ slow_query_time_threshold: '500ms' })
  })

  test('leaves a home that is upgraded hot, and back', async () => {
    const version = `${NEXT.version}-${NEXT.build}`
    const wanted = await reference({ file: next, version })
    const given = desired({ version })

    const upgraded = await done('upgrade', { ...hot, desired: given, package: wanted })

    expect(upgraded.facts).toMatchObject({ version, versionBefore: '4.3.1.0-4' })
    expect(await status()).toMatchObject({ status: 'RUNNING', version })
    expect(await act('give-back')).toMatchObject({ ok: false, code: 'node.not-as-found' })
    await vi.waitFor(() => expect(pids()).toHaveLength(1), DEADLINE)
    expect((await done('revert', hot)).facts).toMatchObject({ version: '4.3.1.0-4' })
  }, 180_000)

  test('is given back: everything is as it was found', async () => {
    expect((await done('give-back')).facts).toMatchObject({ givenBack: true })
    await expectAsFound()
    expect((await done('give-back')).facts).toMatchObject({ givenBack: false })
  })
})

describe('a take-over that cannot be', () => {
  test.each([
    [
      'whose password is another one',
      () => ({ sysPasswordSecret: '/obfleet/ob-clusters/obcluster/probe' }),
    ],
    ['into another home', () => ({ desired: desired({ home: '/home/admin/obproxy' }) })],
    ['whose secret is not there', () => ({ sysPasswordSecret: '/none' })],
    ['whose cluster has no password', () => ({ desired: desired({ sysPasswordSecret: '/none' }) })],
  ] as const)(
    '%s changes nothing',
    async (_what, more) => {
      const guest = await client()

      const result = await act('take-over', more())

      expect(result).toMatchObject({ ok: false })
      expect(result.code).toMatch(/^(?:node\.not-takeable|secret\.unreadable)$/)
      await guest.query('SELECT 1')
      await expectAsFound()
    },
    60_000,
  )
})

test('a take-over whose auto-start is a part of a statement changes nothing, and says where it is', async () => {
  const file = node.file('etc/rc.d/rc.local')
  const before = readFileSync(file, 'utf8')
  const inside = before.replace(/^(.*obproxyd.*)$/m, 'if [ -d /opt ]; then\n$1\nfi')
  writeFileSync(file, inside)
  try {
    const result = await act('take-over')
    expect(result).toMatchObject({ ok: false, code: 'node.start-by-hand' })
    expect(result.message).toContain('/etc/rc.d/rc.local:4')
    expect(readFileSync(file, 'utf8')).toBe(inside)
  } finally {
    writeFileSync(file, before)
  }
  await expectAsFound()
})

describe('a take-over that fails', () => {
  test.each([
    ['by a parameter that it does not know', { no_such_parameter: '1' }],
    ['by a value that it does not start with', { mysql_version: '5.7.x' }],
  ])('%s goes back: all is as it was found', async (_what, wrong) => {
    const result = await act('take-over', {
      desired: desired({ parameters: { ...MOCK, proxy_mem_limited: '3G', ...wrong } }),
    })

    expect(result).toMatchObject({ ok: false, code: 'node.take-over-undone' })
    await expectAsFound()
  })

  test('because somebody has its port by then goes back', async () => {
    const other = createServer().listen(2890, HOST)
    const ports = { sql: 2883, exporter: 2890 }

    const result = await act('take-over', { desired: desired({ ports }) })

    other.close()
    expect(result).toMatchObject({ ok: false, code: 'node.take-over-undone' })
    expect(result.message).toContain('2890')
    await expectAsFound()
  })
})

const taking = (more: Partial<OrderEntry> = {}) => node.order('take-over', entry(more))
const givenBack = () => done('give-back')

/** With what a boot gives the proxy's own auto-start. */
const BOOT_MS = 60_000

/** Nobody tells the node what to do after its boot. */
async function losesPower(boot = crash): Promise<void> {
  suite.plane.isAway = true
  try {
    await boot()
    await until('it is given back', () => found() === undefined, { deadlineMs: BOOT_MS })
  } finally {
    suite.plane.isAway = false
  }
}

describe('a take-over that is killed', () => {
  test.each(['saved', 'quieting', 'changing', 'starting'])(
    'when it is %s is carried on by the same order',
    async phase => {
      const order = await killedAt(node, phase, taking, givenBack)

      const result = resultOf(await node.run('run', order))

      expect(result, result.message).toMatchObject({ ok: true, facts: { status: 'RUNNING' } })
      // What was changed before it was killed is told too.
      expect(result.facts?.['changed']).toContain('enable_qos')
      expect(result.facts?.['parametersChanged']).toBeGreaterThan(0)
      expect(found()).toMatchObject({ phase: 'taken' })
      expect((await proxy.look(SYS)).parameters).toMatchObject({ app_name: 'suite', proxy_id: '7' })
      await done('give-back')
      await expectAsFound()
    },
    60_000,
  )

  test.each(['quieting', 'changing', 'starting'])(
    'when it is %s, with the power, is undone by the boot',
    async phase => {
      await killedAt(node, phase, taking, givenBack)
      await losesPower()
      await expectAsFound()
    },
    60_000,
  )

  /** Nothing was changed, and our boot unit is enabled as well as what started the proxy before. */
  const bothStart = () => ({
    phase: 'saved',
    isThen: () =>
      existsSync(node.file('etc/systemd/system/multi-user.target.wants')) && isEnabled(),
  })
  const isEnabled = () =>
    readdirSync(node.file('etc/systemd/system/multi-user.target.wants')).includes(
      'obfleet-node.service',
    )

  test('when it is saved, with the power, is undone by the boot, and its own auto-start alone starts it', async () => {
    await killedAt(node, bothStart(), taking, givenBack)
    const starts = () => proxy.installation.log().split('serving on').length
    const startsBefore = starts()
    await losesPower()
    await expectAsFound()
    expect(starts()).toBe(startsBefore + 1)
    // Its own is slower than our boot: were that to start the proxy as well, it would be there first.
    const environment = readFileSync(`/proc/${pids()[0]}/environ`, 'utf8')
    expect(environment.split('\0')).toContain('OBFLEET_UNIT=boot-scripts')
  }, 60_000)

  test('when it is saved, with the power, is started by the boot where its own auto-start does not run', async () => {
    await killedAt(node, bothStart(), taking, givenBack)
    const rcLocal = node.file('etc/rc.d/rc.local')
    // The link of the run level comes again with the way back; a script that may not run is left so.
    rmSync(node.file('etc/rc.d/rc3.d/S85obproxyd'))
    chmodSync(rcLocal, 0o644)
    try {
      await losesPower(() => node.crash())
      await expectAsFound()
    } finally {
      chmodSync(rcLocal, 0o755)
    }
    const environment = readFileSync(`/proc/${pids()[0]}/environ`, 'utf8')
    expect(environment.split('\0')).not.toContain('OBFLEET_UNIT=boot-scripts')
  }, 90_000)

  test('when it is saved, with the power, before a boot knows of it, is as it was found', async () => {
    const order = await killedAt(node, 'saved', taking, givenBack)
    await crash()
    await proxy.serving()
    expect(pids()).toHaveLength(1)
    const result = resultOf(await node.run('run', order))
    expect(result, result.message).toMatchObject({ ok: true })
    await done('give-back')
    await expectAsFound()
  }, 60_000)

  test('when the proxy has its new password, and nobody has noted that, is carried on', async () => {
    const order = await killedAt(node, 'changing', taking, givenBack)
    const admin = await proxy.admin(OLD_PASSWORD)
    await admin.query(`ALTER PROXYCONFIG SET obproxy_sys_password = '${SYS}'`)
    admin.destroy()

    const result = resultOf(await node.run('run', order))

    expect(result, result.message).toMatchObject({ ok: true, facts: { status: 'RUNNING' } })
    await done('give-back')
    await expectAsFound()
  }, 60_000)

  test('on its way back without units of the node, with the power, is undone by the boot', async () => {
    const failing = { desired: desired({ parameters: { no_such_parameter: '1' } }) }
    const unit = node.file('etc/systemd/system/obfleet-proxy.service')
    const moment = { phase: 'undoing', isThen: () => !existsSync(unit) }
    await killedAt(node, moment, () => taking(failing), expectAsFound)
    await losesPower()
    await expectAsFound()
  }, 60_000)

  test.each(['again', 'by the boot'])('on its way back is undone %s', async how => {
    const failing = { desired: desired({ parameters: { no_such_parameter: '1' } }) }
    await killedAt(node, 'undoing', () => taking(failing), expectAsFound)
    if (how === 'again') expect(await act('refresh')).toMatchObject({ ok: false })
    else await crash()
    await until('it is given back', () => found() === undefined)
    await expectAsFound()
  })
})

describe('a release', () => {
  const unmanaged = () =>
    readdirSync(node.file('etc/systemd/system')).filter(name => /obfleet/.test(name))

  test('leaves the process serving, with its own watchdog and auto-start', async () => {
    await done('take-over')
    const [pid] = pids()
    const guest = await client()
    await guest.query('BEGIN')

    const result = await done('release')

    expect(result.facts).toMatchObject({ status: 'RUNNING', isSameProcess: true, watchdogs: 1 })
    await guest.query('COMMIT')
    expect(pids()).toEqual([pid])
    const now = await proxy.look(SYS)
    expect(now.watchdogs).toEqual(asFound.watchdogs)
    expect(proxy.autoStart()).toEqual({ rcLocal: asFound.rcLocal, hasLink: true })
    expect(unmanaged()).toEqual([])
    expect(found()).toBeUndefined()
    expect(await status()).toMatchObject({ nodeId: null })
    expect((await done('release')).facts).toMatchObject({ released: false })
  })

  test('can be followed by another take-over', async () => {
    const more = { sysPasswordSecret: '/obfleet/clusters/suite/proxysys' }
    const other = desired({ nodeId: 'node-2' })
    const result = await done('take-over', { ...more, desired: other })
    expect(result.facts).toMatchObject({ parametersChanged: 0, watchdogs: 1 })
    expect(await status()).toMatchObject({ status: 'RUNNING', nodeId: 'node-2' })
  })

  test.each(['again', 'by the boot'])('that is killed is carried on %s', async how => {
    const given = { desired: desired({ nodeId: 'node-2' }) }
    const secret = { sysPasswordSecret: '/obfleet/clusters/suite/proxysys' }
    const order = await killedAt(
      node,
      'releasing',
      () => node.order('release', entry(given)),
      () => done('take-over', { ...given, ...secret }),
    )
    const [pid] = pids()

    if (how === 'again') resultOf(await node.run('run', order))
    else await crash()

    await until('it is released', () => found() === undefined)
    await proxy.serving(SYS)
    expect(unmanaged()).toEqual([])
    await vi.waitFor(() => expect(proxy.installation.watchdogs()).toHaveLength(1), DEADLINE)
    if (how === 'again') expect(pids()).toEqual([pid])
    await done('take-over', {
      sysPasswordSecret: '/obfleet/clusters/suite/proxysys',
      desired: desired({ nodeId: 'node-2' }),
    })
  })

  test('of a node that is stopped starts nothing', async () => {
    const given = { desired: desired({ nodeId: 'node-2' }) }
    await done('stop', given)
    expect((await done('release', given)).facts).toMatchObject({ status: 'STOPPED' })
    expect(pids()).toEqual([])
    expect(proxy.installation.watchdogs()).toEqual([])
    expect(proxy.autoStart().hasLink).toBe(true)
  })
})
