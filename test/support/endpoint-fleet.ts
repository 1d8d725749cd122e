/**
 * A plane over the local DynamoDB API and the local Systems Manager, by the unmodified SDK, with many scripted
 * instances and some real ones that run the built proxy. Its clock is moved by hand: it goes as the real one
 * does while a command is out, else to what is due next.
 */
import { createHash } from 'node:crypto'
import type { Server } from 'node:http'
import { basename } from 'node:path'
import { CreateDocumentCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { createApp } from '../../functions/app.ts'
import type { ClusterInput, Plane } from '../../functions/domain/plane.ts'
import type { RunCommand } from '../../functions/domain/remote.ts'
import type { Store } from '../../functions/domain/store.ts'
import { Engine } from '../../functions/operations/engine.ts'
import { makePlane } from '../../functions/plane/plane.ts'
import { ssmHosts } from '../../functions/remote/hosts.ts'
import { ssmRunCommand } from '../../functions/remote/run-command.ts'
import { parameterStoreSecrets } from '../../functions/remote/secrets.ts'
import { NODE_DOCUMENT, nodeDocument } from '../../infra/documents.ts'
import { listen, signedFetch } from '../../infra/local/api/server.ts'
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import { scriptedEngine } from '../../infra/local/front/scripted/engine.ts'
import { prepareInstance } from '../../infra/local/instance/prepare.ts'
import { LocalDynamo, sleep } from './dynamodb.ts'
import { idOf, keysOf, Region } from './instances.ts'
import { EXECUTABLE } from './node-instance.ts'
import { ScriptedAgents } from './scripted-agents.ts'
import { ScriptedBalancer } from './scripted-balancer.ts'
import { HandClock, noQueue, ScriptedFleet } from './scripted-fleet.ts'
import { ASKED } from './scripted-plane.ts'
import {
  type Built,
  CLUSTER,
  nextVersion,
  PACKAGE_FILE,
  PROXYRO,
  reference,
  VERSION,
} from './verb-suite.ts'

const SECRET = '/obfleet/ob-clusters/obcluster/proxyro'
/** Nodes judge by their own clock whether an order has come too late: the hand's is ahead of it. */
const AHEAD_MS = 3_600_000
/** Pings are said once. */
const PING_LOST_MS = 86_400_000
const LOOK_MS = 25
/** Of one thousand nodes on a slow machine, with room. */
const SETTLE_DEADLINE_MS = 1_200_000
const AT_ONCE = 100

export type Size = {
  /** `127.48`: everything of it listens there. */
  readonly network: string
  readonly scripted: number
  readonly real: number
  /** SendCommands that the service takes a second. */
  readonly sendsPerSec: number
}

export class EndpointFleet {
  readonly clock = new HandClock()
  readonly plane: Plane
  readonly next: Built = nextVersion()
  /** Hosts of each SendCommand that was accepted; how many were refused; records written. */
  readonly sends: number[] = []
  refused = 0
  writes = 0
  private readonly size: Size
  private readonly engine: Engine
  private readonly store: Store
  private readonly region: Region
  private readonly fleet: ScriptedFleet
  private readonly agents: ScriptedAgents
  private readonly dynamo: LocalDynamo
  private readonly front: Front
  private readonly commands: RunCommand
  private readonly open = new Set<string>()
  private server: Server | undefined

  private constructor(size: Size, dynamo: LocalDynamo, store: Store) {
    this.size = size
    this.dynamo = dynamo
    this.store = this.counting(store)
    this.clock.pass(Date.now() - this.clock.now() + AHEAD_MS)
    const { network, scripted, real, sendsPerSec } = size
    this.region = new Region({ host: `${network}.3.3`, port: 8001 }, scripted + real, {
      sendsPerSec,
      pingLostMs: PING_LOST_MS,
    })
    const [once, patient] = [this.region.client(), this.region.client(undefined, 3)]
    this.commands = ssmRunCommand(once, patient, NODE_DOCUMENT)
    const fleet = new ScriptedFleet(this.clock, scripted)
    this.fleet = fleet
    this.agents = new ScriptedAgents(this.region.url, fleet)
    const common = {
      store: this.store,
      runCommand: this.watched(),
      secrets: parameterStoreSecrets(patient),
      loadBalancer: new ScriptedBalancer(this.clock.now),
      clock: this.clock,
      queue: noQueue,
      configServiceUrl: null,
    }
    this.plane = makePlane({
      ...common,
      hosts: ssmHosts(patient),
      logBundles: null,
      cursorKey: 'key',
    })
    fleet.plane = this.plane
    this.engine = new Engine({ ...common, owner: 'only', log: () => {} })
    this.front = frontAt(`${network}.2.1`)
  }

  static async start(size: Size): Promise<EndpointFleet> {
    const dynamo = new LocalDynamo(`${size.network}.3.2`, 8000, 3)
    await dynamo.ready()
    const all = new EndpointFleet(size, dynamo, await dynamo.emptyStore())
    await all.startParts()
    await all.register()
    return all
  }

  async stop(): Promise<void> {
    await this.agents.stop()
    await this.region.stop()
    await this.front.stop()
    this.server?.closeAllConnections()
    this.server?.close()
    this.dynamo.stop()
  }

  input(name: string, numbers: readonly number[]): ClusterInput {
    const spec = {
      workMode: 'RS_LIST' as const,
      version: VERSION,
      ports: { sql: 2883, exporter: 2884 },
      install: { path: '/home/admin/obproxy' },
      nodes: numbers.map(number => ({ host: idOf(number) })),
      links: [{ obCluster: CLUSTER, default: true }],
      parameters: {},
      deletionProtection: false,
    }
    return { name, tags: {}, spec }
  }

  /** The sweeper alone drives them to their end. @throws when that does not come */
  async settle(ids: readonly string[]): Promise<void> {
    const until = performance.now() + SETTLE_DEADLINE_MS
    for (;;) {
      if (performance.now() > until) throw new Error(`not ended: ${ids.join(' ')}`)
      // A minute of this clock is soon over: who is silent for three counts as lost.
      await this.fleet.reportDue()
      while ((await this.engine.sweep(AT_ONCE)) >= AT_ONCE);
      const works = await this.store.getMany(
        'work',
        ids.map(operationId => ({ operationId })),
      )
      if (works.length === 0) return
      const since = performance.now()
      while (await this.isAnyOut()) {
        if (performance.now() > until)
          throw new Error(`commands are out: ${[...this.open].join(' ')}`)
        await sleep(LOOK_MS)
      }
      this.clock.pass(Math.round(performance.now() - since))
      const dueAt = Math.min(...works.map(({ nextAt }) => nextAt))
      this.clock.pass(Math.max(1, dueAt - this.clock.now()))
    }
  }

  private async isAnyOut(): Promise<boolean> {
    for (const id of this.open) {
      const results = await this.commands.results(id)
      if (results.some(({ state }) => state === 'waiting')) return true
      this.open.delete(id)
    }
    return false
  }

  private counting(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (name === 'commit' && Array.isArray(args[0])) this.writes += args[0].length
          return value.apply(target, args)
        }
      },
    })
  }

  private watched(): RunCommand {
    return {
      ...this.commands,
      send: async input => {
        const outcome = await this.commands.send(input)
        if (outcome.kind === 'sent') {
          this.sends.push(input.hostIds.length)
          this.open.add(outcome.commandId)
        } else this.refused += 1
        return outcome
      },
    }
  }

  private async startParts(): Promise<void> {
    const { network, scripted, real } = this.size
    await this.front.start()
    await this.region.startEndpoint()
    const ssm = this.region.client()
    const Content = JSON.stringify(nodeDocument)
    await ssm.send(
      new CreateDocumentCommand({ Name: NODE_DOCUMENT, Content, DocumentType: 'Command' }),
    )
    await ssm.send(new PutParameterCommand({ Name: SECRET, Value: PROXYRO, Type: 'SecureString' }))
    const app = createApp({
      plane: this.plane,
      tokenSha256: createHash('sha256').update('token').digest('hex'),
      newRequestId: () => 'r',
      log: () => {},
    })
    const owners = new Map(
      Array.from({ length: real }, (_none, index) => {
        const { accessKeyId, secretAccessKey } = keysOf(scripted + index + 1)
        const who = { kind: 'instance', instanceId: idOf(scripted + index + 1) } as const
        return [accessKeyId, { secretAccessKey, who }]
      }),
    )
    const at = { host: `${network}.3.1`, port: 8787 }
    this.server = await listen(
      signedFetch(app, key => owners.get(key)),
      at,
    )
    await this.agents.start(Array.from({ length: scripted }, (_none, index) => index + 1))
    for (let index = 1; index <= real; index++) await this.startReal(index)
  }

  private async startReal(index: number): Promise<void> {
    const { network, scripted } = this.size
    const number = scripted + index
    const address = `${network}.1.${index}`
    const apiUrl = `http://${network}.3.1:8787`
    prepareInstance({
      root: this.region.rootOf(number),
      instanceId: idOf(number),
      address,
      region: 'local',
      ssmUrl: this.region.url,
      apiUrl,
      keys: keysOf(number),
      version: VERSION,
      executable: EXECUTABLE,
      packages: [PACKAGE_FILE, this.next.file],
    })
    await this.region.startInstance(number, {
      OBFLEET_ADDRESS: address,
      OBFLEET_API_URL: apiUrl,
      OBFLEET_REPORT_SECONDS: '60',
    })
  }

  private async register(): Promise<void> {
    await this.plane.obClusters.put(ASKED, CLUSTER, {
      rootservice: [`${this.size.network}.2.1:2881`],
      obClusterId: 1,
      idcRegions: [],
      proxyroSecret: SECRET,
      tags: {},
    })
    for (const built of [{ file: PACKAGE_FILE, version: VERSION }, this.next]) {
      const { sha256, sizeBytes, url } = await reference(built)
      const fileName = basename(built.file)
      await this.plane.packages.create(ASKED, { fileName, sha256, sizeBytes, url })
    }
  }
}

function frontAt(host: string): Front {
  const server = { host, port: 2881, zone: 'z1' }
  const tenants = ['sys', 'app']
  const picture = new Picture({ cluster: CLUSTER, version: '4.3.5.3', tenants, servers: [server] })
  const accounts = { root: 'r', proxyro: PROXYRO, user: 'u', password: 'p' }
  return new Front(server, picture, scriptedEngine({ cluster: CLUSTER, accounts, databases: [] }))
}
