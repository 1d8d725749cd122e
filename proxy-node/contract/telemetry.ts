/**
 * How counters travel inside a node: fixed slots a tenant, written by sessions, merged and read by
 * the exporter. Workers and supervisor are of one executable, so the layout needs no version.
 */
import { LIMITS, SQL_TYPES } from '#contract/names'

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
  /** From here on levels, not counts: they end with their worker. + 0 client, 1 server sessions. */
  sessions: SQL_TYPES.length * (OUTCOMES + TIMES) + 11 + LIMITS.length,
} as const

export const SLOT_COUNT = SLOT.sessions + 2

export const requestSlot = (type: number, outcome: number) =>
  SLOT.requests + type * OUTCOMES + outcome
export const costSlot = (type: number) => SLOT.costs + type * TIMES

/** Counters of one tenant in one worker: positions and values, in turn, of the slots that are not zero. */
export type TenantSnapshot = {
  readonly cluster: string
  readonly tenant: string
  readonly filled: readonly number[]
}
