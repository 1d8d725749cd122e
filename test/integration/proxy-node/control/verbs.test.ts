/** The lifecycle of a node by its verbs: the real executable, an init process, a plane, an OB cluster. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createConnection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { OrderEntry, PackageRef, Verb, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { Front } from '../../../../infra/local/front/front.ts'
import { Picture } from '../../../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../../../infra/local/front/scripted/engine.ts'
import { isAlive } from '../../../../infra/local/instance/processes.ts'
import { sha256Of } from '../../../../proxy-node/control/home.ts'
import { desiredNode } from '../../../support/desired-node.ts'
import { NodeInstance, type Ran, TestPlane } from '../../../support/node-instance.ts'
import { type TarEntry, tarOf } from '../../../support/tar-bytes.ts'
import { until } from '../../../support/until.ts'

const PACKAGE = 'obproxy-4.3.2.0-1.linux.x86_64.tar.gz'
const PACKAGE_FILE = resolve(import.meta.dirname, '../../../../dist', PACKAGE)
const OB_SERVER = { host: '127.15.7.101', port: 2881, zone: 'z1' }
const PROXYRO = 'of the suite, proxyro'
const SYS = "sys'pass\\word"

const plane = new TestPlane()
const picture = new Picture({
  cluster: 'obcluster',
  version: '4.3.5.3',
  tenants: ['sys', 'app'],
  servers: [OB_SERVER],
})
const front = new Front(
  OB_SERVER,
  picture,
  scriptedEngine({
    cluster: 'obcluster',
    accounts: { root: 'r', proxyro: PROXYRO, user: 'u', password: 'p' },
    databases: ['test'],
  }),
)
let reference: PackageRef
let operations = 0

beforeAll(async () => {
  await plane.start()
  await front.start()
  plane.secrets.set('/obfleet/ob-clusters/obcluster/proxyro', PROXYRO)
  plane.secrets.set('/obfleet/clusters/suite/proxysys', SYS)
  reference = {
    fileName: PACKAGE,
    version: '4.3.2.0-1',
    sha256: await sha256Of(PACKAGE_FILE),
    sizeBytes: statSync(PACKAGE_FILE).size,
    url: `spool:${PACKAGE}`,
  }
})

afterAll(async () => {
  await front.stop()
  await plane.stop()
})

function desired(more: Partial<DesiredNode> = {}): DesiredNode {
  return desiredNode({
    clusterName: 'suite',
    link: {
      obCluster: 'obcluster',
      rootserviceList: `${OB_SERVER.host}:${OB_SERVER.port}`,
      proxyroSecret: '/obfleet/ob-clusters/obcluster/proxyro',
    },
    sysPasswordSecret: '/obfleet/clusters/suite/proxysys',
    ...more,
  })
}

/** An entry of an operation of its own. */
function entry(more: Partial<OrderEntry> = {}): OrderEntry {
  operations += 1
  return {
    operationId: `op-${operations}`,
    step: 's',
    attempt: 1,
    fence: 1,
    desired: desired(),
    ...more,
  }
}

/** The one line of an answer. */
function resultOf({ out, err }: Ran): VerbResult {
  expect(out, err).toMatch(/^\{.*\}\n$/)
  expect(out.split('\n')).toHaveLength(2)
  expect(Buffer.byteLength(out)).toBeLessThanOrEqual(2000)
  return JSON.parse(out) as VerbResult
}

describe('the life of a node', () => {
  const node = new NodeInstance('127.15.7.1', plane, [PACKAGE_FILE])
  beforeAll(() => node.boot())
  afterAll(() => node.stop())

  test('install puts the proxy in place, twice as once', async () => {
    const first = await node.run('run', node.order('install', entry({ package: reference })))
    const second = await node.run('run', node.order('install', entry({ package: reference })))

    expect(resultOf(first)).toMatchObject({ ok: true, facts: { installed: true } })
    expect(resultOf(second)).toMatchObject({ ok: true, facts: { installed: false } })
    expect(existsSync(node.file('home/admin/obproxy/bin/obproxy'))).toBe(true)
    expect(statSync(node.file('var/lib/obfleet/proxy.env')).mode & 0o777).toBe(0o600)
    expect((await node.proxy()).active).toBe(false)
  })

  test('start brings it to serve with its parameters', async () => {
    const parameters = { slow_query_time_threshold: '123ms', work_thread_num: '1' }
    const first = await node.run(
      'run',
      node.order('start', entry({ fence: 2, desired: desired({ parameters }) })),
    )
    const result = resultOf(first)

    expect(result).toMatchObject({ ok: true, facts: { status: 'RUNNING', started: true } })
    expect(plane.reports.at(-1)).toMatchObject({ status: 'RUNNING', pid: result.facts?.['pid'] })
  })
})

describe('a node that runs', () => {
  const node = new NodeInstance('127.15.7.2', plane, [PACKAGE_FILE])
  const act = async (verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> =>
    resultOf(await node.run('run', node.order(verb, entry(more))))
  let fence = 1

  beforeAll(async () => {
    await node.boot()
    expect(await act('install', { package: reference })).toMatchObject({ ok: true })
    expect(await act('start')).toMatchObject({ ok: true })
  })
  afterAll(() => node.stop())

  test('is not started twice, and says how it is', async () => {
    const { pid } = await node.proxy()
    expect(await act('start')).toMatchObject({ ok: true, facts: { started: false } })
    expect((await node.proxy()).pid).toBe(pid)
    const bare = { operationId: 'op-s', step: 'status.1', attempt: 1, fence: 1 }
    const status = resultOf(await node.run('run', node.order('status', bare)))
    expect(status).toMatchObject({
      ok: true,
      facts: { status: 'RUNNING', pid, version: '4.3.2.0-1', nodeId: 'nod_1' },
    })
  })

  test('handed over to another process it is the same node, started by nobody else', async () => {
    const { pid } = await node.proxy()
    const admin = await createConnection({
      host: node.address,
      port: 2883,
      user: 'root@proxysys',
      password: SYS,
    })
    await admin.query('ALTER PROXYCONFIG SET hot_upgrade_exit_timeout = 100000')
    await admin.query('ALTER PROXYCONFIG SET proxy_local_cmd = 2')
    await until('the first process ends', () => !isAlive(pid ?? 0))
    admin.destroy()

    const heir = await node.proxy()

    expect(heir.active).toBe(true)
    expect(heir.pid).not.toBe(pid)
    expect(Number(readFileSync(node.file('home/admin/obproxy/run/obproxy.pid'), 'utf8'))).toBe(
      heir.pid,
    )
    expect(await act('status')).toMatchObject({ facts: { status: 'RUNNING', pid: heir.pid } })
    expect(await act('start')).toMatchObject({ ok: true, facts: { started: false } })
    expect(await act('restart')).toMatchObject({ ok: true, facts: { stopped: true } })
    expect(isAlive(heir.pid ?? 0)).toBe(false)
  })

  test('the same step is done once, and answered the same after its time', async () => {
    const step = entry()
    const first = resultOf(await node.run('run', node.order('restart', step)))
    const { pid } = await node.proxy()
    const late = { expiresAt: Date.now() - 1000 }
    const second = resultOf(await node.run('run', node.order('restart', step, late)))
    expect(first.replayed).toBeUndefined()
    expect(second).toEqual({ ...first, replayed: true })
    expect((await node.proxy()).pid).toBe(pid)
    const again = resultOf(await node.run('run', node.order('restart', { ...step, attempt: 2 })))
    expect(again).toMatchObject({ ok: true })
    expect((await node.proxy()).pid).not.toBe(pid)
  })

  test('delivered twice at once it is done once', async () => {
    const step = entry()
    const order = node.order('restart', step)
    const both = await Promise.all([node.run('run', order), node.run('run', order)])
    const results = both.map(resultOf)
    expect(results.filter(result => result.replayed === true)).toHaveLength(1)
    expect(results.map(result => result.facts)).toEqual([results[0]?.facts, results[0]?.facts])
  })

  test('two verbs at once come one after the other', async () => {
    const [stopped, started] = await Promise.all([act('stop'), act('restart')])
    expect([stopped.ok, started.ok]).toEqual([true, true])
    const log = readFileSync(node.file('var/lib/obfleet/node.log'), 'utf8')
    const words = [...log.matchAll(/ (stop|restart) (of|done)/g)].slice(-4)
    expect(words.map(([, verb]) => verb)).toEqual([
      words[0]?.[1],
      words[0]?.[1],
      words[2]?.[1],
      words[2]?.[1],
    ])
    expect(await act('start')).toMatchObject({ ok: true })
  })

  test.each([
    ['text that is no order', (): string => 'bm9uZQ', 'order.malformed'],
    ['nothing', (): string => '', 'order.malformed'],
    ['an order of a later shape', () => node.order('stop', entry(), { schema: 9 }), 'order.schema'],
    [
      'an order for others',
      () => node.order('stop', entry(), { nodes: { 'i-other': entry() } }),
      'order.not-ours',
    ],
    [
      'an expired order',
      () => node.order('stop', entry(), { expiresAt: Date.now() - 1 }),
      'order.expired',
    ],
    [
      'an order whose entry has expired',
      () => node.order('stop', { ...entry(), expiresAt: Date.now() - 1 }),
      'order.expired',
    ],
    ['an install without a package', () => node.order('install', entry()), 'order.incomplete'],
  ] as const)('%s changes nothing', async (_name, order, code) => {
    const before = await node.proxy()
    const ran = await node.run('run', order())
    expect(ran.code).toBe(1)
    expect(resultOf(ran)).toMatchObject({ ok: false, code })
    expect(await node.proxy()).toEqual(before)
  })

  test('an order of an older fence than it has seen is refused', async () => {
    fence = 7
    expect(await act('start', { fence })).toMatchObject({ ok: true })
    expect(await act('stop', { fence: 6 })).toMatchObject({ ok: false, code: 'order.fenced' })
    expect((await node.proxy()).active).toBe(true)
  })

  test('another node is not put over it', async () => {
    const other = { fence, desired: desired({ nodeId: 'node-2' }) }
    expect(await act('stop', other)).toMatchObject({ ok: false, code: 'node.other-node' })
    expect((await node.proxy()).active).toBe(true)
  })

  test('a verb that is killed is done by the next one', async () => {
    const step = entry({ fence })
    const order = node.order('restart', step)
    const before = await node.proxy()
    const { child, ended } = node.spawn(['run', order])
    await until('it has begun', async () => (await node.proxy()).pid !== before.pid)
    child.kill('SIGKILL')
    expect((await ended).out).toBe('')
    expect(resultOf(await node.run('run', order))).toMatchObject({
      ok: true,
      facts: { status: 'RUNNING' },
    })
  })

  test('a verb that a shutdown cuts off is done by the same order after the boot', async () => {
    const step = entry({ fence })
    const order = node.order('restart', step)
    const log = node.file('var/lib/obfleet/node.log')
    const { ended } = node.spawn(['run', order])
    await until('it has begun', () => readFileSync(log, 'utf8').includes(`of ${step.operationId}/`))
    await node.reboot()
    const { out } = await ended
    expect(out === '' || resultOf(await ended).code === 'node.going-down').toBe(true)
    expect(resultOf(await node.run('run', order))).toMatchObject({
      ok: true,
      facts: { status: 'RUNNING' },
    })
  })

  test('parameters and a wrong one: coded, and corrected by the next start', async () => {
    const wrong = { slow_query_time_threshold: 'much' }
    const failed = await act('restart', { fence, desired: desired({ parameters: wrong }) })
    expect(failed.ok).toBe(false)
    expect(failed.code).toMatch(/^node\./)
    expect(failed.message).toContain('slow_query_time_threshold')
    const right = { slow_query_time_threshold: '321ms' }
    expect(await act('restart', { fence, desired: desired({ parameters: right }) })).toMatchObject({
      ok: true,
    })
  })

  test('a boot says at once that the proxy does not run, however long it then takes', async () => {
    const program = node.file('home/admin/obproxy/bin/obproxy')
    const since = plane.reports.length
    renameSync(program, `${program}.kept`)
    writeFileSync(program, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 })
    const rebooted = node.reboot()
    await until('it is reported', () =>
      plane.reports.slice(since).some(({ status }) => status === 'UNAVAILABLE'),
    )
    renameSync(`${program}.kept`, program)
    // It may end by itself, given up, before it is killed.
    await until('the other program is gone', async () => {
      const { pid } = await node.proxy()
      if (pid !== null && isSleep(pid)) process.kill(pid, 'SIGKILL')
      return pid !== null && !isSleep(pid)
    })
    await rebooted
    await until('it runs again', () => plane.reports.at(-1)?.status === 'RUNNING')
  })

  test('it returns after a reboot with the plane away; stopped it stays stopped', async () => {
    plane.isAway = true
    await node.reboot()
    await until('it runs again', async () => (await node.proxy()).active)
    plane.isAway = false
    expect(await act('stop', { fence })).toMatchObject({ ok: true, facts: { stopped: true } })
    expect(await act('stop', { fence })).toMatchObject({ ok: true, facts: { stopped: false } })
    await node.reboot()
    expect((await node.proxy()).active).toBe(false)
    const by = { operationId: 'op-b', step: 'status.1', attempt: 1, fence }
    expect(resultOf(await node.run('run', node.order('status', by)))).toMatchObject({
      facts: { status: 'STOPPED', desiredState: 'STOPPED' },
    })
  })

  test('a port in use: coded, nothing half started, then it starts', async () => {
    const squatter = createServer()
    await new Promise<void>(done => squatter.listen(2883, '127.15.7.2', done))
    const failed = await act('start', { fence })
    expect(failed).toMatchObject({ ok: false, code: 'node.port-in-use' })
    expect(failed.message).toContain('127.15.7.2:2883')
    expect((await node.proxy()).active).toBe(false)
    await new Promise(done => squatter.close(done))
    expect(await act('start', { fence })).toMatchObject({ ok: true })
  })

  test('a port in use at boot: reports say so; freed, the node comes back by itself', async () => {
    expect(await act('stop', { fence })).toMatchObject({ ok: true })
    expect(await act('start', { fence })).toMatchObject({ ok: true })
    const squatter = createServer()
    // The new proxy waits until the port that the old one has left is taken.
    const program = node.file('home/admin/obproxy/bin/obproxy')
    const kept = `${program}.kept`
    const taken = node.file('taken')
    const wait = `while [ ! -e '${taken}' ]; do sleep 0.02; done`
    renameSync(program, kept)
    const script = `#!/bin/sh\n${wait}\nmv '${kept}' '${program}'\nexec '${program}' "$@"\n`
    writeFileSync(program, script, { mode: 0o755 })
    const rebooted = node.reboot()
    await until(
      'the port is taken',
      () =>
        new Promise<boolean>(done => {
          squatter.once('error', () => done(false))
          squatter.listen(2883, '127.15.7.2', () => done(true))
        }),
    )
    writeFileSync(taken, '')
    await rebooted
    const why = () => plane.reports.findLast(each => each.instanceId === node.instanceId)?.reason
    await until('a report tells why', () => why()?.includes('127.15.7.2:2883') ?? false)
    expect(why()).toMatch(/^the proxy does not run; its start at boot failed: .*in use/)
    await new Promise(done => squatter.close(done))
    await until('it runs again', async () => (await node.proxy()).active)
    await until('a report tells so', async () => (await node.run('report')).out.includes('RUNNING'))
  })

  test('reports are signed, numbered over everything, and not a reason to fail', async () => {
    const sequences = plane.reports
      .filter(report => report.instanceId === node.instanceId)
      .map(report => report.sequence)
    expect(sequences.length).toBeGreaterThan(5)
    expect(sequences).toEqual([...new Set(sequences)].sort((left, right) => left - right))
    expect(plane.refused.filter(line => line.includes('/report'))).toEqual([])
    plane.reportStatus = 500
    expect(await act('start', { fence })).toMatchObject({ ok: true })
    const said = JSON.parse((await node.run('report')).out) as { sent: boolean; reason: string }
    expect(said).toMatchObject({ sent: false, reason: 'the plane answered 500' })
    plane.reportStatus = 204
    const sent = JSON.parse((await node.run('report')).out) as { sent: boolean }
    expect(sent).toMatchObject({ sent: true, status: 'RUNNING' })
  })

  test.each([
    ['gone', (file: string) => rmSync(file)],
    ['damaged', (file: string) => writeFileSync(file, '{"schema":1,"seq')],
  ])('reports whose counter is %s are newer than all before', async (_name, spoil) => {
    const number = async () => {
      const { out } = await node.run('report')
      return (JSON.parse(out) as { sequence: number }).sequence
    }
    const before = await number()
    spoil(node.file('var/lib/obfleet/report.json'))
    expect(await number()).toBeGreaterThan(before)
  })

  test('a secret that cannot be read: coded, the proxy stays as it is', async () => {
    const before = await node.proxy()
    plane.secrets.delete('/obfleet/ob-clusters/obcluster/proxyro')
    const failed = await act('restart', { fence })
    plane.secrets.set('/obfleet/ob-clusters/obcluster/proxyro', PROXYRO)
    expect(failed).toMatchObject({ ok: false, code: 'secret.unreadable' })
    expect(await node.proxy()).toEqual(before)
  })

  test('a plane that is away for a moment is waited for', async () => {
    plane.isAway = true
    const asked = plane.requests
    const restarted = act('restart', { fence })
    await until('it was asked in vain', () => plane.requests > asked)
    plane.isAway = false
    expect(await restarted).toMatchObject({ ok: true, facts: { status: 'RUNNING' } })
  })

  test('no password is in a command line, a log, a unit or the ledger', () => {
    const texts = readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(pid => readOr(`/proc/${pid}/cmdline`))
    for (const file of readdirSync(node.root, { recursive: true, encoding: 'utf8' })) {
      const path = node.file(file)
      const isText = existsSync(path) && statSync(path).isFile() && statSync(path).size < 1 << 20
      if (isText) texts.push(readOr(path))
    }
    expect(texts.length).toBeGreaterThan(10)
    for (const secret of [PROXYRO, SYS])
      expect(texts.filter(text => text.includes(secret))).toEqual([])
  })

  test('uninstall leaves nothing but what it set aside; twice as once; then installed anew', async () => {
    expect(await act('uninstall', { fence })).toMatchObject({ ok: true, facts: { removed: true } })
    expect(await act('uninstall', { fence })).toMatchObject({ ok: true, facts: { removed: false } })
    expect((await node.proxy()).active).toBe(false)
    expect(existsSync(node.file('home/admin/obproxy/bin'))).toBe(false)
    expect(existsSync(node.file('var/lib/obfleet/proxy.env'))).toBe(false)
    expect(existsSync(node.file('etc/systemd/system/obfleet-proxy.service'))).toBe(false)
    expect(await act('start', { fence })).toMatchObject({ code: 'node.not-installed' })
    expect(await act('install', { fence: fence + 1, package: reference })).toMatchObject({
      ok: true,
    })
    expect(await act('start', { fence: fence + 1 })).toMatchObject({ ok: true })
  })
})

describe('a package that is not what it should be', () => {
  const node = new NodeInstance('127.15.7.3', plane, [PACKAGE_FILE])
  const install = async (wanted: PackageRef): Promise<VerbResult> =>
    resultOf(await node.run('run', node.order('install', entry({ package: wanted }))))

  /** A package in the spool directory, registered as it is. */
  function spooled(entries: readonly TarEntry[]): PackageRef {
    const bytes = gzipSync(tarOf(entries))
    const fileName = 'obproxy-4.3.2.0-9.linux.x86_64.tar.gz'
    writeFileSync(node.file(`var/spool/obfleet/${fileName}`), bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return { ...reference, fileName, sha256, sizeBytes: bytes.length, url: `spool:${fileName}` }
  }

  beforeAll(() => node.boot())
  afterAll(() => node.stop())

  afterEach(() => {
    const home = node.file('home/admin/obproxy')
    const left = existsSync(home)
      ? readdirSync(home).filter(name => name !== '.obfleet-node.json')
      : []
    expect(left.filter(name => name.startsWith('.obfleet-') || name === 'bin')).toEqual([])
    expect(existsSync('/tmp/obfleet-evil')).toBe(false)
  })

  test.each([
    ['another digest', { sha256: '0'.repeat(64) }, 'package.mismatch'],
    ['another size', { sizeBytes: 17 }, 'package.mismatch'],
    ['no such file', { url: 'spool:obproxy-1.2.3.4-5.linux.x86_64.tar.gz' }, 'package.unavailable'],
    ['a path that leaves the spool', { url: 'spool:../secret' }, 'package.forbidden-url'],
    ['plain http', { url: 'http://127.0.0.1/x' }, 'package.forbidden-url'],
    ['an address of the host', { url: 'https://127.0.0.1/x' }, 'package.forbidden-url'],
    ['instance metadata', { url: 'https://169.254.169.254/x' }, 'package.forbidden-url'],
    ['an object that is not there', { url: 's3://packages/none' }, 'package.unavailable'],
    ['a redirect', { url: 's3://packages/redirect' }, 'package.forbidden-url'],
  ] as const)('%s is refused', async (_name, more, code) => {
    expect(await install({ ...reference, ...more })).toMatchObject({ ok: false, code })
  })

  const binary = { path: 'bin/obproxy', mode: 0o755, content: '#!/bin/sh\n' }
  test.each([
    ['an absolute path', [binary, { path: '/tmp/obfleet-evil', content: 'x' }]],
    ['a path that leaves', [binary, { path: '../../obfleet-evil', content: 'x' }]],
    ['a link that leaves', [binary, { path: 'lib', type: '2', target: '../../..' }]],
    ['a device', [binary, { path: 'dev', type: '3' }]],
    ['a setuid file', [binary, { path: 'su', mode: 0o4755, content: 'x' }]],
    ['no executable', [{ path: 'readme', content: 'x' }]],
  ] as const)('with %s: refused, nothing left behind', async (_name, entries) => {
    const { ok, code } = await install(spooled(entries))
    expect(ok).toBe(false)
    expect(code).toMatch(/^package\.(unsafe|damaged)$/)
  })

  test('cut off in the middle: refused', async () => {
    const bytes = readFileSync(PACKAGE_FILE).subarray(0, 1 << 20)
    const fileName = 'obproxy-4.3.2.0-8.linux.x86_64.tar.gz'
    writeFileSync(node.file(`var/spool/obfleet/${fileName}`), bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const cut = {
      ...reference,
      fileName,
      sha256,
      sizeBytes: bytes.length,
      url: `spool:${fileName}`,
    }
    expect(await install(cut)).toMatchObject({ ok: false, code: 'package.damaged' })
  })

  test('from S3, signed, it is taken', async () => {
    plane.objects.set('/packages/good.tar.gz', readFileSync(PACKAGE_FILE))
    const good = { ...reference, url: 's3://packages/good.tar.gz' }
    expect(await install(good)).toMatchObject({ ok: true, facts: { installed: true } })
    rmSync(node.file('home/admin/obproxy'), { recursive: true })
  })
})

describe('a disk that does not take it', () => {
  const node = new NodeInstance('127.15.7.4', plane, [PACKAGE_FILE])
  beforeAll(() => node.boot())
  afterAll(() => node.stop())

  test('state that cannot be written: one line with a code', async () => {
    rmSync(node.file('var/lib/obfleet'), { recursive: true, force: true })
    writeFileSync(node.file('var/lib/obfleet'), 'in the way')
    const ran = await node.run('run', node.order('install', entry({ package: reference })))
    expect(ran.code).toBe(1)
    const result = resultOf(ran)
    expect(result.ok).toBe(false)
    expect(result.code).toBe('node.not-written')
    rmSync(node.file('var/lib/obfleet'))
    const again = await node.run('run', node.order('install', entry({ package: reference })))
    expect(resultOf(again)).toMatchObject({ ok: true })
  })
})

/** The program that stands for one that never comes up. */
function isSleep(pid: number): boolean {
  return readOr(`/proc/${pid}/cmdline`).includes('sleep')
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

describe('a node that is told to ask a config service', () => {
  const node = new NodeInstance('127.15.7.9', plane, [PACKAGE_FILE])
  const configUrl =
    'http://127.15.7.200:8789/services?Action=GetObProxyConfig&ObproxyClusterName=pc'
  const link: DesiredNode['link'] = {
    configUrl,
    tokenSecret: '/obfleet/clusters/suite/config-token-1',
    proxyroSecrets: ['/obfleet/ob-clusters/obcluster/proxyro', '/obfleet/ob-clusters/west/proxyro'],
  }
  const act = async (verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> =>
    resultOf(await node.run('run', node.order(verb, entry(more))))

  beforeAll(async () => {
    plane.secrets.set('/obfleet/clusters/suite/config-token-1', 't0ken')
    plane.secrets.set('/obfleet/ob-clusters/west/proxyro', 'other proxyro')
    await node.boot()
    expect(await act('install', { package: reference })).toMatchObject({ ok: true })
    expect(await act('start')).toMatchObject({ ok: true })
  })
  afterAll(() => node.stop())

  test('is not restarted, has what its next start needs, and looks at once', async () => {
    const { pid } = await node.proxy()

    expect(await act('start', { desired: desired({ link }) })).toMatchObject({
      ok: true,
      facts: { started: false, pid },
    })

    expect((await node.proxy()).pid).toBe(pid)
    const unit = readFileSync(node.file('etc/systemd/system/obfleet-proxy.service'), 'utf8')
    expect(unit).toContain(`obproxy_config_server_url=${configUrl}&Token=t0ken`)
    expect(unit).not.toContain(OB_SERVER.host)
    const environment = readFileSync(node.file('var/lib/obfleet/proxy.env'), 'utf8')
    expect(environment.trim().split('\n')).toEqual([
      expect.stringMatching(/^observer_sys_password=[0-9a-f]{40}$/),
      expect.stringMatching(/^observer_sys_password1=[0-9a-f]{40}$/),
    ])
    const admin = await createConnection({
      host: node.address,
      port: 2883,
      user: 'root@proxysys',
      password: SYS,
    })
    const [rows] = await admin.query("SHOW PROXYCONFIG LIKE 'observer_sys_password1'")
    admin.destroy()
    expect(rows).toMatchObject([{ value: '******' }])
  })

  test('keeps neither token nor password where it remembers', () => {
    const memory = readFileSync(node.file('var/lib/obfleet/node.json'), 'utf8')

    expect(memory).toContain(configUrl)
    expect(memory).not.toContain('t0ken')
    expect(memory).not.toContain('other proxyro')
  })

  test('whose token cannot be read runs on as it did', async () => {
    const { pid } = await node.proxy()
    const lost = { ...link, tokenSecret: '/obfleet/clusters/suite/config-token-9' }

    expect(await act('restart', { desired: desired({ link: lost }), mode: 'force' })).toMatchObject(
      {
        ok: false,
        code: 'secret.unreadable',
      },
    )
    expect((await node.proxy()).pid).toBe(pid)
  })
})
