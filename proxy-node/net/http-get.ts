/**
 * GET of a small text: one time limit for all of it, one for its size, no redirects, nothing but http
 * and https. What goes wrong is told without the URL, which may carry a token.
 */
import type { Clock } from '../base/clock.ts'

export type HttpText = { readonly status: number; readonly body: string }

/** @throws Error: no answer in time, too large, not text, a redirect, no URL of http. */
export function httpGetter(
  maxBytes: number,
  clock: Clock,
): (url: string, timeoutMs: number) => Promise<HttpText> {
  return async (url, timeoutMs) => {
    if (!/^https?:\/\/[^/?#@]+(?:[/?#]|$)/i.test(url) || !URL.canParse(url))
      throw new Error('its URL is none of http or https without credentials')
    const late = new AbortController()
    const timer = clock.after(timeoutMs, () => late.abort())
    try {
      const response = await fetch(url, {
        redirect: 'manual',
        signal: late.signal,
        headers: { accept: 'application/json' },
      })
      const bytes = await boundedBody(response, maxBytes)
      if (response.status >= 300 && response.status < 400) throw new Refusal('it redirects')
      return { status: response.status, body: new TextDecoder('utf-8').decode(bytes) }
    } catch (error) {
      // Why without a cause: the runtime's own errors carry the URL.
      throw new Error(late.signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error))
    } finally {
      timer.cancel()
    }
  }
}

class Refusal extends Error {}

async function boundedBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new Refusal(`its answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

/** Codes of the system and names of the runtime; never its messages. */
function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message
  if (!(error instanceof Error)) return 'no answer'
  const { code, cause } = error as Error & { readonly code?: unknown }
  const inner = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return `no answer: ${String(inner ?? code ?? error.name).slice(0, 60)}`
}
