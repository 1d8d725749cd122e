/** The local Systems Manager and managed instances for a suite: endpoint and inits are processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { SSMClient } from '@aws-sdk/client-ssm'
import { AgentClient } from '../../infra/local/instance/agent-client.ts'
import { askInit } from '../../infra/local/instance/init-client.ts'
import { gone, marked, signal } from '../../infra/local/instance/processes.ts'
import type { RunCommandSettings } from '../../infra/local/run-command.ts'
import type { FaultOrders } from '../../infra/local/ssm/faults.ts'

const LOCAL = resolve(import.meta.dirname, '../../infra/local')
const DEADLINE_MS = 20_000

export type Place = { readonly host: string; readonly port: number }

export const PLANE = { accessKeyId: 'AKIAPLANEPLANEPLANE1', secretAccessKey: 'plane secret' }

export function idOf(number: number): string {
  return `i-${String(number).padStart(17, '0')}`
}

export function keysOf(number: number) {
  return {
    accessKeyId: `AKIAINSTANCE${String(number).padStart(4, '0')}`,
    secretAccessKey: `secret of ${number}`,
  }
}

/** Endpoint and instances of one suite in a folder of its own. */
export class Region {
  readonly folder = mkdtempSync(join(tmpdir(), 'obfleet-region-'))
  readonly url: string
  readonly settings: RunCommandSettings
  private readonly children = new Map<string, ChildProcess>()

  constructor(place: Place, count: number, more: Partial<RunCommandSettings> = {}) {
    this.url = `http://${place.host}:${place.port}`
    this.settings = {
      ...place,
      folder: join(this.folder, 'service'),
      plane: PLANE,
      instances: Array.from({ length: count }, (_none, index) => ({
        id: idOf(index + 1),
        name: `node${index + 1}`,
        address: '127.0.0.1',
        tags: { role: 'proxy', number: String(index + 1) },
        keys: keysOf(index + 1),
      })),
      ...more,
    }
  }

  /** The unmodified client of the SDK, as the plane or as an instance. */
  client(keys = PLANE, maxAttempts = 1): SSMClient {
    return new SSMClient({
      endpoint: this.url,
      region: 'local',
      credentials: keys,
      maxAttempts,
    })
  }

  async startEndpoint(): Promise<void> {
    const file = join(this.folder, 'settings.json')
    writeFileSync(file, JSON.stringify(this.settings), { mode: 0o600 })
    await this.run('endpoint', 'run-command.ts', [file])
  }

  /** Orders faults of the endpoint; `{}` ends all. */
  async faults(orders: FaultOrders): Promise<void> {
    await this.call(PLANE, 'ObfleetFaults.Set', orders)
  }

  /** What the agent of an instance says once a second, without the instance. */
  async ping(number: number): Promise<void> {
    await this.call(keysOf(number), 'AmazonSSM.UpdateInstanceInformation', {
      InstanceId: idOf(number),
      AgentStatus: 'Active',
    })
  }

  private call(keys: typeof PLANE, target: string, body: unknown): Promise<unknown> {
    const identity = { endpoint: this.url, region: 'local', ...keys }
    return new AgentClient(identity).call(target, body, DEADLINE_MS)
  }

  rootOf(number: number): string {
    return join(this.folder, `instance${number}`)
  }

  socketOf(number: number): string {
    return join(this.rootOf(number), 'run/init.sock')
  }

  /** Resolves when the instance has booted. */
  async startInstance(number: number, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const root = this.rootOf(number)
    for (const part of ['etc/obfleet', 'etc/systemd/system'])
      mkdirSync(join(root, part), { recursive: true, mode: 0o700 })
    const all = {
      OBFLEET_ROOT: root,
      OBFLEET_INSTANCE_ID: idOf(number),
      AWS_REGION: 'local',
      AWS_ENDPOINT_URL_SSM: this.url,
      AWS_ACCESS_KEY_ID: keysOf(number).accessKeyId,
      AWS_SECRET_ACCESS_KEY: keysOf(number).secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`)
    writeFileSync(join(root, 'etc/obfleet/node.env'), `${lines.join('\n')}\n`, { mode: 0o600 })
    await this.run(`instance${number}`, 'init.ts', [root])
  }

  ask(number: number, op: string, unit?: string) {
    const question = unit === undefined ? { op } : { op, unit }
    return askInit(this.socketOf(number), question, DEADLINE_MS)
  }

  pidOf(name: string): number {
    return this.children.get(name)?.pid ?? 0
  }

  /** `kill -9`, and waits for the end. */
  async kill(name: string): Promise<void> {
    const child = this.children.get(name)
    if (child === undefined) return
    const ended = new Promise(done => child.once('exit', done))
    child.kill('SIGKILL')
    await ended
    this.children.delete(name)
  }

  async stop(): Promise<void> {
    const ends = [...this.children.values()].map(child => {
      if (child.exitCode !== null || child.signalCode !== null) return undefined
      const ended = new Promise(done => child.once('exit', done))
      child.kill('SIGTERM')
      return ended
    })
    await Promise.all(ends)
    for (const { id } of this.settings.instances) {
      if (!existsSync(this.rootOf(Number(id.slice(2))))) continue
      const pids = () => marked('OBFLEET_INSTANCE_ID', id).filter(pid => pid !== process.pid)
      const mine = new Set(marked('OBFLEET_ROOT', this.rootOf(Number(id.slice(2)))))
      for (const pid of pids()) if (mine.has(pid)) signal(pid, 'SIGKILL')
      await gone(() => pids().filter(pid => mine.has(pid)), 2_000)
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private run(name: string, script: string, args: readonly string[]): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', join(LOCAL, script), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '' },
    })
    let complaint = ''
    child.stderr.on('data', (bytes: Buffer) => {
      complaint = (complaint + bytes.toString()).slice(-4000)
    })
    return new Promise((done, reject) => {
      child.stdout.once('data', () => {
        this.children.set(name, child)
        done()
      })
      child.once('exit', code => reject(new Error(`${name}: exit ${code}: ${complaint}`)))
    })
  }
}
