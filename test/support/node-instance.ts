/**
 * One managed instance for suites of the node verbs: its root, its init process, the real executable,
 * and around it a plane that answers GetParameter and takes reports, both signed.
 */
import { type ChildProcess, type ExecFileException, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { encodeOrder, type Order, type OrderEntry, type Verb } from '#contract/command'
import { type Diagnosis, diagnosisSchema } from '#contract/diagnosis'
import { logUploadSchema } from '#contract/log-filter'
import { type NodeReport, nodeReportSchema } from '#contract/report'
import { askInit } from '../../infra/local/instance/init-client.ts'
import { prepareInstance } from '../../infra/local/instance/prepare.ts'
import { parseEnvironmentFile } from '../../infra/local/instance/unit-file.ts'
import { verifySigV4 } from '../../infra/local/sigv4.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')
export const EXECUTABLE = join(REPOSITORY, 'dist/obproxy')
const KEYS = { accessKeyId: 'AKIATESTNODE00000001', secretAccessKey: 'node-secret-for-this-suite' }
const REGION = 'eu-west-1'
const SERVICES = ['execute-api', 'ssm', 's3']

export type Ran = {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly tookMs: number
}

/** What stands for the control plane: secrets, reports, and a bucket. */
export class TestPlane {
  readonly secrets = new Map<string, string>()
  readonly objects = new Map<string, Buffer>()
  readonly reports: NodeReport[] = []
  readonly diagnoses: Diagnosis[] = []
  /** Bundles that were put, by operation. */
  readonly bundles = new Map<string, Buffer>()
  /** Status of answers to a bundle. */
  bundleStatus = 200
  readonly refused: string[] = []
  /** Status of answers to reports. */
  reportStatus = 204
  /** Times that a secret was asked for. */
  requests = 0
  /** Nobody answers anything. */
  isAway = false
  private readonly server: Server
  port = 0

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        // The agent of the instance asks here too; what counts are the verbs.
        if (request.headers['x-amz-target']?.toString().endsWith('GetParameter')) this.requests += 1
        if (this.isAway) return void request.destroy()
        const { status, body, headers } = this.answer(request, Buffer.concat(chunks))
        response.writeHead(status, headers).end(body)
      })
    })
  }

  start(): Promise<void> {
    return new Promise(done =>
      this.server.listen(0, '127.0.0.1', () => {
        const bound = this.server.address()
        this.port = typeof bound === 'object' && bound !== null ? bound.port : 0
        done()
      }),
    )
  }

  stop(): Promise<void> {
    this.server.closeAllConnections()
    return new Promise(done => this.server.close(() => done()))
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private answer(request: IncomingMessage, body: Buffer): Answer {
    const { method = '', url = '', headers } = request
    // Its URL is all that lets it in.
    if (method === 'PUT') return this.bundle(url, body)
    const verdict = verifySigV4(
      { method, url, headers, body },
      {
        services: SERVICES,
        lookup: id =>
          id === KEYS.accessKeyId
            ? { secretAccessKey: KEYS.secretAccessKey, who: 'node' }
            : undefined,
        now: Date.now(),
      },
    )
    if (!verdict.ok) {
      this.refused.push(`${method} ${url}: ${verdict.message}`)
      return { status: 403, body: verdict.message }
    }
    if (method === 'GET') return this.object(url)
    if (url.endsWith('/diagnosis')) return this.diagnosis(body)
    if (url.endsWith('/log-upload')) return this.logPlace(body)
    return url.endsWith('/report') ? this.report(body) : this.parameter(body)
  }

  private object(url: string): Answer {
    if (url.endsWith('redirect'))
      return { status: 302, body: '', headers: { location: `${this.url}/elsewhere` } }
    const found = this.objects.get(url)
    return found === undefined ? { status: 404, body: '' } : { status: 200, body: found }
  }

  private report(body: Buffer): Answer {
    if (this.reportStatus !== 204) return { status: this.reportStatus, body: '' }
    this.reports.push(nodeReportSchema.parse(JSON.parse(body.toString())))
    return { status: 204, body: '' }
  }

  private logPlace(body: Buffer): Answer {
    const { operationId, bytes } = logUploadSchema.parse(JSON.parse(body.toString()))
    return {
      status: 200,
      body: JSON.stringify({ url: `${this.url}/bundles/${operationId}?${bytes}` }),
    }
  }

  private bundle(url: string, body: Buffer): Answer {
    const [, operationId = '', bytes] = /^\/bundles\/([^?]+)\?(\d+)$/.exec(url) ?? []
    if (Number(bytes) !== body.length) return { status: 403, body: '' }
    if (this.bundleStatus === 200) this.bundles.set(operationId, body)
    return { status: this.bundleStatus, body: '' }
  }

  private diagnosis(body: Buffer): Answer {
    this.diagnoses.push(diagnosisSchema.parse(JSON.parse(body.toString())))
    return { status: this.reportStatus, body: '' }
  }

  private parameter(body: Buffer): Answer {
    const { Name } = JSON.parse(body.toString()) as { Name: string }
    const value = this.secrets.get(Name)
    const headers = { 'content-type': 'application/x-amz-json-1.1' }
    return value === undefined
      ? { status: 400, body: JSON.stringify({ __type: 'ParameterNotFound' }), headers }
      : {
          status: 200,
          body: JSON.stringify({ Parameter: { Name, Type: 'SecureString', Value: value } }),
          headers,
        }
  }
}

type Answer = {
  readonly status: number
  readonly body: string | Buffer
  readonly headers?: Record<string, string>
}

export class NodeInstance {
  readonly root: string
  readonly address: string
  readonly instanceId: string
  private readonly plane: TestPlane
  private readonly packages: readonly string[]
  private readonly reportSeconds: number
  env: Record<string, string> = {}
  private init: ChildProcess | undefined

  constructor(
    address: string,
    plane: TestPlane,
    packages: readonly string[],
    reportSeconds = 3600,
  ) {
    this.reportSeconds = reportSeconds
    this.root = mkdtempSync(join(tmpdir(), 'obfleet-verbs-'))
    this.address = address
    this.instanceId = `i-0test${address.replaceAll('.', '')}`
    this.plane = plane
    this.packages = packages
  }

  get socket(): string {
    return join(this.root, 'run/init.sock')
  }

  async boot(): Promise<void> {
    prepareInstance({
      root: this.root,
      instanceId: this.instanceId,
      address: this.address,
      region: REGION,
      ssmUrl: this.plane.url,
      apiUrl: this.plane.url,
      keys: KEYS,
      version: '4.3.2.0-1',
      executable: EXECUTABLE,
      packages: this.packages,
      reportSeconds: this.reportSeconds,
    })
    const file = readFileSync(join(this.root, 'etc/obfleet/node.env'), 'utf8')
    this.env = {
      PATH: process.env['PATH'] ?? '',
      ...parseEnvironmentFile(file),
      AWS_ENDPOINT_URL_S3: this.plane.url,
    }
    const init = spawn(
      process.execPath,
      ['--import', 'tsx', join(REPOSITORY, 'infra/local/init.ts'), this.root],
      { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.init = init
    let err = ''
    init.stderr.on('data', (bytes: Buffer) => {
      err += bytes.toString()
    })
    await new Promise<void>((done, reject) => {
      init.stdout.once('data', () => done())
      init.once('exit', code => reject(new Error(`init ended with ${code}: ${err}`)))
    })
  }

  async reboot(): Promise<void> {
    await askInit(this.socket, { op: 'reboot' }, 60_000)
  }

  /** The power is cut and comes back. */
  async crash(): Promise<void> {
    await askInit(this.socket, { op: 'crash' }, 60_000)
  }

  /** What the service manager says of the proxy. */
  async proxy(): Promise<{ active: boolean; pid: number | null }> {
    const { active, pid } = await askInit(
      this.socket,
      { op: 'status', unit: 'obfleet-proxy.service' },
      5_000,
    )
    return { active: active ?? false, pid: pid ?? null }
  }

  /** `obproxy node …` as the document would run it. */
  run(...args: readonly string[]): Promise<Ran> {
    return this.spawn(args).ended
  }

  spawn(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
    const since = performance.now()
    const executable = join(this.root, 'opt/obfleet/current/obproxy')
    let child: ChildProcess | undefined
    const ended = new Promise<Ran>(done => {
      child = execFile(
        executable,
        ['node', ...args],
        { env: this.env, cwd: '/', maxBuffer: 1 << 22 },
        (error, out, err) => {
          done({ code: exitCodeOf(error), out, err, tookMs: performance.now() - since })
        },
      )
    })
    if (child === undefined) throw new Error('not started')
    return { child, ended }
  }

  order(verb: Verb, entry: OrderEntry, more: Partial<Order> = {}): string {
    return encodeOrder({
      schema: 1,
      verb,
      expiresAt: Date.now() + 60_000,
      nodes: { [this.instanceId]: entry },
      ...more,
    })
  }

  file(path: string): string {
    return join(this.root, path)
  }

  async stop(): Promise<void> {
    const { init } = this
    if (init !== undefined && init.exitCode === null) {
      const ended = new Promise(done => init.once('exit', done))
      init.kill('SIGTERM')
      await ended
    }
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** -1 for a process that a signal ended. */
function exitCodeOf(error: ExecFileException | null): number {
  if (error === null) return 0
  return typeof error.code === 'number' ? error.code : -1
}
