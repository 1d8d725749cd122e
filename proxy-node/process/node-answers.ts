/**
 * What is asked of the node as a whole, answered over all its workers: questions that clients put to one
 * of them, statements of tenant proxysys, and the exporter's pages.
 */
import { BUILD_NUMBER, PROXY_VERSION } from '#contract/version'
import type { AdminSession, Availability, CertificateView, SessionRow } from '../admin/answer.ts'
import { runAdmin } from '../admin/dispatch.ts'
import type { Clock } from '../base/clock.ts'
import { boundAddress } from '../config/bound-address.ts'
import type { ConfigStore } from '../config/store.ts'
import type { HttpAnswer } from '../net/http.ts'
import { type ExporterView, exporterAnswer } from '../observe/exporter.ts'
import type { Log } from '../observe/log.ts'
import { type DrainReport, summed } from '../session/drain.ts'
import type { AdminAnswer, KillOutcome, ProcessRow } from '../session/ports.ts'
import { isUnexpected } from '../topology/unanswered.ts'
import { clusterViews, nodeCounters, staleReplicas } from './admin-views.ts'
import type { Question } from './channel.ts'
import type { Departure } from './departure.ts'
import type { HandoverView } from './handover.ts'
import { isClusterQuestion, type NodeClusters } from './node-clusters.ts'
import type { NodeCounts } from './node-counts.ts'
import { type UpgradeView, upgradeLines } from './upgrade-view.ts'
import type { Workers } from './workers.ts'

export type NodeAnswersPort = {
  readonly config: ConfigStore
  readonly clock: Clock
  readonly log: Log
  readonly workers: Pick<Workers, 'ask' | 'listeningCount'>
  /** Undefined in mysql mode. */
  readonly clusters: NodeClusters | undefined
  readonly counts: NodeCounts
  readonly certificates: CertificateView
  readonly departure: Pick<Departure, 'deadline' | 'isEnding'>
  readonly handover: () => HandoverView
  /** The process that hands over to this one, by what it said last. */
  readonly predecessor: () => UpgradeView['predecessor']
}

export class NodeAnswers {
  private readonly port: NodeAnswersPort

  constructor(port: NodeAnswersPort) {
    this.port = port
  }

  /**
   * To a worker. What it cannot tell from silence is said here.
   * @throws Error when there is no answer; of that the worker hears.
   */
  async respond(question: Question): Promise<unknown> {
    try {
      return await this.answer(question)
    } catch (error) {
      if (isUnexpected(error)) this.port.counts.unexpected.note(error)
      throw error
    }
  }

  /** To a request of the exporter. */
  toExporter(path: string): HttpAnswer {
    return exporterAnswer(path, this.exporterView())
  }

  /** The clients that are still there, of all workers. */
  async guests(): Promise<DrainReport> {
    const answers = await this.port.workers.ask({ ask: 'guests' })
    return summed(answers.map(({ answer }) => answer))
  }

  private async answer(question: Question): Promise<unknown> {
    if (isClusterQuestion(question)) return (await this.port.clusters?.respond(question)) ?? null
    if (question.ask === 'processList') return this.processList(question)
    if (question.ask === 'killFor') return this.killFor(question)
    if (question.ask === 'admin') return this.admin(question.sql, question)
    throw new Error(`a worker asked for ${question.ask}`)
  }

  // --- for clients

  /** The clients of all workers that the one who asks may see. */
  private async processList(
    question: Extract<Question, { ask: 'processList' }>,
  ): Promise<readonly ProcessRow[]> {
    return (await this.port.workers.ask(question)).flatMap(({ answer }) => answer)
  }

  private async killFor(question: Extract<Question, { ask: 'killFor' }>): Promise<KillOutcome> {
    const outcomes = (await this.port.workers.ask(question)).map(({ answer }) => answer)
    return outcomes.find(outcome => outcome !== 'unknown') ?? 'unknown'
  }

  // --- for tenant proxysys

  private admin(sql: string, session: AdminSession): Promise<AdminAnswer> {
    const { workers, clusters, counts, config, certificates, log } = this.port
    return runAdmin(sql, session, {
      ...(clusters === undefined ? {} : clusterViews(clusters)),
      config,
      certificates,
      sessions: () => this.sessions(),
      kill: (connectionId, onlyQuery) => this.kill(connectionId, onlyQuery),
      availability: () => this.availability(),
      upgrade: () => this.upgrade(),
      counters: async isFresh => {
        if (isFresh) await counts.takeTraffic(workers)
        return nodeCounters(counts.traffic, clusters, counts.said)
      },
      digests: async () => (await workers.ask({ ask: 'digests' })).flatMap(({ answer }) => answer),
      stale: async () => {
        const answers = await workers.ask({ ask: 'stale' })
        return staleReplicas(
          answers.flatMap(({ answer }) => answer),
          clusters,
        )
      },
      failed: error => log.error(`admin statement failed: ${String(error)}`),
    })
  }

  private async sessions(): Promise<readonly SessionRow[]> {
    const answers = await this.port.workers.ask({ ask: 'sessions' })
    return answers.flatMap(({ answer }) => answer)
  }

  private async kill(connectionId: number, onlyQuery: boolean): Promise<boolean> {
    const answers = await this.port.workers.ask({ ask: 'kill', connectionId, onlyQuery })
    return answers.some(({ answer }) => answer)
  }

  private async availability(): Promise<Availability> {
    const { deadline, isEnding } = this.port.departure
    if (deadline === undefined) return 'ACTIVE'
    // Who ends is never left by all: it ends then.
    if (isEnding) return 'BE_INACTIVE'
    if (deadline !== null && this.port.clock.now() >= deadline) return 'INACTIVE'
    return (await this.guests()).ordinary === 0 ? 'INACTIVE' : 'BE_INACTIVE'
  }

  private async upgrade(): Promise<readonly string[]> {
    const { config, handover, departure, predecessor } = this.port
    return upgradeLines({
      ...handover(),
      pid: process.pid,
      attempts: config.number('hot_upgrade_failure_retries'),
      availability: await this.availability(),
      deadline: departure.deadline,
      guests: await this.guests(),
      predecessor: predecessor(),
    })
  }

  // --- for the exporter

  private exporterView(): ExporterView {
    const { config, workers, clusters, counts, certificates, departure, log } = this.port
    return {
      address: boundAddress(config).host,
      version: `${PROXY_VERSION}_${BUILD_NUMBER}`,
      application: config.get('app_name'),
      tenants: counts.traffic.totals(),
      costsInMs: config.isOn('prometheus_cost_ms_unit'),
      showsExtra: config.isOn('enable_extra_prometheus_metric'),
      maxSeries: config.number('monitor_item_limit'),
      workersListening: workers.listeningCount,
      locationEntries: clusters?.entries ?? 0,
      configVersion: config.version,
      logLines: log.lines,
      isLoaded: clusters?.isLoaded ?? true,
      isDraining: departure.deadline !== undefined,
      certificates: certificates.current.facts,
      isCertificateBroken: certificates.failure !== undefined,
      handshakes: counts.handshakes.counts,
    }
  }
}
