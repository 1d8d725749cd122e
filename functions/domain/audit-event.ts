/** Who asked for what; written with the change itself. */
export type AuditEvent = {
  readonly id: string
  readonly at: number
  readonly actor: string
  /** Type of the operation, or what was done at once. */
  readonly action: string
  /** Id of what it was done to. */
  readonly target: string
  /** Of what has one besides; null, also in entries of before. */
  readonly targetName: string | null
  readonly requestId: string
  readonly operationId: string | null
}
