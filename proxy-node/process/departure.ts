/**
 * How the clients of this process go: sent elsewhere while it stays, or for good, and then it ends behind
 * the last of them. Workers step the slope; here is until when, and that they end. Source: proxy-admin.md §4.4.
 */
import type { Clock } from '../base/clock.ts'
import type { Workers } from './workers.ts'

const END_POLL_MS = 20
/** How far behind the deadline a worker may be before it is killed. */
const KILL_GRACE_MS = 2_000

export type DeparturePort = {
  readonly workers: Pick<Workers, 'drain' | 'stay' | 'leave' | 'kill' | 'isGone'>
  readonly clock: Clock
  /** All workers are gone: the process is to end. */
  readonly ended: () => void
}

export class Departure {
  private readonly port: DeparturePort
  private cutAt: number | null | undefined
  private isForGood = false
  /** Counts ends that were begun: one that was called off stops where another was begun since. */
  private round = 0

  constructor(port: DeparturePort) {
    this.port = port
  }

  /** Epoch milliseconds when clients are cut off; null: never; undefined: nobody has to go. */
  get deadline(): number | null | undefined {
    return this.cutAt
  }

  /** The process ends behind its clients. */
  get isEnding(): boolean {
    return this.isForGood
  }

  /** Clients go within `timeoutMs`, below zero without being forced; the process stays. */
  drain(timeoutMs: number): void {
    this.setDeadline(timeoutMs)
    this.port.workers.drain(timeoutMs)
  }

  /** Nobody has to go any more. */
  stay(): void {
    this.cutAt = undefined
    this.port.workers.stay()
  }

  /** No new clients; those that are there as in `drain`, then the process ends. */
  leave(timeoutMs: number): void {
    this.setDeadline(timeoutMs)
    this.port.workers.leave(timeoutMs)
    if (this.isForGood) return
    this.isForGood = true
    void this.endBehindWorkers()
  }

  /** The process does not end after all; the workers that were told to leave still do. */
  callOff(): void {
    this.isForGood = false
    this.cutAt = undefined
  }

  private setDeadline(timeoutMs: number): void {
    this.cutAt = timeoutMs < 0 ? null : this.port.clock.now() + timeoutMs
  }

  private async endBehindWorkers(): Promise<void> {
    const { workers, clock, ended } = this.port
    this.round += 1
    const { round } = this
    const isMeant = () => this.isForGood && round === this.round
    while (!workers.isGone && isMeant()) {
      const isLate = clock.now() > (this.cutAt ?? Number.POSITIVE_INFINITY) + KILL_GRACE_MS
      if (isLate) workers.kill()
      await clock.sleep(END_POLL_MS)
    }
    if (isMeant()) ended()
  }
}
