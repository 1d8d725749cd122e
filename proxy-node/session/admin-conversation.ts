/**
 * The conversation with tenant proxysys after login: whole small commands, answered in order by the
 * node itself, never by a server. Source: proxy-admin.md §2.1, §2.2.
 */
import { Fault } from '#contract/fault'
import type { Connection } from '../net/transport.ts'
import { PacketCollector } from '../wire/framing.ts'
import { buildError, buildOk, errorOfFault } from '../wire/ok.ts'
import { COMMAND } from '../wire/protocol.ts'
import { buildResultset } from '../wire/resultset.ts'
import { concat, packet } from '../wire/writer.ts'
import type { AdminAnswer } from './ports.ts'

/** A statement of 1 MB (proxy-admin.md §3.5) behind its command byte. */
const STATEMENT_LIMIT_BYTES = 1024 * 1024 + 1

const ACCEPTED: ReadonlySet<number> = new Set([
  COMMAND.ping,
  COMMAND.initDb,
  COMMAND.resetConnection,
  COMMAND.setOption,
])

export class AdminConversation {
  private readonly client: Connection
  private readonly run: (sql: string) => Promise<AdminAnswer>
  private readonly collector = new PacketCollector(STATEMENT_LIMIT_BYTES)
  /** A statement is being answered. */
  private isRunning = false
  /** The client has not taken its answers. */
  private isBlocked = false
  private hasLeft = false
  private readonly leave: () => void

  /** `leave` closes the connection behind what was written, and at a deadline. */
  constructor(client: Connection, run: (sql: string) => Promise<AdminAnswer>, leave: () => void) {
    this.client = client
    this.run = run
    this.leave = leave
  }

  /** @throws protocol.malformed for a statement above the limit. */
  received(bytes: Uint8Array): void {
    this.collector.push(bytes)
    this.goOn()
  }

  /** @throws protocol.malformed */
  drained(): void {
    this.isBlocked = false
    this.goOn()
  }

  private goOn(): void {
    while (!this.isRunning && !this.isBlocked && !this.hasLeft) {
      const command = this.collector.next()
      if (command === undefined) break
      this.take(command.payload)
    }
    // One chunk ahead, no further.
    const waits = (this.isRunning || this.isBlocked) && this.collector.waitingBytes > 0
    if (waits) this.client.pause()
    else this.client.resume()
  }

  private take(payload: Uint8Array): void {
    const code = payload[0] ?? 0
    if (code === COMMAND.quit) this.close()
    else if (code === COMMAND.query) this.query(Buffer.from(payload.subarray(1)).toString())
    else this.write(ACCEPTED.has(code) ? packet(1, buildOk()) : unknownStatement())
  }

  private query(sql: string): void {
    this.isRunning = true
    this.run(sql).then(
      answer => (answer.kind === 'close' ? this.close() : this.answered(framed(answer))),
      (error: unknown) =>
        this.answered(
          packet(1, errorOfFault(error instanceof Fault ? error : new Fault('proxy.internal'))),
        ),
    )
  }

  private close(): void {
    this.hasLeft = true
    this.leave()
  }

  private answered(bytes: Uint8Array): void {
    this.isRunning = false
    this.write(bytes)
    try {
      this.goOn()
    } catch {
      // What follows is no command; the answer before it has been given.
      this.client.end()
    }
  }

  private write(bytes: Uint8Array): void {
    if (!this.client.write(bytes)) this.isBlocked = true
  }
}

function unknownStatement(): Uint8Array {
  return packet(1, errorOfFault(new Fault('admin.unknown-statement')))
}

function framed(answer: Exclude<AdminAnswer, { kind: 'close' }>): Uint8Array {
  if (answer.kind === 'rows') return concat(buildResultset(1, answer.columns, answer.rows))
  if (answer.kind === 'ok') return packet(1, buildOk())
  return packet(1, buildError(answer.errno, answer.state, answer.message))
}
