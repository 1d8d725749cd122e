/** `npm run dev -- --json` as a user runs it, with a network and a home of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { type Connection, createConnection } from 'mysql2/promise'
import { installKernel } from '../../infra/local/kernel.ts'
import type { FaultOrders } from '../../infra/local/ssm/faults.ts'
import { type ApiClient, ApiError, apiClient } from '../../infra/local/stack/api-client.ts'
import type { DevFile } from '../../infra/local/stack/dev-file.ts'
import type { Patience } from './until.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const START = join(ROOT, 'infra/local/start.mjs')
/** What is seen over the API has come by Run Command and reports; asked so seldom that the stack has the cores. */
export const STACK_PATIENCE: Patience = { deadlineMs: 60_000, everyMs: 100 }
const OPEN_PHASES = ['PENDING', 'RUNNING', 'PAUSED', 'CANCELLING', 'ROLLING_BACK']

export type OperationJson = {
  readonly id: string
  readonly phase: string
  readonly type: string
  readonly endedAt: string | null
  readonly error: { readonly code: string; readonly detail: string } | null
  readonly childIds: readonly string[]
  readonly progress: {
    readonly nodesDone: number
    readonly nodesTotal: number
    readonly waves: number
  }
}

export type NodeJson = {
  readonly id: string
  readonly name: string
  readonly revision: number
  readonly spec: { readonly host: string; readonly desiredState: string }
  readonly status: {
    readonly status: string
    readonly address: string
    readonly conditions: readonly { readonly type: string; readonly message: string }[]
    readonly report: {
      readonly pid: number | null
      readonly bootId: string
      readonly version: string | null
    } | null
  }
}

export class DevStack {
  readonly home = mkdtempSync(join(tmpdir(), 'obfleet-dev-'))
  readonly network: string
  private readonly number: number
  private venv = ''
  private child: ChildProcess | undefined
  private current: DevFile | undefined
  errors = ''

  /** @param number of the stack: its loopback network is 127.(10 + number). */
  constructor(number: number) {
    this.number = number
    this.network = `127.${10 + number}`
  }

  get dev(): DevFile {
    if (this.current === undefined) throw new Error('the stack has not started')
    return this.current
  }

  get api(): ApiClient {
    return apiClient(this.dev.apiUrl, this.dev.token)
  }

  /** Until the ready line. @throws Error with what it said instead. */
  async start(): Promise<DevFile> {
    if (this.venv === '') {
      const kernel = join(ROOT, '.obfleet/kernel')
      this.venv = process.env['OBFLEET_KERNEL_VENV'] ?? join(kernel, 'venv')
      if (process.env['OBFLEET_KERNEL_VENV'] === undefined) await installKernel(kernel, () => {})
    }
    const child = spawn(process.execPath, [START, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.env(),
    })
    this.child = child
    let out = ''
    child.stderr.on('data', (bytes: Buffer) => {
      this.errors += bytes.toString()
    })
    this.current = await new Promise<DevFile>((done, reject) => {
      child.stdout.on('data', (bytes: Buffer) => {
        out += bytes.toString()
        if (out.includes('\n')) done(JSON.parse(out.slice(0, out.indexOf('\n'))) as DevFile)
      })
      child.once('exit', code => reject(new Error(`exit ${code}: ${this.errors}`)))
    })
    return this.current
  }

  /** Ctrl-C; the exit code. */
  async interrupt(): Promise<number | null> {
    return this.end('SIGINT')
  }

  /** The terminal is closed: nobody reads any more. */
  async hangUp(): Promise<number | null> {
    this.child?.stdout?.destroy()
    this.child?.stderr?.destroy()
    return this.end('SIGHUP')
  }

  private async end(signal: 'SIGINT' | 'SIGHUP'): Promise<number | null> {
    const { child } = this
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null
    const ended = new Promise<number | null>(done => child.once('exit', done))
    child.kill(signal)
    return ended
  }

  async remove(): Promise<void> {
    await this.interrupt()
    rmSync(this.home, { recursive: true, force: true })
  }

  /** Runs `npm run dev -- …args` on this stack to its end. */
  command(...args: string[]): Promise<{ readonly code: number | null; readonly text: string }> {
    const child = spawn(process.execPath, [START, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.env(),
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
    return new Promise(done => child.once('close', code => done({ code, text })))
  }

  /** kill -9 of a service of the stack by the name of its log; or another signal. */
  kill(service: string, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): void {
    const { pid } = JSON.parse(readFileSync(join(this.home, 'run', `${service}.json`), 'utf8')) as {
      pid: number
    }
    process.kill(pid, signal)
  }

  /** Faults of Run Command, until other orders come; `{}` ends them. */
  async runCommandFaults(orders: FaultOrders): Promise<void> {
    const { plane } = JSON.parse(readFileSync(join(this.home, 'keys.json'), 'utf8')) as {
      plane: { accessKeyId: string; secretAccessKey: string }
    }
    const url = new URL(`http://${this.network}.3.3:8001/`)
    const signer = new SignatureV4({
      service: 'ssm',
      region: 'local',
      credentials: plane,
      sha256: Sha256,
    })
    const body = JSON.stringify(orders)
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname: url.hostname,
      port: 8001,
      path: url.pathname,
      headers: {
        host: url.host,
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'ObfleetFaults.Set',
      },
      body,
    })
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(`faults: ${answer.status} ${await answer.text()}`)
  }

  /** Processes that have this stack's home in command line or environment. */
  processes(): readonly string[] {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter(pid => {
        try {
          if (statSync(`/proc/${pid}`).uid !== process.getuid?.()) return false
          const text = ['cmdline', 'environ'].map(part =>
            readFileSync(`/proc/${pid}/${part}`, 'latin1'),
          )
          return text.some(each => each.includes(this.home))
        } catch {
          return false
        }
      })
  }

  async nodes(cluster = 'demo'): Promise<readonly NodeJson[]> {
    const { items } = (await this.api.get(`/clusters/${cluster}/nodes`)).body as {
      items: NodeJson[]
    }
    return [...items].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  async node(name: string): Promise<NodeJson> {
    return (await this.api.get(`/nodes/${name}`)).body as NodeJson
  }

  /** A mutation that is answered with an operation; its id. */
  async accepted(path: string, body: unknown = {}): Promise<string> {
    const answer = await this.api.post(path, body)
    if (answer.status !== 202) throw new Error(`${path} was answered ${answer.status}`)
    return (answer.body as OperationJson).id
  }

  /** The operation at its end, however often the API is away meanwhile. */
  async ended(id: string, deadlineMs = 150_000): Promise<OperationJson> {
    const deadline = Date.now() + deadlineMs
    for (;;) {
      const answer = await this.api.get(`/operations/${id}?wait=5s`).catch(() => undefined)
      const operation = answer?.body as OperationJson | undefined
      if (operation !== undefined && !OPEN_PHASES.includes(operation.phase)) return operation
      if (Date.now() > deadline)
        throw new Error(`${id} does not end: ${JSON.stringify(operation ?? 'no answer')}`)
      if (operation === undefined) await new Promise(done => setTimeout(done, 100))
    }
  }

  /** As the demo user of the OB cluster, through one node. */
  async login(address: string): Promise<Connection> {
    const [ob] = this.dev.obClusters
    if (ob === undefined) throw new Error('no OB cluster')
    return createConnection({
      host: address,
      port: 2883,
      user: `${ob.user}@${ob.tenant}#${ob.name}`,
      password: ob.password,
      database: ob.database,
      connectTimeout: 10_000,
    })
  }

  /** As root@proxysys of the cluster, at one of its nodes. */
  async adminLogin(address: string, cluster = 'demo'): Promise<Connection> {
    const found = this.dev.proxyClusters.find(({ name }) => name === cluster)
    return createConnection({
      host: address,
      port: 2883,
      user: found?.sysUser ?? '',
      password: found?.sysPassword ?? '',
      connectTimeout: 10_000,
    })
  }

  private env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      OBFLEET_STACK: String(this.number),
      OBFLEET_HOME: this.home,
      OBFLEET_KERNEL_VENV: this.venv,
    }
  }
}

/** A problem's code, and whatever else of it matters. */
export async function refused(asked: Promise<unknown>): Promise<ApiError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ApiError)) throw new Error(`not refused: ${error}`)
  return error
}
