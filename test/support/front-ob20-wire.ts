/**
 * The proxy's end of an OB 2.0 connection for suites of the fronts: requests cut and filled as a suite
 * wants them, every response frame kept. Made of the fronts' codec.
 */
import {
  buildFrame,
  EXTRA,
  FLAG,
  FrameStream,
  type Ob20Frame,
  readTlvs,
  type Tlv,
  writeTlvs,
} from '../../infra/local/front/ob20-codec.ts'
import type { Wire } from './raw-client.ts'

export class Ob20Wire implements Wire {
  private readonly connectionId: number
  private readonly stream = new FrameStream()
  private nextRequestId = 1
  private answersEnded = 0
  /** Frames of the responses since `forget`. */
  frames: Ob20Frame[] = []
  /** Bytes of the MySQL stream that a request frame carries. */
  sliceBytes = 8 << 20
  /** Goes with the next request, once. */
  extra: readonly Tlv[] = []

  constructor(connectionId: number) {
    this.connectionId = connectionId
  }

  encode(stream: Buffer): Buffer {
    const requestId = this.nextRequestId++ & 0xff_ffff
    const extra = this.extra.length === 0 ? undefined : writeTlvs(this.extra)
    this.extra = []
    const frames: Buffer[] = []
    for (let at = 0; at < stream.length; at += this.sliceBytes) {
      const packetSequence = frames.length & 0xff
      const isLast = at + this.sliceBytes >= stream.length
      const isFirst = at === 0
      frames.push(
        buildFrame({
          outerSequence: packetSequence,
          connectionId: this.connectionId,
          requestId,
          packetSequence,
          flags: (isLast ? FLAG.last : 0) | FLAG.newExtra,
          extra: isFirst ? extra : undefined,
          body: stream.subarray(at, at + this.sliceBytes),
        }),
      )
    }
    return Buffer.concat(frames)
  }

  decode(bytes: Buffer): Buffer {
    const frames = this.stream.push(bytes)
    this.frames.push(...frames)
    this.answersEnded += frames.filter(({ flags }) => (flags & FLAG.last) !== 0).length
    return Buffer.concat(frames.map(({ body }) => body))
  }

  /** Responses that have come to their LAST frame. */
  get ended(): number {
    return this.answersEnded
  }

  forget(): void {
    this.frames = []
  }

  /** Extra info of the kept frames, in order. */
  received(): readonly Tlv[] {
    return this.frames.flatMap(({ extra }) => (extra === undefined ? [] : readTlvs(extra)))
  }

  /** The newest blob of each type of session info. */
  blobs(): ReadonlyMap<number, Buffer> {
    const items = this.received().filter(({ type }) => type === EXTRA.session)
    return new Map(
      items.flatMap(({ value }) => readTlvs(value).map(blob => [blob.type, blob.value] as const)),
    )
  }

  /** What the newest feedback says of session locks: `1`, `0`, or undefined when it is silent. */
  isLockSession(): string | undefined {
    const items = this.received().filter(({ type }) => type === EXTRA.feedback)
    const values = items.flatMap(({ value }) => readTlvs(value)).filter(({ type }) => type === 0)
    return values.at(-1)?.value.toString()
  }
}

/** Blobs as the extra info of a request carries them. */
export function sessionInfo(blobs: ReadonlyMap<number, Buffer>): Tlv {
  return {
    type: EXTRA.session,
    value: writeTlvs([...blobs].map(([type, value]) => ({ type, value }))),
  }
}
