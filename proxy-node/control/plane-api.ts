/** What a node says to the plane of itself: signed by its instance, and never a reason for a verb to fail. */
import { reasonOf } from './durable-file.ts'
import type { Host } from './host.ts'
import { signedHeaders } from './signing.ts'

const TIMEOUT_MS = 5_000
const MAX_ANSWER_CHARS = 8_192

/** Why the plane did not take it, or what it answered. */
export type PlaneAnswer = { readonly refusal?: string; readonly text: string }

/** `POST /v1/nodes/{nodeId}/{what}`. */
export async function toPlane(
  nodeId: string,
  what: 'report' | 'diagnosis' | 'log-upload',
  body: unknown,
  host: Host,
): Promise<PlaneAnswer> {
  const { apiUrl, region } = host.settings
  if (apiUrl === undefined) return { refusal: 'OBFLEET_API_URL is not set', text: '' }
  const url = new URL(`${apiUrl}/v1/nodes/${encodeURIComponent(nodeId)}/${what}`)
  const text = JSON.stringify(body)
  try {
    const credentials = await host.secrets.credentials()
    const request = { service: 'execute-api', region, method: 'POST', url, body: text } as const
    const response = await fetch(url, {
      method: 'POST',
      headers: await signedHeaders(request, credentials),
      body: text,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const answer = (await response.text()).slice(0, MAX_ANSWER_CHARS)
    return response.ok
      ? { text: answer }
      : { refusal: `the plane answered ${response.status}`, text: answer }
  } catch (error) {
    return { refusal: reasonOf(error), text: '' }
  }
}

/**
 * How far this host's clock is ahead of the plane's, milliseconds; the answer's date has whole seconds.
 * `refusal` says why that is not known.
 */
export async function clockAgainstPlane(
  host: Host,
): Promise<{ readonly aheadMs: number } | { readonly refusal: string }> {
  const { apiUrl } = host.settings
  if (apiUrl === undefined) return { refusal: 'OBFLEET_API_URL is not set' }
  try {
    const before = host.clock.now()
    const response = await fetch(`${apiUrl}/v1/health`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const after = host.clock.now()
    const at = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isFinite(at)) return { refusal: 'its answer has no date' }
    // In the middle of the second that is told, and of the time that the question took.
    return { aheadMs: Math.round((before + after) / 2 - (at + 500)) }
  } catch (error) {
    return { refusal: reasonOf(error) }
  }
}
