/** Errors of Systems Manager as the SDK knows them (ssm-run-command.md §1). */
export class SsmError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.name = 'SsmError'
    this.code = code
    this.status = status
  }
}

/** @throws SsmError always. */
export function invalid(message: string): never {
  throw new SsmError('ValidationException', message)
}
