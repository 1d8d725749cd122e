/**
 * One response on its way out, in the two framings: MySQL packets as they are, or cut into OB 2.0
 * frames whose extra info stands in the frame that its packet begins, as a kernel does (A2).
 */
import { frame, packetsOf } from '../codec.ts'
import { type Answered, BODY_BYTES, buildFrame, FLAG, type Tlv, writeTlvs } from '../ob20-codec.ts'

/** Where the bytes go: resolves when more may be written. */
export type Outlet = {
  readonly send: (bytes: Buffer) => Promise<void>
  readonly close: () => void
}

/** Packets are gathered up to this before they are handed on. */
const BATCH_BYTES = 32 << 10

export type Reply = {
  /** The next packet; extra info is for those who can carry it. */
  readonly add: (payload: Buffer, info?: readonly Tlv[]) => void
  /** Enough is gathered: it should be flushed. */
  readonly isFull: boolean
  readonly flush: () => Promise<void>
  /** Everything has been added. */
  readonly end: () => Promise<void>
}

export class PlainReply implements Reply {
  private readonly outlet: Outlet
  private sequence: number
  private batch: Buffer[] = []
  private bytes = 0

  constructor(outlet: Outlet, sequence: number) {
    this.outlet = outlet
    this.sequence = sequence
  }

  add(payload: Buffer): void {
    this.batch.push(frame(this.sequence, payload))
    this.sequence = (this.sequence + packetsOf(payload.length)) & 0xff
    this.bytes += payload.length
  }

  get isFull(): boolean {
    return this.bytes >= BATCH_BYTES
  }

  flush(): Promise<void> {
    const bytes = Buffer.concat(this.batch)
    this.batch = []
    this.bytes = 0
    return bytes.length === 0 ? Promise.resolve() : this.outlet.send(bytes)
  }

  end(): Promise<void> {
    return this.flush()
  }
}

export class Ob20Reply implements Reply {
  private readonly outlet: Outlet
  private readonly to: Answered
  private sequence: number
  private framesMade = 0
  private frames: Buffer[] = []
  private frameBytes = 0
  /** Of the frame that is being filled. */
  private extra: Buffer | undefined
  private stream: Buffer[] = []
  private streamBytes = 0

  constructor(outlet: Outlet, to: Answered) {
    this.outlet = outlet
    this.to = to
    this.sequence = to.lastSequence + 1
  }

  add(payload: Buffer, info: readonly Tlv[] = []): void {
    if (info.length > 0) {
      this.cut(0)
      this.extra = writeTlvs(info)
    }
    const framed = frame(this.sequence & 0xff, payload)
    this.sequence += packetsOf(payload.length)
    this.stream.push(framed)
    this.streamBytes += framed.length
    if (this.streamBytes > BODY_BYTES) this.cut(1)
  }

  get isFull(): boolean {
    return this.frameBytes + this.streamBytes >= BATCH_BYTES
  }

  flush(): Promise<void> {
    this.cut(0)
    return this.sendFrames()
  }

  end(): Promise<void> {
    this.cut(1)
    const rest = Buffer.concat(this.stream)
    this.stream = []
    this.makeFrame(rest, FLAG.last)
    return this.sendFrames()
  }

  private sendFrames(): Promise<void> {
    const bytes = Buffer.concat(this.frames)
    this.frames = []
    this.frameBytes = 0
    return bytes.length === 0 ? Promise.resolve() : this.outlet.send(bytes)
  }

  /** Makes frames of what is there; at least `kept` bytes stay for the frame that ends it all. */
  private cut(kept: 0 | 1): void {
    let rest: Buffer = this.stream.length === 1 ? this.only : Buffer.concat(this.stream)
    while (rest.length > BODY_BYTES || (rest.length > 0 && kept === 0)) {
      this.makeFrame(rest.subarray(0, BODY_BYTES), 0)
      rest = rest.subarray(BODY_BYTES)
    }
    this.stream = rest.length === 0 ? [] : [rest]
    this.streamBytes = rest.length
  }

  private get only(): Buffer {
    return this.stream[0] ?? Buffer.alloc(0)
  }

  private makeFrame(body: Buffer, last: number): void {
    const { connectionId, requestId, lastSequence, lastPacketSequence } = this.to
    const { extra } = this
    const made = buildFrame({
      outerSequence: lastSequence + 1 + this.framesMade,
      connectionId,
      requestId,
      packetSequence: lastPacketSequence + 1 + this.framesMade,
      flags: last | (extra === undefined ? 0 : FLAG.newExtra),
      extra,
      body,
    })
    this.extra = undefined
    this.framesMade += 1
    this.frames.push(made)
    this.frameBytes += made.length
  }
}
