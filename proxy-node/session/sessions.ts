/** All client sessions of one worker: accepts, counts, lists, and lets them go. */
import { Fault } from '#contract/fault'
import { Baselines } from '../backend/baseline.ts'
import type { TimerHandle } from '../base/clock.ts'
import type { Address, ConnectionEvents } from '../net/transport.ts'
import { KnownTexts } from '../sql/known-texts.ts'
import { KnownOks } from '../wire/known-oks.ts'
import { FrameScratch } from '../wire/ob20.ts'
import { type Busy, busyWith } from './busy.ts'
import { Canceller } from './cancel.ts'
import { ClientSession, type SessionKeeper } from './client-session.ts'
import { Detours } from './detours.ts'
import { Drain, type DrainPlan, type DrainReport, type DrainShare, drainReport } from './drain.ts'
import { Lobby } from './lobby.ts'
import { Placement, type TextUse } from './placement.ts'
import type { KillOutcome, ProcessRow, Requester, SessionDeps } from './ports.ts'
import { RouteDiagnosis } from './route-diagnosis.ts'
import { SessionRouteView } from './route-view.ts'
import { isSameAddress } from './servers.ts'
import { StatementDigests } from './statement-digests.ts'
import { WorkerTraffic } from './traffic.ts'

const BEAT_MS = 1_000
const DRAIN_STEP_MS = 25
/** How long a client that was told the end may take to read it before its process ends. */
const LINGER_MS = 500

export class Sessions {
  private readonly deps: SessionDeps
  private readonly open = new Map<number, ClientSession>()
  private readonly keeper: SessionKeeper = {
    closed: session => this.closed(session),
    leaving: () => {
      this.present -= 1
    },
    settled: session => this.settled(session),
  }
  private beat: TimerHandle | undefined
  private draining: Drain | undefined
  private drainSteps: TimerHandle | undefined
  /** When the last client that was not told the end was seen. */
  private lastGuestAt = 0
  accepted = 0
  /** Clients that were not told the end. */
  private present = 0
  private finishedStatements = 0

  readonly traffic = new WorkerTraffic()
  readonly digests: StatementDigests

  constructor(
    deps: Omit<
      SessionDeps,
      | 'cancel'
      | 'traffic'
      | 'digests'
      | 'diagnosis'
      | 'lobby'
      | 'baselines'
      | 'scratch'
      | 'oks'
      | 'isDraining'
      | 'routeView'
      | 'placement'
      | 'texts'
      | 'detours'
    >,
  ) {
    // An id of a client that is still here is not given again, however long it stays (N4).
    const nextConnectionId = () => {
      let id = deps.nextConnectionId()
      while (this.open.has(id)) id = deps.nextConnectionId()
      return id
    }
    this.digests = new StatementDigests(() => deps.settings().digests)
    const texts = new KnownTexts<TextUse>(() => ({
      digest: undefined,
      predicates: undefined,
      readings: 0,
    }))
    const canceller = new Canceller({ ...deps, nextConnectionId })
    this.deps = {
      ...deps,
      nextConnectionId,
      isDraining: () => this.draining !== undefined,
      traffic: this.traffic,
      digests: this.digests,
      diagnosis: new RouteDiagnosis(deps.clock, deps.misrouted),
      lobby: new Lobby(deps.settings),
      baselines: new Baselines(),
      scratch: new FrameScratch(),
      oks: new KnownOks(),
      routeView: new SessionRouteView(deps),
      texts,
      placement: new Placement(deps.clock.now, texts),
      detours: new Detours(),
      cancel: (login, victim, isWanted) => canceller.cancel(login, victim, isWanted),
    }
  }

  get size(): number {
    return this.open.size
  }

  /** Statements of all sessions, closed ones included. */
  get statements(): number {
    let sum = this.finishedStatements
    for (const session of this.open.values()) sum += session.statements
    return sum
  }

  /** The events of a new client; beyond the limit it is told so instead of being greeted, or an idle one goes. */
  accept(): ConnectionEvents {
    this.accepted += 1
    this.beat ??= this.deps.clock.every(BEAT_MS, () => {
      for (const session of this.open.values()) session.beat()
    })
    const session = new ClientSession(this.deps, this.keeper)
    const isFull = this.present >= this.deps.maxSessions() && !this.evict()
    this.present += 1
    this.open.set(session.id, session)
    if (isFull) session.turnAway('login.too-many')
    return session.events
  }

  /** Ends the client that has been idle for longest, where that is wanted; false when there is none. */
  private evict(): boolean {
    if (!this.deps.settings().evictsIdle) return false
    let oldest: ClientSession | undefined
    let since = Number.POSITIVE_INFINITY
    for (const session of this.open.values()) {
      const used = session.evictableSinceMs
      if (used === undefined || used >= since) continue
      oldest = session
      since = used
    }
    oldest?.giveUp(new Fault('session.evicted'))
    return oldest !== undefined
  }

  list(): readonly ClientSession[] {
    return [...this.open.values()]
  }

  /** Ends one session with 1317 to its client, or only what runs for it; false when it is not here. */
  kill(id: number, onlyQuery = false): boolean {
    const session = this.open.get(id)
    if (onlyQuery) session?.cancelStatement()
    else session?.giveUp(new Fault('session.killed'))
    return session !== undefined
  }

  /** The statement, or the whole session, of one client ends, if it is here and may be ended by `by`. */
  killFor(id: number, by: Requester, onlyQuery: boolean): KillOutcome {
    const session = this.open.get(id)
    const credentials = session?.credentials
    const isNear = credentials?.tenant === by.tenant && credentials.cluster === by.cluster
    if (session === undefined || !isNear) return 'unknown'
    if (credentials.identity.user !== by.user && !by.isPrivileged) return 'not-owner'
    if (onlyQuery) session.cancelStatement()
    else session.giveUp(new Fault('session.killed'))
    return 'done'
  }

  /** The sessions that `by` may see. */
  processRows(by: Requester): readonly ProcessRow[] {
    return this.list()
      .filter(({ credentials }) => {
        if (credentials?.tenant !== by.tenant || credentials.cluster !== by.cluster) return false
        return by.isPrivileged || credentials.identity.user === by.user
      })
      .map(session => session.processRow())
  }

  /**
   * Lets the clients go as `plan` says, what is accepted meanwhile too. A second call begins anew
   * with its own plan.
   */
  drain(plan: DrainPlan, sparesAdmins = false, share?: DrainShare): void {
    const { clock } = this.deps
    const startedAt = clock.now()
    const drain = new Drain({ ...plan, startedAt, sparesAdmins, ...(share && { share }) })
    this.stay()
    this.draining = drain
    this.lastGuestAt = startedAt
    const step = () => {
      drain.step(this.open.values(), clock.now())
      if (drain.isOver && sparesAdmins) this.stay()
    }
    step()
    if (this.draining === drain) this.drainSteps = clock.every(DRAIN_STEP_MS, step)
  }

  /** Nobody has to go any more. */
  stay(): void {
    this.drainSteps?.cancel()
    this.drainSteps = undefined
    this.draining = undefined
  }

  /** Nobody is there but clients that have had time to read that it is over. */
  get haveLeft(): boolean {
    if (this.open.size === 0) return true
    const now = this.deps.clock.now()
    for (const session of this.open.values()) if (!session.isLeaving) this.lastGuestAt = now
    return now - this.lastGuestAt >= LINGER_MS
  }

  /** What runs on this server is not going to end: its sessions are lost at once. */
  serverDied(address: Address): void {
    for (const { servers } of this.list())
      for (const server of servers.all()) if (isSameAddress(server.address, address)) server.drop()
  }

  busy(): Busy {
    return busyWith(this.open.values())
  }

  report(): DrainReport {
    return drainReport(this.open.values(), this.deps.clock.now())
  }

  /** Why not at once: the command's end is still being worked off, and may begin the next one. */
  private settled(session: ClientSession): void {
    const { draining } = this
    if (draining !== undefined) queueMicrotask(() => draining.settled(session))
  }

  private closed(session: ClientSession): void {
    this.open.delete(session.id)
    this.finishedStatements += session.statements
    if (this.open.size > 0) return
    this.beat?.cancel()
    this.beat = undefined
  }
}
