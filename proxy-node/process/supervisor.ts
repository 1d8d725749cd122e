/**
 * The supervisor: owns the listening socket, configuration, discovery, the metadata logins, admin
 * answers and the exporter; keeps a worker a core (N2), and hands all of it over to its successor.
 */
import { availableParallelism } from 'node:os'
import { PROXYRO_SLOTS } from '#contract/parameters'
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import type { AdminSession, Availability, SessionRow } from '../admin/answer.ts'
import { runAdmin } from '../admin/dispatch.ts'
import { loginRulesOf } from '../auth/identity.ts'
import { MetadataConnections } from '../backend/metadata.ts'
import { greets } from '../backend/probe.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import { hostPort } from '../base/address.ts'
import { systemClock } from '../base/clock.ts'
import { boundAddress } from '../config/bound-address.ts'
import { type CertificateSettings, CertificateWatch } from '../config/certificate-watch.ts'
import type { ConfigStore } from '../config/store.ts'
import { tunedTransport } from '../net/bun.ts'
import type { Transport } from '../net/transport.ts'
import { type ExporterView, exporterAnswer } from '../observe/exporter.ts'
import { Handshakes } from '../observe/handshakes.ts'
import type { Log } from '../observe/log.ts'
import { NodeTraffic } from '../observe/metrics.ts'
import { UnexpectedErrors } from '../observe/unexpected.ts'
import { type DrainReport, summed } from '../session/drain.ts'
import type { AdminAnswer, KillOutcome } from '../session/ports.ts'
import { parseRootservices } from '../topology/cluster.ts'
import type { ServerAddress } from '../topology/model.ts'
import { isUnexpected } from '../topology/unanswered.ts'
import { clusterViews, nodeCounters, staleReplicas } from './admin-views.ts'
import type { Message, Question, WorkerSettings } from './channel.ts'
import { isClusterReport } from './cluster-messages.ts'
import { clusterSettings, workerClusterSettings } from './cluster-settings.ts'
import { clusterDirectory } from './directory.ts'
import { takeExpiryOrders } from './expiry-orders.ts'
import { ExporterPort } from './exporter-port.ts'
import { Handover, type Successor, type SuccessorEnd } from './handover.ts'
import type { Generation } from './inherited.ts'
import { levelNews } from './level-settings.ts'
import { type LocalCommand, takeLocalCommands } from './local-command.ts'
import { isClusterQuestion, NodeClusters } from './node-clusters.ts'
import { takeRefreshOrders } from './refresh-orders.ts'
import { sessionSettings, socketTuning } from './session-settings.ts'
import { serverTlsOf, sslSettings, tryCertificates } from './tls-contexts.ts'
import { type PredecessorReport, predecessorReport, upgradeLines } from './upgrade-view.ts'
import { type WorkerProcess, Workers } from './workers.ts'

const MAX_WORKERS = 16
/** A successor accepts clients when it knows its OB cluster, or when that cannot be waited for. */
const DISCOVERY_WAIT_MS = 5_000
const BEAT_MS = 1_000
const END_POLL_MS = 20
/** How far behind the deadline a worker may be before it is killed. */
const KILL_GRACE_MS = 2_000

export type SuccessorLink = Successor & { readonly tell: (report: PredecessorReport) => void }

export type SupervisorPort = {
  readonly config: ConfigStore
  readonly workdir: string
  /** Changes with each start on this directory. */
  readonly generation: Generation
  readonly spawn: (take: (message: Message) => void, lost: () => void) => WorkerProcess
  /** @throws Error when the file cannot be started. */
  readonly spawnSuccessor: (ended: (end: SuccessorEnd) => void) => SuccessorLink
  /** The process that hands over to this one. */
  readonly predecessor: { readonly pid: number; readonly isGone: () => boolean } | undefined
  /** This process is the proxy of the directory now: says so where others look. */
  readonly serving: () => void
  readonly exit: (code: 'ended' | 'failed') => void
  readonly log: Log
}

export class Supervisor {
  private readonly port: SupervisorPort
  private readonly config: ConfigStore
  private readonly handshakes = new Handshakes()
  private readonly unexpected = new UnexpectedErrors(systemClock, (what, times) =>
    this.broke(what, times),
  )
  /** Errors that nobody expected, here and in workers. */
  private unexpectedCount = 0
  private readonly metadata: MetadataConnections
  private readonly clusters: NodeClusters | undefined
  /** Keys of servers that execute something for a client, a beat ago. */
  private atWork: ReadonlySet<string> = new Set()
  private readonly workers: Workers
  private readonly handover: Handover
  private readonly exporter: ExporterPort
  private readonly traffic = new NodeTraffic()
  private isServing = false
  private isEnding = false
  /** Epoch milliseconds when clients are cut off; null: never; undefined: nobody has to go. */
  private deadline: number | null | undefined
  private successor: SuccessorLink | undefined
  private report: PredecessorReport | undefined
  private readonly certificates: CertificateWatch
  /** With what any cluster, tenant or address is to have. */
  private readonly tlsConfig: CertificateSettings

  constructor(port: SupervisorPort) {
    this.port = port
    this.config = port.config
    this.tlsConfig = {
      get: name => this.config.get(name),
      isOn: name => this.config.isOnAnywhere(name),
      timeMs: name => this.config.timeMs(name),
    }
    this.certificates = new CertificateWatch(this.tlsConfig, systemClock, {
      attempt: tryCertificates,
      changed: () => {
        this.port.log.inform('other certificates are in use')
        this.workers.apply()
      },
      broke: fault => this.port.log.error(`${fault.code}: ${fault.message}`),
    })
    const { config } = this
    const transport = tunedTransport(() => socketTuning(this.config))
    const serverTls: ServerTlsPort = {
      current: () => serverTlsOf(this.ssl()),
      failed: (server, reason) => this.tlsFailed(server, reason),
      secured: () => this.handshakes.ended('server', true),
    }
    this.metadata = new MetadataConnections(transport, systemClock, {
      passwords: cluster => PROXYRO_SLOTS.flatMap(name => this.stage1(name, cluster)),
      get timeoutMs() {
        return config.timeMs('short_async_task_timeout')
      },
      maxConnections: () => config.number('mysql_client_num'),
      tls: cluster => (config.at('enable_server_ssl', cluster) === 'True' ? serverTls : undefined),
    })
    this.clusters = this.isMysql() ? undefined : this.makeClusters(transport)
    this.workers = this.makeWorkers()
    this.handover = this.makeHandover()
    this.exporter = new ExporterPort({
      address: () => ({
        host: boundAddress(this.config).host,
        port: this.config.number('prometheus_listen_port'),
      }),
      answer: path => exporterAnswer(path, this.view()),
      clock: systemClock,
      log: port.log,
    })
  }

  /**
   * Starts discovery, the workers and the exporter; true when clients are accepted, false when this
   * process was told to end before.
   */
  async start(): Promise<boolean> {
    const isSuccessor = this.port.predecessor !== undefined
    this.certificates.start()
    this.config.onChange(names => {
      this.certificates.apply(names)
      this.port.log.inform(`parameters changed: ${names.join(', ')}`)
      this.workers.apply()
    })
    takeLocalCommands({
      config: this.config,
      clock: systemClock,
      refusal: command => this.refusal(command),
      carryOut: command => this.carryOut(command),
    })
    systemClock.every(BEAT_MS, () => this.beat())
    const loaded = this.clusters?.start()
    if (isSuccessor) await Promise.race([loaded, systemClock.sleep(DISCOVERY_WAIT_MS)])
    else this.port.serving()
    if (this.isEnding) return false
    this.workers.start()
    this.exporter.open(isSuccessor)
    await this.workers.whenListening()
    if (this.isEnding) return false
    this.isServing = true
    if (isSuccessor) this.port.serving()
    return true
  }

  /** The successor says that it serves. */
  successorReady(): void {
    this.handover.ready()
  }

  /** What the process before says of its clients. */
  heard(message: unknown): void {
    this.report = predecessorReport(message) ?? this.report
  }

  /** Accepts no more, gives clients `graceMs` to reach the end of a transaction, then ends. */
  stop(graceMs: number): void {
    this.handover.leave()
    this.leave(graceMs)
  }

  // --- parts

  private tlsFailed(server: ServerAddress, reason: string): void {
    this.handshakes.ended('server', false)
    this.port.log.error(`no TLS with server ${hostPort(server.host, server.port)}: ${reason}`)
  }

  private isMysql(): boolean {
    return this.config.get('server_routing_mode') === 'mysql'
  }

  private stage1(name: string, cluster: string): Uint8Array[] {
    const hex = this.config.at(name, cluster)
    return hex === '' ? [] : [Buffer.from(hex, 'hex')]
  }

  private makeClusters(transport: Transport): NodeClusters {
    const { config, port } = this
    const say = (line: string, isFailure: boolean) =>
      isFailure ? port.log.error(line) : port.log.inform(line)
    const directory = clusterDirectory(config, port.workdir, say)
    takeRefreshOrders({ config, clock: systemClock, directory })
    const clusters = new NodeClusters({
      directory,
      clock: systemClock,
      settings: () => clusterSettings(config),
      query: (server, sql, cluster) => this.metadata.query(server, sql, cluster),
      released: cluster => this.metadata.release(cluster),
      probe: (server, timeoutMs) => greets(transport, systemClock, server, timeoutMs),
      tell: news => this.workers.tell(news),
      isAtWork: key => this.atWork.has(key),
      say,
      broke: error => this.unexpected.note(error),
      random: Math.random,
    })
    takeExpiryOrders({ config, clock: systemClock, clusters })
    return clusters
  }

  private makeWorkers(): Workers {
    const ceiling = Math.min(MAX_WORKERS, this.config.number('work_thread_num'))
    const isAutomatic = this.config.isOn('automatic_match_work_thread')
    return new Workers({
      count: isAutomatic ? Math.min(ceiling, availableParallelism()) : ceiling,
      spawn: this.port.spawn,
      ids: () => ({ proxyId: this.config.number('proxy_id'), parity: this.port.generation }),
      settings: () => this.settings(),
      respond: question => this.answer(question),
      heard: message => this.workerSays(message),
      lost: (key, isExpected) => {
        this.traffic.workerLost(key)
        // A successor whose workers end is none; the process before goes on instead.
        if (!isExpected && !this.isServing && this.port.predecessor !== undefined)
          this.port.exit('failed')
      },
      log: this.port.log,
      clock: systemClock,
    })
  }

  private makeHandover(): Handover {
    const { config, port } = this
    return new Handover({
      clock: systemClock,
      spawn: ended => {
        this.successor = port.spawnSuccessor(ended)
        return this.successor
      },
      limits: () => ({
        readyMs: config.timeMs('hot_upgrade_rollback_timeout'),
        attempts: config.number('hot_upgrade_failure_retries'),
        pauseMs: config.timeMs('proxy_hot_upgrade_check_interval'),
      }),
      isAlone: () => port.predecessor?.isGone() ?? true,
      begun: () => config.freeze(),
      undone: () => {
        config.thaw()
        // It may have come as far as to say that it was the proxy.
        port.serving()
      },
      committed: () => {
        this.exporter.close()
        this.leave(config.timeMs('hot_upgrade_exit_timeout'))
        this.tellSuccessor()
      },
      resumed: () => this.resume(),
      say: (line, isFailure) => (isFailure ? port.log.error(line) : port.log.inform(line)),
    })
  }

  private ssl(): WorkerSettings['ssl'] {
    return sslSettings(this.tlsConfig, this.certificates.current)
  }

  private settings(): WorkerSettings {
    const [server] = this.isMysql() ? parseRootservices(this.config.get('test_server_addr')) : []
    return {
      mode: server === undefined ? { kind: 'oceanbase' } : { kind: 'mysql', server },
      serverVersion: this.config.get('mysql_version'),
      // Limits are per node (N2): the kernel spreads connections, so each worker takes its share.
      maxSessions:
        Math.ceil(this.config.number('client_max_connections') / this.workers.count) ||
        Number.MAX_SAFE_INTEGER,
      sessions: sessionSettings(this.config, this.workers.count),
      levels: levelNews(this.config),
      clusters: workerClusterSettings(this.config, this.workers.count),
      sockets: socketTuning(this.config),
      login: loginRulesOf(name => this.config.get(name)),
      drainMs: this.config.timeMs('hot_upgrade_exit_timeout'),
      slowQueryMs: this.config.timeMs('slow_query_time_threshold'),
      accounts: {
        root: this.config.get('obproxy_sys_password'),
        inspector: this.config.get('inspector_password'),
        allowsPublicAddresses: this.config.isOn('skip_proxy_sys_private_check'),
      },
      ssl: this.ssl(),
      trust: {
        proxyHeaders: this.config.get('proxy_protocol_sources'),
        clientIps: this.config.get('client_ip_sources'),
      },
    }
  }

  // --- commands to this process

  private refusal(command: LocalCommand): string | undefined {
    if (command !== 'restart') return undefined
    if (process.pid === 1)
      return '2 would end this container: the proxy is its first process and cannot be replaced'
    return this.handover.mayRestart ? undefined : `2 is under way: ${this.handover.state}`
  }

  private carryOut(command: LocalCommand): void {
    this.port.log.inform(`proxy_local_cmd: ${command}`)
    const exitTimeoutMs = this.config.timeMs('hot_upgrade_exit_timeout')
    if (command === 'restart') this.handover.restart()
    else if (command === 'exit') this.stop(this.config.timeMs('delay_exit_time'))
    else if (command === 'offline') {
      this.setDeadline(exitTimeoutMs)
      this.workers.drain(exitTimeoutMs)
    } else {
      this.deadline = undefined
      this.workers.stay()
    }
  }

  // --- the end, and back from it

  private setDeadline(timeoutMs: number): void {
    this.deadline = timeoutMs < 0 ? null : systemClock.now() + timeoutMs
  }

  private leave(timeoutMs: number): void {
    this.setDeadline(timeoutMs)
    this.workers.leave(timeoutMs)
    if (this.isEnding) return
    this.isEnding = true
    void this.endBehindWorkers()
  }

  private async endBehindWorkers(): Promise<void> {
    while (!this.workers.isGone && this.isEnding) {
      const isLate = systemClock.now() > (this.deadline ?? Number.POSITIVE_INFINITY) + KILL_GRACE_MS
      if (isLate) this.workers.kill()
      await systemClock.sleep(END_POLL_MS)
    }
    if (!this.isEnding) return
    this.handover.drained()
    this.clusters?.stop()
    this.metadata.stop()
    this.exporter.close()
    this.port.exit('ended')
  }

  /** The successor was lost after it had taken over: a new set of workers beside those that leave. */
  private resume(): void {
    this.isEnding = false
    this.deadline = undefined
    this.successor = undefined
    this.config.thaw()
    this.workers.start()
    this.exporter.open(true)
    this.port.serving()
  }

  // --- what happens meanwhile

  private async takeTraffic(): Promise<void> {
    for (const { key, answer } of await this.workers.ask({ ask: 'traffic' }))
      this.traffic.take(key, answer)
  }

  private beat(): void {
    void this.takeTraffic()
    void this.workers.ask({ ask: 'busy' }).then(answers => {
      this.atWork = new Set(answers.flatMap(({ answer }) => answer.servers))
      for (const { answer } of answers) for (const name of answer.clusters) this.clusters?.get(name)
    })
    if (this.handover.state === 'HU_STATE_WAIT_CR_FINISH') this.tellSuccessor()
  }

  /** The first time it says too that no worker of this process accepts clients any more. */
  private tellSuccessor(): void {
    const { deadline, successor } = this
    if (deadline === undefined) return
    void this.guests().then(guests =>
      successor?.tell({ status: this.handover.view().status, deadline, guests }),
    )
  }

  private async guests(): Promise<DrainReport> {
    const answers = await this.workers.ask({ ask: 'guests' })
    return summed(answers.map(({ answer }) => answer))
  }

  private workerSays(message: Message): void {
    if (isClusterReport(message)) this.clusters?.heard(message)
    else if (message.kind === 'tlsFailed') this.tlsFailed(message.server, message.reason)
    else if (message.kind === 'misrouted') this.port.log.warn(message.what)
    else if (message.kind === 'broke') this.broke(message.what, message.times)
    else if (message.kind === 'tlsEnded') this.handshakes.ended(message.side, message.isDone)
  }

  private broke(what: string, times: number): void {
    this.unexpectedCount += times
    this.port.log.error(`internal: ${what}${times > 1 ? ` (${times} times)` : ''}`)
  }

  /** What the worker cannot tell from silence is said here. */
  private async answer(question: Question): Promise<unknown> {
    try {
      return await this.respond(question)
    } catch (error) {
      if (isUnexpected(error)) this.unexpected.note(error)
      throw error
    }
  }

  private async respond(question: Question): Promise<unknown> {
    if (isClusterQuestion(question)) return (await this.clusters?.respond(question)) ?? null
    if (question.ask === 'processList') return this.processList(question)
    if (question.ask === 'killFor') return this.killFor(question)
    if (question.ask === 'admin') return this.admin(question.sql, question)
    throw new Error(`a worker asked for ${question.ask}`)
  }

  private admin(sql: string, session: AdminSession): Promise<AdminAnswer> {
    const { clusters, traffic, port } = this
    return runAdmin(sql, session, {
      ...(clusters === undefined ? {} : clusterViews(clusters)),
      config: this.config,
      certificates: this.certificates,
      sessions: () => this.allSessions(),
      kill: (connectionId, onlyQuery) => this.kill(connectionId, onlyQuery),
      availability: () => this.availability(),
      upgrade: () => this.upgrade(),
      counters: async isFresh => {
        if (isFresh) await this.takeTraffic()
        return nodeCounters(traffic, clusters, {
          ...port.log.lines,
          unexpected: this.unexpectedCount,
        })
      },
      digests: async () =>
        (await this.workers.ask({ ask: 'digests' })).flatMap(({ answer }) => answer),
      stale: async () => {
        const answers = await this.workers.ask({ ask: 'stale' })
        return staleReplicas(
          answers.flatMap(({ answer }) => answer),
          clusters,
        )
      },
      failed: error => this.port.log.error(`admin statement failed: ${String(error)}`),
    })
  }

  private async kill(connectionId: number, onlyQuery: boolean): Promise<boolean> {
    const answers = await this.workers.ask({ ask: 'kill', connectionId, onlyQuery })
    return answers.some(({ answer }) => answer)
  }

  private async allSessions(): Promise<readonly SessionRow[]> {
    const answers = await this.workers.ask({ ask: 'sessions' })
    return answers.flatMap(({ answer }) => answer)
  }

  /** The clients of all workers that the one who asks may see. */
  private async processList(question: Extract<Question, { ask: 'processList' }>) {
    return (await this.workers.ask(question)).flatMap(({ answer }) => answer)
  }

  private async killFor(question: Extract<Question, { ask: 'killFor' }>): Promise<KillOutcome> {
    const outcomes = (await this.workers.ask(question)).map(({ answer }) => answer)
    return outcomes.find(outcome => outcome !== 'unknown') ?? 'unknown'
  }

  private async availability(): Promise<Availability> {
    const { deadline } = this
    if (deadline === undefined) return 'ACTIVE'
    // Who ends is never left by all: it ends then.
    if (this.isEnding) return 'BE_INACTIVE'
    if (deadline !== null && systemClock.now() >= deadline) return 'INACTIVE'
    return (await this.guests()).ordinary === 0 ? 'INACTIVE' : 'BE_INACTIVE'
  }

  private async upgrade(): Promise<readonly string[]> {
    const { predecessor } = this.port
    return upgradeLines({
      ...this.handover.view(),
      pid: process.pid,
      attempts: this.config.number('hot_upgrade_failure_retries'),
      availability: await this.availability(),
      deadline: this.deadline,
      guests: await this.guests(),
      predecessor:
        predecessor === undefined
          ? undefined
          : { pid: predecessor.pid, isGone: predecessor.isGone(), report: this.report },
    })
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
      workersListening: this.workers.listeningCount,
      locationEntries: this.clusters?.entries ?? 0,
      configVersion: this.config.version,
      logLines: this.port.log.lines,
      isLoaded: this.clusters?.isLoaded ?? true,
      isDraining: this.deadline !== undefined,
      certificates: this.certificates.current.facts,
      isCertificateBroken: this.certificates.failure !== undefined,
      handshakes: this.handshakes.counts,
    }
  }
}
