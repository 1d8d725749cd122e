/**
 * Frames of the OceanBase 2.0 protocol, both directions, written apart from proxy-node/wire (L4) and
 * pinned by the vectors. A frame that an OBServer would close the connection for is a
 * `MalformedPacket`. Source: proxy-protocol.md §3.1–3.3, proxy-protocol-tried.md A1–A4.
 */
import { MalformedPacket } from './codec.ts'

export type Ob20Fields = {
  readonly outerSequence: number
  readonly connectionId: number
  readonly requestId: number
  readonly packetSequence: number
  readonly flags: number
  /** Undefined without flag bit 0. */
  readonly extra: Buffer | undefined
  /** A slice of the MySQL stream; a packet may be cut anywhere. */
  readonly body: Buffer
}

export type Ob20Frame = Ob20Fields & {
  /** All of it, as it came. */
  readonly bytes: Buffer
}

export const FLAG = { extra: 0x1, last: 0x2, newExtra: 0x8, weakRead: 0x10 } as const

/** Bytes in front of the payload, the seven of the outer head included. */
const HEADER_BYTES = 31
const OUTER_BYTES = 7
const TAIL_BYTES = 4
/** What the outer length counts besides the payload. */
const LENGTH_OVERHEAD = HEADER_BYTES - OUTER_BYTES + TAIL_BYTES
const MAGIC = 0x20ab
const VERSION = 20
const HEADER_CRC_AT = 29

/** CRC-16/ARC: reflected 0x8005, nothing at the start or the end. */
export function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) crc = (CRC16[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return crc
}

/** CRC-32C without the usual complements at the start and the end. */
export function crc32c(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) crc = (CRC32C[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return crc >>> 0
}

const CRC16 = table(0xa001)
const CRC32C = table(0x82f63b78)

function table(polynomial: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_none, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial
    return crc
  })
}

export function buildFrame(fields: Ob20Fields): Buffer {
  const { extra, body } = fields
  const lengths = extra === undefined ? 0 : 4 + extra.length
  const payloadBytes = lengths + body.length
  const bytes = Buffer.alloc(HEADER_BYTES + payloadBytes + TAIL_BYTES)
  bytes.writeUIntLE(LENGTH_OVERHEAD + payloadBytes, 0, 3)
  bytes.writeUInt8(fields.outerSequence & 0xff, 3)
  bytes.writeUInt16LE(MAGIC, 7)
  bytes.writeUInt16LE(VERSION, 9)
  bytes.writeUInt32LE(fields.connectionId, 11)
  bytes.writeUIntLE(fields.requestId, 15, 3)
  bytes.writeUInt8(fields.packetSequence & 0xff, 18)
  bytes.writeUInt32LE(payloadBytes, 19)
  bytes.writeUInt32LE((fields.flags | (extra === undefined ? 0 : FLAG.extra)) >>> 0, 23)
  bytes.writeUInt16LE(crc16(bytes.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT)
  if (extra !== undefined) {
    bytes.writeUInt32LE(extra.length, HEADER_BYTES)
    extra.copy(bytes, HEADER_BYTES + 4)
  }
  body.copy(bytes, HEADER_BYTES + lengths)
  const end = HEADER_BYTES + payloadBytes
  bytes.writeUInt32LE(crc32c(bytes.subarray(HEADER_BYTES, end)), end)
  return bytes
}

/** Whole frames out of a byte stream; holds back at most one: 16 MiB and the chunk that ends it. */
export class FrameStream {
  private chunks: Buffer[] = []
  private heldBytes = 0
  private neededBytes = HEADER_BYTES

  /** @throws MalformedPacket for a frame that a server closes the connection for */
  push(bytes: Buffer): Ob20Frame[] {
    this.chunks.push(bytes)
    this.heldBytes += bytes.length
    if (this.heldBytes < this.neededBytes) return []
    let rest = this.chunks.length === 1 ? bytes : Buffer.concat(this.chunks)
    const frames: Ob20Frame[] = []
    this.neededBytes = HEADER_BYTES
    while (rest.length >= HEADER_BYTES) {
      const end = frameBytes(rest)
      this.neededBytes = end
      if (rest.length < end) break
      frames.push(readFrame(rest.subarray(0, end)))
      rest = rest.subarray(end)
      this.neededBytes = HEADER_BYTES
    }
    this.chunks = rest.length === 0 ? [] : [rest]
    this.heldBytes = rest.length
    return frames
  }
}

/** Length of the frame that begins here, its header checked: nobody waits for a lie to be whole. */
function frameBytes(bytes: Buffer): number {
  const stored = bytes.readUInt16LE(HEADER_CRC_AT)
  // A stored zero means "not checked".
  if (stored !== 0 && stored !== crc16(bytes.subarray(0, HEADER_CRC_AT)))
    throw new MalformedPacket('wrong header checksum')
  if (bytes.readUInt16LE(7) !== MAGIC) throw new MalformedPacket('wrong magic')
  if (bytes.readUInt16LE(9) !== VERSION) throw new MalformedPacket('wrong version')
  const outer = bytes.readUIntLE(0, 3)
  if (bytes.readUIntLE(4, 3) !== 0) throw new MalformedPacket('a compressed frame')
  if (outer !== bytes.readUInt32LE(19) + LENGTH_OVERHEAD)
    throw new MalformedPacket('the two lengths differ')
  return OUTER_BYTES + outer
}

function readFrame(bytes: Buffer): Ob20Frame {
  const end = bytes.length - TAIL_BYTES
  const payload = bytes.subarray(HEADER_BYTES, end)
  const stored = bytes.readUInt32LE(end)
  if (stored !== 0 && stored !== crc32c(payload))
    throw new MalformedPacket('wrong payload checksum')
  const flags = bytes.readUInt32LE(23)
  const { extra, body } = cut(payload, flags)
  return {
    outerSequence: bytes.readUInt8(3),
    connectionId: bytes.readUInt32LE(11),
    requestId: bytes.readUIntLE(15, 3),
    packetSequence: bytes.readUInt8(18),
    flags,
    extra,
    body,
    bytes,
  }
}

function cut(payload: Buffer, flags: number): Pick<Ob20Fields, 'extra' | 'body'> {
  if ((flags & FLAG.extra) === 0) return { extra: undefined, body: payload }
  const length = payload.length < 4 ? 0 : payload.readUInt32LE(0)
  if (length === 0 || 4 + length > payload.length) throw new MalformedPacket('wrong extra length')
  return { extra: payload.subarray(4, 4 + length), body: payload.subarray(4 + length) }
}

export type Tlv = { readonly type: number; readonly value: Buffer }

export function writeTlvs(items: readonly Tlv[]): Buffer {
  return Buffer.concat(
    items.flatMap(({ type, value }) => {
      const head = Buffer.alloc(6)
      head.writeUInt16LE(type, 0)
      head.writeUInt32LE(value.length, 2)
      return [head, value]
    }),
  )
}

/** @throws MalformedPacket when one leads beyond the bytes */
export function readTlvs(bytes: Buffer): readonly Tlv[] {
  const items: Tlv[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 6 > bytes.length) throw new MalformedPacket('extra info cut short')
    const end = at + 6 + bytes.readUInt32LE(at + 2)
    if (end > bytes.length) throw new MalformedPacket('extra info leads beyond its frame')
    items.push({ type: bytes.readUInt16LE(at), value: bytes.subarray(at + 6, end) })
    at = end
  }
  return items
}

/** What extra info may carry. */
export const EXTRA = { feedback: 1001, trace: 2001, session: 2002, fullTrace: 2003, verify: 2004 }
/** Anything else in a request hangs a real OBServer for all its clients (A1). */
const FROM_PROXIES: readonly number[] = [EXTRA.trace, EXTRA.session, EXTRA.fullTrace, EXTRA.verify]

/**
 * What a proxy tells in a request's extra info.
 * @throws MalformedPacket for what would close the connection, or hang the server
 */
export function requestExtra({ extra, flags }: Ob20Fields): readonly Tlv[] {
  if (extra === undefined) return []
  if ((flags & FLAG.newExtra) === 0) throw new MalformedPacket('extra info of the old layout')
  const items = readTlvs(extra)
  for (const { type, value } of items) {
    if (!FROM_PROXIES.includes(type)) throw new MalformedPacket(`extra info of type ${type}`)
    if (type === EXTRA.session) readTlvs(value)
  }
  return items
}

/** Where the frames of a response go on from (A3). */
export type Answered = {
  readonly connectionId: number
  readonly requestId: number
  /** Of the request's last MySQL packet, and of its last frame. */
  readonly lastSequence: number
  readonly lastPacketSequence: number
}

/** An OBServer's frames hold about this much of a result. */
export const BODY_BYTES = 13_000

/** A whole answer without extra info; `stream` is MySQL packets. */
export function answerFrames(stream: Buffer, to: Answered): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at < stream.length; at += BODY_BYTES) {
    const body = stream.subarray(at, at + BODY_BYTES)
    const isLast = at + BODY_BYTES >= stream.length
    frames.push(
      buildFrame({
        outerSequence: to.lastSequence + 1 + frames.length,
        connectionId: to.connectionId,
        requestId: to.requestId,
        packetSequence: to.lastPacketSequence + 1 + frames.length,
        flags: isLast ? FLAG.last : 0,
        extra: undefined,
        body,
      }),
    )
  }
  return Buffer.concat(frames)
}
