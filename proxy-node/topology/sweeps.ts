/**
 * Entries that are to go, found by looking at all of them: a slice each turn of the process, because a
 * million at once would block it for half a second. What has not been met yet is gone for whoever asks
 * for it. Source: proxy-routing.md §4.10.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'

/** Looked at, or deleted, in one turn: a few milliseconds. */
export const SLICE = 512

type Dated = { readonly createdAt: number }

type Sweep<E> = {
  readonly isGone: (entry: E) => boolean
  /** What came later is no matter of it. */
  readonly startedAt: number
  readonly act: (entry: E) => void
  readonly ended: () => void
}

export class Sweeps<E extends Dated> {
  private readonly clock: Clock
  private readonly all: () => Generator<E, undefined>
  private running: Sweep<E>[] = []
  /** For another round: what the one under way has passed may be theirs. */
  private waiting: Sweep<E>[] = []
  private round: Generator<E, undefined> | undefined
  private timer: TimerHandle | undefined

  /** `all`: every entry that is there when the round begins, also while some come and go. */
  constructor(clock: Clock, all: () => Generator<E, undefined>) {
    this.clock = clock
    this.all = all
  }

  /** The first slice at once; `act` is called once for each that `isGone` says is gone, `ended` behind the last. */
  begin(
    isGone: (entry: E) => boolean,
    act: (entry: E) => void,
    ended: () => void = () => {},
  ): void {
    this.waiting.push({ isGone, startedAt: this.clock.now(), act, ended })
    if (this.round === undefined) this.step()
  }

  stop(): void {
    this.timer?.cancel()
    this.running = []
    this.waiting = []
    this.round = undefined
  }

  /** Whether the entry is to go; it is dealt with then, and has to be asked for anew. */
  takes(entry: E): boolean {
    return take(this.running, entry) || take(this.waiting, entry)
  }

  private step(): void {
    this.timer?.cancel()
    if (this.round === undefined) {
      this.running = this.waiting
      this.waiting = []
      this.round = this.all()
    }
    if (this.slice(this.round)) {
      const over = this.running
      this.round = undefined
      this.running = []
      for (const { ended } of over) ended()
    }
    if (this.round !== undefined || this.waiting.length > 0)
      this.timer = this.clock.after(0, () => this.step())
  }

  /** True: the round is over. */
  private slice(round: Generator<E, undefined>): boolean {
    for (let left = SLICE; left > 0; left--) {
      const { value, done } = round.next()
      if (done === true || value === undefined) return true
      take(this.running, value)
    }
    return false
  }
}

function take<E extends Dated>(sweeps: readonly Sweep<E>[], entry: E): boolean {
  for (const { isGone, startedAt, act } of sweeps) {
    if (entry.createdAt > startedAt || !isGone(entry)) continue
    act(entry)
    return true
  }
  return false
}
