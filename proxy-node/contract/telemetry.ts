/**
 * How counters travel inside a node: fixed slots a tenant, written by sessions, merged and read by
 * the exporter. Workers and supervisor are of one executable, so the layout needs no version.
 */
import { LIMITS, ROUTES, SQL_TYPES } from '#contract/names'

const OUTCOMES = 16
const TIMES = 3

/** Where each kind of counter begins. */
export const SLOT = {
  /** + type × 16 + bits of `OUTCOME`. */
  requests: 0,
  /** + type × 3 + 0 prepare, 1 server, 2 total; microseconds. */
  costs: SQL_TYPES.length * OUTCOMES,
  /** + one of `BYTES`. */
  bytes: SQL_TYPES.length * (OUTCOMES + TIMES),
  /** + 2 when found in the cache + 1 when there was a leader. */
  entries: SQL_TYPES.length * (OUTCOMES + TIMES) + 4,
  /** + 1 when accepted. */
  logins: SQL_TYPES.length * (OUTCOMES + TIMES) + 8,
  transactions: SQL_TYPES.length * (OUTCOMES + TIMES) + 10,
  /** + position in `LIMITS`. */
  limits: SQL_TYPES.length * (OUTCOMES + TIMES) + 11,
  /** + position in `ROUTES` × 2 + 1 when the server said that it was the wrong one. */
  routes: SQL_TYPES.length * (OUTCOMES + TIMES) + 11 + LIMITS.length,
  /** Partitions that chance, or the first of several, picked. + 1 when the server said otherwise. */
  guesses: SQL_TYPES.length * (OUTCOMES + TIMES) + 11 + LIMITS.length + ROUTES.length * 2,
  /** From here on levels, not counts: they end with their worker. + 0 client, 1 server sessions. */
  sessions: SQL_TYPES.length * (OUTCOMES + TIMES) + 11 + LIMITS.length + ROUTES.length * 2 + 2,
} as const

export const SLOT_COUNT = SLOT.sessions + 2

export const requestSlot = (type: number, outcome: number) =>
  SLOT.requests + type * OUTCOMES + outcome
export const costSlot = (type: number) => SLOT.costs + type * TIMES

/** Numbers of one digest: how often, µs in all, µs at most, failed, missed, then one by one of `ROUTES`. */
export const DIGEST_CELLS = 5 + ROUTES.length
export const digestCell = (route: number) => 5 + route

/** What one worker has counted of statements that differ in values only. */
export type DigestSnapshot = {
  readonly cluster: string
  readonly tenant: string
  /** The hash of the text, 16 hexadecimal digits. */
  readonly id: string
  readonly text: string
  readonly cells: readonly number[]
}

/** Counters of one tenant in one worker: positions and values, in turn, of the slots that are not zero. */
export type TenantSnapshot = {
  readonly cluster: string
  readonly tenant: string
  readonly filled: readonly number[]
}
