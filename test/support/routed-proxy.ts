/** A scripted cluster of several OBServers with a proxy before it, in this process. */
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import type { SessionSettings } from '../../proxy-node/session/ports.ts'
import { type ClustersUnderTest, startClusters } from './node-clusters.ts'
import {
  type RoutingCluster,
  type RoutingClusterSettings,
  startRoutingCluster,
} from './routing-cluster.ts'
import { directoryOf, type ProxyUnderTest, startProxy } from './stack.ts'

type LiveSettings = { -readonly [Key in keyof SessionSettings]?: SessionSettings[Key] }

export type RoutedProxy = {
  readonly cluster: RoutingCluster
  readonly clusters: ClustersUnderTest
  readonly proxy: ProxyUnderTest
  /** In force at once. */
  readonly settings: LiveSettings
  /** A client of tenant `app`, in the accounts' database. */
  readonly connect: (database?: string) => Promise<Connection>
  readonly stop: () => Promise<void>
}

export async function startRoutedProxy(
  plan: RoutingClusterSettings & { readonly random?: () => number },
): Promise<RoutedProxy> {
  const cluster = await startRoutingCluster(plan)
  const metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(cluster.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  const clusters = await startClusters({
    name: 'obcluster',
    rootservices: cluster.picture.servers,
    query: (server, sql) => metadata.query(server, sql),
  })
  const settings: LiveSettings = {}
  const { random = Math.random } = plan
  const proxy = await startProxy(directoryOf(clusters), { settings, random })
  const { user, password, database: own } = cluster.accounts
  const clients: Connection[] = []
  return {
    cluster,
    clusters,
    proxy,
    settings,
    connect: async (database = own) => {
      const client = await createConnection({
        host: '127.0.0.1',
        port: proxy.port,
        user: `${user}@app#obcluster`,
        password,
        ...(database === '' ? {} : { database }),
      })
      clients.push(client)
      return client
    },
    stop: async () => {
      for (const client of clients) client.destroy()
      proxy.stop()
      clusters.stop()
      metadata.stop()
      await cluster.stop()
    },
  }
}

/** The rows of a query. */
export async function rowsOf(client: Connection, sql: string): Promise<readonly RowDataPacket[]> {
  const [rows] = await client.query<RowDataPacket[]>(sql)
  return rows
}
