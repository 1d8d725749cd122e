/**
 * Errors that nobody expected, for who looks after the node: each is told when it first happens and at
 * most once a minute after that, with how often it did. Bounded: beyond so many that differ, they are told
 * as one.
 */
import type { Clock } from '../base/clock.ts'

const GAP_MS = 60_000
const MOST_TOLD_APART = 64
const MOST_CHARACTERS = 2_000
const OTHERS = 'errors of many other kinds'

export class UnexpectedErrors {
  private readonly clock: Clock
  private readonly say: (what: string, times: number) => void
  /** By text: how often it happened since it was told. */
  private readonly untold = new Map<string, number>()

  constructor(clock: Clock, say: (what: string, times: number) => void) {
    this.clock = clock
    this.say = say
  }

  note(error: unknown): void {
    const text = textOf(error)
    const isRoomy = this.untold.size < MOST_TOLD_APART || this.untold.has(text)
    const what = isRoomy ? text : OTHERS
    const times = this.untold.get(what)
    if (times === undefined) this.tell(what, 1)
    else this.untold.set(what, times + 1)
  }

  private tell(what: string, times: number): void {
    this.untold.set(what, 0)
    this.clock.after(GAP_MS, () => this.tellAgain(what))
    this.say(what, times)
  }

  private tellAgain(what: string): void {
    const times = this.untold.get(what) ?? 0
    if (times === 0) this.untold.delete(what)
    else this.tell(what, times)
  }
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const cause =
    error instanceof Error && error.cause !== undefined ? `, by ${textOf(error.cause)}` : ''
  return `${text}${cause}`.slice(0, MOST_CHARACTERS)
}
