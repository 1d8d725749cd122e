/**
 * The whole stack: every part a process of its own, with the same code as in the cloud. Order: OB
 * cluster, table, Systems Manager and instances, API, and then what a user would do over the API.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateDocumentCommand,
  PutParameterCommand,
  SSMClient,
  UpdateDocumentCommand,
  UpdateDocumentDefaultVersionCommand,
} from '@aws-sdk/client-ssm'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import { NODE_DOCUMENT, nodeDocument } from '../../documents.ts'
import { readJson, writePrivately } from '../files.ts'
import { prepareInstance } from '../instance/prepare.ts'
import { installKernel, type KernelAccounts, KernelUnavailable } from '../kernel.ts'
import { apiClient } from './api-client.ts'
import { bringUpDemo, type Demo } from './demo.ts'
import { type StackKeys, sha256Hex, stackKeys } from './keys.ts'
import { Services } from './services.ts'
import { ROOT, type StackSettings, urlOf } from './settings.ts'

export const TABLE = 'obfleet'
export const REGION = 'local'
const NODES = 3
const OB_CLUSTER = 'obcluster'
const VERSION = `${PROXY_VERSION}-${BUILD_NUMBER}`
const LOCAL = join(ROOT, 'infra/local')

export type Observers = {
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  readonly engine: 'kernel' | 'scripted'
  readonly reason?: string
  readonly control: string
}

/** What `.obfleet/dev.json` holds. */
export type DevFile = {
  readonly apiUrl: string
  readonly token: string
  readonly proxyClusters: readonly { readonly id: string; readonly name: string }[]
  readonly nodes: readonly {
    readonly id: string
    readonly name: string
    readonly host: string
    readonly sqlPort: number
    readonly exporterPort: number
    readonly instanceId: string
  }[]
  readonly obClusters: readonly {
    readonly name: string
    readonly rootservice: string
    readonly real: boolean
    readonly user: string
    readonly tenant: string
    readonly password: string
    readonly database: string
    /** Orders and counters of the OBServers. */
    readonly control: string
  }[]
}

export type Started = { readonly dev: DevFile; readonly observers: Observers }

export class Stack {
  readonly services: Services
  private readonly settings: StackSettings
  private readonly note: (line: string) => void
  private readonly keys: StackKeys

  constructor(settings: StackSettings, note: (line: string) => void) {
    this.settings = settings
    this.note = note
    mkdirSync(settings.home, { recursive: true, mode: 0o700 })
    this.keys = stackKeys(settings.home, instanceIds())
    this.services = new Services(settings.home, note)
  }

  /** Brings everything up. @throws Error in one line that says which part and why. */
  async start(): Promise<Started> {
    const { home } = this.settings
    this.note('building the node executable')
    execFileSync(process.execPath, [join(ROOT, 'infra/build-node.mjs')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await this.downloads()
    this.note('starting the OB cluster, the table and Systems Manager')
    const [observers] = await Promise.all([
      this.startObservers(),
      this.startDynamoDb(),
      this.startRunCommand(),
    ])
    const accounts = this.accounts()
    await this.registerWithSsm(accounts)
    this.note('booting three instances, starting the API')
    await Promise.all([this.startApi(), ...instanceIds().map((_id, index) => this.boot(index + 1))])
    this.note('creating the proxy cluster over the API')
    const demo = await this.demo()
    const dev = this.devFile(demo, observers, accounts)
    writePrivately(join(home, 'dev.json'), dev)
    return { dev, observers }
  }

  /** A download takes as long as it takes; without the kernel the observers fall back by themselves. */
  private async downloads(): Promise<void> {
    await installKernel(join(this.settings.home, 'kernel'), this.note).catch((error: Error) => {
      if (!(error instanceof KernelUnavailable) || process.env['CI'] === 'true') throw error
    })
  }

  private async startObservers(): Promise<Observers> {
    const { home, observerNetwork } = this.settings
    const line = await this.services.start({
      name: 'observers',
      ...script('observers.ts', [
        join(home, 'kernel'),
        observerNetwork,
        '--control',
        `${observerNetwork}.4:2880`,
      ]),
    })
    return JSON.parse(line) as Observers
  }

  private async startDynamoDb(): Promise<void> {
    if (process.env['OBFLEET_DYNAMODB_ENDPOINT'] !== undefined) return
    const { dynamodb, home } = this.settings
    const binary = join(ROOT, `node_modules/@dynoxide/linux-${process.arch}/dynoxide`)
    if (!existsSync(binary))
      throw new Error(
        `no DynamoDB API for linux-${process.arch}; set OBFLEET_DYNAMODB_ENDPOINT to one`,
      )
    mkdirSync(join(home, 'dynamodb'), { recursive: true, mode: 0o700 })
    await this.services.start({
      name: 'dynamodb',
      command: binary,
      args: [
        'serve',
        '--host',
        dynamodb.host,
        '--port',
        String(dynamodb.port),
        '--db-path',
        join(home, 'dynamodb/table.db'),
      ],
      isReady: async () => (await fetch(urlOf(dynamodb))).status > 0,
    })
  }

  private async startRunCommand(): Promise<void> {
    const { home, runCommand, events, nodeNetwork } = this.settings
    mkdirSync(join(home, 'run-command'), { recursive: true, mode: 0o700 })
    const file = join(home, 'run-command/settings.json')
    writePrivately(file, {
      ...runCommand,
      folder: join(home, 'run-command'),
      plane: this.keys.plane,
      instances: instanceIds().map((id, index) => ({
        id,
        name: `host${index + 1}`,
        address: `${nodeNetwork}.${index + 1}`,
        tags: { role: 'obproxy', stack: String(this.settings.number) },
        keys: this.keys.instances[id],
      })),
      events: { url: `${urlOf(events)}/events`, token: this.keys.eventsToken },
    })
    await this.services.start({ name: 'run-command', ...script('run-command.ts', [file]) })
  }

  /** The document, and the password that nodes read by reference (PL7). */
  private async registerWithSsm(accounts: KernelAccounts): Promise<void> {
    const ssm = new SSMClient({
      endpoint: urlOf(this.settings.runCommand),
      region: REGION,
      credentials: this.keys.plane,
    })
    const Content = JSON.stringify(nodeDocument)
    try {
      await ssm.send(
        new CreateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentType: 'Command' }),
      )
    } catch (error) {
      if ((error as Error).name !== 'DocumentAlreadyExists') throw error
      await this.updateDocument(ssm, Content)
    }
    await ssm.send(
      new PutParameterCommand({
        Name: proxyroSecret(),
        Value: accounts.proxyro,
        Type: 'SecureString',
        Overwrite: true,
      }),
    )
    ssm.destroy()
  }

  private async updateDocument(ssm: SSMClient, Content: string): Promise<void> {
    try {
      const answer = await ssm.send(
        new UpdateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentVersion: '$LATEST' }),
      )
      const DocumentVersion = answer.DocumentDescription?.DocumentVersion ?? '1'
      await ssm.send(
        new UpdateDocumentDefaultVersionCommand({ Name: NODE_DOCUMENT, DocumentVersion }),
      )
    } catch (error) {
      if ((error as Error).name !== 'DuplicateDocumentContent') throw error
    }
  }

  private async startApi(): Promise<void> {
    const { api, events, runCommand, home } = this.settings
    const file = join(home, 'api.json')
    writePrivately(file, {
      api,
      events,
      eventsToken: this.keys.eventsToken,
      tokenSha256: sha256Hex(this.keys.token),
      region: REGION,
      table: TABLE,
      dynamodb: process.env['OBFLEET_DYNAMODB_ENDPOINT'] ?? urlOf(this.settings.dynamodb),
      ssm: urlOf(runCommand),
      document: NODE_DOCUMENT,
      plane: this.keys.plane,
      instances: this.keys.instances,
    })
    await this.services.start({ name: 'api', ...script('api.ts', [file]) })
  }

  private async boot(number: number): Promise<void> {
    const { home, nodeNetwork, runCommand, api } = this.settings
    const id = instanceIds()[number - 1] ?? ''
    const keys = this.keys.instances[id]
    if (keys === undefined) throw new Error(`no keys for ${id}; start with --reset`)
    const root = instanceRoot(home, id)
    prepareInstance({
      root,
      instanceId: id,
      address: `${nodeNetwork}.${number}`,
      region: REGION,
      ssmUrl: urlOf(runCommand),
      apiUrl: urlOf(api),
      keys,
      version: VERSION,
      executable: join(ROOT, 'dist/obproxy'),
      packages: [packageFile()],
      reportSeconds: 5,
    })
    await this.services.start({ name: `instance${number}`, ...script('init.ts', [root]) })
  }

  private demo(): Promise<Demo> {
    const { observerNetwork } = this.settings
    const api = apiClient(urlOf(this.settings.api), this.keys.token)
    return bringUpDemo(
      api,
      {
        obCluster: OB_CLUSTER,
        rootservice: [1, 2, 3].map(index => `${observerNetwork}.${index}:2881`),
        proxyroSecret: proxyroSecret(),
        packageFile: packageFile(),
        version: VERSION,
        hosts: instanceIds(),
        parameters: {},
      },
      this.note,
    )
  }

  private accounts(): KernelAccounts {
    return readJson(join(this.settings.home, 'kernel/accounts.json')) as KernelAccounts
  }

  private devFile(demo: Demo, observers: Observers, accounts: KernelAccounts): DevFile {
    return {
      apiUrl: urlOf(this.settings.api),
      token: this.keys.token,
      proxyClusters: [demo.cluster],
      nodes: demo.nodes.map(({ desiredState: _desired, status: _status, ...node }) => node),
      obClusters: [
        {
          name: OB_CLUSTER,
          rootservice: observers.servers.map(({ host, port }) => `${host}:${port}`).join(';'),
          real: observers.engine === 'kernel',
          user: accounts.user,
          tenant: 'app',
          password: accounts.password,
          database: accounts.database,
          control: observers.control,
        },
      ],
    }
  }
}

/** Forgets data, nodes and keys; keeps what was downloaded. */
export function resetStack(home: string): void {
  if (!existsSync(home)) return
  for (const name of readdirSync(home).filter(each => each !== 'kernel' && each !== 'test'))
    rmSync(join(home, name), { recursive: true, force: true })
  const kernel = join(home, 'kernel')
  const parts = existsSync(kernel) ? readdirSync(kernel).filter(each => each !== 'venv') : []
  for (const name of parts) rmSync(join(kernel, name), { recursive: true, force: true })
}

export function instanceRoot(home: string, instanceId: string): string {
  return join(home, 'instances', instanceId)
}

function instanceIds(): readonly string[] {
  return Array.from({ length: NODES }, (_none, index) => `i-${String(index + 1).padStart(17, '0')}`)
}

function proxyroSecret(): string {
  return `/obfleet/ob-clusters/${OB_CLUSTER}/proxyro`
}

function packageFile(): string {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  return join(ROOT, `dist/obproxy-${VERSION}.linux.${arch}.tar.gz`)
}

function script(name: string, args: readonly string[]) {
  return { command: process.execPath, args: ['--import', 'tsx', join(LOCAL, name), ...args] }
}
