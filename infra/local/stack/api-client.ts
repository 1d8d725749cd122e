/** The few calls the stack makes of its own API, as any user would: HTTP, bearer token, problem+json. */
import { randomUUID } from 'node:crypto'

/** An answer that was no success; the message is the problem's detail. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

export type Answer = {
  readonly status: number
  readonly etag: string | null
  readonly body: unknown
}

export type ApiClient = {
  get(path: string): Promise<Answer>
  put(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** With an idempotency key of its own. */
  post(path: string, body: unknown, idempotencyKey?: string): Promise<Answer>
  delete(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
}

const DEADLINE_MS = 40_000

/** @throws ApiError for every answer of 400 and above. */
export function apiClient(url: string, token: string): ApiClient {
  const ask = async (
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> => {
    const answer = await fetch(`${url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const text = await answer.text()
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    if (answer.status < 400)
      return { status: answer.status, etag: answer.headers.get('etag'), body: parsed }
    const { code = 'unknown', detail = text } = (parsed ?? {}) as { code?: string; detail?: string }
    throw new ApiError(answer.status, code, `${method} /v1${path}: ${detail}`)
  }
  return {
    get: path => ask('GET', path, undefined, {}),
    put: (path, body, headers = {}) => ask('PUT', path, body, headers),
    post: (path, body, idempotencyKey = randomUUID()) =>
      ask('POST', path, body, { 'idempotency-key': idempotencyKey }),
    delete: (path, headers = {}) =>
      ask('DELETE', path, undefined, { 'idempotency-key': randomUUID(), ...headers }),
  }
}
