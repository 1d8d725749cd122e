/**
 * How clients leave: n of them over a time T on a straight slope, each between transactions, those
 * that are quiet before those that work; whoever is left at the deadline is cut off. What is decided
 * here is pure; `Sessions` steps it. Source: proxy-admin.md §4.4.
 */
import { Fault } from '#contract/fault'

/** Of a drain that never forces: idle clients still leave, on the slope of OBProxy's default. */
const ENDLESS_PACE_MS = 30_000
/** Bound of different reasons in a report; the rest is counted as one. */
const MAX_REASONS = 20
/** How long a client that has just come may take to its first command, at most a part of the slope. */
const NEWCOMER_MS = 1_000
const NEWCOMER_PART = 0.25

export type DrainPlan = {
  /** Over how long the slope goes down to no client. */
  readonly paceMs: number
  /** When the rest is cut off; infinite: never. */
  readonly deadlineMs: number
}

/** The plan for `hot_upgrade_exit_timeout`: below zero nobody is forced, zero is now. */
export function drainPlan(timeoutMs: number): DrainPlan {
  return timeoutMs < 0
    ? { paceMs: ENDLESS_PACE_MS, deadlineMs: Number.POSITIVE_INFINITY }
    : { paceMs: timeoutMs, deadlineMs: timeoutMs }
}

/** Which worker of how many drains; all of them begin together. */
export type DrainShare = { readonly worker: number; readonly of: number }

const ALONE: DrainShare = { worker: 0, of: 1 }

/**
 * How many of `clients` of one worker may still be there `elapsedMs` after the start of the slope. The
 * workers round in turn, so that the slope of the node is straight, too, when each has but a client or two.
 */
export function allowedClients(
  clients: number,
  paceMs: number,
  elapsedMs: number,
  { worker, of }: DrainShare = ALONE,
): number {
  if (elapsedMs >= paceMs) return 0
  const share = Math.min(paceMs, paceMs - elapsedMs) / paceMs
  return Math.ceil(share * clients + (worker + 1) / of) - 1
}

/** A client session as a drain sees it. */
export type Guest = {
  /** Between commands and outside a transaction. */
  readonly isIdle: boolean
  /** Was told the end; only its connection is still there. */
  readonly isLeaving: boolean
  readonly isAdmin: boolean
  /** Grows with each command. */
  readonly statements: number
  /** Why it is still there, in a few words of a small set. */
  readonly standing: string
  /** What it would lose with its connection, empty for nothing. */
  readonly pinned: string
  /** Epoch milliseconds of its transaction's begin, 0 outside one. */
  readonly transactionSince: number
  readonly giveUp: (fault: Fault) => void
}

export type DrainOptions = DrainPlan & {
  readonly startedAt: number
  /** Who goes offline still answers administrators and probes. */
  readonly sparesAdmins: boolean
  readonly share?: DrainShare
}

export class Drain {
  private readonly options: DrainOptions
  /** Most clients seen at once: one that came in at the last moment belongs to the slope too. */
  private most = 0
  /** So many are too many and were working when it was their turn. */
  private owed = 0
  /** Of who was there at the last step: its commands by then, and since when it has no more. */
  private quiet = new Map<Guest, { readonly statements: number; readonly since: number }>()
  isOver = false

  constructor(options: DrainOptions) {
    this.options = options
  }

  get deadline(): number {
    return this.options.startedAt + this.options.deadlineMs
  }

  /** Lets go whose turn it is. Called every few dozen milliseconds until `isOver`. */
  step(guests: Iterable<Guest>, now: number): void {
    const { startedAt, paceMs, deadlineMs, sparesAdmins, share } = this.options
    const elapsedMs = now - startedAt
    const present = [...guests].filter(
      guest => !guest.isLeaving && !(sparesAdmins && guest.isAdmin),
    )
    this.most = Math.max(this.most, present.length)
    if (elapsedMs >= deadlineMs) {
      this.isOver = true
      this.owed = 0
      for (const guest of present) letGo(guest)
      return
    }
    const tooMany = present.length - allowedClients(this.most, paceMs, elapsedMs, share)
    const isLate = elapsedMs >= paceMs
    const ready = present.filter(guest => guest.isIdle && (isLate || this.isQuiet(guest, now)))
    const chosen = ready.toSorted(leastLossFirst).slice(0, Math.max(0, tooMany))
    for (const guest of chosen) letGo(guest)
    this.owed = Math.max(0, tooMany - chosen.length)
    this.remember(present, now)
  }

  /** Since the last step; who has not asked for anything yet is given time to. */
  private isQuiet(guest: Guest, now: number): boolean {
    const seen = this.quiet.get(guest)
    if (seen === undefined || seen.statements !== guest.statements) return false
    const newcomerMs = Math.min(NEWCOMER_MS, this.options.paceMs * NEWCOMER_PART)
    return guest.statements > 0 || now - seen.since >= newcomerMs
  }

  private remember(present: readonly Guest[], now: number): void {
    const before = this.quiet
    this.quiet = new Map(
      present.map(guest => {
        const seen = before.get(guest)
        const { statements } = guest
        return [guest, seen?.statements === statements ? seen : { statements, since: now }]
      }),
    )
  }

  /** A command of `guest` has ended: it leaves now if the slope is behind. */
  settled(guest: Guest): void {
    if (this.owed === 0 || !guest.isIdle) return
    if (this.options.sparesAdmins && guest.isAdmin) return
    this.owed -= 1
    letGo(guest)
  }
}

function letGo(guest: Guest): void {
  guest.giveUp(new Fault('proxy.draining'))
}

function leastLossFirst(left: Guest, right: Guest): number {
  return lossOf(left) - lossOf(right)
}

function lossOf(guest: Guest): number {
  if (guest.isAdmin) return 2
  return guest.pinned === '' ? 0 : 1
}

/** Who is still there, and why. */
export type DrainReport = {
  readonly clients: number
  /** Without administrators. */
  readonly ordinary: number
  readonly longestTransactionMs: number
  readonly reasons: Readonly<Record<string, number>>
}

export function drainReport(guests: Iterable<Guest>, now: number): DrainReport {
  const reports = [...guests]
    .filter(guest => !guest.isLeaving)
    .map(guest => ({
      clients: 1,
      ordinary: guest.isAdmin ? 0 : 1,
      longestTransactionMs: guest.transactionSince === 0 ? 0 : now - guest.transactionSince,
      reasons: { [guest.standing]: 1 },
    }))
  return summed(reports)
}

/** One report of several; too many different reasons are counted as `others`. */
export function summed(reports: readonly DrainReport[]): DrainReport {
  const reasons = new Map<string, number>()
  for (const [reason, count] of reports.flatMap(report => Object.entries(report.reasons))) {
    const key = reasons.size < MAX_REASONS || reasons.has(reason) ? reason : 'others'
    reasons.set(key, (reasons.get(key) ?? 0) + count)
  }
  const sum = (of: (report: DrainReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0)
  return {
    clients: sum(({ clients }) => clients),
    ordinary: sum(({ ordinary }) => ordinary),
    longestTransactionMs: Math.max(0, ...reports.map(report => report.longestTransactionMs)),
    reasons: Object.fromEntries(reasons),
  }
}
