/**
 * One question that any server of an OB cluster may answer: asked of one after the other, of the next
 * one also when a server keeps silent, so that a few that hang do not make a question fail. Bounded in
 * time. Source: proxy-routing.md §3.4, §3.5.
 */
import type { Clock, TimerHandle } from '../base/clock.ts'
import { type ServerAddress, serverKey } from './model.ts'
import type { Answer } from './table-entry.ts'
import { Unanswered } from './unanswered.ts'

/** A server that has not answered by then may go on; the next is asked beside it. */
const SILENCE_MS = 2_000
/** The whole of it: who waits for the answer waits a little longer. */
export const INQUIRY_MS = 8_000

export type InquiryPort = {
  readonly clock: Clock
  /** @throws Error when it cannot be answered. */
  readonly query: (server: ServerAddress, sql: string) => Promise<Answer>
}

/** `servers` in the order to ask them; one that is named twice is asked once. @throws the last error */
export function inquire(
  port: InquiryPort,
  servers: readonly ServerAddress[],
  sql: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    new Inquiry(port, distinct(servers), sql, { resolve, reject }).begin()
  })
}

type Outcome = {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

class Inquiry {
  private readonly port: InquiryPort
  private readonly servers: readonly ServerAddress[]
  private readonly sql: string
  private readonly outcome: Outcome
  private readonly until: number
  private readonly end: TimerHandle
  private silence: TimerHandle | undefined
  private at = 0
  private pending = 0
  private isOver = false
  private last: unknown = new Unanswered('no server to ask')

  constructor(port: InquiryPort, servers: readonly ServerAddress[], sql: string, outcome: Outcome) {
    this.port = port
    this.servers = servers
    this.sql = sql
    this.outcome = outcome
    this.until = port.clock.now() + INQUIRY_MS
    this.end = port.clock.after(INQUIRY_MS, () => {
      if (this.pending > 0) this.last = new Unanswered('no answer in time')
      this.give(this.outcome.reject, this.last)
    })
  }

  begin(): void {
    this.askNext()
  }

  private askNext(): void {
    this.silence?.cancel()
    const { clock } = this.port
    const server = clock.now() < this.until ? this.servers[this.at] : undefined
    if (server === undefined) {
      if (this.pending === 0) this.give(this.outcome.reject, this.last)
      return
    }
    this.at += 1
    this.pending += 1
    this.silence = clock.after(SILENCE_MS, () => this.askNext())
    this.port.query(server, this.sql).then(
      answer => this.give(this.outcome.resolve, answer),
      (error: unknown) => {
        this.pending -= 1
        this.last = error
        if (!this.isOver) this.askNext()
      },
    )
  }

  private give<T>(settle: (value: T) => void, value: T): void {
    this.isOver = true
    this.end.cancel()
    this.silence?.cancel()
    settle(value)
  }
}

function distinct(servers: readonly ServerAddress[]): readonly ServerAddress[] {
  return [...new Map(servers.map(server => [serverKey(server), server])).values()]
}
