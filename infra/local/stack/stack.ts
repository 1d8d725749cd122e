/**
 * The whole stack: every part a process of its own, with the same code as in the cloud. Order: OB
 * cluster, table, Systems Manager and instances, API, and then what a user would do over the API.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import { NODE_DOCUMENT } from '../../documents.ts'
import { readJson, writePrivately } from '../files.ts'
import { prepareInstance } from '../instance/prepare.ts'
import { installKernel, type KernelAccounts, KernelUnavailable } from '../kernel.ts'
import { type ApiClient, apiClient } from './api-client.ts'
import { balancerAccess, balancerSettings } from './balancer.ts'
import { hostsOnline, makeDemo, offerObCluster } from './demo.ts'
import { type DevFile, devFile } from './dev-file.ts'
import { registerDocument } from './document.ts'
import { type Fleet, settledFleet } from './fleet.ts'
import { type KeyPair, type StackKeys, sha256Hex, stackKeys } from './keys.ts'
import { buildNode, keptPackage, offerPackage } from './package.ts'
import type { Shown } from './screen.ts'
import { Services } from './services.ts'
import { ROOT, type StackSettings, urlOf } from './settings.ts'

export const TABLE = 'obfleet'
export const REGION = 'local'
/** Of the proxy cluster that the first start makes. */
const DEMO_NODES = 3
/** The others are spare hosts. */
const INSTANCES = 5
const OB_CLUSTER = 'obcluster'
const LOG_BUCKET = 'obfleet-logs'
const VERSION = `${PROXY_VERSION}-${BUILD_NUMBER}`
const LOCAL = join(ROOT, 'infra/local')
/** Marks a home whose first start is over, with the packages that were registered there. */
const FIRST_START = 'first-start.json'

export type Observers = {
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  readonly engine: 'kernel' | 'scripted'
  readonly reason?: string
  readonly control: string
}

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
  async start(): Promise<Shown> {
    const { home } = this.settings
    await buildNode(this.note)
    await this.downloads()
    this.note('starting the OB cluster, the table and Systems Manager')
    const [observers] = await Promise.all([
      this.startObservers(),
      this.startDynamoDb(),
      this.startRunCommand(),
    ])
    const accounts = this.accounts()
    await this.registerWithSsm(accounts)
    this.note(`booting ${INSTANCES} instances, starting the API`)
    const kept = keptPackage(home, builtPackage())
    const [boots] = await Promise.all([
      this.bootAll(kept),
      this.startApi(),
      this.startConfigService(),
      this.startBalancer(),
      this.startObjects(),
    ])
    const api = apiClient(urlOf(this.settings.api), this.keys.token)
    await this.setUp(api, kept)
    const fleet = await settledFleet(api, boots, this.note)
    const dev = await this.devFile(fleet, observers, accounts)
    writePrivately(join(home, 'dev.json'), dev)
    return { dev, fleet, engineReason: observers.reason }
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
    const ssm = this.ssm()
    await registerDocument(ssm)
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
      dynamodb: this.tableUrl(),
      ssm: urlOf(runCommand),
      elb: urlOf(this.settings.elb),
      objects: urlOf(this.settings.objects),
      logBucket: LOG_BUCKET,
      document: NODE_DOCUMENT,
      configServiceUrl: urlOf(this.settings.configService),
      plane: this.keys.plane,
      instances: this.keys.instances,
    })
    await this.services.start({ name: 'api', ...script('api.ts', [file]) })
  }

  /** A process of its own: it is there when the API is not. */
  private async startConfigService(): Promise<void> {
    const { configService, home } = this.settings
    const file = join(home, 'config-service.json')
    writePrivately(file, {
      service: configService,
      region: REGION,
      table: TABLE,
      dynamodb: this.tableUrl(),
      plane: this.keys.plane,
    })
    await this.services.start({ name: 'config-service', ...script('config-service.ts', [file]) })
  }

  private async startBalancer(): Promise<void> {
    const file = join(this.settings.home, 'balancer.json')
    writePrivately(file, balancerSettings(this.settings, this.keys.plane, instanceIds()))
    await this.services.start({ name: 'balancer', ...script('balancer.ts', [file]) })
  }

  private async startObjects(): Promise<void> {
    const { home, objects } = this.settings
    const file = join(home, 'objects.json')
    const { plane } = this.keys
    writePrivately(file, {
      service: objects,
      folder: join(home, 'objects'),
      bucket: LOG_BUCKET,
      plane,
    })
    await this.services.start({ name: 'objects', ...script('objects.ts', [file]) })
  }

  private tableUrl(): string {
    return process.env['OBFLEET_DYNAMODB_ENDPOINT'] ?? urlOf(this.settings.dynamodb)
  }

  /** Instance id → its boot. */
  private async bootAll(kept: string): Promise<ReadonlyMap<string, string>> {
    const boots = await Promise.all(
      instanceIds().map(async (id, index) => {
        this.prepare(index, kept)
        const line = await this.services.start({
          name: `instance${index + 1}`,
          ...script('init.ts', [instanceRoot(this.settings.home, id)]),
        })
        return [id, (JSON.parse(line) as { bootId: string }).bootId] as const
      }),
    )
    return new Map(boots)
  }

  private prepare(index: number, kept: string): void {
    const { home, nodeNetwork, runCommand, api } = this.settings
    const id = instanceIds()[index] ?? ''
    const keys = this.keys.instances[id]
    if (keys === undefined) throw new Error(`no keys for ${id}; start with --reset`)
    prepareInstance({
      root: instanceRoot(home, id),
      instanceId: id,
      address: `${nodeNetwork}.${index + 1}`,
      region: REGION,
      ssmUrl: urlOf(runCommand),
      apiUrl: urlOf(api),
      keys,
      version: VERSION,
      executable: join(ROOT, 'dist/obproxy'),
      packages: [kept],
      reportSeconds: 5,
    })
  }

  /** What the API is to know: all of it at the first start, later on only what has moved. */
  private async setUp(api: ApiClient, kept: string): Promise<void> {
    const { home, observerNetwork } = this.settings
    const file = join(home, FIRST_START)
    const made = readJson(file) as { readonly packages: readonly string[] } | undefined
    await hostsOnline(api, instanceIds())
    await offerObCluster(
      api,
      {
        name: OB_CLUSTER,
        rootservice: [1, 2, 3].map(index => `${observerNetwork}.${index}:2881`),
        proxyroSecret: proxyroSecret(),
      },
      made === undefined,
    )
    const built = builtPackage()
    const wasOffered = made?.packages.includes(basename(built)) ?? false
    if (await offerPackage(api, { built, kept, wasOffered }, this.note))
      for (const index of instanceIds().keys()) this.prepare(index, kept)
    if (made === undefined)
      await makeDemo(
        api,
        { obCluster: OB_CLUSTER, version: VERSION, hosts: instanceIds().slice(0, DEMO_NODES) },
        this.note,
      )
    writePrivately(file, { packages: [...new Set([...(made?.packages ?? []), basename(built)])] })
  }

  private accounts(): KernelAccounts {
    return readJson(join(this.settings.home, 'kernel/accounts.json')) as KernelAccounts
  }

  private async devFile(
    fleet: Fleet,
    observers: Observers,
    accounts: KernelAccounts,
  ): Promise<DevFile> {
    const { api, runCommand, configService } = this.settings
    return devFile(fleet, await this.sysPasswords(fleet), {
      apiUrl: urlOf(api),
      configServiceUrl: urlOf(configService),
      token: this.keys.token,
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
      loadBalancer: balancerAccess(this.settings),
      ssm: { url: urlOf(runCommand), region: REGION, ...pairOf(this.keys.plane) },
    })
  }

  /** By name of their parameter; a cluster whose making failed early has none. */
  private async sysPasswords({ clusters }: Fleet): Promise<ReadonlyMap<string, string>> {
    const ssm = this.ssm()
    const found = new Map<string, string>()
    for (const { sysPasswordSecret: Name } of clusters)
      try {
        const answer = await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))
        found.set(Name, answer.Parameter?.Value ?? '')
      } catch (error) {
        if ((error as Error).name !== 'ParameterNotFound') throw error
      }
    ssm.destroy()
    return found
  }

  private ssm(): SSMClient {
    return new SSMClient({
      endpoint: urlOf(this.settings.runCommand),
      region: REGION,
      credentials: this.keys.plane,
    })
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

export function instanceIds(): readonly string[] {
  return Array.from(
    { length: INSTANCES },
    (_none, index) => `i-${String(index + 1).padStart(17, '0')}`,
  )
}

function proxyroSecret(): string {
  return `/obfleet/ob-clusters/${OB_CLUSTER}/proxyro`
}

function builtPackage(): string {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  return join(ROOT, `dist/obproxy-${VERSION}.linux.${arch}.tar.gz`)
}

function script(name: string, args: readonly string[]) {
  return { command: process.execPath, args: ['--import', 'tsx', join(LOCAL, name), ...args] }
}

/** By name: the SDK adds fields of its own to the credentials it is given. */
function pairOf({ accessKeyId, secretAccessKey }: KeyPair): KeyPair {
  return { accessKeyId, secretAccessKey }
}
