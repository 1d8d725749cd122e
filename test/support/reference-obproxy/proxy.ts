/**
 * The proxy: one process that puts its parts together and starts them in the order of proxy-admin.md
 * §1.3. What it is told by `proxy_local_cmd` it takes up at the next turn of its poll.
 */
import { mkdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Admin } from './admin.ts'
import { BUILD, binaryText } from './build.ts'
import { ClientSession } from './client-session.ts'
import { Clusters } from './clusters.ts'
import { ConfigServer } from './config-server.ts'
import { type Drain, mustGo } from './drain.ts'
import { Exporter } from './exporter.ts'
import { HotRestart, type Relaunch } from './hot-restart.ts'
import { hearOfParentsDeath, Listener } from './listener.ts'
import type { Log } from './log.ts'
import { type Assignment, Settings } from './settings.ts'
import { Store } from './store.ts'

export const SQL_SOCKET = 'OBPROXY_INHERITED_IPV4_FD'
export const RPC_SOCKET = 'OBPROXY_INHERITED_RPC_IPV4_FD'

const FOLDERS = ['etc', 'log', '.conf', 'control-config', 'sharding-config']
const FIRST_CONNECTION_ID = 1_048_577
/** One-shot parameters that the poll of the config server takes up. */
const REFRESHES = ['refresh_json_config', 'refresh_rslist', 'refresh_idc_list'] as const

export type Launch = {
  readonly home: string
  readonly assignments: readonly Assignment[]
  readonly relaunch: Relaunch
  /** Sockets of the process that this one takes over from. */
  readonly inherited: ReadonlyMap<string, number>
}

export class ObProxy {
  private readonly launch: Launch
  private readonly log: Log
  private readonly store: Store
  private readonly settings: Settings
  private readonly clusters: Clusters
  private readonly admin: Admin
  private readonly exporter: Exporter
  private readonly restart: HotRestart
  private readonly sessions = new Set<ClientSession>()
  private readonly parentPid: number
  private readonly listeners: (readonly [name: string, listener: Listener])[] = []
  private isAccepting = false
  private drain: Drain | undefined
  private drainTimer: NodeJS.Timeout | undefined
  private offlineSinceMs: number | undefined
  private accepted = 0
  private transactionsOfThoseGone = 0

  /** Loads what is stored. @throws Refusal, Error for what keeps the proxy from starting */
  static async make(launch: Launch, log: Log): Promise<ObProxy> {
    for (const folder of FOLDERS)
      mkdirSync(join(launch.home, folder), { recursive: true, mode: 0o755 })
    const store = new Store(join(launch.home, 'etc'))
    await store.open()
    const settings = new Settings(store)
    settings.load()
    for (const name of settings.start(launch.assignments))
      log.write('WARN', `${name} is no parameter`)
    return new ObProxy(launch, log, { store, settings })
  }

  private constructor(
    launch: Launch,
    log: Log,
    { store, settings }: { readonly store: Store; readonly settings: Settings },
  ) {
    this.launch = launch
    this.log = log
    this.store = store
    this.settings = settings
    this.parentPid = process.ppid
    const url = settings.get('obproxy_config_server_url')
    const configServer = url === '' ? undefined : new ConfigServer(url, join(launch.home, 'etc'))
    this.clusters = new Clusters(settings, log, configServer)
    this.clusters.dropped = name => this.dropCluster(name)
    this.admin = new Admin(this.adminParts())
    const labels = {
      ip: this.host,
      namespace: 'ODP',
      odpVersion: `${BUILD.version}_${BUILD.build}`,
    }
    this.exporter = new Exporter(labels, () => this.numbers())
    this.restart = new HotRestart({
      settings,
      log,
      relaunch: launch.relaunch,
      sockets: () => new Map(this.listeners.map(([name, { fd }]) => [name, fd])),
      stepAside: () => this.stepAside(),
      stepBack: () => this.stepBack(),
      drain: () => this.startDrain(),
      isParent: () => this.isParent,
    })
  }

  /** @throws Error */
  async start(): Promise<void> {
    await this.clusters.start()
    this.settings.storeAll()
    this.listen()
    await this.accept()
    await this.openExporter()
    this.watchSignals()
    this.pollCommands()
    this.pollConfigServer()
    this.log.write('INFO', `serving on ${this.host}:${this.settings.get('listen_port')}`)
    this.log.diagnosis(`[REBOOT] version=${BUILD.version}-${BUILD.build}`)
    if (this.launch.inherited.size > 0) process.kill(this.parentPid, 'SIGUSR1')
  }

  private get host(): string {
    return this.settings.get('local_bound_ip')
  }

  /** One that took over is the parent when the other one is gone. */
  private get isParent(): boolean {
    return this.launch.inherited.size === 0 || process.ppid !== this.parentPid
  }

  private listen(): void {
    const { settings, launch } = this
    const open = (name: string, port: string, accept: (socket: Socket) => void) => {
      const fd = launch.inherited.get(name)
      const listener =
        fd === undefined
          ? Listener.open(this.host, Number(settings.get(port)), accept)
          : Listener.adopt(fd, accept)
      this.listeners.push([name, listener])
    }
    open(SQL_SOCKET, 'listen_port', socket => this.welcome(socket))
    if (settings.is('enable_obproxy_rpc_service'))
      open(RPC_SOCKET, 'rpc_listen_port', socket => socket.destroy())
  }

  private async accept(): Promise<void> {
    for (const [, listener] of this.listeners) await listener.resume()
    this.isAccepting = true
  }

  private stopAccepting(): void {
    this.isAccepting = false
    for (const [, listener] of this.listeners) listener.pause()
  }

  private welcome(socket: Socket): void {
    const id = FIRST_CONNECTION_ID + this.accepted
    this.accepted += 1
    const session = new ClientSession(id, socket, {
      settings: this.settings,
      use: cluster => this.clusters.use(cluster),
      clients: () => [...this.sessions],
      answer: (text, asking) => this.admin.answer(text, asking),
      mustGo: () => this.mustLetGo(),
      left: gone => this.left(gone),
    })
    this.sessions.add(session)
    session.start()
  }

  private left(session: ClientSession): void {
    if (!this.sessions.delete(session)) return
    this.transactionsOfThoseGone += session.transactions
    if (this.drain !== undefined && this.sessions.size === 0) this.exit()
  }

  private mustLetGo(): boolean {
    return this.drain !== undefined && mustGo(this.drain, this.sessions.size, Date.now())
  }

  private startDrain(): void {
    const timeoutMs = this.settings.number('hot_upgrade_exit_timeout') / 1000
    this.drain = { startedAtMs: Date.now(), timeoutMs, clientsAtStart: this.sessions.size }
    this.log.write('INFO', `draining ${this.sessions.size} clients within ${timeoutMs} ms`)
    if (this.sessions.size === 0) this.exit()
    else if (timeoutMs >= 0) this.drainTimer = setTimeout(() => this.exit(), timeoutMs)
  }

  private exit(): void {
    this.log.write('INFO', `leaving, ${this.sessions.size} clients cut`)
    process.exit(0)
  }

  private stepAside(): void {
    this.exporter.close()
    this.store.dump(this.settings.all())
    this.store.close()
    this.stopAccepting()
  }

  private async stepBack(): Promise<void> {
    clearTimeout(this.drainTimer)
    this.drain = undefined
    await this.accept()
    await this.store.open().catch(error => this.log.write('ERROR', String(error)))
    await this.openExporter()
    this.log.write('INFO', 'accepting again')
  }

  /** A proxy without it serves all the same. */
  private async openExporter(): Promise<void> {
    try {
      await this.exporter.open(this.host, Number(this.settings.get('prometheus_listen_port')))
    } catch (error) {
      this.log.write('ERROR', `exporter: ${String(error)}`)
    }
  }

  private watchSignals(): void {
    if (this.launch.inherited.size > 0) hearOfParentsDeath()
    process.on('SIGUSR1', () => this.restart.ready())
    for (const ignored of ['SIGUSR2', 'SIGHUP', 'SIGPIPE'] as const) process.on(ignored, () => {})
    for (const ending of ['SIGINT', 'SIGTERM'] as const) process.on(ending, () => this.quit())
  }

  private quit(): void {
    this.stopAccepting()
    setTimeout(() => this.exit(), this.settings.milliseconds('delay_exit_time'))
  }

  /** A turn takes half the interval to all of it; another interval counts at once. */
  private pollCommands(): void {
    let timer: NodeJS.Timeout | undefined
    const plan = () => {
      clearTimeout(timer)
      const periodMs = this.settings.milliseconds('proxy_hot_upgrade_check_interval')
      timer = setTimeout(turn, periodMs * (0.5 + Math.random() / 2))
    }
    const turn = () => {
      const command = this.settings.number('proxy_local_cmd')
      if (command !== 0) this.settings.reset('proxy_local_cmd')
      this.obey(command)
      plan()
    }
    this.settings.changed(name => {
      if (name === 'proxy_hot_upgrade_check_interval') plan()
    })
    plan()
  }

  private obey(command: number): void {
    if (command !== 0) this.log.write('INFO', `local command ${command}`)
    if (command === 1) this.quit()
    else if (command === 2) this.restart.begin()
    else if (command === 3) this.offlineSinceMs ??= Date.now()
    else if (command === 4) this.offlineSinceMs = undefined
  }

  private pollConfigServer(): void {
    const turn = async () => {
      const [isList, isServers] = REFRESHES.map(name => this.settings.is(name))
      for (const name of REFRESHES) this.settings.reset(name)
      try {
        await this.clusters.refresh(isList === true)
        if (isServers === true) await this.clusters.refreshServers()
      } catch (error) {
        this.log.write('WARN', `config server: ${String(error)}`)
      }
      setTimeout(turn, this.settings.milliseconds('config_server_refresh_interval'))
    }
    setTimeout(turn, this.settings.milliseconds('config_server_refresh_interval'))
  }

  private dropCluster(name: string): void {
    for (const session of this.sessions) if (session.who.cluster === name) session.close()
  }

  private status(): 'ACTIVE' | 'BE_INACTIVE' | 'INACTIVE' {
    const { offlineSinceMs } = this
    if (this.drain !== undefined) return 'BE_INACTIVE'
    if (offlineSinceMs === undefined) return 'ACTIVE'
    const timeoutMs = this.settings.number('hot_upgrade_exit_timeout') / 1000
    const isOver = timeoutMs >= 0 && Date.now() - offlineSinceMs >= timeoutMs
    return isOver || this.sessions.size <= 1 ? 'INACTIVE' : 'BE_INACTIVE'
  }

  private adminParts(): ConstructorParameters<typeof Admin>[0] {
    return {
      settings: this.settings,
      store: this.store,
      clusters: this.clusters,
      clients: () => [...this.sessions],
      version: { text: BUILD.version, lines: binaryText },
      status: () => this.status(),
      isAccepting: () => this.isAccepting,
      upgrade: () => this.restart.describe(),
      counted: name => this.counted(name),
    }
  }

  private counted(name: string): number {
    const { clients, servers, transactions, logins } = this.numbers()
    const counts: Readonly<Record<string, number>> = {
      current_client_connections: clients,
      client_connections_currently_open: clients,
      global_client_connections_currently_open: clients,
      current_server_connections: servers,
      total_client_connections: logins,
      total_transaction_count: transactions,
      total_user_transaction_count: transactions,
      current_cluster_resource_count: this.clusters.inUse().length,
    }
    return counts[name] ?? 0
  }

  private numbers() {
    const sessions = [...this.sessions]
    const transactions = sessions.reduce((sum, session) => sum + session.transactions, 0)
    return {
      clients: sessions.filter(({ role }) => role === 'user').length,
      servers: sessions.filter(({ server }) => server !== undefined).length,
      transactions: transactions + this.transactionsOfThoseGone,
      logins: this.accepted,
    }
  }
}
