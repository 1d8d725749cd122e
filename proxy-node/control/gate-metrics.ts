/** What a gate compares, from the text of an exporter: sums over the families that OBProxy has too. Pure. */
import { METRIC } from '#contract/names'

export type GateMetrics = {
  /** Since the start of the process; null: the exporter does not show it. */
  readonly requests: number | null
  readonly errors: number | null
  /** Summed time of all requests, in the unit that the proxy is set to. */
  readonly cost: number | null
}

const LINE = /^(\w+)\{(.*)\} (\S+)(?: \d+)?$/

export function gateMetrics(text: string): GateMetrics {
  const sums = { requests: 0, errors: 0, cost: 0 }
  const seen = { requests: false, cost: false }
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line) ?? []
    const number = Number(value)
    if (!Number.isFinite(number)) continue
    if (name === METRIC.requests) {
      seen.requests = true
      sums.requests += number
      if (/(?:^|,)sqlResult="fail"/.test(labels)) sums.errors += number
    } else if (name === METRIC.cost && /(?:^|,)timeType="total"/.test(labels)) {
      seen.cost = true
      sums.cost += number
    }
  }
  return {
    requests: seen.requests ? sums.requests : null,
    errors: seen.requests ? sums.errors : null,
    cost: seen.cost ? sums.cost : null,
  }
}
