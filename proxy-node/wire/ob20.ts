/**
 * Frames of the OceanBase 2.0 protocol: a header, extra info, a slice of the MySQL packet stream, a
 * checksum. The writer cuts a request into frames, whole or as it streams in; the reader takes a
 * response apart wherever the chunks are cut, and passes the MySQL bytes on as they come.
 * Hot path: see the rules. Source: proxy-protocol.md §3.1, §3.2, proxy-protocol-tried.md A2–A4.
 */
import { invariant } from '../base/invariant.ts'
import { crc16, crc32c } from './checksum.ts'
import { EXTRA_LIMIT_BYTES, eachEntry, isRequestExtra, type RequestExtra } from './extra-info.ts'
import { malformed } from './reader.ts'

const HEAD_BYTES = 31
const TAIL_BYTES = 4
const EXTRA_LENGTH_BYTES = 4
/** The outer length counts what follows its own seven bytes: the rest of the head, and the tail. */
const OUTER_OVERHEAD_BYTES = 28
const CHECKED_HEAD_BYTES = 29
const MAGIC = 0x20ab
const VERSION = 20
/** MySQL bytes of one frame; its outer length has 24 bits. */
const SLICE_LIMIT_BYTES = 8 * 1024 * 1024
/** Requests up to this size share one buffer; what is larger gets its own. */
const SCRATCH_LIMIT_BYTES = 256 * 1024
const NOTHING = new Uint8Array(0)

/** Flags of a frame. A caller gives `reroute` and `weakRead`; the others are the codec's own. */
export const FRAME_FLAG = {
  extraInfo: 0x01,
  last: 0x02,
  /** The server may answer 5727 with a better address. */
  reroute: 0x04,
  newExtraInfo: 0x08,
  /** The statement was routed as a weak read. */
  weakRead: 0x10,
} as const

const CALLER_FLAGS = FRAME_FLAG.reroute | FRAME_FLAG.weakRead

/**
 * The buffer that frames are built in, one for all writers of a process: what is handed out is valid
 * until the next is, which is enough for a write to a socket (see Connection.write).
 */
export class FrameScratch {
  private bytes: Uint8Array = NOTHING

  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > SCRATCH_LIMIT_BYTES) return new Uint8Array(sizeBytes)
    if (sizeBytes > this.bytes.length) {
      const grown = Math.min(Math.max(sizeBytes, this.bytes.length * 2), SCRATCH_LIMIT_BYTES)
      this.bytes = new Uint8Array(grown)
    }
    return this.bytes.subarray(0, sizeBytes)
  }
}

/** What a reader must know of the request that is answered. */
export type RequestMark = {
  readonly requestId: number
  /** One more than the number of the request's last frame. */
  readonly nextSequence: number
}

export class Ob20Writer implements RequestMark {
  private readonly connectionId: number
  private readonly scratch: FrameScratch
  private extra: RequestExtra | undefined
  private flags = 0
  private isOpen = false
  requestId = 0
  nextSequence = 0

  /** `connectionId` is the thread id of the server's greeting. */
  constructor(connectionId: number, scratch: FrameScratch) {
    this.connectionId = connectionId
    this.scratch = scratch
  }

  /** Begins a request: one command. `extra` travels in its first frame, `flags` in all of them. */
  begin(extra?: RequestExtra, flags = 0): void {
    invariant((flags & ~CALLER_FLAGS) === 0, 'ob20: flags of the codec given by a caller')
    invariant(extra === undefined || isRequestExtra(extra), 'ob20: extra info that hangs a server')
    this.extra = extra
    this.flags = flags
    this.requestId = (this.requestId + 1) & 0xff_ffff
    this.nextSequence = 0
    this.isOpen = true
  }

  /**
   * The frames around the next MySQL bytes of the request, in one buffer that is valid until any
   * writer of the same scratch is asked again. No bytes, no frame: servers do without LAST.
   */
  frames(mysql: Uint8Array, isLast: boolean): Uint8Array {
    invariant(this.isOpen, 'ob20: bytes outside a request')
    this.isOpen = !isLast
    if (mysql.length === 0) return NOTHING
    const extraBytes = this.extra === undefined ? 0 : EXTRA_LENGTH_BYTES + this.extra.length
    const count = Math.ceil(mysql.length / SLICE_LIMIT_BYTES)
    const out = this.scratch.take(mysql.length + extraBytes + count * (HEAD_BYTES + TAIL_BYTES))
    if (count === 1) {
      this.frame(out, 0, mysql, isLast)
      return out
    }
    for (let from = 0, at = 0; from < mysql.length; from += SLICE_LIMIT_BYTES) {
      const to = Math.min(from + SLICE_LIMIT_BYTES, mysql.length)
      at = this.frame(out, at, mysql.subarray(from, to), isLast && to === mysql.length)
    }
    return out
  }

  /** Writes one frame at `at`; where it ends. */
  private frame(out: Uint8Array, at: number, slice: Uint8Array, isLast: boolean): number {
    const { extra } = this
    const payloadAt = at + HEAD_BYTES
    let tailAt = payloadAt
    let flags = this.flags | (isLast ? FRAME_FLAG.last : 0)
    if (extra !== undefined) {
      flags |= FRAME_FLAG.extraInfo | FRAME_FLAG.newExtraInfo
      putU32(out, payloadAt, extra.length)
      out.set(extra, payloadAt + EXTRA_LENGTH_BYTES)
      tailAt += EXTRA_LENGTH_BYTES + extra.length
      this.extra = undefined
    }
    out.set(slice, tailAt)
    tailAt += slice.length
    this.head(out, at, tailAt - payloadAt, flags)
    putU32(out, tailAt, crc32c(out, payloadAt, tailAt))
    this.nextSequence = (this.nextSequence + 1) & 0xff
    return tailAt + TAIL_BYTES
  }

  private head(out: Uint8Array, at: number, payloadBytes: number, flags: number): void {
    putU24(out, at, payloadBytes + OUTER_OVERHEAD_BYTES)
    out[at + 3] = this.nextSequence
    putU24(out, at + 4, 0)
    putU16(out, at + 7, MAGIC)
    putU16(out, at + 9, VERSION)
    putU32(out, at + 11, this.connectionId)
    putU24(out, at + 15, this.requestId)
    out[at + 18] = this.nextSequence
    putU32(out, at + 19, payloadBytes)
    putU32(out, at + 23, flags)
    putU16(out, at + 27, 0)
    putU16(out, at + CHECKED_HEAD_BYTES, crc16(out, at, at + CHECKED_HEAD_BYTES))
  }
}

/** Where the parts of a response go. What they are given is valid during the call only. */
export type Ob20Sink = {
  /** The next MySQL bytes of the response: of the chunk, those from `from` up to `to`. */
  readonly mysql: (bytes: Uint8Array, from: number, to: number) => void
  /** An entry of extra info; comes before the MySQL bytes of its frame. */
  readonly extra: (type: number, bytes: Uint8Array) => void
  /**
   * A frame has come whole and right. The last one ends the response, whatever it held; the MySQL
   * bytes of others may still be handed on behind this, with those of the frames that follow.
   */
  readonly frameEnded: (isLast: boolean, flags: number) => void
}

const PART = { head: 0, payload: 1, tail: 2 } as const

export class Ob20Reader {
  private readonly connectionId: number
  private readonly request: RequestMark
  private part: number = PART.head
  /** A request was begun and none of its response has come. */
  private isAwaited = false
  /** Of the response under way; the request itself may be over and another begun. */
  private isInside = false
  private requestId = 0
  private sequence = 0
  /** Of the frame under way. */
  private flags = 0
  private payloadBytes = 0
  private payloadLeft = 0
  private checksum = 0
  private tail = 0
  private tailBytes = 0
  /** A head or extra info that chunks cut; kept heads reuse their buffer. */
  private cutHead: Uint8Array = NOTHING
  private cutHeadBytes = 0
  private extraLengthBytes = EXTRA_LENGTH_BYTES
  private extraLength = 0
  private cutExtra: Uint8Array = NOTHING
  private cutExtraBytes = 0
  /** Within the chunk at hand: the next byte, and MySQL bytes that have not been handed on. */
  private at = 0
  private readyFrom = 0
  private readyTo = 0

  constructor(connectionId: number, request: RequestMark) {
    this.connectionId = connectionId
    this.request = request
  }

  /** A request begins. Allowed as soon as the MySQL bytes of the response before are whole. */
  begin(): void {
    this.isAwaited = true
  }

  /**
   * Takes a chunk apart. Its bytes may be moved: MySQL bytes of several frames are handed on as one
   * view. A frame that lies in the chunk whole is checked before any of it is handed on.
   * @throws protocol.malformed when the bytes are no response to the request.
   */
  feed(bytes: Uint8Array, sink: Ob20Sink): void {
    this.at = 0
    this.readyFrom = 0
    this.readyTo = 0
    while (this.at < bytes.length) {
      if (this.part === PART.head) this.takeHead(bytes)
      else if (this.part === PART.payload) this.takePayload(bytes, sink)
      else this.takeTail(bytes, sink)
    }
    this.handOn(bytes, sink)
  }

  private takeHead(bytes: Uint8Array): void {
    if (this.cutHeadBytes === 0 && bytes.length - this.at >= HEAD_BYTES) {
      this.judgeHead(bytes, this.at)
      this.at += HEAD_BYTES
      return
    }
    if (this.cutHead.length === 0) this.cutHead = new Uint8Array(HEAD_BYTES)
    const step = Math.min(HEAD_BYTES - this.cutHeadBytes, bytes.length - this.at)
    for (let index = 0; index < step; index++)
      this.cutHead[this.cutHeadBytes + index] = bytes[this.at + index] as number
    this.cutHeadBytes += step
    this.at += step
    if (this.cutHeadBytes < HEAD_BYTES) return
    this.cutHeadBytes = 0
    this.judgeHead(this.cutHead, 0)
  }

  private judgeHead(bytes: Uint8Array, at: number): void {
    const stored = u16(bytes, at + CHECKED_HEAD_BYTES)
    if (stored !== 0 && stored !== crc16(bytes, at, at + CHECKED_HEAD_BYTES))
      throw malformed('OB 2.0: checksum of a header')
    if (u16(bytes, at + 7) !== MAGIC) throw malformed('OB 2.0: magic number')
    if (u16(bytes, at + 9) !== VERSION) throw malformed('OB 2.0: version')
    if (u32(bytes, at + 11) !== this.connectionId) throw malformed('OB 2.0: connection id')
    this.judgeOrder(u24(bytes, at + 15), bytes[at + 18] as number)
    this.judgeSize(u24(bytes, at), u24(bytes, at + 4), u32(bytes, at + 19))
    this.beginFrame(u32(bytes, at + 19), u32(bytes, at + 23))
  }

  /**
   * Outer numbers are not judged: they go on from the inner number of the request's last MySQL
   * packet, which streams past unread, and say nothing that the packet's own number does not.
   */
  private judgeOrder(requestId: number, sequence: number): void {
    if (!this.isInside) {
      if (!this.isAwaited) throw malformed('OB 2.0: frame that no request asked for')
      this.isAwaited = false
      this.isInside = true
      this.requestId = this.request.requestId
      this.sequence = this.request.nextSequence
    }
    if (requestId !== this.requestId) throw malformed('OB 2.0: request id')
    if (sequence !== this.sequence) throw malformed('OB 2.0: packet sequence')
    this.sequence = (sequence + 1) & 0xff
  }

  private judgeSize(outer: number, uncompressed: number, payload: number): void {
    if (uncompressed !== 0) throw malformed('OB 2.0: compressed frame')
    if (outer !== payload + OUTER_OVERHEAD_BYTES) throw malformed('OB 2.0: length')
  }

  private beginFrame(payloadBytes: number, flags: number): void {
    const hasExtra = (flags & FRAME_FLAG.extraInfo) !== 0
    if (hasExtra && (flags & FRAME_FLAG.newExtraInfo) === 0)
      throw malformed('OB 2.0: extra info in the old layout')
    if (hasExtra && payloadBytes < EXTRA_LENGTH_BYTES) throw malformed('OB 2.0: extra info')
    this.part = PART.payload
    this.flags = flags
    this.payloadBytes = payloadBytes
    this.payloadLeft = payloadBytes
    this.checksum = 0
    this.tail = 0
    this.tailBytes = 0
    this.extraLengthBytes = hasExtra ? 0 : EXTRA_LENGTH_BYTES
    this.extraLength = 0
  }

  private takePayload(bytes: Uint8Array, sink: Ob20Sink): void {
    const to = Math.min(bytes.length, this.at + this.payloadLeft)
    this.checksum = crc32c(bytes, this.at, to, this.checksum)
    this.payloadLeft -= to - this.at
    if (this.payloadLeft === 0) {
      this.part = PART.tail
      if (bytes.length - to >= TAIL_BYTES) this.judgeTail(u32(bytes, to))
    }
    if (this.extraLengthBytes < EXTRA_LENGTH_BYTES) this.takeExtraLength(bytes, to)
    if (this.extraLength > 0) this.takeExtra(bytes, to, sink)
    if (this.at < to) this.takeMysql(bytes, to)
  }

  private takeExtraLength(bytes: Uint8Array, to: number): void {
    while (this.extraLengthBytes < EXTRA_LENGTH_BYTES && this.at < to) {
      this.extraLength += (bytes[this.at] as number) * 2 ** (8 * this.extraLengthBytes)
      this.extraLengthBytes += 1
      this.at += 1
    }
    const limit = Math.min(EXTRA_LIMIT_BYTES, this.payloadBytes - EXTRA_LENGTH_BYTES)
    if (this.extraLength > limit) throw malformed('OB 2.0: length of extra info')
  }

  private takeExtra(bytes: Uint8Array, to: number, sink: Ob20Sink): void {
    if (this.extraLengthBytes < EXTRA_LENGTH_BYTES) return
    const { at, extraLength } = this
    if (this.cutExtraBytes === 0 && to - at >= extraLength) {
      this.at = at + extraLength
      this.extraLength = 0
      eachEntry(bytes, (type, entry) => sink.extra(type, entry), at, at + extraLength)
      return
    }
    if (this.cutExtraBytes === 0) this.cutExtra = new Uint8Array(extraLength)
    const step = Math.min(extraLength - this.cutExtraBytes, to - at)
    this.cutExtra.set(bytes.subarray(at, at + step), this.cutExtraBytes)
    this.cutExtraBytes += step
    this.at = at + step
    if (this.cutExtraBytes < extraLength) return
    const whole = this.cutExtra
    this.cutExtra = NOTHING
    this.cutExtraBytes = 0
    this.extraLength = 0
    eachEntry(whole, (type, entry) => sink.extra(type, entry))
  }

  /** Moves the bytes up to those that wait: one write to the client a chunk, not one a frame. */
  private takeMysql(bytes: Uint8Array, to: number): void {
    if (this.readyFrom === this.readyTo) {
      this.readyFrom = this.at
      this.readyTo = to
    } else {
      bytes.copyWithin(this.readyTo, this.at, to)
      this.readyTo += to - this.at
    }
    this.at = to
  }

  private takeTail(bytes: Uint8Array, sink: Ob20Sink): void {
    while (this.tailBytes < TAIL_BYTES && this.at < bytes.length) {
      this.tail |= (bytes[this.at] as number) << (8 * this.tailBytes)
      this.tailBytes += 1
      this.at += 1
    }
    if (this.tailBytes < TAIL_BYTES) return
    this.judgeTail(this.tail >>> 0)
    this.part = PART.head
    const { flags } = this
    const isLast = (flags & FRAME_FLAG.last) !== 0
    if (isLast) {
      this.handOn(bytes, sink)
      this.isInside = false
    }
    sink.frameEnded(isLast, flags)
  }

  /** A server that stores 0 did not compute it. */
  private judgeTail(stored: number): void {
    if (stored !== 0 && stored !== this.checksum) throw malformed('OB 2.0: checksum of a payload')
  }

  private handOn(bytes: Uint8Array, sink: Ob20Sink): void {
    const { readyFrom, readyTo } = this
    if (readyFrom === readyTo) return
    this.readyFrom = readyTo
    sink.mysql(bytes, readyFrom, readyTo)
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

function u24(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) | ((bytes[at + 2] as number) << 16)
}

function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | ((bytes[at + 3] as number) << 24)) >>> 0
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

function putU24(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value)
  bytes[at + 2] = value >>> 16
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU24(bytes, at, value)
  bytes[at + 3] = value >>> 24
}
