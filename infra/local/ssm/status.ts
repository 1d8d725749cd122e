/** Status machines of Run Command as pure functions (ssm-run-command.md §3, §6). */

export const DETAILS = {
  Pending: { status: 'Pending', isFinal: false },
  'In Progress': { status: 'InProgress', isFinal: false },
  Delayed: { status: 'Delayed', isFinal: false },
  Cancelling: { status: 'Cancelling', isFinal: false },
  Success: { status: 'Success', isFinal: true },
  Failed: { status: 'Failed', isFinal: true },
  'Execution Timed Out': { status: 'TimedOut', isFinal: true },
  'Delivery Timed Out': { status: 'TimedOut', isFinal: true },
  Cancelled: { status: 'Cancelled', isFinal: true },
  Terminated: { status: 'Cancelled', isFinal: true },
  Undeliverable: { status: 'Failed', isFinal: true },
  'Invalid Platform': { status: 'Failed', isFinal: true },
} as const

export type Detail = keyof typeof DETAILS

export type CommandDetail =
  | Exclude<Detail, 'Terminated' | 'Undeliverable' | 'Invalid Platform'>
  | 'Incomplete'
  | 'No Instances In Tag'

export function isFinal(detail: Detail): boolean {
  return DETAILS[detail].isFinal
}

/** Only what a node answered counts: Failed and Execution Timed Out. */
export function isError(detail: Detail): boolean {
  return detail === 'Failed' || detail === 'Execution Timed Out'
}

/** How many errors are too many; `limit` as MaxErrors (`0`, `3`, `10%`), a percentage of the targets. */
export function isOverErrorLimit(errors: number, limit: string, targets: number): boolean {
  return errors > bound(limit, targets, Math.floor)
}

/** MaxConcurrency: how many may run at once, at least one. */
export function concurrencyOf(limit: string, targets: number): number {
  return Math.max(1, bound(limit, targets, Math.ceil))
}

function bound(limit: string, targets: number, round: (value: number) => number): number {
  return limit.endsWith('%') ? round((targets * Number(limit.slice(0, -1))) / 100) : Number(limit)
}

export type CommandState = {
  readonly details: readonly Detail[]
  readonly maxErrors: string
  readonly isCancelled: boolean
  /** Chosen by tag, and none had it. */
  readonly hasNoTarget: boolean
}

/** The aggregate of all invocations. */
export function commandDetail(state: CommandState): CommandDetail {
  const { details } = state
  if (state.hasNoTarget) return 'No Instances In Tag'
  if (details.some(detail => !isFinal(detail))) {
    if (state.isCancelled) return 'Cancelling'
    return details.every(detail => detail === 'Pending') ? 'Pending' : 'In Progress'
  }
  if (state.isCancelled) return 'Cancelled'
  if (details.every(detail => detail === 'Success')) return 'Success'
  const errors = details.filter(isError).length
  if (isOverErrorLimit(errors, state.maxErrors, details.length))
    return details.includes('Failed') ? 'Failed' : 'Execution Timed Out'
  if (details.every(detail => detail === 'Delivery Timed Out')) return 'Delivery Timed Out'
  return 'Incomplete'
}

/** The coarse status of an aggregate. */
export function commandStatus(detail: CommandDetail): string {
  if (detail === 'Incomplete' || detail === 'No Instances In Tag') return 'Failed'
  return DETAILS[detail].status
}

export type StepStatus = 'Success' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped'

/** Aggregate of a document's steps: Failed > TimedOut > Cancelled > Success; Skipped is a success. */
export function documentStatus(steps: readonly StepStatus[]): Exclude<StepStatus, 'Skipped'> {
  for (const worst of ['Failed', 'TimedOut', 'Cancelled'] as const)
    if (steps.includes(worst)) return worst
  return 'Success'
}

/** A reply of the node → the invocation's detail. */
export function detailOf(reply: Exclude<StepStatus, 'Skipped'> | 'InProgress'): Detail {
  if (reply === 'TimedOut') return 'Execution Timed Out'
  return reply === 'InProgress' ? 'In Progress' : reply
}

/**
 * The next detail after a reply. Final is sticky: Success can arrive before InProgress, and a
 * command that was given up may still be reported (then the first final stays).
 */
export function afterReply(now: Detail, reply: Detail): Detail {
  if (isFinal(now)) return now
  if (now === 'Cancelling' && !isFinal(reply)) return now
  return reply
}
