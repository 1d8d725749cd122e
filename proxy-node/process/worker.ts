/**
 * One worker: clients and their server sessions, on the inherited listening socket. What it does not
 * know it asks the supervisor; when the supervisor is gone it accepts no more, drains and ends (N3).
 */
import { PROXY_VERSION } from '#contract/version'
import { acceptsAdmin } from '../admin/accounts.ts'
import type { SessionRow } from '../admin/answer.ts'
import type { ServerTls } from '../backend/server-tls.ts'
import { AddressList } from '../base/address.ts'
import { systemClock } from '../base/clock.ts'
import { tunedTransport } from '../net/bun.ts'
import type { TlsContext } from '../net/tls.ts'
import type { Listener, Transport } from '../net/transport.ts'
import { UnexpectedErrors } from '../observe/unexpected.ts'
import { drainPlan } from '../session/drain.ts'
import type { Mode } from '../session/ports.ts'
import { Sessions } from '../session/sessions.ts'
import { makeTextTables } from '../topology/partition/text-tables.ts'
import {
  Channel,
  type IdRange,
  type Message,
  type Question,
  type WorkerSettings,
} from './channel.ts'
import { isClusterNews } from './cluster-messages.ts'
import { connectionIds } from './connection-ids.ts'
import { LevelSettings } from './level-settings.ts'
import { clientTlsOf, serverTlsOf } from './tls-contexts.ts'
import { WorkerClusters } from './worker-clusters.ts'

const LEAVE_STEP_MS = 25

/** What settings of TLS and trust are made into, once a change. */
type Trust = {
  readonly client: TlsContext | undefined
  readonly server: ServerTls | undefined
  readonly proxyHeaders: AddressList | undefined
  readonly clientIps: AddressList | undefined
}

function trustOf({ ssl, trust }: WorkerSettings): Trust {
  return {
    client: clientTlsOf(ssl),
    server: serverTlsOf(ssl),
    proxyHeaders: AddressList.parse(trust.proxyHeaders),
    clientIps: AddressList.parse(trust.clientIps),
  }
}

class Worker {
  private readonly channel: Channel
  private readonly exit: (code: number) => void
  private readonly listenDescriptor: number
  private settings: WorkerSettings
  private readonly transport: Transport = tunedTransport(() => this.settings.sockets)
  private trust: Trust
  private levels: LevelSettings
  private readonly sessions: Sessions
  readonly clusters: WorkerClusters
  private listener: Listener | undefined
  private isLeaving = false
  private readonly index: number
  private readonly workers: number

  constructor(
    start: { readonly settings: WorkerSettings; readonly ids: IdRange },
    channel: Channel,
    listenDescriptor: number,
    exit: (code: number) => void,
  ) {
    this.channel = channel
    this.exit = exit
    this.listenDescriptor = listenDescriptor
    this.settings = start.settings
    this.trust = trustOf(start.settings)
    this.index = start.ids.worker
    this.workers = start.ids.workers
    this.levels = new LevelSettings(start.settings.levels, start.settings, this.workers)
    const unexpected = new UnexpectedErrors(systemClock, (what, times) =>
      channel.send({ kind: 'broke', what, times }),
    )
    this.clusters = new WorkerClusters(channel, systemClock, {
      settings: () => this.settings.clusters,
      died: server => this.sessions.serverDied(server),
      broke: error => unexpected.note(error),
    })
    this.sessions = new Sessions({
      transport: this.transport,
      clock: systemClock,
      mode: this.mode(),
      admin: {
        accepts: (user, token, scramble, from) =>
          acceptsAdmin(this.settings.accounts, { user, token, scramble, from }),
        run: (user, sql, connectionId) => channel.ask({ ask: 'admin', user, sql, connectionId }),
      },
      serverVersion: () => this.settings.serverVersion,
      proxyVersion: PROXY_VERSION,
      settings: () => this.settings.sessions,
      settingsOf: place => this.levels.of(place),
      loginRules: vip => this.levels.loginRules(vip),
      peers: {
        list: by => channel.ask({ ask: 'processList', by }),
        kill: (id, by, onlyQuery) => channel.ask({ ask: 'killFor', id, by, onlyQuery }),
      },
      random: Math.random,
      nextConnectionId: connectionIds(start.ids),
      maxSessions: () => this.settings.maxSessions,
      entry: {
        tls: () => this.trust.client,
        tlsEnded: isDone => channel.send({ kind: 'tlsEnded', side: 'client', isDone }),
        mayBringHeader: address => this.trust.proxyHeaders?.contains(address) ?? false,
        mayNameClient: address => this.trust.clientIps?.contains(address) ?? false,
      },
      misrouted: what => channel.send({ kind: 'misrouted', what }),
      broke: error => unexpected.note(error),
      serverTls: {
        current: () => this.trust.server,
        failed: (server, reason) => channel.send({ kind: 'tlsFailed', server, reason }),
        secured: () => channel.send({ kind: 'tlsEnded', side: 'server', isDone: true }),
      },
    })
    this.applyLevels()
  }

  async listen(): Promise<void> {
    if (this.settings.mode.kind === 'oceanbase') makeTextTables()
    this.clusters.start()
    this.listener = await this.transport.listen({ fd: this.listenDescriptor }, () =>
      this.sessions.accept(),
    )
    // Told to leave before it had begun.
    if (this.isLeaving) this.listener.stop()
    else this.channel.send({ kind: 'listening' })
  }

  apply(settings: WorkerSettings): void {
    this.settings = settings
    this.trust = trustOf(settings)
    this.levels = new LevelSettings(settings.levels, settings, this.workers)
    this.applyLevels()
  }

  private applyLevels(): void {
    const { levels } = this
    this.sessions.traffic.slowFrom((cluster, tenant) => levels.slowMs(cluster, tenant))
  }

  respond(question: Question): Promise<unknown> {
    if (question.ask === 'sessions') return Promise.resolve(this.rows())
    if (question.ask === 'processList')
      return Promise.resolve(this.sessions.processRows(question.by))
    if (question.ask === 'killFor')
      return Promise.resolve(this.sessions.killFor(question.id, question.by, question.onlyQuery))
    if (question.ask === 'kill')
      return Promise.resolve(this.sessions.kill(question.connectionId, question.onlyQuery))
    if (question.ask === 'guests') return Promise.resolve(this.sessions.report())
    if (question.ask === 'digests') return Promise.resolve(this.sessions.digests.snapshot())
    if (question.ask === 'stale') return Promise.resolve(this.clusters.staleReplicas())
    if (question.ask === 'busy') return Promise.resolve(this.sessions.busy())
    return Promise.resolve(this.sessions.traffic.snapshot(this.sessions.list()))
  }

  /** Lets the clients go; when it `leaves`, accepts no more and ends behind the last of them. */
  drain(timeoutMs: number, leaves: boolean): void {
    if (leaves) this.listener?.stop()
    this.sessions.drain(drainPlan(timeoutMs), !leaves, {
      worker: this.index,
      of: this.workers,
    })
    if (!leaves || this.isLeaving) return
    this.isLeaving = true
    systemClock.every(LEAVE_STEP_MS, () => {
      if (this.sessions.haveLeft) this.exit(0)
    })
  }

  /** The supervisor is gone (N3). */
  orphaned(): void {
    this.drain(this.settings.drainMs, true)
  }

  stay(): void {
    if (!this.isLeaving) this.sessions.stay()
  }

  private mode(): Mode {
    const { mode } = this.settings
    if (mode.kind === 'mysql') return mode
    return { kind: 'oceanbase', directory: this.clusters }
  }

  private rows(): readonly SessionRow[] {
    return this.sessions.list().map(session => ({
      id: session.id,
      tenant: session.credentials?.tenant ?? '',
      user: session.credentials?.identity.user ?? '',
      host: session.clientAddress,
      database: session.memory.schema ?? '',
      statements: session.statements,
      serverSessions: session.serverSessionCount,
      state: session.state === 'idle' ? 'MCS_KEEP_ALIVE' : 'MCS_ACTIVE_READER',
      worker: this.index,
      pid: process.pid,
      usesSsl: session.isSecure,
    }))
  }
}

export type WorkerPort = {
  readonly listenDescriptor: number
  readonly post: (message: Message) => void
  readonly onMessage: (take: (message: Message) => void) => void
  readonly onSupervisorLost: (act: () => void) => void
  readonly exit: (code: number) => void
}

/** Runs until drained; everything begins with the supervisor's `start`. */
export function runWorker(port: WorkerPort): void {
  const channel = new Channel(port.post, systemClock)
  let worker: Worker | undefined
  port.onMessage(message => {
    if (message.kind === 'start') {
      worker = new Worker(message, channel, port.listenDescriptor, port.exit)
      worker.listen().catch(() => port.exit(6))
    } else if (message.kind === 'settings') worker?.apply(message.settings)
    else if (message.kind === 'drain') worker?.drain(message.timeoutMs, message.leaves)
    else if (message.kind === 'stay') worker?.stay()
    else if (isClusterNews(message)) worker?.clusters.hear(message)
    else channel.take(message, question => worker?.respond(question) ?? Promise.resolve(undefined))
  })
  port.onSupervisorLost(() => {
    channel.close()
    if (worker === undefined) port.exit(0)
    else worker.orphaned()
  })
}
