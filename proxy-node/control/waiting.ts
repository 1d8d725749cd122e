/** Waits of the verbs: each looks again and again, and has a deadline. */
import type { Clock } from '../base/clock.ts'

export type Wait = {
  /** Epoch milliseconds; there is one more look after it. */
  readonly deadline: number
  readonly everyMs: number
}

/** What `look` finds; undefined when it has found nothing by the deadline. */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  { deadline, everyMs }: Wait,
  clock: Clock,
): Promise<T | undefined> {
  for (;;) {
    const isLast = clock.now() >= deadline
    const found = await look()
    if (found !== undefined || isLast) return found
    await clock.sleep(everyMs)
  }
}
