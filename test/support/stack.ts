/** A real kernel behind three fronts and a proxy in this process, for suites that need all of it. */
import { Front } from '../../infra/local/front/front.ts'
import { Picture } from '../../infra/local/front/picture.ts'
import type { Kernel } from '../../infra/local/kernel.ts'
import { DEFAULT_LOGIN_RULES } from '../../proxy-node/auth/identity.ts'
import { stage1Of } from '../../proxy-node/auth/scramble.ts'
import { MetadataConnections } from '../../proxy-node/backend/metadata.ts'
import { systemClock } from '../../proxy-node/base/clock.ts'
import { nodeTransport } from '../../proxy-node/net/node.ts'
import type { EntryRules } from '../../proxy-node/session/client-entry.ts'
import { DEFAULT_SETTINGS, peersOf } from '../../proxy-node/session/peers.ts'
import type { Admin, Mode, SessionDeps, SessionSettings } from '../../proxy-node/session/ports.ts'
import { Sessions } from '../../proxy-node/session/sessions.ts'
import { keyOf } from '../../proxy-node/topology/cluster-locations.ts'
import type { ServerAddress } from '../../proxy-node/topology/model.ts'
import { startKernelEngine } from './kernel-engine.ts'
import { type ClustersUnderTest, startClusters } from './node-clusters.ts'

/** Refuses everyone: suites of the data path do not log in as proxysys. */
const NO_ADMIN: Admin = {
  accepts: () => false,
  run: () => Promise.resolve({ kind: 'error', errno: 5010, state: '21000', message: 'none' }),
}

export type ProxyUnderTest = {
  readonly port: number
  readonly sessions: Sessions
  readonly stop: () => void
}

/** A proxy in this process on an ephemeral port. */
export async function startProxy(
  mode: Mode,
  limits: {
    maxSessions?: number
    settings?: Partial<SessionSettings>
    /** Those of the moment, in place of the others. */
    liveSettings?: () => SessionSettings
    random?: () => number
    /** Tenant proxysys; absent: it lets nobody in. */
    admin?: Admin
    misrouted?: (line: string) => void
    /** Hears of errors that nobody expected. */
    broke?: (error: unknown) => void
    /** Whom it lets in and how; absent: no TLS is offered. */
    entry?: EntryRules
    /** What is set for less than the node. */
    levels?: Pick<SessionDeps, 'settingsOf' | 'loginRules'>
  } = {},
): Promise<ProxyUnderTest> {
  let id = 1000
  const sessions: Sessions = new Sessions({
    transport: nodeTransport,
    clock: systemClock,
    mode,
    ...(limits.entry === undefined ? {} : { entry: limits.entry }),
    admin: limits.admin ?? NO_ADMIN,
    ...(limits.misrouted === undefined ? {} : { misrouted: limits.misrouted }),
    ...(limits.broke === undefined ? {} : { broke: limits.broke }),
    serverVersion: () => '5.7.25',
    proxyVersion: '4.3.2.0',
    settings:
      limits.liveSettings ??
      (() => ({ ...DEFAULT_SETTINGS, connectTimeoutMs: 2_000, ...limits.settings })),
    loginRules: () => DEFAULT_LOGIN_RULES,
    ...limits.levels,
    peers: peersOf(() => sessions),
    random: limits.random ?? Math.random,
    nextConnectionId: () => id++,
    maxSessions: () => limits.maxSessions ?? 8192,
  })
  const listener = await nodeTransport.listen({ host: '127.0.0.1', port: 0 }, () =>
    sessions.accept(),
  )
  return {
    port: listener.port,
    sessions,
    stop: () => {
      listener.stop()
      sessions.drain({ paceMs: 0, deadlineMs: 0 })
    },
  }
}

/** `server_routing_mode=random`: each statement that may move goes to some server. */
export const AT_RANDOM = { ...DEFAULT_SETTINGS.routing, mode: 'random' } as const

/** The clusters of a node, as a session wants them. */
export function directoryOf(clusters: ClustersUnderTest): Extract<Mode, { kind: 'oceanbase' }> {
  return { kind: 'oceanbase', directory: clusters.directory }
}

/** As the supervisor knows it. */
export async function leaderOf(
  clusters: ClustersUnderTest,
  tenant: string,
  database: string,
  table: string,
): Promise<ServerAddress | undefined> {
  const [cluster] = clusters.node.all()
  const entry = await cluster?.locations.tables.find(keyOf(tenant, database, table))
  return entry?.replicas.find(({ isLeader }) => isLeader)?.server
}

export type Stack = {
  readonly kernel: Kernel
  readonly fronts: readonly Front[]
  readonly clusters: ClustersUnderTest
  readonly proxy: ProxyUnderTest
  readonly stop: () => Promise<void>
}

export type FrontsOverKernel = Pick<Stack, 'kernel' | 'fronts' | 'stop'> & {
  readonly picture: Picture
}

/** The kernel and its fronts alone: nobody but the suite speaks to them. */
export async function startFrontsOverKernel(subnet: string): Promise<FrontsOverKernel> {
  const { kernel, engine, stop: stopKernel } = await startKernelEngine()
  const picture = new Picture({
    cluster: 'obcluster',
    version: '4.3.5.3',
    tenants: ['sys', 'app'],
    servers: [1, 2, 3].map(index => ({
      host: `${subnet}.${index}`,
      port: 2881,
      zone: `z${index}`,
    })),
  })
  const fronts = picture.servers.map(server => new Front(server, picture, engine))
  await Promise.all(fronts.map(front => front.start()))
  const stop = async () => {
    await Promise.all(fronts.map(front => front.stop()))
    await stopKernel()
  }
  return { kernel, fronts, picture, stop }
}

export async function startStack(
  subnet: string,
  settings: Partial<SessionSettings> = {},
  random: () => number = Math.random,
): Promise<Stack> {
  const { kernel, fronts, picture, stop: stopFronts } = await startFrontsOverKernel(subnet)
  const metadata = new MetadataConnections(nodeTransport, systemClock, {
    passwords: () => [stage1Of(kernel.accounts.proxyro)],
    timeoutMs: 5_000,
  })
  const clusters = await startClusters({
    name: 'obcluster',
    rootservices: picture.servers,
    query: (server, sql) => metadata.query(server, sql, 'c1'),
  })
  const proxy = await startProxy(directoryOf(clusters), { settings, random })
  const stop = async () => {
    proxy.stop()
    clusters.stop()
    metadata.stop()
    await stopFronts()
  }
  return { kernel, fronts, clusters, proxy, stop }
}
