/** Rates of the service: a token bucket for sends, one for reads (ssm-run-command.md §4). */
export class Throttle {
  private readonly perSec: number
  private readonly burst: number
  private readonly now: () => number
  private tokens: number
  private at: number

  /** `perSec` calls a second, twice as many at once; 0: no bound. */
  constructor(perSec: number, now: () => number) {
    this.perSec = perSec
    this.burst = 2 * perSec
    this.now = now
    this.tokens = this.burst
    this.at = now()
  }

  take(): boolean {
    if (this.perSec === 0) return true
    const now = this.now()
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.at) / 1000) * this.perSec)
    this.at = now
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }
}
