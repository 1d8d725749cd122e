/**
 * A proxy in this process over a cluster of three zones with two servers each, all real sockets: what a
 * client does on one side is seen in the servers' ledgers on the other.
 */
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { greets } from '../../proxy-node/backend/probe.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import type { NodeClustersSettings } from '../../proxy-node/process/node-clusters.ts'
import type { RoutingSettings } from '../../proxy-node/routing/view.ts'
import { DEFAULT_SETTINGS } from '../../proxy-node/session/peers.ts'
import type { SessionSettings } from '../../proxy-node/session/ports.ts'
import type { Cluster } from '../../proxy-node/topology/cluster.ts'
import { CLUSTER_DEFAULTS, type ClustersUnderTest, startClusters } from './node-clusters.ts'
import {
  type RoutingCluster,
  type RoutingClusterSettings,
  startRoutingCluster,
} from './routing-cluster.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from './stack.ts'

export type NodeSettings = Omit<NodeClustersSettings, 'locations' | 'blacklist' | 'detection'> & {
  locations: NodeClustersSettings['locations']
  blacklist: NodeClustersSettings['blacklist']
  detection: NodeClustersSettings['detection']
}

/** Sessions as they are set at the moment; a suite writes into it. */
export type LiveSettings = { -readonly [Key in keyof SessionSettings]: SessionSettings[Key] }

export class Routed {
  readonly cluster: RoutingCluster
  readonly clusters: ClustersUnderTest
  readonly proxy: ProxyUnderTest
  readonly settings: LiveSettings
  /** Of the supervisor's part. */
  readonly node: NodeSettings
  private readonly metadata: MetadataConnections
  private readonly connections: Connection[] = []

  constructor(
    parts: Pick<Routed, 'cluster' | 'clusters' | 'proxy' | 'settings' | 'node'>,
    metadata: MetadataConnections,
  ) {
    this.cluster = parts.cluster
    this.clusters = parts.clusters
    this.proxy = parts.proxy
    this.settings = parts.settings
    this.node = parts.node
    this.metadata = metadata
  }

  async connect(): Promise<Connection> {
    const { user, password, database } = this.cluster.accounts
    const made = await createConnection({
      host: '127.0.0.1',
      port: this.proxy.port,
      user: `${user}@app#${this.cluster.picture.cluster}`,
      password,
      database,
    })
    made.on('error', () => {})
    this.connections.push(made)
    return made
  }

  /** Ends the clients and sets everything back that a test may have set. */
  async reset(): Promise<void> {
    for (const connection of this.connections.splice(0)) connection.destroy()
    Object.assign(this.settings, liveSettings())
    Object.assign(this.node, nodeSettings())
    const { cluster } = this
    await cluster.order('all', { kind: 'normal' })
    for (const { faults } of cluster.fronts) faults.clear()
  }

  /** What the supervisor knows of the cluster. */
  get known(): Cluster {
    const [cluster] = this.clusters.node.all()
    if (cluster === undefined) throw new Error('no cluster is known')
    return cluster
  }

  /** Sees the picture as the servers tell it now. */
  async refresh(holds: (cluster: Cluster) => boolean): Promise<void> {
    const until = Date.now() + 10_000
    while (!holds(this.known)) {
      if (Date.now() > until) throw new Error('the picture is not in time')
      this.known.refreshSoon()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    // Told to the worker's part meanwhile, which takes a turn.
    await new Promise(resolve => setTimeout(resolve, 5))
  }

  set(routing: Partial<RoutingSettings>): void {
    this.settings.routing = { ...this.settings.routing, ...routing }
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) connection.destroy()
    this.proxy.stop()
    this.clusters.stop()
    this.metadata.stop()
    await this.cluster.stop()
  }
}

function liveSettings(): LiveSettings {
  return { ...DEFAULT_SETTINGS, connectTimeoutMs: 2_000 }
}

function nodeSettings(): NodeSettings {
  return { ...CLUSTER_DEFAULTS }
}

export async function startRouted(plan: RoutingClusterSettings): Promise<Routed> {
  const cluster = await startRoutingCluster(plan)
  const settings = liveSettings()
  const node = nodeSettings()
  const metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(cluster.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  const clusters: ClustersUnderTest = await startClusters({
    name: cluster.picture.cluster,
    rootservices: cluster.picture.servers,
    query: (server, sql) => metadata.query(server, sql),
    probe: (server, timeoutMs) => greets(nodeTransport, systemClock, server, timeoutMs),
    isAtWork: key => proxy.sessions.busy().servers.includes(key),
    settings: () => node,
  })
  const proxy: ProxyUnderTest = await startProxy(directoryOf(clusters), {
    liveSettings: () => settings,
  })
  clusters.died = server => proxy.sessions.serverDied(server)
  return new Routed({ cluster, clusters, proxy, settings, node }, metadata)
}

/** Rows as arrays of cells. */
export async function rowsOf(connection: Connection, sql: string): Promise<unknown[][]> {
  const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true })
  return rows
}
