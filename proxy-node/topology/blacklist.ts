/**
 * Which servers are avoided, and why: one verdict a server from three witnesses, its state as reported,
 * the traffic, and detection. A state machine over three flags; time comes with each event.
 * Source: proxy-routing.md §9.
 */
import { FAILURES, FailureHistory, type FailureKind } from './failures.ts'
import {
  CONGESTED,
  type Server,
  type ServerAddress,
  type ServerState,
  type Verdicts,
} from './model.ts'

/** Read whenever it is needed: every one of them is live. */
export type BlacklistSettings = {
  /** `congestion_failure_threshold`; 0: traffic is no witness. */
  readonly failureThreshold: number
  /** `congestion_fail_window`. */
  readonly failWindowMs: number
  /** `congestion_retry_interval`. */
  readonly retryIntervalMs: number
  /** `min_keep_congestion_interval`. */
  readonly minKeepMs: number
  /** `server_detect_mode`: 0 none, 1 servers there is a reason to probe, 2 all. */
  readonly detectMode: number
  /** `server_detect_fail_threshold`. */
  readonly detectFailThreshold: number
}

export type StandingEvent =
  /** Reported INACTIVE or REPLAY. */
  | 'reportedUnfit'
  /** Reported ACTIVE when it was not for a short while: it has to prove itself. */
  | 'returnedEarly'
  /** Reported ACTIVE when it was not for a long while. */
  | 'returnedLate'
  /** Reported ACTIVE, and the last failure is long past. */
  | 'trafficForgiven'
  | 'failuresReached'
  | 'probesFailed'
  | 'probeSucceeded'
  /** Nobody probes any more: detection is no witness. */
  | 'detectionOff'

const { dead, alive, detected } = CONGESTED

/** What an event makes of the flags of a server: some are set, some are cleared, whatever they were. */
export const STANDING_TABLE: Readonly<
  Record<StandingEvent, { readonly sets: number; readonly clears: number }>
> = {
  reportedUnfit: { sets: dead, clears: 0 },
  returnedEarly: { sets: alive, clears: dead },
  returnedLate: { sets: 0, clears: dead | alive | detected },
  trafficForgiven: { sets: 0, clears: alive },
  failuresReached: { sets: alive, clears: 0 },
  probesFailed: { sets: detected, clears: 0 },
  probeSucceeded: { sets: 0, clears: detected | alive },
  detectionOff: { sets: 0, clears: detected },
}

export function nextStanding(flags: number, event: StandingEvent): number {
  const { sets, clears } = STANDING_TABLE[event]
  return (flags & ~clears) | sets
}

export type WitnessName = 'reported' | 'traffic' | 'detection'

/** One witness that speaks against a server; times are of the caller's clock. */
export type Testimony = {
  readonly witness: WitnessName
  readonly because: string
  readonly sinceMs: number
  /** When it may have a statement again at the earliest; undefined: that depends on what is heard. */
  readonly untilMs: number | undefined
  readonly until: string
}

/** A flag, and when it changed last; 0: never. */
export type Flag = { readonly isSet: boolean; readonly changedAtMs: number }

/** All that is known of one server (§12.2). */
export type Standing = {
  readonly server: ServerAddress
  readonly key: string
  readonly state: ServerState
  readonly stateSinceMs: number
  readonly dead: Flag
  readonly alive: Flag
  readonly detected: Flag
  /** In the window: failures of all kinds, and those to connect. */
  readonly failures: number
  readonly connectFailures: number
  /** Ever. */
  readonly failureEvents: number
  readonly connectFailureEvents: number
  /** 0: none. */
  readonly lastFailureAtMs: number
  readonly lastConnectFailureAtMs: number
  readonly probeFailures: number
  /** None: it is not avoided. */
  readonly testimonies: readonly Testimony[]
}

type Entry = {
  readonly key: string
  server: ServerAddress
  state: ServerState
  stateSinceMs: number
  flags: number
  readonly changedAtMs: { dead: number; alive: number; detected: number }
  readonly failures: FailureHistory
  readonly connects: FailureHistory
  lastFailure: FailureKind | undefined
  /** Of the last failure or the last statement that was let through. */
  triedAtMs: number
  probeFailures: number
  /** Probes that began before are of another time. */
  probedSinceMs: number
}

export type BlacklistChange = {
  readonly key: string
  readonly flags: number
  /** Of the last failure, or of the change: from then on the retry interval counts. */
  readonly atMs: number
}

export class Blacklist implements Verdicts {
  private readonly settings: () => BlacklistSettings
  private readonly changed: (change: BlacklistChange) => void
  /** As many as the last server list had. */
  private readonly entries = new Map<string, Entry>()
  /** By which numbers failures were counted; -1: none was. */
  private countedBy = { failureThreshold: -1, failWindowMs: -1 }

  /** `changed` hears of each change of a server's flags; one that is removed has none. */
  constructor(settings: () => BlacklistSettings, changed: (change: BlacklistChange) => void) {
    this.settings = settings
    this.changed = changed
  }

  get size(): number {
    return this.entries.size
  }

  get isEmpty(): boolean {
    for (const { flags } of this.entries.values()) if (flags !== 0) return false
    return true
  }

  congestionOf(key: string): number {
    return this.entries.get(key)?.flags ?? 0
  }

  letsOneThrough(key: string, nowMs: number): boolean {
    const entry = this.entries.get(key)
    const { detectMode, retryIntervalMs } = this.settings()
    if (entry === undefined || detectMode !== 0 || entry.flags !== alive) return false
    if (nowMs - entry.triedAtMs < retryIntervalMs) return false
    entry.triedAtMs = nowMs
    return true
  }

  /** Servers as last reported: new ones are trusted, those that are missing are forgotten (§9.3). */
  reported(servers: Iterable<Server>, nowMs: number): void {
    const heard = new Set<string>()
    for (const server of servers) {
      heard.add(server.key)
      this.hear(server, nowMs)
    }
    for (const [key, { flags }] of this.entries) {
      if (heard.has(key)) continue
      this.entries.delete(key)
      if (flags !== 0) this.changed({ key, flags: 0, atMs: nowMs })
    }
  }

  /** The server has failed a statement or a connect. Of servers that no list names nothing is kept. */
  failed(key: string, kind: FailureKind, nowMs: number): void {
    const entry = this.entries.get(key)
    const settings = this.settings()
    if (entry === undefined) return
    this.forgetIfChanged(settings)
    this.count(entry, kind, nowMs)
    const { failureThreshold, failWindowMs } = settings
    if (failureThreshold === 0) return
    if (entry.failures.within(nowMs, failWindowMs) >= failureThreshold)
      this.move(entry, 'failuresReached', nowMs)
  }

  /**
   * How a probe that began at `startedAtMs` has ended. True: the server is dead since just now. What
   * began before the server's standing changed tells of another time, and is ignored (§9.5).
   */
  probed(key: string, wasAnswered: boolean, startedAtMs: number, nowMs: number): boolean {
    const entry = this.entries.get(key)
    if (entry === undefined || startedAtMs < entry.probedSinceMs) return false
    if (wasAnswered) {
      // Failures after it began are newer than what it says; a failed one agrees with them.
      if (startedAtMs < entry.changedAtMs.alive) return false
      entry.probeFailures = 0
      this.move(entry, 'probeSucceeded', nowMs)
      return false
    }
    entry.probeFailures += 1
    if (entry.probeFailures < this.settings().detectFailThreshold) return false
    const wasDetected = (entry.flags & detected) !== 0
    this.move(entry, 'probesFailed', nowMs)
    return !wasDetected
  }

  /** `server_detect_mode` is 0: what detection has said holds no more. */
  detectionIsOff(nowMs: number): void {
    for (const entry of this.entries.values()) {
      entry.probeFailures = 0
      this.move(entry, 'detectionOff', nowMs)
    }
  }

  /** Whether there is a reason to probe it, beside statements that it runs (§9.5). */
  wantsProbe(key: string): boolean {
    const entry = this.entries.get(key)
    return (
      entry !== undefined && (entry.probeFailures > 0 || (entry.flags & (alive | detected)) !== 0)
    )
  }

  servers(): IterableIterator<{ readonly key: string; readonly server: ServerAddress }> {
    return this.entries.values()
  }

  /** The servers that are avoided, for who begins to keep a copy. */
  avoided(): readonly BlacklistChange[] {
    return [...this.entries.values()].flatMap(({ key, flags, triedAtMs: atMs }) =>
      flags === 0 ? [] : [{ key, flags, atMs }],
    )
  }

  /** Undefined: no list names the server. */
  standingOf(key: string, nowMs: number): Standing | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    const { failWindowMs } = this.settings()
    const { failures, connects, changedAtMs } = entry
    return {
      server: entry.server,
      key,
      state: entry.state,
      stateSinceMs: entry.stateSinceMs,
      dead: { isSet: (entry.flags & dead) !== 0, changedAtMs: changedAtMs.dead },
      alive: { isSet: (entry.flags & alive) !== 0, changedAtMs: changedAtMs.alive },
      detected: { isSet: (entry.flags & detected) !== 0, changedAtMs: changedAtMs.detected },
      failures: failures.within(nowMs, failWindowMs),
      connectFailures: connects.within(nowMs, failWindowMs),
      failureEvents: failures.total,
      connectFailureEvents: connects.total,
      lastFailureAtMs: failures.lastAtMs,
      lastConnectFailureAtMs: connects.lastAtMs,
      probeFailures: entry.probeFailures,
      testimonies: this.testimonies(entry),
    }
  }

  private hear({ key, address, state }: Server, nowMs: number): void {
    const entry = this.entries.get(key) ?? newEntry(key, address, state, nowMs)
    this.entries.set(key, entry)
    entry.server = address
    if (entry.state !== state) {
      entry.state = state
      entry.stateSinceMs = nowMs
    }
    if (state === 'INACTIVE' || state === 'REPLAY') this.move(entry, 'reportedUnfit', nowMs)
    else if (state === 'ACTIVE') this.heardActive(entry, nowMs)
  }

  private heardActive(entry: Entry, nowMs: number): void {
    const { minKeepMs } = this.settings()
    const isLongSince = (sinceMs: number) => nowMs - sinceMs >= minKeepMs
    if ((entry.flags & dead) !== 0) {
      if (isLongSince(entry.changedAtMs.dead)) {
        entry.probeFailures = 0
        this.move(entry, 'returnedLate', nowMs)
        return
      }
      entry.failures.count(nowMs, this.settings().failWindowMs)
      entry.triedAtMs = nowMs
      entry.lastFailure = undefined
      this.move(entry, 'returnedEarly', nowMs)
    } else if ((entry.flags & alive) !== 0 && isLongSince(entry.changedAtMs.alive))
      this.move(entry, 'trafficForgiven', nowMs)
  }

  private count(entry: Entry, kind: FailureKind, nowMs: number): void {
    const { failWindowMs } = this.settings()
    entry.failures.count(nowMs, failWindowMs)
    if (FAILURES[kind].isOfConnecting) entry.connects.count(nowMs, failWindowMs)
    entry.lastFailure = kind
    entry.triedAtMs = nowMs
  }

  /** What was counted by other rules is of no use (§9.4). */
  private forgetIfChanged({ failureThreshold, failWindowMs }: BlacklistSettings): void {
    const { countedBy } = this
    const isSame =
      countedBy.failureThreshold === failureThreshold && countedBy.failWindowMs === failWindowMs
    if (isSame) return
    this.countedBy = { failureThreshold, failWindowMs }
    for (const { failures, connects } of this.entries.values()) {
      failures.clear()
      connects.clear()
    }
  }

  private move(entry: Entry, event: StandingEvent, nowMs: number): void {
    const before = entry.flags
    const flags = nextStanding(before, event)
    if (flags === before) return
    entry.flags = flags
    const changes = flags ^ before
    const { changedAtMs } = entry
    if ((changes & dead) !== 0) changedAtMs.dead = nowMs
    if ((changes & alive) !== 0) changedAtMs.alive = nowMs
    if ((changes & detected) !== 0) changedAtMs.detected = nowMs
    if ((changes & (dead | detected)) !== 0) entry.probedSinceMs = nowMs
    if ((before & alive) !== 0 && (flags & alive) === 0) entry.failures.clear()
    this.changed({ key: entry.key, flags, atMs: nowMs })
  }

  private testimonies(entry: Entry): readonly Testimony[] {
    const { detectMode, retryIntervalMs } = this.settings()
    const { flags, changedAtMs } = entry
    const found: Testimony[] = []
    if ((flags & dead) !== 0)
      found.push({
        witness: 'reported',
        because: `it is ${entry.state}`,
        sinceMs: changedAtMs.dead,
        untilMs: undefined,
        until: 'until it is reported ACTIVE',
      })
    if ((flags & alive) !== 0) {
      const isTried = detectMode === 0
      found.push({
        witness: 'traffic',
        because: trafficBecause(entry),
        sinceMs: changedAtMs.alive,
        untilMs: isTried ? entry.triedAtMs + retryIntervalMs : undefined,
        until: isTried ? 'until a statement is let through' : 'until it answers a probe',
      })
    }
    if ((flags & detected) !== 0)
      found.push({
        witness: 'detection',
        because: `${entry.probeFailures} probes in a row have failed`,
        sinceMs: changedAtMs.detected,
        untilMs: undefined,
        until: 'until it answers a probe',
      })
    return found
  }
}

function newEntry(key: string, server: ServerAddress, state: ServerState, nowMs: number): Entry {
  return {
    key,
    server,
    state,
    stateSinceMs: nowMs,
    flags: 0,
    changedAtMs: { dead: 0, alive: 0, detected: 0 },
    failures: new FailureHistory(),
    connects: new FailureHistory(),
    lastFailure: undefined,
    triedAtMs: 0,
    probeFailures: 0,
    probedSinceMs: 0,
  }
}

function trafficBecause({ lastFailure }: Entry): string {
  if (lastFailure === undefined) return 'it was not ACTIVE a moment ago'
  return `too many failures, the last one: ${FAILURES[lastFailure].words}`
}
