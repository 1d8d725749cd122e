/** What suites of the verbs share: a plane, an OB cluster of one server, orders of operations of their own. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { expect } from 'vitest'
import type { OrderEntry, PackageRef, Verb, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import { sha256Of } from '../../proxy-node/control/home.ts'
import { EXECUTABLE, type NodeInstance, type Ran, TestPlane } from './node-instance.ts'

export const VERSION = '4.3.2.0-1'
const DIST = resolve(EXECUTABLE, '..')
export const PACKAGE_FILE = join(DIST, packageName(VERSION))
export const SYS = "sys'pass\\word"
export const PROXYRO = 'of the suite, proxyro'
export const CLUSTER = 'obcluster'

export function packageName(version: string): string {
  return `obproxy-${version}.linux.x86_64.tar.gz`
}

export class VerbSuite {
  readonly plane = new TestPlane()
  private readonly front: Front
  private readonly server: { readonly host: string; readonly port: number; readonly zone: string }
  private operations = 0

  /** `host` is the address of its OBServer. */
  constructor(host: string) {
    this.server = { host, port: 2881, zone: 'z1' }
    const picture = new Picture({
      cluster: CLUSTER,
      version: '4.3.5.3',
      tenants: ['sys', 'app'],
      servers: [this.server],
    })
    const accounts = { root: 'r', proxyro: PROXYRO, user: 'u', password: 'p' }
    const engine = scriptedEngine({ cluster: CLUSTER, accounts, databases: ['test'] })
    this.front = new Front(this.server, picture, engine)
  }

  async start(): Promise<void> {
    await this.plane.start()
    await this.front.start()
    this.plane.secrets.set('/obfleet/ob-clusters/obcluster/proxyro', PROXYRO)
    this.plane.secrets.set('/obfleet/clusters/suite/proxysys', SYS)
    this.plane.secrets.set('/obfleet/ob-clusters/obcluster/probe', 'p')
  }

  async stop(): Promise<void> {
    await this.front.stop()
    await this.plane.stop()
  }

  desired(more: Partial<DesiredNode> = {}): DesiredNode {
    return {
      schema: 1,
      clusterId: 'pc-1',
      clusterName: 'suite',
      nodeId: 'node-1',
      state: 'RUNNING',
      version: VERSION,
      ports: { sql: 2883, exporter: 2884 },
      home: '/home/admin/obproxy',
      proxyId: 7,
      link: {
        obCluster: CLUSTER,
        rootserviceList: `${this.server.host}:${this.server.port}`,
        proxyroSecret: '/obfleet/ob-clusters/obcluster/proxyro',
      },
      sysPasswordSecret: '/obfleet/clusters/suite/proxysys',
      parameters: {},
      parameterVersion: 1,
      ...more,
    }
  }

  /** An entry of an operation of its own. */
  entry(more: Partial<OrderEntry> = {}): OrderEntry {
    this.operations += 1
    return {
      operationId: `op-${this.operations}`,
      step: 's',
      attempt: 1,
      fence: 1,
      desired: this.desired(),
      ...more,
    }
  }

  /** One verb of an operation of its own. */
  async act(node: NodeInstance, verb: Verb, more: Partial<OrderEntry> = {}): Promise<VerbResult> {
    return resultOf(await node.run('run', node.order(verb, this.entry(more))))
  }

  /** A node that serves. */
  async bringUp(node: NodeInstance, more: Partial<DesiredNode> = {}): Promise<void> {
    await node.boot()
    const desired = this.desired(more)
    const installed = await this.act(node, 'install', {
      desired,
      package: await reference(PACKAGE_FILE, VERSION),
    })
    expect(installed).toMatchObject({ ok: true })
    expect(await this.act(node, 'start', { desired })).toMatchObject({ ok: true })
  }
}

/** A package of the spool directory, registered as it is. */
export async function reference(file: string, version: string): Promise<PackageRef> {
  const fileName = file.slice(file.lastIndexOf('/') + 1)
  return {
    fileName,
    version,
    sha256: await sha256Of(file),
    sizeBytes: statSync(file).size,
    url: `spool:${fileName}`,
  }
}

/** The one line of an answer. */
export function resultOf({ out, err }: Ran): VerbResult {
  expect(out, err).toMatch(/^\{.*\}\n$/)
  expect(out.split('\n')).toHaveLength(2)
  expect(Buffer.byteLength(out)).toBeLessThanOrEqual(2000)
  return JSON.parse(out) as VerbResult
}

export function adminOf(node: NodeInstance): Promise<Connection> {
  return createConnection({
    host: node.address,
    port: 2883,
    user: 'root@proxysys',
    password: SYS,
    connectTimeout: 30_000,
  })
}

/** A client of tenant app, as an application is one. */
export async function clientOf(node: NodeInstance): Promise<Connection> {
  const client = await createConnection({
    host: node.address,
    port: 2883,
    user: `u@app#${CLUSTER}`,
    password: 'p',
    connectTimeout: 30_000,
  })
  // The drain tells it so; what matters is what its statements get.
  client.on('error', () => {})
  return client
}

/** What the proxy says that `name` is set to. */
export async function parameterOf(node: NodeInstance, name: string): Promise<unknown> {
  const admin = await adminOf(node)
  try {
    const [rows] = await admin.query<RowDataPacket[]>(`SHOW PROXYCONFIG LIKE '${name}'`)
    return rows[0]?.['value']
  } finally {
    admin.destroy()
  }
}

/**
 * The built executable with the next version's number in it, as a package of its own. Why not built
 * anew: the number is all that differs, and it has as many signs.
 */
export function nextVersion(version = '4.3.2.1'): {
  readonly file: string
  readonly version: string
} {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-next-'))
  const executable = join(folder, 'bin/obproxy')
  mkdirSync(join(folder, 'bin'))
  writeFileSync(executable, renumbered(readFileSync(EXECUTABLE), '4.3.2.0', version))
  chmodSync(executable, 0o755)
  const said = spawnSync(executable, ['-V'], { encoding: 'utf8' }).stderr
  expect(said).toContain(`(OceanBase ${version} 1)`)
  return { file: packed(folder, `${version}-1`), version: `${version}-1` }
}

function renumbered(bytes: Buffer, from: string, to: string): Buffer {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1))
    bytes.write(to, at, 'latin1')
  return bytes
}

/** `folder` as a package of `version`; it is removed at the end of the test run. */
export function packed(folder: string, version: string): string {
  const file = join(folder, packageName(version))
  execFileSync('tar', ['--use-compress-program=gzip -1', '-cf', `${file}.new`, '-C', folder, 'bin'])
  renameSync(`${file}.new`, file)
  return file
}

export function dropPackage(file: string): void {
  if (existsSync(file)) rmSync(resolve(file, '..'), { recursive: true, force: true })
}
