/**
 * The supervisor: owns the listening socket, configuration, discovery, the metadata logins, admin
 * answers and the exporter; starts a worker a core and replaces a lost one within a second (N2).
 */
import { availableParallelism } from 'node:os'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import type { AdminSession, SessionRow } from '../admin/answer.ts'
import { runAdmin } from '../admin/dispatch.ts'
import { MetadataConnections } from '../backend/metadata.ts'
import { hostPort } from '../base/address.ts'
import { systemClock } from '../base/clock.ts'
import { boundAddress } from '../config/bound-address.ts'
import { CertificateWatch } from '../config/certificate-watch.ts'
import type { ConfigStore } from '../config/store.ts'
import { bunTransport } from '../net/bun.ts'
import { serveHttp } from '../net/http.ts'
import { type ExporterView, exporterAnswer } from '../observe/exporter.ts'
import type { Log } from '../observe/log.ts'
import { NodeTraffic } from '../observe/metrics.ts'
import type { AdminAnswer } from '../session/ports.ts'
import { Cluster, parseRootservices } from '../topology/cluster.ts'
import type { ServerAddress } from '../topology/locations.ts'
import {
  Channel,
  type IdRange,
  type Message,
  type Question,
  type WorkerSettings,
} from './channel.ts'
import { serverTlsOf, sslSettings, tryCertificates } from './tls-contexts.ts'

const METADATA_TIMEOUT_MS = 5_000
const RESPAWN_MS = 200
const MAX_WORKERS = 16
const EXIT_GRACE_MS = 500

/** A spawned worker as the runtime hands it over. */
export type WorkerProcess = {
  readonly pid: number
  readonly post: (message: Message) => void
  readonly kill: () => void
}

export type SupervisorPort = {
  readonly config: ConfigStore
  /** 0 or 1, changes with each start on this directory. */
  readonly parity: 0 | 1
  readonly spawn: (take: (message: Message) => void, lost: () => void) => WorkerProcess
  readonly log: Log
}

type Slot = {
  readonly index: number
  process: WorkerProcess
  channel: Channel
  isListening: boolean
}

export class Supervisor {
  private readonly port: SupervisorPort
  private readonly config: ConfigStore
  private readonly metadata: MetadataConnections
  private readonly cluster: Cluster | undefined
  private readonly slots: Slot[] = []
  private readonly workers: number
  private idStart = 0
  private stopping = false
  private exporter: { readonly stop: () => void } | undefined
  private readonly traffic = new NodeTraffic()
  private readonly certificates: CertificateWatch

  constructor(port: SupervisorPort) {
    this.port = port
    this.config = port.config
    const ceiling = Math.min(MAX_WORKERS, this.config.number('work_thread_num'))
    const isAutomatic = this.config.isOn('automatic_match_work_thread')
    this.workers = isAutomatic ? Math.min(ceiling, availableParallelism()) : ceiling
    this.certificates = new CertificateWatch(this.config, systemClock, {
      attempt: tryCertificates,
      changed: () => {
        this.port.log.inform('other certificates are in use')
        this.tellSettings()
      },
      broke: fault => this.port.log.error(`${fault.code}: ${fault.message}`),
    })
    this.metadata = new MetadataConnections(bunTransport, systemClock, {
      passwords: () =>
        ['observer_sys_password', 'observer_sys_password1'].flatMap(name => this.stage1(name)),
      timeoutMs: METADATA_TIMEOUT_MS,
      tls: {
        current: () => serverTlsOf(this.settings().ssl),
        failed: (server, reason) => this.tlsFailed(server, reason),
      },
    })
    this.cluster = this.isMysql() ? undefined : this.makeCluster()
  }

  /** Starts the workers, discovery and the exporter. */
  start(): void {
    this.certificates.start()
    for (let index = 0; index < this.workers; index++) this.slots.push(this.spawn(index))
    void this.cluster?.start()
    this.startExporter()
    this.config.onChange(names => {
      this.certificates.apply(names)
      this.port.log.inform(`parameters changed: ${names.join(', ')}`)
      this.tellSettings()
    })
    systemClock.every(1_000, () => this.collectTraffic())
  }

  /** Accepts no more, gives clients `graceMs` to reach the end of a transaction, then resolves. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true
    this.cluster?.stop()
    this.certificates.stop()
    for (const slot of this.slots) slot.channel.send({ kind: 'drain' })
    const deadline = systemClock.now() + graceMs
    while (this.slots.length > 0 && systemClock.now() < deadline) await systemClock.sleep(20)
    for (const slot of this.slots) slot.process.kill()
    this.metadata.stop()
    this.exporter?.stop()
    await systemClock.sleep(this.slots.length > 0 ? EXIT_GRACE_MS : 0)
  }

  private tellSettings(): void {
    const settings = this.settings()
    for (const slot of this.slots) slot.channel.send({ kind: 'settings', settings })
  }

  private tlsFailed(server: ServerAddress, reason: string): void {
    this.port.log.error(`no TLS with server ${hostPort(server.host, server.port)}: ${reason}`)
  }

  private isMysql(): boolean {
    return this.config.get('server_routing_mode') === 'mysql'
  }

  private stage1(name: string): Uint8Array[] {
    const hex = this.config.get(name)
    return hex === '' ? [] : [Buffer.from(hex, 'hex')]
  }

  private makeCluster(): Cluster {
    return new Cluster(
      {
        name: this.config.get('rootservice_cluster_name'),
        rootservices: parseRootservices(this.config.get('rootservice_list')),
        refreshIntervalMs: this.config.timeMs('server_state_refresh_interval'),
      },
      (server, sql) => this.metadata.query(server, sql),
      systemClock,
    )
  }

  private settings(): WorkerSettings {
    const [server] = this.isMysql() ? parseRootservices(this.config.get('test_server_addr')) : []
    return {
      mode:
        server === undefined
          ? { kind: 'oceanbase', cluster: this.config.get('rootservice_cluster_name') }
          : { kind: 'mysql', server },
      serverVersion: this.config.get('mysql_version'),
      // Limits are per node (N2): the kernel spreads connections, so each worker takes its share.
      maxSessions:
        Math.ceil(this.config.number('client_max_connections') / this.workers) ||
        Number.MAX_SAFE_INTEGER,
      connectTimeoutMs: this.config.timeMs('short_async_task_timeout'),
      drainMs: this.config.timeMs('hot_upgrade_exit_timeout'),
      slowQueryMs: this.config.timeMs('slow_query_time_threshold'),
      accounts: {
        root: this.config.get('obproxy_sys_password'),
        inspector: this.config.get('inspector_password'),
        allowsPublicAddresses: this.config.isOn('skip_proxy_sys_private_check'),
      },
      ssl: sslSettings(this.config, this.certificates.current),
      trust: {
        proxyHeaders: this.config.get('proxy_protocol_sources'),
        clientIps: this.config.get('client_ip_sources'),
      },
    }
  }

  private spawn(index: number): Slot {
    const worker = this.port.spawn(
      message => this.take(slot, message),
      () => this.workerLost(slot),
    )
    const channel = new Channel(worker.post, systemClock)
    const slot: Slot = { index, process: worker, channel, isListening: false }
    // A replaced worker begins elsewhere in its range: clients of the old one may still be remembered.
    this.idStart += 1021
    const ids: IdRange = {
      proxyId: this.config.number('proxy_id'),
      parity: this.port.parity,
      worker: index,
      workers: this.workers,
      start: this.idStart,
    }
    channel.send({ kind: 'start', settings: this.settings(), ids })
    return slot
  }

  private workerLost(slot: Slot): void {
    slot.channel.close()
    const at = this.slots.indexOf(slot)
    if (this.stopping) {
      if (at >= 0) this.slots.splice(at, 1)
      return
    }
    this.port.log.error(`worker ${slot.index} (pid ${slot.process.pid}) is gone, starting another`)
    slot.isListening = false
    this.traffic.workerLost(slot.index)
    systemClock.after(RESPAWN_MS, () => {
      if (!this.stopping && at >= 0) this.slots[at] = this.spawn(slot.index)
    })
  }

  private take(slot: Slot, message: Message): void {
    if (slot.channel.take(message, question => this.respond(question))) return
    if (message.kind === 'listening') slot.isListening = true
    else if (message.kind === 'missed') this.cluster?.locations.missed(...message.names)
    else if (message.kind === 'connectFailed') this.cluster?.connectFailed(message.server)
    else if (message.kind === 'tlsFailed') this.tlsFailed(message.server, message.reason)
  }

  private async respond(question: Question): Promise<unknown> {
    if (question.ask === 'tenant') return (await this.cluster?.tenantServers(question.tenant)) ?? []
    if (question.ask === 'location')
      return (await this.cluster?.leaderOf(...question.names)) ?? null
    if (question.ask === 'admin') return this.admin(question.sql, question)
    throw new Error(`a worker asked for ${question.ask}`)
  }

  private admin(sql: string, session: AdminSession): Promise<AdminAnswer> {
    return runAdmin(sql, session, {
      config: this.config,
      certificates: this.certificates,
      sessions: () => this.allSessions(),
      kill: connectionId => this.kill(connectionId),
      isDraining: () => this.stopping,
      failed: error => this.port.log.error(`admin statement failed: ${String(error)}`),
    })
  }

  private async kill(connectionId: number): Promise<boolean> {
    const asked = this.listening.map(({ channel }) =>
      channel.ask({ ask: 'kill', connectionId }).catch(() => false),
    )
    return (await Promise.all(asked)).includes(true)
  }

  private get listening(): readonly Slot[] {
    return this.slots.filter(slot => slot.isListening)
  }

  private async allSessions(): Promise<readonly SessionRow[]> {
    const lists = await Promise.all(
      this.listening.map(({ channel }) => channel.ask({ ask: 'sessions' }).catch(() => [])),
    )
    return lists.flat()
  }

  private collectTraffic(): void {
    for (const { channel, index } of this.listening)
      channel.ask({ ask: 'traffic' }).then(
        snapshot => this.traffic.take(index, snapshot),
        // A worker that is gone is told by `workerLost`; a slow one keeps its last counts.
        () => {},
      )
  }

  private startExporter(): void {
    const address = {
      host: boundAddress(this.config).host,
      port: this.config.number('prometheus_listen_port'),
    }
    try {
      this.exporter = serveHttp(address, path => exporterAnswer(path, this.view()))
    } catch (error) {
      // The exporter's failure does not stop the start (proxy-admin.md §1.3).
      this.port.log.error(
        `exporter on ${hostPort(address.host, address.port)} did not start: ${String(error)}`,
      )
    }
  }

  private view(): ExporterView {
    return {
      address: boundAddress(this.config).host,
      version: `${PROXY_VERSION}_${BUILD_NUMBER}`,
      application: this.config.get('app_name'),
      tenants: this.traffic.totals(),
      costsInMs: this.config.isOn('prometheus_cost_ms_unit'),
      showsExtra: this.config.isOn('enable_extra_prometheus_metric'),
      maxSeries: this.config.number('monitor_item_limit'),
      workersListening: this.listening.length,
      locationEntries: this.cluster?.locations.size ?? 0,
      configVersion: this.config.version,
      logLines: this.port.log.lines,
      isLoaded: this.cluster?.isLoaded ?? true,
      isDraining: this.stopping,
      certificates: this.certificates.current.facts,
      isCertificateBroken: this.certificates.failure !== undefined,
    }
  }
}
