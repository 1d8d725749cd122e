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
  patch(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** With an idempotency key of its own. */
  post(path: string, body: unknown, idempotencyKey?: string): Promise<Answer>
  delete(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
}

const DEADLINE_MS = 40_000
/** Times that a GET is asked while nobody answers: the API may be starting again, the machine be busy. */
const GET_TRIES = 4
const AGAIN_MS = 500

/** @throws ApiError for every answer of 400 and above, Error with what was asked when there is none. */
export function apiClient(url: string, token: string): ApiClient {
  const ask = async (
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> => {
    const request = {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }
    const answer = await answerOf(`${url}/v1${path}`, request)
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
    patch: (path, body, headers = {}) => ask('PATCH', path, body, headers),
    post: (path, body, idempotencyKey = randomUUID()) =>
      ask('POST', path, body, { 'idempotency-key': idempotencyKey }),
    delete: (path, headers = {}) =>
      ask('DELETE', path, undefined, { 'idempotency-key': randomUUID(), ...headers }),
  }
}

async function answerOf(
  url: string,
  request: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
): Promise<Response> {
  for (let tries = 1; ; tries += 1)
    try {
      return await fetch(url, { ...request, signal: AbortSignal.timeout(DEADLINE_MS) })
    } catch (error) {
      const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException }
      if (request.method !== 'GET' || tries >= GET_TRIES)
        throw new Error(`${request.method} ${url}: ${cause?.code ?? cause?.message ?? message}`, {
          cause: error,
        })
      await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
    }
}
