/**
 * What the rows of the server and zone lists say: one state out of a status and two times.
 * Source: proxy-routing.md §9.2.
 */
import type { ServerState, ZoneState } from './model.ts'

export type StateRow = {
  /** `other`: any but ACTIVE, INACTIVE and DELETING. */
  readonly status: 'any' | 'ACTIVE' | 'INACTIVE' | 'DELETING' | 'other'
  /** start_service_time is set; undefined: of no matter. */
  readonly isStarted: boolean | undefined
  /** stop_time is set. */
  readonly isStopped: boolean
  readonly state: ServerState
}

/** First match wins; together they leave out nothing. A server that no row names is DELETED. */
export const STATE_ROWS: readonly StateRow[] = [
  { status: 'any', isStarted: undefined, isStopped: true, state: 'UPGRADE' },
  { status: 'ACTIVE', isStarted: false, isStopped: false, state: 'REPLAY' },
  { status: 'any', isStarted: false, isStopped: false, state: 'INACTIVE' },
  { status: 'INACTIVE', isStarted: true, isStopped: false, state: 'INACTIVE' },
  { status: 'ACTIVE', isStarted: true, isStopped: false, state: 'ACTIVE' },
  { status: 'DELETING', isStarted: true, isStopped: false, state: 'DELETING' },
  // What nobody has heard of serves nobody.
  { status: 'other', isStarted: true, isStopped: false, state: 'INACTIVE' },
]

const KNOWN: ReadonlySet<string> = new Set(['ACTIVE', 'INACTIVE', 'DELETING'])

/** `status` in any capitals: 3.x writes it small. */
export function serverState(status: string, isStarted: boolean, isStopped: boolean): ServerState {
  const name = status.toUpperCase()
  const given = KNOWN.has(name) ? name : 'other'
  const row = STATE_ROWS.find(
    one =>
      (one.status === 'any' || one.status === given) &&
      (one.isStarted === undefined || one.isStarted === isStarted) &&
      one.isStopped === isStopped,
  )
  return row?.state ?? 'INACTIVE'
}

/** A zone that no row names is DELETED, and its servers with it. */
export function zoneState(status: string, isMerging: boolean): ZoneState {
  if (status.toUpperCase() !== 'ACTIVE') return 'UPGRADE'
  return isMerging ? 'MERGE' : 'ACTIVE'
}
