/** The lifecycle of a node by its verbs: the real executable, an init process, a plane, an OB cluster. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OrderEntry, PackageRef, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { Front } from '../../../../infra/local/front/front.ts'
import { scriptedEngine } from '../../../../infra/local/front/scripted/engine.ts'
import { sha256Of } from '../../../../proxy-node/control/home.ts'
import { NodeInstance, type Ran, TestPlane } from '../../../support/node-instance.ts'

const PACKAGE = 'obproxy-4.3.2.0-1.linux.x86_64.tar.gz'
const PACKAGE_FILE = resolve(import.meta.dirname, '../../../../dist', PACKAGE)
const OB_SERVER = { host: '127.15.7.101', port: 2881, zone: 'z1' }
const PROXYRO = 'of the suite, proxyro'
const SYS = "sys'pass\\word"

const plane = new TestPlane()
const picture = {
  cluster: 'obcluster',
  version: '4.3.5.3',
  tenants: ['sys', 'app'],
  servers: [OB_SERVER],
}
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
  return {
    schema: 1,
    clusterId: 'pc-1',
    clusterName: 'suite',
    nodeId: 'node-1',
    state: 'RUNNING',
    version: '4.3.2.0-1',
    ports: { sql: 2883, exporter: 2884 },
    home: '/home/admin/obproxy',
    proxyId: 7,
    link: {
      obCluster: 'obcluster',
      rootserviceList: `${OB_SERVER.host}:${OB_SERVER.port}`,
      proxyroSecret: '/obfleet/ob-clusters/obcluster/proxyro',
    },
    sysPasswordSecret: '/obfleet/clusters/suite/proxysys',
    parameters: {},
    parameterVersion: 1,
    ...more,
  }
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
