/**
 * A proxy in this process over a cluster of three zones with two servers each, all real sockets: what a
 * client does on one side is seen in the servers' ledgers on the other.
 */
import type { Socket } from 'node:net'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { greets } from '../../proxy-node/backend/probe.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import type { NodeClustersSettings } from '../../proxy-node/process/node-clusters.ts'
import type { RoutingSettings } from '../../proxy-node/routing/view.ts'
import type { EntryRules } from '../../proxy-node/session/client-entry.ts'
import { DEFAULT_SETTINGS } from '../../proxy-node/session/peers.ts'
import type { Admin, SessionDeps, SessionSettings } from '../../proxy-node/session/ports.ts'
import type { Cluster } from '../../proxy-node/topology/cluster.ts'
import { SERVERS_STATEMENT } from '../../proxy-node/topology/statements.ts'
import { CLUSTER_DEFAULTS, type ClustersUnderTest, startClusters } from './node-clusters.ts'
import {
  type RoutingCluster,
  type RoutingClusterSettings,
  startRoutingCluster,
} from './routing-cluster.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from './stack.ts'
import { type Patience, until } from './until.ts'

/** All is in one process: what is looked for may be over soon. */
export const ROUTED_PATIENCE: Patience = { deadlineMs: 20_000, everyMs: 1 }

export type NodeSettings = Omit<NodeClustersSettings, 'locations' | 'blacklist' | 'detection'> & {
  locations: NodeClustersSettings['locations']
  blacklist: NodeClustersSettings['blacklist']
  detection: NodeClustersSettings['detection']
}

/** Sessions as they are set at the moment; a suite writes into it. */
export type LiveSettings = { -readonly [Key in keyof SessionSettings]: SessionSettings[Key] }

type ConnectOptions = {
  readonly multipleStatements?: boolean
  /** `app` when absent. */
  readonly tenant?: string
  /** Whole name of a login, in place of the usual one. */
  readonly user?: string
  /** Connected to the proxy already. */
  readonly stream?: Socket
}

/** Settings of the sessions in place of those that a suite writes into. */
export type Configured = {
  readonly settings: () => SessionSettings
  readonly levels: Pick<SessionDeps, 'settingsOf' | 'loginRules'>
  readonly entry?: EntryRules
}

export class Routed {
  readonly cluster: RoutingCluster
  readonly clusters: ClustersUnderTest
  readonly proxy: ProxyUnderTest
  readonly settings: LiveSettings
  /** Of the supervisor's part. */
  readonly node: NodeSettings
  private readonly behind: Behind
  private readonly plan: Partial<NodeSettings>
  private readonly restore: () => void
  private readonly connections: Connection[] = []

  constructor(
    parts: Pick<Routed, 'cluster' | 'clusters' | 'proxy' | 'settings' | 'node'>,
    behind: Behind,
    plan: Partial<NodeSettings>,
  ) {
    this.cluster = parts.cluster
    this.clusters = parts.clusters
    this.proxy = parts.proxy
    this.settings = parts.settings
    this.node = parts.node
    this.behind = behind
    this.plan = plan
    this.restore = pictureKeeper(parts.cluster)
  }

  async connect({ tenant = 'app', ...options }: ConnectOptions = {}): Promise<Connection> {
    const { user, password, database } = this.cluster.accounts
    const made = await createConnection({
      host: '127.0.0.1',
      port: this.proxy.port,
      user: `${user}@${tenant}#${this.cluster.picture.cluster}`,
      password,
      database,
      ...options,
    })
    made.on('error', () => {})
    this.connections.push(made)
    return made
  }

  /** Ends the clients and sets everything back that a test may have set. */
  async reset(): Promise<void> {
    for (const connection of this.connections.splice(0)) connection.destroy()
    Object.assign(this.settings, liveSettings())
    Object.assign(this.node, CLUSTER_DEFAULTS, this.plan)
    const { cluster } = this
    await cluster.order('all', { kind: 'normal' })
    for (const { faults } of cluster.fronts) faults.clear()
    this.restore()
    await this.relist()
    // A server that was not ACTIVE has to greet before it is trusted again.
    await until('no server is avoided', () => this.avoided.length === 0, ROUTED_PATIENCE)
  }

  /** Keys of the servers that the blacklist has something against. */
  get avoided(): readonly string[] {
    const { blacklist } = this.known
    return [...blacklist.servers()].map(({ key }) => key).filter(key => blacklist.congestionOf(key))
  }

  /** What the supervisor knows of the cluster. */
  get known(): Cluster {
    const [cluster] = this.clusters.node.all()
    if (cluster === undefined) throw new Error('no cluster is known')
    return cluster
  }

  /** The proxy has seen the picture as it is now, and knows of no location unless it `keeps` them. */
  async relist(keeps = false): Promise<void> {
    // The round under way may have begun before: the next one has not, and is over when one more is under way.
    const wanted = this.behind.listings + 3
    const isListed = () => {
      this.known.refreshSoon()
      return this.behind.listings >= wanted
    }
    await until('the cluster is listed', isListed, ROUTED_PATIENCE)
    if (!keeps) this.clusters.node.expire(60_000)
    await new Promise(resolve => setTimeout(resolve, 1))
  }

  set(routing: Partial<RoutingSettings>): void {
    this.settings.routing = { ...this.settings.routing, ...routing }
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) connection.destroy()
    this.proxy.stop()
    this.clusters.stop()
    this.behind.metadata.stop()
    await this.cluster.stop()
  }
}

type Behind = {
  readonly metadata: MetadataConnections
  /** Rounds of questions about the cluster that have come to its servers. */
  listings: number
}

/** Sets zones, servers and tenants back to what they are now. */
function pictureKeeper({ picture }: RoutingCluster): () => void {
  const zones = [...picture.zones.values()].map(zone => ({ ...zone }))
  const servers = picture.servers.map(server => ({ ...server }))
  const tenants = [...picture.tenants.values()].map(tenant => ({ ...tenant }))
  return () => {
    for (const { name, ...state } of zones) picture.setZone(name, state)
    for (const { key, host: _host, port: _port, zone: _zone, ...state } of servers) {
      picture.setServer(key, state)
      picture.recall(key)
    }
    for (const { name, id: _id, ...state } of tenants) picture.setTenant(name, state)
  }
}

function liveSettings(): LiveSettings {
  return { ...DEFAULT_SETTINGS, connectTimeoutMs: 2_000 }
}

/** `node`: what is other than the defaults. */
type Started = {
  readonly clusters: ClustersUnderTest
  readonly sessions: () => ProxyUnderTest['sessions']
}

export async function startRouted(
  plan: RoutingClusterSettings & {
    readonly node?: Partial<NodeSettings>
    readonly configured?: Configured
    /** Tenant proxysys, over what is started. */
    readonly admin?: (parts: Started) => Admin
    /** Hears of statements that missed their partition. */
    readonly misrouted?: (line: string) => void
  },
): Promise<Routed> {
  const cluster = await startRoutingCluster(plan)
  const settings = liveSettings()
  const node = { ...CLUSTER_DEFAULTS, ...plan.node }
  const metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(cluster.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  const behind: Behind = { metadata, listings: 0 }
  const clusters: ClustersUnderTest = await startClusters({
    name: cluster.picture.cluster,
    rootservices: cluster.picture.servers,
    query: (server, sql) => {
      if (sql === SERVERS_STATEMENT[cluster.picture.flavour]) behind.listings += 1
      return metadata.query(server, sql, 'c1')
    },
    probe: (server, timeoutMs) => greets(nodeTransport, systemClock, server, timeoutMs),
    isAtWork: key => proxy.sessions.busy().servers.includes(key),
    settings: () => node,
  })
  const proxy: ProxyUnderTest = await startProxy(directoryOf(clusters), {
    liveSettings: plan.configured?.settings ?? (() => settings),
    ...(plan.configured && { levels: plan.configured.levels }),
    ...(plan.configured?.entry && { entry: plan.configured.entry }),
    ...(plan.misrouted === undefined ? {} : { misrouted: plan.misrouted }),
    ...(plan.admin === undefined
      ? {}
      : { admin: plan.admin({ clusters, sessions: () => proxy.sessions }) }),
  })
  clusters.died = server => proxy.sessions.serverDied(server)
  return new Routed({ cluster, clusters, proxy, settings, node }, behind, plan.node ?? {})
}

/** Rows as arrays of cells. */
export async function rowsOf(connection: Connection, sql: string): Promise<unknown[][]> {
  const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true })
  return rows
}
