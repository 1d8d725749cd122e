/**
 * The supervisor: owns the listening socket, configuration, discovery, the metadata logins and the
 * exporter; keeps a worker a core (N2), and hands all of it over to its successor. Here its parts are put
 * together, started and ended.
 */
import { availableParallelism } from 'node:os'
import { MetadataConnections } from '../backend/metadata.ts'
import { greets } from '../backend/probe.ts'
import type { ServerTlsPort } from '../backend/server-tls.ts'
import { systemClock } from '../base/clock.ts'
import { boundAddress } from '../config/bound-address.ts'
import { type CertificateSettings, CertificateWatch } from '../config/certificate-watch.ts'
import type { ConfigStore } from '../config/store.ts'
import { tunedTransport } from '../net/bun.ts'
import type { Transport } from '../net/transport.ts'
import type { Log } from '../observe/log.ts'
import type { Message, WorkerSettings } from './channel.ts'
import { isClusterReport } from './cluster-messages.ts'
import { clusterSettings } from './cluster-settings.ts'
import { Departure } from './departure.ts'
import { clusterDirectory } from './directory.ts'
import { takeExpiryOrders } from './expiry-orders.ts'
import { ExporterPort } from './exporter-port.ts'
import { Handover, type Successor, type SuccessorEnd } from './handover.ts'
import type { Generation } from './inherited.ts'
import { type LocalCommand, takeLocalCommands } from './local-command.ts'
import { metadataLogin } from './metadata-login.ts'
import { NodeAnswers } from './node-answers.ts'
import { NodeClusters } from './node-clusters.ts'
import { NodeCounts } from './node-counts.ts'
import { takeRefreshOrders } from './refresh-orders.ts'
import { socketTuning } from './session-settings.ts'
import { serverTlsOf, sslSettings, tryCertificates } from './tls-contexts.ts'
import { type PredecessorReport, predecessorReport, type UpgradeView } from './upgrade-view.ts'
import { isMysqlMode, workerSettings } from './worker-settings.ts'
import { type WorkerProcess, Workers } from './workers.ts'

const MAX_WORKERS = 16
/** A successor accepts clients when it knows its OB cluster, or when that cannot be waited for. */
const DISCOVERY_WAIT_MS = 5_000
const BEAT_MS = 1_000

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
  private readonly counts: NodeCounts
  private readonly metadata: MetadataConnections
  private readonly clusters: NodeClusters | undefined
  /** Keys of servers that execute something for a client, a beat ago. */
  private atWork: ReadonlySet<string> = new Set()
  private readonly workers: Workers
  private readonly departure: Departure
  private readonly handover: Handover
  private readonly answers: NodeAnswers
  private readonly exporter: ExporterPort
  private isServing = false
  private successor: SuccessorLink | undefined
  /** What the process before said last. */
  private report: PredecessorReport | undefined
  private readonly certificates: CertificateWatch
  /** With what any cluster, tenant or address is to have. */
  private readonly tlsConfig: CertificateSettings

  constructor(port: SupervisorPort) {
    this.port = port
    this.config = port.config
    this.counts = new NodeCounts(port.log, systemClock)
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
    const transport = tunedTransport(() => socketTuning(this.config))
    this.metadata = this.makeMetadata(transport)
    this.clusters = isMysqlMode(this.config) ? undefined : this.makeClusters(transport)
    this.workers = this.makeWorkers()
    this.departure = new Departure({
      workers: this.workers,
      clock: systemClock,
      ended: () => this.end(),
    })
    this.handover = this.makeHandover()
    this.answers = this.makeAnswers()
    this.exporter = new ExporterPort({
      address: () => ({
        host: boundAddress(this.config).host,
        port: this.config.number('prometheus_listen_port'),
      }),
      answer: path => this.answers.toExporter(path),
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
    if (this.departure.isEnding) return false
    this.workers.start()
    this.exporter.open(isSuccessor)
    await this.workers.whenListening()
    if (this.departure.isEnding) return false
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
    this.departure.leave(graceMs)
  }

  // --- parts

  private makeMetadata(transport: Transport): MetadataConnections {
    const serverTls: ServerTlsPort = {
      current: () => serverTlsOf(this.ssl()),
      failed: (server, reason) => this.counts.tlsFailed(server, reason),
      secured: () => this.counts.handshakes.ended('server', true),
    }
    return new MetadataConnections(transport, systemClock, metadataLogin(this.config, serverTls))
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
      broke: error => this.counts.unexpected.note(error),
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
      settings: () => workerSettings(this.config, this.workers.count, this.ssl()),
      respond: question => this.answers.respond(question),
      heard: message => this.workerSays(message),
      lost: (key, isExpected) => {
        this.counts.traffic.workerLost(key)
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
        this.departure.leave(config.timeMs('hot_upgrade_exit_timeout'))
        this.tellSuccessor()
      },
      resumed: () => this.resume(),
      say: (line, isFailure) => (isFailure ? port.log.error(line) : port.log.inform(line)),
    })
  }

  private makeAnswers(): NodeAnswers {
    const { config, port, workers, clusters, counts, certificates, departure } = this
    return new NodeAnswers({
      config,
      clock: systemClock,
      log: port.log,
      workers,
      clusters,
      counts,
      certificates,
      departure,
      handover: () => this.handover.view(),
      predecessor: () => this.predecessorView(),
    })
  }

  private predecessorView(): UpgradeView['predecessor'] {
    const { predecessor } = this.port
    if (predecessor === undefined) return undefined
    return { pid: predecessor.pid, isGone: predecessor.isGone(), report: this.report }
  }

  private ssl(): WorkerSettings['ssl'] {
    return sslSettings(this.tlsConfig, this.certificates.current)
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
    if (command === 'restart') this.handover.restart()
    else if (command === 'exit') this.stop(this.config.timeMs('delay_exit_time'))
    else if (command === 'offline')
      this.departure.drain(this.config.timeMs('hot_upgrade_exit_timeout'))
    else this.departure.stay()
  }

  // --- the end, and back from it

  /** Behind the workers. */
  private end(): void {
    this.handover.drained()
    this.clusters?.stop()
    this.metadata.stop()
    this.exporter.close()
    this.port.exit('ended')
  }

  /** The successor was lost after it had taken over: a new set of workers beside those that leave. */
  private resume(): void {
    this.departure.callOff()
    this.successor = undefined
    this.config.thaw()
    this.workers.start()
    this.exporter.open(true)
    this.port.serving()
  }

  // --- what happens meanwhile

  private beat(): void {
    void this.counts.takeTraffic(this.workers)
    void this.workers.ask({ ask: 'busy' }).then(answers => {
      this.atWork = new Set(answers.flatMap(({ answer }) => answer.servers))
      for (const { answer } of answers) for (const name of answer.clusters) this.clusters?.get(name)
    })
    if (this.handover.state === 'HU_STATE_WAIT_CR_FINISH') this.tellSuccessor()
  }

  /** The first time it says too that no worker of this process accepts clients any more. */
  private tellSuccessor(): void {
    const { successor } = this
    const { deadline } = this.departure
    if (deadline === undefined) return
    void this.answers
      .guests()
      .then(guests => successor?.tell({ status: this.handover.view().status, deadline, guests }))
  }

  private workerSays(message: Message): void {
    if (isClusterReport(message)) this.clusters?.heard(message)
    else this.counts.heard(message)
  }
}
