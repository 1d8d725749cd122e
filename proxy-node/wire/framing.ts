/**
 * Packet boundaries in a byte stream. `PacketCollector` assembles whole small payloads (logins,
 * commands, metadata) under a cap; `ResponseRelay` walks a server's response chunk by chunk and
 * says which bytes go to the client, without decoding and without buffering a result.
 * Hot path: see the rules. Per chunk at most one view and, where a header is cut, one join.
 */
import { HEADER_BYTES, MAX_PAYLOAD } from './protocol.ts'
import { malformed } from './reader.ts'
import { ACTION, PEEK_BYTES, type ResponseTracker } from './response.ts'
import { concat } from './writer.ts'

const NOTHING = new Uint8Array(0)

/** A login OK of OceanBase is about 25 KB; an OK that outgrows this is no OK. */
export const HELD_LIMIT_BYTES = 4 * 1024 * 1024

export type Collected = { readonly payload: Uint8Array; readonly sequence: number }

/** Collects whole logical payloads, joined over 16 MiB continuation packets, up to `limitBytes`. */
export class PacketCollector {
  private readonly limitBytes: number
  private pending: Uint8Array = NOTHING
  private parts: Uint8Array[] = []
  private partBytes = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  /** Bytes that came and are not part of a finished payload. */
  get pendingBytes(): number {
    return this.pending.length + this.partBytes
  }

  push(chunk: Uint8Array): void {
    this.pending = this.pending.length === 0 ? chunk : concat([this.pending, chunk])
  }

  /** The next whole payload, or undefined. @throws protocol.malformed above the cap. */
  next(): Collected | undefined {
    for (;;) {
      const bytes = this.pending
      if (bytes.length < HEADER_BYTES) return undefined
      const length = lengthAt(bytes, 0)
      if (length + this.partBytes > this.limitBytes)
        throw malformed(`packet of more than ${this.limitBytes} bytes`)
      if (bytes.length < HEADER_BYTES + length) return undefined
      const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)
      const sequence = bytes[3] as number
      this.pending = bytes.subarray(HEADER_BYTES + length)
      if (length === MAX_PAYLOAD) {
        this.parts.push(payload)
        this.partBytes += length
        continue
      }
      return { payload: this.joined(payload), sequence }
    }
  }

  /** What is left over, for a reader of another kind; the collector is empty afterwards. */
  takeRest(): Uint8Array {
    const rest = this.pending
    this.pending = NOTHING
    return rest
  }

  private joined(last: Uint8Array): Uint8Array {
    if (this.parts.length === 0) return last
    const whole = concat([...this.parts, last])
    this.parts = []
    this.partBytes = 0
    return whole
  }
}

/** Where a response's bytes go. */
export type RelaySink = {
  /** Bytes for the client, a view of the chunk given to `feed`. */
  readonly forward: (bytes: Uint8Array) => void
  /** The OK that ended the response: payload and sequence; `swallowed` when the client must not see it. */
  readonly finished: (ok: Uint8Array | undefined, sequence: number, swallowed: boolean) => void
  /** The server asks for a file; its packet was forwarded. */
  readonly infile: () => void
}

export class ResponseRelay {
  private readonly tracker: ResponseTracker
  private readonly sink: RelaySink
  /** Bytes kept from earlier chunks: unsent, the first `scanned` of them already judged. */
  private kept: Uint8Array = NOTHING
  private scanned = 0
  private holding = false
  private payloadLeft = 0
  private continuing = false
  /** The action that takes effect when the packet under way is complete; forward means none. */
  private ending: number = ACTION.forward
  private open = false
  /** Sequence number of the last packet seen. */
  sequence = 0

  constructor(tracker: ResponseTracker, sink: RelaySink) {
    this.tracker = tracker
    this.sink = sink
  }

  begin(command: number): void {
    this.tracker.begin(command)
    this.open = true
  }

  get isOpen(): boolean {
    return this.open
  }

  /** The rest of a packet that asked for a file is answered by the same response. */
  resume(): void {
    this.open = true
  }

  /** True while a packet has begun and not ended: no packet of our own may be put in between. */
  get isInsidePacket(): boolean {
    return this.payloadLeft > 0 && !this.holding
  }

  /** @throws protocol.malformed when bytes come that belong to no response. */
  feed(chunk: Uint8Array): void {
    const bytes = this.kept.length === 0 ? chunk : concat([this.kept, chunk])
    let at = this.scanned
    let sent = 0
    this.kept = NOTHING
    this.scanned = 0
    for (;;) {
      at = this.passPayload(bytes, at)
      if (this.ending !== ACTION.forward && this.payloadLeft === 0) sent = this.end(bytes, sent, at)
      if (this.payloadLeft > 0 || !this.headerVisible(bytes, at)) break
      const length = lengthAt(bytes, at)
      const action = this.judge(bytes, at, length)
      if (action === ACTION.swallowLast || action === ACTION.rewriteLast) {
        if (bytes.length < at + HEADER_BYTES + length) break
        this.settle(bytes, sent, at, action)
        at += HEADER_BYTES + length
        sent = at
        continue
      }
      if (action === ACTION.hold && !this.holding) sent = this.hold(bytes, sent, at)
      if (action === ACTION.forwardLast || action === ACTION.infile) this.ending = action
      this.continuing = length === MAX_PAYLOAD
      this.payloadLeft = length
      at += HEADER_BYTES
    }
    this.keep(bytes, sent, at)
  }

  private passPayload(bytes: Uint8Array, at: number): number {
    const step = Math.min(this.payloadLeft, bytes.length - at)
    this.payloadLeft -= step
    return at + step
  }

  private headerVisible(bytes: Uint8Array, at: number): boolean {
    const visible = bytes.length - at
    if (visible === 0) return false
    if (!this.open) throw malformed('the server sent bytes after the end of its response')
    if (visible < HEADER_BYTES) return false
    return visible >= HEADER_BYTES + Math.min(lengthAt(bytes, at), PEEK_BYTES)
  }

  private judge(bytes: Uint8Array, at: number, length: number): number {
    this.sequence = bytes[at + 3] as number
    return this.continuing ? ACTION.forward : this.tracker.packet(bytes, at + HEADER_BYTES, length)
  }

  private hold(bytes: Uint8Array, sent: number, at: number): number {
    if (at > sent) this.sink.forward(bytes.subarray(sent, at))
    this.holding = true
    return at
  }

  private end(bytes: Uint8Array, sent: number, at: number): number {
    const action = this.ending
    this.ending = ACTION.forward
    this.open = false
    if (at > sent) this.sink.forward(bytes.subarray(sent, at))
    if (action === ACTION.infile) this.sink.infile()
    else this.sink.finished(undefined, this.sequence, false)
    return at
  }

  private settle(bytes: Uint8Array, sent: number, at: number, action: number): void {
    const length = lengthAt(bytes, at)
    const ok = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
    this.holding = false
    this.open = false
    if (at > sent) this.sink.forward(bytes.subarray(sent, at))
    this.sink.finished(ok, this.sequence, action === ACTION.swallowLast)
  }

  private keep(bytes: Uint8Array, sent: number, at: number): void {
    if (!this.holding && at > sent) this.sink.forward(bytes.subarray(sent, at))
    const from = this.holding ? sent : at
    if (from === bytes.length) return
    if (bytes.length - from > HELD_LIMIT_BYTES) throw malformed('terminal packet of the server')
    // A view would be overwritten: the socket reuses the buffer of a chunk.
    this.kept = bytes.slice(from)
    this.scanned = at - from
  }
}

/** Payload length in the header at `at`. */
export function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
  )
}
