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

/** Neither nobody's answer, nor a failure that the catalogue or the system has a code for. */
export function isUnexpected(error: unknown): boolean {
  if (error instanceof Unanswered) return error.cause !== undefined && isUnexpected(error.cause)
  if (error instanceof Fault) return error.code === 'proxy.internal'
  return !(error instanceof Error && 'syscall' in error)
}
