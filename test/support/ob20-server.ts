/**
 * A server's side of OB 2.0, written apart from proxy-node/wire: reads requests as strictly as the
 * real one and frames responses. Clear rather than fast. Source: proxy-protocol.md §3.1–3.3,
 * proxy-protocol-tried.md A1–A4.
 */
const HEAD = 31
const LAST = 0x02
const EXTRA = 0x01
const NEW_EXTRA = 0x08
/** Frames of the real one hold about this much of a result. */
const USUAL_SLICE_BYTES = 13_000
const SURVIVED_TYPES = [2001, 2002, 2003, 2004]

/** What a real server answers by closing the connection without a packet. */
export class FrameViolation extends Error {}

/** What makes a real server serve nobody any more. */
export class ServerHung extends Error {}

export type RequestFrame = {
  readonly outerSequence: number
  readonly requestId: number
  readonly sequence: number
  readonly flags: number
  readonly extra: Buffer | undefined
  readonly mysql: Buffer
  readonly isLast: boolean
}

/** All fields of a frame; a test of bad ones overrides what it wants. */
export type FrameFields = {
  readonly connectionId: number
  readonly requestId: number
  readonly sequence: number
  readonly flags: number
  readonly payload: Buffer
  readonly outerSequence?: number
  readonly outerLength?: number
  readonly uncompressed?: number
  readonly magic?: number
  readonly version?: number
  readonly payloadLength?: number
  readonly headChecksum?: number
  readonly payloadChecksum?: number
}

export function frameBytes(fields: FrameFields): Buffer {
  const { payload } = fields
  const bytes = Buffer.alloc(HEAD + payload.length + 4)
  bytes.writeUIntLE(fields.outerLength ?? payload.length + 28, 0, 3)
  bytes.writeUInt8(fields.outerSequence ?? fields.sequence, 3)
  bytes.writeUIntLE(fields.uncompressed ?? 0, 4, 3)
  bytes.writeUInt16LE(fields.magic ?? 0x20ab, 7)
  bytes.writeUInt16LE(fields.version ?? 20, 9)
  bytes.writeUInt32LE(fields.connectionId, 11)
  bytes.writeUIntLE(fields.requestId, 15, 3)
  bytes.writeUInt8(fields.sequence, 18)
  bytes.writeUInt32LE(fields.payloadLength ?? payload.length, 19)
  bytes.writeUInt32LE(fields.flags, 23)
  bytes.writeUInt16LE(fields.headChecksum ?? remainder(bytes.subarray(0, 29), 0xa001), 29)
  payload.copy(bytes, HEAD)
  const checksum = fields.payloadChecksum ?? remainder(payload, 0x82f63b78)
  bytes.writeUInt32LE(checksum, HEAD + payload.length)
  return bytes
}

/** One entry of extra info. */
export function extraEntry(type: number, bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes)
  const head = Buffer.alloc(6)
  head.writeUInt16LE(type, 0)
  head.writeUInt32LE(content.length, 2)
  return Buffer.concat([head, content])
}

/** A payload that begins with extra info. */
export function withExtra(extra: Buffer, mysql: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(extra.length)
  return Buffer.concat([length, extra, mysql])
}

/** Entries of extra info, or of the blobs in one. @throws FrameViolation */
export function extraEntries(bytes: Buffer): { type: number; content: Buffer }[] {
  const entries: { type: number; content: Buffer }[] = []
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 6) throw new FrameViolation('entry of extra info cut short')
    const end = at + 6 + bytes.readUInt32LE(at + 2)
    if (end > bytes.length) throw new FrameViolation('entry of extra info cut short')
    entries.push({ type: bytes.readUInt16LE(at), content: bytes.subarray(at + 6, end) })
    at = end
  }
  return entries
}

/** Requests out of a byte stream. */
export class RequestFrames {
  private readonly connectionId: number
  private bytes: Buffer = Buffer.alloc(0)
  private last: RequestFrame | undefined

  constructor(connectionId: number) {
    this.connectionId = connectionId
  }

  /** @throws FrameViolation and ServerHung, as a real server would close or hang. */
  push(chunk: Buffer): RequestFrame[] {
    this.bytes = Buffer.concat([this.bytes, chunk])
    const frames: RequestFrame[] = []
    while (this.bytes.length >= HEAD) {
      const payloadBytes = this.judgeHead()
      const end = HEAD + payloadBytes + 4
      if (this.bytes.length < end) break
      frames.push(this.take(this.bytes.subarray(0, end), payloadBytes))
      this.bytes = this.bytes.subarray(end)
    }
    return frames
  }

  private judgeHead(): number {
    const { bytes } = this
    const checksum = bytes.readUInt16LE(29)
    const payloadBytes = bytes.readUInt32LE(19)
    demand(checksum === 0 || checksum === remainder(bytes.subarray(0, 29), 0xa001), 'head checksum')
    demand(bytes.readUInt16LE(7) === 0x20ab, 'magic')
    demand(bytes.readUInt16LE(9) === 20, 'version')
    demand(bytes.readUInt32LE(11) === this.connectionId, 'connection id')
    demand(bytes.readUIntLE(0, 3) === payloadBytes + 28, 'outer length')
    demand(bytes.readUIntLE(4, 3) === 0, 'uncompressed length')
    return payloadBytes
  }

  private take(bytes: Buffer, payloadBytes: number): RequestFrame {
    const payload = bytes.subarray(HEAD, HEAD + payloadBytes)
    const checksum = bytes.readUInt32LE(HEAD + payloadBytes)
    demand(checksum === 0 || checksum === remainder(payload, 0x82f63b78), 'payload checksum')
    const flags = bytes.readUInt32LE(23)
    const extraBytes = (flags & EXTRA) === 0 ? -4 : payload.readUInt32LE(0)
    const extra = extraBytes < 0 ? undefined : payload.subarray(4, 4 + extraBytes)
    if (extra !== undefined) judgeExtra(extra, extraBytes, flags)
    const frame: RequestFrame = {
      outerSequence: bytes.readUInt8(3),
      requestId: bytes.readUIntLE(15, 3),
      sequence: bytes.readUInt8(18),
      flags,
      extra: extra === undefined ? undefined : Buffer.from(extra),
      mysql: Buffer.from(payload.subarray(4 + extraBytes)),
      isLast: (flags & LAST) !== 0,
    }
    this.judgeOrder(frame)
    return frame
  }

  private judgeOrder(frame: RequestFrame): void {
    const { last } = this
    if (last !== undefined && !last.isLast && last.requestId === frame.requestId)
      demand(frame.sequence === ((last.sequence + 1) & 0xff), 'packet sequence')
    this.last = frame
  }
}

function judgeExtra(extra: Buffer, lengthBytes: number, flags: number): void {
  demand((flags & NEW_EXTRA) !== 0, 'extra info without its flag')
  demand(lengthBytes > 0 && extra.length === lengthBytes, 'length of extra info')
  for (const { type, content } of extraEntries(extra)) {
    if (!SURVIVED_TYPES.includes(type)) throw new ServerHung(`extra info of type ${type}`)
    if (type === 2002) extraEntries(content)
  }
}

export type ResponseState = {
  readonly connectionId: number
  readonly requestId: number
  outerSequence: number
  sequence: number
}

export type ResponseShape = {
  /** MySQL bytes of a frame. */
  readonly sliceBytes?: number
  /** Extra info of the frames, in order; undefined for a frame without. */
  readonly extra?: readonly (Buffer | undefined)[]
  readonly isLast?: boolean
  readonly zeroChecksums?: boolean
}

/** A request's answer begins after its last inner number and after its last packet number (A3). */
export function responseState(
  connectionId: number,
  request: { readonly requestId: number; readonly sequence: number },
  innerSequence: number,
): ResponseState {
  return {
    connectionId,
    requestId: request.requestId,
    outerSequence: (innerSequence + 1) & 0xff,
    sequence: (request.sequence + 1) & 0xff,
  }
}

/** Frames of the next MySQL bytes of a response; `state` moves on. */
export function responseFrames(
  state: ResponseState,
  mysql: Buffer,
  { sliceBytes = USUAL_SLICE_BYTES, extra = [], isLast = true, zeroChecksums }: ResponseShape = {},
): Buffer[] {
  const count = Math.max(1, Math.ceil(mysql.length / sliceBytes), extra.length)
  return Array.from({ length: count }, (_, index) => {
    const slice = mysql.subarray(index * sliceBytes, (index + 1) * sliceBytes)
    const info = extra[index]
    const bytes = frameBytes({
      ...state,
      flags:
        (isLast && index === count - 1 ? LAST : 0) | (info === undefined ? 0 : EXTRA | NEW_EXTRA),
      payload: info === undefined ? slice : withExtra(info, slice),
      ...(zeroChecksums === true ? { headChecksum: 0, payloadChecksum: 0 } : {}),
    })
    state.outerSequence = (state.outerSequence + 1) & 0xff
    state.sequence = (state.sequence + 1) & 0xff
    return bytes
  })
}

function demand(condition: boolean, what: string): void {
  if (!condition) throw new FrameViolation(what)
}

/** Remainder of a reflected polynomial, bit by bit, from 0 and without a final xor. */
export function remainder(bytes: Buffer, polynomial: number): number {
  let rest = 0
  for (const byte of bytes) {
    rest ^= byte
    for (let bit = 0; bit < 8; bit++)
      rest = (rest & 1) === 1 ? (rest >>> 1) ^ polynomial : rest >>> 1
  }
  return rest >>> 0
}
