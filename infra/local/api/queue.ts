/** The queue in process: one timer an operation, the soonest nudge counts; SQS stands here in the cloud. */
import type { Queue } from '../../../functions/domain/clock.ts'

type Waiting = { readonly at: number; readonly timer: NodeJS.Timeout }

export class LocalQueue implements Queue {
  private readonly waiting = new Map<string, Waiting>()
  private readonly running = new Set<string>()
  private readonly again = new Set<string>()
  private work: ((operationId: string) => Promise<void>) | undefined

  /** Nudges before this wait for it. */
  start(work: (operationId: string) => Promise<void>): void {
    this.work = work
  }

  async nudge(operationId: string, delayMs: number): Promise<void> {
    const at = Date.now() + delayMs
    const earlier = this.waiting.get(operationId)
    if (earlier !== undefined && earlier.at <= at) return
    if (earlier !== undefined) clearTimeout(earlier.timer)
    const timer = setTimeout(() => void this.run(operationId), delayMs)
    this.waiting.set(operationId, { at, timer })
  }

  stop(): void {
    this.work = undefined
    for (const { timer } of this.waiting.values()) clearTimeout(timer)
    this.waiting.clear()
  }

  private async run(operationId: string): Promise<void> {
    this.waiting.delete(operationId)
    // A nudge that comes while it is worked on means that there is news since.
    if (this.running.has(operationId)) return void this.again.add(operationId)
    this.running.add(operationId)
    try {
      await this.work?.(operationId)
    } finally {
      this.running.delete(operationId)
      if (this.again.delete(operationId)) await this.nudge(operationId, 0)
    }
  }
}
