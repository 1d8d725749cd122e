/** The lines of SHOW PROXYINFO UPGRADE: how far a hot restart is, and who is still there. Pure. */
import { z } from 'zod'
import type { DrainReport } from '../session/drain.ts'
import type { HandoverView } from './handover.ts'

/** What a process that hands over tells its successor once a second. */
const reportSchema = z.object({
  status: z.string(),
  /** Epoch milliseconds; null: nobody is forced. */
  deadline: z.number().nullable(),
  guests: z.object({
    clients: z.number(),
    ordinary: z.number(),
    longestTransactionMs: z.number(),
    reasons: z.record(z.string(), z.number()),
  }),
})

export type PredecessorReport = z.infer<typeof reportSchema>

/** Undefined when it is none: the process before may be another version. */
export function predecessorReport(message: unknown): PredecessorReport | undefined {
  return reportSchema.safeParse(message).data
}

export type UpgradeView = HandoverView & {
  readonly pid: number
  readonly attempts: number
  readonly availability: string
  /** Epoch milliseconds, null for never forced, undefined while nobody has to go. */
  readonly deadline: number | null | undefined
  readonly guests: DrainReport
  readonly predecessor:
    | {
        readonly pid: number
        readonly isGone: boolean
        readonly report: PredecessorReport | undefined
      }
    | undefined
}

export function upgradeLines(view: UpgradeView): readonly string[] {
  return [
    `state:${view.state}`,
    `last command:${view.command}`,
    `status:${view.status}`,
    `failures:${view.failures}/${view.attempts}`,
    ...(view.lastFailure === '' ? [] : [`last failure:${view.lastFailure}`]),
    `pid:${view.pid}`,
    `proxy status:${view.availability}`,
    `sub pid:${view.successorPid ?? -1}`,
    ...guestLines('', view.guests, view.deadline),
    ...predecessorLines(view.predecessor),
  ]
}

function predecessorLines(before: UpgradeView['predecessor']): readonly string[] {
  if (before === undefined) return []
  if (before.isGone) return [`parent pid:${before.pid}`, 'parent status:exited']
  const { report } = before
  return [
    `parent pid:${before.pid}`,
    `parent status:${report?.status ?? 'unknown'}`,
    ...(report === undefined ? [] : guestLines('parent ', report.guests, report.deadline)),
  ]
}

function guestLines(
  whose: string,
  guests: DrainReport,
  deadline: number | null | undefined,
): readonly string[] {
  const reasons = Object.entries(guests.reasons)
    .sort(([, left], [, right]) => right - left)
    .map(([reason, count]) => `${count} ${reason}`)
  return [
    `${whose}clients left:${guests.clients}`,
    `${whose}deadline:${deadlineText(deadline)}`,
    `${whose}longest transaction:${(guests.longestTransactionMs / 1000).toFixed(1)}s`,
    `${whose}reasons:${reasons.join(', ')}`,
  ]
}

function deadlineText(deadline: number | null | undefined): string {
  if (deadline === undefined) return 'none'
  return deadline === null ? 'never' : new Date(deadline).toISOString()
}
