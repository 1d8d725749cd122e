/** What suites of the verbs share: a plane, an OB cluster of one server, orders of operations of their own. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { expect } from 'vitest'
import type { OrderEntry, PackageRef, Verb, VerbResult } from '#contract/command'
import type { DesiredNode } from '#contract/node-state'
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import { sha256Of } from '../../proxy-node/control/home.ts'
import { desiredNode } from './desired-node.ts'
import { EXECUTABLE, type NodeInstance, type Ran, TestPlane } from './node-instance.ts'
import { until } from './until.ts'

export const VERSION = '4.3.2.0-1'
export const PACKAGE_FILE = join(dirname(EXECUTABLE), packageName(VERSION))
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
    return desiredNode({
      clusterName: 'suite',
      version: VERSION,
      link: {
        obCluster: CLUSTER,
        rootserviceList: `${this.server.host}:${this.server.port}`,
        proxyroSecret: '/obfleet/ob-clusters/obcluster/proxyro',
      },
      sysPasswordSecret: '/obfleet/clusters/suite/proxysys',
      ...more,
    })
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
      package: await reference({ file: PACKAGE_FILE, version: VERSION }),
    })
    expect(installed).toMatchObject({ ok: true })
    expect(await this.act(node, 'start', { desired })).toMatchObject({ ok: true })
  }
}

/** A package of the spool directory, registered as it is. */
export async function reference({ file, version }: Built): Promise<PackageRef> {
  const fileName = basename(file)
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

/** Clients that stay open until their test ends, whatever becomes of it. */
export class Guests {
  private readonly node: NodeInstance
  private readonly all: Connection[] = []

  constructor(node: NodeInstance) {
    this.node = node
  }

  readonly come = async (): Promise<Connection> => {
    const opened = await clientOf(this.node)
    this.all.push(opened)
    return opened
  }

  leave(): void {
    for (const opened of this.all.splice(0)) opened.destroy()
  }
}

/** Clients of earlier tests are gone, and with them the process that they were at. */
export async function untilAlone(node: NodeInstance): Promise<void> {
  await until('the process before has ended', async () => {
    const admin = await adminOf(node)
    const [rows] = await admin.query('SHOW PROXYINFO UPGRADE')
    admin.destroy()
    const text = JSON.stringify(rows)
    return !text.includes('parent status') || text.includes('parent status:exited')
  })
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

export type Built = { readonly file: string; readonly version: string }

/**
 * The built executable with the next version's number in it, as a package of its own. Why not built
 * anew: the number is all that differs, and it has as many signs.
 */
export function nextVersion(): Built {
  const bytes = readFileSync(EXECUTABLE)
  for (let at = bytes.indexOf('4.3.2.0'); at >= 0; at = bytes.indexOf('4.3.2.0', at + 1))
    bytes.write('4.3.2.1', at, 'latin1')
  return packed('4.3.2.1-1', bytes)
}

/** A script that answers -V as `version` would, and else does what `text` says. */
export function scripted(version: string, text: string): Built {
  const [release, build] = version.split('-')
  const answer = `if [ "$1" = -V ]; then echo "obproxy (OceanBase ${release} ${build})" >&2; exit 0; fi`
  return packed(version, Buffer.from(`#!/bin/bash\n${answer}\n${text}\n`))
}

/** A package in a folder of its own, with a file beside the executable that no other version has. */
function packed(version: string, executable: Uint8Array): Built {
  const folder = mkdtempSync(join(tmpdir(), 'obfleet-package-'))
  for (const part of ['bin', 'lib']) mkdirSync(join(folder, part))
  writeFileSync(join(folder, 'bin/obproxy'), executable, { mode: 0o755 })
  writeFileSync(join(folder, `lib/of-${version}`), version)
  const file = join(folder, packageName(version))
  execFileSync('tar', ['-I', 'gzip -1', '-cf', file, '-C', folder, 'bin', 'lib'])
  return { file, version }
}

export function dropPackage({ file }: Built): void {
  rmSync(dirname(file), { recursive: true, force: true })
}
