/** A whole plane over memory and a scripted fleet, driven by its sweeper alone. */
import type { ClusterInput, Plane } from '../../functions/domain/plane.ts'
import { REPORT_STALE_MS } from '../../functions/domain/status.ts'
import { remove, type Store } from '../../functions/domain/store.ts'
import { Engine } from '../../functions/operations/engine.ts'
import type { EngineDeps } from '../../functions/operations/ports.ts'
import { makePlane } from '../../functions/plane/plane.ts'
import { MemoryStore, type Stored } from './memory-store.ts'
import { ScriptedBalancer } from './scripted-balancer.ts'
import { HandClock, hostId, noQueue, ScriptedFleet } from './scripted-fleet.ts'

export const ASKED = { principal: { kind: 'user', name: 'test' }, requestId: 'r-1' } as const
export const CONFIG_SERVICE = 'http://config.test:8789'
export const VERSION = '4.3.2.0-1'
const TICK_MS = 20_000
/** Longer than any operation may take. */
const LIMIT_MS = 3_600_000

/** Nodes report while it works; what that writes is no part of what an operation costs. */
class ReportedEngine extends Engine {
  private readonly all: Pick<ScriptedPlane, 'fleet' | 'store'>

  constructor(all: Pick<ScriptedPlane, 'fleet' | 'store'>, deps: EngineDeps) {
    super(deps)
    this.all = all
  }

  override async sweep(limit: number): Promise<number> {
    const { writes } = this.all.store
    await this.all.fleet.reportDue()
    this.all.store.writes = writes
    return super.sweep(limit)
  }
}

/** Where a plane can move to. */
export type Table = {
  readonly store: Store
  fill(contents: readonly Stored[]): Promise<void>
  contents(): Promise<readonly Stored[]>
}

export class ScriptedPlane {
  readonly clock = new HandClock()
  readonly store = new MemoryStore()
  /** The one it works on: `store`, unless it was given another or has moved. */
  used: Store
  readonly fleet: ScriptedFleet
  readonly balancer = new ScriptedBalancer(this.clock.now)
  plane: Plane
  engine: Engine
  private table: Table | undefined

  constructor(hosts: number, store?: Store) {
    this.used = store ?? this.store
    this.fleet = new ScriptedFleet(this.clock, hosts)
    this.plane = this.newPlane()
    this.fleet.plane = this.plane
    this.fleet.isLinked = async (clusterId, obCluster) => {
      const cluster =
        this.table === undefined
          ? this.store.all('cluster').find(({ id }) => id === clusterId)
          : await this.table.store.get('cluster', { id: clusterId })
      return cluster?.spec.links.some(link => link.obCluster === obCluster) ?? false
    }
    this.engine = this.newEngine('first')
  }

  /** With all that there is, from memory to a table. */
  async moveTo(table: Table): Promise<void> {
    await table.fill(this.store.contents())
    this.table = table
    this.used = table.store
    this.plane = this.newPlane()
    this.fleet.plane = this.plane
    this.engine = this.newEngine('first')
  }

  /** `store` then shows what is in the table now. */
  async look(): Promise<void> {
    if (this.table !== undefined) this.store.load(await this.table.contents())
  }

  /** Records that have outlived their time are deleted, as the table does it some day. */
  async expire(): Promise<void> {
    await this.look()
    const over = [...this.store.all('command'), ...this.store.all('request')]
    for (const record of over.filter(({ expiresAt }) => expiresAt <= this.clock.now()))
      await this.used.commit([
        'commandId' in record ? remove('command', record) : remove('request', record),
      ])
  }

  private newPlane(): Plane {
    return makePlane({
      store: this.used,
      hosts: this.fleet.inventory,
      runCommand: this.fleet.runCommand,
      secrets: this.fleet.secrets,
      loadBalancer: this.balancer,
      logBundles: {
        putUrl: async (key, bytes) => `https://bundles.test/${key}?put=${bytes}`,
        getUrl: async key => `https://bundles.test/${key}?get`,
      },
      clock: this.clock,
      queue: noQueue,
      configServiceUrl: CONFIG_SERVICE,
      cursorKey: 'key',
    })
  }

  /** @param over takes the place of a part, to make it fail. */
  newEngine(owner: string, over: Partial<EngineDeps> = {}): Engine {
    return new ReportedEngine(this, {
      store: this.used,
      runCommand: this.fleet.runCommand,
      secrets: this.fleet.secrets,
      loadBalancer: this.balancer,
      clock: this.clock,
      queue: noQueue,
      log: () => {},
      configServiceUrl: CONFIG_SERVICE,
      owner,
      ...over,
    })
  }

  /** An OB cluster `ob` and a package, as every cluster needs them. */
  async prepare(): Promise<void> {
    if ((await this.used.get('obCluster', { name: 'ob' })) !== null) return
    await this.plane.obClusters.put(ASKED, 'ob', {
      rootservice: ['127.0.2.1:2881'],
      obClusterId: 1,
      idcRegions: [],
      proxyroSecret: '/ro',
      tags: {},
    })
    await this.plane.packages.create(ASKED, {
      fileName: `obproxy-${VERSION}.linux.x86_64.tar.gz`,
      sha256: 'a'.repeat(64),
      sizeBytes: 10,
      url: 'spool:x',
    })
  }

  input(
    name: string,
    hosts: readonly number[],
    more: Partial<ClusterInput['spec']> = {},
  ): ClusterInput {
    return {
      name,
      tags: {},
      spec: {
        workMode: 'RS_LIST',
        version: VERSION,
        ports: { sql: 2883, exporter: 2884 },
        install: { path: '/home/admin/obproxy' },
        nodes: hosts.map(index => ({ host: hostId(index) })),
        links: [{ obCluster: 'ob', default: true }],
        parameters: {},
        deletionProtection: false,
        ...more,
      },
    }
  }

  /** Id of the operation a mutation was answered with. */
  async accepted(asked: Promise<unknown>): Promise<string> {
    const outcome = (await asked) as { kind: string; operation?: { id: string } }
    if (outcome.operation === undefined) throw new Error(`answered with ${outcome.kind}`)
    return outcome.operation.id
  }

  /** Sweeps every `tickMs` of the hand clock until nothing is open. @throws when something stays. */
  async settle(tickMs = 1_000, limitMs = LIMIT_MS): Promise<void> {
    const until = this.clock.now() + limitMs
    while ((await this.used.due(Number.MAX_SAFE_INTEGER, 1)).length > 0) {
      if (this.clock.now() > until) throw new Error('some operation does not end')
      this.clock.pass(tickMs)
      await this.engine.sweep(100)
    }
  }

  /**
   * So many ticks as it takes until the operation is due: between them the sweeper would find nothing.
   * False when it has ended.
   */
  async passUntilDue(id: string, tickMs: number): Promise<boolean> {
    const work = await this.used.get('work', { operationId: id })
    if (work === null) return false
    const ticks = Math.ceil((work.nextAt - this.clock.now()) / tickMs)
    this.clock.pass(Math.max(1, ticks) * tickMs)
    return true
  }

  /** The sweeper alone drives it to its end. @throws when it does not come */
  async finish(id: string, tickMs: number, between: () => Promise<void> = async () => {}) {
    const until = this.clock.now() + LIMIT_MS
    while (await this.passUntilDue(id, tickMs)) {
      if (this.clock.now() > until) throw new Error(`${id} does not end`)
      await this.engine.sweep(100)
      await between()
    }
    return this.plane.operations.get(id)
  }

  async ended(id: string, tickMs = 1_000) {
    await this.settle(tickMs)
    return this.plane.operations.get(id)
  }

  /** A host is gone, and so long ago that its node counts as UNAVAILABLE; the others go on reporting. */
  async outOfReach(host: number): Promise<void> {
    this.fleet.host(host).isOnline = false
    for (let passed = 0; passed <= REPORT_STALE_MS; passed += TICK_MS) {
      this.clock.pass(TICK_MS)
      await this.fleet.reportDue()
    }
  }

  /** A cluster that is up. */
  async running(
    name: string,
    hosts: readonly number[],
    more: Partial<ClusterInput['spec']> = {},
  ): Promise<string> {
    await this.prepare()
    const input = this.input(name, hosts, more)
    const id = await this.accepted(this.plane.clusters.create(ASKED, input))
    const { phase, target } = await this.ended(id)
    if (phase !== 'SUCCEEDED') throw new Error(`${id} is ${phase}`)
    return target.id
  }

  /** Nodes that are not what the plane has down that they should be. */
  otherThanDesired(): readonly string[] {
    return this.store.all('node').flatMap(({ name, hostId: id, desiredState }) => {
      const status = this.fleet.hosts.get(id)?.status
      return status === desiredState ? [] : [`${name} is ${status} and should be ${desiredState}`]
    })
  }

  /** Nodes of balanced clusters that are not on the side of the balancer that their process asks for. */
  outOfStep(): readonly string[] {
    const balanced = this.store
      .all('cluster')
      .filter(({ spec }) => spec.loadBalancer?.kind === 'target-group')
      .map(({ id }) => id)
    const inside = new Set(
      this.balancer
        .states()
        .filter(line => !line.endsWith('draining'))
        .map(line => line.split(' ')[0]),
    )
    const wanted = this.store
      .all('node')
      .filter(({ clusterId }) => balanced.includes(clusterId))
      .filter(({ desiredState, offline }) => desiredState === 'RUNNING' && offline === undefined)
      .map(({ hostId: id }) => id)
    // What was let go of stays where it was.
    const served = this.store
      .all('clusterExport')
      .filter(({ cluster: { spec } }) => spec.loadBalancer?.kind === 'target-group')
      .flatMap(({ nodes }) => nodes.map(({ hostId: id }) => id))
    const members = [...new Set([...wanted, ...served])]
    return [
      ...members.filter(id => !inside.has(id)).map(id => `${id} is out`),
      ...[...inside].filter(id => !members.includes(id ?? '')).map(id => `${id} is in`),
    ]
  }

  /** A plane with the cluster `orders` of so many nodes, that has told nobody anything yet. */
  static async withOrders(count: number): Promise<ScriptedPlane> {
    const all = new ScriptedPlane(count)
    await all.running(
      'orders',
      Array.from({ length: count }, (_none, index) => index + 1),
    )
    all.fleet.ran.length = 0
    all.fleet.sends.length = 0
    return all
  }

  /** Locks that somebody holds now. */
  held(): readonly string[] {
    const holders = [
      ...this.store.all('cluster'),
      ...this.store.all('node'),
      ...this.store.all('obCluster'),
    ]
    return holders.flatMap(({ name, hold }) =>
      hold === null || hold === undefined ? [] : [`${name} by ${hold.operationId}`],
    )
  }
}
