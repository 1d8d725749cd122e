/**
 * Which OB clusters the proxy knows, and what it keeps of those in use. A cluster is made when a login
 * first names it: the proxy logs in there as proxyro, with either of two passwords, and without that no
 * client gets in.
 */
import type { ClusterList, ConfigServer, KnownCluster } from './config-server.ts'
import type { Log } from './log.ts'
import { Refusal } from './refusal.ts'
import { type ServerAddress, ServerError, tryLogin } from './server-connection.ts'
import type { Settings } from './settings.ts'

const ACCESS_DENIED = 1045

export type ResourceState = 'CR_INITING' | 'CR_INIT_FAILED' | 'CR_AVAIL'

export type Resource = {
  readonly cluster: KnownCluster
  state: ResourceState
  readonly version: number
  readonly madeAtMs: number
  lastUsedAtMs: number
}

export class Clusters {
  private readonly settings: Settings
  private readonly log: Log
  private readonly configServer: ConfigServer | undefined
  private readonly known = new Map<string, KnownCluster>()
  private readonly resources = new Map<string, Resource>()
  private current: ClusterList | undefined
  private made = 0
  /** Which of the two passwords of proxyro was right last. */
  private slot = 0
  changedAtMs = Date.now()
  /** A cluster is no longer kept: its sessions have to go. */
  dropped: (cluster: string) => void = () => {}

  constructor(settings: Settings, log: Log, configServer: ConfigServer | undefined) {
    this.settings = settings
    this.log = log
    this.configServer = configServer
  }

  get list(): ClusterList | undefined {
    return this.current
  }

  all(): readonly KnownCluster[] {
    return [...this.known.values()]
  }

  inUse(): readonly Resource[] {
    return [...this.resources.values()]
  }

  /** @throws Error when there is a config server, and neither it nor a copy says anything */
  async start(): Promise<void> {
    if (this.configServer === undefined) {
      this.readRootList()
      return
    }
    this.current = this.configServer.cached()
    for (const cluster of this.configServer.cachedServers()) this.known.set(cluster.name, cluster)
    try {
      await this.refresh(true)
    } catch (error) {
      this.log.write('WARN', `config server: ${String(error)}`)
      if (this.current === undefined)
        throw new Error('no config server and no copy', { cause: error })
    }
  }

  /** Reads the list when it has changed, or in any case. @throws Error */
  async refresh(isForced: boolean): Promise<void> {
    const { configServer } = this
    if (configServer === undefined) return
    if (!isForced && (await configServer.version()) === this.current?.version) return
    const list = await configServer.list()
    this.current = list
    this.changedAtMs = Date.now()
    const names = list.clusters.map(({ name }) => name)
    for (const name of this.known.keys()) if (!names.includes(name)) this.known.delete(name)
    await this.refreshServers()
  }

  /** Root servers of each cluster; what does not answer stays as it was. */
  async refreshServers(): Promise<void> {
    const { configServer, current } = this
    if (configServer === undefined || current === undefined) return
    for (const cluster of current.clusters) {
      try {
        this.known.set(cluster.name, await configServer.cluster(cluster))
      } catch (error) {
        this.log.write('WARN', `root servers of ${cluster.name}: ${String(error)}`)
      }
    }
    configServer.keepServers(this.all())
  }

  /** The cluster of a login, made when it is not in use yet. @throws Refusal */
  async use(name: string | undefined): Promise<Resource> {
    const wanted = name ?? this.defaultName()
    const kept = this.resources.get(wanted)
    if (kept?.state === 'CR_AVAIL') {
      kept.lastUsedAtMs = Date.now()
      return kept
    }
    const cluster = this.known.get(wanted)
    if (cluster === undefined) throw new Refusal('no-cluster', `cluster '${wanted}' not exist`)
    if (cluster.servers.length === 0) throw new Refusal('no-root-services')
    this.made += 1
    const now = Date.now()
    const resource: Resource = {
      cluster,
      state: 'CR_INITING',
      version: this.made,
      madeAtMs: now,
      lastUsedAtMs: now,
    }
    this.resources.set(wanted, resource)
    await this.init(resource)
    return resource
  }

  /** ALTER PROXYRESOURCE DELETE. @throws Refusal */
  delete(name: string): void {
    if (name === '') throw new Refusal('invalid-argument')
    if (!this.resources.delete(name)) throw new Refusal('not-there')
    this.dropped(name)
  }

  private async init(resource: Resource): Promise<void> {
    const { cluster } = resource
    try {
      await this.logInAsProxyro(cluster)
      resource.state = 'CR_AVAIL'
    } catch (error) {
      resource.state = 'CR_INIT_FAILED'
      const reason = error instanceof Error ? error.message : String(error)
      this.log.write('WARN', `cluster ${cluster.name} as proxyro: ${reason}`)
      const isDenied = error instanceof ServerError && error.errno === ACCESS_DENIED
      throw new Refusal(isDenied ? 'internal-sql' : 'not-connected')
    }
  }

  /** One server after another; on each the other password when the first is not right. @throws ServerError */
  private async logInAsProxyro(cluster: KnownCluster): Promise<void> {
    let last: unknown
    for (const address of cluster.servers) {
      try {
        await this.logInWithEither(address, cluster.name)
        return
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  private async logInWithEither(address: ServerAddress, cluster: string): Promise<void> {
    const place = { cluster, tenant: 'sys' }
    const passwords = ['observer_sys_password', 'observer_sys_password1'].map(name =>
      this.settings.at(name, place),
    )
    const login = (slot: number) => ({ user: 'proxyro@sys', stage1: passwords[slot] ?? '' })
    try {
      await tryLogin(address, login(this.slot))
    } catch (error) {
      if (!(error instanceof ServerError) || error.errno !== ACCESS_DENIED) throw error
      this.slot = 1 - this.slot
      await tryLogin(address, login(this.slot))
    }
  }

  private defaultName(): string {
    return this.current?.clusters[0]?.name ?? this.settings.get('rootservice_cluster_name')
  }

  private readRootList(): void {
    const servers = this.settings
      .get('rootservice_list')
      .split(';')
      .filter(text => text !== '')
      .map((text, at) => ({
        host: text.replace(/:\d+$/, ''),
        port: Number(/\d+$/.exec(text)?.[0]),
        role: at === 0 ? 'LEADER' : 'FOLLOWER',
      }))
    const name = this.settings.get('rootservice_cluster_name')
    if (servers.length > 0) this.known.set(name, { name, id: '1', rsUrl: '', servers, idcs: [] })
  }
}
