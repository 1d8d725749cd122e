/** The exporter's port: opened when it is free, which at a hot restart is when the process before lets go. */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { type HttpAnswer, serveHttp } from '../net/http.ts'
import type { Address } from '../net/transport.ts'
import type { Log } from '../observe/log.ts'

const FIRST_PAUSE_MS = 25
const LAST_PAUSE_MS = 1_000
/** So long a taken port is nothing to speak of. */
const QUIET_MS = 5_000

export type ExporterPortSettings = {
  readonly address: () => Address
  readonly answer: (path: string) => HttpAnswer
  readonly clock: Clock
  readonly log: Log
}

export class ExporterPort {
  private readonly settings: ExporterPortSettings
  private server: { readonly stop: () => void } | undefined
  private timer: TimerHandle | undefined

  constructor(settings: ExporterPortSettings) {
    this.settings = settings
  }

  /** Its failure does not stop a start (proxy-admin.md §1.3): it is tried again, and told once. */
  open(isSuccessor: boolean): void {
    this.close()
    this.attempt(FIRST_PAUSE_MS, isSuccessor ? QUIET_MS : 0)
  }

  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.server?.stop()
    this.server = undefined
  }

  private attempt(pauseMs: number, quietMs: number): void {
    const { address, answer, clock, log } = this.settings
    const where = address()
    try {
      this.server = serveHttp(where, answer)
    } catch (error) {
      if (quietMs <= 0 && quietMs > Number.NEGATIVE_INFINITY)
        log.error(`exporter on ${where.host}:${where.port} did not start: ${String(error)}`)
      const left = quietMs <= 0 ? Number.NEGATIVE_INFINITY : quietMs - pauseMs
      this.timer = clock.after(pauseMs, () =>
        this.attempt(Math.min(LAST_PAUSE_MS, pauseMs * 1.2), left),
      )
    }
  }
}
