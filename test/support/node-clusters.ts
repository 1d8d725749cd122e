/** The clusters of a node with its supervisor's and one worker's part, in one process. */
import { systemClock } from '../../proxy-node/base/clock.ts'
import { Channel, type Message } from '../../proxy-node/process/channel.ts'
import { isClusterNews, isClusterReport } from '../../proxy-node/process/cluster-messages.ts'
import {
  isClusterQuestion,
  NodeClusters,
  type NodeClustersPort,
  type NodeClustersSettings,
} from '../../proxy-node/process/node-clusters.ts'
import {
  type WorkerClusterSettings,
  WorkerClusters,
} from '../../proxy-node/process/worker-clusters.ts'
import { staticDirectory } from '../../proxy-node/topology/cluster-directory.ts'
import type { ServerAddress } from '../../proxy-node/topology/model.ts'

/** The defaults of the parameters. */
export const CLUSTER_DEFAULTS: NodeClustersSettings = {
  locations: {
    refreshGapMs: 5_000,
    isAsync: true,
    normal: 100,
    slow: 10,
    prunes: true,
    expiryMs: 0,
    tenantAgeMs: 86_400_000,
  },
  blacklist: {
    failureThreshold: 5,
    failWindowMs: 120_000,
    retryIntervalMs: 20_000,
    minKeepMs: 20_000,
    detectMode: 1,
    detectFailThreshold: 3,
  },
  detection: { detectMode: 1, intervalMs: 1_000, timeoutMs: 5_000 },
  refreshIntervalMs: 20_000,
  checksLocality: true,
  cleanIntervalMs: 20_000,
  checksRole: true,
  maxClusters: 256,
  expiryMs: 86_400_000,
  maxBytes: 96 * 1024 * 1024,
}

export type ClustersUnderTest = {
  readonly node: NodeClusters
  readonly directory: WorkerClusters
  /** What runs on a server that has died. */
  died: (server: ServerAddress) => void
  readonly stop: () => void
}

export type ClustersPlan = Pick<NodeClustersPort, 'query'> &
  Partial<Pick<NodeClustersPort, 'probe' | 'clock' | 'directory' | 'random' | 'isAtWork'>> & {
    readonly name: string
    readonly rootservices: readonly ServerAddress[]
    readonly settings?: () => NodeClustersSettings
    /** Of the worker's read cache. */
    readonly maxEntries?: number
  }

/** Resolves when the first listing was tried. */
export async function startClusters(plan: ClustersPlan): Promise<ClustersUnderTest> {
  const { clock = systemClock, settings = () => CLUSTER_DEFAULTS } = plan
  const text = plan.rootservices.map(({ host, port }) => `${host}:${port}`).join(';')
  // As messages travel between processes.
  const wired = (take: (message: Message) => void) => (message: Message) =>
    queueMicrotask(() => take(JSON.parse(JSON.stringify(message))))
  const ofNode: Channel = new Channel(
    wired(message => heardByWorker(message)),
    clock,
  )
  const ofWorker: Channel = new Channel(
    wired(message => heardByNode(message)),
    clock,
  )
  const under: ClustersUnderTest = {
    node: new NodeClusters({
      directory: plan.directory ?? staticDirectory({ name: plan.name, rootservices: text }),
      clock,
      settings,
      query: plan.query,
      released: () => {},
      probe: plan.probe ?? (() => Promise.resolve(true)),
      tell: news => ofNode.send(news),
      isAtWork: plan.isAtWork ?? (() => false),
      say: () => {},
      broke: () => {},
      random: plan.random ?? Math.random,
    }),
    directory: new WorkerClusters(ofWorker, clock, {
      settings: workerSettings(settings, plan.maxEntries ?? 10_000),
      died: server => under.died(server),
      broke: () => {},
    }),
    died: () => {},
    stop: () => {
      under.node.stop()
      ofNode.close()
      ofWorker.close()
    },
  }
  const heardByNode = (message: Message) => {
    if (isClusterReport(message)) under.node.heard(message)
    else
      ofNode.take(message, question =>
        isClusterQuestion(question) ? under.node.respond(question) : Promise.resolve(null),
      )
  }
  const heardByWorker = (message: Message) => {
    if (isClusterNews(message)) under.directory.hear(message)
    else ofWorker.take(message, () => Promise.resolve(null))
  }
  under.directory.start()
  await under.node.start()
  return under
}

/** As a worker has them: the same object until they change, for each statement asks. */
function workerSettings(
  settings: () => NodeClustersSettings,
  maxEntries: number,
): () => WorkerClusterSettings {
  let from: Partial<NodeClustersSettings> = {}
  let made: WorkerClusterSettings | undefined
  return () => {
    // Suites change parts of it.
    const { blacklist, locations, cleanIntervalMs } = settings()
    const isSame =
      from.blacklist === blacklist &&
      from.locations === locations &&
      from.cleanIntervalMs === cleanIntervalMs
    if (made !== undefined && isSame) return made
    from = { blacklist, locations, cleanIntervalMs }
    const { tenantAgeMs } = locations
    made = { maxEntries, ...blacklist, tenantAgeMs, staleAgeMs: 21_600_000, cleanIntervalMs }
    return made
  }
}
