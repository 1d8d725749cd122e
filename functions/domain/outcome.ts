/** What an invocation of Run Command means for the step it was sent for. Pure. */
import { type VerbResult, verbResultSchema } from '#contract/command'
import type { ProblemView } from './model.ts'
import type { ProblemCode } from './problem.ts'
import type { Invocation } from './remote.ts'

/** `lost`: nobody knows whether it ran; asking again is safe, the node keeps a ledger (N7). */
export type StepOutcome =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'done'; readonly facts: VerbResult['facts']; readonly output: string }
  | { readonly kind: 'failed'; readonly error: ProblemView; readonly output: string }
  | { readonly kind: 'lost'; readonly detail: string }

/** Of a login that a new link depends on: it is the link that fails, not the node. */
const LOGIN_FAULTS: Readonly<Record<string, readonly string[]>> = {
  try: ['proxyro.refused', 'proxyro.unreachable', 'secret.unreadable'],
  start: ['proxyro.refused', 'proxyro.unreachable'],
}
const MAX_OUTPUT = 2000
const MAX_DETAIL = 600
/**
 * The verb was killed, not answered: 128 + signal, the shell's and the agent's own words for it, and
 * what an agent says of a worker or a machine that died under it (ssm-run-command.md §9).
 */
const KILLED =
  /exit status (?:137|143)|signal: (?:killed|terminated)|Killed|Terminated|document process failed unexpectedly/

export type ExpectedResult = {
  readonly operationId: string
  readonly step: string
  readonly attempt: number
}

export function outcomeOf(
  invocation: Invocation | undefined,
  expected: ExpectedResult,
): StepOutcome {
  if (invocation === undefined || invocation.state === 'waiting') return { kind: 'waiting' }
  const { state, details, output } = invocation
  if (state !== 'succeeded' && state !== 'failed') return { kind: 'lost', detail: details }
  const result = resultIn(output)
  const shown = output.trim().slice(-MAX_OUTPUT)
  if (result === undefined)
    return KILLED.test(output)
      ? { kind: 'lost', detail: 'the command was killed on the node' }
      : failed('node-command-failed', `no result from the node: ${shown || details}`, shown)
  if (result.ok)
    return isOf(result, expected)
      ? { kind: 'done', facts: result.facts, output: summaryOf(result) }
      : { kind: 'lost', detail: 'the node answered for another step' }
  const code = result.code ?? 'node.failed'
  const detail = `${code}: ${result.message ?? 'no reason given'}`
  if (code === 'node.going-down') return { kind: 'lost', detail }
  return failed(problemOf(code, expected), detail, summaryOf(result))
}

function problemOf(code: string, { step }: ExpectedResult): ProblemCode {
  if (code === 'order.expired') return 'node-timeout'
  return LOGIN_FAULTS[step]?.includes(code) ? 'link-check-failed' : 'node-command-failed'
}

/** The last line that is a result; warnings of the agent may surround it. */
function resultIn(output: string): VerbResult | undefined {
  for (const line of output.split('\n').reverse()) {
    if (!line.startsWith('{')) continue
    try {
      return verbResultSchema.parse(JSON.parse(line))
    } catch {
      // Not this one.
    }
  }
  return undefined
}

function isOf(result: VerbResult, { operationId, step, attempt }: ExpectedResult): boolean {
  return result.operationId === operationId && result.step === step && result.attempt === attempt
}

function summaryOf({ facts, message }: VerbResult): string {
  const text = facts === undefined ? (message ?? '') : JSON.stringify(facts)
  return text.slice(0, MAX_OUTPUT)
}

function failed(code: ProblemCode, detail: string, output: string): StepOutcome {
  return { kind: 'failed', error: { code, detail: detail.slice(0, MAX_DETAIL) }, output }
}
