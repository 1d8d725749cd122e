/** When somebody looks, or asks, again. */
import type { ProblemView } from '../domain/model.ts'
import type { OperationRecord } from '../domain/operation-record.ts'
import type { StepRecord, WaveRecord } from '../domain/work-record.ts'
import type { Member } from './member.ts'
import { MOST_MS } from './turn.ts'

/** How often a command is asked for by its age, when no event says that it changed. */
const POLLS: readonly (readonly [ageMs: number, delayMs: number])[] = [
  [10_000, 1_000],
  [60_000, 3_000],
]
/** After a command that may not have been taken. */
export const RESEND_MS = 1_000
const MAX_RESEND_MS = 30_000

/** What the config service has read it answers with for a second; a node looks there after that. */
const SERVED_MS = 1_500

export function pollAfterMs({ sentAt }: WaveRecord, now: number): number {
  const age = now - (sentAt ?? now)
  return POLLS.find(([limit]) => age < limit)?.[1] ?? MOST_MS
}

export function isLate({ deadlineAt }: StepRecord, now: number): boolean {
  return deadlineAt !== null && now >= deadlineAt
}

/** Longer each time, and never at the same moment as others. */
export function resendAfterMs({ sends }: StepRecord): number {
  const most = Math.min(MAX_RESEND_MS, RESEND_MS * 2 ** Math.max(0, sends - 1))
  return Math.round(most * (0.5 + Math.random() / 2))
}

export function timedOut({ name }: StepRecord, detail: string): ProblemView {
  return { code: 'node-timeout', detail: `${name} did not end in time: ${detail}`.slice(0, 600) }
}

/** When the step that a member is at may be sent first; null: at once. */
export function notBefore(
  driver: OperationRecord,
  { operation: { plan, stepsDone } }: Member,
  now: number,
): number | null {
  return driver.type === 'change-links' && plan[stepsDone] === 'refresh' ? now + SERVED_MS : null
}
