/** Reads documents of a config server; nothing that goes wrong there is an exception, or tells a URL. */
import type { Parsed } from './config-server-documents.ts'

/** @throws Error without the URL when there is no answer within the time, or it is too large. */
export type HttpGet = (
  url: string,
  timeoutMs: number,
) => Promise<{ readonly status: number; readonly body: string }>

const REQUEST_MS = 5_000
/** What failed a moment ago is not tried again for everybody who asks. */
const PAUSE_MS = 1_000
const MAX_PAUSES = 256

type Failure = { readonly at: number; readonly why: string }

export class ConfigServerReader {
  private readonly get: HttpGet
  private readonly now: () => number
  private readonly failures = new Map<string, Failure>()

  constructor(get: HttpGet, now: () => number) {
    this.get = get
    this.now = now
  }

  async read<T>(url: string, parse: (body: string) => Parsed<T>): Promise<Parsed<T>> {
    const read = await this.attempt(url, parse)
    this.failures.delete(url)
    if (read.kind === 'bad') this.note(url, read.why)
    return read
  }

  /** Why it is no use to read this now; undefined when it may be. */
  failedJustNow(url: string): string | undefined {
    const failure = this.failures.get(url)
    return failure !== undefined && this.now() - failure.at < PAUSE_MS ? failure.why : undefined
  }

  private async attempt<T>(url: string, parse: (body: string) => Parsed<T>): Promise<Parsed<T>> {
    try {
      const { status, body } = await this.get(url, REQUEST_MS)
      if (status !== 200) return { kind: 'bad', why: `it answered ${status}` }
      return parse(body)
    } catch (error) {
      return { kind: 'bad', why: error instanceof Error ? error.message : 'no answer' }
    }
  }

  /** The oldest makes room: clients choose the ids that are asked for. */
  private note(url: string, why: string): void {
    const [oldest] = this.failures.keys()
    if (this.failures.size >= MAX_PAUSES && oldest !== undefined) this.failures.delete(oldest)
    this.failures.set(url, { at: this.now(), why })
  }
}
