/**
 * Packet boundaries in a byte stream. `PacketCollector` assembles whole small payloads (logins,
 * commands, metadata) under a cap; `ResponseRelay` walks a server's response chunk by chunk and
 * says which bytes go to the client, without decoding and without buffering a result.
 * Hot path: see the rules. Where a header is cut, one join; else nothing is made of a chunk.
 */
import type { Fault } from '#contract/fault'
import { KnownOks } from './known-oks.ts'
import { shownOk } from './ok.ts'
import { CAPABILITY, HEADER_BYTES, MAX_PAYLOAD } from './protocol.ts'
import { malformed } from './reader.ts'
import { ACTION, type ResponseTracker } from './response.ts'
import { concat, packet } from './writer.ts'

const NOTHING = new Uint8Array(0)

/** A login OK of OceanBase is about 25 KB; an OK that outgrows this is no OK. */
export const HELD_LIMIT_BYTES = 4 * 1024 * 1024

export type Collected = { readonly payload: Uint8Array; readonly sequence: number }

/**
 * Collects whole logical payloads, joined over 16 MiB continuation packets, up to `limitBytes` each.
 * What is pushed is copied, what is handed out is the caller's own.
 */
export class PacketCollector {
  private readonly limitBytes: number
  private readonly tooLong: () => Fault
  /** Bytes not handed out are between `from` and `to`. */
  private buffer: Uint8Array = NOTHING
  private from = 0
  private to = 0

  constructor(
    limitBytes: number,
    tooLong = () => malformed(`packet of more than ${limitBytes} bytes`),
  ) {
    this.limitBytes = limitBytes
    this.tooLong = tooLong
  }

  /** Bytes pushed and not handed out; a caller that stops calling `next` bounds them itself. */
  get waitingBytes(): number {
    return this.to - this.from
  }

  push(chunk: Uint8Array): void {
    this.room(chunk.length)
    this.buffer.set(chunk, this.to)
    this.to += chunk.length
  }

  /** The next whole payload, or undefined. @throws protocol.malformed, or what was given, above the cap. */
  next(): Collected | undefined {
    let at = this.from
    let payloadBytes = 0
    for (;;) {
      if (this.to - at < HEADER_BYTES) return undefined
      const length = lengthAt(this.buffer, at)
      payloadBytes += length
      if (payloadBytes > this.limitBytes) throw this.tooLong()
      at += HEADER_BYTES + length
      if (at > this.to) return undefined
      if (length < MAX_PAYLOAD) return this.take(at, length, payloadBytes)
    }
  }

  /** Takes the packets up to `end`, of which the last has `lastBytes`. */
  private take(end: number, lastBytes: number, payloadBytes: number): Collected {
    const payload = new Uint8Array(payloadBytes)
    const sequence = this.buffer[end - lastBytes - 1] as number
    for (let at = this.from, filled = 0; at < end; ) {
      const start = at + HEADER_BYTES
      const part = this.buffer.subarray(start, start + lengthAt(this.buffer, at))
      payload.set(part, filled)
      filled += part.length
      at = start + part.length
    }
    this.from = end
    if (this.from === this.to) this.release()
    return { payload, sequence }
  }

  /** An idle connection keeps no buffer. */
  private release(): void {
    this.buffer = NOTHING
    this.from = 0
    this.to = 0
  }

  private room(more: number): void {
    if (this.to + more <= this.buffer.length) return
    const waiting = this.waitingBytes
    const needed = waiting + more
    const fits = needed <= this.buffer.length / 2
    const target = fits ? this.buffer : new Uint8Array(Math.max(needed, waiting * 2))
    target.set(this.buffer.subarray(this.from, this.to))
    this.buffer = target
    this.from = 0
    this.to = waiting
  }
}

/** Where a response's bytes go. */
export type RelaySink = {
  /** For the client: of a chunk given to `feed`, or bytes of our own, those from `from` up to `to`. */
  readonly forward: (bytes: Uint8Array, from: number, to: number) => void
  /** The OK that ended the response: payload, not a view and not to be changed, and sequence; `swallowed` when the client must not see it. */
  readonly finished: (ok: Uint8Array | undefined, sequence: number, swallowed: boolean) => void
  /** The server asks for a file; its packet was forwarded. */
  readonly infile: () => void
  /** Whether an ERR of which nothing has been shown is kept from the client: the command is tried again. */
  readonly discards: (errorCode: number, held: Uint8Array) => boolean
}

export class ResponseRelay {
  private readonly tracker: ResponseTracker
  private readonly sink: RelaySink
  private readonly oks: KnownOks
  /** The client asked for session tracking: texts of OKs have their length in front. */
  private readonly tracksSession: boolean
  /** Bytes kept from earlier chunks: unsent, the first `scanned` of them already judged. */
  private kept: Uint8Array = NOTHING
  private scanned = 0
  /** Within the bytes at hand: the next packet, the first byte not handed on, and where they end. */
  private at = 0
  private sent = 0
  private limit = 0
  private holding = false
  /** Where what is held begins: handed on with what is before it, in one write, when its OK is here already. */
  private heldAt = 0
  private payloadLeft = 0
  private continuing = false
  /** The action that takes effect when the packet under way is complete; forward means none. */
  private ending: number = ACTION.forward
  private open = false
  /** Sequence number of the last packet seen. */
  sequence = 0
  /** The same of the last packet that goes to the client as it is. */
  private shownSequence = 0
  /** The client has seen some of the response. No sequence number tells: each comes again after 256 packets. */
  private hasSent = false

  /** `oks` are those of all servers of a worker: what one answers is mostly what another did. */
  constructor(
    tracker: ResponseTracker,
    sink: RelaySink,
    clientCapabilities = 0,
    oks = new KnownOks(),
  ) {
    this.oks = oks
    this.tracker = tracker
    this.sink = sink
    this.tracksSession = (clientCapabilities & CAPABILITY.sessionTrack) !== 0
  }

  begin(command: number): void {
    this.tracker.begin(command)
    this.sequence = 0
    this.shownSequence = 0
    this.hasSent = false
    this.open = true
  }

  /** The sequence number a client expects next: packets that are held or swallowed do not count. */
  get nextSequence(): number {
    return (this.shownSequence + 1) & 0xff
  }

  /** True while a packet has begun and not ended: no packet of our own may be put in between. */
  get isInsidePacket(): boolean {
    return this.payloadLeft > 0 && !this.holding
  }

  /**
   * The server's connection has ended. True when a response is whole but for its extra OK, as after
   * an ERR of a server that closes (§7.1): the ERR is handed on and the response is finished.
   */
  serverEnded(): boolean {
    if (!this.open || !this.tracker.isFailedAndWhole || this.payloadLeft > 0) return false
    const held = this.kept.subarray(0, this.scanned)
    this.kept = NOTHING
    this.scanned = 0
    this.holding = false
    this.open = false
    if (held.length > 0) this.sink.forward(held, 0, held.length)
    this.sink.finished(undefined, this.sequence, false)
    return true
  }

  /** Takes the bytes from `from` up to `to`. @throws protocol.malformed when they belong to no response. */
  feed(chunk: Uint8Array, from = 0, to = chunk.length): void {
    const isAlone = this.kept.length === 0
    const bytes = isAlone ? chunk : concat([this.kept, chunk.subarray(from, to)])
    this.sent = isAlone ? from : 0
    this.heldAt = this.sent
    this.at = this.sent + this.scanned
    this.limit = isAlone ? to : bytes.length
    this.kept = NOTHING
    this.scanned = 0
    while (this.step(bytes)) {
      // Each step passes one packet, or the part of it that has come.
    }
    this.keep(bytes)
  }

  private step(bytes: Uint8Array): boolean {
    this.passPayload()
    if (this.payloadLeft > 0) return false
    if (this.ending !== ACTION.forward) this.end(bytes)
    if (!this.headerVisible(bytes, this.at)) return false
    const length = lengthAt(bytes, this.at)
    const action = this.judge(bytes, this.at, length)
    if (action === ACTION.swallowLast || action === ACTION.rewriteLast)
      return this.settle(bytes, length, action)
    if (action === ACTION.rewrite) return this.rewrite(bytes, length)
    if (action === ACTION.hold && !this.holding) this.hold()
    if (!this.holding) this.shownSequence = this.sequence
    if (action === ACTION.forwardLast || action === ACTION.infile) this.ending = action
    this.continuing = length === MAX_PAYLOAD
    this.payloadLeft = length
    this.at += HEADER_BYTES
    return true
  }

  private passPayload(): void {
    const step = Math.min(this.payloadLeft, this.limit - this.at)
    this.payloadLeft -= step
    this.at += step
  }

  private headerVisible(bytes: Uint8Array, at: number): boolean {
    const visible = this.limit - at
    if (visible === 0) return false
    if (!this.open) throw malformed('the server sent bytes after the end of its response')
    if (visible < HEADER_BYTES) return false
    const length = lengthAt(bytes, at)
    const wanted = this.continuing ? 0 : this.tracker.peek(length)
    return visible >= HEADER_BYTES + wanted
  }

  private judge(bytes: Uint8Array, at: number, length: number): number {
    this.sequence = bytes[at + 3] as number
    return this.continuing ? ACTION.forward : this.tracker.packet(bytes, at + HEADER_BYTES, length)
  }

  private hold(): void {
    this.heldAt = this.at
    this.holding = true
  }

  /** Hands on what has been judged and not sent, up to `to`. */
  private flush(bytes: Uint8Array, to = this.at): void {
    if (to > this.sent) {
      this.hasSent = true
      this.sink.forward(bytes, this.sent, to)
    }
    this.sent = to
  }

  private end(bytes: Uint8Array): void {
    const action = this.ending
    this.ending = ACTION.forward
    this.open = false
    this.flush(bytes)
    if (action === ACTION.infile) {
      this.sink.infile()
      // What comes behind the file goes on with an answer of which the client has seen the question.
      this.hasSent = true
    } else this.sink.finished(undefined, this.sequence, false)
  }

  /** Shows the OK of a result that others follow, once it is there whole. */
  private rewrite(bytes: Uint8Array, length: number): boolean {
    const end = this.at + HEADER_BYTES + length
    if (this.limit < end) return false
    const ok = bytes.subarray(this.at + HEADER_BYTES, end)
    this.flush(bytes)
    this.shownSequence = this.sequence
    this.hasSent = true
    const shown = packet(this.sequence, shownOk(ok, undefined, this.tracksSession))
    this.sink.forward(shown, 0, shown.length)
    this.at = end
    this.sent = end
    return true
  }

  /** Takes the OK that ends the response, once it is there whole. */
  private settle(bytes: Uint8Array, length: number, action: number): boolean {
    const end = this.at + HEADER_BYTES + length
    if (this.limit < end) return false
    const ok = this.oks.of(bytes, this.at + HEADER_BYTES, end)
    const { errorCode } = this.tracker
    const isKept =
      this.holding &&
      errorCode !== 0 &&
      !this.hasSent &&
      this.sent === this.heldAt &&
      this.sink.discards(errorCode, bytes.subarray(this.sent, this.at))
    this.holding = false
    this.open = false
    if (!isKept) this.flush(bytes)
    this.at = end
    this.sent = end
    this.sink.finished(ok, this.sequence, action === ACTION.swallowLast)
    return true
  }

  private keep(bytes: Uint8Array): void {
    this.flush(bytes, this.holding ? this.heldAt : this.at)
    const { sent: from, limit } = this
    if (from === limit) return
    if (limit - from > HELD_LIMIT_BYTES) throw malformed('terminal packet of the server')
    // A view would keep all of the chunk, of which the client has the rest.
    this.kept = bytes.slice(from, limit)
    this.scanned = this.at - from
  }
}

/** Payload length in the header at `at`. */
export function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
  )
}
