/** Coded errors of the plane; the HTTP layer writes them as application/problem+json (RFC 9457). */

/** Code → HTTP status, title, retryable. Source: management-beyond.md §3.1, management.md §4.3. */
export const PROBLEMS = {
  'validation-failed': [422, 'The request is not valid', false],
  'operation-not-allowed': [422, 'Not possible here', false],
  'idempotency-key-reused': [422, 'The key was used for another request', false],
  'idempotency-key-required': [400, 'An Idempotency-Key header is required', false],
  'malformed-request': [400, 'The request cannot be read', false],
  'body-too-large': [413, 'The body is too large', false],
  'unsupported-media-type': [415, 'The body must be application/json', false],
  unauthenticated: [401, 'No valid credentials', false],
  forbidden: [403, 'Not allowed', false],
  'not-found': [404, 'No such resource', false],
  'method-not-allowed': [405, 'No such method here', false],
  'name-taken': [409, 'The name is taken', false],
  'host-occupied': [409, 'The host carries a node already', false],
  'host-offline': [409, 'The host is not online', true],
  'node-state-conflict': [409, 'The node is in another state', true],
  'cluster-state-conflict': [409, 'The cluster is in another state', true],
  'in-use': [409, 'Something still uses it', false],
  'request-in-progress': [409, 'The same request is still running', true],
  'password-change-in-progress': [409, 'A password is being changed', true],
  'version-too-low': [422, 'The proxies are too old for it', false],
  'version-incompatible': [422, 'The proxies are too old for the OB cluster', false],
  'link-check-failed': [422, 'proxyro cannot log in to the OB cluster', false],
  'proxyro-mismatch': [422, 'The passwords of proxyro differ', false],
  'operation-state-conflict': [409, 'The operation is in another phase', false],
  'confirmation-required': [422, 'The name must be confirmed', false],
  'deletion-protected': [409, 'Deletion is switched off', false],
  'precondition-required': [428, 'An If-Match header is required', false],
  'revision-stale': [412, 'The resource has changed', true],
  'quota-exceeded': [429, 'A bound is reached', true],
  'rate-limited': [429, 'Too many requests', true],
  'node-command-failed': [502, 'The command failed on the node', true],
  'node-timeout': [504, 'The node did not answer in time', true],
  'store-unavailable': [503, 'The store does not answer', true],
  'remote-unavailable': [503, 'Run Command does not answer', true],
  'internal-error': [500, 'An error of ours', true],
} as const satisfies Record<string, readonly [status: number, title: string, retryable: boolean]>

export type ProblemCode = keyof typeof PROBLEMS

/** A wrong place of a body. */
export type Wrong = {
  /** RFC 6901, `/spec/nodes/2/hostId`. */
  readonly pointer: string
  readonly code: string
  readonly detail: string
}

export type ProblemDetails = {
  readonly errors?: readonly Wrong[]
  /** Who holds the target. */
  readonly conflict?: { readonly operationId: string; readonly holder: string }
  readonly remedy?: string
  /** Seconds, for the Retry-After header. */
  readonly retryAfterSec?: number
}

/** RFC 6901. */
export function pointerOf(path: readonly string[]): string {
  return path.map(part => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

export class Problem extends Error {
  readonly code: ProblemCode
  readonly details: ProblemDetails

  /** @param detail one sentence: what, on what, why. Never a secret. */
  constructor(code: ProblemCode, detail: string, details: ProblemDetails = {}) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.details = details
  }
}
