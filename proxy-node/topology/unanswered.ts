/**
 * What may be thrown where somebody is asked, and what may not: that nobody answers is an outcome that
 * callers are ready for, anything else is a bug of ours, which who looks after the node has to read of.
 */
import { Fault } from '#contract/fault'

/** Nobody could say; `cause` is why, when that is known. */
export class Unanswered extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Unanswered'
  }
}

/** Causes that are followed: no error of ours has more, and one may be a cause of its own. */
const MOST_CAUSES = 16

/** Neither nobody's answer, nor a failure that the catalogue or the system has a code for. */
export function isUnexpected(thrown: unknown): boolean {
  let error = thrown
  for (let depth = 0; error instanceof Unanswered; depth++) {
    if (error.cause === undefined) return false
    // So many are no answer of anybody.
    if (depth === MOST_CAUSES) return true
    error = error.cause
  }
  if (error instanceof Fault) return error.code === 'proxy.internal'
  return !(error instanceof Error && 'syscall' in error)
}
