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
    notReady(after) ??
    failedLogin(before, after) ??
    manyErrors(before, after) ??
    slower(before, after)
  return reason === null ? null : { code: 'gate-failed', detail: reason }
}

function notReady({ ready, exporter, reason }: Facts): string | null {
  if (ready === false) return `the node is not ready: ${String(reason ?? 'no reason given')}`
  return exporter === false ? 'the exporter does not answer' : null
}

/** Against its own past: a login that failed before, or was not tried, says nothing of the change. */
function failedLogin(before: Facts | null, after: Facts): string | null {
  const was = loginsIn(before)
  const judged = [...loginsIn(after)].filter(([name]) => was.get(name) === null)
  const [first, ...more] = judged.filter(([_name, error]) => error !== null)
  if (first === undefined) return null
  const [name, error] = first
  const why = error === 0 ? 'no answer' : `error ${error}`
  return `${1 + more.length} of ${judged.length} logins through the proxy fail that succeeded before: ${name}: ${why}`
}

/** `probe1Cluster`, `probe1Error` and so on: what went wrong by OB cluster, null where nothing did. */
function loginsIn(facts: Facts | null): ReadonlyMap<string, Facts[string]> {
  return new Map(
    Object.entries(facts ?? {}).flatMap(([name, value]) => {
      const number = /^probe(\d+)Error$/.exec(name)?.[1]
      // A node of before does not tell which.
      return number === undefined
        ? []
        : [[String(facts?.[`probe${number}Cluster`] ?? `the ${number}.`), value ?? null] as const]
    }),
  )
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
