/**
 * How a proxy that has a successor lets its clients go (proxy-admin.md §4.4): on a straight slope, each
 * at the end of a transaction, the rest at the deadline. Pure.
 */

export type Drain = {
  readonly startedAtMs: number
  /** −1: never, 0: at once. */
  readonly timeoutMs: number
  readonly clientsAtStart: number
}

/** Whether a client that has just ended its transaction has to go, of as many as there are. */
export function mustGo(drain: Drain, clients: number, nowMs: number): boolean {
  const { timeoutMs, clientsAtStart, startedAtMs } = drain
  if (timeoutMs < 0) return false
  if (timeoutMs === 0) return true
  const remainingMs = Math.max(0, startedAtMs + timeoutMs - nowMs)
  return clients > Math.ceil((remainingMs / timeoutMs) * clientsAtStart)
}
