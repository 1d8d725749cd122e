/** The one line that a verb prints: a VerbResult of at most 2,000 bytes, whatever went wrong (N7). */
import type { Verb, VerbResult } from '#contract/command'
import { Fault } from '#contract/fault'
import { reasonOf } from './durable-file.ts'

const MAX_LINE_BYTES = 2000
const MAX_MESSAGE_CHARS = 600
const MAX_NAMES_CHARS = 500

export type Facts = NonNullable<VerbResult['facts']>

/** Names in one fact, as many as fit. */
export function namesFact(names: readonly string[]): string {
  return cut(names.join(' '), MAX_NAMES_CHARS)
}

/** Failure of a verb: what was attempted, on what, and what to do next. */
export function failureOf(verb: Verb, error: unknown): VerbResult {
  const fault =
    error instanceof Fault
      ? error
      : new Fault('node.internal', { reason: reasonOf(error).slice(0, 300) }, { cause: error })
  return { ok: false, verb, code: fault.code, message: messageOf(fault) }
}

/** Fault and remedy in one sentence; the placeholders of both are filled. */
export function messageOf(fault: Fault): string {
  const remedy = fault.entry.remedy.replace(/\{(\w+)\}/g, (whole, name: string) =>
    String(fault.facts[name] ?? whole),
  )
  return cut(`${fault.message}; ${remedy}`, MAX_MESSAGE_CHARS)
}

/** JSON of the result, one line with its end; facts, then the message, give way to the bound. */
export function lineOf(result: VerbResult): string {
  for (const shorter of shortened(result)) {
    const line = `${JSON.stringify(shorter)}\n`
    if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line
  }
  return `${JSON.stringify({ ok: result.ok, verb: result.verb })}\n`
}

function* shortened(result: VerbResult): Generator<VerbResult> {
  yield result
  const { facts: _dropped, ...rest } = result
  yield rest
  for (const chars of [300, 100])
    yield { ...rest, ...(rest.message === undefined ? {} : { message: cut(rest.message, chars) }) }
}

function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`
}
