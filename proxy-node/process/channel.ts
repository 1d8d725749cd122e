/**
 * What supervisor and workers tell each other, over the runtime's message channel of a child
 * process. Questions carry a number; an answer that does not come within the deadline is an error.
 */

import type { ServerSslMode, TlsVersion } from '#contract/ssl-settings'
import type { DigestSnapshot, TenantSnapshot } from '#contract/telemetry'
import type { SessionRow } from '../admin/answer.ts'
import type { LoginRules } from '../auth/identity.ts'
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Tuning } from '../net/socket-tuning.ts'
import type { StaleRecord } from '../routing/stale-replicas.ts'
import type { Busy } from '../session/busy.ts'
import type { DrainReport } from '../session/drain.ts'
import type {
  AdminAnswer,
  KillOutcome,
  ProcessRow,
  Requester,
  SessionSettings,
} from '../session/ports.ts'
import { QUESTION_MS } from '../topology/cluster.ts'
import type { ServerAddress, TenantServers } from '../topology/model.ts'
import type { PartitionEntry, RoutineEntry, TableEntry } from '../topology/table-entry.ts'
import { Unanswered } from '../topology/unanswered.ts'
import type { ClusterFacts, ClusterNews, ClusterReport } from './cluster-messages.ts'
import type { LevelNews } from './level-settings.ts'
import type { WorkerClusterSettings } from './worker-clusters.ts'

/** What a worker needs to know of the configuration; sent at start and after each change. */
export type WorkerSettings = {
  readonly mode:
    | { readonly kind: 'mysql'; readonly server: ServerAddress }
    | { readonly kind: 'oceanbase' }
  readonly serverVersion: string
  readonly clusters: WorkerClusterSettings
  readonly maxSessions: number
  readonly sessions: SessionSettings
  readonly levels: LevelNews
  /** Of new connections. */
  readonly sockets: Tuning
  readonly login: LoginRules
  readonly drainMs: number
  readonly slowQueryMs: number
  readonly accounts: {
    readonly root: string
    readonly inspector: string
    readonly allowsPublicAddresses: boolean
  }
  readonly ssl: {
    /** PEM texts; empty: clients are offered no TLS. */
    readonly cert: string
    readonly key: string
    readonly minVersion: TlsVersion
    /** Towards servers; null: none. `ca` is PEM text. */
    readonly server: { readonly mode: ServerSslMode; readonly ca: string } | null
  }
  /** Lists of networks: who may bring a PROXY header, who may name a client's address. */
  readonly trust: { readonly proxyHeaders: string; readonly clientIps: string }
}

export type IdRange = {
  readonly proxyId: number
  readonly parity: 0 | 1
  readonly worker: number
  readonly workers: number
  readonly start: number
}

export type Question =
  /** By the name of a login; null: the first. */
  | { readonly ask: 'cluster'; readonly name: string | null }
  | { readonly ask: 'tenant'; readonly cluster: string; readonly tenant: string }
  | {
      readonly ask: 'table' | 'partition'
      readonly cluster: string
      readonly key: string
      /** As it is now, whatever is known. */
      readonly isRenewed: boolean
    }
  | { readonly ask: 'routine'; readonly cluster: string; readonly key: string }
  | {
      readonly ask: 'admin'
      readonly user: string
      readonly sql: string
      readonly connectionId: number
    }
  | { readonly ask: 'kill'; readonly connectionId: number; readonly onlyQuery: boolean }
  | { readonly ask: 'processList'; readonly by: Requester }
  | {
      readonly ask: 'killFor'
      readonly id: number
      readonly by: Requester
      readonly onlyQuery: boolean
    }
  | { readonly ask: 'sessions' }
  | { readonly ask: 'traffic' }
  | { readonly ask: 'guests' }
  /** Keys of servers that execute something for a client. */
  | { readonly ask: 'busy' }
  /** Statements by what they have in common. */
  | { readonly ask: 'digests' }
  /** Replicas that were too old for weak reads. */
  | { readonly ask: 'stale' }

/** What a worker remembers of one OB cluster. */
export type WorkerStale = {
  readonly cluster: string
  readonly records: readonly StaleRecord[]
}

export type AnswerOf = {
  /** Null: this node has no such cluster. */
  cluster: ClusterFacts | null
  tenant: TenantServers
  table: TableEntry | null
  partition: PartitionEntry | null
  routine: RoutineEntry | null
  admin: AdminAnswer
  /** Whether the session was there. */
  kill: boolean
  processList: readonly ProcessRow[]
  killFor: KillOutcome
  sessions: readonly SessionRow[]
  traffic: readonly TenantSnapshot[]
  /** Who is still there, and why. */
  guests: DrainReport
  busy: Busy
  digests: readonly DigestSnapshot[]
  stale: readonly WorkerStale[]
}

export type Message =
  | { readonly kind: 'start'; readonly settings: WorkerSettings; readonly ids: IdRange }
  | { readonly kind: 'settings'; readonly settings: WorkerSettings }
  | { readonly kind: 'listening' }
  /** Lets clients go; who leaves also accepts no more, and ends behind the last of them. */
  | { readonly kind: 'drain'; readonly timeoutMs: number; readonly leaves: boolean }
  /** Nobody has to go any more. */
  | { readonly kind: 'stay' }
  | ClusterNews
  | ClusterReport
  | { readonly kind: 'tlsFailed'; readonly server: ServerAddress; readonly reason: string }
  /** A handshake; of those with servers only the ones that succeeded. */
  | { readonly kind: 'tlsEnded'; readonly side: 'client' | 'server'; readonly isDone: boolean }
  /** A statement came to a server that did not have its partition; for the log. */
  | { readonly kind: 'misrouted'; readonly what: string }
  /** An error that nobody expected, as text. */
  | { readonly kind: 'broke'; readonly what: string; readonly times: number }
  | { readonly kind: 'question'; readonly number: number; readonly question: Question }
  | { readonly kind: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly number: number; readonly message: string }

/** Bound of questions under way on one channel. */
const MAX_OPEN = 10_000

type Open = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: TimerHandle
}

export class Channel {
  private readonly post: (message: Message) => void
  private readonly clock: Clock
  private readonly open = new Map<number, Open>()
  private next = 1

  constructor(post: (message: Message) => void, clock: Clock) {
    this.post = post
    this.clock = clock
  }

  send(message: Message): void {
    this.post(message)
  }

  /** @throws Unanswered: at the deadline, or when the other side failed, which has said why where it is. */
  ask<Q extends Question>(question: Q): Promise<AnswerOf[Q['ask']]> {
    if (this.open.size >= MAX_OPEN)
      return Promise.reject(new Unanswered('too many questions under way'))
    const number = this.next++
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(QUESTION_MS, () => {
        this.open.delete(number)
        reject(new Unanswered(`no answer to ${question.ask} within ${QUESTION_MS / 1000} s`))
      })
      this.open.set(number, {
        resolve: value => resolve(value as AnswerOf[Q['ask']]),
        reject,
        timer,
      })
      this.post({ kind: 'question', number, question })
    })
  }

  /** Settles an answer, or answers a question with `respond`; false for any other message. */
  take(message: Message, respond: (question: Question) => Promise<unknown>): boolean {
    if (message.kind === 'question') {
      const { number } = message
      respond(message.question).then(
        value => this.post({ kind: 'answer', number, value }),
        (error: Error) => this.post({ kind: 'failed', number, message: error.message }),
      )
      return true
    }
    if (message.kind !== 'answer' && message.kind !== 'failed') return false
    const open = this.open.get(message.number)
    this.open.delete(message.number)
    open?.timer.cancel()
    if (message.kind === 'answer') open?.resolve(message.value)
    else open?.reject(new Unanswered(message.message))
    return true
  }

  /** Rejects everything under way: the other side is gone. */
  close(): void {
    for (const { reject, timer } of this.open.values()) {
      timer.cancel()
      reject(new Unanswered('the other process is gone'))
    }
    this.open.clear()
  }
}
