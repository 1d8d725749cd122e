/** The node's clock, moved by hand. */
import type { Clock } from '../../proxy-node/base/clock.ts'

/** Steps of promises that follow from a timer: a round of questions is made of many. */
const TURNS = 200

/** `pass` runs the timers that are due, and what follows from them. */
export class HandClock implements Clock {
  time = 1_000_000
  private timers: { at: number; act: () => void }[] = []
  private intervals: { at: number; readonly ms: number; readonly act: () => void }[] = []
  now = () => this.time
  after = (delayMs: number, act: () => void) => {
    const timer = { at: this.time + delayMs, act }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter(other => other !== timer)
      },
    }
  }
  every = (intervalMs: number, act: () => void) => {
    const interval = { at: this.time + intervalMs, ms: intervalMs, act }
    this.intervals.push(interval)
    return {
      cancel: () => {
        this.intervals = this.intervals.filter(other => other !== interval)
      },
    }
  }
  sleep = () => Promise.resolve()
  /** Timers that are set, without intervals. */
  get pending(): number {
    return this.timers.length
  }

  async pass(ms: number): Promise<void> {
    this.time += ms
    const due = this.timers.filter(({ at }) => at <= this.time)
    this.timers = this.timers.filter(({ at }) => at > this.time)
    for (const { act } of due) act()
    for (const interval of [...this.intervals])
      for (; interval.at <= this.time; interval.at += interval.ms) interval.act()
    for (let turn = 0; turn < TURNS; turn++) await Promise.resolve()
  }
}
