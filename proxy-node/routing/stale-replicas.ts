/**
 * Replicas that a server said are too old for a weak read: avoided for a while, then tried again.
 * Bounded; what is told last pushes out what is oldest. Source: proxy-routing.md §7.8.
 */

const MAX_RECORDS = 10_000

export type StaleRecord = {
  readonly locationKey: string
  readonly server: string
  readonly sinceMs: number
}

export class StaleReplicas {
  private readonly records = new Map<string, StaleRecord>()

  get size(): number {
    return this.records.size
  }

  all(): IterableIterator<StaleRecord> {
    return this.records.values()
  }

  /** The replica of the partition on the server is too old, again. */
  told(locationKey: string, server: string, nowMs: number): void {
    const key = keyOf(locationKey, server)
    this.records.delete(key)
    this.records.set(key, { locationKey, server, sinceMs: nowMs })
    if (this.records.size <= MAX_RECORDS) return
    for (const oldest of this.records.keys()) {
      this.records.delete(oldest)
      return
    }
  }

  /** For `retryMs` after it was told. */
  isStale(locationKey: string, server: string, nowMs: number, retryMs: number): boolean {
    if (this.records.size === 0) return false
    const record = this.records.get(keyOf(locationKey, server))
    return record !== undefined && nowMs - record.sinceMs < retryMs
  }

  /** Forgets what is `ageMs` old (`read_stale_remove_interval`). The records are in the order of time. */
  sweep(nowMs: number, ageMs: number): void {
    for (const [key, { sinceMs }] of this.records) {
      if (nowMs - sinceMs < ageMs) return
      this.records.delete(key)
    }
  }
}

function keyOf(locationKey: string, server: string): string {
  return `${locationKey}\0${server}`
}
