/**
 * What happens on this node as numbers, of this process and of all its workers: traffic, TLS handshakes,
 * errors that nobody expected. What a number does not tell is said in the log.
 */
import { hostPort } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Counted } from '../observe/counters.ts'
import { Handshakes } from '../observe/handshakes.ts'
import type { Log } from '../observe/log.ts'
import { NodeTraffic } from '../observe/metrics.ts'
import { UnexpectedErrors } from '../observe/unexpected.ts'
import type { ServerAddress } from '../topology/model.ts'
import type { Message } from './channel.ts'
import type { Workers } from './workers.ts'

export class NodeCounts {
  readonly handshakes = new Handshakes()
  readonly traffic = new NodeTraffic()
  /** Takes errors of this process. */
  readonly unexpected: UnexpectedErrors
  private unexpectedCount = 0
  private readonly log: Log

  constructor(log: Log, clock: Clock) {
    this.log = log
    this.unexpected = new UnexpectedErrors(clock, (what, times) => this.broke(what, times))
  }

  /** Lines of the log by level, and errors that nobody expected, here and in workers. */
  get said(): Counted['said'] {
    return { ...this.log.lines, unexpected: this.unexpectedCount }
  }

  /** Takes the newest numbers of the workers that are there. */
  async takeTraffic(workers: Pick<Workers, 'ask'>): Promise<void> {
    for (const { key, answer } of await workers.ask({ ask: 'traffic' }))
      this.traffic.take(key, answer)
  }

  /** What a worker says unasked; what tells of nothing that happened is passed over. */
  heard(message: Message): void {
    if (message.kind === 'tlsFailed') this.tlsFailed(message.server, message.reason)
    else if (message.kind === 'misrouted') this.log.warn(message.what)
    else if (message.kind === 'broke') this.broke(message.what, message.times)
    else if (message.kind === 'tlsEnded') this.handshakes.ended(message.side, message.isDone)
  }

  tlsFailed(server: ServerAddress, reason: string): void {
    this.handshakes.ended('server', false)
    this.log.error(`no TLS with server ${hostPort(server.host, server.port)}: ${reason}`)
  }

  private broke(what: string, times: number): void {
    this.unexpectedCount += times
    this.log.error(`internal: ${what}${times > 1 ? ` (${times} times)` : ''}`)
  }
}
