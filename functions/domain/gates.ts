/**
 * What a node must show before a rollout goes on: measured against its own past, as two answers of the
 * verb `check`. What a product does not tell is not judged. Pure. Source: management-beyond.md §6.
 */
import type { VerbResult } from '#contract/command'
import type { ProblemView } from './model.ts'

export type Facts = NonNullable<VerbResult['facts']>

/** Requests before a ratio of them means something. */
const MIN_REQUESTS = 50
const MAX_ERROR_RATIO = 0.01
const ERROR_GROWTH = 2
const LATENCY_GROWTH = 1.5
/** Below it a cost is noise. */
const MIN_LATENCY_US = 2_000

/** Null: the node may count as well. */
export function gateFailure(before: Facts | null, after: Facts): ProblemView | null {
  const reason =
    notReady(after) ?? failedLogin(after) ?? manyErrors(before, after) ?? slower(before, after)
  return reason === null ? null : { code: 'gate-failed', detail: reason }
}

function notReady({ ready, exporter, reason }: Facts): string | null {
  if (ready === false) return `the node is not ready: ${String(reason ?? 'no reason given')}`
  return exporter === false ? 'the exporter does not answer' : null
}

/** Synthetic logins through the proxy, one a link: `probe1Error` and so on, null for one that succeeded. */
function failedLogin(after: Facts): string | null {
  const errors = Object.entries(after).flatMap(([name, value]) =>
    /^probe\d+Error$/.test(name) ? [value] : [],
  )
  const failed = errors.filter(error => error !== null)
  if (failed.length === 0) return null
  const why = failed[0] === 0 ? 'no answer' : `error ${failed[0]}`
  return `${failed.length} of ${errors.length} logins through the proxy failed: ${why}`
}

function manyErrors(before: Facts | null, after: Facts): string | null {
  const now = errorRatio(after)
  if (now === null) return null
  const most = Math.max((errorRatio(before) ?? 0) * ERROR_GROWTH, MAX_ERROR_RATIO)
  return now <= most ? null : `${percent(now)} of requests fail, at most ${percent(most)} may`
}

function errorRatio(facts: Facts | null): number | null {
  const requests = numberOf(facts, 'requests')
  const errors = numberOf(facts, 'errors')
  return requests === null || errors === null || requests < MIN_REQUESTS ? null : errors / requests
}

function slower(before: Facts | null, after: Facts): string | null {
  const then = meanLatencyUs(before)
  const now = meanLatencyUs(after)
  if (then === null || now === null) return null
  const most = Math.max(then * LATENCY_GROWTH, MIN_LATENCY_US)
  return now <= most
    ? null
    : `a request takes ${Math.round(now)} µs, it took ${Math.round(then)} µs before`
}

function meanLatencyUs(facts: Facts | null): number | null {
  const requests = numberOf(facts, 'requests')
  const total = numberOf(facts, 'latencySumUs')
  return requests === null || total === null || requests < MIN_REQUESTS ? null : total / requests
}

function numberOf(facts: Facts | null, name: string): number | null {
  const value = facts?.[name]
  return typeof value === 'number' ? value : null
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`
}
