/**
 * Who works on an operation now: a lease saves double work, and is no lock. Whoever finds it older takes
 * over; what is written is compared by version. Source: decisions.md PL1, PL4.
 */
import { Conflict, put } from '../domain/store.ts'
import type { WorkRecord } from '../domain/work-record.ts'
import type { EngineDeps } from './ports.ts'
import type { Turn } from './turn.ts'

/** Whoever finds it older takes over (PL1). */
export const LEASE_MS = 30_000
/** The sweeper looks at an open operation this often, whatever else happens (PL4). */
export const SWEEP_MS = 60_000

/** Null when another executor works on it, or nothing is left to work on. */
export async function takeLease(
  { store, owner, clock }: EngineDeps,
  operationId: string,
): Promise<WorkRecord | null> {
  const work = await store.get('work', { operationId })
  const now = clock.now()
  if (work === null) return null
  // One of our own is of a call that could not give it back: the table did not answer then.
  const isOthers = work.lease !== null && work.lease.owner !== owner
  if (isOthers && (work.lease?.until ?? 0) > now) return null
  const taken = { ...work, lease: { owner, until: now + LEASE_MS }, nextAt: now + LEASE_MS }
  try {
    await store.commit([put('work', taken)])
    return taken
  } catch (error) {
    if (error instanceof Conflict) return null
    throw error
  }
}

/** And says when it is to be looked at again. */
export async function giveLeaseBack(
  { store, owner, queue, clock }: EngineDeps,
  operationId: string,
  turn: Turn,
): Promise<void> {
  const delayMs = turn.kind === 'again' ? 0 : turn.delayMs
  const work = await store.get('work', { operationId })
  if (work?.lease?.owner !== owner) return
  const nextAt = clock.now() + Math.min(SWEEP_MS, delayMs)
  try {
    await store.commit([put('work', { ...work, lease: null, nextAt })])
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
  }
  await queue.nudge(operationId, delayMs)
}
