/**
 * How many refreshes of location entries may begin: a storm of misroutes must not become a storm of
 * questions. First fetches are not counted. Source: proxy-routing.md §4.9.
 */
import type { Clock } from '../base/clock.ts'

const WINDOW_MS = 1_000
/** A window with too many is followed by a slow time of half of it to all of it. */
const SLOW_MS = 20_000

export type FlowLimits = {
  /** `normal_pl_update_threshold`: refreshes a second; more begin the slow time. */
  readonly normal: number
  /** `limited_pl_update_threshold`: refreshes a second in the slow time. */
  readonly slow: number
}

export class FlowControl {
  private readonly clock: Clock
  private readonly limits: () => FlowLimits
  private readonly random: () => number
  private windowAt = 0
  private asked = 0
  private begun = 0
  private slowUntil = 0
  /** Refreshes that were put off. */
  denied = 0

  constructor(clock: Clock, limits: () => FlowLimits, random: () => number) {
    this.clock = clock
    this.limits = limits
    this.random = random
  }

  get isSlow(): boolean {
    return this.clock.now() < this.slowUntil
  }

  /** Whether a refresh may begin now; one that may is counted. */
  admits(): boolean {
    const now = this.clock.now()
    const { normal, slow } = this.limits()
    if (now - this.windowAt >= WINDOW_MS) {
      this.windowAt = now
      this.asked = 0
      this.begun = 0
    }
    this.asked += 1
    if (this.asked > normal && now >= this.slowUntil)
      this.slowUntil = now + SLOW_MS / 2 + this.random() * (SLOW_MS / 2)
    if (this.begun >= (now < this.slowUntil ? Math.min(slow, normal) : normal)) {
      this.denied += 1
      return false
    }
    this.begun += 1
    return true
  }
}
