/**
 * The verb probe over real processes: OceanBase's obproxy as its stand-in plays it, installed and
 * started by somebody else under the root of an instance, and ours beside it.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OrderEntry, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { type ProbeFacts, probeFactsSchema } from '#contract/probe'
import { findingsOf, type Surroundings } from '../../../../functions/domain/take-over.ts'
import { envelope, listBody, member, versionBody } from '../../../support/config-documents.ts'
import { desiredNode } from '../../../support/desired-node.ts'
import { EXECUTABLE, NodeInstance, TestPlane } from '../../../support/node-instance.ts'
import { CURRENT, executableOf, NEXT } from '../../../support/reference-obproxy/executable.ts'
import {
  Installation,
  installRpm,
  registerRpm,
} from '../../../support/reference-obproxy/installation.ts'

const RS_HOST = '127.15.9.61'
const URL_HOST = '127.15.9.62'
const OURS_HOST = '127.15.9.63'
const BARE_HOST = '127.15.9.64'
const OLD_HOST = '127.15.9.66'
const CONFIG_HOST = '127.15.9.65'
const SECRET = '/old/manager/proxysys'
const PASSWORD = 'of the suite, sys'
const DEADLINE = { timeout: 20_000, interval: 20 }
const OURS = '/home/admin/obproxy'

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

const plane = new TestPlane()
const hosts: NodeInstance[] = []
const installations: Installation[] = []
let configServer: Server
let operations = 0

beforeAll(async () => {
  await plane.start()
  plane.secrets.set(SECRET, PASSWORD)
  plane.secrets.set('/wrong', 'another one')
})

afterAll(async () => {
  for (const installation of installations) await installation.stop()
  for (const host of hosts) {
    // What runs in no unit of the instance.
    await new Installation(host.root, CURRENT).stop()
    await host.stop()
  }
  await plane.stop()
})

async function bootedHost(address: string): Promise<NodeInstance> {
  const host = new NodeInstance(address, plane, [])
  hosts.push(host)
  await host.boot()
  writeFileSync(host.file('etc/passwd'), `root:x:4:4::/:\nadmin:x:${process.getuid?.()}:1::/:\n`)
  return host
}

function installed(host: NodeInstance, version = CURRENT): Installation {
  const installation = installRpm(host.root, version)
  installations.push(installation)
  return installation
}

const options = (address: string, more = '') =>
  `local_bound_ip=${address},obproxy_sys_password=${sha1(PASSWORD)},server_routing_mode=mock${more}`

async function serving(host: string, port: number, password: string): Promise<void> {
  await vi.waitFor(async () => {
    const admin = await createConnection({ host, port, user: 'root@proxysys', password })
    await admin.end()
  }, DEADLINE)
}

function desired(parameters: Record<string, string> = {}): DesiredNode {
  return desiredNode({
    clusterName: 'orders',
    home: OURS,
    proxyId: 0,
    link: { obCluster: 'obcluster', rootserviceList: '127.0.0.1:2881', proxyroSecret: '/ro' },
    sysPasswordSecret: '/obfleet/clusters/orders/proxysys',
    parameters,
  })
}

async function ordered(
  host: NodeInstance,
  more: Partial<OrderEntry> = {},
  secret: string | null = SECRET,
) {
  operations += 1
  const ran = await host.run(
    'run',
    host.order('probe', {
      operationId: `op-${operations}`,
      step: 'probe',
      attempt: 1,
      fence: 1,
      sqlPort: 2883,
      ...(secret === null ? {} : { sysPasswordSecret: secret }),
      desired: desired(),
      ...more,
    }),
  )
  expect(ran.out, ran.err).toMatch(/^\{.*\}\n$/)
  expect(Buffer.byteLength(ran.out)).toBeLessThanOrEqual(2000)
  return { ran, result: JSON.parse(ran.out) as VerbResult }
}

async function probed(
  host: NodeInstance,
  more: Partial<OrderEntry> = {},
  secret: string | null = SECRET,
): Promise<ProbeFacts> {
  const { result } = await ordered(host, more, secret)
  expect(result).toMatchObject({ ok: true, verb: 'probe' })
  return probeFactsSchema.parse(result.facts)
}

const AROUND: Surroundings = {
  cluster: {
    name: 'orders',
    hasNodes: true,
    spec: {
      workMode: 'RS_LIST',
      version: '4.3.2.0-1',
      ports: { sql: 2883, exporter: 2884 },
      install: { path: OURS },
      links: [{ obCluster: 'obcluster', default: true }],
      parameters: {},
      sysPasswordSecret: '/obfleet/clusters/orders/proxysys',
      deletionProtection: false,
    },
  },
  obClusters: new Set(['obcluster']),
  nodeId: null,
  mayChangeParameters: true,
}

/** What would keep such a proxy out of a cluster. */
function against(facts: ProbeFacts, around: Partial<Surroundings> = {}): readonly string[] {
  return findingsOf(facts, { ...AROUND, ...around })
    .filter(({ ok }) => !ok)
    .map(({ id, code }) => `${id} ${code}`)
}

const NOT_ASKED = ['T1', 'T8', 'T9', 'T10', 'T11', 'T12', 'T13'].map(id => `${id} not-known`)

describe('a host without a proxy', () => {
  let host: NodeInstance

  beforeAll(async () => {
    host = await bootedHost(BARE_HOST)
  })

  test('has no process, no package, and nobody who answers', async () => {
    const facts = await probed(host)
    expect(facts).toMatchObject({
      processes: 0,
      pid: null,
      rpms: null,
      ownedBy: null,
      watchdogs: 0,
      isListening: false,
      login: 'unreachable',
      version: null,
      differing: null,
    })
    expect(new Set(against(facts))).toEqual(
      new Set([
        ...NOT_ASKED,
        ...['T2 no-process', 'T3 no-process', 'T4 no-rpm', 'T5 no-process'],
        'T6 proxy-unreachable',
      ]),
    )
  })

  test('says that an order without a port is not whole', async () => {
    const entry = { operationId: 'op-half', step: 'probe', attempt: 1, fence: 1 }
    const text = host.order('probe', entry)
    const { out } = await host.run('run', text)
    expect(JSON.parse(out)).toMatchObject({ ok: false, code: 'order.incomplete' })
  })
})

describe("OceanBase's proxy with a list of root services", () => {
  let host: NodeInstance
  let proxy: Installation

  beforeAll(async () => {
    host = await bootedHost(RS_HOST)
    proxy = installed(host)
    const args = ['-n', 'shop', '-p', '2883', '-r', '-t', '127.0.0.1:2881', '-s', 'obcluster']
    await proxy.obproxyd('start', args, {
      OBPROXY_LOCAL_IP: RS_HOST,
      OBPROXY_EXTRA_OPT: options(RS_HOST, ',prometheus_listen_port=2884'),
    })
    await serving(RS_HOST, 2883, PASSWORD)
  })

  test('is seen from outside and asked from inside, and may be taken over', async () => {
    const facts = await probed(host)
    expect(against(facts)).toEqual([])
    expect(facts).toMatchObject({
      processes: 1,
      pid: proxy.proxies()[0],
      user: 'admin',
      executable: `${proxy.path}/bin/obproxy`,
      isReplaced: false,
      workDir: proxy.path,
      others: '',
      watchdogs: 1,
      rpms: expect.stringMatching(/^obproxy-4\.3\.1\.0-4\.el7\.\w+$/),
      ownedBy: expect.stringMatching(/^obproxy-4\.3\.1\.0-4/),
      isListening: true,
      login: 'done',
      loginError: '',
      version: '4.3.1.0-4',
      workMode: 'RS_LIST',
      configUrl: '',
      appName: 'shop',
      sqlPort: 2883,
      exporterPort: 2884,
      obClusters: 'obcluster',
      obClusterCount: 1,
      parameterChecksum: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('tells which parameters are not as the cluster wants them', async () => {
    const facts = await probed(host, {
      desired: desired({
        proxy_mem_limited: '4G',
        enable_qos: 'TRUE',
        no_such_parameter: '1',
        obproxy_sys_password: 'x',
        app_name: 'orders',
      }),
    })
    expect(facts.differences.split('\n')).toEqual([
      'log_dir_size_threshold=10G',
      'monitor_cost_ms_unit=True',
      'monitor_stat_dump_interval=1s',
      'no_such_parameter=',
      'proxy_mem_limited=2G',
      'query_digest_time_threshold=2ms',
      'server_detect_mode=0',
      'server_routing_mode=mock',
    ])
    expect(facts.differing).toBe(8)
    expect(against(facts, { mayChangeParameters: false })).toEqual(['T12 parameters-differ'])
  })

  test('keeps its line short, however much differs', async () => {
    const names = Array.from({ length: 120 }, (_none, n) => [`parameter_of_number_${n}`, 'x'])
    const { differing, differences } = await probed(host, {
      desired: desired(Object.fromEntries(names)),
    })
    expect(differing).toBeGreaterThan(120)
    expect(differences.split('\n').length).toBeLessThan(differing ?? 0)
  })

  test.each([
    { what: 'wrong password', secret: '/wrong', code: 'password-refused', says: /denied/ },
    { what: 'missing password', secret: null, code: 'password-refused', says: /denied/ },
    { what: 'secret that is not there', secret: '/none', code: 'secret-unreadable', says: /none/ },
    { what: 'wrong port', secret: SECRET, sqlPort: 2890, code: 'proxy-unreachable', says: /2890/ },
  ])('is not asked with a $what, and it is said why', async ({ secret, code, says, ...rest }) => {
    const facts = await probed(host, { sqlPort: rest.sqlPort ?? 2883 }, secret)
    expect(new Set(against(facts))).toEqual(new Set([...NOT_ASKED, `T6 ${code}`]))
    expect(facts.loginError).toMatch(says)
  })

  test('is looked at whatever a newer operation has had of the host, and nothing is changed', async () => {
    const memory = host.file('var/lib/obfleet/node.json')
    const written = JSON.stringify({
      schema: 1,
      fence: 7,
      lastOperationId: null,
      desired: null,
      parameterVersion: null,
      parameterNames: [],
    })
    writeFileSync(memory, written)
    const before = filesOf(host.root)

    expect((await probed(host)).login).toBe('done')

    expect(filesOf(host.root)).toEqual(before)
    expect(readFileSync(memory, 'utf8')).toBe(written)
    rmSync(memory)
  })

  test('of another user, with other ports or another OB cluster than the cluster is kept out', async () => {
    const users = readFileSync(host.file('etc/passwd'), 'utf8')
    writeFileSync(host.file('etc/passwd'), users.replace('admin', 'mysql'))
    const facts = await probed(host)
    writeFileSync(host.file('etc/passwd'), users)
    const spec = {
      ...AROUND.cluster.spec,
      ports: { sql: 3306, exporter: 2884 },
      links: [{ obCluster: 'another', default: true }],
    }

    const found = against(facts, { cluster: { ...AROUND.cluster, spec } })

    expect(found).toEqual(['T3 wrong-user', 'T11 ob-cluster-differs', 'T13 ports-differ'])
  })

  test('answers an order that comes twice from its ledger', async () => {
    const entry = { operationId: 'op-twice' }
    const { result } = await ordered(host, entry)
    const { result: second } = await ordered(host, entry)
    expect(second).toEqual({ ...result, replayed: true })
  })

  test('shows no secret in answer, log, ledger or error output', async () => {
    const { ran } = await ordered(host)
    const kept = ['node.log', 'looks-probe.json'].map(name =>
      readFileSync(host.file(`var/lib/obfleet/${name}`), 'utf8'),
    )
    for (const text of [ran.out, ran.err, ...kept])
      for (const secret of [PASSWORD, sha1(PASSWORD)]) expect(text).not.toContain(secret)
    expect(JSON.parse(ran.out).facts.command).toContain('obproxy_sys_password=***')
  })

  test('has a second process and a second package beside it', async () => {
    const other = installed(host, NEXT)
    const before = proxy.proxies()
    const started = await other.obproxy([
      '-p',
      '2983',
      '-l',
      '2984',
      '-s',
      '2985',
      '-o',
      options(RS_HOST),
    ])
    expect(started).toMatchObject({ code: 0 })
    await serving(RS_HOST, 2983, PASSWORD)
    try {
      const facts = await probed(host)
      expect(facts.processes).toBe(2)
      expect(against(facts).slice(0, 2)).toEqual(['T2 several-processes', 'T4 several-packages'])
      expect(`${facts.executable}\n${facts.others}`).toContain(other.path)
      expect(facts.rpms?.split('\n')).toHaveLength(2)
    } finally {
      for (const pid of proxy.proxies()) if (!before.includes(pid)) process.kill(pid, 'SIGKILL')
      await vi.waitFor(() => expect(proxy.proxies()).toEqual(before), DEADLINE)
    }
  })

  test('has been replaced on the disk since it was started', async () => {
    proxy.replaceExecutable(executableOf(NEXT))

    const facts = await probed(host)
    expect(against(facts)).toContain('T5 executable-replaced')
    expect(facts).toMatchObject({
      isReplaced: true,
      executable: `${proxy.path}/bin/obproxy`,
      version: '4.3.1.0-4',
    })
  })
})

describe("OceanBase's proxy with a config URL, from no package", () => {
  let host: NodeInstance

  beforeAll(async () => {
    configServer = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://x')
      response.end(answerOf(url.searchParams))
    })
    await new Promise<void>(done => configServer.listen(8080, CONFIG_HOST, done))
    host = await bootedHost(URL_HOST)
    registerRpm(host.root, 'bash-4.2.46-34.el7.x86_64 /usr')
    const home = host.file('data/proxy')
    mkdirSync(join(home, 'bin'), { recursive: true })
    copyFileSync(executableOf(CURRENT), join(home, 'bin/obproxy'))
    const url = `http://${CONFIG_HOST}:8080/services?Action=GetObProxyConfig&Token=very-secret`
    const all = `${options(URL_HOST)},obproxy_config_server_url=${url}`
    await start(home, ['-p', '3306', '-l', '3307', '-n', 'old', '-o', all])
    await serving(URL_HOST, 3306, PASSWORD)
  })

  afterAll(() => {
    configServer?.closeAllConnections()
    configServer?.close()
  })

  test('says which OB clusters it has, where it asks, and shows no token', async () => {
    const { ran, result } = await ordered(host, { sqlPort: 3306 })
    const facts = probeFactsSchema.parse(result.facts)
    expect(facts).toMatchObject({
      processes: 1,
      executable: '/data/proxy/bin/obproxy',
      watchdogs: 0,
      rpms: '',
      ownedBy: null,
      login: 'done',
      workMode: 'CONFIG_URL',
      configUrl: `http://${CONFIG_HOST}:8080/services?Action=GetObProxyConfig&Token=***`,
      appName: 'old',
      sqlPort: 3306,
      exporterPort: 3307,
      obClusterCount: 2,
    })
    expect(against(facts)).toEqual([
      'T4 no-package',
      'T5 not-from-package',
      'T8 work-mode-differs',
      'T10 ob-cluster-unknown',
      'T11 ob-cluster-differs',
      'T13 ports-differ',
    ])
    expect(facts.obClusters?.split('\n').sort()).toEqual(['ob1', 'ob2'])
    expect(ran.out + ran.err).not.toContain('very-secret')
  })
})

describe('a proxy of an old version that knows no OB cluster', () => {
  let host: NodeInstance

  beforeAll(async () => {
    host = await bootedHost(OLD_HOST)
    const old = installed(host, { version: '3.2.11.0', build: '7' })
    await old.obproxy(['-p', '2883', '-l', '2884', '-n', 'old', '-o', options(OLD_HOST)])
    await serving(OLD_HOST, 2883, PASSWORD)
  })

  test('is of another family, and has neither a work mode nor an OB cluster', async () => {
    const facts = await probed(host)
    expect(facts).toMatchObject({ version: '3.2.11.0-7', workMode: 'NONE', obClusterCount: 0 })
    expect(against(facts)).toEqual([
      'T1 version-incompatible',
      'T8 work-mode-differs',
      'T9 no-ob-cluster',
      'T11 ob-cluster-differs',
    ])
  })
})

describe('our own proxy, started by hand', () => {
  let host: NodeInstance

  beforeAll(async () => {
    host = await bootedHost(OURS_HOST)
    const home = host.file(OURS)
    mkdirSync(join(home, 'bin'), { recursive: true })
    copyFileSync(EXECUTABLE, join(home, 'bin/obproxy'))
    const all = `local_bound_ip=${OURS_HOST},work_thread_num=2,slow_query_time_threshold=2s`
    const list = ['-r', '127.0.0.1:2881', '-c', 'obcluster']
    await start(home, ['-p', '2883', '-l', '2884', '-n', 'ours', ...list, '-o', all])
    await serving(OURS_HOST, 2883, '')
  })

  test('is one with its workers, and is asked without a password', async () => {
    const facts = await probed(host, {}, null)
    expect(facts).toMatchObject({
      processes: 1,
      executable: `${OURS}/bin/obproxy`,
      login: 'done',
      version: '4.3.2.0-1',
      workMode: 'RS_LIST',
      obClusters: 'obcluster',
      appName: 'ours',
    })
    expect(facts.differences.split('\n')).toContain('slow_query_time_threshold=2s')
  })
})

/** Starts the proxy in `home`; returns when the daemon has been started. */
function start(home: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(home, 'bin/obproxy'), args, { cwd: home, stdio: 'ignore' })
    child.once('error', reject)
    child.once('exit', () => resolve())
  })
}

function answerOf(asked: URLSearchParams): string {
  const base = `http://${CONFIG_HOST}:8080/services?Action=ObRootServiceInfo`
  if (asked.get('Action') === 'ObRootServiceInfo')
    return envelope(member(asked.get('ObRegion') ?? '', 1, 'PRIMARY', [{ ip: '127.0.0.1' }]))
  if (asked.get('VersionOnly') === 'true') return versionBody('v1')
  return listBody(
    'v1',
    ['ob1', 'ob2'].map(name => [name, `${base}&ObRegion=${name}`] as const),
  )
}

/** Everything under `root` but logs and our own state, with size and time of change. */
function filesOf(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(root.length))
    .filter(path => !/\/log\/|^\/var\/(lib\/obfleet|log)\//.test(path))
    .sort()
    .map(path => {
      const { size, mtimeMs } = statSync(join(root, path))
      return `${path} ${size} ${mtimeMs}`
    })
}
