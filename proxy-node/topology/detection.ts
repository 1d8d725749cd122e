/**
 * Asks servers whether they are alive, at a pace: each tick those that there is a reason to ask, or
 * all, and none that has not answered the question before. What is heard goes to the blacklist; who
 * has died just now is told, so that statements there end. Source: proxy-routing.md §9.5.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import type { Blacklist } from './blacklist.ts'
import type { ServerAddress } from './model.ts'

/** Read at each tick. */
export type DetectionSettings = {
  /** `server_detect_mode`: 0 none, 1 those there is a reason to probe, 2 all. */
  readonly detectMode: number
  /** `server_detect_refresh_interval`. */
  readonly intervalMs: number
  /** `detect_server_timeout`. */
  readonly timeoutMs: number
}

export type DetectionPorts = {
  /** True: the server has greeted within `timeoutMs`. */
  readonly probe: (server: ServerAddress, timeoutMs: number) => Promise<boolean>
  /** Statements are under way on the server. */
  readonly isAtWork: (key: string) => boolean
  /** The server has died just now: what runs there is to be given up. */
  readonly died: (key: string) => void
  readonly settings: () => DetectionSettings
}

/** Sockets at a time; servers beyond wait for the next tick. */
const MAX_PROBES = 256

type Probe = { readonly startedAtMs: number; readonly timer: TimerHandle }

export class Detection {
  private readonly blacklist: Blacklist
  private readonly ports: DetectionPorts
  private readonly clock: Clock
  private readonly probes = new Map<string, Probe>()
  private ticking: TimerHandle | undefined

  constructor(blacklist: Blacklist, ports: DetectionPorts, clock: Clock) {
    this.blacklist = blacklist
    this.ports = ports
    this.clock = clock
  }

  /** Probes under way. */
  get pending(): number {
    return this.probes.size
  }

  start(): void {
    this.ticking ??= this.clock.after(this.ports.settings().intervalMs, () => this.tick())
  }

  stop(): void {
    this.ticking?.cancel()
    this.ticking = undefined
    for (const { timer } of this.probes.values()) timer.cancel()
    this.probes.clear()
  }

  private tick(): void {
    this.ticking = undefined
    const { detectMode } = this.ports.settings()
    if (detectMode === 0) this.blacklist.detectionIsOff(this.clock.now())
    else
      for (const { key, server } of this.blacklist.servers())
        if (detectMode === 2 || this.blacklist.wantsProbe(key) || this.ports.isAtWork(key))
          this.probe(key, server)
    this.start()
  }

  private probe(key: string, server: ServerAddress): void {
    if (this.probes.has(key) || this.probes.size >= MAX_PROBES) return
    const { timeoutMs } = this.ports.settings()
    const probe: Probe = {
      startedAtMs: this.clock.now(),
      timer: this.clock.after(timeoutMs, () => this.ended(key, server, probe, false)),
    }
    this.probes.set(key, probe)
    this.ports.probe(server, timeoutMs).then(
      wasAnswered => this.ended(key, server, probe, wasAnswered),
      () => this.ended(key, server, probe, false),
    )
  }

  /** An answer that comes after its probe was given up is no answer. */
  private ended(key: string, server: ServerAddress, probe: Probe, wasAnswered: boolean): void {
    if (this.probes.get(key) !== probe) return
    probe.timer.cancel()
    this.probes.delete(key)
    const nowMs = this.clock.now()
    const hasDied = this.blacklist.probed(key, wasAnswered, probe.startedAtMs, nowMs)
    if (hasDied) this.ports.died(key)
    const { detectMode, intervalMs } = this.ports.settings()
    // A probe that took its time has had its tick: waiting for another would double the time to notice.
    const isOverdue = nowMs - probe.startedAtMs >= intervalMs
    if (!wasAnswered && isOverdue && detectMode !== 0 && this.blacklist.wantsProbe(key))
      this.probe(key, server)
  }
}
